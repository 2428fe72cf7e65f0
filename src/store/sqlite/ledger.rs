//! The ledger in the file. High water and losses are in memory too.

mod claims;
mod counted;
mod intents;
mod loss;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::Storage;
use crate::domain::diff::ObservedEntry;
use crate::domain::exported::UpdateIntent;
use crate::domain::intent::Intent;
use crate::domain::loss::Loss;
use crate::domain::plan::Memory;
use crate::domain::timesheet::DesiredEntry;
use crate::domain::watermark::{IdOrder, Watermark, learns_from_list, learns_from_newest};
use crate::domain::{EntryId, WorkLogUri};
use crate::store::StorageFault;
use crate::store::ledger::{Counted, Held, Ledger, LedgerFault, Remembered};

/// The records in a file, or its like in memory.
#[derive(Debug)]
pub struct SqliteLedger {
    storage: Storage,
    /// What ids show of the order in which timesheets are made.
    order: IdOrder,
    /// The highest position seen; 0 before the first. Saved together with other changes.
    high_water: Arc<AtomicU64>,
    /// What Kimai has lost, and the links that are invalid since.
    lost: Mutex<loss::Lost>,
}

impl SqliteLedger {
    /// The ledger in `storage`. Blocks briefly.
    pub fn open(storage: Storage) -> Result<Self, StorageFault> {
        let high_water = Arc::new(AtomicU64::new(storage.write_now(intents::high_water)?));
        let lost = Mutex::new(storage.write_now(loss::read)?);
        Ok(Self { storage, order: IdOrder::default(), high_water, lost })
    }

    /// The same for a tracker whose ids show this of their order.
    #[must_use]
    pub fn ordered(self, order: IdOrder) -> Self {
        Self { order, ..self }
    }

    /// Runs `work` on the rows of `work_log`.
    async fn of<T: Send + 'static>(
        &self,
        work_log: &WorkLogUri,
        work: impl FnOnce(&Connection, &WorkLogUri) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, LedgerFault> {
        let work_log = work_log.clone();
        Ok(self.storage.write(move |connection| work(connection, &work_log)).await?)
    }

    /// Runs `work` on the rows of `work_log`, unless `id` belongs to another one.
    async fn claim(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        work: impl FnOnce(&Connection, &WorkLogUri) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), LedgerFault> {
        let other = self.of(work_log, move |connection, work_log| {
            let other = claims::owner(connection, id)?.filter(|owner| owner != work_log);
            if other.is_none() {
                work(connection, work_log)?;
            }
            Ok(other)
        });
        other.await?.map_or(Ok(()), |other| Err(LedgerFault::Claimed { id, other }))
    }

    fn raise(&self, position: Watermark) {
        self.high_water.fetch_max(position.0, Ordering::Relaxed);
    }

    fn lost(&self) -> MutexGuard<'_, loss::Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn recall(&self, work_log: &WorkLogUri) -> Result<Memory, LedgerFault> {
        self.of(work_log, claims::recall).await
    }

    async fn pushed(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: Held,
    ) -> Result<(), LedgerFault> {
        self.claim(work_log, id, move |connection, work_log| {
            claims::pushed(connection, work_log, id, &wanted, &held)?;
            updates::close(connection, work_log)
        })
        .await
    }

    async fn has_made(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        pushed: Option<DesiredEntry>,
        held: Held,
    ) -> Result<(), LedgerFault> {
        if let Some(position) = self.order.position(id) {
            self.raise(position);
        }
        let highest = Arc::clone(&self.high_water);
        self.claim(work_log, id, move |connection, work_log| {
            claims::made(connection, work_log, id, pushed.as_ref(), &held)?;
            intents::close(connection, work_log)?;
            intents::save_high_water(connection, &highest)
        })
        .await
    }

    async fn linked(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, claims::linked).await
    }

    async fn doubt(&self, work_logs: Vec<WorkLogUri>) -> Result<(), LedgerFault> {
        Ok(self.storage.write(move |connection| updates::doubt(connection, &work_logs)).await?)
    }

    async fn forget(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, |connection, work_log| {
            claims::forget(connection, work_log)?;
            updates::close(connection, work_log)
        })
        .await
    }

    async fn open_intent(
        &self,
        work_log: &WorkLogUri,
        wanted: DesiredEntry,
        high_water: Option<Watermark>,
        started_at: Timestamp,
    ) -> Result<(), LedgerFault> {
        if let Some(mark) = high_water {
            self.raise(mark);
        }
        let highest = Arc::clone(&self.high_water);
        let intent = Intent { wanted, high_water, started_at };
        self.of(work_log, move |connection, work_log| intents::open(connection, work_log, &intent, &highest))
            .await?
    }

    async fn intent(&self, work_log: &WorkLogUri) -> Result<Option<Intent>, LedgerFault> {
        let found = self.of(work_log, |connection, work_log| intents::read(connection, Some(work_log)));
        Ok(found.await?.pop().map(|(_, intent)| intent))
    }

    async fn intents(&self) -> Result<Vec<(WorkLogUri, Intent)>, LedgerFault> {
        Ok(self.storage.write(|connection| intents::read(connection, None)).await?)
    }

    async fn open_intents(&self) -> Result<(usize, Option<Timestamp>), LedgerFault> {
        Ok(self.storage.write(intents::count).await?)
    }

    async fn close_intent(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, intents::close).await
    }

    async fn begin_update(&self, work_log: &WorkLogUri, intent: UpdateIntent) -> Result<(), LedgerFault> {
        self.of(work_log, move |connection, work_log| updates::begin(connection, work_log, &intent)).await
    }

    async fn exported_meanwhile(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, updates::exported).await
    }

    async fn put_back(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, |connection, work_log| {
            claims::put_back(connection, work_log)?;
            updates::close(connection, work_log)
        })
        .await
    }

    async fn end_update(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, updates::close).await
    }

    async fn forget_held(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        self.of(work_log, claims::forget_held).await
    }

    async fn owner(&self, id: EntryId) -> Result<Option<WorkLogUri>, LedgerFault> {
        Ok(self.storage.write(move |connection| claims::owner(connection, id)).await?)
    }

    async fn owners(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, WorkLogUri>, LedgerFault> {
        let ids = ids.to_vec();
        Ok(self.storage.write(move |connection| claims::owners(connection, ids)).await?)
    }

    async fn unlinked(&self) -> Result<Vec<(WorkLogUri, EntryId)>, LedgerFault> {
        Ok(self.storage.write(claims::unlinked).await?)
    }

    async fn remembered(
        &self,
        work_logs: &[WorkLogUri],
    ) -> Result<BTreeMap<WorkLogUri, Remembered>, LedgerFault> {
        let work_logs = work_logs.to_vec();
        Ok(self.storage.write(move |connection| claims::remembered(connection, work_logs)).await?)
    }

    async fn adopt(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        wanted: DesiredEntry,
        held: ObservedEntry,
    ) -> Result<bool, LedgerFault> {
        self.of(work_log, move |connection, work_log| {
            let is_free = claims::owner(connection, id)?.is_none()
                && claims::timesheet(connection, work_log)?.is_none()
                && intents::read(connection, Some(work_log))?.is_empty();
            if is_free {
                claims::adopt(connection, work_log, id, &wanted, &held)?;
            }
            Ok(is_free)
        })
        .await
    }

    async fn give_up(&self, work_log: &WorkLogUri, id: EntryId) -> Result<(), LedgerFault> {
        self.of(work_log, move |connection, work_log| claims::give_up(connection, work_log, id)).await
    }

    async fn keep(&self, work_log: &WorkLogUri, id: EntryId) -> Result<(), LedgerFault> {
        self.of(work_log, move |connection, work_log| claims::keep(connection, work_log, id)).await
    }

    async fn counted(&self) -> Result<Counted, LedgerFault> {
        Ok(self.storage.write(counted::counted).await?)
    }

    async fn off_days(&self) -> Result<BTreeMap<WorkLogUri, (EntryId, i32)>, LedgerFault> {
        Ok(self.storage.write(counted::off_days).await?)
    }

    async fn unknown_days(&self) -> Result<u64, LedgerFault> {
        Ok(self.storage.write(counted::unknown_days).await?)
    }

    async fn rounded_sample(&self) -> Result<Vec<(DesiredEntry, ObservedEntry)>, LedgerFault> {
        Ok(self.storage.write(counted::rounded_sample).await?)
    }

    fn saw(&self, id: EntryId) {
        if let Some(position) = self.order.position(id)
            && learns_from_list(self.high_water(), position)
        {
            self.raise(position);
        }
    }

    fn saw_newest(&self, newest: Watermark) {
        if learns_from_newest(self.high_water(), newest) {
            self.raise(newest);
        }
    }

    fn high_water(&self) -> Option<Watermark> {
        Some(self.high_water.load(Ordering::Relaxed)).filter(|mark| *mark > 0).map(Watermark)
    }

    fn loss(&self) -> Option<Loss> {
        self.lost().loss
    }

    async fn reissued(
        &self,
        work_log: &WorkLogUri,
        id: EntryId,
        mark: Watermark,
        now: Timestamp,
    ) -> Result<Loss, LedgerFault> {
        let loss = Loss { since: now, reissued: id, known: EntryId::number(mark.0) };
        let noted = self.of(work_log, move |connection, work_log| loss::note(connection, work_log, loss));
        let (whole, first) = noted.await?;
        if first && let Some(number) = id.as_number() {
            self.high_water.store(number, Ordering::Relaxed);
        }
        self.lost().loss = Some(whole);
        Ok(whole)
    }

    async fn rebuild(&self, void: Vec<(WorkLogUri, EntryId)>) -> Result<(), LedgerFault> {
        let links = void.clone();
        self.storage.write(move |connection| loss::rebuild(connection, &links)).await?;
        self.lost().rebuild(void);
        Ok(())
    }

    fn void_links(&self, work_log: &WorkLogUri) -> BTreeSet<EntryId> {
        self.lost().void.get(work_log).cloned().unwrap_or_default()
    }

    async fn has_new_link(&self, work_log: &WorkLogUri) -> Result<(), LedgerFault> {
        if self.void_links(work_log).is_empty() {
            return Ok(());
        }
        self.of(work_log, loss::has_new_link).await?;
        self.lost().void.remove(work_log);
        Ok(())
    }
}

/// Runs `statement`, whose only parameter is the work log.
fn execute(connection: &Connection, statement: &str, work_log: &WorkLogUri) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([work_log.as_str()]).map(drop)
}

/// `None` if it never was an IRI.
fn work_log_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<WorkLogUri>> {
    Ok(WorkLogUri::kept(row.get_ref(column)?.as_str()?))
}

/// A value that cannot be read counts as none: it is pushed again then.
fn value_of<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let json: Option<String> = row.get(column)?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
}

/// Numbers and instants only, so serialization cannot fail.
fn json(held: &impl Serialize) -> String {
    serde_json::to_string(held).unwrap_or_default()
}

#[cfg(test)]
mod tests;
