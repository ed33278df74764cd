//! coroutine: not written yet.
