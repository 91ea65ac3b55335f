//! `/loggers`: the tree of a fresh server, under what was set over the port.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::error::{Error, Kind};
use super::reply::Reply;
use super::{Context, Handled};
use crate::profile::{LoggerBodies, Profile, TextBody};
use crate::simulator::levels::{LEVELS, ROOT, ancestors, configured, effective, named};
use crate::simulator::{Command, Level};

/// Where Jackson says it found a mistake in a tree it had read before.
const IN_TREE: &str = "\n at [Source: UNKNOWN; byte offset: #UNKNOWN]";

fn name_of(level: Option<Level>) -> &'static str {
    LEVELS.iter().find(|(_, other)| *other == level).map_or("NOT_SPECIFIED", |(name, _)| name)
}

/// The loggers of a member.
struct Loggers<'a> {
    profile: &'static Profile,
    /// Those of a fresh server, with the words of their levels.
    fresh: BTreeMap<&'static str, &'static str>,
    set: &'a BTreeMap<String, Option<Level>>,
}

impl<'a> Loggers<'a> {
    fn of(context: &Context<'a>) -> Loggers<'a> {
        let profile = context.member.profile();
        Loggers { profile, fresh: profile.loggers(), set: context.process.loggers() }
    }

    fn configured(&self, name: &str) -> Option<Level> {
        configured(self.profile, self.set, name)
    }
    fn effective(&self, name: &str) -> Option<Level> {
        effective(self.profile, self.set, name)
    }
    fn exists(&self, name: &str) -> bool {
        let below = |other: &String| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        self.fresh.contains_key(name) || self.set.contains_key(name) || self.set.keys().any(below)
    }
    fn names(&self) -> BTreeSet<&str> {
        let set = self.set.keys().flat_map(|name| std::iter::once(name.as_str()).chain(ancestors(name)));
        self.fresh.keys().copied().chain(set).filter(|name| *name != ROOT).collect()
    }
    fn show(&self, name: &str) -> Value {
        json!({ "configuredLevel": name_of(self.configured(name)), "effectiveLevel": name_of(self.effective(name)) })
    }
}

/// `GET /loggers`: ROOT, then the others by name.
pub(super) fn all(context: &Context<'_>) -> Handled {
    let loggers = Loggers::of(context);
    let shown: Map<String, Value> =
        [ROOT].into_iter().chain(loggers.names()).map(|name| (name.to_owned(), loggers.show(name))).collect();
    Ok(Reply::json(json!({ "levels": LEVELS.map(|(name, _)| name), "loggers": shown }).to_string()))
}

/// `GET /loggers/{name}`: an unknown logger is made by asking for it.
pub(super) fn get(context: &Context<'_>) -> Handled {
    let (loggers, logger) = (Loggers::of(context), logger(context));
    let body = loggers.show(&logger).to_string();
    let touch = (!loggers.exists(&logger)).then_some(Command::TouchLogger { member: context.index, logger });
    Ok(Reply::json(body).with_command(touch))
}

/// `POST /loggers/{name}`: sets or, without a level, resets.
pub(super) fn post(context: &Context<'_>) -> Handled {
    let logger = logger(context);
    let content_type = context.request.header("content-type").unwrap_or_default();
    let level = requested(context.answers.logger_bodies, content_type, &context.request.body)
        .map_err(|(kind, detail)| Error::new(kind, &detail, context.target.href))?;
    let (level, asked) = level.map_or((None, "null"), |level| (level, name_of(level)));
    if logger == ROOT && level.is_none() {
        let detail = format!("Argument [LogLevel configuredLevel] not satisfied: Invalid log level specified: {asked}");
        return Err(Error::internal(&detail, context.target.href).into());
    }
    Ok(Reply::empty().with_command(Some(Command::SetLogger { member: context.index, logger, level })))
}

fn logger(context: &Context<'_>) -> String {
    if context.variable.eq_ignore_ascii_case(ROOT) { ROOT.to_owned() } else { context.variable.clone() }
}

/// The level a body asks for: none when there is no `configuredLevel`. Errors are kind and text; those for an unknown
/// name, an array, text and an early end are recorded, the others follow Jackson's wording.
fn requested(form: LoggerBodies, content_type: &str, body: &[u8]) -> Result<Option<Option<Level>>, (Kind, String)> {
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if form.forms && content_type == "application/x-www-form-urlencoded" {
        let text = String::from_utf8_lossy(body).into_owned();
        let fields = text.split('&').filter_map(|pair| pair.split_once('='));
        let level = fields.filter(|(key, _)| *key == "configuredLevel").map(|(_, value)| value.to_owned()).next();
        let asked = json!({ "configuredLevel": level });
        return requested(form, "application/json", asked.to_string().as_bytes());
    }
    if body.is_empty() || !["application/json", "text/plain"].contains(&content_type) {
        return Ok(None); // a body of another type is ignored, as recorded for forms
    }
    if content_type == "text/plain" && form.text == TextBody::IllegalState {
        return Err((Kind::Conflict, "refCnt: 0, decrement: 1".to_owned()));
    }
    if content_type == "text/plain" {
        let detail = "Cannot convert type [class java.lang.String] to target type: interface \
                      io.micronaut.core.convert.value.ConvertibleValues. Considering defining a TypeConverter bean to \
                      handle this case.";
        return Err((Kind::Value, detail.to_owned()));
    }
    level_in_json(form, body)
}

/// The level in a JSON body, or what Jackson says of it.
fn level_in_json(form: LoggerBodies, body: &[u8]) -> Result<Option<Option<Level>>, (Kind, String)> {
    let in_text = |line: usize, column: usize| {
        format!(
            "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); \
             line: {line}, column: {column}]"
        )
    };
    let failed = |found: &str, place: &str| {
        let detail = format!(
            "Failed to convert argument [configuredLevel] for value [null] due to: Cannot deserialize value of type {found}{place}"
        );
        (Kind::Json, detail)
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_eof() {
            "Unexpected end-of-input within/between Object entries"
        } else {
            "Unexpected character"
        };
        (Kind::Internal, format!("{what}{}", in_text(error.line(), error.column() + 1)))
    })?;
    let Value::Object(members) = &value else {
        let (kind, token) = token(&value);
        return Err(failed(&format!("[null] from {kind} value (token `JsonToken.{token}`)"), &in_text(1, 1)));
    };
    let refused = |found: &str| Err(failed(&format!("`io.micronaut.logging.LogLevel` from {found}"), IN_TREE));
    match members.get("configuredLevel") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => match named(text).filter(|_| form.any_case || *text == text.to_uppercase()) {
            Some(level) => Ok(Some(level)),
            None => refused(&format!(
                "String \"{text}\": not one of the values accepted for Enum class: \
                 [ALL, DEBUG, NOT_SPECIFIED, TRACE, WARN, ERROR, INFO, OFF]"
            )),
        },
        Some(Value::Number(number)) if !number.is_f64() => {
            match number.as_u64().and_then(|index| LEVELS.get(usize::try_from(index).ok()?)) {
                Some((_, level)) => Ok(Some(*level)),
                None => refused(&format!("number {number}: index value outside legal index range [0..7]")),
            }
        }
        Some(other) => {
            let (kind, token) = token(other);
            refused(&format!("{kind} value (token `JsonToken.{token}`)"))
        }
    }
}

/// Jackson's names for a JSON value.
fn token(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("Null", "VALUE_NULL"),
        Value::Bool(true) => ("Boolean", "VALUE_TRUE"),
        Value::Bool(false) => ("Boolean", "VALUE_FALSE"),
        Value::Number(number) if number.is_f64() => ("Floating-point", "VALUE_NUMBER_FLOAT"),
        Value::Number(_) => ("Integer", "VALUE_NUMBER_INT"),
        Value::String(_) => ("String", "VALUE_STRING"),
        Value::Array(_) => ("Array", "START_ARRAY"),
        Value::Object(_) => ("Object", "START_OBJECT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_every_version_is_a_level() {
        for version in Profile::NAMES {
            let loggers = Profile::named(version).unwrap().loggers();
            assert!(loggers.len() > 100 && loggers.contains_key(ROOT), "{version}");
            let unknown: Vec<_> = loggers.iter().filter(|(_, level)| named(level).is_none()).collect();
            assert!(unknown.is_empty(), "{version}: {unknown:?}");
        }
    }
}
