//! Faults in words, for the journal and for what `check` prints.

use std::fmt::Write;

use super::{DatabaseFault, Fault, Plan, RateChange, TaskSelector};

impl Fault {
    /// What it does, as a short phrase: `kill worker-1`, `database refused`.
    pub fn sentence(&self, plan: &Plan) -> String {
        let names = |members: &[usize]| {
            let names: Vec<&str> = members
                .iter()
                .filter_map(|member| plan.cluster.members.get(*member))
                .map(|it| it.name.as_str())
                .collect();
            names.join(", ")
        };
        match self {
            Fault::Kill(members) => format!("kill {}", names(members)),
            Fault::Stop(members) => format!("stop {}", names(members)),
            Fault::Start(members) => format!("start {}", names(members)),
            Fault::Restart(members) => format!("restart {}", names(members)),
            Fault::Hang(members) => format!("hang {}", names(members)),
            Fault::Database(DatabaseFault::Refused) => "database refused".into(),
            Fault::Database(DatabaseFault::Stalled) => "database stalled".into(),
            Fault::Database(DatabaseFault::ShutDown) => "database shut down".into(),
            Fault::Database(DatabaseFault::Slow(times)) => format!("database {times}x slower"),
            Fault::Arrivals { flow, change } => {
                let of = flow.and_then(|flow| plan.flows.get(flow));
                let of = of.map_or("all flows".to_owned(), |flow| format!("{}.{}", flow.namespace, flow.id));
                match change {
                    RateChange::Rate(rate) => format!("arrivals of {of}: {}/min", round(rate * 60.0)),
                    RateChange::Times(times) => format!("arrivals of {of}: {times} times as many"),
                }
            }
            Fault::TaskDuration { select, times } => format!("{} take {times} times as long", tasks(select)),
            Fault::TaskFailures { select, share } => format!("{}% of {} fail", round(share * 100.0), tasks(select)),
            Fault::HeapLeak { members, rate } => {
                format!("heap of {} leaks {} MiB/s", names(members), round(rate / 1_048_576.0))
            }
            Fault::GcPause { members, pause } => format!("garbage collection stops {} for {pause}", names(members)),
            Fault::DiskFull(members) => format!("disk of {} is full", names(members)),
            Fault::Deadlock(members) => format!("deadlock in {}", names(members)),
        }
    }
}

/// Three digits after the point are enough for people.
fn round(value: f64) -> f64 {
    libm::round(value * 1000.0) / 1000.0
}

fn tasks(select: &TaskSelector) -> String {
    let mut text = String::from("tasks");
    for (name, value) in
        [("task", &select.task), ("type", &select.kind), ("flow", &select.flow), ("namespace", &select.namespace)]
    {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(text, " of {name} {value}");
        }
    }
    text
}
