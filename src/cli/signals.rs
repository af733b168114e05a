//! Interrupts: the first is a wish, the second an order.

use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::exit::Failure;
use crate::diagnostic::Problem;

/// The first SIGINT or SIGTERM cancels `gently`; the second, `at_once`.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    pub(super) gently: CancellationToken,
    pub(super) at_once: CancellationToken,
}

impl Stop {
    /// Watches for signals for as long as the runtime lives.
    pub(super) fn on_signals(console: &Console) -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = Self::default();
        let (console, watched) = (console.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if watched.gently.is_cancelled() {
                    watched.at_once.cancel();
                    return;
                }
                console.say("Stopping: what is being written is finished first. Interrupt again to leave at once.\n");
                watched.gently.cancel();
            }
        });
        Ok(stop)
    }

    /// The result of something that writes nothing, unless a signal comes first.
    pub(super) async fn or<T>(&self, reading: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            result = reading => Ok(result),
            () = self.gently.cancelled() => Err(interrupted("interrupted; nothing was written")),
        }
    }
}

/// Starts to watch for signals.
pub(super) fn watch(console: &Console) -> Result<Stop, Failure> {
    Stop::on_signals(console)
        .map_err(|error| Failure::from(Problem::new("provisor::runtime", format!("cannot watch for signals: {error}"))))
}

/// The run was stopped by a signal.
pub(super) fn interrupted(message: &str) -> Failure {
    Problem::new("provisor::interrupted", message).into()
}
