//! What an import writes, and what it leaves alone.

mod faults;
mod histories;
mod kimai;
mod moves;
mod unavailable;

use sophia::api::prelude::{TripleParser as _, TripleSource as _};
use sophia::inmem::graph::LightGraph;
use sophia::isomorphism::isomorphic_graphs;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use super::*;
use crate::store::sqlite::{SqliteQueue, SqliteReferences, Storage};
use crate::triplestore::Term;
use crate::triplestore::statement::Literal;
use crate::triplestore::testing::Watched;
use crate::triplestore::vocabulary::{PREFIXES, foaf, mu, prov, rdf, rdfs, skos, ui};
use crate::triplestore::work_logs::SparqlWorkLogs;
use kimai::{Listing, Lists, activity, customer, project, user};

const BASE: &str = "http://timekeeper.redpencil.io";
const WORKSPACE: &str = "http://timekeeper.redpencil.io/workspaces/7530c9c9-4905-4fae-b63f-7a8d29232377";

fn resources() -> ResourceSettings {
    ResourceSettings {
        base_uri: BASE.to_owned(),
        workspace: WORKSPACE.to_owned(),
        account_homepage: "http://kimai.redpencil.io".to_owned(),
    }
}

const SETTINGS: ImportSettings = ImportSettings { relations: Relations::Follow, max_gone: 20 };

fn clock() -> Clock {
    Clock::starting_at("2024-09-02T12:00:00Z".parse().unwrap(), TimeZone::UTC)
}

fn today() -> Date {
    date(2024, 9, 2)
}

/// What has work logs looked at that are in `store`, and their queue.
fn references(store: &Arc<Watched>) -> (Arc<References>, Arc<SqliteQueue>) {
    let storage = Storage::in_memory().unwrap();
    let queue = Arc::new(SqliteQueue::open(storage.clone(), clock()).unwrap());
    let source = SparqlWorkLogs::new(Arc::clone(store) as Arc<dyn Triplestore>, Iri::known("http://kimai"));
    (
        Arc::new(References::new(
            Arc::new(SqliteReferences::new(storage)),
            Arc::new(source),
            queue.clone(),
            clock(),
        )),
        queue,
    )
}

/// Kimai, a store, and what imports from the one to the other.
struct Scene {
    kimai: Arc<Listing>,
    store: Arc<Watched>,
    references: Arc<References>,
    queue: Arc<SqliteQueue>,
    importer: Importer,
}

impl Scene {
    fn with(lists: Lists, store: Watched, settings: ImportSettings) -> Self {
        let (kimai, store) = (Arc::new(Listing::of(lists)), Arc::new(store));
        let (references, queue) = references(&store);
        let (to, from) =
            (Arc::clone(&store) as Arc<dyn Triplestore>, Arc::clone(&kimai) as Arc<dyn Listings>);
        let importer =
            Importer::new(to, from, (resources(), settings), Arc::clone(&references), clock()).unwrap();
        Self { kimai, store, references, queue, importer }
    }

    fn of(lists: Lists, store: Watched) -> Self {
        Self::with(lists, store, SETTINGS)
    }

    fn new(lists: Lists) -> Self {
        Self::of(lists, Watched::new())
    }

    async fn import(&self, what: What) -> String {
        self.importer.import(what, &Progress::unwatched()).await.unwrap().to_string()
    }

    /// All, in the order of the scripts. Gives how many updates it took.
    async fn import_all(&self) -> usize {
        self.store.start_counting();
        for what in [What::Accounts, What::Customers, What::Tasks] {
            self.importer.import(what, &Progress::unwatched()).await.unwrap();
        }
        self.store.updates().len()
    }

    /// The values of `predicate` of the only resource of `class` with the Kimai id `id`.
    async fn values(&self, class: &str, id: u64, predicate: &str) -> Vec<String> {
        let subject = format!("{class} {id} (1)");
        let doubled = format!("{class} {id} (2)");
        let triples = self.store.up_to_minted_ids().await;
        assert!(!triples.iter().any(|(s, _, _)| *s == doubled), "{doubled}");
        triples.into_iter().filter(|(s, p, _)| *s == subject && p == predicate).map(|(_, _, o)| o).collect()
    }

    async fn label(&self, class: &str, id: u64) -> Vec<String> {
        self.values(class, id, rdfs::LABEL).await
    }
}

/// The spelling of a plain string in [`Watched::up_to_minted_ids`].
fn text(value: &str) -> String {
    format!("{:?}", Term::Literal { value: value.to_owned(), datatype: None, language: None })
}

const CUSTOMER: &str = prov::ORGANIZATION;
const PROJECT: &str = crate::triplestore::vocabulary::doap::PROJECT;
const ACTIVITY: &str = crate::triplestore::vocabulary::ext::KIMAI_ACTIVITY;

fn small() -> Lists {
    Lists {
        customers: vec![customer(1, "ACME", Some("#ff0000")), customer(2, "Grey & Co", None)],
        projects: vec![
            project(7, "Road \"runner\"", Some(1), None),
            project(8, "Own", Some(2), Some("#00ff00")),
        ],
        activities: vec![
            activity(7, "Dev", Some(7), None),
            activity(8, "Ops", Some(8), Some("#0000ff")),
            activity(9, "Global", None, None),
        ],
        users: vec![user(3, "jane")],
    }
}

/// As the old service leaves it after accounts, customers and tasks; minted resources are blank.
const SMALL: &str = r##"
    _:acme a prov:Organization ; rdfs:label "ACME" ; dct:identifier "1" ; ui:color "#ff0000" .
    _:grey a prov:Organization ; rdfs:label "Grey & Co" ; dct:identifier "2" .
    _:p7 a wf:Task, doap:Project ; rdfs:label "Road \"runner\"" ; dct:identifier "7" ; ui:color "#ff0000" ;
      skos:inScheme <W> ; skos:topConceptOf <W> ; prov:wasAttributedTo _:acme .
    _:p8 a wf:Task, doap:Project ; rdfs:label "Own" ; dct:identifier "8" ; ui:color "#00ff00" ;
      skos:inScheme <W> ; skos:topConceptOf <W> ; prov:wasAttributedTo _:grey .
    _:a7 a wf:Task, ext:KimaiActivity ; rdfs:label "Dev" ; dct:identifier "7" ; ui:color "#ff0000" ;
      skos:inScheme <W> ; skos:broader _:p7 .
    _:a8 a wf:Task, ext:KimaiActivity ; rdfs:label "Ops" ; dct:identifier "8" ; ui:color "#0000ff" ;
      skos:inScheme <W> ; skos:broader _:p8 .
    _:a9 a wf:Task, ext:KimaiActivity ; rdfs:label "Global" ; dct:identifier "9" ; skos:inScheme <W> .
    _:jane a foaf:OnlineAccount ; dct:identifier "3" ; foaf:accountName "jane" ;
      foaf:accountServiceHomepage <http://kimai.redpencil.io> .
"##;

fn graph(turtle: &str) -> LightGraph {
    let document = format!("{PREFIXES}{turtle}").replace("<W>", &format!("<{WORKSPACE}>"));
    sophia::turtle::parser::turtle::TurtleParser::default().parse_str(&document).collect_triples().unwrap()
}

#[tokio::test]
async fn a_first_import_gives_exactly_the_graph_of_the_old_service() {
    let scene = Scene::new(small());
    scene.import_all().await;
    let mut turtle = String::new();
    for (subject, predicate, object) in scene.store.triples().await {
        let (folder, uuid) = subject.strip_prefix(&format!("{BASE}/")).unwrap().split_once('/').unwrap();
        let parsed = Uuid::parse_str(uuid).unwrap();
        assert_eq!((parsed.get_version_num(), parsed.to_string().as_str()), (4, uuid), "lower-case v4");
        if predicate == mu::UUID {
            assert_eq!(object.value(), uuid);
            continue;
        }
        if predicate == rdf::TYPE {
            let expected = match object.value() {
                prov::ORGANIZATION => "customers",
                foaf::ONLINE_ACCOUNT => "accounts",
                _ => "tasks",
            };
            assert_eq!(folder, expected);
        }
        let blank = |iri: &str| format!("_:b{}", iri.rsplit('/').next().unwrap().replace('-', ""));
        let object = match &object {
            Term::Iri(iri) if predicate == prov::WAS_ATTRIBUTED_TO || predicate == skos::BROADER => {
                blank(iri)
            }
            Term::Iri(iri) => format!("<{iri}>"),
            Term::Literal { value, datatype: None, language: None } => Literal::string(value).to_string(),
            other => panic!("the old service wrote nothing like {other:?}"),
        };
        turtle.extend([&blank(&subject), " <", &predicate, "> ", &object, " .\n"]);
    }
    assert!(isomorphic_graphs(&graph(&turtle), &graph(SMALL)).unwrap(), "{turtle}");
}

#[tokio::test]
async fn a_second_import_writes_nothing_and_says_so() {
    let scene = Scene::new(small());
    assert_eq!(scene.import(What::Customers).await, "customers: 2 new, 0 changed, 0 unchanged");
    assert_eq!(
        scene.import(What::Tasks).await,
        "projects: 2 new, 0 changed, 0 unchanged; activities: 3 new, 0 changed, 0 unchanged"
    );
    assert_eq!(scene.import(What::Accounts).await, "accounts: 1 new, 0 changed, 0 unchanged");
    assert_eq!(scene.import_all().await, 0);
    assert_eq!(scene.store.selects(), 5);
    assert_eq!(
        scene.import(What::Tasks).await,
        "projects: 0 new, 0 changed, 2 unchanged; activities: 0 new, 0 changed, 3 unchanged"
    );
}

#[tokio::test]
async fn a_rename_leaves_one_label_whatever_was_there() {
    let scene = Scene::new(small());
    scene.import_all().await;
    let before = scene.store.triples().await.len();
    // By another tool: one without a label, one with two, one in a language, one class with a label too many.
    scene.store.write("DELETE { ?s rdfs:label ?l } WHERE { ?s a prov:Organization ; dct:identifier \"1\" ; rdfs:label ?l }").await;
    scene
        .store
        .write("INSERT { ?s rdfs:label \"Older\"@nl } WHERE { ?s a doap:Project ; dct:identifier \"7\" }")
        .await;
    scene.store.write("DELETE { ?s rdfs:label ?l } INSERT { ?s rdfs:label \"Own\"@en } WHERE { ?s a doap:Project ; dct:identifier \"8\" ; rdfs:label ?l }").await;
    scene.kimai.change(|lists| lists.activities[0].name = "Renamed".to_owned());
    assert_eq!(scene.import_all().await, 3, "one update for each kind");
    assert_eq!(scene.label(CUSTOMER, 1).await, [text("ACME")]);
    assert_eq!(scene.label(PROJECT, 7).await, [text("Road \"runner\"")]);
    assert_eq!(scene.label(PROJECT, 8).await, [text("Own")]);
    assert_eq!(scene.label(ACTIVITY, 7).await, [text("Renamed")]);
    assert_eq!(scene.label(CUSTOMER, 2).await, [text("Grey & Co")]);
    assert_eq!(scene.store.triples().await.len(), before);
    assert_eq!(scene.import_all().await, 0);
}

#[tokio::test]
async fn colours_follow_kimai_and_are_inherited_from_customer_to_project_to_activity() {
    let scene = Scene::new(small());
    scene.import_all().await;
    scene.kimai.change(|lists| {
        lists.customers[0].color = Some("#111111".to_owned());
        lists.projects[1].color = None;
        lists.activities[1].color = Some(String::new());
    });
    // Without the customers, their colours are those of the last import.
    scene.import(What::Tasks).await;
    assert_eq!(scene.values(PROJECT, 7, ui::COLOR).await, [text("#ff0000")]);
    // Own colours are gone, and there is none to inherit.
    assert!(scene.values(PROJECT, 8, ui::COLOR).await.is_empty());
    assert!(scene.values(ACTIVITY, 8, ui::COLOR).await.is_empty());
    scene.import_all().await;
    assert_eq!(scene.values(PROJECT, 7, ui::COLOR).await, [text("#111111")]);
    assert_eq!(scene.values(ACTIVITY, 7, ui::COLOR).await, [text("#111111")]);
    scene.kimai.change(|lists| lists.projects[0].color = Some("#222222".to_owned()));
    scene.import_all().await;
    assert_eq!(scene.values(ACTIVITY, 7, ui::COLOR).await, [text("#222222")], "the nearest one counts");
    scene.kimai.change(|lists| {
        lists.customers[0].color = None;
        lists.projects[0].color = None;
    });
    scene.import_all().await;
    for (class, id) in [(CUSTOMER, 1), (PROJECT, 7), (ACTIVITY, 7)] {
        assert!(scene.values(class, id, ui::COLOR).await.is_empty(), "{class}");
    }
    assert_eq!(scene.import_all().await, 0);
}

#[tokio::test]
async fn what_other_tools_wrote_is_found_and_the_class_decides() {
    let store = Watched::holding(&format!(
        "<{BASE}/tasks/old> a wf:Task, doap:Project ; dct:identifier 7 ; rdfs:label \"Road \\\"runner\\\"\" ; ui:color \"#ff0000\" .
         <{BASE}/tasks/other> a wf:Task ; dct:identifier \"8\" .
         <{BASE}/work-logs/1> a cal:Vevent ; dct:identifier \"1\", \"3\", \"7\" .
         <{BASE}/customers/a> a prov:Organization ; dct:identifier \"1\" ; rdfs:label \"Old\" .
         <{BASE}/customers/b> a prov:Organization ; dct:identifier \"1\", \"2\", \"undefined\" ; rdfs:label \"Old\" ."
    ))
    .await;
    let scene = Scene::of(small(), store);
    assert_eq!(scene.import(What::Customers).await, "customers: 1 new, 2 changed, 0 unchanged");
    for doubled in ["a", "b"] {
        assert_eq!(scene.store.objects(&format!("{BASE}/customers/{doubled}"), rdfs::LABEL).await, ["ACME"]);
    }
    assert_eq!(
        scene.import(What::Tasks).await,
        "projects: 1 new, 1 changed, 0 unchanged, 1 newly linked; activities: 3 new, 0 changed, 0 unchanged"
    );
    let parents = scene.store.objects(&format!("{BASE}/tasks/old"), prov::WAS_ATTRIBUTED_TO).await;
    assert_eq!(parents, [format!("{BASE}/customers/a")], "always the same one of two");
    assert!(scene.store.objects(&format!("{BASE}/tasks/other"), rdfs::LABEL).await.is_empty());
}

#[tokio::test]
async fn names_of_any_kind_are_kept_as_they_are() {
    let names = [
        "\"; DROP ALL #",
        "back\\slash \\u0022 \\",
        "line\nfeed\r\ntab\t",
        "emoji 🦀👩‍👩‍👧",
        "rtl \u{202e}שלום مرحبا",
        "' <http://x> ?s {} $x @nl ^^ ;\n",
        "",
        " ",
        "e\u{301} and é",
        &"长".repeat(10_000),
        &"\"\\".repeat(5_000),
    ];
    let mut lists = Lists::default();
    for (id, name) in (1..).zip(names) {
        lists.customers.push(customer(id, name, Some(name)));
        lists.projects.push(project(id, name, Some(id), None));
        lists.activities.push(activity(id, name, Some(id), None));
        lists.users.push(user(id, name));
    }
    let scene = Scene::new(lists);
    scene.import_all().await;
    assert_eq!(scene.import_all().await, 0, "what was written reads as what was wanted");
    for (id, name) in (1..).zip(names) {
        assert_eq!(scene.label(ACTIVITY, id).await, [text(name)]);
        assert_eq!(scene.values(foaf::ONLINE_ACCOUNT, id, foaf::ACCOUNT_NAME).await, [text(name)]);
    }
    scene.kimai.change(|lists| lists.projects.iter_mut().for_each(|project| project.name += names[0]));
    scene.import_all().await;
    for (id, name) in (1..).zip(names) {
        assert_eq!(scene.label(PROJECT, id).await, [text(&format!("{name}{}", names[0]))]);
    }
}

#[tokio::test]
async fn accounts_are_made_once_in_whatever_graphs_they_lie_and_never_touched() {
    let account = |homepage: &str| {
        format!(
            "a foaf:OnlineAccount ; dct:identifier \"3\" ; foaf:accountName \"by hand\" ; foaf:accountServiceHomepage <{homepage}> ."
        )
    };
    let ours = format!("<{BASE}/accounts/x> {}", account("http://kimai.redpencil.io"));
    let store = Watched::new();
    for graph in ["http://mu.semte.ch/graphs/kimai", "http://mu.semte.ch/graphs/redpencil"] {
        store.write(&format!("INSERT DATA {{ GRAPH <{graph}> {{ {ours} }} }}")).await;
    }
    let scene = Scene::of(small(), store);
    assert_eq!(scene.import(What::Accounts).await, "accounts: 0 new, 0 changed, 1 unchanged");
    // The same number at another service is somebody else.
    let foreign = format!("<{BASE}/accounts/y> {}", account("https://git.example.org"));
    let scene = Scene::of(small(), Watched::holding(&foreign).await);
    assert_eq!(scene.import(What::Accounts).await, "accounts: 1 new, 0 changed, 0 unchanged");
    assert_eq!(scene.import(What::Accounts).await, "accounts: 0 new, 0 changed, 1 unchanged");
}

#[tokio::test]
async fn two_imports_at_once_and_an_item_listed_twice_make_nothing_twice() {
    let mut lists = small();
    lists.customers.push(customer(1, "ACME", Some("#ff0000")));
    let scene = Scene::new(lists);
    let progress = Progress::unwatched();
    let imports = (0..4).map(|_| scene.importer.import(What::Customers, &progress));
    let new: usize = futures_util::future::join_all(imports)
        .await
        .into_iter()
        .map(|report| report.unwrap().0[0].1.new)
        .sum();
    assert_eq!(new, 2);
    assert_eq!(scene.label(CUSTOMER, 1).await.len(), 1);
}

#[tokio::test]
async fn empty_lists_delete_nothing() {
    let scene = Scene::new(small());
    scene.import_all().await;
    let before = scene.store.triples().await;
    scene.kimai.set(Lists::default());
    assert_eq!(scene.import_all().await, 0);
    assert_eq!(scene.store.triples().await, before);
}
