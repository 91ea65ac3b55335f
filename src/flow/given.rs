//! Inputs that somebody gives for what is declared: those of a flow, and of a Pause.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::typed::{Wrong, allowed, typed};

/// Renders a template that sees these inputs.
pub type RenderSeeing<'a> = dyn FnMut(&str, &Map<String, Json>) -> Result<String, String> + 'a;

/// How a version tells what is wrong with an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputWords {
    /// As violations of a constraint, with the value (source of 0.20).
    Violations,
    /// By the cause, without the value (source of 1.3 and 2.0). An input also counts as not asked for when one that it depends
    /// on has no value.
    #[default]
    Causes,
}

/// What somebody gives, as it is declared: each as one of its type, and what nobody gave as its `defaults` say. An input that
/// is not required and has no value is null; one whose `dependsOn` does not hold is not there, nor is one that is not declared
/// (source).
///
/// # Errors
/// What Kestra says of the first that it refuses.
pub fn given(
    declared: &[Json],
    given: &Map<String, Json>,
    words: InputWords,
    render: &mut RenderSeeing<'_>,
) -> Result<Map<String, Json>, String> {
    let declared: Vec<Declared<'_>> = declared.iter().filter_map(Declared::new).collect();
    let mut known: BTreeMap<&str, Option<Json>> = BTreeMap::new();
    let mut wrong: BTreeMap<usize, String> = BTreeMap::new();
    for at in in_order(&declared) {
        let Some(input) = declared.get(at) else { continue };
        if known.contains_key(input.id) {
            continue;
        }
        let value = match value(input, given.get(input.id), &known, words, render) {
            Ok(value) => value,
            Err(why) => {
                wrong.insert(at, why);
                None
            }
        };
        known.insert(input.id, value);
    }
    if let Some((_, why)) = wrong.pop_first() {
        return Err(why);
    }
    let mut inputs = Map::new();
    for (id, value) in known {
        if let Some(value) = value {
            nest(&mut inputs, id, value);
        }
    }
    Ok(inputs)
}

/// What can be said of inputs without working out a template: the name of each that is not as it is declared, if it has one,
/// and why.
pub fn refused(declared: &[Json], given: &Map<String, Json>, words: InputWords) -> Vec<(String, String)> {
    let declared = declared.iter().filter_map(Declared::new);
    let plain = declared.filter(|input| input.of("dependsOn").is_none() && input.of("expression").is_none());
    let wrong = plain.filter_map(|input| {
        let usual = given.get(input.id).is_none_or(Json::is_null);
        // What its defaults come to is asked where their templates are.
        if usual && (input.of("defaults").is_some() || input.of("autoSelectFirst").is_some()) {
            return None;
        }
        let render = &mut |text: &str, _: &Map<String, Json>| Ok(text.to_owned());
        let why = value(&input, given.get(input.id), &BTreeMap::new(), words, render).err()?;
        Some((input.id.to_owned(), why))
    });
    wrong.collect()
}

/// Whether an input of the type SECRET is declared.
pub fn secretive(declared: &[Json]) -> bool {
    declared.iter().filter_map(Declared::new).any(|input| input.is_secret())
}

/// The values of inputs of the type SECRET, as texts.
pub fn secret_inputs<'v>(declared: &[Json], inputs: &'v Map<String, Json>) -> Vec<&'v str> {
    let value = |id: &str| {
        let mut keys = id.split('.');
        // A key may have points in it, as long as nobody has put it where they lead.
        inputs.get(id).or_else(|| {
            let outer = inputs.get(keys.next()?)?;
            keys.try_fold(outer, |at, key| at.get(key))
        })
    };
    let secret =
        declared.iter().filter_map(Declared::new).filter(Declared::is_secret).filter_map(|input| value(input.id));
    let texts = secret.flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
    texts.filter_map(Json::as_str).filter(|text| !text.is_empty()).collect()
}

/// The first input of the type SECRET to which a Webhook gives a value, and why no execution starts then: the webserver takes
/// it for one that is encrypted, before it has rendered any (issue 15088 of Kestra, of 1.3.2; source of 1.3 and 2.0).
pub fn unsealed(declared: &[Json], gives: &Map<String, Json>) -> Option<(String, String)> {
    let mut secret = declared.iter().filter_map(Declared::new).filter(|input| input.kind == "SECRET");
    let (id, class) = secret.find_map(|input| {
        let class = match gives.get(input.id)? {
            Json::Null => return None,
            Json::String(_) => "String",
            Json::Bool(_) => "Boolean",
            Json::Number(number) if number.is_f64() => "Double",
            Json::Number(_) => "Integer",
            Json::Array(_) | Json::Object(_) => "",
        };
        Some((input.id, class))
    })?;
    let why = match class {
        "" => format!("what it gives for the SECRET input `{id}` is not encrypted"),
        class => format!(
            "class java.lang.{class} cannot be cast to class java.util.Map (java.lang.{class} and java.util.Map are in \
             module java.base of loader 'bootstrap')"
        ),
    };
    Some((id.to_owned(), why))
}

/// An input as it is declared.
struct Declared<'d> {
    id: &'d str,
    kind: &'d str,
    source: &'d Json,
}

impl<'d> Declared<'d> {
    fn new(source: &'d Json) -> Option<Declared<'d>> {
        let of = |key: &str| source.get(key).and_then(Json::as_str);
        // `name` is an old word for it.
        let id = of("id").or_else(|| of("name"))?;
        Some(Declared { id, kind: of("type").unwrap_or("STRING"), source })
    }

    fn of(&self, key: &str) -> Option<&'d Json> {
        self.source.get(key).filter(|it| !it.is_null())
    }

    /// It is of the type SECRET, or holds such.
    fn is_secret(&self) -> bool {
        let items = self.source.get("itemType").and_then(Json::as_str).filter(|_| self.kind == "ARRAY");
        items.unwrap_or(self.kind) == "SECRET"
    }

    /// The inputs that it names in `dependsOn`, but itself.
    fn depends(&self) -> impl Iterator<Item = &'d str> {
        let inputs = self.of("dependsOn").and_then(|it| it.get("inputs")).and_then(Json::as_array);
        inputs.into_iter().flatten().filter_map(Json::as_str).filter(|id| *id != self.id)
    }
}

/// The places of inputs, each behind those that it depends on; where they depend on each other, which Kestra refuses, as they
/// come.
fn in_order(declared: &[Declared<'_>]) -> Vec<usize> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, input) in declared.iter().enumerate() {
        places.entry(input.id).or_insert(at);
    }
    let needs: Vec<Vec<usize>> =
        declared.iter().map(|it| it.depends().filter_map(|id| places.get(id).copied()).collect()).collect();
    let (mut order, mut seen) = (Vec::with_capacity(declared.len()), vec![false; declared.len()]);
    for first in 0..declared.len() {
        let mut open = vec![(first, 0)];
        while let Some((at, next)) = open.last_mut() {
            if *next == 0 && std::mem::replace(&mut seen[*at], true) {
                open.pop();
                continue;
            }
            let need = needs[*at].get(*next).copied();
            *next += 1;
            match need {
                Some(need) if !seen[need] => open.push((need, 0)),
                Some(_) => {}
                None => {
                    order.push(*at);
                    open.pop();
                }
            }
        }
    }
    order
}

/// The value of an input; none when it is not asked for.
fn value(
    input: &Declared<'_>,
    given: Option<&Json>,
    known: &BTreeMap<&str, Option<Json>>,
    words: InputWords,
    render: &mut RenderSeeing<'_>,
) -> Result<Option<Json>, String> {
    let mut seen = Map::new();
    let mut asked = true;
    for (id, value) in input.depends().filter_map(|id| known.get_key_value(id)) {
        asked &= match value {
            Some(Json::Null) => words == InputWords::Violations,
            value => value.is_some(),
        };
        nest(&mut seen, id, value.clone().unwrap_or(Json::Null));
    }
    let condition = input.of("dependsOn").and_then(|it| it.get("condition")).and_then(Json::as_str);
    if let Some(condition) = condition.filter(|_| asked) {
        let mut render = |text: &str| render(text, &seen);
        asked = is_true(condition, &mut render).map_err(|why| format!("Invalid condition: {why}"))?;
    }
    if !asked {
        return Ok(None);
    }
    let mut render = |text: &str| render(text, &seen);
    let values = match input.of("expression").and_then(Json::as_str) {
        Some(expression) => Some(listed(expression, &mut render).map_err(|why| say(input, given, &why, words))?),
        None => input.of("values").or_else(|| input.of("options")).and_then(Json::as_array).cloned(),
    };
    let value = match (given.filter(|it| !it.is_null()), input.of("defaults")) {
        (Some(value), _) => value.clone(),
        (None, Some(usual)) => deep(usual, &mut render)?,
        (None, None) => match first(input, values.as_deref()) {
            Some(value) => value,
            None if input.of("required") == Some(&Json::Bool(false)) => return Ok(Some(Json::Null)),
            None if words == InputWords::Causes => return Err(format!("Missing required input:{}", input.id)),
            None => {
                let why = Wrong::Argument("missing required input".to_owned());
                return Err(say(input, None, &why, words));
            }
        },
    };
    let item = input.of("itemType").and_then(Json::as_str);
    let checked = typed(input.kind, item, value.clone())
        .and_then(|it| allowed(input.kind, input.source, values.as_deref(), &it).map(|()| it));
    checked.map(Some).map_err(|why| say(input, Some(&value), &why, words))
}

/// The value that is chosen when nothing is given, where the first one is.
fn first(input: &Declared<'_>, values: Option<&[Json]>) -> Option<Json> {
    input.of("autoSelectFirst").filter(|it| **it == Json::Bool(true))?;
    let first = values?.first()?.clone();
    match input.kind {
        "MULTISELECT" => Some(Json::Array(vec![first])),
        "SELECT" => Some(first),
        _ => None,
    }
}

/// The values that an expression comes to.
fn listed(expression: &str, render: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Vec<Json>, Wrong> {
    let text = render(expression.trim())
        .map_err(|why| Wrong::Argument(format!("Cannot render 'expression'. Cause: {why}")))?;
    let no_list = |_| Wrong::Argument("Invalid expression result. Expected a list of strings".to_owned());
    let list: Vec<Json> = serde_json::from_str(&text).map_err(no_list)?;
    let text = |value: Json| match value {
        Json::String(_) => value,
        other => other.to_string().into(),
    };
    Ok(list.into_iter().filter(|it| !it.is_null()).map(text).collect())
}

/// Whether a template comes to the value true: a text is none.
///
/// # Errors
/// It cannot be worked out.
pub fn is_true(template: &str, render: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<bool, String> {
    let template = template.trim();
    let inner = template.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let Some(inner) = inner.filter(|inner| !inner.contains("{{") && !inner.contains("}}")) else {
        return render(template).map(|_| false);
    };
    Ok(render(template)? == "true" && render(&format!("{{{{ ({inner}) | className }}}}"))? == "java.lang.Boolean")
}

/// A value with its texts rendered: as deep as a file may be, at most.
fn deep(value: &Json, render: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<Json, String> {
    Ok(match value {
        Json::String(text) if text.contains('{') => render(text)?.into(),
        Json::Array(items) => items.iter().map(|item| deep(item, render)).collect::<Result<_, _>>()?,
        Json::Object(map) => {
            map.iter().map(|(key, value)| Ok((key.clone(), deep(value, render)?))).collect::<Result<_, String>>()?
        }
        other => other.clone(),
    })
}

/// Puts a value where the dots of its id say.
fn nest(into: &mut Map<String, Json>, id: &str, value: Json) {
    match id.split_once('.') {
        None => drop(into.insert(id.to_owned(), value)),
        Some((outer, inner)) => {
            let held = into.entry(outer).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(held) = held {
                nest(held, inner, value);
            }
        }
    }
}

/// What Kestra says of an input that is wrong.
fn say(input: &Declared<'_>, value: Option<&Json>, why: &Wrong, words: InputWords) -> String {
    let Declared { id, kind, .. } = input;
    let shown = || match value {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "null".to_owned(),
    };
    let violation = |why: &str| format!("Invalid input for `{id}`, {why}, but received `{}`", shown());
    let cause = |why: &str| format!("Invalid value for input `{id}`. Cause: {why}");
    match (words, why) {
        (InputWords::Violations, Wrong::Argument(why)) => violation(why),
        (InputWords::Violations, Wrong::Several(all)) => violation(&all.join(", ")),
        (InputWords::Violations, Wrong::Other(why)) => violation(&format!(
            "java.lang.Exception: Expected `{kind}` but received `{}` with errors:\n```\n{why}\n```",
            shown()
        )),
        (InputWords::Causes, Wrong::Argument(why)) => cause(why),
        (InputWords::Causes, Wrong::Several(all)) => all.iter().map(|why| cause(why)).collect::<Vec<_>>().join("\n"),
        (InputWords::Causes, Wrong::Other(why)) => format!("the input `{id}`: errors:\n```\n{why}\n```"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(declared: &Json, given_inputs: &Json, words: InputWords) -> Result<Json, String> {
        let render = &mut |text: &str, seen: &Map<String, Json>| {
            let a = seen.get("a").map_or("", |it| it.as_str().unwrap_or("null")).to_owned();
            Ok(match text {
                "{{ inputs.a == 'x' }}" => (a == "x").to_string(),
                "{{ ( inputs.a == 'x' ) | className }}" => "java.lang.Boolean".to_owned(),
                "{{ text }}" => "true".to_owned(),
                "{{ ( text ) | className }}" => "java.lang.String".to_owned(),
                text => text.replace("{{ a }}", &a).replace("{{ x }}", "seven"),
            })
        };
        let declared = declared.as_array().map_or(&[][..], Vec::as_slice);
        given(declared, given_inputs.as_object().unwrap_or(&Map::new()), words, render).map(Json::Object)
    }

    #[test]
    fn inputs_are_those_that_are_declared_each_of_its_type() {
        let declared = json!([
            { "id": "approved", "type": "BOOLEAN", "defaults": true },
            { "id": "reason", "type": "STRING", "defaults": "{{ x }}" },
            { "id": "count", "type": "INT", "max": 5 },
            { "id": "none", "type": "STRING", "required": false },
            { "id": "kind", "type": "SELECT", "values": ["a", "b"], "defaults": "a" },
            { "id": "deep.er", "type": "MULTISELECT", "values": ["a", "b"], "autoSelectFirst": true },
        ]);
        let all = json!({ "approved": false, "count": 3, "deep": { "er": ["a"] }, "kind": "a", "none": null, "reason": "seven" });
        let given = json!({ "approved": "false", "count": "3", "other": 1 });
        assert_eq!(of(&declared, &given, InputWords::Causes), Ok(all));
        let cause = |given: Json| of(&declared, &given, InputWords::Causes).expect_err("it is refused");
        assert_eq!(cause(json!({})), "Missing required input:count");
        assert_eq!(cause(json!({ "count": 9 })), "Invalid value for input `count`. Cause: it must be less than `5`");
        assert_eq!(cause(json!({ "count": "x" })), "Invalid value for input `count`. Cause: For input string: \"x\"");
        let kind = json!({ "count": 1, "kind": "c" });
        let words = "Invalid value for input `kind`. Cause: it must match the values `[a, b]`";
        assert_eq!(cause(kind), words);
        let old = of(&declared, &json!({}), InputWords::Violations);
        assert_eq!(old, Err("Invalid input for `count`, missing required input, but received `null`".to_owned()));
    }

    #[test]
    fn an_input_that_depends_is_asked_for_where_its_condition_is_true() {
        let declared = |condition: &str| {
            json!([
                { "id": "b", "type": "STRING", "dependsOn": { "inputs": ["a", "c"], "condition": condition } },
                { "id": "a", "type": "STRING" },
                { "id": "c", "type": "STRING", "required": false, "defaults": "see" },
            ])
        };
        let held = declared("{{ inputs.a == 'x' }}");
        let both = json!({ "a": "x", "b": "1", "c": "see" });
        assert_eq!(of(&held, &json!({ "a": "x", "b": "1" }), InputWords::Causes), Ok(both));
        assert_eq!(of(&held, &json!({ "a": "x" }), InputWords::Causes), Err("Missing required input:b".to_owned()));
        // Not asked for: neither missing nor taken.
        let without = json!({ "a": "y", "c": "see" });
        assert_eq!(of(&held, &json!({ "a": "y", "b": "1" }), InputWords::Causes), Ok(without.clone()));
        assert_eq!(of(&declared("{{ text }}"), &json!({ "a": "y" }), InputWords::Causes), Ok(without));
    }

    #[test]
    fn inputs_that_depend_on_each_other_end() {
        let input = |id: &str, on: &str| json!({ "id": id, "type": "STRING", "dependsOn": { "inputs": [on] } });
        let declared = Json::Array(vec![input("a", "b"), input("b", "a"), input("c", "c")]);
        let given = json!({ "a": "1", "b": "2", "c": "3" });
        assert_eq!(of(&declared, &given, InputWords::Causes), Ok(given));
    }

    #[test]
    fn what_no_template_decides_is_told_without_one() {
        let declared = json!([
            { "id": "a", "type": "INT" }, { "id": "b", "type": "DATE" }, { "id": "c", "type": "STRING", "defaults": "{{ x }}" },
            { "id": "d", "type": "STRING", "dependsOn": { "inputs": ["a"] } }, { "id": "e", "type": "STRING" },
        ]);
        let declared = declared.as_array().map_or(&[][..], Vec::as_slice);
        let given = json!({ "a": "x", "b": "soon" });
        let wrong = refused(declared, given.as_object().expect("a mapping"), InputWords::Causes);
        let ids: Vec<&str> = wrong.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "e"]);
    }
}
