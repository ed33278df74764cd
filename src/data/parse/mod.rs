//! JSON text, read into whatever a builder makes of it (RFC 8259).
//!
//! Not `serde_json`, which would round: it makes a 64-bit float of every whole number that has no
//! 64 bits, and refuses a document for half of a surrogate pair, which JavaScript, Java and Python
//! write when they cut a text in two. Mistakes are told in its words.

use std::fmt;

#[cfg(test)]
mod tests;

/// How deep a text may be nested; as in `serde_json`.
const DEEPEST: usize = 128;

/// A number as JSON has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number of 64 bits.
    Int(i64),
    /// A whole number of more than 64 bits and up to 128.
    Wide(i128),
    /// A whole number of more than 128 bits, rounded.
    Rounded(f64),
    /// One with a fraction or an exponent.
    Float(f64),
}

/// Makes values of what is read.
pub(crate) trait Build {
    /// Any value.
    type Value;
    /// Values in order.
    type Array: Default;
    /// Values by name.
    type Map: Default;

    /// `null`
    fn null(&mut self) -> Self::Value;
    /// `true` or `false`
    fn truth(&mut self, truth: bool) -> Self::Value;
    /// A number.
    fn number(&mut self, number: Number) -> Self::Value;
    /// Text.
    fn text(&mut self, text: &str) -> Self::Value;
    /// A text of the document has half of a surrogate pair, instead of which it gets U+FFFD.
    fn half_a_pair(&mut self);
    /// The next value of an array.
    fn push(&mut self, array: &mut Self::Array, value: Self::Value);
    /// A value of a map; of one name the last holds.
    fn insert(&mut self, map: &mut Self::Map, name: &str, value: Self::Value);
    /// An array that is whole.
    fn array(&mut self, array: Self::Array) -> Self::Value;
    /// A map that is whole.
    fn map(&mut self, map: Self::Map) -> Self::Value;
}

/// Where a text is not JSON, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// What is wrong there.
    pub what: String,
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotJson { what, line, column } = self;
        write!(f, "{what} at line {line} column {column}")
    }
}

impl NotJson {
    /// At that byte of the text; at its last one if it has ended.
    fn at(text: &[u8], at: usize, what: impl Into<String>) -> NotJson {
        let before = &text[..at.min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n');
        let column = before.len() - line_start.map_or(0, |newline| newline + 1);
        NotJson {
            what: what.into(),
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: column + usize::from(at < text.len()),
        }
    }
}

/// The value of a JSON text. Uses stack for each level of it.
///
/// # Errors
/// When it is none, or nested more than 128 deep.
pub(crate) fn parse<B: Build>(text: &str, build: &mut B) -> Result<B::Value, NotJson> {
    let mut parser = Parser {
        text,
        at: 0,
        build,
        unescaped: String::new(),
    };
    let value = parser.value(DEEPEST)?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.wrong("trailing characters")),
    }
}

/// The value of a JSON text that came as bytes.
///
/// # Errors
/// As [`parse`], and when it is not UTF-8.
pub(crate) fn parse_bytes<B: Build>(bytes: &[u8], build: &mut B) -> Result<B::Value, NotJson> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, build),
        Err(error) => Err(NotJson::at(
            bytes,
            error.valid_up_to(),
            "the text is not UTF-8",
        )),
    }
}

struct Parser<'a, B> {
    text: &'a str,
    at: usize,
    build: &'a mut B,
    /// A text that is not written as it is.
    unescaped: String,
}

type Result<T, E = NotJson> = std::result::Result<T, E>;

impl<'a, B: Build> Parser<'a, B> {
    fn wrong(&self, what: impl Into<String>) -> NotJson {
        NotJson::at(self.text.as_bytes(), self.at, what)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn value(&mut self, depth: usize) -> Result<B::Value> {
        let Some(first) = self.peek() else {
            return Err(self.wrong("EOF while parsing a value"));
        };
        match first {
            b'"' => Ok(match self.string()? {
                Some(text) => self.build.text(text),
                None => self.build.text(&self.unescaped),
            }),
            b'{' | b'[' if depth == 0 => Err(self.wrong("recursion limit exceeded")),
            b'{' => self.map(depth - 1),
            b'[' => self.array(depth - 1),
            b'-' | b'0'..=b'9' => {
                let number = self.number()?;
                Ok(self.build.number(number))
            }
            b't' => self.word("true").map(|()| self.build.truth(true)),
            b'f' => self.word("false").map(|()| self.build.truth(false)),
            b'n' => self.word("null").map(|()| self.build.null()),
            _ => Err(self.no_value()),
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        for expected in word.bytes() {
            match self.byte() {
                Some(byte) if byte == expected => self.at += 1,
                Some(_) => return Err(self.wrong("expected ident")),
                None => return Err(self.wrong("EOF while parsing a value")),
            }
        }
        Ok(())
    }

    /// What `JSON.stringify` never writes, and Python's `json.dumps` does if it is not told
    /// `allow_nan=False`.
    fn no_value(&self) -> NotJson {
        let rest = &self.text[self.at..];
        let words = ["NaN", "Infinity", "-Infinity"];
        match words.iter().find(|word| rest.starts_with(**word)) {
            Some(word) => self.wrong(format!("JSON has no `{word}`, which is here")),
            None => self.wrong("expected value"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<B::Value> {
        self.at += 1;
        let mut array = B::Array::default();
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                return Ok(self.build.array(array));
            }
            Some(_) => {}
            None => return Err(self.wrong("EOF while parsing a list")),
        }
        loop {
            let value = self.value(depth)?;
            self.build.push(&mut array, value);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(self.build.array(array));
                }
                Some(_) => return Err(self.wrong("expected `,` or `]`")),
                None => return Err(self.wrong("EOF while parsing a list")),
            }
            if self.peek() == Some(b']') {
                return Err(self.wrong("trailing comma"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<B::Value> {
        self.at += 1;
        let mut map = B::Map::default();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(self.build.map(map));
        }
        loop {
            match self.peek() {
                Some(b'"') => {}
                Some(_) => return Err(self.wrong("key must be a string")),
                None => return Err(self.wrong("EOF while parsing an object")),
            }
            let name = match self.string()? {
                Some(name) => Name::Here(name),
                None => Name::Unescaped(std::mem::take(&mut self.unescaped)),
            };
            match self.peek() {
                Some(b':') => self.at += 1,
                Some(_) => return Err(self.wrong("expected `:`")),
                None => return Err(self.wrong("EOF while parsing an object")),
            }
            let value = self.value(depth)?;
            let name = match &name {
                Name::Here(name) => name,
                Name::Unescaped(name) => name.as_str(),
            };
            self.build.insert(&mut map, name, value);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(self.build.map(map));
                }
                Some(_) => return Err(self.wrong("expected `,` or `}`")),
                None => return Err(self.wrong("EOF while parsing an object")),
            }
            if self.peek() == Some(b'}') {
                return Err(self.wrong("trailing comma"));
            }
        }
    }

    /// A text, if it is written as it is; `None` if it was put together in `unescaped`.
    fn string(&mut self) -> Result<Option<&'a str>> {
        self.at += 1;
        let start = self.at;
        self.plain_bytes();
        if self.byte() == Some(b'"') {
            self.at += 1;
            return Ok(Some(&self.text[start..self.at - 1]));
        }
        self.unescaped.clear();
        let mut from = start;
        loop {
            self.unescaped.push_str(&self.text[from..self.at]);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(None);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => {
                    return Err(self.wrong(
                        "control character (\\u0000-\\u001F) found while parsing a string",
                    ));
                }
                None => return Err(self.wrong("EOF while parsing a string")),
            }
            from = self.at;
            self.plain_bytes();
        }
    }

    /// Passes what stands for itself in a text.
    fn plain_bytes(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<()> {
        self.at += 1;
        let Some(letter) = self.byte() else {
            return Err(self.wrong("EOF while parsing a string"));
        };
        let letter = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                let letter = self.unicode()?;
                self.unescaped.push(letter);
                return Ok(());
            }
            _ => return Err(self.wrong("invalid escape")),
        };
        self.at += 1;
        self.unescaped.push(letter);
        Ok(())
    }

    /// What four digits stand for, or eight if they are a surrogate pair.
    fn unicode(&mut self) -> Result<char> {
        let first = self.four_digits()?;
        if let Some(letter) = char::from_u32(first) {
            return Ok(letter);
        }
        if first < 0xdc00 && self.text[self.at..].starts_with("\\u") {
            let after_first = self.at;
            self.at += 2;
            let second = self.four_digits()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after_first;
        }
        self.build.half_a_pair();
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn four_digits(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) else {
            return Err(self.wrong("invalid escape"));
        };
        let value = |code, digit: &u8| code << 4 | char::from(*digit).to_digit(16).unwrap_or(0);
        self.at += 4;
        Ok(digits.iter().fold(0, value))
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.wrong(match self.byte() {
                Some(_) => "invalid number",
                None => "EOF while parsing a value",
            }));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Number> {
        let start = self.at;
        let mut is_whole = true;
        if self.byte() == Some(b'-') {
            if self.text[self.at..].starts_with("-Infinity") {
                return Err(self.no_value());
            }
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.byte() {
                return Err(self.wrong("invalid number"));
            }
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            is_whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            is_whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if is_whole && text != "-0" {
            if let Ok(number) = text.parse() {
                return Ok(Number::Int(number));
            }
            if let Ok(number) = text.parse() {
                return Ok(Number::Wide(number));
            }
        }
        match text.parse() {
            Ok(number) if f64::is_infinite(number) => Err(self.wrong("number out of range")),
            Ok(number) if is_whole && text != "-0" => Ok(Number::Rounded(number)),
            Ok(number) => Ok(Number::Float(number)),
            Err(_) => Err(self.wrong("invalid number")),
        }
    }
}

/// The name of a value while that is read.
enum Name<'a> {
    Here(&'a str),
    Unescaped(String),
}

/// Makes sure that a text is JSON, and keeps nothing but whether a script could have all of it.
#[derive(Default)]
pub(super) struct Nothing {
    pub(super) half_a_pair: bool,
    pub(super) rounded: bool,
}

impl Build for Nothing {
    type Value = ();
    type Array = ();
    type Map = ();

    fn null(&mut self) {}
    fn truth(&mut self, _: bool) {}
    fn number(&mut self, number: Number) {
        self.rounded |= matches!(number, Number::Rounded(_));
    }
    fn text(&mut self, _: &str) {}
    fn half_a_pair(&mut self) {
        self.half_a_pair = true;
    }
    fn push(&mut self, (): &mut (), (): ()) {}
    fn insert(&mut self, (): &mut (), _: &str, (): ()) {}
    fn array(&mut self, (): ()) {}
    fn map(&mut self, (): ()) {}
}
