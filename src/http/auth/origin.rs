//! CSRF protection: refuses browser requests from pages of other sites, which would carry the user's cookies. Such a
//! page cannot forge `Sec-Fetch-Site` or `Origin`.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::http::uri::Authority;

/// Browsers send this header only to https and to localhost.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another origin makes this request, and it changes something or is expensive even to read. Clients
/// that are not browsers send neither header.
pub(super) fn is_foreign(request: &ServiceRequest, reading_is_work: bool) -> bool {
    let authority = request.uri().authority().map(Authority::as_str);
    (reading_is_work || changes(request.method())) && is_foreign_to(authority, request.headers())
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_foreign_to(authority: Option<&str>, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SITE).peekable();
    if sites.peek().is_some() {
        // The browser compared the origins itself, so a proxy that changes Host does not matter.
        return sites.any(|site| site != "same-origin" && site != "none");
    }
    let host = authority.or_else(|| headers.get(HOST)?.to_str().ok());
    headers.get_all(ORIGIN).any(|origin| !is_of(origin, host))
}

/// Whether `origin` belongs to `host`. The scheme is ignored, since TLS may end at a proxy.
fn is_of(origin: &HeaderValue, host: Option<&str>) -> bool {
    let origin = origin.to_str().ok().and_then(|text| Some(text.split_once("://")?.1));
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn who_may_change_something() {
        let us = "kimai-sync.example:8080";
        let table: [(&[(&str, &str)], bool); 19] = [
            (&[], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "")], true),
            (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://kimai-sync.example:8080")], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://public.example")], false),
            (&[("origin", "http://kimai-sync.example:8080")], false),
            (&[("origin", "https://KIMAI-sync.example:8080")], false),
            (&[("origin", "http://kimai-sync.example")], true),
            (&[("origin", "http://kimai-sync.example:80800")], true),
            (&[("origin", "http://evil.example")], true),
            (&[("origin", "http://evil.example/kimai-sync.example:8080")], true),
            (&[("origin", "http://kimai-sync.example:8080.evil.example")], true),
            (&[("origin", "http://kimai-sync.example:8080"), ("origin", "http://evil.example")], true),
            (&[("origin", "null")], true),
            (&[("origin", "")], true),
        ];
        for (headers, foreign) in table {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let mut request = TestRequest::default().method(method.clone()).insert_header((HOST, us));
                for header in headers {
                    request = request.append_header(*header);
                }
                assert_eq!(is_foreign(&request.to_srv_request(), false), foreign, "{method} {headers:?}");
            }
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            let request =
                TestRequest::default().method(method).insert_header(("sec-fetch-site", "cross-site"));
            let request = request.to_srv_request();
            assert!(!is_foreign(&request, false), "a link from elsewhere may be followed");
            assert!(is_foreign(&request, true), "but no query may be asked from there");
        }
    }
}
