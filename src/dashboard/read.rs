//! Reads dashboards: as Grafana exports and stores them, as its API answers with them, and as manifests (`kind: Dashboard`) of
//! the old schema and of the new one (`elements`).

use std::sync::Arc;

use super::{ALL, Dashboard, From, Panel, Query, Variable, limits};
use crate::document::{self, Diagnostic, Node, Place, Reading, Source, Value};

/// Reads a dashboard. Without one the diagnostics say why.
pub fn read(source: &Arc<Source>) -> (Option<Dashboard>, Vec<Diagnostic>) {
    let mut reading = Reading::default();
    if source.text.trim().is_empty() {
        reading.error(&Place { source: source.clone(), range: 0..0 }, "the file is empty", EXPORTED);
        return (None, reading.finish());
    }
    let (root, told) = document::parse(source);
    reading.extend(told);
    let Some(root) = root else { return (None, reading.finish()) };
    let dashboard = dashboard(&root, &mut reading).filter(|_| !reading.failed());
    (dashboard, reading.finish())
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Mapping(entries) = &node.value else { return None };
    let found = entries.iter().find(|entry| entry.key == key)?;
    Some(&found.value).filter(|node| node.value != Value::Null)
}

/// What lies behind some keys, one in the other.
fn deep<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    keys.iter().try_fold(node, |node, key| get(node, key))
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &get(node, key)?.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

fn is(node: &Node, key: &str) -> bool {
    text(node, key) == Some("true")
}

fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.value) {
        Some(Value::Sequence(items)) => items,
        _ => &[],
    }
}

/// What to give instead of what is no dashboard.
const EXPORTED: &str = "give the JSON of a dashboard, as Grafana exports it; rules are for `--rules`";

/// Tells of what must be a list and is none.
fn check_lists(node: &Node, reading: &mut Reading) {
    let lists = ["panels", "rows", "variables"].map(|key| (key, get(node, key)));
    for (key, of) in lists.into_iter().filter_map(|(key, of)| Some((key, of?))) {
        reading.list(of, &format!("`{key}`"));
    }
}

fn dashboard(root: &Node, reading: &mut Reading) -> Option<Dashboard> {
    // The API answers with the dashboard beside words about it; a manifest has it behind `spec`.
    let node = get(root, "dashboard").or_else(|| get(root, "spec")).unwrap_or(root);
    check_lists(node, reading);
    let title = text(node, "title").unwrap_or("without a title").to_owned();
    let (panels, variables) = match get(node, "elements") {
        Some(elements) => {
            (of_elements(elements), items(get(node, "variables")).iter().filter_map(new_variable).collect())
        }
        None if get(node, "panels").is_some() || get(node, "rows").is_some() => {
            let mut panels = Vec::new();
            of_list(items(get(node, "panels")), None, &mut panels);
            for row in items(get(node, "rows")) {
                of_list(items(get(row, "panels")), text(row, "title"), &mut panels);
            }
            panels.extend(items(deep(node, &["annotations", "list"])).iter().filter_map(annotation));
            (panels, items(deep(node, &["templating", "list"])).iter().filter_map(variable).collect::<Vec<Variable>>())
        }
        None => {
            let what = "this is no dashboard: it has neither `panels` nor `elements`";
            reading.error(&root.place.first_line(), what, EXPORTED);
            return None;
        }
    };
    for (what, count, most) in
        [("panels", panels.len(), limits::PANELS), ("variables", variables.len(), limits::VARIABLES)]
    {
        if count > most {
            reading.error(
                &root.place.first_line(),
                format!("it has {count} {what}"),
                format!("at most {most} are read"),
            );
        }
    }
    for panel in panels.iter().filter(|panel| panel.queries.len() > limits::QUERIES) {
        let advice = format!("at most {} are read", limits::QUERIES);
        reading.error(&panel.place.first_line(), format!("it has {} queries", panel.queries.len()), advice);
    }
    Some(Dashboard { title, panels, variables })
}

/// Panels, and those inside of rows that are folded; a row that is open has its panels behind it.
fn of_list(list: &[Node], row: Option<&str>, panels: &mut Vec<Panel>) {
    let mut row = row.map(str::to_owned);
    for node in list {
        if text(node, "type") == Some("row") {
            row = text(node, "title").filter(|title| !title.is_empty()).map(str::to_owned);
            of_list(items(get(node, "panels")), row.as_deref(), panels);
        } else {
            panels.push(panel(node, row.clone()));
        }
    }
}

fn panel(node: &Node, row: Option<String>) -> Panel {
    let source = get(node, "datasource");
    let targets = items(get(node, "targets")).iter().enumerate();
    let queries = targets.filter_map(|(index, target)| query(target, index, source)).collect::<Vec<Query>>();
    let unjudged = match get(node, "libraryPanel") {
        Some(of) => {
            Some(format!("it is the library panel `{}`, which is not in this file", text(of, "name").unwrap_or("?")))
        }
        None => none_asked(&queries),
    };
    Panel {
        title: text(node, "title").filter(|title| !title.is_empty()).unwrap_or("without a title").to_owned(),
        row,
        kind: text(node, "type").unwrap_or("panel").to_owned(),
        queries,
        repeat: text(node, "repeat").filter(|name| !name.is_empty()).map(str::to_owned),
        interval: text(node, "interval").filter(|it| !it.is_empty()).map(str::to_owned),
        points: text(node, "maxDataPoints").and_then(|points| points.parse().ok()),
        unit: deep(node, &["fieldConfig", "defaults"]).and_then(|it| text(it, "unit")).map(str::to_owned),
        unjudged,
        place: node.place.clone(),
    }
}

/// Why a panel with these queries is not judged.
fn none_asked(queries: &[Query]) -> Option<String> {
    if queries.is_empty() {
        return Some("it asks nothing".to_owned());
    }
    let asked = queries.iter().any(|query| !query.hidden && query.other.is_none());
    let other = queries.iter().find_map(|query| query.other.as_deref());
    match (asked, other) {
        (true, _) => None,
        (false, Some(other)) => Some(format!("it asks {other}")),
        (false, None) => Some("its queries are switched off".to_owned()),
    }
}

fn query(target: &Node, index: usize, of_panel: Option<&Node>) -> Option<Query> {
    let source = get(target, "datasource").or(of_panel);
    let other = source.and_then(|source| other(source, of_panel));
    let expr = get(target, "expr");
    let text_of = |node: &Node| matches!(&node.value, Value::Scalar { text, .. } if !text.trim().is_empty());
    let expr = match (expr.filter(|node| text_of(node)), &other) {
        (Some(expr), _) => expr,
        // Who else is asked has questions of another kind.
        (None, Some(_)) => target,
        (None, None) => return None,
    };
    Some(Query {
        name: text(target, "refId").map_or_else(|| letter(index), str::to_owned),
        text: match &expr.value {
            Value::Scalar { text, .. } => text.clone(),
            _ => String::new(),
        },
        place: expr.place.clone(),
        hidden: is(target, "hide"),
        instant: is(target, "instant") && !is(target, "range"),
        interval: text(target, "interval").filter(|it| !it.is_empty()).map(str::to_owned),
        other,
    })
}

/// What a panel calls its queries when the file does not say it: A to Z.
fn letter(index: usize) -> String {
    char::from(b'A' + (index % 26) as u8).to_string()
}

/// Who is asked, if that is no Prometheus. One that is known by its name or its uid only is taken for one.
fn other(source: &Node, of_panel: Option<&Node>) -> Option<String> {
    let kind = match &source.value {
        Value::Scalar { text, .. } => return mixed_or_grafana(text, of_panel),
        _ => text(source, "type").or_else(|| text(source, "group")).unwrap_or("prometheus"),
    };
    match kind {
        kind if kind.contains("prometheus") => None,
        "__expr__" => Some("an expression of Grafana itself, which is not judged".to_owned()),
        "datasource" | "grafana" => Some("Grafana itself".to_owned()),
        other => Some(format!("a data source of the type `{other}`")),
    }
}

fn mixed_or_grafana(name: &str, _: Option<&Node>) -> Option<String> {
    match name {
        "-- Grafana --" | "-- Dashboard --" => Some("Grafana itself".to_owned()),
        "__expr__" => Some("an expression of Grafana itself, which is not judged".to_owned()),
        _ => None,
    }
}

/// An annotation that asks a Prometheus.
fn annotation(node: &Node) -> Option<Panel> {
    let target = get(node, "target").unwrap_or(node);
    let asked =
        query(target, 0, get(node, "datasource")).filter(|query| query.other.is_none() && !query.text.is_empty())?;
    let name = text(node, "name").unwrap_or("without a name");
    let off = text(node, "enable") == Some("false");
    Some(Panel {
        title: format!("annotation {name}"),
        row: None,
        kind: "annotation".to_owned(),
        queries: vec![Query { hidden: off, ..asked }],
        repeat: None,
        interval: None,
        points: None,
        unit: None,
        unjudged: off.then(|| "it is switched off".to_owned()),
        place: node.place.clone(),
    })
}

fn list_of_texts(node: Option<&Node>) -> Vec<String> {
    let of = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    };
    match node {
        Some(Node { value: Value::Sequence(all), .. }) => all.iter().filter_map(of).collect(),
        Some(node) => of(node).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The values of a list that is written as one text: `a, b : c, d\,e`.
fn listed(text: &str) -> Vec<String> {
    let (mut all, mut one, mut signs) = (Vec::new(), String::new(), text.chars().peekable());
    while let Some(sign) = signs.next() {
        match sign {
            '\\' if signs.peek() == Some(&',') => {
                one.push(',');
                signs.next();
            }
            ',' => all.push(std::mem::take(&mut one)),
            sign => one.push(sign),
        }
    }
    all.push(one);
    // `text : value` shows the text and takes the value.
    let value =
        |one: String| one.split_once(" : ").map_or_else(|| one.trim().to_owned(), |(_, it)| it.trim().to_owned());
    all.into_iter().map(value).filter(|value| !value.is_empty()).collect()
}

fn variable(node: &Node) -> Option<Variable> {
    of_parts(node, node, text(node, "type").unwrap_or("query"), get(node, "query"))
}

/// A variable of the new schema: `{ kind: QueryVariable, spec: { .. } }`.
fn new_variable(node: &Node) -> Option<Variable> {
    let spec = get(node, "spec")?;
    let kind = text(node, "kind").unwrap_or_default();
    let kind = kind.strip_suffix("Variable").unwrap_or(kind).to_lowercase();
    let query = get(spec, "query");
    let asked = query.and_then(|it| get(it, "spec")).or(query);
    of_parts(node, spec, &kind, asked)
}

fn of_parts(node: &Node, spec: &Node, kind: &str, query: Option<&Node>) -> Option<Variable> {
    let asked = match query {
        Some(Node { value: Value::Scalar { text, .. }, .. }) => Some(text.as_str()),
        Some(query) => text(query, "query").or_else(|| text(query, "__legacyStringValue")),
        None => None,
    };
    let asked = asked.or_else(|| text(spec, "definition")).unwrap_or_default().to_owned();
    let source = get(spec, "datasource").or_else(|| get(spec, "query")).and_then(|it| other(it, None));
    let current = list_of_texts(deep(spec, &["current", "value"]));
    let from = match kind {
        "query" => source.map_or(From::Query(asked), From::Other),
        "custom" => From::Listed(listed(&asked)),
        "constant" => From::Text(asked),
        "textbox" | "text" => From::Text(current.first().cloned().unwrap_or(asked)),
        "interval" => From::Intervals(listed(&asked)),
        "datasource" => From::Source,
        other => From::Other(format!("a variable of the type `{other}`")),
    };
    Some(Variable {
        name: text(spec, "name")?.to_owned(),
        from,
        multi: is(spec, "multi"),
        include_all: is(spec, "includeAll"),
        all: text(spec, "allValue").filter(|all| !all.is_empty()).map(str::to_owned),
        current: if current.iter().any(|value| value == ALL) { vec![ALL.to_owned()] } else { current },
        regex: text(spec, "regex").filter(|regex| !regex.is_empty()).map(str::to_owned),
        place: node.place.clone(),
    })
}

/// Panels of the new schema, in the order of their keys' appearance.
fn of_elements(elements: &Node) -> Vec<Panel> {
    let Value::Mapping(entries) = &elements.value else { return Vec::new() };
    entries.iter().filter_map(|entry| element(&entry.value)).collect()
}

fn element(node: &Node) -> Option<Panel> {
    let spec = get(node, "spec")?;
    let title = text(spec, "title").filter(|title| !title.is_empty()).unwrap_or("without a title").to_owned();
    let data = deep(spec, &["data", "spec"]);
    let options = data.and_then(|data| get(data, "queryOptions"));
    let asked = items(data.and_then(|data| get(data, "queries"))).iter().enumerate();
    let queries: Vec<Query> = asked.filter_map(|(index, query)| new_query(get(query, "spec")?, index)).collect();
    let unjudged = match text(node, "kind") {
        Some("LibraryPanel") => Some("it is a library panel, which is not in this file".to_owned()),
        _ => none_asked(&queries),
    };
    let shown = get(spec, "vizConfig");
    let kind = shown.and_then(|it| text(it, "group").or_else(|| text(it, "kind"))).unwrap_or("panel").to_owned();
    let defaults = shown.and_then(|it| deep(it, &["spec", "fieldConfig", "defaults"]));
    Some(Panel {
        title,
        row: None,
        kind,
        queries,
        repeat: None,
        interval: options.and_then(|it| text(it, "interval")).map(str::to_owned),
        points: options.and_then(|it| text(it, "maxDataPoints")).and_then(|points| points.parse().ok()),
        unit: defaults.and_then(|it| text(it, "unit")).map(str::to_owned),
        unjudged,
        place: node.place.clone(),
    })
}

/// `{ refId, hidden, query: { kind: DataQuery, group: prometheus, spec: { expr, .. } } }`; before Grafana 12.2 the kind itself
/// is that of the data source.
fn new_query(spec: &Node, index: usize) -> Option<Query> {
    let asked = get(spec, "query")?;
    let kind = text(asked, "group").or_else(|| text(asked, "kind").filter(|kind| *kind != "DataQuery"));
    let foreign = kind.filter(|kind| !kind.contains("prometheus"));
    let inner = get(asked, "spec")?;
    let expr = get(inner, "expr");
    let text_of = match expr.map(|it| &it.value) {
        Some(Value::Scalar { text, .. }) if !text.trim().is_empty() => text.clone(),
        _ if foreign.is_some() => String::new(),
        _ => return None,
    };
    Some(Query {
        name: text(spec, "refId").map_or_else(|| letter(index), str::to_owned),
        text: text_of,
        place: expr.unwrap_or(inner).place.clone(),
        hidden: is(spec, "hidden"),
        instant: is(inner, "instant") && !is(inner, "range"),
        interval: text(inner, "interval").filter(|it| !it.is_empty()).map(str::to_owned),
        other: foreign.map(|kind| format!("a data source of the type `{kind}`")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Option<Dashboard>, Vec<Diagnostic>) {
        read(&Arc::new(Source { name: "d.json".to_owned(), text: text.to_owned() }))
    }

    const OLD: &str = r#"{ "title": "T", "templating": { "list": [
        { "name": "instance", "type": "query", "query": { "query": "label_values(up, instance)", "refId": "x" },
          "datasource": { "type": "prometheus", "uid": "u" }, "includeAll": true, "multi": true,
          "current": { "text": "All", "value": ["$__all"] } },
        { "name": "c", "type": "custom", "query": "a, b : c, d\\,e", "current": { "value": "c" } },
        { "name": "ds", "type": "datasource", "query": "prometheus" } ] },
      "annotations": { "list": [ { "name": "Built in", "datasource": "-- Grafana --", "type": "dashboard" },
        { "name": "deploys", "enable": true, "expr": "changes(up[5m])", "datasource": "P" } ] },
      "panels": [ { "type": "row", "title": "R", "collapsed": false, "panels": [] },
        { "type": "stat", "title": "S", "maxDataPoints": 100, "interval": "1m",
          "targets": [ { "refId": "A", "expr": "up", "instant": true }, { "expr": "", "refId": "B" },
            { "refId": "C", "expr": "up", "hide": true }, { "refId": "D", "datasource": { "type": "__expr__" }, "type": "math" } ] },
        { "type": "row", "title": "F", "collapsed": true, "panels": [ { "type": "text", "title": "" } ] },
        { "type": "logs", "title": "L", "datasource": { "type": "loki" }, "targets": [ { "expr": "{a=\"b\"}" } ] } ] }"#;

    #[test]
    fn what_grafana_exports() {
        let (dashboard, told) = of(OLD);
        assert_eq!(told, []);
        let dashboard = dashboard.expect("a dashboard");
        let panels: Vec<(&str, Option<&str>, usize, Option<&str>)> = dashboard
            .panels
            .iter()
            .map(|it| (it.title.as_str(), it.row.as_deref(), it.queries.len(), it.unjudged.as_deref()))
            .collect();
        let expected = [
            ("S", Some("R"), 3, None),
            ("without a title", Some("F"), 0, Some("it asks nothing")),
            ("L", Some("F"), 1, Some("it asks a data source of the type `loki`")),
            ("annotation deploys", None, 1, None),
        ];
        assert_eq!(panels, expected);
        let asked = &dashboard.panels[0];
        assert_eq!((asked.points, asked.interval.as_deref()), (Some(100), Some("1m")));
        let of_query = |it: &Query| (it.name.clone(), it.instant, it.hidden, it.other.is_some());
        let queries: Vec<(String, bool, bool, bool)> = asked.queries.iter().map(of_query).collect();
        let row = |name: &str, instant, hidden, other| (name.to_owned(), instant, hidden, other);
        assert_eq!(queries, [row("A", true, false, false), row("C", false, true, false), row("D", false, false, true)]);
        let variables = &dashboard.variables;
        assert_eq!(variables[0].from, From::Query("label_values(up, instance)".to_owned()));
        assert_eq!((variables[0].multi, variables[0].include_all), (true, true));
        assert_eq!(variables[0].current, [ALL]);
        assert_eq!(variables[1].from, From::Listed(["a", "c", "d,e"].map(str::to_owned).to_vec()));
        assert_eq!(variables[2].from, From::Source);
    }

    #[test]
    fn what_the_api_answers_and_what_manifests_hold() {
        for text in [
            format!("{{ \"meta\": {{}}, \"dashboard\": {OLD} }}"),
            format!(
                "{{ \"kind\": \"Dashboard\", \"apiVersion\": \"dashboard.grafana.app/v1beta1\", \"spec\": {OLD} }}"
            ),
        ] {
            assert_eq!(of(&text).0.expect("a dashboard").panels.len(), 4);
        }
        let new = r#"{ "kind": "Dashboard", "apiVersion": "dashboard.grafana.app/v2beta1", "spec": { "title": "N",
          "variables": [ { "kind": "QueryVariable", "spec": { "name": "job", "includeAll": true,
            "query": { "kind": "DataQuery", "group": "prometheus", "spec": { "__legacyStringValue": "label_values(up, job)" } } } },
            { "kind": "TextVariable", "spec": { "name": "t", "query": "x", "current": { "value": "y" } } } ],
          "elements": { "panel-1": { "kind": "Panel", "spec": { "id": 1, "title": "P",
            "vizConfig": { "kind": "VizConfig", "group": "timeseries" }, "data": { "kind": "QueryGroup", "spec": {
              "queryOptions": { "maxDataPoints": 10 },
              "queries": [ { "kind": "PanelQuery", "spec": { "refId": "A", "hidden": false, "query":
                { "kind": "DataQuery", "group": "prometheus", "spec": { "expr": "up" } } } },
                { "kind": "PanelQuery", "spec": { "refId": "B", "query": { "kind": "loki", "spec": { "expr": "{}" } } } }
              ] } } } } } } }"#;
        let dashboard = of(new).0.expect("a dashboard");
        let panel = &dashboard.panels[0];
        assert_eq!((panel.kind.as_str(), panel.points, panel.unjudged.as_deref()), ("timeseries", Some(10), None));
        assert_eq!((panel.queries[0].text.as_str(), panel.queries[1].other.is_some()), ("up", true));
        assert_eq!(dashboard.variables[0].from, From::Query("label_values(up, job)".to_owned()));
        assert_eq!(dashboard.variables[1].from, From::Text("y".to_owned()));
    }

    #[test]
    fn what_is_no_dashboard_is_told() {
        let (dashboard, told) = of("{ \"groups\": [] }");
        assert!(dashboard.is_none() && told[0].what.contains("no dashboard"), "{told:?}");
        for (text, what) in [("", "the file is empty"), ("{ \"panels\": {} }", "`panels` must be a list")] {
            let (dashboard, told) = of(text);
            assert!(dashboard.is_none() && told[0].what.contains(what), "{told:?}");
        }
        let (dashboard, told) = of("{ \"panels\": [ }");
        assert!(dashboard.is_none() && !told.is_empty());
    }
}
