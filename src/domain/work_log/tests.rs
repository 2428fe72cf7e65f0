//! What people and other tools write into work logs, and what becomes of it.

use jiff::SpanCompare;
use proptest::prelude::*;

use super::*;

fn set(values: &[&str]) -> Values {
    values.iter().copied().collect()
}

fn uri(text: &str) -> WorkLogUri {
    WorkLogUri::parse(text).unwrap()
}

fn complete() -> (Facts, Directory) {
    let facts = Facts {
        types: set(&[VEVENT]),
        durations: set(&["PT8H"]),
        days: set(&["2024-09-02"]),
        tasks: set(&["http://x/tasks/1"]),
        persons: set(&["http://x/persons/1"]),
        ..Facts::default()
    };
    let task = TaskFacts {
        label: Some("Analysis".into()),
        is_activity: true,
        identifiers: set(&["7"]),
        has_parent: true,
        project_identifiers: set(&["3"]),
    };
    let person = PersonFacts { name: Some("Jane".into()), account_identifiers: set(&["5"]) };
    let directory = Directory {
        tasks: [("http://x/tasks/1".to_owned(), task)].into(),
        persons: [("http://x/persons/1".to_owned(), person)].into(),
        ..Directory::default()
    };
    (facts, directory)
}

fn obstacles(facts: &Facts, directory: &Directory) -> Vec<String> {
    resolve(facts, directory).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_complete_work_log_finds_its_way() {
    let (facts, directory) = complete();
    let work_log = resolve(&facts, &directory).unwrap();
    assert_eq!(
        (work_log.project, work_log.activity, work_log.user),
        (ProjectId::number(3), ActivityId::number(7), UserId::number(5))
    );
    assert!(work_log.doubled.is_empty());
}

#[test]
fn every_missing_link_is_named_at_once_in_plain_words() {
    let (mut facts, mut directory) = complete();
    directory.tasks.clear();
    directory.persons.get_mut("http://x/persons/1").unwrap().account_identifiers.clear();
    facts.durations.clear();
    assert_eq!(
        obstacles(&facts, &directory),
        [
            "the work log has no duration",
            "<http://x/tasks/1> is not an activity of Kimai",
            "the user 'Jane' has no Kimai account linked"
        ]
    );
}

#[test]
fn each_gap_between_task_and_project_has_its_own_words() {
    type Change = fn(&mut TaskFacts);
    let table: [(Change, &str); 5] = [
        (|task| task.is_activity = false, "'Analysis' is not an activity of Kimai"),
        (|task| task.identifiers.clear(), "activity 'Analysis' has no Kimai id"),
        (|task| task.identifiers = set(&["undefined"]), "activity 'Analysis' has no Kimai id"),
        (|task| task.has_parent = false, "activity 'Analysis' has no project"),
        (|task| task.project_identifiers.clear(), "the project of activity 'Analysis' is not one of Kimai's"),
    ];
    for (change, wanted) in table {
        let (facts, mut directory) = complete();
        change(directory.tasks.get_mut("http://x/tasks/1").unwrap());
        assert_eq!(obstacles(&facts, &directory), [wanted]);
    }
}

#[test]
fn of_several_values_the_smallest_is_taken_and_said() {
    let (mut facts, mut directory) = complete();
    facts.durations = set(&["PT8H", "PT4H"]);
    let work_log = resolve(&facts, &directory).unwrap();
    assert_eq!(work_log.duration.get_hours(), 4);
    assert_eq!(work_log.doubled, ["duration"]);
    // The same account in two graphs or spellings is one; two would put hours on somebody else's.
    let mut with_accounts = |ids: &[&str]| {
        directory.persons.get_mut("http://x/persons/1").unwrap().account_identifiers = set(ids);
        resolve(&facts, &directory).map(|work_log| work_log.user)
    };
    assert_eq!(with_accounts(&["9", "none"]), Ok(UserId::number(9)));
    let obstacles = with_accounts(&["10", "9"]).unwrap_err();
    assert_eq!(obstacles[0].code(), Code::AccountAmbiguous);
    assert_eq!(
        obstacles[0].to_string(),
        "the user 'Jane' has several Kimai accounts linked (Kimai users 9 and 10)"
    );
}

#[test]
fn durations_are_read_as_iso_8601_or_refused_with_a_reason() {
    let good = [
        ("P1D", 86_400.0),
        ("PT90M", 5_400.0),
        ("PT0S", 0.0),
        ("PT1.5H", 5_400.0),
        ("PT1,5H", 5_400.0),
        ("PT25H", 90_000.0),
        ("P1DT2H", 93_600.0),
        ("PT8H30M15S", 30_615.0),
        ("PT0.25S", 0.25),
        ("P0Y0M0DT8H", 28_800.0),
        ("P0.5D", 43_200.0),
        ("P1,25D", 108_000.0),
    ];
    for (text, seconds) in good {
        let total = parse_duration(text)
            .unwrap()
            .total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()));
        assert!((total.unwrap() - seconds).abs() < f64::EPSILON, "{text}");
    }
    for text in [
        "",
        "P",
        "PT",
        "8h",
        "pt8h",
        "PT8h",
        "PT8",
        "8",
        "-PT1H",
        "+PT1H",
        "PT-1H",
        "P1Y",
        "P1M",
        "P1W",
        "P-1D",
        "P.5D",
        "P0.D",
        "P0.5DT1H",
        "P0.5.5D",
        "P99999999999.5D",
    ] {
        assert!(parse_duration(text).unwrap_err().is_final(), "{text:?} must be refused");
    }
    let refusal = parse_duration("P1M").unwrap_err().to_string();
    assert_eq!(
        refusal,
        "the duration 'P1M' cannot be booked: years, months and weeks cannot be booked as hours"
    );
}

#[test]
fn the_day_is_the_one_written_whatever_zone_follows() {
    let day: Date = "2024-09-02".parse().unwrap();
    for text in [
        "2024-09-02",
        "2024-09-02Z",
        "2024-09-02+02:00",
        "2024-09-02-11:00",
        "2024-09-02T23:30:00",
        "2024-09-02T23:30:00Z",
        "2024-09-02T23:30:00.000-05:00",
    ] {
        assert_eq!(parse_day(text), Ok(day), "{text}");
    }
    for text in [
        "",
        "2024-9-2",
        "02/09/2024",
        "2024-13-01",
        "2024-02-30",
        "2024-09-02x",
        "2024-09-02T",
        "2024-09-02Tnoon",
        "２０２４-09-02",
    ] {
        assert!(parse_day(text).is_err(), "{text:?} must be refused");
    }
    for text in ["2024-02-30", "2024-13-01", "2023-02-29T08:00:00Z"] {
        let refusal = parse_day(text).unwrap_err().to_string();
        assert_eq!(refusal, format!("the date '{text}' cannot be booked: there is no such day"));
    }
}

#[test]
fn a_bare_identifier_is_a_tombstone_and_anything_else_may_be_left_over() {
    let work_log = uri("http://timekeeper.redpencil.io/work-logs/1");
    let bare = Facts { identifiers: set(&["5"]), ..Facts::default() };
    assert_eq!(bare.kind(&work_log), Kind::Tombstone);
    assert_eq!(Facts::default().kind(&work_log), Kind::Absent);
    assert_eq!(complete().0.kind(&work_log), Kind::WorkLog);
    let activity = Facts { types: set(&["http://www.w3.org/2005/01/wf/flow#Task"]), ..bare.clone() };
    assert_eq!(activity.kind(&work_log), Kind::Other, "an activity that carries the same number");
    assert_eq!(Facts { has_others: true, ..bare.clone() }.kind(&work_log), Kind::Other);
    assert_eq!(Facts { tasks: set(&["http://x/t"]), ..bare.clone() }.kind(&work_log), Kind::Other);
    for kind in ["tasks", "customers", "accounts"] {
        assert_eq!(
            bare.kind(&uri(&format!("http://timekeeper.redpencil.io/{kind}/1"))),
            Kind::Other,
            "{kind}"
        );
    }
    let some = Facts { has_others: true, ..bare.clone() };
    let note = Facts { types: set(&["http://x/Note"]), ..bare.clone() };
    assert!(some.may_be_left_over(&work_log) && note.may_be_left_over(&work_log));
    assert!(some.may_be_left_over(&uri("http://x/persons/1")), "that it was one takes evidence");
    assert!(!activity.may_be_left_over(&work_log) && !complete().0.may_be_left_over(&work_log));
    assert!(!some.may_be_left_over(&uri("http://x/tasks/1")));
    assert!(!Facts { has_others: true, ..Facts::default() }.may_be_left_over(&work_log), "it has no link");
}

#[test]
fn an_identifier_that_is_no_number_is_no_link() {
    let facts = Facts { identifiers: set(&["undefined", "12", "9", "012"]), ..Facts::default() };
    assert_eq!(facts.entry_ids(), [EntryId::number(9), EntryId::number(12)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,40}") {
        let _ = parse_day(&text);
        let _ = parse_duration(&text);
    }

    #[test]
    fn hours_and_minutes_survive_as_written(hours in 0i64..10_000, minutes in 0i64..10_000) {
        let span = parse_duration(&format!("PT{hours}H{minutes}M")).unwrap();
        let wanted = Span::new().minutes(hours * 60 + minutes);
        let same = span.compare(SpanCompare::from(wanted).days_are_24_hours()).unwrap();
        prop_assert_eq!(same, std::cmp::Ordering::Equal);
    }

    #[test]
    fn a_facts_subset_never_resolves_when_a_part_is_missing(missing in 0usize..4) {
        let (mut facts, directory) = complete();
        [&mut facts.durations, &mut facts.days, &mut facts.tasks, &mut facts.persons][missing].clear();
        prop_assert_eq!(resolve(&facts, &directory).unwrap_err().len(), 1);
    }
}
