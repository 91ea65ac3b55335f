//! What a kind says where its entry says nothing: `config/notifiers.go` and `notify/<kind>/config.go`.

use crate::pager::Version;

/// A default: kind, field, and what it is.
type Row = (&'static str, &'static str, &'static str);

const ALL: &[Row] = &[
    ("discord", "title", "{{ template \"discord.default.title\" . }}"),
    ("discord", "message", "{{ template \"discord.default.message\" . }}"),
    ("email", "html", "{{ template \"email.default.html\" . }}"),
    ("email", "subject", "{{ template \"email.default.subject\" . }}"),
    ("jira", "summary", "{{ template \"jira.default.summary\" . }}"),
    ("jira", "description", "{{ template \"jira.default.description\" . }}"),
    ("jira", "priority", "{{ template \"jira.default.priority\" . }}"),
    ("mattermost", "username", "{{ template \"mattermost.default.username\" . }}"),
    ("mattermost", "color", "{{ template \"mattermost.default.color\" . }}"),
    ("mattermost", "text", "{{ template \"mattermost.default.text\" . }}"),
    ("mattermost", "title", "{{ template \"mattermost.default.title\" . }}"),
    ("mattermost", "title_link", "{{ template \"mattermost.default.titlelink\" . }}"),
    ("mattermost", "fallback", "{{ template \"mattermost.default.fallback\" . }}"),
    ("msteams", "title", "{{ template \"msteams.default.title\" . }}"),
    ("msteams", "summary", "{{ template \"msteams.default.summary\" . }}"),
    ("msteams", "text", "{{ template \"msteams.default.text\" . }}"),
    ("msteamsv2", "title", "{{ template \"msteamsv2.default.title\" . }}"),
    ("msteamsv2", "text", "{{ template \"msteamsv2.default.text\" . }}"),
    ("opsgenie", "message", "{{ template \"opsgenie.default.message\" . }}"),
    ("opsgenie", "description", "{{ template \"opsgenie.default.description\" . }}"),
    ("opsgenie", "source", "{{ template \"opsgenie.default.source\" . }}"),
    ("pagerduty", "description", "{{ template \"pagerduty.default.description\" .}}"),
    ("pagerduty", "client", "{{ template \"pagerduty.default.client\" . }}"),
    ("pagerduty", "client_url", "{{ template \"pagerduty.default.clientURL\" . }}"),
    ("pagerduty", "severity", "error"),
    ("pushover", "title", "{{ template \"pushover.default.title\" . }}"),
    ("pushover", "message", "{{ template \"pushover.default.message\" . }}"),
    ("pushover", "url", "{{ template \"pushover.default.url\" . }}"),
    ("pushover", "priority", "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}"),
    ("pushover", "retry", "1m"),
    ("pushover", "expire", "1h"),
    ("rocketchat", "color", "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}"),
    ("rocketchat", "emoji", "{{ template \"rocketchat.default.emoji\" . }}"),
    ("rocketchat", "icon_url", "{{ template \"rocketchat.default.iconurl\" . }}"),
    ("rocketchat", "text", "{{ template \"rocketchat.default.text\" . }}"),
    ("rocketchat", "title", "{{ template \"rocketchat.default.title\" . }}"),
    ("rocketchat", "title_link", "{{ template \"rocketchat.default.titlelink\" . }}"),
    ("slack", "username", "{{ template \"slack.default.username\" . }}"),
    ("slack", "title", "{{ template \"slack.default.title\" . }}"),
    ("slack", "title_link", "{{ template \"slack.default.titlelink\" . }}"),
    ("slack", "icon_emoji", "{{ template \"slack.default.iconemoji\" . }}"),
    ("slack", "icon_url", "{{ template \"slack.default.iconurl\" . }}"),
    ("slack", "pretext", "{{ template \"slack.default.pretext\" . }}"),
    ("slack", "text", "{{ template \"slack.default.text\" . }}"),
    ("slack", "fallback", "{{ template \"slack.default.fallback\" . }}"),
    ("slack", "callback_id", "{{ template \"slack.default.callbackid\" . }}"),
    ("slack", "footer", "{{ template \"slack.default.footer\" . }}"),
    ("sns", "subject", "{{ template \"sns.default.subject\" . }}"),
    ("sns", "message", "{{ template \"sns.default.message\" . }}"),
    ("telegram", "message", "{{ template \"telegram.default.message\" . }}"),
    ("telegram", "parse_mode", "HTML"),
    ("victorops", "message_type", "CRITICAL"),
    ("victorops", "state_message", "{{ template \"victorops.default.state_message\" . }}"),
    ("victorops", "entity_display_name", "{{ template \"victorops.default.entity_display_name\" . }}"),
    ("victorops", "monitoring_tool", "{{ template \"victorops.default.monitoring_tool\" . }}"),
    ("webex", "message", "{{ template \"webex.default.message\" . }}"),
    ("wechat", "message", "{{ template \"wechat.default.message\" . }}"),
    ("wechat", "to_user", "{{ template \"wechat.default.to_user\" . }}"),
    ("wechat", "to_party", "{{ template \"wechat.default.to_party\" . }}"),
    ("wechat", "to_tag", "{{ template \"wechat.default.to_tag\" . }}"),
    ("wechat", "agent_id", "{{ template \"wechat.default.agent_id\" . }}"),
];

/// Where the versions differ.
const OF_0_25: &[Row] = &[("slack", "color", "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ end }}")];
const OF_0_33: &[Row] = &[("slack", "color", "{{ template \"slack.default.color\" . }}")];

/// The details of an event of PagerDuty that an entry adds to.
pub(super) const fn details(version: Version) -> [(&'static str, &'static str); 4] {
    match version {
        Version::V0_25 => [
            ("firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}"),
            ("resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"),
            ("num_firing", "{{ .Alerts.Firing | len }}"),
            ("num_resolved", "{{ .Alerts.Resolved | len }}"),
        ],
        _ => [
            ("firing", "{{ .Alerts.Firing | toJson }}"),
            ("resolved", "{{ .Alerts.Resolved | toJson }}"),
            ("num_firing", "{{ .Alerts.Firing | len }}"),
            ("num_resolved", "{{ .Alerts.Resolved | len }}"),
        ],
    }
}

/// What a field is where its entry does not say it.
pub(super) fn of(kind: &str, field: &str, version: Version) -> &'static str {
    let own = match version {
        Version::V0_25 => OF_0_25,
        _ => OF_0_33,
    };
    let row = own.iter().chain(ALL).find(|row| row.0 == kind && row.1 == field);
    row.map_or("", |row| row.2)
}
