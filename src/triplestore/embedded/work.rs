//! Runs statements, each on its own thread, with limits on stack, time and memory.

use std::any::Any;
use std::time::Duration;

use oxigraph::sparql::CancellationToken;

use super::meter::Spent;
use crate::triplestore::TriplestoreFault;

/// The stack of one statement. What [`super::bounds`] accepts needs less than half of it in a debug build. Only pages
/// that are touched take memory.
const STACK: usize = 64 * 1024 * 1024;

/// Runs `work` on its own thread. Stops it at the time limit, or when the caller is dropped.
pub(super) async fn limited<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce(CancellationToken) -> Result<T, TriplestoreFault> + Send + 'static,
) -> Result<T, TriplestoreFault> {
    struct StopOnDrop(CancellationToken);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let token = CancellationToken::new();
    let _stop = StopOnDrop(token.clone());
    // A thread of the runtime waits for it, so that simulated time does not advance meanwhile.
    let done = tokio::task::spawn_blocking(move || {
        let builder = std::thread::Builder::new().name("sparql".to_owned()).stack_size(STACK);
        match builder.spawn(move || work(token)) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| Err(failed(&*panic))),
            Err(error) => Err(TriplestoreFault::Transient(format!("no thread can be started: {error}"))),
        }
    });
    match tokio::time::timeout(limit, done).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(TriplestoreFault::Transient(format!("the embedded store failed: {panic}"))),
        Err(_) => Err(TriplestoreFault::Transient(format!("stopped after {limit:?}"))),
    }
}

/// The error for an unwound thread.
fn failed(panic: &(dyn Any + Send)) -> TriplestoreFault {
    match panic.downcast_ref::<Spent>() {
        Some(Spent::Memory(most)) => TriplestoreFault::Refused(
            format!(
                "it takes more than {} MiB of memory; connect its patterns, or sort, group and join less",
                most / 1024 / 1024
            )
            .into(),
        ),
        Some(Spent::Time) => TriplestoreFault::Transient("stopped".to_owned()),
        None => TriplestoreFault::Transient("the embedded store failed".to_owned()),
    }
}
