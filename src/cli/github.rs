//! `--format github`: annotations of GitHub Actions, as workflow commands that point at a line of a file.
//!
//! What a command looks like, and what of it is escaped and how, says GitHub's documentation of workflow commands; the order of
//! the escapes is that of its toolkit (`%` first).

use std::fmt::Write;
use std::path::Path;

use super::print;
use crate::document::{Diagnostic, Place, Severity};

/// Something that is shown beside a line of a file, or beside the whole job.
#[derive(Clone, Debug)]
pub(super) struct Annotation {
    pub(super) severity: Severity,
    pub(super) place: Option<Place>,
    pub(super) title: String,
    pub(super) message: String,
}

impl Annotation {
    /// One that stands nowhere.
    pub(super) fn of_job(severity: Severity, message: &str) -> Annotation {
        Annotation { severity, place: None, title: TITLE.to_owned(), message: message.to_owned() }
    }

    /// What a reader has found.
    pub(super) fn of(diagnostic: &Diagnostic) -> Annotation {
        let Diagnostic { severity, place, what, advice, .. } = diagnostic;
        let advice = advice.as_ref().map(|advice| format!("\n{advice}")).unwrap_or_default();
        Annotation {
            severity: *severity,
            place: Some(place.clone()),
            title: TITLE.to_owned(),
            message: format!("{what}{advice}"),
        }
    }

    /// As a workflow command. Only what lies below the workspace is a file there.
    fn command(&self, workspace: Option<&Path>, here: Option<&Path>) -> String {
        let name = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some((place, file)) = self.place.as_ref().and_then(|it| Some((it, file(it, workspace, here)?))) {
            let (line, column) = place.line_and_column();
            let (_, last) =
                Place { range: place.first_line().range.end..place.range.end, ..place.clone() }.line_and_column();
            properties.push(format!("file={}", property(&file)));
            properties.push(format!("line={line},endLine={line},col={column},endColumn={}", last.max(column)));
        }
        properties.push(format!("title={}", property(&self.title)));
        format!("::{name} {}::{}", properties.join(","), data(&self.message))
    }
}

/// What annotations are headed with.
const TITLE: &str = "mock-kestra";

/// The file of a place as GitHub knows it; none when it is none of this machine: what ships has no file.
fn file(place: &Place, workspace: Option<&Path>, here: Option<&Path>) -> Option<String> {
    let path = Path::new(&place.source.name);
    if !path.is_file() {
        return None;
    }
    let (Some(workspace), Some(here)) = (workspace, here) else { return Some(place.source.name.clone()) };
    let whole = here.join(path);
    let whole = whole.canonicalize().unwrap_or(whole);
    let below = whole.strip_prefix(workspace.canonicalize().as_deref().unwrap_or(workspace)).ok();
    Some(below.map_or_else(|| place.source.name.clone(), |path| path.display().to_string()))
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Prints a report, in which nothing is taken for a command, and then the annotations: errors first, as GitHub shows only ten of
/// each kind for a step.
pub(super) fn tell(report: &str, annotations: &[Annotation]) {
    let mut out = String::new();
    if !report.is_empty() {
        // Names in a report come from files that others wrote: until this word comes back nothing is a command.
        let word = word();
        let _ = write!(out, "::stop-commands::{word}\n{}\n::{word}::\n", report.trim_end());
    }
    let workspace = std::env::var_os("GITHUB_WORKSPACE");
    let here = std::env::current_dir().ok();
    let mut sorted: Vec<&Annotation> = annotations.iter().collect();
    sorted.sort_by_key(|it| it.severity);
    for annotation in sorted {
        let _ = writeln!(out, "{}", annotation.command(workspace.as_deref().map(Path::new), here.as_deref()));
    }
    print(&out);
}

/// A word that nobody can have guessed.
fn word() -> String {
    use rand::TryRng;
    use rand::rngs::SysRng;
    let drawn = [SysRng.try_next_u64(), SysRng.try_next_u64()];
    // Without chance from the system there is still one for each process.
    let parts = drawn.map(|part| part.unwrap_or_else(|_| u64::from(std::process::id())));
    format!("mock-kestra-{:016x}{:016x}", parts[0], parts[1])
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test that cannot go on panics")]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::Source;

    #[test]
    fn a_command_escapes_what_would_end_it() {
        assert_eq!(data("50 %\r\nof a:b,c"), "50 %25%0D%0Aof a:b,c");
        assert_eq!(property("50 %\nof a:b,c"), "50 %25%0Aof a%3Ab%2Cc");
        let told = Annotation::of_job(Severity::Error, "a\n::error::b");
        assert_eq!(told.command(None, None), "::error title=mock-kestra::a%0A::error::b");
    }

    #[test]
    fn a_place_is_a_line_of_a_file_of_the_workspace_and_what_ships_has_none() {
        let folder = std::env::temp_dir().join(format!("mock-kestra-github-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deep")).expect("a folder");
        let name = folder.join("deep/a,b.yml").display().to_string();
        std::fs::write(&name, "x: 1\ny: dürr\n").expect("written");
        let source = |name: &str| Arc::new(Source { name: name.to_owned(), text: "x: 1\ny: dürr\n".to_owned() });
        let told = |name: &str| Annotation {
            place: Some(Place { source: source(name), range: 8..13 }),
            ..Annotation::of_job(Severity::Warning, "m")
        };
        let here = folder.join("deep");
        assert_eq!(
            told(&name).command(Some(&folder), Some(&here)),
            "::warning file=deep/a%2Cb.yml,line=2,endLine=2,col=4,endColumn=8,title=mock-kestra::m"
        );
        assert_eq!(told("worker-killed.yaml").command(Some(&folder), Some(&here)), "::warning title=mock-kestra::m");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
