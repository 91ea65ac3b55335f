//! What the constraints of Kestra's classes demand: one row a demand. All that are not met are told, a line each.

use super::beans::{Bean, What, beans, items, text, told};
use super::{ALL, Edition, FIRST, In, LAST, MIDDLE, NEW, OLD, Refusal, flow_rules, parse, task_rules};
use crate::document::{Node, Place, Value};
use crate::flow::jackson;
use crate::flow::parts::get;

/// Which objects a row is about.
#[derive(Clone, Copy)]
pub(super) enum On {
    Flow,
    Task,
    /// A task of Kestra's own, by the last part of its type.
    CoreTask(&'static str),
    Trigger,
    CoreTrigger(&'static str),
    Input,
    InputOf(&'static str),
    Output,
    Sla,
    SlaOf(&'static str),
    Concurrency,
    RetryOf(&'static str),
    Preconditions,
    Label,
    Listener,
}

impl On {
    fn is(self, what: What<'_>) -> bool {
        match (self, what) {
            (On::Flow, What::Flow)
            | (On::Task, What::Task(_))
            | (On::Trigger, What::Trigger(_))
            | (On::Input, What::Input(_))
            | (On::Output, What::Output)
            | (On::Sla, What::Sla(_))
            | (On::Concurrency, What::Concurrency)
            | (On::Preconditions, What::Preconditions)
            | (On::Label, What::Label)
            | (On::Listener, What::Listener) => true,
            (On::CoreTask(name), What::Task(_)) | (On::CoreTrigger(name), What::Trigger(_)) => {
                what.core() == Some(name)
            }
            (On::InputOf(name), What::Input(kind))
            | (On::SlaOf(name), What::Sla(kind))
            | (On::RetryOf(name), What::Retry(kind)) => name == kind,
            _ => false,
        }
    }
}

/// What is demanded.
#[derive(Clone, Copy)]
pub(super) enum Demand {
    /// It is there.
    NotNull,
    /// It is there, and no empty text.
    NotBlank,
    /// A list, or a text, that is there and holds something: these words otherwise.
    NotEmpty(&'static str),
    /// An identifier, with these signs behind the first letter or digit.
    Named(&'static str, &'static str),
    /// A namespace.
    Namespace,
    /// So long.
    Size(usize, usize),
    /// A number from this on: these words otherwise.
    Least(f64, &'static str),
    /// What this finds, with what it is about behind the path.
    Own(fn(&Bean<'_>, Edition) -> Vec<Found>),
}

/// Something that is found.
pub(super) struct Found {
    /// What of the object it is about: `.cron`.
    pub(super) behind: &'static str,
    pub(super) words: String,
    pub(super) place: Place,
    pub(super) advice: String,
}

struct Rule {
    on: On,
    of: In,
    key: &'static str,
    demand: Demand,
    /// What to write.
    advice: &'static str,
}

const fn rule(on: On, of: In, key: &'static str, demand: Demand, advice: &'static str) -> Rule {
    Rule { on, of, key, demand, advice }
}

const EMPTY: &str = "must not be empty";
const NO_TASKS: &str = "The 'tasks' property cannot be empty";
const ID: &str = "add for example `id: hello`";
const SOME_TASK: &str = "add `tasks: [ { id: hello, type: io.kestra.plugin.core.log.Log, message: hello } ]`";
const NAMES: &str = "use letters and digits, behind the first also `_` and `-`";
const FLOW_NAMES: &str = "use letters and digits, behind the first also `_`, `-` and `.`";

const RULES: &[Rule] = &[
    rule(On::Flow, ALL, "id", Demand::NotNull, ID),
    rule(On::Flow, ALL, "id", Demand::NotBlank, ID),
    rule(On::Flow, ALL, "id", Demand::Named("._-", "^[a-zA-Z0-9][a-zA-Z0-9._-]*"), FLOW_NAMES),
    rule(On::Flow, ALL, "id", Demand::Size(1, 100), "write at most 100 letters"),
    rule(On::Flow, ALL, "namespace", Demand::NotNull, "add for example `namespace: company.team`"),
    rule(
        On::Flow,
        ALL,
        "namespace",
        Demand::Namespace,
        "use small letters and digits, behind the first also `_`, `-` and `.`",
    ),
    rule(On::Flow, ALL, "namespace", Demand::Size(1, 150), "write at most 150 letters"),
    rule(On::Flow, ALL, "tasks", Demand::NotEmpty(EMPTY), SOME_TASK),
    rule(
        On::Flow,
        ALL,
        "revision",
        Demand::Least(1.0, "must be greater than or equal to 1"),
        "leave it out: the server counts",
    ),
    rule(On::Flow, NEW, "", Demand::Own(labels_of_mapping), ""),
    rule(On::Label, NEW, "", Demand::Own(label), ""),
    rule(On::Task, ALL, "id", Demand::NotNull, ID),
    rule(On::Task, ALL, "id", Demand::NotBlank, ID),
    rule(On::Task, ALL, "id", Demand::Named("_-", "^[a-zA-Z0-9][a-zA-Z0-9_-]*"), NAMES),
    rule(On::Task, FIRST, "", Demand::Own(task_rules::worker_group), ""),
    rule(On::CoreTask("Log"), ALL, "message", Demand::NotNull, "add `message: hello`"),
    rule(On::CoreTask("Sleep"), ALL, "duration", Demand::NotNull, "add `duration: PT5S`"),
    rule(On::CoreTask("If"), LAST, "condition", Demand::NotNull, "add `condition: \"{{ inputs.rows > 0 }}\"`"),
    rule(On::CoreTask("Subflow"), ALL, "namespace", Demand::NotEmpty(EMPTY), "add `namespace: company.team`"),
    rule(On::CoreTask("Subflow"), ALL, "flowId", Demand::NotNull, "add `flowId: other`"),
    rule(On::CoreTask("Switch"), ALL, "value", Demand::NotNull, "add `value: \"{{ inputs.day }}\"`"),
    rule(On::CoreTask("ForEach"), ALL, "values", Demand::NotNull, "add `values: [ 1, 2 ]`"),
    rule(On::CoreTask("ForEach"), NEW, "tasks", Demand::NotEmpty(NO_TASKS), SOME_TASK),
    rule(On::CoreTask("Sequential"), NEW, "tasks", Demand::NotEmpty(NO_TASKS), SOME_TASK),
    rule(On::CoreTask("WorkingDirectory"), ALL, "", Demand::Own(task_rules::working_directory), ""),
    rule(On::CoreTask("Dag"), ALL, "", Demand::Own(task_rules::dag), ""),
    rule(On::CoreTask("Switch"), ALL, "", Demand::Own(task_rules::switch), ""),
    rule(On::Trigger, ALL, "id", Demand::NotNull, ID),
    rule(On::Trigger, ALL, "id", Demand::NotBlank, ID),
    rule(On::Trigger, ALL, "id", Demand::Named("_-", "^[a-zA-Z0-9][a-zA-Z0-9_-]*"), NAMES),
    rule(On::CoreTrigger("Schedule"), ALL, "cron", Demand::NotNull, "add `cron: \"*/5 * * * *\"`"),
    rule(On::CoreTrigger("Schedule"), ALL, "", Demand::Own(task_rules::schedule), ""),
    rule(On::CoreTrigger("Webhook"), ALL, "key", Demand::Size(0, 256), "write at most 256 letters"),
    rule(On::Preconditions, ALL, "id", Demand::NotNull, ID),
    rule(On::Preconditions, ALL, "id", Demand::NotBlank, ID),
    rule(On::Input, ALL, "", Demand::Own(task_rules::input_id), ""),
    rule(On::InputOf("ARRAY"), ALL, "itemType", Demand::NotNull, "add for example `itemType: STRING`"),
    rule(On::InputOf("ARRAY"), ALL, "", Demand::Own(task_rules::array), ""),
    rule(On::InputOf("FILE"), NEW, "", Demand::Own(task_rules::file), ""),
    rule(On::InputOf("STRING"), ALL, "", Demand::Own(task_rules::pattern), ""),
    rule(On::InputOf("SECRET"), ALL, "", Demand::Own(task_rules::pattern), ""),
    rule(On::Output, ALL, "value", Demand::NotNull, "add `value: \"{{ outputs.load.value }}\"`"),
    rule(On::Sla, ALL, "behavior", Demand::NotNull, "add `behavior: FAIL`"),
    rule(On::SlaOf("MAX_DURATION"), ALL, "duration", Demand::NotNull, "add `duration: PT1H`"),
    rule(On::Concurrency, ALL, "limit", Demand::NotNull, "add `limit: 2`"),
    rule(On::Concurrency, FIRST, "limit", Demand::Least(1.0, "must be greater than 0"), "write for example `limit: 2`"),
    rule(
        On::Concurrency,
        NEW,
        "limit",
        Demand::Least(1.0, "must be greater than or equal to 1"),
        "write for example `limit: 2`",
    ),
    rule(On::RetryOf("constant"), ALL, "interval", Demand::NotNull, "add `interval: PT10S`"),
    rule(On::RetryOf("exponential"), ALL, "interval", Demand::NotNull, "add `interval: PT10S`"),
    rule(On::RetryOf("exponential"), ALL, "maxInterval", Demand::NotNull, "add `maxInterval: PT5M`"),
    rule(On::RetryOf("exponential"), ALL, "", Demand::Own(task_rules::intervals), ""),
    rule(On::RetryOf("random"), ALL, "minInterval", Demand::NotNull, "add `minInterval: PT5S`"),
    rule(On::RetryOf("random"), ALL, "maxInterval", Demand::NotNull, "add `maxInterval: PT1M`"),
    rule(On::Listener, ALL, "tasks", Demand::NotEmpty(EMPTY), "add `tasks`, or leave the listener out"),
];

/// What stops the server before it has filled in defaults.
pub(super) fn before_defaults(flow: &Node, edition: Edition) -> Option<Refusal> {
    let refusal = |words: String, node: &Node, advice: &str| {
        Some(Refusal { words, place: node.place.first_line(), advice: advice.to_owned() })
    };
    if CASTS.has(edition)
        && let Some(node) = get(flow, "namespace")
        && let Some(class) = class_of(node)
    {
        let words = format!(
            "class java.lang.{class} cannot be cast to class java.lang.String (java.lang.{class} and java.lang.String are in \
             module java.base of loader 'bootstrap')"
        );
        return refusal(words, node, "write it in quotes");
    }
    let defaults = items(flow, "pluginDefaults").iter().enumerate().filter(|_| OLD.has(edition));
    let invalid = |index: usize, why: &str| format!("pluginDefaults[{index}]: Invalid Plugin Default: {why}");
    for (index, entry) in defaults {
        let Some(values) = get(entry, "values") else {
            let words = match CASTS.has(edition) {
                true => NO_VALUES.to_owned(),
                false => invalid(index, "No 'values' provided"),
            };
            return refusal(words, entry, "add `values: { level: WARN }`");
        };
        if let (Some(kind), Value::Mapping(entries)) = (text(entry, "type"), &values.value)
            && let Some(entry) = entries.iter().find(|entry| parse::unknown(kind, &entry.key, edition))
        {
            let words = invalid(index, &format!("No property '{}' exists in plugin '{kind}'", entry.key));
            return refusal(words, &entry.value, "leave it out");
        }
    }
    None
}

/// The class of a value that is no text.
fn class_of(node: &Node) -> Option<&'static str> {
    match jackson::json(node) {
        serde_json::Value::Bool(_) => Some("Boolean"),
        serde_json::Value::Number(number) if number.is_f64() => Some("Double"),
        serde_json::Value::Number(_) => Some("Integer"),
        _ => None,
    }
}

const NO_VALUES: &str = "Cannot invoke \"java.util.Map.entrySet()\" because the return value of \
                         \"io.kestra.core.models.flows.PluginDefault.getValues()\" is null";

/// Where the flow is a map of anything before it is a flow.
const CASTS: In = MIDDLE;

/// Which demands a flow does not meet.
pub(super) fn refusal(flow: &Node, edition: Edition) -> Option<Refusal> {
    let beans = beans(flow);
    if let Some(found) = beans.iter().find_map(task_rules::of_the_wrong_kind) {
        return Some(Refusal { words: found.words, place: found.place, advice: found.advice });
    }
    unmet(flow, &beans, edition, |_| true)
}

/// Which demands on its inputs, and on the whole of it, a flow does not meet.
pub(super) fn of_inputs(flow: &Node, edition: Edition) -> Option<Refusal> {
    unmet(flow, &beans(flow), edition, |what| matches!(what, What::Input(_)))
}

fn unmet(flow: &Node, beans: &[Bean<'_>], edition: Edition, looks: impl Fn(What<'_>) -> bool) -> Option<Refusal> {
    let mut lines: Vec<(String, Place, String)> = Vec::new();
    for bean in beans.iter().filter(|bean| looks(bean.what)) {
        for rule in RULES.iter().filter(|rule| rule.of.has(edition) && rule.on.is(bean.what)) {
            for found in rule.demand.missed(bean, rule, edition) {
                let raw = matches!(found.behind, task_rules::WORKER_GROUP);
                let path = if raw { bean.path.clone() } else { told(bean, edition) };
                let own = bean.what == What::Flow;
                let behind = if own { found.behind.trim_start_matches('.') } else { found.behind };
                let path = format!("{path}{behind}");
                let colon = if path.is_empty() { "" } else { ": " };
                lines.push((format!("{path}{colon}{}", found.words), found.place, found.advice));
            }
        }
    }
    lines.extend(flow_rules::whole(flow, beans, edition));
    let (_, place, advice) = lines.iter().min_by_key(|(_, place, _)| place.range.start)?;
    let (place, advice) = (place.clone(), advice.clone());
    let words: Vec<String> = lines.into_iter().map(|(words, ..)| words).collect();
    Some(Refusal { words: words.join("\n"), place, advice })
}

impl Demand {
    fn missed(self, bean: &Bean<'_>, rule: &Rule, edition: Edition) -> Vec<Found> {
        let node = get(bean.node, rule.key);
        let written = text(bean.node, rule.key);
        let words = match self {
            Demand::Own(find) => return find(bean, edition),
            Demand::NotNull => node.is_none().then(|| "must not be null".to_owned()),
            Demand::NotBlank => {
                let blank = node.is_none() || written.is_some_and(|text| text.trim().is_empty());
                blank.then(|| "must not be blank".to_owned())
            }
            Demand::NotEmpty(words) => {
                let empty = match node.map(|node| &node.value) {
                    None => true,
                    Some(Value::Sequence(items)) => items.is_empty(),
                    Some(Value::Scalar { text, .. }) => text.is_empty(),
                    Some(_) => false,
                };
                empty.then(|| words.to_owned())
            }
            Demand::Named(others, pattern) => {
                written.filter(|text| !named(text, others, |c| c.is_ascii_alphanumeric())).map(|_| must_match(pattern))
            }
            Demand::Namespace => {
                let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                written.filter(|text| !named(text, "._-", small)).map(|_| must_match("^[a-z0-9][a-z0-9._-]*"))
            }
            Demand::Size(least, most) => written.and_then(|text| {
                let length = text.encode_utf16().count();
                (!(least..=most).contains(&length)).then(|| format!("size must be between {least} and {most}"))
            }),
            Demand::Least(least, words) => {
                let number = node.map(jackson::json).and_then(|number| number.as_f64());
                number.filter(|number| *number < least).map(|_| words.to_owned())
            }
        };
        let place = node.map_or_else(|| bean.node.place.first_line(), |node| node.place.clone());
        let found = |words| Found { behind: behind(rule.key), words, place, advice: rule.advice.to_owned() };
        words.map(found).into_iter().collect()
    }
}

/// A key as it stands behind a path.
fn behind(key: &str) -> &'static str {
    const KEYS: &[(&str, &str)] = &[
        ("id", ".id"),
        ("namespace", ".namespace"),
        ("tasks", ".tasks"),
        ("revision", ".revision"),
        ("message", ".message"),
        ("duration", ".duration"),
        ("condition", ".condition"),
        ("flowId", ".flowId"),
        ("itemType", ".itemType"),
        ("value", ".value"),
        ("values", ".values"),
        ("cron", ".cron"),
        ("key", ".key"),
        ("behavior", ".behavior"),
        ("limit", ".limit"),
        ("interval", ".interval"),
        ("minInterval", ".minInterval"),
        ("maxInterval", ".maxInterval"),
    ];
    KEYS.iter().find(|(known, _)| *known == key).map_or("", |(_, behind)| behind)
}

pub(super) fn must_match(pattern: &str) -> String {
    format!("must match \"{pattern}\"")
}

pub(super) fn named(text: &str, others: &str, letter: impl Fn(char) -> bool) -> bool {
    text.starts_with(&letter) && text.chars().all(|c| letter(c) || others.contains(c))
}

/// Labels that are written as a mapping.
fn labels_of_mapping(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    let Some(Node { value: Value::Mapping(entries), .. }) = get(bean.node, "labels") else { return Vec::new() };
    let each = entries.iter().enumerate();
    each.flat_map(|(index, entry)| {
        let value = match &entry.value.value {
            Value::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        };
        let mut found = label_of(&entry.key, value, &entry.place);
        for found in &mut found {
            found.words = format!("labels[{index}]{}: {}", found.behind, found.words);
            found.behind = "";
        }
        found
    })
    .collect()
}

/// A label of a list.
fn label(bean: &Bean<'_>, _: Edition) -> Vec<Found> {
    text(bean.node, "key").map(|key| label_of(key, text(bean.node, "value"), &bean.node.place)).unwrap_or_default()
}

fn label_of(key: &str, value: Option<&str>, place: &Place) -> Vec<Found> {
    const WORDS: &str = "Invalid label key. A valid key contains only lowercase letters numbers hyphens (-) underscores (_) \
                         or periods (.) and must begin with a lowercase letter.";
    let mut found = Vec::new();
    let good = key.starts_with(char::is_lowercase)
        && key.chars().all(|c| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'));
    let mut add = |behind, words: &str, advice: &str| {
        found.push(Found { behind, words: words.to_owned(), place: place.clone(), advice: advice.to_owned() });
    };
    if !good {
        add(".key", WORDS, "write it in small letters");
    }
    if value == Some("") {
        add(".value", EMPTY, "give it a value, or leave it out");
    }
    found
}
