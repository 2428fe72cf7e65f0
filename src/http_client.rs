//! The HTTP client for the triplestore and Kimai.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, InvalidHeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

/// The time limit for connecting, regardless of the limit of the call.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// The settings of every outgoing call: `time_limit` from the start to the last byte of the answer, no redirects (a
/// POST would become a GET), no retries, and no proxy from the environment.
///
/// # Assumptions
/// `build()` reads the system's root certificates and fails if there are none, even for `http://`: an image needs the
/// package `ca-certificates`.
pub fn client_builder(time_limit: Duration) -> reqwest::ClientBuilder {
    install_provider();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT.min(time_limit))
        .timeout(time_limit)
        .redirect(reqwest::redirect::Policy::none())
        // A repeated POST could book a day twice: callers decide about retries.
        .retry(reqwest::retry::never())
        .no_proxy()
        .user_agent(concat!("kimai-sync/", env!("CARGO_PKG_VERSION")))
}

/// The headers of a client that sends this token, if any, with every call.
pub fn bearer(token: Option<&SecretString>) -> Result<HeaderMap, InvalidHeaderValue> {
    let value = token.map(|token| {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))?;
        value.set_sensitive(true);
        Ok((AUTHORIZATION, value))
    });
    Ok(value.transpose()?.into_iter().collect())
}

/// Installs ring as the crypto provider of the process. Cheap to call again.
fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Fails only if the process has a provider already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// The error of a call with all its causes, without the URL (it may contain a password).
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_can_be_built_twice_and_says_why_it_failed() {
        for _ in 0..2 {
            let client = client_builder(Duration::from_secs(5)).build().expect("system root certificates");
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let closed = listener.local_addr().expect("an address");
            drop(listener);
            let error = client.get(format!("http://user:secret@{closed}/")).send().await.expect_err("closed");
            let words = explain(error);
            assert!(words.contains("refused"), "{words}");
            assert!(!words.contains("secret"), "{words}");
        }
    }
}
