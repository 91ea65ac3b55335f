//! Looking at the members' own ports, once or for a while.

use std::time::Duration as Real;

use serde_json::Value as Json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Failed;
use crate::cli::stop::Stop;
use crate::cli::{Exit, complain, to_terminal, told_enough};
use crate::exposition::{self, Exposition};
use crate::record::{Observed, Seen, own_time, requests};
use crate::server::{Outside, Reply};
use crate::time::Duration;

/// When to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    every: Real,
    /// After the first one.
    more: u64,
}

/// Looks of a recording.
const MOST: u64 = 100_000;

impl Looks {
    /// One, or as many as there is time for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(lasts: Option<Duration>, every: Option<Duration>) -> Result<Looks, String> {
        let Some(lasts) = lasts else {
            let none = Looks { every: Real::ZERO, more: 0 };
            return every.map_or(Ok(none), |_| Err("--every is how often within --for, which is not there".to_owned()));
        };
        let every = every.unwrap_or(Duration::seconds(15)).min(lasts);
        let more = lasts.as_nanoseconds() / every.as_nanoseconds().max(1);
        if more > MOST {
            return Err(format!("these are more than {MOST} looks: make --every longer"));
        }
        Ok(Looks { every: Real::from_nanos(every.as_nanoseconds()), more })
    }
}

/// A member's port.
struct Port {
    outside: Outside,
    seen: Seen,
    /// It counts the requests of who looks, as a real server does.
    counts: bool,
    /// These answer there.
    lists: Vec<&'static str>,
}

const VERSION: &str = "/version";
const SCHEDULER: &str = "/scheduler";
const WORKER: &str = "/worker";

/// Looks at all ports, and tells how often.
pub(super) async fn observe(ports: Vec<Outside>, looks: Looks) -> Result<(Observed, Vec<String>), Failed> {
    let mut all = each(ports, |outside| async { Port::first(outside).await }).await;
    let mut ports = Vec::new();
    for port in all.drain(..) {
        ports.push(port?);
    }
    let (mut made, mut number) = (0, 0_u64);
    let begun = Instant::now();
    let stop = Stop::listen();
    loop {
        // Looks that a slow server has missed are not made up for.
        let passed = begun.elapsed().as_nanos() / looks.every.as_nanos().max(1);
        number = u64::try_from(passed).unwrap_or(u64::MAX).max(number).saturating_add(1);
        let Some(number) = u32::try_from(number).ok().filter(|number| u64::from(*number) <= looks.more) else { break };
        tokio::select! {
            () = sleep_until(begun + looks.every.saturating_mul(number)) => {}
            () = stop.wait() => break,
        }
        ports = each(ports, |mut port| {
            let stop = stop.clone();
            async move {
                // One that does not answer holds nobody up who has seen enough.
                tokio::select! {
                    () = port.look() => {}
                    () = stop.wait() => {}
                }
                port
            }
        })
        .await;
        made += 1;
        to_terminal(&format!("\rlook {made} of {} ", looks.more));
        if ports.iter().map(|port| port.seen.samples()).sum::<usize>() > crate::record::SAMPLES {
            complain("note: there is no room for more looks: this is where the recording ends\n");
            break;
        }
    }
    told_enough();
    let members: Vec<Seen> = ports.into_iter().map(|port| port.seen).collect();
    let (ports, times) = (members.len(), made + 1);
    let once = format!("Recorded by `mock-kestra record` from {ports} management ports, each asked once.");
    let often =
        format!("Recorded by `mock-kestra record` from {ports} management ports, each looked at {times} times.");
    Ok((Observed { members, one_clock: false }, vec![if made == 0 { once } else { often }]))
}

/// Does something with each of them at once; they stay in their order.
async fn each<A, B, F>(all: Vec<A>, mut with: impl FnMut(A) -> F) -> Vec<B>
where
    B: Send + 'static,
    F: Future<Output = B> + Send + 'static,
{
    let mut going = JoinSet::new();
    for (place, it) in all.into_iter().enumerate() {
        let one = with(it);
        going.spawn(async move { (place, one.await) });
    }
    let mut done = going.join_all().await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, it)| it).collect()
}

impl Port {
    /// The first look, which must succeed.
    async fn first(outside: Outside) -> Result<Port, Failed> {
        let cannot = |why: String| (Exit::Cannot, why);
        let before = exposed(&outside).await.map_err(cannot)?;
        let mut seen = Seen::new(outside.instance());
        if let Some(version) = document(&outside, VERSION).await {
            seen.says_version(version);
        }
        for (path, place) in [("/info", &mut seen.documents.info), ("/health", &mut seen.documents.health)] {
            *place = document(&outside, path).await;
        }
        // Whether it counts who looks is seen by what nobody else asks for.
        let shown = exposed(&outside).await.map_err(cannot)?;
        let asked = |path| requests(&shown, path) > requests(&before, path);
        let counts = asked(VERSION) || asked("/info");
        seen.look(time_of(&shown), &shown);
        if !seen.is_kestra() {
            let shown = outside.shown();
            return Err(cannot(format!(
                "{shown}: this is no Kestra: it shows none of the series that every Kestra has from its start on"
            )));
        }
        let mut port = Port { outside, seen, counts, lists: vec![SCHEDULER, WORKER] };
        port.lists().await;
        Ok(port)
    }

    /// One more look; what does not answer is a gap.
    async fn look(&mut self) {
        match exposed(&self.outside).await {
            Ok(shown) => {
                let anew = self.seen.look(time_of(&shown), &shown);
                self.asked("/prometheus");
                // Another process may be of another version.
                if anew && let Some(version) = document(&self.outside, VERSION).await {
                    self.seen.says_version(version);
                    self.asked(VERSION);
                }
                self.lists().await;
            }
            Err(_) => self.seen.miss(),
        }
    }

    /// Asks what runs and what is due, where that is told.
    async fn lists(&mut self) {
        let mut answering = Vec::new();
        for path in std::mem::take(&mut self.lists) {
            let Ok(reply) = self.outside.get(path).await else {
                answering.push(path);
                continue;
            };
            self.asked(path);
            match (reply.status, serde_json::from_slice::<Json>(&reply.body)) {
                (200, Ok(document)) if path == SCHEDULER => self.seen.scheduler(&document),
                (200, Ok(document)) => self.seen.worker(&document),
                (404 | 401 | 403, _) => continue,
                _ => {}
            }
            answering.push(path);
        }
        self.lists = answering;
    }

    fn asked(&mut self, path: &str) {
        if self.counts {
            *self.seen.own.entry(path.to_owned()).or_default() += 1;
        }
    }
}

/// Whatever clock the server has: by its own numbers, else by ours.
#[allow(clippy::disallowed_methods, reason = "a look is made now")]
fn time_of(shown: &Exposition) -> i64 {
    own_time(shown).unwrap_or_else(|| jiff::Timestamp::now().as_millisecond())
}

/// What `/prometheus` shows, or why it shows nothing.
async fn exposed(outside: &Outside) -> Result<Exposition, String> {
    const PATH: &str = "prometheus";
    let place = format!("{}/{PATH}", outside.shown());
    let reply = outside.get(PATH).await.map_err(|why| why.to_string())?;
    match reply.status {
        200 => {}
        status => return Err(format!("{place} answers {status}{}", hint(&reply))),
    }
    let text =
        std::str::from_utf8(&reply.body).map_err(|_| format!("{place}: this is no exposition: it is not UTF-8"))?;
    exposition::read(text).map_err(|why| {
        let page = text.trim_start().starts_with('<') || text.trim_start().starts_with('{');
        let hint = if page { ": this is no management port of a Kestra, which is 8081 as it ships" } else { "" };
        format!("{place}: {why}{hint}")
    })
}

/// What to do about a status.
fn hint(reply: &Reply) -> &'static str {
    match reply.status {
        401 | 403 => ": it wants a name and a password (--user, or MOCK_KESTRA_USER)",
        404 => {
            ": this is no management port of a Kestra (8081 as it ships), or it has a path (endpoints.all.path) that is missing in the URL"
        }
        _ => "",
    }
}

/// What an endpoint says, where it says anything.
async fn document(outside: &Outside, path: &str) -> Option<Json> {
    let reply = outside.get(path).await.ok()?;
    // Who is DOWN says so with 503, and the rest as well.
    if !matches!(reply.status, 200 | 503) { None } else { serde_json::from_slice(&reply.body).ok() }
}
