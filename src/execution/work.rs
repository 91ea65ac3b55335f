//! What a worker makes of a task of Kestra's own: what it puts out, what it logs, whether it fails. Of a plugin's task all
//! that is whoever runs the model's.

use serde_json::{Map, Value as Json};

use crate::flow;
use crate::pebble::truthy;

/// What came of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// What it puts out.
    pub outputs: Map<String, Json>,
    /// What it logs as ERROR before it ends.
    pub logs: Vec<String>,
    /// Why it fails.
    pub error: Option<String>,
    /// It fails because a property could not be worked out.
    pub unsound: bool,
    /// Labels that it gives the execution.
    pub labels: Vec<(String, String)>,
    /// The variables that the execution has from now on.
    pub variables: Option<Map<String, Json>>,
    /// What it logs at a level of its own: the messages of a Log.
    pub says: Vec<String>,
    /// What it says when it fails for another reason: that of a Fail without a condition.
    pub words: Option<String>,
    /// The trigger that it switches.
    pub toggle: Option<Toggle>,
}

/// A trigger that a task switches on or off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toggle {
    /// The namespace of its flow.
    pub namespace: String,
    /// The id of its flow.
    pub flow: String,
    /// Its id.
    pub trigger: String,
    /// Whether it is switched on.
    pub enabled: bool,
}

/// Renders a template of the task.
pub type Render<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// The properties of a task, and how its templates are rendered.
struct Call<'a, 'r> {
    properties: &'a Map<String, Json>,
    /// The variables that the execution has.
    variables: Option<&'a Map<String, Json>>,
    render: &'a mut Render<'r>,
}

/// A type of task.
struct Row {
    /// The last part of its type.
    name: &'static str,
    /// The properties that it renders.
    renders: &'static [&'static str],
    /// Whether what it makes of constants is of any interest.
    matters: Matters,
    run: fn(&mut Call<'_, '_>) -> Result<Done, String>,
}

/// When a task must be worked out whose properties are no templates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matters {
    /// Always.
    Always,
    /// When outputs are read.
    Outputs,
    /// When errors are read.
    Errors,
    /// Never.
    Never,
}

const ROWS: &[Row] = &[
    Row { name: "Return", renders: &["format"], matters: Matters::Outputs, run: returned },
    Row { name: "Echo", renders: &["format"], matters: Matters::Never, run: logged },
    Row { name: "Log", renders: &["message"], matters: Matters::Never, run: logged },
    Row { name: "OutputValues", renders: &["values"], matters: Matters::Outputs, run: values },
    Row { name: "Assert", renders: &["conditions", "errorMessage"], matters: Matters::Always, run: asserted },
    Row { name: "Labels", renders: &["labels"], matters: Matters::Always, run: labels },
    Row { name: "SetVariables", renders: &["variables"], matters: Matters::Always, run: set_variables },
    Row { name: "UnsetVariables", renders: &["variables"], matters: Matters::Always, run: unset_variables },
    Row { name: "Toggle", renders: &["namespace", "flowId", "trigger"], matters: Matters::Always, run: toggle },
    Row { name: "Fail", renders: &["condition", "errorMessage"], matters: Matters::Errors, run: failed },
];

/// What is read of the task runs of a flow: what nobody reads is not worked out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Outputs.
    pub outputs: bool,
    /// What was logged as ERROR.
    pub errors: bool,
}

fn row(kind: &str) -> Option<&'static Row> {
    let name = flow::core(kind)?;
    ROWS.iter().find(|row| row.name == name)
}

/// Whether a task has to be worked out when it runs: it may fail by its properties, or puts out what somebody reads.
pub fn needed(kind: &str, properties: &Map<String, Json>, reads: Reads) -> bool {
    let Some(row) = row(kind) else { return false };
    let conditional = row.name == "Fail" && properties.contains_key("condition");
    let matters = match row.matters {
        Matters::Always => true,
        Matters::Outputs => reads.outputs,
        Matters::Errors => reads.errors || conditional,
        Matters::Never => false,
    };
    matters || row.renders.iter().any(|key| properties.get(*key).is_some_and(has_template))
}

fn has_template(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('{'),
        Json::Array(items) => items.iter().any(has_template),
        Json::Object(map) => map.iter().any(|(key, value)| key.contains('{') || has_template(value)),
        _ => false,
    }
}

/// What a task comes to; none of a type that is a plugin's, or does nothing that anybody sees.
pub fn work(
    kind: &str,
    properties: &Map<String, Json>,
    variables: Option<&Map<String, Json>>,
    render: &mut Render<'_>,
) -> Option<Done> {
    let row = row(kind)?;
    let done = (row.run)(&mut Call { properties, variables, render });
    Some(done.unwrap_or_else(|error| Done { error: Some(error), unsound: true, ..Done::default() }))
}

impl Call<'_, '_> {
    /// A property as a text; numbers and truth values as they are written.
    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.properties.get(key) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => (self.render)(text).map(Some),
            Some(other) => Ok(Some(other.to_string())),
        }
    }
}

/// A Toggle: of its own flow when it names none (source).
fn toggle(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let namespace = call.text("namespace")?.map_or_else(|| (call.render)("{{ flow.namespace }}"), Ok)?;
    let flow = call.text("flowId")?.map_or_else(|| (call.render)("{{ flow.id }}"), Ok)?;
    let trigger = call.text("trigger")?.unwrap_or_default();
    let enabled = match call.properties.get("enabled") {
        Some(Json::String(text)) => text == "true",
        enabled => enabled == Some(&Json::Bool(true)),
    };
    Ok(Done { toggle: Some(Toggle { namespace, flow, trigger, enabled }), ..Done::default() })
}

/// A value with its texts rendered, keys too: as deep as a file may be, at most.
///
/// # Errors
/// The first that cannot be rendered.
pub fn deep(value: &Json, render: &mut Render<'_>) -> Result<Json, String> {
    Ok(match value {
        Json::String(text) => render(text)?.into(),
        Json::Array(items) => items.iter().map(|item| deep(item, render)).collect::<Result<_, _>>()?,
        Json::Object(map) => Json::Object(deep_map(map, render)?),
        other => other.clone(),
    })
}

/// The same of a mapping.
///
/// # Errors
/// The first that cannot be rendered.
pub fn deep_map(map: &Map<String, Json>, render: &mut Render<'_>) -> Result<Map<String, Json>, String> {
    map.iter().map(|(key, value)| Ok((render(key)?, deep(value, render)?))).collect()
}

fn returned(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let value = call.text("format")?.map(|value| ("value".to_owned(), value.into()));
    Ok(Done { outputs: value.into_iter().collect(), ..Done::default() })
}

fn logged(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let mut says = Vec::new();
    for key in SAYS {
        if let Some(value) = call.properties.get(key) {
            says.extend(texts(&deep(value, call.render)?));
        }
    }
    Ok(Done { says, ..Done::default() })
}

/// The properties of a Log, and of an Echo, that say what is logged.
const SAYS: [&str; 2] = ["message", "format"];

/// What a Log logs whose properties are no templates.
pub fn messages(properties: &Map<String, Json>) -> Vec<String> {
    SAYS.iter().filter_map(|key| properties.get(*key)).flat_map(texts).collect()
}

/// One text, or several.
fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::Array(items) => items.iter().flat_map(texts).collect(),
        Json::String(text) => vec![text.clone()],
        Json::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

fn values(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let values = match call.properties.get("values") {
        Some(values) => deep(values, call.render)?,
        None => Json::Null,
    };
    let outputs = Some(values).filter(|it| !it.is_null()).map(|values| ("values".to_owned(), values));
    Ok(Done { outputs: outputs.into_iter().collect(), ..Done::default() })
}

/// Each condition is looked at; those that do not hold, or cannot be rendered, fail.
fn asserted(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let conditions = match call.properties.get("conditions") {
        Some(Json::Array(conditions)) => conditions.as_slice(),
        _ => &[],
    };
    let mut logs = Vec::new();
    for condition in conditions {
        let template = condition.as_str().map_or_else(|| condition.to_string(), str::to_owned);
        match (call.render)(&template) {
            Ok(text) if truthy(&text) => {}
            Ok(_) => logs.push(format!("Assertion `{template}` failed!")),
            Err(error) => logs.push(format!("Assertion `{template}` failed, failed to render `{error}`")),
        }
    }
    if logs.is_empty() {
        return Ok(Done::default());
    }
    let more = call.text("errorMessage")?.map_or_else(String::new, |text| format!("\n{text}"));
    let error = format!("{} assertion{} failed!{more}", logs.len(), if logs.len() > 1 { "s" } else { "" });
    Ok(Done { logs, error: Some(error), ..Done::default() })
}

/// A mapping, a list of keys and values, or a text that is a mapping in JSON.
fn labels(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let given = match call.properties.get("labels") {
        Some(Json::String(text)) => {
            let text = (call.render)(text)?;
            let map = serde_json::from_str::<Map<String, Json>>(&text);
            map.map_err(|error| format!("`{text}` is no mapping of labels: {error}"))?.into_iter().collect()
        }
        Some(Json::Array(items)) => {
            let pair = |item: &Json| Some((item.get("key")?.as_str()?.to_owned(), item.get("value")?.clone()));
            let pairs = items.iter().map(|item| pair(item).ok_or_else(|| format!("`{item}` is no label")));
            pairs.collect::<Result<Vec<_>, _>>()?
        }
        Some(Json::Object(map)) => map.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        Some(other) => return Err(format!("`{other}` is no labels")),
        None => Vec::new(),
    };
    let mut labels = Vec::new();
    for (key, value) in given {
        let key = (call.render)(&key)?;
        let value = match deep(&value, call.render)? {
            Json::String(text) => text,
            other => other.to_string(),
        };
        if key.starts_with("system.") {
            return Err(format!("System labels can only be set by Kestra itself, offending label: {key}={value}"));
        }
        labels.push((key, value));
    }
    Ok(Done { labels, ..Done::default() })
}

fn set_variables(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let given = match call.properties.get("variables") {
        Some(given) => deep(given, call.render)?,
        None => Json::Null,
    };
    let mut variables = call.variables.cloned().unwrap_or_default();
    let keeps = call.text("overwrite")?.is_some_and(|text| !truthy(&text));
    for (key, value) in given.as_object().into_iter().flatten() {
        if keeps && variables.contains_key(key) {
            return Err(format!("the variable `{key}` is there, and `overwrite` is false"));
        }
        variables.insert(key.clone(), value.clone());
    }
    Ok(Done { variables: Some(variables), ..Done::default() })
}

fn unset_variables(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let given = match call.properties.get("variables") {
        Some(given) => deep(given, call.render)?,
        None => Json::Null,
    };
    let mut variables = call.variables.cloned().unwrap_or_default();
    let lenient = call.text("ignoreMissing")?.is_some_and(|text| truthy(&text));
    for key in given.as_array().into_iter().flatten().filter_map(Json::as_str) {
        if variables.shift_remove(key).is_none() && !lenient {
            return Err(format!("there is no variable `{key}`"));
        }
    }
    Ok(Done { variables: Some(variables), ..Done::default() })
}

fn failed(call: &mut Call<'_, '_>) -> Result<Done, String> {
    let condition = call.text("condition")?;
    if condition.as_deref().is_some_and(|text| !truthy(text)) {
        return Ok(Done::default());
    }
    let words = call.text("errorMessage")?.unwrap_or_else(|| "Task failure".to_owned());
    Ok(match condition {
        Some(_) => Done { logs: vec![words], error: Some("Fail on a condition".to_owned()), ..Done::default() },
        None => Done { words: Some(words), ..Done::default() },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(kind: &str, properties: Json) -> Option<Done> {
        let Json::Object(properties) = properties else { return None };
        let mut render = |text: &str| match text {
            "{{ bad }}" => Err("Unable to find `bad`".to_owned()),
            text => Ok(text.replace("{{ x }}", "7").replace("{{ no }}", "false")),
        };
        work(&format!("io.kestra.plugin.core.{kind}"), &properties, None, &mut render)
    }

    #[test]
    fn a_task_comes_to_what_its_properties_say() {
        let outputs = |kind, properties| run(kind, properties).map(|it| Json::Object(it.outputs));
        assert_eq!(outputs("debug.Return", json!({ "format": "a{{ x }}" })), Some(json!({ "value": "a7" })));
        assert_eq!(outputs("debug.Return", json!({})), Some(json!({})));
        let values = json!({ "values": { "a": "{{ x }}", "b": [ 1, "{{ x }}" ] } });
        let expected = json!({ "values": { "a": "7", "b": [ 1, "7" ] } });
        assert_eq!(outputs("output.OutputValues", values), Some(expected));
        assert_eq!(run("flow.If", json!({})), None, "it is no work");
        let error = |kind, properties| run(kind, properties).and_then(|it| it.error);
        assert_eq!(error("log.Log", json!({ "message": ["a", "{{ bad }}"] })).as_deref(), Some("Unable to find `bad`"));
        assert_eq!(error("log.Log", json!({ "message": "{{ x }}" })), None);
        assert_eq!(error("execution.Fail", json!({ "condition": "{{ no }}" })), None);
        assert_eq!(error("execution.Fail", json!({ "condition": true })).as_deref(), Some("Fail on a condition"));
        let two = json!({ "conditions": ["{{ x }}", "{{ no }}", "{{ bad }}"], "errorMessage": "see {{ x }}" });
        let done = run("execution.Assert", two).unwrap_or_default();
        assert_eq!(done.error.as_deref(), Some("2 assertions failed!\nsee 7"));
        assert_eq!(done.logs[0], "Assertion `{{ no }}` failed!");
        let fail = run("execution.Fail", json!({ "errorMessage": "boom" })).unwrap_or_default();
        assert_eq!((fail.error, fail.words.as_deref()), (None, Some("boom")));
    }

    #[test]
    fn what_nobody_reads_and_cannot_fail_is_not_worked_out() {
        let all = Reads { outputs: true, errors: true };
        let none = Reads::default();
        for (kind, properties, always, read) in [
            ("debug.Return", json!({ "format": "v" }), false, true),
            ("debug.Return", json!({ "format": "{{ v }}" }), true, true),
            ("log.Log", json!({ "message": "hi" }), false, false),
            ("execution.Fail", json!({}), false, true),
            ("execution.Fail", json!({ "condition": false }), true, true),
            ("execution.Assert", json!({ "conditions": ["1"] }), true, true),
            ("flow.Sleep", json!({ "duration": "{{ x }}" }), false, false),
        ] {
            let Json::Object(properties) = properties else { continue };
            let kind = format!("io.kestra.plugin.core.{kind}");
            assert_eq!(needed(&kind, &properties, none), always, "{kind} {properties:?}");
            assert_eq!(needed(&kind, &properties, all), read, "{kind} {properties:?}");
        }
    }
}
