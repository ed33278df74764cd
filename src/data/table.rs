//! Rows of named cells, kept column by column in the type that the whole column has.
//!
//! Owns the rule of what is a number. Reading a file into columns is done elsewhere.

use std::sync::Arc;

use super::packed::Packed;

/// What a row has in one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing, in a column of numbers.
    Missing,
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text; empty if there was nothing.
    Text(&'a str),
}

impl Cell<'_> {
    /// Whether both were written alike: one column may have become numbers and another text since.
    /// Of fractions it cannot be told `0.5` from `0.50`.
    fn was_written_as(self, other: Cell<'_>) -> bool {
        let is_number = |text| !matches!(Numeric::of(text), None | Some(Numeric::Nothing));
        match (self, other) {
            (Cell::Missing, Cell::Text(text)) | (Cell::Text(text), Cell::Missing) => {
                text.is_empty()
            }
            (Cell::Int(number), Cell::Float(float)) | (Cell::Float(float), Cell::Int(number)) => {
                number as f64 == float
            }
            (Cell::Int(number), Cell::Text(text)) | (Cell::Text(text), Cell::Int(number)) => {
                is_number(text) && text.parse() == Ok(number)
            }
            (Cell::Float(number), Cell::Text(text)) | (Cell::Text(text), Cell::Float(number)) => {
                is_number(text) && text.parse() == Ok(number)
            }
            (one, other) => one == other,
        }
    }
}

/// Rows with the same columns.
#[derive(Debug)]
pub struct Table {
    names: Vec<Arc<str>>,
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// `columns` have `rows` cells each.
    pub(super) fn new(names: Vec<Arc<str>>, columns: Vec<Column>, rows: usize) -> Table {
        Table {
            names,
            columns,
            rows,
        }
    }

    /// The columns' names, in the order of the file.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A cell; there is none beyond the last row or column.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> Option<Cell<'_>> {
        self.columns.get(column)?.get(row)
    }

    /// Whether it has the same columns, and begins with the same rows, as they were written.
    pub(super) fn continues(&self, before: &Table) -> bool {
        let same = |row, now: &Column, before: &Column| match (now.get(row), before.get(row)) {
            (Some(now), Some(before)) => now.was_written_as(before),
            _ => false,
        };
        self.names == before.names
            && self.rows >= before.rows
            && self
                .columns
                .iter()
                .zip(&before.columns)
                .all(|(now, old)| (0..before.rows).all(|row| same(row, now, old)))
    }
}

/// The cells of one column.
#[derive(Debug)]
pub(super) enum Column {
    Ints(Vec<i64>, Gaps),
    Floats(Vec<f64>, Gaps),
    Texts(Packed),
}

impl Column {
    /// Decides what a column is: whole numbers if each of its cells is one, else numbers, else
    /// text. Empty cells do not count, unless all are empty: then it is text.
    pub(super) fn typed(cells: Packed) -> Column {
        let numeric = cells.iter().try_fold(Numeric::Nothing, Numeric::and);
        match numeric {
            Some(Numeric::Ints) => {
                let numbers = cells.iter().map(|cell| cell.parse().unwrap_or_default());
                Column::Ints(numbers.collect(), Gaps::of(&cells))
            }
            Some(Numeric::Floats) => {
                let numbers = cells.iter().map(|cell| cell.parse().unwrap_or_default());
                Column::Floats(numbers.collect(), Gaps::of(&cells))
            }
            Some(Numeric::Nothing) | None => Column::Texts(cells.shrink()),
        }
    }

    fn get(&self, row: usize) -> Option<Cell<'_>> {
        match self {
            Column::Ints(numbers, gaps) => numbers
                .get(row)
                .map(|number| gaps.or(row, Cell::Int(*number))),
            Column::Floats(numbers, gaps) => numbers
                .get(row)
                .map(|number| gaps.or(row, Cell::Float(*number))),
            Column::Texts(texts) => texts.get(row).map(Cell::Text),
        }
    }
}

/// Which cells of a column are empty: a bit each, or none at all.
#[derive(Debug)]
pub(super) struct Gaps(Vec<u64>);

impl Gaps {
    fn of(cells: &Packed) -> Gaps {
        if !cells.iter().any(str::is_empty) {
            return Gaps(Vec::new());
        }
        let mut bits = vec![0; cells.len().div_ceil(64)];
        for (row, cell) in cells.iter().enumerate() {
            bits[row / 64] |= u64::from(cell.is_empty()) << (row % 64);
        }
        Gaps(bits)
    }

    fn or<'a>(&self, row: usize, cell: Cell<'a>) -> Cell<'a> {
        match self.0.get(row / 64) {
            Some(bits) if bits >> (row % 64) & 1 == 1 => Cell::Missing,
            _ => cell,
        }
    }
}

/// What the cells seen so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numeric {
    Nothing,
    Ints,
    Floats,
}

impl Numeric {
    /// What the column is with one more cell; `None` if that is text.
    fn and(self, cell: &str) -> Option<Numeric> {
        let of_cell = Numeric::of(cell)?;
        Some(match (self, of_cell) {
            (Numeric::Nothing, other) | (other, Numeric::Nothing) => other,
            (Numeric::Ints, Numeric::Ints) => Numeric::Ints,
            _ => Numeric::Floats,
        })
    }

    /// What a cell alone is.
    ///
    /// A number is written as JSON has it, without an exponent: `007`, `+49301234`, `1e5`, ` 1`
    /// and what exceeds 64 bits are text, for they would not come back as they were.
    fn of(cell: &str) -> Option<Numeric> {
        if cell.is_empty() {
            return Some(Numeric::Nothing);
        }
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        match fraction {
            Some(fraction) => are_digits(fraction).then_some(Numeric::Floats),
            None if cell == "-0" => None,
            None => cell.parse::<i64>().is_ok().then_some(Numeric::Ints),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Vec<String> {
        let mut packed = Packed::default();
        for cell in cells {
            packed.push(cell).unwrap();
        }
        let column = Column::typed(packed);
        (0..cells.len())
            .map(|row| format!("{:?}", column.get(row).unwrap()))
            .collect()
    }

    #[test]
    fn a_column_has_one_type() {
        assert_eq!(column(&["1", "-20", "0"]), ["Int(1)", "Int(-20)", "Int(0)"]);
        assert_eq!(
            column(&["1", "2.50", "-0.5"]),
            ["Float(1.0)", "Float(2.5)", "Float(-0.5)"]
        );
        assert_eq!(column(&["1", "x"]), [r#"Text("1")"#, r#"Text("x")"#]);
    }

    #[test]
    fn empty_cells_are_missing_numbers_and_empty_texts() {
        assert_eq!(column(&["1", "", "3"]), ["Int(1)", "Missing", "Int(3)"]);
        assert_eq!(column(&["", "0.5"]), ["Missing", "Float(0.5)"]);
        assert_eq!(column(&["", "x"]), [r#"Text("")"#, r#"Text("x")"#]);
        assert_eq!(column(&["", ""]), [r#"Text("")"#, r#"Text("")"#]);
        let mut many = vec!["7"; 200];
        many[130] = "";
        let many = column(&many);
        assert_eq!(many[130], "Missing");
        assert_eq!(many.iter().filter(|cell| *cell == "Int(7)").count(), 199);
    }

    #[test]
    fn what_would_not_come_back_as_it_was_stays_text() {
        for text in [
            "007",
            "00",
            "+49301234",
            "1e5",
            " 1",
            "1 ",
            "-",
            ".5",
            "5.",
            "1.2.3",
            "01.5",
            "-0",
            "NaN",
            "inf",
            "0x10",
            "1_000",
            "1,5",
            "99999999999999999999",
            "٣",
        ] {
            assert_eq!(
                column(&["1", text]),
                [r#"Text("1")"#, &format!("Text({text:?})")]
            );
        }
        assert_eq!(
            column(&["9223372036854775807", "-9223372036854775808"]),
            ["Int(9223372036854775807)", "Int(-9223372036854775808)"]
        );
    }
}
