//! Many updates: side by side, given up half way, and any history against a plain set of quads.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn updates_side_by_side_lose_nothing() {
    let (store, witness) = watched();
    update(&store, "INSERT DATA { x:counter x:p 0 }").await;
    let step = text(
        "DELETE { x:counter x:p ?n } INSERT { x:counter x:p ?m } WHERE { x:counter x:p ?n BIND(?n + 1 AS ?m) }",
    );
    let steps = futures_util::future::join_all((0..50).map(|_| store.update(&step))).await;
    assert!(steps.iter().all(Result::is_ok), "{steps:?}");
    assert_eq!(all(&store).await, ["counter 50 application"]);
    assert_eq!(witness.told().len(), 51);
}

#[tokio::test]
async fn a_caller_who_leaves_at_any_moment_leaves_no_half_change() {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};
    for polls in 0..6 {
        let (store, witness) = watched();
        let statement = text("INSERT DATA { x:a x:p 1 } ; INSERT DATA { x:b x:p 2 }");
        let mut leaving = Box::pin(store.update(&statement));
        for _ in 0..polls {
            if let Poll::Ready(result) = leaving.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                result.expect("applied");
                break;
            }
            // Lets the work under way get on.
            tokio::task::spawn_blocking(|| ()).await.expect("ran");
        }
        drop(leaving);
        update(&store, "INSERT DATA { x:c x:p 3 }").await;
        let there = all(&store).await;
        let whole = ["a 1 application", "b 2 application", "c 3 application"];
        assert!(there == whole || there == whole[2..], "after {polls} polls: {there:?}");
        let told = witness.told().len();
        assert!(told >= there.len(), "what is there was told: {told}, {there:?}");
    }
}

/// One operation on a small world, as SPARQL and as what it should do to a set of quads.
#[derive(Debug, Clone)]
enum Step {
    Insert(u8, u8, u8),
    Delete(u8, u8, u8),
    DeleteEverywhere(u8, u8),
    ClearGraph(u8),
    Move(u8, u8),
}

impl Step {
    fn sparql(&self) -> String {
        match self {
            Self::Insert(s, o, g) => format!("INSERT DATA {{ GRAPH x:g{g} {{ x:s{s} x:p {o} }} }}"),
            Self::Delete(s, o, g) => format!("DELETE DATA {{ GRAPH x:g{g} {{ x:s{s} x:p {o} }} }}"),
            Self::DeleteEverywhere(s, o) => format!("DELETE WHERE {{ x:s{s} x:p {o} }}"),
            Self::ClearGraph(g) => format!("CLEAR SILENT GRAPH x:g{g}"),
            Self::Move(from, to) => format!(
                "DELETE {{ GRAPH x:g{from} {{ ?s ?p ?o }} }} INSERT {{ GRAPH x:g{to} {{ ?s ?p ?o }} }} WHERE {{ GRAPH x:g{from} {{ ?s ?p ?o }} }}"
            ),
        }
    }

    fn on(&self, world: &mut BTreeSet<(u8, u8, u8)>) {
        match *self {
            Self::Insert(s, o, g) => drop(world.insert((s, o, g))),
            Self::Delete(s, o, g) => drop(world.remove(&(s, o, g))),
            Self::DeleteEverywhere(s, o) => world.retain(|quad| (quad.0, quad.1) != (s, o)),
            Self::ClearGraph(g) => world.retain(|quad| quad.2 != g),
            Self::Move(from, to) => {
                *world = world.iter().map(|&(s, o, g)| (s, o, if g == from { to } else { g })).collect();
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let n = || 0..3u8;
    let step = prop_oneof![
        4 => (n(), n(), n()).prop_map(|(s, o, g)| Step::Insert(s, o, g)),
        2 => (n(), n(), n()).prop_map(|(s, o, g)| Step::Delete(s, o, g)),
        1 => (n(), n()).prop_map(|(s, o)| Step::DeleteEverywhere(s, o)),
        1 => n().prop_map(Step::ClearGraph),
        1 => (n(), n()).prop_map(|(from, to)| Step::Move(from, to)),
    ];
    proptest::collection::vec(proptest::collection::vec(step, 1..4), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_of_updates_leaves_what_it_should_and_tells_exactly_that(history in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (store, witness) = watched();
            let mut world = BTreeSet::new();
            let mut told = BTreeSet::new();
            for request in history {
                let sparql: Vec<_> = request.iter().map(Step::sparql).collect();
                update(&store, &sparql.join(" ; ")).await;
                for step in &request {
                    step.on(&mut world);
                }
                for line in witness.told().into_iter().flatten() {
                    let quad = line[2..].to_owned();
                    let fits = if line.starts_with('-') { told.remove(&quad) } else { told.insert(quad) };
                    assert!(fits, "{line} is no change");
                }
                let wanted: Vec<_> = world.iter().map(|(s, o, g)| format!("s{s} p {o} g{g}")).collect();
                let quads = values(&store, "SELECT ?s ?p ?o ?g { GRAPH ?g { ?s ?p ?o } }").await;
                assert_eq!(quads, wanted);
                assert_eq!(told.iter().cloned().collect::<Vec<_>>(), wanted);
                let mut union: Vec<_> = world.iter().map(|(s, o, _)| format!("s{s} {o}")).collect();
                union.dedup();
                assert_eq!(values(&store, "SELECT ?s ?o { ?s ?p ?o }").await, union, "each triple once");
            }
        });
    }
}
