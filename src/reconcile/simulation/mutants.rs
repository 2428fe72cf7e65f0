//! The simulation on trial: faults are planted in the service, one at a time, and each has to be found.

use super::run::simulate;
use super::scenario::Scenario;
use super::{pinned, restore};
use crate::failpoint::mutants::{self, Plant};

/// Histories until a fault has to have shown itself.
const SEEDS: u64 = 3_000;
/// Histories that were the first to find one, when it was last looked which do: tried before the others.
const FOUND_BY: [u64; 10] = [1500, 317, 121, 108, 104, 100, 89, 83, 40, 28];

const ALL: [Plant; 28] = [
    Plant::NearlyTheSameIsTheSame,
    Plant::NoIntent,
    Plant::NoSearch,
    Plant::NoWait,
    Plant::AmbiguousIsNotStored,
    Plant::NoMemory,
    Plant::TwoRuns,
    Plant::NoReadBack,
    Plant::EmptinessIsDeletion,
    Plant::EmptinessIsBelieved,
    Plant::FaultsAreDropped,
    Plant::SweepLooksOnce,
    Plant::SweepIgnoresIntents,
    Plant::RememberedBeforeSent,
    Plant::OldLinkWins,
    Plant::CameBackUnseen,
    Plant::ParkedSleepsOn,
    Plant::RowsAreBelieved,
    Plant::SharingIsFine,
    Plant::RefusedRemembersOld,
    Plant::GoneOwnerKeeps,
    Plant::EndMinusBegin,
    Plant::NothingIsRenewed,
    Plant::ExportedIsOverwritten,
    Plant::ExportedMeanwhileIsKept,
    Plant::NothingShowsLate,
    Plant::ClockTellsAge,
    Plant::LossIsIgnored,
];

/// The first history that finds the fault, and by which rule: the pinned ones first, then those that often do, then
/// those of all seeds.
fn hunt(plant: Plant) -> Option<(u64, String)> {
    mutants::plant(Some(plant));
    let all = FOUND_BY.into_iter().chain(1..SEEDS).map(Scenario::of);
    let mut histories: Box<dyn Iterator<Item = Scenario>> = match plant {
        Plant::LossIsIgnored => Box::new(restore::of_a_kimai_put_back().take(100)),
        _ => Box::new(pinned::all().chain(all)),
    };
    let found =
        histories.find_map(|scenario| Some((scenario.seed, simulate(scenario).broken.first()?.clone())));
    mutants::plant(None);
    found
}

/// With `KIMAI_SYNC_PLANT` only the one of that name.
#[test]
fn every_planted_fault_is_found() {
    let name = super::tests::from_environment("KIMAI_SYNC_PLANT");
    let is_wanted = |plant: &Plant| name.as_ref().is_none_or(|name| *name == format!("{plant:?}"));
    let all: Vec<Plant> = ALL.into_iter().filter(is_wanted).collect();
    assert!(!all.is_empty(), "no fault is called {name:?}");
    let hunted = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for half in all.chunks(all.len().div_ceil(2)) {
            let hunted = &hunted;
            scope.spawn(move || {
                for plant in half {
                    let found = hunt(*plant);
                    match &found {
                        Some((0, rule)) => println!("{plant:?}: found by a pinned history: {rule:.120}"),
                        Some((seed, rule)) => println!("{plant:?}: found by seed {seed}: {rule:.120}"),
                        None => println!("{plant:?}: NOT FOUND in {SEEDS} seeds"),
                    }
                    hunted.lock().unwrap().push((*plant, found.is_some()));
                }
            });
        }
    });
    let hunted = hunted.into_inner().unwrap();
    let unseen: Vec<Plant> = hunted.iter().filter(|(_, found)| !found).map(|(plant, _)| *plant).collect();
    assert!(unseen.is_empty(), "planted, and not found in {SEEDS} histories: {unseen:?}");
    assert_eq!(hunted.len(), all.len());
}
