//! Choosing classes and tasks from the command line, and showing what there is to choose.
//!
//! The rules of tags and shares are tested where they are; here they reach a run.

use serde_json::{Value, json};

use crate::tool::{Finished, Tool};

const SCRIPT: &str = r#"
    user("Shopper", #{
        weight: 3,
        wait_time: 0.02,
        host: "http://127.0.0.1:1",
        browse: task(3, || print("browse")),
        support: task_set(#{
            tags: ["slow"],
            read: task(|| print("read")),
            write: task(#{ tags: ["fast"] }, || print("write")),
        }),
    });
    user("Admin", #{ fixed_count: 1, wait_time: 0.02, report: task(#{ tags: ["slow"] }, || print("report")) });
"#;

/// A run, or what comes in its place, of the script above.
fn with(args: &str) -> Finished {
    let tool = Tool::new().file("script.rhai", SCRIPT);
    tool.args("-f script.rhai").args(args).run()
}

/// The different things that were printed by 80 iterations of 8 users.
fn printed(args: &str) -> String {
    let run = with(&format!(
        "--headless --json -i 80 -u 8 -r 1000 -H http://127.0.0.1:1 {args}"
    ));
    let run = run.code(0);
    let mut printed = run.printed();
    printed.sort_unstable();
    printed.dedup();
    printed.join(" ")
}

#[test]
fn classes_and_tags_choose_what_runs() {
    assert_eq!(printed("Admin"), "report");
    assert_eq!(printed("-T slow"), "read report write");
    assert_eq!(printed("--tags slow --exclude-tags fast"), "read report");
    assert_eq!(printed("-E slow fast -- Shopper"), "browse");
    assert_eq!(printed("-T fast --equal-weights -- Shopper"), "write");
}

#[test]
fn the_environment_chooses_too() {
    let run = Tool::running(SCRIPT)
        .args("-i 5 -H http://127.0.0.1:1")
        .env("KATYDID_TAGS", "[slow, fast]")
        .env("KATYDID_EXCLUDE_TAGS", "fast")
        .env("KATYDID_USER_CLASSES", "Admin Shopper")
        .run()
        .code(0);
    assert!(
        run.printed()
            .iter()
            .all(|line| ["read", "report"].contains(line))
    );
}

#[test]
fn what_cannot_be_chosen_is_said() {
    with("--headless Shoper").code(2).says(&[
        "there is no user class `Shoper`",
        "did you mean `Shopper`? the script has Shopper, Admin",
    ]);
    with("--headless -T slwo")
        .code(2)
        .says(&["there is no tag `slwo`", "did you mean `slow`?"]);
    with("--headless -T fast")
        .code(2)
        .says(&["the user class `Admin` has no task left with --tags `fast`"]);
    with("--headless --config-users {} Shopper")
        .code(2)
        .says(&["has an entry without a `user_class_name`"]);
}

#[test]
fn classes_are_listed_in_the_order_written() {
    let run = with("--list").code(0);
    let expected = "Available Users:\n    \
                    Shopper  weight 3, tasks 3, sets 1, http://127.0.0.1:1\n    \
                    Admin    fixed count 1, tasks 1\n";
    assert_eq!(run.stdout, expected);
}

#[test]
fn task_ratios_are_shown_as_tables_and_as_json() {
    let run = with("--show-task-ratio -u 5 -E fast").code(0);
    let rule = "-".repeat(80);
    let expected = format!(
        "\n Task ratio per User class\n{rule}\n\
         \x20 80.0         Shopper\n   75.0         browse\n   25.0         support\n     100.0        read\n\
         \x20 20.0         Admin\n   100.0        report\n"
    );
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        squeezed(&run.stdout).starts_with(&squeezed(&expected)),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("Total task ratio"), "{}", run.stdout);

    let run = with("--show-task-ratio-json -u 4 Shopper").code(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let support = |share: f64, half: f64| {
        json!({ "ratio": share, "tasks": {
            "read": { "ratio": half }, "write": { "ratio": half },
        } })
    };
    let class = json!({ "Shopper": { "ratio": 1.0, "tasks": {
        "browse": { "ratio": 0.75 }, "support": support(0.25, 0.5),
    } } });
    assert_eq!(document["per_class"], class);
    assert_eq!(
        document["total"]["Shopper"]["tasks"]["support"],
        support(0.25, 0.125)
    );
}

#[test]
fn classes_are_configured_by_text_or_file() {
    let only_read = r#"[{"user_class_name":"Shopper","tasks":["support"]}]"#;
    assert_eq!(
        printed(&format!("--config-users {only_read} Shopper")),
        "read write"
    );
    let run = Tool::running(SCRIPT)
        .file(
            "users.json",
            r#"[{"user_class_name": "Admin", "fixed_count": 3},
                {"user_class_name": "Shopper", "weight": 0, "host": "http://127.0.0.1:2"}]"#,
        )
        .args("-i 9 -u 3 -H http://127.0.0.1:1 --config-users users.json")
        .run()
        .code(0);
    assert_eq!(run.printed(), ["report"; 9]);
}
