//! The status of the service: one value, shown by every page, route, metric and command.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::Code;

/// How many failures in a row, each answered by the system itself, count as an outage. One thing that it cannot do is
/// no outage.
const UNABLE: u32 = 5;

/// A part of the service that makes requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// A run for a work log.
    WorkLog,
    /// A sweep.
    Sweep,
    /// The plan of a sweep.
    Plan,
    /// An import.
    Import,
    /// A lock.
    Lock,
    /// The checks.
    Checks,
    /// The service itself: at start, in its routes, or when it probes whether a system is back.
    #[default]
    Service,
}

impl Part {
    /// The name within a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::WorkLog => "a work log",
            Self::Sweep => "a sweep",
            Self::Plan => "a plan",
            Self::Import => "an import",
            Self::Lock => "a lock",
            Self::Checks => "the checks",
            Self::Service => "the service",
        }
    }
}

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// No answer, or one from something else in its place.
    Silent,
    /// It refuses access.
    Refused,
    /// It answered that it could not do this.
    Unable,
    /// The same of one statement, for a reason that it gave: the same reason once more counts no more.
    Statement(Gist),
    /// It requested a pause until then.
    Paused(Timestamp),
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: Timestamp,
    /// To which part of the service.
    pub part: Part,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// When, and in which part of the service.
    pub heard: Heard,
    /// How.
    pub lapse: Lapse,
    /// The stable code.
    pub code: Code,
    /// The message.
    pub why: String,
}

/// The cause of a failure, to tell different causes apart. Made by the client, which knows which parts of a message
/// vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gist(u64);

impl Gist {
    /// That of these words: whatever has the same words has the same gist.
    pub fn of(words: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        words.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Failed {
    fn is_same_reason(&self, other: &Self) -> bool {
        matches!(self.lapse, Lapse::Statement(_)) && self.lapse == other.lapse
    }
}

/// The last results of requests to Kimai or the triplestore, from any part of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Its last answer.
    pub answered: Option<Heard>,
    /// Its last failure.
    pub failed: Option<Failed>,
    /// The number of failures since the last answer.
    pub failures: u32,
    /// The time of the first of these.
    pub failing_since: Option<Timestamp>,
}

impl Contact {
    /// Records an answer.
    pub fn answer(&mut self, heard: Heard) {
        self.answered = Some(heard);
        (self.failures, self.failing_since) = (0, None);
    }

    /// Records a failure.
    pub fn fail(&mut self, failed: Failed) {
        let again = self.failing().is_some_and(|before| before.is_same_reason(&failed));
        if !again {
            self.failures = self.failures.saturating_add(1);
        }
        self.failing_since.get_or_insert(failed.heard.at);
        self.failed = Some(failed);
    }

    /// Its last failure, unless it has answered since.
    fn failing(&self) -> Option<&Failed> {
        self.failed.as_ref().filter(|_| self.failures > 0)
    }

    /// When it last answered or failed.
    pub fn last(&self) -> Option<Heard> {
        self.failing().map(|failed| failed.heard).or(self.answered)
    }
}

/// Why a system counts as down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// In words.
    pub why: String,
    /// The stable code of it.
    pub code: Code,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a system is available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// No request has been made yet.
    Unknown,
    /// It answers.
    Answers,
    /// It requested a pause.
    Paused {
        /// Until then.
        until: Timestamp,
        /// In words.
        why: String,
    },
    /// It is down.
    Down(Outage),
}

impl Link {
    /// From what was heard of it and its `breaker`, if that is open: work logs that `wait` behind it. An open breaker
    /// behind which nothing waits is not tried, so an answer to anybody else counts.
    fn of(contact: &Contact, breaker: Option<Outage>, wait: bool, now: Timestamp) -> Self {
        let answered = |since: Timestamp| {
            contact.failures == 0 && contact.answered.is_some_and(|heard| heard.at >= since)
        };
        if let Some(outage) = breaker.filter(|outage| wait || !answered(outage.since)) {
            return Self::Down(outage);
        }
        let Some(Failed { lapse, code, why, heard }) = contact.failing() else {
            return if contact.answered.is_some() { Self::Answers } else { Self::Unknown };
        };
        let down = || {
            let since = contact.failing_since.unwrap_or(heard.at);
            Self::Down(Outage { why: why.clone(), code: *code, since })
        };
        match lapse {
            Lapse::Silent | Lapse::Refused => down(),
            Lapse::Unable | Lapse::Statement(_) if contact.failures >= UNABLE => down(),
            Lapse::Paused(until) if now < *until => Self::Paused { until: *until, why: why.clone() },
            Lapse::Unable | Lapse::Statement(_) | Lapse::Paused(_) => Self::Answers,
        }
    }
}

/// Kimai or the triplestore: its availability and last results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Whether it can be used.
    pub link: Link,
    /// What was last heard.
    pub contact: Contact,
}

impl Neighbour {
    /// Why it counts as down.
    pub fn outage(&self) -> Option<&Outage> {
        if let Link::Down(outage) = &self.link { Some(outage) } else { None }
    }

    /// Whether it is down because it refuses access.
    pub fn refuses(&self) -> bool {
        let refused = self.contact.failing().is_some_and(|failed| failed.lapse == Lapse::Refused);
        refused && self.outage().is_some()
    }
}

/// The number of work logs in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Due.
    pub queued: usize,
    /// Scheduled for later.
    pub scheduled: usize,
    /// Running.
    pub running: usize,
    /// Parked.
    pub parked: usize,
    /// Since when the oldest of the due ones is due.
    pub oldest_due: Option<Timestamp>,
}

impl Load {
    /// How many are to be run, now or later, or are under way.
    pub fn busy(&self) -> usize {
        self.queued + self.scheduled + self.running
    }
}

/// What the newest completed sweep left undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// Its number.
    pub run: u64,
    /// Deletions that it held back and that need somebody; none: it failed.
    pub held: Option<usize>,
}

/// The inputs of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The time of the status.
    pub now: Timestamp,
    /// Whether the service is stopping.
    pub stopping: bool,
    /// What was heard of the triplestore.
    pub triplestore: Contact,
    /// What was heard of Kimai.
    pub kimai: Contact,
    /// The breaker of the triplestore, if it is open.
    pub triplestore_breaker: Option<Outage>,
    /// The breaker of Kimai, if it is open.
    pub kimai_breaker: Option<Outage>,
    /// Why nothing can be saved.
    pub storage: Option<String>,
    /// What Kimai has lost.
    pub lost: Option<String>,
    /// The queue.
    pub load: Load,
    /// What the newest sweep left undone.
    pub undone: Option<Undone>,
}

/// The status of the service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The time of the status.
    pub at: Timestamp,
    /// Whether the service is stopping.
    pub stopping: bool,
    /// The triplestore.
    pub triplestore: Neighbour,
    /// Kimai.
    pub kimai: Neighbour,
    /// Why nothing can be saved.
    pub storage: Option<String>,
    /// What Kimai has lost.
    pub lost: Option<String>,
    /// The queue.
    pub load: Load,
    /// What the newest sweep left undone.
    pub undone: Option<Undone>,
}

/// The most important message, shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headline {
    /// Nothing can be saved.
    CannotSave,
    /// Neither Kimai nor the triplestore answers.
    BothDown,
    /// The triplestore does not answer.
    TriplestoreDown,
    /// Kimai does not answer.
    KimaiDown,
    /// Kimai refuses access.
    KimaiRefuses,
    /// Kimai has lost timesheets.
    KimaiLostData,
    /// This many work logs are parked.
    Parked(usize),
    /// This many checks failed.
    Checks(usize),
    /// A sweep left something undone.
    Undone(Undone),
    /// Kimai asks for a pause.
    KimaiPaused,
    /// A neighbour has not been asked yet.
    Starting,
    /// This many work logs are being synced.
    Busy(usize),
    /// Everything is in Kimai.
    Synced,
}

/// Why the service is not ready for deltas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// It is stopping.
    Stopping,
    /// Nothing can be saved.
    CannotSave(String),
    /// The triplestore has never answered; with the error, if a request was made.
    TriplestoreNeverAnswered(Option<String>),
}

impl Status {
    /// Derives the status from `facts`.
    pub fn of(facts: Facts) -> Self {
        let Facts { now, stopping, triplestore, kimai, storage, lost, load, undone, .. } = facts;
        let wait = load.busy() > 0;
        let link = Link::of(&triplestore, facts.triplestore_breaker, wait, now);
        let triplestore = Neighbour { link, contact: triplestore };
        let link = Link::of(&kimai, facts.kimai_breaker, wait, now);
        let kimai = Neighbour { link, contact: kimai };
        Self { at: now, stopping, triplestore, kimai, storage, lost, load, undone }
    }

    /// The most important message, given the number of failed checks.
    pub fn headline(&self, checks: usize) -> Headline {
        let kimai = self.kimai.outage();
        let unknown = [&self.kimai.link, &self.triplestore.link].contains(&&Link::Unknown);
        match (self.triplestore.outage(), kimai) {
            _ if self.storage.is_some() => Headline::CannotSave,
            (Some(_), Some(_)) => Headline::BothDown,
            (Some(_), None) => Headline::TriplestoreDown,
            (None, Some(_)) if self.kimai.refuses() => Headline::KimaiRefuses,
            (None, Some(_)) => Headline::KimaiDown,
            (None, None) if self.lost.is_some() => Headline::KimaiLostData,
            (None, None) if self.load.parked > 0 => Headline::Parked(self.load.parked),
            (None, None) if checks > 0 => Headline::Checks(checks),
            (None, None) => match (self.undone, &self.kimai.link) {
                (Some(undone), _) => Headline::Undone(undone),
                (None, Link::Paused { .. }) => Headline::KimaiPaused,
                (None, _) if self.load.busy() > 0 => Headline::Busy(self.load.busy()),
                (None, _) if unknown => Headline::Starting,
                (None, _) => Headline::Synced,
            },
        }
    }

    /// Why the service is not ready for deltas, if so. An outage of Kimai does not count: deltas are kept meanwhile.
    pub fn not_ready(&self) -> Option<NotReady> {
        if self.stopping {
            return Some(NotReady::Stopping);
        }
        if let Some(why) = &self.storage {
            return Some(NotReady::CannotSave(why.clone()));
        }
        let contact = &self.triplestore.contact;
        contact.answered.is_none().then(|| {
            NotReady::TriplestoreNeverAnswered(contact.failed.as_ref().map(|failed| failed.why.clone()))
        })
    }
}

#[cfg(test)]
mod tests;
