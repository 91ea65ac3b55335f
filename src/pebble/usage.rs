//! What a template uses: what is not simulated, and what it must be given.

use super::Dialect;
use super::invoke;
use super::jq;
use super::syntax::{Arguments, Body, Expr, Kind, Node, Operator};
use super::value::Value;

/// Names, in order of first use, each once.
pub fn unsupported(body: &Body, dialect: &Dialect) -> Vec<String> {
    of(body, dialect).names
}

/// What a template must be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Variables without which it fails, whatever else there is, each with the part of it that is asked for first:
    /// `trigger.date`. What is asked for in a case only, or tested for, is not among them.
    pub variables: Vec<(String, Option<String>)>,
    /// Secrets that it names.
    pub secrets: Vec<String>,
}

/// What a template must be given.
pub fn needs(body: &Body, dialect: &Dialect) -> Needs {
    of(body, dialect).needs
}

fn of<'d>(body: &Body, dialect: &'d Dialect) -> Usage<'d> {
    let mut usage = Usage { dialect, names: Vec::new(), needs: Needs::default(), own: Vec::new(), perhaps: 0 };
    usage.body(body);
    usage
}

struct Usage<'d> {
    dialect: &'d Dialect,
    names: Vec<String>,
    needs: Needs,
    /// Names that the template itself gives something.
    own: Vec<String>,
    /// How many conditions what is looked at hangs on.
    perhaps: usize,
}

impl Usage<'_> {
    fn add(&mut self, name: String) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
    }
    /// Looks at what perhaps is not rendered.
    fn perhaps(&mut self, look: impl FnOnce(&mut Self)) {
        self.perhaps += 1;
        look(self);
        self.perhaps -= 1;
    }
    fn variable(&mut self, name: &str, part: Option<&str>) {
        let variable = (name.to_owned(), part.map(str::to_owned));
        let own = self.own.iter().any(|own| own == name);
        if self.perhaps == 0 && !own && !self.needs.variables.contains(&variable) {
            self.needs.variables.push(variable);
        }
    }
    fn body(&mut self, body: &Body) {
        for node in &body.nodes {
            match node {
                Node::Text(_) => {}
                Node::Print(expr) => self.expr(expr),
                Node::Set(name, expr) => {
                    self.expr(expr);
                    self.own.push(name.clone());
                }
                Node::If(arms, otherwise, _) => {
                    for (at, (test, body)) in arms.iter().enumerate() {
                        // The first test is always made.
                        match at {
                            0 => self.expr(test),
                            _ => self.perhaps(|it| it.expr(test)),
                        }
                        self.perhaps(|it| it.body(body));
                    }
                    self.perhaps(|it| otherwise.iter().for_each(|body| it.body(body)));
                }
                Node::For { name, over, body, otherwise, .. } => {
                    self.expr(over);
                    self.own.extend([name.clone(), "loop".to_owned()]);
                    self.perhaps(|it| {
                        it.body(body);
                        otherwise.iter().for_each(|body| it.body(body));
                    });
                }
                Node::Macro { parameters, body, .. } => self.perhaps(|it| {
                    it.arguments(parameters);
                    it.body(body);
                }),
                Node::Block(_, body) => self.body(body),
            }
        }
    }
    fn arguments(&mut self, arguments: &Arguments) {
        arguments.positional.iter().for_each(|expr| self.expr(expr));
        arguments.named.iter().filter_map(|(_, value)| value.as_ref()).for_each(|expr| self.expr(expr));
    }
    fn binary(&mut self, operator: Operator, a: &Expr, b: &Expr) {
        match operator {
            Operator::NullElse | Operator::UndefinedElse => self.perhaps(|it| {
                it.expr(a);
                it.expr(b);
            }),
            Operator::And | Operator::Or => {
                self.expr(a);
                self.perhaps(|it| it.expr(b));
            }
            _ => {
                self.expr(a);
                self.expr(b);
            }
        }
    }
    fn call(&mut self, name: &str, arguments: &Arguments) {
        self.arguments(arguments);
        let first = arguments.positional.first().map(|it| &it.kind);
        if let ("secret", Some(Kind::Literal(Value::Text(secret)))) = (name, first) {
            let secret = secret.to_string();
            if self.perhaps == 0 && !self.needs.secrets.contains(&secret) {
                self.needs.secrets.push(secret);
            }
        }
        if invoke::function_row(name, self.dialect).is_err() {
            self.add(format!("function {name}"));
        }
    }
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Literal(_) => {}
            Kind::Name(name) => self.variable(name, None),
            Kind::Get(a, b) => match (&a.kind, &b.kind) {
                (Kind::Name(name), Kind::Literal(Value::Text(part))) => self.variable(name, Some(part)),
                _ => {
                    self.expr(a);
                    self.expr(b);
                }
            },
            Kind::Binary(operator, a, b) => self.binary(*operator, a, b),
            Kind::Call(name, arguments) => self.call(name, arguments),
            Kind::Filter(input, name, arguments) => {
                match name.as_str() {
                    "default" => self.perhaps(|it| it.expr(input)),
                    _ => self.expr(input),
                }
                self.arguments(arguments);
                if invoke::filter_row(name, self.dialect).is_err() {
                    self.add(format!("filter {name}"));
                }
                let program = arguments.positional.first().map(|argument| &argument.kind);
                if let ("jq", Some(Kind::Literal(Value::Text(program)))) = (name.as_str(), program) {
                    jq::unsupported(program).into_iter().for_each(|what| self.add(what));
                }
            }
            Kind::Test(input, _, arguments, _) => self.perhaps(|it| {
                it.expr(input);
                it.arguments(arguments);
            }),
            Kind::Not(child) | Kind::Sign(_, child) => self.expr(child),
            Kind::Ternary(a, b, c) => {
                self.expr(a);
                self.perhaps(|it| [b, c].into_iter().for_each(|expr| it.expr(expr)));
            }
            Kind::Array(items) => items.iter().for_each(|item| self.expr(item)),
            Kind::Map(entries) => {
                for (name, value) in entries {
                    self.expr(name);
                    self.expr(value);
                }
            }
            Kind::Body(body) => self.body(body),
            Kind::Block(arguments) => self.arguments(arguments),
            Kind::Method(object, name) => {
                self.expr(object);
                self.add(format!("method .{name}()"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, Template};

    #[test]
    fn what_a_template_needs_is_what_it_asks_for_whatever_else_there_is() {
        let dialect = Dialect::named("1.3").expect("a dialect");
        for (text, variables, secrets) in [
            ("plain", &[] as &[&str], &[] as &[&str]),
            ("{{ flow.id }} {{ flow['namespace'] }} {{ labels }}", &["flow.id", "flow.namespace", "labels"], &[]),
            ("{{ error.message ?? 'none' }} {{ x is defined }} {{ y | default('z') }}", &[], &[]),
            ("{{ a ? b : c }} {{ d and e }} {{ f == g.h }}", &["a", "d", "f", "g.h"], &[]),
            ("{% if a %}{{ b }}{% endif %}{% for c in d %}{{ c }}{{ loop.index }}{% endfor %}", &["a", "d"], &[]),
            ("{% set a = b %}{{ a }}", &["b"], &[]),
            ("{{ secret('X') }}{{ a ? secret('Y') : '' }}{{ secret(b) }}", &["a", "b"], &["X"]),
        ] {
            let needs = Template::parse(text, dialect).expect("a template").needs();
            let found: Vec<String> = needs
                .variables
                .iter()
                .map(|(name, part)| part.as_ref().map_or_else(|| name.clone(), |part| format!("{name}.{part}")))
                .collect();
            assert_eq!(found, variables, "{text}");
            assert_eq!(needs.secrets, secrets, "{text}");
        }
    }
}
