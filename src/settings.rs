//! Settings: the environment, read once and checked. An empty value means the default.
//!
//! [`TABLE`] is the list of names, defaults and meanings; `--help`, `config/default.env` and the error messages are
//! generated from it, or compared to it by a test.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

mod check;
mod secret;
mod table;

use check::Check;
pub(crate) use check::filter_builder;
pub use table::{Setting, TABLE, help};

/// The checked settings of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach Kimai.
    pub kimai: KimaiSettings,
    /// How to reach the triplestore of the stack (not used with the embedded store).
    pub triplestore: TriplestoreSettings,
    /// The form of imported resources.
    pub resources: ResourceSettings,
    /// How imports treat existing resources.
    pub import: ImportSettings,
    /// When and how far to sweep.
    pub sweep: SweepSettings,
    /// Where to listen.
    pub server: ServerSettings,
    /// `DEBOUNCE_MS`: how long a change waits for other deltas about the same work log.
    pub debounce: Duration,
    /// `SETTLE_RECHECK`: how long after the run of a delta its work log is rechecked, and how long after the previous
    /// recheck for each further one.
    pub recheck: Vec<Duration>,
    /// `RUN_TIME_LIMIT`: how long a sweep, plan, import or lock may take.
    pub run_limit: Duration,
    /// `CHECK_AT_START`: whether the doctor's checks run automatically.
    pub check_at_start: bool,
    /// Authorization.
    pub guard: GuardSettings,
    /// `DATA_DIR`: where `serve` stores the queue.
    pub data_dir: PathBuf,
    /// How to log.
    pub log: LogSettings,
    /// `TZ`: the time zone in which work days begin.
    pub zone: TimeZone,
    /// Warnings about settings that are valid but probably not intended, for the log at start.
    pub warnings: Vec<String>,
}

/// How to reach Kimai.
#[derive(Debug, Clone)]
pub struct KimaiSettings {
    /// `KIMAI_ENDPOINT`, without trailing slash.
    pub endpoint: Url,
    /// `API_TOKEN`; printed as redacted.
    pub token: SecretString,
    /// `KIMAI_CONCURRENCY_MIN` to `KIMAI_CONCURRENCY`: concurrent requests.
    pub concurrency: RangeInclusive<usize>,
    /// `KIMAI_TIMEOUT`.
    pub time_limit: Duration,
    /// `KIMAI_DESCRIPTION`.
    pub description: Description,
    /// `IMPORT_HIDDEN`.
    pub import_hidden: bool,
    /// How long a list of timesheets may be.
    pub list: ListLimits,
}

/// How long a list of Kimai's timesheets may be before it is treated as endless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLimits {
    /// `KIMAI_LIST_MAX_ROWS`.
    pub rows: usize,
    /// `KIMAI_LIST_MAX_PAGES`.
    pub pages: usize,
}

/// How to reach the triplestore.
#[derive(Debug, Clone)]
pub struct TriplestoreSettings {
    /// `MU_SPARQL_ENDPOINT`.
    pub endpoint: Url,
    /// `DEFAULT_MU_AUTH_SCOPE`.
    pub scope: Option<String>,
    /// `MU_SPARQL_TIMEOUT`.
    pub time_limit: Duration,
    /// `MU_APPLICATION_GRAPH`, for the embedded store.
    pub application_graph: String,
    /// `LOG_SPARQL_QUERIES`, otherwise `LOG_SPARQL_ALL`.
    pub log_queries: bool,
    /// `LOG_SPARQL_UPDATES`, otherwise `LOG_SPARQL_ALL`.
    pub log_updates: bool,
}

/// The form of imported resources.
#[derive(Debug, Clone)]
pub struct ResourceSettings {
    /// `RESOURCE_BASE_URI`, without trailing slash.
    pub base_uri: String,
    /// `WORKSPACE_URI`.
    pub workspace: String,
    /// `KIMAI_ACCOUNT_SERVICE_HOMEPAGE`.
    pub account_homepage: String,
}

/// How descriptions of timesheets are treated (`KIMAI_DESCRIPTION`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Description {
    /// They are not changed.
    Keep,
    /// They are set to the notes of the work logs.
    Note,
}

/// How relations of existing resources are treated (`IMPORT_RELATIONS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relations {
    /// They are updated from Kimai.
    Follow,
    /// They stay as first imported.
    Keep,
}

/// How imports treat existing resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportSettings {
    /// `IMPORT_RELATIONS`.
    pub relations: Relations,
    /// `IMPORT_MAX_GONE`: how many that Kimai has deleted are marked at once.
    pub max_gone: usize,
}

/// What a sweep may delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `SWEEP_MAX_DELETIONS`: how many orphans at once without confirmation.
    pub max_deletions: usize,
    /// `SWEEP_MAX_TOMBSTONES`: how many deleted work logs that still have their link at once without confirmation.
    pub max_tombstones: usize,
    /// `SWEEP_DELETE_ORPHANS`.
    pub delete_orphans: bool,
    /// `SWEEP_GRACE`: how long an orphan must not have changed in Kimai.
    pub grace: Duration,
    /// `SYNC_EXPORTED` is `overwrite`: exported timesheets are changed and deleted too.
    pub overwrite_exported: bool,
}

/// When and how far to sweep.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    /// `FALLBACK_SYNC_CRON`, with six fields.
    pub cron: String,
    /// `SWEEP_DAYS`, before and after today.
    pub days: i64,
    /// What a sweep may delete.
    pub limits: Limits,
    /// `SYNC_AT_START`.
    pub at_start: bool,
}

/// Where to listen.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// `HOST`, if set.
    pub host: Option<IpAddr>,
    /// `PORT`, if set.
    pub port: Option<u16>,
}

/// Authorization.
#[derive(Debug, Clone, Default)]
pub struct GuardSettings {
    /// `OPS_TOKEN`, or the content of `OPS_TOKEN_FILE`; printed as redacted. Without it everybody has access.
    pub token: Option<SecretString>,
    /// `METRICS_PROTECTED`.
    pub metrics: bool,
}

/// How to log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `LOG_LEVEL`, a filter of `tracing-subscriber`.
    pub filter: String,
    /// Whether `LOG_FORMAT` is `json`.
    pub json: bool,
    /// Where to send traces, if anywhere.
    pub traces: Option<TraceSettings>,
}

/// Where to send traces.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, without trailing slash and `/v1/traces`.
    pub endpoint: Url,
    /// `OTEL_SERVICE_NAME`.
    pub service: String,
}

/// All errors in the environment, one per line.
#[derive(Debug, thiserror::Error)]
#[error("the settings are invalid:\n  - {}", .0.join("\n  - "))]
pub struct SettingsFault(pub Vec<String>);

/// The raw environment: strings, without empty ones. One field per row of [`TABLE`].
#[derive(Debug, Default, Deserialize)]
struct Raw {
    api_token: Option<SecretString>,
    kimai_endpoint: Option<String>,
    api_token_file: Option<String>,
    kimai_require_https: Option<String>,
    mu_sparql_endpoint: Option<String>,
    default_mu_auth_scope: Option<String>,
    resource_base_uri: Option<String>,
    workspace_uri: Option<String>,
    kimai_account_service_homepage: Option<String>,
    import_hidden: Option<String>,
    kimai_description: Option<String>,
    import_relations: Option<String>,
    import_max_gone: Option<String>,
    fallback_sync_cron: Option<String>,
    sweep_days: Option<String>,
    sweep_max_deletions: Option<String>,
    sweep_max_tombstones: Option<String>,
    sweep_delete_orphans: Option<String>,
    sweep_grace: Option<String>,
    sync_exported: Option<String>,
    sync_at_start: Option<String>,
    check_at_start: Option<String>,
    data_dir: Option<String>,
    tz: Option<String>,
    host: Option<String>,
    port: Option<String>,
    ops_token: Option<SecretString>,
    ops_token_file: Option<String>,
    metrics_protected: Option<String>,
    kimai_concurrency: Option<String>,
    kimai_concurrency_min: Option<String>,
    debounce_ms: Option<String>,
    settle_recheck: Option<String>,
    kimai_list_max_rows: Option<String>,
    kimai_list_max_pages: Option<String>,
    run_time_limit: Option<String>,
    kimai_timeout: Option<String>,
    mu_sparql_timeout: Option<String>,
    mu_application_graph: Option<String>,
    log_level: Option<String>,
    log_format: Option<String>,
    log_sparql_all: Option<String>,
    log_sparql_queries: Option<String>,
    log_sparql_updates: Option<String>,
    otel_exporter_otlp_endpoint: Option<String>,
    otel_service_name: Option<String>,
}

impl Settings {
    /// Reads the environment of the process.
    pub fn from_env() -> Result<Self, SettingsFault> {
        Self::from_vars(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Only `PORT` from the environment, for a health check that needs nothing else.
    pub fn port_from_env() -> Result<Option<u16>, SettingsFault> {
        let mut check = Check::default();
        let given = variable("PORT");
        let port = given.as_ref().and_then(|_| check.number("PORT", given.as_ref(), 0, u16::MAX));
        if check.faults.is_empty() { Ok(port) } else { Err(SettingsFault(check.faults)) }
    }

    /// Only `OPS_TOKEN`, or the content of `OPS_TOKEN_FILE`, from the environment: for commands that call a running
    /// service.
    pub fn ops_token_from_env() -> Result<Option<SecretString>, SettingsFault> {
        let mut check = Check::default();
        let given = variable("OPS_TOKEN").map(SecretString::from);
        let token = check.ops_token(given.as_ref(), variable("OPS_TOKEN_FILE").as_ref());
        if check.faults.is_empty() { Ok(token) } else { Err(SettingsFault(check.faults)) }
    }

    /// Only `TZ` from the environment, for commands with days as arguments.
    pub fn zone_from_env() -> Result<TimeZone, SettingsFault> {
        let mut check = Check::default();
        let zone = check.zone(variable("TZ").as_ref());
        zone.ok_or(SettingsFault(check.faults))
    }

    /// Checks all given variables, and returns all errors together.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsFault> {
        // If a name is given twice, the last value counts.
        let given: BTreeMap<String, String> =
            vars.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        // The fields are plain strings, so envy never fails with a message that contains a value.
        let raw: Raw = envy::from_iter(given)
            .map_err(|_| SettingsFault(vec!["the environment cannot be read".into()]))?;
        let mut check = Check::default();
        let settings = Self::checked(&raw, &mut check);
        match settings {
            Some(settings) if check.faults.is_empty() => Ok(Self { warnings: check.warnings, ..settings }),
            _ => Err(SettingsFault(check.faults)),
        }
    }

    /// Checks every setting, then fails if there was any error.
    fn checked(raw: &Raw, check: &mut Check) -> Option<Self> {
        let kimai = check.kimai(raw);
        let triplestore = check.triplestore(raw);
        let base_uri = check.iri("RESOURCE_BASE_URI", raw.resource_base_uri.as_ref());
        let workspace = check.iri("WORKSPACE_URI", raw.workspace_uri.as_ref());
        let account_homepage =
            check.iri("KIMAI_ACCOUNT_SERVICE_HOMEPAGE", raw.kimai_account_service_homepage.as_ref());
        let import = check.import(raw);
        let cron = check.cron(raw.fallback_sync_cron.as_ref());
        let days = check.number("SWEEP_DAYS", raw.sweep_days.as_ref(), 1, 3660);
        let max_deletions =
            check.number("SWEEP_MAX_DELETIONS", raw.sweep_max_deletions.as_ref(), 0, 1_000_000);
        let max_tombstones =
            check.number("SWEEP_MAX_TOMBSTONES", raw.sweep_max_tombstones.as_ref(), 0, 1_000_000);
        let delete_orphans = check.truth("SWEEP_DELETE_ORPHANS", raw.sweep_delete_orphans.as_ref(), true);
        let grace = check.number("SWEEP_GRACE", raw.sweep_grace.as_ref(), 0, 7 * 24 * 60);
        let overwrite_exported =
            check.one_of("SYNC_EXPORTED", raw.sync_exported.as_ref(), [("keep", false), ("overwrite", true)]);
        let at_start = check.truth("SYNC_AT_START", raw.sync_at_start.as_ref(), true);
        let debounce = check.number("DEBOUNCE_MS", raw.debounce_ms.as_ref(), 0, 60_000);
        let recheck = check.recheck(raw.settle_recheck.as_ref());
        let run_limit = check.number("RUN_TIME_LIMIT", raw.run_time_limit.as_ref(), 1, 7 * 24 * 60);
        let check_at_start = check.truth("CHECK_AT_START", raw.check_at_start.as_ref(), true);
        let data_dir = check::text("DATA_DIR", raw.data_dir.as_ref()).into();
        let host = check.host(raw.host.as_ref());
        let port = raw.port.as_ref().and_then(|_| check.number("PORT", raw.port.as_ref(), 0, u16::MAX));
        let guard = check.guard(raw);
        let log = check.log(raw);
        let zone = check.zone(raw.tz.as_ref());
        let base_uri = base_uri?.trim_end_matches('/').to_owned();
        Some(Self {
            kimai: kimai?,
            triplestore: triplestore?,
            resources: ResourceSettings {
                base_uri,
                workspace: workspace?,
                account_homepage: account_homepage?,
            },
            import: import?,
            sweep: SweepSettings {
                cron,
                days: days?,
                limits: Limits {
                    max_deletions: max_deletions?,
                    max_tombstones: max_tombstones?,
                    delete_orphans,
                    grace: Duration::from_mins(grace?),
                    overwrite_exported: overwrite_exported?,
                },
                at_start,
            },
            server: ServerSettings { host, port },
            debounce: Duration::from_millis(debounce.unwrap_or_default()),
            recheck: recheck?,
            run_limit: Duration::from_mins(run_limit?),
            check_at_start,
            guard,
            data_dir,
            log,
            zone: zone?,
            warnings: Vec::new(),
        })
    }
}

/// A variable of the process's environment, unless it is empty.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name)?.into_string().ok().filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests;
