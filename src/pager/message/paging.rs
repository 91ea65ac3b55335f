//! Kinds that wake somebody, or that keep a list of what is wrong.

use serde_json::{Map, Value as Json, json};

use super::draft::{Draft, object, put, scalar};
use super::embedded::embedded;
use super::{Message, SECRET, Version, defaults};
use crate::time::Duration;

/// Bytes of an event that PagerDuty takes.
const EVENT_SIZE: usize = 512_000;

/// PagerDuty, by version 2 of its events, or (with a `service_key`) by version 1.
pub(super) fn pagerduty(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let event = if draft.firing() { "trigger" } else { "resolve" };
    let details = details(draft)?;
    let title = draft.cut("the description", draft.text("description")?, 1024, &mut notes);
    let old = ["service_key", "service_key_file"].iter().any(|key| !draft.raw(key).is_empty());
    let mut body = Map::new();
    if old {
        body.insert("service_key".into(), SECRET.into());
        body.insert("incident_key".into(), draft.key_hash().into());
        body.insert("event_type".into(), event.into());
        put(&mut body, "description", title.clone());
        body.insert("event_action".into(), "".into());
        body.insert("payload".into(), Json::Null);
        if draft.firing() {
            put(&mut body, "client", draft.text("client")?);
            put(&mut body, "client_url", draft.text("client_url")?);
        }
        body.insert("details".into(), details.clone().into());
    } else {
        body = event_of(draft, event, &title, &details)?;
    }
    // A long one loses its details; the key that is not shown is taken to have its 32 letters.
    if Json::Object(body.clone()).to_string().len() + 32 - SECRET.len() + 1 > EVENT_SIZE {
        let error = "Custom details have been removed because the original event exceeds the maximum size of 512KB";
        let error = json!({ "error": error });
        match body.get_mut("payload") {
            Some(Json::Object(payload)) => payload.insert("custom_details".into(), error),
            _ => body.insert("details".into(), error),
        };
        notes.push(format!(
            "the event was larger than {EVENT_SIZE} bytes and loses its details, as pagerduty allows no more"
        ));
    }
    let text =
        details.iter().map(|(name, value)| format!("{name}: {}", scalar(value).unwrap_or(value.to_string().into())));
    Ok(Message { title, text: text.collect::<Vec<_>>().join("\n"), fields: body, notes })
}

/// An event of version 2.
fn event_of(
    draft: &Draft<'_>,
    event: &str,
    title: &str,
    details: &Map<String, Json>,
) -> Result<Map<String, Json>, String> {
    let source = if draft.raw("source").is_empty() { draft.text("client")? } else { draft.text("source")? };
    let severity = match draft.raw("severity") {
        own if own.is_empty() => "error".to_owned(),
        own => draft.expanded("severity", &own)?,
    };
    let mut payload = object(json!({ "summary": title, "source": source, "severity": severity }));
    for name in ["class", "component", "group"] {
        put(&mut payload, name, draft.text(name)?);
    }
    payload.insert("custom_details".into(), details.clone().into());
    let mut body = object(json!({
        "routing_key": SECRET,
        "dedup_key": draft.key_hash(),
        "event_action": event,
        "payload": payload,
    }));
    put(&mut body, "client", draft.text("client")?);
    put(&mut body, "client_url", draft.text("client_url")?);
    for (list, names, needed) in [("images", &["src", "alt", "href"][..], "src"), ("links", &["href", "text"], "href")]
    {
        let mut all = Vec::new();
        for entry in draft.list(list) {
            let mut out = Map::new();
            for name in names {
                out.insert((*name).to_owned(), draft.of(entry, name)?.into());
            }
            if out.get(needed).is_some_and(|it| it != "") {
                all.push(Json::Object(out));
            }
        }
        if !all.is_empty() {
            body.insert(list.to_owned(), all.into());
        }
    }
    Ok(body)
}

/// What the entry adds to an event, and what every event has.
fn details(draft: &Draft<'_>) -> Result<Map<String, Json>, String> {
    let mut all: Vec<(String, Json)> =
        draft.map("details").map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, template) in defaults::details(draft.version) {
        if all.iter().all(|(known, _)| known != name) {
            all.push((name.to_owned(), template.into()));
        }
    }
    // Go writes maps in the order of their names.
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = Map::new();
    for (name, value) in all {
        let value = match draft.version {
            Version::V0_25 => draft.expanded("details", &scalar(&value).unwrap_or_default())?.into(),
            _ => embedded(draft, &value, 0).map_err(|why| format!("details.{name}: {why}"))?,
        };
        out.insert(name, value);
    }
    Ok(out)
}

/// Parts between commas that are not empty.
fn split(text: &str) -> Vec<&str> {
    text.trim().split(',').filter(|it| !it.is_empty()).collect()
}

/// Opsgenie: an alert, or (all ended) the end of one.
pub(super) fn opsgenie(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    if !draft.firing() {
        notes.push("it closes Opsgenie's alert: no title and no text are sent".to_owned());
        let fields = object(json!({ "source": draft.text("source")? }));
        return Ok(Message { fields, notes, ..Message::default() });
    }
    let title = draft.cut("the message", draft.text("message")?, 130, &mut notes);
    let text = draft.text("description")?;
    let mut details = Map::new();
    for (name, value) in &draft.data.common_labels {
        details.insert(name.clone(), value.clone().into());
    }
    for (name, value) in draft.map("details") {
        let value = draft.expanded("details", &scalar(value).unwrap_or_default())?;
        details.insert(name.clone(), value.into());
    }
    let mut body = object(json!({ "alias": draft.key_hash(), "message": title }));
    put(&mut body, "description", text.clone());
    body.insert("details".into(), details.into());
    body.insert("source".into(), draft.text("source")?.into());
    let responders = responders(draft)?;
    if !responders.is_empty() {
        body.insert("responders".into(), responders.into());
    }
    for name in ["tags", "actions"] {
        let all = draft.text(name)?;
        let all = split(&all);
        if !all.is_empty() {
            body.insert(name.to_owned(), all.into());
        }
    }
    for name in ["note", "priority", "entity"] {
        put(&mut body, name, draft.text(name)?);
    }
    if draft.flag("update_alerts") {
        notes.push(
            "update_alerts: message and description are sent a second time, to update an alert that is open".into(),
        );
    }
    Ok(Message { title, text, fields: body, notes })
}

fn responders(draft: &Draft<'_>) -> Result<Vec<Json>, String> {
    let mut all = Vec::new();
    for entry in draft.list("responders") {
        let mut out = Map::new();
        for name in ["id", "name", "username"] {
            put(&mut out, name, draft.of(entry, name)?);
        }
        let kind = draft.of(entry, "type")?;
        if out.is_empty() && kind.is_empty() {
            continue;
        }
        if kind == "teams" {
            let names = out.get("name").and_then(Json::as_str).unwrap_or_default().to_owned();
            for team in split(&names) {
                all.push(json!({ "name": draft.expanded("responders", team)?, "type": "team" }));
            }
            continue;
        }
        out.insert("type".into(), kind.into());
        all.push(out.into());
    }
    Ok(all)
}

/// VictorOps, which is Splunk On-Call now.
pub(super) fn victorops(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let own = draft.text("message_type")?;
    let kind = match draft.firing() {
        false => "RECOVERY",
        true if matches!(own.as_str(), "INFO" | "WARNING" | "CRITICAL") => own.as_str(),
        true => "CRITICAL",
    };
    let text = draft.cut("the state_message", draft.text("state_message")?, 20_480, &mut notes);
    let title = draft.text("entity_display_name")?;
    let mut fields = object(json!({
        "message_type": kind,
        "entity_id": draft.key_hash(),
        "entity_display_name": title,
        "state_message": text,
        "monitoring_tool": draft.text("monitoring_tool")?,
    }));
    for (name, value) in draft.map("custom_fields") {
        let value = draft.expanded("custom_fields", &scalar(value).unwrap_or_default())?;
        fields.insert(name.clone(), value.into());
    }
    Ok(Message { title, text, fields, notes })
}

/// Pushover: parameters of its address.
pub(super) fn pushover(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let title = draft.cut("the title", draft.text("title")?, 250, &mut notes);
    let page = draft.flag("html");
    let text = if page { draft.page("message")? } else { draft.text("message")? };
    let text = draft.cut("the message", text, 1024, &mut notes);
    let text = match text.trim() {
        "" => "(no details)".to_owned(),
        text => text.to_owned(),
    };
    let newer = draft.version > Version::V0_25;
    let mut fields = object(json!({ "token": SECRET, "user": SECRET, "title": title, "message": text }));
    for (name, set) in [("html", page), ("monospace", newer && draft.flag("monospace"))] {
        if set {
            fields.insert(name.to_owned(), "1".into());
        }
    }
    let url = draft.cut("the url", draft.text("url")?, 512, &mut notes);
    fields.insert("url".into(), url.into());
    let names: &[&str] =
        if newer { &["url_title", "priority", "sound", "device"] } else { &["url_title", "priority", "sound"] };
    for name in names {
        fields.insert((*name).to_owned(), draft.text(name)?.into());
    }
    for name in ["retry", "expire"] {
        fields.insert(name.to_owned(), seconds(draft, name)?.to_string().into());
    }
    if newer && seconds(draft, "ttl")? > 0 {
        fields.insert("ttl".into(), seconds(draft, "ttl")?.to_string().into());
    }
    Ok(Message { title, text, fields, notes })
}

/// A length of time of the entry in whole seconds.
fn seconds(draft: &Draft<'_>, field: &str) -> Result<u64, String> {
    match draft.raw(field) {
        said if said.is_empty() || said == "0" => Ok(0),
        said => {
            let length: Duration = said.parse().map_err(|why| format!("{field}: {why}"))?;
            Ok(length.as_seconds_f64() as u64)
        }
    }
}

/// Jira: an issue. Whether one is there already only Jira knows.
pub(super) fn jira(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let template = |field: &str| match draft.settings.get(field).and_then(|it| it.get("template")) {
        Some(own) => draft.expanded(field, &scalar(own).unwrap_or_default()),
        None => draft.text(field),
    };
    let title = draft.cut("the summary", template("summary")?, 255, &mut notes);
    let text = draft.cut("the description", template("description")?, 32_767, &mut notes);
    let mut fields = object(json!({ "summary": title }));
    let newest = draft.raw("api_url").trim_end_matches('/').ends_with("/3");
    match newest {
        true if text.trim().is_empty() => {}
        true => {
            let body: Json =
                serde_json::from_str(&text).map_err(|_| "description template: invalid JSON for API v3".to_owned())?;
            fields.insert("description".into(), body);
        }
        false => put(&mut fields, "description", text.clone()),
    }
    fields.insert("issuetype".into(), json!({ "name": draft.text("issue_type")? }));
    let mut labels = vec![format!("ALERT{{{}}}", draft.key_hash())];
    for label in draft.list("labels") {
        labels.push(draft.expanded("labels", &scalar(label).unwrap_or_default())?);
    }
    labels.sort();
    fields.insert("labels".into(), labels.into());
    let priority = draft.text("priority")?;
    if !priority.is_empty() {
        fields.insert("priority".into(), json!({ "name": priority }));
    }
    fields.insert("project".into(), json!({ "key": draft.text("project")? }));
    for (name, value) in draft.map("fields") {
        let value = embedded(draft, value, 0).map_err(|why| format!("fields.{name}: {why}"))?;
        fields.insert(name.clone(), value);
    }
    notes.push(match draft.firing() {
        true => "what is shown makes an issue; whether one is open already, to be updated, only Jira knows".to_owned(),
        false => "it updates and closes an issue that is open; where there is none, nothing is sent".to_owned(),
    });
    Ok(Message { title, text, fields: object(json!({ "fields": fields })), notes })
}
