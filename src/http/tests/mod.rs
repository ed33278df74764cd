//! The client against real sockets: a scripted peer, and hyper's server side.
//!
//! Owns the peers; each file beside it tests one area.
