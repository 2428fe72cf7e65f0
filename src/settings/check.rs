//! Validates the settings, with a message for each invalid one.

use std::net::IpAddr;
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use sophia::iri::Iri;

use super::table::{default, meaning};
use super::{
    Description, ImportSettings, KimaiSettings, ListLimits, LogSettings, Raw, Relations, TraceSettings,
    TriplestoreSettings,
};
use crate::domain::CronPattern;

/// Collects errors and warnings.
#[derive(Default)]
pub(super) struct Check {
    pub(super) faults: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Parses filters without regular expressions: field values are compared literally, since a pattern of some hundred
/// characters can take minutes to compile.
pub(crate) fn filter_builder() -> tracing_subscriber::filter::Builder {
    tracing_subscriber::EnvFilter::builder().with_regex(false)
}

/// The longest `LOG_LEVEL`, in bytes.
const LONGEST_FILTER: usize = 500;

impl Check {
    /// Reports that `name` cannot be `value`, and which values are valid.
    pub(super) fn fault(&mut self, name: &str, value: &str) {
        self.faults.push(format!("{name} is '{value}'; expected {}", meaning(name)));
    }

    pub(super) fn kimai(&mut self, raw: &Raw) -> Option<KimaiSettings> {
        let token = self.secret("API_TOKEN", raw.api_token.as_ref(), raw.api_token_file.as_ref());
        if raw.api_token.is_none() && raw.api_token_file.is_none() {
            self.faults.push(format!("API_TOKEN is missing; set it to {}", meaning("API_TOKEN")));
        }
        if raw.kimai_endpoint.is_none() {
            self.faults.push(format!("KIMAI_ENDPOINT is missing; set it to {}", meaning("KIMAI_ENDPOINT")));
        }
        let endpoint = raw.kimai_endpoint.as_ref().and_then(|text| self.url("KIMAI_ENDPOINT", text));
        let most = self.number("KIMAI_CONCURRENCY", raw.kimai_concurrency.as_ref(), 1, 64);
        let highest = most.unwrap_or(64);
        let least = self.number("KIMAI_CONCURRENCY_MIN", raw.kimai_concurrency_min.as_ref(), 1, highest);
        let time_limit =
            self.number("KIMAI_TIMEOUT", raw.kimai_timeout.as_ref(), 1, 3600).map(Duration::from_secs);
        if raw.kimai_endpoint.as_ref().is_some_and(|text| text.ends_with('/')) {
            self.warnings.push("KIMAI_ENDPOINT should not end with a slash; the slash is ignored".into());
        }
        let https = self.truth("KIMAI_REQUIRE_HTTPS", raw.kimai_require_https.as_ref(), false);
        if endpoint.as_ref().is_some_and(|url| url.scheme() == "http" && !is_loopback(url)) {
            let risk = "KIMAI_ENDPOINT is not https: the API token is sent unencrypted";
            if https {
                self.faults.push(format!(
                    "{risk}, and KIMAI_REQUIRE_HTTPS is true; use an address that begins with https://"
                ));
            } else {
                self.warnings.push(risk.into());
            }
        }
        let rows = self.number("KIMAI_LIST_MAX_ROWS", raw.kimai_list_max_rows.as_ref(), 500, 100_000_000);
        let pages = self.number("KIMAI_LIST_MAX_PAGES", raw.kimai_list_max_pages.as_ref(), 1, 1_000_000);
        let description = match text("KIMAI_DESCRIPTION", raw.kimai_description.as_ref()).as_str() {
            "keep" => Some(Description::Keep),
            "note" => Some(Description::Note),
            other => {
                self.fault("KIMAI_DESCRIPTION", other);
                None
            }
        };
        let import_hidden = self.truth("IMPORT_HIDDEN", raw.import_hidden.as_ref(), false);
        Some(KimaiSettings {
            endpoint: endpoint?,
            token: token?,
            concurrency: least?..=most?,
            time_limit: time_limit?,
            description: description?,
            import_hidden,
            list: ListLimits { rows: rows?, pages: pages? },
        })
    }

    pub(super) fn import(&mut self, raw: &Raw) -> Option<ImportSettings> {
        let text = text("IMPORT_RELATIONS", raw.import_relations.as_ref());
        let relations = match text.as_str() {
            "follow" => Some(Relations::Follow),
            "keep" => Some(Relations::Keep),
            _ => None,
        };
        if relations.is_none() {
            self.fault("IMPORT_RELATIONS", &text);
        }
        let max_gone = self.number("IMPORT_MAX_GONE", raw.import_max_gone.as_ref(), 0, 1_000_000);
        Some(ImportSettings { relations: relations?, max_gone: max_gone? })
    }

    pub(super) fn triplestore(&mut self, raw: &Raw) -> Option<TriplestoreSettings> {
        let endpoint = text("MU_SPARQL_ENDPOINT", raw.mu_sparql_endpoint.as_ref());
        let endpoint = self.url("MU_SPARQL_ENDPOINT", &endpoint);
        let log_all = self.truth("LOG_SPARQL_ALL", raw.log_sparql_all.as_ref(), false);
        let time_limit = self.number("MU_SPARQL_TIMEOUT", raw.mu_sparql_timeout.as_ref(), 1, 3600);
        let scope = raw.default_mu_auth_scope.as_ref().map(|scope| scope.trim().to_owned());
        if scope.as_ref().is_some_and(|scope| !scope.bytes().all(|byte| byte.is_ascii_graphic())) {
            self.fault("DEFAULT_MU_AUTH_SCOPE", scope.as_deref().unwrap_or_default());
        }
        Some(TriplestoreSettings {
            endpoint: endpoint?,
            scope,
            time_limit: Duration::from_secs(time_limit?),
            application_graph: self.iri("MU_APPLICATION_GRAPH", raw.mu_application_graph.as_ref())?,
            log_queries: self.truth("LOG_SPARQL_QUERIES", raw.log_sparql_queries.as_ref(), log_all),
            log_updates: self.truth("LOG_SPARQL_UPDATES", raw.log_sparql_updates.as_ref(), log_all),
        })
    }

    fn url(&mut self, name: &str, text: &str) -> Option<Url> {
        let url = Url::parse(text.trim().trim_end_matches('/')).ok();
        // A password in the address would appear in messages.
        let url = url.filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && url.password().is_none()
        });
        if url.is_none() {
            let shown = if text.contains('@') { "(an address with credentials)" } else { text };
            self.fault(name, shown);
        }
        url
    }

    pub(super) fn iri(&mut self, name: &str, given: Option<&String>) -> Option<String> {
        let text = text(name, given);
        if Iri::new(text.as_str()).is_err() {
            self.fault(name, &text);
            return None;
        }
        Some(text)
    }

    pub(super) fn number<T: TryFrom<u64> + TryInto<u64> + Copy>(
        &mut self,
        name: &str,
        given: Option<&String>,
        least: u64,
        most: T,
    ) -> Option<T> {
        let text = text(name, given);
        let most: u64 = most.try_into().unwrap_or(u64::MAX);
        let number = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            self.faults.push(format!(
                "{name} is '{text}'; expected a number from {least} to {most}: {}",
                meaning(name)
            ));
        }
        number
    }

    /// Up to ten comma-separated pauses in whole seconds; only 0 for none.
    pub(super) fn recheck(&mut self, given: Option<&String>) -> Option<Vec<Duration>> {
        let text = text("SETTLE_RECHECK", given);
        let seconds: Option<Vec<u64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
        let pauses = seconds.and_then(|seconds| match seconds.as_slice() {
            [0] => Some(Vec::new()),
            some if some.len() <= 10 && some.iter().all(|second| (1..=3600).contains(second)) => {
                Some(some.iter().copied().map(Duration::from_secs).collect())
            }
            _ => None,
        });
        if pauses.is_none() {
            self.faults.push(format!(
                "SETTLE_RECHECK is '{text}'; expected up to ten numbers from 1 to 3600, or 0: {}",
                meaning("SETTLE_RECHECK")
            ));
        }
        pauses
    }

    /// Parsed as in the mu templates.
    pub(super) fn truth(&mut self, name: &str, given: Option<&String>, default: bool) -> bool {
        match given.map(|text| text.trim()) {
            None => default,
            Some("true" | "TRUE" | "1") => true,
            Some("false" | "FALSE" | "0") => false,
            Some(other) => {
                self.faults.push(format!("{name} is '{other}'; expected true or false: {}", meaning(name)));
                default
            }
        }
    }

    /// One of a few words, each with its meaning.
    pub(super) fn one_of<T: Copy, const N: usize>(
        &mut self,
        name: &str,
        given: Option<&String>,
        words: [(&str, T); N],
    ) -> Option<T> {
        let text = text(name, given);
        let found = words.iter().find(|(word, _)| *word == text.trim().to_ascii_lowercase());
        if found.is_none() {
            let words = words.map(|(word, _)| word).join(" or ");
            self.faults.push(format!("{name} is '{text}'; expected {words}: {}", meaning(name)));
        }
        found.map(|(_, meaning)| *meaning)
    }

    pub(super) fn cron(&mut self, given: Option<&String>) -> String {
        let text = text("FALLBACK_SYNC_CRON", given);
        if let Err(fault) = CronPattern::parse(&text) {
            self.faults.push(format!(
                "FALLBACK_SYNC_CRON is '{text}' ({fault}); expected {}",
                meaning("FALLBACK_SYNC_CRON")
            ));
        }
        text
    }

    pub(super) fn host(&mut self, given: Option<&String>) -> Option<IpAddr> {
        let text = given?.trim();
        let host = if text == "localhost" { Some(IpAddr::from([127, 0, 0, 1])) } else { text.parse().ok() };
        if host.is_none() {
            self.fault("HOST", text);
        }
        host
    }

    pub(super) fn log(&mut self, raw: &Raw) -> LogSettings {
        let format = text("LOG_FORMAT", raw.log_format.as_ref());
        if !matches!(format.as_str(), "text" | "json") {
            self.fault("LOG_FORMAT", &format);
        }
        let filter = text("LOG_LEVEL", raw.log_level.as_ref());
        if filter.len() > LONGEST_FILTER || filter_builder().parse(&filter).is_err() {
            self.fault("LOG_LEVEL", &filter);
        }
        let endpoint = raw.otel_exporter_otlp_endpoint.as_ref();
        let endpoint = endpoint.and_then(|text| self.url("OTEL_EXPORTER_OTLP_ENDPOINT", text));
        let service = text("OTEL_SERVICE_NAME", raw.otel_service_name.as_ref());
        let traces = endpoint.map(|endpoint| TraceSettings { endpoint, service });
        LogSettings { filter, json: format == "json", traces }
    }

    pub(super) fn zone(&mut self, given: Option<&String>) -> Option<TimeZone> {
        let text = text("TZ", given);
        let name = text.trim_start_matches(':'); // POSIX allows the colon
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            self.fault("TZ", &text);
        }
        zone
    }
}

/// The given value, otherwise the default.
pub(super) fn text(name: &str, given: Option<&String>) -> String {
    given.map_or_else(|| default(name).to_owned(), |text| text.trim().to_owned())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}
