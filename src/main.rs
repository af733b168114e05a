//! The command `provisor`.

fn main() -> std::process::ExitCode {
    provisor::cli::main()
}
