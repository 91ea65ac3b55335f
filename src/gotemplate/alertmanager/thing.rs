//! The data that a message's templates speak of, and what their functions make.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::value::{Object, Value};
use super::Release;
use super::clock::Moment;
use super::span;

/// What a message speaks of: `Data` in `template/template.go`.
#[derive(Clone, Debug)]
pub struct Data {
    /// The receiver's name as a regular expression takes it: special characters are escaped.
    pub receiver: String,
    /// `firing` or `resolved`.
    pub status: String,
    /// The alerts, in their order.
    pub alerts: Vec<Arc<Told>>,
    /// Why it is sent now, which 0.33 tells.
    pub notification_reason: String,
    /// The labels of the group.
    pub group_labels: BTreeMap<String, String>,
    /// Labels that all alerts share.
    pub common_labels: BTreeMap<String, String>,
    /// Annotations that all alerts share.
    pub common_annotations: BTreeMap<String, String>,
    /// Alertmanager's own address.
    pub external_url: String,
    /// The instant (milliseconds since 1970).
    pub now: i64,
}

/// An alert in a message: `Alert` in `template/template.go`.
#[derive(Clone, Debug)]
pub struct Told {
    /// `firing` or `resolved`.
    pub status: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// When it began (milliseconds since 1970).
    pub starts_at: i64,
    /// When it ended; none while it fires, which Go shows as the first instant of year 1.
    pub ends_at: Option<i64>,
    /// Where it comes from.
    pub generator_url: String,
    /// The hash of its labels.
    pub fingerprint: String,
}

/// Names and texts: `KV`.
pub(super) type Pairs = Vec<(String, String)>;

/// A value that only this dialect knows.
#[derive(Debug)]
pub(super) enum Thing {
    Data(Arc<Data>, Release),
    /// `Alerts`, or (without methods) a list of its alerts.
    Alerts(Vec<Arc<Told>>, Release, bool),
    Alert(Arc<Told>, Release),
    Kv(BTreeMap<String, String>, Release),
    Pairs(Pairs, Release),
    Pair(String, String),
    Strings(Vec<String>),
    /// What `list` makes.
    List(Vec<Value>),
    /// What `dict` makes.
    Dict(BTreeMap<String, Value>),
    Moment(Moment),
    /// A length of time in nanoseconds, which may be negative.
    Span(i64),
    /// From 1.
    Month(i64),
    /// From Sunday, 0.
    Weekday(i64),
    /// What `safeHtml` vouches for.
    Html(String),
    /// What `safeUrl` vouches for.
    Url(String),
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Thing {
    /// A value as one of this dialect.
    pub(super) fn of(value: &Value) -> Option<&Thing> {
        match value {
            Value::Object(of) => of.any().downcast_ref::<Thing>(),
            _ => None,
        }
    }

    pub(super) fn value(self) -> Value {
        Value::object(self)
    }

    /// A field, or what a method makes of arguments.
    pub(super) fn field(&self, name: &str, arguments: &[Value], release: Release) -> Result<Value, String> {
        let unknown = || Err(format!("can't evaluate field {name} in type {}", self.type_name()));
        let kv = |all: &BTreeMap<String, String>| Thing::Kv(all.clone(), release).value();
        let value = match (self, name) {
            (Thing::Moment(it), _) => return it.method(name, arguments),
            (Thing::Span(it), _) => return span::method(*it, name, arguments),
            (Thing::Kv(all, _), "Remove") => return removed(all, arguments, release),
            (Thing::Kv(all, _), "SortedPairs") => Thing::Pairs(sorted(all), release).value(),
            (Thing::Kv(all, _), "Names") => strings(sorted(all).into_iter().map(|(name, _)| name)),
            (Thing::Kv(all, _), "Values") => strings(sorted(all).into_iter().map(|(_, value)| value)),
            (Thing::Pairs(all, _), "Names") => strings(all.iter().map(|(name, _)| name.clone())),
            (Thing::Pairs(all, _), "Values") => strings(all.iter().map(|(_, value)| value.clone())),
            (Thing::Kv(..) | Thing::Pairs(..) | Thing::Month(_) | Thing::Weekday(_), "String")
                if release >= Release::V0_33 || matches!(self, Thing::Month(_) | Thing::Weekday(_)) =>
            {
                Value::Text(self.print())
            }
            // One that is not there is empty.
            (Thing::Kv(all, _), _) => Value::Text(all.get(name).cloned().unwrap_or_default()),
            (Thing::Pair(key, _), "Name") => Value::Text(key.clone()),
            (Thing::Pair(_, value), "Value") => Value::Text(value.clone()),
            (Thing::Alerts(all, _, true), "Firing" | "Resolved") => {
                let status = name.to_lowercase();
                let kept = all.iter().filter(|it| it.status == status).cloned().collect();
                Thing::Alerts(kept, release, false).value()
            }
            (Thing::Dict(all), _) => all.get(name).cloned().unwrap_or(Value::Nil),
            (Thing::Data(it, _), "Receiver") => Value::Text(it.receiver.clone()),
            (Thing::Data(it, _), "Status") => Value::Text(it.status.clone()),
            (Thing::Data(it, _), "Alerts") => Thing::Alerts(it.alerts.clone(), release, true).value(),
            (Thing::Data(it, _), "GroupLabels") => kv(&it.group_labels),
            (Thing::Data(it, _), "CommonLabels") => kv(&it.common_labels),
            (Thing::Data(it, _), "CommonAnnotations") => kv(&it.common_annotations),
            (Thing::Data(..), "RouteLabels") if release >= Release::V0_35 => kv(&BTreeMap::new()),
            (Thing::Data(it, _), "ExternalURL") => Value::Text(it.external_url.clone()),
            (Thing::Data(it, _), "NotificationReason") if release > Release::V0_25 => {
                Value::Text(it.notification_reason.clone())
            }
            (Thing::Alert(it, _), "Status") => Value::Text(it.status.clone()),
            (Thing::Alert(it, _), "Labels") => kv(&it.labels),
            (Thing::Alert(it, _), "Annotations") => kv(&it.annotations),
            (Thing::Alert(it, _), "StartsAt") => Thing::Moment(Moment::at(it.starts_at)).value(),
            (Thing::Alert(it, _), "EndsAt") => Thing::Moment(it.ends_at.map_or_else(Moment::zero, Moment::at)).value(),
            (Thing::Alert(it, _), "GeneratorURL") => Value::Text(it.generator_url.clone()),
            (Thing::Alert(it, _), "Fingerprint") => Value::Text(it.fingerprint.clone()),
            _ => return unknown(),
        };
        match arguments {
            [] => Ok(value),
            _ => Err(format!("{name} has arguments but cannot be invoked as function")),
        }
    }
}

/// Names in their order, but `alertname` first.
pub(super) fn sorted(all: &BTreeMap<String, String>) -> Pairs {
    let mut pairs: Pairs = all.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    pairs.sort_by_key(|(name, _)| name != "alertname");
    pairs
}

fn strings(all: impl Iterator<Item = String>) -> Value {
    Thing::Strings(all.collect()).value()
}

fn removed(all: &BTreeMap<String, String>, arguments: &[Value], release: Release) -> Result<Value, String> {
    let [names] = arguments else {
        return Err(format!("wrong number of args for Remove: want 1 got {}", arguments.len()));
    };
    let Some(Thing::Strings(names)) = Thing::of(names) else {
        return Err(format!("wrong type for value; expected []string; got {}", names.type_name()));
    };
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let kept = all.iter().filter(|(name, _)| !names.contains(name.as_str()));
    Ok(Thing::Kv(kept.map(|(name, value)| (name.clone(), value.clone())).collect(), release).value())
}

fn map_size(all: &BTreeMap<String, String>) -> usize {
    all.iter().map(|(key, value)| key.len() + value.len() + 48).sum()
}

/// `map[a:b c:d]`, or since 0.28 `a=b, c=d`.
fn print_kv(all: &BTreeMap<String, String>, release: Release) -> String {
    match release {
        Release::V0_25 => {
            let pairs: Vec<String> = all.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("map[{}]", pairs.join(" "))
        }
        _ => print_pairs(&sorted(all), release),
    }
}

fn print_pairs(all: &[(String, String)], release: Release) -> String {
    match release {
        Release::V0_25 => {
            let pairs: Vec<String> = all.iter().map(|(key, value)| format!("{{{key} {value}}}")).collect();
            format!("[{}]", pairs.join(" "))
        }
        _ => {
            let pairs: Vec<String> = all.iter().map(|(key, value)| format!("{key}={value}")).collect();
            pairs.join(", ")
        }
    }
}

fn print_alert(it: &Told, release: Release) -> String {
    let (starts, ends) = (Moment::at(it.starts_at), it.ends_at.map_or_else(Moment::zero, Moment::at));
    format!(
        "{{{} {} {} {} {} {} {}}}",
        it.status,
        print_kv(&it.labels, release),
        print_kv(&it.annotations, release),
        starts.print(),
        ends.print(),
        it.generator_url,
        it.fingerprint
    )
}

fn print_alerts(all: &[Arc<Told>], release: Release) -> String {
    let all: Vec<String> = all.iter().map(|it| print_alert(it, release)).collect();
    format!("[{}]", all.join(" "))
}

/// A thing inside of another.
pub(super) fn inner(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".into(),
        other => other.print(),
    }
}

impl Object for Thing {
    fn any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &'static str {
        match self {
            Thing::Data(..) => "*template.Data",
            Thing::Alerts(_, _, true) => "template.Alerts",
            Thing::Alerts(_, _, false) => "[]template.Alert",
            Thing::Alert(..) => "template.Alert",
            Thing::Kv(..) => "template.KV",
            Thing::Pairs(..) => "template.Pairs",
            Thing::Pair(..) => "template.Pair",
            Thing::Strings(_) => "[]string",
            Thing::List(_) => "[]interface {}",
            Thing::Dict(_) => "map[string]interface {}",
            Thing::Moment(_) => "time.Time",
            Thing::Span(_) => "time.Duration",
            Thing::Month(_) => "time.Month",
            Thing::Weekday(_) => "time.Weekday",
            Thing::Html(_) => "template.HTML",
            Thing::Url(_) => "template.URL",
        }
    }

    fn truth(&self) -> bool {
        match (self.number(), self.text(), self.len()) {
            (Some(number), _, _) => number != 0,
            (_, Some(text), _) => !text.is_empty(),
            (_, _, Some(length)) => length > 0,
            _ => true,
        }
    }

    fn size(&self) -> usize {
        match self {
            Thing::Data(..) | Thing::Alert(..) | Thing::Moment(_) => 64,
            Thing::Span(_) | Thing::Month(_) | Thing::Weekday(_) => 16,
            Thing::Alerts(all, ..) => all.len() * 8,
            Thing::Kv(all, _) => map_size(all),
            Thing::Pairs(all, _) => all.iter().map(|(key, value)| key.len() + value.len() + 48).sum(),
            Thing::Pair(key, value) => key.len() + value.len() + 48,
            Thing::Strings(all) => all.iter().map(|it| it.len() + 24).sum(),
            // A step deeper than what it holds, as `args` is.
            Thing::List(all) => all.iter().map(|it| it.size() + 32).sum::<usize>() + 4096,
            Thing::Dict(all) => all.iter().map(|(key, it)| key.len() + it.size() + 56).sum::<usize>() + 4096,
            Thing::Html(text) | Thing::Url(text) => text.len(),
        }
    }

    fn print(&self) -> String {
        match self {
            Thing::Data(it, release) => {
                let reason = match release {
                    Release::V0_25 => String::new(),
                    _ => format!("{} ", it.notification_reason),
                };
                // No route has labels: a configuration that gives it some is refused by name.
                let of_route =
                    if *release >= Release::V0_35 { print_kv(&BTreeMap::new(), *release) + " " } else { String::new() };
                format!(
                    "&{{{} {} {} {reason}{} {} {} {of_route}{}}}",
                    it.receiver,
                    it.status,
                    print_alerts(&it.alerts, *release),
                    print_kv(&it.group_labels, *release),
                    print_kv(&it.common_labels, *release),
                    print_kv(&it.common_annotations, *release),
                    it.external_url
                )
            }
            Thing::Alerts(all, release, _) => print_alerts(all, *release),
            Thing::Alert(it, release) => print_alert(it, *release),
            Thing::Kv(all, release) => print_kv(all, *release),
            Thing::Pairs(all, release) => print_pairs(all, *release),
            Thing::Pair(key, value) => format!("{{{key} {value}}}"),
            Thing::Strings(all) => format!("[{}]", all.join(" ")),
            Thing::List(all) => format!("[{}]", all.iter().map(inner).collect::<Vec<_>>().join(" ")),
            Thing::Dict(all) => {
                let pairs: Vec<String> = all.iter().map(|(key, value)| format!("{key}:{}", inner(value))).collect();
                format!("map[{}]", pairs.join(" "))
            }
            Thing::Moment(it) => it.print(),
            Thing::Span(it) => span::print(*it),
            Thing::Month(it) => named(&MONTHS, *it - 1, "%!Month", *it),
            Thing::Weekday(it) => named(&WEEKDAYS, *it, "%!Weekday", *it),
            Thing::Html(text) | Thing::Url(text) => text.clone(),
        }
    }

    fn number(&self) -> Option<i64> {
        match self {
            Thing::Span(it) | Thing::Month(it) | Thing::Weekday(it) => Some(*it),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Thing::Html(text) | Thing::Url(text) => Some(text),
            _ => None,
        }
    }

    fn len(&self) -> Option<usize> {
        match self {
            Thing::Alerts(all, ..) => Some(all.len()),
            Thing::Kv(all, _) => Some(all.len()),
            Thing::Pairs(all, _) => Some(all.len()),
            Thing::Strings(all) => Some(all.len()),
            Thing::List(all) => Some(all.len()),
            Thing::Dict(all) => Some(all.len()),
            Thing::Html(text) | Thing::Url(text) => Some(text.len()),
            _ => None,
        }
    }

    fn index(&self, by: &Value) -> Result<Value, String> {
        match (self, by) {
            (Thing::Kv(all, _), Value::Text(key)) => Ok(Value::Text(all.get(key).cloned().unwrap_or_default())),
            (Thing::Dict(all), Value::Text(key)) => Ok(all.get(key).cloned().unwrap_or(Value::Nil)),
            (_, Value::Int(index)) => {
                let found = usize::try_from(*index).ok().and_then(|index| self.at(index));
                match (found, self.len()) {
                    (Some(found), _) => Ok(found),
                    (None, Some(_)) if !matches!(self, Thing::Kv(..) | Thing::Dict(_)) => {
                        Err(format!("reflect: slice index out of range: {index}"))
                    }
                    _ => Err(format!("can't index item of type {} with {}", self.type_name(), by.type_name())),
                }
            }
            _ => Err(format!("can't index item of type {} with {}", self.type_name(), by.type_name())),
        }
    }

    fn slice(&self, from: usize, to: Option<usize>) -> Result<Value, String> {
        let length = self.len().unwrap_or(0);
        let to = to.unwrap_or(length);
        let wrong = || format!("index out of range: {from}:{to}");
        Ok(match self {
            Thing::Alerts(all, release, methods) => {
                Thing::Alerts(all.get(from..to).ok_or_else(wrong)?.to_vec(), *release, *methods)
            }
            Thing::Pairs(all, release) => Thing::Pairs(all.get(from..to).ok_or_else(wrong)?.to_vec(), *release),
            Thing::Strings(all) => Thing::Strings(all.get(from..to).ok_or_else(wrong)?.to_vec()),
            Thing::List(all) => Thing::List(all.get(from..to).ok_or_else(wrong)?.to_vec()),
            _ => return Err(format!("can't slice item of type {}", self.type_name())),
        }
        .value())
    }

    fn items(&self) -> Option<Vec<(Value, Value)>> {
        match self {
            Thing::Kv(all, _) => {
                Some(all.iter().map(|(key, value)| (Value::Text(key.clone()), Value::Text(value.clone()))).collect())
            }
            Thing::Dict(all) => Some(all.iter().map(|(key, it)| (Value::Text(key.clone()), it.clone())).collect()),
            Thing::Alerts(..) | Thing::Pairs(..) | Thing::Strings(_) | Thing::List(_) => {
                let each = (0..self.len().unwrap_or(0)).map(|index| (Value::Int(index as i64), self.at(index)));
                Some(each.map(|(index, it)| (index, it.unwrap_or(Value::Nil))).collect())
            }
            _ => None,
        }
    }
}

impl Thing {
    /// One of a list.
    fn at(&self, index: usize) -> Option<Value> {
        match self {
            Thing::Alerts(all, release, _) => all.get(index).map(|it| Thing::Alert(Arc::clone(it), *release).value()),
            Thing::Pairs(all, _) => all.get(index).map(|(key, value)| Thing::Pair(key.clone(), value.clone()).value()),
            Thing::Strings(all) => all.get(index).map(|it| Value::Text(it.clone())),
            Thing::List(all) => all.get(index).cloned(),
            _ => None,
        }
    }
}

fn named(names: &[&str], index: i64, of: &str, number: i64) -> String {
    let found = usize::try_from(index).ok().and_then(|index| names.get(index));
    found.map_or_else(|| format!("{of}({number})"), |name| (*name).to_owned())
}
