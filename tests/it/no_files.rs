//! Names that lead to pipes and devices where a file is expected: said at once, on every road, and
//! never waited for. How they are opened is `files`' business.

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::peer::Shop;
use crate::tool::Tool;

const USER: &str = "user(\"U\", #{ t: task(|| 1) });";

/// A tool in a folder with a pipe that nobody writes to.
fn beside_a_pipe() -> Tool {
    let tool = Tool::new();
    let pipe = tool.path("pipe");
    mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    tool
}

#[test]
fn a_script_is_a_file() {
    for command in ["check pipe", "-f pipe --headless", "debug pipe", "dev pipe"] {
        let run = beside_a_pipe().args(command).run();
        run.code(2).says(&["it is a pipe: only files are taken"]);
    }
    let run = Tool::new().args("check /dev/zero").run();
    run.code(2).says(&["it is a device"]);
}

#[test]
fn what_a_script_names_is_a_file() {
    for declared in [
        "import \"pipe\" as p;",
        "const ROWS = csv(\"pipe\");",
        "const ROWS = json_file(\"pipe\");",
        "const ROWS = lines(\"pipe\");",
        "const ROWS = lines(\"/dev/zero\");",
    ] {
        let script = format!("{declared} {USER}");
        let run = beside_a_pipe().file("s.rhai", script);
        // What is imported is `pipe.rhai`.
        let link = run.path("pipe.rhai");
        std::os::unix::fs::symlink("pipe", link).unwrap();
        let run = run.args("check s.rhai").run().code(2);
        assert!(
            run.stderr.contains("only files are taken"),
            "{declared}: {}",
            run.stderr
        );
    }
    let run = beside_a_pipe()
        .file("s.rhai", "user(\"U\", #{ ca: \"pipe\", t: task(|| 1) });")
        .args("-f s.rhai -H https://127.0.0.1:1 --headless -i 1")
        .run();
    run.code(2).says(&["only files are taken"]);
}

#[test]
fn users_neither_send_nor_write_what_is_no_file() {
    let shop = Shop::open();
    let script = r#"user("U", #{
        send: task(|| this.client.post("/echo", #{ multipart: #{ f: #{ file: "pipe" } } })),
        write: task(|| append("pipe", "x")),
    });"#;
    let run = beside_a_pipe()
        .file("s.rhai", script)
        .args("-f s.rhai --headless --only-summary --json -i 20")
        .on(&shop)
        .run()
        .code(1);
    let exceptions = run.document().exceptions();
    assert_eq!(exceptions.len(), 2, "{exceptions:?}");
    for (message, ..) in exceptions {
        assert!(message.contains("it is a pipe"), "{message}");
    }
}

#[test]
fn changes_of_users_are_in_a_file() {
    let run = beside_a_pipe()
        .file("s.rhai", USER)
        .args("-f s.rhai --headless --config-users pipe")
        .run();
    run.code(2).says(&["it is a pipe"]);
}
