//! Values as bytes, for another process.
//!
//! Owns the form, and what is believed of bytes from outside. A value may be nested as deep as a
//! script's may, but no deeper: reading it is a recursion.
//!
//! ```text
//! value    tag …
//!   0      ()                     1, 2   false, true
//!   3      i64                    4      i128
//!   5      f64                    6      text: its length and its bytes
//!   7      bytes, likewise        8      array: how many, and the values
//!   9      map: how many, and for each its key, as a text is, and its value; keys ascend
//! ```
//!
//! Numbers have as many bytes as their type and lengths have four, the lowest byte first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Value;

/// As deep as a script's values may be nested on their way between threads.
const DEEPEST: usize = 128;

impl Value {
    /// The bytes of it.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.held_bytes());
        self.encode(&mut bytes);
        bytes
    }

    fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Value::Unit => to.push(0),
            Value::Bool(is) => to.push(1 + u8::from(*is)),
            Value::Int(number) => {
                to.push(3);
                to.extend(number.to_le_bytes());
            }
            Value::Wide(number) => {
                to.push(4);
                to.extend(number.to_le_bytes());
            }
            Value::Float(number) => {
                to.push(5);
                to.extend(number.to_le_bytes());
            }
            Value::Text(text) => {
                to.push(6);
                bytes(to, text.as_bytes());
            }
            Value::Bytes(held) => {
                to.push(7);
                bytes(to, held);
            }
            Value::Array(values) => {
                to.push(8);
                length(to, values.len());
                values.iter().for_each(|value| value.encode(to));
            }
            Value::Map(values) => {
                to.push(9);
                length(to, values.len());
                for (key, value) in &**values {
                    bytes(to, key.as_bytes());
                    value.encode(to);
                }
            }
        }
    }

    /// The value of those bytes, all of which it must take; `None` if they are none. It takes as
    /// much memory as they do, 50 times at most.
    #[must_use]
    pub fn decoded(mut bytes: &[u8]) -> Option<Value> {
        let value = read(&mut bytes, 0)?;
        bytes.is_empty().then_some(value)
    }
}

fn length(to: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("a script's values are far below 4 GB");
    to.extend(length.to_le_bytes());
}

fn bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    length(to, bytes.len());
    to.extend(bytes);
}

fn read(from: &mut &[u8], depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        return None;
    }
    let [tag] = taken(from)?;
    Some(match tag {
        0 => Value::Unit,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Int(i64::from_le_bytes(taken(from)?)),
        4 => Value::Wide(i128::from_le_bytes(taken(from)?)),
        5 => Value::Float(f64::from_le_bytes(taken(from)?)),
        6 => Value::Text(text(from)?),
        7 => Value::Bytes(part(from)?.into()),
        8 => {
            // Room is made as values come, as a length alone is worth nothing.
            let mut values = Vec::new();
            for _ in 0..u32::from_le_bytes(taken(from)?) {
                values.push(read(from, depth + 1)?);
            }
            Value::Array(values.into())
        }
        9 => {
            let mut values: BTreeMap<Arc<str>, Value> = BTreeMap::new();
            for _ in 0..u32::from_le_bytes(taken(from)?) {
                let key = text(from)?;
                let is_next = values.last_key_value().is_none_or(|(last, _)| *last < key);
                let value = read(from, depth + 1)?;
                is_next.then(|| values.insert(key, value))?;
            }
            Value::Map(Arc::new(values))
        }
        _ => return None,
    })
}

fn taken<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

fn part<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(taken(from)?)).ok()?;
    let (part, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(part)
}

fn text(from: &mut &[u8]) -> Option<Arc<str>> {
    Some(str::from_utf8(part(from)?).ok()?.into())
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.encoded())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_bytes(Encoded)
    }
}

/// The bytes of a value, within others.
struct Encoded;

impl Visitor<'_> for Encoded {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes of a value")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Value::decoded(bytes).ok_or_else(|| E::custom("bytes of no value"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Unit),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<i128>().prop_map(Value::Wide),
            (-1e300_f64..1e300).prop_map(Value::Float),
            ".{0,12}".prop_map(|text| Value::Text(text.into())),
            prop::collection::vec(any::<u8>(), 0..12).prop_map(|held| Value::Bytes(held.into())),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6)
                    .prop_map(|values| Value::Array(values.into())),
                prop::collection::btree_map(".{0,4}", inner, 0..6).prop_map(|values| {
                    let values = values.into_iter().map(|(key, value)| (key.into(), value));
                    Value::Map(Arc::new(values.collect()))
                }),
            ]
        })
    }

    #[test]
    fn a_value_arrives_as_it_was() {
        proptest!(|(value in value())| {
            prop_assert_eq!(Value::decoded(&value.encoded()), Some(value.clone()));
            let sent = postcard::to_allocvec(&(7_u8, &value)).unwrap();
            prop_assert_eq!(postcard::from_bytes(&sent), Ok((7_u8, value)));
        });
    }

    #[test]
    fn bytes_of_chance_and_cut_ones_are_no_value_and_harm_nobody() {
        proptest!(|(value in value(), cut in any::<prop::sample::Index>(), chance in prop::collection::vec(0..12_u8, 0..60))| {
            let whole = value.encoded();
            prop_assert_eq!(Value::decoded(&whole[..cut.index(whole.len())]), None);
            let _ = Value::decoded(&chance);
        });
        // A length alone makes no room.
        assert_eq!(Value::decoded(&[8, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(Value::decoded(&[6, 0xff, 0xff, 0xff, 0xff, 0]), None);
    }

    #[test]
    fn what_is_nested_deeper_than_scripts_nest_is_refused() {
        let nested = |deep: usize| {
            let mut bytes = [8, 1, 0, 0, 0].repeat(deep);
            bytes.push(0);
            Value::decoded(&bytes)
        };
        assert!(nested(DEEPEST).is_some());
        assert_eq!(nested(DEEPEST + 1), None);
        assert_eq!(nested(1_000_000), None);
    }
}
