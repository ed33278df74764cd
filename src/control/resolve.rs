//! A run's options, from what was asked for and the script together.
//!
//! A pure function of its inputs; nothing is read or started here. What was asked for wins over
//! `options(#{…})` in the script.

use std::sync::Arc;
use std::time::Duration;

use super::wish::{Wish, WishError};
use crate::http;
use crate::load::{Division, Plan};
use crate::runner::Options;
use crate::scenario::{Scenario, Shape};
use crate::units::Rate;

/// The options of a run.
pub(super) fn options(wish: &Wish, scenario: &Scenario) -> Options {
    let script = &scenario.options;
    Options {
        plan: Arc::new(plan(wish, scenario)),
        iterations: wish.iterations.unwrap_or(script.iterations),
        stop_timeout: wish
            .stop_timeout
            .or(script.stop_timeout)
            .unwrap_or_default(),
        on_stop_timeout: wish
            .on_stop_timeout
            .or(script.on_stop_timeout)
            .unwrap_or(Duration::from_secs(5)),
    }
}

/// Users and users started per second, without a shape.
pub(super) fn users(wish: &Wish, scenario: &Scenario) -> (u32, Rate) {
    let script = &scenario.options;
    let one_a_second = Rate::from_per_sec(1.0).expect("one is a rate");
    let script_rate = script.spawn_rate;
    let script_rate = script_rate.and_then(|rate| Rate::from_per_sec(rate).ok());
    let users = wish.users.or(script.users).unwrap_or(1);
    (
        users,
        wish.spawn_rate.or(script_rate).unwrap_or(one_a_second),
    )
}

/// How many users when: the script's shape, or what was asked for.
fn plan(wish: &Wish, scenario: &Scenario) -> Plan {
    let run_time = wish.run_time.unwrap_or(scenario.options.run_time);
    match &scenario.shape {
        Some(Shape::Stages(division, stages)) => {
            Plan::staged(*division, stages).limited_to(run_time)
        }
        Some(Shape::Script) => Plan::idle(Division::Mixed).limited_to(run_time),
        None => {
            let (users, rate) = users(wish, scenario);
            Plan::closed(users, rate, run_time)
        }
    }
}

/// Which options a shape overrides, for a warning; `None` if there are none.
pub(super) fn overridden(wish: &Wish, scenario: &Scenario) -> Option<String> {
    scenario.shape.as_ref()?;
    let script = &scenario.options;
    let given = [
        ("--users", wish.users.is_some()),
        ("--spawn-rate", wish.spawn_rate.is_some()),
        ("options(#{ users })", script.users.is_some()),
        ("options(#{ spawn_rate })", script.spawn_rate.is_some()),
    ];
    let given: Vec<_> = given
        .iter()
        .filter(|(_, is_said)| *is_said)
        .map(|(what, _)| format!("`{what}`"))
        .collect();
    let (last, others) = given.split_last()?;
    Some(if others.is_empty() {
        format!("the script's shape says how many users there are: {last} is ignored")
    } else {
        let others = others.join(", ");
        format!("the script's shape says how many users there are: {others} and {last} are ignored")
    })
}

/// Where the relative requests of each class go.
///
/// # Errors
/// Which of the URLs is invalid, and why.
pub(crate) fn bases(
    host: Option<&str>,
    scenario: &Scenario,
) -> Result<Vec<Option<String>>, WishError> {
    if let Some(host) = host {
        http::Base::parse(host)
            .map_err(|wrong| WishError::new(format!("`--host`: {wrong}")).of("host"))?;
    }
    let bases = scenario.classes.iter().map(|class| {
        let chosen = host
            .or(class.host.as_deref())
            .or(scenario.options.host.as_deref());
        if let Some(host) = chosen {
            http::Base::parse(host).map_err(|wrong| {
                WishError::new(format!(
                    "`host` of the user class `{}`: {wrong}",
                    class.name
                ))
            })?;
        }
        Ok(chosen.map(str::to_owned))
    });
    bases.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::load::{self, ClassShare};
    use crate::scenario::{self, Wait};

    fn users(users: u32) -> Wish {
        Wish {
            users: Some(users),
            ..Wish::default()
        }
    }

    fn scenario(host: Option<&str>, options: scenario::Options) -> Scenario {
        let class = scenario::Class {
            name: "Shopper".to_owned(),
            share: ClassShare {
                weight: 1.0,
                fixed_count: None,
            },
            host: host.map(str::to_owned),
            wait: Wait::Constant(Duration::ZERO),
            tasks: Vec::new(),
            sets: Vec::new(),
        };
        Scenario {
            classes: vec![class],
            options,
            params: Vec::new(),
            shape: None,
            hooks: crate::scenario::Hooks::default(),
            left_out: BTreeSet::new(),
        }
    }

    #[test]
    fn the_command_line_wins_over_the_script_and_that_over_the_defaults() {
        let given = scenario::Options {
            users: Some(7),
            run_time: Some(Duration::from_secs(5)),
            ..scenario::Options::default()
        };
        let resolved = options(&users(3), &scenario(None, given));
        let plan = resolved.plan;
        assert_eq!(
            (plan.peak_users(), plan.end()),
            (3, Some(Duration::from_secs(5)))
        );
        let rate = plan.change_at(Duration::ZERO).per_sec;
        assert_eq!(rate, 1.0);
        assert_eq!(resolved.on_stop_timeout, Duration::from_secs(5));
        assert_eq!(resolved.stop_timeout, Duration::ZERO);
    }

    #[test]
    fn a_shape_decides_and_says_so() {
        let given = scenario::Options {
            users: Some(7),
            ..scenario::Options::default()
        };
        let mut all = scenario(None, given);
        let given = |run_time: Option<u64>| Wish {
            spawn_rate: Rate::from_per_sec(1.0).ok(),
            run_time: run_time.map(|seconds| Some(Duration::from_secs(seconds))),
            ..users(3)
        };
        assert_eq!(overridden(&given(None), &all), None);
        let stage = load::Stage {
            length: Duration::from_secs(60),
            users: vec![5],
            rate: None,
        };
        all.shape = Some(Shape::Stages(Division::Mixed, vec![stage]));
        let plan = options(&given(Some(90)), &all).plan;
        assert_eq!(
            (plan.peak_users(), plan.end()),
            (5, Some(Duration::from_secs(60)))
        );
        let plan = options(&given(Some(9)), &all).plan;
        assert_eq!(plan.end(), Some(Duration::from_secs(9)));
        let warning = overridden(&given(None), &all).unwrap();
        assert!(
            warning.ends_with("`--users`, `--spawn-rate` and `options(#{ users })` are ignored"),
            "{warning}"
        );
    }

    #[test]
    fn hosts_come_from_the_nearest_place_and_are_checked() {
        let of_script = scenario::Options {
            host: Some("http://c".to_owned()),
            ..scenario::Options::default()
        };
        let all = scenario(Some("http://b"), of_script.clone());
        assert_eq!(
            bases(Some("http://a"), &all),
            Ok(vec![Some("http://a".to_owned())])
        );
        assert_eq!(bases(None, &all), Ok(vec![Some("http://b".to_owned())]));
        let all = scenario(None, of_script);
        assert_eq!(bases(None, &all), Ok(vec![Some("http://c".to_owned())]));
        let wrong = bases(Some("localhost:8080"), &all).unwrap_err();
        assert!(
            wrong.message.starts_with("`--host`") && wrong.message.contains("http://"),
            "{wrong:?}"
        );
    }
}
