//! JSON in a script's hands: numbers and texts that its values have no room for. The grammar is
//! tested where it is read, in `data`.

use super::*;

#[test]
fn ids_beyond_64_bits_keep_their_digits() {
    for (expression, expected) in [
        ("`${id}`", "18446744073709551615"),
        ("\"\" + id", "18446744073709551615"),
        ("[id].join(\"\")", "18446744073709551615"),
        ("`${#{ id: [id] }}`", r#"#{"id": [18446744073709551615]}"#),
        ("to_json(#{ id: id })", r#"{"id":18446744073709551615}"#),
        ("type_of(id)", "i128"),
        // Compared and reckoned with exactly; what has 64 bits is an ordinary number again.
        ("id == parse_json(\"18446744073709551615\")", "true"),
        ("id == parse_json(\"18446744073709551614\")", "false"),
        ("id != parse_json(\"18446744073709551614\")", "true"),
        (
            "[id == 5, id > 5, 5 < id, id <= 5, id > 1e30, 1e30 > id]",
            "[false, true, true, false, false, true]",
        ),
        ("[id, 7].contains(7) && [7, id].index_of(id) == 1", "true"),
        ("(id - 18446744073709551600.0).to_int()", "0"),
        ("`${id + 1}`", "18446744073709551616"),
        ("let n = id; n += 1; n -= id; type_of(n)", "i64"),
        ("id % 10", "5"),
        ("id / 2", "9223372036854775807"),
        ("`${-id}`", "-18446744073709551615"),
        ("abs(-id) == id", "true"),
        ("id.to_float()", "1.8446744073709552e19"),
        ("switch id { 5 => 1, _ => 2 }", "2"),
    ] {
        let body = format!("let id = parse_json(\"18446744073709551615\"); {expression}");
        assert_eq!(evaluated(&body), expected, "{expression}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_says_so() {
    let id = "let id = parse_json(\"18446744073709551615\");";
    for (body, expected) in [
        (
            format!("{id} id.to_int()"),
            "18446744073709551615 has more than 64 bits",
        ),
        (
            format!("{id} id * id * id"),
            "is no whole number of 128 bits",
        ),
        (format!("{id} id / 0"), "is no whole number of 128 bits"),
        (
            "parse_json(\"[NaN]\")".to_owned(),
            "this is not JSON: JSON has no `NaN`",
        ),
        ("parse_json(\"1e400\")".to_owned(), "number out of range"),
        (
            "to_json(0.0 / 0.0)".to_owned(),
            "it is NaN, for which JSON has no word",
        ),
        (
            "to_json(#{ a: [1.0 / 0.0] })".to_owned(),
            "`.a[0]` is inf, for which JSON has no word",
        ),
        (
            "this.client.post(\"/\", #{ json: #{ a: || 1 } })".to_owned(),
            "`.a` is a closure, for which JSON has no word",
        ),
        (
            "append(\"x.txt\", #{ a: 0.0 / 0.0 })".to_owned(),
            "`.a` is NaN, for which JSON has no word",
        ),
    ] {
        let failure = failed(&body);
        assert!(failure.message.contains(expected), "{body}: {failure:?}");
    }
}

#[test]
fn what_a_script_cannot_have_is_said_once() {
    let long = "9".repeat(40);
    let script = task(&format!(
        "for i in 0..3 {{ parse_json(\"\\\"\\\\ud83d\\\"\"); parse_json(\"{long}\"); }}
        parse_json(\"\\\"a\\\\ud83d\\\"\")"
    ));
    on_load_thread(async move || {
        let world = World::new(&script);
        assert_eq!(world.value().await, "a\u{fffd}");
        let printed = world.printed();
        assert_eq!(printed.len(), 2, "{printed:?}");
        assert!(
            printed[0].contains("half of a surrogate pair"),
            "{printed:?}"
        );
        assert!(printed[1].contains("more than 38 digits"), "{printed:?}");
    });
}

#[test]
fn ids_beyond_64_bits_pass_between_threads() {
    let value = evaluated(
        "queue(\"q\").put(parse_json(\"[18446744073709551615]\")); to_json(queue(\"q\").take())",
    );
    assert_eq!(value, "[18446744073709551615]");
}
