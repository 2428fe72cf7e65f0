//! The real program in a process of its own, and the load that it is put under.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::web::{self, Payload};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::{Context, bail, ensure};
use futures_util::StreamExt;
use kimai_sync::clock::Clock;
use kimai_sync::trackers::kimai::sandbox::{Role, Sandbox};
use kimai_sync::triplestore::embedded::Embedded;
use tempfile::TempDir;

use crate::stack::TOKEN;

/// What the program is started as to be a server that does nothing but read what comes.
pub(crate) const DRAIN: &str = "only-read-what-comes";
/// Threads of the server, as many as the service has.
const HTTP_THREADS: usize = 2;
/// How long a process gets to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Kimai and a triplestore for a program to talk to, on threads of this process.
pub(crate) struct Neighbours {
    kimai: String,
    store: String,
}

impl Neighbours {
    /// Starts both. They end with this process.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let kimai = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
        kimai.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move { kimai.serve(listener)?.await })
        });
        let store = web::Data::new(Embedded::in_memory()?);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = listener.local_addr()?;
        std::thread::spawn(move || {
            let routes = kimai_sync::http::sparql::configure;
            let server = HttpServer::new(move || App::new().app_data(store.clone()).configure(routes));
            let server = server.workers(1).disable_signals();
            actix_web::rt::System::new().block_on(async move { server.listen(listener)?.run().await })
        });
        Ok(Self { kimai: format!("http://{address}/api"), store: format!("http://{endpoint}/sparql") })
    }
}

/// A running process that listens. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer.
    pub(crate) started: Duration,
    /// Removed with it.
    data: Option<TempDir>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// `kimai-sync serve` with its queue in a new folder on disk.
    pub(crate) fn serve(neighbours: &Neighbours) -> anyhow::Result<Self> {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut program = Self::serve_in(neighbours, data.path())?;
        program.data = Some(data);
        Ok(program)
    }

    /// The same with a folder that there is.
    pub(crate) fn serve_in(neighbours: &Neighbours, data: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kimai-sync"));
        command.arg("serve").env_clear().env("DATA_DIR", data).env("API_TOKEN", TOKEN);
        command.env("KIMAI_ENDPOINT", &neighbours.kimai).env("MU_SPARQL_ENDPOINT", &neighbours.store);
        Self::start(command, "/live")
    }

    /// A server of the same library that does nothing but read what comes.
    pub(crate) fn drain() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(DRAIN);
        Self::start(command, "/delta")
    }

    fn start(mut command: Command, path: &str) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        command.env("HOST", "127.0.0.1").env("PORT", address.port().to_string());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let since = Instant::now();
        let child = command.spawn()?;
        let process = Process(child.id());
        let mut program = Self { child, process, address, started: Duration::ZERO, data: None };
        while program.get(path).is_none() {
            ensure!(since.elapsed() < PATIENCE, "the program did not begin to answer");
            std::thread::sleep(Duration::from_millis(1));
        }
        program.started = since.elapsed();
        Ok(program)
    }

    fn get(&self, path: &str) -> Option<()> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: it\r\n\r\n").as_bytes()).ok()?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).ok()?;
        answer.starts_with(b"HTTP/1.1 20").then_some(())
    }

    /// Sends one body, which is to be answered with this status; gives how long that took.
    pub(crate) fn post(&self, body: &[u8], wanted: u16) -> anyhow::Result<Duration> {
        let mut stream = TcpStream::connect(self.address)?;
        let since = Instant::now();
        stream.write_all(head(body.len()).as_bytes())?;
        // Who refuses a body need not read it to its end.
        let _ = stream.write_all(body);
        let status = read_status(&mut stream, &mut Vec::new())?;
        let took = since.elapsed();
        ensure!(status == wanted, "the delta was answered {status}");
        Ok(took)
    }
}

/// A process, and what `/proc` says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// The memory of the whole process under this name, in kB.
    pub(crate) fn memory(self, name: &str) -> anyhow::Result<u32> {
        number_of(&std::fs::read_to_string(format!("/proc/{}/status", self.0))?, name)
    }

    /// Lets the peak of memory begin anew at what is used now.
    pub(crate) fn forget_peak(self) -> anyhow::Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }

    /// How often each thread has gone to sleep so far.
    pub(crate) fn sleeps(self) -> anyhow::Result<u32> {
        let mut sleeps = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.0))? {
            let status = std::fs::read_to_string(task?.path().join("status"))?;
            sleeps += number_of(&status, "voluntary_ctxt_switches")?;
        }
        Ok(sleeps)
    }
}

fn number_of(status: &str, name: &str) -> anyhow::Result<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|text| text.split_whitespace().next()).context("no such line")?;
    Ok(number.parse()?)
}

fn head(bytes: usize) -> String {
    format!(
        "POST /delta HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

/// Reads one answer without a body, or the beginning of one that refuses.
fn read_status(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    buffer.clear();
    let mut piece = [0; 4096];
    while !buffer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => bail!("the connection was closed without an answer"),
            read => buffer.extend(piece.get(..read).unwrap_or_default()),
        }
    }
    let status = buffer.get(9..12).context("no status")?;
    Ok(std::str::from_utf8(status)?.parse()?)
}

/// Sends bodies over `connections` kept-alive connections, each the next when the last is answered, for so long;
/// gives how many were answered 204 in a second. `body` makes one from the number of its connection and its own.
pub(crate) fn load(
    address: SocketAddr,
    connections: usize,
    lasts: Duration,
    body: impl Fn(usize, usize) -> String + Send + Sync,
) -> anyhow::Result<f64> {
    let since = Instant::now();
    let answered = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|connection| {
                let body = &body;
                scope.spawn(move || -> anyhow::Result<u32> {
                    let mut stream = TcpStream::connect(address)?;
                    stream.set_nodelay(true)?;
                    let (mut answered, mut buffer) = (0, Vec::new());
                    while since.elapsed() < lasts {
                        let body = body(connection, usize::try_from(answered)?);
                        stream.write_all(format!("{}{body}", head(body.len())).as_bytes())?;
                        let status = read_status(&mut stream, &mut buffer)?;
                        ensure!(status == 204, "a delta was answered {status}");
                        answered += 1;
                    }
                    Ok(answered)
                })
            })
            .collect();
        let count = |sender: std::thread::ScopedJoinHandle<'_, anyhow::Result<u32>>| {
            sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?
        };
        senders.into_iter().map(count).sum::<anyhow::Result<u32>>()
    })?;
    Ok(f64::from(answered) / since.elapsed().as_secs_f64())
}

async fn drain(mut body: Payload) -> HttpResponse {
    while let Some(Ok(_)) = body.next().await {}
    HttpResponse::NoContent().finish()
}

/// Serves on the `PORT` of the environment: reads what comes, and answers 204.
pub(crate) fn serve_drain() -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "told by the process that started this one")]
    let port: u16 = std::env::var("PORT")?.parse()?;
    let server = HttpServer::new(|| App::new().route("/delta", web::route().to(drain)));
    let server = server.workers(HTTP_THREADS).keep_alive(Duration::from_secs(90));
    Ok(actix_web::rt::System::new().block_on(server.bind(("127.0.0.1", port))?.run())?)
}
