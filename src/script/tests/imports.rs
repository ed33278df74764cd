//! What tasks find of imported files: functions, constants, classes and closures made there.
//! Reading the files and their paths is tested with the bundle.

use super::*;

/// The value of the first task of a bundle, for each of three users at once.
fn values(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    on_load_thread(async move || {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let world = Rc::new(World::of(&files, &Inputs::default(), None));
        let answers = world.run_all(3).await;
        let texts = answers
            .into_iter()
            .map(|answer| answer.expect("it returns").to_string());
        texts.collect()
    })
}

fn value(files: &[(&str, &str)]) -> String {
    let values = values(files);
    assert!(values.iter().all(|one| *one == values[0]), "{values:?}");
    values[0].clone()
}

#[test]
fn tasks_call_functions_and_read_constants_of_imports_and_of_their_own_file() {
    let lib = "export const BASE = \"/api\";
        const HIDDEN = 7;
        fn path(p) { global::HIDDEN.to_string() + p }
        fn twice(f) { f.call() + f.call() }";
    let main = "import \"lib\" as lib;
        const OWN = 5;
        fn own() { global::OWN }
        user(\"U\", #{ t: task(|| {
            sleep(0.001);
            `${lib::path(\"/x\")} ${lib::BASE} ${OWN} ${own()} ${lib::twice(|| 2)}`
        }) });";
    let files = [("main.rhai", main), ("lib.rhai", lib)];
    assert_eq!(value(&files), "7/x /api 5 5 4");
}

/// The imported file imports another, has a constant and a function, and its closures use them.
const BASE: [(&str, &str); 2] = [
    (
        "lib.rhai",
        "import \"deep\" as deep;
        const FACTOR = 3;
        fn scaled(x) { x * global::FACTOR }
        private fn hidden() { 1000 }
        export const Base = #{
            state: #{ sum: 0, list: [1] },
            on_start: || { this.sum = scaled(deep::one()); this.list.push(2); },
            on_stop: || { this.sum += deep::one(); this.sum },
            add: |n| { this.sum += scaled(n) + deep::one(); this.sum },
            t: task(|| { sleep(0.001); this.add(2) + deep::ONE + hidden() }),
        };",
    ),
    (
        "deep.rhai",
        "export const ONE = 1; const TEN = 10; fn one() { global::TEN - 9 }",
    ),
];

#[test]
fn closures_made_in_an_imported_file_find_its_imports_and_constants() {
    let main = "import \"lib\" as lib; user(\"U\", lib::Base);";
    let files = [("main.rhai", main), BASE[0], BASE[1]];
    assert_eq!(value(&files), "1008", "0 + 6 + 1, 1, 1000");
}

#[test]
fn a_class_extends_one_of_an_imported_file() {
    on_load_thread(async || {
        let main = "import \"lib\" as lib;
            let bonus = 100;
            user(\"U\", extend(lib::Base, #{
                state: #{ own: 1 },
                more: |n| this.add(n) + bonus + this.own,
                u: task(|| this.more(1)),
            }));";
        let files = [("main.rhai", main), BASE[0], BASE[1]];
        let world = World::of(&files, &Inputs::default(), None);
        let (user, started) = world.call(world.user(0), Function::OnStart).await;
        assert!(started.is_ok());
        let (user, more) = world.call(user, Function::Task(1)).await;
        assert_eq!(more.unwrap().to_string(), "108", "3 + 3 + 1, 100, 1");
        let (_, stopped) = world.call(user, Function::OnStop).await;
        assert_eq!(stopped.unwrap().to_string(), "8");
        let (_, fresh) = world.call(world.user(1), Function::OnStop).await;
        assert_eq!(
            fresh.unwrap().to_string(),
            "1",
            "the first user's data is its own"
        );
    });
}

#[test]
fn a_file_imported_twice_is_evaluated_once() {
    let main = "import \"a\" as a; import \"b\" as b;
        user(\"U\", #{ t: task(|| a::N + b::N) });";
    let files = [
        ("main.rhai", main),
        ("a.rhai", "import \"c\" as c; export const N = c::N;"),
        ("b.rhai", "import \"c\" as c; export const N = c::N;"),
        (
            "c.rhai",
            "log_info(\"once\"); export const N = random(1, 1000000);",
        ),
    ];
    let program = Program::compile(&bundle(&files), &Inputs::default()).unwrap();
    assert_eq!(program.said().len(), 1);
    let sum: i64 = value(&files).parse().unwrap();
    assert_eq!(sum % 2, 0, "both have the same number");
}

#[test]
fn a_circle_of_imports_is_named() {
    let files = [
        (
            "main.rhai",
            "import \"a\" as a; user(\"U\", #{ t: task(|| 1) });",
        ),
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "\nimport \"a\" as a;"),
    ];
    let problems = refused(&files);
    assert_eq!(
        problems[0].to_string(),
        "error: b.rhai:2:8: the imports go in a circle: `a.rhai` imports `b.rhai` imports `a.rhai`"
    );
    let files = [
        (
            "main.rhai",
            "import \"a\" as a; user(\"U\", #{ t: task(|| 1) });",
        ),
        ("a.rhai", "import \"main\" as m;"),
    ];
    let message = refused(&files)[0].to_string();
    assert!(
        message.ends_with("`main.rhai` imports `a.rhai` imports `main.rhai`"),
        "{message}"
    );
}

#[test]
fn one_name_for_two_imports_is_refused() {
    let files = [
        ("main.rhai", "import \"a\" as lib; user(\"U\", lib::Base);"),
        (
            "a.rhai",
            "\nimport \"b\" as lib;\nexport const Base = #{ t: task(|| lib::one()) };",
        ),
        ("b.rhai", "fn one() { 1 }"),
    ];
    assert_eq!(
        refused(&files)[0].to_string(),
        "error: a.rhai:2:1: `lib` is another file here than in `main.rhai`, where it is `a.rhai`; \
         hint: closures of both files run side by side: import it under another name"
    );
}

#[test]
fn one_name_for_two_constants_is_refused_where_it_matters() {
    let main = "import \"a\" as a;\nconst N = 1;\nuser(\"U\", #{ t: task(|| a::n() + N) });";
    let harmless = "const N = 10; fn n() { 2 }";
    assert_eq!(value(&[("main.rhai", main), ("a.rhai", harmless)]), "3");
    let harmful = "\nconst N = 10; fn n() { global::N }";
    assert_eq!(
        refused(&[("main.rhai", main), ("a.rhai", harmful)])[0].to_string(),
        "error: a.rhai:2:1: `N` is a constant of `main.rhai` too; \
         hint: `global::N` could be either: rename one of them"
    );
}

#[test]
fn twins_of_closures_in_two_files_are_found_by_the_check() {
    let closure = "export const F = || 1;";
    let main = "import \"a\" as a; import \"b\" as b; user(\"U\", #{ t: task(|| 1) });";
    let files = [
        ("main.rhai", main),
        ("a.rhai", closure),
        ("b.rhai", closure),
    ];
    let findings = checked(&bundle(&files));
    let twin = findings.iter().map(ToString::to_string);
    let twin: Vec<_> = twin.filter(|text| text.contains("twin")).collect();
    assert!(twin[0].contains("b.rhai:1"), "{twin:?}");
    let moved = [
        ("main.rhai", main),
        ("a.rhai", closure),
        ("b.rhai", "\nexport const F = || 1;"),
    ];
    assert!(!checked(&bundle(&moved)).has_errors());
}

#[test]
fn an_import_inside_a_function_is_refused_when_it_runs() {
    on_load_thread(async || {
        let main = "import \"lib\" as lib;
            user(\"U\", #{ t: task(|| { import \"lib\" as again; again::one() }) });";
        let files = [("main.rhai", main), ("lib.rhai", "fn one() { 1 }")];
        let failure = World::of(&files, &Inputs::default(), None).failure().await;
        assert_eq!(
            failure.message,
            "`import` belongs to the top level of a file"
        );
        assert_eq!(failure.location(), "main.rhai:2:46");
        assert!(
            checked(&bundle(&files)).has_errors(),
            "and the check says so before"
        );
    });
}

#[test]
fn closures_go_between_files_both_ways() {
    let lib = "fn each(list, f) { list.map(|x| f.call(x)) }
        fn adder(n) { |x| x + n }";
    let main = "import \"lib\" as lib;
        fn triple(x) { x * 3 }
        user(\"U\", #{ t: task(|| {
            let add = lib::adder(10);
            lib::each([1, 2], |x| { sleep(0.001); triple(add.call(x)) })
        }) });";
    let files = [("main.rhai", main), ("lib.rhai", lib)];
    assert_eq!(value(&files), "[33, 36]");
}
