//! `record(#{ type, name, response_time, … })`: samples of protocols that a script speaks itself.
//!
//! They count like requests, in the total too, under the protocol that the script names, and
//! listeners of `request` hear of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Engine, EvalAltResult, Map, NativeCallContext};

use crate::clock;
use crate::language;
use crate::script::results::Result;
use crate::script::run::measurement::{Details, Measurement};
use crate::script::run::user::User;
use crate::script::value;
use crate::stats::{Kind, Outcome, Sample};

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn(
        "record",
        |context: NativeCallContext, sample: Map| -> Result<()> {
            let user = User::of(&context)?;
            record(&user, Report::read(&sample)?);
            Ok(())
        },
    );
}

/// What a script says it measured.
struct Report {
    protocol: Arc<str>,
    name: String,
    took: Duration,
    length: u64,
    /// Why it failed.
    error: Option<String>,
}

impl Report {
    fn read(sample: &Map) -> Result<Report> {
        let (mut name, mut took, mut kind) = (None, None, None);
        let (mut length, mut error) = (0, None);
        for (key, value) in sample {
            let wrong = |what: &str| -> Box<EvalAltResult> {
                let kind = value::kind(value);
                format!("`{key}` of `record` is {what}, not {kind}").into()
            };
            match key.as_str() {
                "type" => kind = Some(value::protocol(value)?),
                "name" => name = Some(value::text(value).ok_or_else(|| wrong("text"))?),
                "response_time" => {
                    let length = value::duration(value);
                    took = Some(length.map_err(|wrong| format!("`response_time`: {wrong}"))?);
                }
                "length" => {
                    let whole = value::whole(value).and_then(|whole| u64::try_from(whole).ok());
                    length = whole.ok_or_else(|| wrong("a whole number of bytes"))?;
                }
                // Unit and empty text mean success, as in Locust.
                "error" if value.is_unit() => {}
                "error" => error = Some(value::shown(value)).filter(|error| !error.is_empty()),
                other => return Err(unknown(other).into()),
            }
        }
        let missing = |key: &str| -> Box<EvalAltResult> {
            format!(
                "`record` needs `{key}`: `record(#{{ type: \"grpc\", name: \"Hello\", \
                 response_time: 0.1 }})`"
            )
            .into()
        };
        Ok(Report {
            protocol: kind.ok_or_else(|| missing("type"))?,
            name: name.ok_or_else(|| missing("name"))?,
            took: took.ok_or_else(|| missing("response_time"))?,
            length,
            error,
        })
    }
}

fn unknown(key: &str) -> String {
    let known: Vec<_> = language::of_kind(language::Kind::RecordOption)
        .map(|word| format!("`{}`", word.name))
        .collect();
    format!("`record` has no `{key}`: it takes {}", known.join(", "))
}

/// Records what the script measured, as having ended now.
fn record(user: &Rc<User>, report: Report) {
    let (thread, protocol) = (&user.thread, report.protocol);
    let error = report.error.map(|error| user.class.secrets.mask(error));
    let kind = Kind::Protocol(protocol.clone());
    let series = thread.record(|recorder| recorder.series(&kind, &protocol, &report.name));
    let ended_us = thread.run_us(clock::now());
    let took_us = u64::try_from(report.took.as_micros()).unwrap_or(u64::MAX);
    // What began before the run did cannot be older than it.
    let started_us = ended_us.saturating_sub(took_us);
    let generation = user.generation.number();
    let sample = Sample::new(series, generation, Outcome::Success, started_us)
        .service_us(took_us)
        .bytes(0, report.length);
    let measurement = Measurement::new(sample, ended_us).of_request(user);
    measurement.record_request(user, error.as_deref(), || Details {
        row: [(*protocol).into(), (*protocol).into(), report.name.into()],
        url: None,
        status: 0,
        length: report.length,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Report, String> {
        let map = Engine::new().eval::<Map>(text).unwrap();
        Report::read(&map).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_seconds_or_text() {
        for time in ["0.25", "\"250ms\""] {
            let text = format!("#{{ type: \"grpc\", name: \"a\", response_time: {time} }}");
            let measured = read(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(measured.took, Duration::from_millis(250));
            assert_eq!((measured.length, measured.error), (0, None));
        }
    }

    #[test]
    fn nothing_and_empty_text_are_no_error() {
        let error = |value: &str| {
            let text = format!("#{{ type: \"x\", name: \"a\", response_time: 1, error: {value} }}");
            read(&text).unwrap_or_else(|error| panic!("{error}")).error
        };
        assert_eq!(error("()"), None);
        assert_eq!(error("\"\""), None);
        assert_eq!(error("\"reset\"").as_deref(), Some("reset"));
        assert_eq!(error("7").as_deref(), Some("7"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (text, said) in [
            ("#{ name: \"a\", response_time: 1 }", "needs `type`"),
            ("#{ type: \"x\", response_time: 1 }", "needs `name`"),
            ("#{ type: \"x\", name: \"a\" }", "needs `response_time`"),
            ("#{ type: \"http\" }", "has its rows already"),
            ("#{ type: 1 }", "not a whole number"),
            ("#{ length: -1 }", "a whole number of bytes"),
            ("#{ response_time: [] }", "not an array"),
            (
                "#{ response_length: 1 }",
                "has no `response_length`: it takes `type`",
            ),
        ] {
            let error = read(text).err().unwrap_or_default();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
