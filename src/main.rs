//! The binary: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mock_kestra::cli::main(std::env::args_os()) as u8)
}
