//! Compares tokens in constant time.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

/// A digest; sessions and the token are stored as digests.
pub(super) type Kept = [u8; 32];

/// The digest of a secret.
pub(super) fn kept(secret: &[u8]) -> Kept {
    Sha256::digest(secret).into()
}

/// `OPS_TOKEN`. Digests are compared, so that timing reveals neither a common prefix nor the length.
pub(super) struct Token(Kept);

impl Token {
    pub(super) fn new(token: &SecretString) -> Self {
        Self(kept(token.expose_secret().as_bytes()))
    }

    /// Whether `given` is the token.
    pub(super) fn matches(&self, given: &[u8]) -> bool {
        kept(given).ct_eq(&self.0).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OURS: &str = "0123456789abcdef0123456789abcdef";

    proptest! {
        #[test]
        fn nothing_but_the_token_is_the_token(given in prop_oneof![any::<Vec<u8>>(), "[0-9a-f]{31,33}".prop_map(String::into_bytes)]) {
            let token = Token::new(&OURS.into());
            prop_assert_eq!(token.matches(&given), given == OURS.as_bytes());
        }
    }

    #[test]
    fn beginnings_and_longer_texts_are_not_the_token() {
        let token = Token::new(&OURS.into());
        assert!(token.matches(OURS.as_bytes()));
        for cut in 0..OURS.len() {
            assert!(!token.matches(&OURS.as_bytes()[..cut]));
        }
        assert!(!token.matches(format!("{OURS}0").as_bytes()));
        assert!(!token.matches(OURS.to_uppercase().as_bytes()));
        assert_eq!(format!("{token:?}"), "[REDACTED]");
    }
}
