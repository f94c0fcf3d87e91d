//! SQL text → statements, in the one dialect that rules, `weir sql` and every other entry point speak.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, CastKind, DataType, Expr, Ident, ObjectName, Query, SetExpr, SetOperator,
    Subscript, Value, Values, VisitMut, VisitorMut, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

use super::sql_json;

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
    let sql = with_rows(sql);
    let sql = with_types(&sql);
    let parse = || DFParserBuilder::new(&*sql).with_dialect(&WeirDialect).build()?.parse_statements();
    let mut statements = parse().map_err(|error| locate(&error, &sql))?;
    for statement in &mut statements {
        if let Some(statement) = asked(statement) {
            let mut depth = Depth::default();
            let _ = statement.visit(&mut depth); // it never breaks
            if depth.most > DEPTH_MAX {
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

/// What walks through an expression may call itself for each level: 2,000 were more than the stack of a thread, which ends the process.
const DEPTH_MAX: usize = 1000;
/// From so many on, conditions that AND or OR joins one behind the other, and queries that UNION does, become a tree that is as deep as their
/// number has binary digits: lists of Sigma rules have thousands.
const CHAIN_MAX: usize = 256;

/// Takes the depth out of long chains, and finds how deep the rest is.
#[derive(Default)]
struct Depth {
    now: usize,
    most: usize,
}

impl VisitorMut for Depth {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if unions(&query.body) > CHAIN_MAX {
            let empty = SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() });
            *query.body = balanced_unions(std::mem::replace(&mut *query.body, empty));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if links(expr) > CHAIN_MAX {
            let chain = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
            *expr = balanced(chain);
        } else if operators(expr) > DEPTH_MAX {
            self.most = usize::MAX;
            // to go through it, or to drop it whole, would take as deep a stack
            let mut rest = std::mem::replace(expr, Expr::Identifier(Ident::new("")));
            while let Expr::BinaryOp { left, .. } = rest {
                rest = *left;
            }
        }
        self.now += 1;
        self.most = self.most.max(self.now);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<()> {
        self.now -= 1;
        ControlFlow::Continue(())
    }
}

/// How often one AND or OR follows the other at the top of an expression.
fn links(expr: &Expr) -> usize {
    let Expr::BinaryOp { op: joint @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else { return 0 };
    let (mut rest, mut links) = (expr, 0);
    while let Expr::BinaryOp { left, op, .. } = rest
        && op == joint
    {
        rest = left.as_ref();
        links += 1;
    }
    links
}

/// How many operators of any kind stand in a row at the top of an expression, each on the left of the one before, down to a chain that will
/// be no deep tree.
fn operators(mut expr: &Expr) -> usize {
    let mut count = 0;
    while let Expr::BinaryOp { left, .. } = expr
        && links(expr) <= CHAIN_MAX
    {
        expr = left.as_ref();
        count += 1;
    }
    count
}

/// The same conditions in their order, joined by twos, and these by twos.
fn balanced(chain: Expr) -> Expr {
    let Expr::BinaryOp { op: joint, .. } = &chain else { return chain };
    let joint = joint.clone();
    let (mut rest, mut conditions) = (chain, VecDeque::new());
    loop {
        match rest {
            Expr::BinaryOp { left, op, right } if op == joint => {
                conditions.push_front(*right);
                rest = *left;
            }
            first => {
                conditions.push_front(first);
                break;
            }
        }
    }
    by_twos(conditions, |left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: joint.clone(),
        right: Box::new(right),
    })
}

/// How often one UNION follows another of its kind at the top of a query.
fn unions(body: &SetExpr) -> usize {
    let (mut rest, mut unions, mut first) = (body, 0, None);
    while let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, .. } = rest
        && *first.get_or_insert(*set_quantifier) == *set_quantifier
    {
        rest = left.as_ref();
        unions += 1;
    }
    unions
}

/// The same queries in their order, joined by twos, and these by twos.
fn balanced_unions(chain: SetExpr) -> SetExpr {
    let SetExpr::SetOperation { set_quantifier: quantifier, .. } = chain else { return chain };
    let (mut rest, mut queries) = (chain, VecDeque::new());
    loop {
        match rest {
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right }
                if set_quantifier == quantifier =>
            {
                queries.push_front(*right);
                rest = *left;
            }
            first => {
                queries.push_front(first);
                break;
            }
        }
    }
    by_twos(queries, |left, right| SetExpr::SetOperation {
        left: Box::new(left),
        op: SetOperator::Union,
        set_quantifier: quantifier,
        right: Box::new(right),
    })
}

/// What comes of joining each with the next, and these again, until it is one.
fn by_twos<T>(mut parts: VecDeque<T>, join: impl Fn(T, T) -> T) -> T {
    while parts.len() > 1 {
        let mut pairs = VecDeque::new();
        while let Some(left) = parts.pop_front() {
            pairs.push_back(match parts.pop_front() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        parts = pairs;
    }
    parts.pop_front().expect("a chain has parts")
}

/// The text with each row of `VALUES 1, 2` in parentheses, which Athena takes for rows of one column.
fn with_rows(sql: &str) -> Cow<'_, str> {
    if !sql.to_ascii_lowercase().contains("values") {
        return Cow::Borrowed(sql);
    }
    // what is no SQL the parser complains of
    let Ok(tokens) = Tokenizer::new(&WeirDialect, sql).tokenize_with_location() else { return Cow::Borrowed(sql) };
    let tokens: Vec<_> = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let (mut edits, mut at_end) = (Vec::new(), false);
    for place in 1..tokens.len() {
        if !begins_rows(&tokens, place - 1) {
            continue;
        }
        edits.push((tokens[place].span.start, Edit::Before('(')));
        let (mut depth, mut end) = (0_usize, place);
        while let Some(token) = tokens.get(end) {
            match &token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket if depth > 0 => depth -= 1,
                Token::Comma if depth == 0 => {
                    edits.push((token.span.start, Edit::Before(')')));
                    edits.extend(tokens.get(end + 1).map(|next| (next.span.start, Edit::Before('('))));
                }
                Token::RParen | Token::SemiColon => break,
                Token::Word(word) if depth == 0 && ENDS_ROWS.contains(&word.keyword) => break,
                _ => {}
            }
            end += 1;
        }
        match tokens.get(end) {
            Some(token) if token.token != Token::EOF => edits.push((token.span.start, Edit::Before(')'))),
            _ => at_end = true,
        }
    }
    Cow::Owned(edited(sql, edits) + if at_end { ")" } else { "" })
}

/// What stands behind the rows of VALUES.
const ENDS_ROWS: [Keyword; 7] = [
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::FETCH,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
];

/// Whether a token is VALUES with a constant behind it, and no column of that name.
fn begins_rows(tokens: &[&TokenWithSpan], place: usize) -> bool {
    let is_first =
        place.checked_sub(1).and_then(|before| tokens.get(before)).is_none_or(|before| match &before.token {
            Token::LParen => true,
            Token::Word(word) => {
                matches!(word.keyword, Keyword::ALL | Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT)
            }
            _ => false,
        });
    let is_values = matches!(&tokens[place].token, Token::Word(word) if word.keyword == Keyword::VALUES);
    let is_constant = tokens.get(place + 1).is_some_and(|next| match &next.token {
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Minus => true,
        Token::Word(word) => {
            use Keyword::{ARRAY, CASE, CAST, DATE, DECIMAL, FALSE, INTERVAL, MAP, NULL, TIMESTAMP, TRUE, TRY_CAST};
            matches!(
                word.keyword,
                ARRAY | CASE | CAST | DATE | DECIMAL | FALSE | INTERVAL | MAP | NULL | TIMESTAMP | TRUE | TRY_CAST
            ) || word.keyword == Keyword::NoKeyword && place > 0 && tokens[place - 1].token == Token::LParen
        }
        _ => false,
    });
    is_first && is_values && is_constant
}

/// The text with `ARRAY<VARCHAR>` where Athena's `ARRAY(VARCHAR)` is the type of a cast, and with a type that has rows or maps in it
/// as one name in quotes: `"ARRAY(ROW(id VARCHAR))"`.
fn with_types(sql: &str) -> Cow<'_, str> {
    let lower = sql.to_ascii_lowercase();
    if !["array", "map", "row"].iter().any(|kind| lower.contains(kind)) || !lower.contains("cast") {
        return Cow::Borrowed(sql);
    }
    // what is no SQL the parser complains of
    let Ok(tokens) = Tokenizer::new(&WeirDialect, sql).tokenize_with_location() else { return Cow::Borrowed(sql) };
    let tokens: Vec<_> = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let is = |place: usize, names: &[&str]| match tokens.get(place).map(|token| &token.token) {
        Some(Token::Word(word)) => {
            word.quote_style.is_none() && names.iter().any(|name| word.value.eq_ignore_ascii_case(name))
        }
        _ => false,
    };
    let (mut edits, mut casts) = (Vec::new(), Vec::new());
    let mut place = 0;
    while place < tokens.len() {
        match tokens[place].token {
            Token::LParen => casts.push(place > 0 && is(place - 1, &["cast", "try_cast"])),
            Token::RParen => drop(casts.pop()),
            _ => {}
        }
        place += 1;
        let begins = casts.last() == Some(&true) && is(place - 1, &["as"]) && is(place, &["array", "map", "row"]);
        if begins && let Some(end) = closing(&tokens, place + 1) {
            let inside = place..=end;
            if inside.clone().any(|place| is(place, &["map", "row"])) {
                edits.push((tokens[place].span.start, Edit::Before('"')));
                for quoted in inside.clone().filter_map(|place| quotes(tokens[place])) {
                    edits.extend(quoted.map(|place| (place, Edit::Before('"'))));
                }
                edits.push((tokens[end].span.start, Edit::Behind('"')));
            } else {
                let lists = inside.clone().filter(|&place| is(place, &["array"]));
                let mut brackets: Vec<_> = lists
                    .filter_map(|list| Some([(list + 1, '<'), (closing(&tokens, list + 1)?, '>')]))
                    .flatten()
                    .map(|(place, bracket)| (tokens[place].span.start, Edit::Instead(bracket)))
                    .collect();
                brackets.sort_by_key(|(place, _)| *place);
                edits.extend(brackets);
            }
            place = end + 1;
        }
    }
    Cow::Owned(edited(sql, edits))
}

enum Edit {
    Before(char),
    Behind(char),
    Instead(char),
}

fn edited(sql: &str, edits: Vec<(Location, Edit)>) -> String {
    let mut place = Location { line: 1, column: 1 };
    let mut edits = edits.into_iter().peekable();
    let mut text = String::with_capacity(sql.len() + 8);
    for letter in sql.chars() {
        match edits.next_if(|(at, _)| *at == place) {
            Some((_, Edit::Before(other))) => text.extend([other, letter]),
            Some((_, Edit::Behind(other))) => text.extend([letter, other]),
            Some((_, Edit::Instead(other))) => text.push(other),
            None => text.push(letter),
        }
        place = match letter {
            '\n' => Location { line: place.line + 1, column: 1 },
            _ => Location { line: place.line, column: place.column + 1 },
        };
    }
    text
}

/// The place of the parenthesis that closes the one at a place.
fn closing(tokens: &[&TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (place > open).then_some(place);
        }
    }
    None
}

/// Where the quotes of a name are.
fn quotes(token: &TokenWithSpan) -> Option<[Location; 2]> {
    let quoted = matches!(&token.token, Token::Word(word) if word.quote_style == Some('"'));
    let end = token.span.end;
    quoted.then_some([token.span.start, Location { line: end.line, column: end.column - 1 }])
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
    fn a_long_chain_of_conditions_is_no_deep_tree() {
        let chain = |joint: &str| (0..5000).map(|n| format!("a = {n}")).collect::<Vec<_>>().join(joint);
        let conditions = format!("({}) AND {}", chain(" OR "), chain(" AND "));
        let Statement::Statement(mut statement) =
            parse(&format!("SELECT 1 FROM t WHERE {conditions}")).unwrap().pop_front().unwrap()
        else {
            panic!()
        };
        let mut depth = Depth::default();
        let _ = statement.visit(&mut depth);
        // 13 binary digits each, the parentheses, and a comparison
        assert!(depth.most <= 2 * 13 + 3, "{}", depth.most);
        assert_eq!(statement.to_string().split_once("WHERE ").unwrap().1, conditions);
        // also below another operator
        assert!(parse(&format!("SELECT 1 FROM t WHERE {} OR b = 1", chain(" AND "))).is_ok());
        let explained = parse(&format!("EXPLAIN SELECT a[1].b FROM t WHERE {}", chain(" OR "))).unwrap();
        assert!(explained[0].to_string().contains("a[1].'b'"), "{}", explained[0]);
        // what no other tree says is refused
        let sum = |count: usize| parse(&format!("SELECT {}", vec!["1"; count].join(" + ")));
        assert!(sum(900).is_ok());
        for count in [1100, 20_000] {
            assert_eq!(sum(count).unwrap_err().message, "nested too deeply");
        }
    }

    #[test]
    fn a_long_chain_of_unions_is_no_deep_tree() {
        let of = |joint: &str| (0..5000).map(|n| format!("SELECT {n}")).collect::<Vec<_>>().join(joint);
        let sql = format!("WITH t AS ({}) SELECT 1 FROM t UNION {}", of(" UNION ALL "), of(" UNION "));
        let Statement::Statement(statement) = parse(&sql).unwrap().pop_front().unwrap() else { panic!() };
        assert_eq!(statement.to_string(), sql);
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
    fn the_type_of_a_list_may_be_in_parentheses() {
        let cases = [
            ("CAST(é AS\n array (VARCHAR)) = ARRAY[x]", "CAST(é AS\n array <VARCHAR>) = ARRAY[x]"),
            ("TRY_CAST(f(a) AS ARRAY(ARRAY(VARCHAR(9))))", "TRY_CAST(f(a) AS ARRAY<ARRAY<VARCHAR(9)>>)"),
            ("make_array(1) = 'CAST(1 AS ARRAY(INT))'", "make_array(1) = 'CAST(1 AS ARRAY(INT))'"),
            ("ARRAY(SELECT CAST(1 AS INT)) AS array", "ARRAY(SELECT CAST(1 AS INT)) AS array"),
            (
                "CAST(x AS ARRAY(ROW(\"a\" VARCHAR(9),\n b INT))) + CAST(y AS map(VARCHAR, JSON))",
                "CAST(x AS \"ARRAY(ROW(\"\"a\"\" VARCHAR(9),\n b INT))\") + CAST(y AS \"map(VARCHAR, JSON)\")",
            ),
            ("CAST(1 AS INT) FROM UNNEST(m) AS map(k, v)", "CAST(1 AS INT) FROM UNNEST(m) AS map(k, v)"),
            ("CAST(x AS ARRAY(INT", "CAST(x AS ARRAY(INT"),
        ];
        for (text, expected) in cases {
            assert_eq!(with_types(text), expected);
        }
        assert_eq!(shown("CAST(a AS ARRAY(INTEGER)) IS NULL"), "CAST(a AS ARRAY<INTEGER>) IS NULL");
    }

    #[test]
    fn a_mistake_has_a_place() {
        let error = parse("SELECT a\nFROM t WHERE a = = 1").unwrap_err();
        assert_eq!((error.line, error.column), (2, 18));
        assert!(error.message.starts_with("Expected"), "{}", error.message);
    }
}
