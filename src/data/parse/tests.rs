//! Held against `serde_json`, which reads the same texts but for what it rounds or refuses: values,
//! mistakes and where they are.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// As `serde_json` has it, and how many halves of pairs there were.
#[derive(Default)]
struct ToSerde(usize);

impl Build for ToSerde {
    type Value = Value;
    type Array = Vec<Value>;
    type Map = serde_json::Map<String, Value>;

    fn null(&mut self) -> Value {
        Value::Null
    }
    fn truth(&mut self, truth: bool) -> Value {
        truth.into()
    }
    fn number(&mut self, number: Number) -> Value {
        match number {
            Number::Int(number) => number.into(),
            Number::Float(number) | Number::Rounded(number) => number.into(),
            Number::Wide(number) => u64::try_from(number).map_or(Value::Null, Value::from),
        }
    }
    fn text(&mut self, text: &str) -> Value {
        text.into()
    }
    fn half_a_pair(&mut self) {
        self.0 += 1;
    }
    fn push(&mut self, array: &mut Vec<Value>, value: Value) {
        array.push(value);
    }
    fn insert(&mut self, map: &mut Self::Map, name: &str, value: Value) {
        map.insert(name.to_owned(), value);
    }
    fn array(&mut self, array: Vec<Value>) -> Value {
        array.into()
    }
    fn map(&mut self, map: Self::Map) -> Value {
        map.into()
    }
}

fn read(text: &str) -> Result<Value> {
    parse(text, &mut ToSerde::default())
}

#[test]
fn every_kind_of_value_is_as_serde_json_has_it() {
    for text in [
        "null",
        " true ",
        "[]",
        "{}",
        "[1, -2, 0.5, 1e3, -0, 0, -0.0, 1E-2, 1.5e+3]",
        r#"{"a": {"b": [{}, [[]], ""]}, "": null, "a": 2}"#,
        r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00 é 한 \u0000""#,
        "\t[\n1\r,\n2]\n",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "0.1234567890123456",
    ] {
        let theirs: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text).unwrap(), theirs, "{text}");
    }
}

#[test]
fn mistakes_are_told_where_serde_json_sees_them() {
    let mut others = Vec::new();
    for text in [
        "",
        " ",
        "nul",
        "tru",
        "falsy",
        "[1,]",
        "[1 2]",
        "[1",
        "[",
        "[1,",
        "{",
        "{1}",
        "{a: 1}",
        "{\"a\"}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\"}",
        "1 2",
        "\"a",
        "\"\\q\"",
        "\"\t\"",
        "-",
        "01",
        "1.",
        "1.x",
        "1e",
        "1e400",
        "+1",
        ".5",
        "'a'",
        "[1]]",
        "{}\n{}",
        "[\n\n  x]",
        "\u{feff}1",
    ] {
        let theirs = serde_json::from_str::<Value>(text).unwrap_err().to_string();
        let ours = read(text).unwrap_err().to_string();
        if ours != theirs {
            others.push(format!("{text:?}: {ours}, not {theirs}"));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn whole_numbers_keep_their_digits_up_to_128_bits() {
    struct Numbers(Vec<Number>);
    impl Build for Numbers {
        type Value = ();
        type Array = ();
        type Map = ();
        fn null(&mut self) {}
        fn truth(&mut self, _: bool) {}
        fn number(&mut self, number: Number) {
            self.0.push(number);
        }
        fn text(&mut self, _: &str) {}
        fn half_a_pair(&mut self) {}
        fn push(&mut self, (): &mut (), (): ()) {}
        fn insert(&mut self, (): &mut (), _: &str, (): ()) {}
        fn array(&mut self, (): ()) {}
        fn map(&mut self, (): ()) {}
    }
    use Number::{Float, Int, Rounded, Wide};
    for (text, expected) in [
        ("9223372036854775807", Int(i64::MAX)),
        ("9223372036854775808", Wide(1 << 63)),
        ("18446744073709551615", Wide(u64::MAX.into())),
        ("-9223372036854775809", Wide(i128::from(i64::MIN) - 1)),
        (
            "99999999999999999999999999999999999999",
            Wide(10_i128.pow(38) - 1),
        ),
        (
            "170141183460469231731687303715884105728",
            Rounded(2_f64.powi(127)),
        ),
        ("-0", Float(-0.0)),
        ("0.1", Float(0.1)),
        ("1.8446744073709551615", Float(1.844_674_407_370_955_2)),
        // serde_json makes the neighbour of it.
        (
            "1.1125369292536007e-308",
            Float(1.112_536_929_253_600_7e-308),
        ),
        ("2.638344616030823e-256", Float(2.638_344_616_030_823e-256)),
        ("1e2", Float(100.0)),
        ("1e-400", Float(0.0)),
    ] {
        let mut numbers = Numbers(Vec::new());
        parse(text, &mut numbers).unwrap();
        assert_eq!(numbers.0, [expected], "{text}");
    }
    assert_eq!(read("1e400").unwrap_err().what, "number out of range");
}

#[test]
fn half_of_a_surrogate_pair_is_a_replacement_character() {
    for (text, expected, halves) in [
        (r#""\ud800""#, "\u{fffd}", 1),
        (r#""a\udc00b""#, "a\u{fffd}b", 1),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀", 1),
        (r#""\ud83d\u0041""#, "\u{fffd}A", 1),
        (r#""\ud83d\n""#, "\u{fffd}\n", 1),
        (r#""\udc00\udc00""#, "\u{fffd}\u{fffd}", 2),
        (r#"{"\ud83d": 1}"#, r#"{"�":1}"#, 1),
        (r#""\ud83d\ude00""#, "😀", 0),
    ] {
        let mut build = ToSerde::default();
        let value = parse(text, &mut build).unwrap();
        let shown = value.as_str().map_or(value.to_string(), str::to_owned);
        assert_eq!((shown.as_str(), build.0), (expected, halves), "{text}");
    }
    assert!(read(r#""\ud83d\uxyz""#).is_err());
    assert!(read(r#""\ud8"#).is_err());
}

#[test]
fn numbers_that_json_has_not_are_named() {
    for (text, expected) in [
        ("NaN", "JSON has no `NaN`, which is here at line 1 column 1"),
        (
            "[1,\n Infinity]",
            "JSON has no `Infinity`, which is here at line 2 column 2",
        ),
        (
            "{\"a\": -Infinity}",
            "JSON has no `-Infinity`, which is here at line 1 column 7",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(DEEPEST)).is_ok());
    let error = read(&nested(DEEPEST + 1)).unwrap_err();
    assert_eq!(error.what, "recursion limit exceeded");
    assert!(read(&"[".repeat(1_000_000)).is_err());
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let error = parse_bytes(b"[\"\xff\"]", &mut Nothing::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text is not UTF-8 at line 1 column 3"
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Whatever shortest text a float has, it is read as that float again.
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let names = proptest::collection::btree_map(any::<String>(), inner.clone(), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            names.prop_map(|map: BTreeMap<String, Value>| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_as_it_was(value in any_value()) {
        prop_assert_eq!(read(&value.to_string()).unwrap(), value.clone());
        prop_assert_eq!(read(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn what_one_refuses_the_other_refuses(text in "[\\[\\]{},:\"a1 .e\\\\u0tn-]{0,12}") {
        prop_assert_eq!(read(&text).is_ok(), serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
    }
}
