//! `/env`: names of properties; every value is masked.

use serde_json::Value;

use super::error::Error;
use super::reply::Reply;
use super::{Context, Handled};

/// `GET /env`.
pub(super) fn all(context: &Context<'_>) -> Handled {
    Ok(Reply::json(context.member.profile().env()))
}

/// `GET /env/{source}`: one property source; names with a slash come URL-encoded.
pub(super) fn one(context: &Context<'_>) -> Handled {
    let mut env: Value = serde_json::from_str(context.member.profile().env()).unwrap_or_default();
    let sources = env.get_mut("propertySources").and_then(Value::as_array_mut);
    let source = sources.into_iter().flatten().find(|source| source["name"] == context.variable.as_str());
    Ok(source.map(|source| Reply::json(source.to_string())).ok_or_else(|| Error::no_such(context.target.href))?)
}
