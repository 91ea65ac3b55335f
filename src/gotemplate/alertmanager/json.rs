//! JSON as Go writes it: `<`, `>` and `&` escaped, names of maps in their order, fields of data in Go's.

use std::collections::BTreeMap;

use super::super::format;
use super::super::value::Value;
use super::Release;
use super::clock::Moment;
use super::thing::{Data, Thing, Told};

/// A text in quotes.
fn text(of: &str) -> String {
    let mut out = String::with_capacity(of.len() + 2);
    out.push('"');
    for c in of.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            '\u{8}' => out += "\\b",
            '\u{c}' => out += "\\f",
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn list(all: impl Iterator<Item = String>) -> String {
    format!("[{}]", all.collect::<Vec<_>>().join(","))
}

fn kv(all: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = all.iter().map(|(key, value)| format!("{}:{}", text(key), text(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// A number with a fraction.
fn float(of: f64) -> Result<String, String> {
    if !of.is_finite() {
        return Err(format!("json: unsupported value: {}", format::special(of)));
    }
    let size = of.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{of:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return Ok(match exponent.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits:0>2}").replace("e-0", "e-"),
            None => format!("{mantissa}e+{exponent}"),
        });
    }
    Ok(format!("{of}"))
}

/// Whatever a template has.
pub(super) fn value(of: &Value, release: Release) -> Result<String, String> {
    Ok(match of {
        Value::Nil => "null".into(),
        Value::Bool(it) => it.to_string(),
        Value::Int(it) => it.to_string(),
        Value::Float(it) => float(*it)?,
        Value::Text(it) => text(it),
        Value::Object(_) => match Thing::of(of) {
            Some(thing) => of_thing(thing, release)?,
            None => return Err(format!("json: unsupported type: {}", of.type_name())),
        },
        other => return Err(format!("json: unsupported type: {}", other.type_name())),
    })
}

fn of_thing(thing: &Thing, release: Release) -> Result<String, String> {
    Ok(match thing {
        Thing::Data(it, _) => it.json(release),
        Thing::Alerts(all, ..) => list(all.iter().map(|it| alert(it))),
        Thing::Alert(it, _) => alert(it),
        Thing::Kv(all, _) => kv(all),
        Thing::Pairs(all, _) => list(all.iter().map(|(key, value)| pair(key, value))),
        Thing::Pair(key, value) => pair(key, value),
        Thing::Strings(all) => list(all.iter().map(|it| text(it))),
        Thing::List(all) => {
            let all: Result<Vec<String>, String> = all.iter().map(|it| value(it, release)).collect();
            list(all?.into_iter())
        }
        Thing::Dict(all) => {
            let pairs: Result<Vec<String>, String> =
                all.iter().map(|(key, it)| Ok(format!("{}:{}", text(key), value(it, release)?))).collect();
            format!("{{{}}}", pairs?.join(","))
        }
        Thing::Moment(it) => text(&it.json()),
        Thing::Span(it) | Thing::Month(it) | Thing::Weekday(it) => it.to_string(),
        Thing::Html(it) | Thing::Url(it) => text(it),
    })
}

fn pair(key: &str, value: &str) -> String {
    format!("{{\"Name\":{},\"Value\":{}}}", text(key), text(value))
}

fn alert(it: &Told) -> String {
    let ends = it.ends_at.map_or_else(Moment::zero, Moment::at);
    format!(
        "{{\"status\":{},\"labels\":{},\"annotations\":{},\"startsAt\":{},\"endsAt\":{},\"generatorURL\":{},\"fingerprint\":{}}}",
        text(&it.status),
        kv(&it.labels),
        kv(&it.annotations),
        text(&Moment::at(it.starts_at).json()),
        text(&ends.json()),
        text(&it.generator_url),
        text(&it.fingerprint)
    )
}

impl Data {
    /// As Alertmanager writes it.
    pub(crate) fn json(&self, release: Release) -> String {
        let reason = match release {
            Release::V0_25 => String::new(),
            _ => {
                format!("\"notification_reason\":{},", text(&self.notification_reason))
            }
        };
        // No route has labels: a configuration that gives it some is refused by name.
        let of_route = if release >= Release::V0_35 { "\"routeLabels\":{}," } else { "" };
        format!(
            "{{\"receiver\":{},\"status\":{},\"alerts\":{},{reason}\"groupLabels\":{},\"commonLabels\":{},\
             \"commonAnnotations\":{},{of_route}\"externalURL\":{}}}",
            text(&self.receiver),
            text(&self.status),
            list(self.alerts.iter().map(|it| alert(it))),
            kv(&self.group_labels),
            kv(&self.common_labels),
            kv(&self.common_annotations),
            text(&self.external_url)
        )
    }
}
