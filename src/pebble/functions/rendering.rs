//! Functions that render, read JSON, and compute.

use indexmap::IndexMap;

use super::super::error::{Fault, Found};
use super::super::invoke::{Call, Row, row};
use super::super::limits::RANGE_MAX;
use super::super::operate;
use super::super::print;
use super::super::syntax::Operator;
use super::super::value::{HASHED, Value};

/// The functions of this file.
pub const ROWS: &[Row] = &[
    row("render", &["toRender", "recursive"], |call| render(call, None)),
    row("renderOnce", &["toRender"], |call| render(call, Some(false))),
    row("fromJson", &["json"], from_json),
    row("json", &["json"], from_json),
    row("fetchContext", &[], context),
    row("printContext", &[], |mut call| {
        let dialect = call.run.dialect;
        call.arguments.clear();
        Value::text(print::json(&context(call)?, dialect)?)
    }),
    row("range", &["start", "end", "increment"], range),
    Row { name: "max", arguments: None, apply: |call| extreme(&call, Operator::Greater) },
    Row { name: "min", arguments: None, apply: |call| extreme(&call, Operator::Less) },
];

fn render(call: Call<'_, '_>, recursive: Option<bool>) -> Found<Value> {
    let name = if recursive.is_some() { "renderOnce" } else { "render" };
    let Some(value) = call.arguments.get("toRender").cloned() else {
        return Err(call.fault(&format!("The '{name}' function expects an argument 'toRender'.")));
    };
    let recursive = match (recursive, call.argument("recursive")) {
        (Some(recursive), _) => recursive,
        (None, None) => true,
        (None, Some(Value::Bool(recursive))) => *recursive,
        (None, Some(_)) => {
            let message = "The 'render' function expects an optional argument 'recursive' with type boolean.";
            return Err(call.fault(message));
        }
    };
    let Call { run, template, line, .. } = call;
    let mut text = |text: &str| run.render_within(text, recursive, template, line);
    rendered(&value, &mut text)
}

/// A value whose texts are rendered, names of maps too.
fn rendered(value: &Value, text: &mut dyn FnMut(&str) -> Found<String>) -> Found<Value> {
    match value {
        Value::Text(template) => Value::text(text(template)?),
        Value::List(list) => {
            let items: Result<Vec<Value>, _> = list.items.iter().map(|item| rendered(item, text)).collect();
            Value::list(items?)
        }
        Value::Map(map) => {
            let mut entries = IndexMap::new();
            for (name, value) in &map.entries {
                let name = text(name)?;
                let value = rendered(value, text)?;
                entries.entry(name).or_insert(value);
            }
            Value::hashed(entries, 16)
        }
        other => Ok(other.clone()),
    }
}

fn from_json(call: Call<'_, '_>) -> Found<Value> {
    let Some(value) = call.arguments.get("json") else {
        return Err(call.fault("The 'json' function expects an argument 'json'."));
    };
    let text = match value {
        Value::Null => return Ok(Value::Null),
        Value::Text(text) => text,
        other => {
            let message = format!("`fromJson` of a value of the class {} is not simulated", other.class());
            return Err(Fault::unsupported(message));
        }
    };
    if text.trim_matches([' ', '\t', '\n', '\r']).is_empty() {
        let lines = text.matches('\n').count() + 1;
        return Err(call.fault(&format!(
            "Invalid json: No content to map due to end-of-input\n at [Source: REDACTED \
             (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {lines}]"
        )));
    }
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Value::from_json(&json),
        // Jackson has dozens of messages for what is no JSON; only that it fails is known, and where.
        Err(error) => {
            let at = format!("line {}, column {}", error.line(), error.column());
            Err(call.fault(&format!("Invalid json: the text is no JSON at {at} (not the real engine's words)")))
        }
    }
}

fn context(call: Call<'_, '_>) -> Found<Value> {
    let mut entries = IndexMap::new();
    for name in call.run.names() {
        if let Some(value) = call.run.variable(&name)? {
            entries.insert(name, value);
        }
    }
    Value::map(HASHED, entries)
}

fn range(call: Call<'_, '_>) -> Found<Value> {
    let step = match call.argument("increment") {
        None => 1,
        Some(number) if number.is_number() => operate::long(number),
        Some(other) => {
            let message = format!("The increment of the range function must be a number {}", other.java_text());
            return Err(call.fault(&message));
        }
    };
    let wrong = "Arguments of range function must be of type Number or String with a length of 1";
    let (start, end) = (call.argument("start"), call.argument("end"));
    let unit = |text: &str| {
        let mut units = text.encode_utf16();
        units.next().filter(|_| units.next().is_none()).map(i64::from)
    };
    let (from, to, letters) = match (start, end) {
        (Some(Value::Text(start)), Some(Value::Text(end))) => match (unit(start), unit(end)) {
            (Some(start), Some(end)) => (start, end, true),
            _ => return Err(call.fault(wrong)),
        },
        (Some(start), Some(end)) if start.is_number() && end.is_number() => {
            (operate::long(start), operate::long(end), false)
        }
        _ => return Err(call.fault(wrong)),
    };
    if step == 0 {
        return Err(call.fault("The increment of the range function must be different than 0"));
    }
    let distance = if step > 0 { i128::from(to) - i128::from(from) } else { i128::from(from) - i128::from(to) };
    let count = if distance < 0 { 0 } else { distance.unsigned_abs() / u128::from(step.unsigned_abs()) + 1 };
    if count > u128::from(RANGE_MAX) {
        return Err(Fault::limit(format!("`range` makes a list of more than {RANGE_MAX} elements")));
    }
    let number = |index: i64| from.wrapping_add(index.wrapping_mul(step));
    let items = (0..).take(usize::try_from(count).unwrap_or(0)).map(number);
    let letter = |unit: i64| {
        let unit = u16::try_from(unit).unwrap_or(0xfffd);
        Value::text(String::from_utf16_lossy(&[unit]))
    };
    let items: Result<Vec<Value>, _> =
        items.map(|item| if letters { letter(item) } else { Ok(Value::Long(item)) }).collect();
    Value::list(items?)
}

fn extreme(call: &Call<'_, '_>, operator: Operator) -> Found<Value> {
    let mut values = call.arguments.values();
    let mut found = values.next().cloned().unwrap_or(Value::Null);
    for value in values {
        if matches!(found, Value::Null) || operate::compared(operator, value, &found)? {
            found = value.clone();
        }
    }
    Ok(found)
}
