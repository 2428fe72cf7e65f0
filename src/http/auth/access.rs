//! The access table: which routes need a token, and the size limit of each body.

use crate::http::{body, delta, sparql};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The services of the stack, which have no token. The worst they can cause is an unnecessary check.
    Stack,
    /// Everybody: it reveals nothing and changes nothing.
    Open,
    /// Everybody, unless `METRICS_PROTECTED` is set.
    Metrics,
    /// Those who have the token, if there is one.
    Guarded,
}

use Access::{Guarded, Metrics, Open, Stack};

/// A route, or with a trailing `/` all routes below it.
#[derive(Debug)]
pub(super) struct Row {
    path: &'static str,
    pub(super) access: Access,
    /// The largest body; `None` if the route has its own limit.
    pub(super) most_bytes: Option<usize>,
}

const fn row(path: &'static str, access: Access, most_bytes: usize) -> Row {
    Row { path, access, most_bytes: Some(most_bytes) }
}

const SPARQL: &str = "/sparql";
const NONE: usize = 0;
/// The largest body of a login.
pub(super) const LOGIN: usize = 4 * 1024;
const SMALL: usize = 16 * 1024;
/// A form may hold two IRIs, percent-encoded.
const FORM: usize = 32 * 1024;

const TABLE: &[Row] = &[
    // The route counts and logs deltas that it refuses, since their changes are lost.
    Row { path: delta::PATH, access: Stack, most_bytes: None },
    row("/live", Open, NONE),
    row("/ready", Open, NONE),
    row("/metrics", Metrics, NONE),
    row("/login", Open, LOGIN),
    row("/assets/", Open, NONE),
    row("/do/", Guarded, FORM),
    row(SPARQL, Guarded, sparql::BODY_LIMIT),
    row("/sync-to-kimai/work-logs", Guarded, body::MOST_BYTES),
    row("/timesheets/lock", Guarded, body::MOST_BYTES),
];

/// All other routes, including those that do not exist.
const OTHERS: Row = row("/", Guarded, SMALL);

impl Row {
    fn fits(&self, path: &str) -> bool {
        if self.path.ends_with('/') { path.starts_with(self.path) } else { path == self.path }
    }

    /// Whether even reading it is so expensive that pages of other sites may not do it.
    pub(super) fn reading_is_work(&self) -> bool {
        self.path == SPARQL
    }

    /// Whether a browser may cache responses: they contain no data.
    pub(super) fn may_be_kept(&self) -> bool {
        self.path == "/assets/"
    }
}

/// The row for a path as sent. A path that the router would still decode does not match an open route, so it is
/// guarded.
pub(super) fn of(path: &str) -> &'static Row {
    TABLE.iter().find(|row| row.fits(path)).unwrap_or(&OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_spelt_like_an_open_route_is_open() {
        for (path, access) in [
            ("/delta", Stack),
            ("/live", Open),
            ("/ready", Open),
            ("/metrics", Metrics),
            ("/login", Open),
            ("/assets/style.css", Open),
        ] {
            assert_eq!(of(path).access, access, "{path}");
        }
        for path in [
            "",
            "/",
            "/*",
            "/queue",
            "/queue/1",
            "/runs",
            "/runs/1/events",
            "/sparql",
            "/logout",
            "/docs",
            "/assets",
            "/assetsx",
            "/delta/",
            "/delta/x",
            "//delta",
            "/./live",
            "/Live",
            "/live/",
            "/live/../queue",
            "/%6cive",
            "/login/",
            "/login/x",
            "/metrics/",
            "/openapi.json",
            "/doctor",
            "/updates",
            "/do/retry",
            "/nope",
        ] {
            assert_eq!(of(path).access, Guarded, "{path}");
        }
    }

    #[test]
    fn what_a_delta_holds_is_bounded_by_its_own_route_which_counts_what_it_refuses() {
        assert_eq!(TABLE.iter().filter(|row| row.most_bytes.is_none()).count(), 1);
        assert_eq!(of(delta::PATH).most_bytes, None);
    }
}
