//! Who comes in, and what everybody else is told.

use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, SET_COOKIE};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};

use super::sessions::LIFETIME;
use super::*;
use crate::http::problem::JSON_API;

const TOKEN: &str = "0123456789abcdef-the-right-one";

/// An app behind a guard with this token. A macro, since actix-web does not name what it takes.
macro_rules! app {
    ($token:expr, $metrics:expr) => {
        init_service(
            App::new()
                .app_data(guard($token, $metrics))
                .app_data(web::PayloadConfig::new(usize::MAX))
                .wrap(from_fn(pass))
                .configure(logins)
                .route("/updates", web::get().to(kept))
                .route("/nope", web::to(HttpResponse::NotFound))
                .default_service(web::to(here)),
        )
        .await
    };
}

fn logins(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/login").route(web::get().to(login::form)).route(web::post().to(login::enter)),
        )
        .route("/logout", web::post().to(login::leave));
}

fn guard(token: Option<&str>, metrics: bool) -> web::Data<Guard> {
    web::Data::new(Guard::new(&GuardSettings { token: token.map(Into::into), metrics }, crate::ui::login))
}

async fn here(body: web::Bytes) -> String {
    format!("{} bytes", body.len())
}

async fn kept() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-cache")).finish()
}

fn header<'a>(answer: &'a ServiceResponse<impl MessageBody>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn with_token(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((AUTHORIZATION, format!("Bearer {token}")))
}

fn log_in(token: &str, next: &str) -> TestRequest {
    TestRequest::post().uri("/login").set_form([("token", token), ("next", next)])
}

/// The cookie of a login, as a browser sends it back.
fn cookie_of(answer: &ServiceResponse<impl MessageBody>) -> String {
    header(answer, "set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn without_a_token_everybody_may_as_before() {
    let app = app!(None, false);
    for path in ["/", "/delta", "/queue", "/sparql", "/metrics", "/assets/style.css"] {
        assert_eq!(
            call_service(&app, TestRequest::get().uri(path).to_request()).await.status(),
            200,
            "{path}"
        );
    }
    let login = call_service(&app, TestRequest::get().uri("/login?next=/runs").to_request()).await;
    assert_eq!(
        (login.status().as_u16(), header(&login, "location")),
        (303, "/runs"),
        "there is nothing to log in to"
    );
    let login = call_service(&app, log_in("anything", "/runs").to_request()).await;
    assert_eq!((login.status().as_u16(), header(&login, "set-cookie")), (303, ""));
}

#[tokio::test(start_paused = true)]
async fn with_a_token_only_what_is_listed_is_open() {
    let app = app!(Some(TOKEN), true);
    for path in ["/delta", "/live", "/ready", "/assets/style.css", "/login"] {
        assert_eq!(
            call_service(&app, TestRequest::get().uri(path).to_request()).await.status(),
            200,
            "{path}"
        );
    }
    for path in [
        "/",
        "/queue",
        "/runs/1/events",
        "/sparql?query=ASK%7B%7D",
        "/metrics",
        "/docs",
        "/nothing",
        "/%6Cive",
    ] {
        for (name, request, status) in [
            ("none", TestRequest::get(), 401),
            ("wrong", with_token(TestRequest::get(), "0123456789abcdef-the-wrong-one"), 401),
            ("basic", TestRequest::get().insert_header((AUTHORIZATION, format!("Basic {TOKEN}"))), 401),
            (
                "cookie",
                TestRequest::get().insert_header((COOKIE, format!("kimai-sync-session={TOKEN}"))),
                401,
            ),
            ("right", with_token(TestRequest::get(), TOKEN), 200),
            ("case", TestRequest::get().insert_header((AUTHORIZATION, format!("bearer  {TOKEN}"))), 200),
        ] {
            // A minute, for the budget of wrong tokens to be whole.
            tokio::time::advance(Duration::from_mins(1)).await;
            let answer = call_service(&app, request.uri(path).to_request()).await;
            assert_eq!(answer.status().as_u16(), status, "{path} {name}");
            if status == 401 {
                assert_eq!(header(&answer, "www-authenticate"), CHALLENGE);
                assert_eq!(header(&answer, "content-type"), JSON_API);
                let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
                assert!(body.contains("OPS_TOKEN") && !body.contains(TOKEN), "{body}");
            }
        }
    }
    let open = app!(Some(TOKEN), false);
    assert_eq!(call_service(&open, TestRequest::get().uri("/metrics").to_request()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_browser_is_led_to_the_login_and_back() {
    let app = app!(Some(TOKEN), false);
    let browser =
        |request: TestRequest| request.insert_header((ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8"));
    for (request, place) in [
        (
            TestRequest::get().uri("/runs/1?filter[kind]=orphan&x=1"),
            "/login?next=%2Fruns%2F1%3Ffilter%5Bkind%5D%3Dorphan%26x%3D1",
        ),
        (TestRequest::get().uri("//evil.example"), "/login?next=%2F"),
        (TestRequest::post().uri("/do/retry"), "/login?next=%2F"),
    ] {
        let answer = call_service(&app, browser(request).to_request()).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "location")), (303, place));
    }
    let form =
        call_service(&app, TestRequest::get().uri("/login?next=/runs/1%3Fx=%22%3E%3Cscript%3E").to_request())
            .await;
    assert_eq!((form.status().as_u16(), header(&form, "content-type")), (200, "text/html; charset=utf-8"));
    let form = String::from_utf8(read_body(form).await.to_vec()).unwrap();
    assert!(form.contains(r#"name="next" value="/runs/1?x=%22%3E%3Cscript%3E""#), "{form}");
    assert!(!form.contains("<script") && !form.contains("style="), "{form}");

    let entered = call_service(&app, log_in(&format!(" {TOKEN} "), "/runs/1?x=1").to_request()).await;
    assert_eq!((entered.status().as_u16(), header(&entered, "location")), (303, "/runs/1?x=1"));
    let cookie = header(&entered, "set-cookie");
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    assert!(!cookie.contains(TOKEN));

    let inside = |uri: &str| TestRequest::get().uri(uri).insert_header((COOKIE, format!("a=b; {pair}; c=d")));
    assert_eq!(call_service(&app, inside("/runs/1").to_request()).await.status(), 200);
    let again = call_service(&app, inside("/login?next=//evil.example").to_request()).await;
    assert_eq!((again.status().as_u16(), header(&again, "location")), (303, "/"), "is in already");
    tokio::time::advance(Duration::from_secs(LIFETIME.as_secs() - 1)).await;
    assert_eq!(call_service(&app, inside("/runs/1").to_request()).await.status(), 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(call_service(&app, inside("/runs/1").to_request()).await.status(), 401);
}

#[tokio::test(start_paused = true)]
async fn a_logout_ends_the_session_on_both_sides() {
    let app = app!(Some(TOKEN), false);
    let over_tls = |request: TestRequest| request.insert_header(("x-forwarded-proto", "https"));
    let entered = call_service(&app, over_tls(log_in(TOKEN, "")).to_request()).await;
    assert!(
        header(&entered, "set-cookie").ends_with("; SameSite=Strict; Secure"),
        "{}",
        header(&entered, "set-cookie")
    );
    assert_eq!(header(&entered, "location"), "/");
    let pair = cookie_of(&entered);
    let foreign = TestRequest::post()
        .uri("/logout")
        .insert_header((COOKIE, pair.as_str()))
        .insert_header(("origin", "http://evil.example"));
    assert_eq!(call_service(&app, foreign.to_request()).await.status(), 403);
    let inside = || TestRequest::default().uri("/logout").insert_header((COOKIE, pair.as_str()));
    let left = call_service(&app, over_tls(inside().method(Method::POST)).to_request()).await;
    assert_eq!((left.status().as_u16(), header(&left, "location")), (303, "/login"));
    assert_eq!(
        header(&left, "set-cookie"),
        "kimai-sync-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure"
    );
    assert_eq!(call_service(&app, inside().uri("/queue").to_request()).await.status(), 401);
}

/// A line a second for as long as anybody listens.
async fn told() -> HttpResponse {
    let lines = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::convert::Infallible>(web::Bytes::from_static(b"news")), ()))
    });
    HttpResponse::Ok().streaming(lines)
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_login_that_opened_it() {
    let guard = guard(Some(TOKEN), false);
    let app = init_service(
        App::new().app_data(guard).wrap(from_fn(pass)).configure(logins).route("/runs", web::get().to(told)),
    )
    .await;
    let pair = cookie_of(&call_service(&app, log_in(TOKEN, "/").to_request()).await);
    let by_login = TestRequest::get().uri("/runs").insert_header((COOKIE, pair.as_str()));
    let by_token = with_token(TestRequest::get().uri("/runs"), TOKEN).insert_header((COOKIE, pair.as_str()));
    let [mut by_login, mut by_token] =
        [call_service(&app, by_login.to_request()).await, call_service(&app, by_token.to_request()).await]
            .map(|answer| Box::pin(answer.into_body()));
    let mut next = async || {
        let login = std::future::poll_fn(|context| by_login.as_mut().poll_next(context)).await;
        let token = std::future::poll_fn(|context| by_token.as_mut().poll_next(context)).await;
        (login.is_some(), token.is_some())
    };
    assert_eq!(next().await, (true, true));
    let leave = TestRequest::post().uri("/logout").insert_header((COOKIE, pair.as_str()));
    call_service(&app, leave.to_request()).await;
    assert_eq!(next().await, (false, true));

    let pair = cookie_of(&call_service(&app, log_in(TOKEN, "/").to_request()).await);
    let expiring = TestRequest::get().uri("/runs").insert_header((COOKIE, pair.as_str()));
    let mut expiring = Box::pin(call_service(&app, expiring.to_request()).await.into_body());
    let mut next =
        async || std::future::poll_fn(|context| expiring.as_mut().poll_next(context)).await.is_some();
    assert!(next().await);
    tokio::time::advance(LIFETIME).await;
    assert!(!next().await, "a login that has expired keeps no page up to date");
}

#[tokio::test(start_paused = true)]
async fn many_wrong_tokens_are_slowed_down_and_never_keep_the_right_one_out() {
    let app = app!(Some(TOKEN), false);
    let mut told = Vec::new();
    for guess in 0..20 {
        let request = if guess % 2 == 0 {
            log_in("guess", "/")
        } else {
            with_token(TestRequest::get().uri("/queue"), "guess")
        };
        let answer = call_service(&app, request.to_request()).await;
        told.push((answer.status().as_u16(), header(&answer, "retry-after").to_owned()));
    }
    assert!(told[..10].iter().all(|answer| *answer == (401, String::new())), "{told:?}");
    assert!(told[10..].iter().all(|answer| *answer == (429, "1".to_owned())), "{told:?}");
    let right = call_service(&app, with_token(TestRequest::get().uri("/queue"), TOKEN).to_request()).await;
    assert_eq!(right.status(), 200);
    let entered = call_service(&app, log_in(TOKEN, "/").to_request()).await;
    assert_eq!(entered.status(), 303);
    let inside = TestRequest::get().uri("/queue").insert_header((COOKIE, cookie_of(&entered)));
    assert_eq!(call_service(&app, inside.to_request()).await.status(), 200);
    let nothing = call_service(&app, TestRequest::get().uri("/queue").to_request()).await;
    assert_eq!(nothing.status(), 401, "no token is no guess");
    tokio::time::advance(Duration::from_secs(1)).await;
    let request = with_token(TestRequest::get().uri("/queue"), "guess");
    assert_eq!(call_service(&app, request.to_request()).await.status(), 401);
}

#[tokio::test(start_paused = true)]
async fn pages_of_others_change_nothing_here_with_or_without_a_token() {
    for token in [None, Some(TOKEN)] {
        let app = app!(token, false);
        for path in [
            "/delta",
            "/queue/1/retry",
            "/sparql",
            "/login",
            "/logout",
            "/do/retry",
            "/timesheets/lock",
            "/nothing",
        ] {
            for (name, value) in [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("origin", "http://evil.example"),
                ("origin", "null"),
            ] {
                let request = with_token(TestRequest::post().uri(path), TOKEN)
                    .insert_header((HOST, "us:80"))
                    .insert_header((name, value));
                let answer = call_service(&app, request.to_request()).await;
                assert_eq!(
                    (answer.status().as_u16(), header(&answer, "content-type")),
                    (403, JSON_API),
                    "{path} {name}"
                );
            }
            for (name, value) in
                [("sec-fetch-site", "same-origin"), ("origin", "https://us:80"), ("user-agent", "curl")]
            {
                let request = with_token(TestRequest::post().uri(path), TOKEN)
                    .insert_header((HOST, "us:80"))
                    .insert_header((name, value));
                assert_ne!(call_service(&app, request.to_request()).await.status(), 403, "{path} {name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_keeps_browsers_strict() {
    let app = app!(Some(TOKEN), false);
    for (request, kept) in [
        (TestRequest::get().uri("/live"), "no-store"),
        (TestRequest::get().uri("/login"), "no-store"),
        (TestRequest::get().uri("/queue"), "no-store"),
        (with_token(TestRequest::get().uri("/queue"), TOKEN), "no-store"),
        (with_token(TestRequest::get().uri("/nope"), TOKEN), "no-store"),
        (with_token(TestRequest::get().uri("/updates"), TOKEN), "no-cache"),
        (TestRequest::post().uri("/queue").insert_header(("origin", "null")), "no-store"),
        (with_token(TestRequest::post().uri("/queue").set_payload(vec![b'x'; 20_000]), TOKEN), "no-store"),
        (TestRequest::get().uri("/assets/style.css"), ""),
    ] {
        let answer = call_service(&app, request.to_request()).await;
        let status = answer.status();
        for (name, wanted) in [
            ("content-security-policy", headers::POLICY),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", kept),
        ] {
            assert_eq!(header(&answer, name), wanted, "{status} {name}");
        }
    }
    assert!(!headers::POLICY.contains("unsafe") && !headers::POLICY.contains('*'));
}

#[tokio::test(start_paused = true)]
async fn no_body_is_larger_than_its_route_takes() {
    let app = app!(Some(TOKEN), false);
    for (path, most) in [
        ("/login", 4096),
        ("/queue/1/retry", 16_384),
        ("/timesheets/lock", 1_048_576),
        ("/live", 0),
        ("/metrics", 0),
    ] {
        for chunked in [false, true] {
            for (bytes, fits) in [(most, true), (most + 1, false)] {
                let mut request =
                    with_token(TestRequest::post().uri(path), TOKEN).set_payload(vec![b'x'; bytes]);
                request = if chunked {
                    request.insert_header(("transfer-encoding", "chunked"))
                } else {
                    request.insert_header(("content-length", bytes.to_string()))
                };
                let mut request = request.to_request();
                if chunked {
                    request.headers_mut().remove("content-length");
                }
                let answer = call_service(&app, request).await;
                assert_eq!(answer.status() != 413, fits, "{path} {bytes} {chunked}: {}", answer.status());
                if path == "/login" && !fits {
                    assert_eq!(answer.headers().get(CONTENT_TYPE).unwrap(), JSON_API);
                }
            }
        }
    }
    for length in ["-1", "99999999999999999999999999", "1, 2", "x"] {
        let request = TestRequest::post().uri("/login").insert_header(("content-length", length));
        assert_eq!(call_service(&app, request.to_request()).await.status(), 413, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_cannot_be_read_repeats_nothing() {
    let app = app!(Some(TOKEN), false);
    for body in [format!("token={TOKEN}%FF&next"), format!("{{\"token\":\"{TOKEN}\"}}"), String::new()] {
        let request = TestRequest::post().uri("/login").set_payload(body);
        let answer = call_service(&app, request.to_request()).await;
        assert!([400, 401].contains(&answer.status().as_u16()));
        assert!(answer.headers().get(SET_COOKIE).is_none());
        assert!(!String::from_utf8(read_body(answer).await.to_vec()).unwrap().contains(TOKEN));
    }
}
