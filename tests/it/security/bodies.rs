//! Bodies that do not come: whoever sends half of one locks nobody out.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::stack::{Stack, delta};

/// As many as the service has places for.
const ALL: usize = 1024;

/// A connection from `address`, one of this machine's own.
async fn connect(stack: &Stack, address: [u8; 4]) -> TcpStream {
    let to: SocketAddr = stack.base.trim_start_matches("http://").parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::from(address), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// What is answered up to the end of the connection, or as soon as there is a head and `whole` is not asked for.
async fn asked(mut socket: TcpStream, request: &str, whole: bool) -> String {
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match socket.read(&mut piece).await {
            Ok(read) if read > 0 => answer.extend_from_slice(&piece[..read]),
            _ => break,
        }
        if !whole {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// 1 024 half-sent deltas: probes and the stack's own deltas are answered all the while.
#[tokio::test(flavor = "multi_thread")]
async fn half_sent_bodies_lock_nobody_out() {
    let stack = Stack::embedded(&[]).await;
    let mut held = Vec::new();
    for _ in 0..ALL {
        let mut socket = connect(&stack, [127, 0, 0, 1]).await;
        socket
            .write_all(b"POST /delta HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n[")
            .await
            .unwrap();
        held.push(socket);
    }
    let work_log = stack.register("A", "2024-09-02", "PT1H").await;
    let body = delta(&[&work_log]).to_string();
    let told = format!("POST /delta HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for (request, status) in [("GET /live HTTP/1.1\r\nhost: x\r\n\r\n", "200"), (&told, "204")] {
        let began = Instant::now();
        let answer = asked(connect(&stack, [127, 0, 0, 2]).await, request, false).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(9), "it took {:?}", began.elapsed());
    }
    // Those who hold them are told why, and the places are free again.
    let answer = asked(held.remove(0), "", true).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("connection: close") && answer.contains("did not arrive in time"), "{answer}");
    drop(held);
    stack.quiet().await;
    assert_eq!(stack.timesheets().len(), 1);
}

/// Each route that takes a body, and those that take none.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_waits_for_a_body_that_does_not_come() {
    let stack = Stack::embedded(&[]).await;
    let routes = [
        "POST /delta",
        "POST /sparql",
        "POST /timesheets/lock",
        "POST /login",
        "POST /do/retry",
        "GET /live",
        "POST /nope",
    ];
    let asked = routes.map(|route| {
        let stack = &stack;
        async move {
            let form = "content-type: application/x-www-form-urlencoded";
            let request = format!("{route} HTTP/1.1\r\nhost: x\r\n{form}\r\ncontent-length: 3000\r\n\r\nx");
            let began = Instant::now();
            let answer = asked(connect(stack, [127, 0, 0, 1]).await, &request, true).await;
            (route, answer, began.elapsed())
        }
    });
    for (route, answer, taken) in futures_util::future::join_all(asked).await {
        assert!(answer.starts_with("HTTP/1.1 "), "{route}: {answer}");
        assert!(taken < Duration::from_secs(20), "{route} took {taken:?}");
    }
}
