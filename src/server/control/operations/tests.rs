use super::*;

/// A path as the README writes it.
fn told(operation: &Operation) -> String {
    operation.path.replace("{name}", "NAME").replace("{id}", "ID")
}

fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Delete => "DELETE",
        Verb::Any => "any",
    }
}

/// What is told elsewhere, or by a row of its own.
fn is_apart(operation: &Operation) -> bool {
    matches!(operation.path, "/" | "/page.js" | "/page.css" | "/health") || operation.verb == Verb::Any
}

#[test]
fn the_readme_tells_every_request_and_its_parameters_and_no_others() {
    let readme = include_str!("../../../../README.md");
    let (_, section) = readme.split_once("## The control port").expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let of = |method: &str, path: &str| {
        // Those of one method may share a row: `POST /api/pause`, `/api/resume`.
        let whole = format!("`{method} {path}");
        let ends = |row: &str| row.split_once(&whole).is_some_and(|(_, rest)| rest.starts_with(['`', '?', ' ', '{']));
        rows.iter()
            .find(|row| ends(row) || (row.contains(&format!("`{method} ")) && row.contains(&format!("`{path}`"))))
    };
    for operation in OPERATIONS.iter().filter(|operation| !is_apart(operation)) {
        let (method, path) = (method(operation.verb), told(operation));
        let row = of(method, &path).unwrap_or_else(|| panic!("{method} {path} is in no row"));
        operation.query.iter().for_each(|field| assert!(row.contains(&format!("{}=", field.key)), "{path}: {field:?}"));
    }
    let words = rows.iter().flat_map(|row| row.split('`'));
    for word in words.filter(|word| ["GET /", "POST /", "DELETE /"].iter().any(|it| word.starts_with(it))) {
        let whole = word.split(['?', '{']).next().unwrap_or_default().trim();
        let is = |operation: &Operation| format!("{} {}", method(operation.verb), told(operation)) == whole;
        assert!(OPERATIONS.iter().any(is), "{word} is not there");
    }
}

#[test]
fn each_operation_is_whole() {
    let mut names = std::collections::BTreeSet::new();
    for operation in OPERATIONS {
        assert!(names.insert(operation.name), "two are called {}", operation.name);
        assert!(operation.summary.ends_with('.') && operation.path.starts_with('/'), "{}", operation.name);
        let variables = operation.variables.iter().map(|field| field.key);
        let of_path = operation.path.split(['{', '}']).skip(1).step_by(2).map(|name| name.trim_start_matches('*'));
        assert!(of_path.eq(variables), "{}", operation.path);
        let mut statuses: Vec<u16> = operation.own.iter().map(|told| told.status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        assert_eq!(statuses.len(), operation.own.len(), "{}: a status twice", operation.name);
    }
}
