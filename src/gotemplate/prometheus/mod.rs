//! Templates in labels and annotations, as Prometheus expands them: Go's template language with Prometheus' own functions; and
//! as Grafana does, with its own data and some functions more. A template of Grafana asks nothing, shows `[no value]` for what
//! is not there, and keeps its text when it fails.
//!
//! All actions of the language; the functions are in [`functions`]. What Go refuses when it reads a template is refused when
//! it is read here: such a rule file is refused by Prometheus.

mod asked;
mod functions;

use std::collections::BTreeMap;

use super::parse::{self, Action, Nodes, Operand, Pipeline, Syntax};
use super::run::{Run, Tongue};
use super::{Value, format};
use crate::promql::{Expression, Labels, Vector};

/// Whose template it is: what it can speak of, which functions it has, and what becomes of one that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Prometheus,
    Grafana,
}

impl Dialect {
    /// The variables that are declared before the template begins.
    const fn variables(self) -> &'static [&'static str] {
        match self {
            Dialect::Prometheus => &["$", "$labels", "$externalLabels", "$externalURL", "$value"],
            Dialect::Grafana => &["$", "$labels", "$externalLabels", "$externalURL", "$value", "$values"],
        }
    }
}

/// A template that was read.
#[derive(Clone, Debug)]
pub struct Template {
    dialect: Dialect,
    text: String,
    nodes: Nodes,
    defined: BTreeMap<String, Nodes>,
}

/// What a template can speak of.
pub struct Context<'a> {
    /// `$labels`: those of the series, with its metric name.
    pub labels: &'a Labels,
    /// `$value`.
    pub value: f64,
    /// What templates of Grafana speak of instead.
    pub grafana: Option<&'a GrafanaData>,
    /// `$externalLabels`.
    pub external_labels: &'a [(String, String)],
    /// Answers `query`, at the instant of the evaluation.
    pub query: &'a dyn Fn(&str) -> Result<Vector, String>,
}

/// What templates of Grafana speak of: `Data` in `pkg/services/ngalert/state/template`.
#[derive(Clone, Debug, Default)]
pub struct GrafanaData {
    /// `$labels`: those of the series, and `alertname`, `grafana_folder` and `__alert_rule_uid__`.
    pub labels: BTreeMap<String, String>,
    /// `$values`: what each node of the rule comes to for the series; labels and a value.
    pub values: BTreeMap<String, (BTreeMap<String, String>, f64)>,
    /// `$value`: all of that in one text, or the number of the only query.
    pub value: String,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("labels", self.labels).field("value", &self.value).finish_non_exhaustive()
    }
}

/// A number as Go prints it.
pub(crate) fn go_number(value: f64) -> String {
    format::general(value, None)
}

/// The URL of a Prometheus that was told none.
const EXTERNAL_URL: &str = "http://localhost:9090";
/// The URL of a Grafana that was told none: `root_url`.
const GRAFANA_URL: &str = "http://localhost:3000/";

impl Template {
    /// Reads a template of Prometheus.
    ///
    /// # Errors
    /// What is wrong with it, or which function or variable is not known.
    pub fn parse(text: &str) -> Result<Template, String> {
        Template::read(text, Dialect::Prometheus)
    }

    /// Reads a template of Grafana, which has data and functions of its own.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn of_grafana(text: &str) -> Result<Template, String> {
        Template::read(text, Dialect::Grafana)
    }

    fn read(text: &str, dialect: Dialect) -> Result<Template, String> {
        let known = |name: &str| functions::known(name, dialect);
        let syntax = Syntax { known: &known, variables: dialect.variables(), else_with: true };
        let (nodes, defined) = parse::parse(text, &syntax).map_err(|wrong| wrong.why)?;
        Ok(Template { dialect, text: text.to_owned(), nodes, defined })
    }

    /// Whether it is one of Grafana; of these one that fails keeps its text.
    pub fn is_of_grafana(&self) -> bool {
        self.dialect == Dialect::Grafana
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A text that is kept as it is.
    pub fn verbatim(text: &str) -> Template {
        let (nodes, defined) = (vec![Action::Text(text.to_owned())], BTreeMap::new());
        Template { dialect: Dialect::Prometheus, text: text.to_owned(), nodes, defined }
    }

    /// Whether it is a plain text, without anything to expand or to leave out.
    pub fn is_plain(&self) -> bool {
        match self.nodes.as_slice() {
            [] => self.text.is_empty(),
            [Action::Text(text)] => *text == self.text,
            _ => false,
        }
    }

    /// What it asks with `query`: expressions that read the same series, however texts of labels are put into them; none when
    /// that is only known when it is expanded.
    pub fn asks(&self) -> Option<Vec<Expression>> {
        let texts = asked::by(self.nodes.iter().chain(self.defined.values().flatten()))?;
        texts.iter().map(|text| asked::expression(text)).collect()
    }

    /// Whether all it gives depends on the labels of the series alone, not on its value or on the time.
    pub fn labels_only(&self) -> bool {
        fn pipeline(it: &Pipeline) -> bool {
            it.variable.is_none() && it.commands.iter().flatten().all(operand)
        }
        fn operand(it: &Operand) -> bool {
            match it {
                Operand::Value(_) => true,
                Operand::Function(name) => name != "query",
                Operand::Variable(name, _) => name == "$labels",
                Operand::Dot(_) => false,
                Operand::Pipeline(it, _) => pipeline(it),
            }
        }
        self.nodes.iter().all(|node| match node {
            Action::Text(_) => true,
            Action::Print(it) => pipeline(it),
            _ => false,
        })
    }

    /// Expands it.
    ///
    /// # Errors
    /// What Prometheus or Grafana would call an error of execution.
    pub fn expand(&self, context: &Context<'_>) -> Result<String, String> {
        let start = (&Value::Root, self.variables(context));
        let out = Run::of(&self.nodes, &self.defined, &Speaks { context, dialect: self.dialect }, start, false)?;
        Ok(match self.dialect {
            Dialect::Prometheus => out,
            // Some receivers take `<` for the beginning of a tag.
            Dialect::Grafana => out.replace("<no value>", "[no value]"),
        })
    }

    /// The variables there are at the beginning.
    fn variables(&self, context: &Context<'_>) -> Vec<(String, Value)> {
        let root = ("$".to_owned(), Value::Root);
        let of = |name: &str, field: &str| (name.to_owned(), context.field(self.dialect, field).unwrap_or(Value::Nil));
        match self.dialect {
            Dialect::Prometheus => vec![
                root,
                of("$labels", "Labels"),
                of("$externalLabels", "ExternalLabels"),
                of("$externalURL", "ExternalURL"),
                of("$value", "Value"),
            ],
            Dialect::Grafana => vec![root, of("$labels", "Labels"), of("$values", "Values"), of("$value", "Value")],
        }
    }
}

/// What a template speaks of while it is expanded.
struct Speaks<'a> {
    context: &'a Context<'a>,
    dialect: Dialect,
}

impl Tongue for Speaks<'_> {
    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        functions::call(name, arguments, self.context, self.dialect)
    }

    fn field(&self, of: Value, field: &str, arguments: &[Value]) -> Result<Value, String> {
        if !arguments.is_empty() {
            return Err("can't give argument to non-function".into());
        }
        let none = || format!("can't evaluate field {field}");
        Ok(match (of, field) {
            (Value::Root, name) => self.context.field(self.dialect, name).ok_or_else(none)?,
            // What has no value has no fields with one.
            (Value::Nil, _) => Value::Nil,
            (Value::Nodes(all), name) => match all.get(name) {
                Some((labels, value)) => Value::Node(labels.clone(), *value),
                None => Value::Nil,
            },
            (Value::Node(labels, _), "Labels") => Value::Labels(labels),
            (Value::Node(_, value), "Value") => Value::Float(value),
            (Value::Labels(map), name) => map.get(name).cloned().map_or(Value::Nil, Value::Text),
            // A label that is not there is empty.
            (Value::Map(map), name) => Value::Text(map.get(name).cloned().unwrap_or_default()),
            (Value::Sample(labels, _), "Labels") => Value::Map(labels),
            (Value::Sample(_, value), "Value") => Value::Float(value),
            (Value::Arguments(all), name) => {
                let index = name.strip_prefix("arg").and_then(|index| index.parse::<usize>().ok());
                index.and_then(|index| all.get(index).cloned()).unwrap_or(Value::Nil)
            }
            _ => return Err(none()),
        })
    }
}

impl Context<'_> {
    /// A field of `.` at the outermost.
    fn field(&self, dialect: Dialect, name: &str) -> Option<Value> {
        let none = GrafanaData::default();
        let grafana = self.grafana.unwrap_or(&none);
        Some(match (dialect, name) {
            (Dialect::Prometheus, "Labels") => {
                let labels = self.labels.iter();
                Value::Map(labels.map(|(key, value)| (key.to_string(), value.to_string())).collect())
            }
            (Dialect::Prometheus, "ExternalLabels") => Value::Map(self.external_labels.iter().cloned().collect()),
            (Dialect::Prometheus, "ExternalURL") => Value::Text(EXTERNAL_URL.into()),
            (Dialect::Prometheus, "Value") => Value::Float(self.value),
            (Dialect::Grafana, "Labels") => Value::Labels(grafana.labels.clone()),
            (Dialect::Grafana, "Values") => Value::Nodes(grafana.values.clone()),
            (Dialect::Grafana, "Value") => Value::Text(grafana.value.clone()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str, value: f64) -> String {
        let labels: Labels =
            vec![("instance".into(), "worker-1.example:8081".into()), ("job".into(), "kestra".into())].into();
        let query = |expr: &str| match expr {
            "two" => {
                Ok(vec![(vec![("a".into(), "y".into())].into(), 2.0), (vec![("a".into(), "x".into())].into(), 1.0)])
            }
            "none" => Ok(Vec::new()),
            other => Err(format!("cannot ask {other}")),
        };
        let context = Context {
            labels: &labels,
            value,
            grafana: None,
            external_labels: &[("zone".into(), "eu".into())],
            query: &query,
        };
        Template::parse(text).and_then(|it| it.expand(&context)).unwrap_or_else(|why| format!("ERROR {why}"))
    }

    #[test]
    fn labels_values_and_functions() {
        for (text, value, expected) in [
            ("plain", 1.0, "plain"),
            ("{{ $labels.job }}/{{$labels.none}}/{{ $value }}", 1.5, "kestra//1.5"),
            ("{{ .Labels.job }} {{ .Value }} {{ $externalLabels.zone }}", 2.0, "kestra 2 eu"),
            ("{{ $value }}", 1e6, "1e+06"),
            ("{{ $value }}", 123456.0, "123456"),
            ("{{ $value }}", 1_234_567.0, "1.234567e+06"),
            ("{{ $value }}", 0.00001, "1e-05"),
            ("{{ $value }}", f64::INFINITY, "+Inf"),
            ("{{ $value | humanize }}", 1_234_567.0, "1.235M"),
            ("{{ humanize $value }}", 0.00012, "120u"),
            ("{{ humanize1024 $value }}", 1_048_576.0, "1Mi"),
            ("{{ humanizeDuration $value }}", 93_784.5, "1d 2h 3m 4s"),
            ("{{ humanizeDuration $value }}", 0.25, "250ms"),
            ("{{ humanizeDuration $value }}", 12.345_6, "12.35s"),
            ("{{ $value | humanizePercentage }}", 0.12345, "12.35%"),
            ("{{ $value | humanizeTimestamp }}", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
            ("{{ printf \"%.2f and %5d|%-5s|%q\" $value 42 \"x\" \"y\" }}", 2.0, "2.00 and    42|x    |\"y\""),
            ("{{ $value | printf \"%.1f%%\" }}", 12.34, "12.3%"),
            ("{{ printf \"%d\" $value }}", 1.5, "%!d(float64=1.5)"),
            (
                "{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}",
                0.0,
                "worker-1.example worker-1:8081",
            ),
            ("{{ title \"ab cd\" }} {{ toUpper \"x\" }} {{ \"Y\" | toLower }}", 0.0, "Ab Cd X y"),
            ("{{ reReplaceAll \"(.*)-1.*\" \"$1\" $labels.instance }}", 0.0, "worker"),
            ("{{ if match \"^w\" $labels.instance }}yes{{ else }}no{{ end }}", 0.0, "yes"),
            ("{{ if gt $value 2.0 }}a{{ else if gt $value 1.0 }}b{{ else }}c{{ end }}", 1.5, "b"),
            ("{{ if and (eq $labels.job \"kestra\") (not false) }}y{{ end }}", 0.0, "y"),
            ("a {{- /* nothing */ -}} b", 0.0, "ab"),
            ("{{ $x := 3 }}{{ $x = 4 }}{{ $x }}", 0.0, "4"),
            ("{{ range query \"two\" }}{{ .Labels.a }}={{ .Value }};{{ end }}", 0.0, "y=2;x=1;"),
            (
                "{{ range $i, $s := query \"two\" | sortByLabel \"a\" }}{{ $i }}{{ $s.Labels.a }} {{ end }}",
                0.0,
                "0x 1y ",
            ),
            ("{{ query \"two\" | first | value }}{{ query \"two\" | first | label \"a\" }}", 0.0, "2y"),
            ("{{ with query \"none\" }}some{{ else }}none{{ end }}", 0.0, "none"),
            ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" \"x\" }}", 0.0, "<x>"),
            ("{{ len $labels.job }} {{ index $labels \"job\" }}", 0.0, "6 kestra"),
            ("{{ parseDuration \"1m30s\" }}", 0.0, "90"),
            ("{{ `raw` }}{{ \"q\\\"q\" }}", 0.0, "rawq\"q"),
        ] {
            assert_eq!(expand(text, value), expected, "{text}");
        }
    }

    #[test]
    fn a_template_that_would_grow_without_a_bound_is_refused_by_a_named_limit() {
        let begin = "{{ $a := \"xxxxxxxxxxxxxxxx\" }}";
        let grown = |step: &str| format!("{begin}{}{{{{ $a }}}}", step.repeat(40));
        let copies = "{{ $a = print $a $a $a $a }}".repeat(7) + &"{{ $b := $a }}".repeat(400);
        for (text, part) in [
            (grown("{{ $a = print $a $a $a $a }}"), "larger than 1 MiB"),
            (grown("{{ $a = printf \"%s%s%s%s\" $a $a $a $a }}"), "larger than 1 MiB"),
            (grown("{{ $a = reReplaceAll \"x\" \"xxxxxxxx\" $a }}"), "larger than 1 MiB"),
            (grown("{{ $a = reReplaceAll \"(x+)\" \"$1$1$1$1$1$1$1$1\" $a }}"), "larger than 1 MiB"),
            (grown("{{ $a = js (html (urlquery $a)) }}{{ $a = printf \"%q%q\" $a $a }}"), "larger than 1 MiB"),
            (format!("{{{{ printf \"{}\" }}}}", "%1000d".repeat(2_000)), "larger than 1 MiB"),
            (format!("{{{{ $a := args 1 }}}}{}", "{{ $a = args $a }}".repeat(3_000)), "copies more than 64 MiB"),
            (begin.to_owned() + &copies, "copies more than 64 MiB"),
        ] {
            let told = expand(&text, 1.0);
            assert!(
                told.starts_with("ERROR") && told.contains(part),
                "{}: {}",
                &text[..60],
                &told[..told.len().min(90)]
            );
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, part) in [
            ("{{ nosuch $value }}", "function \"nosuch\" not defined"),
            ("{{ $nosuch }}", "undefined variable"),
            ("{{ if }}x{{ end }}", "missing value"),
            ("{{ if true }}x", "unexpected EOF"),
            ("{{ end }}", "unexpected"),
            ("{{ $value", "unclosed action"),
            ("{{ eq $value 1 }}", "incompatible types"),
            ("{{ query \"none\" | first }}", "first() called on vector with no elements"),
            ("{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}", "depth"),
        ] {
            let told = expand(text, 1.0);
            assert!(told.starts_with("ERROR") && told.contains(part), "{text}: {told}");
        }
        for text in
            ["{{", "{{ \"x }}", "{{ (((( }}", "{{ | }}", "{{ $ }}{{ . | . }}", "{{ range }}", "{{ printf }}", "{{.}}"]
        {
            expand(text, 1.0);
        }
    }
}
