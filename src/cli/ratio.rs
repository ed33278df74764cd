//! `--list`, `--show-task-ratio` and `--show-task-ratio-json`: what a script has, without a run.
//!
//! Owns how it looks; the shares are computed by the scenario. The result goes to stdout.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::arguments::SelectionArgs;
use super::{Exit, result};
use crate::scenario::{Class, Ratio, Scenario, Whole, ratios};
use crate::screen::show;

/// Shows what was requested instead of a run.
pub(super) fn show(selection: &SelectionArgs, scenario: &Scenario, users: Option<u32>) -> Exit {
    let text = if selection.list {
        list(&scenario.classes)
    } else if selection.show_task_ratio_json {
        json(scenario, users)
    } else {
        tables(scenario, users)
    };
    result::print(show::clean(&text).as_bytes())
}

/// The classes, in the order written.
fn list(classes: &[Class]) -> String {
    let width = classes.iter().map(|class| class.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = "Available Users:\n".to_owned();
    for class in classes {
        let share = match class.share.fixed_count {
            Some(count) => format!("fixed count {count}"),
            None => format!("weight {}", class.share.weight),
        };
        let mut what = vec![share, format!("tasks {}", class.task_count())];
        if !class.sets.is_empty() {
            what.push(format!("sets {}", class.sets.len()));
        }
        what.extend(class.host.clone());
        text += &format!("    {:width$}  {}\n", class.name, what.join(", "));
    }
    text
}

fn tables(scenario: &Scenario, users: Option<u32>) -> String {
    let mut text = String::new();
    for (title, whole) in [
        ("Task ratio per User class", Whole::Each),
        ("Total task ratio", Whole::Total),
    ] {
        text += &format!("\n {title}\n{}\n", "-".repeat(80));
        rows(&ratios(scenario, users, whole), 0, &mut text);
    }
    text += "\n";
    text
}

fn rows(ratios: &[Ratio], level: usize, text: &mut String) {
    let padding = "  ".repeat(level);
    for ratio in ratios {
        let percent = format!("{padding}{:.1}", ratio.ratio * 100.0);
        *text += &format!(" {percent:<12} {padding}{}\n", ratio.name);
        rows(&ratio.tasks, level + 1, text);
    }
}

fn json(scenario: &Scenario, users: Option<u32>) -> String {
    #[derive(Serialize)]
    struct Document {
        per_class: Tree,
        total: Tree,
    }
    let of = |whole| Tree(ratios(scenario, users, whole));
    let document = Document {
        per_class: of(Whole::Each),
        total: of(Whole::Total),
    };
    let text = serde_json::to_string_pretty(&document).expect("names and numbers are JSON");
    text + "\n"
}

/// A map by name, in the order written.
struct Tree(Vec<Ratio>);

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry {
            ratio: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            tasks: Option<Tree>,
        }
        let mut map = serializer.serialize_map(None)?;
        let mut seen = Vec::new();
        for ratio in &self.0 {
            if seen.contains(&&ratio.name) {
                continue;
            }
            seen.push(&ratio.name);
            // Tasks with the same name share an entry, just as they share rows.
            let same = self.0.iter().filter(|other| other.name == ratio.name);
            let tasks = ratio.tasks.clone();
            let entry = Entry {
                ratio: same.map(|other| other.ratio).sum(),
                tasks: (!tasks.is_empty()).then_some(Tree(tasks)),
            };
            map.serialize_entry(&ratio.name, &entry)?;
        }
        map.end()
    }
}
