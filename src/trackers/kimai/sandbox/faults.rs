//! Faults that a test or the demo asks for: what a network, a proxy or a sick Kimai does.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::log::LoggedRequest;
use super::proxy::Proxy;

type Test = Arc<dyn Fn(&LoggedRequest) -> bool + Send + Sync>;

/// Which requests a fault befalls: all of a method and path, or some of them.
#[derive(Clone)]
pub struct When {
    method: String,
    path: String,
    skip: usize,
    times: usize,
    test: Option<Test>,
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} after {}, {} times", self.method, self.path, self.skip, self.times)
    }
}

impl When {
    /// The next request of that method and path, where a `*` stands for one part: `/api/timesheets/*`.
    pub fn next(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), skip: 0, times: 1, test: None }
    }

    /// Lets so many of them pass first, counting from now, also those that another fault befalls.
    #[must_use]
    pub fn after(mut self, passed: usize) -> Self {
        self.skip = passed;
        self
    }

    /// Befalls so many of them, not just one. `usize::MAX` is for ever.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Only those that pass this test; others are not counted.
    #[must_use]
    pub fn only(mut self, test: impl Fn(&LoggedRequest) -> bool + Send + Sync + 'static) -> Self {
        self.test = Some(Arc::new(test));
        self
    }

    fn fits(&self, request: &LoggedRequest) -> bool {
        request.is(&self.method, &self.path) && self.test.as_ref().is_none_or(|test| test(request))
    }
}

/// What befalls a request. Unless [`Fault::applied`] is asked for, Kimai never sees a request that gets
/// another answer or whose connection is cut; one that only has to wait is applied after it, even if the
/// client has hung up by then, as it is in a real Kimai.
#[derive(Debug, Clone)]
pub struct Fault {
    pub(super) applied: bool,
    pub(super) then: Then,
}

/// What happens instead of, or around, the true answer.
#[derive(Debug, Clone)]
pub(super) enum Then {
    Answer { status: u16, headers: Vec<(String, String)>, body: String },
    Cut,
    Tear,
    Wait(Duration),
    Hold(Gate),
    Proxy(Proxy),
}

impl Fault {
    /// Another answer: `Fault::answer(429).header("Retry-After", "2")`. Its body is empty.
    pub fn answer(status: u16) -> Self {
        Self { applied: false, then: Then::Answer { status, headers: Vec::new(), body: String::new() } }
    }

    /// The page nginx shows when there is no Kimai behind it.
    pub fn bad_gateway() -> Self {
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center>\
                    <h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
        Self::answer(502).header("Content-Type", "text/html").body(page)
    }

    /// What Kimai answers, to everything, while its database is away.
    pub fn database_down() -> Self {
        let body = r#"{"code":500,"message":"Internal Server Error"}"#;
        Self::answer(500)
            .header("Content-Type", "application/json")
            .header("Cache-Control", "no-cache, private")
            .header("Content-Language", "en")
            .header("Vary", "Accept")
            .body(body)
    }

    /// The connection is cut before the first byte of an answer.
    pub fn cut() -> Self {
        Self { applied: false, then: Then::Cut }
    }

    /// Half of the true answer arrives, then the connection is cut.
    pub fn torn() -> Self {
        Self { applied: true, then: Then::Tear }
    }

    /// The request waits so long.
    pub fn wait(pause: Duration) -> Self {
        Self { applied: false, then: Then::Wait(pause) }
    }

    /// The request waits until the gate is opened.
    pub fn hold(gate: &Gate) -> Self {
        Self { applied: false, then: Then::Hold(gate.clone()) }
    }

    /// The answer comes through a proxy that spoils it.
    pub fn through(proxy: Proxy) -> Self {
        Self { applied: false, then: Then::Proxy(proxy) }
    }

    /// Kimai applies the request first: what is lost or late is only its answer.
    #[must_use]
    pub fn applied(mut self) -> Self {
        self.applied = true;
        self
    }

    /// A header of another answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Then::Answer { headers, .. } = &mut self.then {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The body of another answer.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        if let Then::Answer { body, .. } = &mut self.then {
            text.clone_into(body);
        }
        self
    }
}

/// Holds a request until a test lets it go.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    reached: CancellationToken,
    open: CancellationToken,
}

impl Gate {
    /// Waits until a request stands before the gate.
    pub async fn reached(&self) {
        self.reached.cancelled().await;
    }

    /// Lets what stands before it, and all that come later, pass.
    pub fn open(&self) {
        self.open.cancel();
    }

    pub(super) async fn pass(&self) {
        self.reached.cancel();
        self.open.cancelled().await;
    }
}

/// The faults still to come.
#[derive(Debug, Default)]
pub(super) struct Script {
    queue: Vec<(When, Fault)>,
}

impl Script {
    pub(super) fn add(&mut self, when: When, fault: Fault) {
        self.queue.push((when, fault));
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    /// The first fault that befalls this request. Those that let it pass count it too.
    pub(super) fn strike(&mut self, request: &LoggedRequest) -> Option<Fault> {
        let mut struck = None;
        for (when, fault) in self.queue.iter_mut().filter(|(when, _)| when.fits(request)) {
            if when.skip > 0 {
                when.skip -= 1;
            } else if struck.is_none() && when.times > 0 {
                struck = Some(fault.clone());
                when.times = when.times.saturating_sub(usize::from(when.times != usize::MAX));
            }
        }
        self.queue.retain(|(when, _)| when.times > 0);
        struck
    }
}
