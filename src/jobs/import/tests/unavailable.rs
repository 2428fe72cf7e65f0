//! What is gone from Kimai is marked, when Kimai itself says that it is gone, and unmarked when it comes back.

use super::*;
use crate::triplestore::vocabulary::ext;

const MARK: &str = ext::UNAVAILABLE_IN_KIMAI;

impl Scene {
    /// What is marked: class and Kimai id.
    async fn marked(&self) -> Vec<String> {
        let triples = self.store.up_to_minted_ids().await.into_iter();
        let short = |subject: String| subject.rsplit(['#', '/']).next().unwrap().replace(" (1)", "");
        triples.filter(|(_, p, o)| p == rdf::TYPE && o == MARK).map(|(s, _, _)| short(s)).collect()
    }

    /// Imports `what`, and gives the faults that were told.
    async fn told(&self, what: What) -> Vec<String> {
        let progress = Progress::unwatched();
        self.importer.import(what, &progress).await.unwrap();
        progress.stand().faults
    }
}

async fn scene() -> Scene {
    let mut lists = small();
    lists.users.push(user(4, "jo"));
    lists.activities.push(activity(10, "More", Some(8), None));
    let scene = Scene::new(lists);
    scene.import_all().await;
    assert!(scene.marked().await.is_empty());
    scene
}

#[tokio::test]
async fn what_kimai_says_is_gone_is_marked_and_nothing_else_is_changed_until_it_comes_back() {
    let scene = scene().await;
    let before = scene.store.triples().await;
    assert!(scene.kimai.looks.lock().unwrap().is_empty(), "while all is there nothing more is asked");
    let all = scene.kimai.clone();
    let (hidden, ended, deleted) = (
        |lists: &mut Lists| lists.customers[1].visible = false,
        |lists: &mut Lists| lists.projects[0].end = Some(date(2024, 9, 1)),
        |lists: &mut Lists| drop(lists.activities.remove(2)),
    );
    all.change(hidden);
    all.change(ended);
    all.change(deleted);
    all.change(|lists| lists.users[1].enabled = false);
    assert_eq!(
        scene.import(What::Customers).await,
        "customers: 0 new, 0 changed, 1 unchanged, 1 marked as unavailable"
    );
    // The other project is hidden with its customer, and its activities with it. An activity of a project that has
    // ended is listed.
    let faults = scene.told(What::Tasks).await;
    assert_eq!(faults.len(), 1, "of the projects none is left, which looks like another Kimai: {faults:?}");
    all.change(|lists| lists.projects.push(project(9, "New", Some(1), None)));
    scene.import(What::Tasks).await;
    scene.import(What::Tasks).await;
    scene.import(What::Accounts).await;
    let marked = [
        "Organization 2",
        "KimaiActivity 10",
        "KimaiActivity 8",
        "KimaiActivity 9",
        "Project 7",
        "Project 8",
        "OnlineAccount 4",
    ];
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(scene.marked().await), sorted(marked.map(str::to_owned).to_vec()));
    let is_mark = |triple: &&(String, String, Term)| triple.2.value() == MARK;
    let after = scene.store.triples().await;
    assert_eq!(before.difference(&after).count(), 0, "nothing is taken away");
    assert_eq!(after.difference(&before).filter(is_mark).count(), marked.len());
    scene.kimai.looks.lock().unwrap().clear();
    assert_eq!(scene.import_all().await, 0, "and there it stays");
    assert!(scene.kimai.looks.lock().unwrap().is_empty(), "what is marked is not asked for again");
    // Everything comes back.
    let mut lists = small();
    lists.users.push(user(4, "jo"));
    lists.activities.push(activity(10, "More", Some(8), None));
    lists.projects.push(project(9, "New", Some(1), None));
    scene.kimai.set(lists);
    assert_eq!(
        scene.import(What::Customers).await,
        "customers: 0 new, 1 changed, 1 unchanged, 1 available again"
    );
    scene.import_all().await;
    assert!(scene.marked().await.is_empty());
    assert_eq!(scene.import_all().await, 0);
}

/// Each way in which a list can lack what is still there.
#[tokio::test]
async fn a_list_that_lacks_something_is_no_proof() {
    type Change = fn(&Scene);
    let table: [(&str, Change, &str); 5] = [
        ("an empty list", |scene| scene.kimai.set(Lists::default()), "check that KIMAI_ENDPOINT is right"),
        (
            "another Kimai",
            |scene| {
                let mut lists = small();
                lists.customers.iter_mut().for_each(|customer| customer.id += 100);
                scene.kimai.set(lists);
            },
            "check that KIMAI_ENDPOINT is right",
        ),
        ("half a list", |scene| scene.kimai.loses.lock().unwrap().extend([2]), "contradict each other"),
        (
            "a token that sees less than before",
            |scene| {
                *scene.kimai.short_sighted.lock().unwrap() = true;
                scene.kimai.change(|lists| drop(lists.customers.remove(1)));
            },
            "cannot see them",
        ),
        (
            "more deletions than are believed",
            |scene| {
                scene.kimai.change(|lists| {
                    lists.customers.truncate(1);
                });
            },
            "IMPORT_MAX_GONE (0)",
        ),
    ];
    for (what, change, words) in table {
        let max_gone = usize::from(!words.contains("MAX_GONE"));
        let scene = Scene::with(small(), Watched::new(), ImportSettings { max_gone, ..SETTINGS });
        scene.import_all().await;
        let before = scene.store.triples().await;
        change(&scene);
        let faults = scene.told(What::Customers).await;
        assert!(scene.marked().await.is_empty(), "{what}");
        assert!(scene.store.triples().await.is_superset(&before), "{what}");
        assert_eq!(faults.len(), 1, "{what}: {faults:?}");
        assert!(
            faults[0].contains(words) && faults[0].contains("customers are missing"),
            "{what}: {faults:?}"
        );
    }
}

#[tokio::test]
async fn deletions_up_to_the_bound_are_believed() {
    let scene = Scene::with(small(), Watched::new(), ImportSettings { max_gone: 1, ..SETTINGS });
    scene.import_all().await;
    scene.kimai.change(|lists| drop(lists.customers.remove(1)));
    assert!(scene.told(What::Customers).await.is_empty());
    assert_eq!(scene.marked().await, ["Organization 2"]);
    assert_eq!(*scene.kimai.looks.lock().unwrap(), ["all", "customers/2"]);
}

/// What other services keep, or people made by hand, is not Kimai's to lose.
#[tokio::test]
async fn only_what_nothing_but_an_import_can_have_made_is_marked() {
    let store = Watched::holding(
        "<http://other.example.org/organisations/5> a prov:Organization ; dct:identifier \"5\" ; rdfs:label \"Town\" .
         <http://timekeeper.redpencil.io/accounts/login> a foaf:OnlineAccount ; dct:identifier \"6\" .
         <http://timekeeper.redpencil.io/tasks/hand> a wf:Task, ext:KimaiActivity ; dct:identifier \"77\" .",
    )
    .await;
    let scene = Scene::of(small(), store);
    scene.import_all().await;
    scene.import_all().await;
    assert_eq!(scene.marked().await, ["KimaiActivity 77"]);
}

/// The bound is for what Kimai does not know any more: that something is hidden it says itself.
#[tokio::test]
async fn any_number_of_hidden_ones_is_marked_at_once() {
    let mut lists = small();
    lists.customers.extend((10..60).map(|id| customer(id, "Former", None)));
    let scene = Scene::new(lists);
    scene.import_all().await;
    scene
        .kimai
        .change(|lists| lists.customers.iter_mut().skip(1).for_each(|customer| customer.visible = false));
    scene.import(What::Customers).await;
    assert_eq!(scene.marked().await.len(), 51);
}
