//! The cluster over time, as the page draws it: what it has lived, and what is to come of it if nobody does anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

use super::{Answered, App, LOOKS, Refusal, jump, parameter, time};
use crate::run::{AlertBar, Band, Figures, Picture, Reading};
use crate::scenario::Plan;
use crate::server::clock::Deadline;
use crate::server::world::Shared;
use crate::simulator::{Sent, Simulation};
use crate::time::{Duration, Instant, SECOND};

/// How far somebody may look ahead.
const AHEAD: Duration = Duration::minutes(24 * 60);
/// How far the picture goes back when nobody says.
const BACK: Duration = Duration::minutes(60);
/// Figures in a picture: at most, and when nobody says.
const POINTS: (usize, usize) = (720, 240);
/// Notifications in a picture, the last ones.
const MARKS: usize = 500;

/// A picture, and what it is a picture of.
struct Drawn {
    resets: u64,
    version: u64,
    now: Instant,
    /// What cannot be foreseen, where it goes beyond now.
    unforeseen: Vec<&'static str>,
    picture: Picture,
    marks: Vec<Value>,
}

/// `GET /api/timeline`: the time from one instant to another, now when left out; what is later than now is computed on a
/// copy.
pub(super) async fn draw(State(shared): App, uri: Uri) -> Answered<Json<Value>> {
    let instant = |name: &str| parameter(&uri, name).map(|text| time(&text)).transpose();
    let (from, to) = (instant("from")?, instant("to")?);
    let points = parameter(&uri, "points").map_or(Ok(POINTS.1), |text| {
        let wanted = text.parse::<usize>().ok().filter(|points| (2..=POINTS.0).contains(points));
        let advice = format!("send a whole number from 2 to {}", POINTS.0);
        wanted.ok_or_else(|| Refusal::bad(format!("`{text}` is no number of points"), advice))
    })?;
    let now = shared.world()?.session.now();
    if to.is_some_and(|to| to > now + AHEAD) {
        let advice = format!("ask for a `to` up to {}", (now + AHEAD).rounded());
        return Err(Refusal::bad("that is more than 24h ahead", advice));
    }
    let from = from.unwrap_or(now.before(BACK));
    if to.is_some_and(|to| to < from) {
        return Err(Refusal::bad("`to` lies before `from`", "send a later `to`, or an earlier `from`"));
    }
    let drawn = match to.filter(|to| *to > now) {
        None => past(&shared, from)?,
        Some(to) => ahead(&shared, from, to).await?,
    };
    Ok(Json(told(&drawn, &shared.plan, to, points)))
}

fn past(shared: &Shared, from: Instant) -> Answered<Drawn> {
    let mut world = shared.world()?;
    let (resets, session) = (world.resets, &mut world.session);
    let (version, now) = (session.version(), session.now());
    let picture = session.lived(from).ok_or_else(nothing_kept)?;
    let marks = marks(session.simulation(), from);
    Ok(Drawn { resets, version, now, unforeseen: Vec::new(), picture, marks })
}

/// The past, and what follows from it.
async fn ahead(shared: &Arc<Shared>, from: Instant, to: Instant) -> Answered<Drawn> {
    let end = Deadline::after(LOOKS);
    let work = jump::Work::default();
    let gone = work.watch();
    let busy = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "others look at other instants", "ask again");
    let given_up = || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the look was given up", "ask again");
    let turn = tokio::time::timeout_at(end.instant(), shared.looks.clone().acquire_owned()).await;
    let turn = turn.map_err(busy)?.map_err(|_| given_up())?;
    let shared = shared.clone();
    let looking = move || {
        let _turn = turn;
        let (mut drawn, foresight) = {
            let past = past(&shared, from)?;
            let world = shared.world()?;
            let unforeseen = world.session.unforeseen();
            (Drawn { unforeseen, ..past }, world.session.foresight(to))
        };
        let (picture, simulation) = foresight.go(&|| !gone() && shared.serving() && !end.is_over());
        drawn.marks = marks(&simulation, from);
        drawn.picture = join(drawn.picture, picture);
        Ok(drawn)
    };
    tokio::task::spawn_blocking(looking).await.map_err(|_| given_up())?
}

fn nothing_kept() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "nothing was kept of the past", "POST /api/reset begins anew")
}

/// The past and what is to come as one picture. What had not ended goes on as it is foreseen.
fn join(past: Picture, ahead: Picture) -> Picture {
    let mut joined = past;
    joined.to = ahead.to;
    for (lane, more) in joined.lanes.iter_mut().zip(ahead.lanes) {
        for (at, condition) in more {
            if lane.last().is_none_or(|(_, last)| *last != condition) {
                lane.push((at, condition));
            }
        }
    }
    joined.bands.retain(|band| band.to.is_some());
    joined.bands.extend(ahead.bands);
    joined.bands.sort_by_key(|band| band.from);
    if let (Some(alerts), Some(more)) = (&mut joined.alerts, ahead.alerts) {
        let known = |bar: &AlertBar| {
            more.iter().any(|it| it.pending == bar.pending && it.labels == bar.labels && it.alert == bar.alert)
        };
        alerts.retain(|bar| !known(bar));
        alerts.extend(more);
        alerts.sort_by_key(|bar| bar.pending);
    }
    let last = joined.figures.last().map(|it| it.at);
    joined.figures.extend(ahead.figures.into_iter().filter(|it| last.is_none_or(|last| it.at > last)));
    joined
}

/// Seconds since the start, to the millisecond.
fn seconds(at: Instant) -> f64 {
    at.rounded().as_nanoseconds() as f64 / SECOND as f64
}

fn told(drawn: &Drawn, plan: &Plan, to: Option<Instant>, points: usize) -> Value {
    let picture = &drawn.picture;
    let until = |at: Instant| to.is_none_or(|to| at <= to);
    let member = |(index, lane): (usize, &Vec<(Instant, crate::run::Condition)>)| {
        let it = plan.cluster.members.get(index);
        let spans = lane.iter().filter(|(at, _)| until(*at));
        let spans = spans.map(|(at, condition)| json!({ "at": seconds(*at), "condition": condition.word() }));
        json!({
            "name": it.map(|it| it.name.as_str()).unwrap_or_default(),
            "role": it.map(|it| it.role.name()).unwrap_or_default(),
            "threads": it.map_or(0, |it| it.threads),
            "heap": it.map_or(0, |it| it.heap),
            "spans": spans.collect::<Vec<_>>(),
        })
    };
    let alerts =
        picture.alerts.as_ref().map(|all| all.iter().filter(|it| until(it.pending)).map(bar).collect::<Vec<_>>());
    let kept: Vec<&Figures> = picture.figures.iter().filter(|it| until(it.at)).collect();
    json!({
        "resets": drawn.resets,
        "version": drawn.version,
        "now": seconds(drawn.now),
        "from": seconds(picture.from),
        "to": seconds(to.map_or(picture.to, |to| to.min(picture.to))),
        "begins": seconds(picture.begins),
        "unforeseen": drawn.unforeseen,
        "members": picture.lanes.iter().enumerate().map(member).collect::<Vec<_>>(),
        "faults": picture.bands.iter().filter(|it| until(it.from)).map(band).collect::<Vec<_>>(),
        "alerts": alerts,
        "notifications": drawn.marks,
        "figures": figures(&thinned(&kept, points), picture.lanes.len()),
    })
}

fn band(band: &Band) -> Value {
    json!({ "name": band.name, "what": band.what, "from": seconds(band.from), "to": band.to.map(seconds) })
}

fn bar(bar: &AlertBar) -> Value {
    let labels: serde_json::Map<String, Value> =
        bar.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    json!({
        "alert": bar.alert,
        "labels": labels,
        "pending": seconds(bar.pending),
        "firing": bar.firing.map(seconds),
        "resolved": bar.resolved.map(seconds),
    })
}

/// At most so many of all figures, the last among them.
fn thinned<'f>(all: &[&'f Figures], points: usize) -> Vec<&'f Figures> {
    let step = all.len().div_ceil(points.max(1)).max(1);
    let mut kept: Vec<&Figures> = all.iter().rev().step_by(step).copied().collect();
    kept.reverse();
    kept
}

fn figures(all: &[&Figures], members: usize) -> Value {
    let column = |of: &dyn Fn(&Figures) -> u64| all.iter().map(|it| of(it)).collect::<Vec<u64>>();
    let of_member = |index: usize| {
        let row = |of: fn(&Reading) -> u64| column(&|it| it.members.get(index).map_or(0, of));
        json!({
            "running": row(|it| u64::from(it.running)),
            "pending": row(|it| u64::from(it.pending)),
            "pool": row(|it| u64::from(it.pool)),
            "heap": row(|it| it.heap),
        })
    };
    json!({
        "at": all.iter().map(|it| seconds(it.at)).collect::<Vec<_>>(),
        "created": column(&|it| it.created),
        "ended": column(&|it| it.ended),
        "failed": column(&|it| it.failed),
        "queued": column(&|it| it.queued),
        "members": (0..members).map(of_member).collect::<Vec<_>>(),
    })
}

/// Messages of notification tasks from an instant on, the last of them.
fn marks(simulation: &Simulation, from: Instant) -> Vec<Value> {
    let sent = simulation.sent();
    let newest = (sent.dropped()..sent.next()).rev().zip(sent.iter().rev());
    let mut marks: Vec<Value> = newest
        .take_while(|(_, it)| it.at >= from)
        .take(MARKS)
        .map(|(number, it)| mark(number, it, simulation.plan()))
        .collect();
    marks.reverse();
    marks
}

fn mark(number: u64, sent: &Sent, plan: &Plan) -> Value {
    json!({
        "number": number,
        "at": seconds(sent.at),
        "flow": plan.flows.get(sent.flow as usize).map(crate::flow::Flow::name),
        "channel": sent.channel(),
        "to": sent.to(),
        "delivery": sent.delivery.word(),
    })
}
