//! What somebody asks of executions over the API: to kill, pause, resume and replay them, and to change what became of them.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::super::CommandError;
use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::event::Event;
use super::super::inputs;
use super::super::meters::{Class, Meter, Subject};
use super::super::origin::{By, Origin};
use super::super::queue::{Asked, Message, QueueKind};
use super::kept::Kept;
use super::{Coming, Execution, Executor, Freed, Heard, Parent, Step, heard_of, send_events};
use crate::execution::{self, Tree};
use crate::flow::{self, State};
use crate::profile::Quirk;
use crate::scenario::{Deed, TaskOf, Which, Whose, input_words, trigger_dialect};
use crate::time::Duration;

/// How long after the kill of an execution the alerts are killed that it has started.
const ALERTS_KILLED: Duration = Duration::milliseconds(150);

/// An execution, by its flow and number.
pub(in super::super) type Key = (u32, u64);

/// The same with its slot, if it has one.
pub(in super::super) type Meant = (u32, Key);

/// An execution that somebody asks something of.
#[derive(Clone, Copy)]
enum Found<'a> {
    Live(u32, &'a Execution),
    Ended(&'a Kept),
}

impl<'a> Found<'a> {
    fn meant(self) -> Meant {
        match self {
            Found::Live(slot, it) => (slot, (it.flow, it.number)),
            Found::Ended(it) => (u32::MAX, (it.flow, it.number)),
        }
    }

    fn key(self) -> Key {
        self.meant().1
    }

    fn it(self) -> &'a execution::Execution {
        match self {
            Found::Live(_, it) => &it.it,
            Found::Ended(it) => &it.it,
        }
    }
}

impl Executor {
    fn found(&self, (slot, key): Meant) -> Option<Found<'_>> {
        let live = self.of(slot, key).map(|it| Found::Live(slot, it));
        live.or_else(|| self.kept.get(key).map(|kept| Found::Ended(kept)))
    }

    fn origin_of<'a>(&'a self, found: Found<'a>) -> Option<&'a Arc<Origin>> {
        match found {
            Found::Live(..) => self.origins.shared(found.key()),
            Found::Ended(kept) => kept.origin.as_ref(),
        }
    }

    fn has_labels(&self, cx: &Context, found: Found<'_>, labels: &[(String, String)]) -> bool {
        let own = cx.plan.flows.get(found.key().0 as usize).map_or(&[][..], |flow| &flow.labels);
        let has = self.origin_of(found).map_or(own, |origin| &origin.labels);
        labels.iter().all(|label| has.contains(label))
    }

    /// The executions of which something is asked.
    ///
    /// # Errors
    /// There is none, or it cannot be asked of the one that there is.
    pub(in super::super) fn asked_of(
        &self,
        cx: &Context,
        deed: &Deed,
        whose: &Whose,
    ) -> Result<Vec<Meant>, CommandError> {
        let flow = whose.flow as u32;
        let name = || cx.plan.flows.get(whose.flow).map(flow::Flow::name).unwrap_or_default();
        if let Which::Number(number) = whose.which {
            let slot = self.live((flow, number)).map_or(u32::MAX, |(slot, _)| slot);
            let found = self.found((slot, (flow, number))).ok_or_else(|| CommandError::NoExecution(name()))?;
            may(cx, deed, found)?;
            if let Deed::Resume { inputs } = deed {
                self.given(cx, found.meant(), inputs)?;
            }
            return Ok(vec![found.meant()]);
        }
        let live = self.executions.numbered().map(|(slot, it)| Found::Live(slot, it));
        let mut fitting: Vec<Meant> = live
            .chain(self.kept.iter().map(|kept| Found::Ended(kept)))
            .filter(|it| it.key().0 == flow && self.has_labels(cx, *it, &whose.labels))
            // Who names none by its number does not mean one that has ended, where that is killed for what it started.
            .filter(|it| may(cx, deed, *it).is_ok() && !(kills(deed) && it.it().state.is_over()))
            .map(Found::meant)
            .collect();
        fitting.sort_unstable_by_key(|(_, key)| *key);
        match whose.which {
            Which::Last => drop(fitting.drain(..fitting.len().saturating_sub(1))),
            Which::First => fitting.truncate(1),
            Which::All | Which::Number(_) => {}
        }
        if let Deed::Resume { inputs } = deed {
            for meant in &fitting {
                self.given(cx, *meant, inputs)?;
            }
        }
        if fitting.is_empty() { Err(CommandError::NoneFits(deed.keyword(), name())) } else { Ok(fitting) }
    }

    /// What somebody gives to the Pause of an execution that waits, as it asks for it.
    ///
    /// # Errors
    /// What is missing, or not as it is declared.
    fn given(&self, cx: &Context, meant: Meant, inputs: &Map<String, Json>) -> Result<Map<String, Json>, CommandError> {
        let Some(found) = self.found(meant) else { return Ok(Map::new()) };
        let ((flow, number), it) = (found.key(), found.it());
        let Some(pause) = self.pause_of(cx, meant).filter(|pause| !pause.inputs.is_empty()) else {
            return Ok(Map::new());
        };
        let Found::Live(_, execution) = found else { return Ok(Map::new()) };
        let (created, origin) = (execution.created, self.origins.get((flow, number)));
        let asked = super::Asked::of(cx, (flow, number), created, &self.dialect, origin);
        let seeing = |render: &mut execution::Render<'_>| {
            flow::given(&pause.inputs, inputs, input_words(cx.profile), &mut |text, _| render(text))
        };
        let given = asked.rendering(it, None, seeing);
        let refused = |why: String| CommandError::Inputs(inputs::masked(cx, &pause.inputs, inputs, &why));
        given.unwrap_or_else(|| Ok(inputs.clone())).map_err(refused)
    }

    /// The ids of what the Pause asks for that an execution waits at, if it waits.
    pub(in super::super) fn asked_for<'c>(&self, cx: &'c Context, flow: u32, number: u64) -> Option<Vec<&'c str>> {
        let (slot, _) = self.live((flow, number))?;
        let pause = self.pause_of(cx, (slot, (flow, number)))?;
        let id = |input: &'c Json| input.get("id").or_else(|| input.get("name")).and_then(Json::as_str);
        Some(pause.inputs.iter().filter_map(id).collect())
    }

    /// The Pause that an execution waits at.
    fn pause_of<'c>(&self, cx: &'c Context, meant: Meant) -> Option<&'c flow::Pause> {
        let found = self.found(meant)?;
        let it = found.it();
        cx.flows.get(found.key().0 as usize)?.tree.pause(it.run(it.paused()?)?.node)
    }

    /// A Pause that is let go on puts out what it was given.
    fn gives(&mut self, cx: &Context, slot: u32, key: Key) {
        let given = if self.given.is_empty() { None } else { self.given.remove(&key) };
        let reads = self.telling.reads(key.0).outputs;
        let Some(execution) = self.executions.get_mut(slot).filter(|_| reads) else { return };
        let Some(run) = execution.it.paused() else { return };
        let node = execution.it.run(run).map_or(u32::MAX, |run| run.node);
        let pause = cx.flows.get(key.0 as usize).and_then(|flow| flow.tree.pause(node));
        if let Some(given) = given.filter(|_| pause.is_some_and(|pause| !pause.inputs.is_empty())) {
            let outputs = Map::from_iter([("onResume".to_owned(), Json::Object(given))]);
            execution.it.outputs.insert(run, Arc::new(outputs));
        }
    }

    /// Somebody asks a webserver something of executions. Those that come of it, or change by it.
    pub(in super::super) fn ask(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        (deed, all): (&Deed, &[Meant]),
    ) -> Vec<Key> {
        let mut done = Vec::new();
        for meant in all {
            let new = match deed {
                Deed::Kill { cascade } => self.post(cx, cluster, webserver, *meant, Asked::Kill { cascade: *cascade }),
                Deed::Pause => self.post(cx, cluster, webserver, *meant, Asked::Pause),
                Deed::Resume { inputs } => {
                    if let Ok(given) = self.given(cx, *meant, inputs)
                        && !given.is_empty()
                    {
                        let declared = self.pause_of(cx, *meant).map_or(&[][..], |pause| &pause.inputs);
                        let secret = flow::secret_inputs(declared, &given).into_iter().map(str::to_owned).collect();
                        inputs::hide(cx, secret);
                        self.given.insert(meant.1, given);
                    }
                    self.post(cx, cluster, webserver, *meant, Asked::Resume)
                }
                Deed::Restart if self.of(meant.0, meant.1).is_some() => {
                    self.is_restarted(cx, meant.1);
                    self.post(cx, cluster, webserver, *meant, Asked::Restart)
                }
                Deed::Restart => self.restart(cx, cluster, webserver, meant.1, None),
                Deed::Replay(task) => self.replay(cx, cluster, webserver, *meant, task.as_ref()),
                Deed::Change { task: None, state } => self.relabel(cx, cluster, webserver, meant.1, *state),
                Deed::Change { task: Some(task), state } => {
                    self.revive(cx, cluster, webserver, meant.1, (task, *state))
                }
            };
            done.extend(new);
        }
        done
    }

    /// A task lets an execution go on: what it gives is taken as it is (source).
    pub(super) fn lets_go_on(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        meant: Meant,
        given: Map<String, Json>,
    ) {
        if !given.is_empty() {
            self.given.insert(meant.1, given);
        }
        self.post(cx, cluster, executor, meant, Asked::Resume);
    }

    /// An executor is to do it.
    fn post(
        &self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        meant: Meant,
        what: Asked,
    ) -> Option<Key> {
        let (slot, key) = meant;
        let class = if matches!(what, Asked::Kill { .. }) { Class::ExecutionKilled } else { Class::Execution };
        cluster.produce(cx, webserver, class, 1);
        cluster.send(cx, QueueKind::Execution, Message::Asked { slot, flow: key.0, number: key.1, what });
        Some(key)
    }

    /// An executor does what somebody asked for.
    pub(in super::super) fn asked(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: usize,
        (slot, key): (u32, Key),
        what: Asked,
    ) -> Freed {
        let event = match what {
            Asked::Pause => Step::Pause,
            Asked::Resume => Step::Resume,
            Asked::Restart => Step::Restart,
            Asked::Kill { cascade } => {
                cluster.count(cx, executor, Meter::ExecutorKilled, Subject::Kill);
                cluster.produce(cx, executor, Class::ExecutionKilled, 1);
                cluster.count_kill(cx);
                if cascade {
                    self.cascade(cx, cluster, executor, key);
                }
                Step::Kill
            }
        };
        if event == Step::Resume && self.of(slot, key).is_some() {
            self.gives(cx, slot, key);
        }
        let execution = self.of(slot, key)?;
        // It waits for no place any more.
        if event == Step::Kill && execution.it.state == State::Queued && !execution.holds_place {
            self.unqueue(cx, key.0, (slot, key.1));
        }
        if self.step(cx, slot, event) { self.follow(cx, cluster, executor, slot, event) } else { None }
    }

    /// A kill goes on to what the execution has started: to Subflows at once, to alerts after a while, so that those are
    /// spared that end soon (of alerts that only log 2 of 16 were killed in captures/core/end-to-end.1.3.19.jsonl, of those
    /// that send something 8 of 11 in 1.3/alerting).
    fn cascade(&self, cx: &mut Context, cluster: &mut Cluster, executor: usize, key: Key) {
        let Some(children) = self.children.get(&key) else { return };
        let spares = cx.profile.has(Quirk::KillSparesAlerts);
        for &(slot, (flow, number)) in children {
            let Some(child) = self.of(slot, (flow, number)) else { continue };
            if child.it.state.is_over() || child.it.state == State::Killing {
                continue;
            }
            let alert = self.origins.get((flow, number)).and_then(|it| it.starter).is_some_and(|it| it.by == By::Alert);
            if alert && spares {
                continue;
            }
            cluster.produce(cx, executor, Class::ExecutionKilled, 1);
            if alert {
                cx.after(ALERTS_KILLED, Event::KillDue { execution: slot, flow, number });
            } else {
                let what = Asked::Kill { cascade: true };
                cluster.send(cx, QueueKind::Execution, Message::Asked { slot, flow, number, what });
            }
        }
    }

    /// A worker is to kill what it does of a task run.
    pub(super) fn kill_job(&self, cx: &mut Context, cluster: &mut Cluster, slot: u32, run: u32) {
        if let Some(execution) = self.executions.get(slot) {
            cluster.kill_job(cx, (execution.flow, execution.number, run));
        }
    }

    /// What an execution is started with that repeats another one.
    pub(super) fn repeated(&self, cx: &Context, (flow, number): Key, origin: Option<&Arc<Origin>>) -> Arc<Origin> {
        let id = cx.id("execution", flow, number, 0);
        let mut new = origin.map_or_else(|| plain(cx, flow), |origin| Origin::clone(origin));
        new.failed = false;
        // As captures/core/end-to-end.*.jsonl show them; 0.20 has neither.
        if trigger_dialect(cx.plan.kestra).correlated {
            mark(&mut new, execution::trigger::CORRELATION, &id);
            mark(&mut new, execution::trigger::REPLAY, "true");
        }
        new.original.get_or_insert(id);
        Arc::new(new)
    }

    /// A new execution that runs the same again: all of it, or from a task on.
    fn replay(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        meant: Meant,
        task: Option<&TaskOf>,
    ) -> Option<Key> {
        let found = self.found(meant)?;
        let key = found.key();
        let tree = cx.flows.get(key.0 as usize)?.tree.clone();
        let it = found.it();
        let begun = it.begun;
        let from = match task {
            None => None,
            Some(task) => {
                let new = it.again_from(&tree, run_of(it, &tree, task)?)?;
                let history = match found {
                    Found::Live(_, it) => it.history.clone(),
                    Found::Ended(it) => it.history.clone(),
                };
                let history = history.going_on(cx.now, State::Restarted, &new);
                Some(Box::new((new, history)))
            }
        };
        let origin = self.repeated(cx, key, self.origin_of(found));
        let attempt = it.attempt + 1;
        let number = cx.next_number(key.0);
        self.origins.insert((key.0, number), origin);
        self.coming.insert((key.0, number), Coming { begun, parent: None, from });
        self.create(cx, cluster, webserver, (key.0, number), (None, attempt));
        Some((key.0, number))
    }

    /// An execution that has ended takes another state.
    fn relabel(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        key: Key,
        state: State,
    ) -> Option<Key> {
        let now = cx.now;
        let kept = self.kept.get_mut(key)?;
        let was = std::mem::replace(&mut kept.it.state, state);
        kept.history.states.push((now, state));
        cx.truth.ended[was as usize] = cx.truth.ended[was as usize].saturating_sub(1);
        cx.truth.ended[state as usize] += 1;
        cx.changed(key.0, key.1, state);
        if was != state && cx.profile.has(Quirk::OrdersHeard) {
            let kept = self.kept.get(key)?.clone();
            let Kept { flow, number, created, .. } = *kept;
            let heard = Heard {
                flow,
                number,
                created,
                state,
                since: now,
                it: &kept.it,
                origin: kept.origin.as_deref(),
                errors: &[],
            };
            let started = heard_of(cx, &mut self.listening, &heard);
            let events = self.events.note(cx, &self.listening, &heard);
            self.start_fired(cx, cluster, webserver, key, started);
            send_events(cx, cluster, webserver, events);
        }
        Some(key)
    }

    /// A task of an execution that has ended takes another state: the execution goes on behind it.
    fn revive(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        key: Key,
        (task, state): (&TaskOf, State),
    ) -> Option<Key> {
        let tree = cx.flows.get(key.0 as usize)?.tree.clone();
        let kept = self.kept.get(key)?;
        let it = kept.it.with_state(&tree, run_of(&kept.it, &tree, task)?, state)?;
        self.goes_on(cx, cluster, webserver, key, (it, None))
    }

    /// One that has not ended is restarted: it is marked as those are that have.
    fn is_restarted(&mut self, cx: &Context, key: Key) {
        if trigger_dialect(cx.plan.kestra).correlated {
            let mut origin = self.origins.get(key).cloned().unwrap_or_else(|| plain(cx, key.0));
            mark(&mut origin, execution::trigger::RESTARTED, "true");
            self.origins.insert(key, Arc::new(origin));
        }
    }

    /// What failed of an execution that has ended runs again. `parent` waits for it.
    pub(super) fn restart(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        key: Key,
        parent: Option<Parent>,
    ) -> Option<Key> {
        let tree = cx.flows.get(key.0 as usize)?.tree.clone();
        let kept = self.kept.get(key)?;
        let it = kept.it.restarted(&tree)?;
        let mut origin = kept.origin.as_deref().cloned().unwrap_or_else(|| plain(cx, key.0));
        // As a replay is marked: 0.20 marks neither.
        if trigger_dialect(cx.plan.kestra).correlated {
            mark(&mut origin, execution::trigger::RESTARTED, "true");
        }
        self.kept.get_mut(key)?.origin = Some(Arc::new(origin));
        self.goes_on(cx, cluster, webserver, key, (it, parent))
    }

    /// An execution that has ended goes on.
    fn goes_on(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        webserver: usize,
        key: Key,
        (it, parent): (execution::Execution, Option<Parent>),
    ) -> Option<Key> {
        let kept = self.kept.take(key)?;
        let history = kept.history.clone().going_on(cx.now, State::Restarted, &it);
        let was = kept.it.state as usize;
        cx.truth.ended[was] = cx.truth.ended[was].saturating_sub(1);
        cx.truth.live += 1;
        if let Some(origin) = &kept.origin {
            self.origins.insert(key, origin.clone());
        }
        let created = kept.created;
        let (flow, number) = key;
        let execution = Execution {
            flow,
            number,
            created,
            holds_place: false,
            trigger: None,
            parent,
            it,
            errors: Vec::new(),
            history,
        };
        let slot = self.executions.insert(execution);
        self.is_there(cx, slot, key);
        self.counting.goes_on(key);
        cx.changed(flow, number, State::Restarted);
        if cx.profile.has(Quirk::OrdersHeard) {
            self.hear(cx, cluster, webserver, slot, State::Restarted);
        }
        cluster.index(cx, webserver, Class::Execution, 1);
        cluster.send(cx, QueueKind::Execution, Message::Execution { slot, flow, number });
        Some(key)
    }
}

/// What an execution is started with of which nothing was said.
fn plain(cx: &Context, flow: u32) -> Origin {
    let labels = cx.plan.flows.get(flow as usize).map(|flow| flow.labels.clone()).unwrap_or_default();
    Origin { labels, ..Origin::default() }
}

/// An execution gets a label, unless it has it.
fn mark(origin: &mut Origin, key: &str, value: &str) {
    if origin.labels.iter().all(|(known, _)| known != key) {
        origin.labels.push((key.to_owned(), value.to_owned()));
    }
}

fn kills(deed: &Deed) -> bool {
    matches!(deed, Deed::Kill { .. })
}

/// The last task run of a task, or that of a value.
fn run_of(it: &execution::Execution, tree: &Tree, task: &TaskOf) -> Option<u32> {
    let is = |run: &execution::TaskRun| {
        tree.node(run.node).is_some_and(|node| node.id == task.id)
            && task.value.as_ref().is_none_or(|value| it.value_of(run).as_ref() == Some(value))
    };
    it.runs.iter().rposition(is).map(|run| run as u32)
}

/// Whether something can be asked of an execution.
///
/// # Errors
/// Why not, as Kestra's API refuses it.
fn may(cx: &Context, deed: &Deed, found: Found<'_>) -> Result<(), CommandError> {
    let (it, (flow, number)) = (found.it(), found.key());
    let refused = |why: &'static str| {
        let id = cx.id("execution", flow, number, 0);
        Err(CommandError::NotSo { id, state: it.state.name(), why })
    };
    let task = match deed {
        Deed::Replay(task) | Deed::Change { task, .. } => task.as_ref(),
        Deed::Kill { .. } | Deed::Pause | Deed::Resume { .. } | Deed::Restart => None,
    };
    if let Some(task) = task {
        let tree = cx.flows.get(flow as usize).map(|flow| &flow.tree);
        if tree.and_then(|tree| run_of(it, tree, task)).is_none() {
            let value = task.value.as_ref().map(|value| format!(" with the value `{}`", cx.secrets.mask_words(value)));
            return Err(CommandError::NoTaskRun(format!("`{}`{}", task.id, value.unwrap_or_default())));
        }
    }
    match deed {
        Deed::Kill { cascade: false } if it.state.is_over() => {
            refused("it has ended, and what it started is not meant")
        }
        Deed::Pause if it.state != State::Running => refused("only one that is RUNNING can be paused"),
        Deed::Resume { .. } if it.state != State::Paused => refused("only one that is PAUSED can be resumed"),
        Deed::Restart if it.state == State::Paused => {
            let tree = cx.flows.get(flow as usize).map(|flow| &flow.tree);
            match tree.is_some_and(|tree| it.can_restart_paused(tree)) {
                true => Ok(()),
                false if it.paused().is_none() => refused("no task of it waits that could go on"),
                false => refused("not simulated: what failed of it beside its Pause would run again; resume it"),
            }
        }
        Deed::Restart if !it.state.is_over() => refused("only one that has ended can be restarted"),
        Deed::Restart if matches!(found, Found::Live(..)) => refused("its `afterExecution` still runs"),
        Deed::Restart if cx.flows.get(flow as usize).is_none_or(|flow| !it.can_restart(&flow.tree)) => {
            refused("no task of it has failed that could run again")
        }
        Deed::Change { .. } if !it.state.is_over() => refused("only one that has ended can be changed"),
        Deed::Change { .. } if it.state == State::Killed => refused("one that was killed cannot be changed"),
        Deed::Change { .. } if matches!(found, Found::Live(..)) => refused("its `afterExecution` still runs"),
        _ => Ok(()),
    }
}
