//! What came of it, for people, for servers that collect test results, and for the summary of a job.

use std::fmt::Write;

use indexmap::IndexMap;

use super::{Area, Contract, Difference, Kind, RulesReport, ServerLine, Standing};
use crate::report::junit::{Case, HEAD, TAIL, suite};
use crate::report::markdown_cell;
use crate::time::Duration;

impl Kind {
    /// As a word.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Version => "version",
            Kind::Renamed => "renamed",
            Kind::Lacks => "lacks",
            Kind::More => "more",
            Kind::Type => "type",
            Kind::Help => "help",
            Kind::Labels => "labels",
            Kind::Values => "values",
            Kind::Status => "status",
            Kind::Shape => "shape",
        }
    }
}

/// Who was asked.
fn asked(servers: &[ServerLine], out: &mut String) {
    for server in servers {
        let version = server.version.as_deref().unwrap_or("of a version that it does not tell");
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}: {}, Kestra {version}", server.url, server.role.unwrap_or("role unknown"));
    }
}

impl Difference {
    /// What is to be said of it, in one line; where, unless it is everywhere.
    pub fn line(&self, servers: usize) -> String {
        let on = match self.on.len() < servers {
            true => format!("  ({})", self.on.join(", ")),
            false => String::new(),
        };
        let allowed = if self.allowed { "  [allowed]" } else { "" };
        format!("{}  {}{on}{allowed}", self.subject, self.told)
    }
}

impl Contract {
    /// Differences that count, and that do not.
    fn counts(&self) -> (usize, usize) {
        let allowed = self.differences.iter().filter(|it| it.allowed).count();
        (self.differences.len() - allowed, allowed)
    }

    /// In one line.
    pub fn total(&self) -> String {
        let (count, allowed) = self.counts();
        let differences = match count {
            0 => "no difference".to_owned(),
            1 => "1 difference".to_owned(),
            count => format!("{count} differences"),
        };
        let allowed = if allowed > 0 { format!(" and {allowed} that are allowed") } else { String::new() };
        let (families, endpoints) = (self.families.len(), self.endpoints.len());
        format!(
            "{families} families and {endpoints} endpoints held against Kestra {}: {differences}{allowed}",
            self.kestra
        )
    }

    /// For people; `all` names what has not been seen yet, too.
    pub fn text(&self, all: bool) -> String {
        let mut out = String::new();
        asked(&self.servers, &mut out);
        for (area, title) in [(Area::Server, "Servers"), (Area::Family, "Families"), (Area::Endpoint, "Endpoints")] {
            let of_area: Vec<&Difference> = self.differences.iter().filter(|it| it.area == area).collect();
            if of_area.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n{title}");
            for it in of_area {
                let _ = writeln!(out, "  {:<8} {}", it.kind.name(), it.line(self.servers.len()));
            }
        }
        if !self.notes.is_empty() {
            out += "\nNotes\n";
        }
        for note in &self.notes {
            let _ = writeln!(out, "  {note}");
        }
        for (names, what) in [
            (&self.unseen, "not seen yet, which an event brings"),
            (&self.unjudged, "not judged, which are those of plugins"),
        ] {
            match (names.len(), all) {
                (0, _) => {}
                (count, false) => _ = writeln!(out, "\nFamilies {what}: {count} (--all names them)"),
                (count, true) => _ = writeln!(out, "\nFamilies {what}: {count}\n  {}", names.join("\n  ")),
            }
        }
        let _ = writeln!(out, "\n{}", self.total());
        out
    }

    /// As JUnit's XML: a case for each family and each endpoint.
    pub fn junit(&self) -> String {
        let mut out = HEAD.to_owned();
        for (area, name, compared) in [
            (Area::Server, "servers", &[][..]),
            (Area::Family, "families", &self.families[..]),
            (Area::Endpoint, "endpoints", &self.endpoints[..]),
        ] {
            let mut subjects: IndexMap<&str, Vec<&Difference>> =
                compared.iter().map(|subject| (subject.as_str(), Vec::new())).collect();
            for it in self.differences.iter().filter(|it| it.area == area) {
                subjects.entry(&it.subject).or_default().push(it);
            }
            let mut cases: Vec<Case<'_>> = subjects.iter().map(|(subject, of_it)| case(subject, of_it)).collect();
            if area == Area::Family {
                let seen = "it comes with its first event, and was not seen yet";
                let unseen = self.unseen.iter().map(|name| Case { name, met: None, seen: seen.to_owned() });
                cases.extend(unseen);
            }
            if !cases.is_empty() {
                out += &suite(&format!("Kestra {} {name}", self.kestra), Duration::ZERO, &cases);
            }
        }
        out + TAIL
    }

    /// As Markdown, for the summary of a job.
    pub fn markdown(&self) -> String {
        let mut out = format!("**{}**\n", markdown_cell(&self.total()));
        if !self.differences.is_empty() {
            out += "\n| | what | difference | where |\n|-|-|-|-|\n";
        }
        for it in &self.differences {
            let allowed = if it.allowed { " (allowed)" } else { "" };
            let cells = [&format!("{}{allowed}", it.kind.name()), &it.subject, &it.told, &it.on.join(", ")];
            let _ = writeln!(out, "| {} |", cells.map(|cell| markdown_cell(cell)).join(" | "));
        }
        out
    }
}

/// How a subject stands.
fn case<'r>(subject: &'r str, differences: &[&Difference]) -> Case<'r> {
    let seen: Vec<String> =
        differences.iter().map(|it| format!("{}: {} ({})", it.kind.name(), it.told, it.on.join(", "))).collect();
    let met = match (differences.iter().any(|it| !it.allowed), seen.is_empty()) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    };
    Case { name: subject, met, seen: seen.join("; ") }
}

/// Rules of a standing are told one by one, under these words.
const TOLD: &[(Standing, &str)] = &[
    (Standing::Quiet, "Quiet: they never have a value here"),
    (Standing::Always, "For ever: what they take for missing is not here"),
    (Standing::Partly, "In part: a part of them never has a value here"),
    (Standing::Waits, "Later: what they select was not seen yet"),
    (Standing::Unjudged, "Not judged: they ask for nothing that Kestra exposes itself"),
];

impl RulesReport {
    /// In one line.
    pub fn total(&self) -> String {
        let count = |standing| self.count(standing);
        format!(
            "{} rules: {} would go quiet, {} would hold for ever, {} in part; {} are well, {} wait for a first event, {} not judged",
            self.rules.len(),
            count(Standing::Quiet),
            count(Standing::Always),
            count(Standing::Partly),
            count(Standing::Well),
            count(Standing::Waits),
            count(Standing::Unjudged),
        )
    }

    /// For people; without `all` rules that wait and that are not judged are only named.
    pub fn text(&self, all: bool) -> String {
        let mut out = String::new();
        asked(&self.servers, &mut out);
        for (standing, title) in TOLD {
            let rules: Vec<_> = self.rules.iter().filter(|rule| rule.standing == *standing).collect();
            if rules.is_empty() {
                continue;
            }
            let _ = writeln!(out, "\n{title}");
            if matches!(standing, Standing::Waits | Standing::Unjudged) && !all {
                let names: Vec<&str> = rules.iter().map(|rule| rule.rule.as_str()).collect();
                let _ = writeln!(out, "  {}", names.join(", "));
                continue;
            }
            for rule in rules {
                let allowed = if rule.allowed { "  [allowed]" } else { "" };
                let _ = writeln!(out, "  {} ({}): {}{allowed}", rule.rule, rule.group, rule.told);
            }
        }
        let _ = writeln!(out, "\n{}", self.total());
        out
    }

    /// As JUnit's XML: a case for each rule.
    pub fn junit(&self) -> String {
        let cases: Vec<Case<'_>> = self
            .rules
            .iter()
            .map(|rule| Case {
                name: &rule.rule,
                met: match rule.standing {
                    Standing::Quiet | Standing::Always if !rule.allowed => Some(false),
                    Standing::Quiet | Standing::Always | Standing::Waits | Standing::Unjudged => None,
                    Standing::Partly | Standing::Well => Some(true),
                },
                seen: format!("{}: {}", rule.standing.name(), rule.told).trim_end_matches(": ").to_owned(),
            })
            .collect();
        format!("{HEAD}{}{TAIL}", suite("rules", Duration::ZERO, &cases))
    }

    /// As Markdown, for the summary of a job.
    pub fn markdown(&self) -> String {
        let mut out = format!("**{}**\n", markdown_cell(&self.total()));
        let told = [Standing::Quiet, Standing::Always, Standing::Partly];
        let mut rules = self.rules.iter().filter(|rule| told.contains(&rule.standing)).peekable();
        if rules.peek().is_some() {
            out += "\n| | rule | group | why |\n|-|-|-|-|\n";
        }
        for rule in rules {
            let cells = [rule.standing.name(), &rule.rule, &rule.group, &rule.told];
            let _ = writeln!(out, "| {} |", cells.map(markdown_cell).join(" | "));
        }
        out
    }
}
