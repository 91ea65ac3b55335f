//! Laws of our Alertmanager: nothing that fires is lost without a stated cause, what fires is told again and again, what is
//! kept quiet is not told, and the order of routes that share no alert does not matter.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::pager::{History, LASTS, alert, history, inhibition, posts, read, told_by, waits};
use mock_kestra::pager::{Cause, Configuration, LabelSet, Page, Version, routes};
use proptest::prelude::*;

fn versions() -> impl Strategy<Value = Version> {
    prop::sample::select(vec![Version::V0_25, Version::V0_33])
}

/// When each alert fires by what was posted of it: from when on, and until when nobody said otherwise.
fn firings(history: &History) -> Vec<(usize, i64, i64)> {
    let mut open: BTreeMap<usize, i64> = BTreeMap::new();
    let mut all = Vec::new();
    for (at, number, fires) in &history.posts {
        match (fires, open.get(number)) {
            (true, None) => {
                open.insert(*number, *at);
            }
            (false, Some(begun)) => {
                all.push((*number, *begun, *at));
                open.remove(number);
            }
            _ => {}
        }
    }
    all.extend(open.into_iter().map(|(number, begun)| (number, begun, LASTS)));
    all
}

fn tells(page: &Page, labels: &LabelSet, firing: bool) -> bool {
    page.alerts.iter().any(|it| *it.labels == *labels && it.ends_at.is_none() == firing)
}

/// The longest wait of a configuration for its first and for its next words, in milliseconds.
fn waiting(configuration: &Configuration) -> i64 {
    fn of(route: &mock_kestra::pager::Route) -> i64 {
        let own = (route.group_wait.max(route.group_interval)).as_milliseconds() as i64;
        route.routes.iter().map(of).max().unwrap_or(0).max(own)
    }
    of(&configuration.route)
}

proptest! {
    #![proptest_config(common::config(400))]

    #[test]
    fn no_alert_that_fires_for_long_enough_is_lost_without_a_cause(history in history(), version in versions()) {
        let configuration = read(&history.configuration, version);
        let pager = told_by(&history, version, 0);
        let wait = waiting(&configuration);
        for (number, begun, over) in firings(&history) {
            // It was there at a flush at least.
            if over.min(LASTS) - begun <= 2 * wait {
                continue;
            }
            let labels = alert(number);
            let taken = routes(&configuration, &labels);
            prop_assert!(!taken.is_empty(), "somebody takes every alert");
            for (receiver, _) in taken {
                let index = configuration.receivers.iter().position(|it| it.name == receiver).expect("it is there");
                for integration in 0..configuration.receivers[index].integrations.len() {
                    let told = pager.pages().iter().any(|page| {
                        let to = (page.receiver, page.integration) == (index, integration);
                        // What it is told of before counts when it was not told that it had ended.
                        to && page.at <= over && tells(page, &labels, true)
                    });
                    let held = pager.withheld().iter().any(|it| {
                        it.receiver == index && *it.labels == labels && it.from <= over && it.until >= begun
                    });
                    prop_assert!(told || held, "{labels:?} from {begun} to {over} is lost on its way to {receiver}");
                }
            }
        }
    }

    #[test]
    fn what_fires_is_told_again_within_repeat_interval_and_group_interval(
        mut history in history(),
        version in versions(),
    ) {
        history.silences.clear();
        let (without, _) = history.configuration.split_once("inhibit_rules").expect("it has some");
        history.configuration = without.to_owned();
        let configuration = read(&history.configuration, version);
        fn repeats(route: &mock_kestra::pager::Route, all: &mut Vec<i64>) {
            all.push((route.repeat_interval.as_milliseconds() + route.group_interval.as_milliseconds()) as i64);
            route.routes.iter().for_each(|child| repeats(child, all));
        }
        let mut all = Vec::new();
        repeats(&configuration.route, &mut all);
        let longest = all.into_iter().max().expect("a root");
        let pager = told_by(&history, version, 0);
        for (number, begun, over) in firings(&history) {
            let labels = alert(number);
            for (receiver, _) in routes(&configuration, &labels) {
                let index = configuration.receivers.iter().position(|it| it.name == receiver).expect("it is there");
                for integration in 0..configuration.receivers[index].integrations.len() {
                    let mut times: Vec<i64> = pager
                        .pages()
                        .iter()
                        .filter(|it| (it.receiver, it.integration) == (index, integration) && tells(it, &labels, true))
                        .map(|page| page.at)
                        .filter(|at| *at >= begun && *at <= over)
                        .collect();
                    let Some(first) = times.first().copied() else { continue };
                    times.push(over);
                    let _ = times.iter().fold(first, |before, at| {
                        assert!(at - before <= longest + 1, "{labels:?} is not told of from {before} to {at}");
                        *at
                    });
                }
            }
        }
    }

    #[test]
    fn what_is_kept_quiet_is_not_told(history in history(), version in versions()) {
        let configuration = read(&history.configuration, version);
        let pager = told_by(&history, version, 0);
        let fires = |number: usize, at: i64| {
            firings(&history).iter().any(|(of, begun, over)| *of == number && *begun <= at && at < *over)
        };
        for page in pager.pages() {
            for shown in &page.alerts {
                for (matcher, from, until) in &history.silences {
                    let matchers = mock_kestra::pager::matchers(matcher).expect("matchers");
                    let silenced = *from <= page.at && page.at < *until;
                    let is_meant = matchers.iter().all(|it| it.matches(&shown.labels));
                    prop_assert!(!(silenced && is_meant), "{:?} is told at {} though it is silenced", shown.labels, page.at);
                }
                // 0.33 asks only one of several alerts that could inhibit.
                if version == Version::V0_33 {
                    continue;
                }
                for rule in &configuration.inhibit_rules {
                    let side = |matchers: &[mock_kestra::pager::Matcher], labels: &LabelSet| {
                        matchers.iter().all(|it| it.matches(labels))
                    };
                    if !side(&rule.target, &shown.labels) {
                        continue;
                    }
                    let both = side(&rule.source, &shown.labels);
                    let by = (0..8).find(|number| {
                        let other = alert(*number);
                        let equal = rule.equal.iter().all(|name| other.get(name) == shown.labels.get(name));
                        side(&rule.source, &other) && equal && fires(*number, page.at) && !(both && side(&rule.target, &other))
                    });
                    prop_assert!(by.is_none(), "{:?} is told at {} though {by:?} fires", shown.labels, page.at);
                }
            }
        }
        for held in pager.withheld() {
            if let Cause::Inhibited { by, .. } = &held.cause {
                let number = (0..8).find(|number| alert(*number) == **by).expect("one of ours");
                prop_assert!(fires(number, held.from), "{by:?} does not fire at {}", held.from);
            }
        }
    }

    #[test]
    fn routes_that_share_no_alert_may_stand_in_any_order(
        posts in posts(),
        parts in prop::collection::vec((waits(), 0usize..3), 2),
        inhibition in inhibition(),
        version in versions(),
    ) {
        let route = |index: usize| {
            let (waits, receiver) = &parts[index];
            let value = ["x", "y"][index];
            format!("{{ matchers: ['a=\"{value}\"'], receiver: r{receiver}, group_by: [b], {waits} }}")
        };
        let text = |order: [usize; 2]| {
            let routes: Vec<String> = order.iter().map(|index| route(*index)).collect();
            let hook = |name: &str| format!("{{ name: {name}, webhook_configs: [{{ url: 'http://HOOK' }}] }}");
            format!(
                "route: {{ receiver: r0, routes: [{}] }}\nreceivers: [{}, {}, {}]\ninhibit_rules: [{inhibition}]\n",
                routes.join(", "), hook("r0"), hook("r1"), hook("r2")
            )
        };
        let told = |order: [usize; 2]| {
            let history = History { configuration: text(order), posts: posts.clone(), silences: Vec::new(), began: 0 };
            let pager = told_by(&history, version, 0);
            let all = pager.pages().iter().map(|page| {
                let alerts: Vec<(LabelSet, bool)> =
                    page.alerts.iter().map(|it| ((*it.labels).clone(), it.ends_at.is_none())).collect();
                (page.at, page.receiver, page.group_key.to_string(), alerts)
            });
            all.collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(told([0, 1]), told([1, 0]));
    }

    #[test]
    fn what_comes_of_a_history_does_not_hang_on_how_often_time_is_told_to_go_on(
        history in history(),
        version in versions(),
        steps in prop::collection::vec(0..LASTS, 0..20),
    ) {
        let whole = told_by(&history, version, 0);
        let stepped = common::pager::told_in_steps(&history, version, 0, &steps);
        prop_assert_eq!(whole.pages(), stepped.pages());
        prop_assert_eq!(whole.withheld(), stepped.withheld());
    }
}

#[test]
fn a_route_above_another_takes_what_both_match_and_continue_gives_it_to_both() {
    let text = |goes_on: &str| {
        format!(
            "route:\n  receiver: root\n  routes:\n  - {{ matchers: ['a=\"x\"'], receiver: one, continue: {goes_on} }}\n  - {{ matchers: \
             ['a=~\"x|y\"'], receiver: two }}\nreceivers: [{{ name: root }}, {{ name: one }}, {{ name: two }}]\n"
        )
    };
    let to = |goes_on: &str, value: &str| {
        let configuration = read(&text(goes_on), Version::V0_33);
        let labels: LabelSet = [("a".to_owned(), value.to_owned())].into();
        let names: Vec<String> = routes(&configuration, &labels).into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    };
    assert_eq!((to("false", "x"), to("true", "x")), ("one".to_owned(), "one two".to_owned()));
    assert_eq!((to("false", "y"), to("true", "z")), ("two".to_owned(), "root".to_owned()));
    // The first is asked first: were it the wider one, the other would never be.
    let swapped = text("false").replace("['a=\"x\"'], receiver: one", "['a=~\"x|y\"'], receiver: one");
    let labels: LabelSet = [("a".to_owned(), "x".to_owned())].into();
    let taken = routes(&read(&swapped, Version::V0_33), &labels);
    assert_eq!(taken.first().map(|(name, key)| (name.as_str(), key.as_str())), Some(("one", "{}/{a=~\"x|y\"}")));
}
