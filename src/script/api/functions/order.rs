//! Putting arrays in order: `sort` and its kin, and `dedup`.
//!
//! In place of Rhai's own: those leave the order to the standard library, which panics when a
//! closure (or a NaN) gives no order, and they drop the errors of the closure that they call.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use crate::script::results::Result;
use crate::script::value;

pub(super) fn register(engine: &mut Engine) {
    for name in ["sort", "sort_by"] {
        engine.register_fn(
            name,
            |context: NativeCallContext, array: &mut Array, comparer: FnPtr| -> Result<()> {
                sort_by(&context, array, &comparer)
            },
        );
    }
    for name in ["order", "order_by"] {
        engine.register_fn(
            name,
            |context: NativeCallContext, array: &mut Array, comparer: FnPtr| -> Result<Array> {
                let mut array = array.clone();
                sort_by(&context, &mut array, &comparer)?;
                Ok(array)
            },
        );
    }
    engine
        .register_fn("sort", |array: &mut Array| sort(array, |order| order))
        .register_fn("sort_desc", |array: &mut Array| {
            sort(array, Ordering::reverse)
        })
        .register_fn("order", |array: &mut Array| ordered(array, |order| order))
        .register_fn("order_desc", |array: &mut Array| {
            ordered(array, Ordering::reverse)
        })
        .register_fn(
            "dedup",
            |context: NativeCallContext, array: &mut Array| -> Result<()> {
                dedup(array, |mut pair| {
                    let [one, other] = &mut pair;
                    let said = context.call_native_fn_raw("==", false, &mut [one, other]);
                    // What cannot be compared is not the same.
                    said.or(Ok(Dynamic::FALSE))
                })
            },
        )
        .register_fn(
            "dedup",
            |context: NativeCallContext, array: &mut Array, comparer: FnPtr| {
                dedup(array, |pair| comparer.call_raw(&context, None, pair))
            },
        );
}

/// Sorts by what a closure says of two elements: below 0 or true, the first comes first. Equal
/// ones keep their order, and a closure that contradicts itself gives some order. After an error
/// the array is as it was.
fn sort_by(context: &NativeCallContext, array: &mut Array, comparer: &FnPtr) -> Result<()> {
    let is_before = |one: u32, other: u32| -> Result<bool> {
        let pair = [one, other].map(|index| array[index as usize].clone());
        let said = comparer.call_raw(context, None, pair)?;
        if let Ok(is_before) = said.as_bool() {
            return Ok(is_before);
        }
        match value::number(&said) {
            Some(number) => Ok(number < 0.0),
            None => Err(format!(
                "`{}` takes a closure that gives a number (below 0: the first comes first) or \
                 true or false, not {}",
                context.fn_name(),
                value::kind(&said)
            )
            .into()),
        }
    };
    let count = u32::try_from(array.len()).map_err(|_| "an array too long to be sorted")?;
    let order = merge_sorted((0..count).collect(), is_before)?;
    let mut left = std::mem::take(array);
    array.extend(order.iter().map(|index| left[*index as usize].take()));
    Ok(())
}

/// A bottom-up, stable merge sort. `is_before` may fail, and need not be a consistent order.
fn merge_sorted<T: Copy, E>(
    mut items: Vec<T>,
    mut is_before: impl FnMut(T, T) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut merged = Vec::with_capacity(items.len());
    let mut run = 1;
    while run < items.len() {
        for pair in items.chunks(2 * run) {
            let (mut left, mut right) = pair.split_at(run.min(pair.len()));
            while let (Some(one), Some(other)) = (left.first(), right.first()) {
                if is_before(*other, *one)? {
                    merged.push(*other);
                    right = &right[1..];
                } else {
                    merged.push(*one);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut items, &mut merged);
        merged.clear();
        run *= 2;
    }
    Ok(items)
}

fn ordered(array: &mut Array, turned: fn(Ordering) -> Ordering) -> Result<Array> {
    let mut array = array.clone();
    sort(&mut array, turned)?;
    Ok(array)
}

/// Sorts values of one type by themselves.
fn sort(array: &mut Array, turned: fn(Ordering) -> Ordering) -> Result<()> {
    let Some(first) = array.first() else {
        return Ok(());
    };
    let kind = first.type_id();
    if array.iter().any(|value| value.type_id() != kind) {
        return Err("values of different types have no order: `sort` takes a closure too".into());
    }
    if array.len() == 1 || first.is_unit() {
        return Ok(());
    }
    if compared(first, first).is_none() {
        let kind = value::kind(first);
        return Err(format!("what is {kind} has no order: `sort` takes a closure too").into());
    }
    array.sort_by(|one, other| turned(compared(one, other).unwrap_or(Ordering::Equal)));
    Ok(())
}

/// How two values of the same type compare; `None` if the type has no order. NaN comes after all
/// numbers, so that the order is total.
fn compared(one: &Dynamic, other: &Dynamic) -> Option<Ordering> {
    if let (Ok(one), Ok(other)) = (one.as_int(), other.as_int()) {
        return Some(one.cmp(&other));
    }
    if let (Ok(one), Ok(other)) = (one.as_float(), other.as_float()) {
        let order = one.partial_cmp(&other);
        return order.or(Some(one.is_nan().cmp(&other.is_nan())));
    }
    if let (Ok(one), Ok(other)) = (one.as_char(), other.as_char()) {
        return Some(one.cmp(&other));
    }
    if let (Ok(one), Ok(other)) = (one.as_bool(), other.as_bool()) {
        return Some(one.cmp(&other));
    }
    let one = one.as_immutable_string_ref().ok()?;
    let other = other.as_immutable_string_ref().ok()?;
    Some(one.cmp(&*other))
}

/// Takes out elements that are as the one before them, by what is said of the two.
fn dedup(array: &mut Array, are_same: impl Fn([Dynamic; 2]) -> Result<Dynamic>) -> Result<()> {
    let mut kept: Vec<usize> = Vec::new();
    for index in 0..array.len() {
        let Some(last) = kept.last() else {
            kept.push(index);
            continue;
        };
        let pair = [array[*last].clone(), array[index].clone()];
        if !are_same(pair)?.as_bool().unwrap_or(false) {
            kept.push(index);
        }
    }
    let mut left = std::mem::take(array);
    array.extend(kept.iter().map(|index| left[*index].take()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ones_keep_their_order_and_no_order_is_some_order() {
        let items: Vec<(i64, usize)> = [3, 1, 2, 3, 1, 2, 0].into_iter().zip(0..).collect();
        let sorted = merge_sorted(items.clone(), |one, other| Ok::<_, ()>(one.0 < other.0));
        let mut expected = items.clone();
        expected.sort_by_key(|item| item.0);
        assert_eq!(sorted, Ok(expected));
        for answers in [true, false] {
            let mut some = merge_sorted(items.clone(), |_, _| Ok::<_, ()>(answers)).unwrap();
            some.sort_by_key(|item| item.1);
            assert_eq!(some, items);
        }
        let mut calls = 0;
        let failed = merge_sorted(items, |_, _| {
            calls += 1;
            if calls == 3 {
                Err("boom")
            } else {
                Ok(calls % 2 == 0)
            }
        });
        assert_eq!((failed, calls), (Err("boom"), 3));
    }
}
