//! What integrations take from `global` where they say nothing, and `global` itself.

use serde_json::{Map, Value as Json};

use super::client::{HTTP, TLS};
use super::table::Of::{self, All, New, Old};
use super::table::Rule::{AtMostOne, Check};
use super::table::Takes::{Address, Duration, Flag, SecretUrl, Text, Url};
use super::table::{Reader, Section, Takes, is_set, newer, place_of, row, text};
use crate::document::{Node, Reading};
use crate::pager::Version;

/// The section `global`.
pub(super) static GLOBAL: Section = Section {
    name: "`global`",
    rows: &[
        row("resolve_timeout", Duration),
        row("http_config", Takes::Section(&HTTP)),
        newer("jira_api_url", Url),
        row("smtp_from", Text),
        row("smtp_hello", Text),
        row("smtp_smarthost", Address),
        row("smtp_auth_username", Text),
        row("smtp_auth_password", Text),
        row("smtp_auth_password_file", Text),
        row("smtp_auth_secret", Text),
        newer("smtp_auth_secret_file", Text),
        row("smtp_auth_identity", Text),
        row("smtp_require_tls", Flag),
        newer("smtp_tls_config", Takes::Section(&TLS)),
        newer("smtp_force_implicit_tls", Flag),
        row("slack_api_url", SecretUrl),
        row("slack_api_url_file", Text),
        newer("slack_app_token", Text),
        newer("slack_app_token_file", Text),
        newer("slack_app_url", Url),
        row("pagerduty_url", Url),
        row("opsgenie_api_url", Url),
        row("opsgenie_api_key", Text),
        row("opsgenie_api_key_file", Text),
        row("wechat_api_url", Url),
        row("wechat_api_secret", Text),
        newer("wechat_api_secret_file", Text),
        row("wechat_api_corp_id", Text),
        row("victorops_api_url", Url),
        row("victorops_api_key", Text),
        row("victorops_api_key_file", Text),
        row("telegram_api_url", Url),
        newer("telegram_bot_token", Text),
        newer("telegram_bot_token_file", Text),
        row("webex_api_url", Url),
        newer("rocketchat_api_url", Url),
        newer("rocketchat_token", Text),
        newer("rocketchat_token_file", Text),
        newer("rocketchat_token_id", Text),
        newer("rocketchat_token_id_file", Text),
        newer("mattermost_webhook_url", SecretUrl),
        newer("mattermost_webhook_url_file", Text),
    ],
    rules: &[
        (All, AtMostOne(&["slack_app_token", "slack_app_token_file"])),
        (All, AtMostOne(&["slack_api_url", "slack_api_url_file"])),
        (New, Check(slack)),
        (All, AtMostOne(&["opsgenie_api_key", "opsgenie_api_key_file"])),
        (All, AtMostOne(&["victorops_api_key", "victorops_api_key_file"])),
        (All, AtMostOne(&["telegram_bot_token", "telegram_bot_token_file"])),
        (All, AtMostOne(&["smtp_auth_password", "smtp_auth_password_file"])),
        (All, AtMostOne(&["rocketchat_token", "rocketchat_token_file"])),
        (All, AtMostOne(&["rocketchat_token_id", "rocketchat_token_id_file"])),
        (All, AtMostOne(&["smtp_auth_secret", "smtp_auth_secret_file"])),
        (All, AtMostOne(&["wechat_api_secret", "wechat_api_secret_file"])),
        (All, AtMostOne(&["mattermost_webhook_url", "mattermost_webhook_url_file"])),
    ],
};

const SLACK_APP: &str = "https://slack.com/api/chat.postMessage";

/// Either a webhook or an app's token, unless the webhook is where the app is told.
fn slack(node: &Node, _: Version, reading: &mut Reading) {
    let app = if is_set(node, "slack_app_url") { text(node, "slack_app_url") } else { SLACK_APP };
    let token = is_set(node, "slack_app_token") || is_set(node, "slack_app_token_file");
    let hook = is_set(node, "slack_api_url") || is_set(node, "slack_api_url_file");
    if token && hook && text(node, "slack_api_url") != app {
        let key = if is_set(node, "slack_api_url") { "slack_api_url" } else { "slack_api_url_file" };
        let what = format!("`{key}` stands beside an app's token");
        reading.error(&place_of(node, key), what, "keep one of them");
    }
}

/// What a kind takes from `global`.
struct Fill {
    of: Of,
    kind: &'static str,
    /// Its key, and that of `global`. Of several that stand together none is taken where one is there already.
    keys: &'static [(&'static str, &'static str)],
    /// What `global` says where nobody says it.
    default: Otherwise,
}

/// What an option is that nobody names.
#[derive(Clone, Copy)]
enum Otherwise {
    Nothing,
    /// It must be named.
    Needed,
    Is(&'static str),
    On,
}

use Otherwise::{Is, Needed, Nothing, On};

const fn fill(of: Of, kind: &'static str, keys: &'static [(&'static str, &'static str)], default: Otherwise) -> Fill {
    Fill { of, kind, keys, default }
}

static FILLS: &[Fill] = &[
    fill(New, "email", &[("tls_config", "smtp_tls_config")], Nothing),
    fill(All, "email", &[("smarthost", "smtp_smarthost")], Needed),
    fill(All, "email", &[("from", "smtp_from")], Needed),
    fill(All, "email", &[("hello", "smtp_hello")], Is("localhost")),
    fill(All, "email", &[("auth_username", "smtp_auth_username")], Nothing),
    fill(
        All,
        "email",
        &[("auth_password", "smtp_auth_password"), ("auth_password_file", "smtp_auth_password_file")],
        Nothing,
    ),
    fill(All, "email", &[("auth_secret", "smtp_auth_secret")], Nothing),
    fill(New, "email", &[("auth_secret_file", "smtp_auth_secret_file")], Nothing),
    fill(All, "email", &[("auth_identity", "smtp_auth_identity")], Nothing),
    fill(All, "email", &[("require_tls", "smtp_require_tls")], On),
    fill(New, "email", &[("force_implicit_tls", "smtp_force_implicit_tls")], Nothing),
    fill(All, "pagerduty", &[("url", "pagerduty_url")], Is("https://events.pagerduty.com/v2/enqueue")),
    fill(All, "opsgenie", &[("api_url", "opsgenie_api_url")], Is("https://api.opsgenie.com/")),
    fill(Old, "opsgenie", &[("api_key", "opsgenie_api_key"), ("api_key_file", "opsgenie_api_key_file")], Needed),
    fill(All, "wechat", &[("api_url", "wechat_api_url")], Is("https://qyapi.weixin.qq.com/cgi-bin/")),
    fill(Old, "wechat", &[("api_secret", "wechat_api_secret")], Needed),
    fill(New, "wechat", &[("api_secret", "wechat_api_secret"), ("api_secret_file", "wechat_api_secret_file")], Needed),
    fill(All, "wechat", &[("corp_id", "wechat_api_corp_id")], Needed),
    fill(
        All,
        "victorops",
        &[("api_url", "victorops_api_url")],
        Is("https://alert.victorops.com/integrations/generic/20131114/alert/"),
    ),
    fill(Old, "victorops", &[("api_key", "victorops_api_key"), ("api_key_file", "victorops_api_key_file")], Needed),
    fill(Old, "slack", &[("api_url", "slack_api_url"), ("api_url_file", "slack_api_url_file")], Needed),
    fill(All, "telegram", &[("api_url", "telegram_api_url")], Is("https://api.telegram.org")),
    fill(
        New,
        "telegram",
        &[("bot_token", "telegram_bot_token"), ("bot_token_file", "telegram_bot_token_file")],
        Needed,
    ),
    fill(All, "webex", &[("api_url", "webex_api_url")], Is("https://webexapis.com/v1/messages")),
    fill(All, "jira", &[("api_url", "jira_api_url")], Needed),
    fill(All, "rocketchat", &[("api_url", "rocketchat_api_url")], Is("https://open.rocket.chat/")),
    fill(
        All,
        "mattermost",
        &[("webhook_url", "mattermost_webhook_url"), ("webhook_url_file", "mattermost_webhook_url_file")],
        Needed,
    ),
];

/// Pairs of a value and the file that has it of which 0.33 takes each by itself, so that both may be there in the end.
static EACH: &[(&str, [(&str, &str); 2])] = &[
    ("opsgenie", [("api_key", "opsgenie_api_key"), ("api_key_file", "opsgenie_api_key_file")]),
    ("victorops", [("api_key", "victorops_api_key"), ("api_key_file", "victorops_api_key_file")]),
    ("rocketchat", [("token_id", "rocketchat_token_id"), ("token_id_file", "rocketchat_token_id_file")]),
    ("rocketchat", [("token", "rocketchat_token"), ("token_file", "rocketchat_token_file")]),
];

fn has(settings: &Map<String, Json>, key: &str) -> bool {
    settings.get(key).is_some_and(|value| value.as_str() != Some(""))
}

fn take(settings: &mut Map<String, Json>, key: &str, global: &Map<String, Json>, from: &str) {
    if !has(settings, key) && has(global, from) {
        settings.extend(global.get(from).map(|value| (key.to_owned(), value.clone())));
    }
}

/// Fills in what an integration takes from `global`, and tells what nobody says.
pub(super) fn filled(
    node: &Node,
    kind: &str,
    mut settings: Map<String, Json>,
    global: &Map<String, Json>,
    reader: &mut Reader<'_>,
) -> Map<String, Json> {
    let version = reader.version;
    if kind != "email" {
        take(&mut settings, "http_config", global, "http_config");
    }
    for fill in FILLS.iter().filter(|fill| fill.kind == kind && fill.of.knows(version)) {
        if fill.keys.iter().all(|(key, _)| !has(&settings, key)) {
            fill.keys.iter().for_each(|(key, from)| take(&mut settings, key, global, from));
        }
        let Some((key, _)) = fill.keys.first().filter(|_| fill.keys.iter().all(|(key, _)| !has(&settings, key))) else {
            continue;
        };
        match fill.default {
            Nothing => {}
            Needed => missing(node, kind, fill.keys, reader),
            Is(value) => _ = settings.insert((*key).to_owned(), Json::from(value)),
            On => _ = settings.insert((*key).to_owned(), Json::Bool(true)),
        }
    }
    for (_, keys) in EACH.iter().filter(|(of, _)| *of == kind && New.knows(version)) {
        keys.iter().for_each(|(key, from)| take(&mut settings, key, global, from));
        if keys.iter().all(|(key, _)| !has(&settings, key)) {
            missing(node, kind, keys, reader);
        }
    }
    if kind == "slack" && New.knows(version) {
        slack_app(node, &mut settings, global, reader);
    }
    if ["opsgenie", "wechat", "victorops"].contains(&kind) {
        with_slash(&mut settings);
    }
    settings
}

fn missing(node: &Node, kind: &str, keys: &[(&str, &str)], reader: &mut Reader<'_>) {
    let own: Vec<String> = keys.iter().map(|(key, _)| format!("`{key}`")).collect();
    let others: Vec<String> = keys.iter().map(|(_, key)| format!("`{key}`")).collect();
    let what = format!("`{kind}_configs` has no {}, and neither has `global`", own.join(" or "));
    let advice = format!("add {} here, or {} to `global`", own.join(" or "), others.join(" or "));
    reader.reading.error(&node.place.first_line(), what, advice);
}

/// How 0.33 chooses between a webhook of Slack and an app: with a token it is the app, told with the token as authorization.
fn slack_app(node: &Node, settings: &mut Map<String, Json>, global: &Map<String, Json>, reader: &mut Reader<'_>) {
    take(settings, "app_url", global, "slack_app_url");
    if !has(settings, "app_url") {
        settings.insert("app_url".to_owned(), Json::from(SLACK_APP));
    }
    let token = |settings: &Map<String, Json>| has(settings, "app_token") || has(settings, "app_token_file");
    let hook = |settings: &Map<String, Json>| has(settings, "api_url") || has(settings, "api_url_file");
    if !token(settings) && !super::client::is_authorized(node) && !has(settings, "api_url") {
        take(settings, "app_token", global, "slack_app_token");
        take(settings, "app_token_file", global, "slack_app_token_file");
    }
    if !hook(settings) {
        take(settings, "api_url", global, "slack_api_url");
        take(settings, "api_url_file", global, "slack_api_url_file");
    }
    if !token(settings) && !hook(settings) {
        let keys = [("api_url", "slack_api_url"), ("app_token", "slack_app_token")];
        return missing(node, "slack", &keys, reader);
    }
    if !token(settings) {
        return;
    }
    let mut http = settings.get("http_config").and_then(Json::as_object).cloned().unwrap_or_default();
    if ["authorization", "bearer_token", "bearer_token_file"].iter().any(|key| has(&http, key)) {
        let what = "`slack_configs` has an app's token, and `http_config` an authorization";
        return reader.reading.error(&node.place.first_line(), what, "keep one of them");
    }
    let mut authorization = Map::new();
    authorization.insert("type".to_owned(), Json::from("Bearer"));
    for (key, from) in [("credentials", "app_token"), ("credentials_file", "app_token_file")] {
        authorization.extend(settings.get(from).map(|value| (key.to_owned(), value.clone())));
    }
    http.insert("authorization".to_owned(), Json::Object(authorization));
    settings.insert("http_config".to_owned(), Json::Object(http));
    settings.extend(settings.get("app_url").cloned().map(|url| ("api_url".to_owned(), url)));
}

/// The path of an API ends with a slash.
fn with_slash(settings: &mut Map<String, Json>) {
    if let Some(Json::String(url)) = settings.get_mut("api_url") {
        let end = url.find(['?', '#']).unwrap_or(url.len());
        if !url[..end].ends_with('/') {
            url.insert(end, '/');
        }
    }
}
