//! Every kind of receiver: its options, since when they are known, and what must be there.

use super::checks;
use super::client::{HTTP, TLS};
use super::table::Of::{self, All, New, Old};
use super::table::Rule::{AtMostOne, Check, Needs};
use super::table::Takes::{
    Address, Any, Choice, Count, Duration, Flag, GoDuration, List, Map, Nanoseconds, Number, SecretUrl, Sections,
    TemplateUrl, Text, TextOr, Url, Whole,
};
use super::table::{Section, Takes, newer, older, row};

/// A kind of receiver.
pub(super) struct Kind {
    /// Its key without `_configs`.
    pub(super) name: &'static str,
    pub(super) key: &'static str,
    pub(super) of: Of,
    /// What `send_resolved` is where the file does not say it.
    pub(super) resolved: bool,
}

const fn kind(name: &'static str, key: &'static str, of: Of, resolved: bool) -> Kind {
    Kind { name, key, of, resolved }
}

/// All kinds, in the order in which Alertmanager builds what a receiver consists of.
pub(super) static KINDS: &[Kind] = &[
    kind("webhook", "webhook_configs", All, true),
    kind("email", "email_configs", All, false),
    kind("pagerduty", "pagerduty_configs", All, true),
    kind("opsgenie", "opsgenie_configs", All, true),
    kind("wechat", "wechat_configs", All, false),
    kind("slack", "slack_configs", All, false),
    kind("victorops", "victorops_configs", All, true),
    kind("pushover", "pushover_configs", All, true),
    kind("sns", "sns_configs", All, true),
    kind("telegram", "telegram_configs", All, true),
    kind("discord", "discord_configs", All, true),
    kind("webex", "webex_configs", All, true),
    kind("msteams", "msteams_configs", New, true),
    kind("msteamsv2", "msteamsv2_configs", New, true),
    kind("jira", "jira_configs", New, true),
    kind("incidentio", "incidentio_configs", New, true),
    kind("rocketchat", "rocketchat_configs", New, false),
    kind("mattermost", "mattermost_configs", New, true),
];

/// A receiver.
pub(super) static RECEIVER: Section = Section {
    name: "a receiver",
    rows: &[
        row("name", Text),
        newer("labels", Map(&Text)),
        row("webhook_configs", Sections(&WEBHOOK)),
        row("email_configs", Sections(&EMAIL)),
        row("pagerduty_configs", Sections(&PAGERDUTY)),
        row("opsgenie_configs", Sections(&OPSGENIE)),
        row("wechat_configs", Sections(&WECHAT)),
        row("slack_configs", Sections(&SLACK)),
        row("victorops_configs", Sections(&VICTOROPS)),
        row("pushover_configs", Sections(&PUSHOVER)),
        row("sns_configs", Sections(&SNS)),
        row("telegram_configs", Sections(&TELEGRAM)),
        row("discord_configs", Sections(&DISCORD)),
        row("webex_configs", Sections(&WEBEX)),
        newer("msteams_configs", Sections(&MSTEAMS)),
        newer("msteamsv2_configs", Sections(&MSTEAMS_V2)),
        newer("jira_configs", Sections(&JIRA)),
        newer("incidentio_configs", Sections(&INCIDENTIO)),
        newer("rocketchat_configs", Sections(&ROCKETCHAT)),
        newer("mattermost_configs", Sections(&MATTERMOST)),
    ],
    rules: &[(All, Needs(&["name"])), (New, Check(checks::receiver))],
};

const CLIENT: Takes = Takes::Section(&HTTP);

static WEBHOOK: Section = Section {
    name: "`webhook_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        older("url", Url),
        newer("url", TemplateUrl),
        newer("url_file", Text),
        row("max_alerts", Count),
        newer("timeout", Nanoseconds),
        newer("payload", Any),
    ],
    rules: &[(Old, Needs(&["url"])), (New, Needs(&["url", "url_file"])), (All, AtMostOne(&["url", "url_file"]))],
};

static THREADING: Section =
    Section { name: "`threading`", rows: &[row("enabled", Flag), row("thread_by_date", Text)], rules: &[] };

static EMAIL: Section = Section {
    name: "`email_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("to", Text),
        row("from", Text),
        row("hello", Text),
        row("smarthost", Address),
        row("auth_username", Text),
        row("auth_password", Text),
        row("auth_password_file", Text),
        row("auth_secret", Text),
        newer("auth_secret_file", Text),
        row("auth_identity", Text),
        row("headers", Map(&Text)),
        row("html", Text),
        row("text", Text),
        row("require_tls", Flag),
        row("tls_config", Takes::Section(&TLS)),
        newer("force_implicit_tls", Flag),
        newer("threading", Takes::Section(&THREADING)),
    ],
    rules: &[(All, Needs(&["to"])), (All, Check(checks::email))],
};

static IMAGE: Section =
    Section { name: "an image", rows: &[row("src", Text), row("alt", Text), row("href", Text)], rules: &[] };
static LINK: Section = Section { name: "a link", rows: &[row("href", Text), row("text", Text)], rules: &[] };

static PAGERDUTY: Section = Section {
    name: "`pagerduty_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("service_key", Text),
        row("service_key_file", Text),
        row("routing_key", Text),
        row("routing_key_file", Text),
        row("url", Url),
        row("client", Text),
        row("client_url", Text),
        row("description", Text),
        older("details", Map(&Text)),
        newer("details", Map(&Any)),
        row("images", Sections(&IMAGE)),
        row("links", Sections(&LINK)),
        row("source", Text),
        row("severity", Text),
        row("class", Text),
        row("component", Text),
        row("group", Text),
        newer("timeout", Nanoseconds),
    ],
    rules: &[
        (All, Needs(&["routing_key", "routing_key_file", "service_key", "service_key_file"])),
        (All, AtMostOne(&["routing_key", "routing_key_file"])),
        (All, AtMostOne(&["service_key", "service_key_file"])),
    ],
};

static RESPONDER: Section = Section {
    name: "a responder",
    rows: &[row("id", Text), row("name", Text), row("username", Text), row("type", Text)],
    rules: &[(All, Needs(&["id", "username", "name"])), (All, Check(checks::responder))],
};

static OPSGENIE: Section = Section {
    name: "`opsgenie_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_key", Text),
        row("api_key_file", Text),
        row("api_url", Url),
        row("message", Text),
        row("description", Text),
        row("source", Text),
        row("details", Map(&Text)),
        row("entity", Text),
        row("responders", Sections(&RESPONDER)),
        row("actions", Text),
        row("tags", Text),
        row("note", Text),
        row("priority", Text),
        row("update_alerts", Flag),
    ],
    rules: &[(All, AtMostOne(&["api_key", "api_key_file"]))],
};

static WECHAT: Section = Section {
    name: "`wechat_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_secret", Text),
        newer("api_secret_file", Text),
        row("corp_id", Text),
        row("message", Text),
        row("api_url", Url),
        row("to_user", Text),
        row("to_party", Text),
        row("to_tag", Text),
        row("agent_id", Text),
        row("message_type", Choice(&["", "text", "markdown"])),
    ],
    rules: &[(All, AtMostOne(&["api_secret", "api_secret_file"]))],
};

static SLACK_FIELD: Section = Section {
    name: "a field",
    rows: &[row("title", Text), row("value", Text), row("short", Flag)],
    rules: &[(All, Needs(&["title"])), (All, Needs(&["value"]))],
};
static CONFIRM: Section = Section {
    name: "`confirm`",
    rows: &[row("text", Text), row("title", Text), row("ok_text", Text), row("dismiss_text", Text)],
    rules: &[(All, Needs(&["text"]))],
};
static SLACK_ACTION: Section = Section {
    name: "an action",
    rows: &[
        row("type", Text),
        row("text", Text),
        row("url", Text),
        row("style", Text),
        row("name", Text),
        row("value", Text),
        row("confirm", Takes::Section(&CONFIRM)),
    ],
    rules: &[(All, Needs(&["type"])), (All, Needs(&["text"])), (All, Needs(&["url", "name"]))],
};

static SLACK: Section = Section {
    name: "`slack_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_url", SecretUrl),
        row("api_url_file", Text),
        newer("app_token", Text),
        newer("app_token_file", Text),
        newer("app_url", Url),
        row("channel", Text),
        row("username", Text),
        row("color", Text),
        row("title", Text),
        row("title_link", Text),
        row("pretext", Text),
        row("text", Text),
        newer("message_text", Text),
        row("fields", Sections(&SLACK_FIELD)),
        row("short_fields", Flag),
        row("footer", Text),
        row("fallback", Text),
        row("callback_id", Text),
        row("icon_emoji", Text),
        row("icon_url", Text),
        row("image_url", Text),
        row("thumb_url", Text),
        row("link_names", Flag),
        row("mrkdwn_in", List(&Text)),
        row("actions", Sections(&SLACK_ACTION)),
        newer("update_message", Flag),
        newer("timeout", Nanoseconds),
    ],
    rules: &[
        (All, AtMostOne(&["api_url", "api_url_file"])),
        (All, AtMostOne(&["app_token", "app_token_file"])),
        (All, AtMostOne(&["api_url", "app_token"])),
        (All, AtMostOne(&["api_url", "app_token_file"])),
        (All, AtMostOne(&["api_url_file", "app_token"])),
        (All, AtMostOne(&["api_url_file", "app_token_file"])),
        (New, Check(checks::slack)),
    ],
};

static VICTOROPS: Section = Section {
    name: "`victorops_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_key", Text),
        row("api_key_file", Text),
        row("api_url", Url),
        row("routing_key", Text),
        row("message_type", Text),
        row("state_message", Text),
        row("entity_display_name", Text),
        row("monitoring_tool", Text),
        row("custom_fields", Map(&Text)),
    ],
    rules: &[
        (All, Needs(&["routing_key"])),
        (All, AtMostOne(&["api_key", "api_key_file"])),
        (All, Check(checks::victorops)),
    ],
};

static PUSHOVER: Section = Section {
    name: "`pushover_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("user_key", Text),
        newer("user_key_file", Text),
        row("token", Text),
        newer("token_file", Text),
        row("title", Text),
        row("message", Text),
        row("url", Text),
        row("url_title", Text),
        newer("device", Text),
        row("sound", Text),
        row("priority", Text),
        row("retry", GoDuration),
        row("expire", GoDuration),
        newer("ttl", GoDuration),
        row("html", Flag),
        newer("monospace", Flag),
    ],
    rules: &[
        (Old, Needs(&["user_key"])),
        (Old, Needs(&["token"])),
        (New, Needs(&["user_key", "user_key_file"])),
        (New, Needs(&["token", "token_file"])),
        (All, AtMostOne(&["user_key", "user_key_file"])),
        (All, AtMostOne(&["token", "token_file"])),
        (New, Check(checks::pushover)),
    ],
};

static SIGV4: Section = Section {
    name: "`sigv4`",
    rows: &[
        row("region", Text),
        row("access_key", Text),
        row("secret_key", Text),
        row("profile", Text),
        row("role_arn", Text),
        newer("external_id", Text),
        newer("use_fips_sts_endpoint", Flag),
        newer("service_name", Text),
    ],
    rules: &[(All, Check(checks::sigv4))],
};

static SNS: Section = Section {
    name: "`sns_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_url", Text),
        row("sigv4", Takes::Section(&SIGV4)),
        row("topic_arn", Text),
        row("phone_number", Text),
        row("target_arn", Text),
        row("subject", Text),
        row("message", Text),
        row("attributes", Map(&Text)),
        newer("use_aws_http_client", Flag),
    ],
    rules: &[(All, Check(checks::sns))],
};

static TELEGRAM: Section = Section {
    name: "`telegram_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_url", Url),
        row("bot_token", Text),
        newer("bot_token_file", Text),
        row("chat_id", Whole),
        newer("chat_id_file", Text),
        newer("message_thread_id", Whole),
        row("message", Text),
        row("disable_notifications", Flag),
        row("parse_mode", Choice(&["", "Markdown", "MarkdownV2", "HTML"])),
    ],
    rules: &[
        (Old, Needs(&["bot_token"])),
        (All, AtMostOne(&["bot_token", "bot_token_file"])),
        (All, Check(checks::telegram)),
    ],
};

static DISCORD: Section = Section {
    name: "`discord_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("webhook_url", SecretUrl),
        newer("webhook_url_file", Text),
        newer("content", Text),
        row("title", Text),
        row("message", Text),
        newer("username", Text),
        newer("avatar_url", Text),
    ],
    rules: &[
        (Old, Needs(&["webhook_url"])),
        (New, Needs(&["webhook_url", "webhook_url_file"])),
        (All, AtMostOne(&["webhook_url", "webhook_url_file"])),
    ],
};

static WEBEX: Section = Section {
    name: "`webex_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_url", Url),
        row("message", Text),
        row("room_id", Text),
    ],
    rules: &[(All, Needs(&["room_id"])), (All, Check(checks::webex))],
};

static MSTEAMS: Section = Section {
    name: "`msteams_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("webhook_url", SecretUrl),
        row("webhook_url_file", Text),
        row("title", Text),
        row("summary", Text),
        row("text", Text),
    ],
    rules: &[
        (All, Needs(&["webhook_url", "webhook_url_file"])),
        (All, AtMostOne(&["webhook_url", "webhook_url_file"])),
    ],
};

static MSTEAMS_V2: Section = Section {
    name: "`msteamsv2_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("webhook_url", SecretUrl),
        row("webhook_url_file", Text),
        row("title", Text),
        row("text", Text),
    ],
    rules: &[
        (All, Needs(&["webhook_url", "webhook_url_file"])),
        (All, AtMostOne(&["webhook_url", "webhook_url_file"])),
    ],
};

static JIRA_FIELD: Section =
    Section { name: "a field of Jira", rows: &[row("template", Text), row("enable_update", Flag)], rules: &[] };

static JIRA: Section = Section {
    name: "`jira_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_url", Url),
        row("api_type", Choice(&["auto", "cloud", "datacenter"])),
        row("project", Text),
        row("summary", TextOr(&JIRA_FIELD)),
        row("description", TextOr(&JIRA_FIELD)),
        row("labels", List(&Text)),
        row("priority", Text),
        row("issue_type", Text),
        row("reopen_transition", Text),
        row("resolve_transition", Text),
        row("wont_fix_resolution", Text),
        row("reopen_duration", Duration),
        row("fields", Map(&Any)),
    ],
    rules: &[(All, Needs(&["project"])), (All, Needs(&["issue_type"]))],
};

static INCIDENTIO: Section = Section {
    name: "`incidentio_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("url", Url),
        row("url_file", Text),
        row("alert_source_token", Text),
        row("alert_source_token_file", Text),
        row("max_alerts", Count),
        row("timeout", Nanoseconds),
    ],
    rules: &[
        (All, Needs(&["url", "url_file"])),
        (All, AtMostOne(&["url", "url_file"])),
        (All, AtMostOne(&["alert_source_token", "alert_source_token_file"])),
        (All, Check(checks::incidentio)),
    ],
};

static ROCKET_FIELD: Section =
    Section { name: "a field", rows: &[row("short", Flag), row("title", Text), row("value", Text)], rules: &[] };
// Go's names in small letters: no others are given.
static ROCKET_ACTION: Section = Section {
    name: "an action",
    rows: &[
        row("type", Text),
        row("text", Text),
        row("url", Text),
        row("imageurl", Text),
        row("iswebview", Flag),
        row("webviewheightratio", Text),
        row("msg", Text),
        row("msginchatwindow", Flag),
        row("msgprocessingtype", Text),
    ],
    rules: &[],
};

static ROCKETCHAT: Section = Section {
    name: "`rocketchat_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("api_url", Url),
        row("token_id", Text),
        row("token_id_file", Text),
        row("token", Text),
        row("token_file", Text),
        row("channel", Text),
        row("color", Text),
        row("title", Text),
        row("title_link", Text),
        row("text", Text),
        row("fields", Sections(&ROCKET_FIELD)),
        row("short_fields", Flag),
        row("emoji", Text),
        row("icon_url", Text),
        row("image_url", Text),
        row("thumb_url", Text),
        row("link_names", Flag),
        row("actions", Sections(&ROCKET_ACTION)),
    ],
    rules: &[(All, AtMostOne(&["token", "token_file"])), (All, AtMostOne(&["token_id", "token_id_file"]))],
};

static PROPS: Section = Section { name: "`props`", rows: &[row("card", Text)], rules: &[] };
static PRIORITY: Section = Section {
    name: "`priority`",
    rows: &[row("priority", Text), row("requested_ack", Flag), row("persistent_notifications", Flag)],
    rules: &[],
};
static ATTACHMENT: Section = Section {
    name: "an attachment",
    rows: &[
        row("fallback", Text),
        row("color", Text),
        row("pretext", Text),
        row("text", Text),
        row("author_name", Text),
        row("author_link", Text),
        row("author_icon", Text),
        row("title", Text),
        row("title_link", Text),
        row("fields", Sections(&SLACK_FIELD)),
        row("thumb_url", Text),
        row("footer", Text),
        row("footer_icon", Text),
        row("image_url", Text),
    ],
    rules: &[],
};

static MATTERMOST: Section = Section {
    name: "`mattermost_configs`",
    rows: &[
        row("send_resolved", Flag),
        row("http_config", CLIENT),
        row("webhook_url", SecretUrl),
        row("webhook_url_file", Text),
        row("channel", Text),
        row("username", Text),
        row("text", Text),
        row("fallback", Text),
        row("color", Text),
        row("pretext", Text),
        row("author_name", Text),
        row("author_link", Text),
        row("author_icon", Text),
        row("title", Text),
        row("title_link", Text),
        row("fields", Sections(&SLACK_FIELD)),
        row("thumb_url", Text),
        row("footer", Text),
        row("footer_icon", Text),
        row("image_url", Text),
        row("icon_url", Text),
        row("icon_emoji", Text),
        row("attachments", Sections(&ATTACHMENT)),
        row("type", Text),
        row("props", Takes::Section(&PROPS)),
        row("priority", Takes::Section(&PRIORITY)),
    ],
    rules: &[(All, AtMostOne(&["webhook_url", "webhook_url_file"]))],
};

/// `tracing`: what Alertmanager tells of itself, which nothing here shows.
pub(super) static TRACING: Section = Section {
    name: "`tracing`",
    rows: &[
        row("client_type", Choice(&["http", "grpc"])),
        row("endpoint", Text),
        row("sampling_fraction", Number),
        row("insecure", Flag),
        row("tls_config", Takes::Section(&TLS)),
        row("headers", Map(&Any)),
        row("compression", Choice(&["", "gzip"])),
        row("timeout", Duration),
    ],
    rules: &[(All, Needs(&["endpoint"]))],
};
