//! A script's values as JSON and back: the one way for bodies, rows, files and texts.
//!
//! What JSON cannot say is an error that names the place, never another value in its stead. Owns
//! whole numbers of more than 64 bits, which scripts know from JSON alone.

use std::cmp::Ordering;

use rhai::{Array, Blob, Dynamic, Engine, Identifier, ImmutableString, Map};

use crate::coroutine;
use crate::data::{self, Build, NotJson, Number};
use crate::script::results::Result;
use crate::script::run::failure::Control;
use crate::script::run::said_once::Once;
use crate::script::value::kind;

/// How deep what is written may be nested.
const DEEPEST: usize = 500;

/// A value that was read.
#[derive(Clone, Default)]
pub(crate) struct Read {
    pub(crate) value: Dynamic,
    pub(crate) changed: Changed,
}

/// What is not as the text has it, since no value of a script could be.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changed(u8);

impl Changed {
    const HALF_A_PAIR: (u8, &'static str) = (
        1,
        "half of a surrogate pair in a JSON text (`\"\\ud83d\"` alone) is no letter: scripts see \
         `\u{fffd}`",
    );
    const ROUNDED: (u8, &'static str) = (
        2,
        "a whole number in a JSON text has more than 38 digits: scripts see a float, which keeps \
         17 of them",
    );

    /// All of it, in words.
    pub(crate) fn each(self) -> impl Iterator<Item = (Once, &'static str)> {
        let all = [
            (Once::HalfAPair, Changed::HALF_A_PAIR),
            (Once::RoundedNumber, Changed::ROUNDED),
        ];
        let found = all
            .into_iter()
            .filter(move |(_, (bit, _))| self.0 & bit != 0);
        found.map(|(once, (_, what))| (once, what))
    }
}

/// The value of a JSON text, read on the thread's own stack: it may be nested deeper than a user's
/// is.
///
/// # Errors
/// The inner error when it is not JSON, the outer one when the user is cancelled.
pub(crate) fn read(text: &[u8]) -> Result<Result<Read, NotJson>> {
    coroutine::on_thread_stack(|| {
        let mut values = Values::default();
        let value = data::parse_bytes(text, &mut values)?;
        let changed = values.0;
        Ok(Read { value, changed })
    })
    .map_err(|_| Control::Cancelled.into())
}

/// A value as JSON.
///
/// # Errors
/// When JSON has no word for a part of it; when the user is cancelled.
pub(crate) fn written(value: &Dynamic) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    coroutine::on_thread_stack(|| write(value, &mut text, DEEPEST))
        .map_err(|_| Control::Cancelled)?
        .map_err(|Unwritable { path, why }| match path.as_str() {
            "" => format!("this cannot be written as JSON: it {why}"),
            _ => format!("this cannot be written as JSON: `{path}` {why}"),
        })?;
    Ok(text)
}

/// A value as JSON text.
///
/// # Errors
/// As [`written`].
pub(crate) fn text(value: &Dynamic) -> Result<String> {
    Ok(String::from_utf8(written(value)?).expect("texts and their names are UTF-8"))
}

struct Unwritable {
    path: String,
    why: String,
}

impl Unwritable {
    fn here(why: impl Into<String>) -> Unwritable {
        Unwritable {
            path: String::new(),
            why: why.into(),
        }
    }

    fn within(mut self, part: &str) -> Unwritable {
        self.path.insert_str(0, part);
        self
    }
}

fn write(value: &Dynamic, out: &mut Vec<u8>, depth: usize) -> Result<(), Unwritable> {
    let simple = |out: &mut Vec<u8>, written: serde_json::Result<()>| {
        written.map_err(|error| {
            Unwritable::here(format!("is refused: {error} after {} bytes", out.len()))
        })
    };
    if value.is_unit() {
        out.extend(b"null");
        return Ok(());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        let written = serde_json::to_writer(&mut *out, text.as_str());
        return simple(out, written);
    }
    if let Ok(number) = value.as_int() {
        let written = serde_json::to_writer(&mut *out, &number);
        return simple(out, written);
    }
    if let Ok(truth) = value.as_bool() {
        out.extend(if truth { &b"true"[..] } else { b"false" });
        return Ok(());
    }
    if let Ok(number) = value.as_float() {
        if !number.is_finite() {
            return Err(Unwritable::here(format!(
                "is {number}, for which JSON has no word: give `()` for null"
            )));
        }
        let written = serde_json::to_writer(&mut *out, &number);
        return simple(out, written);
    }
    if let Some(number) = value.read_lock::<i128>() {
        out.extend(number.to_string().bytes());
        return Ok(());
    }
    if let Ok(letter) = value.as_char() {
        let written = serde_json::to_writer(&mut *out, &letter);
        return simple(out, written);
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        let written = serde_json::to_writer(&mut *out, &*bytes);
        return simple(out, written);
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Unwritable::here(format!(
            "is nested more than {DEEPEST} deep"
        )));
    };
    if let Some(array) = value.read_lock::<Array>() {
        out.push(b'[');
        for (index, value) in array.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write(value, out, depth).map_err(|wrong| wrong.within(&format!("[{index}]")))?;
        }
        out.push(b']');
        return Ok(());
    }
    if let Some(map) = value.read_lock::<Map>() {
        out.push(b'{');
        for (index, (name, value)) in map.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            let written = serde_json::to_writer(&mut *out, name.as_str());
            simple(out, written)?;
            out.push(b':');
            write(value, out, depth).map_err(|wrong| wrong.within(&format!(".{name}")))?;
        }
        out.push(b'}');
        return Ok(());
    }
    Err(Unwritable::here(format!(
        "is {}, for which JSON has no word",
        kind(value)
    )))
}

/// Makes a script's values.
#[derive(Default)]
struct Values(Changed);

impl Build for Values {
    type Value = Dynamic;
    type Array = Array;
    type Map = Map;

    fn null(&mut self) -> Dynamic {
        Dynamic::UNIT
    }

    fn truth(&mut self, truth: bool) -> Dynamic {
        truth.into()
    }

    fn number(&mut self, number: Number) -> Dynamic {
        match number {
            Number::Int(number) => number.into(),
            Number::Wide(number) => Dynamic::from(number),
            Number::Rounded(number) => {
                self.0.0 |= Changed::ROUNDED.0;
                number.into()
            }
            Number::Float(number) => number.into(),
        }
    }

    fn text(&mut self, text: &str) -> Dynamic {
        ImmutableString::from(text).into()
    }

    fn half_a_pair(&mut self) {
        self.0.0 |= Changed::HALF_A_PAIR.0;
    }

    fn push(&mut self, array: &mut Array, value: Dynamic) {
        array.push(value);
    }

    fn insert(&mut self, map: &mut Map, name: &str, value: Dynamic) {
        map.insert(Identifier::from(name), value);
    }

    fn array(&mut self, array: Array) -> Dynamic {
        array.into()
    }

    fn map(&mut self, map: Map) -> Dynamic {
        map.into()
    }
}

/// A whole number of a script: of 64 bits if that is enough.
fn whole(number: i128) -> Dynamic {
    i64::try_from(number).map_or_else(|_| Dynamic::from(number), Dynamic::from)
}

#[expect(clippy::cast_precision_loss, reason = "what a float is asked for")]
fn float(number: i128) -> f64 {
    number as f64
}

/// Registers what can be done with whole numbers of more than 64 bits: what comes out is one of 64
/// bits where it fits, and beside a float they are floats.
pub(crate) fn register(engine: &mut Engine) {
    type Checked = fn(i128, i128) -> Option<i128>;
    type Floating = fn(f64, f64) -> f64;
    let arithmetic: [(&str, Checked, Floating); 5] = [
        ("+", i128::checked_add, |a, b| a + b),
        ("-", i128::checked_sub, |a, b| a - b),
        ("*", i128::checked_mul, |a, b| a * b),
        ("/", i128::checked_div, |a, b| a / b),
        ("%", i128::checked_rem, |a, b| a % b),
    ];
    for (name, of_whole, of_floats) in arithmetic {
        let exactly = move |a: i128, b: i128| -> Result<Dynamic> {
            let beyond = || format!("`{a} {name} {b}` is no whole number of 128 bits");
            of_whole(a, b).map(whole).ok_or_else(|| beyond().into())
        };
        engine
            .register_fn(name, exactly)
            .register_fn(name, move |a: i128, b: i64| exactly(a, b.into()))
            .register_fn(name, move |a: i64, b: i128| exactly(a.into(), b))
            .register_fn(name, move |a: i128, b: f64| of_floats(float(a), b))
            .register_fn(name, move |a: f64, b: i128| of_floats(a, float(b)));
    }
    type Holds = fn(Option<Ordering>) -> bool;
    let comparisons: [(&str, Holds); 6] = [
        ("==", |order| order == Some(Ordering::Equal)),
        ("!=", |order| order != Some(Ordering::Equal)),
        ("<", |order| order.is_some_and(Ordering::is_lt)),
        ("<=", |order| order.is_some_and(Ordering::is_le)),
        (">", |order| order.is_some_and(Ordering::is_gt)),
        (">=", |order| order.is_some_and(Ordering::is_ge)),
    ];
    for (name, holds) in comparisons {
        let exactly = move |a: i128, b: i128| holds(Some(a.cmp(&b)));
        engine
            .register_fn(name, exactly)
            .register_fn(name, move |a: i128, b: i64| exactly(a, b.into()))
            .register_fn(name, move |a: i64, b: i128| exactly(a.into(), b))
            .register_fn(name, move |a: i128, b: f64| holds(float(a).partial_cmp(&b)))
            .register_fn(name, move |a: f64, b: i128| holds(a.partial_cmp(&float(b))));
    }
    engine
        .register_fn("-", |number: i128| -> Result<Dynamic> {
            let negated = number.checked_neg().map(whole);
            negated.ok_or_else(|| format!("`-{number}` has more than 128 bits").into())
        })
        .register_fn("abs", |number: i128| -> Result<Dynamic> {
            let absolute = number.checked_abs().map(whole);
            absolute.ok_or_else(|| format!("`-({number})` has more than 128 bits").into())
        })
        .register_fn("to_string", |number: i128| number.to_string())
        .register_fn("to_debug", |number: i128| number.to_string())
        .register_fn("to_float", float)
        .register_fn("to_int", |number: i128| -> Result<i64> {
            Err(format!("{number} has more than 64 bits").into())
        });
}

#[cfg(test)]
mod tests {
    use rhai::FnPtr;

    use super::*;

    fn value(text: &str) -> Dynamic {
        read(text.as_bytes()).unwrap().unwrap().value
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        for text in [
            r#"{"a":[1,2.5,"x",null,true,{"b":[]}],"é\n":{}}"#,
            "[9223372036854775807,9223372036854775808,18446744073709551615,-9223372036854775809]",
            "99999999999999999999999999999999999999",
            "[0.1,1e+21,-0.0,1e-7,5e-324,1.7976931348623157e+308]",
        ] {
            assert_eq!(super::text(&value(text)).unwrap(), text);
        }
    }

    #[test]
    fn what_scripts_cannot_have_is_noted() {
        let changed = |text: &str| read(text.as_bytes()).unwrap().unwrap().changed.0;
        assert_eq!(changed("[1, 1e300, \"\\ud83d\\ude00\"]"), 0);
        assert_eq!(changed("[\"\\ud83d\"]"), 1);
        assert_eq!(changed(&"9".repeat(40)), 2);
    }

    #[test]
    fn what_json_cannot_say_is_named() {
        let wrong = |value: Dynamic| {
            let mut map = Map::new();
            map.insert("a".into(), vec![Dynamic::UNIT, value].into());
            super::text(&map.into()).unwrap_err().to_string()
        };
        for (value, expected) in [
            (
                f64::NAN.into(),
                "`.a[1]` is NaN, for which JSON has no word: give `()` for null",
            ),
            (
                f64::NEG_INFINITY.into(),
                "`.a[1]` is -inf, for which JSON has no word",
            ),
            (
                FnPtr::new("f").unwrap().into(),
                "`.a[1]` is a closure, for which JSON has no word",
            ),
            (
                Dynamic::from(0..3_i64),
                "`.a[1]` is something else, for which JSON has no word",
            ),
        ] {
            let error = wrong(value);
            assert!(error.contains(expected), "{error}");
        }
        let mut deep = Dynamic::UNIT;
        for _ in 0..600 {
            deep = vec![deep].into();
        }
        let error = super::text(&deep).unwrap_err().to_string();
        assert!(error.contains("is nested more than 500 deep"), "{error}");
    }
}
