//! Refuses compressed bodies: no client in a mu stack sends them, and their uncompressed size has no limit.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};

use super::problem::Problem;

/// How a gzip body begins.
pub(super) const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Why a body with these headers is refused, if it is.
pub(super) fn refused(headers: &HeaderMap) -> Option<Problem> {
    let codings = headers.get_all(CONTENT_ENCODING).filter_map(|value| value.to_str().ok());
    let mut codings = codings.flat_map(|codings| codings.split(',')).map(str::trim);
    let coding = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))?;
    Some(unsupported(coding))
}

/// The error for a body in this coding.
pub(super) fn unsupported(coding: &str) -> Problem {
    let coding: String = coding.chars().filter(char::is_ascii_graphic).take(40).collect();
    let detail =
        format!("The body is compressed ({coding}). Send it uncompressed, without Content-Encoding.");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Request refused", detail)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_a_body_as_it_is_is_read() {
        let table = [
            (vec![], false),
            (vec!["identity"], false),
            (vec![""], false),
            (vec!["gzip"], true),
            (vec!["identity, br"], true),
            (vec!["identity", "deflate"], true),
        ];
        for (codings, wanted) in table {
            let mut headers = HeaderMap::new();
            for coding in &codings {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            assert_eq!(refused(&headers).is_some(), wanted, "{codings:?}");
        }
    }
}
