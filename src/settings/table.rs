//! The list of settings: names, defaults, meanings.

/// A setting as people see it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What applies when it is missing or empty; empty where there is no default.
    pub default: &'static str,
    /// What it means and what to put there.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// Every setting there is.
pub const TABLE: &[Setting] = &[
    setting(
        "API_TOKEN",
        "",
        "the API token of the Kimai user that syncs, made in Kimai under \"API access\" (mandatory, here or in a file)",
    ),
    setting(
        "KIMAI_ENDPOINT",
        "",
        "the address of Kimai's API without trailing slash, like https://kimai.example.com/api (mandatory)",
    ),
    setting(
        "API_TOKEN_FILE",
        "",
        "a file that holds the API token, instead of API_TOKEN (a Docker secret, say)",
    ),
    setting(
        "KIMAI_REQUIRE_HTTPS",
        "false",
        "whether to refuse a KIMAI_ENDPOINT on another machine that is not https, instead of warning of it",
    ),
    setting(
        "MU_SPARQL_ENDPOINT",
        "http://database:8890/sparql",
        "the SPARQL endpoint of the stack's database",
    ),
    setting(
        "DEFAULT_MU_AUTH_SCOPE",
        "",
        "the scope under which the database grants this service its access, sent as mu-auth-scope",
    ),
    setting(
        "RESOURCE_BASE_URI",
        "http://timekeeper.redpencil.io",
        "what the IRIs of imported customers, tasks and accounts begin with, without trailing slash",
    ),
    setting(
        "WORKSPACE_URI",
        "http://timekeeper.redpencil.io/workspaces/7530c9c9-4905-4fae-b63f-7a8d29232377",
        "the workspace that imported tasks belong to",
    ),
    setting(
        "KIMAI_ACCOUNT_SERVICE_HOMEPAGE",
        "http://kimai.redpencil.io",
        "the service homepage that marks an account as one of Kimai",
    ),
    setting("IMPORT_HIDDEN", "false", "whether imports bring what is hidden, ended or disabled in Kimai too"),
    setting(
        "KIMAI_DESCRIPTION",
        "keep",
        "keep: the description of a timesheet is left alone in Kimai; note: it follows the note of the work log, also where that is empty",
    ),
    setting(
        "IMPORT_RELATIONS",
        "follow",
        "follow: an activity or project that was moved in Kimai is moved by the next import too; keep: it stays where it was first",
    ),
    setting(
        "IMPORT_MAX_GONE",
        "20",
        "how many customers, projects, activities or accounts that are deleted in Kimai one import may mark as unavailable; with more of them it marks none",
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
        "how many orphaned Kimai timesheets one sweep may delete unconfirmed; with more of them it deletes none",
    ),
    setting(
        "SWEEP_MAX_TOMBSTONES",
        "1000",
        "the same for timesheets of deleted work logs whose link is left in the triplestore",
    ),
    setting(
        "SWEEP_DELETE_ORPHANS",
        "true",
        "whether sweeps delete timesheets that no work log has; false where people also enter hours in Kimai",
    ),
    setting(
        "SWEEP_GRACE",
        "10",
        "how many minutes a timesheet must have been left alone in Kimai before a sweep deletes it as an orphan",
    ),
    setting(
        "SYNC_EXPORTED",
        "keep",
        "what becomes of timesheets that are exported in Kimai when their work log changes or is deleted: keep (the work log is parked) or overwrite",
    ),
    setting(
        "SYNC_AT_START",
        "true",
        "whether to sweep once at start, for what was missed while the service was down, and to take up again what a stop cut off",
    ),
    setting(
        "CHECK_AT_START",
        "true",
        "whether to check connections, rights and settings at start and then each hour, as doctor does",
    ),
    setting(
        "DATA_DIR",
        "./data",
        "the folder in which serve keeps what waits, over restarts (in the image: /data)",
    ),
    setting("TZ", "UTC", "the zone in which a work day begins, like Europe/Brussels"),
    setting("HOST", "0.0.0.0", "the address to listen on (standalone: 127.0.0.1)"),
    setting("PORT", "80", "the port to listen on (standalone: 8080)"),
    setting(
        "OPS_TOKEN",
        "",
        "the token that page, routes and commands then need, 16 characters or more (openssl rand -hex 32)",
    ),
    setting("OPS_TOKEN_FILE", "", "a file that holds that token, instead of OPS_TOKEN"),
    setting("METRICS_PROTECTED", "false", "whether /metrics needs OPS_TOKEN too"),
    setting(
        "KIMAI_CONCURRENCY",
        "8",
        "how many requests Kimai gets at a time at most; fewer while fewer get more done",
    ),
    setting("KIMAI_CONCURRENCY_MIN", "1", "how many requests it may get at a time however slow it is"),
    setting(
        "DEBOUNCE_MS",
        "10",
        "how long a change waits for the other deltas that tell of it, in milliseconds",
    ),
    setting(
        "SETTLE_RECHECK",
        "5,30",
        "after how many seconds what a delta named is looked at again, in case the triplestore shows its changes late; several looks with commas between, each counted from the one before; 0 for none",
    ),
    setting(
        "KIMAI_LIST_MAX_ROWS",
        "1000000",
        "how many timesheets one list of Kimai may hold before it is reported as one without end",
    ),
    setting("KIMAI_LIST_MAX_PAGES", "10000", "how many pages of 500 such a list may have"),
    setting(
        "RUN_TIME_LIMIT",
        "120",
        "how many minutes a sweep, plan, import or lock may take before it is ended, so that the next one begins",
    ),
    setting("KIMAI_TIMEOUT", "30", "time limit of one call to Kimai, in seconds"),
    setting("MU_SPARQL_TIMEOUT", "60", "time limit of one SPARQL query or update, in seconds"),
    setting(
        "MU_APPLICATION_GRAPH",
        "http://mu.semte.ch/application",
        "the graph of the embedded store that triples without a graph go to",
    ),
    setting(
        "LOG_LEVEL",
        "info",
        "how much to log: error, warn, info, debug, or a filter like info,kimai_sync=debug",
    ),
    setting("LOG_FORMAT", "text", "text, or json for one JSON object a line"),
    setting(
        "LOG_SPARQL_ALL",
        "false",
        "whether to log every SPARQL query and update of this service, whatever LOG_LEVEL is",
    ),
    setting("LOG_SPARQL_QUERIES", "", "whether to log queries (default: as LOG_SPARQL_ALL)"),
    setting("LOG_SPARQL_UPDATES", "", "whether to log updates (default: as LOG_SPARQL_ALL)"),
    setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "where to send traces, by OTLP over HTTP, like http://collector:4318; nowhere without",
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
