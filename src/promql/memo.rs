//! What parts of expressions came to over a grid, for the next expression with the same part: rules of one file ask for much
//! the same, and who wants to know how near one came asks for its sides again.

use std::collections::BTreeMap;

use super::data::{Grid, Row};

/// Values that are kept; what comes to more is reckoned again.
const MOST: usize = 1 << 20;

/// Rows by what they were reckoned from.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    /// By the text of the part, which is all that it means: the same words are the same tree.
    rows: BTreeMap<Box<str>, Vec<(Grid, Vec<Row>)>>,
    values: usize,
}

impl Memo {
    /// What a part came to over this grid, if that is known.
    pub(super) fn of(&self, text: &str, grid: Grid) -> Option<Vec<Row>> {
        let (_, rows) = self.rows.get(text)?.iter().find(|(of, _)| *of == grid)?;
        Some(rows.clone())
    }

    /// Keeps it.
    pub(super) fn keep(&mut self, text: &str, grid: Grid, rows: &[Row]) {
        // A row without values is not for nothing either.
        let values = rows.len().saturating_mul(grid.count) + 1;
        if values > MOST - self.values {
            return;
        }
        self.values += values;
        self.rows.entry(text.into()).or_default().push((grid, rows.to_vec()));
    }

    /// Samples came or went: nothing is known any more.
    pub(super) fn forget(&mut self) {
        if !self.rows.is_empty() {
            *self = Memo::default();
        }
    }
}
