//! `core.execution.Count`: how many executions there were, of those that the simulation knows: all since its start. They are
//! kept for it only where a flow has such a task.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::super::context::Context;
use super::super::limits;
use super::asked::Asked;
use super::orders::Key;
use super::{Execution, Executor};
use crate::execution::{self, Done};
use crate::flow::{Flow, State, core};
use crate::pebble::Side;
use crate::scenario::Plan;
use crate::time::Instant;

/// Executions that are over, where somebody counts them.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    counts: bool,
    /// When they began and ended, and how.
    ended: BTreeMap<Key, (Instant, Instant, State)>,
}

impl Counting {
    pub(super) fn new(plan: &Plan) -> Counting {
        let counts = plan.flows.iter().flat_map(Flow::all_tasks).any(|task| is_count(&task.kind));
        Counting { counts, ended: BTreeMap::new() }
    }

    /// One that was over goes on.
    pub(super) fn goes_on(&mut self, key: Key) {
        self.ended.remove(&key);
    }

    /// An execution is over.
    pub(super) fn ended(&mut self, cx: &mut Context, execution: &Execution) {
        if !self.counts {
            return;
        }
        let &Execution { flow, number, created, ref it, .. } = execution;
        self.ended.insert((flow, number), (created, cx.now, it.state));
        if self.ended.len() > limits::COUNTED {
            cx.reached("the number of executions that a Count counts", limits::COUNTED as u64);
        }
    }
}

fn is_count(kind: &str) -> bool {
    matches!(core(kind), Some("Count" | "Counts"))
}

/// What a Count asks for.
struct Wanted {
    flows: Vec<(String, String)>,
    namespaces: Option<Vec<String>>,
    states: Vec<State>,
    start: Option<Instant>,
    end: Option<Instant>,
    expression: String,
}

impl Executor {
    /// What a task run comes to that counts executions; none of another one.
    pub(super) fn counts(&self, cx: &Context, slot: u32, run: u32) -> Option<Done> {
        if !self.counting.counts {
            return None;
        }
        let execution = self.executions.get(slot)?;
        let &Execution { flow, number, created, ref it, .. } = execution;
        let task = cx.plan.flows.get(flow as usize)?.task(it.run(run)?.node as usize)?;
        if !is_count(&task.kind) {
            return None;
        }
        let origin = self.origins.get((flow, number));
        let asked = Asked::of(cx, (flow, number), created, &self.dialect, origin);
        let counted = || {
            let given = (Side::Worker, Map::new());
            let wanted = asked.rendering_with(it, Some(run), given, |render| wanted(cx, &task.properties, render));
            let wanted = wanted.unwrap_or_else(|| Err("no version's templates are known".to_owned()))?;
            let mut results = Vec::new();
            let mut total = 0;
            for ((namespace, flow), count) in self.counted(cx, &wanted) {
                let given = (Side::Worker, Map::from_iter([("count".to_owned(), count.into())]));
                let keeps = asked.rendering_with(it, Some(run), given, |render| render(&wanted.expression));
                if keeps.transpose()?.as_deref() == Some("true") {
                    total += count;
                    results.push(json!({ "namespace": namespace, "flowId": flow, "count": count }));
                }
            }
            let outputs = [("results".to_owned(), results.into()), ("total".to_owned(), total.into())];
            Ok::<_, String>(Done { outputs: Map::from_iter(outputs), ..Done::default() })
        };
        Some(counted().unwrap_or_else(|error| Done { error: Some(error), unsound: true, ..Done::default() }))
    }

    /// How many executions there are of each flow: those that are named even when there is none (source of 0.20 and 1.3).
    fn counted(&self, cx: &Context, wanted: &Wanted) -> Vec<((String, String), u64)> {
        let within = |of: &str, namespace: &String| {
            of.strip_prefix(namespace.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let named: BTreeSet<(&str, &str)> =
            wanted.flows.iter().map(|(namespace, flow)| (namespace.as_str(), flow.as_str())).collect();
        let meant = |flow: &Flow| {
            let namespaces = wanted.namespaces.as_ref();
            namespaces.is_none_or(|all| all.iter().any(|namespace| within(&flow.namespace, namespace)))
                && (named.is_empty() || named.contains(&(flow.namespace.as_str(), flow.id.as_str())))
        };
        let mut of_flow: Vec<Option<u64>> = cx.plan.flows.iter().map(|flow| meant(flow).then_some(0)).collect();
        let live = self.executions.iter().map(|it| {
            let ended = it.it.state.is_over().then_some(cx.now);
            (it.flow, (it.created, ended, it.it.state))
        });
        let ended =
            self.counting.ended.iter().map(|(key, &(created, end, state))| (key.0, (created, Some(end), state)));
        for (flow, (created, end, state)) in ended.chain(live) {
            let Some(Some(count)) = of_flow.get_mut(flow as usize) else { continue };
            let fits = (wanted.states.is_empty() || wanted.states.contains(&state))
                && wanted.start.is_none_or(|start| created >= start)
                && wanted.end.is_none_or(|last| end.is_some_and(|end| end <= last));
            *count += u64::from(fits);
        }
        let mut counts: BTreeMap<(String, String), u64> = wanted.flows.iter().map(|name| (name.clone(), 0)).collect();
        for (flow, count) in cx.plan.flows.iter().zip(of_flow) {
            if let Some(count) = count.filter(|count| *count > 0) {
                *counts.entry((flow.namespace.clone(), flow.id.clone())).or_default() += count;
            }
        }
        counts.into_iter().collect()
    }
}

fn wanted(cx: &Context, properties: &Map<String, Json>, render: &mut execution::Render<'_>) -> Result<Wanted, String> {
    let mut list = |key: &str| -> Result<Option<Vec<String>>, String> {
        Ok(match properties.get(key) {
            None | Some(Json::Null) => None,
            Some(Json::Array(items)) => {
                Some(items.iter().filter_map(Json::as_str).map(&mut *render).collect::<Result<_, _>>()?)
            }
            Some(Json::String(text)) => {
                let text = render(text)?;
                Some(serde_json::from_str(&text).map_err(|error| format!("`{text}` is no list: {error}"))?)
            }
            Some(other) => return Err(format!("`{other}` is no list")),
        })
    };
    let (states, namespaces) = (list("states")?.unwrap_or_default(), list("namespaces")?);
    let states = states.iter().map(|name| State::named(name).ok_or_else(|| format!("`{name}` is no state")));
    let states = states.collect::<Result<_, _>>()?;
    let mut date = |key: &str| -> Result<Option<Instant>, String> {
        let Some(text) = properties.get(key).and_then(Json::as_str) else { return Ok(None) };
        let text = render(text)?;
        let date: Timestamp =
            text.trim().parse().map_err(|_| format!("Text '{text}' could not be parsed at index 0"))?;
        Ok(Some(cx.calendar.instant(date)))
    };
    let (start, end) = (date("startDate")?, date("endDate")?);
    let flows = properties.get("flows").and_then(Json::as_array);
    let name =
        |flow: &Json| Some((flow.get("namespace")?.as_str()?.to_owned(), flow.get("flowId")?.as_str()?.to_owned()));
    if flows.is_none() && namespaces.is_none() {
        return Err("You must provide a list of flows or namespaces.".to_owned());
    }
    let expression = properties.get("expression").and_then(Json::as_str).unwrap_or_default().to_owned();
    let flows = flows.into_iter().flatten().filter_map(name).collect();
    Ok(Wanted { flows, namespaces, states, start, end, expression })
}
