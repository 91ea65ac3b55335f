//! The variables of a template that an execution itself knows of.

use serde_json::{Map, Value as Json, json};

use super::Dialect;
use super::engine::{Execution, TaskRun};
use super::tree::Tree;
use crate::time::Instant;

/// How whoever drives an execution writes what an execution knows by number.
pub struct Naming<'a> {
    /// The id of a task run.
    pub id: &'a dyn Fn(u32) -> String,
    /// A date.
    pub date: &'a dyn Fn(Instant) -> String,
}

impl Execution {
    /// What a template sees that is worked out for a task run: `task`, `taskrun`, `parent` and `parents`.
    pub fn variables(&self, (tree, dialect): (&Tree, &Dialect), run: u32, naming: &Naming<'_>) -> Map<String, Json> {
        let mut variables = Map::new();
        let Some(it) = self.run(run) else { return variables };
        if let Some(node) = tree.node(it.node) {
            variables.insert("task".into(), json!({ "id": node.id, "type": node.kind }));
        }
        variables.insert("taskrun".into(), self.taskrun(it, run, naming));
        let parents = self.parents(it, tree, dialect);
        if let Some(parent) = parents.first() {
            variables.insert("parent".into(), parent.clone());
        }
        variables.insert("parents".into(), Json::Array(parents));
        variables
    }

    /// The value that a task run is for, as a template sees it: a text.
    pub fn value_of(&self, run: &TaskRun) -> Option<String> {
        let values = &self.values.get(&run.parent)?;
        values.get(run.value as usize).map(|value| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// The values of the task runs that hold a task run, the outermost first.
    pub fn values_around(&self, run: &TaskRun) -> Vec<String> {
        let mut values: Vec<String> = self.holders(run).filter_map(|it| self.value_of(it)).collect();
        values.reverse();
        values
    }

    fn taskrun(&self, run: &TaskRun, number: u32, naming: &Naming<'_>) -> Json {
        let mut shown = Map::new();
        shown.insert("id".into(), (naming.id)(number).into());
        shown.insert("startDate".into(), (naming.date)(run.created).into());
        // The count is that of attempts that have ended or run.
        shown.insert("attemptsCount".into(), json!(run.attempt.saturating_sub(1)));
        if self.run(run.parent).is_some() {
            shown.insert("parentId".into(), (naming.id)(run.parent).into());
        }
        if let Some(value) = self.value_of(run) {
            shown.insert("value".into(), value.into());
        }
        if run.iteration > 0 {
            shown.insert("iteration".into(), run.iteration.into());
        }
        Json::Object(shown)
    }

    /// The task runs that hold it, the nearest first.
    fn holders<'e>(&'e self, run: &TaskRun) -> impl Iterator<Item = &'e TaskRun> {
        std::iter::successors(self.run(run.parent), |it| self.run(it.parent))
    }

    /// What is shown of the task runs that hold it, the nearest first.
    fn parents(&self, run: &TaskRun, tree: &Tree, dialect: &Dialect) -> Vec<Json> {
        let numbers = std::iter::successors(Some(run.parent), |it| self.run(*it).map(|it| it.parent));
        let shown = numbers.map_while(|number| Some((number, self.run(number)?))).map(|(number, it)| {
            let mut shown = Map::new();
            if dialect.parents_named {
                let id = tree.node(it.node).map_or("", |node| node.id.as_str());
                shown.insert("task".into(), json!({ "id": id }));
            }
            if let Some(value) = self.value_of(it) {
                shown.insert("taskrun".into(), json!({ "value": value }));
            }
            if let Some(outputs) = self.outputs.get(&number).filter(|_| !dialect.parents_named) {
                shown.insert("outputs".into(), Json::Object(outputs.as_ref().clone()));
            }
            shown
        });
        // Before 2.0 those are left out that have nothing to show (templates.context.*.json).
        shown.filter(|shown| !shown.is_empty()).map(Json::Object).collect()
    }
}
