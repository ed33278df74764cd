//! The run's figures so far, as a script may look at them, and which part of the run this is.
//!
//! Owns only the script's view of them; control computes them once a second.

use rhai::{Dynamic, Engine, Map, NativeCallContext};

use crate::script::results::Result;
use crate::script::run::user::User;
use crate::stats::Row;

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("stats", |context: NativeCallContext| -> Result<Map> {
            let user = User::of(&context)?;
            let summary = user.thread.parts.shared.summary();
            Ok(summary.map_or_else(Map::new, |summary| figures(&summary.total)))
        })
        .register_fn(
            "stats",
            |context: NativeCallContext, name: &str| -> Result<Dynamic> {
                let user = User::of(&context)?;
                let summary = user.thread.parts.shared.summary();
                let rows = summary.iter().flat_map(|summary| &summary.requests);
                let named = rows.filter(|row| is_named(row, name));
                let busiest = named.max_by_key(|row| row.requests);
                Ok(busiest.map_or(Dynamic::UNIT, |row| figures(row).into()))
            },
        )
        // One process is all of it.
        .register_fn("worker_index", || 0_i64)
        .register_fn("worker_count", || 1_i64);
}

/// By its name alone, or with the method before it.
fn is_named(row: &Row, name: &str) -> bool {
    let (method, own) = (&*row.key.method, &*row.key.name);
    own == name
        || name
            .strip_prefix(method)
            .and_then(|rest| rest.strip_prefix(' '))
            == Some(own)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio and milliseconds need no more than 53 bits"
)]
fn figures(row: &Row) -> Map {
    let times = &row.response;
    let whole = |count: u64| Dynamic::from(i64::try_from(count).unwrap_or(i64::MAX));
    let ms = |us: u64| Dynamic::from(us as f64 / 1_000.0);
    let fail_ratio = row.failures as f64 / row.requests.max(1) as f64;
    let figures: [(&str, Dynamic); 12] = [
        ("requests", whole(row.requests)),
        ("failures", whole(row.failures)),
        ("fail_ratio", fail_ratio.into()),
        ("rps", row.rps.into()),
        ("current_rps", row.current_rps.into()),
        ("average_ms", (times.mean_us / 1_000.0).into()),
        ("min_ms", ms(times.min_us)),
        ("max_ms", ms(times.max_us)),
        ("p50_ms", ms(times.p50_us())),
        ("p90_ms", ms(times.quantiles_us[4])),
        ("p95_ms", ms(times.p95_us())),
        ("p99_ms", ms(times.p99_us())),
    ];
    let figures = figures.into_iter();
    figures.map(|(name, value)| (name.into(), value)).collect()
}
