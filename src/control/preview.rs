//! What a run would be like, without starting it.
//!
//! Pure: whoever shows a form can ask on its own thread, as often as a person types.

use std::time::Duration;

use super::limits;
use super::prepare::{files_needed, resolve};
use super::resolve::users;
use super::wish::{Wish, WishError};
use crate::load::Plan;
use crate::scenario::{Scenario, Shape};

/// What a wish comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// Moments and how many users are asked for then; straight lines between them.
    pub points: Vec<(Duration, u32)>,
    /// When the run ends by itself.
    pub end: Option<Duration>,
    /// The most users at once.
    pub peak_users: u32,
    /// A closure of the script decides as the run goes on.
    pub is_live: bool,
    /// Users and users started per second, unless a shape decides.
    pub users: u32,
    /// See `users`.
    pub spawn_rate: f64,
    /// Iterations over all users.
    pub iterations: Option<u64>,
    /// What a running task gets to finish when its user is stopped.
    pub stop_timeout: Duration,
    /// Where the first class with users sends its requests.
    pub host: Option<String>,
    /// Classes and tasks as the run would have them.
    pub scenario: Scenario,
    /// Each a warning.
    pub remarks: Vec<String>,
    /// Open files that it needs.
    pub files_needed: u64,
    /// Open files that this process may have.
    pub files_allowed: u64,
}

/// What a run of a script would be like.
///
/// # Errors
/// Which field of the wish does not fit the script, and why.
pub fn preview(wish: &Wish, declared: &Scenario) -> Result<Preview, WishError> {
    for (name, value) in &wish.params {
        check_param(declared, name, value)?;
    }
    let resolved = resolve(wish, declared)?;
    let plan = &resolved.options.plan;
    let (users, rate) = users(wish, &resolved.scenario);
    let classes = resolved.scenario.classes.iter().zip(&resolved.bases);
    let mut with_users = classes.filter(|(class, _)| class.has_users());
    Ok(Preview {
        points: points(plan),
        end: plan.end(),
        peak_users: plan.peak_users(),
        is_live: resolved.scenario.shape == Some(Shape::Script),
        users,
        spawn_rate: rate.per_sec(),
        iterations: resolved.options.iterations,
        stop_timeout: resolved.options.stop_timeout,
        host: with_users.find_map(|(_, base)| base.clone()),
        files_needed: files_needed(&resolved.options),
        files_allowed: limits::open_files(),
        remarks: resolved.remarks,
        scenario: resolved.scenario,
    })
}

fn check_param(declared: &Scenario, name: &str, value: &str) -> Result<(), WishError> {
    let param = declared.params.iter().find(|param| param.name == name);
    let Some(param) = param else {
        let known = declared.params.iter().map(|param| param.name.as_str());
        let hint = crate::scenario::names::hint(name, known, "it has");
        let error = WishError::new(format!("the script has no parameter `{name}`"));
        return Err(error.hint(hint).of("params"));
    };
    let wrong = |why| WishError {
        param: Some(name.to_owned()),
        ..WishError::new(format!("the parameter `{name}`: {why}")).of("params")
    };
    param.read(value).map(drop).map_err(wrong)
}

/// Where the number of users bends.
fn points(plan: &Plan) -> Vec<(Duration, u32)> {
    let mut points = Vec::new();
    let mut at = Some(Duration::ZERO);
    let end = plan.end().unwrap_or(Duration::MAX);
    while let Some(begins) = at.filter(|begins| *begins < end) {
        let change = plan.change_at(begins);
        points.push((begins, plan.users_at(begins)));
        let ends = plan.next_stage(begins).unwrap_or(Duration::MAX).min(end);
        let users = f64::from(change.to.abs_diff(change.from));
        let ramp = Duration::try_from_secs_f64(users / change.per_sec).unwrap_or_default();
        let arrives = begins.saturating_add(ramp);
        if arrives < ends {
            points.push((arrives, change.to));
        }
        if ends < Duration::MAX {
            let before = ends.saturating_sub(Duration::from_millis(1));
            points.push((ends, plan.users_at(before)));
        }
        at = plan.next_stage(begins);
    }
    points.dedup();
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Param, ParamKind};
    use crate::units::Rate;

    fn seconds(points: &[(Duration, u32)]) -> Vec<(f64, u32)> {
        let points = points.iter();
        points
            .map(|(at, users)| (at.as_secs_f64(), *users))
            .collect()
    }

    #[test]
    fn a_plan_bends_where_its_users_have_arrived_and_where_it_ends() {
        let rate = Rate::from_per_sec(10.0).unwrap();
        let plan = Plan::closed(100, rate, None);
        let points = seconds(&points(&plan));
        assert_eq!(points.last(), Some(&(10.0, 100)));
        assert!(points[0].0 == 0.0 && points[0].1 <= 1, "{points:?}");

        let plan = Plan::closed(100, rate, Some(Duration::from_secs(5)));
        let points = seconds(&super::points(&plan));
        let (at, users) = points[points.len() - 1];
        assert_eq!(at, 5.0);
        assert!((49..=51).contains(&users), "{points:?}");
    }

    #[test]
    fn parameters_are_checked_by_name_type_and_choice() {
        let mut declared = Scenario::default();
        let param = |name: &str, kind, choices: &[&str]| Param {
            name: name.to_owned(),
            kind,
            is_list: false,
            default: String::new(),
            help: String::new(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            secret: false,
            required: false,
        };
        declared.params = vec![
            param("language", ParamKind::Text, &["en", "ko"]),
            param("pages", ParamKind::Integer, &[]),
        ];
        assert_eq!(check_param(&declared, "language", "ko"), Ok(()));
        assert_eq!(check_param(&declared, "pages", "12"), Ok(()));
        let wrong = check_param(&declared, "language", "xx").unwrap_err();
        assert!(wrong.message.contains("en, ko"), "{wrong:?}");
        let wrong = check_param(&declared, "pages", "abc").unwrap_err();
        assert_eq!(
            wrong.message,
            "the parameter `pages`: `abc` is not a whole number"
        );
        assert_eq!(
            (wrong.field, wrong.param.as_deref()),
            (Some("params"), Some("pages"))
        );
        let wrong = check_param(&declared, "langauge", "ko").unwrap_err();
        assert_eq!((wrong.field, wrong.param), (Some("params"), None));
    }
}
