//! What is said when provisor itself is wrong: where, and whom to tell; never what was being looked at.

use std::panic::PanicHookInfo;

/// What stands in place of the message of a panic, which could hold a value that is nobody's business.
const ADVICE: &str = "This is a bug in provisor. Nothing is known about what was half done: run `provisor plan` before \
                      anything else, and report the line above with the command that you ran.";

/// Replaces the default hook, which prints the panic's message.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        use std::io::Write as _;
        let said = writeln!(std::io::stderr(), "error: provisor stopped at {}\n{ADVICE}", place(panic));
        drop(said);
    }));
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    let Some(location) = panic.location() else { return "a place unknown".to_owned() };
    // The last parts only: the path to a dependency says how the machine that built this is laid out.
    let parts: Vec<&str> = location.file().split(['/', '\\']).collect();
    let shown = parts[parts.len().saturating_sub(4)..].join("/");
    format!("{shown}:{}:{} (version {})", location.line(), location.column(), env!("CARGO_PKG_VERSION"))
}
