//! Data sources: the options they are declared with, and what a script does with them.
//!
//! Only the table; `csv` and the like are in `functions`.

use super::{Kind, Word};

const MODE: &str = "the order of rows: \"circular\" has one position for all users, \"unique\" gives each row once, \"random\" any row, \"shuffle\" each once a round";

const fn of_csv(name: &'static str, signs: &'static [&'static str], doc: &'static str) -> Word {
    Word::new(Kind::CsvOption, name, doc).signs(signs)
}

const fn method(name: &'static str, signs: &'static [&'static str], doc: &'static str) -> Word {
    Word::new(Kind::DataMethod, name, doc).signs(signs)
}

pub(super) const DATA: &[Word] = &[
    of_csv("mode", &["string"], MODE).default("\"circular\""),
    of_csv("delimiter", &["string"], "what separates two values: one ASCII character").default("\",\"").example("delimiter: \";\","),
    of_csv("columns", &["array"], "names for the columns of a file whose first line is a row").example("columns: [\"id\", \"name\"],"),
    of_csv("header", &["bool"], "whether the first line is no row, but names; beside `columns` it is passed over").default("true"),
    of_csv("text", &["bool | array"], "columns that stay text whatever they look like, by name; true: all").default("[]"),
    Word::new(Kind::DataOption, "mode", MODE).signs(&["string"]).default("\"circular\""),
    method("next", &["() -> any"], "the next row, in the order of the mode; the user ends when all unique rows are used up").in_task().example("let account = accounts.next();"),
    method("try_next", &["() -> any"], "the next row; `()` when all unique rows are used up").in_task(),
    method("random", &["() -> any"], "any row, whatever the mode, by the user's random stream").example("let product = products.random();"),
    method("len", &["() -> int"], "how many rows there are"),
    method("column", &["(name: string) -> array"], "the values of one column"),
    method("to_array", &["() -> array"], "all rows, if an array may have so many"),
    Word::new(Kind::DataProperty, "len", "how many rows there are; `data[i]` is one of them, from 0, and `for row in data` has them all").signs(&["int"]),
];
