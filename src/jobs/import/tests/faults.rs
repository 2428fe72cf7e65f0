//! What goes wrong is said, and the next import puts it right.

use super::kimai::{Listing, customer};
use super::*;
use crate::trackers::Operation;
use crate::trackers::kimai;
use crate::trackers::kimai::fault;
use crate::triplestore::testing::WAYS;

#[tokio::test]
async fn a_fault_says_whose_it_is_and_what_to_do() {
    let scene = Scene::new(small());
    let forbidden = fault::of_answer(Operation::Read, 403, None, b"{\"code\":403,\"message\":\"Forbidden\"}");
    scene.kimai.answer(Some(forbidden));
    let fault = scene.importer.import(What::Accounts, &Progress::unwatched()).await.unwrap_err();
    let words = fault.to_string();
    assert!(matches!(fault, ImportFault::Kimai { what: "accounts", .. }), "{fault:?}");
    for part in ["ROLE_SUPER_ADMIN", "view_user", "API_TOKEN", "403"] {
        assert!(words.contains(part), "{words}");
    }
    let words = scene.importer.import(What::Tasks, &Progress::unwatched()).await.unwrap_err().to_string();
    assert!(words.starts_with("projects cannot be imported") && !words.contains("view_user"), "{words}");
    scene.kimai.answer(Some(TrackerFault::cut(
        kimai::NAME,
        Operation::Read,
        true,
        "it took longer than 30 s",
    )));
    let words = scene.importer.import(What::Accounts, &Progress::unwatched()).await.unwrap_err().to_string();
    assert!(words.contains("30 s") && !words.contains("view_user"), "{words}");
    assert!(scene.store.updates().is_empty());
    scene.kimai.answer(None);
    scene.store.blind_from(1);
    let fault = scene.importer.import(What::Customers, &Progress::unwatched()).await.unwrap_err();
    assert!(matches!(fault, ImportFault::Triplestore { .. }), "{fault:?}");
    assert!(scene.store.updates().is_empty(), "nothing is made while it is unknown what is there");

    let bad = ResourceSettings { workspace: "not an IRI".to_owned(), ..resources() };
    let store = Arc::new(Watched::new());
    let (references, kimai) = (references(&store).0, Arc::new(Listing::default()));
    let fault = Importer::new(store, kimai, (bad, SETTINGS), references, clock()).err().unwrap();
    assert!(fault.to_string().contains("WORKSPACE_URI"), "{fault}");
}

#[tokio::test]
async fn an_import_that_was_cut_is_completed_by_the_next() {
    let whole = Scene::new(small());
    whole.import_all().await;
    let whole = whole.store.up_to_minted_ids().await;
    for way in WAYS {
        for at in 1..=4 {
            let mut renamed = small();
            renamed.customers[0] = customer(1, "Before", None);
            renamed.activities[0].name = "Before".to_owned();
            renamed.projects[0].color = Some("#123456".to_owned());
            let scene = Scene::new(renamed);
            if at > 2 {
                scene.import_all().await;
            }
            scene.kimai.set(small());
            scene.store.fail_at(at % 3 + 1, way);
            let mut unconfirmed = 0;
            for what in [What::Customers, What::Tasks, What::Accounts] {
                let report = scene.importer.import(what, &Progress::unwatched()).await;
                unconfirmed +=
                    report.map_or(1, |report| report.0.iter().map(|(_, counts)| counts.unconfirmed).sum());
            }
            assert!(unconfirmed > 0, "{way:?} at {at} must be noticed");
            scene.import_all().await;
            assert_eq!(scene.store.up_to_minted_ids().await, whole, "{way:?} at {at}");
        }
    }
}
