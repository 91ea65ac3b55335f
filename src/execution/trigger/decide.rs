//! The order in which Flow triggers are looked at, and what windows keep (recorded:
//! tests/captures/core/flow-triggers.tsv).

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::context::{Templates, Woken};
use super::holds::Asked;
use super::start::{Fired, start};
use super::upstream::Upstream;
use super::verdict::Why;
use super::window::{Window, Windows};
use super::{Failure, Listener, Listeners, Surroundings};
use crate::flow::trigger::{Dependency, Era, Mode, Multiple, Preconditions, TimeWindow};
use crate::pebble::truthy;

/// Whoever wants to know what became of each listener, if anybody does.
pub(super) type Told<'t, 'a> = Option<&'t mut (dyn FnMut(&Listener, Why) + 'a)>;

/// Why a listener did not wake. Nothing is written for it: most transitions wake few, and nobody asks.
enum Slept {
    Off,
    Itself,
    Kind,
    State,
    /// The place of the condition, and what failed in it.
    Condition(usize, Option<Failure>),
    /// What `when` gave.
    When(Result<String, Failure>),
}

impl Slept {
    fn explained(self, listener: &Listener, upstream: &Upstream<'_>, asked: &Asked<'_>) -> Why {
        let rule = &listener.rule;
        match self {
            Slept::Off => Why::Off,
            Slept::Itself => Why::Itself,
            Slept::Kind => Why::Kind(upstream.kind.unwrap_or_default().to_owned()),
            Slept::State => Why::State { state: upstream.state, listens: rule.states.clone() },
            Slept::Condition(at, failure) => match rule.conditions.get(at) {
                Some(condition) => asked.refused(at, condition, failure),
                None => Why::Off,
            },
            Slept::When(given) => {
                let (place, what) = ("when".to_owned(), rule.when.clone().unwrap_or_default());
                match given {
                    Ok(rendered) => Why::Condition { place, what, found: format!("it gives `{rendered}`") },
                    Err(failure) => Why::Failed { place, what, failure },
                }
            }
        }
    }
}

/// Something that several executions complete, with a window of its own.
struct Part<'a> {
    id: String,
    window: TimeWindow,
    reset: bool,
    mode: Mode,
    needs: Needs<'a>,
}

enum Needs<'a> {
    Multiple(&'a Multiple),
    Preconditions(&'a Preconditions),
    DependsOn(&'a [Dependency]),
}

/// A listener that waits for several executions.
struct Waiting<'a> {
    listener: &'a Listener,
    parts: Vec<Part<'a>>,
    /// Whether one of its windows is open.
    open: bool,
    why: Option<Why>,
}

impl Listener {
    /// Whether it waits for several executions.
    pub(super) fn waits(&self, era: Era) -> bool {
        match era {
            Era::DependsOn => !self.rule.depends_on.is_empty(),
            Era::Conditions => {
                self.rule.preconditions.is_some()
                    || self.rule.conditions.iter().any(|condition| condition.multiple().is_some())
            }
        }
    }

    fn parts(&self, era: Era) -> Vec<Part<'_>> {
        let rule = &self.rule;
        if era == Era::DependsOn {
            let part = || Part {
                id: format!("depends_on_{}", self.id),
                window: rule.window.clone().unwrap_or_default(),
                reset: true,
                mode: rule.mode,
                needs: Needs::DependsOn(&rule.depends_on),
            };
            return if rule.depends_on.is_empty() { Vec::new() } else { vec![part()] };
        }
        let multiples = rule.conditions.iter().filter_map(|condition| condition.multiple()).map(|multiple| Part {
            id: multiple.id.clone(),
            window: multiple.window.clone(),
            reset: multiple.reset,
            mode: Mode::All,
            needs: Needs::Multiple(multiple),
        });
        let preconditions = rule.preconditions.iter().map(|preconditions| Part {
            id: preconditions.id.clone(),
            window: preconditions.window.clone(),
            reset: preconditions.reset,
            mode: Mode::All,
            needs: Needs::Preconditions(preconditions),
        });
        multiples.chain(preconditions).collect()
    }
}

impl Part<'_> {
    /// The keys of what it needs, as Kestra names them up to 1.3.
    fn keys(&self) -> Vec<String> {
        match &self.needs {
            Needs::Multiple(multiple) => multiple.conditions.iter().map(|(key, _)| key.clone()).collect(),
            Needs::Preconditions(preconditions) => {
                let flows = (1..=preconditions.flows.len()).map(|at| format!("condition_{at}"));
                let first = preconditions.flows.len() + 1;
                let filters = preconditions.filters.iter().zip(first..);
                flows.chain(filters.map(|(filters, at)| format!("condition_{at}_{}", filters.id))).collect()
            }
            Needs::DependsOn(list) => (0..list.len()).map(|at| format!("dependsOn[{at}]")).collect(),
        }
    }

    /// Whether a window has all that is needed.
    fn is_complete(&self, window: Option<&Window>) -> bool {
        let keys = self.keys();
        let met = keys.iter().filter(|key| window.is_some_and(|window| window.met.contains(*key))).count();
        match self.mode {
            Mode::All => met == keys.len(),
            Mode::Any => met > 0,
            Mode::AtLeast(least) => met >= least as usize,
        }
    }

    /// What of it an execution meets. What fails is not met.
    fn met(&self, asked: &Asked<'_>, windows: &mut Windows, listener: &Listener) -> Vec<String> {
        let found: Vec<bool> = match &self.needs {
            Needs::Multiple(multiple) => {
                multiple.conditions.iter().map(|(_, condition)| asked.holds(condition).unwrap_or(false)).collect()
            }
            Needs::Preconditions(preconditions) => {
                let flows = preconditions.flows.iter().map(|flow| asked.is_of(flow));
                let filters = preconditions.filters.iter();
                flows.chain(filters.map(|filters| asked.filtered(filters).unwrap_or(false))).collect()
            }
            Needs::DependsOn(list) => list
                .iter()
                .enumerate()
                .map(|(at, dependency)| {
                    asked.is_of(&dependency.upstream) && gate(dependency, at, asked, windows, listener)
                })
                .collect(),
        };
        self.keys().into_iter().zip(found).filter_map(|(key, met)| met.then_some(key)).collect()
    }

    fn twice(&self) -> bool {
        let Needs::DependsOn(list) = &self.needs else { return false };
        list.iter().enumerate().any(|(at, one)| list.iter().skip(at + 1).any(|other| one == other))
    }
}

/// `when` of a dependency. What it is first rendered to stays, whatever comes later (captures/core/flow-triggers.tsv,
/// `dep only when`).
fn gate(dependency: &Dependency, at: usize, asked: &Asked<'_>, windows: &mut Windows, listener: &Listener) -> bool {
    let Some(when) = &dependency.when else { return true };
    if let Some(kept) = windows.kept(listener.flow, listener.trigger, at) {
        return truthy(kept);
    }
    let Ok(rendered) = asked.templates.text(when) else { return false };
    let holds = truthy(&rendered);
    windows.keep(listener.flow, listener.trigger, at, rendered);
    holds
}

impl Listeners {
    /// Looks at some listeners in order.
    pub(super) fn decide<'a>(
        &'a self,
        windows: &mut Windows,
        upstream: &Upstream<'_>,
        now: Timestamp,
        around: &Surroundings<'_>,
        listeners: impl Iterator<Item = &'a Listener>,
        told: &mut Told<'_, '_>,
    ) -> Vec<Fired> {
        let mut fired = Vec::new();
        let mut waiting = Vec::new();
        for listener in listeners {
            let woken = Woken::By(upstream);
            let templates = Templates::new(&listener.own, woken, around, self.dialect, self.templates);
            let asked = Asked { own: &listener.own, woken, templates: &templates, dialect: self.dialect };
            if let Some(slept) = self.sleeps(listener, upstream, &asked) {
                if let Some(told) = told.as_mut() {
                    told(listener, slept.explained(listener, upstream, &asked));
                }
                continue;
            }
            let parts = listener.parts(self.dialect.era);
            if parts.is_empty() {
                self.fire(listener, upstream, around, &[], &mut fired, told);
                continue;
            }
            let mut waits = Waiting { listener, parts, open: false, why: None };
            self.note(&mut waits, (&asked, upstream), windows, now);
            waiting.push(waits);
        }
        if waiting.is_empty() {
            return fired;
        }
        for waits in &waiting {
            match self.unmet(waits, windows) {
                Some(why) => tell(told, waits.listener, why),
                None => {
                    let kept = waits.parts.iter().filter_map(|part| windows.get(waits.listener.flow, &part.id));
                    let kept: Vec<_> = kept.filter_map(|window| window.outputs.clone()).collect();
                    self.fire(waits.listener, upstream, around, &kept, &mut fired, told);
                }
            }
        }
        for Waiting { listener, parts, .. } in waiting.iter().filter(|waits| waits.open) {
            for part in parts.iter().filter(|part| part.reset) {
                if part.is_complete(windows.get(listener.flow, &part.id)) {
                    windows.remove(listener.flow, &part.id);
                }
            }
        }
        // Kestra forgets them flow by flow, in an order of its own; here the order of flows does not matter.
        windows.expire(now);
        fired.sort_by_key(|fired| (fired.flow, fired.trigger));
        fired
    }

    fn fire(
        &self,
        listener: &Listener,
        upstream: &Upstream<'_>,
        around: &Surroundings<'_>,
        kept: &[Map<String, Json>],
        fired: &mut Vec<Fired>,
        told: &mut Told<'_, '_>,
    ) {
        let woken = Woken::By(upstream);
        let templates = Templates::new(&listener.own, woken, around, self.dialect, self.templates).of_own_flow();
        match start(listener, upstream, &templates, kept, self.dialect) {
            Ok(execution) => {
                tell(told, listener, Why::Fires);
                fired.push(execution);
            }
            Err(failure) => tell(told, listener, Why::Inputs(failure)),
        }
    }

    /// Why a listener does not wake; none when it does.
    fn sleeps(&self, listener: &Listener, upstream: &Upstream<'_>, asked: &Asked<'_>) -> Option<Slept> {
        let wakes = || match &listener.rule.states {
            Some(states) => states.contains(&upstream.state),
            None => self.dialect.wakes(upstream.state),
        };
        if listener.off {
            Some(Slept::Off)
        } else if listener.own.id == upstream.flow && listener.own.namespace == upstream.namespace {
            Some(Slept::Itself)
        } else if upstream.kind.is_some_and(|kind| kind != "NORMAL") {
            Some(Slept::Kind)
        } else if !wakes() {
            Some(Slept::State)
        } else {
            match self.dialect.era {
                Era::Conditions => conditions(listener, asked),
                Era::DependsOn => when(listener, asked),
            }
        }
    }

    /// Remembers in the windows of a listener what the execution meets.
    fn note(
        &self,
        waits: &mut Waiting<'_>,
        (asked, upstream): (&Asked<'_>, &Upstream<'_>),
        windows: &mut Windows,
        now: Timestamp,
    ) {
        let listener = waits.listener;
        for part in &waits.parts {
            if part.twice() {
                waits.why = Some(Why::Twice);
                return;
            }
            // 2.0 goes on with a window that has ended, and loses the execution that finds it so.
            let of_2_0 = self.dialect.era == Era::DependsOn;
            let stored = windows.get(listener.flow, &part.id).filter(|window| of_2_0 || window.is_open(now));
            let mut window = stored.cloned().unwrap_or_else(|| {
                let mut window = Window::open(&part.window, &self.zone, now);
                window.outputs = upstream.outputs.map(|outputs| match of_2_0 {
                    true => nested(upstream, outputs),
                    false => outputs.clone(),
                });
                window
            });
            let met = if window.is_open(now) {
                waits.open = true;
                part.met(asked, windows, listener)
            } else {
                let (id, start, end) = (part.id.clone(), window.start, window.end);
                waits.why = Some(Why::Closed { id, start, end });
                Vec::new()
            };
            let grows = !met.is_empty();
            window.met.extend(met);
            if grows || of_2_0 {
                windows.put(listener.flow, &part.id, window);
            }
        }
    }

    /// Why a listener that waits does not fire; none when it does.
    fn unmet(&self, waits: &Waiting<'_>, windows: &Windows) -> Option<Why> {
        if !waits.open {
            return waits.why.clone();
        }
        let flow = waits.listener.flow;
        let part = waits.parts.iter().find(|part| !part.is_complete(windows.get(flow, &part.id)))?;
        let window = windows.get(flow, &part.id);
        let has = |key: &String| window.is_some_and(|window| window.met.contains(key));
        let (met, lacks) = part.keys().into_iter().partition(has);
        Some(Why::Waits { id: part.id.clone(), met, lacks, end: window.map(|window| window.end) })
    }
}

/// Outputs below the namespace and the id of their flow.
fn nested(upstream: &Upstream<'_>, outputs: &Map<String, Json>) -> Map<String, Json> {
    let mut tree = Map::new();
    tree.insert(upstream.namespace.to_owned(), json!({ upstream.flow: outputs }));
    tree
}

/// Tells what became of a listener.
fn tell(told: &mut Told<'_, '_>, listener: &Listener, why: Why) {
    if let Some(told) = told {
        told(listener, why);
    }
}

/// The first condition that does not hold. Those that several executions complete come later.
fn conditions(listener: &Listener, asked: &Asked<'_>) -> Option<Slept> {
    let conditions = listener.rule.conditions.iter().enumerate();
    conditions.filter(|(_, condition)| condition.multiple().is_none()).find_map(|(at, condition)| {
        match asked.holds(condition) {
            Ok(true) => None,
            Ok(false) => Some(Slept::Condition(at, None)),
            Err(failure) => Some(Slept::Condition(at, Some(failure))),
        }
    })
}

/// `when` of the trigger.
fn when(listener: &Listener, asked: &Asked<'_>) -> Option<Slept> {
    let rendered = asked.templates.text(listener.rule.when.as_ref()?);
    match &rendered {
        Ok(text) if truthy(text) => None,
        _ => Some(Slept::When(rendered)),
    }
}
