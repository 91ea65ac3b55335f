//! `/kafkastreams`, where a scenario says `queue: kafka`. The commercial edition has it, and nobody recorded it: members and
//! errors are those of the last public source (facts/management-port.md, section 4.16).

use serde_json::{Value, json};

use super::error::{Error, Kind};
use super::reply::Reply;
use super::{Context, Handled};
use crate::simulator::{Store, Stream, StreamState};

/// `GET /kafkastreams`: all streams of the process, and how far each store lags.
pub(super) fn all(context: &Context<'_>) -> Handled {
    let show = |stream: &Stream| {
        let lags: serde_json::Map<String, Value> =
            stream.stores.iter().map(|store| (store.name.to_owned(), store.lag().into())).collect();
        json!({ "ready": true, "clientId": stream.client, "state": state(stream.state), "storeLags": lags })
    };
    let shown: Value = context.simulation.streams(context.index).iter().map(show).collect();
    Ok(Reply::json(shown.to_string()))
}

/// `GET /kafkastreams/{clientId}/{type}`: the lag of each partition of each store, or the metrics of the client.
pub(super) fn one(context: &Context<'_>) -> Handled {
    let (client, kind) = context.variable.split_once('/').unwrap_or((&context.variable, ""));
    let refused = |what: String| Err(Error::new(Kind::Argument, &what, context.target.href).into());
    let streams = context.simulation.streams(context.index);
    let Some(stream) = streams.iter().find(|stream| stream.client == client) else {
        return refused(format!("Invalid clientId with name '{client}'"));
    };
    let shown: Value = match kind {
        "lag" => stream.stores.iter().flat_map(lags).collect(),
        "metrics" => metrics(stream, context),
        _ => return refused(format!("Invalid type '{kind}'")),
    };
    Ok(Reply::json(shown.to_string()))
}

fn lags(store: &Store) -> Vec<Value> {
    let lag = |(partition, (position, end)): (usize, &(u64, u64))| {
        json!({
            "store": store.name, "partition": partition, "currentOffsetPosition": position, "endOffsetPosition": end,
            "offsetLag": end - position
        })
    };
    store.partitions.iter().enumerate().map(lag).collect()
}

/// Some of the metrics that each client of Kafka has.
fn metrics(stream: &Stream, context: &Context<'_>) -> Value {
    let client = stream.client;
    let lived = context.simulation.now().since(context.process.started()).as_seconds_f64();
    let rate = if lived > 0.0 && stream.state == StreamState::Running { stream.taken as f64 / lived } else { 0.0 };
    let rate = f64::round(rate * 1000.0) / 1000.0;
    let started = context.simulation.calendar().date(context.process.started()).as_millisecond();
    let lag: u64 = stream.stores.iter().map(Store::lag).max().unwrap_or_default();
    let thread = json!({ "thread-id": format!("{client}-StreamThread-1") });
    let id = json!({ "client-id": client });
    let metric = |group: &str, name: &str, tags: &Value, value: Value| json!({ "group": group, "name": name, "tags": tags, "value": value });
    json!([
        metric("stream-metrics", "state", &id, state(stream.state).into()),
        metric("stream-thread-metrics", "process-rate", &thread, rate.into()),
        metric("stream-thread-metrics", "process-total", &thread, stream.taken.into()),
        metric("consumer-fetch-manager-metrics", "records-lag-max", &id, lag.into()),
        metric("app-info", "start-time-ms", &id, started.into()),
    ])
}

fn state(state: StreamState) -> &'static str {
    match state {
        StreamState::Running => "RUNNING",
        StreamState::Rebalancing => "REBALANCING",
        StreamState::Error => "ERROR",
    }
}
