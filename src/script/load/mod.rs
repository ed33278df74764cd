//! From text to a program: reading a bundle, compiling it on one thread, and what its top level
//! declares.
//!
//! Owns what happens before a user runs, and the shape of the syntax tree. Errors that can be seen
//! without running a script are found by the layer `check`.

pub(super) mod assembly;
pub(super) mod bundle;
pub(super) mod capture;
pub(crate) mod class;
pub(crate) mod declare;
pub(super) mod definitions;
pub(super) mod environment;
pub(super) mod http_options;
pub(super) mod imports;
pub(super) mod literals;
pub(super) mod methods;
pub(crate) mod parsed;
pub(crate) mod parser;
pub(super) mod program;
pub(super) mod request_use;
pub(super) mod task_table;
pub(crate) mod tree;
pub(super) mod unread;
