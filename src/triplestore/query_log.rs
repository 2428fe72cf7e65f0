//! Logs statements, if that is enabled.

use uuid::Uuid;

use crate::settings::TriplestoreSettings;

/// Which statements are logged (`LOG_SPARQL_ALL`, `_QUERIES`, `_UPDATES`), at level info and with the target `sparql`,
/// which is shown regardless of `LOG_LEVEL`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryLog {
    /// Log each query.
    pub queries: bool,
    /// Log each update.
    pub updates: bool,
}

impl QueryLog {
    /// According to the settings.
    pub fn of(settings: &TriplestoreSettings) -> Self {
        Self { queries: settings.log_queries, updates: settings.log_updates }
    }

    /// Logs a query, if that is enabled, with the call ID under which it is sent.
    pub(super) fn query(self, query: &str, call_id: Option<Uuid>) {
        if self.queries {
            tracing::info!(target: "sparql", mu_call_id = call_id.map(display), "Query: {query}");
        }
    }

    /// The same for an update.
    pub(super) fn update(self, update: &str, call_id: Option<Uuid>) {
        if self.updates {
            tracing::info!(target: "sparql", mu_call_id = call_id.map(display), "Update: {update}");
        }
    }
}
