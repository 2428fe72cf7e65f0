//! Bodies as a delta-notifier sends them, and as it should not.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const WORK_LOG: &str = "http://timekeeper.redpencil.io/work-logs/67BF1C2E9F3B7A0009000001";

/// Reads a body that comes in pieces of at most so many bytes.
fn read(body: &[u8], most: usize) -> (Found, Result<(), DeltaFault>) {
    let mut reader = Reader::default();
    let read = body.chunks(most).try_for_each(|piece| reader.read(piece)).and_then(|()| reader.end());
    (reader.found(), read)
}

fn found(body: &str) -> Result<Found, DeltaFault> {
    let (found, result) = read(body.as_bytes(), usize::MAX);
    for most in [1, 2, 3, 7, 100] {
        assert_eq!(
            read(body.as_bytes(), most),
            (found.clone(), result.clone()),
            "in pieces of {most}: {body}"
        );
    }
    result.map(|()| found)
}

fn names(found: &Found) -> Vec<(&str, bool)> {
    found.work_logs.iter().map(|(work_log, removed)| (work_log.as_str(), *removed)).collect()
}

/// The bodies in the raw log of what a real delta-notifier 0.4.0 sent.
fn recorded(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.starts_with("[{") && !line.starts_with("[kimai]")).collect()
}

fn triple(subject: &str, predicate: &str, object: &str) -> Value {
    let iri = |value: &str| json!({"type": "uri", "value": value});
    json!({"subject": iri(subject), "predicate": iri(predicate), "object": iri(object), "graph": iri("http://g")})
}

#[test]
fn the_recorded_deltas_name_their_work_logs() {
    let table = [
        (include_str!("../../../tests/fixtures/deltas/raw-create.log"), 5, vec![(WORK_LOG, false)]),
        (include_str!("../../../tests/fixtures/deltas/raw-nosess.log"), 5, vec![(WORK_LOG, false)]),
        (include_str!("../../../tests/fixtures/deltas/raw-delete.log"), 5, vec![(WORK_LOG, true)]),
        (include_str!("../../../tests/fixtures/deltas/raw-patch-duration.log"), 2, vec![(WORK_LOG, false)]),
        (include_str!("../../../tests/fixtures/deltas/raw-patch-note.log"), 2, vec![]),
    ];
    for (log, count, wanted) in table {
        let bodies = recorded(log);
        assert_eq!(bodies.len(), count);
        for body in bodies {
            let found = found(body).unwrap();
            assert_eq!((names(&found), found.skipped), (wanted.clone(), 0), "{body}");
        }
    }
    let timesheet = include_str!("../../../tests/fixtures/deltas/raw-timesheet.log");
    assert_eq!(names(&found(recorded(timesheet)[0]).unwrap()).len(), 1, "its class is looked up later");
    for line in include_str!("../../../tests/fixtures/deltas/captured-five-rules.jsonl").lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        assert_eq!(found(request["body"].as_str().unwrap()).unwrap().work_logs.len(), 1);
    }
}

/// A person's account, an activity's project, and the numbers of tasks and accounts lead to the timesheets of others.
#[test]
fn what_work_logs_refer_to_is_named_apart() {
    let subjects = ["http://x/persons/jane", "http://x/tasks/1", "http://x/accounts/1", "urn:x"];
    for predicate in [
        "http://xmlns.com/foaf/0.1/account",
        "http://xmlns.com/foaf/0.1/accountServiceHomepage",
        "http://www.w3.org/2004/02/skos/core#broader",
        "http://purl.org/dc/terms/identifier",
    ] {
        let triples: Vec<Value> =
            subjects.iter().map(|subject| triple(subject, predicate, "http://x/o")).collect();
        let body =
            json!([{"inserts": [triples[0], triples[1]], "deletes": [triples[2], triples[3], triples[0]]}]);
        let found = found(&body.to_string()).unwrap();
        assert!(found.work_logs.is_empty() && found.skipped == 0, "{found:?}");
        assert_eq!((found.references.len(), found.named()), (4, 4));
        assert!(subjects.iter().all(|subject| found.references.contains(*subject)), "{found:?}");
    }
    // Our own links, and what is no IRI, concern nobody.
    let identifier = |subject| triple(subject, "http://purl.org/dc/terms/identifier", "1");
    let body =
        json!([{"inserts": [identifier(WORK_LOG), identifier("no IRI"), identifier("")], "deletes": []}]);
    assert_eq!(found(&body.to_string()).unwrap(), Found { change_sets: 1, ..Found::default() });
}

#[test]
fn genesis_is_understood() {
    let body = json!({"delta": {"inserts": [{"s": WORK_LOG, "p": "http://purl.org/dc/terms/subject", "o": "http://x/t"}]}});
    assert_eq!(names(&found(&body.to_string()).unwrap()), [(WORK_LOG, false)]);
}

/// What sparql-parser 0.0.15 and mu-authorization send to the delta-notifier.
#[test]
fn what_the_database_itself_sends_is_understood_as_it_is() {
    let class = || triple(WORK_LOG, relevance::TYPE, crate::domain::work_log::VEVENT);
    let day = || triple(WORK_LOG, "http://www.w3.org/2002/12/cal/ical#dtstart", "2024-09-02");
    let of_sparql_parser = json!({"insert": [day()], "delete": [class()], "effectiveInsert": [], "effectiveDelete": [class()],
        "sequenceId": 7, "origin": "172.18.0.9", "allowedGroups": "[{\"name\":\"public\"}]", "scope": "http://x/"});
    let of_mu_authorization =
        [json!({"delete": [class()], "origin": "a"}), json!({"insert": [day()], "allowedGroups": "sudo"})];
    for sets in [json!([of_sparql_parser]), json!(of_mu_authorization)] {
        for body in
            [json!({"changeSets": sets}), json!({"id": 1, "changeSets": sets, "more": [{}]}), sets.clone()]
        {
            let found = found(&body.to_string()).unwrap();
            assert_eq!((names(&found), found.skipped), (vec![(WORK_LOG, true)], 0), "{body}");
        }
    }
    assert_eq!(found(r#"{"changeSets":[]}"#).unwrap(), Found::default());
    let both = json!([{"insert": [day()]}, {"inserts": [triple("http://x/2", relevance::TYPE, crate::domain::work_log::VEVENT)]}]);
    assert_eq!(found(&both.to_string()).unwrap().work_logs.len(), 2);
}

#[test]
fn what_may_be_a_change_and_is_not_understood_is_refused_with_the_setting() {
    let class = triple(WORK_LOG, relevance::TYPE, crate::domain::work_log::VEVENT);
    for body in [
        json!([{"inserted": [class]}]),
        json!([{"effectiveInsert": [class]}]),
        json!([{"added": {"subject": 1}}, {}]),
        json!({"changeSets": [{"additions": [class]}]}),
        json!({"delta": {"additions": [class]}}),
        json!({"changesets": [{"insert": [class]}]}),
    ] {
        let fault = found(&body.to_string()).unwrap_err();
        assert!(fault.what.contains("resourceFormat"), "{body}: {fault}");
    }
    for body in ["[{}]", "[{\"index\":3}]", "[{\"index\":3},{\"inserts\":[],\"other\":[]}]", "{\"delta\":{}}"]
    {
        assert_eq!(found(body).unwrap().work_logs.len(), 0, "{body}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_beginning_only() {
    let body =
        format!("[{{\"inserts\":[{}]}}]", triple(WORK_LOG, relevance::TYPE, crate::domain::work_log::VEVENT));
    assert_eq!(names(&found(&format!("\u{FEFF}{body}")).unwrap()), [(WORK_LOG, false)]);
    assert!(found(&format!("\u{FEFF}\u{FEFF}{body}")).is_err());
    assert!(found(&format!("{body}\u{FEFF}")).is_err());
    for bytes in [&b"\xEF\xBB[]"[..], b"\xEF[]", b"\xBB\xBF[]"] {
        for most in [1, usize::MAX] {
            assert!(read(bytes, most).1.is_err(), "{bytes:?}");
        }
    }
}

#[test]
fn one_bad_part_costs_only_itself() {
    let good = triple(WORK_LOG, relevance::TYPE, crate::domain::work_log::VEVENT);
    let bad = [
        json!(null),
        json!(7),
        json!("triple"),
        json!([1, {"a": 2}]),
        json!({}),
        json!({"subject": {"value": WORK_LOG}}),
        json!({"subject": null, "predicate": {"value": relevance::TYPE}, "object": {"value": 5}}),
        triple("not an iri", "http://purl.org/dc/terms/subject", "http://x/t"),
        triple("http://x/> } ; DROP ALL #", "http://purl.org/dc/terms/subject", "http://x/t"),
    ];
    for bad in bad {
        let sets =
            json!([{"inserts": [bad, good], "index": 3}, {"deletes": null}, {"inserts": "text"}, bad, {}]);
        let found = found(&sets.to_string()).unwrap();
        assert_eq!(names(&found), [(WORK_LOG, false)], "{bad}");
        assert!(found.skipped >= 1, "{bad}");
    }
}

#[test]
fn typed_literals_numbers_and_unknown_keys_are_tolerated() {
    let object =
        json!({"type": "typed-literal", "value": 8, "datatype": "http://x", "xml:lang": "nl", "extra": [{}]});
    let triple = json!({"subject": {"type": "uri", "value": WORK_LOG}, "predicate": {"value": "http://www.w3.org/2002/12/cal/ical#duration"},
        "object": object, "extra": {"deep": [1, 2]}});
    let body = json!([{"inserts": [triple], "effectiveInserts": [], "allowedGroups": "sudo"}]);
    let found = found(&body.to_string()).unwrap();
    assert_eq!((names(&found), found.skipped), (vec![(WORK_LOG, false)], 0));
}

#[test]
fn a_body_that_is_no_delta_is_refused_with_the_place() {
    let table = [
        ("", "EOF while parsing a value", 1),
        ("{}", "an object without \"delta\"", 1),
        ("\u{FEFF}", "EOF while parsing a value", 1),
        ("[1, 2]", "no change set in the list", 1),
        ("\"text\"", "expected a delta", 1),
        ("null", "expected a delta", 1),
        ("[\n{\"inserts\":[}]", "expected value", 2),
        ("[] []", "trailing characters", 1),
        ("[{\"inserts\":[", "EOF while parsing a list", 1),
    ];
    for (body, what, line) in table {
        let fault = found(body).unwrap_err();
        assert!(fault.what.contains(what), "{body:?}: {fault}");
        assert_eq!(fault.line, line, "{body:?}");
    }
    assert_eq!(found("[]").unwrap(), Found::default());
    assert!(read(b"[{\"inserts\":[\xff\xfe]}]", usize::MAX).1.is_err());
    assert!(found(&"[".repeat(100_000)).is_err(), "too deep is refused, not a crash");
}

#[test]
fn what_was_understood_before_a_fault_is_kept() {
    let good = triple(WORK_LOG, relevance::TYPE, crate::domain::work_log::VEVENT);
    let body = format!("[{{\"inserts\":[{good},{{\"subject\":");
    let (kept, read) = read(body.as_bytes(), usize::MAX);
    assert!(read.is_err());
    assert_eq!(names(&kept), [(WORK_LOG, false)]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from)
    ];
    let key = prop::sample::select(vec![
        "inserts",
        "deletes",
        "subject",
        "predicate",
        "object",
        "value",
        "delta",
        "changeSets",
        "insert",
        "delete",
        "s",
        "x",
    ]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever stands beside a good change set, the work log in it is found.
    #[test]
    fn no_neighbour_is_lost(before in any_json(), after in any_json()) {
        let good = json!({"inserts": [triple(WORK_LOG, relevance::TYPE, crate::domain::work_log::VEVENT)]});
        let found = found(&json!([before, good, after]).to_string()).unwrap();
        prop_assert!(found.work_logs.keys().any(|work_log| work_log.as_str() == WORK_LOG));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, usize::MAX);
    }
}
