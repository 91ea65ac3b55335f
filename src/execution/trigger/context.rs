//! What templates of Flow triggers see. It is built when the first template asks for it.

use std::cell::OnceCell;

use serde_json::{Map, Value as Json, json};

use super::start::merge;
use super::upstream::{TaskRun, Upstream};
use super::{Failure, Own, Surroundings};
use crate::flow::trigger::{Dialect, Era};
use crate::pebble::{self, Host, Side, Template};

/// What a trigger is asked about.
#[derive(Clone, Copy)]
pub(super) enum Woken<'a> {
    /// An execution that has changed its state.
    By(&'a Upstream<'a>),
    /// A date of a Schedule, and no execution.
    At {
        /// The variables of `trigger`.
        trigger: &'a Map<String, Json>,
        /// They are those of `schedule` too.
        twice: bool,
    },
}

impl<'a> Woken<'a> {
    /// The execution.
    pub(super) fn execution(self) -> Result<&'a Upstream<'a>, Failure> {
        match self {
            Woken::By(upstream) => Ok(upstream),
            Woken::At { .. } => Err(Failure::new("Invalid condition with null execution")),
        }
    }
}

/// Renders the templates of one trigger for one execution, or one date.
pub(super) struct Templates<'a> {
    own: &'a Own,
    woken: Woken<'a>,
    around: &'a Surroundings<'a>,
    dialect: Dialect,
    templates: &'static pebble::Dialect,
    /// Whose `flow` it is: conditions of 2.0 see the flow of the execution.
    upstream_flow: bool,
    built: OnceCell<Map<String, Json>>,
    with_outputs: OnceCell<Map<String, Json>>,
}

impl<'a> Templates<'a> {
    /// For conditions.
    pub(super) fn new(
        own: &'a Own,
        woken: Woken<'a>,
        around: &'a Surroundings<'a>,
        dialect: Dialect,
        templates: &'static pebble::Dialect,
    ) -> Templates<'a> {
        let upstream_flow = dialect.era == Era::DependsOn;
        let (built, with_outputs) = (OnceCell::new(), OnceCell::new());
        Templates { own, woken, around, dialect, templates, upstream_flow, built, with_outputs }
    }

    /// For the inputs and labels of the new execution: `flow` is that of the trigger.
    pub(super) fn of_own_flow(self) -> Templates<'a> {
        Templates { upstream_flow: false, built: OnceCell::new(), with_outputs: OnceCell::new(), ..self }
    }

    /// A text, rendered where it is a template.
    pub(super) fn text(&self, text: &str) -> Result<String, Failure> {
        match text.contains('{') {
            true => self.render(text, self.built.get_or_init(|| self.build())),
            false => Ok(text.to_owned()),
        }
    }

    /// The same where `trigger.outputs` are the outputs of the execution.
    pub(super) fn text_with_outputs(&self, text: &str, outputs: &Map<String, Json>) -> Result<String, Failure> {
        if !text.contains('{') {
            return Ok(text.to_owned());
        }
        let context = self.with_outputs.get_or_init(|| {
            let mut context = self.built.get_or_init(|| self.build()).clone();
            let trigger = context.entry("trigger").or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(trigger) = trigger {
                trigger.insert("outputs".into(), Json::Object(outputs.clone()));
            }
            context
        });
        self.render(text, context)
    }

    fn render(&self, text: &str, context: &Map<String, Json>) -> Result<String, Failure> {
        let host = Host { side: Side::Executor, ..self.around.host.clone() };
        let render = |template: &Template| template.render(context, &host).map_err(|error| Failure::of(&error));
        match self.own.parsed.get(text) {
            Some(template) => template.as_ref().map_err(Failure::clone).and_then(render),
            // A text that a template gave.
            None => {
                Template::parse(text, self.templates).map_err(|error| Failure::of(&error)).and_then(|it| render(&it))
            }
        }
    }

    fn build(&self) -> Map<String, Json> {
        let own = || (self.own.id.as_str(), self.own.namespace.as_str(), 1, self.own.variables.as_ref());
        let (id, namespace, revision, own) = match self.woken {
            Woken::By(upstream) if self.upstream_flow => {
                (upstream.flow, upstream.namespace, upstream.revision, upstream.variables)
            }
            _ => own(),
        };
        let mut context = self.around.base.clone();
        context.insert("flow".into(), json!({ "id": id, "namespace": namespace, "revision": revision }));
        match self.woken {
            Woken::By(upstream) => context.extend(variables(upstream, self.dialect)),
            Woken::At { trigger, twice } => {
                context.insert("trigger".into(), trigger.clone().into());
                if twice {
                    context.insert("schedule".into(), trigger.clone().into());
                }
            }
        }
        if let Some(own) = own {
            context.insert("vars".into(), own.clone().into());
        }
        context
    }
}

/// What every template of an execution may ask of it: `execution`, `labels`, `outputs`, `tasks`, `inputs` and `trigger`.
pub fn variables(upstream: &Upstream<'_>, dialect: Dialect) -> Map<String, Json> {
    let mut context = Map::new();
    context.insert("execution".into(), execution(upstream, dialect).into());
    let labels = upstream.label_tree(|_| true);
    if !labels.is_empty() {
        context.insert("labels".into(), labels.into());
    }
    let runs = upstream.task_runs.unwrap_or_default();
    context.insert("outputs".into(), outputs(runs, dialect).into());
    context.insert("tasks".into(), states(runs).into());
    if !upstream.inputs.is_empty() {
        context.insert("inputs".into(), upstream.inputs.clone().into());
    }
    if let Some(trigger) = &upstream.trigger {
        context.insert("trigger".into(), trigger.variables.clone().into());
        if trigger.schedule && dialect.schedule {
            context.insert("schedule".into(), trigger.variables.clone().into());
        }
    }
    context
}

fn execution(upstream: &Upstream<'_>, dialect: Dialect) -> Map<String, Json> {
    let mut execution = Map::new();
    execution.insert("id".into(), upstream.id.into());
    if dialect.state_text {
        execution.insert("state".into(), upstream.state.name().into());
    }
    execution.insert("startDate".into(), instant(upstream.start).into());
    execution.insert("originalId".into(), upstream.original.unwrap_or(upstream.id).into());
    if let Some(outputs) = upstream.outputs.filter(|_| dialect.execution_outputs) {
        execution.insert("outputs".into(), outputs.clone().into());
    }
    if let Some(end) = upstream.end.filter(|_| dialect.dates) {
        execution.insert("endDate".into(), instant(end).into());
    }
    execution
}

/// A date as templates and variables have it: micros, as far as there are any.
pub fn instant(at: jiff::Timestamp) -> String {
    let micros = jiff::Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
    match micros.subsec_nanosecond() {
        0 => format!("{micros:.0}"),
        nanos if nanos % 1_000_000 == 0 => format!("{micros:.3}"),
        _ => format!("{micros:.6}"),
    }
}

/// The state of each task run, by its task, and by its value where it has one.
fn states(runs: &[TaskRun<'_>]) -> Map<String, Json> {
    let mut tree = Map::new();
    for run in runs {
        merge(&mut tree, &below(run.task, run.value.iter().copied(), json!({ "state": run.state.name() })));
    }
    tree
}

/// The outputs of each task run, by its task, and by the values of those that hold it and its own where there are any.
fn outputs(runs: &[TaskRun<'_>], dialect: Dialect) -> Map<String, Json> {
    let (mut tree, nothing) = (Map::new(), Map::new());
    for run in runs {
        let Some(outputs) = run.outputs.or(dialect.outputs_of_all.then_some(&nothing)) else { continue };
        let values = run.within.iter().map(String::as_str).chain(run.value);
        merge(&mut tree, &below(run.task, values, outputs.clone().into()));
    }
    tree
}

/// Something below a task, and below each of some values.
fn below<'v>(task: &str, values: impl DoubleEndedIterator<Item = &'v str>, what: Json) -> Map<String, Json> {
    let one = |key: &str, value: Json| Map::from_iter([(key.to_owned(), value)]);
    one(task, values.rev().fold(what, |what, value| one(value, what).into()))
}
