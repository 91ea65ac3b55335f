//! Executions that people and programs ask webservers for, as Poisson processes.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::behaviour::Place;
use super::checks;
use super::cluster::Cluster;
use super::context::Context;
use super::entries::EntryAbout;
use super::event::Event;
use super::executor::Executor;
use super::happening::Happening;
use super::inputs;
use super::lines::LineAbout;
use super::meters::{Meter, Subject};
use super::origin::Origin;
use crate::flow::{CheckBehavior, Trigger, TriggerAction};
use crate::profile::{LineKind, Role};
use crate::random::{Seed, Stream, name_key, noise};
use crate::time::{Duration, Instant};

/// All entries of `arrivals`.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    processes: Vec<ArrivalProcess>,
}

/// The process behind one entry of `arrivals`. Each gap is drawn as a share of the mean gap, so that a changed rate
/// stretches the same sequence instead of drawing another one.
#[derive(Clone, Debug)]
struct ArrivalProcess {
    draws: Stream,
    /// What is left of the current gap, in mean gaps.
    left: f64,
    rate: f64,
    since: Instant,
    generation: u32,
    /// People were told that its inputs are refused.
    told: bool,
}

impl ArrivalProcess {
    fn new(seed: Seed, index: usize, name: &str, rate: f64, now: Instant) -> ArrivalProcess {
        let mut draws = seed.numbered(name_key(name) ^ name_key("arrivals"), index as u64);
        let left = draws.exponential();
        ArrivalProcess { draws, left, rate, since: now, generation: 0, told: false }
    }

    /// From now on there are `rate` arrivals a second.
    fn change_rate(&mut self, now: Instant, rate: f64) {
        self.left = (self.left - self.rate * now.since(self.since).as_seconds_f64()).max(0.0);
        (self.rate, self.since) = (rate, now);
        self.generation += 1;
    }

    /// One arrives now.
    fn arrive(&mut self, now: Instant) {
        (self.left, self.since) = (self.draws.exponential(), now);
        self.generation += 1;
    }

    /// When the next one arrives.
    fn next(&self) -> Option<Instant> {
        (self.rate > 0.0).then(|| self.since + Duration::from_seconds_f64(self.left / self.rate))
    }
}

impl Traffic {
    pub(super) fn new(cx: &Context) -> Traffic {
        let processes = cx.plan.arrivals.iter().enumerate().map(|(index, arrivals)| {
            let name = cx.plan.flows.get(arrivals.flow).map_or("", |flow| flow.id.as_str());
            ArrivalProcess::new(cx.seed, index, name, arrivals.rate, cx.born)
        });
        Traffic { processes: processes.collect() }
    }

    /// Plans the first arrivals.
    pub(super) fn begin(&self, cx: &mut Context) {
        (0..self.processes.len()).for_each(|index| self.plan_arrival(cx, index));
    }

    fn plan_arrival(&self, cx: &mut Context, index: usize) {
        let process = &self.processes[index];
        if let Some(at) = process.next() {
            let generation = process.generation;
            cx.events.push(at, Event::Arrival { arrivals: index as u32, generation });
        }
    }

    /// From now on there are so many arrivals a second of an entry.
    pub(super) fn change_rate(&mut self, cx: &mut Context, index: usize, rate: f64) {
        if self.processes[index].rate != rate {
            self.processes[index].change_rate(cx.now, rate);
            self.plan_arrival(cx, index);
        }
    }

    /// Somebody asks for an execution.
    pub(super) fn arrive(
        &mut self,
        cx: &mut Context,
        cluster: &mut Cluster,
        executor: &mut Executor,
        index: usize,
        generation: u32,
    ) {
        let process = &mut self.processes[index];
        if process.generation != generation {
            return;
        }
        process.arrive(cx.now);
        self.plan_arrival(cx, index);
        let plan = Arc::clone(&cx.plan);
        let Some(arrivals) = plan.arrivals.get(index) else { return };
        let (flow, webhook) = (arrivals.flow as u32, arrivals.webhook);
        let trigger = if webhook { called(cx, arrivals.flow) } else { None };
        let origin = (trigger.is_some() || !arrivals.inputs.is_empty()).then(|| {
            let inputs = arrivals.inputs.clone();
            Arc::new(Origin { inputs, trigger, ..Origin::default() })
        });
        let way = if webhook { Way::Webhook } else { Way::Api };
        if let Err(why) = ask(cx, cluster, executor, flow, way, origin)
            && !std::mem::replace(&mut self.processes[index].told, true)
        {
            cx.tell(Happening::Asked { deed: "arrivals", flow: flow as usize, executions: 0, why: Some(why.into()) });
        }
    }
}

/// The place of the webhook of a flow that is called.
fn webhook(cx: &Context, flow: usize) -> Option<usize> {
    let is_webhook = |it: &Trigger| matches!(it.action, TriggerAction::Webhook) && !it.disabled;
    cx.plan.flows.get(flow)?.triggers.iter().position(is_webhook)
}

/// The variables of a webhook that is called, as its `behaviour` says them.
fn called(cx: &Context, flow: usize) -> Option<Map<String, Json>> {
    let trigger = webhook(cx, flow)?;
    cx.flows.get(flow)?.outputs.get(&Place::Trigger(trigger as u32)).map(|it| it.as_ref().clone())
}

/// What an execution is started with that a webhook starts: with the inputs that it gives, if it gives any.
///
/// # Errors
/// What is wrong with them: none starts.
fn with_given(cx: &mut Context, flow: u32, origin: Option<Arc<Origin>>) -> Result<Option<Arc<Origin>>, String> {
    let plan = Arc::clone(&cx.plan);
    let of = webhook(cx, flow as usize).and_then(|at| plan.flows.get(flow as usize)?.triggers.get(at));
    let Some(gives) = of.map(|it| &it.gives.inputs).filter(|it| !it.is_empty()) else { return Ok(origin) };
    let inputs = inputs::of_webhook(cx, flow, gives, origin.as_ref().and_then(|it| it.trigger.as_ref()))?;
    inputs::keep_secret(cx, flow, &inputs);
    let origin = origin.map_or_else(Origin::default, |origin| Origin::clone(&origin));
    Ok(Some(Arc::new(Origin { inputs, ..origin })))
}

/// How somebody asks for an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Api,
    Webhook,
}

/// What an execution is started with over the API, its inputs as they are declared.
///
/// # Errors
/// What is wrong with them: none starts.
fn with_inputs(cx: &mut Context, flow: u32, origin: Option<Arc<Origin>>) -> Result<Option<Arc<Origin>>, String> {
    let declares = cx.flows.get(flow as usize).is_some_and(|flow| flow.declares);
    let given = origin.as_ref().map_or_else(Map::new, |origin| origin.inputs.clone());
    if !declares && given.is_empty() {
        return Ok(origin);
    }
    let inputs = inputs::resolved(cx, flow, &given)?;
    inputs::keep_secret(cx, flow, &inputs);
    let origin = origin.map_or_else(Origin::default, |origin| Origin::clone(&origin));
    Ok(Some(Arc::new(Origin { inputs, ..origin })))
}

/// Somebody asks a webserver for an execution.
///
/// # Errors
/// What it says of inputs that are not as the flow declares them.
pub(super) fn ask(
    cx: &mut Context,
    cluster: &mut Cluster,
    executor: &mut Executor,
    flow: u32,
    way: Way,
    origin: Option<Arc<Origin>>,
) -> Result<(), String> {
    let number = cx.next_number(flow);
    let Some(webserver) = cluster.pick(cx, Role::Webserver, number) else {
        cx.truth.lost_requests += 1;
        return Ok(());
    };
    let origin = match way {
        Way::Api => with_inputs(cx, flow, origin)?,
        Way::Webhook => with_given(cx, flow, origin)?,
    };
    let failed = match way {
        Way::Api => checks::failed(cx, flow, origin.as_deref()).map(|failed| failed.behavior),
        Way::Webhook => None,
    };
    if failed == Some(CheckBehavior::Block) {
        return Ok(());
    }
    let origin = match failed {
        Some(CheckBehavior::Fail) => {
            let given = origin.map(|origin| Origin::clone(&origin)).unwrap_or_default();
            Some(Arc::new(Origin { checked: true, ..given }))
        }
        _ => origin,
    };
    let spread = 0.5 + noise(cx.flow_key(flow), number);
    if let Some(origin) = origin {
        let own = cx.plan.flows.get(flow as usize).map_or(&[][..], |flow| &flow.labels);
        let given = |key: &str| origin.labels.iter().any(|(given, _)| given == key);
        let labels = own.iter().filter(|(key, _)| !given(key)).chain(&origin.labels).cloned().collect();
        executor.origins.insert((flow, number), Arc::new(Origin { labels, ..Origin::clone(&origin) }));
    }
    executor.create(cx, cluster, webserver, (flow, number), (None, 0));
    cluster.write_logs(cx, webserver, (flow, cx.profile.log_entries().asked), |_| EntryAbout::Asked { number });
    // Whoever creates an execution over the API looks at it once; who calls a webhook does not.
    let requests: &[(usize, u64)] = match way {
        Way::Webhook => &[(8, 20)],
        Way::Api => &[(0, 24), (1, 9)],
    };
    for &(route, milliseconds) in requests {
        let time = Duration::milliseconds(milliseconds).times(spread * cx.slowdown());
        cluster.time(cx, webserver, Meter::HttpRequest, Subject::Route(route), time);
        // Each of them (recorded: 0.20.7 roles/webserver/active, 14 lines of 14 requests).
        let about = LineAbout::Request { flow, number, route, took: time };
        cluster.log(cx, webserver, LineKind::Request, about);
    }
    if let Some(process) = &mut cluster.members[webserver].process {
        process.http_requests += requests.len() as u64;
        process.jvm.work(1.2e6, 0.012, cx.now);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Instant {
        Instant::START + Duration::seconds(n)
    }

    /// The gaps of a process, in seconds, whose rate is set to `rate` at an instant between two arrivals.
    fn arrivals(rate: f64, changed: Option<(Instant, f64)>) -> Vec<f64> {
        let mut process = ArrivalProcess::new(Seed(1), 0, "f", rate, second(0));
        let mut changed = changed;
        let mut times = Vec::new();
        while times.len() < 200 {
            let Some(at) = process.next() else { break };
            if let Some((when, rate)) = changed.filter(|(when, _)| *when < at) {
                process.change_rate(when, rate);
                changed = None;
                continue;
            }
            process.arrive(at);
            times.push(at.since(second(0)).as_seconds_f64());
        }
        times
    }

    #[test]
    fn arrivals_come_at_their_rate() {
        let last = arrivals(2.0, None)[199];
        assert!((80.0..125.0).contains(&last), "200 arrivals at 2/s in {last} s");
        assert!(arrivals(0.0, None).is_empty());
    }

    #[test]
    fn a_changed_rate_stretches_the_same_sequence() {
        let plain = arrivals(1.0, None);
        let doubled = arrivals(1.0, Some((second(0), 2.0)));
        for (one, other) in plain.iter().zip(&doubled) {
            assert!((one - 2.0 * other).abs() < 1e-6, "{one} {other}");
        }
        assert!(arrivals(1.0, Some((second(10), 0.0))).iter().all(|at| *at <= 10.0));
    }
}
