//! The sandbox behind a real port.

use std::io;
use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use actix_web::web::{Bytes, Data, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures_util::{StreamExt, stream};

use super::Sandbox;
use super::answer::{Answer, Body};
use super::faults::{Fault, Then};
use super::log::LoggedRequest;
use super::request::Request;

/// The largest body taken, in bytes.
const LARGEST_BODY: usize = 4 << 20;

impl Sandbox {
    /// Takes every path of an actix app.
    pub fn configure(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::new(self.clone()))
            .app_data(web::PayloadConfig::new(LARGEST_BODY))
            .default_service(web::to(handle));
    }

    /// A server on that port, to be awaited; the API is under `/api`. Its `handle()` stops it. It starts
    /// one thread, no signals are caught, and requests that are still held are dropped at the end.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Server> {
        let sandbox = self.clone();
        let server = HttpServer::new(move || App::new().configure(|config| sandbox.configure(config)));
        Ok(server.workers(1).disable_signals().shutdown_timeout(0).listen(listener)?.run())
    }
}

async fn handle(sandbox: Data<Sandbox>, http: HttpRequest, body: Bytes) -> HttpResponse {
    let request = read(&http, &body);
    let (number, fault) = sandbox.receive(LoggedRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        at: sandbox.now(),
        status: None,
    });
    sandbox.work().await;
    let response = match fault {
        None => Some(write(sandbox.answer(&request))),
        Some(fault) => strike(&sandbox, &request, fault).await,
    };
    sandbox.answered(number, response.as_ref().map(|response| response.status().as_u16()));
    response.unwrap_or_else(cut)
}

/// Applies the request if the fault says so. `None` is a cut connection.
async fn strike(
    sandbox: &Sandbox,
    request: &Request,
    Fault { applied, then }: Fault,
) -> Option<HttpResponse> {
    let early = applied.then(|| sandbox.answer(request));
    match then {
        Then::Cut => return None,
        Then::Answer { status, headers, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut response = HttpResponse::build(status);
            for header in headers {
                response.append_header(header);
            }
            return Some(response.body(body));
        }
        Then::Tear => return Some(tear(early.unwrap_or_else(|| sandbox.answer(request)))),
        Then::Proxy(proxy) => return Some(write(proxy.pass(sandbox, request))),
        Then::Wait(pause) => tokio::time::sleep(pause).await,
        Then::Hold(gate) => gate.pass().await,
    }
    Some(write(early.unwrap_or_else(|| sandbox.answer(request))))
}

/// A body that fails before the head was sent makes actix drop the connection without a byte.
fn cut() -> HttpResponse {
    HttpResponse::Ok().streaming(stream::iter([Err::<Bytes, io::Error>(gone())]))
}

/// The head and half of the body are flushed before the stream fails.
fn tear(answer: Answer) -> HttpResponse {
    let body = match answer.body {
        Body::Json(body) => body.to_string(),
        Body::Html(page) => page,
        Body::None | Body::EmptyJson => String::new(),
    };
    let half = Bytes::copy_from_slice(body.as_bytes().get(..body.len() / 2).unwrap_or_default());
    let rest = stream::once(async {
        tokio::task::yield_now().await;
        Err(gone())
    });
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    HttpResponse::build(status)
        .content_type("application/json")
        .streaming(stream::iter([Ok(half)]).chain(rest))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "cut by the fault script")
}

fn read(http: &HttpRequest, body: &Bytes) -> Request {
    let header = |name: HeaderName| {
        // Not only ASCII: a token is whatever someone pasted.
        http.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Request {
        method: http.method().to_string(),
        path: http.path().to_owned(),
        query: http.query_string().to_owned(),
        host: header(HOST).unwrap_or_default(),
        origin: header(ORIGIN),
        authorization: header(AUTHORIZATION),
        legacy_login: http.headers().contains_key("x-auth-user"),
        content_type: header(CONTENT_TYPE),
        body: body.to_vec(),
    }
}

fn write(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if status != StatusCode::NO_CONTENT {
        response.append_header(("Content-Language", "en"));
    }
    for (name, value) in answer.headers {
        response.append_header((name, value));
    }
    match answer.body {
        Body::None => response.finish(),
        Body::EmptyJson => response.content_type("application/json").body(""),
        Body::Json(body) => response.content_type("application/json").body(body.to_string()),
        Body::Html(page) => response.content_type("text/html; charset=UTF-8").body(page),
    }
}
