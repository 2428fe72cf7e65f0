//! What a failed run leads to: when to try again, or to wait until something changes.

use std::time::Duration;

use super::ledger::LedgerFault;
use crate::domain::work_log::Obstacle;
use crate::kimai::{Fault, KimaiFault};
use crate::queue::QueueFault;
use crate::triplestore::TriplestoreFault;

/// The first pause, doubled with each failed run.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: an outage of any length ends at most this long after it ended.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How many runs an incomplete work log gets: mu-cl-resources writes one in several steps, and people
/// fill in the rest within minutes. After that only a change can help.
const RUNS_WHILE_INCOMPLETE: u32 = 10;

/// Why a run did not settle its work log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The work log is there, but cannot become a timesheet (yet).
    #[error("{}", join(.0))]
    Blocked(Vec<Obstacle>),
    /// Kimai failed or refused.
    #[error(transparent)]
    Kimai(#[from] KimaiFault),
    /// The triplestore failed or refused.
    #[error(transparent)]
    Triplestore(#[from] TriplestoreFault),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueFault),
    /// What we remember could not be saved or read, or contradicts itself.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

fn join(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What to do after a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again after this pause.
    After(Duration),
    /// Keep it until something changes.
    Park,
}

/// Decides what follows `failure` when `attempts` runs had failed before it. `chance`, from 0 to 1,
/// spreads the pauses of entries that failed together (full jitter).
///
/// Transient faults never end in parking: an outage must not give up thousands of work logs.
pub fn after(failure: &Failure, attempts: u32, chance: f64) -> Next {
    match failure {
        Failure::Blocked(obstacles) if obstacles.iter().any(Obstacle::is_final) => Next::Park,
        Failure::Blocked(_) if attempts + 1 >= RUNS_WHILE_INCOMPLETE => Next::Park,
        Failure::Kimai(KimaiFault { fault, .. }) => match fault {
            // Sent again it might book the hours twice; the sweep finds what it left behind.
            Fault::Ambiguous | Fault::Permanent => Next::Park,
            Fault::Limited(pause) => Next::After(*pause),
            Fault::Unauthorised => Next::After(LONGEST_PAUSE),
            Fault::Transient | Fault::Gone => Next::After(pause(attempts, chance)),
        },
        Failure::Triplestore(TriplestoreFault::Refused(_)) => Next::Park,
        Failure::Blocked(_) | Failure::Triplestore(_) | Failure::Queue(_) | Failure::Ledger(_) => {
            Next::After(pause(attempts, chance))
        }
    }
}

fn pause(attempts: u32, chance: f64) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts)).min(LONGEST_PAUSE);
    // Never at once: what failed a moment ago would fail again.
    longest.mul_f64(chance.clamp(0.0, 1.0)).max(FIRST_PAUSE / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kimai::Operation;
    use proptest::prelude::*;

    fn kimai(fault: Fault) -> Failure {
        Failure::Kimai(KimaiFault::new(Operation::Create, fault, "said so"))
    }

    #[test]
    fn each_failure_leads_to_one_thing() {
        let minute = Duration::from_mins(1);
        let gap = Failure::Blocked(vec![Obstacle::Lacks("duration")]);
        let malformed = Failure::Blocked(vec![Obstacle::Lacks("task"), Obstacle::BadDay("soon".into())]);
        let table = [
            (kimai(Fault::Transient), 0, Next::After(Duration::from_secs(1))),
            (kimai(Fault::Transient), 3, Next::After(Duration::from_secs(8))),
            (kimai(Fault::Transient), u32::MAX, Next::After(LONGEST_PAUSE)),
            (kimai(Fault::Limited(minute)), 7, Next::After(minute)),
            (kimai(Fault::Permanent), 0, Next::Park),
            (kimai(Fault::Ambiguous), 0, Next::Park),
            (kimai(Fault::Unauthorised), 0, Next::After(LONGEST_PAUSE)),
            (gap.clone(), 0, Next::After(Duration::from_secs(1))),
            (gap, RUNS_WHILE_INCOMPLETE - 1, Next::Park),
            (malformed, 0, Next::Park),
            (
                Failure::Triplestore(TriplestoreFault::Transient("down".into())),
                99,
                Next::After(LONGEST_PAUSE),
            ),
            (
                Failure::Triplestore(TriplestoreFault::Unreadable("html".into())),
                1,
                Next::After(Duration::from_secs(2)),
            ),
            (Failure::Triplestore(TriplestoreFault::Refused("syntax".into())), 0, Next::Park),
        ];
        for (failure, attempts, wanted) in table {
            assert_eq!(after(&failure, attempts, 1.0), wanted, "{failure} after {attempts} failed runs");
        }
    }

    proptest! {
        #[test]
        fn an_outage_never_parks_and_never_hammers(attempts: u32, chance in -1.0..2.0f64) {
            let Next::After(pause) = after(&kimai(Fault::Transient), attempts, chance) else {
                return Err(TestCaseError::fail("parked"));
            };
            prop_assert!((FIRST_PAUSE / 2..=LONGEST_PAUSE).contains(&pause));
        }
    }
}
