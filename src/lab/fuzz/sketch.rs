//! A scenario as it is drawn and made smaller: few words, of which the text of a file is made.

use serde_json::Value as Json;

use crate::random::{Seed, Stream, name_key};
use crate::scenario::{NoFiles, Plan, any_entry, read};
use crate::time::Duration;

/// A scenario before it is a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sketch {
    name: String,
    kestra: String,
    pub(super) duration: Duration,
    /// Roles with how many members they have; threads of workers.
    members: Vec<(&'static str, u64)>,
    threads: u64,
    flows: Vec<FlowSketch>,
    /// Entries of the timeline, as a file has them.
    pub(super) faults: Vec<Json>,
}

/// A flow: what starts it, what it does, how long that takes.
#[derive(Clone, Debug, PartialEq)]
struct FlowSketch {
    id: String,
    /// Each minute, each five; by somebody over the API when it is none.
    cron: Option<&'static str>,
    /// Executions a minute.
    rate: u64,
    tasks: u64,
    median: u64,
    p99: u64,
    /// At most so many executions at once.
    concurrency: Option<u64>,
}

/// Drawn of a list.
fn one<T: Copy>(stream: &mut Stream, of: &[T], otherwise: T) -> T {
    of.get(stream.below(of.len() as u64) as usize).copied().unwrap_or(otherwise)
}

impl FlowSketch {
    fn drawn(number: u64, stream: &mut Stream) -> FlowSketch {
        let cron = one(stream, &[Some("* * * * *"), Some("*/5 * * * *"), None], None);
        let median = one(stream, &[1, 5, 10, 30], 5);
        FlowSketch {
            id: format!("flow-{number}"),
            cron,
            rate: one(stream, &[1, 6, 20], 6),
            tasks: 1 + stream.below(3),
            median,
            p99: median * one(stream, &[1, 3], 1),
            concurrency: one(stream, &[None, None, None, Some(2), Some(5)], None),
        }
    }

    /// How many of its tasks run at once, about.
    fn load(&self) -> f64 {
        let rate = match self.cron {
            Some("* * * * *") => 1.0,
            Some(_) => 0.2,
            None => self.rate as f64,
        };
        rate / 60.0 * self.tasks as f64 * (self.median + self.p99) as f64 / 2.0
    }

    /// It with less to do, as much as there are threads for, and as its own limit lets through.
    fn fitting(mut self, free: f64) -> FlowSketch {
        let steps: [fn(&mut FlowSketch); 4] =
            [|it| it.tasks = 1, |it| it.p99 = it.median, |it| it.rate = 1, |it| (it.median, it.p99) = (1, 1)];
        for step in steps {
            if self.load() > free {
                step(&mut self);
            }
        }
        self.concurrency = self.concurrency.filter(|limit| self.load() < *limit as f64 / 2.0);
        self
    }

    fn write(&self, out: &mut [Vec<String>; 3]) {
        let tasks = (1..=self.tasks)
            .map(|number| format!("      - {{ id: task-{number}, type: io.kestra.plugin.scripts.shell.Commands }}"));
        let mut lines = vec![format!("  - id: {}", self.id), "    namespace: company.team".to_owned()];
        lines.extend(self.concurrency.map(|limit| format!("    concurrency: {{ limit: {limit} }}")));
        lines.extend(self.cron.map(|cron| {
            let kind = "io.kestra.plugin.core.trigger.Schedule";
            format!("    triggers:\n      - {{ id: schedule, type: {kind}, cron: \"{cron}\" }}")
        }));
        lines.push("    tasks:".to_owned());
        lines.extend(tasks);
        let [flows, behaviour, arrivals] = out;
        flows.push(lines.join("\n"));
        let lasts = match self.p99 > self.median {
            true => format!("{{ median: {}s, p99: {}s }}", self.median, self.p99),
            false => format!("{}s", self.median),
        };
        behaviour.push(format!("  - {{ flow: {}, duration: {lasts} }}", self.id));
        if self.cron.is_none() {
            arrivals.push(format!("  - {{ flow: {}, rate: {}/min }}", self.id, self.rate));
        }
    }
}

/// Roles that a cluster needs, each alone.
const NEEDED: &[&str] = &["webserver", "executor", "scheduler", "worker"];

impl Sketch {
    /// The one of a number: the same with the same seed. What nothing can be done to has no faults.
    pub(super) fn drawn(seed: u64, number: u64, kestra: &str) -> Sketch {
        let mut stream = Seed(seed).numbered(name_key("fuzz"), number);
        let stream = &mut stream;
        let members = match stream.below(4) {
            0 => vec![("standalone", 1)],
            _ => {
                let mut members: Vec<(&str, u64)> =
                    NEEDED.iter().map(|role| (*role, 1 + u64::from(stream.below(3) == 0))).collect();
                members.iter_mut().filter(|(role, _)| *role == "worker").for_each(|it| it.1 += stream.below(2));
                members.extend((stream.below(3) == 0).then_some(("indexer", 1)));
                members
            }
        };
        let threads = one(stream, &[2, 8], 8);
        let workers = members.iter().find(|(role, _)| *role == "worker").map_or(1, |(_, count)| *count);
        // When all is well, half of the threads are idle.
        let mut free = workers as f64 * threads as f64 / 2.0;
        let mut flows = Vec::new();
        for number in 1..=1 + stream.below(3) {
            let flow = FlowSketch::drawn(number, stream).fitting(free);
            free -= flow.load();
            flows.push(flow);
        }
        let mut sketch = Sketch {
            name: format!("fuzz-{seed}-{number}"),
            kestra: kestra.to_owned(),
            duration: Duration::minutes(60),
            members,
            threads,
            flows,
            faults: Vec::new(),
        };
        if let Some(plan) = sketch.plan() {
            let faults = 1 + stream.below(3);
            sketch.faults = (0..faults).filter_map(|_| any_entry(&plan, &mut |below| stream.below(below))).collect();
            sketch.faults.sort_by_key(|fault| span(fault, "at"));
        }
        sketch
    }

    /// The same to which nothing is done.
    pub(super) fn healthy(&self) -> Sketch {
        Sketch { faults: Vec::new(), ..self.clone() }
    }

    /// The text of its file.
    pub(super) fn text(&self) -> String {
        let member = |(role, count): &(&str, u64)| match *role {
            "worker" | "standalone" if self.threads != 8 || *count != 1 => {
                format!("{role}: {{ count: {count}, threads: {} }}", self.threads)
            }
            role => format!("{role}: {count}"),
        };
        let members: Vec<String> = self.members.iter().map(member).collect();
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        self.flows.iter().for_each(|flow| flow.write(&mut lists));
        let mut text = format!(
            "name: {}\nkestra: \"{}\"\nduration: {}\ncluster:\n  members: {{ {} }}\n",
            self.name,
            self.kestra,
            self.duration,
            members.join(", ")
        );
        let mut list = |key: &str, items: &[String]| {
            if !items.is_empty() {
                text += &format!("{key}:\n{}\n", items.join("\n"));
            }
        };
        for (key, items) in ["flows", "behaviour", "arrivals"].iter().zip(&lists) {
            list(key, items);
        }
        let faults = self.faults.iter().map(|fault| format!("  - {}", crate::scenario::plain(fault)));
        list("timeline", &faults.collect::<Vec<_>>());
        text
    }

    /// It as it is read; none when that cannot be, as when the member is gone that something is done to.
    pub(super) fn plan(&self) -> Option<Plan> {
        read(&format!("{}.yaml", self.name), &self.text(), &NoFiles).0
    }

    /// All that is a little smaller, what makes most of a difference first.
    pub(super) fn smaller(&self) -> Vec<Sketch> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Sketch)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            if smaller != *self {
                all.push(smaller);
            }
        };
        if self.faults.len() > 1 {
            (0..self.faults.len()).for_each(|at| with(&|it| drop(it.faults.remove(at))));
        }
        if self.flows.len() > 1 {
            (0..self.flows.len()).for_each(|at| with(&|it| drop(it.flows.remove(at))));
        }
        with(&|it| it.members.retain(|(role, _)| NEEDED.contains(role) || *role == "standalone"));
        with(&|it| it.members.iter_mut().for_each(|(_, count)| *count = 1));
        for at in 0..self.members.len() {
            with(&|it| it.members.iter_mut().skip(at).take(1).for_each(|(_, count)| *count = (*count - 1).max(1)));
        }
        with(&|it| it.threads = 8);
        for at in 0..self.flows.len() {
            let mut flow = |change: &dyn Fn(&mut FlowSketch)| {
                with(&|it| it.flows.iter_mut().skip(at).take(1).for_each(change));
            };
            flow(&|it| it.tasks = 1);
            flow(&|it| it.concurrency = None);
            flow(&|it| it.p99 = it.median);
            flow(&|it| it.median = 5);
            flow(&|it| it.cron = it.cron.map(|_| "* * * * *"));
            flow(&|it| it.rate = 6);
        }
        for at in 0..self.faults.len() {
            with(&|it| set(it.faults.get_mut(at), "for", None));
            for (key, value) in [("for", "5m"), ("for", "10m"), ("for", "20m"), ("at", "5m"), ("at", "10m")] {
                with(&|it| set(it.faults.get_mut(at), key, Some(value)));
            }
        }
        for minutes in [20, 30, 40] {
            let duration = Duration::minutes(minutes);
            if duration < self.duration {
                with(&|it| it.duration = duration);
            }
        }
        all
    }
}

/// Sets when a fault begins or how long it lasts, to less than it was; with no value it says nothing of how long.
fn set(fault: Option<&mut Json>, key: &str, value: Option<&str>) {
    let Some(fault) = fault else { return };
    let is = span(fault, key);
    let Some(fault) = fault.as_object_mut() else { return };
    match value {
        Some(value) if value.parse().ok() < is => _ = fault.insert(key.to_owned(), value.into()),
        None => _ = fault.shift_remove(key),
        _ => {}
    }
}

/// A time that a fault says.
fn span(fault: &Json, key: &str) -> Option<Duration> {
    fault.get(key)?.as_str()?.parse().ok()
}
