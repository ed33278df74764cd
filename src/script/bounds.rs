//! What a script may take: how deep its values go, and how much they hold.
//!
//! Owns the numbers alone. `run/extent` measures values by them; what the parser takes is
//! `load/parser`'s.

/// How deep values may be nested. Responses may have 128, and nobody writes a hundred by hand.
pub(crate) const DEEPEST: u32 = 500;

/// What a user's variables may hold, unless the person says otherwise: more than any scenario
/// needs, and little enough that one mistake of a script is told before the machine is full.
pub(crate) const MOST_BYTES: u64 = 256 << 20;
