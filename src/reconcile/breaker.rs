//! The circuit breaker: while Kimai or the triplestore is down, one run at a time probes whether it is back. Waiting
//! entries neither send requests nor use up attempts.
//!
//! # Guarantees
//! While it is open, at most one run starts per [`PROBE_EVERY`]. The first run that reaches the system closes it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::status::Gist;
use crate::domain::{Code, WorkLogUri};

/// Failures in a row, with different causes, that open it. One work log that fails is no sign of an outage, nor is one
/// thing that the system cannot do, however many work logs need it.
const FAILURES: usize = 5;
/// The pause between two probes.
pub const PROBE_EVERY: Duration = Duration::from_secs(15);

/// A system that a run needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// Where hours are billed.
    Kimai,
    /// Where work logs live.
    Triplestore,
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kimai => "Kimai",
            Self::Triplestore => "the triplestore",
        })
    }
}

/// What a failure counts as. Failures with the same cause count once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// There was no answer: each affected work log is one more sign of an outage.
    WorkLog(WorkLogUri),
    /// It answered with this error.
    Said(Gist),
}

/// The breakers of Kimai and the triplestore, shared by all workers. Time is a parameter.
#[derive(Debug, Default)]
pub struct Breakers {
    kimai: Breaker,
    triplestore: Breaker,
    /// Kimai requested a pause until then.
    paused_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Breaker {
    /// The distinct causes of failures since the last success.
    failed: Vec<Cause>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Timestamp,
    next_probe: Timestamp,
    code: Code,
    why: String,
}

/// A system that is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Which one.
    pub neighbour: Neighbour,
    /// The stable code of the cause.
    pub code: Code,
    /// The cause, in words.
    pub why: String,
    /// Since when it is known to be down.
    pub since: Timestamp,
}

impl Breakers {
    /// Requests permission to start a run, or returns the time to ask again.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let probes =
            [&self.kimai, &self.triplestore].map(|breaker| breaker.open.as_ref().map(|open| open.next_probe));
        let latest = probes.into_iter().flatten().chain(self.paused_until).max();
        if let Some(until) = latest.filter(|until| now < *until) {
            return Err(until);
        }
        for open in
            [&mut self.kimai, &mut self.triplestore].into_iter().filter_map(|breaker| breaker.open.as_mut())
        {
            open.next_probe = later(now, PROBE_EVERY);
        }
        Ok(())
    }

    /// A run ended without finding an outage. The next run probes the systems that it did not reach.
    pub fn ended(&mut self, now: Timestamp) {
        for open in [&mut self.kimai, &mut self.triplestore].into_iter().filter_map(|one| one.open.as_mut()) {
            open.next_probe = now;
        }
    }

    /// A run reached this system. Returns whether it had been down.
    pub fn reached(&mut self, neighbour: Neighbour) -> bool {
        std::mem::take(self.of(neighbour)).open.is_some()
    }

    /// A run failed by `cause`, which may be an outage; `surely` opens immediately. Returns whether this opened the
    /// breaker.
    pub fn failed(
        &mut self,
        neighbour: Neighbour,
        cause: Cause,
        (code, why): (Code, &str),
        surely: bool,
        now: Timestamp,
    ) -> bool {
        let breaker = self.of(neighbour);
        if !breaker.failed.contains(&cause) {
            breaker.failed.push(cause);
        }
        if let Some(open) = &mut breaker.open {
            breaker.failed.clear();
            why.clone_into(&mut open.why);
            open.code = code;
            return false;
        }
        if !surely && breaker.failed.len() < FAILURES {
            return false;
        }
        breaker.failed.clear();
        let next_probe = later(now, PROBE_EVERY);
        breaker.open = Some(Open { since: now, next_probe, code, why: why.to_owned() });
        true
    }

    /// Kimai requested a pause: nothing starts before it is over.
    pub fn pause(&mut self, pause: Duration, now: Timestamp) {
        let until = later(now, pause);
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// The systems that are down, and why.
    pub fn down(&self) -> Vec<(Neighbour, &str)> {
        self.open().map(|(neighbour, open)| (neighbour, open.why.as_str())).collect()
    }

    /// The same, each with its start time.
    pub fn outages(&self) -> Vec<Down> {
        let down = |(neighbour, open): (_, &Open)| Down {
            neighbour,
            code: open.code,
            why: open.why.clone(),
            since: open.since,
        };
        self.open().map(down).collect()
    }

    fn open(&self) -> impl Iterator<Item = (Neighbour, &Open)> {
        let both = [(Neighbour::Kimai, &self.kimai), (Neighbour::Triplestore, &self.triplestore)];
        both.into_iter().filter_map(|(neighbour, breaker)| Some((neighbour, breaker.open.as_ref()?)))
    }

    fn of(&mut self, neighbour: Neighbour) -> &mut Breaker {
        match neighbour {
            Neighbour::Kimai => &mut self.kimai,
            Neighbour::Triplestore => &mut self.triplestore,
        }
    }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn work_log(number: usize) -> Cause {
        Cause::WorkLog(WorkLogUri::parse(&format!("http://x/{number}")).unwrap())
    }

    fn fail(breakers: &mut Breakers, number: usize, second: i64) -> bool {
        let down = (Code::KimaiUnavailable, "down");
        breakers.failed(Neighbour::Kimai, work_log(number), down, false, at(second))
    }

    #[test]
    fn five_different_failures_open_it_and_one_success_closes_it() {
        let mut breakers = Breakers::default();
        for number in 0..4 {
            assert!(!fail(&mut breakers, number, 0));
        }
        assert_eq!(breakers.admit(at(0)), Ok(()));
        assert!(fail(&mut breakers, 4, 0));
        assert_eq!(breakers.admit(at(1)), Err(at(15)));
        assert_eq!(breakers.admit(at(15)), Ok(()));
        assert_eq!(breakers.admit(at(15)), Err(at(30)), "one probe at a time");
        assert!(!fail(&mut breakers, 9, 16));
        assert_eq!(breakers.down(), [(Neighbour::Kimai, "down")]);
        assert!(breakers.reached(Neighbour::Kimai));
        assert_eq!((breakers.admit(at(17)), breakers.down()), (Ok(()), vec![]));
    }

    #[test]
    fn what_never_reaches_kimai_does_not_close_its_breaker_nor_use_up_the_probe() {
        let mut breakers = Breakers::default();
        let opened: Vec<bool> = (0..5).map(|number| fail(&mut breakers, number, 0)).collect();
        assert_eq!(opened, [false, false, false, false, true]);
        assert_eq!(breakers.admit(at(15)), Ok(()));
        assert!(!breakers.reached(Neighbour::Triplestore));
        breakers.ended(at(16));
        assert_eq!(breakers.down(), [(Neighbour::Kimai, "down")]);
        assert_eq!(breakers.admit(at(16)), Ok(()), "the next one may find out");
        assert_eq!(breakers.admit(at(16)), Err(at(31)));
    }

    #[test]
    fn failures_of_kimai_add_up_over_runs_that_did_not_need_it() {
        let mut breakers = Breakers::default();
        for number in 0..4 {
            assert!(!fail(&mut breakers, number, 0));
            breakers.reached(Neighbour::Triplestore);
            breakers.ended(at(0));
        }
        assert!(fail(&mut breakers, 4, 0));
    }

    #[test]
    fn one_work_log_that_fails_for_ever_opens_nothing() {
        let mut breakers = Breakers::default();
        for second in 0..100 {
            assert!(!fail(&mut breakers, 1, second));
        }
        assert_eq!(breakers.admit(at(100)), Ok(()));
    }

    #[test]
    fn one_thing_that_a_neighbour_cannot_do_opens_nothing_however_many_need_it() {
        let mut breakers = Breakers::default();
        let mut said = |words: &str| {
            breakers.failed(
                Neighbour::Triplestore,
                Cause::Said(Gist::of(words)),
                (Code::TriplestoreUnavailable, words),
                false,
                at(0),
            )
        };
        for _ in 0..100 {
            assert!(!said("The value NIL is not of type STRING"));
        }
        let different: Vec<bool> = ["b", "c", "d", "e"].map(&mut said).into();
        assert_eq!(different, [false, false, false, true], "that many are no accident");
    }

    #[test]
    fn a_wrong_token_opens_it_at_once_and_a_pause_is_kept_to_its_end() {
        let mut breakers = Breakers::default();
        assert!(breakers.failed(Neighbour::Kimai, work_log(1), (Code::TokenInvalid, "401"), true, at(0)));
        assert_eq!(breakers.admit(at(1)), Err(at(15)));
        breakers.reached(Neighbour::Kimai);
        breakers.pause(Duration::from_secs(5), at(0));
        breakers.pause(Duration::from_secs(2), at(1));
        assert_eq!(breakers.admit(at(2)), Err(at(5)));
        assert_eq!(breakers.admit(at(5)), Ok(()));
    }

    proptest! {
        /// However many workers ask and fail, an open breaker lets one start every 15 s.
        #[test]
        fn an_outage_is_never_hammered(steps in prop::collection::vec((0..4i64, 0..50usize), 1..300)) {
            let mut breakers = Breakers::default();
            breakers.failed(Neighbour::Kimai, work_log(0), (Code::KimaiUnavailable, "down"), true, at(0));
            let (mut now, mut probes) = (0, 0);
            for (seconds, number) in steps {
                now += seconds;
                if breakers.admit(at(now)).is_ok() {
                    probes += 1;
                    fail(&mut breakers, number, now);
                }
                prop_assert!(probes <= now / 15);
            }
        }
    }
}
