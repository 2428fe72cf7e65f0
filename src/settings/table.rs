//! The list of settings: names, defaults, meanings.

/// The description of a setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// The value if it is missing or empty; empty if there is no default.
    pub default: &'static str,
    /// What it means and which values are valid.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// All settings.
pub const TABLE: &[Setting] = &[
    setting(
        "API_TOKEN",
        "",
        "the API token of the Kimai user that syncs, created in Kimai under \"API access\" (required, here or \
         in a file)",
    ),
    setting(
        "KIMAI_ENDPOINT",
        "",
        "the address of Kimai's API without a trailing slash, like https://kimai.example.com/api (required)",
    ),
    setting(
        "API_TOKEN_FILE",
        "",
        "a file with the API token, instead of API_TOKEN (such as a Docker secret)",
    ),
    setting(
        "KIMAI_REQUIRE_HTTPS",
        "false",
        "whether to refuse a KIMAI_ENDPOINT on another machine that is not https, instead of logging a warning",
    ),
    setting(
        "MU_SPARQL_ENDPOINT",
        "http://database:8890/sparql",
        "the SPARQL endpoint of the stack's database",
    ),
    setting(
        "DEFAULT_MU_AUTH_SCOPE",
        "",
        "the scope under which the database grants this service access, sent as mu-auth-scope",
    ),
    setting(
        "RESOURCE_BASE_URI",
        "http://timekeeper.redpencil.io",
        "the base of the IRIs of imported customers, tasks and accounts, without a trailing slash",
    ),
    setting(
        "WORKSPACE_URI",
        "http://timekeeper.redpencil.io/workspaces/7530c9c9-4905-4fae-b63f-7a8d29232377",
        "the workspace that imported tasks belong to",
    ),
    setting(
        "KIMAI_ACCOUNT_SERVICE_HOMEPAGE",
        "http://kimai.redpencil.io",
        "the service homepage that marks an account as a Kimai account",
    ),
    setting("IMPORT_HIDDEN", "false", "whether to also import what is hidden, ended or disabled in Kimai"),
    setting(
        "KIMAI_DESCRIPTION",
        "keep",
        "keep: descriptions of timesheets in Kimai are not changed; note: they are set to the note of the work \
         log, even if that is empty",
    ),
    setting(
        "IMPORT_RELATIONS",
        "follow",
        "follow: an import moves activities and projects that were moved in Kimai; keep: they stay where they \
         were first imported",
    ),
    setting(
        "IMPORT_MAX_GONE",
        "20",
        "how many customers, projects, activities or accounts that are deleted in Kimai one import may mark as \
         unavailable; if there are more, it marks none",
    ),
    setting(
        "FALLBACK_SYNC_CRON",
        "0 0 */2 * * *",
        "when to sweep, as a cron pattern in UTC with seconds first (five fields without seconds work too)",
    ),
    setting("SWEEP_DAYS", "31", "how many days before and after today a scheduled sweep covers"),
    setting(
        "SWEEP_MAX_DELETIONS",
        "20",
        "how many orphaned Kimai timesheets one sweep may delete without confirmation; if there are more, it \
         deletes none",
    ),
    setting(
        "SWEEP_MAX_TOMBSTONES",
        "1000",
        "the same for timesheets of deleted work logs that still have their link in the triplestore",
    ),
    setting(
        "SWEEP_DELETE_ORPHANS",
        "true",
        "whether sweeps delete timesheets that no work log is linked to; set it to false if people also enter \
         hours in Kimai",
    ),
    setting(
        "SWEEP_GRACE",
        "10",
        "for how many minutes a timesheet must not have changed in Kimai before a sweep deletes it as an orphan",
    ),
    setting(
        "SYNC_EXPORTED",
        "keep",
        "what to do with timesheets that are exported in Kimai when their work log changes or is deleted: keep \
         (the work log is parked) or overwrite",
    ),
    setting(
        "SYNC_AT_START",
        "true",
        "whether to sweep once at start, to find what was missed while the service was down, and to resume an \
         interrupted sweep",
    ),
    setting(
        "CHECK_AT_START",
        "true",
        "whether to check connections, rights and settings at start and every hour, as doctor does",
    ),
    setting(
        "DATA_DIR",
        "./data",
        "the directory in which serve keeps the queue across restarts (/data in the image)",
    ),
    setting("TZ", "UTC", "the time zone in which work days begin, like Europe/Brussels"),
    setting("HOST", "0.0.0.0", "the address to listen on (standalone: 127.0.0.1)"),
    setting("PORT", "80", "the port to listen on (standalone: 8080)"),
    setting(
        "OPS_TOKEN",
        "",
        "the token required by the page, routes and commands, at least 16 characters (openssl rand -hex 32)",
    ),
    setting("OPS_TOKEN_FILE", "", "a file with that token, instead of OPS_TOKEN"),
    setting("METRICS_PROTECTED", "false", "whether /metrics also requires OPS_TOKEN"),
    setting(
        "KIMAI_CONCURRENCY",
        "8",
        "the maximum number of concurrent requests to Kimai; the limit adapts to what Kimai can handle",
    ),
    setting("KIMAI_CONCURRENCY_MIN", "1", "the minimum for that limit, however slow Kimai is"),
    setting(
        "DEBOUNCE_MS",
        "10",
        "how long a change waits for other deltas about the same work log, in milliseconds",
    ),
    setting(
        "SETTLE_RECHECK",
        "5,30",
        "after how many seconds to read work logs of a delta again, in case the triplestore shows changes late; \
         several comma-separated values, each counted from the previous one; 0 for never",
    ),
    setting(
        "KIMAI_LIST_MAX_ROWS",
        "1000000",
        "the maximum number of timesheets in a list of Kimai; a longer list is treated as endless",
    ),
    setting("KIMAI_LIST_MAX_PAGES", "10000", "the maximum number of pages of 500 timesheets in such a list"),
    setting(
        "RUN_TIME_LIMIT",
        "120",
        "after how many minutes a sweep, plan, import or lock is ended, so that the next one can begin",
    ),
    setting("KIMAI_TIMEOUT", "30", "the time limit of a request to Kimai, in seconds"),
    setting("MU_SPARQL_TIMEOUT", "60", "the time limit of a SPARQL query or update, in seconds"),
    setting(
        "MU_APPLICATION_GRAPH",
        "http://mu.semte.ch/application",
        "the graph of the embedded triplestore for triples inserted without a graph",
    ),
    setting(
        "LOG_LEVEL",
        "info",
        "how much to log: error, warn, info, debug, or a filter like info,kimai_sync=debug",
    ),
    setting("LOG_FORMAT", "text", "text, or json for one JSON object per line"),
    setting(
        "LOG_SPARQL_ALL",
        "false",
        "whether to log every SPARQL query and update of this service, regardless of LOG_LEVEL",
    ),
    setting("LOG_SPARQL_QUERIES", "", "whether to log queries (default: as LOG_SPARQL_ALL)"),
    setting("LOG_SPARQL_UPDATES", "", "whether to log updates (default: as LOG_SPARQL_ALL)"),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "where to send traces, by OTLP over HTTP, like http://collector:4318; if empty, none are sent",
    ),
    setting("OTEL_SERVICE_NAME", "kimai-sync", "the name of this service in traces"),
];

fn row(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

pub(super) fn default(name: &str) -> &'static str {
    row(name).map_or("", |setting| setting.default)
}

pub(super) fn meaning(name: &str) -> &'static str {
    row(name).map_or("", |setting| setting.meaning)
}

/// Every setting with its default and meaning, for `--help`.
pub fn help() -> String {
    let rows = TABLE.iter().map(|Setting { name, default, meaning }| {
        let default = if default.is_empty() { String::new() } else { format!(" [default: {default}]") };
        format!("  {name}\n      {meaning}{default}")
    });
    let header = "Settings (environment variables; an empty value means the default):".to_owned();
    std::iter::once(header).chain(rows).collect::<Vec<_>>().join("\n")
}
