//! An embedded store for tests: it counts, truncates responses as Virtuoso does, and fails on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::embedded::Embedded;
use super::vocabulary::{dct, ext, mu, rdf, xsd};
use super::{Row, Term, Triplestore, TriplestoreFault};

/// Where Virtuoso silently truncates a result.
const CUT: usize = 10_000;

/// How an update fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Nothing is applied.
    Lost,
    /// Its first operation is applied.
    Half,
    /// All of it is applied, but the answer is lost.
    Answer,
    /// Nothing is applied, but it succeeds.
    Swallowed,
}

/// All of them.
pub(crate) const WAYS: [Failing; 4] = [Failing::Lost, Failing::Half, Failing::Answer, Failing::Swallowed];

/// The store.
pub(crate) struct Watched {
    store: Embedded,
    selects: AtomicUsize,
    updates: Mutex<Vec<String>>,
    /// The number of the SELECT from which on all fail, counted from 1.
    blind_from: AtomicUsize,
    fails_at: Mutex<Option<(usize, Failing)>>,
    cut: AtomicUsize,
}

impl Watched {
    pub(crate) fn new() -> Self {
        Self {
            store: Embedded::in_memory().unwrap(),
            selects: AtomicUsize::new(0),
            updates: Mutex::default(),
            blind_from: AtomicUsize::new(usize::MAX),
            fails_at: Mutex::default(),
            cut: AtomicUsize::new(CUT),
        }
    }

    /// A store with `turtle`, whose prefixes are declared.
    pub(crate) async fn holding(turtle: &str) -> Self {
        let watched = Self::new();
        watched.add(turtle).await;
        watched
    }

    /// Adds `turtle` without counting it.
    pub(crate) async fn add(&self, turtle: &str) {
        self.write(&format!("INSERT DATA {{ {turtle} }}")).await;
    }

    /// Runs `update` without counting it.
    pub(crate) async fn write(&self, update: &str) {
        self.store.update(&format!("{}{update}", super::vocabulary::PREFIXES)).await.unwrap();
    }

    /// Fails at update number `at`, counted from 1 and from now.
    pub(crate) fn fail_at(&self, at: usize, failing: Failing) {
        self.start_counting();
        *self.fails_at.lock().unwrap() = Some((at, failing));
    }

    /// Fails every SELECT from number `from` on, counted from 1 and from now.
    pub(crate) fn blind_from(&self, from: usize) {
        self.start_counting();
        self.blind_from.store(from, Ordering::SeqCst);
    }

    /// Truncates each answer at this many rows from now on.
    pub(crate) fn cut_at(&self, rows: usize) {
        self.cut.store(rows, Ordering::SeqCst);
    }

    /// Resets the counts and the failures.
    pub(crate) fn start_counting(&self) {
        self.selects.store(0, Ordering::SeqCst);
        self.updates.lock().unwrap().clear();
        self.blind_from.store(usize::MAX, Ordering::SeqCst);
        *self.fails_at.lock().unwrap() = None;
    }

    pub(crate) fn selects(&self) -> usize {
        self.selects.load(Ordering::SeqCst)
    }

    pub(crate) fn updates(&self) -> Vec<String> {
        self.updates.lock().unwrap().clone()
    }

    /// Every triple, once.
    pub(crate) async fn triples(&self) -> BTreeSet<(String, String, Term)> {
        let rows = self.store.select("SELECT DISTINCT ?s ?p ?o { ?s ?p ?o }").await.unwrap();
        let text = |row: &Row, name: &str| row[name].value().to_owned();
        rows.iter().map(|row| (text(row, "s"), text(row, "p"), plain(&row["o"]))).collect()
    }

    /// The objects of `subject` and `predicate`.
    pub(crate) async fn objects(&self, subject: &str, predicate: &str) -> Vec<String> {
        let triples = self.triples().await.into_iter();
        triples
            .filter(|(s, p, _)| s == subject && p == predicate)
            .map(|(_, _, o)| o.value().to_owned())
            .collect()
    }

    /// Every triple, with resources that have a Kimai ID named by their class and ID: equal for stores that differ only
    /// in minted IRIs. Two resources with one ID have two names.
    pub(crate) async fn up_to_minted_ids(&self) -> BTreeSet<(String, String, String)> {
        let triples = self.triples().await;
        let one = |subject: &str, predicate: &str| {
            let of = |(s, p, o): &&(String, String, Term)| {
                s == subject && p == predicate && o.value() != ext::UNAVAILABLE_IN_KIMAI
            };
            let mut objects = triples.iter().filter(of);
            objects.next().map(|(_, _, object)| object.value().to_owned())
        };
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        let mut taken = BTreeMap::new();
        for subject in triples.iter().map(|(s, _, _)| s).collect::<BTreeSet<_>>() {
            let Some(id) = one(subject, dct::IDENTIFIER) else { continue };
            let class = one(subject, rdf::TYPE).unwrap_or_default();
            let times = taken.entry(format!("{class} {id}")).or_insert(0);
            *times += 1;
            named.insert(subject.clone(), format!("{class} {id} ({times})"));
        }
        let name = |iri: &str| named.get(iri).cloned().unwrap_or_else(|| iri.to_owned());
        let uuids: BTreeSet<&str> =
            triples.iter().filter(|(_, p, _)| p == mu::UUID).map(|(_, _, o)| o.value()).collect();
        triples
            .iter()
            .map(|(s, p, o)| {
                let is_own = p == mu::UUID && s.ends_with(&format!("/{}", o.value()));
                let object = match o {
                    _ if is_own && uuids.contains(o.value()) => "its own".to_owned(),
                    Term::Iri(iri) => name(iri),
                    other => format!("{other:?}"),
                };
                (name(s), p.clone(), object)
            })
            .collect()
    }
}

/// Treats strings with and without `xsd:string` as equal.
fn plain(term: &Term) -> Term {
    let mut term = term.clone();
    if let Term::Literal { datatype, .. } = &mut term {
        datatype.take_if(|datatype| datatype == xsd::STRING);
    }
    term
}

#[async_trait]
impl Triplestore for Watched {
    async fn select(&self, query: &str) -> Result<Vec<Row>, TriplestoreFault> {
        let count = self.selects.fetch_add(1, Ordering::SeqCst) + 1;
        if count >= self.blind_from.load(Ordering::SeqCst) {
            return Err(TriplestoreFault::Transient("told not to".to_owned()));
        }
        let mut rows = self.store.select(query).await?;
        rows.truncate(self.cut.load(Ordering::SeqCst));
        Ok(rows)
    }

    async fn update(&self, update: &str) -> Result<(), TriplestoreFault> {
        let count = {
            let mut updates = self.updates.lock().unwrap();
            updates.push(update.to_owned());
            updates.len()
        };
        let failing =
            self.fails_at.lock().unwrap().filter(|(at, _)| *at == count).map(|(_, failing)| failing);
        let fault = Err(TriplestoreFault::Transient("told to fail".to_owned()));
        match failing {
            None => self.store.update(update).await,
            Some(Failing::Lost) => fault,
            Some(Failing::Half) => {
                // Line ends within literals are escaped, so this is where the first operation ends.
                self.store.update(update.split(" ;\n").next().unwrap()).await?;
                fault
            }
            Some(Failing::Answer) => {
                self.store.update(update).await?;
                fault
            }
            Some(Failing::Swallowed) => Ok(()),
        }
    }
}
