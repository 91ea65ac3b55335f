//! `*Execution` tasks that tell people in chats.

use serde_json::{Map, Value, json};

use super::alerts::{json_or_text, to_telegram};
use super::execution::{Story, story};
use super::http::{Content, post, post_plainly};
use super::properties::{Properties, plain};
use super::{Draft, Error};

/// The longest post on X, in UTF-16 units.
const MAX_POST: usize = 280;

/// Properties that go into the payload under a name of the service, where they are given.
fn merge(properties: &Properties<'_>, payload: &mut Value, names: &[(&str, &str)]) -> Result<(), Error> {
    for (property, name) in names {
        if let Some(text) = properties.text(property)? {
            payload[*name] = text.into();
        }
    }
    Ok(())
}

/// A list of named texts.
pub(super) fn named<'t>(name: &str, facts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Value {
    facts.into_iter().map(|(title, value)| json!({ name: title, "value": value })).collect()
}

/// The message of Slack and Zulip; the custom fields stand after `before` facts.
fn blocks(story: &Story, custom_first: bool) -> Value {
    let text = format!("{}\n> {}", story.heading(), story.result());
    let mut blocks = Vec::new();
    if let Some(message) = &story.custom_message {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": message } }));
    }
    let mut main = json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    if let Some(link) = &story.link {
        main["accessory"] =
            json!({ "type": "button", "text": { "type": "plain_text", "text": "Details" }, "url": link });
    }
    blocks.push(main);
    let field = |title: &str, value: Value| json!({ "title": title, "value": value, "short": true });
    let mut fields: Vec<Value> = story.facts().into_iter().map(|(title, value)| field(title, value.into())).collect();
    let custom = story.custom_fields.iter().flatten().map(|(title, value)| field(title, value.clone()));
    let at = if custom_first && story.last.is_some() { fields.len() - 1 } else { fields.len() };
    fields.splice(at..at, custom.collect::<Vec<_>>());
    let color = match story.state.as_str() {
        "SUCCESS" => "good",
        "WARNING" => "warning",
        _ => "danger",
    };
    let attachment = json!({ "color": color, "fields": fields, "ts": story.start.as_second() });
    json!({ "text": text, "blocks": blocks, "attachments": [attachment] })
}

const SLACK_NAMES: &[(&str, &str)] =
    &[("channel", "channel"), ("username", "username"), ("iconUrl", "icon_url"), ("iconEmoji", "icon_emoji")];

pub(super) fn slack(properties: &Properties<'_>) -> Result<Draft, Error> {
    let mut payload = blocks(&story(properties)?, true);
    merge(properties, &mut payload, SLACK_NAMES)?;
    let request = post(properties, properties.required("url")?, &[], Content::Json(payload.to_string()))?;
    Ok(Draft { to: properties.text("channel")?, request })
}

pub(super) fn zulip(properties: &Properties<'_>) -> Result<Draft, Error> {
    let mut payload = blocks(&story(properties)?, false);
    merge(properties, &mut payload, SLACK_NAMES)?;
    sent(properties, &payload, properties.text("channel")?)
}

/// A payload that leaves as a text.
pub(super) fn sent(properties: &Properties<'_>, payload: &Value, to: Option<String>) -> Result<Draft, Error> {
    let request = post(properties, properties.required("url")?, &[], Content::Text(payload.to_string()))?;
    Ok(Draft { to, request })
}

pub(super) fn teams(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let mut section = json!({ "facts": named("name", story.facts()), "markdown": true });
    merge(properties, &mut section, &[("activityTitle", "activityTitle"), ("activitySubtitle", "activitySubtitle")])?;
    let payload = json!({
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": properties.text("themeColor")?.unwrap_or_else(|| "0076D7".to_owned()),
        "summary": format!("{}\n> {}", story.linked(""), story.result()),
        "sections": [section],
    });
    sent(properties, &payload, None)
}

/// The facts in one line, and what came of it.
pub(super) fn line_of(story: &Story) -> String {
    let facts: Vec<String> = story.facts().iter().map(|(name, value)| format!("{name} {value}")).collect();
    format!("{}. {}\n> {}", facts.join(", "), story.linked(""), story.result())
}

pub(super) fn google(properties: &Properties<'_>) -> Result<Draft, Error> {
    let told = format!("Kestra Google notification: {}", line_of(&story(properties)?));
    let text = properties.text("text")?.unwrap_or(told);
    let content = Content::Text(json!({ "text": text }).to_string());
    let request = post_plainly(properties, properties.required("url")?, &[], "application/json", content)?;
    Ok(Draft { to: None, request })
}

pub(super) fn discord(properties: &Properties<'_>) -> Result<Draft, Error> {
    let url = properties.required("url")?;
    if let Some(payload) = properties.text("payload")? {
        let content = json_or_text(properties, payload)?;
        return Ok(Draft { to: None, request: post(properties, url, &[], content)? });
    }
    let story = story(properties)?;
    let final_task = story.last.as_deref().map(|task| format!("\nFinal task ID: {task} ")).unwrap_or_default();
    let link =
        story.link.as_deref().map(|link| format!("\n\n[Link to the Execution page]({link})")).unwrap_or_default();
    let description = format!(
        "Namespace: {}\nFlow ID: {}\nExecution ID: {}\nExecution Status: {} {final_task}{link}",
        story.namespace, story.flow, story.id, story.state
    );
    let mut embeds = match properties.value("embedList")? {
        Some(Value::Array(list)) => list.iter().map(embed).collect(),
        _ => Vec::new(),
    };
    if embeds.is_empty() {
        embeds.push(Map::new());
    }
    if let Some(first) = embeds.first_mut() {
        first.insert("description".to_owned(), description.into());
        first.insert("footer".to_owned(), json!({ "text": story.result() }));
    }
    let mut payload = json!({ "embeds": embeds, "tts": false });
    merge(properties, &mut payload, &[("username", "username"), ("avatarUrl", "avatar_url"), ("content", "content")])?;
    let request = post(properties, url, &[], Content::Json(payload.to_string()))?;
    Ok(Draft { to: properties.text("username")?, request })
}

/// An entry of `embedList` as Discord wants it.
fn embed(entry: &Value) -> Map<String, Value> {
    let mut embed = Map::new();
    let text = |name: &str| entry.get(name).filter(|value| !value.is_null()).map(plain);
    for name in ["title", "description", "url"] {
        embed.extend(text(name).map(|value| (name.to_owned(), Value::from(value))));
    }
    embed.extend(text("thumbnail").map(|url| ("thumbnail".to_owned(), json!({ "url": url }))));
    embed.extend(text("footer").map(|text| ("footer".to_owned(), json!({ "text": text }))));
    let author: Map<String, Value> = [("authorName", "name"), ("websiteUrl", "url"), ("avatarUrl", "icon_url")]
        .into_iter()
        .filter_map(|(property, name)| Some((name.to_owned(), Value::from(text(property)?))))
        .collect();
    if !author.is_empty() {
        embed.insert("author".to_owned(), author.into());
    }
    let color = entry.get("color").and_then(Value::as_array).cloned().unwrap_or_default();
    if let [red, green, blue] = color.iter().filter_map(Value::as_u64).collect::<Vec<_>>()[..] {
        embed.insert("color".to_owned(), ((red & 255) << 16 | (green & 255) << 8 | (blue & 255)).into());
    }
    embed
}

pub(super) fn whatsapp(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let mut lines: Vec<String> = story.facts().iter().map(|(name, value)| format!("{name} {value}")).collect();
    lines.push(format!("{}\n> {}", story.linked(""), story.result()));
    let lines = properties.list("textBodies")?.unwrap_or(lines);
    let mut message = json!({ "text": { "body": lines }, "type": "text" });
    merge(properties, &mut message, &[("from", "from"), ("messageId", "id")])?;
    let to = properties.list("whatsAppIds")?.unwrap_or_default();
    let contact = |(name, id): (&String, &String)| json!({ "profile": { "name": name }, "wa_id": id });
    // Without a name the recorded servers name nobody, whatever the ids.
    let name = properties.text("profileName")?;
    let contacts: Vec<Value> = to.iter().filter_map(|id| Some(contact((name.as_ref()?, id)))).collect();
    let mut payload = json!({ "contacts": contacts, "messages": [message] });
    merge(properties, &mut payload, &[("recipientId", "recipient_id")])?;
    sent(properties, &payload, to.first().cloned())
}

/// What Messenger and LINE say.
fn details(story: &Story, failed: &str, end: &str) -> String {
    let mut text = format!(
        "Execution {}\n\nDetails:\n- ID: {}\n- Namespace: {}\n- Flow: {}\n- Started: {}\n- Duration: {}\n",
        story.state, story.id, story.namespace, story.flow, story.start, story.duration
    );
    if let Some(task) = &story.failed {
        text += &format!("- {failed}{task}{end}\n");
    }
    if let Some(message) = &story.custom_message {
        text += &format!("\n{message}\n");
    }
    if let Some(fields) = &story.custom_fields {
        text.push('\n');
        for (name, value) in fields {
            text += &format!("- {name}: {}\n", plain(value));
        }
    }
    text + &format!("\nView Execution: {}", story.link.as_deref().unwrap_or_default())
}

pub(super) fn messenger(properties: &Properties<'_>) -> Result<Draft, Error> {
    let (page, token) = (properties.required("pageId")?, properties.required("accessToken")?);
    let recipients = properties.list("recipientIds")?.unwrap_or_default();
    let recipient = match recipients.as_slice() {
        [] => return Err(Error::failed("Atleast one RecipientId is required")),
        [one] => one.clone(),
        _ => return Err(Error::not_simulated("MessengerExecution with more than one of recipientIds")),
    };
    let own = properties.text("url")?;
    let url = own.unwrap_or_else(|| format!("https://graph.facebook.com/v23.0/{page}/messages?access_token={token}"));
    let payload = json!({
        "recipient": { "id": recipient },
        "messaging_type": properties.text("messagingType")?.unwrap_or_else(|| "UPDATE".to_owned()),
        "message": { "text": details(&story(properties)?, "Failed on task `", "`") },
    });
    let request = post(properties, url, &[], Content::Text(payload.to_string()))?;
    Ok(Draft { to: Some(recipient), request })
}

pub(super) fn line(properties: &Properties<'_>) -> Result<Draft, Error> {
    let login = format!("Bearer {}", properties.required("channelAccessToken")?);
    let own = properties.text("url")?;
    let url = own.unwrap_or_else(|| "https://api.line.me/v2/bot/message/broadcast".to_owned());
    let text = match properties.text("textBody")? {
        Some(text) => text,
        None => details(&story(properties)?, "Failed Task: ", ""),
    };
    let payload = json!({ "messages": [{ "type": "text", "text": text }] });
    let request = post(properties, url, &[("Authorization", login)], Content::Text(payload.to_string()))?;
    Ok(Draft { to: None, request })
}

pub(super) fn x(properties: &Properties<'_>) -> Result<Draft, Error> {
    let token = properties.text("bearerToken")?;
    let token =
        token.ok_or_else(|| Error::not_simulated("XExecution that logs in by OAuth 1.0a, without bearerToken"))?;
    let story = story(properties)?;
    let sign = match story.state.as_str() {
        "SUCCESS" => "✅",
        "FAILED" => "❌",
        "WARNING" => "⚠️",
        "KILLED" => "🛑",
        _ => "ℹ️",
    };
    let link = story.link.as_deref().map(|link| format!("{link}\n")).unwrap_or_default();
    let text = format!(
        "{sign} {}: {}.{} (Duration: {})\n#Kestra #Automation\n{link}",
        story.state, story.namespace, story.flow, story.duration
    );
    let length = text.encode_utf16().count();
    if length > MAX_POST {
        return Err(Error::failed(format!(
            "Tweet message exceeds maximum length of {MAX_POST} characters. Current length: {length}"
        )));
    }
    let url = properties.text("url")?.unwrap_or_else(|| "https://api.x.com/2/tweets".to_owned());
    let login = [("Authorization", format!("Bearer {token}"))];
    let request = post(properties, url, &login, Content::Text(json!({ "text": text }).to_string()))?;
    Ok(Draft { to: None, request })
}

pub(super) fn telegram(properties: &Properties<'_>) -> Result<Draft, Error> {
    let story = story(properties)?;
    let text = format!(
        "<{} {} {} ➛ {}> {} ({})",
        story.namespace,
        story.flow,
        story.id,
        story.state,
        story.result(),
        story.link.as_deref().unwrap_or_default()
    );
    to_telegram(properties, &text)
}
