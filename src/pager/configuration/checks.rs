//! What must hold in a section beyond its single options.

use super::client::is_authorized;
use super::table::{entries, flag, get, is_set, number, place_of, text};
use crate::document::{Node, Reading};
use crate::pager::Version;

pub(super) fn receiver(node: &Node, _: Version, reading: &mut Reading) {
    let name = text(node, "name");
    for entry in entries(node, "labels").iter().filter(|entry| entry.key == "name") {
        if get(node, "labels").is_some_and(|labels| text(labels, "name") != name) {
            let advice = format!("write `name: {name}`, or leave it out");
            reading.error(&entry.place, "the label `name` is not the receiver's name", advice);
        }
    }
}

pub(super) fn email(node: &Node, _: Version, reading: &mut Reading) {
    let mut seen: Vec<String> = Vec::new();
    for entry in entries(node, "headers") {
        let name = entry.key.to_ascii_lowercase();
        if seen.contains(&name) {
            let what = format!("the header `{}` stands there twice", entry.key);
            reading.error(&entry.place, what, "large and small letters are the same: keep one of them");
        }
        seen.push(name);
    }
    let Some(threading) = get(node, "threading").filter(|it| flag(text(it, "enabled")) == Some(true)) else { return };
    for entry in entries(node, "headers") {
        if ["references", "in-reply-to"].contains(&entry.key.to_ascii_lowercase().as_str()) {
            let what = format!("the header `{}` is set by `threading`", entry.key);
            reading.error(&entry.place, what, "leave one of them out");
        }
    }
    if !["none", "daily"].contains(&text(threading, "thread_by_date")) {
        let what = format!("`thread_by_date` is `{}`", text(threading, "thread_by_date"));
        reading.error(&place_of(threading, "thread_by_date"), what, "write `none` or `daily`");
    }
}

pub(super) fn responder(node: &Node, _: Version, reading: &mut Reading) {
    let kind = text(node, "type");
    let known = ["team", "teams", "user", "escalation", "schedule"];
    if kind.contains("{{") {
        if let Err(advice) = super::address::template(kind) {
            reading.error(&place_of(node, "type"), format!("`type` is `{kind}`"), advice);
        }
    } else if !known.contains(&kind.to_lowercase().as_str()) {
        reading.unknown(&place_of(node, "type"), "type of responders", kind, known);
    }
}

pub(super) fn slack(node: &Node, _: Version, reading: &mut Reading) {
    const API: &str = "https://slack.com/api/chat.postMessage";
    if flag(text(node, "update_message")) == Some(true) && text(node, "api_url") != API {
        let what = "`update_message` needs a bot's token, which webhooks do not have";
        reading.error(&place_of(node, "update_message"), what, format!("write `api_url: {API}`, or leave it out"));
    }
}

pub(super) fn victorops(node: &Node, _: Version, reading: &mut Reading) {
    const RESERVED: &[&str] = &[
        "routing_key",
        "message_type",
        "state_message",
        "entity_display_name",
        "monitoring_tool",
        "entity_id",
        "entity_state",
    ];
    for entry in entries(node, "custom_fields").iter().filter(|entry| RESERVED.contains(&entry.key.as_str())) {
        let what = format!("`{}` is no custom field: VictorOps has one of that name", entry.key);
        reading.error(&entry.place, what, "give it another name");
    }
}

pub(super) fn pushover(node: &Node, _: Version, reading: &mut Reading) {
    let on = |key: &str| flag(text(node, key)) == Some(true);
    if on("html") && on("monospace") {
        reading.error(&place_of(node, "monospace"), "`html` and `monospace` are both set", "keep one of them");
    }
}

pub(super) fn sigv4(node: &Node, _: Version, reading: &mut Reading) {
    if is_set(node, "access_key") != is_set(node, "secret_key") {
        let what = "`access_key` and `secret_key` belong together";
        reading.error(&node.place.first_line(), what, "write both, or none of them");
    }
    if is_set(node, "external_id") && !is_set(node, "role_arn") {
        reading.error(
            &place_of(node, "external_id"),
            "`external_id` stands there without `role_arn`",
            "add `role_arn`",
        );
    }
}

/// None is refused, and so are two; three are not: that is how Alertmanager asks.
pub(super) fn sns(node: &Node, _: Version, reading: &mut Reading) {
    let set = ["target_arn", "topic_arn", "phone_number"].iter().filter(|key| is_set(node, key)).count();
    if set % 2 == 0 {
        let advice = "write one of `target_arn`, `topic_arn` and `phone_number`";
        reading.error(&node.place.first_line(), "it is not clear whom `sns_configs` tells", advice);
    }
}

pub(super) fn telegram(node: &Node, version: Version, reading: &mut Reading) {
    let chat = number(text(node, "chat_id")).is_some_and(|it| it.as_f64() != Some(0.0));
    let file = is_set(node, "chat_id_file");
    match version {
        _ if chat && file => {
            reading.error(
                &place_of(node, "chat_id_file"),
                "both `chat_id` and `chat_id_file` are set",
                "keep one of them",
            );
        }
        Version::V0_25 if !chat => {
            reading.error(&place_of(node, "chat_id"), "`telegram_configs` has no `chat_id`", "add `chat_id`");
        }
        _ if !chat && !file => {
            let advice = "add `chat_id` or `chat_id_file`";
            reading.error(&place_of(node, "chat_id"), "`telegram_configs` has no `chat_id`", advice);
        }
        _ => {}
    }
}

pub(super) fn webex(node: &Node, _: Version, reading: &mut Reading) {
    if !is_authorized(node) {
        let what = "`webex_configs` has no `http_config` with `authorization`";
        let advice = "add `http_config: { authorization: { credentials: ... } }`; that of `global` does not count";
        reading.error(&node.place.first_line(), what, advice);
    }
}

pub(super) fn incidentio(node: &Node, _: Version, reading: &mut Reading) {
    let token = is_set(node, "alert_source_token") || is_set(node, "alert_source_token_file");
    let (has_http, authorized) = (get(node, "http_config").is_some(), is_authorized(node));
    if authorized && token {
        let what = "`alert_source_token` stands beside `http_config` with `authorization`";
        reading.error(&node.place.first_line(), what, "keep one of them");
    }
    if has_http && !authorized && !token {
        let what = "`incidentio_configs` has no `alert_source_token`";
        reading.error(&node.place.first_line(), what, "add `alert_source_token`");
    }
}
