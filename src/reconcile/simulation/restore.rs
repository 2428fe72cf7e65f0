//! Restores of older backups, or of nothing: Kimai, the triplestore and our own file, in every combination.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fake_tracker::FakeTimesheet;
use super::history::{What, Who};
use super::run::simulate;
use super::scenario::{Outcome, Scenario};
use super::state::{Stand, State};
use super::tests::from_environment;
use crate::domain::{EntryId, WorkLogUri};
use crate::store::sqlite::memory::Memory;

/// Histories of each combination, unless more are asked for.
const SEEDS: u64 = 2;

/// What becomes of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Kept,
    /// It is put back to an older state.
    Older,
    /// It begins anew, as at an installation.
    Empty,
}

impl Put {
    const ALL: [Self; 3] = [Self::Kept, Self::Older, Self::Empty];
}

/// What becomes of all three at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Restore {
    kimai: Put,
    triplestore: Put,
    file: Put,
}

impl Restore {
    /// All there are, the one of nothing too.
    fn all() -> impl Iterator<Item = Self> {
        let pairs = Put::ALL.into_iter().flat_map(|one| Put::ALL.map(|other| (one, other)));
        pairs.flat_map(|(kimai, triplestore)| Put::ALL.map(|file| Self { kimai, triplestore, file }))
    }
}

/// All three as they were at one moment.
pub(super) struct Backup {
    timesheets: BTreeMap<EntryId, FakeTimesheet>,
    next_id: u64,
    work_logs: BTreeMap<WorkLogUri, Stand>,
    file: Memory,
}

impl Backup {
    pub(super) fn of(state: &State, disk: &Memory) -> Self {
        let (timesheets, work_logs) = (state.timesheets.clone(), state.work_logs.clone());
        Self { timesheets, next_id: state.next_id, work_logs, file: disk.copy() }
    }

    /// Puts back what is to be `restored`. Requests that are on their way arrive at none of it.
    pub(super) fn put_back(&self, restore: Restore, state: &mut State, disk: &mut Memory) {
        state.restored = true;
        // What was known of it is not promised to be kept.
        state.storage += 1;
        state.late.clear();
        if restore.kimai != Put::Kept {
            state.days_before =
                state.timesheets.iter().map(|(id, timesheet)| (*id, timesheet.booked)).collect();
        }
        let (highest, reissues) = (state.next_id, state.profile.capabilities().order.reissues());
        match restore.kimai {
            Put::Kept => {}
            Put::Older => {
                state.timesheets.clone_from(&self.timesheets);
                if reissues {
                    state.next_id = self.next_id;
                }
            }
            Put::Empty => {
                state.timesheets.clear();
                if reissues {
                    state.next_id = 1;
                }
            }
        }
        if reissues && restore.kimai != Put::Kept && restore.file == Put::Kept {
            state.reissued = Some((state.now, EntryId::number(state.next_id)..EntryId::number(highest)));
        }
        match restore.triplestore {
            Put::Kept => {}
            Put::Older => state.work_logs.clone_from(&self.work_logs),
            Put::Empty => state.work_logs.clear(),
        }
        match restore.file {
            Put::Kept => {}
            Put::Older => *disk = self.file.copy(),
            Put::Empty => *disk = Memory::fresh(),
        }
        state.note(Who::People, What::Restored(restore));
    }
}

/// Histories in which Kimai alone is put back: it gives out ids again that work logs are linked to.
pub(super) fn of_a_kimai_put_back() -> impl Iterator<Item = Scenario> {
    let restore = Restore { kimai: Put::Older, triplestore: Put::Kept, file: Put::Kept };
    (1..).map(move |seed| scenario(seed, restore))
}

fn scenario(seed: u64, restore: Restore) -> Scenario {
    let plan = Scenario::of(seed);
    // More work logs than are usual come to be in between.
    Scenario { work_logs: 12, storage_lost: 0, links_by_hand: 0, restore: Some(restore), ..plan }
}

/// Plays one. Gives what was broken, and whether the service found that Kimai had lost timesheets.
fn play(seed: u64, restore: Restore) -> (Vec<String>, bool) {
    let Outcome { mut broken, world, .. } = simulate(scenario(seed, restore));
    let lost = |what: &What| matches!(what, What::Settled(_, Some(why)) if why.contains("Kimai has lost"));
    let any = world.state().history.count(lost) > 0;
    if any && restore.kimai == Put::Kept {
        broken.push("Kimai has lost nothing".to_owned());
    }
    (broken, any)
}

#[test]
fn whatever_is_restored_from_older_backups_nothing_is_doubled_and_all_comes_right() {
    let seeds = from_environment("KIMAI_SYNC_RESTORES").map_or(SEEDS, |text| text.parse().unwrap());
    let (broken, losses) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let all: Vec<(Restore, u64)> =
        Restore::all().flat_map(|restore| (1..=seeds).map(move |seed| (restore, seed))).collect();
    std::thread::scope(|scope| {
        for half in all.chunks(all.len().div_ceil(2)) {
            let (broken, losses) = (&broken, &losses);
            scope.spawn(move || {
                for (restore, seed) in half {
                    let (found, any) = play(*seed, *restore);
                    losses.fetch_add(u64::from(any), Ordering::Relaxed);
                    if !found.is_empty() {
                        let told = found.join("\n  ");
                        broken.lock().unwrap().push(format!("{restore:?}, seed {seed}: {told}"));
                    }
                }
            });
        }
    });
    let (broken, losses) = (broken.into_inner().unwrap(), losses.into_inner());
    println!("{} histories, in {losses} of them Kimai was found to have lost timesheets", all.len());
    assert!(broken.is_empty(), "{} broken\n{}", broken.len(), broken.join("\n\n"));
    assert!(losses > seeds / 4, "only {losses} lost timesheets");
}

/// `KIMAI_SYNC_RESTORE=14,3` plays one again, by its place among all and its seed, and prints all that happened.
#[test]
fn one_again() {
    let Some(which) = from_environment("KIMAI_SYNC_RESTORE") else { return };
    let (place, seed) = which.split_once(',').expect("place,seed");
    let restore = Restore::all().nth(place.parse().unwrap()).unwrap();
    let outcome = simulate(scenario(seed.parse().unwrap(), restore));
    println!("{restore:?}\n{}", outcome.world.state().history);
    assert!(outcome.broken.is_empty(), "{}", outcome.broken.join("\n"));
}
