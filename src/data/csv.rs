//! CSV: the text of a file becomes a table.
//!
//! The `csv` crate handles quoting and line ends; this file checks a file's shape: its header, and
//! that every row has as many values as there are columns.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::packed::Packed;
use super::table::{Column, Table};

/// How a CSV file is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CsvFormat {
    /// What separates two values; an ASCII character.
    pub delimiter: u8,
    /// Names for the columns, instead of the first line's.
    pub columns: Option<Vec<String>>,
    /// Whether the first line names the columns; if names are given, it is passed over.
    pub header: bool,
    /// Columns that stay text, whatever they look like.
    pub text: TextColumns,
}

/// Which columns stay text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TextColumns {
    /// All.
    All,
    /// Those with these names.
    Named(Vec<String>),
}

impl Default for CsvFormat {
    fn default() -> CsvFormat {
        CsvFormat {
            delimiter: b',',
            columns: None,
            header: true,
            text: TextColumns::Named(Vec::new()),
        }
    }
}

/// Reads a whole file's text.
pub(super) fn table(text: &str, format: &CsvFormat) -> Result<Table, Fault> {
    let said = separator(text);
    let told;
    let format = match said {
        Some(said) if said != format.delimiter => {
            told = CsvFormat {
                delimiter: agreed(said, format.delimiter)?,
                ..format.clone()
            };
            &told
        }
        _ => format,
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(format.delimiter)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut next = |record: &mut csv::StringRecord| {
        let is_there = reader.read_record(record);
        let is_there = is_there.map_err(|error| Fault::new(error.to_string()))?;
        if is_there && record.as_slice().contains('\n') {
            closed(record, reader.position().byte(), text)?;
        }
        Ok(is_there)
    };
    // Columns at the end whose name is empty: a spreadsheet writes them for cells that once had
    // something in them.
    let mut nameless = 0;
    if said.is_some() {
        next(&mut record)?;
    }
    let mut names = format.columns.clone();
    if format.header {
        if !next(&mut record)? {
            return Err(Fault::new("there is nothing but blank lines"));
        }
        if names.is_none() {
            hidden_delimiter(&record, format)?;
            let given = record.iter().map(|name| name.trim().to_owned());
            let mut given: Vec<String> = given.collect();
            while given.len() > 1 && given.last().is_some_and(String::is_empty) {
                given.pop();
                nameless += 1;
            }
            names = Some(given);
        }
    }
    let names = names.unwrap_or_default();
    distinct(&names)?;
    known(&names, &format.text)?;

    let mut columns: Vec<Packed> = names.iter().map(|_| Packed::default()).collect();
    let mut ragged = Ragged::default();
    let mut rows = 0;
    while next(&mut record)? {
        if record.len() > 1 && record.as_slice().is_empty() {
            // Nothing but delimiters: a row whose cells were emptied.
            continue;
        }
        rows += 1;
        let beyond = || {
            record
                .iter()
                .skip(columns.len())
                .find(|value| !value.is_empty())
        };
        if nameless > 0 && record.len() == columns.len() + nameless {
            if let Some(value) = beyond() {
                return Err(unnamed(columns.len() + 1, value, line_of(&record, text)));
            }
            record.truncate(columns.len());
        }
        if record.len() == columns.len() {
            for (column, value) in columns.iter_mut().zip(&record) {
                column.push(value)?;
            }
        } else {
            ragged.note(rows, &record, text);
        }
    }
    ragged.judge(names.len(), format)?;
    if rows == 0 {
        return Err(Fault::new("there is a header, but no row").hint(
            "if the first line is a row already, name the columns: `#{ columns: [\"…\"] }`",
        ));
    }
    let stays_text = |name: &String| match &format.text {
        TextColumns::All => true,
        TextColumns::Named(names) => names.contains(name),
    };
    let columns = names.iter().zip(columns).map(|(name, cells)| {
        if stays_text(name) {
            Column::Texts(cells.shrink())
        } else {
            Column::typed(cells)
        }
    });
    let columns = columns.collect();
    let names = names.into_iter().map(Arc::from).collect();
    Ok(Table::new(names, columns, rows))
}

/// What a first line such as `sep=;` says: Excel writes and obeys it, and never shows it.
fn separator(text: &str) -> Option<u8> {
    let line = text.lines().next()?;
    match line.as_bytes() {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*delimiter),
        _ => None,
    }
}

/// The delimiter of a file that names its own, where the script may have named one too.
fn agreed(said: u8, asked: u8) -> Result<u8, Fault> {
    if !said.is_ascii() || asked != CsvFormat::default().delimiter {
        let shown = |byte: u8| char::from(byte).escape_default().to_string();
        let message = format!(
            "its first line says `sep={}`, the script says `delimiter: \"{}\"`",
            shown(said),
            shown(asked)
        );
        return Err(Fault::new(message).hint("leave out one of them"));
    }
    Ok(said)
}

fn unnamed(column: usize, value: &str, line: usize) -> Fault {
    let shown = value.escape_debug();
    Fault::new(format!(
        "column {column} has no name, but line {line} has `{shown}` in it"
    ))
    .hint("give the column a name in the first line, or take it out")
}

/// Whether the quotes of a row that goes over several lines are closed: the reader takes the rest
/// of the file for the value of one that is not, and says nothing.
fn closed(record: &csv::StringRecord, end: u64, text: &str) -> Result<(), Fault> {
    let start = record.position().map_or(0, csv::Position::byte);
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let raw = text.get(place(start)..place(end)).unwrap_or_default();
    if raw.matches('"').count() % 2 == 0 {
        return Ok(());
    }
    let line = line_of(record, text);
    Err(
        Fault::new(format!("line {line} opens a quote that is never closed"))
            .hint("a quote within a value is written twice: `\"say \"\"hi\"\"\"`"),
    )
}

/// A header of one column with another separator in it: no real column is called `id;name`.
fn hidden_delimiter(header: &csv::StringRecord, format: &CsvFormat) -> Result<(), Fault> {
    let [name] = header.iter().collect::<Vec<_>>()[..] else {
        return Ok(());
    };
    let shown = [(',', ","), (';', ";"), ('\t', "\\t"), ('|', "|")];
    let others = shown
        .iter()
        .filter(|(c, _)| *c as u32 != u32::from(format.delimiter));
    for (delimiter, shown) in others {
        if name.contains(*delimiter) {
            let message = format!("the header is a single column, `{}`", name.escape_debug());
            return Err(Fault::new(message).hint(format!(
                "say what separates the values: `delimiter: \"{shown}\"`"
            )));
        }
    }
    Ok(())
}

fn distinct(names: &[String]) -> Result<(), Fault> {
    let hint = "the first line names the columns; if it is a row already, name them with \
                `#{ columns: [\"…\"] }`";
    let mut seen = HashMap::new();
    for (number, name) in (1..).zip(names) {
        if name.is_empty() {
            return Err(Fault::new(format!("column {number} has no name")).hint(hint));
        }
        if let Some(first) = seen.insert(name, number) {
            let message = format!("columns {first} and {number} are both named `{name}`");
            return Err(Fault::new(message).hint(hint));
        }
    }
    Ok(())
}

fn known(names: &[String], text: &TextColumns) -> Result<(), Fault> {
    let TextColumns::Named(wanted) = text else {
        return Ok(());
    };
    match wanted.iter().find(|name| !names.contains(name)) {
        Some(unknown) => Err(Fault::new(format!("`text` names a column `{unknown}`"))
            .hint(format!("the file has: {}", names.join(", ")))),
        None => Ok(()),
    }
}

/// The line in which a row begins. The reader's own count is from before the blank lines that it
/// passed over.
fn line_of(record: &csv::StringRecord, text: &str) -> usize {
    let at = record.position().map_or(0, csv::Position::byte);
    let rest = usize::try_from(at).ok().and_then(|at| text.get(at..));
    let rest = rest.unwrap_or_default().trim_start_matches(['\r', '\n']);
    let before = &text[..text.len() - rest.len()];
    1 + before.matches('\n').count()
}

/// Rows with too few or too many values: the first, and how many.
#[derive(Default)]
struct Ragged {
    first: Option<(usize, usize, usize, bool)>,
    count: usize,
}

impl Ragged {
    fn note(&mut self, row: usize, record: &csv::StringRecord, text: &str) {
        self.count += 1;
        if self.first.is_some() {
            return;
        }
        // What an open quote swallowed has line ends in it.
        let spans_lines = record.iter().any(|value| value.contains('\n'));
        let line = line_of(record, text);
        self.first = Some((row, line, record.len(), spans_lines));
    }

    fn judge(self, columns: usize, format: &CsvFormat) -> Result<(), Fault> {
        let Some((row, line, values, spans_lines)) = self.first else {
            return Ok(());
        };
        let mut message = format!(
            "row {row} (line {line}) has {}, but there are {columns} columns",
            counted(values, "value")
        );
        if self.count > 1 {
            message += &match self.count - 1 {
                1 => "; 1 other row is wrong too".to_owned(),
                others => format!("; {others} other rows are wrong too"),
            };
        }
        let fault = Fault::new(message);
        Err(if spans_lines {
            fault.hint("a value of this row goes over several lines: is a quote `\"` left open?")
        } else if values > columns {
            fault.hint(format!(
                "a value with a `{}` in it is written in quotes: `\"…\"`",
                char::from(format.delimiter).escape_default()
            ))
        } else {
            fault
        })
    }
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Cell;
    use super::*;

    fn read(text: &str) -> Result<Table, String> {
        read_as(text, &CsvFormat::default())
    }

    fn read_as(text: &str, format: &CsvFormat) -> Result<Table, String> {
        table(text, format).map_err(|fault| fault.to_string())
    }

    fn shown(table: &Table) -> String {
        let row = |row: usize| {
            let cells = (0..table.names().len()).map(|column| match table.cell(row, column) {
                Some(Cell::Text(text)) => format!("{text:?}"),
                Some(Cell::Int(number)) => number.to_string(),
                Some(Cell::Float(number)) => format!("{number:?}"),
                Some(Cell::Missing) => "-".to_owned(),
                None => "?".to_owned(),
            });
            cells.collect::<Vec<_>>().join(" ")
        };
        let rows: Vec<_> = (0..table.rows()).map(row).collect();
        format!("{}: {}", table.names().join(" "), rows.join(" / "))
    }

    #[test]
    fn rows_become_typed_columns() {
        let table = read("id,name,price,zip\n1,Ada,2.5,007\n2,\"Bo, Jr\",3,100\n").unwrap();
        assert_eq!(
            shown(&table),
            r#"id name price zip: 1 "Ada" 2.5 "007" / 2 "Bo, Jr" 3.0 "100""#
        );
    }

    #[test]
    fn line_ends_blank_lines_and_quoted_newlines_are_no_matter() {
        let table = read("id, name \r\n\r\n1,\"two\r\nlines\"\r\n\n2,\"say \"\"hi\"\"\"").unwrap();
        assert_eq!(
            shown(&table),
            r#"id name: 1 "two\r\nlines" / 2 "say \"hi\"""#
        );
        let long = "x".repeat(300_000);
        let table = read(&format!("{long}\n{long}\n")).unwrap();
        assert!(matches!(table.cell(0, 0), Some(Cell::Text(text)) if text == long));
    }

    #[test]
    fn columns_may_be_named_and_kept_as_text() {
        let mut format = CsvFormat {
            delimiter: b';',
            columns: Some(vec!["a".to_owned(), "b".to_owned()]),
            header: false,
            text: TextColumns::Named(vec!["b".to_owned()]),
        };
        let table = read_as("1;2\n3;4", &format).unwrap();
        assert_eq!(shown(&table), r#"a b: 1 "2" / 3 "4""#);
        format.header = true;
        let table = read_as("1;2\n3;4", &format).unwrap();
        assert_eq!(shown(&table), r#"a b: 3 "4""#);
        format.text = TextColumns::All;
        let table = read_as("1;2\n3;4", &format).unwrap();
        assert_eq!(shown(&table), r#"a b: "3" "4""#);
    }

    #[test]
    fn files_are_taken_as_excel_writes_them() {
        let semicolons = CsvFormat {
            delimiter: b';',
            ..CsvFormat::default()
        };
        let taken = r#"id name: 1 "Ada" / 2 "Bo""#;
        for (text, format) in [
            (
                "sep=;\r\nid;name\r\n1;Ada\r\n2;Bo\r\n",
                &CsvFormat::default(),
            ),
            ("SEP=;\nid;name\n1;Ada\n2;Bo", &semicolons),
            ("sep=\t\nid\tname\n1\tAda\n2\tBo\n", &CsvFormat::default()),
            ("id,name,,\n1,Ada,,\n2,Bo,,\n", &CsvFormat::default()),
            ("id;name;\n1;Ada\n2;Bo;\n;;\n;\n", &semicolons),
            ("id,name\n1,Ada\n,\n2,Bo\n,\n,,,\n", &CsvFormat::default()),
        ] {
            assert_eq!(shown(&read_as(text, format).unwrap()), taken, "{text}");
        }
        assert_eq!(
            read_as("sep=|\nid|name\n1|x\n", &semicolons).unwrap_err(),
            "its first line says `sep=|`, the script says `delimiter: \";\"`; hint: leave out one \
             of them"
        );
        assert_eq!(
            read("sep=;\nid;name;\n1;Ada;\n2;Bo;x\n").unwrap_err(),
            "column 3 has no name, but line 4 has `x` in it; hint: give the column a name in the \
             first line, or take it out"
        );
        // A column of its own, which nobody typed as `sep=` and one letter.
        assert_eq!(shown(&read("sep=ab\n1\n").unwrap()), "sep=ab: 1");
    }

    #[test]
    fn a_wrong_shape_is_told_with_row_and_line() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert_eq!(
            wrong("a,b,c\n1,2,3\n\n4,5\n6\n"),
            "row 2 (line 4) has 2 values, but there are 3 columns; 1 other row is wrong too"
        );
        assert_eq!(
            wrong("a,b\n1,2,3\n"),
            "row 1 (line 2) has 3 values, but there are 2 columns; hint: a value with a `,` in \
             it is written in quotes: `\"…\"`"
        );
        assert!(wrong("a,b\n1,\"2\n3\",4\n").contains("is a quote `\"` left open?"));
        assert!(
            wrong("a,b\n\n1,2\n3,\"4\n5,6\n")
                .starts_with("line 4 opens a quote that is never closed; hint:")
        );
        assert!(wrong("a,b\n").starts_with("there is a header, but no row; hint:"));
        assert!(wrong("\n\n").starts_with("there is nothing but blank lines"));
        assert!(wrong("a,b,a\n1,2,3\n").starts_with("columns 1 and 3 are both named `a`; hint:"));
        assert!(wrong("a,,c\n1,2,3\n").starts_with("column 2 has no name; hint:"));
        assert_eq!(
            wrong("id;name\n1;x\n"),
            "the header is a single column, `id;name`; hint: say what separates the values: \
             `delimiter: \";\"`"
        );
        let format = CsvFormat {
            text: TextColumns::Named(vec!["zip".to_owned()]),
            ..CsvFormat::default()
        };
        assert_eq!(
            read_as("a,b\n1,2\n", &format).unwrap_err(),
            "`text` names a column `zip`; hint: the file has: a, b"
        );
    }
}
