//! What whoever embeds a server asks of it without HTTP: the same as over the control port, in the same words.

use std::sync::Arc;

use super::control::{Answered, Refusal, Work, faults, go_there};
use super::world::{Broken, Shared};
use super::{Running, ServeError};
use crate::run::Session;
use crate::simulator::Origin;
use crate::time::Instant;

/// A server as seen from inside; it may be taken to another thread.
#[derive(Clone, Debug)]
pub(crate) struct Inside(Arc<Shared>);

/// Why something is not done, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) what: String,
    pub(crate) advice: String,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Denied {
        let (what, advice) = refusal.words();
        Denied { what: what.to_owned(), advice: advice.to_owned() }
    }
}

impl From<Broken> for Denied {
    fn from(broken: Broken) -> Denied {
        Refusal::from(broken).into()
    }
}

impl Running {
    /// It, as seen from inside.
    pub(crate) fn inside(&self) -> Inside {
        Inside(self.shared.clone())
    }
}

impl Inside {
    /// Moves time forward, on this thread; a message that is really sent is waited for. It ends early when whoever wants it
    /// is gone.
    pub(crate) fn go(&self, to: impl FnOnce(Instant) -> Instant, gone: &dyn Fn() -> bool) -> Result<Instant, Denied> {
        told(go_there(&self.0, |world| to(world.session.now()), gone))
    }

    /// Injects a fault, written as an entry of a timeline: its name.
    pub(crate) fn inject(&self, text: &str) -> Result<String, Denied> {
        told(faults::take(&self.0, text.as_bytes()).map(|(name, _)| name))
    }

    /// Ends a fault.
    pub(crate) fn clear(&self, name: &str) -> Result<(), Denied> {
        told(faults::end(&self.0, name))
    }

    /// Starts an execution: its id.
    pub(crate) fn execute(&self, flow: &str, origin: Origin) -> Result<String, Denied> {
        told(super::control::execute(&self.0, flow, origin))
    }

    /// Waits until every port is open or closed as its member is now.
    pub(crate) fn settle(&self) {
        self.0.settle_doors();
    }

    /// The session as it is, caught up with the clock.
    pub(crate) fn see<T>(&self, see: impl FnOnce(&Session) -> T) -> Result<T, Denied> {
        Ok(see(&self.0.world()?.session))
    }
}

fn told<T>(answered: Answered<T>) -> Result<T, Denied> {
    answered.map_err(Denied::from)
}

/// Does work that blocks on a thread of its own, and waits for it without blocking; in any runtime. The work is told when
/// nobody waits any more.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> Result<T, ServeError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let waits = Work::default();
    let gone = waits.watch();
    let begun = std::thread::Builder::new().name("mock-kestra".to_owned()).spawn(move || {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&gone)));
        // Who does not wait any more does not hear it.
        let _ = tell.send(done);
    });
    begun.map_err(ServeError::Runtime)?;
    match told.await.map_err(|_| ServeError::Broken)? {
        Ok(done) => Ok(done),
        // As if it had been done here.
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
