//! A table of fixed columns that fits a terminal: drops columns, shortens names, never wraps.
//!
//! Knows nothing of what the cells mean. Widths are display columns (a Chinese character takes
//! two), not characters.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::visible::on_one_line;

/// Narrower terminals are treated as this wide.
pub(super) const NARROWEST: usize = 60;
/// The widest name column.
const WIDEST_NAME: usize = 80;
/// Columns are dropped rather than names made shorter than this (or than the longest).
const SHORT_NAME: usize = 16;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Above the column.
    pub(super) title: &'static str,
    /// At least this wide; wider if a cell is.
    pub(super) width: usize,
    /// Whether a bar follows it.
    pub(super) has_bar: bool,
    /// The order in which columns are dropped where there is no room: 1 before 2. Zero stays.
    pub(super) drop: u8,
}

impl Column {
    /// A column that is never dropped, without a bar.
    pub(super) const fn new(title: &'static str, width: usize) -> Column {
        Column {
            title,
            width,
            has_bar: false,
            drop: 0,
        }
    }

    /// Makes it the column to be dropped as number `rank`.
    pub(super) const fn dropped(self, rank: u8) -> Column {
        Column { drop: rank, ..self }
    }

    /// Adds a bar after it.
    pub(super) const fn bar(self) -> Column {
        Column {
            has_bar: true,
            ..self
        }
    }
}

/// One line of a table.
#[derive(Clone, Debug)]
pub(super) enum Line {
    /// As many cells as there are columns.
    Cells(Vec<String>),
    /// Dashes.
    Rule,
}

/// Columns and lines. The first column is the type, the second the name; both are aligned to the
/// left, the others to the right.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    lines: Vec<Line>,
}

const TYPE: usize = 0;
const NAME: usize = 1;

impl Table {
    /// A table with `Type` and `Name` and those columns.
    pub(super) fn new(columns: &[Column]) -> Table {
        Table::titled(["Type", "Name"], columns)
    }

    /// A table whose first two columns are called so.
    pub(super) fn titled([kind, name]: [&'static str; 2], columns: &[Column]) -> Table {
        let first = [Column::new(kind, 8), Column::new(name, 10)];
        let columns: Vec<Column> = first.iter().chain(columns).copied().collect();
        Table {
            columns,
            lines: vec![Line::Rule],
        }
    }

    /// Adds a line.
    pub(super) fn push(&mut self, line: Line) {
        if let Line::Cells(cells) = &line {
            assert_eq!(cells.len(), self.columns.len(), "a cell for every column");
        }
        self.lines.push(line);
    }

    /// The table as text of at most `width` columns a line.
    pub(super) fn render(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let (kept, widths) = self.fit(width);
        let titles: Vec<String> = self.columns.iter().map(|c| c.title.to_owned()).collect();
        let mut text = String::new();
        self.put(&mut text, &titles, &kept, &widths, width);
        for line in &self.lines {
            match line {
                Line::Cells(cells) => self.put(&mut text, cells, &kept, &widths, width),
                Line::Rule => {
                    let dashes = kept.iter().map(|i| "-".repeat(widths[*i] + self.bar(*i)));
                    let line = dashes.collect::<Vec<_>>().join("|");
                    text.push_str(&shorten(&line, width));
                    text.push('\n');
                }
            }
        }
        text
    }

    /// The columns to show and the width of every column.
    fn fit(&self, width: usize) -> (Vec<usize>, Vec<usize>) {
        let mut widths: Vec<usize> = (0..self.columns.len()).map(|i| self.natural(i)).collect();
        widths[TYPE] = self.columns[TYPE].width;
        widths[NAME] = widths[NAME].min(WIDEST_NAME);
        let wanted = widths[NAME].min(SHORT_NAME);
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        loop {
            let taken: usize = kept.iter().map(|i| widths[*i] + self.bar(*i) + 1).sum();
            let others = taken - widths[NAME] - 1;
            let room = width.saturating_sub(others);
            let droppable = kept.iter().copied().filter(|i| self.columns[*i].drop > 0);
            let next = droppable.min_by_key(|i| self.columns[*i].drop);
            match next {
                Some(column) if room < wanted => kept.retain(|i| *i != column),
                _ => {
                    widths[NAME] = widths[NAME].min(room.max(1));
                    return (kept, widths);
                }
            }
        }
    }

    fn natural(&self, column: usize) -> usize {
        let cells = self.lines.iter().filter_map(|line| match line {
            Line::Cells(cells) => Some(cells[column].width()),
            Line::Rule => None,
        });
        cells.max().unwrap_or(0).max(self.columns[column].width)
    }

    fn bar(&self, column: usize) -> usize {
        usize::from(self.columns[column].has_bar)
    }

    fn put(
        &self,
        text: &mut String,
        cells: &[String],
        kept: &[usize],
        widths: &[usize],
        width: usize,
    ) {
        let mut line = String::new();
        for (place, &i) in kept.iter().enumerate() {
            let cell = shorten(&cells[i], widths[i]);
            let gap = " ".repeat(widths[i] - cell.width());
            if i <= NAME {
                line.push_str(&cell);
                line.push_str(&gap);
            } else {
                line.push_str(&gap);
                line.push_str(&cell);
            }
            if place + 1 < kept.len() {
                line.push_str(if self.columns[i].has_bar { " |" } else { " " });
            }
        }
        text.push_str(shorten(line.trim_end(), width).trim_end());
        text.push('\n');
    }
}

/// The text in at most `width` columns, its end replaced by `…` where it is longer; line ends and
/// tabs become spaces, control characters are escaped.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let clean = on_one_line(text);
    if clean.width() <= width {
        return clean;
    }
    let mut short = String::new();
    let mut used = 1;
    for c in clean.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// The text in pieces of at most `width` columns, broken at spaces where there are any.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let clean = on_one_line(text);
    let mut lines = Vec::new();
    let mut rest = clean.trim();
    while rest.width() > width {
        let mut used = 0;
        let fits = |(_, c): &(usize, char)| {
            used += c.width().unwrap_or(0);
            used <= width
        };
        let end = rest
            .char_indices()
            .take_while(fits)
            .last()
            .map_or(0, |(i, c)| i + c.len_utf8());
        // At least one character, so that wrapping ends even if it is wider than a line.
        let end = end.max(rest.chars().next().map_or(0, char::len_utf8));
        let cut = match rest[..end].rfind(' ') {
            Some(space) if space > 0 => space,
            _ => end,
        };
        lines.push(rest[..cut].trim_end().to_owned());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_display_columns() {
        assert_eq!(shorten("/shop", 5), "/shop");
        assert_eq!(shorten("/shops", 5), "/sho…");
        assert_eq!(shorten("/优惠券", 6), "/优惠…");
        assert_eq!(shorten("/优惠券", 5), "/优…");
        assert_eq!(shorten("a\tb\n", 9), "a b ");
        assert_eq!(shorten("\u{1b}[2J", 20), "\\u{1b}[2J");
    }

    #[test]
    fn wrapping_breaks_at_spaces_and_loses_nothing() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("优惠", 1), ["优", "惠"]);
    }

    #[test]
    fn columns_go_in_their_order_until_the_name_has_room() {
        let columns = [
            Column::new("a", 20).bar(),
            Column::new("b", 20).dropped(2),
            Column::new("c", 20).dropped(1),
        ];
        let mut table = Table::new(&columns);
        let name = "x".repeat(30);
        table.push(Line::Cells(vec![
            "GET".into(),
            name,
            "1".into(),
            "2".into(),
            "3".into(),
        ]));

        let titles = |width| {
            let text = table.render(width);
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            text.lines()
                .next()
                .expect("a title line")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(titles(120), "Type Name a | b c");
        assert_eq!(titles(80), "Type Name a | b");
        assert_eq!(titles(60), "Type Name a");
    }
}
