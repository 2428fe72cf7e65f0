//! The changes of an update: it is run in a transaction that is never committed, operation by operation, and every quad
//! that is actually added or removed is recorded.
//!
//! The default graph of the store has each triple of any named graph, once, so a query without GRAPH sees the union of
//! all graphs without duplicates. Only [`DryRun`] and [`make`] write to it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use oxigraph::model::{
    BlankNode, GraphName, GraphNameRef, Literal, NamedNode, NamedOrBlankNode, Quad, QuadRef, Term,
};
use oxigraph::sparql::{QueryResults, QuerySolution};
use oxigraph::store::{StorageError, Store, Transaction};
use spargebra::algebra::{GraphPattern, GraphTarget, QueryDataset};
use spargebra::term::{
    GraphName as DataGraph, GraphNamePattern, GroundQuad, GroundQuadPattern, GroundTerm, GroundTermPattern,
    NamedNodePattern, Quad as DataQuad, QuadPattern, TermPattern,
};
use spargebra::{GraphUpdateOperation, Query, Update};

use super::disk::Disk;
use super::meter::{self, Meter};
use super::terms;
use crate::triplestore::TriplestoreFault;
use crate::triplestore::changeset::Changeset;

/// The most quads that one WHERE may produce, including duplicates: a cross join would fill memory.
const MOST_QUADS: usize = 2_000_000;

/// The changes of one operation, in the terms of the store. Never empty outside this module.
#[derive(Debug, Default)]
pub(super) struct Effect {
    pub(super) inserts: Vec<Quad>,
    pub(super) deletes: Vec<Quad>,
}

impl Effect {
    /// The same in this service's terms.
    pub(super) fn to_change(&self) -> Changeset {
        Changeset {
            inserts: self.inserts.iter().map(terms::quad).collect(),
            deletes: self.deletes.iter().map(terms::quad).collect(),
        }
    }
}

/// An update that is being run.
pub(super) struct DryRun<'a> {
    transaction: Transaction<'a>,
    graph: NamedNode,
    effects: Vec<Effect>,
}

impl<'a> DryRun<'a> {
    /// Begins a dry run; inserts without GRAPH go to `graph`. Waits for any other dry run to end.
    pub(super) fn start(store: &'a Store, graph: NamedNode) -> Result<Self, TriplestoreFault> {
        Ok(Self { transaction: store.start_transaction().map_err(storage)?, graph, effects: Vec::new() })
    }

    /// Runs all operations of `update`; each sees the changes of the previous ones.
    pub(super) fn run(&mut self, update: Update, meter: &Meter) -> Result<(), TriplestoreFault> {
        for operation in update.operations {
            let (deletes, inserts) = self.plan(operation, meter)?;
            self.apply(deletes, inserts)?;
        }
        Ok(())
    }

    /// Adds all of `quads` as one operation.
    pub(super) fn insert_all(&mut self, quads: Vec<Quad>) -> Result<(), TriplestoreFault> {
        self.apply(Vec::new(), quads)
    }

    /// The recorded changes; the transaction itself is rolled back.
    pub(super) fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    /// What an operation deletes and inserts, whether or not that changes anything.
    fn plan(
        &self,
        operation: GraphUpdateOperation,
        meter: &Meter,
    ) -> Result<(Vec<Quad>, Vec<Quad>), TriplestoreFault> {
        match operation {
            GraphUpdateOperation::InsertData { data } => {
                let mut blanks = Blanks::default();
                Ok((Vec::new(), data.into_iter().map(|quad| self.data_quad(quad, &mut blanks)).collect()))
            }
            GraphUpdateOperation::DeleteData { data } => {
                let mut deletes = Vec::new();
                for quad in data {
                    let (quad, everywhere) = ground_quad(quad);
                    self.spread(quad, everywhere, &mut deletes)?;
                }
                Ok((deletes, Vec::new()))
            }
            GraphUpdateOperation::DeleteInsert { delete, insert, using, pattern } => {
                self.plan_where(&delete, &insert, using, *pattern, meter)
            }
            GraphUpdateOperation::Clear { graph, .. } | GraphUpdateOperation::Drop { graph, .. } => {
                Ok((self.all_of(&graph)?, Vec::new()))
            }
            GraphUpdateOperation::Create { silent, graph } => {
                let there = self.transaction.contains_named_graph(&graph).map_err(storage)?;
                if there && !silent {
                    return Err(TriplestoreFault::Refused(
                        format!("the graph {graph} exists already").into(),
                    ));
                }
                Ok((Vec::new(), Vec::new()))
            }
            GraphUpdateOperation::Load { .. } => Err(TriplestoreFault::Refused(
                "LOAD is not supported: this store fetches nothing; send the triples with INSERT DATA".into(),
            )),
        }
    }

    fn plan_where(
        &self,
        delete: &[GroundQuadPattern],
        insert: &[QuadPattern],
        using: Option<QueryDataset>,
        pattern: GraphPattern,
        meter: &Meter,
    ) -> Result<(Vec<Quad>, Vec<Quad>), TriplestoreFault> {
        let query = Query::Select { dataset: using, pattern: meter::pattern(pattern), base_iri: None };
        let results = meter
            .evaluator()
            .for_query(query)
            .on_transaction(&self.transaction)
            .execute()
            .map_err(|error| terms::failed(&error))?;
        let (mut deletes, mut inserts) = (Vec::new(), Vec::new());
        let QueryResults::Solutions(solutions) = results else {
            return Ok((deletes, inserts));
        };
        for solution in solutions {
            let solution = solution.map_err(|error| terms::failed(&error))?;
            let (old_inserts, old_deletes) = (inserts.len(), deletes.len());
            for template in delete {
                if let Some((quad, everywhere)) = instantiate_ground(template, &solution) {
                    self.spread(quad, everywhere, &mut deletes)?;
                }
            }
            // Blank nodes of the template are new for each solution.
            let mut blanks = Blanks::default();
            let made =
                insert.iter().filter_map(|template| self.instantiate(template, &solution, &mut blanks));
            inserts.extend(made);
            for quad in inserts.iter().skip(old_inserts).chain(deletes.iter().skip(old_deletes)) {
                meter.take(meter::quad(quad));
            }
            meter.take(0);
            if deletes.len() + inserts.len() > MOST_QUADS {
                let why = format!("one operation has more than {MOST_QUADS} quads");
                return Err(TriplestoreFault::Refused(why.into()));
            }
        }
        Ok((deletes, inserts))
    }

    /// Removes, then inserts, and records what that actually changed.
    fn apply(&mut self, deletes: Vec<Quad>, inserts: Vec<Quad>) -> Result<(), TriplestoreFault> {
        let mut effect = Effect::default();
        for quad in deletes {
            if let Some(kept) = self.kept(&quad)? {
                remove(&mut self.transaction, &kept)?;
                effect.deletes.push(kept);
            }
        }
        for quad in inserts {
            if !self.transaction.contains(&quad).map_err(storage)? {
                insert(&mut self.transaction, &quad);
                // In the form in which it is reported and removed later: by value, where the store keeps values.
                effect.inserts.push(self.kept(&quad)?.unwrap_or(quad));
            }
        }
        let removed: HashSet<Quad> = effect.deletes.iter().cloned().collect();
        let back: HashSet<Quad> =
            effect.inserts.iter().filter(|quad| removed.contains(quad)).cloned().collect();
        effect.deletes.retain(|quad| !back.contains(quad));
        effect.inserts.retain(|quad| !back.contains(quad));
        if !effect.deletes.is_empty() || !effect.inserts.is_empty() {
            self.effects.push(effect);
        }
        Ok(())
    }

    /// The quad as stored, if it exists.
    fn kept(&self, quad: &Quad) -> Result<Option<Quad>, TriplestoreFault> {
        if !self.transaction.contains(quad).map_err(storage)? {
            return Ok(None);
        }
        let by_value = matches!(&quad.object, Term::Literal(literal)
            if literal.language().is_none() && literal.datatype() != oxigraph::model::vocab::xsd::STRING);
        if !by_value {
            return Ok(Some(quad.clone()));
        }
        let quad = quad.as_ref();
        let mut found = self.transaction.quads_for_pattern(
            Some(quad.subject),
            Some(quad.predicate),
            Some(quad.object),
            Some(quad.graph_name),
        );
        found.next().transpose().map_err(storage)
    }

    /// The quad itself, or the same triple in every graph that has it.
    fn spread(&self, quad: Quad, everywhere: bool, found: &mut Vec<Quad>) -> Result<(), TriplestoreFault> {
        if !everywhere {
            found.push(quad);
            return Ok(());
        }
        for graph in graphs_with(&self.transaction, &quad)? {
            found.push(Quad { graph_name: graph, ..quad.clone() });
        }
        Ok(())
    }

    /// Everything in the graphs meant; `DEFAULT` is the application graph.
    fn all_of(&self, target: &GraphTarget) -> Result<Vec<Quad>, TriplestoreFault> {
        let only = match target {
            GraphTarget::NamedNode(graph) => Some(graph),
            GraphTarget::DefaultGraph => Some(&self.graph),
            GraphTarget::NamedGraphs | GraphTarget::AllGraphs => None,
        };
        let only = only.map(|graph| GraphNameRef::NamedNode(graph.as_ref()));
        self.transaction
            .quads_for_pattern(None, None, None, only)
            .filter(|quad| quad.as_ref().map_or(true, |quad| quad.graph_name != GraphName::DefaultGraph))
            .collect::<Result<_, _>>()
            .map_err(storage)
    }

    fn data_quad(&self, quad: DataQuad, blanks: &mut Blanks) -> Quad {
        let subject = match quad.subject {
            NamedOrBlankNode::BlankNode(blank) => blanks.fresh(&blank).into(),
            named @ NamedOrBlankNode::NamedNode(_) => named,
        };
        let object = match quad.object {
            Term::BlankNode(blank) => blanks.fresh(&blank).into(),
            other => other,
        };
        let graph = match quad.graph_name {
            DataGraph::NamedNode(graph) => graph,
            DataGraph::DefaultGraph => self.graph.clone(),
        };
        Quad::new(subject, quad.predicate, object, graph)
    }

    /// A template with its variables replaced; `None` if one is unbound or not allowed there.
    fn instantiate(
        &self,
        template: &QuadPattern,
        solution: &QuerySolution,
        blanks: &mut Blanks,
    ) -> Option<Quad> {
        let mut term = |pattern: &TermPattern| match pattern {
            TermPattern::NamedNode(node) => Some(Term::from(node.clone())),
            TermPattern::BlankNode(blank) => Some(blanks.fresh(blank).into()),
            TermPattern::Literal(literal) => Some(literal.clone().into()),
            TermPattern::Variable(variable) => solution.get(variable).cloned(),
        };
        let (subject, object) = (term(&template.subject)?, term(&template.object)?);
        let graph = match graph(&template.graph_name, solution)? {
            GraphName::DefaultGraph => self.graph.clone().into(),
            named => named,
        };
        quad(subject, &template.predicate, object, graph, solution)
    }
}

/// Applies `effects`, on disk and then in memory.
pub(super) fn make(
    store: &Store,
    disk: Option<&Mutex<Disk>>,
    effects: &[Effect],
) -> Result<(), TriplestoreFault> {
    let mut transaction = store.start_transaction().map_err(storage)?;
    for effect in effects {
        for quad in &effect.deletes {
            remove(&mut transaction, quad)?;
        }
        for quad in &effect.inserts {
            insert(&mut transaction, quad);
        }
    }
    if let Some(disk) = disk {
        // After a panic in between, SQLite rolls its transaction back, so nothing is half done.
        disk.lock().unwrap_or_else(PoisonError::into_inner).write(effects)?;
    }
    transaction.commit().map_err(storage)
}

fn insert(transaction: &mut Transaction<'_>, quad: &Quad) {
    transaction.insert(quad);
    transaction.insert(union_quad(quad));
}

fn remove(transaction: &mut Transaction<'_>, quad: &Quad) -> Result<(), TriplestoreFault> {
    transaction.remove(quad);
    if graphs_with(transaction, quad)?.is_empty() {
        transaction.remove(union_quad(quad));
    }
    Ok(())
}

/// The same triple in the default graph.
fn union_quad(quad: &Quad) -> QuadRef<'_> {
    QuadRef { graph_name: GraphNameRef::DefaultGraph, ..quad.as_ref() }
}

/// The named graphs that contain the triple of `quad`.
fn graphs_with(transaction: &Transaction<'_>, quad: &Quad) -> Result<Vec<GraphName>, TriplestoreFault> {
    let quad = quad.as_ref();
    transaction
        .quads_for_pattern(Some(quad.subject), Some(quad.predicate), Some(quad.object), None)
        .map(|found| found.map(|found| found.graph_name))
        .filter(|graph| graph.as_ref().map_or(true, |graph| *graph != GraphName::DefaultGraph))
        .collect::<Result<_, _>>()
        .map_err(storage)
}

/// New blank nodes for the labels of one template or one block of data.
#[derive(Default)]
struct Blanks(HashMap<BlankNode, BlankNode>);

impl Blanks {
    fn fresh(&mut self, label: &BlankNode) -> BlankNode {
        self.0.entry(label.clone()).or_default().clone()
    }
}

/// The quad, and whether it applies to every graph (without GRAPH).
fn ground_quad(quad: GroundQuad) -> (Quad, bool) {
    let object: Term = match quad.object {
        GroundTerm::NamedNode(node) => node.into(),
        GroundTerm::Literal(literal) => literal.into(),
    };
    let graph: GraphName = match quad.graph_name {
        DataGraph::NamedNode(graph) => graph.into(),
        DataGraph::DefaultGraph => GraphName::DefaultGraph,
    };
    let everywhere = graph == GraphName::DefaultGraph;
    (Quad::new(quad.subject, quad.predicate, object, graph), everywhere)
}

fn instantiate_ground(template: &GroundQuadPattern, solution: &QuerySolution) -> Option<(Quad, bool)> {
    let term = |pattern: &GroundTermPattern| match pattern {
        GroundTermPattern::NamedNode(node) => Some(Term::from(node.clone())),
        GroundTermPattern::Literal(literal) => Some(Term::from(Literal::clone(literal))),
        GroundTermPattern::Variable(variable) => solution.get(variable).cloned(),
    };
    let graph = graph(&template.graph_name, solution)?;
    let everywhere = graph == GraphName::DefaultGraph;
    let quad = quad(term(&template.subject)?, &template.predicate, term(&template.object)?, graph, solution)?;
    Some((quad, everywhere))
}

fn graph(pattern: &GraphNamePattern, solution: &QuerySolution) -> Option<GraphName> {
    match pattern {
        GraphNamePattern::NamedNode(node) => Some(node.clone().into()),
        GraphNamePattern::DefaultGraph => Some(GraphName::DefaultGraph),
        GraphNamePattern::Variable(variable) => match solution.get(variable)? {
            Term::NamedNode(node) => Some(node.clone().into()),
            _ => None,
        },
    }
}

fn quad(
    subject: Term,
    predicate: &NamedNodePattern,
    object: Term,
    graph: GraphName,
    solution: &QuerySolution,
) -> Option<Quad> {
    let subject: NamedOrBlankNode = match subject {
        Term::NamedNode(node) => node.into(),
        Term::BlankNode(node) => node.into(),
        Term::Literal(_) => return None,
    };
    let predicate = match predicate {
        NamedNodePattern::NamedNode(node) => node.clone(),
        NamedNodePattern::Variable(variable) => match solution.get(variable)? {
            Term::NamedNode(node) => node.clone(),
            _ => return None,
        },
    };
    Some(Quad::new(subject, predicate, object, graph))
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn storage(error: StorageError) -> TriplestoreFault {
    TriplestoreFault::Transient(format!("the embedded store: {error}"))
}
