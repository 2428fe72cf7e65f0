//! Mutation tests of the simulation: faults are planted in the service, one at a time, and each must be detected.

use super::run::simulate;
use super::scenario::Scenario;
use super::{pinned, restore};
use crate::failpoint::mutants::{self, Mutant};

/// Histories until a fault has to have shown itself.
const SEEDS: u64 = 3_000;
/// Histories that were the first to find one, when it was last looked which do: tried before the others.
const FOUND_BY: [u64; 13] = [453, 183, 17, 1500, 317, 121, 108, 104, 100, 89, 83, 40, 28];

const ALL: [Mutant; 28] = [
    Mutant::NearlyTheSameIsTheSame,
    Mutant::NoIntent,
    Mutant::NoSearch,
    Mutant::NoWait,
    Mutant::AmbiguousIsNotStored,
    Mutant::NoMemory,
    Mutant::TwoRuns,
    Mutant::NoReadBack,
    Mutant::EmptinessIsDeletion,
    Mutant::EmptinessIsBelieved,
    Mutant::FaultsAreDropped,
    Mutant::SweepLooksOnce,
    Mutant::SweepIgnoresIntents,
    Mutant::RememberedBeforeSent,
    Mutant::OldLinkWins,
    Mutant::CameBackUnseen,
    Mutant::ParkedSleepsOn,
    Mutant::RowsAreBelieved,
    Mutant::SharingIsFine,
    Mutant::RefusedRemembersOld,
    Mutant::GoneOwnerKeeps,
    Mutant::EndMinusBegin,
    Mutant::NothingIsRenewed,
    Mutant::ExportedIsOverwritten,
    Mutant::ExportedMeanwhileIsKept,
    Mutant::NothingShowsLate,
    Mutant::ClockTellsAge,
    Mutant::LossIsIgnored,
];

/// The first history that finds the fault, and by which rule: the pinned ones first, then those that often do, then
/// those of all seeds.
fn hunt(mutant: Mutant) -> Option<(u64, String)> {
    mutants::activate(Some(mutant));
    let all = FOUND_BY.into_iter().chain(1..SEEDS).map(Scenario::of);
    let mut histories: Box<dyn Iterator<Item = Scenario>> = match mutant {
        Mutant::LossIsIgnored => Box::new(restore::of_a_kimai_put_back().take(100)),
        _ => Box::new(pinned::all().chain(all)),
    };
    let found =
        histories.find_map(|scenario| Some((scenario.seed, simulate(scenario).broken.first()?.clone())));
    mutants::activate(None);
    found
}

/// With `KIMAI_SYNC_PLANT` only the one of that name.
#[test]
fn every_planted_fault_is_found() {
    let name = super::tests::from_environment("KIMAI_SYNC_PLANT");
    let is_wanted = |mutant: &Mutant| name.as_ref().is_none_or(|name| *name == format!("{mutant:?}"));
    let all: Vec<Mutant> = ALL.into_iter().filter(is_wanted).collect();
    assert!(!all.is_empty(), "no fault is called {name:?}");
    let hunted = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for half in all.chunks(all.len().div_ceil(2)) {
            let hunted = &hunted;
            scope.spawn(move || {
                for mutant in half {
                    let found = hunt(*mutant);
                    match &found {
                        Some((0, rule)) => println!("{mutant:?}: found by a pinned history: {rule:.120}"),
                        Some((seed, rule)) => println!("{mutant:?}: found by seed {seed}: {rule:.120}"),
                        None => println!("{mutant:?}: NOT FOUND in {SEEDS} seeds"),
                    }
                    hunted.lock().unwrap().push((*mutant, found.is_some()));
                }
            });
        }
    });
    let hunted = hunted.into_inner().unwrap();
    let unseen: Vec<Mutant> = hunted.iter().filter(|(_, found)| !found).map(|(mutant, _)| *mutant).collect();
    assert!(unseen.is_empty(), "planted, and not found in {SEEDS} histories: {unseen:?}");
    assert_eq!(hunted.len(), all.len());
}
