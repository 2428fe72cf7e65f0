//! What was asked of the sandbox, so that a test can tell which calls were made.

use jiff::Timestamp;

/// One request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// `/api/timesheets/7`.
    pub path: String,
    /// What followed the `?`, still encoded.
    pub query: String,
    /// The body as text.
    pub body: String,
    /// When it came in, by the sandbox's clock.
    pub at: Timestamp,
    /// What it was answered; none while it is held, and for a connection that was cut.
    pub status: Option<u16>,
}

impl LoggedRequest {
    /// Whether it is of that method and path, where a `*` stands for one part: `/api/timesheets/*`.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && fits(path, &self.path)
    }
}

/// All requests so far, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests(pub Vec<LoggedRequest>);

impl Requests {
    /// Those of a method and path; `*` stands for one part of a path.
    pub fn of<'a>(&'a self, method: &'a str, path: &'a str) -> impl Iterator<Item = &'a LoggedRequest> {
        self.0.iter().filter(move |request| request.is(method, path))
    }

    /// How many of a method and path.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.of(method, path).count()
    }

    /// How many that are not GETs.
    pub fn writes(&self) -> usize {
        self.0.iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS")).count()
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut parts) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted == "*" || wanted == part => {}
            _ => return false,
        }
    }
}
