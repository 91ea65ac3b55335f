//! What an execution puts out: `outputs` of its flow.

use serde_json::{Map, Value as Json};

use super::work::{Render, deep};
use crate::flow::typed;

/// What the declared outputs of a flow come to. One that is not required and cannot be rendered is nothing.
///
/// # Errors
/// Why a required one cannot be rendered, or is not of its type.
pub fn outputs(declared: &[Json], render: &mut Render<'_>) -> Result<Map<String, Json>, String> {
    let mut outputs = Map::new();
    for output in declared {
        let Some(id) = output.get("id").and_then(Json::as_str) else { continue };
        let kind = output.get("type").and_then(Json::as_str).unwrap_or("STRING");
        let item = output.get("itemType").and_then(Json::as_str);
        let required = output.get("required").and_then(Json::as_bool) != Some(false);
        let value = deep(output.get("value").unwrap_or(&Json::Null), render);
        let value = match value {
            Err(_) if !required => Json::Null,
            value => typed(kind, item, value?).map_err(|why| format!("Invalid output `{id}`: {}", why.text()))?,
        };
        outputs.insert(id.to_owned(), value);
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_are_of_their_types_and_only_a_required_one_fails() {
        let render = &mut |text: &str| match text {
            "{{ bad }}" => Err("Unable to find `bad`".to_owned()),
            text => Ok(text.to_owned()),
        };
        let mut of = |declared: Json| outputs(declared.as_array().map_or(&[], Vec::as_slice), render);
        let declared = json!([
            { "id": "n", "type": "INT", "value": "3" },
            { "id": "list", "type": "JSON", "value": "[1, \"a\"]" },
            { "id": "none", "type": "STRING", "value": "{{ bad }}", "required": false },
            { "id": "text", "type": "STRING", "value": "3" },
        ]);
        let expected = json!({ "n": 3, "list": [1, "a"], "none": null, "text": "3" });
        assert_eq!(of(declared).map(Json::Object), Ok(expected));
        let bad = of(json!([{ "id": "o", "type": "STRING", "value": "{{ bad }}" }]));
        assert_eq!(bad, Err("Unable to find `bad`".to_owned()));
        let bad = of(json!([{ "id": "o", "type": "INT", "value": "x" }]));
        assert_eq!(bad, Err("Invalid output `o`: For input string: \"x\"".to_owned()));
    }
}
