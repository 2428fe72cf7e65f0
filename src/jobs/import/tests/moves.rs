//! What was moved in Kimai is moved here too, and the work logs concerned are looked at again.

use super::*;
use crate::queue::Reason;
use crate::store::Queue;

const KEEP: ImportSettings = ImportSettings { relations: Relations::Keep, ..SETTINGS };

async fn scene(settings: ImportSettings) -> Scene {
    let scene = Scene::with(small(), Watched::new(), settings);
    assert_eq!(
        scene.import(What::Tasks).await,
        "projects: 2 new, 0 changed, 0 unchanged, 2 whose customer or project is not imported; \
         activities: 3 new, 0 changed, 0 unchanged"
    );
    scene.import(What::Customers).await;
    assert_eq!(
        scene.import(What::Tasks).await,
        "projects: 0 new, 2 changed, 0 unchanged, 2 newly linked; activities: 0 new, 1 changed, 2 unchanged"
    );
    scene.import(What::Accounts).await;
    assert_eq!(scene.parents(PROJECT, 7).await, [format!("{CUSTOMER} 1 (1)")]);
    assert_eq!(scene.values(ACTIVITY, 7, ui::COLOR).await, [text("#ff0000")]);
    scene.references.follow().await.unwrap();
    scene
}

impl Scene {
    async fn parents(&self, class: &str, id: u64) -> Vec<String> {
        let predicate = if class == PROJECT { prov::WAS_ATTRIBUTED_TO } else { skos::BROADER };
        self.values(class, id, predicate).await
    }

    /// The IRI of what has this class and Kimai id.
    async fn iri(&self, class: &str, id: u64) -> String {
        let query = format!("{PREFIXES}SELECT DISTINCT ?s {{ ?s a <{class}> ; dct:identifier \"{id}\" }}");
        self.store.select(&query).await.unwrap()[0]["s"].value().to_owned()
    }

    /// The names of the work logs that are queued.
    async fn queued(&self) -> Vec<String> {
        let entries = self.queue.page(crate::queue::Filter::default(), None, 100).await.unwrap();
        assert!(entries.iter().all(|entry| entry.reason == Reason::Reference));
        entries.iter().map(|entry| entry.work_log.as_str().rsplit('/').next().unwrap().to_owned()).collect()
    }
}

/// Moves a project to the other customer and an activity to the other project, makes one global, and adds a
/// project of a customer that is not imported.
fn moved(lists: &mut Lists) {
    lists.projects[0].customer = Some(2);
    lists.activities[0].project = Some(8);
    lists.activities[1].project = None;
    lists.projects.push(project(10, "Homeless", Some(99), None));
}

#[tokio::test]
async fn relations_follow_kimai() {
    let scene = scene(SETTINGS).await;
    scene.kimai.change(moved);
    assert_eq!(
        scene.import(What::Tasks).await,
        "projects: 1 new, 1 changed, 1 unchanged, 1 moved, 1 whose customer or project is not imported; \
         activities: 0 new, 2 changed, 1 unchanged, 2 moved"
    );
    assert_eq!(scene.parents(PROJECT, 7).await, [format!("{CUSTOMER} 2 (1)")]);
    assert_eq!(scene.parents(ACTIVITY, 7).await, [format!("{PROJECT} 8 (1)")]);
    assert!(scene.parents(ACTIVITY, 8).await.is_empty(), "it is a global one");
    assert_eq!(scene.values(ACTIVITY, 7, ui::COLOR).await, [text("#00ff00")], "that of its new project");
    assert_eq!(scene.import_all().await, 0);
    // And back.
    scene.kimai.set(small());
    scene.import(What::Tasks).await;
    assert_eq!(scene.parents(PROJECT, 7).await, [format!("{CUSTOMER} 1 (1)")]);
    assert_eq!(scene.parents(ACTIVITY, 8).await, [format!("{PROJECT} 8 (1)")]);
}

#[tokio::test]
async fn relations_that_are_to_be_kept_are_made_once_they_can_be_and_then_left_alone() {
    let scene = scene(KEEP).await;
    scene.kimai.change(moved);
    let report = scene.import(What::Tasks).await;
    assert!(report.starts_with("projects: 1 new, 0 changed, 2 unchanged, 1 whose"), "{report}");
    assert!(report.ends_with("activities: 0 new, 0 changed, 3 unchanged"), "{report}");
    assert_eq!(scene.parents(ACTIVITY, 8).await, [format!("{PROJECT} 8 (1)")]);
    assert_eq!(scene.values(ACTIVITY, 7, ui::COLOR).await, [text("#ff0000")], "with the colour it brings");
}

#[tokio::test]
async fn what_moved_to_something_that_is_not_imported_stays_until_it_is() {
    let scene = scene(SETTINGS).await;
    scene.kimai.change(|lists| lists.projects[0].customer = Some(3));
    let report = scene.import(What::Tasks).await;
    assert!(report.contains("1 whose customer or project is not imported; "), "{report}");
    assert_eq!(scene.parents(PROJECT, 7).await, [format!("{CUSTOMER} 1 (1)")]);
    scene.kimai.change(|lists| lists.customers.push(customer(3, "Late", None)));
    scene.import_all().await;
    assert_eq!(scene.parents(PROJECT, 7).await, [format!("{CUSTOMER} 3 (1)")]);
}

#[tokio::test]
async fn what_somebody_else_put_something_under_is_left_alone() {
    let scene = scene(SETTINGS).await;
    let activity = scene.iri(ACTIVITY, 7).await;
    scene.store.add(&format!("<{activity}> skos:broader <http://x/ours> . <http://x/ours> a wf:Task")).await;
    scene.kimai.change(moved);
    scene.import(What::Tasks).await;
    assert_eq!(scene.parents(ACTIVITY, 7).await, [format!("{PROJECT} 8 (1)"), "http://x/ours".to_owned()]);
    assert_eq!(scene.import_all().await, 0);
}

#[tokio::test]
async fn only_the_work_logs_of_what_has_got_another_project_are_looked_at() {
    let scene = scene(SETTINGS).await;
    for (name, activity) in [("moved", 7), ("same", 9), ("global", 8)] {
        let task = scene.iri(ACTIVITY, activity).await;
        scene.store.add(&format!("<http://x/work-logs/{name}> a cal:Vevent ; dct:subject <{task}> .")).await;
    }
    scene.kimai.change(moved);
    scene.import(What::Tasks).await;
    scene.references.follow().await.unwrap();
    // Without a project nothing could be booked: what is in Kimai stays as it is.
    assert_eq!(scene.queued().await, ["moved"]);
    scene.import_all().await;
    assert_eq!(scene.references.waiting().await, Ok(0), "nothing new");
}

/// Whatever goes wrong on the way: the work logs of what was moved are looked at after it was.
#[tokio::test]
async fn a_move_that_is_written_is_followed_even_if_the_import_fails() {
    use crate::triplestore::testing::WAYS;
    for way in WAYS {
        let scene = scene(SETTINGS).await;
        let task = scene.iri(ACTIVITY, 7).await;
        scene.store.add(&format!("<http://x/work-logs/moved> a cal:Vevent ; dct:subject <{task}> .")).await;
        scene.kimai.change(|lists| lists.activities[0].project = Some(8));
        scene.store.fail_at(1, way);
        let _ = scene.importer.import(What::Tasks, &Progress::unwatched()).await;
        scene.store.start_counting();
        scene.references.follow().await.unwrap();
        assert_eq!(scene.queued().await, ["moved"], "{way:?}");
    }
}
