//! Sends malformed requests to every route, through the authorization: each gets a response, and none panics.

use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{App, web};
use tokio_util::sync::CancellationToken;

use super::auth::{self, Guard};
use super::{configure, sparql, testing};
use crate::fuzz::{Inputs, Watched};
use crate::settings::GuardSettings;
use crate::store::sqlite::Storage;
use crate::triplestore::embedded::Embedded;

/// An input is a method, a path, a media type, cookies and a body, a line each.
#[tokio::test]
async fn requests() {
    let store = Embedded::in_memory().unwrap();
    let state = testing::state(Storage::in_memory().unwrap(), &store, &CancellationToken::new());
    let guard = web::Data::new(Guard::new(&GuardSettings { token: None, metrics: false }, crate::ui::login));
    let app = App::new().app_data(guard).wrap(from_fn(auth::pass)).app_data(web::Data::new(store));
    let app = init_service(app.configure(sparql::configure).configure(configure(state))).await;
    for input in Inputs::of("http") {
        let _watched = Watched::new(&input);
        let mut parts = input.splitn(5, |byte| *byte == b'\n');
        let mut part = || parts.next().unwrap_or_default();
        let (method, path, media_type, cookies, body) = (part(), part(), part(), part(), part().to_vec());
        let path = String::from_utf8_lossy(path).into_owned();
        // What is no path or header never comes this far.
        if path.parse::<actix_web::http::Uri>().is_err() || !path.starts_with('/') || path.contains("events")
        {
            continue;
        }
        let method = Method::from_bytes(method).unwrap_or(Method::POST);
        let mut request = TestRequest::with_uri(&path).method(method).set_payload(body);
        for (name, value) in [(CONTENT_TYPE, media_type), (ACCEPT, media_type), (COOKIE, cookies)] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                request = request.insert_header((name, value));
            }
        }
        if let Ok(answer) = try_call_service(&app, request.to_request()).await {
            assert_ne!(answer.status().as_u16(), 500, "{path}");
        }
    }
}
