//! Random configurations of Alertmanager, random alerts, and what ours makes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mock_kestra::pager::{Configuration, LabelSet, Pager, Post, Silence, Templates, Version};
use proptest::prelude::*;

pub const LABELS: [&str; 3] = ["a", "b", "c"];
/// How long a history lasts.
pub const LASTS: i64 = 20_000;
/// What happens in real time happens so much later at most, and both orders of what is nearer to each other are right.
pub const SLACK: i64 = 400;
/// Prometheus says that what it sends holds for so long.
pub const VALID: i64 = 120_000;

/// A configuration, its alerts, and its silences; times in milliseconds.
#[derive(Clone, Debug)]
pub struct History {
    pub configuration: String,
    /// When, which alert, and whether it fires.
    pub posts: Vec<(i64, usize, bool)>,
    pub silences: Vec<(String, i64, i64)>,
    /// When Alertmanager was started: 0.25 looks for empty groups each thirty seconds from then on.
    pub began: i64,
}

pub fn alert(number: usize) -> LabelSet {
    let value = |at: usize| if number >> at & 1 == 0 { "x" } else { "y" };
    LABELS.iter().enumerate().map(|(at, name)| ((*name).to_owned(), value(at).to_owned())).collect()
}

pub fn matcher() -> impl Strategy<Value = String> {
    let name = prop::sample::select(LABELS.to_vec());
    let rest = prop::sample::select(vec!["=\"x\"", "=\"y\"", "=~\"x|y\"", "!=\"x\"", "!~\"y.*\"", "=~\".+\""]);
    (name, rest).prop_map(|(name, rest)| format!("{name}{rest}"))
}

pub fn group_by() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("group_by: ['...']".to_owned()),
        prop::sample::subsequence(LABELS.to_vec(), 0..=2).prop_map(|names| format!("group_by: [{}]", names.join(", "))),
    ]
}

/// Waits that keep ticks apart from each other.
pub fn waits() -> impl Strategy<Value = String> {
    (1u32..3, 2u32..5, 5u32..9).prop_map(|(wait, interval, repeat)| {
        format!("group_wait: {wait}100ms, group_interval: {interval}300ms, repeat_interval: {repeat}700ms")
    })
}

pub fn route(depth: u32) -> BoxedStrategy<String> {
    let children = match depth {
        0 => Just(Vec::new()).boxed(),
        _ => prop::collection::vec(route(depth - 1), 0..3).boxed(),
    };
    let own = (matcher(), 0usize..3, prop::option::of(group_by()), prop::option::of(waits()), any::<bool>());
    (own, children)
        .prop_map(|((matcher, receiver, group_by, waits, goes_on), children)| {
            let more: Vec<String> = [group_by, waits].into_iter().flatten().collect();
            let more = if more.is_empty() { String::new() } else { format!(", {}", more.join(", ")) };
            let routes = children.join(", ");
            format!(
                "{{ matchers: ['{matcher}'], receiver: r{receiver}, continue: {goes_on}{more}, routes: [{routes}] }}"
            )
        })
        .boxed()
}

pub fn inhibition() -> impl Strategy<Value = String> {
    (matcher(), matcher(), prop::sample::subsequence(LABELS.to_vec(), 0..=2)).prop_map(|(source, target, equal)| {
        format!("{{ source_matchers: ['{source}'], target_matchers: ['{target}'], equal: [{}] }}", equal.join(", "))
    })
}

pub fn configuration() -> impl Strategy<Value = String> {
    let parts = (
        group_by(),
        waits(),
        prop::collection::vec(route(1), 0..3),
        prop::collection::vec(inhibition(), 0..2),
        prop::collection::vec(any::<bool>(), 4),
    );
    parts.prop_map(|(group_by, waits, routes, inhibitions, sends)| {
        let hook = |receiver: usize, index: usize| {
            let sends = sends[receiver + index];
            format!("{{ url: 'http://HOOK/r{receiver}/{index}', send_resolved: {sends} }}")
        };
        let receivers = [
            format!("{{ name: r0, webhook_configs: [{}] }}", hook(0, 0)),
            format!("{{ name: r1, webhook_configs: [{}, {}] }}", hook(1, 0), hook(1, 1)),
            format!("{{ name: r2, webhook_configs: [{}] }}", hook(2, 0)),
        ];
        format!(
            "global: {{ resolve_timeout: 5m }}\nroute: {{ receiver: r0, {group_by}, {waits}, routes: [{}] }}\n\
             receivers: [{}]\ninhibit_rules: [{}]\n",
            routes.join(", "),
            receivers.join(", "),
            inhibitions.join(", ")
        )
    })
}

/// Alerts that come and go; those that fire are posted again, as Prometheus does.
pub fn posts() -> impl Strategy<Value = Vec<(i64, usize, bool)>> {
    let life = (0usize..8, 0i64..80, prop::option::of(5i64..90), prop::option::of(3i64..60));
    prop::collection::vec(life, 2..6).prop_map(|lives| {
        let mut all = Vec::new();
        for (number, begin, lasts, pause) in lives {
            let begin = begin * 150 + 200;
            let end = lasts.map_or(LASTS, |lasts| begin + lasts * 150);
            all.extend((0..).map(|turn| begin + turn * 2_500).take_while(|at| *at < end).map(|at| (at, number, true)));
            if let Some(pause) = pause.filter(|_| end < LASTS) {
                let again = end + pause * 150;
                let told = (0..).map(|turn| end + turn * 2_500).take_while(|at| *at < again);
                all.extend(told.map(|at| (at, number, false)));
                all.push((again, number, true));
            } else {
                all.extend((0..3).map(|turn| (end + turn * 2_500, number, false)));
            }
        }
        all.retain(|(at, ..)| *at < LASTS - 500);
        all.sort_unstable();
        all
    })
}

pub fn history() -> impl Strategy<Value = History> {
    let silence = (matcher(), 10i64..100, 10i64..60)
        .prop_map(|(matcher, from, lasts)| (matcher, from * 150, (from + lasts) * 150));
    (configuration(), posts(), prop::collection::vec(silence, 0..2))
        .prop_map(|(configuration, posts, silences)| History { configuration, posts, silences, began: 0 })
}

/// A notification: when, to which integration, of which group, which alerts fire in it and which have ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub at: i64,
    pub to: String,
    pub group: String,
    pub alerts: Vec<(LabelSet, bool)>,
}

pub fn key(told: &Told) -> (String, String) {
    (told.to.clone(), told.group.clone())
}

pub fn read(text: &str, version: Version) -> Arc<Configuration> {
    let text = text.replace("HOOK", "127.0.0.1:9");
    let (found, told) = mock_kestra::pager::read("alertmanager.yml", &text, version);
    Arc::new(found.unwrap_or_else(|| panic!("{text}\n{told:?}")))
}

/// What ours makes of a history in which everything comes so much later.
pub fn told_by(history: &History, version: Version, late: i64) -> Pager {
    told_in_steps(history, version, late, &[])
}

/// The same, when time is also told to go on at these instants.
pub fn told_in_steps(history: &History, version: Version, late: i64, steps: &[i64]) -> Pager {
    let configuration = read(&history.configuration, version);
    let silences = history.silences.iter().map(|(matcher, from, until)| Silence {
        matchers: mock_kestra::pager::matchers(matcher).expect("matchers"),
        from: *from,
        until: *until,
    });
    let mut pager = Pager::new(configuration, templates(version), version, silences.collect(), history.began);
    let mut steps = steps.to_vec();
    steps.sort_unstable_by(|a, b| b.cmp(a));
    let (mut began, mut ended) = (BTreeMap::new(), BTreeMap::new());
    for (at, number, fires) in &history.posts {
        while let Some(step) = steps.pop_if(|step| *step < at + late) {
            pager.advance(step);
        }
        let (starts_at, ends_at) = times(&mut began, &mut ended, (*at, *number, *fires));
        let post = Post {
            labels: Arc::new(alert(*number)),
            annotations: Arc::default(),
            starts_at: Some(starts_at),
            ends_at: Some(ends_at),
            generator_url: "".into(),
        };
        pager.post(at + late, &[post]).expect("it is taken");
    }
    pager.advance(LASTS);
    pager
}

/// Its notifications.
pub fn ours(history: &History, version: Version, late: i64) -> Vec<Told> {
    let pager = told_by(history, version, late);
    let page = |page: &mock_kestra::pager::Page| Told {
        at: page.at,
        to: format!("{}/{}", pager.configuration().receivers[page.receiver].name, page.integration),
        group: page.group_key.to_string(),
        alerts: page.alerts.iter().map(|alert| ((*alert.labels).clone(), alert.ends_at.is_none())).collect(),
    };
    pager.pages().iter().map(page).collect()
}

/// Alertmanager's own templates.
pub fn templates(version: Version) -> Arc<Templates> {
    Arc::new(mock_kestra::pager::templates(&[], version).expect("templates"))
}

/// When an alert began and when it ends, as its sender says.
pub fn times(
    began: &mut BTreeMap<usize, i64>,
    ended: &mut BTreeMap<usize, i64>,
    (at, number, fires): (i64, usize, bool),
) -> (i64, i64) {
    if fires {
        if ended.remove(&number).is_some() {
            began.remove(&number);
        }
        (*began.entry(number).or_insert(at), at + VALID)
    } else {
        (*began.entry(number).or_insert(at), *ended.entry(number).or_insert(at))
    }
}
