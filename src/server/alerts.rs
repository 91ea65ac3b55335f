//! Alerts of the served cluster's own Prometheus on their way to a real Alertmanager.
//!
//! As the notifier of Prometheus does: batches of at most 64, each posted once, whatever comes of it, and given up after ten
//! seconds. The Alertmanager lives in real time, so each virtual instant is told as the real one it comes to at the speed of
//! the clock.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration as Real;

use reqwest::Url;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::delivery::{client, told};
use super::world::{Shared, World};
use crate::run::{ActiveAlert, DueAlert};

/// Alerts in one request.
const BATCH: usize = 64;
/// How long a request may take.
const WITHIN: Real = Real::from_secs(10);
/// Characters of what is told of a failure.
const WORDS: usize = 300;

/// The base address of an Alertmanager: `/api/v2/alerts` is added to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager(Url);

impl FromStr for Alertmanager {
    type Err = String;

    fn from_str(text: &str) -> Result<Alertmanager, String> {
        let advice = "write the URL of an Alertmanager without a path of its API, such as http://127.0.0.1:9093";
        let url = Url::parse(text).map_err(|error| format!("{error}; {advice}"))?;
        let base = url.path().trim_end_matches('/').to_owned();
        let plain = url.query().is_none() && url.fragment().is_none();
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() || !plain || base.contains("/api/v") {
            return Err(advice.to_owned());
        }
        let mut whole = url;
        whole.set_path(&format!("{base}/api/v2/alerts"));
        Ok(Alertmanager(whole))
    }
}

/// How it goes with the sending, since the server's start.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    /// Whether they are posted at all.
    pub(super) posts: bool,
    /// Alerts that an Alertmanager has taken.
    pub(super) posted: u64,
    /// Alerts of requests that failed: they are not sent again.
    pub(super) failed: u64,
    /// Alerts dropped before the last reset.
    pub(super) dropped: u64,
    pub(super) last_error: Option<String>,
    /// Wakes whoever posts.
    pub(super) wakes: Arc<Notify>,
}

impl World {
    /// Alerts have become due, perhaps.
    pub(super) fn alerts_news(&mut self) {
        if !self.session.has_live_rules() {
            return;
        }
        if !self.alerts.posts {
            // Nobody takes them.
            let _ = self.session.due_alerts(usize::MAX);
        } else if self.session.waiting_alerts().0 > 0 {
            self.alerts.wakes.notify_one();
        }
    }

    /// What a reset forgets is counted all the same.
    pub(super) fn before_reset(&mut self) {
        self.alerts.dropped = self.alerts_dropped();
    }

    /// Alerts that were dropped because too many waited.
    pub(super) fn alerts_dropped(&self) -> u64 {
        self.alerts.dropped + self.session.waiting_alerts().1
    }

    /// The next batch, as it is posted.
    fn batch(&mut self) -> Vec<Value> {
        let due = self.session.due_alerts(BATCH);
        due.iter().map(|alert| self.in_words(alert)).collect()
    }

    fn in_words(&self, alert: &DueAlert) -> Value {
        let at = |instant| self.clock.wall_time_of(instant).to_string();
        json!({
            "labels": texts(&alert.labels),
            "annotations": texts(&alert.annotations),
            "startsAt": at(alert.starts_at),
            "endsAt": at(alert.ends_at),
            "generatorURL": alert.generator_url,
        })
    }

    /// What is pending and firing, and how it goes with the sending, for the control port.
    pub(super) fn alerts_told(&self) -> Value {
        let calendar = self.session.calendar();
        let line = |alert: &ActiveAlert| {
            json!({
                "labels": texts(&alert.labels),
                "annotations": texts(&alert.annotations),
                "state": if alert.fires { "firing" } else { "pending" },
                "activeAt": calendar.date(alert.active_at).to_string(),
                "value": exponent(alert.value),
            })
        };
        let all: Vec<Value> = self.session.active_alerts().iter().map(line).collect();
        let sending = self.alerts.posts.then(|| {
            json!({
                "posted": self.alerts.posted,
                "waiting": self.session.waiting_alerts().0,
                "dropped": self.alerts_dropped(),
                "failed": self.alerts.failed,
                "lastError": self.alerts.last_error,
            })
        });
        json!({ "status": "success", "data": { "alerts": all }, "sending": sending })
    }
}

fn texts(all: &[(String, String)]) -> Map<String, Value> {
    all.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

/// A number as Prometheus lists it: `1e+00`.
fn exponent(value: f64) -> String {
    let text = match value {
        _ if value.is_nan() => return "NaN".to_owned(),
        _ if value.is_infinite() => return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
        _ => format!("{value:e}"),
    };
    let Some((digits, power)) = text.split_once('e') else { return text };
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
    format!("{digits}e{sign}{power:0>2}")
}

/// Posts what is due until the server ends.
pub(super) async fn run(shared: Arc<Shared>, to: Alertmanager) {
    let client = client(WITHIN, &[]);
    let Ok(wakes) = shared.world().map(|world| world.alerts.wakes.clone()) else { return };
    loop {
        let Ok(batch) = shared.world().map(|mut world| world.batch()) else { return };
        if batch.is_empty() {
            wakes.notified().await;
            continue;
        }
        let (count, outcome) = (
            batch.len() as u64,
            match &client {
                Ok(client) => post(client, &to, &batch).await,
                Err(why) => Err(why.clone()),
            },
        );
        let Ok(mut world) = shared.world() else { return };
        match outcome {
            Ok(()) => world.alerts.posted += count,
            Err(why) => {
                world.alerts.failed += count;
                world.alerts.last_error = Some(why.chars().take(WORDS).collect());
            }
        }
    }
}

async fn post(client: &reqwest::Client, to: &Alertmanager, batch: &[Value]) -> Result<(), String> {
    let body = Value::from(batch).to_string();
    let request = client.post(to.0.clone()).header("content-type", "application/json").body(body);
    let status = request.send().await.map_err(told)?.status();
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("bad response status {status}")),
    }
}
