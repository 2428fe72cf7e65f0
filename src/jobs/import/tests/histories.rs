//! Any history of Kimai ends in the same graph as its last state alone, and large ones stay cheap.

use proptest::prelude::*;

use super::kimai::{Lists, activity, customer, project, user};
use super::{Scene, What};

/// Items there are in the end, of each kind.
const ITEMS: usize = 4;

/// What may change of an item between imports.
#[derive(Debug, Clone)]
struct Looks {
    there: There,
    name: &'static str,
    color: Option<&'static str>,
    /// What it belongs to, if anything.
    parent: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Listed,
    Hidden,
    Deleted,
}

/// Looks of customers, projects and activities.
type State = Vec<Vec<Looks>>;

fn state() -> impl Strategy<Value = State> {
    let there = prop_oneof![2 => Just(There::Listed), 1 => Just(There::Hidden), 1 => Just(There::Deleted)];
    let name = prop_oneof![Just("A"), Just("B"), Just("\"\\\n🦀"), Just("")];
    let color = prop_oneof![Just(None), Just(Some("#ff0000")), Just(Some("#00ff00")), Just(Some(""))];
    let parent = prop::option::of(0..ITEMS);
    let looks = (there, name, color, parent);
    let looks = looks.prop_map(|(there, name, color, parent)| Looks { there, name, color, parent });
    prop::collection::vec(prop::collection::vec(looks, ITEMS), 3)
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![Just(What::Customers), Just(What::Tasks), Just(What::Accounts)]
}

/// What Kimai has; with `all` everything is shown.
fn lists(state: &State, all: bool) -> Lists {
    let each =
        |kind: usize| (1..).zip(&state[kind]).filter(move |(_, looks)| all || looks.there != There::Deleted);
    let shown = |looks: &Looks| all || looks.there == There::Listed;
    let parent = |looks: &Looks| looks.parent.map(|at| at as u64 + 1);
    let customers = each(0).map(|(id, looks)| crate::trackers::kimai::Customer {
        visible: shown(looks),
        ..customer(id, looks.name, looks.color)
    });
    let projects = each(1).map(|(id, looks)| crate::trackers::kimai::Project {
        visible: shown(looks),
        ..project(id, looks.name, parent(looks), looks.color)
    });
    let activities = each(2).map(|(id, looks)| crate::trackers::kimai::Activity {
        visible: shown(looks),
        ..activity(id, looks.name, parent(looks), looks.color)
    });
    let users = each(0).map(|(id, looks)| crate::trackers::kimai::User {
        enabled: shown(looks),
        ..user(id, &format!("user {id}"))
    });
    Lists {
        customers: customers.collect(),
        projects: projects.collect(),
        activities: activities.collect(),
        users: users.collect(),
    }
}

/// The colour each activity should have in the end, told apart from the import's own way of finding it.
fn colour_of_activity(state: &State, activity: usize) -> Option<&'static str> {
    let own = |kind: usize, at: usize| state[kind][at].color.filter(|color| !color.is_empty());
    let project = state[2][activity].parent;
    let customer = project.and_then(|project| state[1][project].parent);
    own(2, activity)
        .or_else(|| project.and_then(|project| own(1, project)))
        .or_else(|| customer.and_then(|customer| own(0, customer)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_history_ends_as_its_last_state_alone(
        history in prop::collection::vec((state(), what()), 0..6),
        last in state(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let lived = Scene::new(Lists::default());
            for (state, what) in &history {
                lived.kimai.set(lists(state, false));
                lived.import(*what).await;
            }
            let end = lists(&last, true);
            lived.kimai.set(end.clone());
            lived.import_all().await;
            let fresh = Scene::new(end);
            fresh.import_all().await;
            assert_eq!(lived.store.up_to_minted_ids().await, fresh.store.up_to_minted_ids().await);
            assert_eq!(lived.import_all().await, 0, "and there it stays");
            for at in 0..ITEMS {
                let found = lived.values(super::ACTIVITY, at as u64 + 1, super::ui::COLOR).await;
                let wanted: Vec<String> = colour_of_activity(&last, at).map(super::text).into_iter().collect();
                assert_eq!(found, wanted);
            }
        });
    }
}

/// The old service took 15 020 queries and 22 020 updates for this, and 8 020 and 15 000 the second time.
#[tokio::test]
async fn a_large_catalogue_takes_few_statements() {
    let lists = Lists {
        customers: (1..=1000).map(|id| customer(id, &format!("Customer {id}"), Some("#ff0000"))).collect(),
        projects: (1..=2000)
            .map(|id| project(id, &format!("Project {id}"), Some(id % 1000 + 1), None))
            .collect(),
        activities: (1..=5000)
            .map(|id| activity(id, &format!("Activity {id}"), Some(id % 2000 + 1), None))
            .collect(),
        users: (1..=20).map(|id| user(id, &format!("user{id}"))).collect(),
    };
    let scene = Scene::new(lists);
    let updates = scene.import_all().await;
    assert!(updates <= 660, "{updates} updates for 8 020 items");
    // One more for each list that has something new: what is there is counted first.
    assert!(scene.store.selects() <= 16, "{} queries", scene.store.selects());
    assert!(scene.store.updates().iter().all(|update| update.matches(" .\n").count() <= 100));
    assert_eq!(scene.import_all().await, 0);
    assert!(scene.store.selects() <= 8, "{} queries", scene.store.selects());
    // Another name and colour: two triples go and two come.
    scene.kimai.change(|lists| {
        for activity in lists.activities.iter_mut().take(1000) {
            activity.name += "!";
            activity.color = Some("#00ff00".to_owned());
        }
    });
    let updates = scene.import_all().await;
    assert!(updates <= 40, "{updates} updates for 1 000 changes");
    assert_eq!(scene.import_all().await, 0);
}
