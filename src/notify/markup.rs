//! Texts: Markdown as Slack writes it, and what Kestra's JSON reader says of what is none.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::Error;

/// Patterns and what takes their place. A pattern that could not be built changes nothing; a test builds all.
static MARKDOWN: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [(r"\*\*([^*]+)\*\*", "*$1*"), (r"__([^_]+)__", "_${1}_"), (r"\[([^\]]+)\]\(([^)]+)\)", "<$2|$1>")]
        .into_iter()
        .filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, with)))
        .collect()
});

/// Markdown as Slack's mrkdwn: bold, italics and links.
pub(super) fn mrkdwn(text: &str) -> String {
    MARKDOWN.iter().fold(text.to_owned(), |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned())
}

/// The first JSON value of a text: what stands behind it is not looked at, as Jackson does.
pub(super) fn json(text: &str) -> Result<Value, Error> {
    match serde_json::Deserializer::from_str(text).into_iter::<Value>().next() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(Error::failed(refused(text, &error))),
        None => Err(Error::failed("No content to map due to end-of-input")),
    }
}

/// Jackson's words where they are known (a token that is none), ours with the place otherwise.
fn refused(text: &str, error: &serde_json::Error) -> String {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before: String = line.chars().take(error.column()).collect();
    let start = before.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    let token: String =
        line.get(start..).unwrap_or_default().chars().take_while(|c| c.is_alphanumeric()).take(256).collect();
    let place = format!("line: {}, column: {}", error.line(), error.column());
    if error.is_syntax()
        && token.starts_with(char::is_alphabetic)
        && !["true", "false", "null"].contains(&token.as_str())
    {
        return format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or \
             'false') ({place})"
        );
    }
    format!("the payload is not valid JSON: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_slacks() {
        assert_eq!(MARKDOWN.len(), 3);
        assert_eq!(mrkdwn("**b** and __i__, [t](http://u/x)"), "*b* and _i_, <http://u/x|t>");
    }

    #[test]
    fn what_is_no_json_is_refused_as_jackson_does() {
        assert_eq!(json("{\"a\": 1} rest").expect("the first value"), serde_json::json!({ "a": 1 }));
        for text in ["boom", "{ boom }", "{\"text\": oops}"] {
            let words = json(text).expect_err("no JSON").to_string();
            assert!(words.contains("JSON"), "{words}");
        }
        assert!(json("boom").expect_err("no JSON").to_string().starts_with("Unrecognized token 'boom'"));
        assert_eq!(json(" ").expect_err("empty").to_string(), "No content to map due to end-of-input");
    }
}
