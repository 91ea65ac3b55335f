//! Templates that always fail, or ask what is not simulated.

use serde_json::{Map, json};

use super::reach::{Candidate, Candidates, constant};
use super::{Standing, Trap, key};
use crate::document::{Place, Reading, nearest};
use crate::flow::trigger::{Condition, Dialect, Era, FlowTrigger, add_texts};
use crate::flow::{Flow, TriggerAction};
use crate::notify;
use crate::pebble::{self, Host, Kind, Template, truthy};
#[cfg(feature = "server")]
use crate::scenario::Plan;

/// Variables that templates of a Schedule may ask for: there is no execution yet.
const ALWAYS: &[&str] = &["flow", "trigger", "labels", "vars", "envs", "globals"];

/// What there is besides where there is an execution: that which wakes a Flow trigger, or that of a task.
const OF_EXECUTION: &[&str] = &["execution", "outputs", "tasks", "inputs"];

/// What there is besides for a task. The last ones Kestra has in places that are not simulated: no reason to say that a
/// template always fails.
const OF_TASK: &[&str] = &["task", "taskrun", "parent", "parents", "item", "loop", "addSecretConsumer"];

/// The variables that templates may ask for, of a version.
fn known(dialect: Dialect, more: &[&[&'static str]]) -> Vec<&'static str> {
    let versions = [("kestra", dialect.kestra), ("schedule", dialect.schedule)];
    let of_version = versions.into_iter().filter(|(_, there)| *there).map(|(name, _)| name);
    ALWAYS.iter().chain(more.iter().copied().flatten()).copied().chain(of_version).collect()
}

/// What of `trigger` a Schedule has when its `inputs` and `labels` are rendered.
const OF_TRIGGER: &[&str] = &["id", "type"];

/// What is wrong with a template.
enum Wrong {
    /// It always fails, with these words.
    Fails(String),
    /// It asks what is not simulated.
    Unsupported(String),
}

fn wrong(text: &str, known: &[&str], language: &'static pebble::Dialect) -> Option<Wrong> {
    if constant(text) {
        return None;
    }
    let template = match Template::parse(text, language) {
        Ok(template) => template,
        Err(error) if error.kind() == Kind::Engine => return Some(Wrong::Fails(error.to_string())),
        Err(error) => return Some(Wrong::Unsupported(error.to_string())),
    };
    if let Some(what) = template.unsupported().into_iter().next() {
        return Some(Wrong::Unsupported(what));
    }
    let needs = template.needs();
    let unknown = needs.variables.iter().find(|(name, _)| !known.contains(&name.as_str()));
    let words = unknown.map(|(name, _)| match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no variable `{name}`; did you mean `{near}`?"),
        None => format!("there is no variable `{name}`"),
    })?;
    Some(Wrong::Fails(words))
}

/// Looks at the templates of a trigger.
pub(super) fn of_trigger(trap: &mut Trap<'_, '_>, language: &'static pebble::Dialect) {
    let trigger = trap.trigger;
    let conditions: Vec<&str> = trigger.limits.conditions.iter().flat_map(Condition::texts).collect();
    let parts: Vec<(&str, Vec<&str>, &str)> = match &trigger.action {
        TriggerAction::Flow(rule) => of_rule(rule, trap.asking.dialect.rendered),
        TriggerAction::Schedule(_) => {
            let mut inputs = Vec::new();
            trigger.gives.inputs.values().for_each(|value| add_texts(value, &mut inputs));
            let labels = trigger.gives.labels.iter().map(|(_, value)| value.as_str()).collect();
            vec![
                ("conditions", conditions, "each date makes an execution that is FAILED from the start"),
                (
                    "when",
                    trigger.limits.when.as_deref().into_iter().collect(),
                    "each date makes an execution that is FAILED from the start",
                ),
                ("inputs", inputs, "no execution starts"),
                ("labels", labels, "the label is left out"),
            ]
        }
        _ => return,
    };
    let scheduled = matches!(trigger.action, TriggerAction::Schedule(_));
    let known = known(trap.asking.dialect, if scheduled { &[] } else { &[OF_EXECUTION] });
    for (part, texts, then) in parts {
        let place = trap.at(part);
        for text in texts {
            match wrong(text, &known, language) {
                Some(Wrong::Fails(words)) => fails(trap, &place, (part, text), &words, then),
                Some(Wrong::Unsupported(what)) => {
                    let what = format!("not simulated: {what} in `{part}` of {}", trap.name());
                    trap.warn(&place, what, "here it fails");
                }
                None if scheduled => no_dates(trap, &place, (part, text), then, language),
                None => {}
            }
        }
    }
}

/// The templates of a Flow trigger, by its keys, each with what becomes of one that fails.
fn of_rule(rule: &FlowTrigger, rendered: bool) -> Vec<(&'static str, Vec<&str>, &'static str)> {
    let mut inputs = Vec::new();
    rule.inputs.iter().flat_map(Map::values).for_each(|value| add_texts(value, &mut inputs));
    // Before 0.23 most texts are no templates.
    let conditions = if rendered { rule.conditions.iter().flat_map(Condition::texts).collect() } else { Vec::new() };
    vec![
        ("conditions", conditions, "its condition never holds"),
        ("when", rule.when.as_deref().into_iter().collect(), "it never fires"),
        ("dependsOn", rule.depends_on.iter().filter_map(|it| it.when.as_deref()).collect(), "its entry is never met"),
        ("inputs", inputs, "its execution does not start, or fails at once"),
        ("labels", rule.labels.iter().map(|(_, value)| value.as_str()).collect(), "the label is left out"),
    ]
}

fn fails(trap: &mut Trap<'_, '_>, place: &Place, (part, text): (&str, &str), words: &str, then: &str) {
    let what = format!("a template in `{part}` of {} always fails, so {then}: {words}", trap.name());
    trap.warn(place, what, format!("look at `{}`", short(text)));
}

/// What a Schedule asks of its dates where there are none yet.
fn no_dates(
    trap: &mut Trap<'_, '_>,
    place: &Place,
    (part, text): (&str, &str),
    then: &str,
    language: &'static pebble::Dialect,
) {
    let dates: &[&str] = match part {
        // The scheduler asks first, and it knows no more than the date that is due.
        "conditions" | "when" => &["date"],
        "labels" if trap.asking.dialect.labels_see_dates => return,
        _ => OF_TRIGGER,
    };
    let Ok(template) = Template::parse(text, language) else { return };
    let needs = template.needs();
    let missing = needs.variables.iter().find_map(|(name, part)| {
        let part = part.as_deref().filter(|part| name == "trigger" && !dates.contains(part))?;
        Some(part.to_owned())
    });
    if let Some(missing) = missing {
        let words = format!("`trigger.{missing}` is not known there, only {}", listed(dates));
        fails(trap, place, (part, text), &words, then);
    }
}

fn listed(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("`trigger.{part}`")).collect::<Vec<_>>().join(" and ")
}

fn short(text: &str) -> String {
    /// Letters of a template that are shown.
    const SHOWN: usize = 80;
    let line: String = text.trim().chars().take(SHOWN).map(|c| if c == '\n' { ' ' } else { c }).collect();
    if line.len() < text.trim().len() { format!("{line}...") } else { line }
}

/// Looks at the templates of the tasks of a flow that tell somebody something: one that fails loses the message. What is
/// not simulated of them was told.
pub(super) fn of_tasks(
    flow: &Flow,
    standing: &Standing,
    (dialect, language): (Dialect, &'static pebble::Dialect),
    reading: &mut Reading,
) {
    let known = known(dialect, &[OF_EXECUTION, OF_TASK]);
    for task in flow.all_tasks().into_iter().filter(|task| !task.disabled) {
        if !notify::sends(&task.kind, &task.properties) {
            continue;
        }
        let mut texts = Vec::new();
        task.properties.values().for_each(|value| add_texts(value, &mut texts));
        let found = texts.into_iter().find_map(|text| match wrong(text, &known, language)? {
            Wrong::Fails(words) => Some((text, words)),
            Wrong::Unsupported(_) => None,
        });
        if let Some((text, words)) = found {
            let what = format!(
                "a template of the task `{}` of {} always fails, so nobody is told: {words}",
                task.id,
                flow.name()
            );
            let place = standing.place_of(&task.id, text);
            reading.warning(&place, what, format!("look at `{}`", short(text)));
        }
    }
}

/// The executions for which `when` of 2.0 may give something that is true; none, which is told, when it cannot.
pub(super) fn when<'p>(
    trap: &mut Trap<'p, '_>,
    rule: &'p FlowTrigger,
    candidates: Candidates<'p, '_>,
    language: &'static pebble::Dialect,
) -> Option<Vec<Candidate<'p>>> {
    debug_assert!(trap.asking.dialect.era == Era::DependsOn);
    let Some(text) = &rule.when else { return Some(candidates.met(rule, |_| true)) };
    let Some(template) = decidable(text, language) else { return Some(candidates.met(rule, |_| true)) };
    let host = Host::at(jiff::Timestamp::UNIX_EPOCH);
    let holds = |of: &Candidate<'p>| {
        let variables = json!({
            "flow": { "id": of.flow.id, "namespace": of.flow.namespace, "revision": 1 },
            "execution": { "state": of.state.name() },
        });
        let variables = variables.as_object().cloned().unwrap_or_default();
        // What fails here for want of something else is not known.
        template.render(&variables, &host).map_or(true, |text| truthy(&text))
    };
    let met = candidates.met(rule, holds);
    if met.is_empty() {
        let place =
            trap.node.and_then(|node| key(node, "when")).map_or_else(|| trap.place.clone(), |it| it.place.first_line());
        let why = format!("`when` holds for no other flow here in a state at which it wakes: `{}`", short(text));
        trap.cannot(
            &place,
            &why,
            "compare `flow.namespace`, `flow.id` and `execution.state` with those that there are",
        );
        return None;
    }
    Some(met)
}

/// A template that asks for nothing but which flow was executed and how it ended.
fn decidable(text: &str, language: &'static pebble::Dialect) -> Option<Template> {
    let template = Template::parse(text, language).ok()?;
    // What is asked in a case only would not be seen.
    let plain = !text.contains("{%") && !text.contains('?');
    let needs = template.needs();
    let asks = |(name, part): &(String, Option<String>)| match (name.as_str(), part.as_deref()) {
        ("flow", Some(part)) => matches!(part, "id" | "namespace" | "revision"),
        ("execution", part) => part == Some("state"),
        _ => false,
    };
    let others =
        ["labels", "outputs", "tasks", "inputs", "trigger", "vars", "envs", "globals", "kestra", "now", "secret"];
    let hidden = others.iter().any(|word| text.contains(word));
    (plain && !hidden && template.unsupported().is_empty() && needs.variables.iter().all(asks)).then_some(template)
}

/// The texts of a trigger that may be templates.
#[cfg(feature = "server")]
fn texts_of(trigger: &crate::flow::Trigger) -> Vec<&str> {
    let mut texts: Vec<&str> = trigger.limits.conditions.iter().flat_map(Condition::texts).collect();
    texts.extend(trigger.limits.when.as_deref());
    trigger.gives.inputs.values().for_each(|value| add_texts(value, &mut texts));
    texts.extend(trigger.gives.labels.iter().map(|(_, value)| value.as_str()));
    if let TriggerAction::Flow(rule) = &trigger.action {
        texts.extend(rule.texts());
    }
    texts
}

/// The secrets that templates of triggers, and of tasks that tell somebody something, ask for and nobody gives, each with who
/// asks. Those of flows that the scenario expects never to succeed are meant to be missing.
#[cfg(feature = "server")]
pub fn missing_secrets(plan: &Plan) -> Vec<(String, String)> {
    let Some(language) = pebble::Dialect::named(plan.kestra.language().name()) else { return Vec::new() };
    let has = |secret: &str| plan.secrets.names().any(|name| name.eq_ignore_ascii_case(secret));
    let mut missing: Vec<(String, String)> = Vec::new();
    let meant = |flow: usize| plan.expectations.iter().any(|it| it.is_never(flow, Some(crate::flow::State::Success)));
    for (_, flow) in plan.flows.iter().enumerate().filter(|(index, flow)| !flow.disabled && !meant(*index)) {
        let triggers = flow.triggers.iter().filter(|trigger| !trigger.disabled);
        let mut asking: Vec<(String, Vec<&str>)> =
            triggers.map(|it| (format!("the trigger `{}` of {}", it.id, flow.name()), texts_of(it))).collect();
        let tasks = flow.all_tasks().into_iter().filter(|task| !task.disabled);
        for task in tasks.filter(|task| notify::sends(&task.kind, &task.properties)) {
            let mut texts = Vec::new();
            task.properties.values().for_each(|value| add_texts(value, &mut texts));
            asking.push((format!("the task `{}` of {}", task.id, flow.name()), texts));
        }
        for (who, texts) in asking {
            let templates = texts.into_iter().filter_map(|text| Template::parse(text, language).ok());
            for secret in templates.flat_map(|template| template.needs().secrets).filter(|secret| !has(secret)) {
                if !missing.contains(&(secret.clone(), who.clone())) {
                    missing.push((secret, who.clone()));
                }
            }
        }
    }
    missing
}
