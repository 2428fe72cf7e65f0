//! What is around the program and outlives it: a Kimai, a folder, and, when it runs in a stack, the
//! stack's triplestore.

use std::net::TcpListener;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use kimai_sync::clock::Clock;
use kimai_sync::trackers::kimai::sandbox::{Role, Sandbox};
use kimai_sync::triplestore::Triplestore as _;
use kimai_sync::triplestore::embedded::Embedded;
use tempfile::TempDir;
use tokio::process::Command;

use super::life::program;
use super::{PATIENCE, until};
use crate::support::stack::TOKEN;

/// How the program is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `standalone`: its own store is killed along with it.
    Standalone,
    /// `serve`: deltas are all it hears of the changes in the stack's triplestore.
    Stack,
}

/// Two people, two activities; the ids are those that Kimai gives.
const TURTLE: &str = r#"
    @prefix dct: <http://purl.org/dc/terms/> . @prefix ext: <http://mu.semte.ch/vocabularies/ext/> .
    @prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix doap: <http://usefulinc.com/ns/doap#> .
    @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
    <http://x/tasks/p> a doap:Project ; dct:identifier "1" .
    <http://x/tasks/1> a ext:KimaiActivity ; dct:identifier "1" ; skos:broader <http://x/tasks/p> .
    <http://x/tasks/2> a ext:KimaiActivity ; dct:identifier "2" ; skos:broader <http://x/tasks/p> .
    <http://x/accounts/2> a foaf:OnlineAccount ; dct:identifier "2" ; foaf:accountServiceHomepage <http://kimai.redpencil.io> .
    <http://x/accounts/3> a foaf:OnlineAccount ; dct:identifier "3" ; foaf:accountServiceHomepage <http://kimai.redpencil.io> .
    <http://x/persons/2> a foaf:Person ; foaf:account <http://x/accounts/2> .
    <http://x/persons/3> a foaf:Person ; foaf:account <http://x/accounts/3> ."#;

pub(super) struct Company {
    pub(super) mode: Mode,
    pub(super) kimai: Sandbox,
    /// The stack's triplestore.
    pub(super) store: Option<Embedded>,
    pub(super) folder: TempDir,
    kimai_address: String,
    kimai_server: Option<ServerHandle>,
    store_server: Option<(String, ServerHandle)>,
}

impl Drop for Company {
    fn drop(&mut self) {
        let store = self.store_server.take().map(|(_, server)| server);
        for server in self.kimai_server.take().into_iter().chain(store) {
            // The command is sent by the call; nobody waits for the end.
            drop(server.stop(false));
        }
    }
}

impl Company {
    pub(super) async fn found(mode: Mode) -> Self {
        let kimai = Sandbox::new(Clock::system(jiff::tz::TimeZone::UTC));
        kimai.add_user("sync", "UTC", Role::SuperAdmin, Some(TOKEN));
        kimai.add_user("jane", "Europe/Brussels", Role::User, None);
        kimai.add_user("john", "UTC", Role::User, None);
        let project = kimai.add_project("Website", kimai.add_customer("ACME"));
        kimai.add_activity("Analysis", Some(project));
        kimai.add_activity("Design", Some(project));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("company.ttl");
        std::fs::write(&file, TURTLE).unwrap();
        let (store, store_server) = match mode {
            Mode::Standalone => (None, None),
            Mode::Stack => {
                let store = Embedded::in_memory().unwrap();
                store.load(&file).await.unwrap();
                let server = serve_store(&store);
                (Some(store), Some(server))
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kimai_address = listener.local_addr().unwrap().to_string();
        let kimai_server = Some(serve_kimai(&kimai, listener));
        Self { mode, kimai, store, folder, kimai_address, kimai_server, store_server }
    }

    /// The program as it runs here; `first` fills its own store.
    pub(super) fn program(&self, first: bool) -> Command {
        let data = self.folder.path().join("data");
        let mut command = match self.mode {
            Mode::Standalone => {
                let mut command = program(&["standalone"]);
                command.arg("--data").arg(data);
                if first {
                    command.arg("--load").arg(self.folder.path().join("company.ttl"));
                }
                command
            }
            Mode::Stack => {
                let mut command = program(&["serve"]);
                let address = self.store_server.as_ref().map(|(address, _)| address.as_str());
                command.env("DATA_DIR", data).env("MU_SPARQL_ENDPOINT", address.unwrap_or_default());
                command
            }
        };
        let endpoint = format!("http://{}/api", self.kimai_address);
        command.envs([
            ("API_TOKEN", TOKEN),
            // Its questions would be counted as the service's.
            ("CHECK_AT_START", "false"),
            ("KIMAI_ENDPOINT", &endpoint),
            // Twice that later it is sure that what was cut off was stored, or never will be.
            ("KIMAI_TIMEOUT", "1"),
            // Only work logs of about today can be healed by a sweep; the others depend on what was queued.
            ("SWEEP_DAYS", "1"),
        ]);
        command
    }

    /// Waits until Kimai has read what was sent to it so far: what comes from a dead process comes now.
    pub(super) async fn fence(&self, http: &reqwest::Client) {
        let url = format!("http://{}/api/ping", self.kimai_address);
        let _ = http.get(url).send().await;
    }

    /// Closes Kimai's door: connections are refused.
    pub(super) async fn close_kimai(&mut self) {
        if let Some(server) = self.kimai_server.take() {
            server.stop(false).await;
        }
    }

    /// Opens it again, at the same port.
    pub(super) async fn open_kimai(&mut self) {
        if self.kimai_server.is_none() {
            let bind = async || TcpListener::bind(&self.kimai_address).ok();
            // Someone else may have been given the port for a moment.
            let listener = until(PATIENCE, bind).await.expect("the port becomes free again");
            self.kimai_server = Some(serve_kimai(&self.kimai, listener));
        }
    }

    /// Makes a change in the stack's triplestore. Nobody tells the program.
    pub(super) async fn change(&self, update: &str) {
        if let Some(store) = &self.store {
            store.update(update).await.unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what is spawned ends with the test's runtime")]
fn serve_kimai(kimai: &Sandbox, listener: TcpListener) -> ServerHandle {
    let server = kimai.serve(listener).unwrap();
    let handle = server.handle();
    tokio::spawn(server);
    handle
}

#[expect(clippy::disallowed_methods, reason = "what is spawned ends with the test's runtime")]
fn serve_store(store: &Embedded) -> (String, ServerHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/sparql", listener.local_addr().unwrap());
    let store = web::Data::new(store.clone());
    let app = move || App::new().app_data(store.clone()).configure(kimai_sync::http::sparql::configure);
    let server =
        HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap();
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    (address, handle)
}
