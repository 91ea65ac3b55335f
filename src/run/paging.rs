//! What becomes of the alerts of a run: an Alertmanager in virtual time gets them as its Prometheus sends them.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustc_hash::FxHashMap;

use super::watch::{Watch, instant, milliseconds};
use crate::monitor::{AlertRelabel, Sending};
use crate::pager::{self, LabelSet, Pager, Post};
use crate::promql::Labels;
use crate::report::{self, PageLine, PagedLine, WithheldLine};
use crate::scenario::{Plan, Silence};
use crate::time::{Calendar, Instant};

/// Where Prometheus is, for links in messages: nobody asks there.
const PROMETHEUS: &str = "http://prometheus:9090";

/// Who is told of alerts.
#[derive(Clone, Debug)]
pub struct Paging {
    /// The configuration.
    pub configuration: Arc<pager::Configuration>,
    /// Its templates.
    pub templates: Arc<pager::Templates>,
    /// Whose behaviour is meant where versions differ.
    pub version: pager::Version,
    /// Silences, beside those of the scenario.
    pub silences: Vec<Silence>,
}

/// What a Prometheus makes of the labels of an alert before it sends it.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// It gives these to alerts that lack them.
    external_labels: Vec<(String, String)>,
    relabel: AlertRelabel,
}

impl Way {
    pub(super) fn of(watch: &Watch) -> Way {
        Way { external_labels: watch.external_labels.clone(), relabel: watch.alert_relabel.clone() }
    }

    /// The labels under which an alert is sent; none when it is dropped.
    pub(super) fn labels(&self, sent: &Sending) -> Option<LabelSet> {
        let own = sent.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        self.through(own.collect(), sent.expression.is_some())
    }

    /// The same of an alert with labels of its own. What is Grafana's does not pass through a Prometheus.
    pub(super) fn through(&self, own: LabelSet, of_prometheus: bool) -> Option<LabelSet> {
        if !of_prometheus {
            return Some(own);
        }
        let mut all: LabelSet = self.external_labels.iter().cloned().collect();
        all.extend(own);
        self.relabel.sent(all)
    }
}

/// An Alertmanager under way.
#[derive(Debug)]
pub(super) struct Paged {
    pager: Pager,
    way: Way,
    /// Label sets that were sent already, and what they are sent as; none of those that are dropped.
    labels: FxHashMap<Labels, Option<Arc<LabelSet>>>,
    links: FxHashMap<Option<Arc<str>>, Arc<str>>,
}

impl Paged {
    pub(super) fn new(paging: &Paging, watch: &Watch, plan: &Plan, calendar: &Calendar, began: Instant) -> Paged {
        let silences = paging.silences.iter().chain(&plan.silences).map(|silence| pager::Silence {
            matchers: silence.matchers.clone(),
            from: milliseconds(calendar, silence.from),
            until: milliseconds(calendar, silence.from + silence.lasts),
        });
        let began = milliseconds(calendar, began);
        Paged {
            pager: Pager::new(
                paging.configuration.clone(),
                paging.templates.clone(),
                paging.version,
                silences.collect(),
                began,
            ),
            way: Way::of(watch),
            labels: FxHashMap::default(),
            links: FxHashMap::default(),
        }
    }

    /// Prometheus sends alerts, in the order of time: those of one instant together.
    pub(super) fn take(&mut self, sent: &[Sending]) {
        for together in sent.chunk_by(|one, other| one.at == other.at) {
            let posts: Vec<Post> = together.iter().filter_map(|one| self.post(one)).collect();
            // What cannot be taken cannot come from a rule: its alerts have a name, and end after they begin.
            if let Some(first) = together.first() {
                let _ = self.pager.post(first.at, &posts);
            }
        }
    }

    /// Time goes on to the end of what is looked at.
    pub(super) fn advance(&mut self, calendar: &Calendar, to: Instant) {
        self.pager.advance(milliseconds(calendar, to));
    }

    /// What became of everything, for a report.
    pub(super) fn told(&self, calendar: &Calendar) -> report::Paging {
        let configuration = self.pager.configuration();
        report::Paging {
            receivers: configuration.receivers.iter().map(|receiver| receiver.name.clone()).collect(),
            // What was before the start nobody asked for.
            pages: self
                .pager
                .pages()
                .iter()
                .filter(|page| instant(calendar, page.at) >= Instant::START)
                .map(|page| page_line(configuration, page, calendar))
                .collect(),
            withheld: self
                .pager
                .withheld()
                .iter()
                .filter(|it| instant(calendar, it.until) >= Instant::START)
                .map(|it| withheld_line(configuration, it, calendar))
                .collect(),
            lost: self.pager.lost(),
        }
    }

    /// An alert as Alertmanager gets it, unless it is dropped before.
    fn post(&mut self, sent: &Sending) -> Option<Post> {
        let way = &self.way;
        let labels = self.labels.entry(sent.labels.clone()).or_insert_with(|| way.labels(sent).map(Arc::new));
        let labels = labels.clone()?;
        let link = self.links.entry(sent.expression.clone()).or_insert_with(|| link(sent.expression.as_deref()));
        Some(Post {
            labels,
            annotations: Arc::new(sent.annotations.iter().cloned().collect()),
            starts_at: Some(sent.starts_at),
            ends_at: Some(sent.ends_at),
            generator_url: link.clone(),
        })
    }
}

/// The address of a graph of an expression (`TableLinkForExpression` of Prometheus); empty without one.
pub(super) fn link(expression: Option<&str>) -> Arc<str> {
    let Some(expression) = expression else { return "".into() };
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
    let escaped = utf8_percent_encode(expression, KEPT).to_string().replace(' ', "+");
    format!("{PROMETHEUS}/graph?g0.expr={escaped}&g0.tab=1").into()
}

fn page_line(configuration: &pager::Configuration, page: &pager::Page, calendar: &Calendar) -> PageLine {
    let receiver = &configuration.receivers[page.receiver];
    let integration = &receiver.integrations[page.integration];
    let many = receiver.integrations.iter().filter(|it| it.kind == integration.kind).count() > 1;
    let alert = |alert: &pager::PagedAlert| PagedLine {
        status: if alert.ends_at.is_some() { "resolved" } else { "firing" },
        labels: (*alert.labels).clone(),
        starts_at: instant(calendar, alert.starts_at),
    };
    PageLine {
        at: instant(calendar, page.at),
        receiver: receiver.name.clone(),
        integration: match many {
            true => format!("{}[{}]", integration.kind, integration.index),
            false => integration.kind.to_owned(),
        },
        group_key: page.group_key.to_string(),
        reason: page.reason.word(),
        alerts: page.alerts.iter().map(alert).collect(),
        title: Some(&page.message.title).filter(|title| !title.is_empty()).cloned(),
        text: Some(&page.message.text).filter(|text| !text.is_empty()).cloned(),
        fields: page.message.fields.clone(),
        notes: page.message.notes.clone(),
    }
}

fn withheld_line(configuration: &pager::Configuration, it: &pager::Withheld, calendar: &Calendar) -> WithheldLine {
    WithheldLine {
        labels: (*it.labels).clone(),
        receiver: configuration.receivers[it.receiver].name.clone(),
        group_key: it.group_key.to_string(),
        starts_at: instant(calendar, it.starts_at),
        from: instant(calendar, it.from),
        until: instant(calendar, it.until),
        ended: it.ended,
        cause: it.cause.word(),
        why: why(configuration, it),
    }
}

/// Why an alert was not told, in words.
fn why(configuration: &pager::Configuration, it: &pager::Withheld) -> String {
    let lost = if it.ended { "; it ended meanwhile" } else { "" };
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match &it.cause {
        pager::Cause::Inhibited { by, rule } => {
            let name = configuration.inhibit_rules.get(*rule).and_then(|rule| rule.name.as_ref());
            let rule = name.map_or(format!("inhibit rule {}", rule + 1), |name| format!("inhibit rule `{name}`"));
            format!("inhibited by {} ({rule}){lost}", report::named_alert(by))
        }
        pager::Cause::Muted(intervals) => format!("its route is muted in {}{lost}", quoted(intervals)),
        pager::Cause::Inactive(intervals) => format!("its route is active only in {}{lost}", quoted(intervals)),
        pager::Cause::Silenced(index) => format!("silence {} matches{lost}", index + 1),
        pager::Cause::EndedUnsent => "it had ended before its group was told of it".to_owned(),
        pager::Cause::Failed(why) => format!("the message cannot be made, and nothing is sent: {why}"),
        pager::Cause::ResolvedNotSent => "that it has ended is not sent: send_resolved is false".to_owned(),
    }
}
