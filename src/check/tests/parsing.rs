//! Syntax errors, above all those of Python's habits.
//!
//! Nothing here gets as far as a syntax tree.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::{in_task, lines, rendered};

#[test]
fn a_syntax_error_shows_its_place() {
    assert_snapshot!(rendered("user(\"A\", #{\n    weight: 1\n    hello: task(|| {}),\n});"), @r"
        error: expected `,` to separate the items of this object map literal
         --> s.rhai:3:5
          |
        3 |     hello: task(|| {}),
          |     ^
          |
          = hint: put a `,` before this
        ");
}

#[test]
fn python_habits_at_the_top_level() {
    let cases = [
        "let x = None;",
        "let x = 'abc';",
        "let x = f\"a{b}\";",
        "# a comment",
        "let x = 1; # a comment",
        "let x = {\"a\": 1};",
        "if 1 > 2 { } elif 2 > 1 { }",
        "if 1 == 1 and 2 == 2 { }",
        "let c = true or false;",
        "if not true { }",
        "def foo(x):\n    return x",
        "let f = lambda x: x + 1;",
        "let x = true ? 1 : 2;",
        "let x = 1 if true else 2;",
        "let x = random.choice([1]);",
        "import random",
        "import json from \"x\";",
        "from locust import HttpUser, task",
        "class Shopper(HttpUser):",
        "if 1 == 1:\n    print(1)",
        "for i in range(10):\n    print(i)",
        "while true:",
        "let x = null;",
        "@task(3)",
        "let i = 1; i++;",
        "let x = [1, 2, 3][1:2];",
        "let a, b = 1;",
        "try { } except { }",
        "raise 1;",
        "let f = x => x + 1;",
        "let f = (x) => x + 1;",
        "var x = 1;",
        "let x = 1 === 2;",
        "let x = 1; if x = 2 { }",
    ];
    let findings: Vec<_> = cases.iter().map(|case| lines(case)).collect();
    assert_snapshot!(findings.join("\n"), @r#"
        1:9: undefined variable `None`; hint: write `()`
        1:9: single quotes hold one character, not a text; hint: write `"abc"`
        1:9: `f` before a text; hint: write `` `text ${value}` ``, in backticks
        1:1: `#` starts no comment; hint: write `// comment`
        1:12: `#` starts no comment; hint: write `// comment`
        1:13: `:` outside a map; hint: a map is `#{ a: 1, b: 2 }`, with `#` before the brace
        1:14: undefined variable `elif`; hint: write `else if … { … }`
        1:11: `and` is no word here; hint: write `&&`
        1:14: `or` is no word here; hint: write `||`
        1:4: undefined variable `not`; hint: write `!`: `!x`, `!(a == b)`
        1:1: undefined variable `def`; hint: write `fn name(a, b) { … }`, or a closure `|a, b| { … }` in a class
        1:9: undefined variable `lambda`; hint: write a closure: `|x| x + 1`
        1:14: `?` is no operator; hint: write `if x { a } else { b }`: it is a value
        1:11: `if` is no word here; hint: write `if x { a } else { b }`: it is a value
        1:9: undefined variable `random`; hint: write `choice([…])`, `random(a, b)` (whole numbers) or `random()` (from 0 to 1)
        1:8: `import` takes the name of a script as a text; hint: write `import "lib" as lib;`; what the language has needs no import
        1:8: `import` takes the name of a script as a text; hint: write `import "lib" as lib;`; what the language has needs no import
        1:1: undefined variable `from`; hint: write `import "lib" as lib;` for another script; nothing else needs an import
        1:1: undefined variable `class`; hint: write `user("Name", #{ … })`
        1:10: `:` opens no block; hint: write `{ … }`: indentation means nothing here
        1:19: `:` opens no block; hint: write `for i in 0..10 { … }`: indentation means nothing here
        1:11: `:` opens no block; hint: write `{ … }`: indentation means nothing here
        1:9: `null` is reserved; hint: write `()`
        1:1: there are no decorators; hint: a task is a key of its class: `browse: task(3, || { … })`
        1:13: `++` is no operator; hint: write `x += 1` or `x -= 1`
        1:20: `:` cuts no piece out; hint: write `list.extract(1..3)`
        1:6: expected `;` to terminate this statement; hint: put a `;` before this, if a statement ends there
        1:9: `except` is no word here; hint: write `try { … } catch (error) { … }`
        1:1: undefined variable `raise`; hint: write `throw "why"`
        1:9: `=>` makes no function; hint: a closure is `|x| …`
        1:10: `=>` makes no function; hint: a closure is `|x| …`
        1:1: `var` is reserved; hint: write `let`
        1:11: `===` is no operator; hint: write `==`
        1:17: possibly a typo of `==`?
        "#);
}

#[test]
fn python_habits_inside_a_task() {
    let cases = [
        "self.client.get(\"/\");",
        "let x = True;",
        "if 1 > 2 { } elif 2 > 1 { }",
        "let x = f\"a\";",
        "if not this.token { }",
        "time.sleep(1);",
        "let x = random.choice([1]);",
        "let f = lambda x: x;",
        "let x = 1 is 2;",
        "this.client.get('/hello');",
    ];
    let findings: Vec<_> = cases.iter().map(|case| in_task(case)).collect();
    assert_snapshot!(findings.join("\n"), @r#"
        1:36: undefined variable `self`; hint: write `this`
        1:44: undefined variable `True`; hint: write `true`
        1:54: `elif` is no word here; hint: write `else if … { … }`
        1:45: `f` before a text; hint: write `` `text ${value}` ``, in backticks
        1:43: `not` is no word here; hint: write `!`: `!x`, `!(a == b)`
        1:36: undefined variable `time`; hint: write `sleep(1.5)` to wait, `now()` for the time
        1:41: `sleep` takes no argument, not 1; hint: `sleep`: suspends this user, and no other
        1:44: undefined variable `random`; hint: write `choice([…])`, `random(a, b)` (whole numbers) or `random()` (from 0 to 1)
        1:51: `choice` takes no argument, not 1; hint: `choice`: an element of an array, or a key of a map by its weight
        1:51: `lambda` is no word here; hint: write a closure: `|x| x + 1`
        1:46: `is` is no word here; hint: write `==` or `!=`
        1:52: single quotes hold one character, not a text; hint: write `"/hello"`
        "#);
}

#[test]
fn other_syntax_errors() {
    let cases = [
        "let x = \"abc",
        "let x = [1, 2",
        "user(\"A\", #{ a: 1, a: 2 });",
        "const A = 1; A = 2;",
        "fn f(a) { } fn f(b) { }",
        "const N = 1; fn f() { N }",
        "let n = 1; fn f() { n }",
        "let number = 1; let x = nmber;",
        "let x = lib::f();",
        "let f = || { fn g() { } };",
        "let spawn = 1;",
        "let f = || { break; };",
        "let ünï = 1;",
        "let x = 5 5;",
        "",
    ];
    let findings: Vec<_> = cases.iter().map(|case| lines(case)).collect();
    assert_snapshot!(findings.join("\n"), @r#"
        1:9: this text has no end; hint: close it with the quote it began with; backticks may span lines
        1:14: expected `]` to end this array literal
        1:20: two keys of the name `a`; hint: keep one of them
        1:14: `A` is a constant; hint: declare it with `let`; what a user changes lives in `state`
        1:13: there are two functions `f` with 1 parameter; hint: give one of them another name
        1:23: undefined variable `N`; hint: a `fn` sees a constant of the top level as `global::N`; elsewhere, declare it before it is used
        1:21: undefined variable `n`; hint: declare it before it is used; a `fn` does not see the top level's variables, so pass it as an argument
        1:25: undefined variable `nmber`; hint: did you mean `number`?
        1:9: undefined module `lib`; hint: write `import "lib" as lib;` at the top of the file
        1:14: `fn` inside a block or a function; hint: write it at the top level, or a closure: `let f = |x| { … };` and `f.call(x)`
        1:5: `spawn` is reserved; hint: give it another name
        1:14: break statement should only be used inside a loop
        1:5: unexpected `ü`
        1:11: expected `;` to terminate this statement; hint: put a `;` before this, if a statement ends there
        "#);
}

proptest! {
    #[test]
    fn any_text_gives_an_answer(text in r#"([a-z ]{1,5}|[-#{}()|:;,."'`=?@é이\n]|this\.|task\(|\|\| ){0,30}"#) {
        let _ = rendered(&text);
    }
}

#[test]
fn deep_nesting_fits_the_stack_of_a_load_thread() {
    let deep = |depth: usize| format!("let x = {}1{};", "[".repeat(depth), "]".repeat(depth));
    // An array takes three of the parser's 256 levels.
    let script = deep(80);
    let thread = std::thread::Builder::new().stack_size(16 << 20);
    let found = thread
        .spawn(move || lines(&script))
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(found, "");
    let found = lines(&deep(90));
    assert!(found.ends_with("hint: split it with `let`"), "{found}");
}

#[test]
fn every_undefined_variable_is_named() {
    let script = r#"
const KNOWN = 1;
fn f(x) { x + first }
user("U", #{
    t: task(|| {
        let a = KNOWN + second;
        for (y, i) in 0..a { print(y, i, third, None); }
        try { f(a) } catch (error) { print(error); }
        [1].map(|z| z + fourth + KNOWN);
    }),
});
let later = second;
"#;
    assert_snapshot!(lines(script), @r#"
    3:15: undefined variable `first`; hint: declare it: `let first = …;`
    6:25: undefined variable `second`; hint: declare it: `let second = …;`
    7:42: undefined variable `third`; hint: declare it: `let third = …;`
    7:49: undefined variable `None`; hint: write `()`
    9:25: undefined variable `fourth`; hint: declare it: `let fourth = …;`
    12:13: undefined variable `second`; hint: declare it: `let second = …;`
    "#);
}

#[test]
fn mistakes_of_what_is_imported_are_found_beside_those_of_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("main.rhai", "import \"lib\" as lib; let a = missing;");
    write("lib.rhai", "fn f() { mising(1) }");
    let bundle = crate::script::Bundle::read(&folder.path().join("main.rhai")).unwrap();
    let found = crate::check::check(&bundle);
    let found: Vec<_> = found.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        found,
        ["unknown function `mising`", "undefined variable `missing`"]
    );
}
