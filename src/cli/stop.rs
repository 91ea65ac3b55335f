//! Hearing that a command shall end: Ctrl-C, `kill`, and the end of its terminal.

use tokio::sync::watch;

/// Begins to listen for SIGINT, SIGTERM and SIGHUP, so that none is missed from here on; the future is done when one has come.
/// Within a runtime of tokio.
fn signal() -> impl Future<Output = ()> + Send + 'static {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        // A terminal that is closed ends it in good order, too: what was started beside it must not be left.
        let hangup = heeds_hangup().then(|| signal(SignalKind::hangup()).ok()).flatten();
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), hangup)
    };
    async move {
        #[cfg(unix)]
        if let (Ok(mut interrupt), Ok(mut terminate), hangup) = signals {
            let hung_up = async {
                match hangup {
                    Some(mut hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hung_up => {}
            }
            return;
        }
        // Without a way to hear of signals the default of the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether the end of the terminal is its end: `nohup` has had it ignored.
#[cfg(unix)]
fn heeds_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 0)
}

/// Whether the command shall end: looked at by who works, waited for by who waits.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens from here on, on a thread of its own.
    pub(super) fn listen() -> Stop {
        let (tell, hear) = watch::channel(false);
        // Without a runtime nothing is heard, and the default of the system ends the process.
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            let signal = {
                let _within = runtime.enter();
                signal()
            };
            std::thread::spawn(move || {
                runtime.block_on(signal);
                let _ = tell.send(true);
            });
        }
        Stop(hear)
    }

    /// For what goes on beside something else that listens.
    pub(super) fn never() -> Stop {
        Stop(watch::channel(false).1)
    }

    pub(super) fn heard(&self) -> bool {
        *self.0.borrow()
    }

    /// Done when it is heard.
    pub(super) async fn wait(&self) {
        let heard = self.0.clone().wait_for(|heard| *heard).await.is_ok();
        if !heard {
            // Nobody listens.
            std::future::pending::<()>().await;
        }
    }
}
