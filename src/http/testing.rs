//! Shared by the tests of the routes.

use std::sync::Arc;

use actix_web::web;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::State;
use crate::app;
use crate::clock::Clock;
use crate::jobs::Jobs;
use crate::settings::Settings;
use crate::store::sqlite::Storage;
use crate::triplestore::embedded::Embedded;

/// The state of a service that has just started, with the queue in `storage`.
pub(super) fn state(storage: Storage, store: &Embedded, stop: &CancellationToken) -> web::Data<State> {
    let vars = [("API_TOKEN", "token"), ("KIMAI_ENDPOINT", "http://127.0.0.1:9/api")];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::from_vars(vars).unwrap();
    let clock = Clock::system(settings.zone.clone());
    let store = Arc::new(store.clone());
    let engine = app::engine(&settings, store, clock.clone(), storage).unwrap();
    let work = Arc::new(engine.jobs());
    let runs =
        Jobs::open(Arc::clone(&engine.job_records), true, clock, work, TaskTracker::new(), stop.clone())
            .unwrap();
    web::Data::new(State::new(engine.services(), runs, stop.clone(), crate::ui::PAGES))
}
