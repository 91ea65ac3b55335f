//! Reads the small things of a version: build, timings, quirks, and the ways to answer.

use super::fields::{ANSWERS, LIVENESS, LOG_ENTRIES, LOGGER_BODIES, RELEASE};
use crate::document::{Node, Object, Reading};
use crate::profile::{
    Answers, DoubleSlash, ErrorForm, H2Down, Indicator, Liveness, LogEntries, LoggerBodies, OddCredentials, Release,
    Schedulables, ServerAuth, TaskRuns, TextBody,
};
use crate::time::Duration;

pub(super) fn release(reading: &mut Reading, node: &Node) -> Option<Release> {
    let object = reading.object(node, "`release`", RELEASE)?;
    let [version, commit, commit_date] = ["version", "commit", "commit_date"].map(|key| text(reading, &object, key));
    Some(Release { version: version?, commit: commit?, commit_date: commit_date? })
}

pub(super) fn liveness(reading: &mut Reading, node: &Node) -> Option<Liveness> {
    let object = reading.object(node, "`liveness`", LIVENESS)?;
    let keys = ["heartbeat", "interval", "timeout", "initial_delay"];
    let [heartbeat, interval, timeout, initial_delay] = keys.map(|key| duration(reading, &object, key));
    Some(Liveness { heartbeat: heartbeat?, interval: interval?, timeout: timeout?, initial_delay: initial_delay? })
}

pub(super) fn log_entries(reading: &mut Reading, node: &Node) -> Option<LogEntries> {
    let object = reading.object(node, "`log_entries`", LOG_ENTRIES)?;
    let [asked, poll, failed_poll] = ["asked", "poll", "failed_poll"].map(|key| count(reading, &object, key));
    let [tenant, over_limit] = ["tenant", "over_limit"].map(|key| text(reading, &object, key));
    Some(LogEntries { asked: asked?, poll: poll?, failed_poll: failed_poll?, tenant: tenant?, over_limit: over_limit? })
}

fn count(reading: &mut Reading, object: &Object, key: &str) -> Option<u32> {
    let node = object.get(key)?;
    reading.parsed(node, &format!("`{key}`"), |text| text.parse().map_err(|_| "write for example 4".to_owned()))
}

pub(super) fn answers(reading: &mut Reading, node: &Node) -> Option<Answers> {
    let object = reading.object(node, "`answers`", ANSWERS)?;
    let errors = one(reading, &object, "errors", "form of errors", ErrorForm::WORDS);
    let h2 = text(reading, &object, "h2");
    let refreshed = object.get("refreshed").map(|node| texts(reading, node, "`refreshed`"));
    let [health, live, ready] = ["health", "liveness", "readiness"].map(|key| {
        object.get(key).map(|node| words(reading, node, &format!("`{key}`"), "indicator", Indicator::WORDS))
    });
    let beans_gone = object.get("beans_gone").and_then(|node| {
        let never = |text: &str| if text == "never" { Ok(None) } else { text.parse().map(Some) };
        reading.parsed(node, "`beans_gone`", never)
    });
    let h2_down = one(reading, &object, "h2_down", "key of a database", H2Down::WORDS);
    let [queue_thread, worker_thread] = ["queue_thread", "worker_thread"].map(|key| text(reading, &object, key));
    let schedulables = one(reading, &object, "schedulables", "kind of triggers", Schedulables::WORDS);
    let worker_start = duration(reading, &object, "worker_start");
    let task_runs = one(reading, &object, "task_runs", "form of task runs", TaskRuns::WORDS);
    let capitals = flag(reading, &object, "capitals");
    let server_auth = one(reading, &object, "server_auth", "reach of the basic auth", ServerAuth::WORDS);
    let odd_credentials = one(reading, &object, "odd_credentials", "answer", OddCredentials::WORDS);
    let double_slash = one(reading, &object, "double_slash", "meaning of two slashes", DoubleSlash::WORDS);
    let type_before_method = flag(reading, &object, "type_before_method");
    let logger_bodies = object.get("logger_bodies").and_then(|node| logger_bodies(reading, node));
    Some(Answers {
        errors: errors?,
        h2: h2?,
        refreshed: refreshed?,
        health: health?,
        liveness: live?,
        readiness: ready?,
        beans_gone: beans_gone?,
        h2_down: h2_down?,
        queue_thread: queue_thread?,
        worker_thread: worker_thread?,
        schedulables: schedulables?,
        worker_start: worker_start?,
        task_runs: task_runs?,
        capitals: capitals?,
        server_auth: server_auth?,
        odd_credentials: odd_credentials?,
        double_slash: double_slash?,
        type_before_method: type_before_method?,
        logger_bodies: logger_bodies?,
    })
}

fn logger_bodies(reading: &mut Reading, node: &Node) -> Option<LoggerBodies> {
    let object = reading.object(node, "`logger_bodies`", LOGGER_BODIES)?;
    let (any_case, forms) = (flag(reading, &object, "any_case"), flag(reading, &object, "forms"));
    let text = one(reading, &object, "text", "meaning of a text", TextBody::WORDS);
    Some(LoggerBodies { any_case: any_case?, forms: forms?, text: text? })
}

/// The text at a key.
pub(super) fn text(reading: &mut Reading, object: &Object<'_>, key: &str) -> Option<String> {
    object.get(key).and_then(|node| reading.text(node, key)).map(str::to_owned)
}

fn flag(reading: &mut Reading, object: &Object<'_>, key: &str) -> Option<bool> {
    object.get(key).and_then(|node| reading.boolean(node, &format!("`{key}`")))
}

fn duration(reading: &mut Reading, object: &Object<'_>, key: &str) -> Option<Duration> {
    object.get(key).and_then(|node| reading.parsed(node, &format!("`{key}`"), str::parse))
}

/// The word at a key.
pub(super) fn one<T: Copy>(
    reading: &mut Reading,
    object: &Object<'_>,
    key: &str,
    what: &str,
    known: &[(&'static str, T)],
) -> Option<T> {
    object.get(key).and_then(|node| reading.choice(node, what, known))
}

/// A list of texts.
pub(super) fn texts(reading: &mut Reading, node: &Node, what: &str) -> Vec<String> {
    reading.list(node, what).iter().filter_map(|node| reading.text(node, what).map(str::to_owned)).collect()
}

/// A list of words.
pub(super) fn words<T: Copy>(
    reading: &mut Reading,
    node: &Node,
    list: &str,
    what: &str,
    known: &[(&'static str, T)],
) -> Vec<T> {
    reading.list(node, list).iter().filter_map(|node| reading.choice(node, what, known)).collect()
}
