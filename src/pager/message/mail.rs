//! Kinds that send letters.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::Message;
use super::draft::{Draft, object, put, scalar};

/// The page that only Alertmanager has.
const OWN_PAGE: &str = "email.default.html";

/// A mail: its headers, its text and its page.
pub(super) fn email(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in draft.map("headers") {
        headers.insert(canonical(name), scalar(value).unwrap_or_default().into_owned());
    }
    headers.entry("Subject".into()).or_insert_with(|| draft.raw("subject").into_owned());
    for (name, field) in [("To", "to"), ("From", "from")] {
        headers.entry(name.into()).or_insert_with(|| draft.raw(field).into_owned());
    }
    let mut shown = Map::new();
    for (name, value) in &headers {
        shown.insert(name.clone(), draft.expanded(&format!("headers.{name}"), value)?.into());
    }
    let title = shown.get("Subject").and_then(Json::as_str).unwrap_or_default().to_owned();
    let mut fields = object(json!({ "headers": shown }));
    let text = draft.text("text")?;
    put(&mut fields, "text", text.clone());
    let page = match draft.raw("html").contains(OWN_PAGE) && !draft.templates.defines(OWN_PAGE) {
        true => {
            notes.push(format!(
                "Alertmanager's own page ({OWN_PAGE}) is not simulated: only headers and text are shown"
            ));
            String::new()
        }
        false => draft.page("html")?,
    };
    put(&mut fields, "html", page.clone());
    let text = if text.is_empty() { page } else { text };
    Ok(Message { title, text, fields, notes })
}

/// A header's name as Go writes it: `Reply-To`.
fn canonical(name: &str) -> String {
    if !name.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c)) {
        return name.to_owned();
    }
    let mut begins = true;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        out.push(if begins { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
        begins = c == '-';
    }
    out
}

/// Bytes of a message that Amazon's service takes, and of one by SMS.
const SNS_SIZE: usize = 256 * 1024;
const SMS_SIZE: usize = 1600;

/// Amazon's Simple Notification Service.
pub(super) fn sns(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let mut fields = Map::new();
    for (name, field) in [("TopicArn", "topic_arn"), ("PhoneNumber", "phone_number"), ("TargetArn", "target_arn")] {
        put(&mut fields, name, draft.text(field)?);
    }
    let topic = fields.get("TopicArn").and_then(Json::as_str).unwrap_or_default();
    if topic.ends_with(".fifo") {
        let key = draft.key_hash();
        fields.insert("MessageDeduplicationId".into(), key.clone().into());
        fields.insert("MessageGroupId".into(), key.into());
    }
    let mut attributes = Map::new();
    for (name, value) in draft.map("attributes") {
        let value = draft.expanded("attributes", &scalar(value).unwrap_or_default())?;
        attributes.insert(draft.expanded("attributes", name)?, json!({ "DataType": "String", "StringValue": value }));
    }
    let most = if draft.raw("phone_number").is_empty() { SNS_SIZE } else { SMS_SIZE };
    let mut text = draft.text("message")?;
    if text.len() > most {
        text = String::from_utf8_lossy(text.as_bytes().get(..most).unwrap_or_default()).into_owned();
        attributes.insert("truncated".into(), json!({ "DataType": "String", "StringValue": "true" }));
        notes.push(format!("the message was longer than {most} bytes and is cut, as sns allows no more"));
    }
    let title = draft.text("subject")?;
    put(&mut fields, "Subject", title.clone());
    fields.insert("Message".into(), text.clone().into());
    fields.insert("MessageAttributes".into(), attributes.into());
    Ok(Message { title, text, fields, notes })
}
