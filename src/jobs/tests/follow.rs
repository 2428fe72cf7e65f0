//! A sweep is done when what it queued is done: what is waited for, and what is not.

use std::collections::BTreeSet;

use super::*;

fn work_logs(count: usize) -> BTreeSet<WorkLogUri> {
    (1..=count).map(|number| WorkLogUri::parse(&format!("http://x/{number}")).unwrap()).collect()
}

impl Scene {
    /// A sweep that queues so many work logs, none of which has come through.
    async fn sweeps(&mut self, month: i8, count: usize) -> Asked {
        let queued = work_logs(count);
        self.stand(queued.iter(), Standing::Pending);
        self.answer(Ok(Done { queued, message: "Compared.".to_owned(), ..Done::default() }));
        let asked = self.ask(sweep(month)).await;
        self.begins().await;
        self.go();
        tokio::time::sleep(Duration::from_secs(2)).await;
        asked
    }

    fn stand<'a>(&self, work_logs: impl IntoIterator<Item = &'a WorkLogUri>, standing: Standing) {
        let mut all = self.work.standing.lock().unwrap();
        all.extend(work_logs.into_iter().map(|work_log| (work_log.clone(), standing)));
    }

    fn queued(&self, id: u64) -> Queued {
        self.runs.get(id).unwrap().queued.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_is_done_when_all_that_it_queued_has_come_through_or_is_parked() {
    let mut scene = Scene::new();
    let asked = scene.sweeps(1, 3_000).await;
    let (id, all) = (asked.run.id, work_logs(3_000));
    let (_, follow) = scene.runs.follow(id).unwrap();
    scene.stand(all.iter().take(353), Standing::Synced);
    scene.stand(all.iter().skip(353).take(2), Standing::Parked);
    assert!(follow.unwrap().changed().await);
    let run = scene.runs.get(id).unwrap();
    assert_eq!(run.state, State::Running);
    assert_eq!((run.stand.done, run.stand.total), (355, Some(3_000)));
    let words = run.queued.unwrap().in_words();
    assert_eq!(words, "353 of 3\u{202f}000 synced, 2 parked, 2\u{202f}645 waiting");
    // One that was parked comes through after all, since somebody has put it right.
    scene.stand(all.iter().skip(353).take(1), Standing::Synced);
    scene.stand(all.iter().skip(355), Standing::Synced);
    assert_eq!(asked.ticket.end().await, Some(End::Done));
    let run = scene.runs.get(id).unwrap();
    assert_eq!(run.queued, Some(Queued { total: 3_000, synced: 2_999, parked: 1 }));
    assert_eq!(run.message.unwrap(), "Compared. 2\u{202f}999 of 3\u{202f}000 synced, 1 parked.");
    let rows = scene.runs.inner.store.queued(id).unwrap();
    assert!(rows.is_empty(), "what has ended is not followed at the next start");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_somebody_ends_it_and_what_waits_for_a_neighbour_does_only_after_long() {
    let mut scene = Scene::new();
    let asked = scene.sweeps(1, 2).await;
    let all = work_logs(2);
    scene.stand(all.iter().take(1), Standing::Stuck);
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(scene.state(asked.run.id), State::Running, "the other one still comes through");
    scene.stand(all.iter().skip(1), Standing::Synced);
    assert_eq!(asked.ticket.end().await, Some(End::Done));
    assert_eq!(scene.queued(asked.run.id).waiting(), 1);

    let asked = scene.sweeps(1, 2).await;
    let began = tokio::time::Instant::now();
    assert_eq!(asked.ticket.end().await, Some(End::Done));
    let took = began.elapsed();
    assert!((LIMIT..LIMIT + Duration::from_secs(5)).contains(&(took + Duration::from_secs(3))), "{took:?}");
    assert_eq!(scene.queued(asked.run.id), Queued { total: 2, synced: 0, parked: 0 });
}

#[tokio::test(start_paused = true)]
async fn one_that_follows_what_it_queued_is_in_nobodys_way_and_can_be_cancelled() {
    let mut scene = Scene::new();
    let first = scene.sweeps(1, 1).await;
    assert!(!scene.runs.is_under_way(|run| run.task == sweep(1)), "a scheduled one may begin");
    let second = scene.ask(sweep(1)).await;
    assert!(!second.joined);
    scene.begins().await;
    scene.go();
    assert_eq!(second.ticket.end().await, Some(End::Done), "it queued nothing");
    assert_eq!(scene.queued(second.run.id), Queued::default());
    let run = scene.runs.get(first.run.id).unwrap();
    assert!(run.is_following() && run.has_result() && run.compared.is_some());
    scene.runs.cancel(first.run.id).await.unwrap();
    assert_eq!(first.ticket.end().await, Some(End::Cancelled));
    let message = scene.runs.get(first.run.id).unwrap().message.unwrap();
    assert_eq!(message, "Compared. It was cancelled; what it queued continues. 0 of 1 synced, 1 waiting.");
}

#[tokio::test(start_paused = true)]
async fn a_restart_only_interrupts_the_look_at_what_was_queued() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open_single(folder.path()).unwrap();
    let mut scene = Scene::on(&storage);
    let asked = scene.sweeps(1, 3).await;
    let id = asked.run.id;
    scene.stand(work_logs(1).iter(), Standing::Synced);
    tokio::time::sleep(Duration::from_secs(3)).await;
    scene.stop().await;
    assert_eq!(asked.ticket.end().await, None);

    let mut scene = Scene::resuming(&storage, false, false);
    scene.stand(work_logs(3).iter().skip(1), Standing::Pending);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.state(id), State::Running, "also where sweeps that were cut off do not go on");
    assert_eq!(scene.queued(id), Queued { total: 3, synced: 1, parked: 0 });
    let other = scene.ask(sweep(2)).await;
    scene.begins().await;
    scene.stand(work_logs(3).iter(), Standing::Synced);
    let (run, follow) = scene.runs.follow(id).unwrap();
    let mut follow = follow.unwrap();
    while follow.changed().await {}
    assert!(!run.resumed);
    assert_eq!(scene.queued(id).synced, 3);
    scene.go();
    assert_eq!(other.ticket.end().await, Some(End::Done));
}
