//! The binary: arguments in, exit code out.

use std::process::ExitCode;

/// A run makes many small things and drops them soon: this allocator needs a third of the instructions for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(mock_kestra::cli::main(std::env::args_os()) as u8)
}
