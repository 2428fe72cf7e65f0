use super::*;

fn wanted() -> DesiredEntry {
    DesiredEntry {
        begin: "2024-09-02T00:00:00Z".parse().unwrap(),
        end: "2024-09-02T08:00:00Z".parse().unwrap(),
        project: ProjectId::number(1),
        activity: ActivityId::number(2),
        user: UserId::number(3),
        note: None,
    }
}

fn found() -> ObservedEntry {
    wanted().into()
}

#[test]
fn every_field_we_own_counts_and_rounding_does_not() {
    assert!(found().holds(&wanted()));
    let seconds = |text: &str| text.parse::<Timestamp>().unwrap();
    let rounded = ObservedEntry { end: Some(seconds("2024-09-02T08:00:59Z")), duration: 28_859, ..found() };
    assert!(rounded.holds(&wanted()));
    let different = [
        ObservedEntry { begin: seconds("2024-09-01T23:59:00Z"), ..found() },
        ObservedEntry { end: Some(seconds("2024-09-02T08:01:00Z")), ..found() },
        ObservedEntry { end: None, ..found() },
        ObservedEntry { duration: 27_000, ..found() },
        ObservedEntry { duration: 25_200, pause: 3_600, ..found() },
        // A break that rounding makes up for is one all the same.
        ObservedEntry { pause: 60, ..found() },
        ObservedEntry { duration: 0, ..found() },
        ObservedEntry { project: Some(ProjectId::number(9)), ..found() },
        ObservedEntry { activity: None, ..found() },
        ObservedEntry { user: Some(UserId::number(9)), ..found() },
    ];
    for found in different {
        assert!(!found.holds(&wanted()), "{found:?}");
    }
}

#[test]
fn a_description_counts_only_where_one_is_wanted() {
    let described = |text: &str| ObservedEntry { note: Some(Note::of(text)), ..found() };
    let noted = |text: &str| DesiredEntry { note: Some(Note::of(text)), ..wanted() };
    assert!(described("by hand").holds(&wanted()), "what is in Kimai stays");
    assert!(described("a").holds(&noted(" a\n")) && described("").holds(&noted("")));
    let differ = [(described("a"), noted("b")), (described(""), noted("b")), (described("a"), noted(""))];
    for (found, wanted) in differ {
        assert!(!found.holds(&wanted));
        assert!(in_words(&found, &wanted, &jiff::tz::TimeZone::UTC).starts_with("description: "));
    }
    let kept = serde_json::to_string(&wanted()).unwrap();
    assert!(!kept.contains("note"), "{kept}");
}

#[test]
fn hours_that_became_none_are_never_held_however_short_they_are() {
    let moment = DesiredEntry { end: wanted().begin + SignedDuration::from_secs(30), ..wanted() };
    let found = ObservedEntry { duration: 0, ..moment.into() };
    assert!(!found.holds(&moment) && found.is_nothing_of(&moment));
    let empty = DesiredEntry { end: wanted().begin, ..wanted() };
    assert!(ObservedEntry::from(empty).holds(&empty), "nobody worked");
}

#[test]
fn only_what_kimai_answered_to_just_this_is_rounding() {
    let (wanted, rounded) = (wanted(), ObservedEntry { duration: 28_800 + 540, ..found() });
    let other = DesiredEntry { project: ProjectId::number(9), ..wanted };
    let answers = |found: ObservedEntry, pushed: Option<&DesiredEntry>, held: Option<ObservedEntry>| {
        found.is_answer_to(&wanted, pushed, held.as_ref())
    };
    assert!(answers(rounded, Some(&wanted), Some(rounded)));
    assert!(!answers(rounded, None, Some(rounded)), "somebody asked to send it again");
    assert!(!answers(rounded, Some(&wanted), None), "nothing is remembered");
    assert!(!answers(rounded, Some(&other), Some(rounded)), "that was sent for something else");
    assert!(!answers(rounded, Some(&wanted), Some(found())), "somebody changed it since");
    let paused = ObservedEntry { pause: 3_600, ..rounded };
    assert!(!answers(paused, Some(&wanted), Some(paused)));
    let nothing = ObservedEntry { duration: 0, ..rounded };
    assert!(!answers(nothing, Some(&wanted), Some(nothing)));
}

#[test]
fn what_was_kept_before_kimais_count_was_read_is_still_understood() {
    let old =
        r#"{"begin":"2024-09-02T00:00:00Z","end":"2024-09-02T08:00:00Z","project":1,"activity":2,"user":3}"#;
    assert_eq!(serde_json::from_str::<ObservedEntry>(old).unwrap(), found());
    let all = ObservedEntry { duration: 27_000, pause: 1_800, ..found() };
    let written = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<ObservedEntry>(&written).unwrap(), all, "{written}");
    let running = r#"{"begin":"2024-09-02T00:00:00Z","end":null,"project":1,"activity":null,"user":3}"#;
    assert_eq!(serde_json::from_str::<ObservedEntry>(running).unwrap().duration, 0);
    assert_eq!(std::mem::size_of::<ObservedEntry>(), 112, "a sweep holds one for each timesheet");
}

fn work_log(name: &str) -> WorkLogUri {
    WorkLogUri::parse(&format!("http://x/{name}")).unwrap()
}

fn ids(ids: &[u64]) -> Vec<EntryId> {
    ids.iter().copied().map(EntryId::number).collect()
}

fn complete(linked: &[u64]) -> WorkLogSide {
    WorkLogSide { ids: ids(linked), wanted: Ok(wanted()) }
}

fn incomplete(linked: &[u64]) -> WorkLogSide {
    WorkLogSide { ids: ids(linked), wanted: Err("it has no duration".to_owned()) }
}

fn sides(of: &[(&str, WorkLogSide)]) -> WorkLogSides {
    of.iter().map(|(name, side)| (work_log(name), side.clone())).collect()
}

fn timesheets(of: &[(u64, ObservedEntry)]) -> TimesheetSides {
    of.iter()
        .map(|(id, found)| (EntryId::number(*id), TimesheetSide { found: *found, exported: false }))
        .collect()
}

#[test]
fn each_difference_has_its_list() {
    let work_logs = sides(&[
        ("right", complete(&[1])),
        ("new", complete(&[])),
        ("absent", complete(&[99])),
        ("changed", complete(&[2])),
        ("gap", incomplete(&[3])),
        ("gap-absent", incomplete(&[98])),
        ("twice", complete(&[4, 5])),
        ("twin-a", complete(&[7])),
        ("twin-b", incomplete(&[7])),
        ("twin-c", complete(&[8, 9])),
        ("twin-d", complete(&[9])),
    ]);
    let other = ObservedEntry { user: Some(UserId::number(9)), ..found() };
    let all: Vec<_> = (1..=9).map(|id| (id, if id == 2 { other } else { found() })).collect();
    let expected = Comparison {
        missing: vec![work_log("new")],
        changed: vec![work_log("changed")],
        absent: vec![(work_log("absent"), EntryId::number(99))],
        doubled: vec![work_log("twice")],
        incomplete: vec![work_log("gap"), work_log("gap-absent")],
        shared: [(7, ["twin-a", "twin-b"]), (9, ["twin-c", "twin-d"])]
            .map(|(id, names)| (EntryId::number(id), names.map(work_log).to_vec()))
            .into(),
        unlinked: ids(&[6]),
    };
    assert_eq!(compare(&work_logs, &timesheets(&all)), expected);
}

#[test]
fn equal_work_logs_adopt_one_timesheet_each() {
    let work_logs = sides(&[("a", complete(&[])), ("b", complete(&[])), ("c", complete(&[]))]);
    let missing: Vec<WorkLogUri> = work_logs.keys().cloned().collect();
    let other = ObservedEntry { activity: Some(ActivityId::number(9)), ..found() };
    let end = Some("2024-09-02T09:00:00Z".parse().unwrap());
    let longer = ObservedEntry { end, duration: 32_400, ..found() };
    let timesheets = timesheets(&[(1, other), (2, longer), (3, found()), (4, found())]);
    let adopted = adoptions(&work_logs, &timesheets, &missing, &ids(&[1, 2, 3, 4]));
    assert_eq!(adopted, [(work_log("a"), EntryId::number(3)), (work_log("b"), EntryId::number(4))]);
}

#[test]
fn of_those_who_share_it_keeps_it_for_whom_it_was_made_or_who_says_the_same() {
    let sharing = ["a", "b", "c"].map(work_log);
    let holds = |name: &'static str| move |of: &WorkLogUri| *of == work_log(name);
    assert_eq!(keeper(&sharing, Some(&work_log("c")), holds("b")), Some(&work_log("c")));
    assert_eq!(keeper(&sharing, Some(&work_log("elsewhere")), holds("b")), Some(&work_log("b")));
    assert_eq!(keeper(&sharing, None, holds("none")), Some(&work_log("a")));
}

#[test]
fn the_words_name_what_differs_and_nothing_else() {
    let other = ObservedEntry { user: None, end: None, duration: 0, ..found() };
    let brussels = TimeZone::get("Europe/Brussels").unwrap();
    let words = in_words(&other, &wanted(), &brussels);
    assert_eq!(
        words,
        "end: Kimai has none, the work log says 2024-09-02 10:00; user: Kimai has none, the work log says 3"
    );
    let table = [
        (
            ObservedEntry { duration: 25_200, pause: 3_600, ..found() },
            "break: Kimai has 1:00, the work log says none",
        ),
        (ObservedEntry { duration: 0, ..found() }, "hours: Kimai counts 0:00 for 8:00"),
        (ObservedEntry { duration: 27_000, ..found() }, "hours: Kimai counts 7:30, the work log says 8:00"),
    ];
    for (found, words) in table {
        assert_eq!(in_words(&found, &wanted(), &brussels), words);
    }
}
