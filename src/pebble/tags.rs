//! Tags: what stands between `{%` and `%}`, and what they enclose.

use super::Dialect;
use super::error::Found;
use super::lexer::{self, Type};
use super::parse::Parser;
use super::syntax::{Arguments, Body, Expr, Node};

/// A template as a tree.
pub fn parse(template: &str, dialect: &Dialect) -> Found<Body> {
    let tokens = lexer::tokens(template, dialect)?;
    let mut parser = Parser::new(template, dialect, tokens);
    parser.body(&[])
}

impl Parser<'_> {
    /// Pieces up to a tag of one of these names, which is not read, or to the end.
    fn body(&mut self, ends: &[&str]) -> Found<Body> {
        self.deeper(|parser| parser.pieces(ends))
    }
    fn pieces(&mut self, ends: &[&str]) -> Found<Body> {
        let mut nodes = Vec::new();
        loop {
            let token = self.current();
            match token.kind {
                Type::Eof => return Body::new(nodes),
                Type::Text => {
                    self.advance();
                    nodes.push(Node::Text(token.value.unwrap_or_default()));
                }
                Type::PrintStart => {
                    self.advance();
                    nodes.push(Node::Print(self.expression()?));
                    self.expect(Type::PrintEnd, None)?;
                }
                Type::ExecuteStart => {
                    self.advance();
                    let tag = self.current();
                    let name = tag.value.unwrap_or_default();
                    if tag.kind != Type::Name {
                        return Err(self.fault("A block must start with a tag name.", tag.line));
                    }
                    if ends.contains(&name.as_str()) {
                        return Body::new(nodes);
                    }
                    nodes.push(self.tag(&name, tag.line)?);
                }
                _ => return Err(self.fault("Parser ended in undefined state.", token.line)),
            }
        }
    }
    fn tag(&mut self, name: &str, line: usize) -> Found<Node> {
        match name {
            "if" => self.if_tag(line),
            "for" => self.for_tag(line),
            "set" => {
                self.advance();
                let name = self.new_name()?;
                self.expect(Type::Punctuation, Some("="))?;
                let value = self.expression()?;
                self.expect(Type::ExecuteEnd, None)?;
                Ok(Node::Set(name, value))
            }
            "filter" => self.filter_tag(line),
            "macro" => self.macro_tag(),
            "block" => self.block_tag(),
            _ => Err(self.fault(&format!("Unexpected tag name \"{name}\""), line)),
        }
    }
    /// Reads the tag that ends another one.
    fn end(&mut self, name: &str) -> Found<()> {
        if self.current().value.is_none() {
            let message = format!("Unexpected end of template. Pebble was looking for the \"{name}\" tag");
            return Err(self.fault(&message, self.line()));
        }
        self.advance();
        self.expect(Type::ExecuteEnd, None)?;
        Ok(())
    }
    fn if_tag(&mut self, line: usize) -> Found<Node> {
        let mut arms: Vec<(Expr, Body)> = Vec::new();
        loop {
            // Behind `if` and `elseif` alike: a condition, and what it is for.
            self.advance();
            let test = self.expression()?;
            self.expect(Type::ExecuteEnd, None)?;
            arms.push((test, self.body(&["elseif", "else", "endif"])?));
            if !self.is(Type::Name, "elseif") {
                break;
            }
        }
        let mut otherwise = None;
        if self.is(Type::Name, "else") {
            self.advance();
            self.expect(Type::ExecuteEnd, None)?;
            otherwise = Some(self.body(&["endif"])?);
        }
        self.end("endif")?;
        Ok(Node::If(arms, otherwise, line))
    }
    fn for_tag(&mut self, line: usize) -> Found<Node> {
        self.advance();
        let name = self.new_name()?;
        self.expect(Type::Name, Some("in"))?;
        let over = self.expression()?;
        self.expect(Type::ExecuteEnd, None)?;
        let body = self.body(&["else", "endfor"])?;
        let mut otherwise = None;
        if self.is(Type::Name, "else") {
            self.advance();
            self.expect(Type::ExecuteEnd, None)?;
            otherwise = Some(self.body(&["endfor"])?);
        }
        self.end("endfor")?;
        Ok(Node::For { name, over, body, otherwise, line })
    }
    fn filter_tag(&mut self, line: usize) -> Found<Node> {
        self.advance();
        let mut filters: Vec<(String, Arguments)> = vec![self.invocation()?];
        while self.is(Type::Operator, "|") {
            self.advance();
            filters.push(self.invocation()?);
        }
        self.expect(Type::ExecuteEnd, None)?;
        let body = self.body(&["endfilter"])?;
        self.end("endfilter")?;
        self.filtered(body, filters, line).map(Node::Print)
    }
    fn macro_tag(&mut self) -> Found<Node> {
        self.advance();
        let name = self.expect(Type::Name, None)?.value.unwrap_or_default();
        let parameters = self.arguments(true)?;
        self.expect(Type::ExecuteEnd, None)?;
        let body = self.body(&["endmacro"])?;
        self.end("endmacro")?;
        Ok(Node::Macro { name, parameters, body })
    }
    fn block_tag(&mut self) -> Found<Node> {
        self.advance();
        let name = self.expect(Type::Name, None)?.value.unwrap_or_default();
        self.expect(Type::ExecuteEnd, None)?;
        let body = self.body(&["endblock"])?;
        self.end("endblock")?;
        Ok(Node::Block(name, body))
    }
}
