//! What people put into an environment, and what they are told.

use secrecy::ExposeSecret;

use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
    let minimal = [("API_TOKEN", "s3cret-token"), ("KIMAI_ENDPOINT", "https://kimai.example.com/api")];
    let mut all: std::collections::BTreeMap<_, _> = minimal.into_iter().collect();
    all.extend(vars.iter().copied());
    let vars = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Settings::from_vars(vars).map_err(|fault| fault.to_string())
}

#[test]
fn the_old_defaults_hold_and_an_empty_value_means_the_default() {
    for empty in [vec![], TABLE.iter().skip(2).map(|setting| (setting.name, "")).collect()] {
        let settings = read(&empty).unwrap();
        assert_eq!(settings.triplestore.endpoint.as_str(), "http://database:8890/sparql");
        assert_eq!(settings.triplestore.scope, None);
        assert_eq!(settings.resources.base_uri, "http://timekeeper.redpencil.io");
        assert_eq!(settings.resources.account_homepage, "http://kimai.redpencil.io");
        assert_eq!(settings.sweep.cron, "0 0 */2 * * *");
        assert_eq!(settings.data_dir.as_os_str(), "./data");
        assert_eq!((settings.server.host, settings.server.port), (None, None));
        assert_eq!((settings.kimai.concurrency, settings.kimai.time_limit.as_secs()), (1..=8, 30));
        assert!(!settings.triplestore.log_queries && !settings.triplestore.log_updates);
        assert_eq!(settings.zone, TimeZone::UTC);
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    }
}

#[test]
fn everything_wrong_is_named_at_once_with_what_to_put_there() {
    let fault = Settings::from_vars(
        [
            ("PORT", "eighty"),
            ("TZ", "Mars/Olympus"),
            ("KIMAI_CONCURRENCY", "0"),
            ("FALLBACK_SYNC_CRON", "often"),
            ("HOST", "here"),
            ("RESOURCE_BASE_URI", "timekeeper"),
            ("LOG_SPARQL_ALL", "maybe"),
            ("LOG_FORMAT", "xml"),
            ("MU_SPARQL_ENDPOINT", "database:8890"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    )
    .unwrap_err()
    .to_string();
    for wanted in [
        "API_TOKEN is missing; set it to the API token of the Kimai user",
        "KIMAI_ENDPOINT is missing; set it to the address of Kimai's API",
        "PORT is 'eighty'; expected a number from 0 to 65535",
        "TZ is 'Mars/Olympus'; expected the time zone in which work days begin, like Europe/Brussels",
        "KIMAI_CONCURRENCY is '0'; expected a number from 1 to 64",
        "FALLBACK_SYNC_CRON is 'often'",
        "HOST is 'here'",
        "RESOURCE_BASE_URI is 'timekeeper'",
        "LOG_SPARQL_ALL is 'maybe'; expected true or false",
        "LOG_FORMAT is 'xml'",
        "MU_SPARQL_ENDPOINT is 'database:8890'",
    ] {
        assert!(fault.contains(wanted), "{wanted:?} is not in:\n{fault}");
    }
}

#[test]
fn the_token_is_in_no_output_of_the_settings() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.kimai.token.expose_secret(), "s3cret-token");
    assert!(!format!("{settings:?}").contains("s3cret"));
    let broken = read(&[("API_TOKEN", "s3cret token\n"), ("PORT", "x")]).unwrap_err();
    assert!(broken.contains("API_TOKEN") && !broken.contains("s3cret"), "{broken}");
    let password = read(&[("KIMAI_ENDPOINT", "https://jane:s3cret@kimai/api")]).unwrap_err();
    assert!(password.contains("KIMAI_ENDPOINT") && !password.contains("s3cret"), "{password}");
}

#[test]
fn what_is_risky_is_said() {
    let settings = read(&[("KIMAI_ENDPOINT", "http://kimai.example.com/api/")]).unwrap();
    assert_eq!(settings.kimai.endpoint.as_str(), "http://kimai.example.com/api");
    assert_eq!(settings.warnings.len(), 2, "{:?}", settings.warnings);
    assert!(read(&[("KIMAI_ENDPOINT", "http://127.0.0.1:8001/api")]).unwrap().warnings.is_empty());
}

#[test]
fn a_cron_pattern_may_have_five_or_six_fields() {
    for given in ["*/5 * * * *", "30 0 2 * * 1-5"] {
        assert_eq!(read(&[("FALLBACK_SYNC_CRON", given)]).unwrap().sweep.cron, given);
    }
}

#[test]
fn the_log_switches_of_queries_and_updates_override_the_common_one() {
    let settings = read(&[("LOG_SPARQL_ALL", "TRUE"), ("LOG_SPARQL_UPDATES", "0")]).unwrap();
    assert!(settings.triplestore.log_queries && !settings.triplestore.log_updates);
}

/// The file people copy says the same as the code.
#[test]
fn default_env_lists_every_setting_with_its_default_and_meaning() {
    let file = include_str!("../../config/default.env");
    let rows =
        TABLE.iter().map(|Setting { name, default, meaning }| format!("\n# {meaning}\n{name}={default}\n"));
    let wanted: Vec<String> = rows.collect();
    let (_, listed) = file.split_once("\n\n").expect("a header, an empty line, then the settings");
    assert_eq!(format!("\n{listed}"), wanted.concat());
}

/// So does its page of the documentation.
#[test]
fn the_documentation_lists_every_setting_with_its_default_and_meaning() {
    let page = include_str!("../../docs/settings.md");
    let (_, listed) = page.split_once("<!-- settings -->\n").expect("the start of the table");
    let (listed, _) = listed.split_once("<!-- /settings -->").expect("the end of the table");
    let rows = TABLE.iter().map(|Setting { name, default, meaning }| {
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        format!("| `{name}` | {default} | {meaning} |\n")
    });
    let header = "| setting | default | meaning |\n| --- | --- | --- |\n".to_owned();
    assert_eq!(listed, std::iter::once(header).chain(rows).collect::<String>());
}

/// Each row of the table is read, and nothing is read that has no row.
#[test]
fn the_table_and_the_fields_are_the_same() {
    let fields = format!("{:?}", Raw::default());
    let fields: Vec<String> = fields
        .trim_start_matches("Raw { ")
        .trim_end_matches(" }")
        .split(", ")
        .map(|field| field.split(':').next().unwrap().to_uppercase())
        .collect();
    let names: Vec<&str> = TABLE.iter().map(|setting| setting.name).collect();
    assert_eq!(fields, names);
    assert!(names.iter().all(|name| help().contains(name)));
}

#[test]
fn looks_after_a_delta_are_seconds_one_after_the_other_or_none() {
    let seconds = |text| {
        let settings = read(&[("SETTLE_RECHECK", text)])?;
        Ok::<_, String>(settings.recheck.iter().map(std::time::Duration::as_secs).collect::<Vec<_>>())
    };
    for (text, wanted) in [("", vec![5, 30]), ("0", vec![]), ("1", vec![1]), (" 2, 3600 ", vec![2, 3600])] {
        assert_eq!(seconds(text), Ok(wanted), "{text}");
    }
    for text in ["5,0", "-1", "5;30", "3601", "5,", "1.5", "1,2,3,4,5,6,7,8,9,10,11"] {
        let fault = seconds(text).unwrap_err();
        assert!(fault.contains("SETTLE_RECHECK is ") && fault.contains("numbers from 1 to 3600"), "{fault}");
    }
}
