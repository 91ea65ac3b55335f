//! Kinds that post to a room.

use serde_json::{Map, Value as Json, json};

use super::draft::{Draft, object, put};
use super::{Message, Version};

/// Slack: one attachment.
pub(super) fn slack(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let title = draft.cut("the title", draft.text("title")?, 1024, &mut notes);
    let text = draft.text("text")?;
    let mut attachment = Map::new();
    put(&mut attachment, "title", title.clone());
    put(&mut attachment, "title_link", draft.text("title_link")?);
    put(&mut attachment, "pretext", draft.text("pretext")?);
    for (name, text) in
        [("text", text.clone()), ("fallback", draft.text("fallback")?), ("callback_id", draft.text("callback_id")?)]
    {
        attachment.insert(name.into(), text.into());
    }
    let fields = fields(draft, draft.list("fields"), true)?;
    if !fields.is_empty() {
        attachment.insert("fields".into(), fields.into());
    }
    let actions: Result<Vec<Json>, String> = draft.list("actions").iter().map(|it| action(draft, it)).collect();
    let actions = actions?;
    if !actions.is_empty() {
        attachment.insert("actions".into(), actions.into());
    }
    put(&mut attachment, "image_url", draft.text("image_url")?);
    put(&mut attachment, "thumb_url", draft.text("thumb_url")?);
    attachment.insert("footer".into(), draft.text("footer")?.into());
    put(&mut attachment, "color", draft.text("color")?);
    let marked = match draft.list("mrkdwn_in") {
        [] => json!(["fallback", "pretext", "text"]),
        own => Json::from(own.to_vec()),
    };
    attachment.insert("mrkdwn_in".into(), marked);
    let mut body = Map::new();
    for name in ["channel", "username", "icon_emoji", "icon_url"] {
        put(&mut body, name, draft.text(name)?);
    }
    if draft.flag("link_names") {
        body.insert("link_names".into(), true.into());
    }
    if draft.version > Version::V0_25 {
        put(&mut body, "text", draft.text("message_text")?);
    }
    body.insert("attachments".into(), json!([attachment]));
    if draft.flag("update_message") {
        notes.push(
            "update_message: the channel and the time of the message before it are Slack's, and not simulated".into(),
        );
    }
    Ok(Message { title, text, fields: body, notes })
}

/// The short texts beside a message. `always` says whether `short` is told where nobody wrote it.
fn fields(draft: &Draft<'_>, all: &[Json], always: bool) -> Result<Vec<Json>, String> {
    let short = draft.flag("short_fields");
    let one = |it: &Json| {
        let mut out = Map::new();
        put(&mut out, "title", draft.of(it, "title")?);
        put(&mut out, "value", draft.of(it, "value")?);
        match it.get("short").and_then(Json::as_bool) {
            Some(own) => out.insert("short".into(), own.into()),
            None if always => out.insert("short".into(), short.into()),
            None => None,
        };
        Ok(Json::Object(out))
    };
    all.iter().map(one).collect()
}

/// A button of Slack: one with an address has nothing else.
fn action(draft: &Draft<'_>, entry: &Json) -> Result<Json, String> {
    let mut out = Map::new();
    let linked = entry.get("url").is_some_and(|it| it.as_str() != Some(""));
    for name in ["type", "text", "url", "style", "name", "value"] {
        if !linked || !matches!(name, "name" | "value") {
            put(&mut out, name, draft.of(entry, name)?);
        }
    }
    if let Some(confirm) = entry.get("confirm").filter(|it| it.is_object() && !linked) {
        let mut inner = Map::new();
        for name in ["text", "title", "ok_text", "dismiss_text"] {
            put(&mut inner, name, draft.of(confirm, name)?);
        }
        out.insert("confirm".into(), inner.into());
    }
    Ok(out.into())
}

/// Rocket.Chat.
pub(super) fn rocketchat(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let title = draft.cut("the title", draft.text("title")?, 1024, &mut notes);
    let text = draft.text("text")?;
    let mut attachment = Map::new();
    put(&mut attachment, "title", title.clone());
    put(&mut attachment, "title_link", draft.text("title_link")?);
    put(&mut attachment, "text", text.clone());
    for name in ["image_url", "thumb_url", "color"] {
        put(&mut attachment, name, draft.text(name)?);
    }
    let fields = fields(draft, draft.list("fields"), true)?;
    if !fields.is_empty() {
        attachment.insert("fields".into(), fields.into());
    }
    let button = |it: &Json| {
        let mut out = object(json!({ "type": "button", "is_webview": false, "msg_in_chat_window": false }));
        for name in ["text", "url", "msg"] {
            put(&mut out, name, draft.of(it, name)?);
        }
        Ok(Json::Object(out))
    };
    let actions: Result<Vec<Json>, String> = draft.list("actions").iter().map(button).collect();
    let actions = actions?;
    if !actions.is_empty() {
        attachment.insert("actions".into(), actions.into());
    }
    let mut body = Map::new();
    put(&mut body, "channel", draft.text("channel")?);
    put(&mut body, "emoji", draft.text("emoji")?);
    put(&mut body, "avatar", draft.text("icon_url")?);
    body.insert("attachments".into(), json!([attachment]));
    Ok(Message { title, text, fields: body, notes })
}

const ATTACHED: &[&str] = &[
    "fallback",
    "color",
    "pretext",
    "text",
    "author_name",
    "author_link",
    "author_icon",
    "title",
    "title_link",
    "thumb_url",
    "footer",
    "footer_icon",
    "image_url",
];
/// Characters that Mattermost takes.
const MATTERMOST_TEXT: usize = 16_383;

/// Mattermost: one attachment, or those that the entry lists.
pub(super) fn mattermost(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let text = draft.text("text")?;
    let title = draft.text("title")?;
    let mut body = Map::new();
    let mut attachments = Vec::new();
    for entry in draft.list("attachments") {
        let mut out = Map::new();
        for name in ATTACHED {
            put(&mut out, name, draft.of(entry, name)?);
        }
        let own = entry.get("fields").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let own = fields(draft, own, false)?;
        if !own.is_empty() {
            out.insert("fields".into(), own.into());
        }
        attachments.push(out);
    }
    if attachments.is_empty() {
        let mut out = Map::new();
        for name in ATTACHED {
            put(&mut out, name, draft.text(name)?);
        }
        let own = fields(draft, draft.list("fields"), false)?;
        if !own.is_empty() {
            out.insert("fields".into(), own.into());
        }
        attachments.push(out);
    } else {
        put(&mut body, "text", draft.cut("the text", text.clone(), MATTERMOST_TEXT, &mut notes));
    }
    for name in ["channel", "username", "icon_url", "icon_emoji", "type"] {
        put(&mut body, name, draft.text(name)?);
    }
    body.insert("attachments".into(), attachments.into());
    if let Some(card) = draft.settings.get("props").filter(|it| it.get("card").is_some_and(|card| card != "")) {
        body.insert("props".into(), json!({ "card": draft.of(card, "card")? }));
    }
    if let Some(entry) = draft.settings.get("priority").filter(|it| it.get("priority").is_some_and(|it| it != "")) {
        body.insert("priority".into(), urgency(draft, entry)?);
    }
    Ok(Message { title, text, fields: body, notes })
}

/// How loudly Mattermost tells it.
fn urgency(draft: &Draft<'_>, entry: &Json) -> Result<Json, String> {
    let said = draft.of(entry, "priority")?.to_lowercase();
    let word = if matches!(said.as_str(), "urgent" | "important") { said.as_str() } else { "standard" };
    let flag = |name: &str| entry.get(name).and_then(Json::as_bool).unwrap_or(false);
    let mut out = object(json!({ "priority": word }));
    if flag("requested_ack") && word != "standard" {
        out.insert("requested_ack".into(), true.into());
    }
    if flag("persistent_notifications") && word == "urgent" {
        out.insert("persistent_notifications".into(), true.into());
    }
    Ok(out.into())
}

/// Discord: one embed.
pub(super) fn discord(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let mut title = draft.text("title")?;
    let mut text = draft.text("message")?;
    let mut body = object(json!({ "content": "" }));
    // 0.25 cuts nothing, and Discord refuses what is too long.
    if draft.version > Version::V0_25 {
        title = draft.cut("the title", title, 256, &mut notes);
        text = draft.cut("the message", text, 4096, &mut notes);
        let content = draft.cut("the content", draft.text("content")?, 2000, &mut notes);
        body.insert("content".into(), content.into());
    }
    let color = if draft.firing() { 0x99_2d22 } else { 0x2e_cc71 };
    body.insert("embeds".into(), json!([{ "title": title, "description": text, "color": color }]));
    if draft.version > Version::V0_25 {
        for name in ["username", "avatar_url"] {
            put(&mut body, name, draft.raw(name).into_owned());
        }
    }
    Ok(Message { title, text, fields: body, notes })
}

/// Microsoft Teams by its old connectors.
pub(super) fn msteams(draft: &Draft<'_>) -> Result<Message, String> {
    let (title, text) = (draft.text("title")?, draft.text("text")?);
    let fields = object(json!({
        "@context": "http://schema.org/extensions",
        "type": "MessageCard",
        "title": title,
        "summary": draft.text("summary")?,
        "text": text,
        "themeColor": if draft.firing() { "8C1A1A" } else { "2DC72D" },
    }));
    Ok(Message { title, text, fields, notes: Vec::new() })
}

/// Microsoft Teams by Power Automate: an adaptive card.
pub(super) fn msteamsv2(draft: &Draft<'_>) -> Result<Message, String> {
    let (title, text) = (draft.text("title")?, draft.text("text")?);
    let heading = json!({
        "type": "TextBlock",
        "text": title,
        "weight": "Bolder",
        "size": "Medium",
        "wrap": true,
        "style": "heading",
        "color": if draft.firing() { "Attention" } else { "Good" },
    });
    let fields = object(json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.2",
                "body": [heading, { "type": "TextBlock", "text": text, "wrap": true }],
                "msteams": { "width": "full" },
            },
        }],
    }));
    Ok(Message { title, text, fields, notes: Vec::new() })
}

/// Bytes that Webex takes.
const WEBEX_SIZE: usize = 7439;
/// Webex.
pub(super) fn webex(draft: &Draft<'_>) -> Result<Message, String> {
    let text = draft.text("message")?;
    if text.len() > WEBEX_SIZE {
        return Err(format!(
            "message: one of more than {WEBEX_SIZE} bytes, which Webex does not take, is not simulated"
        ));
    }
    let mut fields = object(json!({ "markdown": text }));
    let room = match draft.version {
        Version::V0_25 => draft.raw("room_id").into_owned(),
        _ => draft.text("room_id")?,
    };
    put(&mut fields, "roomId", room);
    Ok(Message { title: String::new(), text, fields, notes: Vec::new() })
}

/// Characters that Telegram takes.
const TELEGRAM_TEXT: usize = 4096;
/// What 0.33 sends instead of a page that is too long.
const TELEGRAM_INSTEAD: &str = "Alertmanager notification could not be sent: message length exceeds Telegram limits.\n\t\t\t\
                                Please check the template used for producing the message content.";

/// Telegram.
pub(super) fn telegram(draft: &Draft<'_>) -> Result<Message, String> {
    let mut notes = Vec::new();
    let mode = draft.raw("parse_mode").into_owned();
    let text = match mode.as_str() {
        "HTML" => draft.page("message")?,
        _ => draft.text("message")?,
    };
    let text = match draft.version {
        version if version >= Version::V0_33 && mode == "HTML" && text.chars().count() > TELEGRAM_TEXT => {
            notes.push(format!(
                "the message is longer than {TELEGRAM_TEXT} characters: Alertmanager sends another instead"
            ));
            TELEGRAM_INSTEAD.to_owned()
        }
        _ => draft.cut("the message", text, TELEGRAM_TEXT, &mut notes),
    };
    let mut fields = Map::new();
    put(&mut fields, "chat_id", draft.raw("chat_id").into_owned());
    fields.insert("text".into(), text.clone().into());
    fields.insert("disable_web_page_preview".into(), "true".into());
    if draft.flag("disable_notifications") {
        fields.insert("disable_notification".into(), "true".into());
    }
    put(&mut fields, "parse_mode", mode);
    if draft.version > Version::V0_25 {
        let thread = draft.raw("message_thread_id").into_owned();
        put(&mut fields, "message_thread_id", if thread == "0" { String::new() } else { thread });
    }
    Ok(Message { title: String::new(), text, fields, notes })
}

/// WeChat.
pub(super) fn wechat(draft: &Draft<'_>) -> Result<Message, String> {
    let text = draft.text("message")?;
    let own = draft.raw("message_type").into_owned();
    let kind = if own.is_empty() { "text".to_owned() } else { own };
    let (said, other) = if kind == "markdown" { ("markdown", "text") } else { ("text", "markdown") };
    let mut fields = object(json!({ said: { "content": text }, other: { "content": "" } }));
    for (name, field) in [("touser", "to_user"), ("toparty", "to_party"), ("totag", "to_tag"), ("agentid", "agent_id")]
    {
        put(&mut fields, name, draft.text(field)?);
    }
    fields.insert("safe".into(), "0".into());
    fields.insert("msgtype".into(), kind.clone().into());
    Ok(Message { title: String::new(), text, fields, notes: Vec::new() })
}
