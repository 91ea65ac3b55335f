//! Random flows and random ends of their tasks: what must hold of every execution, whatever happens to it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use mock_kestra::execution::{Command, Dialect, Done, Event, Execution, Scratch, TaskRun, Tree, World};
use mock_kestra::flow::{
    Body, Flow, Group, How, Listener, Loop, Pause, Retry, RetryPause, Span, State, Task, Then, Times, Until,
};
use mock_kestra::time::{Duration, Instant};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

struct Nowhere(Instant);

impl World for Nowhere {
    fn now(&self) -> Instant {
        self.0
    }
    fn share(&mut self, _: u32) -> f64 {
        0.5
    }
    fn render(&mut self, template: &str, _: &Execution, _: u32) -> Result<String, String> {
        Err(format!("no template: {template}"))
    }
    fn work(&mut self, execution: &Execution, run: u32) -> Option<Done> {
        let node = execution.run(run)?.node;
        let error = (node % 3 == 2).then(|| "every third fails".to_owned());
        Some(Done { labels: vec![("last".to_owned(), node.to_string())], error, ..Done::default() })
    }
    fn listens(&mut self, execution: &Execution, listener: usize) -> bool {
        assert!(execution.state.is_over(), "it has ended: {execution:?}");
        listener.is_multiple_of(2)
    }
}

fn plain() -> impl Strategy<Value = Task> {
    let retry = (1u32..4, any::<bool>()).prop_map(|(attempts, warns)| Retry {
        pause: RetryPause::Constant(Duration::seconds(1)),
        max_attempts: Some(attempts),
        max_duration: None,
        warning_on_retry: warns,
        new_execution: false,
    });
    let conditions = select(vec![None, None, None, Some("false"), Some("true")]);
    let flags = (any::<bool>(), any::<bool>(), 0..8u8);
    (prop::option::weighted(0.2, retry), flags, conditions, 0..10u8).prop_map(
        |(retry, (failure, warning, off), if_, pauses)| Task {
            kind: "a.b.C".to_owned(),
            retry,
            allow_failure: failure,
            allow_warning: warning,
            disabled: off == 0,
            run_if: if_.map(str::to_owned),
            body: match pauses {
                0 => Body::Pause(Pause { duration: Some(Duration::seconds(1).into()), ..Pause::default() }),
                1 => Body::Pause(Pause { timeout: Some(Duration::seconds(1).into()), ..Pause::default() }),
                2 => Body::Update,
                _ => Body::Work,
            },
            ..Task::default()
        },
    )
}

fn task() -> impl Strategy<Value = Task> {
    plain().prop_recursive(3, 24, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..3);
        let how = prop_oneof![
            Just(How::Sequential),
            Just(How::Directory),
            Just(How::AllowFailure),
            (any::<bool>(), any::<bool>(), select(vec![Then::Resume, Then::Warn, Then::Fail])).prop_map(
                |(bad, timed, then)| {
                    let span = if bad { Span::Rendered("{{ none }}".to_owned()) } else { Duration::seconds(1).into() };
                    let (duration, timeout) = if timed { (Some(span), None) } else { (None, Some(span)) };
                    How::Paused(Box::new(Pause { duration, timeout, then, holds: true, ..Pause::default() }))
                }
            ),
            (0..3u32).prop_map(How::Parallel),
            select(vec!["true", "false"]).prop_map(|it| How::If(it.to_owned())),
            (select(vec!["true", "false"]), 1..3u32, any::<bool>()).prop_map(|(condition, most, fails)| {
                How::Until(Box::new(Until {
                    condition: condition.to_owned(),
                    interval: Duration::seconds(1).into(),
                    max_iterations: Some(Times::Written(most)),
                    max_duration: None,
                    fails,
                }))
            }),
            (0..3usize, 0..3u32)
                .prop_map(|(values, most)| How::ForEach((0..values).map(|it| json!(it)).collect(), most)),
            (0..4usize, 0..3u32, any::<bool>()).prop_map(|(values, most, transmit)| {
                let values = (0..values).map(|it| json!(it)).collect();
                How::Loop(Box::new(Loop { values, most, transmit, outputs: Vec::new(), stores: false, breaks: None }))
            }),
            (0..3usize, 0..3u32)
                .prop_map(|(values, most)| How::EachParallel((0..values).map(|it| json!(it)).collect(), most)),
        ];
        (how, list(), list(), list(), list(), any::<bool>()).prop_map(|(how, first, second, errors, finally, allow)| {
            let branches = if matches!(how, How::If(_)) { vec![first, second] } else { vec![first] };
            Task {
                kind: "a.b.G".to_owned(),
                allow_failure: allow,
                body: Body::Group(Box::new(Group { how, branches, errors, finally })),
                ..Task::default()
            }
        })
    })
}

fn flow() -> impl Strategy<Value = Flow> {
    let list = || prop::collection::vec(task(), 0..4);
    let listener = list().prop_map(|tasks| Listener { conditions: Vec::new(), tasks });
    let listeners = prop::collection::vec(listener, 0..3);
    (list(), list(), list(), list(), listeners).prop_map(|(tasks, errors, finally, after_execution, listeners)| Flow {
        id: "f".to_owned(),
        namespace: "n".to_owned(),
        tasks,
        errors,
        finally,
        after_execution,
        listeners,
        ..Flow::default()
    })
}

/// What is waiting to happen.
#[derive(Clone, Copy, Debug)]
enum Open {
    Started(u32, u32),
    Ends(u32, u32),
    Due(u32),
    Iterates(u32),
}

/// Runs a flow: `choices` say which of the open things happens next and how tasks end. Gives the execution, and how often a
/// task was started and ended.
fn run(
    flow: &Flow,
    dialect: Dialect,
    choices: impl Iterator<Item = u8>,
    orders: &[(usize, Event)],
) -> Result<(Execution, Tree), TestCaseError> {
    let tree = Tree::new(flow);
    let execution = go_on(&tree, dialect, Execution::new(0, Instant::START), choices, orders)?;
    Ok((execution, tree))
}

/// Runs an execution to its end. `orders` come from outside, before a step of such a number.
fn go_on(
    tree: &Tree,
    dialect: Dialect,
    mut execution: Execution,
    mut choices: impl Iterator<Item = u8>,
    orders: &[(usize, Event)],
) -> Result<Execution, TestCaseError> {
    let (mut world, mut scratch) = (Nowhere(Instant::START), Scratch::default());
    let mut open: Vec<Open> = Vec::new();
    let (mut started, mut ended, mut ends, mut gone) = (0, 0, 0, false);
    let (mut created, fresh) = (0, execution.runs.is_empty());
    let mut event = Event::Begin;
    for step in 0..10_000 {
        let mut commands = Vec::new();
        for (_, order) in orders.iter().filter(|(at, _)| *at == step) {
            execution.next((tree, &dialect), *order, &mut world, &mut scratch, &mut commands);
        }
        execution.next((tree, &dialect), event, &mut world, &mut scratch, &mut commands);
        for command in commands {
            prop_assert!(!gone, "nothing comes after the end: {command:?}");
            match command {
                Command::Start { run, first } => {
                    started += 1;
                    created += usize::from(first);
                    open.push(Open::Started(run, execution.run(run).expect("a task run").attempt));
                }
                Command::Retry { run, .. } | Command::Wait { run, .. } | Command::Rest { run, .. } => {
                    open.push(Open::Due(run))
                }
                Command::End(state) | Command::Cut(state) => {
                    ends += 1;
                    prop_assert_eq!(state, execution.state);
                }
                Command::Iterate { run, index, state } => {
                    let of = execution.iteration((run, index), state, world.0, Default::default());
                    prop_assert!(of.is_some_and(|it| it.state == state), "value {} of {:?}", index, execution);
                    open.push(Open::Iterates(run));
                }
                Command::Gone => gone = true,
                Command::Again { .. } | Command::Child { .. } => panic!("no flow asks for that"),
                Command::Enter { .. } => created += 1,
                Command::Kill { .. }
                | Command::Violated { .. }
                | Command::State(_)
                | Command::Leave { .. }
                | Command::Resumed => {}
            }
        }
        prop_assert!(!fresh || created == execution.runs.len(), "each task run was told once: {:?}", execution);
        let busy = open.iter().filter(|it| matches!(it, Open::Started(..) | Open::Ends(..))).count();
        prop_assert_eq!(started, ended + busy, "what was started has ended, runs, or was just created");
        // What is paused or retrying when the execution is killed is not waited for.
        open.retain(|it| !matches!(it, Open::Due(run) if execution.run(*run).is_some_and(|run| run.state.is_over())));
        if open.is_empty() {
            // What waits for nobody but somebody from outside is PAUSED.
            if execution.state != State::Paused {
                break;
            }
            event = Event::Resume;
            continue;
        }
        let choice = choices.next().unwrap_or(0);
        let at = choice as usize % open.len();
        world.0 = world.0 + Duration::seconds(1);
        event = match open[at] {
            Open::Started(run, attempt) => {
                open[at] = Open::Ends(run, attempt);
                Event::Started { run, attempt }
            }
            Open::Ends(run, attempt) => {
                open.swap_remove(at);
                ended += 1;
                let killed = execution.state == State::Killing;
                let state = match choice / 16 {
                    _ if killed => State::Killed,
                    0..=4 => State::Failed,
                    5 => State::Warning,
                    _ => State::Success,
                };
                Event::Ended { run, attempt, state }
            }
            Open::Due(run) => {
                open.swap_remove(at);
                Event::Due { run }
            }
            Open::Iterates(run) => {
                open.swap_remove(at);
                let states = [State::Failed, State::Warning, State::Killed, State::Success];
                Event::Iterated { run, state: states[choice as usize / 64] }
            }
        };
    }
    prop_assert!(gone && ends == 1, "it has ended once: {execution:?}");
    prop_assert_eq!(started, ended, "what was started has ended");
    Ok(execution)
}

fn rank(state: State) -> u8 {
    match state {
        State::Killed => 3,
        State::Failed => 2,
        State::Warning => 1,
        _ => 0,
    }
}

proptest! {
    #![proptest_config(common::config(400))]

    #[test]
    fn every_execution_ends_as_its_tasks_did(flow in flow(), choices in prop::collection::vec(any::<u8>(), 60), new in any::<bool>()) {
        let (execution, tree) = run(&flow, dialect(new), choices.into_iter(), &[])?;
        // The worst of the tasks of the flow itself, as an independent reading of its task runs says.
        let tops = 0..flow.tasks.len() as u32;
        let worst = execution.runs.iter().filter(|run| tops.contains(&run.node)).map(|run| run.state).max_by_key(|it| rank(*it));
        let expected = match worst.map_or(0, rank) { 3 => State::Killed, 2 => State::Failed, 1 => State::Warning, _ => State::Success };
        prop_assert_eq!(execution.state, expected, "{:?}", execution.runs);
        for run in &execution.runs {
            prop_assert!(run.state.is_over() || tree.nodes[run.node as usize].kind == "a.b.G", "{:?} of {:?}", run, execution.runs);
        }
        // A task of the flow that failed keeps those behind it from running, and none that is disabled ever runs.
        if let Some(failed) = execution.runs.iter().find(|run| tops.contains(&run.node) && run.state == State::Failed) {
            prop_assert!(execution.runs.iter().all(|run| !tops.contains(&run.node) || run.node <= failed.node));
        }
        // Of the listeners only those run that are let, and only when the execution has ended.
        let before: usize = [&flow.tasks, &flow.errors, &flow.finally, &flow.after_execution].map(Vec::len).iter().sum();
        let mut number = before as u32;
        for (at, listener) in flow.listeners.iter().enumerate() {
            for _ in &listener.tasks {
                prop_assert!(at % 2 == 0 || execution.runs.iter().all(|run| run.node != number), "{:?}", execution.runs);
                number += 1;
            }
        }
        for (number, task) in flow.all_tasks().into_iter().enumerate() {
            prop_assert!(!task.disabled || execution.runs.iter().all(|run| run.node as usize != number));
        }
    }

    #[test]
    fn whatever_somebody_asks_of_it_an_execution_ends_once_and_leaves_nothing_that_waits(
        flow in flow(),
        choices in prop::collection::vec(any::<u8>(), 60),
        orders in prop::collection::vec((1..30usize, select(vec![
            Event::Kill,
            Event::Pause,
            Event::Resume,
            Event::Pause,
            Event::Cut { state: State::Failed },
            Event::Cut { state: State::Cancelled },
        ])), 0..4),
        new in any::<bool>(),
    ) {
        let (execution, _) = run(&flow, dialect(new), choices.into_iter(), &orders)?;
        prop_assert!(execution.state.is_over());
        prop_assert!(execution.runs.iter().all(|run| run.state != State::Paused && run.state != State::Retrying));
        // Only what was asked for ends it so.
        let asked = |state| orders.iter().any(|(_, it)| *it == state);
        prop_assert!(execution.state != State::Killed || asked(Event::Kill));
        let cancel = Event::Cut { state: State::Cancelled };
        prop_assert!(execution.state != State::Cancelled || asked(cancel));
    }

    #[test]
    fn a_restart_runs_what_failed_again_and_nothing_that_ended_well(
        flow in flow(),
        choices in prop::collection::vec(any::<u8>(), 60),
        again in prop::collection::vec(any::<u8>(), 60),
        new in any::<bool>(),
    ) {
        // What listeners did stays done, also what failed of it.
        let flow = Flow { listeners: Vec::new(), ..flow };
        let (execution, tree) = run(&flow, dialect(new), choices.into_iter(), &[])?;
        let failed = |run: &TaskRun| run.state == State::Failed;
        let Some(restarted) = execution.restarted(&tree) else {
            // Nothing of `tasks` has failed.
            let tops = 0..flow.tasks.len() as u32;
            prop_assert!(!execution.runs.iter().any(|run| tops.contains(&run.node) && failed(run)));
            return Ok(());
        };
        // What failed in an iteration that another one followed was forgiven, and stays as it was.
        let runs = &restarted.runs;
        let followed = |run: &TaskRun| {
            runs.iter().any(|it| it.parent == run.parent && it.iteration > run.iteration)
        };
        let forgiven = |run: &TaskRun| {
            std::iter::successors(Some(run), |at| runs.get(at.parent as usize)).any(followed)
        };
        prop_assert!(runs.iter().all(|run| !failed(run) || forgiven(run)), "{:?}", runs);
        let kept: Vec<_> = restarted.runs.iter().map(|run| (run.node, run.state, run.attempt)).collect();
        let ended = go_on(&tree, dialect(new), restarted, again.into_iter(), &[])?;
        prop_assert!(ended.state.is_over());
        for ((node, state, attempt), run) in kept.iter().zip(&ended.runs) {
            prop_assert!(*node == run.node && (!state.is_over() || (*state, *attempt) == (run.state, run.attempt)));
        }
    }

    #[test]
    fn pauses_change_nothing_of_what_becomes_of_an_execution(
        flow in flow(),
        choices in prop::collection::vec(any::<u8>(), 1..2),
        pauses in prop::collection::vec(1..30usize, 1..4),
        new in any::<bool>(),
    ) {
        // With workers that say the same of every task, whenever they are asked.
        let always = || std::iter::repeat(choices[0] & 0xf0);
        let (plain, _) = run(&flow, dialect(new), always(), &[])?;
        let orders: Vec<_> = pauses.into_iter().map(|at| (at, Event::Pause)).collect();
        let (paused, _) = run(&flow, dialect(new), always(), &orders)?;
        prop_assert_eq!(plain.state, paused.state, "{:?}\n{:?}", plain.runs, paused.runs);
    }

    #[test]
    fn a_replay_from_a_task_run_runs_that_again_and_nothing_that_ran_before(
        flow in flow(),
        choices in prop::collection::vec(any::<u8>(), 60),
        from in any::<u8>(),
        new in any::<bool>(),
    ) {
        let (execution, tree) = run(&flow, dialect(new), choices.clone().into_iter(), &[])?;
        prop_assume!(!execution.runs.is_empty());
        let from = from as usize % execution.runs.len();
        let again = execution.again_from(&tree, from as u32).expect("a task run");
        let kept: Vec<_> = again.runs.iter().map(|run| (run.node, run.state)).collect();
        let replayed = go_on(&tree, dialect(new), again, choices.into_iter(), &[])?;
        prop_assert!(replayed.state.is_over(), "{from} of {:?}\n {:?}", execution.runs, replayed);
        // What had run is as it was, but for the task run itself and those that hold it.
        let node = execution.runs[from].node;
        for ((node, state), run) in kept.iter().zip(&replayed.runs) {
            prop_assert!(*node == run.node && (!state.is_over() || *state == run.state), "{:?}", replayed.runs);
        }
        let again = kept.iter().zip(&replayed.runs).filter(|((_, state), _)| *state == State::Created);
        let over = |run: &TaskRun| run.state.is_over() || tree.nodes[run.node as usize].kind == "a.b.G";
        let again: Vec<_> = again.map(|(_, run)| (run.node, run.attempt > 1, over(run))).collect();
        prop_assert_eq!(again, [(node, true, true)], "{:?}", replayed.runs);
        prop_assert!(execution.again_from(&tree, u32::MAX).is_none());
    }

    #[test]
    fn behind_a_task_whose_state_is_changed_an_execution_goes_on(
        flow in flow(),
        // Of which nearly all fail.
        choices in prop::collection::vec(0u8..90, 60),
        new in any::<bool>(),
    ) {
        let (execution, tree) = run(&flow, dialect(new), choices.clone().into_iter(), &[])?;
        let tops = 0..flow.tasks.len() as u32;
        let failed = execution.runs.iter().position(|run| tops.contains(&run.node) && run.state == State::Failed);
        let Some(failed) = failed else { return Ok(()) };
        let node = execution.runs[failed].node;
        let changed = execution.with_state(&tree, failed as u32, State::Success).expect("a task run");
        // All its tasks succeed from there on.
        let ended = go_on(&tree, dialect(new), changed, std::iter::repeat(0xf0), &[])?;
        prop_assert!(ended.runs.iter().any(|run| run.node == node && run.state == State::Success));
        prop_assert!(ended.state.is_over());
    }
}

fn dialect(new: bool) -> Dialect {
    Dialect {
        cancelled_counts: new,
        next_by_place: new,
        exit_unseen: new,
        kill_restarts: new,
        parallel_fails: new,
        cut_goes_on: new,
        parents_named: new,
        pause_fails_plainly: !new,
    }
}
