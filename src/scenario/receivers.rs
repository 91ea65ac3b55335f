//! Who is told by alert flows in a run: receivers that answer as the scenario says, so that nothing is sent to them; and
//! secrets that such flows ask for.

use std::collections::BTreeMap;
use std::fmt;

use crate::document::nearest;
use crate::notify::CHANNELS;

/// What a receiver answers to a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// `ok`: it takes the message; a status of 200.
    #[default]
    Ok,
    /// A status, 100 to 599: from 400 on the task fails.
    Status(u16),
    /// `timeout`: no answer comes.
    Timeout,
    /// `refused`: nothing listens.
    Refused,
}

impl Answer {
    /// The words that stand for one, beside the statuses.
    pub(super) const WORDS: &[(&str, Answer)] =
        &[("ok", Answer::Ok), ("timeout", Answer::Timeout), ("refused", Answer::Refused)];
}

impl std::str::FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Answer, String> {
        let word = Answer::WORDS.iter().find(|(word, _)| *word == text).map(|(_, answer)| *answer);
        let status = || text.parse().ok().filter(|status| (100..=599).contains(status)).map(Answer::Status);
        word.or_else(status).ok_or_else(|| "write ok, timeout, refused, or a status such as 500".to_owned())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Status(status) => write!(f, "{status}"),
            word => f.write_str(Answer::WORDS.iter().find(|(_, it)| it == word).map_or("", |(word, _)| word)),
        }
    }
}

/// Which receiver: all of a channel, or one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReceiverName {
    /// One of [`CHANNELS`].
    Channel(&'static str),
    /// A host, with or without a port: it has a dot or a colon in it, or is `localhost`.
    Host(String),
}

impl ReceiverName {
    /// Whether it means who gets a message of a channel at a host.
    pub fn means(&self, channel: &str, host: &str) -> bool {
        match self {
            ReceiverName::Channel(name) => *name == channel,
            ReceiverName::Host(name) => {
                name == host
                    || host.rsplit_once(':').is_some_and(|(host, port)| port.parse::<u16>().is_ok() && host == name)
            }
        }
    }
}

impl std::str::FromStr for ReceiverName {
    type Err = String;

    fn from_str(text: &str) -> Result<ReceiverName, String> {
        if let Some(channel) = CHANNELS.iter().find(|channel| **channel == text) {
            return Ok(ReceiverName::Channel(channel));
        }
        let host = text.contains(['.', ':']) && !text.contains(['/', ' ']);
        if host || text == "localhost" {
            return Ok(ReceiverName::Host(text.to_owned()));
        }
        Err(match nearest(text, CHANNELS.iter().copied()) {
            Some(channel) => format!("did you mean `{channel}`?"),
            None => format!("write a host such as hooks.slack.com, or one of {}", CHANNELS.join(", ")),
        })
    }
}

impl fmt::Display for ReceiverName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiverName::Channel(name) => f.write_str(name),
            ReceiverName::Host(name) => f.write_str(name),
        }
    }
}

/// Secrets by name. Their values are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Puts one in; one that is there already stays unless it is replaced.
    pub fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }
    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
    /// Their values: to be masked wherever one shows.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_word_or_a_status() {
        for (text, answer) in [
            ("ok", Some(Answer::Ok)),
            ("timeout", Some(Answer::Timeout)),
            ("refused", Some(Answer::Refused)),
            ("500", Some(Answer::Status(500))),
            ("429", Some(Answer::Status(429))),
            ("99", None),
            ("600", None),
            ("OK", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), answer, "{text}");
            assert!(answer.is_none_or(|answer| answer.to_string() == text));
        }
    }

    #[test]
    fn a_receiver_is_a_channel_or_a_host() {
        for (name, channel, host, meant) in [
            ("slack", "slack", "anything", true),
            ("slack", "teams", "hooks.slack.com", false),
            ("hooks.slack.com", "slack", "hooks.slack.com", true),
            ("hooks.slack.com", "http", "hooks.slack.com:443", true),
            ("slack.com", "slack", "hooks.slack.com", false),
            ("localhost:8080", "http", "localhost:8080", true),
            ("localhost:8080", "http", "localhost:8081", false),
        ] {
            let means = name.parse::<ReceiverName>().map(|name| name.means(channel, host));
            assert_eq!(means, Ok(meant), "{name} for {channel} at {host}");
        }
        let advice = |text: &str| text.parse::<ReceiverName>().err().unwrap_or_default();
        assert_eq!(advice("slak"), "did you mean `slack`?");
        assert!(advice("nobody").starts_with("write a host"));
        assert!(advice("https://hooks.slack.com").starts_with("write a host"));
    }

    #[test]
    fn secrets_show_their_names_only() {
        let mut secrets = Secrets::default();
        secrets.insert("TOKEN".into(), "hush".into());
        assert_eq!(format!("{secrets:?}"), "{\"TOKEN\"}");
        assert_eq!(secrets.get("TOKEN"), Some("hush"));
    }
}
