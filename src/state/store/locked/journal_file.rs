//! The journal's file between two writers: written anew where it is not this process's own, and gone after a commit.

use super::super::super::error::Error;
use super::super::super::journal::{End, Header, Journal, Record, Writer};
use super::{Inner, LockedStore, OnDisk};
use crate::failpoint;

impl LockedStore {
    /// Opens the journal to append to it, writing it first unless this process did.
    pub(super) fn start_journal(&self, inner: &mut Inner) -> Result<(), Error> {
        if inner.writer.is_some() {
            return Ok(());
        }
        match &inner.journal {
            OnDisk::None | OnDisk::Stale => self.write_open(inner)?,
            OnDisk::Found(journal) => {
                let cluster = inner.ledger.state().cluster.clone();
                let header = Header { cluster, ..journal.header.clone() };
                let end = self.write_journal(&header, &journal.records)?;
                inner.journal = OnDisk::Continued(end);
            }
            OnDisk::Continued(_) | OnDisk::Broken => {}
        }
        let OnDisk::Continued(end) = &inner.journal else {
            return Err(self.no_writer());
        };
        let path = self.location.journal();
        let file = self.disk.open_append(&path)?;
        inner.writer = Some(Writer::start(path, file, end.clone())?);
        Ok(())
    }

    /// Writes a journal that continues the state file and holds what is open.
    fn write_open(&self, inner: &mut Inner) -> Result<(), Error> {
        let begins = inner.open.iter();
        let records: Vec<_> =
            begins.map(|(seq, begin)| Record::Begin { seq: *seq, begin: begin.clone() }).collect();
        let (base, cluster) = (&inner.base, inner.ledger.state().cluster.clone());
        let header = Header::new(&base.lineage, base.serial, cluster);
        inner.journal = OnDisk::Continued(self.write_journal(&header, &records)?);
        Ok(())
    }

    fn write_journal(&self, header: &Header, records: &[Record]) -> Result<End, Error> {
        let (text, sum) = Journal::render(header, records);
        self.disk.replace(&self.location.journal(), text.as_bytes(), None)?;
        self.disk.sync_folder(self.location.folder())?;
        Ok(End { valid: text.len() as u64, sum, syncs: 0 })
    }

    /// After the state holds everything that ended: the journal goes, or holds what is open alone.
    pub(super) fn compact_journal(&self, inner: &mut Inner) -> Result<(), Error> {
        failpoint::hit("compact.before");
        if !inner.open.is_empty() {
            return self.write_open(inner);
        }
        if !matches!(inner.journal, OnDisk::None) {
            // Also where it is gone already: a try that failed may have removed it, and not for good.
            self.disk.remove(&self.location.journal())?;
            self.disk.sync_folder(self.location.folder())?;
            inner.journal = OnDisk::None;
        }
        failpoint::hit("compact.done");
        Ok(())
    }
}
