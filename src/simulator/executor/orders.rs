//! What somebody asks of executions over the API: to kill, pause, resume and replay them, and to change what became of them.

use std::sync::Arc;

use super::super::CommandError;
use super::super::cluster::Cluster;
use super::super::context::Context;
use super::super::event::Event;
use super::super::meters::{Class, Meter, Subject};
use super::super::origin::Origin;
use super::super::queue::{Asked, Message, QueueKind};
use super::kept::Kept;
use super::{Coming, Execution, Executor, Freed, Heard, Step, heard_of};
use crate::execution::{self, Tree};
use crate::flow::State;
use crate::profile::Quirk;
use crate::scenario::{Deed, TaskOf, Which, Whose, trigger_dialect};
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
        let name = || cx.plan.flows.get(whose.flow).map(crate::flow::Flow::name).unwrap_or_default();
        if let Which::Number(number) = whose.which {
            let live = self.executions.numbered().find(|(_, it)| (it.flow, it.number) == (flow, number));
            let slot = live.map_or(u32::MAX, |(slot, _)| slot);
            let found = self.found((slot, (flow, number))).ok_or_else(|| CommandError::NoExecution(name()))?;
            may(cx, deed, found)?;
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
        if fitting.is_empty() { Err(CommandError::NoneFits(deed.keyword(), name())) } else { Ok(fitting) }
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
                Deed::Resume => self.post(cx, cluster, webserver, *meant, Asked::Resume),
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
            let alert = self.origins.get((flow, number)).and_then(|it| it.starter).is_some_and(|it| it.alert);
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
        let mut new = match origin {
            Some(origin) => Origin::clone(origin),
            None => {
                let labels = cx.plan.flows.get(flow as usize).map(|flow| flow.labels.clone()).unwrap_or_default();
                Origin { labels, ..Origin::default() }
            }
        };
        new.failed = false;
        // As captures/core/end-to-end.*.jsonl show them; 0.20 has neither.
        if trigger_dialect(cx.plan.kestra).correlated {
            let mut put = |key: &str, value: &str| {
                if new.labels.iter().all(|(known, _)| known != key) {
                    new.labels.push((key.to_owned(), value.to_owned()));
                }
            };
            put(execution::trigger::CORRELATION, &id);
            put(execution::trigger::REPLAY, "true");
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
                let mut history = match found {
                    Found::Live(_, it) => it.history.clone(),
                    Found::Ended(it) => it.history.clone(),
                };
                history.push((cx.now, State::Restarted));
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
        kept.history.push((now, state));
        cx.truth.ended[was as usize] = cx.truth.ended[was as usize].saturating_sub(1);
        cx.truth.ended[state as usize] += 1;
        cx.changed(key.0, key.1, state);
        if was != state && cx.profile.has(Quirk::OrdersHeard) {
            let kept = self.kept.get(key)?.clone();
            let Kept { flow, number, created, .. } = *kept;
            let heard =
                Heard { flow, number, created, state, it: &kept.it, origin: kept.origin.as_deref(), errors: &[] };
            let started = heard_of(cx, &mut self.listening, &heard);
            self.start_fired(cx, cluster, webserver, key, started);
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
        let kept = self.kept.take(key)?;
        let mut history = kept.history.clone();
        history.push((cx.now, State::Restarted));
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
            parent: None,
            it,
            errors: Vec::new(),
            history,
        };
        let slot = self.executions.insert(execution);
        cx.changed(flow, number, State::Restarted);
        if cx.profile.has(Quirk::OrdersHeard) {
            self.hear(cx, cluster, webserver, slot, State::Restarted);
        }
        cluster.index(cx, webserver, Class::Execution, 1);
        cluster.send(cx, QueueKind::Execution, Message::Execution { slot, number });
        Some(key)
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
        Deed::Kill { .. } | Deed::Pause | Deed::Resume => None,
    };
    if let Some(task) = task {
        let tree = cx.flows.get(flow as usize).map(|flow| &flow.tree);
        if tree.and_then(|tree| run_of(it, tree, task)).is_none() {
            return Err(CommandError::NoTaskRun(task.id.clone()));
        }
    }
    match deed {
        Deed::Kill { cascade: false } if it.state.is_over() => {
            refused("it has ended, and what it started is not meant")
        }
        Deed::Pause if it.state != State::Running => refused("only one that is RUNNING can be paused"),
        Deed::Resume if it.state != State::Paused => refused("only one that is PAUSED can be resumed"),
        Deed::Change { .. } if !it.state.is_over() => refused("only one that has ended can be changed"),
        Deed::Change { .. } if it.state == State::Killed => refused("one that was killed cannot be changed"),
        Deed::Change { .. } if matches!(found, Found::Live(..)) => refused("its `afterExecution` still runs"),
        _ => Ok(()),
    }
}
