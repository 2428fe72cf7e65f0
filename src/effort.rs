//! How thorough the tests are: a normal run takes minutes, and environment variables make them more thorough.

/// The number in the environment variable `name`.
#[expect(clippy::disallowed_methods, reason = "how much to try is no setting of the service")]
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}
