//! Expressions that tests ask about: of the evaluator, of the parser, and with mistakes.

use std::path::Path;

use mock_kestra::document::{self, Node, Source, Value};
use mock_kestra::random::Seed;

/// In the manner of public rule sets: every function, aggregation, operator and modifier that is implemented.
pub fn evaluated() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for function in ["rate", "increase", "irate", "resets", "changes", "delta", "idelta", "deriv"] {
        for range in ["40s", "1m", "5m", "17m"] {
            all.push(format!("{function}(c_total[{range}])"));
        }
        all.push(format!("{function}(g[2m])"));
        all.push(format!("sum by (job) ({function}(c_total{{instance!=\"c\"}}[3m]))"));
    }
    for function in ["avg", "min", "max", "sum", "count", "last", "present", "stddev", "stdvar"] {
        for range in ["30s", "5m"] {
            all.push(format!("{function}_over_time(whole[{range}])"));
            all.push(format!("{function}_over_time(g[{range}])"));
        }
        all.push(format!("{function}_over_time(rate(c_total[1m])[5m:30s])"));
        all.push(format!("{function}_over_time((g > 50)[5m:])"));
    }
    for function in [
        "abs", "ceil", "floor", "sgn", "exp", "ln", "log2", "log10", "sqrt", "round", "sin", "cos", "tan", "asin",
        "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad",
    ] {
        all.push(format!("{function}(whole)"));
    }
    for aggregation in ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"] {
        for by in ["", "by (job)", "by (instance, job)", "without (instance)", "by (nothing)"] {
            all.push(format!("{aggregation} {by} (whole)"));
        }
        all.push(format!("{aggregation} by (job) (g)"));
    }
    for k in ["1", "2", "0", "100"] {
        all.push(format!("sum by (job) (topk by (job) ({k}, c_total))"));
        all.push(format!("sum(bottomk({k}, c_total))"));
    }
    for phi in ["0", "0.5", "0.9", "0.99", "1", "-1", "2"] {
        all.push(format!("quantile by (job) ({phi}, whole)"));
        all.push(format!("quantile_over_time({phi}, whole[4m])"));
        all.push(format!("histogram_quantile({phi}, h_bucket)"));
        all.push(format!("histogram_quantile({phi}, sum by (le, job) (rate(h_bucket[5m])))"));
    }
    for op in ["+", "-", "*", "/", "%", "^", "atan2", "==", "!=", ">", "<", ">=", "<="] {
        all.push(format!("whole {op} 3"));
        all.push(format!("3 {op} whole"));
        all.push(format!("whole {op} ignoring (le) whole"));
        all.push(format!("whole{{job=\"x\"}} {op} on (instance) whole{{job=\"y\"}}"));
        all.push(format!("whole {op} on (instance) group_left (version) info"));
        all.push(format!("info {op} on (instance) group_right (version) whole"));
    }
    for op in ["==", "!=", ">", "<", ">=", "<="] {
        all.push(format!("whole {op} bool 3"));
        all.push(format!("whole {op} bool on (instance) group_left info"));
        all.push(format!("1 {op} bool 2"));
    }
    for op in ["and", "or", "unless"] {
        all.push(format!("whole {op} g"));
        all.push(format!("whole > 2 {op} on (instance) g < 50"));
        all.push(format!("c_total {op} ignoring (job) info"));
    }
    all.extend(
        [
            "absent(g)",
            "absent(nothing)",
            "absent(nothing{a=\"b\", c=~\"d\"})",
            "absent(g > 1e9)",
            "absent_over_time(nothing{x=\"y\"}[5m])",
            "absent_over_time(g{instance=\"b\"}[1m])",
            "clamp(whole, 2, 6)",
            "clamp(whole, 6, 2)",
            "clamp_min(g, 50)",
            "clamp_max(g, 50)",
            "round(g, 5)",
            "round(g, 0.1)",
            "-whole",
            "-(g - 1)",
            "scalar(whole{instance=\"a\", job=\"x\"})",
            "scalar(whole)",
            "vector(1)",
            "vector(time())",
            "time() - timestamp(g)",
            "timestamp(g offset 1m)",
            "timestamp(g + 1)",
            "pi() * 2",
            "minute()",
            "hour()",
            "day_of_week()",
            "day_of_month()",
            "day_of_year()",
            "days_in_month()",
            "month()",
            "year()",
            "hour(vector(1767600000))",
            "minute(c_total * 1000)",
            "g offset 2m",
            "g offset -1m",
            "rate(c_total[2m] offset 3m)",
            "sum_over_time(whole[5m] offset 1m)",
            "g @ 1767600300",
            "rate(c_total[5m] @ 1767600600)",
            "max_over_time(rate(c_total[1m])[10m:1m] @ 1767600900)",
            "sum_over_time(whole[10m:1m] offset 2m)",
            "predict_linear(g[10m], 3600)",
            "predict_linear(whole[5m], -60)",
            "label_replace(whole, \"host\", \"$1-$2\", \"instance\", \"(.)(.*)\")",
            "label_replace(whole, \"job\", \"\", \"job\", \"x\")",
            "label_join(whole, \"both\", \"-\", \"instance\", \"job\")",
            "count_values(\"value\", whole)",
            "count_values by (job) (\"v\", whole)",
            "histogram_avg(g)",
            "histogram_count(whole)",
            "histogram_stddev(h_bucket)",
            "histogram_fraction(0.2, 0.8, rate(h_bucket[5m]))",
            // From 0 on, in the first bucket, 3.5 gives NaN, which later versions mended: not asked.
            "histogram_fraction(0.1, 1, h_bucket)",
            "histogram_fraction(-Inf, 0.5, sum by (le) (h_bucket))",
            "histogram_fraction(0.3, +Inf, h_bucket)",
            "histogram_fraction(3, 2, h_bucket)",
            "whole > on (instance) (info * 1e9)",
            "whole > on (instance) group_left () (info * 3)",
            "g @ start()",
            "sum(rate(c_total[5m] @ end()))",
            "max_over_time(g[5m:20s] @ end() offset 1m)",
            "up or whole{job=\"x\"} or whole",
            "count_over_time(absent(g{instance=\"b\"})[10m:15s])",
            "topk(2, c_total) > 4",
            "avg(g) without (job)",
            "ln(whole) + on (instance, job) group_left () sqrt(c_total)",
            "sort(whole)",
            "sort_desc(whole)",
            "{__name__=~\"g|whole\", instance=\"a\"}",
            "count by (__name__) ({job=\"x\"})",
            "whole{instance=~\"a|b\", job!~\"y.*\"}",
            "sum(rate(c_total[5m])) / sum(rate(c_total[5m] offset 5m)) > 1",
            "sum by (instance) (rate(c_total{job=\"x\"}[5m])) / ignoring (job) sum by (instance) (rate(c_total[5m]))",
            "(sum by (job) (rate(c_total[5m])) > 0.1) and on (job) (avg by (job) (g) > 40)",
            "histogram_quantile(0.9, sum without (instance) (rate(h_bucket{job=\"x\"}[5m])))",
            "1 - (sum(rate(h_bucket{le=\"0.5\"}[5m])) / sum(rate(h_bucket{le=\"+Inf\"}[5m])))",
            "max_over_time((time() - timestamp(g))[5m:15s])",
            "count(g > 50) or vector(0)",
            "changes(c_total[5m]) > 0 unless on (instance) (info offset 1m)",
            "2 ^ 3 ^ 2",
            "-2 ^ 2",
            "whole > 3 < 8",
            "whole % 3 == 0",
            "NaN == NaN",
            "g == g",
            "1 / 0",
            "0 / 0",
            "whole / 0",
        ]
        .map(str::to_owned),
    );
    all
}

/// Operators, two at a time, with signs and parentheses.
pub fn generated() -> Vec<String> {
    const OPERATORS: &[&str] =
        &["or", "and", "unless", "==", "!=", ">", "<", ">=", "<=", "+", "-", "*", "/", "%", "atan2", "^"];
    let mut all = Vec::new();
    for first in OPERATORS {
        for second in OPERATORS {
            all.push(format!("a {first} b {second} c"));
        }
        all.push(format!("-a {first} b"));
        all.push(format!("a {first} -b"));
        all.push(format!("-2 {first} 3"));
        all.push(format!("2 {first} -b {first} c"));
        all.push(format!("1 {first} 2"));
        all.push(format!("a {first} bool b"));
        all.push(format!("a {first} on (x) b"));
        all.push(format!("a {first} ignoring (x, y) group_left b"));
        all.push(format!("a {first} on (x) group_right (y) b + c"));
        all.push(format!("sum(a) {first} (b offset 5m)"));
        all.push(format!("a offset 5m {first} b[5m:1m]"));
        all.push(format!("a {first} 1"));
        all.push(format!("1 {first} a"));
        all.push(format!("\"a\" {first} a"));
    }
    all
}

/// Forms that are easily read wrongly, one a line of tests/forms.txt.
pub fn forms() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms.txt");
    let text = std::fs::read_to_string(path).expect("forms");
    text.lines().filter(|line| !line.is_empty()).map(|line| line.replace("\\n", "\n")).collect()
}

/// The expressions of the cases in tests/promql.
pub fn cases() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("cases").map(|it| it.expect("an entry").path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("readable");
        for line in text.lines().filter(|line| line.starts_with("eval")) {
            let words = if line.contains(" instant at ") { 4 } else { 8 };
            all.extend(line.splitn(words + 1, ' ').nth(words).map(str::to_owned));
        }
    }
    all
}

/// The shipped rule files: name and text.
pub fn rule_files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/rules");
    let file = |name: &str| (name.to_owned(), std::fs::read_to_string(folder.join(name)).expect("readable"));
    ["kestra.yml", "grafana.yaml"].map(file).to_vec()
}

/// The expressions of the shipped rules.
pub fn shipped() -> Vec<String> {
    fn find(node: &Node, all: &mut Vec<String>) {
        match &node.value {
            Value::Mapping(entries) => {
                for entry in entries {
                    match &entry.value.value {
                        Value::Scalar { text, .. } if entry.key == "expr" => all.push(text.clone()),
                        _ => find(&entry.value, all),
                    }
                }
            }
            Value::Sequence(items) => items.iter().for_each(|item| find(item, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    for (name, text) in rule_files() {
        let (root, _) = document::parse(&Source { name, text }.into());
        find(&root.expect("a document"), &mut all);
    }
    all
}

/// All of them, each once.
pub fn all() -> Vec<String> {
    let mut all = forms();
    for more in [generated(), evaluated(), cases(), shipped()] {
        for expression in more {
            if !all.contains(&expression) {
                all.push(expression);
            }
        }
    }
    all
}

/// A text with one or two mistakes: a character or a word removed, doubled, moved, or another put in its place.
pub fn mutated(text: &str, number: u64) -> String {
    const PIECES: &[&str] = &[
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "`",
        ",",
        "=",
        "==",
        "=~",
        "!",
        "+",
        "-",
        "*",
        "^",
        "@",
        ":",
        "#",
        "\\",
        "é",
        " ",
        "5m",
        "0",
        "1e3",
        "0x",
        "inf",
        "x",
        "sum",
        "by",
        "without",
        "on",
        "group_left",
        "bool",
        "and",
        "or",
        "offset",
        "start()",
        "rate",
        "[5m:]",
        "{a=\"b\"}",
        "(x)",
    ];
    let mut draws = Seed(11).numbered(mock_kestra::random::name_key("mistake"), number);
    let mut text = text.to_owned();
    for _ in 0..=draws.below(2) {
        // Where tokens begin, more or less.
        let mut places: Vec<usize> = vec![0];
        let mut last = ' ';
        for (at, c) in text.char_indices() {
            if !(c.is_alphanumeric() && last.is_alphanumeric()) {
                places.push(at);
            }
            last = c;
        }
        places.push(text.len());
        let mut place = || places[draws.below(places.len() as u64) as usize];
        let (a, b) = (place(), place());
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 12));
        let to = (to..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        let piece = PIECES[draws.below(PIECES.len() as u64) as usize];
        match draws.below(5) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(from, piece),
            2 => text.replace_range(from..to, piece),
            3 => {
                let doubled = text[from..to].to_owned();
                text.insert_str(to, &doubled);
            }
            _ => text.truncate(to),
        }
    }
    text
}

/// What Prometheus 3.16 takes and 3.5 does not, or answers otherwise.
pub fn newest() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for range in ["20s", "1m", "5m", "17m"] {
        for function in ["rate", "increase", "delta", "changes", "resets", "first_over_time", "count_over_time"] {
            all.push(format!("{function}(c_total[{range}] anchored)"));
            all.push(format!("{function}(g[{range}] smoothed)"));
            all.push(format!("{function}(whole[{range}] anchored)"));
            all.push(format!("{function}(c_total[{range}] smoothed)"));
        }
        all.push(format!("first_over_time(g[{range}])"));
        all.push(format!("sum by (job) (increase(c_total{{instance!=\"c\"}}[{range}] anchored offset 33s))"));
        all.push(format!("rate(c_total[{range}] offset -1m smoothed)"));
    }
    for op in ["==", "!=", ">", "<", ">=", "<=", "> bool", "+"] {
        all.push(format!("whole {op} on (instance) (sum by (instance) (whole) * 0.6)"));
        all.push(format!("whole{{job=\"x\"}} {op} on (instance) (sum by (instance) (whole) * 0.6)"));
        all.push(format!("(sum by (instance) (whole) * 0.6) {op} on (instance) whole"));
        all.push(format!("c_total {op} on (instance) group_left () (max by (instance) (c_total))"));
        all.push(format!("{{__name__=~\"g|whole\"}} {op} on (instance, job) group_left () (c_total * 0 + 7)"));
    }
    let others = [
        "g smoothed",
        "whole smoothed offset 33s",
        "sum by (job) (c_total smoothed)",
        "g anchored",
        "timestamp(g smoothed)",
        "absent(nothing smoothed)",
        "max_over_time((g smoothed)[5m:30s])",
        "rate(c_total smoothed [2m])",
        "rate(c_total[1m + 15s])",
        "rate(c_total[2 * (1m + 15s) - 5s] offset (1m / 2))",
        "g offset -(1m) + 1",
        "g offset (1m) > 50",
        "g offset (1m) + 30",
        "(g offset (1m)) + 30",
        "max_over_time(g[max_of(1m, 2m):min_of(15s, 30s)])",
        "max_over_time(g[2 ^ 3 * 10])",
        "max_over_time(g[(1m)])",
        "max_over_time(g[--2m])",
        "max_over_time(g[1m - 2m])",
        "max_over_time(g[1m / (30s - 30s)])",
        "max_over_time(g[90s % 1m])",
        "max_over_time(g[1.0019m * 1])",
        "histogram_fraction(0, 0.3, h_bucket)",
        "histogram_fraction(0.05, 2, sum by (le) (rate(h_bucket[5m])))",
        "histogram_fraction(-1, 0.05, h_bucket)",
        "quantile(0.5, whole / 0)",
        "quantile_over_time(1, (whole / 0)[2m:15s])",
        "rad(whole * 1e307)",
        "deg(whole * 1e307)",
    ];
    all.extend(others.map(str::to_owned));
    all
}

/// Durations that tell of the query: of one at an instant, as rules ask, `step()` and `range()` are nothing.
pub fn of_the_query() -> [&'static str; 6] {
    [
        "max_over_time(g[range()])",
        "max_over_time(g[step() + 1m])",
        "g offset step()",
        "g offset (range() + 30s)",
        "max_over_time(g[max_of(range(), 2m)])",
        "max_over_time(g[1m / step()])",
    ]
}
