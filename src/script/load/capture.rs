//! Values that leave the top level of a script: taken out of the cells that closures share.
//!
//! A variable that a closure captures is one cell for all users of the thread. While one of them
//! waits with the cell locked, the next gets "data race detected": so every value that a user can
//! reach becomes one of its own. Owns the copying; callers know which values users can reach.

use std::mem;

use rhai::{Array, Dynamic, FnPtr, Map};

use super::declare::TaskDeclaration;

/// How deep values are followed; only a closure that captures itself is deeper.
const DEEPEST: usize = 48;

/// What a closure may capture before it is worth a warning: Rhai copies it at every call.
pub(crate) const MANY: usize = 100;

/// A closure captures itself, directly or through others.
#[derive(Debug)]
pub(crate) struct CapturesItself;

/// Takes a value, and all within it, out of shared cells; gives how many elements it has, counted
/// to its depths.
///
/// # Errors
/// When a closure captures itself: it could not be told from its copies. The value is spoilt then.
pub(crate) fn own(value: &mut Dynamic) -> Result<usize, CapturesItself> {
    own_within(value, DEEPEST)
}

/// Like [`own`], for what a closure has captured.
///
/// # Errors
/// As [`own`].
pub(crate) fn own_captured(closure: &mut FnPtr) -> Result<usize, CapturesItself> {
    own_all(closure.iter_curry_mut(), DEEPEST)
}

fn own_within(value: &mut Dynamic, depth: usize) -> Result<usize, CapturesItself> {
    let depth = depth.checked_sub(1).ok_or(CapturesItself)?;
    *value = mem::take(value).flatten();
    if let Some(mut array) = value.write_lock::<Array>() {
        return Ok(array.len() + own_all(array.iter_mut(), depth)?);
    }
    if let Some(mut map) = value.write_lock::<Map>() {
        return Ok(map.len() + own_all(map.values_mut(), depth)?);
    }
    if let Some(mut closure) = value.write_lock::<FnPtr>() {
        return own_all(closure.iter_curry_mut(), depth);
    }
    if let Some(mut task) = value.write_lock::<TaskDeclaration>() {
        let functions = task.functions_mut().into_iter();
        return own_all(functions.flat_map(FnPtr::iter_curry_mut), depth);
    }
    Ok(0)
}

fn own_all<'a>(
    values: impl Iterator<Item = &'a mut Dynamic>,
    depth: usize,
) -> Result<usize, CapturesItself> {
    let mut elements = 0;
    for value in values {
        elements += own_within(value, depth)?;
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(value: impl Into<Dynamic>) -> Dynamic {
        value.into().into_shared()
    }

    #[test]
    fn cells_are_emptied_at_any_depth() {
        let mut inner = FnPtr::new("f").unwrap();
        inner.add_curry(shared(vec![Dynamic::from(1), shared(2)]));
        let mut map = Map::new();
        map.insert("closure".into(), shared(inner));
        let mut outer = FnPtr::new("g").unwrap();
        outer.add_curry(shared(map));
        assert_eq!(
            own_captured(&mut outer).unwrap(),
            3,
            "the map, and the array's two"
        );
        let map = outer.curry()[0].read_lock::<Map>().unwrap().clone();
        assert!(!outer.curry()[0].is_shared() && !map["closure"].is_shared());
        let inner = map["closure"].clone().cast::<FnPtr>();
        let array = inner.curry()[0].clone();
        assert!(!inner.curry()[0].is_shared() && array.is_array());
        assert!(!array.cast::<Array>()[1].is_shared());
    }

    #[test]
    fn what_is_constant_stays_so() {
        let mut value = Dynamic::from(vec![Dynamic::from(1)]).into_read_only();
        own(&mut value).unwrap();
        assert!(value.is_read_only());
    }

    #[test]
    fn a_closure_that_captures_itself_is_found() {
        let cell = shared(());
        let mut closure = FnPtr::new("f").unwrap();
        closure.add_curry(cell.clone());
        *cell.clone().write_lock::<Dynamic>().unwrap() = Dynamic::from(closure.clone());
        assert!(own_captured(&mut closure).is_err());
    }
}
