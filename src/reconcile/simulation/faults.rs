//! Faults on the way to either side, as the two clients report them.

use crate::trackers::kimai;
use crate::trackers::kimai::fault;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::trackers::{Operation, TrackerFault};
use crate::work_logs::SourceFault;

/// The time limit of every call: the default of the settings.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What is asked of either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Facts,
    Directory,
    /// What there is of each day, too.
    OfPeriod,
    Count,
    HasAny,
    Linked,
    Tombstones,
    Dangling,
    Link,
    Unlink,
    Look,
    /// A list in which several timesheets are looked at.
    Several,
    List,
    Newest,
    Choices,
    Create,
    Update,
    Delete,
}

impl Call {
    /// Those that go to Kimai, in the order of the fault matrix.
    pub(super) const KIMAI: [Self; 8] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Look,
        Self::Several,
        Self::List,
        Self::Newest,
        Self::Choices,
    ];
    /// Those that go to the triplestore.
    pub(super) const TRIPLESTORE: [Self; 10] = [
        Self::Facts,
        Self::Directory,
        Self::OfPeriod,
        Self::Count,
        Self::HasAny,
        Self::Linked,
        Self::Tombstones,
        Self::Dangling,
        Self::Link,
        Self::Unlink,
    ];

    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Create => Operation::Create,
            Self::Update => Operation::Update,
            Self::Delete => Operation::Delete,
            Self::Several | Self::List | Self::Newest => Operation::Read,
            _ => Operation::Look,
        }
    }

    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete | Self::Link | Self::Unlink)
    }
}

/// What becomes of a request whose answer is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has no effect.
    Never,
    /// It takes effect; only the answer is bad.
    Now,
    /// It takes effect after the caller has given up.
    Late,
    /// One or the other of the first two.
    Either,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    // Both sides.
    Refused,
    TimeLimitBefore,
    TimeLimitAfter,
    Hangs,
    Status500,
    Status503,
    Garbage,
    // Kimai.
    Dns,
    Tls,
    CutAfterRequest,
    CutInAnswer,
    Status502,
    Status504,
    Limited,
    LimitedBare,
    Status503Pause,
    Invalid,
    Forbidden,
    WrongToken,
    Html,
    /// A proxy that knows of no Kimai.
    NotFoundPage,
    /// Of a list; the other pages can be read.
    PageLost,
    /// Of a list; one row cannot be read.
    RowOdd,
    // The triplestore.
    Empty,
    Half,
    /// Every second row is missing.
    RowsDropped,
    NotStored,
}

impl Trouble {
    /// What Kimai and the way to it can do, in the order of the fault matrix.
    pub(super) const KIMAI: [Self; 23] = [
        Self::Refused,
        Self::Dns,
        Self::Tls,
        Self::TimeLimitBefore,
        Self::TimeLimitAfter,
        Self::Hangs,
        Self::CutAfterRequest,
        Self::CutInAnswer,
        Self::Status500,
        Self::Status502,
        Self::Status503,
        Self::Status504,
        Self::Limited,
        Self::LimitedBare,
        Self::Status503Pause,
        Self::Invalid,
        Self::WrongToken,
        Self::Forbidden,
        Self::Garbage,
        Self::Html,
        Self::NotFoundPage,
        Self::PageLost,
        Self::RowOdd,
    ];
    /// What the triplestore and the way to it can do.
    pub(super) const TRIPLESTORE: [Self; 11] = [
        Self::Refused,
        Self::Status500,
        Self::Status503,
        Self::TimeLimitBefore,
        Self::TimeLimitAfter,
        Self::Hangs,
        Self::Empty,
        Self::Garbage,
        Self::Half,
        Self::RowsDropped,
        Self::NotStored,
    ];

    /// Any that can befall `call`. What needs a person to help is rarer than what passes by itself.
    pub(super) fn draw(call: Call, rng: &mut ChaCha8Rng) -> Self {
        loop {
            let trouble = if Call::KIMAI.contains(&call) {
                Self::KIMAI[rng.random_range(0..Self::KIMAI.len())]
            } else {
                Self::TRIPLESTORE[rng.random_range(0..Self::TRIPLESTORE.len())]
            };
            let rare = matches!(trouble, Self::Invalid | Self::Forbidden | Self::WrongToken);
            // A scope is wrong for all or for none: emptiness comes and goes with the weather.
            if trouble.befalls(call) && trouble != Self::Empty && (!rare || rng.random_ratio(1, 4)) {
                return trouble;
            }
        }
    }

    /// Whether it can befall `call` at all.
    pub(super) fn befalls(self, call: Call) -> bool {
        match self {
            Self::NotStored => call.writes(),
            Self::Empty => !call.writes(),
            // Each of the others is one answer about one subject: cut short, it is unreadable.
            Self::PageLost | Self::RowOdd => call == Call::List,
            Self::Half => matches!(call, Call::OfPeriod | Call::Dangling),
            Self::RowsDropped => {
                matches!(
                    call,
                    Call::Facts | Call::OfPeriod | Call::Linked | Call::Tombstones | Call::Dangling
                )
            }
            _ => true,
        }
    }

    pub(super) fn fate(self) -> Fate {
        match self {
            Self::TimeLimitAfter | Self::CutInAnswer | Self::Garbage => Fate::Now,
            Self::Hangs | Self::Status504 => Fate::Late,
            Self::CutAfterRequest | Self::Status500 | Self::Status502 => Fate::Either,
            _ => Fate::Never,
        }
    }

    /// Whether the caller waits for the whole time limit.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Self::TimeLimitBefore | Self::TimeLimitAfter | Self::Hangs)
    }

    /// What the client of Kimai makes of it.
    pub(super) fn of_kimai(self, call: Call) -> TrackerFault {
        let operation = call.operation();
        let answer = |status, retry_after, body: &str| {
            fault::of_answer(operation, status, retry_after, body.as_bytes())
        };
        match self {
            Self::Dns => TrackerFault::cut(kimai::NAME, operation, false, "no such host"),
            Self::Tls => TrackerFault::cut(kimai::NAME, operation, false, "the TLS handshake failed"),
            Self::TimeLimitBefore | Self::TimeLimitAfter | Self::Hangs => {
                TrackerFault::cut(kimai::NAME, operation, true, "it did not answer within the time limit")
            }
            Self::CutAfterRequest | Self::CutInAnswer => {
                TrackerFault::cut(kimai::NAME, operation, true, "the connection was cut")
            }
            Self::Status500 | Self::PageLost | Self::RowOdd => answer(500, None, ""),
            Self::Status502 => answer(502, None, "<html>bad gateway</html>"),
            Self::Status503 => answer(503, None, ""),
            Self::Status504 => answer(504, None, ""),
            Self::Limited => answer(429, Some("20"), ""),
            Self::LimitedBare => answer(429, None, ""),
            Self::Status503Pause => answer(503, Some("45"), ""),
            Self::Invalid => answer(400, None, r#"{"code":400,"message":"injected"}"#),
            Self::Forbidden => answer(403, None, r#"{"code":403,"message":"injected"}"#),
            Self::WrongToken => answer(401, None, ""),
            Self::NotFoundPage => answer(404, None, "404 page not found"),
            Self::Garbage | Self::Html => fault::unreadable(operation, "expected value at line 1"),
            Self::Refused | Self::Empty | Self::Half | Self::RowsDropped | Self::NotStored => {
                TrackerFault::cut(kimai::NAME, operation, false, "connection refused")
            }
        }
    }

    /// What the client of the triplestore makes of it.
    pub(super) fn of_triplestore(self) -> SourceFault {
        match self {
            Self::Garbage => SourceFault::Unreadable("expected value at line 1".to_owned()),
            Self::Status500 => SourceFault::Transient("it answered 500".to_owned()),
            Self::Status503 => SourceFault::Transient("it answered 503".to_owned()),
            Self::Refused => SourceFault::Transient("connection refused".to_owned()),
            _ => SourceFault::Transient("it did not answer within the time limit".to_owned()),
        }
    }

    /// Whether the service is to keep the work log aside: nothing but a change helps.
    pub(super) fn is_permanent(self) -> bool {
        matches!(self, Self::Invalid | Self::Forbidden)
    }
}

/// How often things go wrong now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// Calls to Kimai that fail, in per cent.
    pub(super) kimai: u32,
    /// Calls to the triplestore that fail, in per cent.
    pub(super) triplestore: u32,
    /// The scope is wrong: the triplestore answers each query with nothing.
    pub(super) blind: bool,
}

/// Trouble by plan instead of by chance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    pub(super) call: Call,
    pub(super) trouble: Trouble,
    pub(super) when: When,
    pub(super) seen: u32,
}

/// Which of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    First,
    Second,
    EveryThird,
}

impl Script {
    pub(super) fn next(&mut self, call: Call) -> Option<Trouble> {
        if call != self.call {
            return None;
        }
        self.seen += 1;
        let strikes = match self.when {
            When::First => self.seen == 1,
            When::Second => self.seen == 2,
            When::EveryThird => self.seen.is_multiple_of(3),
        };
        strikes.then_some(self.trouble)
    }
}
