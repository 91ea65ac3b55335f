//! Moving time: jumps, and runs that end by themselves.
//!
//! A jump belongs to the request that asks for it: it ends with its client, with a pause or a reset, and with the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::body::{Content, field, keys, switch};
use super::operations::shapes;
use super::{Answered, App, Refusal, state_now, time};
use crate::scenario;
use crate::server::clock::Steps;
use crate::server::world::{Shared, Way, World};
use crate::time::{Duration, Instant};

/// How often a jump looks whether a receiver has answered.
const RECEIVER: std::time::Duration = std::time::Duration::from_millis(1);

/// Work of a client that is over when the client is gone.
#[derive(Debug, Default)]
pub(in crate::server) struct Work(Arc<AtomicBool>);

impl Work {
    /// Whether its client is gone.
    pub(in crate::server) fn watch(&self) -> impl Fn() -> bool + Send + 'static {
        let gone = self.0.clone();
        move || gone.load(Ordering::Relaxed)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The handler of a request is dropped when its connection is closed.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How a jump is made.
#[derive(Clone, Copy, Debug)]
struct Manner {
    /// Time is paused when it is there.
    pauses: bool,
    /// It waits for the end of another one that is under way; else it is refused.
    waits: bool,
}

/// The turn of a jump: one is under way at a time.
async fn turn(shared: &Shared, waits: bool) -> Answered<OwnedSemaphorePermit> {
    let turns = shared.jumping.clone();
    // One that was ended is over in a moment.
    let under_way = shared.world()?.jump;
    if waits || under_way.is_none() {
        let given_up = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the jump was given up", "ask for the state");
        return turns.acquire_owned().await.map_err(|_| given_up);
    }
    let Ok(turn) = turns.try_acquire_owned() else {
        let to = under_way.map(|to| format!(" to {to}")).unwrap_or_default();
        let advice = "send \"wait\": true to have your turn after it, or end it: POST /api/pause";
        return Err(Refusal::new(StatusCode::CONFLICT, format!("a jump{to} is under way"), advice));
    };
    Ok(turn)
}

/// Moves time forward at once, however far.
async fn jump(
    shared: Arc<Shared>,
    to: impl FnOnce(&World) -> Instant + Send + 'static,
    Manner { pauses, waits }: Manner,
) -> Answered<Json<Value>> {
    let work = Work::default();
    let gone = work.watch();
    let given_up = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the jump was given up", "ask for the state");
    // What ends jumps ends those too that wait for their turn.
    let ended = shared.world()?.jumps_ended;
    let turn = turn(&shared, waits).await?;
    let way = move || {
        let _turn = turn;
        let to = target(&*shared.world()?, to)?;
        go(&shared, to, (ended, pauses), &gone)?;
        state_now(&shared)
    };
    tokio::task::spawn_blocking(way).await.map_err(|_| given_up(()))?
}

/// Goes all the way to an instant, on a thread that may be blocked. It is cut short when jumps are ended, or when whoever
/// wanted it is gone.
fn go(shared: &Shared, to: Instant, (ended, pauses): (u64, bool), gone: &dyn Fn() -> bool) -> Answered<()> {
    let mut steps = Steps::new();
    loop {
        let over = || gone() || !shared.serving();
        // Step by step, so that others are answered meanwhile.
        let way = steps.take(|step| {
            shared.step(|world| {
                if world.jumps_ended != ended || over() {
                    world.jump = None;
                    return Err(cut_short(to, world.session.now()));
                }
                let way = world.jump_on(to, step);
                if way == Way::There && pauses {
                    world.clock.pause();
                }
                Ok(way)
            })
        })??;
        if way == Way::Waits {
            std::thread::sleep(RECEIVER);
        }
        if way == Way::There {
            shared.change(|_| ())?;
            if let Some(limit) = shared.world()?.limit.clone() {
                let advice = "nothing moves any more; POST /api/reset begins anew";
                return Err(Refusal::new(StatusCode::CONFLICT, limit, advice));
            }
            // Who asks a member next finds its port as it is now.
            shared.settle_doors();
            return Ok(());
        }
    }
}

/// The same for whoever embeds the server: after a jump that somebody else is on, and on the caller's own thread.
pub(in crate::server) fn go_there(
    shared: &Shared,
    to: impl FnOnce(&World) -> Instant,
    gone: &dyn Fn() -> bool,
) -> Answered<Instant> {
    let ended = shared.world()?.jumps_ended;
    let turn = loop {
        match shared.jumping.clone().try_acquire_owned() {
            Ok(turn) => break turn,
            Err(_) if gone() || !shared.serving() => {
                let now = shared.world()?.session.now();
                return Err(cut_short(now, now));
            }
            Err(_) => std::thread::sleep(RECEIVER),
        }
    };
    let to = target(&*shared.world()?, to)?;
    go(shared, to, (ended, false), gone)?;
    drop(turn);
    Ok(shared.world()?.session.now())
}

/// Where a jump leads, if it can.
fn target(world: &World, to: impl FnOnce(&World) -> Instant) -> Answered<Instant> {
    let (to, now) = (to(world), world.session.now());
    if to > Instant::START + scenario::limits::DURATION {
        return Err(Refusal::bad(format!("{to} is too far away"), "go up to 400d"));
    }
    if to < now {
        let message = format!("{to} is past, it is {} now", now.rounded());
        return Err(Refusal::bad(message, "POST /api/reset goes back to the start; ?at= shows the past"));
    }
    Ok(to)
}

fn cut_short(to: Instant, now: Instant) -> Refusal {
    let message = format!("the jump to {to} ended at {}", now.rounded());
    Refusal::new(StatusCode::CONFLICT, message, "a pause, a reset or a closed connection ends a jump; ask again")
}

pub(super) async fn advance(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    let body = keys(&body, &shapes::ADVANCE)?;
    let (value, waits) = (field(&body, "by", &shapes::ADVANCE)?, switch(&body, "wait")?);
    let by = value.as_str().map(str::parse::<Duration>);
    let Some(Ok(by)) = by else {
        return Err(Refusal::bad(format!("{value} is no duration"), crate::time::DURATION_ADVICE));
    };
    jump(shared, move |world| world.session.now() + by, Manner { pauses: false, waits }).await
}

/// Runs at the clock's speed until an instant and pauses there; with `"now": true` it is there at once.
pub(super) async fn run_until(State(shared): App, Content(body): Content) -> Answered<Json<Value>> {
    let body = keys(&body, &shapes::RUN_UNTIL)?;
    let value = field(&body, "at", &shapes::RUN_UNTIL)?;
    let at = time(value.as_str().unwrap_or(&value.to_string()))?;
    let waits = switch(&body, "wait")?;
    if switch(&body, "now")? {
        return jump(shared, move |_| at, Manner { pauses: true, waits }).await;
    }
    shared.change(|world| {
        if at <= world.session.now() {
            let message = format!("{at} is past, it is {} now", world.session.now().rounded());
            return Err(Refusal::bad(message, "name a later time"));
        }
        world.clock.run_until(at);
        Ok(())
    })??;
    state_now(&shared)
}
