//! The webserver's own traffic: requests that create executions, as a Poisson process.

use super::Simulation;
use super::event::Event;
use super::meters::{Meter, Subject};
use crate::profile::Role;
use crate::random::{Seed, Stream, name_key, noise};
use crate::time::{Duration, Instant};

/// The process behind one entry of `arrivals`. Each gap is drawn as a share of the mean gap, so that a changed rate
/// stretches the same sequence instead of drawing another one.
#[derive(Clone, Debug)]
pub(super) struct ArrivalProcess {
    draws: Stream,
    /// What is left of the current gap, in mean gaps.
    left: f64,
    rate: f64,
    since: Instant,
    generation: u32,
}

impl ArrivalProcess {
    pub(super) fn new(seed: Seed, index: usize, name: &str, rate: f64, now: Instant) -> ArrivalProcess {
        let mut draws = seed.numbered(name_key(name) ^ name_key("arrivals"), index as u64);
        let left = draws.exponential();
        ArrivalProcess { draws, left, rate, since: now, generation: 0 }
    }

    /// From now on there are `rate` arrivals a second.
    pub(super) fn change_rate(&mut self, now: Instant, rate: f64) {
        self.left = (self.left - self.rate * now.since(self.since).as_seconds_f64()).max(0.0);
        (self.rate, self.since) = (rate, now);
        self.generation += 1;
    }
}

impl Simulation {
    /// Plans the next arrival of a process.
    pub(super) fn plan_arrival(&mut self, index: usize) {
        let process = &self.arrivals[index];
        if process.rate > 0.0 {
            let at = process.since + Duration::from_seconds_f64(process.left / process.rate);
            let generation = process.generation;
            self.events.push(at, Event::Arrival { arrivals: index as u32, generation });
        }
    }

    /// Somebody asks for an execution.
    pub(super) fn arrive(&mut self, index: usize, generation: u32) {
        let now = self.now;
        let process = &mut self.arrivals[index];
        if process.generation != generation {
            return;
        }
        (process.left, process.since) = (process.draws.exponential(), now);
        process.generation += 1;
        self.plan_arrival(index);
        let Some((flow, webhook)) = self.plan.arrivals.get(index).map(|it| (it.flow as u32, it.webhook)) else {
            return;
        };
        let number = self.flows[flow as usize].next_number();
        let Some(webserver) = self.pick(Role::Webserver, number) else {
            self.truth.lost_requests += 1;
            return;
        };
        let slowdown = self.database.slowdown().unwrap_or(1.0);
        let spread = 0.5 + noise(self.flows[flow as usize].key, number);
        self.create(webserver, flow, number, None, 0);
        self.write_logs(webserver, 1);
        // Whoever creates an execution over the API looks at it once; who calls a webhook does not.
        let requests: &[(usize, u64)] = if webhook { &[(8, 20)] } else { &[(0, 24), (1, 9)] };
        for &(route, milliseconds) in requests {
            let time = Duration::milliseconds(milliseconds).times(spread * slowdown);
            self.time(webserver, Meter::HttpRequest, Subject::Route(route), time);
        }
        let it = &mut self.members[webserver];
        it.http_requests += requests.len() as u64;
        it.log_info += 1;
        it.jvm.work(1.2e6, 0.012, now);
    }
}
