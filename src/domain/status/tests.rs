//! From facts to status: a table for each decision, and what holds of every history of answers and failures.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn heard(second: i64) -> Heard {
    Heard { at: at(second), part: Part::Sweep }
}

fn failed(second: i64, lapse: Lapse, code: Code) -> Failed {
    Failed { heard: heard(second), lapse, code, why: format!("failed at {second}") }
}

fn silent(second: i64) -> Failed {
    failed(second, Lapse::Silent, Code::KimaiUnavailable)
}

fn unable(second: i64) -> Failed {
    failed(second, Lapse::Unable, Code::KimaiUnavailable)
}

fn said(second: i64, why: &str) -> Failed {
    Failed { why: why.to_owned(), ..failed(second, Lapse::Statement(Gist::of(why)), Code::TriplestoreFailed) }
}

/// The contact after these.
fn contact(history: impl IntoIterator<Item = Result<Heard, Failed>>) -> Contact {
    history.into_iter().fold(Contact::default(), |mut contact, next| {
        match next {
            Ok(heard) => contact.answer(heard),
            Err(failed) => contact.fail(failed),
        }
        contact
    })
}

fn answering() -> Contact {
    contact([Ok(heard(0))])
}

impl Facts {
    /// Of a service with nothing to do, both of whose neighbours last `answered`.
    pub(crate) fn at_rest(now: Timestamp, answered: Heard) -> Self {
        let answering = || contact([Ok(answered)]);
        Self {
            now,
            stopping: false,
            triplestore: answering(),
            kimai: answering(),
            triplestore_breaker: None,
            kimai_breaker: None,
            storage: None,
            lost: None,
            load: Load::default(),
            undone: None,
        }
    }
}

fn facts() -> Facts {
    Facts::at_rest(at(100), heard(0))
}

fn outage(since: i64) -> Outage {
    Outage { why: "the breaker's words".to_owned(), code: Code::KimaiUnavailable, since: at(since) }
}

#[test]
fn a_neighbour_is_what_was_last_heard_of_it_and_its_breaker_while_somebody_waits_behind_it() {
    let refused = failed(9, Lapse::Refused, Code::TokenInvalid);
    let paused = |until| failed(9, Lapse::Paused(at(until)), Code::KimaiBusy);
    let down = |why: &str, code, since| Link::Down(Outage { why: why.to_owned(), code, since: at(since) });
    let unavailable = Code::KimaiUnavailable;
    let breaker = || down("the breaker's words", unavailable, 50);
    let table = [
        (contact([]), None, false, Link::Unknown),
        (answering(), None, true, Link::Answers),
        (contact([Err(silent(9))]), None, false, down("failed at 9", unavailable, 9)),
        // Since the first failure, by the words of the last.
        (
            contact([Ok(heard(1)), Err(silent(5)), Err(silent(9))]),
            None,
            false,
            down("failed at 9", unavailable, 5),
        ),
        (contact([Err(silent(5)), Ok(heard(9))]), None, true, Link::Answers),
        (contact([Ok(heard(5)), Err(refused)]), None, false, down("failed at 9", Code::TokenInvalid, 9)),
        (
            contact([Err(paused(101))]),
            None,
            false,
            Link::Paused { until: at(101), why: "failed at 9".to_owned() },
        ),
        (contact([Err(paused(100))]), None, false, Link::Answers),
        // What it cannot do alone is no outage; when it can do nothing it is one.
        (contact((1..5).map(|second| Err(unable(second)))), None, false, Link::Answers),
        (contact((1..6).map(|second| Err(unable(second)))), None, false, down("failed at 5", unavailable, 1)),
        // One statement that it cannot do is that statement's fault, however often it is tried.
        (
            contact((1..90).map(|second| Err(said(second, "it answered 500: NIL 3")))),
            None,
            false,
            Link::Answers,
        ),
        (
            contact(
                (1..6)
                    .map(|second| Err(said(second, &"x".repeat(second.unsigned_abs().try_into().unwrap())))),
            ),
            None,
            false,
            down("xxxxx", Code::TriplestoreFailed, 1),
        ),
        (contact([]), Some(outage(50)), false, breaker()),
        (contact([Ok(heard(60))]), Some(outage(50)), true, breaker()),
        (contact([Ok(heard(60))]), Some(outage(50)), false, Link::Answers),
        (contact([Ok(heard(40))]), Some(outage(50)), false, breaker()),
        (contact([Ok(heard(60)), Err(silent(70))]), Some(outage(50)), false, breaker()),
    ];
    for (contact, breaker, wait, wanted) in table {
        assert_eq!(
            Link::of(&contact, breaker.clone(), wait, at(100)),
            wanted,
            "{contact:?} {breaker:?} {wait}"
        );
    }
}

#[test]
fn the_headline_tells_the_worst_and_readiness_only_what_keeps_deltas_away() {
    let down = || contact([Err(silent(9))]);
    let load = |queued, parked| Load { queued, parked, ..Load::default() };
    let undone = Undone { run: 7, held: Some(22) };
    let refused = contact([Err(failed(9, Lapse::Refused, Code::TokenInvalid))]);
    let paused = contact([Err(failed(9, Lapse::Paused(at(200)), Code::KimaiBusy))]);
    let never = |why: Option<&str>| Some(NotReady::TriplestoreNeverAnswered(why.map(str::to_owned)));
    let cannot = || Some(NotReady::CannotSave("full".to_owned()));
    let full = || Some("full".to_owned());
    let table = [
        (facts(), 0, Headline::Synced, None),
        (Facts { load: load(3, 0), ..facts() }, 0, Headline::Busy(3), None),
        (Facts { kimai: Contact::default(), ..facts() }, 0, Headline::Starting, None),
        (Facts { triplestore: Contact::default(), ..facts() }, 0, Headline::Starting, never(None)),
        (Facts { kimai: paused, load: load(3, 0), ..facts() }, 0, Headline::KimaiPaused, None),
        (Facts { undone: Some(undone), load: load(3, 0), ..facts() }, 0, Headline::Undone(undone), None),
        (Facts { undone: Some(undone), ..facts() }, 2, Headline::Checks(2), None),
        (Facts { load: load(3, 2), ..facts() }, 2, Headline::Parked(2), None),
        (Facts { lost: full(), load: load(3, 2), ..facts() }, 0, Headline::KimaiLostData, None),
        (Facts { kimai: refused, lost: full(), ..facts() }, 0, Headline::KimaiRefuses, None),
        (Facts { kimai: down(), lost: full(), ..facts() }, 0, Headline::KimaiDown, None),
        (
            Facts { triplestore: down(), load: load(0, 2), ..facts() },
            0,
            Headline::TriplestoreDown,
            never(Some("failed at 9")),
        ),
        (
            Facts { triplestore: contact([Ok(heard(1)), Err(silent(9))]), kimai: down(), ..facts() },
            0,
            Headline::BothDown,
            None,
        ),
        (Facts { storage: full(), kimai: down(), ..facts() }, 0, Headline::CannotSave, cannot()),
        (Facts { stopping: true, ..facts() }, 0, Headline::Synced, Some(NotReady::Stopping)),
    ];
    for (facts, checks, headline, not_ready) in table {
        let status = Status::of(facts.clone());
        assert_eq!((status.headline(checks), status.not_ready()), (headline, not_ready), "{facts:?}");
    }
}

fn next() -> impl Strategy<Value = Option<Lapse>> {
    prop_oneof![
        Just(None),
        Just(Some(Lapse::Silent)),
        Just(Some(Lapse::Refused)),
        Just(Some(Lapse::Unable)),
        Just(Some(Lapse::Statement(Gist::of("NIL")))),
        Just(Some(Lapse::Paused(at(0))))
    ]
}

proptest! {
    /// Whatever came before: an answer ends an outage at once, and silence begins one at once.
    #[test]
    fn the_last_word_counts(history in prop::collection::vec(next(), 0..30)) {
        let told = history.iter().zip(1..).map(|(lapse, second)| match lapse {
            None => Ok(heard(second)),
            Some(lapse) => Err(failed(second, *lapse, Code::KimaiUnavailable)),
        });
        let contact = contact(told);
        let link = Link::of(&contact, None, true, at(100));
        match history.last() {
            None => prop_assert_eq!(link, Link::Unknown),
            Some(None | Some(Lapse::Paused(_))) => prop_assert_eq!(link, Link::Answers),
            Some(Some(Lapse::Silent | Lapse::Refused)) => prop_assert!(matches!(link, Link::Down(_))),
            Some(Some(Lapse::Unable | Lapse::Statement(_))) => {
                let mut since: Vec<Lapse> =
                    history.iter().rev().take_while(|lapse| lapse.is_some()).copied().flatten().collect();
                // All of these fail alike but for the second, which is no reason.
                since.dedup_by(|one, other| one == other && matches!(one, Lapse::Statement(_)));
                prop_assert_eq!(matches!(link, Link::Down(_)), since.len() >= 5);
            }
        }
        let last = i64::try_from(history.len()).unwrap();
        prop_assert_eq!(contact.last().map(|heard| heard.at), (last > 0).then(|| at(last)));
    }
}
