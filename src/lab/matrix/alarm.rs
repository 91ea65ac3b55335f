//! Which messages of flows are alarms: those that are sent because something has failed. All others are a flow's ordinary work.

use std::collections::BTreeSet;

use crate::notify;
use crate::report::MessageLine;
use crate::scenario::Plan;

/// The tasks of a scenario that send alarms: each flow's name and the task's id.
pub(super) struct Alarms(BTreeSet<(String, String)>);

impl Alarms {
    pub(super) fn of(plan: &Plan) -> Alarms {
        let missed: Vec<(String, String)> =
            plan.flows.iter().flat_map(|flow| &flow.slas).flat_map(|sla| sla.labels.clone()).collect();
        let tasks = plan.flows.iter().filter(|flow| !flow.disabled).flat_map(|flow| {
            let tasks = flow.tasks_on_failure(&missed).into_iter();
            let telling = tasks.filter(|task| notify::sends(&task.kind, &task.properties));
            telling.map(|task| (flow.name(), task.id.clone())).collect::<Vec<_>>()
        });
        Alarms(tasks.collect())
    }

    pub(super) fn has(&self, line: &MessageLine) -> bool {
        self.0.iter().any(|(flow, task)| *flow == line.flow && *task == line.task)
    }

    /// The flows that have one, each once.
    pub(super) fn flows(&self) -> BTreeSet<&str> {
        self.0.iter().map(|(flow, _)| flow.as_str()).collect()
    }
}
