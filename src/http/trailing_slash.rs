//! Accepts a trailing slash, as the old service did: existing rules and scripts may use one, and a refused delta could
//! go unnoticed.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

use super::delta;

/// The routes of the old service, each including everything below it.
const OLD: [&str; 6] = [
    delta::PATH,
    "/update-queue/work-logs",
    "/kimai-timesheets",
    "/sync-from-kimai",
    "/sync-to-kimai/work-logs",
    "/timesheets/lock",
];

/// Removes the trailing slash from a path of the old service, before the guard and the router see it.
pub(super) fn trim(request: &mut ServiceRequest) {
    let Some(uri) = trimmed(request.uri()) else { return };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
}

fn trimmed(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/')?;
    let below =
        |old: &str| path.strip_prefix(old).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // One slash only, as in the old service.
    if path.ends_with('/') || !OLD.into_iter().any(below) {
        return None;
    }
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slash_goes_from_the_paths_of_the_old_service_only() {
        for (sent, taken) in [
            ("/delta/", Some("/delta")),
            ("http://kimai-sync/delta/", Some("http://kimai-sync/delta")),
            ("/update-queue/work-logs/AB12/", Some("/update-queue/work-logs/AB12")),
            ("/sync-to-kimai/work-logs/?dry-run=true&x=/", Some("/sync-to-kimai/work-logs?dry-run=true&x=/")),
            ("/delta", None),
            ("/delta//", None),
            ("/delta?x=/", None),
            ("/deltas/", None),
            ("//delta/", None),
            ("/", None),
            ("/live/", None),
            ("/assets/", None),
            // An IRI may end with one.
            ("/queue/http://x/1/", None),
        ] {
            let found = trimmed(&sent.parse().unwrap());
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), taken, "{sent}");
        }
    }
}
