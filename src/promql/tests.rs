//! What is read from a text, and what is wrong with it.

use super::*;

/// What an expression is read as, all operators in parentheses; or what is wrong: the message, and of which part.
#[track_caller]
fn check(text: &str, expected: &str) {
    let found = match Expression::parse(text) {
        Ok(expression) => {
            let canonical = expression.canonical();
            let again = Expression::parse(&canonical).unwrap_or_else(|why| panic!("{text}: {canonical}: {why}"));
            assert_eq!(again.canonical(), canonical, "{text}: read again");
            canonical
        }
        Err(error) => {
            let part = text.get(error.span.clone()).unwrap_or_else(|| panic!("{text}: {error:?} lies outside"));
            let advice = error.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
            format!("{} [{part}]{advice}", error.message)
        }
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn operators_bind_as_in_prometheus() {
    check("1 + 2 * 3", "(1 + (2 * 3))");
    check("1 - 2 - 3", "((1 - 2) - 3)");
    check("2 ^ 3 ^ 2", "(2 ^ (3 ^ 2))");
    check("-2 ^ 2", "(-(2 ^ 2))");
    check("2 ^ -2", "(2 ^ -2)");
    check("2 ^ -x * 3", "((2 ^ (-x)) * 3)");
    check("-x * y", "((-x) * y)");
    check("-x + y", "((-x) + y)");
    check("--x", "(-(-x))");
    check("+-1", "-1");
    check("+x", "(+x)");
    check("a % b atan2 c / d", "(((a % b) atan2 c) / d)");
    check("a or b and c unless d or e", "((a or ((b and c) unless d)) or e)");
    check("a == b != c", "((a == b) != c)");
    check("a > b + 1 and c", "((a > (b + 1)) and c)");
    check("(a + b) * c", "((a + b) * c)");
    check("((a))", "((a))");
    check("a\n# why\n+ b", "(a + b)");
    check("x AND y Or z", "((x and y) or z)");
}

#[test]
fn modifiers_belong_to_their_operator() {
    check("1 > bool 2", "(1 > bool 2)");
    check("a > BOOL ON (x) b", "(a > bool on (x) b)");
    check("a / ignoring (x, y,) group_left b", "(a / ignoring (x, y) group_left () b)");
    check("a * on (x) group_right (y) (b)", "(a * on (x) group_right (y) (b))");
    check("a * on () group_left (\"b.c\") b", "(a * on () group_left (\"b.c\") b)");
    check("a + on () 1", "(a + on () 1)");
    check("a and on (bool, by, sum, offset) b", "(a and on (bool, by, sum, offset) b)");
    check("a + bool b", "`bool` is for comparisons, not for `+` [bool]");
    check("1 > 2", "a comparison of two numbers needs `bool` [>]; write `> bool`");
    check("time() > 5", "a comparison of two numbers needs `bool` [>]; write `> bool`");
    check("a and 1", "`and` stands between instant vectors, not numbers [1]; make a vector of it with `vector(...)`");
    check("a and on (x) group_left b", "`and` has no groups [group_left]");
    check("a + on (x) 1", "labels are matched between instant vectors only [on (x)]");
    check("a + on (x) group_left (y, x) b", "`x` is matched by already [group_left (y, x)]; leave it out of the group");
    check(
        "a + group_left b",
        "`group_left` is not expected [group_left]; write `on (...)` or `ignoring (...)` before it",
    );
    check("a > on (x) bool b", "`bool` is not expected [bool]");
    check("a + fill (0) b", "`fill` is not implemented [fill]");
    check("a on (x) b", "`on` is not expected [on]");
}

#[test]
fn aggregations_take_their_labels_before_or_behind() {
    check("sum(x)", "sum(x)");
    check("SUM BY (a) (x)", "sum by (a) (x)");
    check("sum(x) without (a, \"b.c\")", "sum without (a, \"b.c\") (x)");
    check("sum by (a, a,) (x)", "sum by (a, a) (x)");
    check("topk(2, x) by (a)", "topk by (a) (2, x)");
    check("count_values(\"v\", x)", "count_values(\"v\", x)");
    check("sum by (a) (x)[5m:]", "sum by (a) (x)[300s:]");
    check("sum + avg", "(sum + avg)");
    check("sum{a=\"b\"} offset 5m", "sum{a=\"b\"} offset 300s");
    check("sum by (a) (x) by (b)", "`by` is not expected [by]");
    check("sum by (without) (x)", "`without` is not expected [without]; write a label's name");
    check("sum by (,) (x)", "`,` is not expected [,]");
    check("sum()", "`sum` takes one vector, not 0 arguments [sum]");
    check("sum(x, y)", "`sum` takes one vector, not 2 arguments [sum]");
    check("topk(x)", "`topk` takes a parameter and a vector, not one argument [topk]");
    check(
        "topk(x, y)",
        "`topk` takes a number here, not an instant vector [x]; make a number of it with `scalar(...)`",
    );
    check("count_values(1, x)", "`count_values` takes a text here, not a number [1]; write it in quotes");
    check("sum(1)", "`sum` takes an instant vector here, not a number [1]; make a vector of it with `vector(...)`");
    check(
        "sum(x[5m])",
        "`sum` takes an instant vector here, not a range vector [x[5m]]; remove the range, or take `rate` or the like of it",
    );
    check("1 + limitk(3, x)", "the aggregation `limitk` is not implemented [limitk]");
}

#[test]
fn functions_take_what_they_take() {
    check("rate(x[5m])", "rate(x[300s])");
    check("rate((x[5m]))", "rate((x[300s]))");
    check("round(x)", "round(x)");
    check("round(x, 2)", "round(x, 2)");
    check("hour()", "hour()");
    check("label_join(x, \"a\", \"b\", \"c\", \"d\")", "label_join(x, \"a\", \"b\", \"c\", \"d\")");
    check("rate(x)", "`rate` takes a range vector here, not an instant vector [x]; add a range, as in `x[5m]`");
    check(
        "rate(sum(x))",
        "`rate` takes a range vector here, not an instant vector [sum(x)]; make it a subquery, as in `(...)[5m:]`",
    );
    check("abs(1)", "`abs` takes an instant vector here, not a number [1]; make a vector of it with `vector(...)`");
    check(
        "vector(x)",
        "`vector` takes a number here, not an instant vector [x]; make a number of it with `scalar(...)`",
    );
    check("label_join(x, \"a\", \"b\", 1)", "`label_join` takes a text here, not a number [1]; write it in quotes");
    check("time(1)", "`time` takes no argument, not 1 [1]");
    check("rate(x[5m], 1)", "`rate` takes one argument, not 2 [1]");
    check("clamp(x, 1)", "`clamp` takes 3 arguments, not 2 [clamp]");
    check("round(x, 1, 2)", "`round` takes 1 or 2 arguments, not 3 [2]");
    check("label_join(x)", "`label_join` takes at least 3 arguments, not 1 [label_join]");
    check("rate(x[5m],)", "`,` is not expected before `)` [,]; remove the comma");
    check("rte(x[5m])", "there is no function `rte` [rte]; did you mean `rate`?");
    check("Rate(x[5m])", "there is no function `Rate` [Rate]; did you mean `rate`?");
    check("sort_by_label(x, \"a\")", "the function `sort_by_label` is not implemented [sort_by_label]");
    check("a:b(x)", "`(` is not expected [(]");
    check("and(x)", "`(` is not expected [(]");
}

#[test]
fn selectors_take_matchers() {
    check("x{}", "x");
    check("x{a=\"b\",c!='d',e=~`f`,g!~\"h\",}", "x{a=\"b\", c!=\"d\", e=~\"f\", g!~\"h\"}");
    check("{\"a.b\", c=\"d\"}", "{__name__=\"a.b\", c=\"d\"}");
    check("{\"a.b\"=\"c\"}", "{\"a.b\"=\"c\"}");
    check("x{sum=\"1\", nan=\"2\", or=\"3\"}", "x{sum=\"1\", nan=\"2\", or=\"3\"}");
    check("x{a=~\".*\"}", "x{a=~\".*\"}");
    check("{a!=\"\"}", "{a!=\"\"}");
    check("by{a=\"b\"} and and", "(by{a=\"b\"} and and)");
    check("start", "start");
    check(":a:b", ":a:b");
    check("{}", "this selects every series there is [{}]; name the metric, or ask for a label that is not empty");
    check(
        "{a=~\".*\"}",
        "this selects every series there is [{a=~\".*\"}]; name the metric, or ask for a label that is not empty",
    );
    check(
        "x{__name__=\"y\"}",
        "the name of the metric is here twice [__name__=\"y\"]; write it either before the braces or in them",
    );
    check("x{\"y\"}", "the name of the metric is here twice [\"y\"]; write it either before the braces or in them");
    check(
        "x{a=~\"[\"}",
        "this regular expression is not sound [\"[\"]; regular expressions are those of Go (RE2), and cover the whole value",
    );
    check("x{a=b}", "`b` is not expected [b]; write `\"b\"`");
    check("x{a=1}", "`1` is not expected [1]; write the value in quotes");
    check("x{a==\"b\"}", "`==` is not expected [==]; write `=`");
    check("x{a}", "`}` is not expected [}]; write one of `=`, `!=`, `=~`, `!~` after a label");
    check("x{a:b=\"c\"}", "`a:b` is not expected [a:b]; write a name with a colon in quotes");
    check("x{a=\"b\" c=\"d\"}", "`c` is not expected [c]; write `,` between matchers");
    check(
        "x{a=\"b\" or c=\"d\"}",
        "`or` is not expected [or]; matchers hold all together: write `or` between two selectors",
    );
    check("x{a=\"b\", , c=\"d\"}", "`,` is not expected [,]; write matchers like `job=\"kestra\"`");
    check("x{a=\"b\"", "unclosed `{` [{]");
    check("on", "`on` is not expected [on]");
}

#[test]
fn ranges_and_times_are_those_of_3() {
    check("x[5m] offset 1h", "x[300s] offset 3600s");
    check("x[300]", "x[300s]");
    check("x[0.5]", "x[500ms]");
    check("x[1h30m:1m]", "x[5400s:60s]");
    check("x[ 5m : ]", "x[300s:]");
    check("rate(x[5m])[30m:15s] @ 100", "rate(x[300s])[1800s:15s] @ 100.000");
    check("x offset -5m", "x offset -300s");
    check("x offset --5m", "x offset 300s");
    check("x offset 0", "x offset 0s");
    check("x offset 0 offset 5m", "x offset 300s");
    check("x[+5m]", "x[300s]");
    check("x @ -1.5 offset 5m", "x @ -1.500 offset 300s");
    check("x @ START()", "x @ start()");
    check("x offset 5m @ end()", "x @ end() offset 300s");
    check("1h + 0x10 + 1_000 + 1e3", "(((3600 + 16) + 1000) + 1000)");
    check("-Inf + NaN", "(-Inf + NaN)");
    check("-x offset 5m", "(-x offset 300s)");
    check("x[0]", "a duration must be greater than 0 here [0]");
    check("x[5m:0s]", "a duration must be greater than 0 here [0s]");
    check("x[1e10]", "`1e10` is no time: it is out of range [1e10]");
    check("x @ 1e30", "`1e30` is no time: it is out of range [1e30]");
    check("x @ inf", "`inf` is no time: it is out of range [inf]");
    check("x[]", "`]` is not expected []]; write a duration like `5m`");
    check("x[y]", "`y` is not expected [y]; write a duration like `5m`");
    check("x[5m", "unclosed `[` [[]");
    check("x offset 5m [5m]", "a range stands before `offset` and `@` [[5m]]");
    check("(x)[5m]", "only a selector can have a range [[5m]]; write a subquery: `[5m:]`");
    check(
        "(x) offset 5m",
        "`offset` stands only after a selector or a subquery [offset 5m]; write `offset` after the selector itself",
    );
    check("x offset 5m offset 5m", "`offset` is here twice [offset 5m]");
    check("x @ 1 @ 2", "`@` is here twice [@ 2]");
    check("1[5m:]", "a subquery is of an instant vector, not of a number [1]");
    check(
        "x[5m] + 1",
        "`+` stands between numbers and instant vectors; this is a range vector [x[5m]]; take `rate` or the like of it",
    );
}

#[test]
fn mistakes_are_shown_where_they_are() {
    check("", "there is no expression []");
    check(" # nothing", "there is no expression []");
    check("sum(", "unclosed `(` [(]");
    check("sum((x)", "unclosed `(` [(]");
    check("x)", "`)` is not expected [)]");
    check("()", "`)` is not expected [)]");
    check("foo bar", "`bar` is not expected [bar]");
    check("x >", "it ends too early []");
    check("rate(x[5m]) > 3 adn y", "`adn` is not expected [adn]; did you mean `and`?");
    check("x = 5", "`=` is not expected [=]; write `==` to compare");
    check("x && y", "`&` is not expected [&]; write `and`");
    check("x == == y", "`==` is not expected [==]");
    check("* x", "`*` is not expected [*]");
    check("-\"a\"", "a text has no sign [-\"a\"]");
    check("x $ y", "`$` is not expected [$]");
    let error = Expression::parse("1 + é").expect_err("no name");
    assert_eq!(error.to_string(), "`é` is not expected (character 5)");
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    let nested = |count: usize| format!("{}x{}", "(".repeat(count), ")".repeat(count));
    assert!(Expression::parse(&nested(MAX_NESTING)).is_ok());
    for deep in [
        nested(MAX_NESTING + 1),
        nested(10_000),
        format!("{}x", "-".repeat(5_000)),
        "2^".repeat(5_000) + "2",
        "x or ".repeat(5_000) + "x",
        format!("x{}", "[5m:]".repeat(5_000)),
    ] {
        let error = Expression::parse(&deep).expect_err("too deep");
        assert!(error.message.contains("nested"), "{error}");
    }
    assert!(Expression::parse(&"x".repeat(70_000)).is_err_and(|error| error.message.contains("longer")));
}

#[test]
fn the_highest_tree_needs_no_more_stack_than_there_is() {
    let row = "x or ".repeat(MAX_HEIGHT - 1) + "x";
    // Each level of nesting waits within every precedence there is.
    let nested = "a or b and c == d + e * -f ^ (".repeat(100) + "x" + &")".repeat(100);
    for text in [row, "2 ^ ".repeat(MAX_HEIGHT - 1) + "x", nested] {
        let expression = Expression::parse(&text).unwrap_or_else(|why| panic!("{}: {why}", &text[..40]));
        let evaluator = Evaluator::new(Semantics::V3, 60_000);
        evaluator.evaluate(&expression, &Database::default(), 0).expect("a value");
        assert!(!expression.canonical().is_empty());
        let mut part = &expression.outline();
        let mut height = 1;
        while let Some(next) = part.parts.iter().max_by_key(|part| part.text.len()) {
            (part, height) = (next, height + 1);
        }
        assert!(height > 500, "{height}");
    }
}

#[test]
fn every_token_is_made_once_however_long_the_text() {
    for (word, tokens) in [("x + ", 2), ("foo(x) + ", 5), ("x{a=\"b\"} or ", 7), ("1 ^ ", 2)] {
        for count in [10, 100, 900] {
            let text = word.repeat(count) + "x";
            let mut parser = parser::Parser::new(&text).expect("tokens");
            assert!(parser.whole().is_ok(), "{word}");
            assert_eq!(parser.made(), count * tokens + 2, "{word}: each token, the last one, and the end");
        }
    }
}

#[test]
fn an_expression_whose_work_grows_by_itself_is_refused_by_a_named_limit() {
    let mut database = Database::default();
    let labels: Labels = vec![("__name__".into(), "x".into()), ("a".into(), "yyyyyyyy".into())].into();
    let series = database.series(&labels);
    database.append(series, 0, 1.0);
    let chain = |begin: &str, end: &str| begin.repeat(60) + "x" + &end.repeat(60);
    for (text, part) in [
        (
            chain("label_replace(", ", \"a\", \"$1$1$1$1\", \"a\", \"(.*)\")"),
            "label_replace makes a value of more than 64 KiB",
        ),
        (chain("label_join(", ", \"a\", \"\", \"a\", \"a\", \"a\")"), "label_join makes a value of more than 64 KiB"),
        ("max_over_time(".repeat(3) + "x" + &"[400d:1s])".repeat(3), "more than 20000000000 steps"),
    ] {
        let expression = Expression::parse(&text).unwrap_or_else(|why| panic!("{why}"));
        let told = Evaluator::new(Semantics::V3, 60_000).evaluate(&expression, &database, 0).expect_err(part);
        assert!(told.0.contains(part), "{told}");
    }
}
