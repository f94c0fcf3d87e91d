//! SQL text → statements, in the one dialect that rules, `weir sql` and every other entry point speak.

use std::any::TypeId;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, CastKind, DataType, Expr, Ident, ObjectName, Subscript, Value, VisitMut, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use super::depth::{self, DEPTH_MAX};
use super::{parsable, sql_json};

/// PostgreSQL, whose `->` and `->>` bind tighter than comparison, with lambdas (`x -> x > 1`) added.
///
/// `name -> 'key'` and `name -> 0` are JSON access; after any other right side an arrow behind a bare name makes a lambda.
#[derive(Debug)]
pub struct WeirDialect;

const POSTGRES: PostgreSqlDialect = PostgreSqlDialect {};

impl Dialect for WeirDialect {
    /// The parser asks some questions by dialect and not by method; those get PostgreSQL's answer.
    fn dialect(&self) -> TypeId {
        POSTGRES.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let Token::Word(name) = parser.peek_nth_token_ref(0).token.clone() else { return None };
        if let Some(constant) = typed_constant(&name, parser) {
            return Some(Ok(constant));
        }
        // behind ANY and ALL, where the parser looks for SELECT alone
        if name.keyword == Keyword::VALUES && parser.peek_nth_token_ref(1).token == Token::LParen {
            return Some(parser.parse_query().map(Expr::Subquery));
        }
        if sql_json::begins(&name, parser) {
            return Some(sql_json::call(parser));
        }
        if name.keyword == Keyword::TRIM && name.quote_style.is_none() && trims_letters(parser) {
            let trim = Ident::with_span(parser.next_token().span, "btrim");
            return Some(parser.parse_function(ObjectName::from(vec![trim])));
        }
        let key = &parser.peek_nth_token_ref(2).token;
        let json = parser.peek_nth_token_ref(1).token == Token::Arrow
            && matches!(key, Token::SingleQuotedString(_) | Token::Number(..) | Token::Minus);
        json.then(|| Ok(Expr::Identifier(name.into_ident(parser.next_token().span))))
    }

    /// The parser takes all that follows `IS [NOT] DISTINCT FROM`, with AND and OR, for its right side.
    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        use Keyword::{DISTINCT, FROM, IS, NOT};
        let make = if parser.parse_keywords(&[IS, DISTINCT, FROM]) {
            Expr::IsDistinctFrom
        } else if parser.parse_keywords(&[IS, NOT, DISTINCT, FROM]) {
            Expr::IsNotDistinctFrom
        } else {
            return None;
        };
        Some(parser.parse_subexpr(precedence).map(|right| make(Box::new(left.clone()), Box::new(right))))
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        POSTGRES.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRES.prec_value(precedence)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        POSTGRES.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        POSTGRES.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        POSTGRES.is_delimited_identifier_start(ch)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        POSTGRES.identifier_quote_style(identifier)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        POSTGRES.is_reserved_for_identifier(keyword)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        POSTGRES.is_custom_operator_part(ch)
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_explain_with_utility_options(&self) -> bool {
        true
    }
}

/// Whether a call of trim has a second argument, `trim(name, '/')`.
fn trims_letters(parser: &Parser) -> bool {
    let mut depth = 0_usize;
    for place in 1.. {
        match &parser.peek_nth_token_ref(place).token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket if depth > 1 => depth -= 1,
            Token::Comma if depth == 1 => return true,
            Token::Word(word) if depth == 1 && word.keyword == Keyword::FROM => return false,
            Token::RParen | Token::RBracket | Token::EOF => return false,
            _ if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

/// `IPADDRESS '10.0.0.1'` is a cast of the text, as it is with types that the parser knows.
fn typed_constant(name: &Word, parser: &mut Parser) -> Option<Expr> {
    let is_type = ["ipaddress", "ipprefix"].iter().any(|kind| name.value.eq_ignore_ascii_case(kind));
    let Token::SingleQuotedString(text) = parser.peek_nth_token_ref(1).token.clone() else { return None };
    if !is_type || name.quote_style.is_some() {
        return None;
    }
    let kind = name.clone().into_ident(parser.next_token().span);
    let text = Value::SingleQuotedString(text).with_span(parser.next_token().span);
    let data_type = DataType::Custom(ObjectName::from(vec![kind]), Vec::new());
    Some(Expr::Cast { kind: CastKind::Cast, expr: Box::new(Expr::Value(text)), data_type, array: false, format: None })
}

/// What is wrong with SQL text, and where in it; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SqlError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Parses any number of statements.
pub fn parse(sql: &str) -> Result<VecDeque<Statement>, SqlError> {
    let sql = parsable::with_rows(sql);
    let sql = parsable::with_types(&sql);
    let parse = || DFParserBuilder::new(&*sql).with_dialect(&WeirDialect).build()?.parse_statements();
    let mut statements = parse().map_err(|error| locate(&error, &sql))?;
    for statement in &mut statements {
        if let Some(statement) = asked(statement) {
            if depth::taken_out(statement) > DEPTH_MAX {
                return Err(SqlError { line: 1, column: 1, message: "nested too deeply".to_owned() });
            }
            name_fields(statement);
        }
    }
    Ok(statements)
}

/// The statement, or the one that EXPLAIN asks of.
fn asked(statement: &mut Statement) -> Option<&mut ast::Statement> {
    match statement {
        Statement::Statement(statement) => Some(statement.as_mut()),
        Statement::Explain(explain) => asked(&mut explain.statement),
        _ => None,
    }
}

/// In `list[1].name` the planner takes the name only as a string, and in `alias.list[1]` it takes `alias` for a column
/// unless `alias.list` is one name.
fn name_fields(statement: &mut impl VisitMut) {
    let _ = visit_expressions_mut(statement, |expr| {
        if let Expr::Lambda(lambda) = expr {
            let parameters: Vec<Ident> = lambda.params.iter().map(|parameter| parameter.name.clone()).collect();
            name_fields_of(&parameters, lambda.body.as_mut());
        }
        let Expr::CompoundFieldAccess { root, access_chain } = expr else { return ControlFlow::<()>::Continue(()) };
        let is_name = |access: &&AccessExpr| matches!(access, AccessExpr::Dot(Expr::Identifier(_)));
        let names = access_chain.iter().take_while(is_name).count();
        if let Expr::Identifier(first) = root.as_ref()
            && (1..access_chain.len()).contains(&names)
        {
            let mut path = vec![first.clone()];
            path.extend(access_chain.drain(..names).filter_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(name)) => Some(name),
                _ => None,
            }));
            **root = Expr::CompoundIdentifier(path);
        }
        for access in access_chain {
            if let AccessExpr::Dot(Expr::Identifier(name)) = access {
                *access = AccessExpr::Dot(field(name));
            }
        }
        ControlFlow::Continue(())
    }); // the closure never breaks
}

/// `x.name` of what a lambda calls `x` is `x['name']`: the planner takes `x` for a table.
pub fn name_fields_of(parameters: &[Ident], body: &mut Expr) {
    let _ = visit_expressions_mut(body, |expr| {
        if let Expr::CompoundIdentifier(path) = expr
            && let [first, rest @ ..] = path.as_slice()
            && parameters.iter().any(|parameter| parameter.value.eq_ignore_ascii_case(&first.value))
        {
            let access_chain =
                rest.iter().map(|name| AccessExpr::Subscript(Subscript::Index { index: field(name) })).collect();
            *expr = Expr::CompoundFieldAccess { root: Box::new(Expr::Identifier(first.clone())), access_chain };
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
}

/// The name of a field as a text.
fn field(name: &Ident) -> Expr {
    let folded = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
    Expr::Value(Value::SingleQuotedString(folded).with_span(name.span))
}

/// What the parser says, with what is written in the place of words that it does not know.
fn with_hint(message: &str) -> String {
    let instead = match message.rsplit_once("found: ").map(|(_, found)| found) {
        Some("MATCH_RECOGNIZE") => {
            "there is no MATCH_RECOGNIZE here: lag(eventName) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) has what came before"
        }
        Some("?") => "json_contains(requestParameters, 'bucketName') is whether a key is there",
        Some("`") => "a name stands in double quotes, or in none: \"eventName\"",
        None if message.contains("No infix parser for token ShiftLeft") => {
            "networks are asked by function: cidr_match(srcaddr, '10.0.0.0/8')"
        }
        _ => return message.to_owned(),
    };
    instead.to_owned()
}

/// The parser says where only in its text: `... at Line: 3, Column: 8`.
fn locate(error: &DataFusionError, sql: &str) -> SqlError {
    let text = match error.find_root() {
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
            ParserError::RecursionLimitExceeded => "nested too deeply".to_owned(),
        },
        other => other.strip_backtrace(),
    };
    let place = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let message = with_hint(message);
        Some(SqlError { line: line.parse().ok()?, column: column.trim().parse().ok()?, message })
    });
    place.unwrap_or_else(|| {
        let (line, column) = if text.ends_with("found: EOF") { end(sql) } else { (1, 1) };
        SqlError { line, column, message: text }
    })
}

/// The place behind the last word of a text.
fn end(sql: &str) -> (usize, usize) {
    let sql = sql.trim_end();
    let last = sql.rsplit('\n').next().unwrap_or_default();
    (sql.matches('\n').count() + 1, last.chars().count() + 1)
}

/// Line and column of the `which`-th time (from 0) that a word stands in SQL text outside of comments and quotes.
pub fn find_word(sql: &str, word: &str, which: usize) -> Option<(usize, usize)> {
    find_names(sql, word).get(which).map(|name| name.place)
}

/// A word of SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Line and column.
    pub place: (usize, usize),
    /// Whether SELECT calls something so: `AS` stands before it, or a value, and behind it a comma or FROM.
    pub is_alias: bool,
    /// Whether it stands in double quotes.
    pub is_quoted: bool,
}

/// Every time that a word stands in SQL text outside of comments and single quotes.
pub fn find_names(sql: &str, word: &str) -> Vec<Name> {
    // what is no SQL the parser complains of
    let tokens = Tokenizer::new(&WeirDialect, sql).tokenize_with_location().unwrap_or_default();
    let tokens: Vec<&TokenWithSpan> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let (mut is_selected, mut names) = (false, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(found) = &token.token else { continue };
        match found.keyword {
            Keyword::SELECT => is_selected = true,
            Keyword::FROM => is_selected = false,
            _ => {}
        }
        if found.value.eq_ignore_ascii_case(word) {
            let before = at.checked_sub(1).map(|before| &tokens[before].token);
            let is_last =
                tokens.get(at + 1).is_some_and(|next| next.token == Token::Comma || is(&next.token, Keyword::FROM));
            let is_alias = before.is_some_and(|before| {
                is(before, Keyword::AS) || is_selected && is_last && (*before == Token::RParen || is_name(before))
            });
            let is_quoted = found.quote_style.is_some();
            names.push(Name { place: line_and_column(token.span.start), is_alias, is_quoted });
        }
    }
    names
}

fn is(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == keyword)
}

fn is_name(token: &Token) -> bool {
    is(token, Keyword::NoKeyword)
}

/// Line and column of the first call of a function in SQL text outside of comments and quotes.
pub fn find_call(sql: &str, name: &str) -> Option<(usize, usize)> {
    let tokens = Tokenizer::new(&WeirDialect, sql).tokenize_with_location().ok()?;
    let is_call = |pair: &&[TokenWithSpan]| {
        matches!(&pair[0].token, Token::Word(word) if word.value.eq_ignore_ascii_case(name))
            && pair[1].token == Token::LParen
    };
    tokens.windows(2).find(is_call).map(|pair| line_and_column(pair[0].span.start))
}

/// Line and column of the first constant of SQL text, outside of comments, that is this text.
pub fn find_text(sql: &str, text: &str) -> Option<(usize, usize)> {
    let tokens = Tokenizer::new(&WeirDialect, sql).tokenize_with_location().ok()?;
    let is_text = |token: &Token| matches!(token, Token::SingleQuotedString(found) if found == text);
    tokens.iter().find(|token| is_text(&token.token)).map(|token| line_and_column(token.span.start))
}

pub fn line_and_column(place: Location) -> (usize, usize) {
    // a file with more lines than usize holds cannot be in memory
    (place.line as usize, place.column as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(condition: &str) -> String {
        let statement = parse(&format!("SELECT 1 FROM t WHERE {condition}")).unwrap().pop_front().unwrap();
        statement.to_string().split_once("WHERE ").unwrap().1.to_owned()
    }

    fn same(a: &str, b: &str) {
        let strip = |text: String| text.replace(['(', ')'], "");
        assert_eq!(strip(shown(a)), strip(shown(b)), "the parentheses only");
        let Statement::Statement(a) = parse(&format!("SELECT {a}")).unwrap().pop_front().unwrap() else { panic!() };
        let Statement::Statement(b) = parse(&format!("SELECT {b}")).unwrap().pop_front().unwrap() else { panic!() };
        let shape = |text: String| text.matches("left: BinaryOp").count();
        assert_eq!(shape(format!("{a:?}")), shape(format!("{b:?}").replace("Nested(BinaryOp", "BinaryOp")));
    }

    #[test]
    fn arrows_bind_tighter_than_comparison() {
        same("a ->> 'k' = 'v'", "(a ->> 'k') = 'v'");
        same("a -> 'k' -> 0 ->> 'v' LIKE 'x%'", "(((a -> 'k') -> 0) ->> 'v') LIKE 'x%'");
    }

    #[test]
    fn is_distinct_from_binds_tighter_than_and() {
        let without_parentheses = |condition: &str| {
            let mut statement = parse(&format!("SELECT {condition}")).unwrap().pop_front().unwrap();
            let Statement::Statement(query) = &mut statement else { panic!("{condition}") };
            let _ = visit_expressions_mut(query, |expr| {
                if let Expr::Nested(inside) = expr {
                    *expr = inside.as_ref().clone();
                }
                ControlFlow::<()>::Continue(())
            });
            statement
        };
        let cases = [
            ("a IS DISTINCT FROM b AND c", "(a IS DISTINCT FROM b) AND c"),
            ("a is not distinct from b OR c", "(a IS NOT DISTINCT FROM b) OR c"),
            ("NOT a IS DISTINCT FROM b AND c", "(NOT (a IS DISTINCT FROM b)) AND c"),
            ("a IS DISTINCT FROM b || 'x' AND c", "(a IS DISTINCT FROM (b || 'x')) AND c"),
            ("c AND a ->> 'k' IS NOT DISTINCT FROM -1 OR d", "(c AND ((a ->> 'k') IS NOT DISTINCT FROM (-1))) OR d"),
            ("a IS NOT NULL AND b IS NOT TRUE", "(a IS NOT NULL) AND (b IS NOT TRUE)"),
        ];
        for (condition, meant) in cases {
            assert_eq!(without_parentheses(condition), without_parentheses(meant), "{condition}");
        }
    }

    #[test]
    fn arrows_after_a_bare_name_are_json_access_or_a_lambda() {
        assert_eq!(shown("requestParameters -> 'tags' ->> 'k' = 'v'"), "requestParameters -> 'tags' ->> 'k' = 'v'");
        let Statement::Statement(statement) =
            parse("SELECT array_any_match(resources, x -> x.arn = 'a')").unwrap().pop_front().unwrap()
        else {
            panic!()
        };
        assert!(format!("{statement:?}").contains("Lambda"));
    }

    #[test]
    fn a_mistake_has_a_place() {
        let error = parse("SELECT a\nFROM t WHERE a = = 1").unwrap_err();
        assert_eq!((error.line, error.column), (2, 18));
        assert!(error.message.starts_with("Expected"), "{}", error.message);
    }
}
