//! The journal as it is written, as server-sent events.
//!
//! Whoever listens reads the journal as fast as he can, and nobody waits for him: the journal is bounded, and he is told how
//! many lines it has dropped before he came to them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::visitors::{Busy, Who};
use super::{Answered, App, Refusal, journal_line, parameter};
use crate::server::world::{Shared, World};

/// Listeners at the same time.
pub const LISTENERS: usize = 16;
/// Lines that are taken from the journal at once: the world is held meanwhile.
const BATCH: usize = 256;
/// How often it is looked whether there is something new.
const EACH: Duration = Duration::from_millis(50);
/// How often a listener is told that there is nothing: so it is noticed that he is gone.
const ALIVE: Duration = Duration::from_secs(15);
/// The header in which whoever comes back says what he has seen last.
const SEEN_LAST: &str = "last-event-id";

/// Somebody who listens.
struct Listener {
    shared: Arc<Shared>,
    /// The number of the next line.
    next: u64,
    /// How often the session had begun anew.
    resets: u64,
    /// What was taken and is to be sent.
    taken: VecDeque<Event>,
    /// His place among those that listen, and that of his connection among all.
    _place: (OwnedSemaphorePermit, Busy),
}

/// `GET /api/events`: each line of the journal as an event, from `from` on, from behind `Last-Event-ID`, or from now.
pub(super) async fn stream(
    State(shared): App,
    ConnectInfo(who): ConnectInfo<Who>,
    uri: Uri,
    headers: HeaderMap,
) -> Answered<impl IntoResponse> {
    let from = from(&uri, &headers)?;
    let Ok(place) = shared.listeners.clone().try_acquire_owned() else {
        let message = format!("{LISTENERS} listen already");
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, message, "close one of them, or poll /api/journal"));
    };
    let (next, resets, taken) = begin(&*shared.world()?, from);
    let listener = Listener { shared, next, resets, taken, _place: (place, Busy::with(who)) };
    let events = stream::unfold(listener, |mut listener| async {
        let event = listener.event().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

/// The number of the line to begin with, if somebody has asked for one. Who comes back asks with the address he had, so
/// that what he has seen goes before what it says.
fn from(uri: &Uri, headers: &HeaderMap) -> Answered<Option<u64>> {
    let number = |text: &str, advice: &str| {
        text.parse::<u64>().map_err(|_| Refusal::bad(format!("`{text}` is no number of a line"), advice))
    };
    let asked = parameter(uri, "from").map(|text| number(&text, "send a whole number; 0 is the first line"));
    let asked = asked.transpose()?;
    match headers.get(SEEN_LAST).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()) {
        Some(seen) if !seen.is_empty() => {
            let seen = number(&seen, "send the `id` of the last event that came, or leave the header out")?;
            Ok(Some(seen.saturating_add(1)))
        }
        _ => Ok(asked),
    }
}

/// Where somebody begins. A number that is not there yet was told before the session has begun anew.
fn begin(world: &World, from: Option<u64>) -> (u64, u64, VecDeque<Event>) {
    let end = world.session.simulation().journal().next();
    match from {
        Some(from) if from > end => (0, world.resets, VecDeque::from([reset(world.resets)])),
        from => (from.unwrap_or(end), world.resets, VecDeque::new()),
    }
}

fn reset(resets: u64) -> Event {
    Event::default().event("reset").data(json!({ "resets": resets }).to_string())
}

impl Listener {
    /// The next event, when there is one; none when the server ends.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                return Some(event);
            }
            // He who is behind what was dropped is told all the same that the server ends.
            if !self.shared.serving() {
                return None;
            }
            self.take()?;
            if self.taken.is_empty() {
                tokio::time::sleep(EACH).await;
            }
        }
    }

    /// Takes what is new. From a broken model there is nothing more.
    fn take(&mut self) -> Option<()> {
        let shared = self.shared.clone();
        let world = shared.world().ok()?;
        if world.resets != self.resets {
            (self.next, self.resets) = (0, world.resets);
            self.taken.push_back(reset(world.resets));
        }
        let journal = world.session.simulation().journal();
        let missed = journal.dropped().saturating_sub(self.next);
        if missed > 0 {
            self.next += missed;
            self.taken.push_back(Event::default().event("missed").data(json!({ "missed": missed }).to_string()));
        }
        for line in journal.since(self.next).take(BATCH) {
            let line = journal_line(line, world.session.plan()).to_string();
            self.taken.push_back(Event::default().id(self.next.to_string()).data(line));
            self.next += 1;
        }
        Some(())
    }
}
