//! Every shipped scenario is sound, says what it shows, validates against the schema, and runs to its golden report.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use std::sync::Arc;

use common::scenario_files;
use mock_kestra::document;
use mock_kestra::random::Seed;
use mock_kestra::run::run;
use mock_kestra::scenario::{NoFiles, Plan, faults_table, read, schema};
use mock_kestra::time::Calendar;

fn plan(path: &std::path::Path) -> Plan {
    let text = std::fs::read_to_string(path).expect("readable");
    let (plan, diagnostics) = read(&path.display().to_string(), &text, &NoFiles);
    assert!(diagnostics.is_empty(), "{}", document::render(&diagnostics));
    plan.expect("a plan")
}

#[test]
fn every_scenario_reads_without_a_word_and_opens_with_what_it_shows() {
    for path in scenario_files() {
        let plan = plan(&path);
        assert_eq!(Some(plan.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()), "name and file");
        assert!(!plan.summary.is_empty(), "{} has a summary", plan.name);
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("# ") && text.contains("# Shows"), "{} opens with a comment", plan.name);
    }
}

#[test]
fn every_scenario_runs_to_its_golden_report() {
    for path in scenario_files() {
        let plan = Arc::new(plan(&path));
        let report = run(&plan, Seed(1), Calendar::default(), None).expect("no limit");
        assert!(!report.failed(), "{}", report.text());
        insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(plan.name.clone(), report.text());
        });
    }
}

#[test]
fn every_scenario_validates_against_the_schema() {
    let validator = jsonschema::validator_for(&schema()).expect("a sound schema");
    for path in scenario_files() {
        let text = std::fs::read_to_string(&path).expect("readable");
        let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {}", path.display(), errors.join("\n"));
        let mut wrong = value.clone();
        wrong["timelime"] = serde_json::json!([]);
        assert!(!validator.is_valid(&wrong), "an unknown key is refused");
    }
}

#[test]
fn readme_has_the_table_of_faults_as_their_rows_tell_it() {
    let readme = include_str!("../README.md");
    let table = faults_table();
    assert!(readme.contains(&table), "README's table of faults should be\n\n{table}");
}

#[test]
fn readme_names_every_scenario_in_its_family() {
    let readme = include_str!("../README.md");
    for path in scenario_files() {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let folder = path.parent().and_then(|folder| folder.file_name()).and_then(|folder| folder.to_str());
        let row = readme
            .lines()
            .find(|line| line.starts_with("| ") && line.contains(&format!("`{name}`,")))
            .or_else(|| readme.lines().find(|line| line.starts_with("| ") && line.contains(&format!("`{name}` |"))));
        let row = row.unwrap_or_else(|| panic!("{name} is in no family of the README"));
        let in_folder = folder == Some("scenarios") || row.starts_with(&format!("| {} |", folder.unwrap_or_default()));
        assert!(in_folder, "{name}: {row}");
    }
}
