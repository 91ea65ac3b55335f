//! A plan as the text of a scenario: reading it gives the same plan, what it expects left out.

use serde_json::{Map, Value, json};

use super::faults::Unit;
use super::{
    Amount, Arrivals, Autoscale, Behaviour, Credentials, DatabaseFault, DatabaseKind, Deed, Fault, MemberPlan, Order,
    Plan, PlannedCommand, RealAnswer, Restart, Settings, Silence, Target, TaskOf, TaskSelector, TimelineEntry, Which,
    Whose,
};
use crate::flow::Flow;
use crate::time::{Duration, Instant};

pub(super) type Object = Map<String, Value>;

/// The text of a scenario that needs no other file. What is expected is left out: it was written for another
/// timeline; so are secrets, which nobody is to read.
pub fn write(plan: &Plan) -> String {
    text(&root(plan))
}

/// The lines of a file: lists with an item on each.
pub(super) fn text(root: &Object) -> String {
    let mut text = String::new();
    for (key, value) in root {
        match value {
            Value::Array(items) if !items.is_empty() => {
                let lines: Vec<String> = items.iter().map(|item| format!("\n  - {item}")).collect();
                text += &format!("{key}:{}\n", lines.concat());
            }
            value => text += &format!("{key}: {value}\n"),
        }
    }
    text
}

/// All of it, key by key.
pub(super) fn root(plan: &Plan) -> Object {
    let mut root = Object::new();
    let mut line = |key: &str, value: Value| set(&mut root, key, Some(value));
    line("name", json!(plan.name));
    line("summary", json!(plan.summary));
    line("kestra", json!(plan.kestra.name()));
    line("duration", json!(plan.duration.to_string()));
    if let Some(start) = plan.start {
        line("start", json!(start.to_string()));
    }
    line("cluster", cluster(plan));
    let settings = configuration(&plan.settings);
    if settings.as_object().is_some_and(|settings| !settings.is_empty()) {
        line("configuration", settings);
    }
    let receivers: Object =
        plan.receivers.iter().map(|(name, answer)| (name.to_string(), json!(answer.to_string()))).collect();
    if !receivers.is_empty() {
        line("receivers", receivers.into());
    }
    if !plan.kv.is_empty() {
        line("kv", json!(plan.kv));
    }
    if !plan.environment.is_empty() {
        line("environment", json!(plan.environment));
    }
    let mut list = |key: &str, items: Vec<Value>, always: bool| {
        set(&mut root, key, Some(items).filter(|items| always || !items.is_empty()));
    };
    list("flows", plan.flows.iter().map(flow).collect(), false);
    list("behaviour", plan.behaviour.iter().map(behaviour).collect(), false);
    list("arrivals", plan.arrivals.iter().map(|it| arrivals(it, plan)).collect(), false);
    // Without this key there are the usual pollers.
    let pollers = plan.pollers.iter().map(|it| json!({ "path": it.path, "every": it.every.to_string() }));
    list("polled_by", pollers.collect(), true);
    list("autoscale", plan.autoscale.iter().map(autoscale).collect(), false);
    list("silences", plan.silences.iter().map(silence).collect(), false);
    list("timeline", plan.timeline.iter().map(|it| entry(it, plan)).collect(), false);
    list("commands", plan.commands.iter().map(|it| command(it, plan)).collect(), false);
    root
}

/// A list of one name is the name.
fn one_name(value: &mut Value) {
    if let Some([one @ Value::String(_)]) = value.as_array().map(Vec::as_slice) {
        *value = one.clone();
    }
}

/// An entry of the timeline as somebody writes it, who gives it no name.
pub(super) fn entry_of_file(it: &TimelineEntry, plan: &Plan) -> Value {
    let mut value = entry(it, plan);
    let Some(object) = value.as_object_mut() else { return value };
    object.shift_remove("name");
    for value in object.values_mut() {
        one_name(value);
        value.get_mut("member").into_iter().for_each(one_name);
    }
    value
}

/// Puts in what is there.
fn set<T: Into<Value>>(object: &mut Object, key: &str, value: Option<T>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.into());
    }
}

/// Puts in what is so.
fn flag(object: &mut Object, key: &str, on: bool) {
    set(object, key, on.then_some(true));
}

fn span(duration: Duration) -> Value {
    json!(duration.to_string())
}

fn since_start(at: Instant) -> Value {
    json!(at.to_string())
}

/// A cluster as its members were resolved: roles in the order of the plan, those of one role alike or one after another.
fn cluster(plan: &Plan) -> Value {
    let cluster = &plan.cluster;
    let mut object = Object::new();
    let database = match cluster.database {
        DatabaseKind::Postgresql => "postgresql",
        DatabaseKind::Mysql => "mysql",
        DatabaseKind::H2 => "h2",
        DatabaseKind::H2File => "h2-file",
    };
    set(&mut object, "database", Some(database));
    set(&mut object, "queue", cluster.kafka.then_some("kafka"));
    match cluster.booting {
        true => set(&mut object, "start", Some("booting")),
        false => set(&mut object, "age", Some(span(cluster.age))),
    }
    let mut members = Object::new();
    for it in &cluster.members {
        let of_role = || cluster.members.iter().filter(|other| other.role == it.role);
        let count = of_role().filter(|it| !it.reserve).count();
        members.entry(it.role.name()).or_insert_with(|| member(it, count, of_role().count()));
    }
    set(&mut object, "members", Some(members));
    object.into()
}

fn member(plan: &MemberPlan, count: usize, most: usize) -> Value {
    let restart = match plan.restart {
        Restart::Never => "never".to_owned(),
        Restart::Kubernetes => "kubernetes".to_owned(),
        Restart::After(pause) => pause.to_string(),
    };
    let mut object = Object::new();
    set(&mut object, "count", Some(count));
    set(&mut object, "most", Some(most).filter(|most| *most > count));
    set(&mut object, "threads", Some(plan.threads));
    set(&mut object, "heap", Some(size(plan.heap as f64)));
    set(&mut object, "restart", Some(restart));
    set(&mut object, "grace", Some(span(plan.grace)));
    set(&mut object, "version", plan.kestra.map(|version| version.name()));
    object.into()
}

fn credentials(credentials: &Credentials) -> Object {
    let mut object = Object::new();
    set(&mut object, "username", credentials.username.clone());
    set(&mut object, "password", credentials.password.clone());
    object
}

/// Puts in an object that is not empty.
fn nest(object: &mut Object, key: &str, inner: Object) {
    set(object, key, Some(inner).filter(|inner| !inner.is_empty()));
}

fn configuration(settings: &Settings) -> Value {
    let mut endpoints = Object::new();
    for (id, endpoint) in &settings.endpoints {
        let mut object = Object::new();
        set(&mut object, "enabled", endpoint.enabled);
        set(&mut object, "sensitive", endpoint.sensitive);
        nest(&mut endpoints, id, object);
    }
    let mut all = Object::new();
    set(&mut all, "enabled", settings.all_enabled);
    set(&mut all, "sensitive", settings.all_sensitive);
    set(&mut all, "path", Some(settings.path.clone()).filter(|path| !path.is_empty()));
    set(&mut all, "port", settings.port);
    nest(&mut all, "basic-auth", credentials(&settings.credentials));
    nest(&mut endpoints, "all", all);
    let mut of = |id: &str, more: Object| {
        if !more.is_empty() {
            let object = endpoints.entry(id).or_insert_with(|| Object::new().into());
            if let Some(object) = object.as_object_mut() {
                object.extend(more);
            }
        }
    };
    let mut loggers = Object::new();
    flag(&mut loggers, "write-sensitive", settings.write_sensitive);
    of("loggers", loggers);
    of("health", health(settings));
    let mut metrics = Object::new();
    set(&mut metrics, "enabled", settings.metrics_enabled);
    nest(&mut metrics, "tags", settings.metrics_tags.iter().map(|(key, value)| (key.clone(), json!(value))).collect());
    set(&mut metrics, "export.prometheus.descriptions", settings.metrics_descriptions);
    for (name, enabled) in &settings.metrics_binders {
        set(&mut metrics, &format!("binders.{name}.enabled"), Some(*enabled));
    }
    let mut own = Object::new();
    set(&mut own, "prefix", settings.metrics_prefix.clone());
    set(&mut own, "labels", Some(settings.metrics_labels.clone()).filter(|labels| !labels.is_empty()));
    let mut basic = credentials(&settings.server.credentials);
    set(&mut basic, "enabled", settings.server.enabled);
    let (mut server, mut kestra, mut micronaut) = (Object::new(), Object::new(), Object::new());
    nest(&mut server, "basic-auth", basic);
    nest(&mut kestra, "metrics", own);
    nest(&mut kestra, "server", server);
    set(&mut kestra, "url", settings.kestra_url.clone());
    set(&mut kestra, "environment.name", settings.kestra_environment.clone());
    for (key, value) in &settings.globals {
        set(&mut kestra, &format!("variables.globals.{key}"), Some(value.clone()));
    }
    nest(&mut micronaut, "metrics", metrics);
    let mut object = Object::new();
    nest(&mut object, "endpoints", endpoints);
    nest(&mut object, "micronaut", micronaut);
    nest(&mut object, "kestra", kestra);
    object.into()
}

fn health(settings: &Settings) -> Object {
    let health = &settings.health;
    let (mut object, mut disk) = (Object::new(), Object::new());
    set(&mut object, "details-visible", health.bare.then_some("NEVER"));
    let mapping: Object = health.mapping.iter().map(|(status, code)| (status.clone(), json!(code))).collect();
    let mut status = Object::new();
    nest(&mut status, "http-mapping", mapping);
    nest(&mut object, "status", status);
    let enabled = |on: Option<bool>| {
        let mut object = Object::new();
        set(&mut object, "enabled", on);
        object
    };
    nest(&mut object, "jdbc", enabled(health.jdbc));
    nest(&mut object, "discovery-client", enabled(health.discovery));
    set(&mut disk, "enabled", health.disk);
    set(&mut disk, "threshold", health.disk_threshold);
    nest(&mut object, "disk-space", disk);
    object
}

/// A flow as its file says.
fn flow(flow: &Flow) -> Value {
    Value::clone(&flow.source)
}

fn select(select: &TaskSelector) -> Object {
    let mut object = Object::new();
    set(&mut object, "namespace", select.namespace.clone());
    set(&mut object, "flow", select.flow.clone());
    set(&mut object, "task", select.task.clone());
    set(&mut object, "type", select.kind.clone());
    object
}

fn behaviour(behaviour: &Behaviour) -> Value {
    let mut object = select(&behaviour.select);
    let duration = behaviour.duration.map(|it| json!({ "median": span(it.median), "p99": span(it.p99) }));
    set(&mut object, "duration", duration);
    set(&mut object, "fails", behaviour.fails.map(share));
    set(&mut object, "warns", behaviour.warns.map(share));
    set(&mut object, "logs", behaviour.logs);
    set(&mut object, "fires", behaviour.fires.map(share));
    set(&mut object, "messages", behaviour.messages.map(rate));
    set(&mut object, "outputs", behaviour.outputs.clone());
    object.into()
}

/// A number as it is read back to the last bit, and never with an exponent.
fn number(value: f64) -> Value {
    json!(value.to_string())
}

/// A share in percent, where that is the same share to the last bit.
fn share(share: f64) -> Value {
    let percent = f64::round(share * 1e9) / 1e7;
    if percent / 100.0 == share { json!(format!("{percent}%")) } else { number(share) }
}

/// A factor.
fn factor(times: f64) -> Value {
    json!(format!("{times}x"))
}

fn arrivals(arrivals: &Arrivals, plan: &Plan) -> Value {
    let flow = plan.flows.get(arrivals.flow).map(Flow::name).unwrap_or_default();
    let over = if arrivals.webhook { "webhook" } else { "api" };
    let mut object = Object::new();
    set(&mut object, "flow", Some(flow));
    set(&mut object, "rate", Some(rate(arrivals.rate)));
    set(&mut object, "over", Some(over));
    set(&mut object, "inputs", (!arrivals.inputs.is_empty()).then(|| arrivals.inputs.clone()));
    object.into()
}

/// Executions a minute, where that is the same rate to the last bit.
fn rate(rate: f64) -> String {
    let minutes = f64::round(rate * 6e10) / 1e9;
    if minutes / 60.0 == rate { format!("{minutes}/min") } else { format!("{rate}/s") }
}

/// Bytes in the largest unit of which they are a whole number.
fn size(bytes: f64) -> String {
    let units = [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)];
    match units.into_iter().find(|(_, size)| bytes >= *size && bytes % size == 0.0) {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

fn names(members: &[usize], plan: &Plan) -> Value {
    members.iter().filter_map(|member| plan.cluster.members.get(*member)).map(|it| it.name.as_str()).collect()
}

fn silence(it: &Silence) -> Value {
    let matchers: Vec<String> = it.matchers.iter().map(ToString::to_string).collect();
    let mut object = Object::new();
    set(&mut object, "matchers", Some(format!("{{{}}}", matchers.join(","))));
    set(&mut object, "from", Some(since_start(it.from)));
    set(&mut object, "for", Some(it.lasts).filter(|lasts| *lasts != Duration::MAX).map(span));
    object.into()
}

fn autoscale(it: &Autoscale) -> Value {
    json!({
        "role": it.role.name(),
        "query": it.query.text(),
        "threshold": it.threshold,
        "activation": it.activation,
        "min": it.min,
        "max": it.max,
        "polling": span(it.polling),
        "cooldown": span(it.cooldown),
    })
}

fn entry(entry: &TimelineEntry, plan: &Plan) -> Value {
    let mut object = Object::new();
    set(&mut object, "at", Some(since_start(entry.at)));
    set(&mut object, "name", Some(entry.name.clone()));
    let (keyword, amount) = fault(&entry.fault, plan);
    set(&mut object, keyword, Some(amount));
    if let Amount::Members(count) = entry.fault.amount {
        set(&mut object, Unit::Members.key(), Some(count));
    }
    set(&mut object, "for", entry.lasts.map(span));
    set(&mut object, "every", entry.every.map(span));
    set(&mut object, "until", entry.until.map(since_start));
    object.into()
}

/// The keyword of a fault and what stands at it.
fn fault(fault: &Fault, plan: &Plan) -> (&'static str, Value) {
    let row = fault.kind.row();
    let mut object = match &fault.target {
        Target::Members(members) if row.fields.is_empty() => return (row.keyword, names(members, plan)),
        Target::Members(members) => Object::from_iter([("member".to_owned(), names(members, plan))]),
        Target::Database if row.fields.is_empty() => return (row.keyword, manner(fault.amount)),
        Target::Database => Object::new(),
        Target::Flow(flow) => {
            let mut object = Object::new();
            set(&mut object, "flow", flow.and_then(|flow| plan.flows.get(flow)).map(Flow::name));
            object
        }
        Target::Tasks(tasks) => select(tasks),
        Target::Receiver(name) => Object::from_iter([("to".to_owned(), json!(name.to_string()))]),
        Target::Role(role) => return (row.keyword, json!(role.name())),
        Target::Queue(queue) => return (row.keyword, json!(queue.word())),
    };
    let amount = match fault.amount {
        Amount::Rate(rate) => Some((Unit::Rate, json!(self::rate(rate)))),
        Amount::Leak(rate) => Some((Unit::Leak, json!(format!("{}/s", size(rate))))),
        Amount::Times(times) => Some((Unit::Times, factor(times))),
        Amount::Share(share) => Some((Unit::Share, self::share(share))),
        Amount::Pause(pause) => Some((Unit::Pause, span(pause))),
        Amount::Takes(takes) => Some((Unit::Takes, span(takes))),
        Amount::Rows(rows) => Some((Unit::Rows, json!(rows))),
        Amount::Triggers(count) => Some((Unit::Triggers, json!(count))),
        Amount::Version(version) => Some((Unit::Version, json!(version.name()))),
        Amount::Answers(answer) => Some((Unit::Answers, json!(answer.to_string()))),
        Amount::Thread(thread) => Some((Unit::Thread, json!(thread.word()))),
        Amount::None | Amount::Manner(_) | Amount::Members(_) => None,
    };
    if let Some((unit, amount)) = amount {
        set(&mut object, unit.key(), Some(amount));
    }
    (row.keyword, object.into())
}

/// What stands at `database`.
fn manner(amount: Amount) -> Value {
    match amount {
        Amount::Manner(DatabaseFault::Slow(times)) => json!({ "slow": factor(times) }),
        Amount::Manner(manner) => json!(manner.word()),
        _ => Value::Null,
    }
}

/// What somebody asks of executions that are there.
fn asked(deed: &Deed, whose: &Whose, plan: &Plan, put: &mut impl FnMut(&str, Value)) {
    put(deed.keyword(), json!(plan.flows.get(whose.flow).map(Flow::name)));
    match whose.which {
        Which::Last => {}
        Which::First => put("which", json!("first")),
        Which::All => put("which", json!("all")),
        Which::Number(number) => put("which", json!(number)),
    }
    if !whose.labels.is_empty() {
        put("labels", pairs(&whose.labels));
    }
    let task = match deed {
        Deed::Kill { cascade: false } => {
            put("cascade", json!(false));
            None
        }
        Deed::Replay(task) => task.as_ref(),
        Deed::Change { task, state } => {
            put("state", json!(state.name()));
            task.as_ref()
        }
        Deed::Resume { inputs } => {
            if !inputs.is_empty() {
                put("inputs", inputs.clone().into());
            }
            None
        }
        Deed::Kill { .. } | Deed::Pause | Deed::Restart => None,
    };
    if let Some(TaskOf { id, value }) = task {
        put("task", json!(id));
        if let Some(value) = value {
            put("value", json!(value));
        }
    }
}

fn pairs(labels: &[(String, String)]) -> Value {
    labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect::<Object>().into()
}

fn put_answer(put: &mut dyn FnMut(&str, Value), message: u64, answer: &RealAnswer) {
    put("answer", json!(message));
    answer.status.into_iter().for_each(|status| put("status", json!(status)));
    put("took", span(answer.took));
    answer.fails.iter().for_each(|why| put("fails", json!(why)));
}

fn command(command: &PlannedCommand, plan: &Plan) -> Value {
    let mut object = Object::new();
    let mut put = |key: &str, value: Value| set(&mut object, key, Some(value));
    put("at", since_start(command.at));
    match &command.order {
        Order::Inject(injected) => {
            let mut fault = entry(injected, plan);
            // It begins when the command comes.
            fault.as_object_mut().and_then(|fault| fault.shift_remove("at"));
            put("inject", fault);
        }
        Order::Clear(name) => put("clear", json!(name)),
        Order::SetLogger { member, logger, level } => {
            put("set-logger", json!(logger));
            put("member", names(&[*member], plan));
            put("level", json!(level.unwrap_or("inherited")));
        }
        Order::AskLogger { member, logger } => {
            put("ask-logger", json!(logger));
            put("member", names(&[*member], plan));
        }
        Order::Refresh(members) => put("refresh", names(members, plan)),
        Order::Stop(members) => put("stop-by-endpoint", names(members, plan)),
        Order::Execute { flow, inputs, labels } => {
            put("execute", json!(plan.flows.get(*flow).map(Flow::name)));
            put("inputs", inputs.clone().into());
            put("labels", pairs(labels));
        }
        Order::Ask { deed, whose } => asked(deed, whose, plan, &mut put),
        Order::Receivers(answering) => put("receivers", json!(answering.word())),
        Order::Answer { message, answer } => put_answer(&mut put, *message, answer),
    }
    object.into()
}
