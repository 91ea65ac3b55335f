//! The syntax of templates, with all that Go refuses when it reads one: a rule file with such a template is refused.

use std::collections::BTreeMap;

use super::Value;
use super::lexer::{Item, items};
use super::number::number;
pub(super) use super::tree::{Action, Nodes, Operand, Pipeline, Range};

/// What a dialect knows.
pub(super) struct Syntax<'a> {
    /// Whether there is a function of this name.
    pub(super) known: &'a dyn Fn(&str) -> bool,
    /// The variables that are declared before the template begins.
    pub(super) variables: &'static [&'static str],
    /// `else with`, which Go has since 1.23.
    pub(super) else_with: bool,
}

/// What is wrong with a template, and the byte where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) why: String,
    pub(super) at: usize,
}

/// Blocks inside blocks, and parentheses inside parentheses.
const MAX_NESTING: usize = 50;

/// Reads a text: what it is itself, and the templates that it defines.
pub(super) fn parse(text: &str, syntax: &Syntax<'_>) -> Result<(Nodes, BTreeMap<String, Nodes>), Wrong> {
    let (items, starts) = items(text);
    let mut parser = Parser {
        syntax,
        items,
        at: 0,
        variables: syntax.variables.iter().map(|name| (*name).to_owned()).collect(),
        ranges: 0,
        depth: 0,
        defined: BTreeMap::new(),
    };
    match outermost(&mut parser) {
        Ok(nodes) => Ok((nodes, parser.defined)),
        Err(why) => Err(Wrong { why, at: starts.get(parser.at).copied().unwrap_or(text.len()) }),
    }
}

fn outermost(parser: &mut Parser<'_>) -> Result<Nodes, String> {
    let mut nodes = Vec::new();
    while parser.peek().is_some() {
        let start = parser.at;
        if parser.next() == Some(Item::Left) && parser.word("define") {
            parser.define()?;
            continue;
        }
        parser.at = start;
        match parser.piece()? {
            Piece::Node(node) => nodes.extend(node),
            Piece::End => return Err("unexpected {{end}}".into()),
            Piece::Else => return Err("unexpected {{else}}".into()),
        }
    }
    Ok(nodes)
}

/// Whether a template gives nothing but blanks: such a one overrides no other.
pub(super) fn is_empty(nodes: &Nodes) -> bool {
    nodes.iter().all(|it| matches!(it, Action::Text(text) if text.trim().is_empty()))
}

/// What a text or an action is.
enum Piece {
    /// None for what only makes a template of its own.
    Node(Option<Action>),
    End,
    Else,
}

struct Parser<'a> {
    syntax: &'a Syntax<'a>,
    items: Vec<Item>,
    at: usize,
    /// Variables that are known here, the outermost first.
    variables: Vec<String>,
    /// Loops around this place.
    ranges: usize,
    depth: usize,
    defined: BTreeMap<String, Nodes>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Item> {
        self.items.get(self.at)
    }
    fn next(&mut self) -> Option<Item> {
        let item = self.items.get(self.at).cloned();
        self.at += 1;
        item
    }
    fn blanks(&mut self) {
        while self.peek() == Some(&Item::Blank) {
            self.at += 1;
        }
    }
    /// The next piece that is no blank.
    fn solid(&mut self) -> Option<&Item> {
        self.blanks();
        self.peek()
    }
    /// Whether a keyword follows; it is taken.
    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.solid(), Some(Item::Word(found)) if found == word);
        self.at += usize::from(found);
        found
    }
    fn unexpected(&self, context: &str) -> String {
        match self.peek() {
            Some(Item::Bad(why)) => why.clone(),
            Some(item) => format!("unexpected {} in {context}", item.describe()),
            None => "unexpected EOF".into(),
        }
    }
    fn right(&mut self, context: &str) -> Result<(), String> {
        match self.solid() {
            Some(Item::Right) => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.unexpected(context)),
        }
    }
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err("it is nested too deeply".into());
        }
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// The name after `define`, `block` or `template`.
    fn name_of_template(&mut self, context: &str) -> Result<String, String> {
        match self.solid().cloned() {
            Some(Item::Text(name)) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected(context)),
        }
    }

    /// A template of its own, up to its end.
    fn define(&mut self) -> Result<(), String> {
        let name = self.name_of_template("define clause")?;
        self.right("define clause")?;
        self.body_of(name)
    }

    /// The body of a template of its own. It knows no variables but `$`.
    fn body_of(&mut self, name: String) -> Result<(), String> {
        let outside = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (body, end) = self.block()?;
        if !matches!(end, Piece::End) {
            return Err("unexpected {{else}} in define clause".into());
        }
        (self.variables, self.ranges) = (outside, ranges);
        match self.defined.get(&name) {
            Some(before) if !is_empty(before) && !is_empty(&body) => {
                Err(format!("multiple definition of template {name:?}"))
            }
            Some(_) if is_empty(&body) => Ok(()),
            _ => {
                self.defined.insert(name, body);
                Ok(())
            }
        }
    }

    /// Everything up to `end` or `else`.
    fn block(&mut self) -> Result<(Nodes, Piece), String> {
        self.nested(|parser| {
            let mut nodes = Vec::new();
            while parser.peek().is_some() {
                match parser.piece()? {
                    Piece::Node(node) => nodes.extend(node),
                    end => return Ok((nodes, end)),
                }
            }
            Err("unexpected EOF".into())
        })
    }

    /// A text or an action.
    fn piece(&mut self) -> Result<Piece, String> {
        match self.peek() {
            Some(Item::Outside(text)) => {
                let node = Action::Text(text.clone());
                self.at += 1;
                return Ok(Piece::Node(Some(node)));
            }
            Some(Item::Left) => self.at += 1,
            _ => return Err(self.unexpected("input")),
        }
        let word = match self.solid() {
            Some(Item::Word(word)) => word.clone(),
            _ => String::new(),
        };
        let keyword = matches!(
            word.as_str(),
            "end" | "else" | "if" | "with" | "range" | "template" | "block" | "break" | "continue" | "define"
        );
        self.at += usize::from(keyword);
        let node = match word.as_str() {
            "end" => {
                self.right("end")?;
                return Ok(Piece::End);
            }
            "else" => {
                // `else if` and `else with` go on in the same action.
                let else_with = self.syntax.else_with;
                if !matches!(self.solid(), Some(Item::Word(word)) if word == "if" || (word == "with" && else_with)) {
                    self.right("else")?;
                }
                return Ok(Piece::Else);
            }
            "if" | "with" | "range" => self.branch(&word)?,
            "template" => self.template()?,
            "block" => {
                let name = self.name_of_template("block clause")?;
                let pipeline = self.pipeline("block clause", &Item::Right)?;
                self.body_of(name.clone())?;
                Action::Template(name, Some(pipeline))
            }
            "break" | "continue" => {
                self.right(&format!("{{{{{word}}}}}"))?;
                if self.ranges == 0 {
                    return Err(format!("{{{{{word}}}}} outside {{{{range}}}}"));
                }
                if word == "break" { Action::Break } else { Action::Continue }
            }
            "define" => return Err("unexpected define in command".into()),
            _ => Action::Print(self.pipeline("command", &Item::Right)?),
        };
        Ok(Piece::Node(Some(node)))
    }

    /// What follows `template`.
    fn template(&mut self) -> Result<Action, String> {
        let name = self.name_of_template("template clause")?;
        if self.solid() == Some(&Item::Right) {
            self.at += 1;
            return Ok(Action::Template(name, None));
        }
        Ok(Action::Template(name, Some(self.pipeline("template clause", &Item::Right)?)))
    }

    /// An `if`, `with` or `range`, up to its end. Variables end with it.
    fn branch(&mut self, word: &str) -> Result<Action, String> {
        let known = self.variables.len();
        let (names, declares) = if word == "range" { self.range_names()? } else { (Vec::new(), false) };
        let pipeline = self.pipeline(word, &Item::Right)?;
        self.ranges += usize::from(word == "range");
        let (body, end) = self.block()?;
        self.ranges -= usize::from(word == "range");
        let otherwise = match end {
            Piece::Else => self.otherwise(word)?,
            _ => Vec::new(),
        };
        self.variables.truncate(known);
        Ok(match word {
            "if" => Action::If(pipeline, body, otherwise),
            "with" => Action::With(pipeline, body, otherwise),
            _ => Action::Range(Range { names, declares, over: pipeline, body, otherwise }),
        })
    }

    /// What stands after `else`; `else if` and `else with` end with the whole.
    fn otherwise(&mut self, word: &str) -> Result<Nodes, String> {
        if word != "range" && self.word(word) {
            return self.nested(|parser| Ok(vec![parser.branch(word)?]));
        }
        match self.peek() {
            Some(Item::Word(_)) => Err(self.unexpected("input")),
            _ => match self.block()? {
                (nodes, Piece::End) => Ok(nodes),
                _ => Err("expected end; found {{else}}".into()),
            },
        }
    }

    /// `$i, $e :=` or `$e =` of a range: the names, and whether they are new.
    fn range_names(&mut self) -> Result<(Vec<String>, bool), String> {
        let start = self.at;
        let mut names = Vec::new();
        while let Some(Item::Variable(name)) = self.solid().cloned() {
            self.at += 1;
            names.push(name);
            match self.solid() {
                Some(sign @ (Item::Declare | Item::Assign)) => {
                    let declares = *sign == Item::Declare;
                    self.at += 1;
                    self.variables.extend(names.iter().cloned());
                    return Ok((names, declares));
                }
                Some(Item::Sign(',')) if names.len() < 2 => self.at += 1,
                Some(Item::Sign(',')) => return Err("too many declarations in range".into()),
                _ if names.len() < 2 => break,
                _ => return Err(self.unexpected("range")),
            }
        }
        match names.len() < 2 && !matches!(self.items.get(self.at.saturating_sub(1)), Some(Item::Sign(','))) {
            true => {
                self.at = start;
                Ok((Vec::new(), false))
            }
            false => Err("range can only initialize variables".into()),
        }
    }

    /// Commands up to an end, which is taken.
    fn pipeline(&mut self, context: &str, end: &Item) -> Result<Pipeline, String> {
        self.nested(|parser| parser.pipeline_inside(context, end))
    }

    fn pipeline_inside(&mut self, context: &str, end: &Item) -> Result<Pipeline, String> {
        let mut variable = None;
        let start = self.at;
        if let Some(Item::Variable(name)) = self.solid().cloned() {
            self.at += 1;
            match self.solid() {
                Some(sign @ (Item::Declare | Item::Assign)) => {
                    variable = Some((name.clone(), *sign == Item::Declare));
                    self.at += 1;
                    // An assignment makes it known as well; that there is nothing to assign to is found out later.
                    self.variables.push(name);
                }
                Some(Item::Sign(',')) => return Err(format!("too many declarations in {context}")),
                _ => self.at = start,
            }
        }
        let mut commands = Vec::new();
        loop {
            match self.solid() {
                Some(item) if item == end => {
                    self.at += 1;
                    break;
                }
                Some(
                    Item::Word(_)
                    | Item::Field(_)
                    | Item::Variable(_)
                    | Item::Text(_)
                    | Item::Number(_)
                    | Item::Character(_)
                    | Item::Open,
                ) => commands.push(self.command()?),
                _ => return Err(self.unexpected(context)),
            }
        }
        if commands.is_empty() {
            return Err(format!("missing value for {context}"));
        }
        let idle = |command: &Vec<Operand>| match command.first() {
            Some(Operand::Value(_)) => true,
            Some(Operand::Dot(fields)) => fields.is_empty(),
            _ => false,
        };
        match commands.iter().skip(1).position(idle) {
            Some(stage) => Err(format!("non executable command in pipeline stage {}", stage + 2)),
            None => Ok(Pipeline { variable, commands }),
        }
    }

    /// Words up to a pipe, which is taken, or to an end, which is not.
    fn command(&mut self) -> Result<Vec<Operand>, String> {
        let mut words = Vec::new();
        loop {
            self.blanks();
            words.extend(self.operand()?);
            match self.peek() {
                Some(Item::Blank) => {}
                Some(Item::Right | Item::Close) => return Ok(words),
                Some(Item::Pipe) => {
                    self.at += 1;
                    return Ok(words);
                }
                _ => return Err(self.unexpected("operand")),
            }
        }
    }

    /// `.a.b` right behind something.
    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(Item::Field(name)) = self.peek().filter(|it| !matches!(it, Item::Field(name) if name.is_empty()))
        {
            fields.push(name.clone());
            self.at += 1;
        }
        fields
    }

    /// A word of a command, when one stands here.
    fn operand(&mut self) -> Result<Option<Operand>, String> {
        let Some(item) = self.peek().cloned() else { return Err("unexpected EOF".into()) };
        let term = match &item {
            Item::Text(text) => Operand::Value(Value::Text(text.clone())),
            Item::Number(text) => Operand::Value(number(text)?),
            Item::Character(c) => Operand::Value(Value::Int(i64::from(u32::from(*c)))),
            Item::Word(word) => match word.as_str() {
                "true" | "false" => Operand::Value(Value::Bool(word == "true")),
                "nil" => Operand::Value(Value::Nil),
                _ if (self.syntax.known)(word) => Operand::Function(word.clone()),
                "define" | "else" | "end" | "if" | "range" | "template" | "with" | "block" | "break" | "continue" => {
                    return Err(self.unexpected("operand"));
                }
                _ => return Err(format!("function {word:?} not defined")),
            },
            Item::Field(name) => Operand::Dot(if name.is_empty() { Vec::new() } else { vec![name.clone()] }),
            Item::Variable(name) => {
                if !self.variables.contains(name) {
                    return Err(format!("undefined variable {name:?}"));
                }
                Operand::Variable(name.clone(), Vec::new())
            }
            Item::Open => {
                self.at += 1;
                let pipeline = self.pipeline("parenthesized pipeline", &Item::Close)?;
                return Ok(Some(Operand::Pipeline(pipeline, self.fields())));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        let more = self.fields();
        Ok(Some(match term {
            term if more.is_empty() => term,
            Operand::Dot(fields) if !fields.is_empty() => Operand::Dot([fields, more].concat()),
            Operand::Variable(name, _) => Operand::Variable(name, more),
            Operand::Function(_) => Operand::Pipeline(Pipeline { variable: None, commands: vec![vec![term]] }, more),
            _ => return Err(format!("unexpected . after term {:?}", item.describe())),
        }))
    }
}
