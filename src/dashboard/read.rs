//! Reads dashboards: as Grafana exports and stores them, as its API answers with them, and as manifests (`kind: Dashboard`) of
//! the old schema and of the new one (`elements`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ALL, By, Dashboard, From, Panel, Query, Sort, Variable, limits};
use crate::document::{self, Diagnostic, Node, Place, Reading, Source, Value};
use crate::monitor::grafana_interval;
use crate::time::Duration;

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

/// What lies behind some keys, one in the other.
fn deep<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    keys.iter().try_fold(node, |node, key| node.get(key))
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::text)
}

fn is(node: &Node, key: &str) -> bool {
    text(node, key) == Some("true")
}

/// The shortest step that something allows; none where it is left open, or left to a variable.
fn interval(node: &Node) -> Option<Duration> {
    grafana_interval(text(node, "interval")?).ok().filter(|interval| !interval.is_zero())
}

fn items(node: Option<&Node>) -> &[Node] {
    node.map_or(&[], Node::items)
}

/// What to give instead of what is no dashboard.
const EXPORTED: &str = "give the JSON of a dashboard, as Grafana exports it; rules are for `--rules`";

/// Tells of what must be a list and is none.
fn check_lists(node: &Node, reading: &mut Reading) {
    let lists = ["panels", "rows", "variables"].map(|key| (key, node.get(key)));
    for (key, of) in lists.into_iter().filter_map(|(key, of)| Some((key, of?))) {
        reading.list(of, &format!("`{key}`"));
    }
}

fn dashboard(root: &Node, reading: &mut Reading) -> Option<Dashboard> {
    // The API answers with the dashboard beside words about it; a manifest has it behind `spec`.
    let node = root.get("dashboard").or_else(|| root.get("spec")).unwrap_or(root);
    check_lists(node, reading);
    let title = text(node, "title").unwrap_or("without a title").to_owned();
    let (mut panels, mut variables) = match node.get("elements") {
        Some(elements) => {
            let mut repeats = BTreeMap::new();
            node.get("layout").into_iter().for_each(|layout| repeated(layout, None, DEPTH, &mut repeats));
            (of_elements(elements, &repeats), items(node.get("variables")).iter().filter_map(new_variable).collect())
        }
        None if node.get("panels").is_some() || node.get("rows").is_some() => {
            let mut panels = Vec::new();
            of_list(items(node.get("panels")), Row::default(), &mut panels);
            for row in items(node.get("rows")) {
                of_list(items(row.get("panels")), Row::of(row), &mut panels);
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
    let inputs = items(root.get("__inputs"));
    variables.extend(inputs.iter().filter_map(constant));
    ask_others(&mut panels, &data_sources(node, inputs));
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

/// A row: its title, and the variable of whose values it has a copy each.
#[derive(Clone, Default)]
struct Row {
    title: Option<String>,
    repeat: Option<String>,
}

impl Row {
    fn of(node: &Node) -> Row {
        let said = |key: &str| text(node, key).filter(|text| !text.is_empty()).map(str::to_owned);
        Row { title: said("title"), repeat: said("repeat") }
    }
}

/// Panels, and those inside of rows that are folded; a row that is open has its panels behind it.
fn of_list(list: &[Node], mut row: Row, panels: &mut Vec<Panel>) {
    for node in list {
        if text(node, "type") == Some("row") {
            row = Row::of(node);
            of_list(items(node.get("panels")), row.clone(), panels);
        } else {
            panels.push(panel(node, row.clone()));
        }
    }
}

/// How deep layouts may lie in each other.
const DEPTH: usize = 16;

/// The elements of a layout that are repeated, by their keys, each by a variable: its own, or that of what it lies in.
fn repeated<'n>(node: &'n Node, by: Option<&'n str>, depth: usize, found: &mut BTreeMap<&'n str, &'n str>) {
    let Some(spec) = node.get("spec").filter(|_| depth > 0) else { return };
    let by = deep(spec, &["repeat", "value"]).and_then(Node::text).or(by);
    if let (Some(element), Some(by)) = (deep(spec, &["element", "name"]).and_then(Node::text), by) {
        found.insert(element, by);
    }
    let inside = ["items", "rows", "tabs"].into_iter().flat_map(|key| items(spec.get(key)));
    inside.chain(spec.get("layout")).for_each(|inside| repeated(inside, by, depth - 1, found));
}

/// What stands for a data source: the name of a variable, or of an input that is asked for when the file is imported, and the
/// type.
fn data_sources<'n>(node: &'n Node, inputs: &'n [Node]) -> BTreeMap<&'n str, &'n str> {
    let old = items(deep(node, &["templating", "list"])).iter();
    let old = old
        .filter(|it| text(it, "type") == Some("datasource"))
        .filter_map(|it| Some((text(it, "name")?, text(it, "query")?)));
    let new = items(node.get("variables")).iter().filter(|it| text(it, "kind") == Some("DatasourceVariable"));
    let new = new.filter_map(|it| it.get("spec")).filter_map(|it| Some((text(it, "name")?, text(it, "pluginId")?)));
    let inputs = inputs.iter().filter_map(|it| Some((text(it, "name")?, text(it, "pluginId")?)));
    old.chain(new).chain(inputs).collect()
}

/// Tells of queries whose data source is a variable whether somebody else than a Prometheus is asked.
fn ask_others(panels: &mut [Panel], kinds: &BTreeMap<&str, &str>) {
    for panel in panels {
        for query in &mut panel.queries {
            let Some(name) = query.other.as_deref().and_then(|other| other.strip_prefix('$')) else { continue };
            let kind = kinds.get(name.trim_matches(['{', '}'])).filter(|kind| !kind.contains("prometheus"));
            query.other = kind.map(|kind| format!("a data source of the type `{kind}`"));
        }
        panel.queries.retain(|query| query.other.is_some() || !query.text.is_empty());
        if panel.kind != "annotation" && panel.unjudged.as_deref().is_none_or(|why| why.starts_with("it asks ")) {
            panel.unjudged = none_asked(&panel.queries);
        }
    }
}

/// A constant that is asked for when the file is imported: its value is that of the variable of its name.
fn constant(node: &Node) -> Option<Variable> {
    let is_constant = text(node, "type") == Some("constant");
    let value = text(node, "value").filter(|_| is_constant)?;
    Some(Variable {
        name: text(node, "name")?.to_owned(),
        from: From::Text(value.to_owned()),
        multi: false,
        include_all: false,
        all: None,
        current: Vec::new(),
        regex: None,
        sort: None,
        place: node.place.clone(),
    })
}

fn panel(node: &Node, row: Row) -> Panel {
    let source = node.get("datasource");
    let targets = items(node.get("targets")).iter().enumerate();
    let queries = targets.filter_map(|(index, target)| query(target, index, source)).collect::<Vec<Query>>();
    let unjudged = match node.get("libraryPanel") {
        Some(of) => {
            Some(format!("it is the library panel `{}`, which is not in this file", text(of, "name").unwrap_or("?")))
        }
        None => none_asked(&queries),
    };
    Panel {
        title: text(node, "title").filter(|title| !title.is_empty()).unwrap_or("without a title").to_owned(),
        row: row.title,
        kind: text(node, "type").unwrap_or("panel").to_owned(),
        queries,
        repeat: text(node, "repeat").filter(|name| !name.is_empty()).map(str::to_owned).or(row.repeat),
        interval: interval(node),
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
    let source = target.get("datasource").or(of_panel);
    let other = source.and_then(other);
    let expr = target.get("expr").filter(|node| node.text().is_some_and(|text| !text.trim().is_empty()));
    // Who else is asked has questions of another kind.
    let expr = expr.or(other.is_some().then_some(target))?;
    Some(Query {
        name: text(target, "refId").map_or_else(|| letter(index), str::to_owned),
        text: expr.text().unwrap_or_default().to_owned(),
        place: expr.place.clone(),
        hidden: is(target, "hide"),
        instant: is(target, "instant") && !is(target, "range"),
        interval: interval(target),
        other,
    })
}

/// What a panel calls its queries when the file does not say it: A to Z.
fn letter(index: usize) -> String {
    char::from(b'A' + (index % 26) as u8).to_string()
}

/// Who is asked, if that is no Prometheus. One that is known by its name or its uid only is taken for one; a variable stands for
/// itself until it is known what of.
fn other(source: &Node) -> Option<String> {
    let uid = source.text().or_else(|| text(source, "uid"));
    if let Some(variable) = uid.filter(|uid| uid.starts_with('$') && text(source, "type").is_none()) {
        return Some(variable.to_owned());
    }
    let kind = text(source, "type").or_else(|| text(source, "group"));
    match (source.text(), kind) {
        (Some("__expr__"), _) | (_, Some("__expr__")) => {
            Some("an expression of Grafana itself, which is not judged".to_owned())
        }
        (Some("-- Grafana --" | "-- Dashboard --"), _) | (_, Some("datasource" | "grafana")) => {
            Some("Grafana itself".to_owned())
        }
        (_, Some(kind)) if !kind.contains("prometheus") => Some(format!("a data source of the type `{kind}`")),
        _ => None,
    }
}

/// An annotation that asks a Prometheus.
fn annotation(node: &Node) -> Option<Panel> {
    let target = node.get("target").unwrap_or(node);
    let asked = query(target, 0, node.get("datasource"))
        .filter(|it| !it.text.is_empty())
        .filter(|it| it.other.as_deref().is_none_or(|other| other.starts_with('$')))?;
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
    let texts = |node: &Node| node.items().iter().chain([node]).filter_map(Node::text).map(str::to_owned).collect();
    node.map_or_else(Vec::new, texts)
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
    of_parts(node, node, text(node, "type").unwrap_or("query"), node.get("query"))
}

/// A variable of the new schema: `{ kind: QueryVariable, spec: { .. } }`.
fn new_variable(node: &Node) -> Option<Variable> {
    let spec = node.get("spec")?;
    let kind = text(node, "kind").unwrap_or_default();
    let kind = kind.strip_suffix("Variable").unwrap_or(kind).to_lowercase();
    let query = spec.get("query");
    let asked = query.and_then(|it| it.get("spec")).or(query);
    of_parts(node, spec, &kind, asked)
}

fn of_parts(node: &Node, spec: &Node, kind: &str, query: Option<&Node>) -> Option<Variable> {
    let worded = |query: &'_ Node| -> Option<String> {
        let words = query.text().or_else(|| text(query, "query")).or_else(|| text(query, "__legacyStringValue"));
        words.map(str::to_owned)
    };
    let asked = query.and_then(worded).or_else(|| text(spec, "definition").map(str::to_owned)).unwrap_or_default();
    let source = spec.get("datasource").or_else(|| spec.get("query")).and_then(other);
    let current = list_of_texts(deep(spec, &["current", "value"]));
    let from = match kind {
        "query" => source.filter(|it| !it.starts_with('$')).map_or(From::Query(asked), From::Other),
        "custom" if text(spec, "valuesFormat") == Some("json") => From::Listed(listed_as_json(&asked)),
        "custom" => From::Listed(listed(&asked)),
        "constant" => From::Text(asked),
        "textbox" | "text" => From::Text(current.first().filter(|it| !it.is_empty()).cloned().unwrap_or(asked)),
        "switch" => {
            From::Text(text(spec, "current").map(str::to_owned).or(current.first().cloned()).unwrap_or_default())
        }
        "interval" => From::Intervals { values: listed(&asked), auto: auto(spec) },
        "adhoc" => From::Other("a set of ad hoc filters, which are not applied".to_owned()),
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
        sort: text(spec, "sort").filter(|_| kind == "query").and_then(sort),
        place: node.place.clone(),
    })
}

/// What `auto` of an interval comes to: thirty steps, none shorter than ten seconds, if nothing else is said.
fn auto(spec: &Node) -> (u32, Duration) {
    let count = text(spec, "auto_count").or_else(|| text(spec, "autoCount")).and_then(|count| count.parse().ok());
    let least = text(spec, "auto_min").or_else(|| text(spec, "autoMin")).and_then(|least| grafana_interval(least).ok());
    (count.unwrap_or(30), least.unwrap_or(Duration::seconds(10)))
}

/// Values that are written as JSON: texts, or objects with a `value`.
fn listed_as_json(written: &str) -> Vec<String> {
    let Ok(serde_json::Value::Array(items)) = serde_json::from_str(written) else { return Vec::new() };
    let value = |item: &serde_json::Value| item.get("value").unwrap_or(item).as_str().map(str::to_owned);
    items.iter().filter_map(value).collect()
}

/// An order by its number, or by its word of the new schema; natural ones go by the first number.
fn sort(word: &str) -> Option<Sort> {
    let (by, falling) = match word {
        "1" | "alphabeticalAsc" => (By::Text, false),
        "2" | "alphabeticalDesc" => (By::Text, true),
        "3" | "numericalAsc" | "7" | "naturalAsc" => (By::Number, false),
        "4" | "numericalDesc" | "8" | "naturalDesc" => (By::Number, true),
        "5" | "alphabeticalCaseInsensitiveAsc" => (By::AnyCase, false),
        "6" | "alphabeticalCaseInsensitiveDesc" => (By::AnyCase, true),
        _ => return None,
    };
    Some(Sort { by, falling })
}

/// Panels of the new schema, in the order of their keys' appearance.
fn of_elements(elements: &Node, repeats: &BTreeMap<&str, &str>) -> Vec<Panel> {
    let Value::Mapping(entries) = &elements.value else { return Vec::new() };
    let repeated = |entry: &'_ document::Entry| {
        let repeat = repeats.get(entry.key.as_str()).map(|by| (*by).to_owned());
        Some(Panel { repeat, ..element(&entry.value)? })
    };
    entries.iter().filter_map(repeated).collect()
}

fn element(node: &Node) -> Option<Panel> {
    let spec = node.get("spec")?;
    let title = text(spec, "title").filter(|title| !title.is_empty()).unwrap_or("without a title").to_owned();
    let data = deep(spec, &["data", "spec"]);
    let options = data.and_then(|data| data.get("queryOptions"));
    let asked = items(data.and_then(|data| data.get("queries"))).iter().enumerate();
    let queries: Vec<Query> = asked.filter_map(|(index, query)| new_query(query.get("spec")?, index)).collect();
    let unjudged = match text(node, "kind") {
        Some("LibraryPanel") => Some("it is a library panel, which is not in this file".to_owned()),
        _ => none_asked(&queries),
    };
    let shown = spec.get("vizConfig");
    let kind = shown.and_then(|it| text(it, "group").or_else(|| text(it, "kind"))).unwrap_or("panel").to_owned();
    let defaults = shown.and_then(|it| deep(it, &["spec", "fieldConfig", "defaults"]));
    Some(Panel {
        title,
        row: None,
        kind,
        queries,
        repeat: None,
        interval: options.and_then(interval),
        points: options.and_then(|it| text(it, "maxDataPoints")).and_then(|points| points.parse().ok()),
        unit: defaults.and_then(|it| text(it, "unit")).map(str::to_owned),
        unjudged,
        place: node.place.clone(),
    })
}

/// `{ refId, hidden, query: { kind: DataQuery, group: prometheus, spec: { expr, .. } } }`; before Grafana 12.2 the kind itself
/// is that of the data source.
fn new_query(spec: &Node, index: usize) -> Option<Query> {
    let asked = spec.get("query")?;
    let kind = text(asked, "group").or_else(|| text(asked, "kind").filter(|kind| *kind != "DataQuery"));
    let foreign = kind.filter(|kind| !kind.contains("prometheus"));
    let inner = asked.get("spec")?;
    let expr = inner.get("expr");
    let asked = expr.and_then(Node::text).filter(|text| !text.trim().is_empty());
    let asked = asked.or(foreign.is_some().then_some(""))?;
    Some(Query {
        name: text(spec, "refId").map_or_else(|| letter(index), str::to_owned),
        text: asked.to_owned(),
        place: expr.unwrap_or(inner).place.clone(),
        hidden: is(spec, "hidden"),
        instant: is(inner, "instant") && !is(inner, "range"),
        interval: interval(inner),
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
        assert_eq!((asked.points, asked.interval), (Some(100), Some(Duration::minutes(1))));
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
