//! Reads quads from files of triples.

use std::path::Path;

use oxigraph::io::{RdfFormat, RdfParseError, RdfParser};
use oxigraph::model::{NamedNode, Quad};

use super::EmbeddedFault;

/// Reads a whole file; triples without a graph get `graph`.
pub(super) fn read(file: &Path, graph: &NamedNode) -> Result<Vec<Quad>, EmbeddedFault> {
    let name = file.display().to_string();
    let fault = |why: String| EmbeddedFault::Load { file: name.clone(), why };
    let format = match file.extension().and_then(|extension| extension.to_str()) {
        Some("ttl") => RdfFormat::Turtle,
        Some("nt") => RdfFormat::NTriples,
        Some("nq") => RdfFormat::NQuads,
        Some("trig") => RdfFormat::TriG,
        _ => return Err(fault("its name must end in .ttl, .nt, .nq or .trig".to_owned())),
    };
    let content = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
    RdfParser::from_format(format)
        .with_default_graph(graph.clone())
        .rename_blank_nodes()
        .for_slice(&content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| {
            let line = error.location().map(|place| format!(", line {},", place.start.line + 1));
            EmbeddedFault::Load {
                file: format!("{name}{}", line.unwrap_or_default()),
                why: RdfParseError::Syntax(error).to_string(),
            }
        })
}
