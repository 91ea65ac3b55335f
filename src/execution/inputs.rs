//! Inputs that somebody gives for what is declared: those of a Pause.

use serde_json::{Map, Value as Json};

use super::result::typed;
use super::work::Render;

/// What somebody gives, as it is declared: each as one of its type, and what nobody gave as its `defaults` say. Others are
/// left out.
///
/// # Errors
/// One that is required is missing, or one is not of its type.
pub fn inputs(
    declared: &[Json],
    given: &Map<String, Json>,
    render: &mut Render<'_>,
) -> Result<Map<String, Json>, String> {
    let mut inputs = Map::new();
    for input in declared {
        let of = |key: &str| input.get(key).filter(|it| !it.is_null());
        // `name` is an old word for it.
        let Some(id) = of("id").or_else(|| of("name")).and_then(Json::as_str) else { continue };
        let kind = of("type").and_then(Json::as_str).unwrap_or("STRING");
        let value = match (given.get(id).filter(|it| !it.is_null()), of("defaults")) {
            (Some(value), _) => value.clone(),
            (None, Some(Json::String(text))) => Json::String(render(text)?),
            (None, Some(usual)) => usual.clone(),
            (None, None) if of("required") == Some(&Json::Bool(false)) => continue,
            (None, None) => return Err(format!("the input `{id}` is required, and has no value")),
        };
        let value = typed(kind, value).map_err(|why| format!("the input `{id}`: {why}"))?;
        allowed(input, kind, &value).map_err(|why| format!("the input `{id}`: {why}"))?;
        inputs.insert(id.to_owned(), value);
    }
    Ok(inputs)
}

/// Whether a value is one of those that a SELECT lists, and no less or more than `min` and `max` of a number.
fn allowed(input: &Json, kind: &str, value: &Json) -> Result<(), String> {
    let values = input.get("values").and_then(Json::as_array);
    let free = input.get("allowCustomValue").and_then(Json::as_bool) == Some(true);
    if let ("SELECT" | "ENUM", Some(values), false) = (kind, values, free)
        && !values.contains(value)
    {
        return Err(format!("{value} is none of its `values`"));
    }
    let bound = |key: &str| input.get(key).and_then(Json::as_f64);
    let number = value.as_f64().filter(|_| matches!(kind, "INT" | "FLOAT"));
    match number {
        Some(number) if bound("min").is_some_and(|min| number < min) => Err(format!("{value} is less than its `min`")),
        Some(number) if bound("max").is_some_and(|max| number > max) => Err(format!("{value} is more than its `max`")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_are_those_that_are_declared_each_of_its_type() {
        let declared = json!([
            { "id": "approved", "type": "BOOLEAN", "defaults": true },
            { "id": "reason", "type": "STRING", "defaults": "{{ x }}" },
            { "id": "count", "type": "INT", "max": 5 },
            { "id": "none", "type": "STRING", "required": false },
            { "id": "kind", "type": "SELECT", "values": ["a", "b"], "defaults": "a" },
        ]);
        let of = |given: Json| {
            let render = &mut |text: &str| Ok(text.replace("{{ x }}", "seven"));
            let declared = declared.as_array().map_or(&[][..], Vec::as_slice);
            inputs(declared, given.as_object().unwrap_or(&Map::new()), render).map(Json::Object)
        };
        let all = json!({ "approved": false, "reason": "seven", "count": 3, "kind": "a" });
        assert_eq!(of(json!({ "approved": "false", "count": "3", "other": 1 })), Ok(all));
        for (given, why) in [
            (json!({}), "the input `count` is required, and has no value"),
            (json!({ "count": "x" }), "the input `count`: `x` is no INT"),
            (json!({ "count": true }), "the input `count`: `true` is no INT"),
            (json!({ "count": 6 }), "the input `count`: 6 is more than its `max`"),
            (json!({ "count": 1, "kind": "c" }), "the input `kind`: \"c\" is none of its `values`"),
        ] {
            assert_eq!(of(given), Err(why.to_owned()));
        }
    }
}
