//! The templates that Alertmanager brings along, by name: users' templates call them. Written anew from what the real ones
//! give, and compared with them by `amtool template render`; the page of a mail is not among them.

use std::fmt::Write as _;

use super::Release;

/// Templates of one line: name and text. Those of the second table came after 0.25.
const SHORT: &[(&str, &str)] = &[
    ("__alertmanager", "Alertmanager"),
    ("__alertmanagerURL", "{{ $.ExternalURL }}/#/alerts?receiver={{ urlquery $.Receiver }}"),
    ("__description", ""),
    ("slack.default.callbackid", ""),
    ("slack.default.pretext", ""),
    ("slack.default.iconemoji", ""),
    ("slack.default.iconurl", ""),
    ("slack.default.text", ""),
    ("slack.default.footer", ""),
    ("wechat.default.to_user", ""),
    ("wechat.default.to_party", ""),
    ("wechat.default.to_tag", ""),
    ("wechat.default.agent_id", ""),
];
const SHORT_SINCE: &[(&str, &str)] = &[
    ("slack.default.color", COLOR),
    ("mattermost.default.color", COLOR),
    ("discord.default.content", ""),
    ("rocketchat.default.emoji", ""),
    ("rocketchat.default.iconurl", ""),
    ("rocketchat.default.text", ""),
];
const COLOR: &str = "{{ if eq $.Status \"firing\" }}danger{{ else }}good{{ end }}";

/// What gives the same as another: name, and the other.
const SAME: &[(&str, &str)] = &[
    ("slack.default.title", SUBJECT),
    ("slack.default.username", NAME),
    ("slack.default.titlelink", LINK),
    ("pagerduty.default.description", SUBJECT),
    ("pagerduty.default.client", NAME),
    ("pagerduty.default.clientURL", LINK),
    ("pagerduty.default.instances", "__text_alert_list"),
    ("opsgenie.default.message", SUBJECT),
    ("opsgenie.default.source", LINK),
    ("victorops.default.entity_display_name", SUBJECT),
    ("victorops.default.monitoring_tool", NAME),
    ("pushover.default.title", SUBJECT),
    ("pushover.default.url", LINK),
    ("sns.default.subject", SUBJECT),
    ("discord.default.title", SUBJECT),
    ("email.default.subject", SUBJECT),
];
const SAME_SINCE: &[(&str, &str)] = &[
    ("msteams.default.summary", SUBJECT),
    ("msteams.default.title", SUBJECT),
    ("msteamsv2.default.title", SUBJECT),
    ("jira.default.summary", SUBJECT),
    ("rocketchat.default.title", SUBJECT),
    ("rocketchat.default.alias", NAME),
    ("rocketchat.default.titlelink", LINK),
    ("mattermost.default.username", NAME),
    ("mattermost.default.title", SUBJECT),
    ("mattermost.default.titlelink", LINK),
];
const SUBJECT: &str = "__subject";
const NAME: &str = "__alertmanager";
const LINK: &str = "__alertmanagerURL";

/// Title and link of one kind.
const BOTH: &[&str] = &["slack.default"];
const BOTH_SINCE: &[&str] = &["mattermost.default"];

/// The text of a kind: how its lists of firing and of ended alerts are set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Set {
    /// Behind the annotations; lines close together, and no line at the end.
    Close,
    /// The same, between the subject and Alertmanager's address.
    Framed,
    /// Behind the annotations, with empty lines.
    Wide,
    /// With empty lines alone.
    Bare,
    /// For Markdown.
    Marked,
}

const TEXTS: &[(&str, Set)] = &[
    ("opsgenie.default.description", Set::Close),
    ("wechat.default.message", Set::Framed),
    ("victorops.default.state_message", Set::Close),
    ("pushover.default.message", Set::Wide),
    ("sns.default.message", Set::Wide),
    ("telegram.default.message", Set::Bare),
    ("discord.default.message", Set::Bare),
    ("webex.default.message", Set::Wide),
];
const TEXTS_SINCE: &[(&str, Set)] = &[
    ("msteams.default.text", Set::Marked),
    ("msteamsv2.default.text", Set::Marked),
    ("jira.default.description", Set::Marked),
    ("mattermost.default.text", Set::Marked),
];

/// The lists of firing and of ended alerts.
fn lists(set: Set) -> String {
    let mut out = String::new();
    for (word, field) in [("Firing", "Firing"), ("Resolved", "Resolved")] {
        let some = format!("{{{{ if $.Alerts.{field} }}}}");
        let (mark, list) = match set {
            Set::Marked => ("# ", "__text_alert_list_markdown"),
            _ => ("", "__text_alert_list"),
        };
        let call = format!("{{{{ template \"{list}\" $.Alerts.{field} }}}}");
        let heading = format!("{mark}Alerts {word}:\n{call}");
        let _ = match set {
            // The list's own last line is kept, the one behind it is not.
            Set::Close | Set::Framed => write!(out, "\n{some}{heading}{{{{ end }}}}"),
            _ => write!(out, "\n{some}\n{heading}\n{{{{ end }}}}"),
        };
    }
    match set {
        Set::Close | Set::Framed => out,
        _ => out + "\n",
    }
}

fn text_of(set: Set) -> String {
    let annotations = "{{ join \" \" $.CommonAnnotations.Values }}";
    match set {
        Set::Close | Set::Wide => format!("{annotations}{}", lists(set)),
        Set::Framed => format!(
            "{{{{ template \"{SUBJECT}\" $ }}}}\n{annotations}{}\nAlertmanagerUrl:\n{{{{ template \"{LINK}\" $ }}}}",
            lists(set)
        ),
        Set::Bare | Set::Marked => lists(set),
    }
}

/// `[FIRING:2] group's values (values that all share besides)`.
fn subject() -> String {
    let firing = "{{ if eq $.Status \"firing\" }}:{{ len $.Alerts.Firing }}{{ end }}";
    let shared = "{{ $more := $.CommonLabels.Remove $.GroupLabels.Names }}{{ if gt (len $.CommonLabels) (len $.GroupLabels) }}\
                  ({{ if $more }}{{ join \" \" $more.Values }}{{ end }}){{ end }}";
    format!("[{{{{ toUpper $.Status }}}}{firing}] {{{{ join \" \" $.GroupLabels.Values }}}} {shared}")
}

/// A list of alerts. `gap` is an empty line that Markdown needs, `indent` stands before each label.
fn listed(gap: &str, indent: &str) -> String {
    let pairs = |word: &str| {
        format!(
            "{word}:\n{{{{ range $it.{word}.SortedPairs }}}}{indent}- {{{{ .Name }}}} = {{{{ .Value }}}}\n{{{{ end }}}}"
        )
    };
    let alert =
        format!("{gap}{}{gap}{}{gap}Source: {{{{ $it.GeneratorURL }}}}\n", pairs("Labels"), pairs("Annotations"));
    format!("{{{{ range $it := . }}}}{alert}{{{{ end }}}}{gap}")
}

/// `High`, `Medium` or `Low`: the worst severity of those that fire, or else of those that have ended.
fn priority() -> String {
    let worst = |field: &str| {
        let mut out = String::new();
        // From the least to the worst: the last one stays.
        for (severity, word) in [("info", "Low"), ("warning", "Medium"), ("critical", "High")] {
            let _ = write!(
                out,
                "{{{{ range $.Alerts.{field} }}}}{{{{ if eq .Labels.severity \"{severity}\" }}}}{{{{ $word = \"{word}\" }}}}\
                 {{{{ end }}}}{{{{ end }}}}"
            );
        }
        out
    };
    format!(
        "{{{{ $word := \"\" }}}}{}{{{{ if not $word }}}}{}{{{{ end }}}}{{{{ $word }}}}",
        worst("Firing"),
        worst("Resolved")
    )
}

/// All of them, as one file.
pub(super) fn text(release: Release) -> String {
    let newer = release > Release::V0_25;
    let mut all: Vec<(String, String)> =
        vec![("__subject".into(), subject()), ("__text_alert_list".into(), listed("", " "))];
    let of = |old: &'static [(&'static str, &'static str)], since: &'static [(&'static str, &'static str)]| {
        old.iter().chain(if newer { since } else { &[] })
    };
    all.extend(of(SHORT, SHORT_SINCE).map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    all.extend(
        of(SAME, SAME_SINCE).map(|(name, other)| ((*name).to_owned(), format!("{{{{ template \"{other}\" . }}}}"))),
    );
    for kind in BOTH.iter().chain(if newer { BOTH_SINCE } else { &[] }) {
        let text = format!("{{{{ template \"{kind}.title\" . }}}} | {{{{ template \"{kind}.titlelink\" . }}}}");
        all.push((format!("{kind}.fallback"), text));
    }
    all.extend(
        TEXTS
            .iter()
            .chain(if newer { TEXTS_SINCE } else { &[] })
            .map(|(name, set)| ((*name).to_owned(), text_of(*set))),
    );
    if newer {
        all.push(("__text_alert_list_markdown".into(), listed("\n", "  ")));
        all.push(("jira.default.priority".into(), priority()));
    }
    all.iter().map(|(name, text)| format!("{{{{ define \"{name}\" }}}}{text}{{{{ end }}}}")).collect()
}
