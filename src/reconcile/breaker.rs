//! The breaker: when a neighbour is down, one run at a time finds out whether it is back, and what waits
//! neither hammers it nor ages.
//!
//! # Guarantees
//! While it is open, a run starts at most every [`PROBE_EVERY`]. It closes with the first run that
//! reaches both neighbours.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::WorkLogUri;

/// Transient failures in a row, of different work logs, that open it. One work log that fails alone is
/// its own problem, not a neighbour's.
const FAILURES: usize = 5;
/// The pause between two probes.
pub const PROBE_EVERY: Duration = Duration::from_secs(15);

/// Whether a run may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Go,
    /// Yes, to find out whether the neighbours are back.
    Probe,
    /// Not before then, unless the breaker closes earlier.
    Wait(Timestamp),
}

/// Counts failures over all workers. Time is a parameter.
#[derive(Debug, Default)]
pub struct Breaker {
    /// The different work logs that failed since the last success.
    failed: Vec<WorkLogUri>,
    open: Option<Open>,
    /// A neighbour asked for a pause until then.
    paused_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Open {
    next_probe: Timestamp,
    why: String,
}

impl Breaker {
    /// Whether a run may start now. A probe is given out once per pause.
    pub fn admit(&mut self, now: Timestamp) -> Admission {
        if let Some(until) = self.paused_until.filter(|until| now < *until) {
            return Admission::Wait(until);
        }
        match &mut self.open {
            None => Admission::Go,
            Some(open) if now < open.next_probe => Admission::Wait(open.next_probe),
            Some(open) => {
                open.next_probe = later(now, PROBE_EVERY);
                Admission::Probe
            }
        }
    }

    /// A run reached both neighbours. Says whether this closed the breaker.
    pub fn succeeded(&mut self) -> bool {
        self.failed.clear();
        self.open.take().is_some()
    }

    /// A run for `work_log` failed in a way that may be a neighbour's; `at_once` when it surely is. Says
    /// whether this opened the breaker.
    pub fn failed(&mut self, work_log: &WorkLogUri, why: &str, at_once: bool, now: Timestamp) -> bool {
        if !self.failed.contains(work_log) {
            self.failed.push(work_log.clone());
        }
        if let Some(open) = &mut self.open {
            why.clone_into(&mut open.why);
            return false;
        }
        if !at_once && self.failed.len() < FAILURES {
            return false;
        }
        self.failed.clear();
        self.open = Some(Open { next_probe: later(now, PROBE_EVERY), why: why.to_owned() });
        true
    }

    /// A neighbour asked for a pause: nothing starts before it is over.
    pub fn pause(&mut self, pause: Duration, now: Timestamp) {
        let until = later(now, pause);
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// Why it is open, if it is.
    pub fn why(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.why.as_str())
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

    fn work_log(number: usize) -> WorkLogUri {
        WorkLogUri::parse(&format!("http://x/{number}")).unwrap()
    }

    #[test]
    fn five_different_failures_open_it_and_one_success_closes_it() {
        let mut breaker = Breaker::default();
        for number in 0..4 {
            assert!(!breaker.failed(&work_log(number), "down", false, at(0)));
        }
        assert_eq!(breaker.admit(at(0)), Admission::Go);
        assert!(breaker.failed(&work_log(4), "down", false, at(0)));
        assert_eq!(breaker.admit(at(1)), Admission::Wait(at(15)));
        assert_eq!(breaker.admit(at(15)), Admission::Probe);
        assert_eq!(breaker.admit(at(15)), Admission::Wait(at(30)), "one probe at a time");
        assert!(!breaker.failed(&work_log(9), "still down", false, at(16)));
        assert_eq!(breaker.why(), Some("still down"));
        assert!(breaker.succeeded());
        assert_eq!((breaker.admit(at(17)), breaker.why()), (Admission::Go, None));
    }

    #[test]
    fn one_work_log_that_fails_for_ever_opens_nothing() {
        let mut breaker = Breaker::default();
        for second in 0..100 {
            assert!(!breaker.failed(&work_log(1), "500", false, at(second)));
        }
        assert_eq!(breaker.admit(at(100)), Admission::Go);
    }

    #[test]
    fn a_wrong_token_opens_it_at_once_and_a_pause_is_kept_to_its_end() {
        let mut breaker = Breaker::default();
        assert!(breaker.failed(&work_log(1), "401", true, at(0)));
        assert_eq!(breaker.admit(at(1)), Admission::Wait(at(15)));
        breaker.succeeded();
        breaker.pause(Duration::from_secs(5), at(0));
        breaker.pause(Duration::from_secs(2), at(1));
        assert_eq!(breaker.admit(at(2)), Admission::Wait(at(5)));
        assert_eq!(breaker.admit(at(5)), Admission::Go);
    }

    proptest! {
        /// However many workers ask and fail, an open breaker lets one start every 15 s.
        #[test]
        fn an_outage_is_never_hammered(steps in prop::collection::vec((0..4i64, 0..50usize), 1..300)) {
            let mut breaker = Breaker::default();
            breaker.failed(&work_log(0), "down", true, at(0));
            let (mut now, mut probes) = (0, 0);
            for (seconds, number) in steps {
                now += seconds;
                if breaker.admit(at(now)) == Admission::Probe {
                    probes += 1;
                    breaker.failed(&work_log(number), "down", false, at(now));
                }
                prop_assert!(probes <= now / 15);
            }
        }
    }
}
