//! What the integration tests stand on.

pub(crate) mod stack;
pub(crate) mod virtuoso;

/// Tells each story twice: with the embedded store and, where it is installed, with a real Virtuoso.
macro_rules! on_each_store {
    ($($story:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story($crate::support::stack::Stack::embedded(&[]).await).await;
            })*
        }
        mod virtuoso {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                if let Some(stack) = $crate::support::stack::Stack::virtuoso(&[]).await {
                    super::$story(stack).await;
                }
            })*
        }
    };
}
pub(crate) use on_each_store;
