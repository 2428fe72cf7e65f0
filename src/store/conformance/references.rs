//! Where every store keeps changed references.

use std::sync::Arc;

use super::{Home, Open, Options};
use crate::store::QueueFault;
use crate::store::references::ChangedReferences;

fn iris<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(|name| format!("http://x/{name}")).into()
}

async fn waiting(references: &Arc<dyn ChangedReferences>) -> Vec<String> {
    references.next(100).await.unwrap().into_iter().map(|changed| changed.iri).collect()
}

pub(crate) async fn what_is_noted_waits_in_order_until_it_is_removed(home: impl Home) {
    let options = Options::at(0);
    let Open { references, .. } = home.open(&options);
    references.note(iris(["c", "a", "b", "a"]), 9).await.unwrap();
    references.note(iris(["c"]), 9).await.unwrap();
    assert_eq!(references.count().await, Ok(3));
    assert_eq!(waiting(&references).await, iris(["b", "a", "c"]), "by when it was last noted");
    let first = references.next(2).await.unwrap();
    assert_eq!(first.len(), 2);
    references.remove(first.into_iter().map(|changed| changed.id).collect()).await.unwrap();
    let killed = home.killed();
    let Open { references, .. } = killed.open(&options);
    assert_eq!((references.count().await, waiting(&references).await), (Ok(1), iris(["c"])));
}

pub(crate) async fn what_is_noted_again_meanwhile_stays(home: impl Home) {
    let options = Options::at(0);
    let Open { references, .. } = home.open(&options);
    references.note(iris(["a", "b"]), 9).await.unwrap();
    let ids: Vec<i64> = references.next(9).await.unwrap().into_iter().map(|changed| changed.id).collect();
    references.note(iris(["a"]), 9).await.unwrap();
    references.remove(ids.clone()).await.unwrap();
    assert_eq!(waiting(&references).await, iris(["a"]));
    // No ID is given twice, not even after a restart.
    let last = references.next(1).await.unwrap().remove(0).id;
    references.remove(vec![last]).await.unwrap();
    drop(references);
    let Open { references, .. } = home.open(&options);
    references.note(iris(["a"]), 9).await.unwrap();
    let next = references.next(1).await.unwrap().remove(0).id;
    assert!(next > last && !ids.contains(&next), "{next}");
}

pub(crate) async fn more_than_may_wait_are_refused_whole(home: impl Home) {
    let Open { references, .. } = home.open(&Options::at(0));
    references.note(iris(["a", "b"]), 3).await.unwrap();
    assert_eq!(references.note(iris(["c", "d"]), 3).await, Err(QueueFault::Full(2)));
    assert_eq!(references.count().await, Ok(2));
    references.note(iris(["c"]), 3).await.unwrap();
}
