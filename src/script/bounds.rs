//! Limits on a script's values: how deep they nest, and how much they hold.
//!
//! Owns only the numbers. `run/extent` enforces them; `load/parser` has the parser's limits.

/// How deep values may be nested. Responses may have 128, and no one writes a hundred by hand.
pub(crate) const DEEPEST: u32 = 500;

/// The default limit on what a user's variables hold: more than any scenario needs, and little
/// enough that an error in a script shows before the machine's memory is full.
pub(crate) const MOST_BYTES: u64 = 256 << 20;
