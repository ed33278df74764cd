//! JSON: an array of values, one value, or a value on each line.
//!
//! Rows stay JSON text until a script reads them: that is one copy of memory, whatever shape they
//! have. That the text is JSON is made sure of here.

use super::fault::Fault;
use super::packed::Packed;
use super::parse::{NotJson, Nothing, parse};

/// How deep a row may be nested: scripts take no more.
const DEEPEST: usize = 120;

/// The rows of a document: the elements of an array, or one object.
pub(super) fn document(text: &str) -> Result<Packed, Fault> {
    let mut seen = Nothing::default();
    parse(text, &mut seen).map_err(|error| {
        let fault = fault(&error, 0);
        let second = text.trim_start().starts_with('{') && error.what.contains("trailing");
        if second {
            fault.hint("a file with a value on each line is named `.jsonl` or `.ndjson`")
        } else {
            fault
        }
    })?;
    let json = text.trim();
    let rows = match json.as_bytes().first() {
        Some(b'[') => elements(json)?,
        Some(b'{') => {
            let mut rows = Packed::default();
            rows.push(json)?;
            rows
        }
        _ => {
            let message = "it is a single value: rows are an array of values, or one object";
            return Err(Fault::new(message));
        }
    };
    if rows.len() == 0 {
        return Err(Fault::new("the array is empty"));
    }
    check_depth(&rows)?;
    check_whole(&rows, &seen)?;
    Ok(rows.shrink())
}

/// The rows of a file with a value on each line; blank lines are passed over.
pub(super) fn lines(text: &str) -> Result<Packed, Fault> {
    let mut rows = Packed::default();
    let mut seen = Nothing::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        parse(line, &mut seen).map_err(|error| {
            let fault = fault(&error, index);
            if index == 0 && error.what.starts_with("EOF") {
                fault.hint("in `.jsonl` and `.ndjson` each line is a whole value")
            } else {
                fault
            }
        })?;
        rows.push(line)?;
    }
    if rows.len() == 0 {
        return Err(Fault::new("there is nothing but blank lines"));
    }
    check_depth(&rows)?;
    check_whole(&rows, &seen)?;
    Ok(rows.shrink())
}

fn fault(error: &NotJson, lines_before: usize) -> Fault {
    let NotJson { what, line, column } = error;
    let line = lines_before + line;
    Fault::new(format!("line {line}, column {column} is not JSON: {what}"))
}

/// The elements of an array; `json` is known to be one.
fn elements(json: &str) -> Result<Packed, Fault> {
    let mut rows = Packed::default();
    let mut nesting = Nesting::default();
    // Past the array's own bracket.
    let mut start = 1;
    for (at, byte) in json.bytes().enumerate() {
        let ends_element = matches!(byte, b',' | b']') && nesting.depth == 1 && !nesting.in_text;
        nesting.step(byte);
        if ends_element {
            let element = json[start..at].trim();
            if !element.is_empty() {
                rows.push(element)?;
            }
            start = at + 1;
        }
    }
    Ok(rows)
}

fn check_depth(rows: &Packed) -> Result<(), Fault> {
    match rows.iter().position(|row| depth(row) > DEEPEST) {
        Some(row) => Err(Fault::new(format!(
            "row {} is nested more than {DEEPEST} deep",
            row + 1
        ))),
        None => Ok(()),
    }
}

/// What a script could not have as it is written is a mistake: `seen` has looked at all rows.
fn check_whole(rows: &Packed, seen: &Nothing) -> Result<(), Fault> {
    if !seen.half_a_pair && !seen.rounded {
        return Ok(());
    }
    for (row, text) in rows.iter().enumerate() {
        let mut seen = Nothing::default();
        let what = match parse(text, &mut seen) {
            Ok(()) if seen.half_a_pair => "half of a surrogate pair, which is no letter",
            Ok(()) if seen.rounded => "a whole number of more than 38 digits: write it as text",
            _ => continue,
        };
        return Err(Fault::new(format!("row {} has {what}", row + 1)));
    }
    Ok(())
}

/// How deep arrays and objects are nested in a JSON text.
fn depth(json: &str) -> usize {
    let mut nesting = Nesting::default();
    let depths = json.bytes().map(|byte| {
        nesting.step(byte);
        nesting.depth
    });
    depths.max().unwrap_or(0)
}

/// Where in a JSON text one is, byte by byte.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Nesting {
    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.in_text,
            b'"' => self.in_text = !self.in_text,
            b'[' | b'{' if !self.in_text => self.depth += 1,
            b']' | b'}' if !self.in_text => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(read: Result<Packed, Fault>) -> Vec<String> {
        read.unwrap().iter().map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_elements_one_object_or_lines() {
        assert_eq!(
            rows(document(" [1, {\"a\": [2, 3]},\n \"x], \\\",y\" , []] ")),
            ["1", "{\"a\": [2, 3]}", "\"x], \\\",y\"", "[]"]
        );
        assert_eq!(rows(document("{\"a\": 1}\n")), ["{\"a\": 1}"]);
        assert_eq!(rows(lines("{\"a\":1}\r\n\n 2 \n")), ["{\"a\":1}", "2"]);
    }

    #[test]
    fn what_is_not_json_is_told_with_line_and_column() {
        let wrong = |read: Result<Packed, Fault>| read.unwrap_err().to_string();
        assert_eq!(
            wrong(document("[\n  {\"a\": 1},\n  {a: 2}\n]")),
            "line 3, column 4 is not JSON: key must be a string"
        );
        assert_eq!(
            wrong(document("{\"a\":1}\n{\"a\":2}\n")),
            "line 2, column 1 is not JSON: trailing characters; hint: a file with a value on \
             each line is named `.jsonl` or `.ndjson`"
        );
        assert_eq!(
            wrong(lines("{\"a\":1}\n{\"a\":}\n")),
            "line 2, column 6 is not JSON: expected value"
        );
        assert_eq!(
            wrong(lines("[\n1\n]\n")),
            "line 1, column 1 is not JSON: EOF while parsing a list; hint: in `.jsonl` and \
             `.ndjson` each line is a whole value"
        );
        assert_eq!(wrong(document("[]")), "the array is empty");
        assert!(wrong(document("3")).starts_with("it is a single value"));
        assert_eq!(wrong(lines("\n \n")), "there is nothing but blank lines");
    }

    #[test]
    fn what_no_script_could_read_is_refused_at_once() {
        let nested = |depth: usize| format!("[1, {}{}]", "[".repeat(depth), "]".repeat(depth));
        assert!(document(&nested(DEEPEST)).is_ok());
        assert_eq!(
            document(&nested(DEEPEST + 1)).unwrap_err().message,
            "row 2 is nested more than 120 deep"
        );
        assert_eq!(depth(r#"{"a": "[[\"[[", "b": [1]}"#), 2);
        let wrong = |read: Result<Packed, Fault>| read.unwrap_err().message;
        assert_eq!(
            wrong(document(r#"["a", {"b": "\ud83d"}]"#)),
            "row 2 has half of a surrogate pair, which is no letter"
        );
        assert_eq!(
            wrong(lines(&format!("1\n{}\n", "9".repeat(40)))),
            "row 2 has a whole number of more than 38 digits: write it as text"
        );
        assert!(document("[18446744073709551615, -0, 1e300]").is_ok());
        assert!(document("[1, NaN]").is_err() && document("[1e400]").is_err());
    }
}
