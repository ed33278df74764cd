//! The `katydid` command. Everything is in `cli`, which reads the command line and wires the
//! layers that ARCHITECTURE.md lists.

use std::process::ExitCode;

fn main() -> ExitCode {
    katydid::cli::main()
}
