//! A plan in words: what `check` prints.

use std::fmt::Write;

use super::{DatabaseKind, Plan, Restart, Settings, Started, started};
use crate::flow::{Flow, TriggerAction};
use crate::profile::Role;
use crate::time::Duration;

/// The plan as it was understood.
pub fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_plan(plan, &mut text);
    text
}

fn write_settings(settings: &Settings, out: &mut String) -> std::fmt::Result {
    let mut configured: Vec<String> = Vec::new();
    if !settings.path.is_empty() {
        configured.push(format!("endpoints below /{}", settings.path));
    }
    if settings.credentials.both().is_some() {
        configured.push("endpoints ask for credentials".to_owned());
    }
    configured.extend(settings.metrics_prefix.iter().map(|prefix| format!("metrics begin with {prefix}")));
    if configured.is_empty() && *settings != Settings::default() {
        configured.push("otherwise than it ships".to_owned());
    }
    if !configured.is_empty() {
        writeln!(out, "  configured: {}", configured.join(", "))?;
    }
    Ok(())
}

fn write_plan(plan: &Plan, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}: {}", plan.name, plan.summary)?;
    let database = match plan.cluster.database {
        DatabaseKind::Postgresql => "PostgreSQL",
        DatabaseKind::Mysql => "MySQL",
        DatabaseKind::H2 => "H2",
        DatabaseKind::H2File => "H2 in a file",
    };
    let queue = if plan.cluster.kafka { " with the queues of Kafka" } else { "" };
    let age = match plan.cluster.booting {
        true => "booting".to_owned(),
        false => format!("running since {}", plan.cluster.age),
    };
    writeln!(out, "  Kestra {} on {database}{queue}, {age}, runs for {}", plan.kestra, plan.duration)?;
    write_settings(&plan.settings, out)?;
    write_members(plan, out)?;
    for (flow, started) in plan.flows.iter().zip(started(plan)) {
        writeln!(out, "  flow {}.{}: {}", flow.namespace, flow.id, describe_flow(flow, &started, plan))?;
    }
    for arrivals in &plan.arrivals {
        let flow = plan.flows.get(arrivals.flow).map_or("", |flow| flow.id.as_str());
        let over = if arrivals.webhook { "a webhook" } else { "the API" };
        writeln!(out, "  arrivals of {flow} over {over}: {}/min", f64::round(arrivals.rate * 6e4) / 1e3)?;
    }
    for it in &plan.autoscale {
        let (role, query) = (it.role.name(), it.query.text());
        writeln!(out, "  {role} is scaled from {} to {} by {query}: {} each", it.min, it.max, it.threshold)?;
    }
    for it in &plan.silences {
        let matchers: Vec<String> = it.matchers.iter().map(ToString::to_string).collect();
        let until = if it.lasts == Duration::MAX { "to the end".to_owned() } else { format!("for {}", it.lasts) };
        writeln!(out, "  Alertmanager keeps {{{}}} quiet from {} {until}", matchers.join(","), it.from)?;
    }
    for entry in &plan.timeline {
        let lasts = entry.lasts.map(|lasts| format!(" for {lasts}")).unwrap_or_default();
        let every = entry.every.map(|every| format!(", every {every}")).unwrap_or_default();
        let until = entry.until.map(|until| format!(" until {until}")).unwrap_or_default();
        writeln!(out, "  at {}: {}{lasts}{every}{until} ({})", entry.at, entry.fault.sentence(plan), entry.name)?;
    }
    for expectation in &plan.expectations {
        writeln!(out, "  expects {}", expectation.sentence(plan))?;
    }
    Ok(())
}

/// The members there are, and those there may be.
fn write_members(plan: &Plan, out: &mut String) -> std::fmt::Result {
    for member in plan.cluster.members.iter().filter(|member| !member.reserve) {
        let restart = match member.restart {
            Restart::Never => "never restarted".to_owned(),
            Restart::After(pause) => format!("restarted after {pause}"),
            Restart::Kubernetes => "restarted by Kubernetes".to_owned(),
        };
        let mib = member.heap >> 20;
        writeln!(
            out,
            "  {:<14} {} threads, heap {mib} MiB, {restart}, grace {}",
            member.name, member.threads, member.grace
        )?;
    }
    for role in Role::ALL {
        let free: Vec<&str> =
            plan.cluster.members.iter().filter(|it| it.reserve && it.role == role).map(|it| it.name.as_str()).collect();
        if let (Some(first), Some(last)) = (free.first(), free.last()) {
            let names = if free.len() == 1 { (*first).to_owned() } else { format!("{first} to {last}") };
            writeln!(out, "  {:<14} when the role is scaled up", names)?;
        }
    }
    Ok(())
}

fn describe_flow(flow: &Flow, started: &Started, plan: &Plan) -> String {
    let tasks: Vec<&str> = flow.tasks.iter().map(|task| task.id.as_str()).collect();
    let mut text = tasks.join(", ");
    for trigger in &flow.triggers {
        let does = match (&trigger.action, trigger.action.unsimulated()) {
            _ if trigger.disabled => "disabled".to_owned(),
            (_, Some(what)) => format!("({what}) not simulated"),
            (TriggerAction::Schedule(schedule), _) => match schedule.timezone.as_str() {
                "UTC" => format!("at {}", schedule.cron),
                zone => format!("at {} in {zone}", schedule.cron),
            },
            (TriggerAction::Poll { interval }, _) => format!("every {interval}"),
            (TriggerAction::Realtime, _) => "for each message".to_owned(),
            (TriggerAction::Flow(_), _) => "after other flows".to_owned(),
            _ => "when called".to_owned(),
        };
        text += &format!("; {} {does}", trigger.id);
    }
    if let Some(limit) = flow.concurrency {
        text += &format!("; at most {} at once", limit.limit);
    }
    if flow.disabled {
        text += "; disabled";
    } else {
        let callers: Vec<String> = started.callers.iter().filter_map(|it| Some(plan.flows.get(*it)?.name())).collect();
        if !callers.is_empty() {
            text += &format!("; started by {}", callers.join(", "));
        }
        if !started.starts {
            text += if callers.is_empty() { "; nothing starts it" } else { ", which nothing starts" };
        }
    }
    text
}
