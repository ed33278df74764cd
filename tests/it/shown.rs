//! What leaves the process: no secret, no password of a URL, nothing that a terminal obeys and no
//! formula, wherever a script or a server puts it.

use std::collections::BTreeMap;
use std::fs;

use crate::peer::{Nobody, Peer, Raw, Shop};
use crate::tool::{Finished, Tool};

const SECRET: &str = "hunter2 pw";

/// The files of `--csv`, by name.
fn files(run: &Finished) -> BTreeMap<String, String> {
    let entries = fs::read_dir(run.path("")).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    let files = named.filter(|(name, _)| name.ends_with(".csv"));
    files
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect()
}

/// Everything that a run left: both streams and its files.
fn all(run: &Finished) -> String {
    format!("{}\n{}\n{:?}", run.stdout, run.stderr, files(run))
}

#[test]
fn a_secret_is_in_no_name_and_no_text() {
    let shop = Shop::open();
    let script = r#"
        const P = param("password", "the-default", #{ secret: true });
        user(`Class ${P}`, #{ t: task(|| {
            let r = this.client.get(`/hello?a=${P}`);
            r.check(`check ${P}`, true);
            this.client.get(`/anything/${P}`, #{ params: #{ q: P } });
            this.client.get("/hello", #{ name: `name ${P}`, type: `type ${P}` });
            this.group(`group ${P}`, || 1);
            record(#{ type: `rec ${P}`, name: `rec ${P}`, response_time: 1, error: P });
            counter(`counter ${P}`).add(1);
            metric(`metric ${P}`).add(1);
            print(P);
            stop_test(P);
        }) });"#;
    let password = format!("password={SECRET}");
    let given = |tool: Tool| tool.arg("-p").arg(&password);
    let run = Tool::running(script)
        .on(&shop)
        .args("-u 1 -i 5 --csv out --csv-full-history");
    let run = given(run).run();
    let left = all(&run);
    assert!(left.contains("counter ***"), "{left}");
    assert!(!left.contains("hunter2"), "{left}");
    for arguments in ["--list", "--show-task-ratio", "--show-task-ratio-json"] {
        let run = given(Tool::running(script).args(arguments)).run();
        assert!(run.stdout.contains("***"), "{}", run.stdout);
        assert!(!all(&run).contains("hunter2"), "{}", all(&run));
    }
    let debugged = Tool::new()
        .file("script.rhai", script)
        .args("debug script.rhai");
    let run = given(debugged.on(&shop)).run();
    assert!(!all(&run).contains("hunter2"), "{}", all(&run));
}

#[test]
fn a_default_that_is_secret_is_not_shown_with_its_line() {
    let script = "user(\"U\", #{ t: task(|| { throw \"x\"; }), state: #{ p: param(\"p\", \
                  \"the-default\", #{ secret: true }) } });";
    let run = Tool::new()
        .file("script.rhai", script)
        .args("debug script.rhai")
        .run();
    assert!(run.stdout.contains("***********"), "{}", run.stdout);
    assert!(!all(&run).contains("the-default"), "{}", all(&run));
}

#[test]
fn credentials_of_a_url_are_not_shown() {
    let nobody = Nobody::there();
    let host = nobody.url().replace("http://", "http://me:pa55word@");
    let script = "user(\"U\", #{ t: task(|| {
            this.client.get(\"/x\");
            this.client.get(HOST + \"/y\");
            print(HOST);
            throw HOST;
        }) });"
        .replace("HOST", &format!("\"{host}\""));
    let run = Tool::running(&script)
        .args("-u 1 -i 1 --csv out -H")
        .arg(&host)
        .run()
        .code(1);
    assert!(
        run.stdout.contains("\"host\":\"http://***@127.0.0.1"),
        "{}",
        run.stdout
    );
    assert!(!all(&run).contains("pa55"), "{}", all(&run));
    let wrong = Tool::running(&script).args("-H ftp://me:pa55word@h").run();
    assert!(!all(&wrong).contains("pa55"), "{}", all(&wrong));
}

/// Letters that a terminal would obey.
fn commands(text: &str) -> String {
    let obeyed = |letter: &char| {
        letter.is_control() && !"\n\t".contains(*letter)
            || ('\u{202a}'..='\u{202e}').contains(letter)
    };
    text.chars().filter(obeyed).collect()
}

#[test]
fn a_terminal_obeys_no_script_and_no_server() {
    let server = Raw::answering(
        "HTTP/1.1 500 \u{9b}2J\r\nX-A: \u{9b}31m\u{202e}\r\nContent-Length: 6\r\n\r\n\u{1b}[2Jxy",
    );
    let script = r#"
        user("A\x1b[1m", #{ t: task(|| {
            print("\x1b[2J\x07", "\u202etxt", "\x7f");
            log_error("a\rb");
            let r = this.client.get("/\u202e", #{ name: "n\x1b[2J" });
            r.failure(r.text() + r.headers["x-a"]);
            this.client.get("/x", #{ name: "m\x1b[2J" });
            this.group("g\x1b[2J", || 1);
            r.check("c\x1b[2J", true);
            counter("z\x1b[2J").add(1);
            throw "\x1b]0;title\x07";
        }), u: task(0, || 1), on_stop: || stop_test("\x1b[2J\u202e") });"#;
    let run = Tool::running(script)
        .on(&server)
        .args("-u 1 -i 4 --csv out")
        .run();
    assert!(run.stderr.contains("\\u{1b}[2J\\u{7}"), "{}", run.stderr);
    assert_eq!(commands(&run.stderr), "", "{}", run.stderr);
    for (file, text) in files(&run) {
        // Lines of CSV end as RFC 4180 says.
        let text = text.replace("\r\n", "\n");
        assert_eq!(commands(&text), "", "{file}: {text}");
    }
    for command in ["debug script.rhai", "--list -f script.rhai"] {
        let run = Tool::new().file("script.rhai", script).args(command);
        let run = run.on(&server).run();
        assert!(run.stdout.contains("\\u{1b}["), "{}", run.stdout);
        assert_eq!(commands(&run.stdout), "", "{}", run.stdout);
        assert_eq!(commands(&run.stderr), "", "{}", run.stderr);
    }
    // What is wrong with a script is shown with its lines.
    let broken = "user(\"A\", #{ t: task(|| 1), \"x\u{1b}[2J\": 1 }); // \u{1b}[2J";
    let run = Tool::new()
        .file("script.rhai", broken)
        .args("check script.rhai")
        .run()
        .code(2);
    assert_eq!(commands(&run.stderr), "", "{}", run.stderr);
}

#[test]
fn a_cell_of_a_spreadsheet_is_no_formula() {
    let shop = Shop::open();
    let script = r#"user("U", #{ t: task(|| {
        for name in ["=1+1", "+1", "-1", "@a", "/hello"] {
            let r = this.client.get("/hello", #{ name: name });
            r.check(name, false);
            counter(name).add(1);
        }
        throw "=cmd()";
    }) });"#;
    let run = Tool::running(script)
        .on(&shop)
        .args("-u 1 -i 1 --csv out")
        .run();
    let files = files(&run);
    assert!(files.len() >= 5, "{files:?}");
    let mut found = 0;
    for (file, text) in &files {
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        for row in rows.records().map(Result::unwrap) {
            for cell in &row {
                let is_formula = cell.starts_with(['=', '+', '-', '@']);
                assert!(!is_formula || cell.parse::<f64>().is_ok(), "{file}: {cell}");
                found += usize::from(cell == "'=1+1");
            }
        }
    }
    assert!(found >= 3, "{found}");
    assert!(
        files["out_stats.csv"].contains("\nGET,/hello,1,"),
        "Locust's rows stay"
    );
}

#[test]
fn a_deep_page_fails_its_task_and_holds_up_nobody() {
    let page = "<div>".repeat(50_000);
    let length = page.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{page}");
    let server = Raw::answering(answer);
    let script = r#"user("U", #{ t: task(|| { this.client.get("/").css("p"); }),
            w: task(|| { this.client.get("/").form_value("p"); }) });"#;
    let run = Tool::running(script)
        .on(&server)
        .args("-u 1 -i 3")
        .run()
        .code(1);
    assert!(run.stderr.contains("nested too deep"), "{}", run.stderr);
}

#[test]
fn headers_without_end_are_a_mistake_of_the_script() {
    let script = "let h = #{}; for n in 0..33000 { h[`x-${n}`] = 1; }
        user(\"U\", #{ headers: h, t: task(|| this.client.get(\"/\")) });";
    let run = Tool::running(script)
        .args("-u 1 -i 1 -H http://127.0.0.1:1")
        .run()
        .code(2);
    assert!(
        run.stderr.contains("33000 headers are too many"),
        "{}",
        run.stderr
    );
    let run = Tool::task(
        "for n in 0..33000 { this.client.headers[`x-${n}`] = 1; } this.client.get(\"/\");",
    );
    let run = run.args("-u 1 -i 1 -H http://127.0.0.1:1").run().code(1);
    assert!(
        run.stderr.contains("1001 headers are too many"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("bug of Katydid"), "{}", run.stderr);
}

#[test]
fn names_of_megabytes_are_cut_and_hold_up_no_report() {
    let shop = Shop::open();
    let script = r#"user("U", #{ t: task(|| {
        let long = "name"; for n in 0..18 { long += long; }
        let r = this.client.get("/hello", #{ name: long });
        r.check(long, true);
        counter(long).add(1);
    }) });"#;
    let run = Tool::running(script).on(&shop).args("-i 2").run().code(0);
    let document = run.document();
    let name = format!("{}…", "name".repeat(250));
    assert_eq!(document.row(&name), (2, 0));
    assert!(run.stderr.len() < 100_000, "{}", run.stderr.len());
}
