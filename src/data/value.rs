//! A value without identity: what JSON can say, and whole numbers and bytes besides.
//!
//! Text and containers are shared when cloned: handing a value to a hundred users copies none of
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Data without functions and handles. A clone costs a reference count at most.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `()`
    #[default]
    Unit,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number of more than 64 bits.
    Wide(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// Values in order.
    Array(Arc<[Value]>),
    /// Values by name.
    Map(Arc<BTreeMap<Arc<str>, Value>>),
}

impl Value {
    /// Bytes of memory it holds, about; what it shares with others counts in full.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let within = match self {
            Value::Unit | Value::Bool(_) | Value::Int(_) | Value::Wide(_) | Value::Float(_) => 0,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(values) => values.iter().map(Value::held_bytes).sum(),
            Value::Map(values) => values
                .iter()
                .map(|(key, value)| key.len() + value.held_bytes())
                .sum(),
        };
        size_of::<Value>() + within
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}
