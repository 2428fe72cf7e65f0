//! `/login` and `/logout`: from the token to a session's cookie, and back.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use actix_web::web::{self, Bytes, Query};
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::Instant;
use tracing::info;

use super::sessions::LIFETIME;
use super::{CHALLENGE, Guard, Tried, page, place, seconds, session_ids};
use crate::http::problem::Problem;

/// What the cookie is called.
pub(super) const COOKIE_NAME: &str = "kimai-sync-session";

type Members = BTreeMap<String, String>;

/// `GET /login?next=…`: the form; on to `next` where nobody has to log in, or has already.
pub(super) async fn form(
    request: HttpRequest,
    query: Query<Members>,
    guard: web::Data<Guard>,
) -> HttpResponse {
    let next = next(&query);
    if guard.token.is_none() || guard.has_session(request.headers(), Instant::now()) {
        return to(&next);
    }
    html(StatusCode::OK, &next, None)
}

/// `POST /login` of `token` and `next`: 303 to `next` with a session's cookie, 401 or 429 with the form.
pub(super) async fn enter(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    guard: web::Data<Guard>,
) -> Result<HttpResponse, Problem> {
    let body = body.map_err(|fault| match fault.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(super::access::of("/login").most_bytes),
        _ => Problem::bad_request("The form did not arrive whole; send it again."),
    })?;
    // What cannot be read is not repeated: it may be the token.
    let members: Members = serde_urlencoded::from_bytes(&body)
        .map_err(|_| Problem::bad_request("The form cannot be read; it has the members token and next."))?;
    let next = next(&members);
    let given = members.get("token").map_or("", |token| token.trim());
    let now = Instant::now();
    match guard.try_token(given.as_bytes(), "/login", now) {
        Tried::Right if guard.token.is_none() => Ok(to(&next)),
        Tried::Right => {
            let id = guard
                .sessions
                .open(now)
                .map_err(|_| Problem::unavailable("The system gives no random numbers now; try again."))?;
            info!("Somebody logged in");
            let secure = request.connection_info().scheme() == "https";
            Ok(with_cookie(to(&next), &cookie(&id, LIFETIME.as_secs(), secure)))
        }
        Tried::Wrong => {
            let mut answer = html(StatusCode::UNAUTHORIZED, &next, Some("That is not the token. Try again."));
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            Ok(answer)
        }
        Tried::TooMany(pause) => {
            let fault = "Too many wrong tokens were sent. Wait a few seconds.";
            let mut answer = html(StatusCode::TOO_MANY_REQUESTS, &next, Some(fault));
            answer.headers_mut().insert(RETRY_AFTER, seconds(pause));
            Ok(answer)
        }
    }
}

/// `POST /logout`: ends the session; 303 to the form.
pub(super) async fn leave(request: HttpRequest, guard: web::Data<Guard>) -> HttpResponse {
    for id in session_ids(request.headers()) {
        guard.sessions.close(id);
    }
    let secure = request.connection_info().scheme() == "https";
    with_cookie(to("/login"), &cookie("", 0, secure))
}

fn next(members: &Members) -> String {
    members.get("next").map_or_else(|| place::HOME.to_owned(), |asked| place::local(asked))
}

/// `Secure` where the browser came over https, which the proxy that ends it tells: over http the browser
/// would not send such a cookie back.
fn cookie(id: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn with_cookie(mut answer: HttpResponse, cookie: &str) -> HttpResponse {
    if let Ok(mut value) = HeaderValue::from_str(cookie) {
        value.set_sensitive(true);
        answer.headers_mut().insert(SET_COOKIE, value);
    }
    answer
}

fn to(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}

fn html(status: StatusCode, next: &str, fault: Option<&str>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(page::login(next, fault).into_string())
}
