//! Flows that a version refuses, and files that are none: left out and told, also where a scenario names them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;

use common::server::{run, scratch};

const FLOW: &str = "namespace: company.team\ntasks: [ { id: l, type: io.kestra.plugin.core.log.Log, message: hi } ]\n";

#[test]
fn a_flow_file_that_is_not_utf_8_is_left_out_and_the_others_run() {
    let folder = scratch("flows").parent().expect("a folder").join("bytes");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("good.yml"), format!("id: good\n{FLOW}")).expect("written");
    let mut bytes = format!("id: bad\n{FLOW}# caf").into_bytes();
    bytes.push(0xe9);
    std::fs::write(folder.join("bad.yml"), bytes).expect("written");
    let path = folder.to_str().expect("UTF-8");
    let (code, out, err) = run(&["check", "idle", "--flows", path]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(
        out.contains("company.team.good") && err.contains("bad.yml:4:6") && err.contains("not UTF-8"),
        "{out}{err}"
    );
    assert!(err.contains("bad.yml is left out"), "{err}");
    assert_eq!(run(&["run", "idle", "--flows", path]).0, Some(0));
    // One that is named itself is left out as well, by the command line and by a scenario.
    let bad = folder.join("bad.yml");
    let (code, out, err) = run(&["run", "idle", "--flows", path, "--flows", bad.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.contains("bad.yml:4:6") && err.contains("bad.yml is left out"), "{err}");
    let named = folder.join("named.yaml");
    std::fs::write(&named, "name: x\nduration: 5m\ncluster: { standalone: 1 }\nflows: [ bad.yml, good.yml ]\n")
        .expect("written");
    let (code, out, err) = run(&["run", named.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.contains("bad.yml:4:6") && err.contains("bad.yml is left out"), "{err}");
}

#[test]
fn a_version_that_does_not_take_a_scenario_is_told_with_a_place_and_advice() {
    // 1.3 has no controller, 0.20 no `checks`.
    let file = scratch("roles.yaml");
    let members = "webserver: 1, executor: 1, scheduler: 1, worker: 1, controller: 1";
    let text = format!("name: x\nduration: 5m\nkestra: \"2.0\"\ncluster:\n  members: {{ {members} }}\n");
    std::fs::write(&file, text).expect("written");
    let (code, out, err) = run(&["run", file.to_str().expect("UTF-8"), "--kestra", "1.3"]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(
        err.starts_with("error: --kestra: Kestra 1.3 has no controller, and the scenario x asks for one\n"),
        "{err}"
    );
    assert!(err.contains("roles.yaml:5:66") && err.contains("= help: "), "{err}");
    let file = scratch("checks.yaml");
    let text = "name: x\nduration: 5m\ncluster: { standalone: 1 }\nflows:\n  - id: f\n    namespace: company.team\n\
                \x20   checks: [ { condition: \"{{ true }}\" } ]\n    tasks: [ { id: l, type: a.B } ]\n";
    std::fs::write(&file, text).expect("written");
    let (code, out, err) = run(&["run", file.to_str().expect("UTF-8"), "--kestra", "0.20"]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(err.contains("checks.yaml:5:5") && err.contains("refuses `checks`") && err.contains("= help: "), "{err}");
}

#[test]
fn who_names_a_flow_that_a_version_refuses_is_told_by_which_and_why() {
    let file = scratch("scenario.yaml");
    let folder = file.parent().expect("a folder");
    // 2.0 has no listeners.
    let listens = "listeners: [ { tasks: [ { id: after, type: io.kestra.plugin.core.log.Log, message: hi } ] } ]\n";
    std::fs::write(folder.join("old.yml"), format!("id: old\n{FLOW}{listens}")).expect("written");
    for entry in [
        "commands: [ { at: 1m, execute: old } ]",
        "arrivals: [ { flow: company.team.old, rate: 1/min } ]",
        "behaviour: [ { task: after, duration: 1s } ]",
        "expect: [ { execution: { flow: old, state: SUCCESS } } ]",
    ] {
        let text = format!("name: x\nduration: 5m\ncluster: {{ standalone: 1 }}\nflows: [ old.yml ]\n{entry}\n");
        std::fs::write(&file, text).expect("written");
        let path = file.to_str().expect("UTF-8");
        let (code, out, err) = run(&["test", path, "--kestra", "1.3,2.0"]);
        assert_eq!(code, Some(2), "{entry}: {out}{err}");
        assert!(err.contains("Kestra 2.0 refuses it: ") && err.contains("listeners"), "{entry}: {err}");
        assert!(!err.contains("is no flow of this scenario"), "{entry}: {err}");
    }
}

#[test]
fn what_only_the_version_that_is_asked_for_takes_is_read_with_that() {
    let file = scratch("newer.yaml");
    let folder = file.parent().expect("a folder");
    let newer = "triggers: [ { id: f, type: io.kestra.plugin.core.trigger.Flow, dependsOn: [ { namespace: company.team, flowId: good } ] } ]\n";
    std::fs::write(folder.join("newer.yml"), format!("id: newer\n{FLOW}{newer}")).expect("written");
    std::fs::write(folder.join("good.yml"), format!("id: good\n{FLOW}")).expect("written");
    let text = "name: x\nduration: 5m\ncluster: { standalone: 1 }\nflows: [ good.yml, newer.yml ]\n\
                commands: [ { at: 1m, execute: company.team.newer } ]\n";
    std::fs::write(&file, text).expect("written");
    let path = file.to_str().expect("UTF-8");
    let (code, out, err) = run(&["run", path, "--kestra", "2.0"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, _, err) = run(&["run", path]);
    assert!(code == Some(2) && err.contains("Kestra 1.3 refuses it"), "{err}");
}

#[test]
fn who_names_the_flow_of_a_file_that_is_no_yaml_is_told_of_that_file() {
    let file = scratch("broken.yaml");
    let folder = file.parent().expect("a folder");
    let broken = format!("id: broken # ours\n{FLOW}variables: {{ a: [ }}\n");
    std::fs::write(folder.join("broken-flow.yml"), broken).expect("written");
    std::fs::write(folder.join("other.yml"), format!("id: other\n{FLOW}")).expect("written");
    for entry in [
        "commands: [ { at: 1m, execute: broken } ]",
        "commands: [ { at: 1m, execute: other }, { at: 2m, kill: company.team.broken } ]",
        "arrivals: [ { flow: company.team.broken, rate: 1/min } ]",
    ] {
        let text = format!(
            "name: x\nduration: 5m\ncluster: {{ standalone: 1 }}\nflows: [ broken-flow.yml, other.yml ]\n{entry}\n"
        );
        std::fs::write(&file, text).expect("written");
        let (code, out, err) = run(&["run", file.to_str().expect("UTF-8")]);
        assert_eq!(code, Some(2), "{entry}: {out}{err}");
        let told = "the flow company.team.broken is not there: Kestra 1.3 refuses it: ";
        assert!(err.contains(told) && err.contains("mend ") && err.contains("broken-flow.yml"), "{entry}: {err}");
        assert!(!err.contains("is no flow of this scenario"), "{entry}: {err}");
    }
}
