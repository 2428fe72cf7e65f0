//! Authorization for all endpoints: tokens, allowed origins and request limits.
//!
//! With `OPS_TOKEN`, every route that `access.rs` does not list as open needs that token, as `Authorization: Bearer …`
//! or as the cookie of a login at `/login`. With or without it, a browser may change something, or query `/sparql`,
//! only from our own pages; bodies are limited in size (`access.rs`) and time (`slow.rs`); and every response with a
//! body has security headers.

mod access;
mod body_limit;
mod connections;
mod headers;
pub(super) mod login;
mod origin;
mod redirect;
mod sessions;
mod slow;
mod stream;
mod throttle;
mod token;

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT, AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::web;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError as _};
use maud::Markup;
use tokio::time::Instant;
use tracing::warn;

use super::problem::Problem;
use crate::settings::GuardSettings;
use access::Access;
pub(crate) use connections::Connections;
use sessions::Sessions;
use throttle::Throttle;
use token::Token;

/// The challenge in a 401.
const CHALLENGE: &str = "Bearer realm=\"kimai-sync\"";

/// Renders the login page, given where it leads and the previous error, if any.
pub type LoginPage = fn(&str, Option<&str>) -> Markup;

/// The token and the sessions, shared by all threads of the server.
#[derive(Debug)]
pub struct Guard {
    token: Option<Token>,
    /// Whether `/metrics` requires the token too.
    metrics: bool,
    sessions: Sessions,
    throttle: Throttle,
    login_page: LoginPage,
}

/// The result of comparing a token.
enum Tried {
    Right,
    Wrong,
    /// Too many wrong tokens; the next one is accepted after this long.
    TooMany(Duration),
}

impl Guard {
    /// A guard with these settings and this login page.
    pub fn new(settings: &GuardSettings, login_page: LoginPage) -> Self {
        Self {
            token: settings.token.as_ref().map(Token::new),
            metrics: settings.metrics,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            login_page,
        }
    }

    /// Whether a token is set.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Compares a token with `OPS_TOKEN`. The right one is always accepted, however many wrong ones were sent before,
    /// so nobody can lock its owner out. Its length makes guessing hopeless.
    fn try_token(&self, given: &[u8], path: &str, now: Instant) -> Tried {
        if self.token.as_ref().is_none_or(|token| token.matches(given)) {
            return Tried::Right;
        }
        match self.throttle.take(now) {
            None => {
                warn!("A wrong OPS_TOKEN was sent to {path}");
                Tried::Wrong
            }
            Some(pause) => Tried::TooMany(pause),
        }
    }

    /// Nothing, or the response that refuses access.
    fn stop(&self, request: &ServiceRequest, access: Access, now: Instant) -> Option<HttpResponse> {
        let open = match access {
            Access::Stack | Access::Open => true,
            Access::Metrics => !self.metrics,
            Access::Guarded => false,
        };
        if open || self.token.is_none() {
            return None;
        }
        if let Some(given) = bearer(request.headers()) {
            return match self.try_token(given, request.path(), now) {
                Tried::Right => None,
                Tried::Wrong => Some(unauthorised("The token is not OPS_TOKEN.")),
                Tried::TooMany(pause) => Some(too_many(pause)),
            };
        }
        if self.has_session(request.headers(), now) {
            return None;
        }
        if is_browser(request.headers()) {
            return Some(to_login(request));
        }
        Some(unauthorised(
            "This requires the OPS_TOKEN of the service: send it as 'Authorization: Bearer …', or log in at /login.",
        ))
    }

    /// Whether the request has a session to log out of.
    pub(crate) fn is_logged_in(&self, request: &HttpRequest) -> bool {
        self.has_session(request.headers(), Instant::now())
    }

    fn has_session(&self, headers: &HeaderMap, now: Instant) -> bool {
        self.session(headers, now).is_some()
    }

    fn session<'a>(&self, headers: &'a HeaderMap, now: Instant) -> Option<&'a str> {
        session_ids(headers).find(|id| self.sessions.is_open(id, now))
    }

    /// The session that authorises a request without a token.
    fn login(&self, headers: &HeaderMap, now: Instant) -> Option<String> {
        self.token.as_ref().filter(|_| bearer(headers).is_none())?;
        self.session(headers, now).map(str::to_owned)
    }
}

/// Whether a route requires the token, if one is set.
pub(super) fn asks(path: &str) -> bool {
    access::of(path).access == Access::Guarded
}

/// Whether pages of other sites may not even read a route.
pub(super) fn reading_is_work(path: &str) -> bool {
    access::of(path).reading_is_work()
}

/// The middleware: passes a request on to its route, or refuses it.
pub async fn pass(
    guard: web::Data<Guard>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let row = access::of(request.path());
    let cached = row.may_be_kept();
    let terms = connections::terms(&request);
    let given_up = slow::bound(&mut request, terms.pause);
    let stopped = if origin::is_foreign(&request, row.reading_is_work()) {
        Some(foreign())
    } else {
        guard.stop(&request, row.access, Instant::now()).or_else(|| {
            body_limit::set(&mut request, row.most_bytes).err().map(|fault| fault.error_response())
        })
    };
    let login = guard.login(request.headers(), Instant::now());
    let mut answer = match stopped {
        Some(answer) => request.into_response(answer),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if given_up.get() {
        answer = answer.into_response(slow::refused().error_response());
    }
    if given_up.get() || terms.closes {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    if let Some(id) = login.filter(|_| row.access != Access::Open) {
        answer = answer.map_body(|_, body| stream::until_logout(body, guard, id));
    }
    let has_body = answer.status() != StatusCode::NO_CONTENT;
    headers::add(answer.headers_mut(), has_body, cached);
    Ok(answer)
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// The values of the cookies with our name.
fn session_ids(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == login::COOKIE_NAME).map(|(_, value)| value)
}

fn is_browser(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// Redirects a browser to the login, and from there to the original address. A form that was sent is lost.
fn to_login(request: &ServiceRequest) -> HttpResponse {
    let going = request.uri().path_and_query().map_or("/", |place| place.as_str());
    let next = if request.method().is_safe() { redirect::local(going) } else { redirect::HOME.to_owned() };
    let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
    HttpResponse::SeeOther().insert_header((LOCATION, format!("/login?{query}"))).finish()
}

fn unauthorised(detail: &str) -> HttpResponse {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, "Token required", detail);
    let mut answer = problem.error_response();
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    answer
}

fn too_many(pause: Duration) -> HttpResponse {
    let detail = "Too many wrong tokens were sent. The right one is the OPS_TOKEN of the service.";
    let mut answer =
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens", detail).error_response();
    answer.headers_mut().insert(RETRY_AFTER, seconds(pause));
    answer
}

/// For `Retry-After`: whole seconds, at least one.
fn seconds(pause: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(pause.as_millis().div_ceil(1000)).unwrap_or(1).max(1))
}

fn foreign() -> HttpResponse {
    let detail = "A page of another site made this request. Open this service's own page instead. A proxy in \
        front of the service must pass on the Host header, or use https.";
    Problem::new(StatusCode::FORBIDDEN, "Cross-site request refused", detail).error_response()
}

#[cfg(test)]
mod tests;
