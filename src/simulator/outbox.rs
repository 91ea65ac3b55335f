//! What notification tasks send: worked out when the task run is created, sent when a worker runs it. Nothing leaves the
//! machine here. Receivers answer as the scenario says; or the job of the task waits until somebody outside, who sends the
//! message, says what came of it, and no longer than the task itself would.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::context::Context;
use super::limits;
use super::lines::constant;
use super::log::Log;
use super::worker::{Outcome, Work};
use crate::execution::{self, Done};
use crate::flow::{self, Span, State, Task};
use crate::notify::{Message, Request};
use crate::profile::LineLevel;
use crate::scenario::{Answer, Answering, RealAnswer};
use crate::time::{Duration, Instant};

/// A message that a task sent, or could not send.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The flow, an index into the plan's.
    pub flow: u32,
    /// The execution.
    pub execution: String,
    /// The task.
    pub task: u32,
    /// The attempt, from 1 on.
    pub attempt: u32,
    /// The message; none when the task failed before there was one.
    pub message: Option<Arc<Message>>,
    /// What became of it.
    pub delivery: Delivery,
    /// What its real receiver answered, where there was one.
    pub answer: Option<RealAnswer>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver took it.
    Taken,
    /// The receiver did not take it, and the task failed: why.
    Lost(String),
    /// The task failed before it sent anything: in its words.
    Failed(String),
    /// What the task sends is not simulated, and nothing was sent: why.
    NotSimulated(String),
    /// Its real receiver has not answered yet.
    Waiting,
}

impl Delivery {
    /// What is said of a message that waits for its answer.
    pub const UNDER_WAY: &str = "no answer yet";

    /// For programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Delivery::Taken => "taken",
            Delivery::Lost(_) => "lost",
            Delivery::Failed(_) => "failed",
            Delivery::NotSimulated(_) => "not-simulated",
            Delivery::Waiting => "waiting",
        }
    }

    /// Why nobody was told, or not yet.
    pub fn why(&self) -> Option<&str> {
        match self {
            Delivery::Taken => None,
            Delivery::Lost(why) | Delivery::Failed(why) | Delivery::NotSimulated(why) => Some(why),
            Delivery::Waiting => Some(Delivery::UNDER_WAY),
        }
    }
}

impl Sent {
    /// How it goes: one of the channels of a scenario.
    pub fn channel(&self) -> Option<&'static str> {
        self.message.as_ref().map(|message| message.channel)
    }

    /// Where it goes, with secrets as stars: an address, or several.
    pub fn to(&self) -> String {
        match self.message.as_ref().map(|message| message.told()) {
            Some(Request::Http(http)) => http.url.clone(),
            Some(Request::Mail(mail)) => mail.to.iter().chain(&mail.cc).cloned().collect::<Vec<_>>().join(", "),
            None => String::new(),
        }
    }

    /// Whether a text is part of where it really goes: for asking, not for showing.
    pub fn goes_to(&self, text: &str) -> bool {
        match self.message.as_ref().map(|message| message.request()) {
            Some(Request::Http(http)) => http.url.contains(text),
            Some(Request::Mail(mail)) => mail.to.iter().chain(&mail.cc).any(|to| to.contains(text)),
            None => false,
        }
    }

    /// What it says, with secrets as stars.
    pub fn body(&self) -> String {
        match self.message.as_ref().map(|message| message.told()) {
            Some(Request::Http(http)) => http.body.as_ref().map(|body| body.text().to_owned()).unwrap_or_default(),
            Some(Request::Mail(mail)) => mail.html.clone().unwrap_or_else(|| mail.text.clone()),
            None => String::new(),
        }
    }
}

/// For so long a task looks for the execution that it tells of (source of the plugins).
const LOOKS: Duration = Duration::minutes(10);

/// What a task run is going to send.
#[derive(Clone, Debug)]
pub(super) enum Prepared {
    Message(Arc<Message>),
    Fails(String),
    /// It looks again and again for an execution that is not there, and fails in the end.
    Looks(String),
    NotSimulated(String),
    /// Nothing is sent: what the task comes to.
    Done(Arc<Done>),
}

/// What the durations of a task run come to that are worked out when it begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spans {
    /// How long a Sleep takes.
    pub(super) takes: Option<Duration>,
    /// `timeout`.
    pub(super) within: Option<Duration>,
    /// One of them cannot be worked out: the task does not begin its work (`WorkerTaskCallable` of Kestra's source).
    pub(super) failed: bool,
}

/// A message that waits for an answer from outside.
#[derive(Clone, Copy, Debug)]
struct Waits {
    /// Since when.
    since: Instant,
    /// What its job comes to when the answer is a good one.
    good: Outcome,
    /// Whose it is: an execution, by flow and number, and a task run.
    of: ((u32, u64), u32),
}

/// A task run, by its number, what it is going to do, and how long.
type Ready = (u32, Prepared, Spans);

/// All that is to be sent, and all that was.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    /// By flow and number of the execution: what its task runs send.
    prepared: FxHashMap<(u32, u64), Vec<Ready>>,
    pub(super) sent: Log<Sent>,
    pub(super) answering: Answering,
    /// By number: messages that wait for an answer from outside.
    waiting: BTreeMap<u64, Waits>,
    /// Time stops when a message waits.
    pub(super) stopping: bool,
    /// It should do so now.
    stop: bool,
}

impl Outbox {
    pub(super) fn new() -> Outbox {
        let mut sent = Log::new(limits::SENT);
        sent.drop_oldest();
        Outbox {
            prepared: FxHashMap::default(),
            sent,
            answering: Answering::default(),
            waiting: BTreeMap::new(),
            stopping: false,
            stop: false,
        }
    }

    /// Whether time stops, because a message waits since.
    pub(super) fn stops(&mut self) -> bool {
        std::mem::take(&mut self.stop)
    }

    /// Whether a message waits for an answer.
    pub(super) fn waits(&self, message: u64) -> bool {
        self.waiting.contains_key(&message)
    }

    /// A message that is sent next waits: what its job comes to when no answer comes.
    fn wait(&mut self, waits: Waits, none: Outcome) -> Outcome {
        let number = self.sent.next();
        // What nobody can look at any more nobody answers.
        while let Some(oldest) = self.waiting.first_entry().filter(|it| *it.key() < self.sent.dropped()) {
            oldest.remove();
        }
        self.waiting.insert(number, waits);
        self.stop = self.stopping;
        Outcome { awaits: Some(number), ..none }
    }

    /// Its receiver has answered: when it was sent, and what its job comes to.
    pub(super) fn answered(&mut self, message: u64, answer: RealAnswer) -> Option<(Instant, Outcome)> {
        let Waits { since, good: outcome, of } = self.waiting.remove(&message)?;
        let failed = |outcome| Outcome { state: State::Failed, ..outcome };
        let outcome = Outcome { duration: answer.took, awaits: Some(message), ..outcome };
        let outcome = if answer.fails.is_some() { failed(outcome) } else { outcome };
        self.fails(of, answer.fails.as_deref());
        self.sent.change(message, |sent| {
            sent.delivery = answer.fails.clone().map_or(Delivery::Taken, Delivery::Lost);
            sent.answer = Some(answer);
        });
        Some((since, outcome))
    }

    /// The job that waited for an answer has ended without it.
    pub(super) fn given_up(&mut self, message: u64, after: Duration) {
        if let Some(waits) = self.waiting.remove(&message) {
            let why = format!("no answer within {}", after.rounded());
            self.fails(waits.of, Some(&why));
            self.sent.change(message, |sent| sent.delivery = Delivery::Lost(why));
        }
    }

    /// For whoever asks later why a task run failed, if it did and its execution is still there.
    fn fails(&mut self, (execution, run): ((u32, u64), u32), why: Option<&str>) {
        let found = self.prepared.get_mut(&execution).and_then(|all| all.iter_mut().find(|(other, ..)| *other == run));
        if let (Some((_, what, _)), Some(why)) = (found, why) {
            *what = Prepared::Fails(why.to_owned());
        }
    }

    /// Others answer from now on. Where it is the scenario, it answers what is under way too: with which answers.
    pub(super) fn answer_by(&mut self, answering: Answering) -> Vec<(u64, RealAnswer)> {
        self.answering = answering;
        if answering != Answering::Scenario {
            return Vec::new();
        }
        let taken = |(number, waits): (&u64, &Waits)| {
            (*number, RealAnswer { status: None, fails: None, took: waits.good.duration })
        };
        self.waiting.iter().map(taken).collect()
    }

    /// A task run is created that sends something; another attempt sends it anew.
    pub(super) fn prepare(&mut self, execution: (u32, u64), run: u32, (what, spans): (Prepared, Spans)) {
        let runs = self.prepared.entry(execution).or_default();
        runs.retain(|(other, ..)| *other != run);
        runs.push((run, what, spans));
    }

    /// An execution has ended: nothing of it is sent any more.
    pub(super) fn forget(&mut self, execution: (u32, u64)) {
        if !self.prepared.is_empty() {
            self.prepared.remove(&execution);
        }
    }

    /// What a task run made of itself, or was to.
    pub(super) fn prepared(&self, execution: (u32, u64), run: u32) -> Option<&Prepared> {
        self.prepared.get(&execution)?.iter().find(|(other, ..)| *other == run).map(|(_, what, _)| what)
    }

    /// What a task run says itself, in Kestra's words: the messages of a Log, and what went wrong. Why an attempt fails that
    /// does so by its `behaviour` nobody has said.
    pub(super) fn said(&self, execution: (u32, u64), run: u32, task: &Task, failed: bool) -> Vec<(LineLevel, String)> {
        let done = match self.prepared(execution, run) {
            Some(Prepared::Done(done)) => Some(done),
            _ => None,
        };
        let mut said = Vec::new();
        if matches!(flow::core(&task.kind), Some("Log" | "Echo")) {
            let level = match task.properties.get("level") {
                None => Some(LineLevel::Info),
                Some(_) => constant(task, "level").and_then(LineLevel::named),
            };
            let messages = match done {
                Some(done) => done.says.clone(),
                None => execution::messages(&task.properties),
            };
            // A level that only a template knows is not worked out.
            said.extend(level.into_iter().flat_map(|level| messages.iter().map(move |it| (level, it.clone()))));
        }
        if let Some(Span::Written(sleep)) = task.sleep {
            said.push((LineLevel::Info, format!("Waiting for {}", sleep.iso())));
        }
        let errors = done
            .into_iter()
            .filter(|_| failed)
            .flat_map(|done| done.logs.iter().chain(done.error.as_ref().or(done.words.as_ref())));
        said.extend(errors.map(|words| (LineLevel::Error, words.clone())));
        said
    }

    /// What the durations of a task run came to.
    pub(super) fn spans(&self, execution: (u32, u64), run: u32) -> Spans {
        let runs = self.prepared.get(&execution).into_iter().flatten();
        runs.filter(|(other, ..)| *other == run).map(|(_, _, spans)| *spans).next().unwrap_or_default()
    }
}

/// How long a receiver takes that refuses.
const REFUSED: Duration = Duration::milliseconds(5);

/// The host that a URL names, with its port where it has one.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl Context {
    /// What receivers answer to a message; none where somebody outside answers. The last one that means it counts.
    fn answer(&self, message: &Message) -> Option<Answer> {
        let host = match message.request() {
            Request::Http(http) => host(&http.url),
            Request::Mail(mail) => &mail.host,
        };
        let answers = self.receivers.iter().rev();
        let found = answers.into_iter().find(|(name, _)| name.means(message.channel, host));
        let said = found.map(|(_, answer)| *answer);
        match self.outbox.answering {
            Answering::Scenario => Some(said.unwrap_or_default()),
            Answering::Outside => said,
            Answering::AllOutside => said.filter(|answer| *answer != Answer::Ok),
        }
    }

    /// A real receiver takes as long as it takes: a time-out that was drawn does not count.
    fn undrawn(&self, prepared: &Prepared, outcome: Outcome) -> Outcome {
        match prepared {
            Prepared::Message(message) if outcome.timed_out && self.answer(message).is_none() => {
                Outcome { state: State::Success, timed_out: false, ..outcome }
            }
            _ => outcome,
        }
    }

    /// A worker begins an attempt of a task: when the task sends something, it is sent, and the attempt comes to what the
    /// receiver answers.
    pub(super) fn send(&mut self, work: &Work, outcome: Outcome, timeout: Option<Duration>) -> Outcome {
        let Work::Task { number, flow, task, run, attempt, .. } = *work else { return outcome };
        let Some(prepared) = self.outbox.prepared((flow, number), run).cloned() else { return outcome };
        let outcome = self.undrawn(&prepared, outcome);
        let failed = |duration: Duration| match timeout.filter(|timeout| *timeout < duration) {
            Some(timeout) => Outcome { state: State::Failed, duration: timeout, timed_out: true, ..outcome },
            None => Outcome { state: State::Failed, duration, ..outcome },
        };
        let (message, delivery, outcome) = match prepared {
            Prepared::Done(done) => {
                let fails = done.error.is_some() && outcome.state != State::Failed;
                return if fails { failed(outcome.duration) } else { outcome };
            }
            // A task that fails by its behaviour does so before it sends anything.
            _ if outcome.state == State::Failed => {
                (None, Delivery::Failed("the attempt fails as its `behaviour` says".to_owned()), outcome)
            }
            Prepared::Fails(why) => (None, Delivery::Failed(why), failed(outcome.duration)),
            Prepared::Looks(why) => (None, Delivery::Failed(why), failed(LOOKS)),
            Prepared::NotSimulated(why) => (None, Delivery::NotSimulated(why), outcome),
            Prepared::Message(message) => {
                let patience = Duration::milliseconds(message.request().patience_ms());
                let (delivery, outcome) = match (self.answer(&message), message.request()) {
                    (None, _) => {
                        let waits = Waits { since: self.now, good: outcome, of: ((flow, number), run) };
                        (Delivery::Waiting, self.outbox.wait(waits, failed(patience)))
                    }
                    (Some(Answer::Ok), _) => (Delivery::Taken, outcome),
                    (Some(Answer::Refused), _) => (Delivery::Lost("connection refused".into()), failed(REFUSED)),
                    (Some(Answer::Timeout), _) => (Delivery::Lost("no answer".into()), failed(patience)),
                    (Some(Answer::Status(status)), Request::Http(http)) => match http.accepts.complaint(status, "") {
                        Some(why) => (Delivery::Lost(why.trim_end().to_owned()), failed(outcome.duration)),
                        None => (Delivery::Taken, outcome),
                    },
                    // A server of mails has no such status: it takes none of them.
                    (Some(Answer::Status(status)), Request::Mail(_)) if status >= 400 => {
                        (Delivery::Lost(format!("the mail server answers {status}")), failed(outcome.duration))
                    }
                    (Some(Answer::Status(_)), Request::Mail(_)) => (Delivery::Taken, outcome),
                };
                (Some(message), delivery, outcome)
            }
        };
        if let Delivery::Lost(why) = &delivery {
            self.outbox.fails(((flow, number), run), Some(why));
        }
        let execution = self.id("execution", flow, number, 0);
        let sent = Sent { at: self.now, flow, execution, task, attempt, message, delivery, answer: None };
        // It drops the oldest, and is never full.
        let _ = self.outbox.sent.add(sent);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_what_stands_between_its_scheme_and_its_path() {
        for (url, named) in [
            ("https://hooks.slack.com/services/x", "hooks.slack.com"),
            ("http://localhost:8080?a=b", "localhost:8080"),
            ("https://user:pass@example.com/x@y", "example.com"),
            ("example.com/x", "example.com"),
        ] {
            assert_eq!(host(url), named, "{url}");
        }
    }
}
