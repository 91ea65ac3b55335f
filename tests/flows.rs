//! Flow files beside the verdict of Kestra's own classes: tests/captures/core/flows.tsv holds, one a row, a file that was
//! given to 0.20.7, 1.3.19 and 2.0.0, and whether it was accepted. And what is told of files that are accepted.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::collections::BTreeMap;

use common::table::unescaped;
use mock_kestra::document::{self, Diagnostic, Severity, Source};
use mock_kestra::scenario::{FlowFile, Loader, NoFiles, Plan, describe, read};

/// What a version said of a file.
#[derive(Debug)]
struct Row {
    name: String,
    yaml: String,
    accepted: bool,
    error: String,
}

/// All rows, by file: the verdict of each version.
fn rows() -> Vec<BTreeMap<String, Row>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/core/flows.tsv");
    let text = std::fs::read_to_string(path).expect("the table");
    let mut files: Vec<BTreeMap<String, Row>> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let cells: Vec<String> = line.split('\t').map(unescaped).collect();
        let [version, name, yaml, accepted, rest @ ..] = cells.as_slice() else { panic!("{line}") };
        let row = Row {
            name: name.clone(),
            yaml: yaml.clone(),
            accepted: accepted == "accepted",
            error: rest.first().cloned().unwrap_or_default(),
        };
        let place = *places.entry((name.clone(), yaml.clone())).or_insert_with(|| {
            files.push(BTreeMap::new());
            files.len() - 1
        });
        files[place].insert(version.clone(), row);
    }
    files
}

/// Gives one flow file, whatever it is asked for.
struct File<'a>(&'a str);

impl Loader for File<'_> {
    fn flows(&self, _: &str, path: &str) -> Result<Vec<FlowFile>, String> {
        Ok(vec![Source { name: path.to_owned(), text: self.0.to_owned() }.into()])
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

/// A file as the newer of the versions reads it that take it; as 1.3 does when none takes it.
fn file(yaml: &str) -> (Option<Plan>, Vec<Diagnostic>) {
    let of =
        |version: &str| read("x.yaml", &format!("name: x\nkestra: \"{version}\"\nflows: [ f.yaml ]\n"), &File(yaml));
    let sound = |(_, told): &(_, Vec<Diagnostic>)| told.iter().all(|told| told.severity != Severity::Error);
    let usual = of("1.3");
    if sound(&usual) { usual } else { Some(of("2.0")).filter(sound).unwrap_or(usual) }
}

fn accepted(yaml: &str) -> bool {
    file(yaml).1.iter().all(|told| told.severity != Severity::Error)
}

/// The release that stands in the table, and the version that reads as it.
const RELEASES: [(&str, &str); 3] = [("0.20.7", "0.20"), ("1.3.19", "1.3"), ("2.0.0", "2.0")];

/// Rows that are taken here and refused there, or the other way round, and why.
const JUDGED_OTHERWISE: &[(&str, &str, &str)] = &[
    ("", "task type unknown", "which plugins are installed is not known here"),
    ("", "task type plugin unknown", "the server that was asked had none installed"),
    ("0.20.7", "task string", "a text is no task that could run"),
];

/// Rows that are refused here in our words only, and why.
const SAID_OTHERWISE: &[(&str, &str, &str)] = &[
    ("0.20.7", "task type null", "it tells of an error in its own code"),
    ("", "tab indent", "the words are those of its YAML parser"),
    ("", "bad indent", "the words are those of its YAML parser"),
    ("", "unclosed quote", "the words are those of its YAML parser"),
    ("0.20.7", "template braces unquoted", "the words are those of its YAML parser"),
];

/// What a version tells of a file: whether it takes it, and what it says first.
fn verdict(version: &str, yaml: &str) -> (bool, String) {
    let (_, told) = read("x.yaml", &format!("name: x\nkestra: \"{version}\"\nflows: [ f.yaml ]\n"), &File(yaml));
    let mut errors = told.iter().filter(|told| told.severity == Severity::Error);
    errors.next().map_or((true, String::new()), |error| (false, error.what.clone()))
}

/// The words of a server: without Java's classes in front, and as a set of lines, whose order is that of a hash table.
fn words(error: &str) -> Vec<String> {
    let mut text = error.split(" <- ").next().unwrap_or_default();
    while let Some((class, rest)) = text.split_once(": ")
        && (class == "invalid" || class.ends_with("Exception") && !class.contains(' '))
    {
        text = rest;
    }
    let mut lines: Vec<String> = text.trim_end().trim_start_matches(": ").lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn each_version_takes_and_refuses_what_its_server_does_and_says_it_in_its_words() {
    let excused = |table: &[(&str, &str, &str)], release: &str, name: &str| {
        table.iter().any(|(of, row, _)| (of.is_empty() || *of == release) && *row == name)
    };
    let (mut wrong, mut judged, mut said, mut all) = (Vec::new(), 0, 0, 0);
    for file in rows() {
        for (release, row) in &file {
            let version = RELEASES.iter().find(|(name, _)| name == release).expect("a release").1;
            let (taken, first) = verdict(version, &row.yaml);
            all += 1;
            let right = taken == row.accepted;
            if right == excused(JUDGED_OTHERWISE, release, &row.name) {
                wrong.push(format!("{release} {}: {taken} {first}\n    {}", row.name, row.error));
            }
            judged += usize::from(right);
            if right && !taken {
                let same = words(&first) == words(&row.error);
                if same == excused(SAID_OTHERWISE, release, &row.name) {
                    wrong.push(format!("{release} {}:\n    {}\n    {first}", row.name, row.error));
                }
                said += usize::from(same);
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {all}:\n{}", wrong.len(), wrong.join("\n"));
    // At least 98 % are demanded.
    assert_eq!((all, judged, said), (889, 882, 420));
}

/// What is told of a file: severity, line, words, advice.
fn told(yaml: &str) -> Vec<(Severity, usize, String, String)> {
    let (plan, diagnostics) = file(yaml);
    assert!(plan.is_some(), "{}", document::render(&diagnostics));
    let of = |it: &Diagnostic| {
        (it.severity, it.place.line_and_column().0, it.what.clone(), it.advice.clone().unwrap_or_default())
    };
    diagnostics.iter().map(of).collect()
}

const SCHEDULED: &str = "id: f\nnamespace: n\ntriggers: [ { id: s, type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\" } ]\ntasks: [ { id: a, type: a.b.C } ]\n";

/// A flow that is simulated as it is, with more in its task, in its trigger, and at its end.
fn flow(task: &str, trigger: &str, more: &str) -> String {
    SCHEDULED
        .replace("a.b.C", &format!("a.b.C{task}"))
        .replace("cron: \"* * * * *\"", &format!("cron: \"* * * * *\"{trigger}"))
        + more
}

#[test]
fn what_is_accepted_and_not_simulated_is_told_in_one_line_each() {
    assert_eq!(told(SCHEDULED), []);
    let of_task = |more: &str| flow(&format!(", {more}"), "", "");
    let of_trigger = |more: &str| flow("", &format!(", {more}"), "");
    let of_flow = |more: &str| flow("", "", more);
    let of_type = |kind: &str, more: &str| SCHEDULED.replace("a.b.C", &format!("{kind}{more}"));
    let core = |name: &str| of_type(&format!("io.kestra.plugin.core.{name}"), "");
    for (yaml, line, what) in [
        (of_task("workerGroup: { key: gpu }"), 4, "`workerGroup` of the task `a`"),
        (of_task("workerSelector: { tags: [ gpu ] }"), 4, "`workerSelector` of the task `a`"),
        (of_task("taskCache: { enabled: true }"), 4, "`taskCache` of the task `a`"),
        (
            of_type("io.kestra.plugin.core.flow.Pause", ", onPause: { id: b, type: io.kestra.plugin.core.flow.Exit }"),
            4,
            "the task `a`: Pause",
        ),
        (core("flow.ForEachItem"), 4, "the task `a`: ForEachItem"),
        (
            of_type(
                "io.kestra.plugin.core.flow.Subflow",
                ", namespace: n, flowId: g, scheduleDate: 2026-01-06T08:00:00Z",
            ),
            4,
            "the task `a`: Subflow",
        ),
        (core("templating.TemplatedTask"), 4, "the task `a`: TemplatedTask"),
        (
            of_trigger("conditions: [ { type: io.kestra.plugin.core.condition.PublicHoliday, country: JP } ]"),
            3,
            "PublicHoliday of the trigger `s`",
        ),
        (of_trigger("workerGroup: { key: gpu }"), 3, "`workerGroup` of the trigger `s`"),
        (of_trigger("backfill: { start: 2020-01-01T00:00:00Z }"), 3, "`backfill` of the trigger `s`"),
        (of_flow("workerGroup: { key: gpu }\n"), 5, "`workerGroup` of the flow"),
        (
            of_flow("pluginDefaults:\n  - { type: a.b, values: { url: x, workerGroup: { key: gpu } } }\n"),
            6,
            "`workerGroup` of the task `a`",
        ),
    ] {
        let told = told(&yaml);
        assert_eq!(told.len(), 1, "{yaml}: {told:?}");
        let (severity, at, words, advice) = &told[0];
        assert_eq!(
            (*severity, *at, words.as_str()),
            (Severity::Warning, line, format!("not simulated: {what}").as_str())
        );
        assert!(!advice.is_empty(), "{words}");
    }
}

#[test]
fn what_changes_no_number_says_nothing() {
    for yaml in [
        flow(", runIf: \"{{ true }}\", description: d, logLevel: INFO, logToFile: true, version: 1.0", "", ""),
        flow(", runIf: true, taskCache: { enabled: false }, workerGroup:", "", ""),
        flow(", timeout: \"{{ inputs.t }}\"", "", ""),
        flow("", ", description: d, labels: { a: b }, stopAfter: [ FAILED ], conditions: []", ""),
        flow("", ", lateMaximumDelay: PT1H, recoverMissedSchedules: LAST, allowConcurrent: true", ""),
        flow("", ", recoverMissedSchedules: ALL, timezone: Europe/Paris, when: \"true\"", ""),
        flow(
            "",
            "",
            "labels: { a: b }\ndescription: d\nvariables: { a: 1 }\noutputs: []\nerrors: []\nsla: []\nrevision: 3\n",
        ),
        flow("", "", "inputs: [ { id: a, type: STRING, defaults: x }, { id: b, type: INT, required: false } ]\n"),
        flow("", ", inputs: { day: x }", "inputs: [ { id: day, type: STRING } ]\n"),
        flow("", "", "pluginDefaults: [ { type: a.b.C, values: { url: x } }, { type: z.z, values: { retry: {} } } ]\n"),
        flow("", "", "listeners: [ { conditions: [], tasks: [ { id: z, type: a.b.C } ] } ]\n"),
        // Another type of this flow's has no such task.
        SCHEDULED.replace("a.b.C", "io.kestra.plugin.core.execution.Fail"),
        SCHEDULED.replace("a.b.C", "io.kestra.plugin.core.execution.Fail, condition: \"{{ true }}\""),
        // Not Kestra's own.
        SCHEDULED.replace("a.b.C", "com.acme.Pause"),
        // What is switched off would not run in Kestra either.
        flow(", disabled: true, runIf: \"{{ x }}\", timeout: 2m", "", ""),
        flow(
            ", runIf: \"{{ x }}\", timeout: 2m",
            ", stopAfter: [ FAILED ]",
            "disabled: true\nfinally: [ { id: z, type: a.b.C } ]\n",
        ),
        flow("", ", disabled: true, stopAfter: [ FAILED ]", ""),
    ] {
        assert_eq!(told(&yaml), [], "{yaml}");
    }
}

#[test]
fn flows_that_nothing_starts_are_told_and_the_plan_claims_nothing_else() {
    let of =
        |trigger: &str| SCHEDULED.replace("type: io.kestra.plugin.core.trigger.Schedule, cron: \"* * * * *\"", trigger);
    let never = "nothing starts the flow n.f: ";
    for (yaml, what, plan) in [
        (
            of("type: io.kestra.plugin.core.trigger.ScheduleOnDates, dates: []"),
            "not simulated: the trigger `s`: ScheduleOnDates",
            "s (ScheduleOnDates) not simulated; nothing starts it",
        ),
        (
            of("type: io.kestra.plugin.core.trigger.Webhook, key: k"),
            &format!("{never}nobody calls its webhook `s`"),
            "s when called; nothing starts it",
        ),
        (
            "id: f\nnamespace: n\ntasks: [ { id: a, type: a.b.C } ]\n".to_owned(),
            &format!("{never}it has no trigger and no arrivals"),
            "a; nothing starts it",
        ),
    ] {
        let (read, diagnostics) = file(&yaml);
        let words: Vec<&str> = diagnostics.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(words, [what], "{yaml}");
        assert_eq!(diagnostics[0].severity, Severity::Warning);
        let text = describe(&read.expect("a plan"));
        assert!(text.contains(plan), "{text}");
        assert!(!text.contains("after other flows") && !text.contains("all the time"), "{text}");
    }
    // With arrivals it is started; with a disabled trigger it is meant to rest.
    let arrivals = "name: x\nflows: [ { id: f, namespace: n, tasks: [ { id: a, type: a.b.C } ] } ]\narrivals: [ { flow: f, rate: 1/min } ]\n";
    let (plan, diagnostics) = read("x.yaml", arrivals, &NoFiles);
    assert!(diagnostics.is_empty() && !describe(&plan.expect("a plan")).contains("nothing starts"), "{diagnostics:?}");
    assert_eq!(told(&flow("", ", disabled: true", "")), []);
    assert_eq!(told(&format!("{SCHEDULED}disabled: true\n")), []);
}

#[test]
fn the_block_of_the_catalogue_is_accepted_with_a_note() {
    let yaml = format!("{SCHEDULED}extend:\n  title: A title\n  tags: [ a ]\n  ee: false\n");
    let told = told(&yaml);
    assert!(
        matches!(told.as_slice(), [(Severity::Note, 5, what, _)] if what.contains("Kestra itself refuses it")),
        "{told:?}"
    );
    // Only there, and only in this word.
    assert!(!accepted(&format!("{SCHEDULED}extends: {{}}\n")));
}

#[test]
fn durations_are_read_as_jackson_reads_them() {
    let retry = |interval: &str| flow(&format!(", retry: {{ type: constant, interval: {interval} }}"), "", "");
    for (written, good) in
        [("120", true), ("\"120\"", true), ("1.5", true), ("PT2M", true), ("2m", false), ("30s1m", false)]
    {
        assert_eq!(accepted(&retry(written)), good, "retry {written}");
        let late = flow("", &format!(", lateMaximumDelay: {written}"), "");
        assert_eq!(accepted(&late), good, "lateMaximumDelay {written}");
        let sla = format!("{SCHEDULED}sla: [ {{ id: s, type: MAX_DURATION, behavior: FAIL, duration: {written} }} ]\n");
        assert_eq!(accepted(&sla), good, "sla {written}");
        let poll = format!(
            "id: f\nnamespace: n\ntriggers: [ {{ id: p, type: a.b.Trigger, interval: {written} }} ]\ntasks: [ {{ id: a, type: a.b.C }} ]\n"
        );
        assert_eq!(accepted(&poll), good, "interval {written}");
        let window = |trigger: &str| {
            let core = "type: io.kestra.plugin.core.trigger";
            SCHEDULED.replace(&format!("{core}.Schedule, cron: \"* * * * *\""), &format!("{core}.Flow, {trigger}"))
        };
        let condition = window(&format!(
            "conditions: [ {{ type: io.kestra.plugin.core.condition.MultipleCondition, id: m, window: {written}, conditions: {{ a: {{ type: io.kestra.plugin.core.condition.Weekend }} }} }} ]"
        ));
        assert_eq!(accepted(&condition), good, "window {written}");
        let advance = window(&format!("preconditions: {{ id: p, timeWindow: {{ windowAdvance: {written} }} }}"));
        assert_eq!(accepted(&advance), good, "windowAdvance {written}");
        let (_, diagnostics) = file(&retry(written));
        assert!(good || document::render(&diagnostics).contains("write PT"), "{diagnostics:?}");
        // It is worked out when the task runs: Kestra takes the flow whatever it says.
        let timeout = told(&flow(&format!(", timeout: {written}"), "", ""));
        assert_eq!(timeout.is_empty(), good, "{timeout:?}");
    }
    let (plan, _) = file(&flow(", timeout: 120", "", ""));
    let timeout = plan.expect("a plan").flows[0].tasks[0].timeout.clone();
    assert_eq!(timeout.and_then(|it| it.written()).map(|it| it.as_seconds_f64()), Some(120.0));
    let broken = told(&flow(", timeout: 2m", "", ""));
    assert!(
        matches!(broken.as_slice(), [(Severity::Warning, 4, what, advice)] if what.contains("fails the task") && advice == "write PT2M"),
        "{broken:?}"
    );
}

#[test]
fn yaml_is_read_as_kestra_reads_it() {
    // An alias is the text of its name, so nothing is merged; `yes` is true; an empty value is an empty text.
    let (plan, _) = file(
        "id: &x f\nnamespace: n\nlabels: { a: *x, b: *nowhere, c: 010 }\ndisabled: yes\ndescription:\ntasks: [ { id: a, type: a.b.C, allowFailure: on, allowWarning: \"false\" } ]\n",
    );
    let flow = &plan.expect("a plan").flows[0];
    let labels: Vec<(&str, &str)> = flow.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("a", "x"), ("b", "nowhere"), ("c", "010")]);
    assert!(flow.disabled && flow.tasks[0].allow_failure && !flow.tasks[0].allow_warning);
    let (_, merged) =
        file("id: f\nnamespace: n\nvariables: { t: &t { type: a.b.C } }\ntasks: [ { id: l, type: a.b.C, <<: *t } ]\n");
    let error = document::render(&merged);
    assert!(
        error.contains("error: `<<` is no key of a task\n --> f.yaml:4:") && error.contains("Kestra merges nothing"),
        "{error}"
    );
    // A second document is lost, in Kestra too.
    let two = told(&format!("{SCHEDULED}---\nid: [\n"));
    assert!(
        matches!(two.as_slice(), [(Severity::Warning, 5, what, _)] if what.contains("Kestra does not read")),
        "{two:?}"
    );
    let empty = document::render(&file("# nothing\n").1);
    assert!(empty.contains("the file is empty") && empty.contains("a flow begins with `id:`"), "{empty}");
    // In the scenario itself an alias is what it stands for.
    let inline = "name: x\nflows:\n  - { id: f, namespace: n, labels: { a: &t v, b: *t }, tasks: [ { id: a, type: a.b.C } ], disabled: true }\n";
    let (plan, _) = read("x.yaml", inline, &NoFiles);
    assert_eq!(plan.expect("a plan").flows[0].labels[1].1, "v");
}

#[test]
fn notes_of_many_files_hide_no_error() {
    struct Many;
    impl Loader for Many {
        fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
            let flow =
                |number: usize| format!("{}extend: {{}}\n", SCHEDULED.replace("id: f", &format!("id: f{number}")));
            let mut flows: Vec<String> = (0..150).map(flow).collect();
            flows[120] += "mistake: 1\n";
            flows[130] += "workerGroup: { key: gpu }\n";
            let source = |(number, text)| Source { name: format!("{number:03}.yml"), text }.into();
            Ok(flows.into_iter().enumerate().map(source).collect())
        }
        fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
            Err("there is none".to_owned())
        }
    }
    let (plan, diagnostics) = read("x.yaml", "name: x\nflows: [ all ]\n", &Many);
    assert_eq!(plan.expect("a plan of the others").left_out, ["120.yml"]);
    // The line that counts the rest is as bad as the last one before it.
    let count = |severity| diagnostics.iter().filter(|it| it.severity == severity).count();
    // Of the refused one the server's words, and ours.
    assert_eq!((count(Severity::Error), count(Severity::Warning), count(Severity::Note)), (2, 2, 97));
    assert_eq!(diagnostics.last().map(|it| it.what.as_str()), Some("and 52 more that are not shown"));
}

/// A flow with one task of Kestra's own.
fn holding(kind: &str, more: &str) -> String {
    format!("id: f\nnamespace: n\ntasks:\n  - id: a\n    type: io.kestra.plugin.core.flow.{kind}\n{more}")
}

#[test]
fn what_validators_of_tasks_refuse_is_told_in_their_words_with_its_place() {
    const LOG: &str = "type: io.kestra.plugin.core.log.Log, message: m";
    let in_directory =
        format!("    tasks: [ {{ id: b, {LOG} }}, {{ id: c, type: io.kestra.plugin.core.flow.Pause }} ]\n");
    let nested = format!(
        "    tasks:\n      - id: b\n        type: io.kestra.plugin.core.flow.WorkingDirectory\n        tasks: [ {{ id: c, {LOG} }} ]\n"
    );
    let calls = "    namespace: n\n    flowId: f\n";
    let listens = format!("{SCHEDULED}listeners: [ {{ conditions: [] }} ]\n");
    let inputs = |inputs: &str| format!("{SCHEDULED}inputs: [ {inputs} ]\n");
    let double = "{ id: x, type: STRING, required: false }, { id: x, type: STRING, required: false }";
    let both = "id: f\nnamespace: n\ntasks: [ { id: a, type: a.b.C } ]\ntriggers:\n  - { id: s, type: io.kestra.plugin.core.trigger.Flow, preconditions: { id: p, flows: [] } }\n  - { id: t, type: io.kestra.plugin.core.trigger.Flow, preconditions: { id: p, flows: [] } }\n";
    for (yaml, version, line, words) in [
        (
            holding("Switch", "    value: x\n    cases: {}\n"),
            "1.3",
            4,
            "a: No task defined, neither cases or default have any tasks",
        ),
        (
            holding("WorkingDirectory", &in_directory),
            "1.3",
            6,
            "a: Only runnable tasks are allowed as children of a WorkingDirectory task",
        ),
        (
            holding("WorkingDirectory", &nested),
            "2.0",
            7,
            "tasks[a]: Only runnable tasks are allowed as children of a WorkingDirectory task",
        ),
        (holding("WorkingDirectory", ""), "1.3", 4, "a: The 'tasks' property cannot be empty"),
        (holding("Subflow", calls), "1.3", 4, "Invalid Flow: Recursive call to flow [n.f]"),
        (holding("Subflow", calls), "0.20", 4, "Invalid Flow: Recursive call to flow [n.f]"),
        (holding("Subflow", "    namespace: n\n"), "1.3", 4, "a.flowId: must not be null"),
        (holding("Switch", "    cases: { x: [ { id: b, type: a.b.C } ] }\n"), "1.3", 4, "a.value: must not be null"),
        (listens, "1.3", 5, "listeners[0].tasks: must not be empty"),
        (inputs(double), "1.3", 5, "Invalid Flow: Duplicate input with name [x]"),
        (
            inputs("{ id: x, type: STRING, required: false, validator: '\\' }"),
            "1.3",
            5,
            "x.validator: invalid pattern [\\]",
        ),
        (
            inputs("{ id: x, type: SECRET, required: false, validator: '(' }"),
            "1.3",
            5,
            "x.validator: invalid pattern [(]",
        ),
        (inputs("{ id: x, type: ARRAY, required: false }"), "1.3", 5, "x.itemType: must not be null"),
        (
            inputs("{ id: x, type: STRING }, { id: y, type: STRING, dependsOn: { inputs: [ x, z ] } }"),
            "0.20",
            5,
            "Invalid Flow: Input with id 'y' depends on a non-existent input 'z'.",
        ),
        (
            inputs(
                "{ id: x, type: STRING, dependsOn: { inputs: [ y ] } }, { id: y, type: STRING, dependsOn: { inputs: [ x ] } }",
            ),
            "1.3",
            5,
            "Invalid Flow: Cycle dependency detected for input with id 'x': [x, y], Cycle dependency detected for input with id 'y': [y, x]",
        ),
        (
            inputs("{ id: x, type: ARRAY, itemType: ARRAY, required: false }"),
            "1.3",
            5,
            "x: `itemType` cannot be `ARRAY`",
        ),
        (both.to_owned(), "1.3", 6, "Invalid Flow: Duplicate preconditions with id [p]"),
        (
            SCHEDULED.replace("a.b.C", "io.kestra.plugin.core.debug.MissingTwo"),
            "1.3",
            4,
            "Invalid type: io.kestra.plugin.core.debug.MissingTwo",
        ),
        (
            SCHEDULED.replace("a.b.C", "io.kestra.core.tasks.debugs.Return, invalid: x"),
            "1.3",
            4,
            "Unrecognized field \"invalid\" (class io.kestra.plugin.core.debug.Return), not marked as ignorable",
        ),
        (
            format!("{SCHEDULED}labels: {{ system.id: x }}\n"),
            "1.3",
            5,
            "Invalid Flow: System labels can only be set by Kestra itself, offending label: system.id=x",
        ),
    ] {
        let (_, told) = read("x.yaml", &format!("name: x\nkestra: \"{version}\"\nflows: [ f.yaml ]\n"), &File(&yaml));
        let error = told.iter().find(|told| told.severity == Severity::Error).unwrap_or_else(|| panic!("{yaml}"));
        assert_eq!((error.what.as_str(), error.place.line_and_column().0), (words, line), "{yaml}");
        assert!(error.advice.is_some(), "{words}");
    }
}

#[test]
fn a_flow_that_the_version_refuses_is_left_out_and_the_others_run() {
    struct Two;
    impl Loader for Two {
        fn flows(&self, _: &str, _: &str) -> Result<Vec<FlowFile>, String> {
            let old = SCHEDULED.replace("id: f", "id: old") + "listeners: []\n";
            let when = SCHEDULED.replace("id: f", "id: new").replace("\"* * * * *\"", "\"* * * * *\", when: \"true\"");
            let source = |name: &str, text| Source { name: name.to_owned(), text }.into();
            Ok(vec![source("old.yml", old), source("new.yml", when), source("f.yml", SCHEDULED.to_owned())])
        }
        fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
            Err("there is none".to_owned())
        }
    }
    for (version, left_out, first) in [
        ("2.0", "old.yml", "Unrecognized field \"listeners\""),
        ("1.3", "new.yml", "Unrecognized field \"when\""),
        ("0.20", "new.yml", "Unrecognized field \"when\""),
    ] {
        let text = format!("name: x\nkestra: \"{version}\"\nflows: [ all ]\n");
        let (plan, told) = read("x.yaml", &text, &Two);
        let plan = plan.expect("a plan of the others");
        assert_eq!((plan.left_out, plan.flows.len()), (vec![left_out.to_owned()], 2), "{version}");
        let error = told.iter().find(|told| told.severity == Severity::Error).expect("why");
        assert!(error.what.starts_with(first) && error.place.source.name == left_out, "{error:?}");
    }
}

#[test]
fn defaults_of_the_configuration_come_behind_those_of_a_flow() {
    let plan = |text: &str, flow: &str| {
        let (plan, told) = read("x.yaml", text, &File(flow));
        (plan, document::render(&told))
    };
    let defaults = "name: x\nflows: [ f.yaml ]\nplugin-defaults:\n  - { type: a.b, values: { url: all, retry: { type: constant, interval: PT1S } } }\n  - { type: a.b, forced: true, values: { level: most } }\n";
    let task = |flow: &str| {
        let (plan, told) = plan(defaults, flow);
        plan.unwrap_or_else(|| panic!("{told}")).flows[0].tasks[0].clone()
    };
    let own = task(&flow(", level: own", "", "pluginDefaults: [ { type: a.b.C, values: { url: flow } } ]\n"));
    assert_eq!((own.properties["url"].as_str(), own.properties["level"].as_str()), (Some("flow"), Some("most")));
    assert!(own.retry.is_some());
    assert_eq!(task(SCHEDULED).properties["url"], "all");
    assert_eq!(task(&flow(", url: task", "", "")).properties["url"], "task");
    let (none, told) = plan("name: x\nflows: [ f.yaml ]\nplugin-defaults: [ { type: a.b } ]\n", SCHEDULED);
    assert!(none.is_none() && told.contains("an entry of `plugin-defaults` has no `values`"), "{told}");
}

#[test]
fn a_flow_that_a_task_of_another_starts_is_not_told_as_one_that_nothing_starts() {
    let kind = "io.kestra.plugin.core.flow";
    let tasks = |tasks: &str| format!("namespace: n, tasks: [ {tasks} ]");
    let log = "{ id: l, type: io.kestra.plugin.core.log.Log, message: x }";
    let starts = |what: &str| {
        let all = [
            format!("{{ id: par, {} }}", tasks(&format!("{{ id: s, type: {kind}.{what} }}"))),
            format!(
                "{{ id: child, {} }}",
                tasks(&format!(
                    "{{ id: g, type: {kind}.Sequential, tasks: [ {{ id: s, type: {kind}.Subflow, namespace: n, flowId: grandchild }} ] }}"
                ))
            ),
            format!("{{ id: grandchild, {} }}", tasks(log)),
        ];
        format!("name: x\nduration: 5m\nflows: [ {} ]\n", all.join(", "))
    };
    let batches = "behaviour: [ { task: s, outputs: { numberOfBatches: 2 } } ]\n";
    let arrivals = "arrivals: [ { flow: par, rate: 1/min } ]\n";
    for (what, more) in [
        ("Subflow, namespace: n, flowId: child", ""),
        ("Subflow, namespace: \"{{ flow.namespace }}\", flowId: \"{{ 'chi' ~ 'ld' }}\"", ""),
        ("ForEachItem, items: x, namespace: n, flowId: child", batches),
    ] {
        let text = format!("{}{arrivals}{more}", starts(what));
        let (plan, diagnostics) = read("x.yaml", &text, &NoFiles);
        assert!(diagnostics.iter().all(|it| !it.what.contains("nothing starts")), "{what}: {diagnostics:?}");
        let told = describe(&plan.expect("a plan"));
        assert!(told.contains("flow n.child: g; started by n.par\n") && !told.contains("nothing starts"), "{told}");
        // Where nothing starts the first, nothing starts the others: each is told, with the one that would.
        let (plan, diagnostics) = read("x.yaml", &format!("{}{more}", starts(what)), &NoFiles);
        let words: Vec<&str> = diagnostics.iter().map(|it| it.what.as_str()).collect();
        assert!(words.contains(&"nothing starts the flow n.child: only n.par does, which nothing starts"), "{words:?}");
        assert!(describe(&plan.expect("a plan")).contains("started by n.par, which nothing starts\n"), "{what}");
    }
}

#[test]
fn inputs_that_kestra_refuses_are_refused_in_a_scenario_too() {
    let of = |version: &str, inputs: &str| {
        let flow = format!("{{ id: f, namespace: n, inputs: [ {inputs} ], tasks: [ {{ id: a, type: a.b.C }} ] }}");
        let text =
            format!("name: x\nkestra: \"{version}\"\nflows: [ {flow} ]\narrivals: [ {{ flow: f, rate: 1/min }} ]\n");
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        (plan.is_some(), told.into_iter().map(|it| it.what).collect::<Vec<String>>())
    };
    for version in ["0.20", "1.3", "2.0"] {
        for (inputs, words) in [
            (
                "{ id: x, type: STRING, defaults: y, dependsOn: { inputs: [ z ] } }",
                "depends on a non-existent input 'z'",
            ),
            ("{ id: x, type: STRING, defaults: y, dependsOn: { inputs: [ x ] } }", "with id 'x': [x]"),
            ("{ id: x, type: ARRAY, defaults: \"[]\" }", "must not be null"),
            ("{ id: x, type: STRING, defaults: y, validator: \"(\" }", "validator: invalid pattern [(]"),
        ] {
            let (read, told) = of(version, inputs);
            assert!(!read && told[0].contains(words), "{version} {inputs}: {told:?}");
        }
        let sound = "{ id: x, type: STRING, defaults: \"y\", validator: \"[(]?y\" }, { id: z, type: ARRAY, itemType: INT, \
                     defaults: \"[1]\", dependsOn: { inputs: [ x ] } }";
        assert_eq!(of(version, sound), (true, Vec::new()), "{version}");
    }
}

#[test]
fn labels_and_loggers_that_cannot_be_and_upgrades_that_change_nothing_are_told() {
    let of = |version: &str, more: &str| {
        let text = format!(
            "name: x\nkestra: \"{version}\"\nduration: 10m\ncluster: {{ standalone: 1 }}\nflows: [ {{ id: f, namespace: n, tasks: [ {{ id: \
             a, type: a.b.C }} ] }} ]\narrivals: [ {{ flow: f, rate: 1/min }} ]\n{more}\n"
        );
        let (plan, told) = read("x.yaml", &text, &NoFiles);
        (plan.is_some(), told.into_iter().map(|it| it.what).collect::<Vec<String>>())
    };
    let labels = |label: &str| format!("commands: [ {{ at: 1m, execute: f, labels: {{ {label} }} }} ]");
    let words = |label: &str| format!("System labels can only be set by Kestra itself, offending label: {label}");
    assert_eq!(of("1.3", &labels("system.foo: bar")), (false, vec![words("system.foo=bar")]));
    assert_eq!(of("1.3", &labels("\"\": bar")), (false, vec!["a label with an empty key".to_owned()]));
    assert_eq!(of("0.20", &labels("system.from: ui")), (false, vec![words("system.from=ui")]));
    assert_eq!(of("1.3", &labels("system.from: ui, system.correlationId: x, team: data")), (true, Vec::new()));
    let logger = "commands: [ { at: 1m, set-logger: \"\", member: standalone-1, level: INFO } ]";
    assert_eq!(of("1.3", logger), (false, vec!["a logger without a name".to_owned()]));
    let upgrade = |at: &str, to: &str| format!("{{ at: {at}, upgrade: {{ member: standalone-1, to: \"{to}\" }} }}");
    let same = |version: &str| vec![format!("standalone-1 runs Kestra {version} by then: it is only restarted")];
    assert_eq!(of("1.3", &format!("timeline: [ {} ]", upgrade("1m", "1.3"))), (true, same("1.3")));
    let back = format!("timeline: [ {}, {} ]", upgrade("5m", "1.3"), upgrade("1m", "2.0"));
    assert_eq!(of("1.3", &back), (true, Vec::new()));
    let twice = format!("timeline: [ {}, {} ]", upgrade("5m", "2.0"), upgrade("1m", "2.0"));
    assert_eq!(of("1.3", &twice), (true, same("2.0")));
}
