//! Flow files beside the verdict of Kestra's own classes: tests/captures/core/flows.tsv holds, one a row, a file that was
//! given to 0.20.7, 1.3.19 and 2.0.0, and whether it was accepted. And what is told of files that are accepted.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;

use mock_kestra::document::{self, Diagnostic, Severity, Source};
use mock_kestra::scenario::{Loader, NoFiles, Plan, describe, read};

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

/// Cells have `\n`, `\r`, `\t` and `\\` as two characters.
fn unescaped(cell: &str) -> String {
    let mut out = String::new();
    let mut rest = cell.chars();
    while let Some(c) = rest.next() {
        out.push(match c {
            '\\' => match rest.next().expect("a whole escape") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            },
            c => c,
        });
    }
    out
}

/// Gives one flow file, whatever it is asked for.
struct File<'a>(&'a str);

impl Loader for File<'_> {
    fn flows(&self, _: &str, path: &str) -> Result<Vec<Source>, String> {
        Ok(vec![Source { name: path.to_owned(), text: self.0.to_owned() }])
    }
    fn scenario(&self, _: &str, _: &str) -> Result<Source, String> {
        Err("there is none".to_owned())
    }
}

fn file(yaml: &str) -> (Option<Plan>, Vec<Diagnostic>) {
    read("x.yaml", "name: x\nflows: [ f.yaml ]\n", &File(yaml))
}

fn accepted(yaml: &str) -> bool {
    file(yaml).1.iter().all(|told| told.severity != Severity::Error)
}

/// Files that every version refuses for what only the code of a task, a trigger or a condition knows: which types and
/// properties there are.
const NEED_TYPES: &[&str] = &[
    "task type unknown",
    "task type plugin unknown",
    "task type is trigger",
    "task type is condition",
    "task type org.kestra",
    "task type core.tasks.scripts.Bash commands",
    "task unknown property",
    "task unknown properties 2",
    "task missing required",
    "nested unknown property",
    "pluginDefaults unknown prop",
    "trigger schedule scheduleConditions",
    "trigger type is task",
    "trigger flow condition unknown",
    "trigger flow condition prop unknown",
    "trigger flow preconditions no id",
    "dag cycle",
    "dag unknown dep",
    "sleep no duration",
];

#[test]
fn a_file_is_refused_where_every_version_refuses_it() {
    let (mut wrong, mut refused, mut taken) = (Vec::new(), 0, 0);
    let files = rows();
    for versions in &files {
        let row = versions.values().next().expect("a version");
        let all = |wanted: bool| versions.values().all(|row| row.accepted == wanted);
        // What only 0.20 takes may be refused: newer ones do.
        let newer = versions.iter().any(|(version, row)| row.accepted && !version.starts_with("0.20"));
        let ours = accepted(&row.yaml);
        let right = if all(false) { false } else if newer { true } else { ours };
        let excused = NEED_TYPES.contains(&row.name.as_str());
        if (ours == right) == excused {
            let told = document::render(&file(&row.yaml).1);
            wrong.push(format!("{}: Kestra says {right} ({}), here it is {ours}\n{}\n{told}", row.name, row.error, row.yaml));
        }
        if all(false) && !ours { refused += 1 } else if newer { taken += 1 }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(refused >= 90 && taken >= 150, "{refused} refused, {taken} taken");
}
