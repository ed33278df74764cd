//! The `katydid` command. Everything is in `cli`, which reads the command line and wires the
//! layers that ARCHITECTURE.md lists.

use std::process::ExitCode;

/// A request allocates and frees some dozens of small blocks, always on one thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    katydid::cli::main()
}
