//! By which name a request has come. A page in somebody's browser may read what its own site answers; when its site's name is
//! led to this address (DNS rebinding), that is the control port, so that it answers to names only that no such site can have.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Refusal;
use crate::server::Options;

/// Ends of names that nobody on the internet can register.
const OURS: &[&str] = &["svc", "svc.cluster.local", "local", "internal", "localhost"];

/// Names that the control port answers to beside those that any has.
#[derive(Clone, Debug)]
pub(super) struct Names(Arc<Vec<String>>);

impl Names {
    /// Those of the options, and that of this machine.
    pub(super) fn of(options: &Options) -> Names {
        let machine = gethostname::gethostname().into_string().ok();
        let told = options.allowed_hosts.iter().chain(&options.advertise).cloned();
        Names(Arc::new(told.chain(machine).map(|name| plain(&name)).filter(|name| !name.is_empty()).collect()))
    }

    fn has(&self, host: &str) -> bool {
        let host = plain(host);
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let ends = |end: &str| host.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
        host.is_empty() || literal || !host.contains('.') || OURS.iter().any(|it| ends(it)) || self.0.contains(&host)
    }
}

/// A name without its port, as names are compared: in small letters, without the dot of the root.
fn plain(host: &str) -> String {
    without_port(host).trim_end_matches('.').to_ascii_lowercase()
}

/// A host without its port.
fn without_port(host: &str) -> &str {
    let end = match host.strip_prefix('[') {
        Some(address) => address.find(']').map_or(host.len(), |at| at + 2),
        None => host.find(':').unwrap_or(host.len()),
    };
    host.get(..end).unwrap_or(host)
}

/// The host of a request, without its port.
pub(super) fn asked(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    Some(without_port(host)).filter(|host| !host.is_empty())
}

/// Refuses a request to a name that is not known to be of this machine. One without a name is of no browser.
pub(super) async fn known(State(names): State<Names>, request: HttpRequest, next: Next) -> Response {
    let Some(host) = request.headers().get(header::HOST) else { return next.run(request).await };
    match host.to_str() {
        Ok(host) if names.has(host) => next.run(request).await,
        told => {
            let name = told.map_or("a name that is no text".to_owned(), |host| format!("`{}`", without_port(host)));
            let advice =
                "ask by an address or by localhost, or start it with `--allow-host NAME` (or `--advertise NAME`)";
            let what = format!("the control port does not answer to {name}: a page of another site could be behind it");
            Refusal::new(StatusCode::FORBIDDEN, what, advice).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_can_register_are_known_and_others_are_told_of() {
        let options = Options {
            advertise: Some("mock.example.org".to_owned()),
            allowed_hosts: vec!["Kestra.Example.com".to_owned()],
            ..Options::default()
        };
        let names = Names::of(&options);
        for host in [
            "",
            "localhost",
            "LOCALHOST:8082",
            "127.0.0.1:8082",
            "10.1.2.3",
            "[::1]:8082",
            "[2001:db8::1]",
            "mock-kestra:8082",
            "host.docker.internal:8082",
            "mock.kestra.svc:8082",
            "mock.kestra.svc.cluster.local:8082",
            "mac.local",
            "app.localhost:8082",
            "mock.example.org:8082",
            "mock.example.org.",
            "kestra.example.com",
        ] {
            assert!(names.has(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8082",
            "sub.mock.example.org",
            "example.com",
            "127.0.0.1.evil.example:8082",
            "localhost.evil.example",
            "evil.localx",
            "evil.xsvc",
            "1.2.3.4.5",
            "evil.example.",
            "a.b[::1]",
        ] {
            assert!(!names.has(host), "{host}");
        }
        let machine = gethostname::gethostname().into_string().expect("text");
        assert!(names.has(&machine), "{machine}");
    }
}
