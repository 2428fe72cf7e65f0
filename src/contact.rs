//! Records the last answers and failures of Kimai and the triplestore, whichever part of the service made the request.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::Code;
use crate::domain::status::{Contact, Failed, Heard, Lapse, Part};

/// How long an abandoned request must have waited to count as a failure.
const LONG: Duration = Duration::from_secs(9);

tokio::task_local! {
    static PART: Part;
}

/// Runs `work` as this part of the service.
pub async fn within<F: Future>(part: Part, work: F) -> F::Output {
    PART.scope(part, work).await
}

/// The record of one system. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Record(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    clock: OnceLock<Clock>,
    contact: Mutex<Contact>,
}

impl Record {
    /// Uses the time of `clock` instead of the system clock from now on.
    pub fn tell_time_by(&self, clock: &Clock) {
        self.0.clock.get_or_init(|| clock.clone());
    }

    /// The last answer or failure.
    pub fn contact(&self) -> Contact {
        self.lock().clone()
    }

    /// It answered.
    pub fn answered(&self) {
        let heard = self.heard();
        self.lock().answer(heard);
    }

    /// It failed.
    pub fn failed(&self, lapse: Lapse, code: Code, why: String) {
        let failed = Failed { heard: self.heard(), lapse, code, why };
        self.lock().fail(failed);
    }

    /// Starts waiting for an answer. If the request is abandoned before [`Waiting::over`] after a long wait, that is
    /// recorded as a failure: a silent system does not count as available until the time limit of a request.
    pub fn wait(&self, code: Code) -> Waiting<'_> {
        Waiting { record: self, since: self.now(), began: Instant::now(), code, over: false }
    }

    /// It asked for a pause.
    pub fn paused(&self, pause: Duration, code: Code, why: String) {
        let until = self.now().checked_add(pause).unwrap_or(Timestamp::MAX);
        self.failed(Lapse::Paused(until), code, why);
    }

    fn heard(&self) -> Heard {
        Heard { at: self.now(), part: PART.try_with(|part| *part).unwrap_or_default() }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.get().map_or_else(|| Clock::system(TimeZone::UTC).now(), Clock::now)
    }

    /// It is always consistent, so a panic elsewhere does not matter.
    fn lock(&self) -> MutexGuard<'_, Contact> {
        self.0.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is waiting for an answer.
#[derive(Debug)]
pub struct Waiting<'a> {
    record: &'a Record,
    since: Timestamp,
    began: Instant,
    code: Code,
    over: bool,
}

impl Waiting<'_> {
    /// The result is, or is about to be, recorded.
    pub fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // Independent of changes of the system clock.
        let waited = self.began.elapsed();
        let heard_since = self.record.contact().last().is_some_and(|heard| heard.at >= self.since);
        if waited >= LONG && !heard_since {
            let why = format!("no answer within {:.0} s", waited.as_secs_f64());
            self.record.failed(Lapse::Silent, self.code, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_part_is_noted_with_its_time() {
        let record = Record::default();
        record.tell_time_by(&Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC));
        record.answered();
        tokio::time::advance(Duration::from_secs(9)).await;
        let shared = record.clone();
        within(Part::Sweep, async {
            shared.paused(Duration::from_secs(5), Code::KimaiBusy, "429".to_owned());
        })
        .await;
        let Contact { answered, failed, failures, failing_since } = record.contact();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(answered, Some(Heard { at: at(0), part: Part::Service }));
        let heard = Heard { at: at(9), part: Part::Sweep };
        let wanted =
            Failed { heard, lapse: Lapse::Paused(at(14)), code: Code::KimaiBusy, why: "429".to_owned() };
        assert_eq!((failed, failures, failing_since), (Some(wanted), 1, Some(at(9))));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_after_long_has_learned_something() {
        let record = Record::default();
        record.tell_time_by(&Clock::starting_at(Timestamp::UNIX_EPOCH, TimeZone::UTC));
        for (seconds, answered, over, failures) in
            [(8, false, false, 0), (10, true, false, 0), (10, false, true, 0), (10, false, false, 1)]
        {
            tokio::time::advance(Duration::from_secs(1)).await;
            let waiting = record.wait(Code::KimaiUnavailable);
            tokio::time::advance(Duration::from_secs(seconds)).await;
            if answered {
                record.answered();
            }
            if over {
                waiting.over();
            } else {
                drop(waiting);
            }
            assert_eq!(record.contact().failures, failures, "{seconds} {answered} {over}");
        }
        assert_eq!(record.contact().failed.unwrap().why, "no answer within 10 s");
    }
}
