//! What must be seen, and the one rule by which the times of an expectation count.

use std::fmt;

use super::Comparison;
use super::{Order, Plan, PlannedCommand, TimelineEntry};
use crate::flow::State;
use crate::promql::Expression;
use crate::time::{Duration, Instant};

/// One entry of `expect`. Alerts and queries are judged by `test`; the others by `run` as well.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// `alert`.
    Alert(AlertExpectation),
    /// `health`: at one look all the members have this status.
    Health {
        /// Indices of the members.
        members: Vec<usize>,
        /// `status`.
        status: HealthStatus,
        /// When they are asked: each second of it, or once at its begin when it has no `within`.
        window: Window,
    },
    /// `query`: a PromQL expression, compared at an instant.
    Query {
        /// The expression: a number, or a vector of which all samples must fit.
        expr: Expression,
        /// `at`.
        at: Instant,
        /// `is`.
        is: Comparison,
    },
    /// `notification`: what alert flows send, or fail to send.
    Notification {
        /// Which.
        what: NotificationPattern,
        /// When.
        window: Window,
        /// How many.
        times: Times,
    },
    /// `page`: what Alertmanager tells a receiver.
    Page {
        /// Which notifications.
        what: PagePattern,
        /// When.
        window: Window,
        /// How many.
        times: Times,
    },
    /// `execution`: executions that come into a state.
    Execution {
        /// `flow`, an index into [`Plan::flows`]; none means any.
        flow: Option<usize>,
        /// `state`; none means any in which an execution ends.
        state: Option<State>,
        /// When.
        window: Window,
        /// How many.
        times: Times,
    },
    /// `event`: something that must happen.
    Event {
        /// What.
        what: EventPattern,
        /// When.
        window: Window,
    },
}

impl Expectation {
    /// Whether it says that executions of a flow never come into this state, or without one that it never starts, in all of a
    /// run.
    pub(super) fn is_never(&self, of: usize, into: Option<State>) -> bool {
        match self {
            Expectation::Execution { flow, state, window, times: Times::Exactly(0) } => {
                (*flow, *state) == (Some(of), into) && *window == Window::default()
            }
            _ => false,
        }
    }

    /// Whether it is about executions of a flow that there are.
    pub(super) fn names_executions(&self, of: usize) -> bool {
        match self {
            Expectation::Execution { flow, times, .. } => *flow == Some(of) && *times != Times::Exactly(0),
            _ => false,
        }
    }
}

/// Messages, as an expectation names them: all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotificationPattern {
    /// `flow`, an index into [`Plan::flows`].
    pub flow: Option<usize>,
    /// `task`: the id of the task that sends it.
    pub task: Option<String>,
    /// `channel`.
    pub channel: Option<&'static str>,
    /// `to`: part of where it goes.
    pub to: Option<String>,
    /// `body`: what its body holds at least. Texts are part of those of the body, other values are equal; of a list each
    /// item must be somewhere in that of the body.
    pub body: Option<serde_json::Value>,
    /// `lost: true`: it was not taken by the receiver, and nobody read it.
    pub lost: bool,
}

/// Notifications of Alertmanager in which an alert fires, as an expectation names them: all that is given must fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PagePattern {
    /// `receiver`.
    pub receiver: Option<String>,
    /// `alerts`: names of alerts that all fire in it.
    pub alerts: Vec<String>,
    /// `text`: part of the message.
    pub text: Option<String>,
    /// `resolved_within`: so soon after the first one the receiver is told that these alerts have ended.
    pub resolved_within: Option<Duration>,
}

impl PagePattern {
    fn sentence(&self) -> String {
        let to = self.receiver.as_ref().map(|receiver| format!(" to {receiver}")).unwrap_or_default();
        let of = if self.alerts.is_empty() { String::new() } else { format!(" with {}", self.alerts.join(" and ")) };
        let says = self.text.as_ref().map(|text| format!(" that says \"{text}\"")).unwrap_or_default();
        format!("page{to}{of}{says}")
    }
}

/// How often something must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Times {
    /// Once or more.
    #[default]
    Some,
    /// `count`; zero for `never`.
    Exactly(u32),
}

impl Times {
    /// Whether so many are right.
    pub fn fit(self, times: usize) -> bool {
        match self {
            Times::Some => times > 0,
            Times::Exactly(count) => times == count as usize,
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Times::Some => Ok(()),
            Times::Exactly(0) => f.write_str(" never"),
            Times::Exactly(1) => f.write_str(" once"),
            Times::Exactly(count) => write!(f, " {count} times"),
        }
    }
}

/// Whether a value holds what an expectation wants of it.
pub fn holds(value: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (value, wanted) {
        (Json::Object(value), Json::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| value.get(key).is_some_and(|value| holds(value, wanted)))
        }
        (Json::Array(value), Json::Array(wanted)) => {
            wanted.iter().all(|wanted| value.iter().any(|value| holds(value, wanted)))
        }
        (Json::String(value), Json::String(wanted)) => value.contains(wanted.as_str()),
        (Json::Number(value), Json::Number(wanted)) => value.as_f64() == wanted.as_f64(),
        (value, wanted) => value == wanted,
    }
}

/// What happens, as an expectation names it.
#[derive(Clone, Debug, PartialEq)]
pub enum EventPattern {
    /// Part of a line of the journal, of one that tells what happened: that a fault begins or ends is told by the scenario
    /// itself.
    Text(String),
    /// Something of this kind, to one of the members when some are named.
    Kind {
        /// One of [`HAPPENINGS`].
        kind: &'static str,
        /// Indices of the members; none means that it does not matter to whom.
        members: Vec<usize>,
    },
}

/// The kinds of things that happen: what the journal of a run tells.
pub const HAPPENINGS: &[&str] = &[
    "fault-begins",
    "fault-ends",
    "starts",
    "comes-up",
    "shuts-down",
    "closes-ports",
    "exits",
    "killed",
    "loses-controller",
    "disconnected",
    "inactive",
    "scales",
    "template-fails",
    "asked",
    "logger-set",
];

/// The name that means every alert.
pub const EVERY_ALERT: &str = "*";

/// An expectation on an alert. Its times count from `from`: what began before and is over by then does not count, and of what
/// is still so then [`Anchor::sees`] says what it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertExpectation {
    /// `alert`: its exact name, or [`EVERY_ALERT`].
    pub alert: String,
    /// `except`: of every alert not these.
    pub except: Vec<String>,
    /// `labels`: a subset of its labels.
    pub labels: Vec<(String, String)>,
    /// `of` or `at`.
    pub from: Anchor,
    /// `fires`.
    pub fires: Option<Bound>,
    /// `resolves`; counts from when it fired.
    pub resolves: Option<Bound>,
    /// `pending`.
    pub pending: Option<Bound>,
    /// `never: true`: it fires at no time from there on, also not since before; what is over by then does not count.
    pub never: bool,
    /// `count`: how many times it fires; what fires already then is one of them.
    pub count: Option<u32>,
}

/// What the times of an expectation, or the delays of a sweep, count from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// The start of the scenario.
    #[default]
    Start,
    /// `at`.
    At(Instant),
    /// `of`: an entry of the timeline.
    Entry {
        /// Its name.
        name: String,
        /// When it begins.
        at: Instant,
    },
}

impl Anchor {
    /// The entry of the timeline with this name, or the first command that does this.
    pub fn named(name: &str, plan: &Plan) -> Option<Anchor> {
        let entry = plan.timeline.iter().find(|entry| entry.name == name).map(Anchor::entry);
        let named = |it: &Anchor| matches!(it, Anchor::Entry { name: its, .. } if its == name);
        let commands = || plan.commands.iter().filter_map(|command| Anchor::of_command(command, plan)).find(named);
        entry.or_else(commands)
    }

    /// The names of all that delays can count from.
    pub fn names(plan: &Plan) -> Vec<String> {
        let commands = plan.commands.iter().filter_map(|command| Anchor::of_command(command, plan));
        let all = plan.timeline.iter().map(Anchor::entry).chain(commands);
        let named = all.filter_map(|it| match it {
            Anchor::Entry { name, .. } => Some(name),
            Anchor::Start | Anchor::At(_) => None,
        });
        named.collect()
    }

    /// What is done to the cluster first: an entry of the timeline, or a command that breaks, stops or starts something. The
    /// start when nothing is.
    pub fn first_fault(plan: &Plan) -> Anchor {
        let commands = plan.commands.iter().filter_map(|command| Anchor::of_command(command, plan));
        let all = plan.timeline.iter().map(Anchor::entry).chain(commands);
        all.min_by_key(Anchor::instant).unwrap_or_default()
    }

    /// A command that does something to what runs; none for the others, as loggers are.
    pub fn of_command(command: &PlannedCommand, plan: &Plan) -> Option<Anchor> {
        let name = match &command.order {
            Order::Inject(entry) => entry.name.clone(),
            Order::Stop(_) => "stop-by-endpoint".to_owned(),
            Order::Execute { flow, .. } => format!("execute {}", plan.flows.get(*flow)?.name()),
            Order::Ask { deed, whose } => format!("{} {}", deed.keyword(), plan.flows.get(whose.flow)?.name()),
            Order::Clear(_)
            | Order::SetLogger { .. }
            | Order::AskLogger { .. }
            | Order::Refresh(_)
            | Order::Receivers(_)
            | Order::Answer { .. } => return None,
        };
        Some(Anchor::Entry { name, at: command.at })
    }

    fn entry(entry: &TimelineEntry) -> Anchor {
        Anchor::Entry { name: entry.name.clone(), at: entry.at }
    }

    /// When it is.
    pub fn instant(&self) -> Instant {
        match self {
            Anchor::Start => Instant::START,
            Anchor::At(at) | Anchor::Entry { at, .. } => *at,
        }
    }

    /// What something is to who counts from here, when it is so from `begin` until `end`; the one rule for expectations and
    /// sweeps. What is so since before the start is so from the start on for who counts from there, as nobody was asked
    /// before. But for who counts from a fault, or from an instant under way, it is no beginning: it does not answer them.
    pub fn sees(&self, begin: Instant, end: Option<Instant>) -> Sight {
        let from = self.instant();
        let of_fault = matches!(self, Anchor::Entry { .. });
        match end.is_none_or(|end| end > from) {
            _ if begin >= from => Sight::Begins(begin),
            false => Sight::Over,
            true if from <= Instant::START && !of_fault => Sight::Begins(from),
            true => Sight::Already,
        }
    }
}

/// What something that lasts is to who counts from an [`Anchor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It was over by then.
    Over,
    /// It is so since before.
    Already,
    /// It begins, or counts as if it began, at this instant.
    Begins(Instant),
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anchor::Start => f.write_str("the start"),
            Anchor::At(at) => write!(f, "{at}"),
            Anchor::Entry { name, at } => write!(f, "{name} at {at}"),
        }
    }
}

/// `{ after, within }`: not before `after`, and not later than `within` after that; both ends belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// `after`.
    pub after: Option<Duration>,
    /// `within`.
    pub within: Option<Duration>,
}

impl Bound {
    /// Its first instant, when it counts from `from`.
    pub fn begin(&self, from: Instant) -> Instant {
        from + self.after.unwrap_or(Duration::ZERO)
    }

    /// Its last instant, when it counts from `from`; without `within` there is none.
    pub fn end(&self, from: Instant) -> Instant {
        self.within.map_or(Instant::NEVER, |within| self.begin(from) + within)
    }

    /// Whether an instant lies in it, when it counts from `from`.
    pub fn holds(&self, from: Instant, at: Instant) -> bool {
        at >= self.begin(from) && at <= self.end(from)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.after.map_or(Ok(()), |after| write!(f, " after {after}"))?;
        self.within.map_or(Ok(()), |within| write!(f, " within {within}"))
    }
}

/// A bound and what it counts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// `of`, `at`, or neither.
    pub from: Anchor,
    /// `after` and `within`.
    pub bound: Bound,
}

impl Window {
    /// Its first instant.
    pub fn begin(&self) -> Instant {
        self.bound.begin(self.from.instant())
    }

    /// Whether an instant lies in it.
    pub fn holds(&self, at: Instant) -> bool {
        self.bound.holds(self.from.instant(), at)
    }

    /// How far an instant lies before its first or after its last one; zero when it lies in it.
    pub fn missed(&self, at: Instant) -> Duration {
        let (begin, end) = (self.begin(), self.bound.end(self.from.instant()));
        if at < begin { begin.since(at) } else { at.since(end) }
    }

    /// Each second of it; its begin alone when it has no `within`.
    pub fn seconds(&self) -> impl Iterator<Item = Instant> + use<> {
        let (begin, seconds) = (self.begin(), self.bound.within.map_or(0, |within| within.as_milliseconds() / 1000));
        (0..=seconds).map(move |n| begin + Duration::seconds(n))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Anchor::Start => {}
            Anchor::At(at) => write!(f, " at {at}")?,
            Anchor::Entry { name, .. } => write!(f, " of {name}")?,
        }
        self.bound.fmt(f)
    }
}

/// What a probe of `/health` finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// It answers that it is well.
    Up,
    /// It answers that it is not.
    Down,
    /// Nothing listens.
    Refused,
    /// It accepts and does not answer.
    Hangs,
}

impl HealthStatus {
    /// Each with the word that `status` takes.
    pub const NAMES: &[(&str, HealthStatus)] = &[
        ("UP", HealthStatus::Up),
        ("DOWN", HealthStatus::Down),
        ("refused", HealthStatus::Refused),
        ("hangs", HealthStatus::Hangs),
    ];

    /// The word that `status` takes.
    pub fn name(self) -> &'static str {
        HealthStatus::NAMES.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }
}

impl Expectation {
    /// In words.
    pub fn sentence(&self, plan: &Plan) -> String {
        match self {
            Expectation::Alert(alert) => alert.sentence(),
            Expectation::Health { members, status, window } => {
                let names: Vec<&str> =
                    members.iter().filter_map(|at| plan.cluster.members.get(*at)).map(|it| it.name.as_str()).collect();
                format!("health of {} is {}{window}", names.join(", "), status.name())
            }
            Expectation::Query { expr, at, is } => format!("{} {is} at {at}", expr.text()),
            Expectation::Notification { what, window, times } => format!("{}{times}{window}", what.sentence(plan)),
            Expectation::Page { what, window, times } => {
                let resolved = what.resolved_within.map(|within| format!(", resolved within {within}"));
                format!("{}{times}{window}{}", what.sentence(), resolved.unwrap_or_default())
            }
            Expectation::Execution { flow, state, window, times } => {
                let of = flow.and_then(|flow| plan.flows.get(flow)).map_or("an execution".to_owned(), |flow| {
                    format!("an execution of {}.{}", flow.namespace, flow.id)
                });
                let state = state.map_or("ends".to_owned(), |state| format!("is {}", state.name()));
                format!("{of} {state}{times}{window}")
            }
            Expectation::Event { what: EventPattern::Text(text), window } => format!("event \"{text}\"{window}"),
            Expectation::Event { what: EventPattern::Kind { kind, members }, window } => {
                let names = members.iter().filter_map(|member| plan.cluster.members.get(*member));
                let names: Vec<&str> = names.map(|member| member.name.as_str()).collect();
                let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(" or ")) };
                format!("event {kind}{of}{window}")
            }
        }
    }

    /// The expressions that are asked for it.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Expectation::Query { expr, is, .. } => vec![expr, &is.than],
            _ => Vec::new(),
        }
    }
}

impl NotificationPattern {
    fn sentence(&self, plan: &Plan) -> String {
        let flow = self.flow.and_then(|flow| plan.flows.get(flow));
        let parts = [
            ("on", self.channel.map(str::to_owned)),
            ("to", self.to.clone()),
            ("of", flow.map(|flow| format!("{}.{}", flow.namespace, flow.id))),
            ("by", self.task.clone()),
            ("with", self.body.as_ref().map(|body| body.to_string())),
        ];
        let parts = parts.into_iter().filter_map(|(word, value)| Some(format!(" {word} {}", value?)));
        let parts: String = parts.collect();
        format!("notification{parts}{}", if self.lost { " is lost" } else { "" })
    }
}

impl AlertExpectation {
    /// Whether it is about all alerts.
    pub fn every(&self) -> bool {
        self.alert == EVERY_ALERT
    }

    /// Whether it is about an alert of this name.
    pub fn is_about(&self, alert: &str) -> bool {
        self.alert == alert || (self.every() && !self.except.iter().any(|except| except == alert))
    }

    fn sentence(&self) -> String {
        let mut text = match self.every() {
            true => "every alert".to_owned(),
            false => format!("alert {}", self.alert),
        };
        if !self.except.is_empty() {
            text += &format!(" except {}", self.except.join(", "));
        }
        for (key, value) in &self.labels {
            text += &format!(" {key}=\"{value}\"");
        }
        text += &match &self.from {
            Anchor::Start => String::new(),
            Anchor::At(at) => format!(" (counted from {at})"),
            Anchor::Entry { name, .. } => format!(" (counted from {name})"),
        };
        for (what, bound) in [("pending", &self.pending), ("fires", &self.fires), ("resolves", &self.resolves)] {
            text += &bound.map(|bound| format!(" {what}{bound}")).unwrap_or_default();
        }
        if self.never {
            text += " never";
        }
        if let Some(count) = self.count {
            text += &format!(" {count} times");
        }
        text
    }
}
