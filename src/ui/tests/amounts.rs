//! Many entries, and the numbers of a day.

use super::*;

/// Routes of a service that does not work on what waits, with so many parked entries.
fn idle_with(parked: usize) -> crate::http::State {
    let storage = Storage::in_memory().unwrap();
    storage.sql(&format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {parked})
         INSERT INTO entry (work_log, state, due, reason, attempts, last_error, removed, since)
         SELECT printf('http://x/work-logs/%05d', n), 'parked', NULL, 'delta', 3, '{}', 0, 0 FROM numbers",
        HOSTILE.replace('\'', "''")
    ));
    let vars = [("API_TOKEN", "token"), ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api")];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::from_vars(vars).unwrap();
    let store = Arc::new(Embedded::in_memory().unwrap());
    let clock = Clock::system(TimeZone::UTC);
    let engine = crate::app::engine(&settings, store, clock.clone(), storage).unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let runs = Jobs::open(
        Arc::clone(&engine.job_records),
        true,
        clock,
        Arc::new(engine.jobs()),
        tasks,
        stop.clone(),
    )
    .unwrap();
    crate::http::State::new(engine.services(), runs, stop, crate::ui::PAGES)
}

#[tokio::test]
async fn ten_thousand_parked_entries_stand_on_pages_of_fifty_each_once() {
    let state = idle_with(10_000);
    let home = overview::load(&state).await.unwrap();
    assert_eq!(home.title, "10\u{202f}000 parked");
    let whole: String = home.all.iter().map(|fragment| fragment.html.as_str()).collect();
    is_tame(&whole);
    assert!(whole.len() < 60_000, "{} bytes", whole.len());
    assert!(whole.contains("All 10\u{202f}000 parked work logs"), "{whole}");

    let (mut seen, mut pages) = (BTreeSet::new(), 0);
    let mut query = "state=parked".to_owned();
    loop {
        let pairs: BTreeMap<String, String> = serde_urlencoded::from_str(&query).unwrap();
        let fragments = entries::load(&state, &entries::EntryQuery::read(&pairs).unwrap()).await.unwrap();
        let html = &fragments.all[0].html;
        pages += 1;
        assert_eq!(fragments.title, "Parked: 10\u{202f}000");
        let rows: Vec<&str> =
            html.split("data-key=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(rows.len(), entries::PAGE);
        seen.extend(rows.into_iter().map(str::to_owned));
        let Some((before, _)) = html.split_once("\">Next 50</a>") else { break };
        query = before.rsplit_once("href=\"/entries?").unwrap().1.replace("&amp;", "&");
    }
    assert_eq!((pages, seen.len()), (200, 10_000));
}

#[tokio::test(start_paused = true)]
async fn the_picture_of_the_day_shows_each_slot_in_its_place_and_says_the_same_in_a_table() {
    let moment = moment();
    let slot = |from: &str, synced, failed, seconds, slowest| Slot {
        from: at(from),
        synced,
        failed,
        seconds,
        slowest,
    };
    let slots = [
        // Of the day before: left out.
        slot("2026-11-21T02:10:00Z", 500, 500, 1.0, 1.0),
        slot("2026-11-21T02:20:00Z", 100, 0, 20.0, 3.0),
        slot("2026-11-22T02:10:00Z", 1, 2, 0.5, 0.5),
    ];
    let html = pulse::render(Some(&slots), &moment).into_string();
    assert!(html.contains("<strong>101</strong> synced"), "{html}");
    assert!(html.contains("<strong>0.2 s</strong> on average"), "{html}");
    assert!(html.contains("<rect class=\"synced\" x=\"0\""), "the first slot: {html}");
    let last: Vec<&str> = html.split("<rect class=\"failed\" x=\"143\"").collect();
    assert_eq!(last.len(), 2, "the last slot: {html}");
    let rows = html.split("<tbody>").nth(1).unwrap();
    assert_eq!(rows.matches("<tr>").count(), 2, "{rows}");
    assert!(rows.contains("<td class=\"number\">100</td>"), "{rows}");
}
