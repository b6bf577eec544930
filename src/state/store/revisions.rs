//! The recorded revisions, one file each.

use super::super::error::Error;
use super::super::files;
use super::super::location::Location;
use super::super::revision::{Recorded, Revision};
use super::load::parse_document;
use super::render;

/// Revisions that are kept.
const KEPT: usize = 10;

pub(super) fn list(location: &Location) -> Result<Vec<Recorded>, Error> {
    let serials = serials(location)?;
    let read = serials.into_iter().filter_map(|serial| {
        let revision = read(location, serial).transpose()?;
        Some((serial, revision))
    });
    Ok(read.collect())
}

pub(super) fn read(location: &Location, serial: u64) -> Result<Option<Revision>, Error> {
    let path = location.revision(serial);
    let Some(bytes) = files::read(&path)? else {
        return Ok(None);
    };
    let corrupt = |reason| Error::Corrupt { what: "revision", path: path.clone(), reason, previous: None };
    parse_document(&path, &bytes, |r: &Revision| r.format_version, corrupt).map(Some)
}

pub(super) fn latest(location: &Location) -> Result<Option<Revision>, Error> {
    match serials(location)?.last() {
        Some(serial) => read(location, *serial),
        None => Ok(None),
    }
}

/// Serials of the recorded revisions, ascending.
fn serials(location: &Location) -> Result<Vec<u64>, Error> {
    let folder = location.revisions();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(files::failed("read", &folder)(error)),
    };
    let mut serials = Vec::new();
    for entry in entries {
        let name = entry.map_err(files::failed("read", &folder))?.file_name();
        let serial = name.to_str().and_then(|n| n.strip_suffix(".json"));
        serials.extend(serial.and_then(|s| s.parse::<u64>().ok()));
    }
    serials.sort_unstable();
    Ok(serials)
}

/// Writes one, and drops the oldest beyond [`KEPT`] but for the last that got ready.
pub(super) fn write(location: &Location, revision: &Revision) -> Result<(), Error> {
    let folder = location.revisions();
    files::create_folder(&folder)?;
    files::replace(&location.revision(revision.serial), render(revision).as_bytes(), None)?;
    drop_old(location)?;
    files::sync_folder(&folder)
}

fn drop_old(location: &Location) -> Result<(), Error> {
    let serials = serials(location)?;
    let surplus = serials.len().saturating_sub(KEPT);
    if surplus == 0 {
        return Ok(());
    }
    let ready = |serial: &&u64| read(location, **serial).is_ok_and(|r| r.is_some_and(|r| r.ready));
    let last_ready = serials.iter().rev().find(ready);
    for serial in &serials[..surplus] {
        if Some(serial) != last_ready {
            files::remove(&location.revision(*serial))?;
        }
    }
    Ok(())
}
