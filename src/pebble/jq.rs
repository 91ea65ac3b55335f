//! The filter `jq`, by jaq: programs whose work can be told from their text before they run.
//!
//! Nothing can stop a jq program once it runs. So what binds variables, defines functions or loops without end is refused
//! by name, and of the rest the cost is computed from the tree: how many outputs, how large, after how much work.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{Arena, File, Loader, parse};
use jaq_core::ops::Math;
use jaq_core::path::Part;
use jaq_core::{Compiler, Ctx, ValT as _, Vars, data};
use jaq_json::{Num, Val};

use super::error::{Fault, Found};
use super::invoke::Call;
use super::limits::{JQ_NESTING_MAX, JQ_PROGRAM_MAX, JQ_WORK_MAX, VALUE_MAX};
use super::value::{LINKED, Value};

/// What a term makes of a value: outputs, their size and the work, in sizes of that value.
#[derive(Clone, Copy)]
struct Cost {
    outputs: f64,
    size: f64,
    work: f64,
}

const ONE: Cost = Cost { outputs: 1.0, size: 1.0, work: 1.0 };

/// What a function of jq costs.
enum Price {
    /// One output, so many times as large as the input.
    Plain(f64),
    /// Runs its argument on each element, and makes one value so many times as large.
    Each(f64),
    /// Passes its input on for each output of its argument.
    Select,
    /// Outputs of its argument.
    Of,
    /// Decides or orders by what its argument gives for each element.
    By,
    /// Compares with, or cuts by, each output of its argument.
    With,
    /// Puts its argument between elements.
    Join,
    /// Every part of a value.
    Parts,
}

/// The functions that are known to end: name, number of arguments.
const FUNCTIONS: &[(&str, usize, Price)] = &[
    ("empty", 0, Price::Plain(1.0)),
    ("null", 0, Price::Plain(1.0)),
    ("true", 0, Price::Plain(1.0)),
    ("false", 0, Price::Plain(1.0)),
    ("not", 0, Price::Plain(1.0)),
    ("length", 0, Price::Plain(1.0)),
    ("utf8bytelength", 0, Price::Plain(1.0)),
    ("type", 0, Price::Plain(1.0)),
    ("keys", 0, Price::Plain(1.0)),
    ("keys_unsorted", 0, Price::Plain(1.0)),
    ("to_entries", 0, Price::Plain(6.0)),
    ("from_entries", 0, Price::Plain(1.0)),
    ("values", 0, Price::Plain(1.0)),
    ("nulls", 0, Price::Plain(1.0)),
    ("booleans", 0, Price::Plain(1.0)),
    ("numbers", 0, Price::Plain(1.0)),
    ("strings", 0, Price::Plain(1.0)),
    ("arrays", 0, Price::Plain(1.0)),
    ("objects", 0, Price::Plain(1.0)),
    ("iterables", 0, Price::Plain(1.0)),
    ("scalars", 0, Price::Plain(1.0)),
    ("add", 0, Price::Plain(1.0)),
    ("any", 0, Price::Plain(1.0)),
    ("all", 0, Price::Plain(1.0)),
    ("min", 0, Price::Plain(1.0)),
    ("max", 0, Price::Plain(1.0)),
    ("sort", 0, Price::Plain(1.0)),
    ("unique", 0, Price::Plain(1.0)),
    ("reverse", 0, Price::Plain(1.0)),
    ("flatten", 0, Price::Plain(1.0)),
    ("first", 0, Price::Plain(1.0)),
    ("last", 0, Price::Plain(1.0)),
    ("floor", 0, Price::Plain(1.0)),
    ("round", 0, Price::Plain(1.0)),
    ("ceil", 0, Price::Plain(1.0)),
    ("tostring", 0, Price::Plain(6.0)),
    ("tojson", 0, Price::Plain(6.0)),
    ("ascii_downcase", 0, Price::Plain(1.0)),
    ("ascii_upcase", 0, Price::Plain(1.0)),
    ("recurse", 0, Price::Parts),
    ("map", 1, Price::Each(1.0)),
    ("map_values", 1, Price::Each(1.0)),
    ("with_entries", 1, Price::Each(6.0)),
    ("select", 1, Price::Select),
    ("first", 1, Price::Of),
    ("last", 1, Price::Of),
    ("any", 1, Price::By),
    ("all", 1, Price::By),
    ("sort_by", 1, Price::By),
    ("group_by", 1, Price::By),
    ("unique_by", 1, Price::By),
    ("min_by", 1, Price::By),
    ("max_by", 1, Price::By),
    ("has", 1, Price::With),
    ("contains", 1, Price::With),
    ("startswith", 1, Price::With),
    ("endswith", 1, Price::With),
    ("ltrimstr", 1, Price::With),
    ("rtrimstr", 1, Price::With),
    ("split", 1, Price::With),
    ("join", 1, Price::Join),
];

/// The value a program runs on, as far as its cost depends on it.
#[derive(Clone, Copy)]
struct Input {
    /// Values in it.
    count: f64,
    depth: f64,
}

/// Why a program does not run.
enum Refused {
    /// The real library has no such thing: it fails there too.
    Missing,
    /// What of it is not simulated.
    NotSimulated(String),
}

type Priced = Result<Cost, Refused>;

fn not_simulated<T>(what: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::NotSimulated(what.into()))
}

/// Functions of jq that jackson-jq 1.6.0 does not know (it was asked).
const MISSING: &[(&str, usize)] = &[
    ("IN", 1),
    ("IN", 2),
    ("INDEX", 1),
    ("INDEX", 2),
    ("abs", 0),
    ("add", 1),
    ("bsearch", 1),
    ("dateadd", 2),
    ("debug", 0),
    ("env", 0),
    ("fabs", 0),
    ("fromdate", 0),
    ("fromstream", 1),
    ("gmtime", 0),
    ("halt", 0),
    ("halt_error", 0),
    ("input", 0),
    ("inputs", 0),
    ("isempty", 1),
    ("isvalid", 1),
    ("localtime", 0),
    ("ltrim", 0),
    ("mktime", 0),
    ("pick", 1),
    ("repeat", 1),
    ("rtrim", 0),
    ("significand", 0),
    ("skip", 2),
    ("stderr", 0),
    ("strflocaltime", 1),
    ("strftime", 1),
    ("strptime", 1),
    ("toarray", 0),
    ("todate", 0),
    ("tostream", 0),
    ("trim", 0),
    ("trimstr", 1),
    ("trunc", 0),
    ("truncate_stream", 1),
];

/// Each output of the one with each of the other.
fn both(a: Cost, b: Cost) -> Cost {
    Cost {
        outputs: a.outputs * b.outputs,
        size: a.size * b.outputs + b.size * a.outputs,
        work: a.work + a.outputs * b.work + a.size * b.outputs + b.size * a.outputs,
    }
}

/// The outputs of the one, then those of the other.
fn either(a: Cost, b: Cost) -> Cost {
    Cost { outputs: a.outputs + b.outputs, size: a.size + b.size, work: a.work + b.work }
}

/// Each output of all with each other.
fn all(costs: impl IntoIterator<Item = Priced>) -> Priced {
    costs.into_iter().try_fold(ONE, |sum, cost| Ok(both(sum, cost?)))
}

fn price(term: &Term<&str>, input: Input) -> Priced {
    let of = |term| price(term, input);
    match term {
        Term::Id => Ok(ONE),
        Term::Recurse => Ok(parts(input)),
        // A whole number beyond 64 bits is no number of a program there.
        Term::Num(text) if text.bytes().all(|it| it.is_ascii_digit()) && text.parse::<i64>().is_err() => {
            Err(Refused::Missing)
        }
        Term::Num(text) => Ok(Cost { size: text.len() as f64, ..ONE }),
        Term::Str(Some(format), _) => not_simulated(format!("the format `{format}`")),
        Term::Str(None, pieces) => all(pieces.iter().map(|piece| match piece {
            StrPart::Str(text) => Ok(Cost { size: text.len() as f64, ..ONE }),
            StrPart::Term(term) => of(term).map(|cost| Cost { size: cost.size * 6.0, ..cost }),
            StrPart::Char(_) => Ok(ONE),
        })),
        Term::Arr(None) => Ok(ONE),
        Term::Arr(Some(inner)) => {
            of(inner).map(|inner| Cost { outputs: 1.0, size: inner.size + 1.0, work: inner.work + inner.size })
        }
        Term::Obj(entries) => {
            all(entries.iter().flat_map(|(name, value)| [of(name), value.as_ref().map_or(Ok(ONE), of)]))
        }
        Term::Neg(inner) | Term::TryCatch(inner, None) => of(inner),
        Term::BinOp(left, operator, right) => operation(left, operator, right, input),
        Term::IfThenElse(_, None) => Err(Refused::Missing),
        Term::IfThenElse(arms, Some(otherwise)) => {
            let tests = all(arms.iter().map(|(test, _)| of(test)))?;
            let mut sum = of(otherwise)?;
            for (_, then) in arms {
                sum = either(sum, of(then)?);
            }
            Ok(Cost {
                outputs: tests.outputs * sum.outputs,
                size: tests.outputs * sum.size,
                work: tests.work + tests.outputs * sum.work,
            })
        }
        Term::Path(start, path) => path.0.iter().try_fold(of(start)?, |cost, (part, _)| step(cost, part, input)),
        Term::Call(name, arguments) => called(name, arguments, input),
        Term::TryCatch(..) => not_simulated("`catch`"),
        Term::Def(..) => not_simulated("`def`"),
        Term::Fold(name, ..) => not_simulated(format!("`{name}`")),
        Term::Label(..) | Term::Break(_) => not_simulated("`label`"),
        Term::Var(name) => not_simulated(format!("the variable `{name}`")),
    }
}

fn operation(left: &Term<&str>, operator: &BinaryOp<&str>, right: &Term<&str>, input: Input) -> Priced {
    let sides = || Ok((price(left, input)?, price(right, input)?));
    match operator {
        BinaryOp::Pipe(None) => {
            let (left, right): (Cost, Cost) = sides()?;
            Ok(Cost {
                outputs: left.outputs * right.outputs,
                size: left.size * right.size,
                work: left.work + left.size * right.work,
            })
        }
        BinaryOp::Pipe(Some(_)) => not_simulated("binding a variable with `as`"),
        BinaryOp::Comma | BinaryOp::Alt => sides().map(|(left, right)| either(left, right)),
        BinaryOp::Math(Math::Mul) => not_simulated("the operator `*`"),
        BinaryOp::Math(_) => sides().map(|(left, right)| both(left, right)),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Cmp(_) => {
            let cost = sides().map(|(left, right)| both(left, right))?;
            Ok(Cost { size: cost.outputs, ..cost })
        }
        _ => not_simulated("an assignment"),
    }
}

/// A step of a path: an element by a key, or all of them.
fn step(mut cost: Cost, part: &Part<Term<&str>>, input: Input) -> Priced {
    let keys: Vec<&Term<&str>> = match part {
        Part::Index(key) => vec![key],
        Part::Range(from, to) => from.iter().chain(to).collect(),
    };
    if keys.is_empty() {
        cost.outputs *= input.count;
    }
    for key in keys {
        let key = price(key, input)?;
        cost = Cost {
            outputs: cost.outputs * key.outputs,
            size: cost.size * key.outputs,
            work: cost.work + cost.outputs * key.work,
        };
    }
    cost.work += cost.size;
    Ok(cost)
}

fn parts(input: Input) -> Cost {
    Cost { outputs: input.count, size: input.depth, work: input.depth }
}

fn called(name: &str, arguments: &[Term<&str>], input: Input) -> Priced {
    let known = FUNCTIONS.iter().find(|row| (row.0, row.1) == (name, arguments.len()));
    let Some((_, _, kind)) = known else {
        return match MISSING.contains(&(name, arguments.len())) {
            true => Err(Refused::Missing),
            false => not_simulated(format!("the function `{name}/{}`", arguments.len())),
        };
    };
    let argument = arguments.first().map_or(Ok(ONE), |term| price(term, input))?;
    let work = argument.work + argument.size + 2.0;
    Ok(match kind {
        Price::Plain(times) => Cost { outputs: 1.0, size: *times, work: times + 1.0 },
        Price::Each(times) => {
            Cost { outputs: 1.0, size: times * (times * argument.size + 1.0), work: times * times * work + times }
        }
        Price::Select => Cost { outputs: argument.outputs, size: argument.outputs, work },
        Price::Of => Cost { work, ..argument },
        Price::By => Cost { outputs: 1.0, size: 1.0, work },
        Price::With => {
            Cost { outputs: argument.outputs, size: argument.outputs * 3.0, work: work * input.count.max(1.0) }
        }
        Price::Join => match arguments.first() {
            Some(Term::Str(None, _)) => Cost { outputs: 1.0, size: argument.size * 6.0 + 6.0, work: work * 6.0 },
            _ => return not_simulated("`join` by what is no text in quotes"),
        },
        Price::Parts => parts(input),
    })
}

/// The tree of a program; an error is the limit that it is beyond, or nothing where it is no program.
fn read(program: &str) -> Result<Term<&str>, Option<String>> {
    if program.len() > JQ_PROGRAM_MAX {
        return Err(Some(format!("the jq program is longer than {JQ_PROGRAM_MAX} bytes")));
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in program.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > JQ_NESTING_MAX {
        return Err(Some(format!("the jq program is nested more than {JQ_NESTING_MAX} deep")));
    }
    parse(program, |parser| parser.term()).ok_or(None)
}

/// What of a program is not simulated.
pub fn unsupported(program: &str) -> Option<String> {
    match price(&read(program).ok()?, Input { count: 1.0, depth: 1.0 }) {
        Err(Refused::NotSimulated(what)) => Some(format!("{what} of jq")),
        Err(Refused::Missing) | Ok(_) => None,
    }
}

/// Applies a program; the results are always a list.
pub fn filter(call: &Call<'_, '_>) -> Found<Value> {
    if matches!(call.input, Value::Null) {
        return Ok(Value::Null);
    }
    let Some(program) = call.text("expression")? else {
        return Err(call.fault("The 'jq' filter expects an argument 'expression'."));
    };
    // Whatever goes wrong is told in these words; the causes below them are the library's own.
    let failed = || {
        let (text, class) = (call.input.java_text(), call.input.class());
        call.fault(&format!("Unable to parse jq value '{text}' with type '{class}'"))
    };
    let read_input;
    let input = match &call.input {
        Value::Text(text) => {
            let json = serde_json::from_str::<serde_json::Value>(text).map_err(|_| failed())?;
            read_input = Value::from_json(&json)?;
            &read_input
        }
        other => other,
    };
    let term = read(program).map_err(|limit| limit.map_or_else(failed, Fault::limit))?;
    let (weight, depth) = input.size();
    let about = Input { count: (weight / 16) as f64, depth: f64::from(depth) + 1.0 };
    let cost = price(&term, about).map_err(|refused| match refused {
        Refused::Missing => failed(),
        Refused::NotSimulated(what) => Fault::unsupported(format!("{what} of jq is not simulated")),
    })?;
    if cost.work * about.count > JQ_WORK_MAX || cost.size * weight as f64 > VALUE_MAX as f64 {
        return Err(Fault::limit("the jq program may take too long, or make too much, of so large a value"));
    }
    run(program, to_jaq(input)?).unwrap_or_else(|| Err(failed()))
}

/// Runs a program that was priced; nothing where it fails.
fn run(program: &str, input: Val) -> Option<Found<Value>> {
    let arena = Arena::default();
    // Definitions that nothing here needs may ask for functions that are not there.
    let wanted = |name: &str, count: usize| {
        FUNCTIONS.iter().any(|row| (row.0, row.1) == (name, count)) || HELPERS.contains(&(name, count))
    };
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let defs = defs.filter(|def| wanted(def.name, def.args.len())).chain(parse(OWN, |parser| parser.defs())?);
    let funs = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
    let modules = Loader::new(defs).load(&arena, File { code: program, path: () }).ok()?;
    let compiled = Compiler::default().with_funs(funs).compile(modules).ok()?;
    let context = Ctx::<data::JustLut<Val>>::new(&compiled.lut, Vars::new([]));
    let mut values = Vec::new();
    for output in compiled.id.run((context, input)) {
        match from_jaq(&output.ok()?) {
            Ok(value) => values.push(value),
            Err(fault) => return Some(Err(fault)),
        }
    }
    Some(Value::list(values))
}

/// What rounds gives a number with a fraction, as jackson-jq's functions do.
const OWN: &str = r#"def own_floor: floor; def floor: own_floor | tojson + ".0" | fromjson;
def own_round: round; def round: own_round | tojson + ".0" | fromjson;
def own_ceil: ceil; def ceil: own_ceil | tojson + ".0" | fromjson;"#;

/// Functions that those of the table are made of.
const HELPERS: &[(&str, usize)] = &[
    ("isboolean", 0),
    ("isnumber", 0),
    ("isstring", 0),
    ("isarray", 0),
    ("isobject", 0),
    ("recurse", 1),
    ("error", 1),
    ("any", 2),
    ("all", 2),
    ("add", 1),
    ("isempty", 1),
];

fn to_jaq(value: &Value) -> Found<Val> {
    Ok(match value {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::Bool(*flag),
        Value::Int(n) => Val::Num(Num::from_integral(*n)),
        Value::Long(n) => Val::Num(Num::from_integral(*n)),
        // As text it stays what it is until somebody computes with it.
        Value::Double(n) if n.is_finite() => Val::Num(Num::Dec(format!("{n:?}").into())),
        Value::Double(n) => Val::Num(Num::Float(*n)),
        Value::Float(_) | Value::Decimal(_) => Val::Num(Num::Float(super::operate::double(value))),
        Value::Text(text) => Val::utf8_str(text.to_string()),
        Value::List(list) => list.items.iter().map(to_jaq).collect::<Found<Vec<Val>>>()?.into_iter().collect(),
        Value::Map(map) => {
            let entries: Found<Vec<(Val, Val)>> =
                map.entries.iter().map(|(name, value)| Ok((Val::utf8_str(name.clone()), to_jaq(value)?))).collect();
            Val::from_map(entries?).map_err(|_| Fault::unsupported("jq on such a map is not simulated"))?
        }
        other => Val::utf8_str(other.java_text()),
    })
}

/// The lowest 64 bits of a whole number in decimal digits.
fn wrapped(digits: &str) -> Option<i64> {
    let (sign, digits) = digits.strip_prefix('-').map_or((1, digits), |digits| (-1, digits));
    let digit = |sum: i64, c: char| Some(sum.wrapping_mul(10).wrapping_add(i64::from(c.to_digit(10)?)));
    digits.chars().try_fold(0_i64, digit).map(|sum| sum.wrapping_mul(sign))
}

/// A result as Jackson holds it: a computed number without a fraction is a whole one.
fn from_jaq(value: &Val) -> Found<Value> {
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(flag) => Value::Bool(*flag),
        Val::Num(Num::Int(n)) => {
            let n = i64::try_from(*n).unwrap_or(i64::MAX);
            i32::try_from(n).map_or(Value::Long(n), Value::Int)
        }
        Val::Num(Num::Float(n)) if n.fract() == 0.0 && n.abs() < 1e15 => {
            let n = *n as i64;
            i32::try_from(n).map_or(Value::Long(n), Value::Int)
        }
        // Sums and differences of whole numbers wrap at 64 bits there.
        Val::Num(Num::BigInt(n)) => wrapped(&n.to_string()).map_or(Value::Double(f64::NAN), Value::Long),
        Val::Num(Num::Float(n)) => Value::Double(*n),
        Val::Num(other) => Value::Double(other.to_string().parse().unwrap_or(f64::NAN)),
        Val::TStr(text) | Val::BStr(text) => Value::text(String::from_utf8_lossy(text).into_owned())?,
        Val::Arr(items) => Value::list(items.iter().map(from_jaq).collect::<Found<Vec<Value>>>()?)?,
        Val::Obj(map) => {
            let entries: Found<indexmap::IndexMap<String, Value>> = map
                .iter()
                .map(|(name, value)| match name {
                    Val::TStr(name) | Val::BStr(name) => {
                        Ok((String::from_utf8_lossy(name).into_owned(), from_jaq(value)?))
                    }
                    _ => Err(Fault::unsupported("an object of jq with a name that is no text is not simulated")),
                })
                .collect();
            Value::map(LINKED, entries?)?
        }
    })
}
