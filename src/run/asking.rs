//! A scrape's way to a member: which member answers, what is asked, and what Prometheus says of an answer that is none.

use super::locate::{Found, nobody};
use crate::management::{self, Body, Listener, Outcome};
use crate::metrics::Registry;
use crate::monitor::Located;
use crate::promql::Semantics;
use crate::random::noise;
use crate::simulator::{DatabaseView, Member, Port, Simulation};
use crate::time::Instant;

/// The media types that a scrape offers: protocol, type, and whether names beyond the old ones are offered with it.
const PROTOCOLS: &[(&str, &str, bool)] = &[
    (
        "PrometheusProto",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        false,
    ),
    ("PrometheusText0.0.4", "text/plain;version=0.0.4", false),
    ("PrometheusText1.0.0", "text/plain;version=1.0.0", true),
    ("OpenMetricsText0.0.1", "application/openmetrics-text;version=0.0.1", false),
    ("OpenMetricsText1.0.0", "application/openmetrics-text;version=1.0.0", true),
];

/// What a target is asked, and by which connection.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) found: Found,
    /// Why a connection fails when no member is behind the address.
    nobody: String,
    pub(super) scheme: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    fallback: bool,
    body_size_limit: u64,
    forbidden: Option<String>,
    semantics: Semantics,
    /// Nothing about the request is out of the ordinary.
    plain: bool,
    /// Its number in the noise of the run, and how many connections it has opened.
    key: u64,
    connections: u64,
    /// The member that its connection reaches, and the number of its process.
    connected: Option<(usize, u32)>,
}

/// Why there is nothing to scrape.
#[derive(Debug)]
pub(super) enum NoScrape {
    /// Not yet: perhaps at this instant.
    Wait(Instant),
    /// Not in time.
    TooLate,
    /// At once, and why, in Prometheus's words, without the URL.
    Failed(String),
}

impl Asking {
    pub(super) fn new(found: Found, located: &Located, semantics: Semantics, key: u64) -> Asking {
        let Located { scheme, path, headers, protocols, fallback, body_size_limit, forbidden, .. } = located.clone();
        let plain = scheme == "http"
            && path.split('?').next() == Some("/prometheus")
            && headers.is_empty()
            && protocols.is_empty()
            && body_size_limit == 0
            && forbidden.is_none();
        let mut headers = headers;
        headers.insert(0, ("accept".to_owned(), accept(&protocols, semantics)));
        let (connections, connected) = (0, None);
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        let nobody = nobody(&located.address);
        Asking {
            found,
            nobody,
            scheme,
            path,
            headers,
            fallback,
            body_size_limit,
            forbidden,
            semantics,
            plain,
            key,
            connections,
            connected,
        }
    }

    /// The member that answers now. A connection stays with one until that process ends; then a new one reaches one of those
    /// that have an open port, by the chance of the run, as a Service gives them out.
    pub(super) fn member(&mut self, simulation: &Simulation) -> usize {
        let members = simulation.members();
        let life = |member: usize| members.get(member).map(|it| it.life());
        let open = |member: usize| members.get(member).is_some_and(|it| it.port() != Port::Refused);
        if let [only] = self.found.members[..] {
            return only;
        }
        if let Some((member, process)) = self.connected
            && life(member) == Some(process)
            && open(member)
        {
            return member;
        }
        let all: Vec<usize> = self.found.members.iter().copied().filter(|member| open(*member)).collect();
        let Some(count) = Some(all.len()).filter(|count| *count > 0) else {
            return self.found.members.first().copied().unwrap_or(0);
        };
        let drawn = noise(simulation.seed().0 ^ self.key, self.connections);
        let member = all[((drawn * count as f64) as usize).min(count - 1)];
        self.connections += 1;
        self.connected = life(member).map(|process| (member, process));
        member
    }

    /// The connection is gone: it was reset, or closed because no answer came.
    pub(super) fn disconnect(&mut self) {
        self.connected = None;
    }

    /// The meters that a request shows which arrived at an instant, or why there are none yet, or none at all. `plain` is
    /// whether the cluster has no settings of its own.
    pub(super) fn ask<'s>(
        &self,
        simulation: &'s Simulation,
        member: usize,
        plain: bool,
        arrived: Instant,
    ) -> Result<&'s Registry, NoScrape> {
        if let Some(why) = &self.forbidden {
            return Err(NoScrape::Failed(why.clone()));
        }
        if !matches!(self.scheme.as_str(), "http" | "https") {
            return Err(NoScrape::Failed(format!("unsupported protocol scheme \"{}\"", self.scheme)));
        }
        if self.found.members.is_empty() {
            return Err(NoScrape::Failed(self.nobody.clone()));
        }
        let refused = || self.outcome(&Outcome::Refused);
        // The name of a place that scaling took away means nobody.
        if simulation.members().get(member).is_some_and(Member::is_away) {
            return Err(NoScrape::Failed(self.nobody.clone()));
        }
        let misled = self.found.discovered && simulation.members().get(member).is_some_and(Member::at_wrong_port);
        let listener = if misled { Some(Listener::Application) } else { self.found.listener };
        let listener = listener.ok_or_else(refused)?;
        let state = management::reachable(simulation, member).map_err(|outcome| self.outcome(&outcome))?;
        let registry = state.registry().ok_or_else(refused)?;
        if self.scheme == "https" {
            return Err(NoScrape::Failed("http: server gave HTTP response to HTTPS client".to_owned()));
        }
        // Nothing stands between the request and the metrics: the text need not be written to be read again.
        if self.plain
            && plain
            && listener == Listener::Management
            && matches!(simulation.database(member), DatabaseView::Reachable { .. })
        {
            return Ok(registry);
        }
        let mut request = management::Request { listener, ..management::Request::get(&self.path, arrived) };
        request.headers.extend(self.headers.iter().cloned());
        match management::answer(&request, simulation, member) {
            Outcome::Answer(answer) if answer.status == 200 => {
                let body = match &answer.body {
                    Body::Sized(body) | Body::Chunked(body) => body.as_slice(),
                    Body::None => &[],
                };
                if self.body_size_limit > 0 && body.len() as u64 >= self.body_size_limit {
                    return Err(NoScrape::Failed("body size limit exceeded".to_owned()));
                }
                match answer.is_exposition() && body.starts_with(b"# ") {
                    true => Ok(registry),
                    false => Err(NoScrape::Failed(self.unreadable(&answer, body))),
                }
            }
            other => Err(self.outcome(&other)),
        }
    }

    fn outcome(&self, outcome: &Outcome) -> NoScrape {
        NoScrape::Failed(match outcome {
            Outcome::Wait(until) => return NoScrape::Wait(*until),
            Outcome::Hang => return NoScrape::TooLate,
            Outcome::Refused => "connect: connection refused".to_owned(),
            Outcome::Reset => "read: connection reset by peer".to_owned(),
            Outcome::Answer(answer) => format!("server returned HTTP status {} {}", answer.status, answer.reason),
        })
    }

    /// What is said of an answer that is no exposition.
    fn unreadable(&self, answer: &management::Answer, body: &[u8]) -> String {
        let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        let kind = answer.headers.iter().find(|(name, _)| is_type(name)).map_or("", |(_, value)| value.as_str());
        let unfit = "and no fallback_scrape_protocol specified for target";
        let first = body.first().map_or(' ', |byte| char::from(*byte));
        match self.semantics {
            Semantics::V3 | Semantics::V3_16 => match kind {
                _ if self.fallback || answer.is_exposition() => {
                    format!("expected a valid exposition, got one that begins with \"{first}\"")
                }
                "" => format!("non-compliant scrape target sending blank Content-Type {unfit}"),
                _ => format!("received unsupported Content-Type \"{kind}\" {unfit}"),
            },
            // These read whatever comes as an exposition, and stop at its first character.
            Semantics::V2_53 => {
                format!("expected a valid start token, got \"{first}\" (\"INVALID\") while parsing: \"{first}\"")
            }
            Semantics::V2_42 => "\"INVALID\" is not a valid start token".to_owned(),
        }
    }
}

#[cfg(feature = "internals")]
impl super::Session {
    /// How the scrapes of each target went: its labels, and what was seen.
    pub fn seen(&self) -> Vec<(String, crate::monitor::Seen)> {
        let targets = self.watching.as_ref().map(|watching| watching.monitor.targets()).unwrap_or_default();
        targets.iter().map(|target| (target.describe(), target.seen.clone())).collect()
    }
}

/// The header that says what is offered. Whatever is offered, anything else is taken too: a Kestra, which has one type, answers
/// all of them (asked of 2.42, 3.5 and 3.16).
fn accept(protocols: &[String], semantics: Semantics) -> String {
    if semantics < Semantics::V3 {
        return "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            .to_owned();
    }
    let own = ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"];
    let names: Vec<&str> =
        if protocols.is_empty() { own.to_vec() } else { protocols.iter().map(String::as_str).collect() };
    // 3.16 knows one protocol more, which it does not offer by itself.
    let mut weight = PROTOCOLS.len() + if semantics >= Semantics::V3_16 { 2 } else { 1 };
    let mut parts = Vec::new();
    for name in names {
        if let Some((_, kind, escapes)) = PROTOCOLS.iter().find(|(it, _, _)| *it == name) {
            let escaping = if *escapes { ";escaping=allow-utf-8" } else { "" };
            parts.push(format!("{kind}{escaping};q=0.{weight}"));
            weight -= 1;
        }
    }
    parts.push(format!("*/*;q=0.{weight}"));
    parts.join(",")
}
