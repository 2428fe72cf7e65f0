//! The table of all that was measured: each figure beside the floor that it is held against.

use std::fmt;
use std::time::Duration;

/// What a ratio has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// Not more than this many times the floor.
    AtMost(f64),
    /// Not less than this many times it.
    AtLeast(f64),
}

/// How many that is in a second.
pub(crate) fn a_second(count: usize, took: Duration) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(count)?) / took.as_secs_f64())
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What was measured, and of how many.
    pub(crate) what: String,
    /// What it took.
    pub(crate) measured: String,
    /// What it is held against, measured in the same run or reckoned.
    pub(crate) floor: String,
    /// The one divided by the other.
    pub(crate) ratio: f64,
    /// What that has to be.
    pub(crate) bound: Bound,
    /// What the JavaScript service took for the same, where that is known.
    pub(crate) old: &'static str,
}

/// All figures, in the order in which they were measured. Displays as a table in Markdown.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Adds a figure, and shows it at once: the whole takes minutes.
    pub(crate) fn add(&mut self, row: Row) {
        println!("{row}");
        self.0.push(row);
    }
}

impl Bound {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(most) => ratio <= most,
            Self::AtLeast(least) => ratio >= least,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, measured, floor, ratio, bound, old } = self;
        let missed = if bound.holds(*ratio) { "" } else { " **missed**" };
        write!(f, "| {what} | {measured} | {floor} | {ratio:.2} | {bound}{missed} | {old} |")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| What | Measured | Floor | Ratio | Target | JavaScript service |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
