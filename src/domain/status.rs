//! How the service stands: one value, from which every screen, route, metric and command tells it.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::Code;

/// Failures in a row, each answered by the neighbour itself, from which on it counts as down. One thing that it cannot
/// do is no outage.
const UNABLE: u32 = 5;

/// Which part of the service heard from a neighbour.
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
    /// The service itself: its start, its routes, or its look whether a neighbour is back.
    #[default]
    Service,
}

impl Part {
    /// The same for a sentence.
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

/// How a neighbour failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// It did not answer, or something else answered in its place.
    Silent,
    /// It lets nobody in.
    Refused,
    /// It answered that it could not do this.
    Unable,
    /// The same of one statement, for a reason that it gave: the same reason once more counts no more.
    Statement(Gist),
    /// It asked for a pause until then.
    Paused(Timestamp),
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// When.
    pub at: Timestamp,
    /// To which part of the service.
    pub fragment: Part,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// When, and in which part of the service.
    pub heard: Heard,
    /// How.
    pub lapse: Lapse,
    /// The stable code of it.
    pub code: Code,
    /// The same in words.
    pub why: String,
}

/// The reason that a neighbour gave for a failure, told apart from other reasons. Its client makes it, which knows what
/// of a message changes each time it is said.
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

/// What was last heard of a neighbour, by whichever part of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Its last answer.
    pub answered: Option<Heard>,
    /// Its last failure.
    pub failed: Option<Failed>,
    /// How often it has failed since its last answer.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
}

impl Contact {
    /// It answered.
    pub fn answer(&mut self, heard: Heard) {
        self.answered = Some(heard);
        (self.failures, self.failing_since) = (0, None);
    }

    /// It failed.
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

/// Why a neighbour counts as down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// In words.
    pub why: String,
    /// The stable code of it.
    pub code: Code,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a neighbour can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Nobody has asked it yet.
    Unknown,
    /// It answers.
    Answers,
    /// It asks for a pause.
    Paused {
        /// Until then.
        until: Timestamp,
        /// In words.
        why: String,
    },
    /// It does not answer as it should.
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

/// A neighbour: whether it can be used, and what was last heard of it.
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

    /// Whether it is down because it lets nobody in.
    pub fn refuses(&self) -> bool {
        let refused = self.contact.failing().is_some_and(|failed| failed.lapse == Lapse::Refused);
        refused && self.outage().is_some()
    }
}

/// Work logs in the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Due.
    pub queued: usize,
    /// To be run later.
    pub scheduled: usize,
    /// Under way.
    pub running: usize,
    /// Waiting for somebody.
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

/// What the newest sweep that has compared both sides left undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// Its number.
    pub run: u64,
    /// Deletions that it held back and that need somebody; none: it failed.
    pub held: Option<usize>,
}

/// What is known when somebody looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// When that is.
    pub now: Timestamp,
    /// Whether the service stops.
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

/// How the service stands at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// When that was.
    pub at: Timestamp,
    /// Whether the service stops.
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

/// The one thing to be told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headline {
    /// Nothing can be saved.
    CannotSave,
    /// Neither neighbour answers.
    BothDown,
    /// The triplestore does not answer.
    TriplestoreDown,
    /// Kimai does not answer.
    KimaiDown,
    /// Kimai lets the service in no more.
    KimaiRefuses,
    /// Kimai has lost timesheets.
    KimaiLostData,
    /// So many work logs are parked.
    Parked(usize),
    /// So many checks found trouble.
    Checks(usize),
    /// A sweep left something undone.
    Undone(Undone),
    /// Kimai asks for a pause.
    KimaiPaused,
    /// A neighbour has not been asked yet.
    Starting,
    /// So many work logs are on their way.
    Busy(usize),
    /// Everything is in Kimai.
    Synced,
}

/// Why no deltas should be sent here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotReady {
    /// The service stops.
    Stopping,
    /// Nothing can be saved.
    CannotSave(String),
    /// The triplestore has never answered; how it failed, if it was asked.
    TriplestoreNeverAnswered(Option<String>),
}

impl Status {
    /// What `facts` come to.
    pub fn of(facts: Facts) -> Self {
        let Facts { now, stopping, triplestore, kimai, storage, lost, load, undone, .. } = facts;
        let wait = load.busy() > 0;
        let link = Link::of(&triplestore, facts.triplestore_breaker, wait, now);
        let triplestore = Neighbour { link, contact: triplestore };
        let link = Link::of(&kimai, facts.kimai_breaker, wait, now);
        let kimai = Neighbour { link, contact: kimai };
        Self { at: now, stopping, triplestore, kimai, storage, lost, load, undone }
    }

    /// What is to be told first, given how many checks found trouble.
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

    /// Why no deltas should be sent here, if so. Kimai being down does not count: they are kept meanwhile.
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
