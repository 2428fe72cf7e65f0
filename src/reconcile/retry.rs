//! What follows a failed run: a retry after a pause, or parking.

use std::time::Duration;

use super::breaker::{Cause, Neighbour};
use crate::domain::loss::Loss;
use crate::domain::mismatch::Mismatch;
use crate::domain::work_log::Obstacle;
use crate::domain::{Code, WorkLogUri};
use crate::store::{LedgerFault, QueueFault};
use crate::trackers::{Fault, TrackerFault};
use crate::work_logs::SourceFault;

/// The first pause, doubled with each failed run.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, so that syncing resumes at most this long after an outage.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How many attempts a work log gets if its run panics.
const RUNS_WHILE_BROKEN: u32 = 5;
/// How many attempts an incomplete work log gets: mu-cl-resources writes one in several steps, and people complete it
/// within minutes. After that only a change can help.
const RUNS_WHILE_INCOMPLETE: u32 = 10;

/// How often the pause is doubled while links are to be rebuilt: to half a minute.
const DOUBLED_WHILE_LOST: u32 = 5;

/// Why a run failed to reconcile its work log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The work log is there, but cannot become a timesheet (yet).
    #[error("{}", join(.0))]
    Blocked(Vec<Obstacle>),
    /// Kimai accepted the request, and holds something else.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Its timesheet is exported and differs, both as text; nobody requested to overwrite it.
    #[error("{0}")]
    Exported(String),
    /// Kimai failed or refused.
    #[error(transparent)]
    Kimai(#[from] TrackerFault),
    /// The triplestore failed or refused.
    #[error(transparent)]
    Triplestore(#[from] SourceFault),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueFault),
    /// The response to an earlier POST was lost, and it is too early to search for its timesheet.
    #[error("the answer of Kimai to a new timesheet was lost; whether it was stored is looked up in {:.0} s", .0.as_secs_f64())]
    Unsure(Duration),
    /// Kimai went down or was too slow while the run waited to send something, or the service is stopping.
    #[error("its turn at Kimai had not come before it was given up; nothing was sent")]
    TurnedAway,
    /// The run panicked: a bug in this service, or unexpected data.
    #[error("the run broke off: {0}; please report this")]
    Broken(String),
    /// Kimai reuses IDs: nothing is created until the links are rebuilt.
    #[error("{0}")]
    KimaiLostData(Loss),
    /// The token does not see everything that the sweep has to see.
    #[error("{0}")]
    OutOfSight(String),
    /// Somebody cancelled the sweep.
    #[error("it was cancelled")]
    Stopped,
    /// The ledger could not be saved or read, or contradicts itself.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

fn join(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Failure {
    /// The system that failed; none if it is neither.
    pub fn neighbour(&self) -> Option<Neighbour> {
        match self {
            Self::Kimai(_) | Self::Exported(_) => Some(Neighbour::Kimai),
            Self::Triplestore(_) => Some(Neighbour::Triplestore),
            Self::Blocked(_)
            | Self::Mismatch(_)
            | Self::Queue(_)
            | Self::Ledger(_)
            | Self::Unsure(_)
            | Self::TurnedAway
            | Self::Broken(_)
            | Self::KimaiLostData(_)
            | Self::OutOfSight(_)
            | Self::Stopped => None,
        }
    }

    /// The stable code. If there are several obstacles, that of the first one.
    pub fn code(&self) -> Code {
        match self {
            Self::Blocked(obstacles) => obstacles.first().map_or(Code::WorkLogIncomplete, Obstacle::code),
            Self::Mismatch(mismatch) => mismatch.code(),
            Self::Exported(_) => Code::TimesheetExported,
            Self::Kimai(fault) => fault.code,
            Self::Triplestore(fault) => fault.code(),
            Self::Queue(_) => Code::StorageUnavailable,
            Self::Ledger(fault) => fault.code(),
            Self::Unsure(_) => Code::AnswerLost,
            Self::TurnedAway => Code::TurnedAway,
            Self::Broken(_) => Code::Internal,
            Self::KimaiLostData(_) => Code::KimaiLostData,
            Self::OutOfSight(_) => Code::TokenSeesTooLittle,
            Self::Stopped => Code::Cancelled,
        }
    }

    /// What it counts as for the circuit breaker, in a run for `work_log`.
    pub fn cause(&self, work_log: &WorkLogUri) -> Cause {
        match self {
            Self::Triplestore(SourceFault::Failed { gist, .. }) => Cause::Said(*gist),
            _ => Cause::WorkLog(work_log.clone()),
        }
    }

    /// What it says about the state of Kimai and the triplestore.
    pub fn outage(&self) -> Outage {
        match self {
            Self::TurnedAway
            | Self::Kimai(TrackerFault { fault: Fault::Transient | Fault::Ambiguous, .. })
            | Self::Triplestore(
                SourceFault::Transient(_)
                | SourceFault::Failed { .. }
                | SourceFault::Unreadable(_)
                | SourceFault::Incomplete(_),
            ) => Outage::Perhaps,
            Self::Kimai(TrackerFault { fault: Fault::Unauthorised, .. }) => Outage::Surely,
            Self::Kimai(TrackerFault { fault: Fault::Limited(pause), .. }) => Outage::Pause(*pause),
            _ => Outage::No,
        }
    }
}

/// What a failure says about the state of Kimai and the triplestore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// They answered.
    No,
    /// One of them may be down.
    Perhaps,
    /// Kimai refuses the token: no work log can be synced.
    Surely,
    /// Kimai requests this pause.
    Pause(Duration),
}

/// What to do after a failed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Retry after this pause.
    After(Duration),
    /// Park it until something changes.
    Park,
}

/// Decides what follows `failure` when `attempts` runs had failed before it. `chance`, from 0 to 1,
/// spreads the pauses of entries that failed together (full jitter).
///
/// Transient faults never lead to parking: an outage must not park thousands of work logs.
pub fn after(failure: &Failure, attempts: u32, chance: f64) -> Next {
    match failure {
        Failure::Blocked(obstacles) if obstacles.iter().any(Obstacle::is_final) => Next::Park,
        Failure::Blocked(_) if attempts + 1 >= RUNS_WHILE_INCOMPLETE => Next::Park,
        Failure::Kimai(TrackerFault { fault, .. }) => match fault {
            Fault::Permanent => Next::Park,
            Fault::Limited(pause) => Next::After(*pause),
            // The breaker holds everything back until the token works.
            Fault::Unauthorised => Next::After(FIRST_PAUSE),
            // After an ambiguous one the next run looks before it sends again.
            Fault::Transient | Fault::Gone | Fault::Ambiguous => Next::After(pause(attempts, chance)),
        },
        Failure::Exported(_) | Failure::Mismatch(_) | Failure::Triplestore(SourceFault::Refused { .. }) => {
            Next::Park
        }
        Failure::Unsure(wait) => Next::After(*wait),
        // It costs no call to Kimai, and resumes soon after the links are rebuilt.
        Failure::KimaiLostData(_) => Next::After(pause(attempts.min(DOUBLED_WHILE_LOST), chance)),
        Failure::Broken(_) if attempts + 1 >= RUNS_WHILE_BROKEN => Next::Park,
        Failure::Broken(_)
        | Failure::TurnedAway
        | Failure::Blocked(_)
        | Failure::OutOfSight(_)
        | Failure::Stopped
        | Failure::Triplestore(_)
        | Failure::Queue(_)
        | Failure::Ledger(_) => Next::After(pause(attempts, chance)),
    }
}

/// A random number for [`after`].
pub fn chance() -> f64 {
    #[cfg(test)]
    if let Some(chance) = super::simulation::rng::chance() {
        return chance;
    }
    rand::random()
}

fn pause(attempts: u32, chance: f64) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts)).min(LONGEST_PAUSE);
    // Never immediately: what failed a moment ago would fail again.
    longest.mul_f64(chance.clamp(0.0, 1.0)).max(FIRST_PAUSE / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::status::Gist;
    use crate::trackers::Operation;
    use crate::trackers::kimai;
    use proptest::prelude::*;

    fn kimai(fault: Fault) -> Failure {
        Failure::Kimai(TrackerFault::new(kimai::NAME, Operation::Create, fault, "said so"))
    }

    #[test]
    fn each_failure_leads_to_one_thing() {
        let minute = Duration::from_mins(1);
        let gap = Failure::Blocked(vec![Obstacle::Lacks("duration")]);
        let malformed =
            Failure::Blocked(vec![Obstacle::Lacks("task"), Obstacle::BadDay("soon".into(), "why")]);
        let table = [
            (kimai(Fault::Transient), 0, Next::After(Duration::from_secs(1))),
            (kimai(Fault::Transient), 3, Next::After(Duration::from_secs(8))),
            (kimai(Fault::Transient), u32::MAX, Next::After(LONGEST_PAUSE)),
            (kimai(Fault::Limited(minute)), 7, Next::After(minute)),
            (kimai(Fault::Permanent), 0, Next::Park),
            (Failure::Exported("5:00 in Kimai, exported; 2:00 here".into()), 0, Next::Park),
            (kimai(Fault::Ambiguous), 0, Next::After(Duration::from_secs(1))),
            (Failure::Unsure(minute), 9, Next::After(minute)),
            (kimai(Fault::Unauthorised), 9, Next::After(FIRST_PAUSE)),
            (gap.clone(), 0, Next::After(Duration::from_secs(1))),
            (gap, RUNS_WHILE_INCOMPLETE - 1, Next::Park),
            (malformed, 0, Next::Park),
            (Failure::Triplestore(SourceFault::Transient("down".into())), 99, Next::After(LONGEST_PAUSE)),
            (
                Failure::Triplestore(SourceFault::Unreadable("html".into())),
                1,
                Next::After(Duration::from_secs(2)),
            ),
            (
                Failure::Triplestore(SourceFault::Refused {
                    said: "syntax".into(),
                    code: Code::TriplestoreRefused,
                }),
                0,
                Next::Park,
            ),
            (
                Failure::Triplestore(SourceFault::Failed {
                    said: "it answered 500".into(),
                    gist: Gist::of("it answered 500"),
                }),
                99,
                Next::After(LONGEST_PAUSE),
            ),
            (Failure::Broken("panic".into()), 3, Next::After(Duration::from_secs(8))),
            (Failure::Broken("panic".into()), 4, Next::Park),
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
