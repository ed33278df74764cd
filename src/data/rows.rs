//! Rows, whatever they came from: by number, and whether they go on from what was there before.
//!
//! Owns no file and no order: whose turn it is, is decided elsewhere.

use super::Value;
use super::packed::Packed;
use super::table::Table;

/// Rows by number; immutable.
#[derive(Debug)]
pub struct Rows(Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Table(Table),
    Texts(Packed),
    Json(Packed),
    Values(Vec<Value>),
}

/// One row.
#[derive(Debug)]
pub enum Row<'a> {
    /// The row of that number in a table.
    Of(&'a Table, usize),
    /// A line.
    Text(&'a str),
    /// JSON text, which was seen to be valid.
    Json(&'a str),
    /// A value of a script.
    Value(&'a Value),
}

impl Rows {
    pub(super) fn new(kind: Kind) -> Rows {
        Rows(kind)
    }

    /// How many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        match &self.0 {
            Kind::Table(table) => table.rows(),
            Kind::Texts(texts) | Kind::Json(texts) => texts.len(),
            Kind::Values(values) => values.len(),
        }
    }

    /// The row of that number, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Row<'_>> {
        match &self.0 {
            Kind::Table(table) => (index < table.rows()).then_some(Row::Of(table, index)),
            Kind::Texts(texts) => texts.get(index).map(Row::Text),
            Kind::Json(texts) => texts.get(index).map(Row::Json),
            Kind::Values(values) => values.get(index).map(Row::Value),
        }
    }

    /// The table, if they are one.
    #[must_use]
    pub fn table(&self) -> Option<&Table> {
        match &self.0 {
            Kind::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether they begin with all rows of `before`, as they were written.
    pub(super) fn continue_from(&self, before: &Rows) -> bool {
        let texts = |now: &Packed, before: &Packed| {
            now.len() >= before.len() && now.iter().zip(before.iter()).all(|(a, b)| a == b)
        };
        match (&self.0, &before.0) {
            (Kind::Table(now), Kind::Table(before)) => now.continues(before),
            (Kind::Texts(now), Kind::Texts(before)) | (Kind::Json(now), Kind::Json(before)) => {
                texts(now, before)
            }
            (Kind::Values(now), Kind::Values(before)) => now.starts_with(before),
            _ => false,
        }
    }
}
