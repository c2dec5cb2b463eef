//! How results are written.

use std::fmt::Display;
use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::arguments::Format;

/// A result that can be written. As JSON its keys are an interface, which the README lists.
pub(crate) trait Report: Serialize {
    /// What makes this result one that proves nothing.
    fn complaint(&self) -> Option<String>;
    /// The lines of the text format.
    fn rows(&self) -> Vec<Row>;
}

/// A line of the text format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    name: String,
    value: String,
}

/// A row that names a value.
pub(crate) fn row(name: &str, value: impl Display) -> Row {
    Row { name: name.to_owned(), value: format!("{value}") }
}

/// A row for a figure that may be absent.
pub(crate) fn figure(name: &str, value: Option<f64>, unit: &str) -> Row {
    row(name, value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1} {unit}")))
}

/// Writes a report to standard output, and nothing else.
pub(crate) fn write(report: &impl Report, format: Format) -> Result<()> {
    let text = match format {
        Format::Json => serde_json::to_string(report)? + "\n",
        Format::Text => align(&report.rows()),
    };
    io::stdout().write_all(text.as_bytes()).context("standard output")
}

/// Writes lines to standard output.
pub(crate) fn write_rows(rows: &[Row]) -> Result<()> {
    io::stdout().write_all(align(rows).as_bytes()).context("standard output")
}

fn align(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    rows.iter().map(|row| format!("{:width$}  {}\n", row.name, row.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_in_one_column() {
        let rows = [row("a", 1), figure("longer", Some(2.25), "us"), figure("none", None, "us")];
        assert_eq!(align(&rows), "a       1\nlonger  2.2 us\nnone    -\n");
    }
}
