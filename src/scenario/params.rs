//! Parameters of a script: what they are called, and which texts are values for them.
//!
//! Owns their types. Whoever takes a value, from the command line, a form or the script's top level,
//! reads it here, and so refuses it in the same words.

use serde::{Deserialize, Serialize};

/// The type of a parameter's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamKind {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Any text.
    Text,
}

/// A value that was given for a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Any text.
    Text(String),
}

/// A parameter of the script: `param(name, default, #{…})`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// What `-p name=value` calls it.
    pub name: String,
    /// The type of its default, or of the first one in it.
    pub kind: ParamKind,
    /// Whether its value is a list, given with commas.
    pub is_list: bool,
    /// Its default as text.
    pub default: String,
    /// What it is for.
    pub help: String,
    /// The values it may have; empty for any.
    pub choices: Vec<String>,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Whether the person must give it.
    pub required: bool,
}

impl ParamKind {
    fn read(self, text: &str) -> Option<ParamValue> {
        match self {
            ParamKind::Integer => text.parse().ok().map(ParamValue::Integer),
            ParamKind::Number => text.parse().ok().map(ParamValue::Number),
            ParamKind::Bool => text.parse().ok().map(ParamValue::Bool),
            ParamKind::Text => Some(ParamValue::Text(text.to_owned())),
        }
    }

    /// What such a value is, after "is not".
    fn words(self) -> &'static str {
        match self {
            ParamKind::Integer => "a whole number",
            ParamKind::Number => "a number",
            ParamKind::Bool => "`true` or `false`",
            ParamKind::Text => "a text",
        }
    }
}

impl Param {
    /// The values that a text gives: one, or those of a list.
    ///
    /// # Errors
    /// Why it gives none, without the text if it is secret.
    pub fn read(&self, text: &str) -> Result<Vec<ParamValue>, String> {
        if !self.is_list {
            return Ok(vec![self.read_one(text)?]);
        }
        let parts = text.split(',').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(|part| self.read_one(part)).collect()
    }

    fn read_one(&self, text: &str) -> Result<ParamValue, String> {
        let value = self.kind.read(text).ok_or_else(|| {
            let words = self.kind.words();
            match self.secret {
                true => format!("what was given is not {words}"),
                false => format!("`{text}` is not {words}"),
            }
        })?;
        // `07` is the choice 7.
        let is_it = |choice: &String| self.kind.read(choice).as_ref() == Some(&value);
        match self.choices.is_empty() || self.choices.iter().any(is_it) {
            true => Ok(value),
            false => Err(self.no_choice()),
        }
    }

    /// Why a value is refused that is none of its choices.
    #[must_use]
    pub fn no_choice(&self) -> String {
        format!("it is one of: {}", self.choices.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(kind: ParamKind, is_list: bool, choices: &[&str]) -> Param {
        Param {
            name: "p".to_owned(),
            kind,
            is_list,
            default: String::new(),
            help: String::new(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            secret: false,
            required: false,
        }
    }

    #[test]
    fn values_are_read_by_type() {
        use ParamKind::{Bool, Integer, Number, Text};
        let one = |kind, text: &str| param(kind, false, &[]).read(text);
        assert_eq!(one(Integer, "-7"), Ok(vec![ParamValue::Integer(-7)]));
        assert_eq!(one(Number, "7"), Ok(vec![ParamValue::Number(7.0)]));
        assert_eq!(one(Bool, "true"), Ok(vec![ParamValue::Bool(true)]));
        assert_eq!(
            one(Text, "a, b"),
            Ok(vec![ParamValue::Text("a, b".to_owned())])
        );
        for (kind, text, words) in [
            (Integer, "abc", "`abc` is not a whole number"),
            (Integer, "1.5", "`1.5` is not a whole number"),
            (Integer, "", "`` is not a whole number"),
            (Number, "1,5", "`1,5` is not a number"),
            (Bool, "yes", "`yes` is not `true` or `false`"),
        ] {
            assert_eq!(one(kind, text), Err(words.to_owned()));
        }
        let secret = Param {
            secret: true,
            ..param(Integer, false, &[])
        };
        let wrong = secret.read("hunter2").unwrap_err();
        assert_eq!(wrong, "what was given is not a whole number");
    }

    #[test]
    fn lists_are_read_part_by_part() {
        let list = param(ParamKind::Integer, true, &[]);
        let numbers = [1, 2].map(ParamValue::Integer);
        assert_eq!(list.read("1, 2,"), Ok(numbers.to_vec()));
        assert_eq!(list.read(""), Ok(Vec::new()));
        assert_eq!(
            list.read("1,x"),
            Err("`x` is not a whole number".to_owned())
        );
    }

    #[test]
    fn choices_are_compared_as_values() {
        let chosen = param(ParamKind::Number, false, &["1.0", "2.5"]);
        assert_eq!(chosen.read("1"), Ok(vec![ParamValue::Number(1.0)]));
        assert_eq!(chosen.read("3"), Err("it is one of: 1.0, 2.5".to_owned()));
        let several = param(ParamKind::Text, true, &["en", "ko"]);
        assert!(several.read("en,ko").is_ok() && several.read("en,xx").is_err());
    }
}
