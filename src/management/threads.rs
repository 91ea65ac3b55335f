//! `/threaddump`: the threads of an idle server as recorded, those of the worker that run something, and two more while it is
//! deadlocked.

use serde_json::{Map, Value, json};

use super::reply::Reply;
use super::{Context, Handled};
use crate::profile::Role;
use crate::simulator::Job;

/// Two queue threads that wait for each other: id, the other's id, and the lock it waits for.
const DEADLOCKED: [(u32, u32, &str); 2] =
    [(61, 62, "java.lang.Object@5e9f23b4"), (62, 61, "java.lang.Object@1d7acb34")];

/// `GET /threaddump`: an array, sent in chunks. The recordings of standalones were cut, 1.3's at 25 threads and 2.0's at 11,
/// which is filled up from 1.3's; a process of another role is shown without the standalone's own, one without a database
/// without its pool's.
pub(super) fn get(context: &Context<'_>) -> Handled {
    let role = context.member.role();
    let own = |thread: &Value| thread["threadName"].as_str().is_some_and(|name| name.starts_with("standalone"));
    let mut threads = read(context.member.profile().threads());
    threads.retain(|thread| role == Role::Standalone || !own(thread));
    let pool = |thread: &Value| thread["threadName"].as_str().is_some_and(|name| name.starts_with("HikariPool"));
    threads.retain(|thread| context.member.has_database() || !pool(thread));
    threads.extend(busy(context));
    if context.member.deadlocked() {
        threads.extend(DEADLOCKED.map(|(id, other, lock)| {
            let [name, owner] = [id, other].map(|id| name(&context.answers.queue_thread, id));
            json!({
                "threadName": name, "threadId": id, "blockedTime": -1, "blockedCount": 1, "waitedTime": -1,
                "waitedCount": 0, "lockName": lock, "lockOwnerId": other, "lockOwnerName": owner, "daemon": false,
                "inNative": false, "suspended": false, "threadState": "BLOCKED", "priority": 5, "stackTrace": [],
                "lockedMonitors": [], "lockedSynchronizers": [], "lockInfo": object(lock)
            })
        }));
    }
    Ok(Reply::chunked(Value::from(threads).to_string(), context.answers.capitals, &context.request.method))
}

/// Worker threads that run something. Nobody recorded one: their names follow those of all pools, and of their frames there
/// are those that must be: the task's or trigger's own, below it Java's pool.
fn busy(context: &Context<'_>) -> Vec<Value> {
    let flows = &context.simulation.plan().flows;
    let running = context.simulation.running(context.index);
    let threads = running.iter().enumerate().filter_map(|(number, running)| {
        let flow = flows.get(running.flow)?;
        let (class, method, sleeps) = match &running.job {
            Job::Task { task, .. } => {
                let task = flow.task(*task)?;
                (task.kind.as_str(), "run", task.sleep.is_some())
            }
            Job::Trigger { trigger } => (flow.triggers.get(*trigger)?.kind.as_str(), "evaluate", false),
        };
        let state = if sleeps { "TIMED_WAITING" } else { "RUNNABLE" };
        let id = FIRST_WORKER_THREAD + number;
        let mut thread = thread(&format!("{}_{number}\t{id}\t{state}\t5\t--\t0\t1\t", context.answers.worker_thread));
        let own = format!("app//{class}.{method}({}.java)", class.rsplit('.').next().unwrap_or(class));
        let frames = sleeps.then_some(SLEEP).into_iter().chain([own.as_str()]).chain(POOL.iter().copied());
        thread.insert("stackTrace".to_owned(), frames.map(frame).collect());
        Some(Value::Object(thread))
    });
    threads.collect()
}

/// Ids of worker threads begin behind those of the recorded ones.
const FIRST_WORKER_THREAD: usize = 200;
const SLEEP: &str = "java.base/java.lang.Thread.sleep(Thread.java)";
const POOL: [&str; 3] = [
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java)",
    "java.base/java.util.concurrent.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java)",
    "java.base/java.lang.Thread.run(Thread.java)",
];

/// What the indicator `deadlockedThreads` tells. Never recorded: the members are those of its source
/// (facts/management-port.md, section 10).
pub(super) fn deadlock(queue_thread: &str) -> Value {
    let thread = |(id, other, lock): (u32, u32, &str)| {
        json!({
            "threadId": id.to_string(), "threadName": name(queue_thread, id), "threadState": "BLOCKED", "daemon": "false",
            "priority": "5", "suspended": "false", "inNative": "false", "lockName": lock, "lockOwnerName": name(queue_thread, other),
            "lockOwnerId": other.to_string(), "lockedSynchronizers": "[]", "stackTrace": "[]"
        })
    };
    json!(DEADLOCKED.map(thread))
}

fn name(queue_thread: &str, id: u32) -> String {
    format!("{queue_thread}_{id}")
}

/// Reads threads: a line of fields with tabs, then its frames, each followed by the monitors it locked, then the
/// synchronizers it owns.
fn read(text: &str) -> Vec<Value> {
    let mut threads: Vec<Map<String, Value>> = Vec::new();
    for line in text.lines() {
        let Some(detail) = line.strip_prefix(' ') else {
            threads.push(thread(line));
            continue;
        };
        let (Some((kind, text)), Some(thread)) = (detail.split_once(' '), threads.last_mut()) else { continue };
        let frames = thread["stackTrace"].as_array();
        let (key, item) = match (kind, frames.and_then(|frames| Some((frames.last()?.clone(), frames.len() - 1)))) {
            ("at", _) => ("stackTrace", frame(text)),
            ("locked", Some((frame, depth))) => {
                let mut monitor = object(text);
                monitor["lockedStackFrame"] = frame;
                monitor["lockedStackDepth"] = depth.into();
                ("lockedMonitors", monitor)
            }
            _ => ("lockedSynchronizers", object(text)),
        };
        if let Some(items) = thread.get_mut(key).and_then(Value::as_array_mut) {
            items.push(item);
        }
    }
    threads.into_iter().map(Value::Object).collect()
}

fn thread(line: &str) -> Map<String, Value> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().unwrap_or_default();
    let (name, id, state, priority, flags) = (next(), next(), next(), next(), next());
    let (blocked, waited, lock) = (next(), next(), next());
    let number = |text: &str| Value::from(text.parse::<i64>().unwrap_or_default());
    let mut thread = Map::new();
    let mut put = |key: &str, value: Value| _ = thread.insert(key.to_owned(), value);
    put("threadName", name.into());
    put("threadId", number(id));
    put("blockedTime", (-1).into());
    put("blockedCount", number(blocked));
    put("waitedTime", (-1).into());
    put("waitedCount", number(waited));
    if !lock.is_empty() {
        put("lockName", lock.into());
    }
    put("lockOwnerId", (-1).into());
    put("daemon", flags.starts_with('d').into());
    put("inNative", flags.ends_with('n').into());
    put("suspended", false.into());
    put("threadState", state.into());
    put("priority", number(priority));
    for key in ["stackTrace", "lockedMonitors", "lockedSynchronizers"] {
        put(key, Value::Array(Vec::new()));
    }
    if !lock.is_empty() {
        put("lockInfo", object(lock));
    }
    thread
}

/// `java.lang.Object@5e9f23b4`.
fn object(text: &str) -> Value {
    let (class, hash) = text.rsplit_once('@').unwrap_or((text, "0"));
    json!({ "className": class, "identityHashCode": u32::from_str_radix(hash, 16).unwrap_or_default() })
}

/// A frame as Java prints it: `java.base@25.0.3/java.lang.Thread.sleep(Thread.java:540)`, `app//...(Native Method)`.
fn frame(text: &str) -> Value {
    let (method, place) = text.trim_end_matches(')').rsplit_once('(').unwrap_or((text, ""));
    let (origin, method) = method.split_once('/').unwrap_or(("", method));
    let (class, method) = method.trim_start_matches('/').rsplit_once('.').unwrap_or(("", method));
    let mut frame = Map::new();
    let mut put = |key: &str, value: Value| _ = frame.insert(key.to_owned(), value);
    match origin.split_once('@') {
        Some((module, version)) => {
            put("moduleName", module.into());
            put("moduleVersion", version.into());
        }
        None if origin.starts_with("java.") => put("moduleName", origin.into()),
        None => put("classLoaderName", origin.into()),
    }
    put("methodName", method.into());
    let native = matches!(place, "Native Method" | "Native");
    // A native method stands in the file of its outermost class.
    let file = || format!("{}.java", class.rsplit('.').next().unwrap_or(class).split('$').next().unwrap_or(class));
    let line = match place.split_once(':') {
        Some((file, line)) => {
            put("fileName", file.into());
            line.parse().unwrap_or(-1)
        }
        // Newer class files of Java itself do not tell.
        None if place == "Native" => -2,
        None if native => {
            put("fileName", file().into());
            -2
        }
        None if place.ends_with(".java") => {
            put("fileName", place.into());
            -1
        }
        None => -1,
    };
    put("lineNumber", Value::from(line));
    put("className", class.into());
    put("nativeMethod", native.into());
    Value::Object(frame)
}
