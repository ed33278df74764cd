//! `record(#{ type, name, response_time, … })`: samples of protocols that a script speaks itself.
//!
//! They count like requests, in the total too, under the protocol that the script names, and
//! listeners of `request` hear of them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rhai::{Dynamic, Engine, EvalAltResult, Map, NativeCallContext};

use crate::clock;
use crate::language;
use crate::script::run::listeners;
use crate::script::run::user::User;
use crate::script::value;
use crate::stats::{Kind, Outcome, Sample, Slots};

type Result<T, E = Box<EvalAltResult>> = std::result::Result<T, E>;

/// Registers what this file owns.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn(
        "record",
        |context: NativeCallContext, sample: Map| -> Result<()> {
            let user = User::of(&context)?;
            user.record_measured(&Measured::read(&sample)?);
            Ok(())
        },
    );
}

/// What a script says it measured.
struct Measured {
    protocol: Arc<str>,
    name: String,
    took: Duration,
    length: u64,
    /// Why it failed.
    error: Option<String>,
}

impl Measured {
    fn read(sample: &Map) -> Result<Measured> {
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
                // Nothing and empty text are no error, as in Locust.
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
        Ok(Measured {
            protocol: kind.ok_or_else(|| missing("type"))?,
            name: name.ok_or_else(|| missing("name"))?,
            took: took.ok_or_else(|| missing("response_time"))?,
            length,
            error,
        })
    }
}

impl Measured {
    /// What a listener of `request` is told: the keys that it has for any request.
    fn described(&self, user: &User, sample: &Sample, error: Option<String>) -> Map {
        let response_time = Duration::from_micros(sample.response_us()).as_secs_f64();
        let length = i64::try_from(self.length).unwrap_or(i64::MAX);
        let mut map = Map::new();
        map.insert("type".into(), (*self.protocol).into());
        map.insert("method".into(), (*self.protocol).into());
        map.insert("name".into(), self.name.clone().into());
        map.insert("response_time".into(), response_time.into());
        map.insert("response_length".into(), length.into());
        map.insert("status".into(), 0_i64.into());
        map.insert("error".into(), error.map_or(Dynamic::UNIT, Dynamic::from));
        map.insert("url".into(), Dynamic::UNIT);
        let start = user.thread.unix_s(sample.start_us());
        map.insert("start".into(), start.into());
        map
    }
}

fn unknown(key: &str) -> String {
    let known: Vec<_> = language::of_kind(language::Kind::RecordOption)
        .map(|word| format!("`{}`", word.name))
        .collect();
    format!("`record` has no `{key}`: it takes {}", known.join(", "))
}

impl User {
    /// Records what the script measured, as having ended now.
    fn record_measured(self: &Rc<Self>, measured: &Measured) {
        let thread = &self.thread;
        let ended_us = thread.run_us(clock::now());
        let took_us = u64::try_from(measured.took.as_micros()).unwrap_or(u64::MAX);
        // What began before the run did cannot be older than it.
        let started_us = ended_us.saturating_sub(took_us);
        let error = measured.error.clone();
        let error = error.map(|error| self.class.secrets.mask(error));
        let outcome = match error {
            None => Outcome::Success,
            Some(_) => Outcome::Failure,
        };
        if outcome == Outcome::Failure {
            self.failed.set(self.failed.get() + 1);
        }
        let (late_us, missed) = (self.late_us.take(), self.missed.take());
        let sample = thread.record(|recorder| {
            let kind = Kind::Protocol(measured.protocol.clone());
            let series = recorder.series(&kind, &measured.protocol, &measured.name);
            let sample = Sample::new(series, self.generation.number(), outcome, started_us)
                .service_us(took_us)
                .late_us(late_us)
                .lag_us(self.lag_us.take())
                .bytes(0, measured.length);
            recorder.record(sample);
            if let Some(error) = &error {
                recorder.error(series, ended_us, error);
            }
            if let Some(missed) = missed {
                recorder.missed_slots(Slots {
                    series,
                    generation: sample.generation(),
                    outcome,
                    at_us: ended_us,
                    longest_us: ended_us.saturating_sub(thread.run_us(missed.first)),
                    period_us: missed.period_us,
                    count: missed.count,
                });
            }
            sample
        });
        if self.is_listened {
            let described = || Some(measured.described(self, &sample, error));
            listeners::request(self, described);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Measured, String> {
        let map = Engine::new().eval::<Map>(text).unwrap();
        Measured::read(&map).map_err(|error| error.to_string())
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
