//! `/login` and `/logout`: exchange the token for a session cookie, and end the session.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use actix_web::web::{self, Bytes, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::info;
use utoipa::{IntoParams, ToSchema};

use super::sessions::LIFETIME;
use super::{CHALLENGE, Guard, Tried, redirect, seconds, session_ids};
use crate::http::problem::Problem;
use crate::http::response::fault::{BadRequest, TooLarge, Unavailable};

/// The name of the cookie.
pub(in crate::http) const COOKIE_NAME: &str = "kimai-sync-session";

/// `GET /login`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the query is read by name; this says what is in it")]
struct Next {
    /// Where to redirect to; a path of this service.
    #[param(nullable = false, example = "/runs")]
    next: Option<String>,
}

/// `POST /login`.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "the form is read by name; this says what is in it")]
struct LoginBody {
    /// The `OPS_TOKEN`.
    #[schema(example = "the OPS_TOKEN")]
    token: String,
    /// Where to redirect to; a path of this service.
    #[schema(nullable = false, example = "/")]
    next: Option<String>,
}

type Members = BTreeMap<String, String>;

/// The login form
///
/// Redirects to `next` if no login is needed, or if the browser is logged in already.
#[utoipa::path(get, path = "/login", tag = "Login", operation_id = "loginForm", params(Next), responses(
    (status = 200, description = "The form.", body = String, content_type = "text/html"),
    (status = 303, description = "No login is needed.",
        headers(("Location" = String, description = "Where to continue."))),
    BadRequest,
))]
pub(in crate::http) async fn form(
    request: HttpRequest,
    query: Query<Members>,
    guard: web::Data<Guard>,
) -> HttpResponse {
    let next = next(&query);
    if guard.token.is_none() || guard.has_session(request.headers(), Instant::now()) {
        return to(&next);
    }
    html(&guard, StatusCode::OK, &next, None)
}

/// Logs a browser in
#[utoipa::path(post, path = "/login", tag = "Login", operation_id = "login",
    request_body(content = LoginBody, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Logged in, with a session cookie.", headers(
            ("Location" = String, description = "Where to continue."),
            ("Set-Cookie" = Option<String>, description = "The session, if OPS_TOKEN is set."),
        )),
        (status = 401, description = "Wrong token: the form again.", body = String,
            content_type = "text/html", headers(("WWW-Authenticate" = String, description = "`Bearer`."))),
        (status = 429, description = "Too many wrong tokens: the form again.", body = String,
            content_type = "text/html",
            headers(("Retry-After" = String, description = "After how many seconds to try again."))),
        BadRequest, TooLarge, Unavailable,
    ))]
pub(in crate::http) async fn enter(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    guard: web::Data<Guard>,
) -> Result<HttpResponse, Problem> {
    let body = body.map_err(|fault| match fault.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(super::access::LOGIN),
        _ => Problem::bad_request("The form did not arrive completely; send it again."),
    })?;
    // The input is not repeated in the error: it may be the token.
    let members: Members = serde_urlencoded::from_bytes(&body)
        .map_err(|_| Problem::bad_request("The form is invalid; its fields are token and next."))?;
    let next = next(&members);
    let given = members.get("token").map_or("", |token| token.trim());
    let now = Instant::now();
    match guard.try_token(given.as_bytes(), "/login", now) {
        Tried::Right if guard.token.is_none() => Ok(to(&next)),
        Tried::Right => {
            let id = guard.sessions.open(now).map_err(|_| {
                Problem::unavailable("The system has no random numbers at the moment; try again.")
            })?;
            info!("Somebody logged in");
            let secure = request.connection_info().scheme() == "https";
            Ok(with_cookie(to(&next), &cookie(&id, LIFETIME.as_secs(), secure)))
        }
        Tried::Wrong => {
            let mut answer = html(&guard, StatusCode::UNAUTHORIZED, &next, Some("Wrong token. Try again."));
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            Ok(answer)
        }
        Tried::TooMany(pause) => {
            let fault = "Too many wrong tokens. Wait a few seconds.";
            let mut answer = html(&guard, StatusCode::TOO_MANY_REQUESTS, &next, Some(fault));
            answer.headers_mut().insert(RETRY_AFTER, seconds(pause));
            Ok(answer)
        }
    }
}

/// Logs a browser out
#[utoipa::path(post, path = "/logout", tag = "Login", operation_id = "logout", responses(
    (status = 303, description = "Logged out.", headers(
        ("Location" = String, description = "The form."),
        ("Set-Cookie" = String, description = "Removes the session cookie."),
    )),
))]
pub(in crate::http) async fn leave(request: HttpRequest, guard: web::Data<Guard>) -> HttpResponse {
    for id in session_ids(request.headers()) {
        guard.sessions.close(id);
    }
    let secure = request.connection_info().scheme() == "https";
    with_cookie(to("/login"), &cookie("", 0, secure))
}

fn next(members: &Members) -> String {
    members.get("next").map_or_else(|| redirect::HOME.to_owned(), |asked| redirect::local(asked))
}

/// `Secure` if the browser uses https, according to the proxy that terminates it: over http the browser would not send
/// such a cookie back.
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

fn html(guard: &Guard, status: StatusCode, next: &str, fault: Option<&str>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body((guard.login_page)(next, fault).into_string())
}
