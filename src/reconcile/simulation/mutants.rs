//! Mutation tests of the simulation: faults are planted in the service, one at a time, and each must be detected.

use super::profile::Profile;
use super::run::simulate;
use super::scenario::Scenario;
use super::{pinned, restore};
use crate::failpoint::mutants::{self, Mutant};

/// Histories until a fault has to have shown itself.
const SEEDS: u64 = 3_000;
/// Histories that were the first to find one, when it was last looked which do: tried before the others.
const FOUND_BY: [u64; 18] =
    [453, 183, 17, 1500, 317, 121, 108, 104, 100, 89, 83, 40, 28, 147, 323, 400, 500, 700];

const ALL: [Mutant; 29] = [
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
    Mutant::GoneReadAsPermanent,
];

const OF_IDS: [Mutant; 5] = [
    Mutant::NoIntent,
    Mutant::NoSearch,
    Mutant::NoMemory,
    Mutant::SweepIgnoresIntents,
    Mutant::GoneReadAsPermanent,
];

/// The first history that finds the fault, and by which rule: the pinned ones first, then those that often do, then
/// those of all seeds.
fn hunt(mutant: Mutant, profile: Profile) -> Option<(u64, String)> {
    mutants::activate(Some(mutant));
    let all = FOUND_BY.into_iter().chain(1..SEEDS).map(Scenario::of);
    let mut histories: Box<dyn Iterator<Item = Scenario>> = match mutant {
        Mutant::LossIsIgnored => Box::new(restore::of_a_kimai_put_back().take(100)),
        _ => Box::new(pinned::all().chain(all)),
    };
    let found = histories.find_map(|scenario| {
        let scenario = scenario.with(profile);
        Some((scenario.seed, simulate(scenario).broken.first()?.clone()))
    });
    mutants::activate(None);
    found
}

/// With `KIMAI_SYNC_PLANT` only the one of that name.
#[test]
fn every_planted_fault_is_found() {
    hunt_all(&ALL, &[Profile::Sequence]);
}

/// The same where ids are opaque: those faults that ids have to do with, and all where more seeds are asked for.
#[test]
fn every_planted_fault_is_found_where_ids_are_opaque() {
    let more = super::tests::from_environment("KIMAI_SYNC_OPAQUE_SEEDS").is_some();
    hunt_all(if more { &ALL } else { &OF_IDS }, &Profile::OPAQUE);
}

/// Whether the fault can be made with such a tracker: only one that gives ids out again loses data unnoticed, and only
/// one that answers 400 for what is gone is misread.
fn can_show(mutant: Mutant, profile: Profile) -> bool {
    match mutant {
        Mutant::LossIsIgnored => profile == Profile::Sequence,
        Mutant::GoneReadAsPermanent => profile != Profile::Sequence,
        _ => true,
    }
}

fn hunt_all(mutants: &[Mutant], profiles: &[Profile]) {
    let name = super::tests::from_environment("KIMAI_SYNC_PLANT");
    let is_wanted = |mutant: &Mutant| name.as_ref().is_none_or(|name| *name == format!("{mutant:?}"));
    let planted = mutants.iter().copied().filter(is_wanted);
    let planted = planted.flat_map(|mutant| profiles.iter().map(move |profile| (mutant, *profile)));
    let all: Vec<_> = planted.filter(|(mutant, profile)| can_show(*mutant, *profile)).collect();
    assert!(!all.is_empty() || name.is_some(), "nothing is planted");
    let hunted = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for half in all.chunks(all.len().div_ceil(2).max(1)) {
            let hunted = &hunted;
            scope.spawn(move || {
                for (mutant, profile) in half {
                    let found = hunt(*mutant, *profile);
                    let what = format!("{mutant:?}, {profile:?}");
                    match &found {
                        Some((0, rule)) => println!("{what}: found by a pinned history: {rule:.120}"),
                        Some((seed, rule)) => println!("{what}: found by seed {seed}: {rule:.120}"),
                        None => println!("{what}: NOT FOUND in {SEEDS} seeds"),
                    }
                    hunted.lock().unwrap().push((what, found.is_some()));
                }
            });
        }
    });
    let hunted = hunted.into_inner().unwrap();
    let unseen: Vec<&String> = hunted.iter().filter(|(_, found)| !found).map(|(what, _)| what).collect();
    assert!(unseen.is_empty(), "planted, and not found in {SEEDS} histories: {unseen:?}");
    assert_eq!(hunted.len(), all.len());
}
