//! What every provisor process does for itself before it holds a secret.

use rustix::io;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Makes the kernel write no image of this process, whatever happens to it, and let no process of the same user look
/// into it.
///
/// Both switches are needed: the limit does not hold where the kernel pipes images into a program (core(5)), and the
/// flag is what makes `ptrace` and `/proc/PID/mem` be refused (prctl(2), `PR_SET_DUMPABLE`).
///
/// # Errors
/// The kernel refuses, which it has no reason to: both only give something up.
pub fn disable_core_dumps() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}
