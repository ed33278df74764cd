//! The `katydid` command: everything is in `cli`.
fn main() {}
