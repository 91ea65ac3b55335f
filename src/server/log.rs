//! The log of requests to members: who asked what, and what came of it.

use std::fmt;
use std::sync::Arc;

use crate::management::Request;
use crate::time::Instant;

/// Where requests to members are told, a line each. Without one it costs nothing.
#[derive(Clone)]
pub struct RequestLog {
    detail: Detail,
    write: Arc<dyn Fn(&str) + Send + Sync>,
}

/// How much is told of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A line: virtual time, member, method, target, status, and the header that a refusal is about.
    Line,
    /// All headers beneath it; what would let somebody in is not written.
    Headers,
}

/// Headers that a status is about: whoever is refused sees what was sent.
const REASONS: &[(u16, &str)] = &[(401, "authorization"), (403, "origin"), (406, "accept"), (415, "content-type")];
/// Headers whose value is nobody's business.
const SECRETS: &[&str] = &["authorization", "cookie", "proxy-authorization"];

impl RequestLog {
    /// A log that hands each text, its final line feed included, to `write`.
    pub fn new(detail: Detail, write: impl Fn(&str) + Send + Sync + 'static) -> RequestLog {
        RequestLog { detail, write: Arc::new(write) }
    }

    /// Tells of a request: its status, or `reset`, or `unanswered` when the client left before.
    pub(super) fn tell(&self, at: Instant, member: &str, request: &Request, status: Result<u16, &str>) {
        let Request { method, target, headers, .. } = request;
        let mut text = format!("{} {member} {method} {target} ", at.rounded());
        match status {
            Ok(status) => text += &status.to_string(),
            Err(what) => text += what,
        }
        if let Some((_, name)) = REASONS.iter().find(|(about, _)| status == Ok(*about)) {
            let mut values = headers.iter().filter(|(key, _)| key == name).map(|(key, value)| shown(key, value));
            let values: Vec<String> = values.by_ref().collect();
            let values = if values.is_empty() { "none".to_owned() } else { values.join(", ") };
            text += &format!(" ({name}: {values})");
        }
        text.push('\n');
        if self.detail == Detail::Headers {
            for (key, value) in headers {
                text += &format!("  {key}: {}\n", shown(key, value));
            }
        }
        (self.write)(&text);
    }

    /// Tells of what was no request.
    pub(super) fn tell_malformed(&self, at: Instant, member: &str, status: u16) {
        (self.write)(&format!("{} {member} {status} (what came is no HTTP request)\n", at.rounded()));
    }
}

fn shown(key: &str, value: &str) -> String {
    if SECRETS.contains(&key) { "***".to_owned() } else { value.escape_debug().to_string() }
}

impl fmt::Debug for RequestLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLog").field("detail", &self.detail).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn told(detail: Detail, headers: &[(&str, &str)], status: Result<u16, &str>) -> String {
        let text = Arc::new(Mutex::new(String::new()));
        let log = RequestLog::new(detail, {
            let text = text.clone();
            move |line| text.lock().expect("no panic").push_str(line)
        });
        let headers = headers.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let request = Request { headers, ..Request::get("/prometheus", Instant::START) };
        log.tell(Instant::START, "worker-1", &request, status);
        let text = text.lock().expect("no panic");
        text.clone()
    }

    #[test]
    fn a_line_says_who_asked_what_and_why_it_was_refused() {
        let headers = [("accept", "text/html"), ("authorization", "Basic c2VjcmV0")];
        assert_eq!(told(Detail::Line, &headers, Ok(200)), "0s worker-1 GET /prometheus 200\n");
        assert_eq!(told(Detail::Line, &headers, Ok(406)), "0s worker-1 GET /prometheus 406 (accept: text/html)\n");
        assert_eq!(told(Detail::Line, &headers, Ok(401)), "0s worker-1 GET /prometheus 401 (authorization: ***)\n");
        assert_eq!(told(Detail::Line, &[], Ok(401)), "0s worker-1 GET /prometheus 401 (authorization: none)\n");
        assert_eq!(told(Detail::Line, &[], Err("reset")), "0s worker-1 GET /prometheus reset\n");
        let all = "0s worker-1 GET /prometheus 200\n  accept: text/html\n  authorization: ***\n";
        assert_eq!(told(Detail::Headers, &headers, Ok(200)), all);
        let forged = told(Detail::Line, &[("accept", "a\u{1b}[2J")], Ok(406));
        assert!(forged.ends_with("(accept: a\\u{1b}[2J)\n"), "{forged}");
    }
}
