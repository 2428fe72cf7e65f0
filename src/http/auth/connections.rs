//! Limits the connections per address, so that some are always left for others.
//!
//! No connection is refused, since bursts of deltas come from one address too. But a connection beyond the limit has to
//! be quick: it gets one second for its request and for each pause in the body, and is closed after the response.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Shutdown, TcpStream as Socket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::rt;
use actix_web::rt::net::TcpStream;

use super::slow;

/// The time limit for the request of a connection beyond the limit, and for each pause in it.
const QUICK: Duration = Duration::from_secs(1);

/// The connections per address. Shared by all threads of the server; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

/// A connection, counted until it is dropped.
struct Connection {
    all: Connections,
    address: IpAddr,
    /// Whether it was beyond the limit when it was opened.
    beyond: bool,
    /// Whether it has carried a request.
    used: Arc<AtomicBool>,
}

impl Connections {
    /// With normal timeouts for up to `most` connections per address.
    pub(crate) fn new(most: usize) -> Self {
        Self { open: Arc::default(), most }
    }

    /// Counts a new connection until its end: `data` lives as long.
    pub(crate) fn opened(&self, connection: &dyn Any, data: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        let Ok(peer) = stream.peer_addr() else { return };
        let address = whole(peer.ip());
        let beyond = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let count = open.entry(address).or_default();
            *count += 1;
            *count > self.most
        };
        let used = Arc::new(AtomicBool::new(false));
        if beyond && let Ok(socket) = stream.as_fd().try_clone_to_owned() {
            let (socket, used) = (Socket::from(socket), Arc::clone(&used));
            rt::spawn(async move {
                rt::time::sleep(QUICK).await;
                if !used.load(Ordering::Relaxed) {
                    let _ = socket.shutdown(Shutdown::Both);
                }
            });
        }
        data.insert(Connection { all: self.clone(), address, beyond, used });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.all.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// The limits of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// The longest pause in a body.
    pub(super) pause: Duration,
    /// Whether it is closed after the response.
    pub(super) closes: bool,
}

/// The limits of the connection of `request`.
pub(super) fn terms(request: &ServiceRequest) -> Terms {
    let connection = request.request().conn_data::<Connection>();
    if let Some(connection) = connection {
        connection.used.store(true, Ordering::Relaxed);
    }
    let closes = connection.is_some_and(|connection| connection.beyond);
    Terms { pause: if closes { QUICK } else { slow::PAUSE }, closes }
}

/// The address for counting connections: with IPv6, one site has 2^64 addresses.
fn whole(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_written() {
        for (given, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ] {
            assert_eq!(whole(given.parse().unwrap()), counted.parse::<IpAddr>().unwrap(), "{given}");
        }
    }
}
