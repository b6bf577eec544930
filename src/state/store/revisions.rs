//! The recorded revisions, one file each.

use super::super::disk::Disk;
use super::super::error::Error;
use super::super::location::Location;
use super::super::revision::{Recorded, Revision};
use super::load::parse_document;
use super::render;

/// Revisions that are kept.
const KEPT: usize = 10;

pub(super) fn list(disk: &Disk, location: &Location) -> Result<Vec<Recorded>, Error> {
    let serials = serials(disk, location)?;
    let read = serials.into_iter().filter_map(|serial| {
        let revision = read(disk, location, serial).transpose()?;
        Some((serial, revision))
    });
    Ok(read.collect())
}

pub(super) fn read(disk: &Disk, location: &Location, serial: u64) -> Result<Option<Revision>, Error> {
    let path = location.revision(serial);
    let Some(bytes) = disk.read(&path)? else {
        return Ok(None);
    };
    let corrupt = |reason| Error::Corrupt { what: "revision", path: path.clone(), reason, previous: None };
    parse_document(&path, &bytes, |r: &Revision| r.format_version, corrupt).map(Some)
}

pub(super) fn latest(disk: &Disk, location: &Location) -> Result<Option<Revision>, Error> {
    match serials(disk, location)?.last() {
        Some(serial) => read(disk, location, *serial),
        None => Ok(None),
    }
}

/// Serials of the recorded revisions, ascending.
pub(super) fn serials(disk: &Disk, location: &Location) -> Result<Vec<u64>, Error> {
    let names = disk.names(&location.revisions())?;
    let serial = |name: &std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse::<u64>().ok();
    let mut serials: Vec<u64> = names.iter().filter_map(serial).collect();
    serials.sort_unstable();
    Ok(serials)
}

/// Writes one, and drops the oldest beyond [`KEPT`] but for the last that got ready.
pub(super) fn write(disk: &Disk, location: &Location, revision: &Revision) -> Result<(), Error> {
    let folder = location.revisions();
    disk.create_folder(&folder)?;
    disk.replace(&location.revision(revision.serial), render(revision).as_bytes(), None)?;
    drop_old(disk, location)?;
    disk.sync_folder(&folder)?;
    // The name of the folder too: a try that failed may have made it.
    disk.sync_folder(location.folder())
}

fn drop_old(disk: &Disk, location: &Location) -> Result<(), Error> {
    let serials = serials(disk, location)?;
    let surplus = serials.len().saturating_sub(KEPT);
    if surplus == 0 {
        return Ok(());
    }
    let ready = |serial: &&u64| read(disk, location, **serial).is_ok_and(|r| r.is_some_and(|r| r.ready));
    let last_ready = serials.iter().rev().find(ready);
    for serial in &serials[..surplus] {
        if Some(serial) != last_ready {
            disk.remove(&location.revision(*serial))?;
        }
    }
    Ok(())
}
