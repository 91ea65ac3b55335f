//! What time is moved up to.

use std::fmt;

use super::{Core, MockError};
use crate::document;
use crate::flow::Flow;
use crate::notify::CHANNELS;
use crate::run::Session;
use crate::simulator::{Delivery, Sent};
use crate::time::{Duration, Instant};

/// What [`run_until`](crate::MockKestra::run_until) waits for. It is looked for each second of virtual time, for an hour
/// unless [`within`](Until::within) says how long.
#[must_use = "run_until waits for it"]
pub struct Until {
    what: What,
    within: Duration,
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, within {}", self.what.words(), self.within)
    }
}

/// A question about a session.
type Question = Box<dyn FnMut(&Session) -> bool + Send>;

enum What {
    At(Instant),
    Fires(String),
    Resolves(String),
    Happens(String),
    Notified(String),
    Ends(String),
    Holds(String, Question),
}

/// How long it is waited for something, in virtual time, when nothing else is said.
const WITHIN: Duration = Duration::minutes(60);
/// From one look to the next.
const STEP: Duration = Duration::seconds(1);

impl Until {
    fn new(what: What) -> Until {
        Until { what, within: WITHIN }
    }

    /// So long after the scenario's start.
    pub fn at(since_start: impl Into<Duration>) -> Until {
        Until::new(What::At(Instant::START + since_start.into()))
    }

    /// An alert of this name fires.
    pub fn alert_fires(name: impl Into<String>) -> Until {
        Until::new(What::Fires(name.into()))
    }

    /// No alert of this name fires any more. One that does not fire now has to fire first.
    pub fn alert_resolves(name: impl Into<String>) -> Until {
        Until::new(What::Resolves(name.into()))
    }

    /// Something happens from now on whose line of the [`journal`](crate::MockKestra::journal) has this text in it:
    /// `worker-1 is DISCONNECTED`.
    pub fn happens(text: impl Into<String>) -> Until {
        Until::new(What::Happens(text.into()))
    }

    /// A receiver takes a notification from now on: of this flow, or over this channel (`slack`, `mail`, ...).
    pub fn notified(flow_or_channel: impl Into<String>) -> Until {
        Until::new(What::Notified(flow_or_channel.into()))
    }

    /// The execution with this id has ended, as [`execute`](crate::MockKestra::execute) gives one.
    pub fn execution_ends(id: impl Into<String>) -> Until {
        Until::new(What::Ends(id.into()))
    }

    /// Anything that can be seen of the session; `words` tells what, for when it does not come.
    pub fn holds(words: impl Into<String>, question: impl FnMut(&Session) -> bool + Send + 'static) -> Until {
        Until::new(What::Holds(words.into(), Box::new(question)))
    }

    /// It is waited for so long, in virtual time.
    pub fn within(self, within: impl Into<Duration>) -> Until {
        Until { within: within.into(), ..self }
    }

    /// Moves time until it is so.
    pub(super) fn wait(mut self, core: &Core, gone: &dyn Fn() -> bool) -> Result<Instant, MockError> {
        if let What::At(at) = self.what {
            return Ok(core.inside.go(|_| at, gone)?);
        }
        self.what.check(core)?;
        let (begun, mut marks) = core.inside.see(|session| (session.now(), Marks::of(session)))?;
        let end = begun + self.within;
        loop {
            let (now, there) = core.inside.see(|session| (session.now(), self.what.is_so(session, &mut marks)))?;
            if there? {
                return Ok(now);
            }
            if now >= end {
                return Err(core.not_seen(&self.what.words(), self.what.alert(), self.within));
            }
            core.inside.go(|now| (now + STEP).min(end.max(now)), gone)?;
        }
    }
}

/// Where the looking began.
struct Marks {
    lines: u64,
    messages: u64,
    /// The alert has been seen firing.
    fired: bool,
}

impl Marks {
    fn of(session: &Session) -> Marks {
        let simulation = session.simulation();
        Marks { lines: simulation.journal().next(), messages: simulation.sent().next(), fired: false }
    }
}

impl What {
    /// What is waited for, in words.
    fn words(&self) -> String {
        match self {
            What::At(at) => format!("it is {at}"),
            What::Fires(name) => format!("the alert {name} fires"),
            What::Resolves(name) => format!("the alert {name} resolves"),
            What::Happens(text) => format!("something like \"{text}\" happens"),
            What::Notified(what) => format!("{what} is heard of: a receiver takes a notification"),
            What::Ends(id) => format!("the execution {id} ends"),
            What::Holds(words, _) => words.clone(),
        }
    }

    fn alert(&self) -> Option<&str> {
        match self {
            What::Fires(name) | What::Resolves(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it can come at all.
    fn check(&self, core: &Core) -> Result<(), MockError> {
        if let Some(alert) = self.alert() {
            return core.knows_alert(alert);
        }
        let What::Notified(what) = self else { return Ok(()) };
        if CHANNELS.contains(&what.as_str()) {
            return Ok(());
        }
        let unknown = |(why, advice): (String, String)| {
            let near = document::nearest(what, CHANNELS.iter().copied());
            let advice = near.map_or(advice, |near| format!("did you mean the channel `{near}`?"));
            MockError::denied(format!("{why}, and no channel"), advice)
        };
        core.plan.flow_named(what).map(drop).map_err(unknown)
    }

    fn is_so(&mut self, session: &Session, marks: &mut Marks) -> Result<bool, MockError> {
        let simulation = session.simulation();
        let fires = |name: &str| {
            let named = |(key, value): &(String, String)| key == "alertname" && value == name;
            session.active_alerts().iter().any(|alert| alert.fires && alert.labels.iter().any(named))
        };
        Ok(match self {
            What::At(at) => session.now() >= *at,
            What::Fires(name) => fires(name),
            What::Resolves(name) => {
                let fires = fires(name);
                marks.fired |= fires;
                marks.fired && !fires
            }
            What::Happens(text) => {
                let since = std::mem::replace(&mut marks.lines, simulation.journal().next());
                let plan = session.plan();
                simulation.journal().since(since).any(|line| line.text(plan).contains(text.as_str()))
            }
            What::Notified(what) => {
                // One that is under way is taken later.
                let ours = |sent: &Sent| {
                    let flow = session.plan().flows.get(sent.flow as usize);
                    let named = |flow: &Flow| flow.id == *what || flow.name() == *what;
                    sent.delivery == Delivery::Taken && (sent.channel() == Some(what) || flow.is_some_and(named))
                };
                simulation.sent().since(marks.messages).any(ours)
            }
            What::Ends(id) => match simulation.execution(id) {
                Some(execution) => execution.state.is_terminated(),
                None => {
                    return Err(MockError::denied(
                        format!("there is no execution `{id}`"),
                        "take the id that `execute` gives; of those that ended only the last are kept",
                    ));
                }
            },
            What::Holds(_, question) => question(session),
        })
    }
}
