//! What is kept of runs and findings, for how long, and what a confirm key sets free.

use super::*;
use crate::domain::finding::Hold;

#[tokio::test(start_paused = true)]
async fn findings_are_kept_with_their_run() {
    let mut scene = Scene::new();
    let findings = vec![Finding::orphan(1, None), Finding::orphan(2, Some(Hold::Recent))];
    scene.answer(Ok(found(findings.clone())));
    scene.go();
    assert_eq!(scene.ask(Task::Plan(period(9))).await.ticket.end().await, Some(End::Done));
    let all = FindingFilter::default();
    assert_eq!(scene.runs.findings(7, all, 0, 3).await, Err(JobsFault::Unknown(7)));
    scene.begins().await;
    let page = scene.runs.findings(1, all, 0, 3).await.unwrap();
    assert!(page.into_iter().map(|(_, finding)| finding).eq(findings), "as they were");
}

#[tokio::test(start_paused = true)]
async fn the_last_hundred_runs_are_kept_and_no_row_of_older_ones() {
    let storage = Storage::in_memory().unwrap();
    let scene = Scene::on(&storage);
    scene.work.go.add_permits(1_000);
    for _ in 0..130 {
        scene.answer(Ok(found(vec![Finding::orphan(1, None)])));
        scene.ask(sweep(1)).await.ticket.end().await.unwrap();
    }
    let ids: Vec<u64> = scene.runs.list(None).iter().map(|run| run.id).collect();
    assert_eq!(ids, (31..=130).rev().collect::<Vec<u64>>());
    assert_eq!((storage.count("run"), storage.count("finding")), (100, 100));
}

#[tokio::test(start_paused = true)]
async fn a_key_confirms_just_what_its_run_held_back_for_an_hour_and_for_its_period() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let held = vec![
        Finding::orphan(1, Some(Hold::Unconfirmed)),
        Finding::orphan(2, Some(Hold::Recent)),
        Finding::orphan(3, Some(Hold::Unconfirmed)),
    ];
    let key = {
        let scene = Scene::on(&storage);
        scene.answer(Ok(found(held.clone())));
        scene.go();
        scene.ask(Task::Plan(period(9))).await.ticket.end().await.unwrap();
        let key = scene.runs.get(1).unwrap().confirm.unwrap().key.to_string();
        scene.stop().await;
        key
    };
    // Known over a restart.
    let mut scene = Scene::on(&storage);
    let asked = scene.runs.ask_confirmed(period(9), &key).await.unwrap();
    let (task, confirmed) = scene.begun.recv().await.unwrap();
    assert_eq!((task, confirmed), (sweep(9), Some(Unconfirmed::of(&held))));
    // Without the key is something else, and waits; with it joins none without.
    let plain = scene.ask(sweep(9)).await;
    let again = scene.runs.ask_confirmed(period(9), &key).await.unwrap();
    assert!(!plain.joined && !again.joined && again.run.id != plain.run.id);
    scene.answer(Ok(found(vec![Finding::orphan(4, Some(Hold::Unconfirmed))])));
    scene.work.go.add_permits(3);
    asked.ticket.end().await.unwrap();
    let fresh = scene.runs.get(asked.run.id).unwrap().confirm.unwrap();
    assert_ne!(fresh.key.to_string(), key, "what is held back again has a key of its own");
    again.ticket.end().await.unwrap();

    let refused =
        async |month, key: &str| scene.runs.ask_confirmed(period(month), key).await.unwrap_err().to_string();
    assert!(refused(9, "yes").await.contains("'yes' is not known"));
    assert!(refused(9, "7d444840-9dc0-11d1-b245-5ffdce74fad2").await.contains("is not known"));
    let said = refused(10, &key).await;
    assert!(said.contains("is for 2024-09-01 to 2024-09-30, not for 2024-10-01 to 2024-10-31"), "{said}");
    tokio::time::sleep(CONFIRM_WITHIN).await;
    assert!(refused(9, &fresh.key.to_string()).await.contains("expired at 1970-01-01 01:00"));
}

#[tokio::test(start_paused = true)]
async fn a_key_lasts_no_longer_because_the_clock_was_set_back() {
    let storage = Storage::in_memory().unwrap();
    let scene = Scene::on(&storage);
    tokio::time::sleep(LIMIT).await;
    scene.answer(Ok(found(vec![Finding::orphan(1, Some(Hold::Unconfirmed))])));
    scene.go();
    scene.ask(Task::Plan(period(9))).await.ticket.end().await.unwrap();
    let key = scene.runs.get(1).unwrap().confirm.unwrap().key.to_string();
    scene.stop().await;
    // Its clock is at the beginning again.
    let scene = Scene::on(&storage);
    tokio::time::sleep(CONFIRM_WITHIN).await;
    let said = scene.runs.ask_confirmed(period(9), &key).await.unwrap_err().to_string();
    assert!(said.contains("expired at 1970-01-01 01:00"), "{said}");
    let scene = Scene::on(&storage);
    assert!(scene.runs.ask_confirmed(period(9), &key).await.is_ok(), "it was not used up");
}

#[tokio::test]
async fn what_cannot_be_saved_is_refused_and_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let mut scene = Scene::on(&storage);
    storage.sql("PRAGMA query_only = 1");
    let fault = scene.runs.ask(Order::new(sweep(1), AskedBy::Request)).await.unwrap_err();
    assert!(matches!(fault, JobsFault::Storage(_)), "{fault}");
    storage.sql("PRAGMA query_only = 0");
    scene.ask(sweep(2)).await;
    assert_eq!(scene.begins().await, sweep(2), "and keeps nobody waiting");
    assert_eq!(scene.state(1), State::Failed);
}
