//! What is written in rules for programs that are like Prometheus, and is not Prometheus's.

/// A key of a group or of a rule that another program knows, and which.
const KEYS: &[(&str, &str)] = &[
    ("partial_response_strategy", "Thanos"),
    ("source_tenants", "Mimir"),
    ("evaluation_delay", "Mimir"),
    ("align_evaluation_time_on_interval", "Mimir"),
    ("namespace", "Mimir and Loki"),
    ("remote_write", "Loki"),
    ("concurrency", "VictoriaMetrics"),
    ("eval_offset", "VictoriaMetrics"),
    ("eval_delay", "VictoriaMetrics"),
    ("eval_alignment", "VictoriaMetrics"),
    ("extra_filter_labels", "VictoriaMetrics"),
    ("tenant", "VictoriaMetrics"),
    ("params", "VictoriaMetrics"),
    ("headers", "VictoriaMetrics"),
    ("notifier_headers", "VictoriaMetrics"),
    ("debug", "VictoriaMetrics"),
    ("update_entries_limit", "VictoriaMetrics"),
    ("noDataState", "Grafana"),
    ("execErrState", "Grafana"),
    ("keepFiringFor", "Grafana"),
];

/// Whose key it is.
pub(super) fn owner(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, owner)| *owner)
}

/// A key that tells of another kind of file, and what that is.
const FILES: &[(&str, &str)] = &[
    ("scrape_configs", "this is a configuration of Prometheus: give it as `--prometheus FILE`"),
    ("global", "this is a configuration of Prometheus: give it as `--prometheus FILE`"),
    ("rule_files", "this names rule files: give those, or the configuration as `--prometheus FILE`"),
    ("tests", "this is a test of promtool: give the files it names in `rule_files`"),
    ("route", "this is a configuration of Alertmanager"),
    ("receivers", "this is a configuration of Alertmanager"),
    ("policies", "write `apiVersion: 1` first when it is a provisioning file of Grafana"),
];

/// What a file is that has such a key.
pub(super) fn file(key: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == key).map(|(_, what)| *what)
}

/// Functions and keywords of MetricsQL that PromQL does not have (source: the tables of the metricsql
/// library and its documentation), sorted.
#[rustfmt::skip]
const METRICSQL: &[&str] = &[
    "aggr_over_time", "any", "ascent_over_time", "bitmap_and", "bitmap_or", "bitmap_xor", "bottomk_avg", "bottomk_last",
    "bottomk_max", "bottomk_median", "bottomk_min", "buckets_limit", "changes_prometheus", "count_eq_over_time",
    "count_gt_over_time", "count_le_over_time", "count_ne_over_time", "count_values_over_time", "decreases_over_time",
    "default", "default_rollup", "delta_prometheus", "deriv_fast", "descent_over_time", "distinct", "distinct_over_time",
    "drop_common_labels", "drop_empty_series", "duration_over_time", "end", "geomean", "geomean_over_time", "histogram",
    "histogram_over_time", "histogram_quantiles", "histogram_share", "hoeffding_bound_lower", "hoeffding_bound_upper",
    "ideriv", "if", "ifnot", "increase_prometheus", "increase_pure", "increases_over_time", "integrate", "interpolate",
    "keep_last_value", "keep_metric_names", "keep_next_value", "label_copy", "label_del", "label_graphite_group",
    "label_keep", "label_lowercase", "label_map", "label_match", "label_mismatch", "label_move", "label_set",
    "label_transform", "label_uppercase", "label_value", "label_values", "labels_equal", "lag", "lifetime", "limit",
    "limit_offset", "mad", "median", "median_over_time", "mode", "mode_over_time", "now", "outlier_iqr_over_time",
    "outliers_iqr", "outliers_mad", "outliersk", "prometheus_buckets", "quantiles", "quantiles_over_time", "rand",
    "rand_exponential", "rand_normal", "range_avg", "range_first", "range_last", "range_linear_regression", "range_mad",
    "range_max", "range_median", "range_min", "range_normalize", "range_over_time", "range_quantile", "range_stddev",
    "range_stdvar", "range_sum", "range_trim_outliers", "range_trim_spikes", "range_trim_zscore", "range_zscore",
    "rate_over_sum", "rate_prometheus", "remove_resets", "rollup", "rollup_candlestick", "rollup_delta", "rollup_deriv",
    "rollup_increase", "rollup_rate", "rollup_scrape_interval", "ru", "running_avg", "running_max", "running_min",
    "running_sum", "scrape_interval", "share", "share_eq_over_time", "share_gt_over_time", "share_le_over_time",
    "smooth_exponential", "sort_by_label_numeric", "sort_by_label_numeric_desc", "stale_samples_over_time", "start", "step",
    "sum2", "sum2_over_time", "sum_eq_over_time", "sum_gt_over_time", "sum_le_over_time", "sum_lt_over_time",
    "tfirst_over_time", "timestamp_with_name", "timezone_offset", "tlast_change_over_time", "tlast_over_time",
    "tmax_over_time", "tmin_over_time", "topk_avg", "topk_last", "topk_max", "topk_median", "topk_min", "ttf", "union",
    "utilization", "with", "zscore", "zscore_over_time",
];

/// Functions that both have, and that MetricsQL reckons without extrapolation.
const OTHERWISE: &[&str] = &["rate", "increase", "delta"];

/// The words of an expression that stand outside of quotes.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    let mut quote: Option<char> = None;
    expression
        .split(move |c: char| {
            match quote {
                Some(open) if open == c => quote = None,
                None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
                _ => {}
            }
            quote.is_some() || !(c.is_ascii_alphanumeric() || c == '_')
        })
        .filter(|word| !word.is_empty())
}

/// The first word of an expression that is MetricsQL and not PromQL.
pub(super) fn metricsql(expression: &str) -> Option<&str> {
    words(expression).find(|word| METRICSQL.binary_search(&word.to_ascii_lowercase().as_str()).is_ok())
}

/// Units of numbers and of durations that MetricsQL has and PromQL has not.
const UNITS: &[&str] =
    &["i", "k", "ki", "kb", "kib", "m", "mi", "mb", "mib", "g", "gi", "gb", "gib", "t", "ti", "tb", "tib"];

/// What an expression has that MetricsQL takes and PromQL refuses, by its form and by what PromQL says of it: filters joined by
/// `or`, units, several vectors in one place, and functions over ranges without a range.
pub(super) fn form_of_metricsql(expression: &str, refusal: &str) -> Option<&'static str> {
    // Outside of texts, what stands in braces, and what stands in parentheses that are no call.
    let (mut quote, mut before, mut braces, mut calls) = (None, ' ', false, Vec::new());
    let (mut in_braces, mut unions) = (String::new(), false);
    for c in expression.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => continue,
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => braces = true,
            (None, '}') => braces = false,
            (None, '(') => calls.push(before.is_ascii_alphanumeric() || matches!(before, '_' | ')')),
            (None, ')') => drop(calls.pop()),
            (None, ',') if !braces && calls.last() == Some(&false) => unions = true,
            (None, c) if braces => in_braces.push(c),
            _ => {}
        }
        if braces && quote.is_some() {
            in_braces.push(' ');
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    let unit = |word: &str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_digit());
        digits.len() < word.len() && UNITS.contains(&digits.to_ascii_lowercase().as_str()) && digits != "m"
    };
    let forms = [
        (in_braces.split_whitespace().any(|word| word == "or"), "`or` between filters in braces"),
        (words(expression).any(unit), "such units (`Ki`, `i`)"),
        (unions, "unions: several vectors in parentheses"),
        (refusal.contains("takes a range vector here, not an instant vector"), "functions over a range without one"),
        (refusal.contains("takes one vector, not"), "aggregations of several vectors"),
    ];
    forms.into_iter().find(|(there, _)| *there).map(|(_, form)| form)
}

/// The first function of an expression that is reckoned otherwise by MetricsQL.
pub(super) fn reckoned_otherwise(expression: &str) -> Option<&str> {
    words(expression).find(|word| OTHERWISE.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_found_outside_of_quotes() {
        for (text, refusal, there) in [
            ("up{a=\"b\" or c=\"d\"}", "", true),
            ("up{a=\" or \"}", "", false),
            ("up or down{a=\"b\"}", "", false),
            ("up > 1Ki", "", true),
            ("rate(up[5i])", "", true),
            ("rate(up[5m]) > 0x1f", "", false),
            ("(up, up)", "", true),
            ("sum by (a, b) (up)", "", false),
            ("label_replace(up, \"a\", \"b\")", "", false),
            ("rate(up)", "`rate` takes a range vector here, not an instant vector", true),
            ("sum(up, up)", "`sum` takes one vector, not 2 arguments", true),
            ("up ==", "the expression ends too early", false),
        ] {
            assert_eq!(form_of_metricsql(text, refusal).is_some(), there, "{text}");
        }
    }

    #[test]
    fn words_are_found_outside_of_quotes() {
        assert!(METRICSQL.is_sorted());
        assert_eq!(metricsql("sum(x) keep_metric_names"), Some("keep_metric_names"));
        assert_eq!(metricsql("WITH (a = 1) a"), Some("WITH"));
        assert_eq!(metricsql("x{a=\"default\", b='if'} > 0"), None);
        assert_eq!(reckoned_otherwise("sum(rate(x[5m]))"), Some("rate"));
        assert_eq!(reckoned_otherwise("x_rate + deriv(x[5m])"), None);
    }
}
