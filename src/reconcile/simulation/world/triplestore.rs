//! The triplestore as the service sees it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::civil::Date;

use super::World;
use crate::domain::day_windows::{Days, Window, Written};
use crate::domain::work_log::{Directory, Facts, VEVENT};
use crate::domain::{EntryId, WorkLogUri};
use crate::reconcile::simulation::faults::{Call, Trouble};
use crate::reconcile::simulation::state::{Effect, Stand, State};
use crate::work_logs::{Link, SourceFault, WorkLogs};

impl World {
    async fn store_write(&self, effect: Effect) -> Result<(), SourceFault> {
        match self.send(effect).await.0 {
            None | Some(Trouble::NotStored) => Ok(()),
            Some(trouble) => Err(trouble.of_triplestore()),
        }
    }

    async fn store_read<T: Default>(
        &self,
        call: Call,
        read: impl FnOnce(&State) -> T,
        half: impl FnOnce(T) -> T,
        dropped: impl FnOnce(T) -> T,
    ) -> Result<T, SourceFault> {
        match self.read(call, read).await {
            (None, found) => Ok(found),
            (Some(Trouble::Empty), _) => Ok(T::default()),
            (Some(Trouble::Half), found) => Ok(half(found)),
            (Some(Trouble::RowsDropped), found) => Ok(dropped(found)),
            (Some(trouble), _) => Err(trouble.of_triplestore()),
        }
    }
}

fn written(day: Date) -> Written {
    Written { text: day.to_string(), datatype: None }
}

/// An answer that was cut off in the middle.
fn first_half<K: Ord + Clone, V>(mut all: BTreeMap<K, V>) -> BTreeMap<K, V> {
    if let Some(middle) = all.keys().nth(all.len() / 2).cloned() {
        all.split_off(&middle);
    }
    all
}

/// Every second row is missing.
fn every_second<K: Ord, V>(all: BTreeMap<K, V>) -> BTreeMap<K, V> {
    all.into_iter().step_by(2).collect()
}

/// The same of the properties of a subject.
fn every_second_property(mut facts: Facts) -> Facts {
    let mut row = 0;
    let sets = [
        &mut facts.types,
        &mut facts.durations,
        &mut facts.days,
        &mut facts.tasks,
        &mut facts.persons,
        &mut facts.identifiers,
    ];
    for set in sets {
        let kept = std::mem::take(set)
            .iter()
            .filter(|_| {
                row += 1;
                row % 2 == 0
            })
            .cloned()
            .collect();
        *set = kept;
    }
    facts
}

#[async_trait]
impl WorkLogs for World {
    async fn facts(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault> {
        let of = |state: &State| state.shown(subject).into_owned();
        self.store_read(Call::Facts, of, |facts| facts, every_second_property).await
    }

    async fn facts_of(&self, subjects: &[WorkLogUri]) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault> {
        let read = |state: &State| {
            let shown = |subject: &WorkLogUri| (subject.clone(), state.shown(subject).into_owned());
            subjects.iter().map(shown).collect::<BTreeMap<_, _>>()
        };
        let dropped = |all: BTreeMap<WorkLogUri, Facts>| {
            all.into_iter().map(|(subject, facts)| (subject, every_second_property(facts))).collect()
        };
        self.store_read(Call::Facts, read, |facts| facts, dropped).await
    }

    async fn directory(&self, _facts: &[&Facts]) -> Result<Directory, SourceFault> {
        self.store_read(
            Call::Directory,
            |state| state.directory.clone(),
            |directory| directory,
            |directory| directory,
        )
        .await
    }

    async fn days(&self, first: Date, last: Date) -> Result<Days, SourceFault> {
        let read = |state: &State| {
            let mut days = Days { exact: true, ..Days::default() };
            for (day, ..) in state.of_period(first, last) {
                *days.counts.entry(written(day)).or_default() += 1;
            }
            days
        };
        let half = |days: Days| Days { counts: first_half(days.counts), ..days };
        let dropped = |days: Days| Days { counts: every_second(days.counts), ..days };
        let days = self.store_read(Call::OfPeriod, read, half, dropped).await?;
        // As the client does: they are counted once more.
        if days.counts.values().sum::<usize>() >= self.count(first, last).await? {
            return Ok(days);
        }
        Err(SourceFault::Incomplete("it gives fewer work logs by their days than it counts".to_owned()))
    }

    async fn count(&self, first: Date, last: Date) -> Result<usize, SourceFault> {
        // One row: none of it can be missing.
        let read = |state: &State| state.of_period(first, last).len();
        match self.read(Call::Count, read).await {
            (None, count) => Ok(count),
            (Some(Trouble::Empty), _) => Ok(0),
            (Some(trouble), _) => Err(trouble.of_triplestore()),
        }
    }

    async fn certain(&self, subject: &WorkLogUri) -> Result<Facts, SourceFault> {
        let of = |state: &State| state.shown(subject).into_owned();
        match self.read(Call::Facts, of).await {
            (None, facts) => Ok(facts),
            (Some(Trouble::Empty), _) => Ok(Facts::default()),
            (Some(Trouble::RowsDropped), _) => {
                Err(SourceFault::Incomplete("it gives fewer properties than it counts".to_owned()))
            }
            (Some(trouble), _) => Err(trouble.of_triplestore()),
        }
    }

    async fn knows_none(&self, subjects: &[WorkLogUri]) -> Result<bool, SourceFault> {
        let none = |state: &State| subjects.iter().all(|subject| *state.shown(subject) == Facts::default());
        match self.read(Call::Count, none).await {
            (None, none) => Ok(none),
            (Some(Trouble::Empty), _) => Ok(true),
            (Some(trouble), _) => Err(trouble.of_triplestore()),
        }
    }

    async fn of_window(&self, window: &Window) -> Result<BTreeMap<WorkLogUri, Facts>, SourceFault> {
        let Window { first, last, written: days, count } = window;
        let read = |state: &State| {
            let mut within = state.of_period(*first, *last);
            within.retain(|(day, ..)| days.is_empty() || days.contains_key(&written(*day)));
            within.into_iter().map(|(_, work_log, facts)| (work_log.clone(), facts.clone())).collect()
        };
        // Cut off in the middle of a work log, and everything behind it.
        let half = |mut all: BTreeMap<WorkLogUri, Facts>| {
            all = first_half(all);
            if let Some(mut last) = all.last_entry() {
                last.get_mut().identifiers.clear();
                last.get_mut().tasks.clear();
            }
            all
        };
        let counted = *count;
        let all = self.store_read(Call::OfPeriod, read, half, every_second).await?;
        // As the client does: fewer than were counted are read again, and counted.
        if all.len() >= counted || all.len() >= self.count(*first, *last).await? {
            return Ok(all);
        }
        Err(SourceFault::Incomplete("it gives fewer work logs than it counts".to_owned()))
    }

    async fn has_any(&self) -> Result<bool, SourceFault> {
        // Tasks and persons, at least.
        self.store_read(Call::HasAny, |_| true, |has_any| has_any, |has_any| has_any).await
    }

    async fn by_uuid(&self, _id: &str) -> Result<Option<WorkLogUri>, SourceFault> {
        Ok(None)
    }

    async fn linked(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault> {
        let read = |state: &State| {
            let mut linked: BTreeMap<EntryId, Vec<WorkLogUri>> = BTreeMap::new();
            for (id, work_log) in state.subjects(ids, |_, stand| stand.is_live()) {
                linked.entry(id).or_default().push(work_log);
            }
            linked
        };
        self.store_read(Call::Linked, read, |linked| linked, every_second).await
    }

    async fn tombstones(&self, ids: &[EntryId]) -> Result<BTreeMap<EntryId, Vec<WorkLogUri>>, SourceFault> {
        let is_one = |work_log: &WorkLogUri, stand: &Stand| stand.facts.may_be_left_over(work_log);
        let read = |state: &State| {
            let mut left: BTreeMap<EntryId, Vec<WorkLogUri>> = BTreeMap::new();
            for (id, work_log) in state.subjects(ids, is_one) {
                left.entry(id).or_default().push(work_log);
            }
            left
        };
        self.store_read(Call::Tombstones, read, |tombstones| tombstones, every_second).await
    }

    async fn dangling(&self) -> Result<BTreeMap<WorkLogUri, Vec<EntryId>>, SourceFault> {
        let read = |state: &State| {
            let all = state.work_logs.iter();
            let left = all.filter(|(work_log, stand)| stand.facts.may_be_left_over(work_log));
            left.map(|(work_log, stand)| (work_log.clone(), stand.facts.entry_ids())).collect()
        };
        self.store_read(Call::Dangling, read, first_half, every_second).await
    }

    async fn referring(
        &self,
        iris: &[String],
        after: Option<&WorkLogUri>,
    ) -> Result<Vec<WorkLogUri>, SourceFault> {
        let refers = |Stand { facts, .. }: &Stand| {
            facts.types.contains(VEVENT)
                && iris.iter().any(|iri| facts.tasks.contains(iri) || facts.persons.contains(iri))
        };
        let read = |state: &State| {
            let all =
                state.work_logs.iter().filter(|(work_log, _)| after.is_none_or(|after| *work_log > after));
            all.filter(|(_, stand)| refers(stand)).map(|(work_log, _)| work_log.clone()).collect()
        };
        self.store_read(Call::OfPeriod, read, |all: Vec<WorkLogUri>| all, |all| all).await
    }

    async fn link(&self, links: &[Link]) -> Result<(), SourceFault> {
        self.store_write(Effect::Link(links.to_vec())).await
    }
}
