//! A Virtuoso of one's own, if it is installed (Debian's `virtuoso-opensource`): free ports, a folder
//! of its own, and gone with the test process, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Runs the server until standard input ends, which it does when the test process does.
const KEEPER: &str = r#"
cd "$1" && exec 2>/dev/null || exit 1
virtuoso-t +foreground +debug +configfile virtuoso.ini </dev/null 2>&1 &
pid=$!
cat >/dev/null
kill -9 "$pid"
wait "$pid"
rm -rf "$1"
"#;

/// A running server. Ends when dropped.
pub(crate) struct Virtuoso {
    keeper: Child,
    endpoint: String,
    /// Kept open: the server writes its log there.
    _log: Option<BufReader<ChildStdout>>,
}

impl Virtuoso {
    /// Starts one, or gives `None` where Virtuoso is not installed. What is inserted without GRAPH goes
    /// to `http://mu.semte.ch/application`; SELECTs end silently after 10 000 rows, as in the mu stack.
    pub(crate) fn start() -> std::io::Result<Option<Self>> {
        if !installed() {
            super::not_covered("a real Virtuoso (apt-get install virtuoso-opensource)");
            return Ok(None);
        }
        let (sql, http) = (free_port()?, free_port()?);
        // The keeper removes it: a static is never dropped.
        let folder = tempfile::Builder::new().prefix("virtuoso-").tempdir()?.keep();
        std::fs::write(folder.join("virtuoso.ini"), settings(sql, http))?;
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut log = keeper.stdout.take().map(BufReader::new);
        let endpoint = format!("http://127.0.0.1:{http}/sparql");
        let online = log.as_mut().map(wait_until_online).transpose();
        let virtuoso = Self { keeper, endpoint, _log: log };
        online?;
        prepare(sql, http)?;
        Ok(Some(virtuoso))
    }

    /// Where it answers, for queries and updates.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for Virtuoso {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Reads the log up to the line that says so.
fn wait_until_online(log: &mut BufReader<ChildStdout>) -> std::io::Result<()> {
    let mut said = String::new();
    while !said.contains("Server online") {
        if log.read_line(&mut said)? == 0 {
            return Err(std::io::Error::other(format!("Virtuoso did not start: {said}")));
        }
    }
    Ok(())
}

fn installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        |program: &str| std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file());
    found("virtuoso-t") && found("isql-vt")
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Small buffers, no plugins, no checkpoints, nothing reachable from outside.
fn settings(sql: u16, http: u16) -> String {
    format!(
        "[Database]
DatabaseFile = virtuoso.db
ErrorLogFile = virtuoso.log
LockFile = virtuoso.lck
TransactionFile = virtuoso.trx
xa_persistent_file = virtuoso.pxa
FileExtend = 200
TempStorage = TempDatabase
[TempDatabase]
DatabaseFile = virtuoso-temp.db
TransactionFile = virtuoso-temp.trx
[Parameters]
ServerPort = 127.0.0.1:{sql}
DisableUnixSocket = 1
CheckpointInterval = 0
CaseMode = 2
NumberOfBuffers = 4000
MaxDirtyBuffers = 3000
ThreadsPerQuery = 1
AsyncQueueMaxThreads = 2
MaxClientConnections = 20
[HTTPServer]
ServerPort = 127.0.0.1:{http}
ServerRoot = .
ServerThreads = 10
MaxClientConnections = 10
Charset = UTF-8
[SPARQL]
ResultSetMaxRows = 10000
MaxQueryExecutionTime = 60
"
    )
}

/// Lets anyone update, into the application graph where none is named.
fn prepare(sql: u16, http: u16) -> std::io::Result<()> {
    let mut isql = Command::new("isql-vt")
        .args([&format!("127.0.0.1:{sql}"), "dba", "dba", "ERRORS=STDOUT"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = isql.stdin.take() {
        writeln!(
            input,
            "INSERT REPLACING DB.DBA.SYS_SPARQL_HOST (SH_HOST, SH_GRAPH_URI)
               VALUES ('127.0.0.1:{http}', 'http://mu.semte.ch/application');
             GRANT SPARQL_UPDATE TO \"SPARQL\";
             DB.DBA.RDF_DEFAULT_USER_PERMS_SET ('nobody', 7);"
        )?;
    }
    let output = isql.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && !said.contains("Error") {
        return Ok(());
    }
    Err(std::io::Error::other(format!("Virtuoso could not be prepared: {said}")))
}
