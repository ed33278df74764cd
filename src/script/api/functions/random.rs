//! Chance: each user has a stream of its own, seeded by the run's seed, its class and its number.
//!
//! At the top level the stream is control's, the same in every evaluation. Not for secrets.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use crate::scenario::Random;
use crate::script::load::declare::Declarations;
use crate::script::results::Result;
use crate::script::run::user::User;
use crate::script::value;

/// Letters and digits.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("random", |context: NativeCallContext| {
            draw(&context, Random::unit)
        })
        .register_fn(
            "random",
            |context: NativeCallContext, least: i64, most: i64| -> Result<i64> {
                if least > most {
                    return Err(
                        format!("`random({least}, {most})`: the smaller number first").into(),
                    );
                }
                let drawn = draw(&context, |random| match most.abs_diff(least) {
                    u64::MAX => random.bits(),
                    span => random.below(span + 1),
                })?;
                Ok(least.wrapping_add_unsigned(drawn))
            },
        )
        .register_fn(
            "random",
            |context: NativeCallContext, least: f64, most: f64| between(&context, least, most),
        )
        // One of each: both are numbers.
        .register_fn(
            "random",
            |context: NativeCallContext, least: i64, most: f64| {
                between(&context, as_float(least), most)
            },
        )
        .register_fn(
            "random",
            |context: NativeCallContext, least: f64, most: i64| {
                between(&context, least, as_float(most))
            },
        )
        .register_fn(
            "choice",
            |context: NativeCallContext, array: Array| -> Result<Dynamic> {
                let index = draw(&context, |random| random.below(array.len() as u64))?;
                let chosen = usize::try_from(index)
                    .ok()
                    .and_then(|index| array.into_iter().nth(index));
                chosen.ok_or_else(|| "`choice` of an empty array".into())
            },
        )
        .register_fn("choice", weighted)
        .register_fn("sample", sample)
        .register_fn(
            "random_string",
            |context: NativeCallContext, length: i64| {
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= 1_000_000);
                let length = length.ok_or("`random_string` takes a length from 0 to 1,000,000")?;
                let letter = |random: &mut Random| {
                    char::from(ALPHABET[usize::try_from(random.below(62)).unwrap_or(0)])
                };
                draw(&context, |random| {
                    (0..length).map(|_| letter(random)).collect::<String>()
                })
            },
        )
        .register_fn(
            "exponential",
            |context: NativeCallContext, mean: Dynamic| -> Result<f64> {
                let number = value::number(&mean).filter(|mean| mean.is_finite() && *mean >= 0.0);
                let mean = number.ok_or_else(|| {
                    format!("`exponential` takes a mean, a finite number from 0, not {mean}")
                })?;
                Ok(draw(&context, Random::exponential)? * mean)
            },
        )
        .register_fn("uuid", |context: NativeCallContext| -> Result<String> {
            let bits = draw(&context, |random| (random.bits(), random.bits()))?;
            Ok(uuid::Builder::from_random_bytes(
                ((u128::from(bits.0) << 64) | u128::from(bits.1)).to_be_bytes(),
            )
            .into_uuid()
            .to_string())
        });
}

#[expect(clippy::cast_precision_loss, reason = "a number among those of `f64`")]
fn as_float(whole: i64) -> f64 {
    whole as f64
}

/// A number from `least` to below `most`.
fn between(context: &NativeCallContext, least: f64, most: f64) -> Result<f64> {
    if !least.is_finite() || !most.is_finite() {
        return Err(format!("`random({least}, {most})`: both numbers must be finite").into());
    }
    if least > most {
        return Err(format!("`random({least}, {most})`: the smaller number first").into());
    }
    let part = draw(context, Random::unit)?;
    let span = most - least;
    // The difference of two numbers may be more than any number.
    Ok(match span.is_finite() {
        true => part.mul_add(span, least),
        false => part.mul_add(most, (1.0 - part) * least),
    })
}

/// Draws from the stream of the user that calls, or of the top level.
pub(crate) fn draw<R>(
    context: &NativeCallContext,
    draw: impl FnOnce(&mut Random) -> R,
) -> Result<R> {
    if let Some(declarations) = Declarations::of(context) {
        return Ok(draw(&mut declarations.random.borrow_mut()));
    }
    Ok(User::of(context)?.draw(draw))
}

/// `choice(#{ a: 3, b: 1 })`: a key, by weight.
#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn weighted(context: NativeCallContext, weights: Map) -> Result<String> {
    let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
    let weight = |value: &Dynamic| value::number(value).filter(is_weight);
    let weights: Option<Vec<_>> = weights
        .iter()
        .map(|(key, value)| Some((key, weight(value)?)))
        .collect();
    let weights = weights.ok_or("`choice` of a map takes weights, numbers from 0")?;
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut left = draw(&context, Random::unit)? * total;
    let mut chosen = None;
    for (key, weight) in weights.into_iter().filter(|(_, weight)| *weight > 0.0) {
        chosen = Some(key.to_string());
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    chosen.ok_or_else(|| "`choice` of a map without weights above 0".into())
}

/// `sample(array, n)`: n different elements in random order (Fisher and Yates).
#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn sample(context: NativeCallContext, mut array: Array, count: i64) -> Result<Array> {
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= array.len());
    let count = count.ok_or_else(|| format!("`sample` takes 0 to {} elements", array.len()))?;
    draw(&context, |random| {
        for index in 0..count {
            let rest = (array.len() - index) as u64;
            let other = index + usize::try_from(random.below(rest)).unwrap_or(0);
            array.swap(index, other);
        }
        array.truncate(count);
        array
    })
}
