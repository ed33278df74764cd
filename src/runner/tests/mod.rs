//! Load threads under orders, and members of a run that come and go.
//!
//! Users, scripts, threads and channels are real; only the network is left out where it is not asked.

mod crews;
mod elsewhere;
mod going_on;
mod members;
mod pausing;

use std::sync::Arc;
use std::time::Duration;

use super::{Edition, Options, Setup};
use crate::data::Sources;
use crate::load::Plan;
use crate::script::{Bundle, Inputs, Program};
use crate::target::{self, Target};
use crate::units::Rate;

/// The longest that one step may take on a slow and busy machine.
const BOUND: Duration = Duration::from_secs(60);

/// A run of this script alone.
fn setup_of(script: &str, users: u32, per_sec: f64) -> Arc<Setup> {
    setup_with(Inputs::default(), script, users, per_sec)
}

/// A run with an edited script, whose data go on from those before.
fn edited(before: &Setup, script: &str, users: u32, per_sec: f64) -> Arc<Setup> {
    let inputs = Inputs {
        sources: Arc::new(Sources::after(&before.edition.inputs.sources)),
        ..Inputs::default()
    };
    setup_with(inputs, script, users, per_sec)
}

fn setup_with(inputs: Inputs, script: &str, users: u32, per_sec: f64) -> Arc<Setup> {
    let bundle = Bundle::from_text("s.rhai", script);
    let program = Program::compile(&bundle, &inputs);
    let declared = program.unwrap_or_else(|wrong| panic!("{}", wrong[0]));
    let declared = declared.scenario().clone();
    Arc::new(Setup {
        edition: Arc::new(Edition {
            bundle,
            inputs,
            scenario: declared.clone(),
            bases: vec![None; declared.classes.len()],
            declared,
            options: Options {
                plan: Arc::new(Plan::closed(users, rate(per_sec), None)),
                iterations: None,
                stop_timeout: Duration::from_secs(5),
                on_stop_timeout: Duration::from_secs(5),
            },
        }),
        threads: 1,
        observer: None,
    })
}

/// A server to send requests to, and its URL.
fn target() -> (Target, String) {
    let target = Target::start(target::Options {
        address: ([127, 0, 0, 1], 0).into(),
        ..target::Options::default()
    });
    let target = target.unwrap();
    let url = format!("http://{}", target.address());
    (target, url)
}

fn rate(per_sec: f64) -> Rate {
    Rate::from_per_sec(per_sec).unwrap()
}

fn on_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(test);
}
