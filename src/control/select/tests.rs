//! Selections as tables: what was requested, and which classes and tasks are left. The logic of
//! tags is tested in `scenario`.

use std::time::Duration;

use super::*;
use crate::load::{ClassShare, Division, Stage};
use crate::scenario::{Body, Options, Shape, Task};

fn class(name: &str, tasks: &[(&str, &[&str])]) -> Class {
    let task = |(name, tags): &(&str, &[&str])| Task {
        name: (*name).to_owned(),
        weight: 3,
        tags: tags.iter().map(ToString::to_string).collect(),
        body: Body::Function(0),
    };
    Class {
        name: name.to_owned(),
        share: ClassShare {
            weight: 2.0,
            fixed_count: None,
        },
        host: None,
        wait: Wait::Constant(Duration::ZERO),
        tasks: tasks.iter().map(task).collect(),
        sets: Vec::new(),
    }
}

fn scenario() -> Scenario {
    Scenario {
        classes: vec![
            class("Shopper", &[("browse", &["fast"]), ("buy", &["slow"])]),
            class("Admin", &[("report", &["slow"])]),
        ],
        ..Scenario::default()
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// The classes with users, each with its tasks.
fn left(selection: &Selection) -> String {
    described(&select(selection, &scenario()))
}

fn described(selected: &Result<Scenario>) -> String {
    let scenario = match selected {
        Ok(scenario) => scenario,
        Err(wrong) => {
            let hint = wrong.hint.as_deref().unwrap_or_default();
            return format!("{}; {hint}", wrong.message);
        }
    };
    let classes = scenario.classes.iter().filter(|class| class.has_users());
    let classes = classes.map(|class| {
        let tasks = class.tasks.iter().map(|task| task.name.as_str());
        format!("{}: {}", class.name, tasks.collect::<Vec<_>>().join(" "))
    });
    classes.collect::<Vec<_>>().join(", ")
}

fn classes(names: &[&str]) -> Selection {
    Selection {
        classes: owned(names),
        ..Selection::default()
    }
}

fn changing(changes: Changes) -> Selection {
    Selection {
        changes,
        ..Selection::default()
    }
}

fn tags(include: &[&str], exclude: &[&str]) -> Selection {
    changing(Changes {
        tags: owned(include),
        exclude_tags: owned(exclude),
        ..Changes::default()
    })
}

fn config(text: &str) -> Selection {
    changing(Changes {
        config_users: owned(&[text]),
        ..Changes::default()
    })
}

#[test]
fn classes_are_chosen_by_name() {
    assert_eq!(left(&classes(&[])), "Shopper: browse buy, Admin: report");
    assert_eq!(left(&classes(&["Admin"])), "Admin: report");
    assert_eq!(
        left(&classes(&["Shoper"])),
        "there is no user class `Shoper`; did you mean `Shopper`? the script has Shopper, Admin"
    );
    // The indices stay: a class that was not chosen is there, without users.
    let chosen = select(&classes(&["Admin"]), &scenario()).unwrap();
    assert_eq!(chosen.classes.len(), 2);
}

#[test]
fn tags_choose_tasks_of_the_classes_that_run() {
    assert_eq!(left(&tags(&["slow"], &[])), "Shopper: buy, Admin: report");
    assert_eq!(
        left(&tags(&["[fast,", "slow]"], &["fast"])),
        "Shopper: buy, Admin: report"
    );
    assert_eq!(
        left(&tags(&["fast"], &[])),
        "the user class `Admin` has no task left with --tags `fast`; choose other tags, or name \
         the classes to run"
    );
    let only_shopper = Selection {
        classes: owned(&["Shopper"]),
        ..tags(&["fast"], &[])
    };
    assert_eq!(left(&only_shopper), "Shopper: browse");
    assert_eq!(
        left(&tags(&["slwo"], &[])),
        "there is no tag `slwo`; did you mean `slow`? the script has fast, slow"
    );
    assert_eq!(
        left(&tags(&[], &["fast", "slow"])),
        "the user class `Shopper` has no task left with --exclude-tags `fast` `slow`; choose \
         other tags, or name the classes to run"
    );
}

#[test]
fn the_scripts_own_tags_hold_unless_a_person_says_otherwise() {
    let with = |options: Options| Scenario {
        options,
        ..scenario()
    };
    let slow = with(Options {
        tags: Some(owned(&["slow"])),
        ..Options::default()
    });
    let none = Selection::default();
    assert_eq!(
        described(&select(&none, &slow)),
        "Shopper: buy, Admin: report"
    );
    let both = tags(&["fast", "slow"], &[]);
    assert_eq!(
        described(&select(&both, &slow)),
        "Shopper: browse buy, Admin: report"
    );
    let not_fast = with(Options {
        exclude_tags: Some(owned(&["fast"])),
        ..Options::default()
    });
    assert_eq!(
        described(&select(&none, &not_fast)),
        "Shopper: buy, Admin: report"
    );
}

#[test]
fn tags_hold_for_the_classes_that_a_shape_gives_users() {
    let stage = |users: &[u32]| Stage {
        length: Duration::from_secs(1),
        users: users.to_vec(),
        rate: None,
    };
    let shaped = |users: &[u32]| {
        let mut scenario = Scenario {
            shape: Some(Shape::Stages(Division::PerClass(2), vec![stage(users)])),
            ..scenario()
        };
        // The shape's numbers count, not the weights.
        scenario.classes[0].share.weight = 0.0;
        scenario
    };
    let kept = |users: &[u32], selection: &Selection| {
        let selected = select(selection, &shaped(users));
        selected.map(|scenario| {
            let tasks = scenario.classes[0].tasks.iter();
            (tasks.count(), scenario.shape.unwrap())
        })
    };
    let stages = |users: &[u32]| Shape::Stages(Division::PerClass(2), vec![stage(users)]);
    assert_eq!(
        kept(&[1, 1], &tags(&["slow"], &[])),
        Ok((1, stages(&[1, 1])))
    );
    assert_eq!(
        kept(&[1, 0], &tags(&["fast"], &[])),
        Ok((1, stages(&[1, 0])))
    );
    let only_shopper = classes(&["Shopper"]);
    assert_eq!(kept(&[1, 1], &only_shopper), Ok((2, stages(&[1, 0]))));
    assert!(kept(&[0, 1], &only_shopper).is_err());
}

#[test]
fn one_user_is_of_the_class_named_or_the_first_with_users() {
    let one = |selection: &Selection, name: Option<&str>| {
        let selected = select_one(&selection.changes, name, &scenario());
        selected.map_or_else(
            |wrong| wrong.message,
            |(scenario, index)| {
                let class = &scenario.classes[index];
                let tasks = class.tasks.iter().map(|task| task.name.as_str());
                format!("{}: {}", class.name, tasks.collect::<Vec<_>>().join(" "))
            },
        )
    };
    let all = Selection::default();
    assert_eq!(one(&all, None), "Shopper: browse buy");
    assert_eq!(one(&all, Some("Admin")), "Admin: report");
    assert_eq!(one(&all, Some("Amdin")), "there is no user class `Amdin`");
    // The other class would have no task left; it has no user here.
    assert_eq!(one(&tags(&["fast"], &[]), None), "Shopper: browse");
    assert_eq!(
        one(&tags(&["fast"], &[]), Some("Admin")),
        "the user class `Admin` has no task left with --tags `fast`"
    );
    let without = config(r#"{"user_class_name": "Shopper", "weight": 0, "tasks": ["buy"]}"#);
    assert_eq!(one(&without, None), "Admin: report");
    assert_eq!(one(&without, Some("Shopper")), "Shopper: buy");
}

#[test]
fn a_script_without_tags_says_so() {
    let mut plain = scenario();
    for class in &mut plain.classes {
        class.tasks.iter_mut().for_each(|task| task.tags.clear());
    }
    let found = described(&select(&tags(&["slow"], &[]), &plain));
    assert!(
        found.starts_with("there is no tag `slow`: no task has any; "),
        "{found}"
    );
}

#[test]
fn equal_weights_are_of_classes_and_tasks() {
    let selection = changing(Changes {
        equal_weights: true,
        ..Changes::default()
    });
    let scenario = select(&selection, &scenario()).unwrap();
    for class in &scenario.classes {
        assert_eq!(class.share.weight, 1.0);
        assert!(class.tasks.iter().all(|task| task.weight == 1));
    }
}

#[test]
fn classes_are_configured_from_outside() {
    let text = r#"[{"user_class_name": "Admin", "fixed_count": 2, "host": "http://a",
                    "wait_time": "1m30s"},
                   {"user_class_name": "Shopper", "weight": 0.5, "tasks": ["buy"]}]"#;
    let selected = select(&config(text), &scenario());
    assert_eq!(described(&selected), "Shopper: buy, Admin: report");
    let scenario = selected.unwrap();
    let [shopper, admin] = scenario.classes.as_slice() else {
        panic!("two classes")
    };
    assert_eq!(shopper.share.weight, 0.5);
    assert_eq!(admin.share.fixed_count, Some(2));
    assert_eq!(admin.host.as_deref(), Some("http://a"));
    assert_eq!(admin.wait, Wait::Constant(Duration::from_secs(90)));
    let one = r#"{"user_class_name": "Shopper", "weight": 0}"#;
    assert_eq!(left(&config(one)), "Admin: report");
}

#[test]
fn a_wrong_configuration_says_what_is_wrong() {
    for (text, expected) in [
        ("[1]", "--config-users is no list of objects"),
        (
            "[{}]",
            "--config-users has an entry without a `user_class_name`",
        ),
        ("[{]", "--config-users is not JSON"),
        (
            r#"{"user_class_name": "Admn"}"#,
            "there is no user class `Admn`; did you mean `Admin`?",
        ),
        (
            r#"{"user_class_name": "Admin", "wieght": 1}"#,
            "--config-users, the user class `Admin`: `wieght` cannot be set from outside; did you mean `weight`?",
        ),
        (
            r#"{"user_class_name": "Admin", "weight": -1}"#,
            "`weight` is a number from 0, not -1",
        ),
        (
            r#"{"user_class_name": "Admin", "fixed_count": 1.5}"#,
            "`fixed_count` is a whole number",
        ),
        (
            r#"{"user_class_name": "Admin", "tasks": ["reprot"]}"#,
            "it has no task `reprot`; did you mean `report`?",
        ),
        (
            "no/such/file.json",
            "cannot read `no/such/file.json` of --config-users",
        ),
        (
            r#"[{"user_class_name": "Admin", "weight": 0}, {"user_class_name": "Shopper", "weight": 0}]"#,
            "no user class has any users",
        ),
    ] {
        let found = left(&config(text));
        assert!(found.contains(expected), "{text}: {found}");
    }
}
