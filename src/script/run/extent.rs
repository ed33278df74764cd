//! How deep a script's values are nested and how much memory they hold, and what is too much.
//!
//! Owns the measuring and its rhythm. Rhai drops, copies, compares and prints values by recursion,
//! without a hook, so a deep enough value takes the process down; and it does not count what a
//! user's variables hold in all. There is no hook where values are made, but one where variables
//! are read (`Engine::on_var`), and no loop can build a value up without reading one, unless it
//! uses only `this`: that is measured after each call.
//!
//! Between two looks values grow. So stacks have room for far more than the limit (`coroutine`),
//! and the larger the values, the longer the next look is put off: looking costs a small part of
//! what the script itself does with them.

use std::cell::Cell;

use rhai::{Array, Blob, Dynamic, EvalContext, FnPtr, ImmutableString, Map};

use super::call::Callable;
use super::failure::{Control, Ended, Failure};
use crate::script::api::response::Response;
use crate::script::bounds::DEEPEST;
use crate::units::Bytes;

/// Reads of variables between two looks, if the values are few: `d = d.curry(d)` doubles with
/// every second one.
const READS: u32 = 16;

/// Reads between two looks where closures hold many values, which Rhai's limits on sizes do not
/// count.
const READS_OF_CLOSURES: u32 = 2;
const MANY_IN_CLOSURES: u32 = 64;

/// The most reads of variables between two looks.
const MOST_READS: u32 = 1 << 15;

/// One look goes on to the next after at least a quarter as many reads as it has met values: the
/// reads cost ten times as much.
const VALUES_A_READ: u32 = 4;

/// A user's state is measured again after this many calls, or after one for each
/// [`VALUES_A_CALL`] values in it if that is later. In between it can only be dropped, for which
/// all stacks have room.
const CALLS: u32 = 7;
const VALUES_A_CALL: u32 = 64;

/// Values that a user's variables may hold, whatever their size. Cells that closures share can be
/// reached by more ways than can be counted, so a look must have an end.
const MOST_VALUES: u32 = 2 << 20;

/// What a value takes besides what it holds: its place in an array or map.
const PLACE: u64 = 32;

/// What a number of values come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// How many values were met, each with all that it holds.
    pub(crate) values: u32,
    /// How many of them closures hold.
    in_closures: u32,
    /// Bytes, about: text, bodies of responses, and places in arrays and maps. What is held in
    /// two places counts twice.
    pub(crate) bytes: u64,
    /// Whether one is nested deeper than [`DEEPEST`]; then the rest was not looked at.
    pub(crate) is_too_deep: bool,
}

impl Extent {
    /// That of one value.
    pub(crate) fn of(value: &Dynamic) -> Extent {
        let mut extent = Extent::default();
        extent.add(value);
        extent
    }

    /// Adds a value with all that it holds.
    pub(crate) fn add(&mut self, value: &Dynamic) {
        self.add_within(value, DEEPEST);
    }

    fn add_within(&mut self, value: &Dynamic, depth: u32) {
        self.values += 1;
        self.bytes = self.bytes.saturating_add(PLACE);
        // Handles such as `client` first, and the cheap questions before the dear ones: this is
        // asked of every user after every call.
        if value.is_variant() {
            if let Some(response) = value.read_lock::<Response>() {
                self.hold(response.0.held_bytes());
            }
        } else if value.is_map() {
            if let Some(map) = value.read_lock::<Map>() {
                let names = Cell::new(0);
                let values = map.iter().map(|(name, value)| {
                    names.set(names.get() + name.len());
                    value
                });
                self.add_all(values, depth);
                self.hold(names.get());
            }
        } else if value.is_string() {
            self.hold(
                value
                    .read_lock::<ImmutableString>()
                    .map_or(0, |text| text.len()),
            );
        } else if value.is_array() {
            if let Some(array) = value.read_lock::<Array>() {
                self.add_all(array.iter(), depth);
            }
        } else if value.is_fnptr() {
            if let Some(closure) = value.read_lock::<FnPtr>() {
                let before = self.values;
                self.add_all(closure.curry().iter(), depth);
                self.in_closures += self.values - before;
            }
        } else if value.is_blob() {
            self.hold(value.read_lock::<Blob>().map_or(0, |bytes| bytes.len()));
        } else if value.is_shared()
            && let Some(response) = value.read_lock::<Response>()
        {
            self.hold(response.0.held_bytes());
        }
    }

    fn hold(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn add_all<'a>(&mut self, values: impl Iterator<Item = &'a Dynamic>, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else {
            self.is_too_deep = true;
            return;
        };
        for value in values {
            if self.is_too_deep {
                return;
            }
            if self.values >= MOST_VALUES {
                self.bytes = u64::MAX;
                return;
            }
            self.add_within(value, depth);
        }
    }

    /// What is wrong with it, if anything.
    fn judged(self, most_bytes: u64) -> Result<(), Control> {
        if self.is_too_deep {
            Err(Control::NestedTooDeep)
        } else if self.bytes > most_bytes {
            Err(Control::TooMuchMemory(Bytes(most_bytes)))
        } else {
            Ok(())
        }
    }
}

/// Measures what the users of one thread hold, now and then.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// Reads of variables until the next look.
    reads: Cell<u32>,
    /// What a user's variables may hold, in bytes.
    most_bytes: u64,
}

impl Gauge {
    pub(crate) fn new(most_bytes: u64) -> Gauge {
        Gauge {
            reads: Cell::new(READS),
            most_bytes,
        }
    }

    /// A variable is read: nearly always a count, and sometimes a look at all that can be seen.
    ///
    /// # Errors
    /// Why the script must end.
    pub(crate) fn read(
        &self,
        context: &EvalContext<'_, '_, '_, '_, '_, '_>,
    ) -> Result<(), Control> {
        let reads = self.reads.get();
        if reads > 0 {
            self.reads.set(reads - 1);
            return Ok(());
        }
        self.look(context)
    }

    #[inline(never)]
    fn look(&self, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Result<(), Control> {
        let mut extent = Extent::default();
        for (_, _, value) in context.scope().iter_raw() {
            extent.add(value);
        }
        if let Some(this) = context.this_ptr() {
            extent.add(this);
        }
        // After a mistake the next read looks again: `sort` and its like may swallow the error.
        extent.judged(self.most_bytes)?;
        self.reads.set(if extent.in_closures > MANY_IN_CLOSURES {
            READS_OF_CLOSURES
        } else {
            (extent.values / VALUES_A_READ).clamp(READS, MOST_READS)
        });
        Ok(())
    }
}

/// Measures what one user keeps from call to call.
#[derive(Debug, Default)]
pub(crate) struct KeptGauge {
    /// Calls until the next look.
    calls: u32,
}

impl KeptGauge {
    /// Whether it is time for a look, after a call.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.calls == 0;
        self.calls = self.calls.saturating_sub(1);
        is_due
    }

    /// Measures the state. What is too much is dropped, or it would fail every later call as well.
    ///
    /// # Errors
    /// The key that was dropped, and why.
    pub(crate) fn look(
        &mut self,
        this: &mut Dynamic,
        most_bytes: u64,
    ) -> Result<(), (Option<ImmutableString>, Control)> {
        let extent = Extent::of(this);
        let Err(control) = extent.judged(most_bytes) else {
            self.calls = (extent.values / VALUES_A_CALL).max(CALLS);
            return Ok(());
        };
        let Some(mut map) = this.write_lock::<Map>() else {
            return Err((None, control));
        };
        let worst = map.iter_mut().max_by_key(|(_, value)| {
            let extent = Extent::of(value);
            (extent.is_too_deep, extent.bytes)
        });
        let key = worst.map(|(key, value)| {
            *value = Dynamic::UNIT;
            key.as_str().into()
        });
        Err((key, control))
    }
}

/// Holds what a call returns against how deep a value may be.
#[inline(never)]
pub(crate) fn hold_returned(
    callable: &Callable,
    result: Result<Dynamic, Ended>,
) -> Result<Dynamic, Ended> {
    match result {
        Ok(value) if Extent::of(&value).is_too_deep => {
            let failure = Failure::of_kept(None, &Control::NestedTooDeep, callable);
            Err(Ended::Failure(Box::new(failure)))
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Dynamic {
        let mut value = Dynamic::UNIT;
        for _ in 0..depth {
            value = vec![value].into();
        }
        value
    }

    #[test]
    fn depth_counts_arrays_maps_and_what_closures_captured() {
        assert!(!Extent::of(&nested(500)).is_too_deep);
        assert!(Extent::of(&nested(501)).is_too_deep);
        let mut map = Map::new();
        map.insert("a".into(), nested(500));
        assert!(Extent::of(&Dynamic::from_map(map)).is_too_deep);
        let mut closure = FnPtr::new("f").unwrap();
        closure.add_curry(nested(500).into_shared());
        assert!(Extent::of(&Dynamic::from(closure)).is_too_deep);
    }

    #[test]
    fn a_closure_that_captured_itself_is_too_deep() {
        let cell = Dynamic::UNIT.into_shared();
        let mut closure = FnPtr::new("f").unwrap();
        closure.add_curry(cell.clone());
        let mut inside = cell.clone();
        *inside.write_lock::<Dynamic>().unwrap() = Dynamic::from(closure);
        assert!(Extent::of(&cell).is_too_deep);
        // Else it would never be freed.
        *inside.write_lock::<Dynamic>().unwrap() = Dynamic::UNIT;
    }

    #[test]
    fn bytes_are_those_of_texts_and_places() {
        let value: Dynamic = vec![Dynamic::from("abcd"), Dynamic::from(1)].into();
        let extent = Extent::of(&value);
        assert_eq!((extent.values, extent.bytes), (3, 3 * PLACE + 4));
        assert_eq!(extent.judged(100), Ok(()));
        assert_eq!(extent.judged(99), Err(Control::TooMuchMemory(Bytes(99))));
    }

    #[test]
    fn what_is_too_deep_is_let_go_and_named() {
        let mut map = Map::new();
        map.insert("small".into(), 1.into());
        map.insert("hist".into(), nested(600));
        let mut this = Dynamic::from_map(map);
        let let_go = KeptGauge::default().look(&mut this, 1 << 20);
        assert_eq!(let_go, Err((Some("hist".into()), Control::NestedTooDeep)));
        assert_eq!(KeptGauge::default().look(&mut this, 1 << 20), Ok(()));
        assert!(this.read_lock::<Map>().unwrap()["hist"].is_unit());
    }
}
