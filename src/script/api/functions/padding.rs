//! `pad` of texts and arrays, in place of Rhai's own: with nothing to append that of texts never
//! ends, and that of arrays multiplies its sizes past the end of numbers, and so past the limits.

use crate::script::results::Result;
use rhai::Position;
use rhai::{Array, Blob, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    engine
        .register_fn("pad", pad_text)
        .register_fn("pad", pad_array);
}

/// Appends `padding`, the last time in part if need be, until the text has `length` characters.
#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn pad_text(
    context: NativeCallContext,
    text: &mut ImmutableString,
    length: i64,
    padding: &str,
) -> Result<()> {
    let missing = missing(length, text.chars().count());
    if missing == 0 {
        return Ok(());
    }
    if padding.is_empty() {
        return Err("`pad` needs something to pad with, not an empty text".into());
    }
    // A letter has a byte at least; what it has more is found by the check after the call.
    if missing > context.engine().max_string_size() {
        return Err(too_large("Length of string"));
    }
    text.make_mut()
        .extend(padding.chars().cycle().take(missing));
    Ok(())
}

/// Appends `item` until the array has `length` elements.
#[expect(clippy::needless_pass_by_value, reason = "Rhai passes values")]
fn pad_array(
    context: NativeCallContext,
    array: &mut Array,
    length: i64,
    item: Dynamic,
) -> Result<()> {
    let missing = missing(length, array.len());
    if missing == 0 {
        return Ok(());
    }
    let most = context.engine().max_array_size();
    let whole = missing
        .saturating_mul(elements(&item))
        .saturating_add(array.len());
    if whole > most {
        return Err(too_large("Size of array/BLOB"));
    }
    array.resize(array.len() + missing, item);
    Ok(())
}

fn missing(length: i64, present: usize) -> usize {
    usize::try_from(length).unwrap_or(0).saturating_sub(present)
}

/// How many elements copying a value makes, itself included.
fn elements(value: &Dynamic) -> usize {
    if let Some(array) = value.read_lock::<Array>() {
        return 1 + array.iter().map(elements).sum::<usize>();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return 1 + map.values().map(elements).sum::<usize>();
    }
    1 + value.read_lock::<Blob>().map_or(0, |blob| blob.len())
}

fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}
