//! The run's figures so far, as a script may look at them, and which part of the run this is.
//!
//! Owns only the script's view of them; control computes them once a second.

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use crate::script::results::Result;
use crate::script::run::user::User;
use crate::stats::RowFigures;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("stats", |context: NativeCallContext| -> Result<Map> {
            let user = User::of(&context)?;
            let total = user.thread.parts.shared.total();
            Ok(total.map_or_else(Map::new, |total| figures(&total)))
        })
        .register_fn(
            "stats",
            |context: NativeCallContext, name: &str| -> Result<Dynamic> {
                let user = User::of(&context)?;
                let row = user.thread.parts.shared.row(name);
                Ok(row.map_or(Dynamic::UNIT, |row| figures(&row).into()))
            },
        )
        .register_fn(
            "worker_index",
            |context: NativeCallContext| -> Result<i64> {
                Ok(User::of(&context)?.thread.parts.shared.worker().0.into())
            },
        )
        .register_fn(
            "worker_count",
            |context: NativeCallContext| -> Result<i64> {
                Ok(User::of(&context)?.thread.parts.shared.worker().1.into())
            },
        );
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio and milliseconds need no more than 53 bits"
)]
fn figures(row: &RowFigures) -> Map {
    let whole = |count: u64| Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX));
    let ms = |us: u64| Dynamic::from(us as f64 / 1_000.0);
    let fail_ratio = row.failures as f64 / row.requests.max(1) as f64;
    let [p50, p90, p95, p99] = row.quantiles_us;
    let figures: [(&str, Dynamic); 12] = [
        ("requests", whole(row.requests)),
        ("failures", whole(row.failures)),
        ("fail_ratio", fail_ratio.into()),
        ("rps", row.rps.into()),
        ("current_rps", row.current_rps.into()),
        ("average_ms", (row.mean_us / 1_000.0).into()),
        ("min_ms", ms(row.min_us)),
        ("max_ms", ms(row.max_us)),
        ("p50_ms", ms(p50)),
        ("p90_ms", ms(p90)),
        ("p95_ms", ms(p95)),
        ("p99_ms", ms(p99)),
    ];
    let figures = figures.into_iter();
    figures.map(|(name, value)| (name.into(), value)).collect()
}
