//! From text to a program: reading a bundle, compiling it on one thread, and what its top level
//! declares.
//!
//! Owns what happens before a user runs, and the shape of the syntax tree. What is wrong with a
//! script that can be seen without running it is the layer `check`'s.

pub(super) mod assembly;
pub(super) mod bundle;
pub(super) mod capture;
pub(crate) mod class;
pub(crate) mod declare;
pub(super) mod definitions;
pub(super) mod http_options;
pub(super) mod imports;
pub(super) mod methods;
pub(crate) mod parsed;
pub(crate) mod parser;
pub(super) mod program;
pub(super) mod request_use;
pub(super) mod task_table;
pub(crate) mod tree;
pub(super) mod unread;
