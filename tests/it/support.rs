//! What the integration tests stand on.

pub(crate) mod company;
pub(crate) mod front;
pub(crate) mod rust_source;
pub(crate) mod stack;
pub(crate) mod virtuoso;

use std::io::Write as _;
use std::sync::Mutex;

/// Says once, past the test harness, which also hides what a passing test prints, that something was not
/// tried for want of `what`. Where nothing may be left out (`KIMAI_SYNC_REQUIRE_ALL`), fails instead.
pub(crate) fn not_covered(what: &'static str) {
    static SAID: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    assert!(std::env::var_os("KIMAI_SYNC_REQUIRE_ALL").is_none(), "not covered: {what}");
    let mut said = SAID.lock().unwrap();
    if !said.contains(&what) {
        said.push(what);
        let _ = writeln!(std::io::stderr(), "not covered: {what}");
    }
}

/// Tells each story twice: with the embedded store and, where it is installed, with a real Virtuoso.
macro_rules! on_each_store {
    ($($story:ident),* $(,)?) => {
        $crate::support::on_each_store!(with &[]; $($story),*);
    };
    (with $settings:expr; $($story:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story($crate::support::stack::Stack::embedded($settings).await).await;
            })*
        }
        mod virtuoso {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                if let Some(stack) = $crate::support::stack::Stack::virtuoso($settings).await {
                    super::$story(stack).await;
                }
            })*
        }
    };
}
pub(crate) use on_each_store;
