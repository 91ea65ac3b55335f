//! Executions that begin where others were: replays, and those that go on after somebody has changed what became of a task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::engine::{Execution, Rest, TaskRun};
use super::rules::Part;
use super::tree::{Does, Held, NONE, Tree};
use crate::flow::{How, State, core};

impl Execution {
    /// One that runs a task run again, and all that comes behind it: what ran before it has run. None when it has no such
    /// task run.
    pub fn again_from(&self, tree: &Tree, from: u32) -> Option<Execution> {
        self.run(from)?;
        let path = self.path(from);
        let again = |run: u32| !path.contains(&run) && self.is_behind(tree, run, &path);
        let (mut kept, places) = self.without(again, &path);
        let place = places.get(from as usize).copied().flatten()?;
        kept.values.remove(&place);
        kept.outputs.remove(&place);
        let it = kept.runs.get_mut(place as usize)?;
        *it = TaskRun { state: State::Created, rest: Rest::Again, attempt: it.attempt + 1, branch: 0, ..*it };
        kept.attempt = self.attempt + 1;
        Some(kept)
    }

    /// The same execution, of which a task run has come to another state: what it holds of `errors`, `finally` and
    /// `afterExecution` is forgotten, and it goes on behind that task run. None when it has no such task run.
    pub fn with_state(&self, tree: &Tree, changed: u32, state: State) -> Option<Execution> {
        self.run(changed)?;
        let path = self.path(changed);
        let other = |run| self.run(run).is_some_and(|it| !self.is_of_tasks(tree, it));
        let (mut kept, places) = self.without(other, &path);
        let place = places.get(changed as usize).copied().flatten()?;
        let it = kept.runs.get_mut(place as usize)?;
        (it.state, it.rest) = (state, Rest::None);
        kept.attempt = self.attempt + 1;
        Some(kept)
    }

    /// Whether some of it failed, or is PAUSED, that runs again when it is restarted.
    pub fn can_restart(&self, tree: &Tree) -> bool {
        Restart::of(self, tree).again.contains(&true)
    }

    /// Whether it is PAUSED, and all that would run again when it is restarted are task runs that wait.
    pub fn can_restart_paused(&self, tree: &Tree) -> bool {
        let again = Restart::of(self, tree).again;
        let waits = |run: &TaskRun| run.state == State::Paused;
        let fits = |(run, again): (&TaskRun, &bool)| waits(run) == *again && (!again || tree.pause(run.node).is_some());
        self.state == State::Paused && self.runs.iter().any(waits) && self.runs.iter().zip(&again).all(fits)
    }

    /// The same execution, of which all task runs that failed, or are PAUSED, run again; what ran of `errors`, `finally` and
    /// `afterExecution` is forgotten, and so is what a WorkingDirectory held that begins anew (source). None when it has no
    /// such task run.
    pub fn restarted(&self, tree: &Tree) -> Option<Execution> {
        let restart = Restart::of(self, tree);
        let (mut kept, places) = self.without(|run| restart.left_out.get(run as usize) != Some(&false), &[]);
        for (run, place) in places.iter().enumerate() {
            let Some(place) = place.filter(|_| restart.open.get(run) == Some(&true)) else { continue };
            let it = kept.runs.get_mut(place as usize)?;
            let leads = restart.leads.get(run) == Some(&true);
            (it.state, it.rest) = match &tree.node(it.node)?.does {
                // It has waited, and ends well.
                Does::Pause(_) => (State::Success, Rest::None),
                Does::Group(Held { how: How::Paused(pause), .. }) if !pause.holds => (State::Success, Rest::None),
                Does::Group(Held { how: How::Paused(_), .. }) => (State::Running, it.rest),
                Does::Group(_) if leads => (State::Running, Rest::None),
                _ => (State::Created, Rest::Again),
            };
            if it.rest == Rest::Again {
                it.attempt += 1;
                it.branch = 0;
                kept.values.remove(&place);
                kept.outputs.remove(&place);
            }
        }
        kept.attempt = self.attempt + 1;
        restart.again.contains(&true).then_some(kept)
    }

    /// A task run and those that hold it, the innermost first.
    fn path(&self, run: u32) -> Vec<u32> {
        std::iter::successors(Some(run), |at| self.run(*at).map(|it| it.parent).filter(|at| self.run(*at).is_some()))
            .collect()
    }

    /// Whether a task run is one of `tasks`, and so are those that hold it.
    fn is_of_tasks(&self, tree: &Tree, run: &TaskRun) -> bool {
        let own = |run: &TaskRun| tree.node(run.node).is_some_and(|node| node.part == Part::Tasks);
        let mut at = run;
        while own(at) {
            match self.run(at.parent) {
                Some(parent) => at = parent,
                None => return at.parent == NONE,
            }
        }
        false
    }

    /// Whether a task run comes behind the first of a path: it, or one that holds it, is behind one of the path in the same
    /// list, or in a list that runs after it.
    fn is_behind(&self, tree: &Tree, run: u32, path: &[u32]) -> bool {
        let own = self.path(run);
        let beside =
            |it: &TaskRun| path.iter().filter_map(|at| self.run(*at)).find(|at| at.parent == it.parent).copied();
        let after = |it: &TaskRun| beside(it).is_some_and(|beside| self.comes_after(tree, it, &beside));
        let top = |path: &[u32]| path.last().and_then(|at| self.run(*at)).map(|it| it.parent);
        own.iter().any(|it| Some(it) == path.first() || self.run(*it).is_some_and(after))
            || top(path) == Some(NONE) && top(&own) != Some(NONE)
    }

    /// Whether one task run of a list comes after another one.
    fn comes_after(&self, tree: &Tree, run: &TaskRun, other: &TaskRun) -> bool {
        let (Some(node), Some(beside)) = (tree.node(run.node), tree.node(other.node)) else { return false };
        let rank = |part| match part {
            Part::Tasks => 0,
            Part::Errors => 1,
            Part::Finally => 2,
        };
        if node.part != beside.part {
            return rank(node.part) > rank(beside.part);
        }
        let how = self.run(run.parent).and_then(|parent| tree.node(parent.node)).and_then(|node| match &node.does {
            Does::Group(held) if beside.part == Part::Tasks => Some(&held.how),
            _ => None,
        });
        match how {
            Some(How::Parallel(_) | How::EachParallel(..)) => false,
            Some(How::Dag(_, after)) => depends(after, node.place as usize, beside.place as usize),
            Some(How::ForEach(_, most)) if *most != 1 => run.value == other.value && node.place > beside.place,
            _ => (run.value, node.place) > (other.value, beside.place),
        }
    }

    /// What is left of it without some task runs, and without those that they hold: nothing of it runs, but for what holds
    /// the first of a path. And where each is in it.
    fn without(&self, left_out: impl Fn(u32) -> bool, path: &[u32]) -> (Execution, Vec<Option<u32>>) {
        let mut places: Vec<Option<u32>> = Vec::with_capacity(self.runs.len());
        let mut kept = Execution::new(self.attempt, self.begun);
        kept.made = self.made;
        kept.iteration = self.iteration.clone();
        kept.state = State::Restarted;
        for (number, run) in self.runs.iter().enumerate() {
            let parent = match places.get(run.parent as usize) {
                Some(None) => {
                    places.push(None);
                    continue;
                }
                Some(Some(parent)) => *parent,
                None => run.parent,
            };
            // What had not ended is begun anew.
            let holds = path.get(1..).is_some_and(|path| path.contains(&(number as u32)));
            let first = path.first() == Some(&(number as u32));
            if left_out(number as u32) || !holds && !first && !run.state.is_over() {
                places.push(None);
                continue;
            }
            places.push(Some(kept.runs.len() as u32));
            let state = if holds { State::Running } else { run.shown() };
            kept.runs.push(TaskRun { parent, state, rest: run.kept_rest(), rests: false, ..*run });
        }
        let values =
            self.values.iter().filter_map(|(run, values)| Some(((*places.get(*run as usize)?)?, values.clone())));
        kept.values = values.collect();
        let outputs = self.outputs.iter();
        let outputs = outputs.filter_map(|(run, it)| Some(((*places.get(*run as usize)?)?, Arc::clone(it))));
        kept.outputs = outputs.collect();
        (kept.labels, kept.variables) = (self.labels.clone(), self.variables.clone());
        (kept, places)
    }
}

/// What a restart does of each task run, by its number. What holds one has a lower number, so that all is found in one pass
/// down and one up.
struct Restart {
    /// It failed, or is PAUSED, and is of the last iteration of what repeats it: it runs again.
    again: Vec<bool>,
    /// It, or one that it holds, runs again.
    open: Vec<bool>,
    /// One that it holds runs again.
    leads: Vec<bool>,
    /// It is forgotten.
    left_out: Vec<bool>,
}

impl Restart {
    fn of(it: &Execution, tree: &Tree) -> Restart {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for run in &it.runs {
            let iteration = last.entry(run.parent).or_default();
            *iteration = run.iteration.max(*iteration);
        }
        let count = it.runs.len();
        let (mut own, mut present, mut again) = (vec![false; count], vec![false; count], vec![false; count]);
        for (at, run) in it.runs.iter().enumerate() {
            let holder = |flags: &[bool], otherwise| flags.get(run.parent as usize).copied().unwrap_or(otherwise);
            let of_tasks = tree.node(run.node).is_some_and(|node| node.part == Part::Tasks);
            own[at] = of_tasks && holder(&own, run.parent == NONE);
            present[at] = last.get(&run.parent) == Some(&run.iteration) && holder(&present, true);
            let failed = matches!(run.shown(), State::Failed | State::Paused);
            again[at] = failed && own[at] && present[at];
        }
        let (mut open, mut leads) = (again.clone(), vec![false; count]);
        for (at, run) in it.runs.iter().enumerate().rev() {
            if let Some(holds) = open.get_mut(run.parent as usize).filter(|_| again[at] || leads[at]) {
                *holds = true;
                leads[run.parent as usize] = true;
            }
        }
        let listened: BTreeSet<u32> =
            tree.listeners.iter().flat_map(|lists| lists.branches.iter().flatten()).copied().collect();
        let (mut anew, mut left_out) = (vec![false; count], vec![false; count]);
        for (at, run) in it.runs.iter().enumerate() {
            let within = anew.get(run.parent as usize) == Some(&true);
            let kind = tree.node(run.node).and_then(|node| core(&node.kind));
            anew[at] = within || open[at] && matches!(kind, Some("WorkingDirectory" | "Worker"));
            // What listeners did stays done.
            left_out[at] = within || !own[at] && !listened.contains(&run.node);
        }
        Restart { again, open, leads, left_out }
    }
}

/// Whether a task of a Dag waits for another one, at whatever distance.
fn depends(after: &[Vec<usize>], task: usize, other: usize) -> bool {
    let (mut open, mut seen) = (vec![task], BTreeSet::new());
    while let Some(at) = open.pop() {
        for before in after.get(at).into_iter().flatten() {
            if *before == other {
                return true;
            }
            if seen.insert(*before) {
                open.push(*before);
            }
        }
    }
    false
}
