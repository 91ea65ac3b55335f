//! Who scales roles.

use super::{duration, positive};
use crate::document::{Node, Object, Reading};
use crate::profile::Role;
use crate::promql::Expression;
use crate::scenario::fields::AUTOSCALE;
use crate::scenario::{Autoscale, Plan, limits};
use crate::time::Duration;

/// Reads an entry of `autoscale`.
pub(super) fn autoscale(node: &Node, plan: &Plan, reading: &mut Reading) -> Option<Autoscale> {
    let object = reading.object(node, "an entry of `autoscale`", AUTOSCALE)?;
    let most = limits::MEMBERS as u64;
    let role = role(&object, plan, reading);
    let count = |key: &str, least: u64, reading: &mut Reading| {
        let count = object.get(key).map(|node| reading.count(node, &format!("`{key}`"), least..=most))?;
        count.and_then(|count| u32::try_from(count).ok())
    };
    let (min, max) = (count("min", 0, reading).unwrap_or(0), count("max", 1, reading));
    if let (Some(node), Some(max)) = (object.get("max"), max.filter(|max| *max < min)) {
        reading.error(&node.place, format!("`max` is {max}, less than `min`, {min}"), "write a greater number");
    }
    let number = |key: &str, fits: fn(f64) -> bool, advice: &str, reading: &mut Reading| {
        let parse = |text: &str| text.parse().ok().filter(|it: &f64| fits(*it)).ok_or_else(|| advice.to_owned());
        reading.parsed(object.get(key)?, &format!("`{key}`"), parse)
    };
    let least = |it: f64| (0.001..1e12).contains(&it);
    let threshold = number("threshold", least, "write a number of 0.001 or more, for example 10", reading);
    let activation = number("activation", f64::is_finite, "write a number, for example 0", reading).unwrap_or(0.0);
    let polling = object.get("polling").map_or(Some(Duration::seconds(30)), |node| polling(node, reading));
    let cooldown = object.get("cooldown").map(|node| duration(reading, node, "`cooldown`"));
    let cooldown = cooldown.unwrap_or(Some(Duration::minutes(5)));
    let query = object.get("query").and_then(|node| query(node, reading));
    Some(Autoscale {
        role: role?,
        query: query?,
        threshold: threshold?,
        activation,
        min,
        max: max?,
        polling: polling?,
        cooldown: cooldown?,
    })
}

/// The role, which no other entry has.
fn role(object: &Object<'_>, plan: &Plan, reading: &mut Reading) -> Option<Role> {
    let node = object.get("role")?;
    let roles: Vec<(&str, Role)> = Role::ALL.iter().map(|role| (role.name(), *role)).collect();
    let role = reading.choice(node, "role", &roles)?;
    if !plan.kestra.roles().any(|it| it == role) {
        let what = format!("Kestra {} has no {}", plan.kestra.name(), role.name());
        reading.error(&node.place, what, "name a role of this version");
    }
    if plan.autoscale.iter().any(|it| it.role == role) {
        let what = format!("two entries scale the role {}", role.name());
        reading.error(&node.place, what, "keep one of them: KEDA refuses a second one too");
    }
    Some(role)
}

fn polling(node: &Node, reading: &mut Reading) -> Option<Duration> {
    let polling = positive(reading, node, "`polling`")?;
    if polling < Duration::seconds(1) {
        reading.error(&node.place, format!("nobody polls every {polling}"), "KEDA counts in seconds: write 1s or more");
    }
    Some(polling)
}

/// The query: KEDA reads vectors only.
fn query(node: &Node, reading: &mut Reading) -> Option<Expression> {
    const ADVICE: &str =
        "write PromQL that gives a vector of one element, for example `sum(kestra_worker_job_pending)`";
    let text = reading.text(node, "`query`")?;
    let wrong = |span, why: String, reading: &mut Reading| {
        reading.error_within(node, span, format!("`query` cannot be asked: {why}"), ADVICE);
    };
    match (Expression::parse(text), Expression::parse(&format!("sum({text}\n)"))) {
        (Ok(query), Ok(_)) => Some(query),
        (Ok(_), Err(_)) => {
            wrong(0..text.len(), "it gives no vector".to_owned(), reading);
            None
        }
        (Err(error), _) => {
            wrong(error.span, error.message, reading);
            None
        }
    }
}
