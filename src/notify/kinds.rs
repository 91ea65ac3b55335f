//! The task types that tell people: their names through the versions, the properties of their own, and what they send.

use super::{Draft, Error, Properties, alerts, chats, http, incidents, mail};

/// A type of tasks.
#[derive(Debug)]
pub struct TaskType {
    /// The last part of its name.
    pub class: &'static str,
    /// What stands before it, in all versions: old names live on as aliases.
    pub packages: &'static [&'static str],
    /// The kind of receiver.
    pub channel: &'static str,
    /// Properties of its own.
    pub properties: &'static [&'static str],
    /// Properties of its own that change nothing here: they are about what is not simulated.
    pub without_effect: &'static [&'static str],
    pub(super) build: fn(&Properties<'_>) -> Result<Draft, Error>,
}

/// Kinds of receivers: how a message reaches people. Tasks that send are of one kind each.
pub const CHANNELS: &[&str] = &[
    "slack",
    "teams",
    "discord",
    "google",
    "zulip",
    "squadcast",
    "whatsapp",
    "messenger",
    "telegram",
    "line",
    "x",
    "pagerduty",
    "opsgenie",
    "zenduty",
    "sentry",
    "twilio",
    "sendgrid",
    "mail",
    "http",
];

/// The type of a name, old or new.
pub fn task_type(name: &str) -> Option<&'static TaskType> {
    let (package, class) = name.rsplit_once('.')?;
    TYPES.iter().find(|kind| kind.class == class && kind.packages.contains(&package))
}

impl TaskType {
    /// Every type.
    #[cfg(feature = "internals")]
    pub fn all() -> &'static [TaskType] {
        TYPES
    }
    /// Whether the property is one of the type's own: one that is not makes Kestra refuse the flow.
    pub fn has(&self, property: &str) -> bool {
        self.properties.contains(&property) || self.without_effect.contains(&property)
    }
}

const SLACK: &[&str] =
    &["io.kestra.plugin.notifications.slack", "io.kestra.plugin.slack", "io.kestra.plugin.slack.notifications"];
const TEAMS: &[&str] = &["io.kestra.plugin.notifications.teams", "io.kestra.plugin.microsoft365.teams"];
const GOOGLE: &[&str] = &["io.kestra.plugin.notifications.google", "io.kestra.plugin.googleworkspace.chat"];
const DISCORD: &[&str] = &["io.kestra.plugin.notifications.discord", "io.kestra.plugin.discord"];
const ZULIP: &[&str] = &["io.kestra.plugin.notifications.zulip", "io.kestra.plugin.zulip"];
const SQUADCAST: &[&str] = &["io.kestra.plugin.notifications.squadcast", "io.kestra.plugin.squadcast"];
const WHATSAPP: &[&str] = &["io.kestra.plugin.notifications.whatsapp", "io.kestra.plugin.meta.whatsapp"];
const MESSENGER: &[&str] = &["io.kestra.plugin.notifications.messenger", "io.kestra.plugin.meta.messenger"];
const TELEGRAM: &[&str] = &["io.kestra.plugin.notifications.telegram", "io.kestra.plugin.telegram"];
const LINE: &[&str] = &["io.kestra.plugin.notifications.line", "io.kestra.plugin.line"];
const X: &[&str] = &["io.kestra.plugin.notifications.x", "io.kestra.plugin.x"];
const PAGERDUTY: &[&str] = &["io.kestra.plugin.notifications.pagerduty", "io.kestra.plugin.pagerduty"];
const OPSGENIE: &[&str] = &["io.kestra.plugin.notifications.opsgenie", "io.kestra.plugin.opsgenie"];
const SENTRY: &[&str] = &["io.kestra.plugin.notifications.sentry", "io.kestra.plugin.sentry"];
const ZENDUTY: &[&str] = &["io.kestra.plugin.notifications.zenduty", "io.kestra.plugin.zenduty"];
const TWILIO: &[&str] = &["io.kestra.plugin.notifications.twilio", "io.kestra.plugin.twilio.notify"];
const SENDGRID: &[&str] = &["io.kestra.plugin.notifications.sendgrid", "io.kestra.plugin.twilio.sendgrid"];
const MAIL: &[&str] = &["io.kestra.plugin.notifications.mail", "io.kestra.plugin.email"];
const CORE_HTTP: &[&str] = &["io.kestra.plugin.core.http", "io.kestra.core.tasks.http", "io.kestra.plugin.fs.http"];

/// What tasks that tell of an execution have in common.
macro_rules! telling {
    ($($own:literal),*) => { &["executionId", "customMessage", "customFields", "options", $($own),*] };
}

macro_rules! table {
    ($($packages:ident $class:literal $channel:literal $build:path { $properties:expr } [$($unused:literal),*];)*) => {
        &[$(TaskType {
            class: $class,
            packages: $packages,
            channel: $channel,
            properties: $properties,
            without_effect: &[$($unused),*],
            build: $build,
        }),*]
    };
}

const WEBHOOK: &[&str] = &["url", "payload", "options"];

#[rustfmt::skip]
static TYPES: &[TaskType] = table! {
    SLACK "SlackIncomingWebhook" "slack" alerts::slack { &["url", "payload", "messageText", "options"] } ["proxy"];
    SLACK "SlackExecution" "slack" chats::slack { telling!["url", "channel", "username", "iconUrl", "iconEmoji", "payload", "messageText"] } ["proxy"];
    TEAMS "TeamsIncomingWebhook" "teams" alerts::webhook { WEBHOOK } [];
    TEAMS "TeamsExecution" "teams" chats::teams { telling!["url", "payload", "themeColor", "activityTitle", "activitySubtitle"] } [];
    GOOGLE "GoogleChatIncomingWebhook" "google" alerts::webhook_without_options { WEBHOOK } [];
    GOOGLE "GoogleChatExecution" "google" chats::google { telling!["url", "payload", "text"] } [];
    DISCORD "DiscordIncomingWebhook" "discord" alerts::discord { WEBHOOK } [];
    DISCORD "DiscordExecution" "discord" chats::discord { telling!["url", "payload", "username", "avatarUrl", "content", "embedList"] } [];
    ZULIP "ZulipIncomingWebhook" "zulip" alerts::webhook { WEBHOOK } [];
    ZULIP "ZulipExecution" "zulip" chats::zulip { telling!["url", "payload", "channel", "username", "iconUrl", "iconEmoji"] } [];
    SQUADCAST "SquadcastIncomingWebhook" "squadcast" alerts::squadcast { WEBHOOK } [];
    SQUADCAST "SquadcastExecution" "squadcast" incidents::squadcast { telling!["url", "payload", "message", "priority", "eventId", "status", "tags"] } [];
    WHATSAPP "WhatsAppIncomingWebhook" "whatsapp" alerts::webhook { WEBHOOK } [];
    WHATSAPP "WhatsAppExecution" "whatsapp" chats::whatsapp { telling!["url", "payload", "profileName", "whatsAppIds", "from", "messageId", "textBodies", "recipientId"] } [];
    MESSENGER "MessengerExecution" "messenger" chats::messenger { telling!["url", "pageId", "accessToken", "recipientIds", "messagingType"] } ["textBody"];
    TELEGRAM "TelegramSend" "telegram" alerts::telegram { &["token", "channel", "payload", "parseMode", "endpointOverride", "options"] } [];
    TELEGRAM "TelegramExecution" "telegram" chats::telegram { telling!["token", "channel", "parseMode", "endpointOverride"] } ["payload"];
    LINE "LineExecution" "line" chats::line { telling!["url", "channelAccessToken", "textBody"] } ["recipientIds"];
    X "XExecution" "x" chats::x { telling!["url", "bearerToken", "consumerKey", "consumerSecret", "accessToken", "accessSecret"] } ["textBody"];
    PAGERDUTY "PagerDutyAlert" "pagerduty" alerts::webhook { WEBHOOK } [];
    PAGERDUTY "PagerDutyExecution" "pagerduty" incidents::pagerduty { telling!["url", "payload", "routingKey", "deduplicationKey", "eventAction", "payloadSummary"] } [];
    OPSGENIE "OpsgenieAlert" "opsgenie" alerts::opsgenie { &["url", "payload", "authorizationToken", "options"] } [];
    OPSGENIE "OpsgenieExecution" "opsgenie" incidents::opsgenie { telling!["url", "payload", "authorizationToken", "message", "alias", "responders", "visibleTo", "tags", "priority"] } [];
    SENTRY "SentryAlert" "sentry" alerts::sentry { &["dsn", "endpointType", "payload", "options"] } [];
    SENTRY "SentryExecution" "sentry" incidents::sentry { telling!["dsn", "endpointType", "eventId", "platform", "level", "transaction", "serverName", "extra", "errors"] } ["payload"];
    ZENDUTY "ZendutyAlert" "zenduty" alerts::webhook { WEBHOOK } [];
    ZENDUTY "ZendutyExecution" "zenduty" incidents::zenduty { telling!["url", "integrationKey", "message", "summary", "alertType", "entityId", "urls"] } ["payload"];
    TWILIO "TwilioAlert" "twilio" alerts::twilio { &["url", "accountSID", "authToken", "payload", "options"] } [];
    TWILIO "TwilioExecution" "twilio" incidents::twilio { telling!["url", "accountSID", "authToken", "body", "identity", "tag"] } ["payload"];
    SENDGRID "SendGridMailSend" "sendgrid" mail::sendgrid_send { &["sendgridApiKey", "from", "to", "cc", "subject", "htmlTextContent", "textContent", "attachments", "embeddedImages"] } [];
    SENDGRID "SendGridMailExecution" "sendgrid" mail::sendgrid_execution { telling!["sendgridApiKey", "from", "to", "cc", "subject", "attachments", "embeddedImages"] } ["htmlTextContent", "textContent"];
    MAIL "MailSend" "mail" mail::send { &["host", "port", "username", "password", "accessToken", "transportStrategy", "sessionTimeout", "verifyServerIdentity", "from", "to", "cc", "subject", "htmlTextContent", "plainTextContent", "attachments", "embeddedImages"] } ["trustedHosts"];
    MAIL "MailExecution" "mail" mail::execution { telling!["host", "port", "username", "password", "accessToken", "transportStrategy", "sessionTimeout", "verifyServerIdentity", "from", "to", "cc", "subject", "attachments", "embeddedImages"] } ["trustedHosts", "htmlTextContent", "plainTextContent"];
    CORE_HTTP "Request" "http" http::request { &["uri", "method", "body", "formData", "params", "contentType", "headers", "options", "allowFailed"] } ["encryptBody", "sslOptions"];
};
