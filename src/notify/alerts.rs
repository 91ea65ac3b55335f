//! Tasks whose payload the flow writes itself.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::http::{Content, form, post, post_plainly};
use super::markup;
use super::message::{Accepts, Request, basic};
use super::properties::{Properties, plain};
use super::{Draft, Error};

fn draft(request: Request) -> Draft {
    Draft { to: None, request }
}

/// `payload` as it stands.
pub(super) fn webhook(properties: &Properties<'_>) -> Result<Draft, Error> {
    let (url, payload) = (properties.required("url")?, properties.required("payload")?);
    Ok(draft(post(properties, url, &[], Content::Text(payload))?))
}

/// The same, without the headers and time-outs of `options`.
pub(super) fn webhook_without_options(properties: &Properties<'_>) -> Result<Draft, Error> {
    let (url, payload) = (properties.required("url")?, properties.required("payload")?);
    Ok(draft(post_plainly(properties, url, &[], "application/json", Content::Text(payload))?))
}

/// The payload is rendered twice.
pub(super) fn squadcast(properties: &Properties<'_>) -> Result<Draft, Error> {
    let (url, payload) = (properties.required("url")?, properties.required("payload")?);
    let payload = properties.render(&payload)?;
    Ok(draft(post_plainly(properties, url, &[], "application/json", Content::Text(payload))?))
}

/// JSON as the version sends it: checked and written anew, or as it stands.
pub(super) fn json_or_text(properties: &Properties<'_>, payload: String) -> Result<Content, Error> {
    if properties.asked.dialect.checks_json {
        return Ok(Content::Json(markup::json(&payload)?.to_string()));
    }
    Ok(Content::Json(payload))
}

pub(super) fn slack(properties: &Properties<'_>) -> Result<Draft, Error> {
    let url = properties.required("url")?;
    let payload = match (properties.text("payload")?, properties.text("messageText")?) {
        (Some(payload), _) => json_or_text(properties, payload)?,
        (None, Some(text)) => match serde_json::from_str::<Value>(&text) {
            Ok(value) => Content::Json(value.to_string()),
            Err(_) => Content::Json(json!({ "text": markup::mrkdwn(&text) }).to_string()),
        },
        (None, None) => return Err(Error::failed("Either 'messageText' or 'payload' must be provided")),
    };
    let to = match &payload {
        Content::Json(text) => serde_json::from_str::<Value>(text).ok(),
        Content::Text(_) => None,
    };
    let to = to.and_then(|value| value.get("channel")?.as_str().map(str::to_owned));
    Ok(Draft { to, request: post(properties, url, &[], payload)? })
}

pub(super) fn discord(properties: &Properties<'_>) -> Result<Draft, Error> {
    let (url, payload) = (properties.required("url")?, properties.required("payload")?);
    let payload = json_or_text(properties, payload)?;
    Ok(draft(post(properties, url, &[], payload)?))
}

pub(super) fn opsgenie(properties: &Properties<'_>) -> Result<Draft, Error> {
    let (url, payload) = (properties.required("url")?, properties.required("payload")?);
    let token = properties.required("authorizationToken")?;
    Ok(draft(post(properties, url, &[("Authorization", token)], Content::Text(payload))?))
}

/// A message of a Telegram bot.
pub(super) fn to_telegram(properties: &Properties<'_>, text: &str) -> Result<Draft, Error> {
    let (token, channel) = (properties.required("token")?, properties.required("channel")?);
    let base = properties.text("endpointOverride")?.unwrap_or_else(|| "https://api.telegram.org".to_owned());
    let url = format!("{}/bot{token}/sendMessage", base.trim_end_matches('/'));
    let mut body = json!({ "chat_id": channel, "text": text });
    if let Some(mode) = properties.text("parseMode")? {
        body["parse_mode"] = mode.into();
    }
    let mut request = post(properties, url, &[], Content::Json(body.to_string()))?;
    if let Request::Http(http) = &mut request {
        http.accepts = Accepts::Telegram;
    }
    Ok(Draft { to: Some(channel), request })
}

pub(super) fn telegram(properties: &Properties<'_>) -> Result<Draft, Error> {
    let payload = properties.required("payload")?;
    to_telegram(properties, &payload)
}

/// A notification of Twilio's: a form.
pub(super) fn to_twilio(properties: &Properties<'_>, fields: &Value) -> Result<Draft, Error> {
    let url = properties.required("url")?;
    let login = basic(&properties.required("accountSID")?, &properties.required("authToken")?);
    let fields = fields.as_object().ok_or_else(|| Error::failed("payload: must be a JSON map"))?;
    let body = form(fields.iter().map(|(name, value)| (name.as_str(), plain(value))));
    let kind = "application/x-www-form-urlencoded";
    Ok(draft(post_plainly(properties, url, &[("Authorization", login)], kind, Content::Text(body))?))
}

pub(super) fn twilio(properties: &Properties<'_>) -> Result<Draft, Error> {
    let payload = markup::json(&properties.required("payload")?)?;
    to_twilio(properties, &payload)
}

/// What Sentry shows of an event whose task says nothing.
const SENTRY_PAYLOAD: &str = r#"{
  "timestamp": "{{ execution.startDate }}",
  "platform": "java",
  "level": "error",
  "message": { "message": "Execution {{ execution.id }} failed" },
  "extra": {
    "Namespace": "{{ flow.namespace }}",
    "Flow ID": "{{ flow.id }}",
    "Execution ID": "{{ execution.id }}"
  }
}"#;
/// The largest event that the task sends, in bytes.
const SENTRY_EVENT: usize = 1024 * 1024;

/// The DSN of Sentry's own service; any other is taken as the address itself.
static DSN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(https?)://([a-f0-9]+)@(o[0-9]+\.ingest\.sentry\.io)/([0-9]+)$").ok());

pub(super) fn sentry(properties: &Properties<'_>) -> Result<Draft, Error> {
    let payload = match properties.text("payload")? {
        Some(payload) => payload,
        None => properties.render(SENTRY_PAYLOAD)?,
    };
    to_sentry(properties, &payload, None)
}

/// An event for Sentry, in an envelope where the endpoint takes such.
pub(super) fn to_sentry(properties: &Properties<'_>, payload: &str, id: Option<String>) -> Result<Draft, Error> {
    let dsn = properties.required("dsn")?;
    let endpoint = properties.text("endpointType")?.unwrap_or_else(|| "ENVELOPE".to_owned());
    let in_envelope = match endpoint.as_str() {
        "ENVELOPE" => true,
        "STORE" => false,
        other => return Err(Error::failed(format!("endpointType: `{other}` is none of ENVELOPE, STORE"))),
    };
    let path = if in_envelope { "envelope" } else { "store" };
    let url = match DSN.as_ref().and_then(|pattern| pattern.captures(&dsn)) {
        Some(parts) => format!(
            "https://{}/api/{}/{path}/?sentry_version=7&sentry_client=java&sentry_key={}",
            &parts[3], &parts[4], &parts[2]
        ),
        None => dsn.clone(),
    };
    if payload.len() > SENTRY_EVENT {
        return Err(Error::failed("Event payload size exceeds 1MB limit"));
    }
    let body = if in_envelope {
        let now = properties.asked.host.now;
        let head = json!({
            "event_id": id.unwrap_or_else(|| event_id(properties)),
            "dsn": dsn,
            "sdk": { "name": "java", "version": "7" },
            "sent_at": now.to_string(),
        });
        let item = json!({
            "type": "event",
            "length": payload.encode_utf16().count(),
            "content_type": "application/json",
            "filename": "application.log",
        });
        format!("{head}\n{item}\n{payload}\n")
    } else {
        payload.to_owned()
    };
    let mut request = post(properties, url, &[], Content::Text(body))?;
    if let Request::Http(http) = &mut request {
        http.accepts = Accepts::AnyBut(if in_envelope { vec![401, 404] } else { Vec::new() });
    }
    Ok(draft(request))
}

/// 32 hexadecimal digits, drawn from the seed of the task run.
pub(super) fn event_id(properties: &Properties<'_>) -> String {
    let seed = properties.asked.host.seed;
    // Odd constants spread a small seed over all digits; nothing hangs on which ones.
    let (high, low) =
        (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), seed.wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    format!("{high:016x}{low:016x}")
}
