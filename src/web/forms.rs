//! What the start page shows: the script, its parameters and classes, and what a run would be like.
//!
//! Owns their form on the wire; `control` works out what a wish comes to.

use std::collections::BTreeSet;

use serde::Serialize;

use super::command_line::command_line;
use super::words::{time_text, wait_words};
use crate::control::{Preview, RunView, ScriptView, Stage, View, Wish, WishError, preview};
use crate::runner::End;
use crate::scenario::{Param, ParamKind, Ratio, Scenario, Shape, Whole, ratios};
use crate::screen::show::clean;
use crate::script::diagnostic::Severity;

/// The word for a stage of a run.
pub(super) fn stage_word(stage: &Stage) -> &'static str {
    match stage {
        Stage::Ready => "ready",
        Stage::Starting => "starting",
        Stage::SettingUp => "setting_up",
        Stage::Spawning => "spawning",
        Stage::Running => "running",
        Stage::Paused => "paused",
        Stage::Stopping(_) => "stopping",
        Stage::Stopped(End::Failed(_)) => "failed",
        Stage::Stopped(_) => "stopped",
    }
}

/// Something wrong or doubtful in a script, with its line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    severity: &'static str,
    file: String,
    line: u32,
    column: u32,
    width: u32,
    message: String,
    hint: Option<String>,
    source: Option<String>,
}

/// What is wrong with a script, or doubtful.
pub(super) fn findings(script: &ScriptView) -> Vec<Finding> {
    let source_of = |path: &str, line: u32| {
        let file = script.files.iter().find(|file| file.path == path)?;
        let at = usize::try_from(line).ok()?.checked_sub(1)?;
        file.text.lines().nth(at).map(str::to_owned)
    };
    let all = script.findings.iter().map(|finding| Finding {
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        file: finding.file.clone(),
        line: finding.line,
        column: finding.column,
        width: finding.width,
        message: clean(&finding.message).into_owned(),
        hint: finding.hint.as_deref().map(|hint| clean(hint).into_owned()),
        source: source_of(&finding.file, finding.line),
    });
    let mut all: Vec<_> = all.collect();
    if !script.unreadable.is_empty() {
        all.push(Finding {
            severity: "error",
            file: script.path.clone(),
            line: 0,
            column: 0,
            width: 0,
            message: clean(&script.unreadable).into_owned(),
            hint: None,
            source: None,
        });
    }
    all
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct ScriptState {
    path: String,
    is_ok: bool,
    findings: Vec<Finding>,
    hash: String,
    checked_at_us: i64,
    is_watched: bool,
}

impl ScriptState {
    pub(super) fn of(script: &ScriptView) -> ScriptState {
        ScriptState {
            path: script.path.clone(),
            is_ok: script.is_ok,
            findings: findings(script),
            hash: script.hash.clone(),
            checked_at_us: script.read_unix_us,
            is_watched: script.is_watched,
        }
    }
}

/// What a run that starts now would be asked, as far as a person may change it.
#[derive(Serialize)]
struct WishForm {
    users: Option<u32>,
    spawn_rate: Option<f64>,
    run_time: Option<String>,
    iterations: Option<u64>,
    host: Option<String>,
    classes: Vec<String>,
    tags: Vec<String>,
    exclude_tags: Vec<String>,
    use_shape: bool,
    stop_timeout: Option<String>,
    seed: Option<u64>,
    label: String,
}

#[derive(Serialize)]
pub(super) struct Plan {
    points: Vec<(f64, u32)>,
    end_s: Option<f64>,
    peak: u32,
    is_live: bool,
}

#[derive(Serialize)]
struct Remark {
    level: &'static str,
    text: String,
}

/// What a wish comes to.
#[derive(Serialize)]
pub(super) struct PreviewForm {
    plan: Plan,
    remarks: Vec<Remark>,
    command: String,
    files_needed: u64,
    files_allowed: u64,
}

impl PreviewForm {
    pub(super) fn of(preview: &Preview, wish: &Wish, script: &ScriptView) -> PreviewForm {
        let points = preview.points.iter();
        let remarks = preview.remarks.iter().map(|text| Remark {
            level: "warn",
            text: clean(text).into_owned(),
        });
        PreviewForm {
            plan: Plan {
                points: points
                    .map(|(at, users)| (at.as_secs_f64(), *users))
                    .collect(),
                end_s: preview.end.map(|end| end.as_secs_f64()),
                peak: preview.peak_users,
                is_live: preview.is_live,
            },
            remarks: remarks.collect(),
            command: command_line(wish, script),
            files_needed: preview.files_needed,
            files_allowed: preview.files_allowed,
        }
    }
}

#[derive(Serialize)]
struct ParamForm {
    name: String,
    r#type: &'static str,
    default: String,
    value: Option<String>,
    is_given: bool,
    help: String,
    choices: Vec<String>,
    is_secret: bool,
    is_required: bool,
}

impl ParamForm {
    fn of(param: &Param, wish: &Wish) -> ParamForm {
        let given = wish
            .params
            .iter()
            .rev()
            .find(|(name, _)| *name == param.name);
        let shown = |text: &str| match param.secret {
            true => String::new(),
            false => clean(text).into_owned(),
        };
        ParamForm {
            name: param.name.clone(),
            r#type: type_word(param),
            default: shown(&param.default),
            value: given
                .filter(|_| !param.secret)
                .map(|(_, value)| shown(value)),
            is_given: given.is_some(),
            help: param.help.clone(),
            choices: param.choices.clone(),
            is_secret: param.secret,
            is_required: param.required,
        }
    }
}

/// The word for the field that a parameter needs.
fn type_word(param: &Param) -> &'static str {
    match (param.is_list, param.choices.is_empty(), param.kind) {
        (true, true, _) => "list",
        (true, false, _) => "choices",
        (false, false, _) => "choice",
        (false, true, ParamKind::Integer) => "integer",
        (false, true, ParamKind::Number) => "number",
        (false, true, ParamKind::Bool) => "bool",
        (false, true, ParamKind::Text) => "text",
    }
}

#[derive(Serialize)]
struct TaskForm {
    name: String,
    weight: u32,
    tags: Vec<String>,
}

#[derive(Serialize)]
struct ClassForm {
    name: String,
    weight: f64,
    fixed_count: Option<u32>,
    host: Option<String>,
    wait: String,
    share: f64,
    is_chosen: bool,
    tasks: Vec<TaskForm>,
}

#[derive(Serialize)]
struct RefusalForm {
    field: Option<&'static str>,
    param: Option<String>,
    message: String,
    hint: Option<String>,
}

/// Everything that the start page needs.
#[derive(Serialize)]
pub(super) struct Form {
    wish: WishForm,
    params: Vec<ParamForm>,
    classes: Vec<ClassForm>,
    tags: Vec<String>,
    shape: &'static str,
    script: ScriptState,
    preview: Option<PreviewForm>,
    refusal: Option<RefusalForm>,
}

impl Form {
    pub(super) fn of(view: &View) -> Form {
        let (wish, script) = (&*view.wish, &*view.script);
        let nothing = Scenario::default();
        let declared = script.declared.as_deref().unwrap_or(&nothing);
        let previewed: Result<Preview, WishError> = preview(wish, declared);
        let (preview, refusal) = match previewed {
            Ok(preview) => (Some(preview), None),
            // A script that has never been readable declares nothing.
            Err(_) if script.declared.is_none() => (None, None),
            Err(error) => (None, Some(error)),
        };
        Form {
            wish: wish_form(wish, declared, preview.as_ref()),
            params: declared
                .params
                .iter()
                .map(|param| ParamForm::of(param, wish))
                .collect(),
            classes: classes(wish, declared, preview.as_ref()),
            tags: declared.tags().into_iter().map(str::to_owned).collect(),
            shape: match declared.shape {
                None => "none",
                Some(Shape::Stages(..)) => "stages",
                Some(Shape::Script) => "closure",
            },
            script: ScriptState::of(script),
            preview: preview.map(|preview| PreviewForm::of(&preview, wish, script)),
            refusal: refusal.map(|error| RefusalForm {
                field: error.field,
                param: error.param,
                message: clean(&error.message).into_owned(),
                hint: error.hint.map(|hint| clean(&hint).into_owned()),
            }),
        }
    }
}

fn wish_form(wish: &Wish, declared: &Scenario, preview: Option<&Preview>) -> WishForm {
    let options = &declared.options;
    let run_time = wish.run_time.unwrap_or(options.run_time);
    let host = wish.host.clone().or_else(|| preview?.host.clone());
    let changes = &wish.selection.changes;
    WishForm {
        users: preview.map(|preview| preview.users).or(wish.users),
        spawn_rate: preview.map(|preview| preview.spawn_rate),
        run_time: run_time.map(time_text),
        iterations: wish.iterations.unwrap_or(options.iterations),
        host: host.map(|host| clean(&host).into_owned()),
        classes: wish.selection.classes.clone(),
        tags: changes.tags.clone(),
        exclude_tags: changes.exclude_tags.clone(),
        use_shape: declared.shape.is_some() && !wish.ignores_shape,
        stop_timeout: wish.stop_timeout.or(options.stop_timeout).map(time_text),
        seed: wish.seed,
        label: wish.label.clone(),
    }
}

fn classes(wish: &Wish, declared: &Scenario, preview: Option<&Preview>) -> Vec<ClassForm> {
    let scenario = preview.map_or(declared, |preview| &preview.scenario);
    let users = preview.map(|preview| preview.peak_users);
    let shares = ratios(scenario, users, Whole::Total);
    let share_of = |name: &str| {
        let found = shares.iter().find(|ratio| ratio.name == name);
        found.map_or(0.0, |ratio| ratio.ratio)
    };
    let chosen: BTreeSet<&str> = wish.selection.classes.iter().map(String::as_str).collect();
    let classes = declared.classes.iter().zip(&scenario.classes);
    classes
        .map(|(declared, class)| ClassForm {
            name: class.name.clone(),
            weight: class.share.weight,
            fixed_count: class.share.fixed_count,
            host: class.host.as_deref().map(|host| clean(host).into_owned()),
            wait: wait_words(&class.wait),
            share: share_of(&class.name),
            is_chosen: chosen.is_empty() || chosen.contains(class.name.as_str()),
            tasks: declared
                .tasks
                .iter()
                .map(|task| TaskForm {
                    name: task.name.clone(),
                    weight: task.weight,
                    tags: task.tags.clone(),
                })
                .collect(),
        })
        .collect()
}

/// The shares of classes and tasks of the run under way, or of the one that would start now, as
/// Locust's `/tasks` has them.
pub(super) fn ratio_trees(view: &View) -> serde_json::Value {
    if let Some(run) = view.run.as_ref().filter(|_| view.stage.is_active()) {
        return ratios_of_run(run);
    }
    let Some(declared) = &view.script.declared else {
        return trees(&Scenario::default(), None);
    };
    match preview(&view.wish, declared) {
        Ok(preview) => trees(&preview.scenario, Some(preview.peak_users)),
        Err(_) => trees(declared, None),
    }
}

/// The trees of a run: by its latest generation, and the users it has, or had at most.
pub(super) fn ratios_of_run(run: &RunView) -> serde_json::Value {
    let Some(latest) = run.generations.last() else {
        return trees(&Scenario::default(), None);
    };
    let users = run.summary.as_ref().map(|summary| &summary.users);
    let count = users.map_or(0, |users| match users.running {
        0 => users.peak,
        running => running,
    });
    let count = u32::try_from(count).ok().filter(|count| *count > 0);
    trees(&latest.scenario, count)
}

fn trees(scenario: &Scenario, users: Option<u32>) -> serde_json::Value {
    let tree = |whole| tree(&ratios(scenario, users, whole));
    serde_json::json!({ "per_class": tree(Whole::Each), "total": tree(Whole::Total) })
}

fn tree(ratios: &[Ratio]) -> serde_json::Value {
    let mut map = serde_json::Map::new();
    for ratio in ratios {
        let entry = map.entry(ratio.name.clone());
        // Tasks with the same name share an entry, just as they share rows.
        let entry = entry.or_insert_with(|| serde_json::json!({ "ratio": 0.0 }));
        entry["ratio"] = (entry["ratio"].as_f64().unwrap_or(0.0) + ratio.ratio).into();
        if !ratio.tasks.is_empty() {
            entry["tasks"] = tree(&ratio.tasks);
        }
    }
    serde_json::Value::Object(map)
}
