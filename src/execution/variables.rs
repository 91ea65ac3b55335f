//! The variables of a template that an execution itself knows of.

use serde_json::{Map, Value as Json, json};

use super::engine::{Execution, TaskRun};
use super::tree::Tree;

impl Execution {
    /// What a template sees that is worked out for a task run: `taskrun`, `task`, `parent`, `parents`, `tasks` and the state
    /// of `execution`.
    pub fn variables(&self, tree: &Tree, run: u32) -> Map<String, Json> {
        let mut variables = Map::new();
        variables.insert("execution".into(), json!({ "state": self.state.name() }));
        if let Some(it) = self.run(run) {
            if let Some(node) = tree.node(it.node) {
                variables.insert("task".into(), json!({ "id": node.id, "type": node.kind }));
            }
            variables.insert("taskrun".into(), self.taskrun(it));
            let parents = self.parents(it);
            if let Some(parent) = parents.first() {
                variables.insert("parent".into(), parent.clone());
                variables.insert("parents".into(), Json::Array(parents));
            }
        }
        variables.insert("tasks".into(), Json::Object(self.states(tree)));
        variables
    }

    /// The value that a task run is for, as a template sees it: a text.
    pub fn value_of(&self, run: &TaskRun) -> Option<String> {
        let values = &self.values.iter().find(|(parent, _)| *parent == run.parent)?.1;
        values.get(run.value as usize).map(|value| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    fn taskrun(&self, run: &TaskRun) -> Json {
        // The count is that of attempts that have ended or run.
        let mut shown = Map::new();
        shown.insert("attemptsCount".into(), json!(run.attempt.saturating_sub(1)));
        if let Some(value) = self.value_of(run) {
            shown.insert("value".into(), value.into());
        }
        Json::Object(shown)
    }

    /// The task runs that hold it, the nearest first.
    fn parents(&self, run: &TaskRun) -> Vec<Json> {
        std::iter::successors(self.run(run.parent), |it| self.run(it.parent))
            .map(|it| json!({ "taskrun": self.taskrun(it) }))
            .collect()
    }

    /// The states of its task runs, by task, and by value where there are values.
    fn states(&self, tree: &Tree) -> Map<String, Json> {
        let mut states: Map<String, Json> = Map::new();
        for run in &self.runs {
            let Some(node) = tree.node(run.node) else { continue };
            let state = json!({ "state": run.state.name() });
            match self.value_of(run) {
                None => drop(states.insert(node.id.clone(), state)),
                Some(value) => {
                    let by_value = states.entry(node.id.clone()).or_insert_with(|| json!({}));
                    if let Json::Object(by_value) = by_value {
                        by_value.insert(value, state);
                    }
                }
            }
        }
        states
    }
}
