//! The page of the control port in a real Chromium: `tests/page/page.test.mjs`.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the packages are that a browser is driven with; a script finds those that lie beside it.
fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/page")
}

/// Runs Node where the packages are, with the scripts of the repository beside them.
fn node(arguments: &[&str]) -> String {
    let (root, peers) = (Path::new(env!("CARGO_MANIFEST_DIR")), peers());
    assert!(peers.join("node_modules").exists(), "{} is not there; .ci/page installs it", peers.display());
    for script in ["mock.mjs", "page.test.mjs", "screenshot.mjs"] {
        std::fs::copy(root.join("tests/page").join(script), peers.join(script)).expect("a script");
    }
    let output = Command::new("node")
        .args(arguments)
        .current_dir(&peers)
        .env("MOCK_KESTRA", env!("CARGO_BIN_EXE_mock-kestra"))
        .env("RULES", root.join("scenarios/rules/kestra.yml"))
        .env("DASHBOARD", root.join("scenarios/dashboards/overview.json"))
        .output()
        .expect("node is there; .ci/page installs it");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    told
}

#[test]
#[ignore = "needs Chromium and Node: .ci/page"]
fn the_page_does_what_it_says_in_a_browser() {
    let told = node(&["--test", "page.test.mjs"]);
    let passed = told.lines().find_map(|line| line.strip_prefix("# pass ")).expect("how many passed");
    assert!(passed.parse::<u32>().is_ok_and(|passed| passed >= 16), "{told}");
}

/// The README's pictures can be made anew: each is a PNG of the size that is shown, and no larger than it may be.
#[test]
#[ignore = "needs Chromium and Node: .ci/page"]
fn the_pictures_of_the_readme_are_made_by_a_script() {
    for kind in ["page", "dashboard"] {
        let name = format!("{kind}.png");
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        node(&["screenshot.mjs", kind, made.to_str().expect("text")]);
        let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/screenshots").join(name);
        let size = |path: &Path| {
            let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let fits = bytes.starts_with(b"\x89PNG") && bytes.len() <= 200_000;
            assert!(fits, "{}: {} bytes", path.display(), bytes.len());
            // Width and height stand first in a PNG.
            bytes.get(16..24).map(<[u8]>::to_vec)
        };
        assert_eq!(size(&made), size(&shown));
    }
}
