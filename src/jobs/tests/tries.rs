//! What fails: told, or tried again.

use super::*;
use crate::trackers::kimai;

#[tokio::test(start_paused = true)]
async fn a_failure_or_a_panic_is_told_and_holds_up_nobody() {
    let mut scene = Scene::new();
    scene.answer(Err(Trouble::Sweep(Failure::OutOfSight("half of Kimai is down".to_owned()))));
    scene.answer(Err(Trouble::Broken("out of ideas".to_owned())));
    let tickets = [scene.ask(sweep(1)).await, scene.ask(sweep(2)).await, scene.ask(sweep(3)).await];
    scene.work.go.add_permits(3);
    let mut ends = Vec::new();
    for asked in tickets {
        ends.push(asked.ticket.end().await.unwrap().state());
    }
    assert_eq!(ends, [State::Failed, State::Failed, State::Done]);
    let message = |id| scene.runs.get(id).unwrap().message.unwrap();
    assert!(message(1).contains("down") && message(1).contains("Start it again"), "{}", message(1));
    assert!(message(2).contains("out of ideas; please report"), "{}", message(2));
    scene.begins().await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_somebody_asked_for_outlives_a_dropped_connection_and_no_outage() {
    let scene = Scene::new();
    scene.work.go.add_permits(9);
    scene.fail(2);
    assert_eq!(scene.ask(sweep(1)).await.ticket.end().await, Some(End::Done));
    scene.fail(3);
    let end = scene.ask(sweep(1)).await.ticket.end().await.unwrap();
    assert_eq!((end.state(), scene.work.answers.lock().unwrap().len()), (State::Failed, 0));
}

/// Somebody may miss his hours: what is gone is told, however the run ended.
#[tokio::test(start_paused = true)]
async fn what_was_deleted_is_told_whatever_comes_of_the_sweep() {
    let scene = Scene::new();
    scene.work.go.add_permits(9);
    let orphan = |id| Finding::orphan(id, None);
    let deletes =
        |ids: &[u64]| *scene.work.deletes.lock().unwrap() = ids.iter().map(|id| orphan(*id)).collect();
    let findings = async |run| {
        let found = scene.runs.findings(run, FindingFilter::default(), 0, 9).await.unwrap();
        found.into_iter().map(|(_, finding)| finding).collect::<Vec<_>>()
    };
    deletes(&[3, 2, 1]);
    scene.fail(3);
    scene.ask(sweep(1)).await.ticket.end().await.unwrap();
    let run = scene.runs.get(1).unwrap();
    assert_eq!(
        (run.state, run.findings, findings(1).await),
        (State::Failed, 3, [1, 2, 3].map(orphan).to_vec())
    );
    assert!(run.message.as_ref().unwrap().contains("deleted by then: 3"), "{run:?}");
    // The second attempt deletes its own, and finds nothing of what the first did.
    deletes(&[5, 4]);
    scene.answer(trouble());
    scene.answer(Ok(found(vec![orphan(5)])));
    assert_eq!(scene.ask(sweep(1)).await.ticket.end().await, Some(End::Done));
    assert_eq!(findings(2).await, [4, 5].map(orphan));
}

#[tokio::test(start_paused = true)]
async fn the_sweep_at_start_is_one_run_that_waits_with_growing_pauses_in_nobodys_way() {
    let mut scene = Scene::new();
    scene.fail(20);
    scene.work.go.add_permits(5);
    scene.runs.ask(Order::new(sweep(1), AskedBy::Start)).await.unwrap();
    for pause in [2, 4, 8, 16, 32] {
        assert_eq!(scene.begins().await, sweep(1));
        let (_, follow) = scene.runs.follow(1).unwrap();
        let mut follow = follow.unwrap();
        while scene.state(1) == State::Running {
            assert!(follow.changed().await);
        }
        let run = scene.runs.get(1).unwrap();
        assert_eq!(
            (run.state, run.stand.phase.as_ref()),
            (State::Waiting, &*format!("waiting, retrying in {pause} s"))
        );
        assert!(run.message.unwrap().contains("down"));
        if pause == 4 {
            // Another period goes first meanwhile, and keeps its place while it runs.
            scene.work.answers.lock().unwrap().push(Ok(found(vec![])));
            let other = scene.ask(sweep(2)).await;
            assert_eq!((other.run.waits_for, scene.begins().await), (None, sweep(2)));
            assert_eq!(other.ticket.end().await, Some(End::Done));
            scene.go();
        }
    }
    // Somebody asks for the same: it is tried now.
    let before = tokio::time::Instant::now();
    scene.work.answers.lock().unwrap().clear();
    scene.go();
    let joined = scene.ask(sweep(1)).await;
    assert!(joined.joined);
    assert_eq!(joined.ticket.end().await, Some(End::Done));
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(scene.runs.list(None).len(), 2, "not a run for each attempt");
}

/// A run that hangs for good, deaf to everything.
#[tokio::test(start_paused = true)]
async fn a_stuck_run_holds_up_the_next_for_no_longer_than_its_time_limit() {
    let mut scene = Scene::with(&Storage::in_memory().unwrap(), true);
    for task in
        [sweep(1), Task::Plan(period(1)), Task::Import(What::Tasks), Task::Lock(Month::new(2024, 9).unwrap())]
    {
        let stuck = scene.ask(task).await;
        scene.begins().await;
        let before = tokio::time::Instant::now();
        let next = scene.ask(task).await;
        assert!(!next.joined);
        scene.begins().await;
        assert_eq!(before.elapsed(), LIMIT, "{task:?}");
        let run = scene.runs.get(stuck.run.id).unwrap();
        assert_eq!(run.state, State::Failed);
        assert!(run.message.as_ref().unwrap().contains("ended after 120 min (RUN_TIME_LIMIT)"), "{run:?}");
        // Nor does one that does not heed that it was cancelled.
        let before = tokio::time::Instant::now();
        scene.runs.cancel(next.run.id).await.unwrap();
        assert_eq!(next.ticket.end().await, Some(End::Cancelled));
        assert!(before.elapsed() <= Duration::from_mins(1), "{task:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sweep_at_start_does_not_ask_a_list_without_end_again_and_again() {
    let mut scene = Scene::new();
    let endless = TrackerFault {
        code: crate::domain::Code::KimaiListFaulty,
        ..TrackerFault::new(
            kimai::NAME,
            Operation::Read,
            Fault::Permanent,
            "its list of timesheets does not end",
        )
    };
    scene.answer(Err(Trouble::Sweep(endless.into())));
    scene.go();
    let asked = scene.runs.ask(Order::new(sweep(1), AskedBy::Start)).await.unwrap();
    scene.begins().await;
    assert_eq!(asked.ticket.end().await.unwrap().state(), State::Failed);
}

/// Many who ask, cancel and look at once: nobody waits for ever, and never two sweeps at once.
#[tokio::test(start_paused = true)]
async fn a_crowd_is_served_without_a_lost_wake_up() {
    let scene = Scene::new();
    scene.work.go.add_permits(10_000);
    let crowd = (0..400_u32).map(|number| {
        let runs = scene.runs.clone();
        async move {
            // A mix that the same number always makes.
            let month = i8::try_from(number * 7 % 12 + 1).unwrap();
            tokio::time::sleep(Duration::from_millis(u64::from(number * 31 % 97))).await;
            let task = match number % 5 {
                0 => Task::Import(What::Customers),
                1 => Task::Plan(period(month)),
                _ => sweep(month),
            };
            let asked = match runs.ask(Order::new(task, AskedBy::Request)).await {
                Ok(asked) => asked,
                Err(fault) => {
                    assert!(matches!(fault, JobsFault::Full(_)), "{fault}");
                    return 0;
                }
            };
            if number % 11 == 0 {
                let _ = runs.cancel(asked.run.id).await;
            }
            assert!(asked.ticket.end().await.is_some());
            1
        }
    });
    let all = futures_util::future::join_all(crowd);
    let served: i32 =
        tokio::time::timeout(Duration::from_hours(1), all).await.expect("nobody hangs").iter().sum();
    assert!(served > 300, "{served}");
    assert_eq!(scene.work.most_at_once.load(Ordering::SeqCst), 1);
    let kept = scene.runs.list(None);
    assert!(
        kept.len() <= MOST_RUNS && kept.iter().all(|run| run.state.is_ended() && run.waits_for.is_none())
    );
}
