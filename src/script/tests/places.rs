//! Where mistakes are said to be: file, line and column, also in imported files and far down.
//! How a finding is shown is tested with the diagnostics.

use super::*;

fn failure_of(files: &[(&str, &str)]) -> Failure {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    let files: Vec<(String, String)> = files.iter().map(owned).collect();
    on_load_thread(async move || {
        let borrowed = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()));
        let borrowed: Vec<_> = borrowed.collect();
        World::of(&borrowed, &Inputs::default(), None)
            .failure()
            .await
    })
}

fn place_of(files: &[(&str, &str)]) -> (String, String) {
    let failure = failure_of(files);
    (failure.location(), failure.message)
}

fn placed(location: &str, message: &str) -> (String, String) {
    (location.to_owned(), message.to_owned())
}

const LIB: &str = "fn fails(x) {
    throw `no ${x}`;
}
fn each(list, f) {
    list.map(|x| f.call(x))
}
export const Base = #{
    t: task(|| {
        this.price(7)
    }),
    price: |id| {
        let price = ();
        price.amount
    },
};
export const FAILS = |x| {
    throw x;
};";

#[test]
fn a_mistake_is_where_the_script_made_it() {
    let main = "user(\"U\", #{
    t: task(|| {
        let x = 1;
        x.no_such_method();
    }),
});";
    assert_eq!(
        place_of(&[("main.rhai", main)]),
        placed("main.rhai:4:11", "function not found: no_such_method (i64)")
    );
    let main = "user(\"U\", #{ t: task(|| { format_time(\"now\", 7); }) });";
    let forms =
        "`format_time` is not for (string, int); there is format_time(format: string) -> string";
    assert_eq!(
        place_of(&[("main.rhai", main)]),
        placed("main.rhai:1:27", forms)
    );
    let main = "user(\"U\", #{ t: task(|| { choice(()); }) });";
    let forms = "`choice` is not for (nothing); there is choice(from: array | map) -> any";
    assert_eq!(
        place_of(&[("main.rhai", main)]),
        placed("main.rhai:1:27", forms)
    );
    let main = "user(\"U\", #{ t: task(|| { throw \"why\"; }) });";
    assert_eq!(
        place_of(&[("main.rhai", main)]),
        placed("main.rhai:1:27", "why")
    );
}

#[test]
fn a_mistake_in_an_imported_file_is_in_that_file() {
    let import = "import \"lib\" as lib;\n";
    let with = |body: &str| format!("{import}user(\"U\", #{{ t: task(|| {{ {body} }}) }});");
    for (body, expected) in [
        ("lib::fails(3)", placed("lib.rhai:2:5", "no 3")),
        ("lib::FAILS.call(4)", placed("lib.rhai:17:5", "4")),
        ("[5].map(lib::FAILS)", placed("lib.rhai:17:5", "5")),
        ("[6].map(|x| lib::fails(x))", placed("lib.rhai:2:5", "no 6")),
        (
            "lib::each([7], |x| lib::fails(x))",
            placed("lib.rhai:2:5", "no 7"),
        ),
        (
            "lib::each([8], |x| { throw x; })",
            placed("main.rhai:2:48", "8"),
        ),
        ("lib::each([9], lib::FAILS)", placed("lib.rhai:17:5", "9")),
    ] {
        let main = with(body);
        let files = [("main.rhai", main.as_str()), ("lib.rhai", LIB)];
        assert_eq!(place_of(&files), expected, "{body}");
    }
    let main = format!("{import}user(\"U\", lib::Base);");
    let files = [("main.rhai", main.as_str()), ("lib.rhai", LIB)];
    let failure = failure_of(&files);
    assert_eq!(failure.location(), "lib.rhai:13:15");
    assert_eq!(failure.functions().collect::<Vec<_>>(), ["price"]);
    assert_eq!(
        failure.trace().as_deref(),
        Some("price (lib.rhai:13:15)\nthe task `t` (lib.rhai:9:14)")
    );
}

#[test]
fn a_call_stack_names_functions_with_the_places_in_them() {
    let trace_of = |body: &str| {
        let main = format!("import \"lib\" as lib;\nuser(\"U\", #{{ t: task(|| {{ {body} }}) }});");
        let files = [("main.rhai", main.as_str()), ("lib.rhai", LIB)];
        failure_of(&files).trace().expect("a task was called")
    };
    assert_eq!(trace_of("throw 1"), "the task `t` (main.rhai:2:27)");
    assert_eq!(
        trace_of("lib::fails(3)"),
        "fails (lib.rhai:2:5)\nthe task `t` (main.rhai:2:32)"
    );
    let nested = trace_of("lib::each([7], |x| lib::fails(x))");
    let lines: Vec<&str> = nested.lines().collect();
    assert_eq!(lines[0], "fails (lib.rhai:2:5)", "{nested}");
    assert!(lines[1].starts_with("a closure (main.rhai:2:"), "{nested}");
    assert!(lines.contains(&"each (lib.rhai:5:10)"), "{nested}");
    assert_eq!(
        lines[lines.len() - 1],
        "the task `t` (main.rhai:2:32)",
        "{nested}"
    );
}

#[test]
fn a_long_call_stack_leaves_out_its_middle() {
    let script = "fn deeper(n) { if n == 0 { throw \"down\"; } deeper(n - 1) }
        user(\"U\", #{ t: task(|| deeper(50)) });";
    let failure = failure_of(&[("main.rhai", script)]);
    assert_eq!(failure.stack.len(), 52);
    let trace = failure.trace().expect("a task was called");
    let lines: Vec<&str> = trace.lines().collect();
    assert!(trace.len() < 950, "{} bytes", trace.len());
    assert_eq!(lines[0], "deeper (main.rhai:1:28)");
    assert_eq!(lines[lines.len() - 1], "the task `t` (main.rhai:2:33)");
    let left_out = 52 - (lines.len() - 1);
    assert_eq!(lines[lines.len() - 2], format!("… {left_out} more"));
}

#[test]
fn a_mistake_at_the_top_level_of_an_imported_file_is_in_that_file() {
    let files = [
        (
            "main.rhai",
            "import \"a\" as a;\nuser(\"U\", #{ t: task(|| 1) });",
        ),
        ("a.rhai", "\n\nimport \"b\" as b;"),
        ("b.rhai", "\nlet x = [1];\nlet y = x[5];"),
    ];
    let message = refused(&files)[0].to_string();
    assert!(
        message.starts_with("error: b.rhai:3:11: array index 5 out of bounds"),
        "{message}"
    );
}

#[test]
fn what_is_printed_names_the_file_it_stands_in() {
    on_load_thread(async || {
        let files = [
            (
                "main.rhai",
                "import \"lib\" as lib;
                user(\"U\", #{ t: task(|| {
                    lib::say();
                    log_info(\"main\");
                    [1].map(lib::SAY);
                    lib::each(|| log_info(\"main again\"));
                }) });",
            ),
            (
                "lib.rhai",
                "fn say() { log_info(\"lib\") }\nexport const SAY = |x| log_info(\"closure\");
                fn each(f) {\n f.call();\n [1].for_each(|x| log_info(\"inner\")); }",
            ),
        ];
        let world = World::of(&files, &Inputs::default(), None);
        assert!(world.run().await.is_ok());
        let mut lines = world.lines.borrow_mut();
        let mut places = Vec::new();
        while let Ok(line) = lines.try_recv() {
            places.push(format!("{} {} {}", line.who, line.text, line.place));
        }
        let expected = [
            "U 0 lib lib.rhai:1",
            "U 0 main main.rhai:4",
            "U 0 closure lib.rhai:2",
            "U 0 main again main.rhai:6",
            "U 0 inner lib.rhai:5",
        ];
        assert_eq!(places, expected);
    });
}

#[test]
fn limits_that_end_a_task_have_a_place() {
    for (body, location, message) in [
        (
            "let s = \"x\";\n s.pad(20_000_000, 'y');",
            "s.rhai:2:4",
            "length of string too large",
        ),
        (
            "fn_that_pads();",
            "s.rhai:1:27",
            "length of string too large",
        ),
    ] {
        let script = format!(
            "{}\nfn fn_that_pads() {{ let s = \"x\"; s.pad(20_000_000, 'y'); s }}",
            task(body)
        );
        let place = place_of(&[("s.rhai", &script)]);
        assert_eq!(place.0, location, "{body}: {}", place.1);
        assert!(place.1.to_lowercase().contains(message), "{}", place.1);
    }
}

#[test]
fn a_closure_has_no_name_that_changes_from_run_to_run() {
    let body = "let f = |x| { throw `at ${x}`; }; [1].map(f)";
    let failure = failed(body);
    assert!(!format!("{failure:?}").contains("anon$"), "{failure:?}");
    let unbound = failed("[1].map(|x| this.client)");
    assert!(
        unbound.message.contains("let client = this.client"),
        "{}",
        unbound.message
    );
    assert_eq!(
        rhai::config::hashing::get_hashing_seed(),
        &Some([0x6b61, 0x7479, 0x6469, 0x6421]),
        "the names of closures come from it"
    );
}

#[test]
fn threads_agree_on_where_a_mistake_is() {
    let body = "[1, 2].for_each(|x| { let y = #{}; y.a.b });";
    let here = failed(body);
    for there in [failed(body), failed(body)] {
        assert_eq!(
            (here.message.clone(), here.location()),
            (there.message.clone(), there.location())
        );
    }
}

#[test]
fn positions_beyond_what_rhai_counts_do_not_panic() {
    // Rhai counts lines and columns in 16 bits.
    let lines = "\n".repeat(70_000);
    let spaces = " ".repeat(70_000);
    for script in [
        format!("{lines}{}", task("throw \"far\"")),
        format!("{spaces}{}", task("throw \"far\"")),
        task(&format!(
            "{spaces}let a = 1; throw `f${{\"a\"}}r ${{a}}`.sub_string(0, 3)"
        )),
        task(&format!(
            "{lines}{spaces}let m = #{{ a: [1, 2] }}; m.a[1] += 1; throw \"far\""
        )),
        task(&format!(
            "{lines}if true {{ throw \"far\" }}{lines}{spaces}"
        )),
    ] {
        let findings = checked(&bundle(&[("s.rhai", &script)]));
        assert!(!findings.has_errors());
        let failure = failure_of(&[("s.rhai", &script)]);
        assert_eq!(failure.message, "far");
        let (line, column) = failure.position.unwrap();
        assert!(line <= 65_535 && column <= 65_535 && (line == 65_535 || column == 65_535));
    }
    let refused = refusal(&format!("{lines}{spaces}let x = ;"));
    assert!(refused.contains("s.rhai:65535:65535"), "{refused}");
}
