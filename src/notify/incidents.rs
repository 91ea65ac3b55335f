//! `*Execution` tasks that open incidents.

use serde_json::{Map, Value, json};

use super::alerts::{event_id, to_sentry, to_twilio};
use super::chats::{line_of, named, sent};
use super::execution::story;
use super::http::{Content, post};
use super::properties::Properties;
use super::{Draft, Error};

/// Puts the properties that are given into the payload.
fn put(properties: &Properties<'_>, payload: &mut Value, names: &[(&str, &str)]) -> Result<(), Error> {
    for (property, name) in names {
        if let Some(value) = properties.value(property)? {
            payload[*name] = value;
        }
    }
    Ok(())
}

/// The longest summary of PagerDuty's.
const MAX_SUMMARY: usize = 1024;

pub(super) fn pagerduty(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let details = story.facts().into_iter().filter(|(name, _)| !["Namespace", "Execution ID"].contains(name));
    // As a server in UTC writes its local time.
    let now = properties.asked.host.now.to_zoned(properties.asked.host.zone.clone()).datetime();
    let mut event = json!({
        "source": format!("{} {}", story.namespace, story.id),
        "severity": if story.failed.is_some() { "error" } else { "info" },
        "custom_details": named("title", details),
        "timestamp": now.to_string(),
    });
    put(properties, &mut event, &[("payloadSummary", "summary")])?;
    if event["summary"].as_str().is_some_and(|summary| summary.encode_utf16().count() > MAX_SUMMARY) {
        return Err(Error::failed(format!("payloadSummary: size must be between 0 and {MAX_SUMMARY}")));
    }
    let mut payload = json!({
        "event_action": properties.text("eventAction")?.unwrap_or_else(|| "trigger".to_owned()),
        "payload": event,
        "links": [{ "href": format!("{}\n>", story.linked("")), "text": story.result() }],
    });
    put(properties, &mut payload, &[("routingKey", "routing_key"), ("deduplicationKey", "dedup_key")])?;
    sent(properties, &payload, properties.text("routingKey")?)
}

/// Ids with a type, as `responders`.
fn typed(map: Map<String, Value>) -> Value {
    map.into_iter().map(|(id, kind)| json!({ "id": id, "type": kind })).collect()
}

pub(super) fn opsgenie(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let final_task = story.last.as_deref().map(|task| format!(" - Final task ID {task}")).unwrap_or_default();
    let mut payload = json!({ "description": format!("{}\n> {}", story.linked(&final_task), story.result()) });
    put(
        properties,
        &mut payload,
        &[("message", "message"), ("alias", "alias"), ("tags", "tags"), ("priority", "priority")],
    )?;
    for name in ["responders", "visibleTo"] {
        if let Some(map) = properties.map(name)? {
            payload[name] = typed(map);
        }
    }
    let token = properties.required("authorizationToken")?;
    let url = properties.required("url")?;
    let request = post(properties, url, &[("Authorization", token)], Content::Text(payload.to_string()))?;
    Ok(Draft { to: None, request })
}

pub(super) fn sentry(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let Some(failed) = &story.failed else {
        // The template asks for the task of `false`.
        let rendered = crate::pebble::Template::parse("{{ firstFailed.taskId }}", properties.asked.dialect.pebble)
            .and_then(|template| {
                let variables = Map::from_iter([("firstFailed".to_owned(), Value::Bool(false))]);
                template.render(&variables, properties.asked.host)
            });
        return Err(rendered.err().map_or_else(|| Error::failed("firstFailed has no taskId"), Error::from));
    };
    let id = properties.text("eventId")?.unwrap_or_else(|| event_id(properties));
    let lower = |name: &str, default: &str| {
        Ok::<_, Error>(properties.text(name)?.unwrap_or_else(|| default.to_owned()).to_lowercase())
    };
    let mut extra: Map<String, Value> =
        story.facts().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    extra.insert("Link".to_owned(), story.link.clone().unwrap_or_default().into());
    extra.extend(properties.map("extra")?.into_iter().flatten());
    let mut payload = json!({
        "event_id": id,
        "timestamp": properties.asked.host.now.to_string(),
        "platform": lower("platform", "java")?,
        "level": lower("level", "error")?,
        "exception": { "values": [{
            "type": format!("{} ➛ {}", story.flow, story.state),
            "value": format!("Failed on task `{failed}` after {}", story.duration),
            "module": story.namespace,
            "stacktrace": {},
        }] },
        "extra": extra,
    });
    put(
        properties,
        &mut payload,
        &[("transaction", "transaction"), ("serverName", "server_name"), ("errors", "errors")],
    )?;
    to_sentry(properties, &payload.to_string(), None)
}

pub(super) fn zenduty(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let mut facts: Map<String, Value> =
        story.facts().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    facts.insert("Duration".to_owned(), story.duration.clone().into());
    let alert = if story.failed.is_some() { "error" } else { "resolved" };
    let summary = format!(
        "Kestra workflow execution {} of a flow {} in the namespace {} changed status to {}",
        story.id, story.flow, story.namespace, story.state
    );
    let mut payload = json!({
        "message": properties.text("message")?.unwrap_or_else(|| "Kestra workflow execution".to_owned()),
        "alert_type": properties.text("alertType")?.map_or_else(|| alert.to_owned(), |kind| kind.to_lowercase()),
        "entity_id": properties.text("entityId")?.unwrap_or_else(|| story.id.clone()),
        "urls": [{ "link_url": story.link, "link_text": "Execution link" }],
        "payload": facts,
        "summary": summary,
    });
    put(properties, &mut payload, &[("urls", "urls"), ("summary", "summary")])?;
    sent(properties, &payload, None)
}

pub(super) fn squadcast(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let status = match &story.failed {
        Some(task) => format!("Failed on task `{task}`"),
        None => "Succeeded".to_owned(),
    };
    let heading = story.heading().replace('➛', "&rarr;");
    let final_task = story.last.as_deref().map(|task| format!("\nFinal task ID: {task}")).unwrap_or_default();
    let mut payload = json!({
        "message": properties.required("message")?,
        "description": format!("{heading}{final_task}\nStatus: {status}\nDuration: {}", story.duration),
    });
    put(
        properties,
        &mut payload,
        &[("tags", "tags"), ("eventId", "event_id"), ("priority", "priority"), ("status", "status")],
    )?;
    sent(properties, &payload, None)
}

pub(super) fn twilio(properties: &Properties<'_>) -> Result<Draft, Error> {
    let mut fields = json!({ "body": line_of(&story(properties)?) });
    put(properties, &mut fields, &[("body", "Body"), ("identity", "Identity"), ("tag", "Tag")])?;
    to_twilio(properties, &fields)
}
