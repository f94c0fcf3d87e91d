//! `json_value`, `json_query` and `json_exists` with the clauses that SQL has for them, and `json_object` and `json_array` → calls and
//! casts without.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Value,
};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

const MAKERS: [&str; 2] = ["json_object", "json_array"];
const SEEKERS: [&str; 3] = ["json_value", "json_query", "json_exists"];

/// Whether such a call stands at the parser's place.
pub fn begins(name: &Word, parser: &Parser) -> bool {
    let is_one = SEEKERS.iter().chain(&MAKERS).any(|known| name.value.eq_ignore_ascii_case(known));
    is_one && name.quote_style.is_none() && parser.peek_nth_token_ref(1).token == Token::LParen
}

/// What stands in the place of such a call.
pub fn call(parser: &mut Parser) -> Result<Expr, ParserError> {
    let start = parser.next_token();
    let Token::Word(name) = &start.token else { return parser.expected("json_value", start) };
    let name = name.value.to_ascii_lowercase();
    parser.expect_token(&Token::LParen)?;
    if MAKERS.contains(&name.as_str()) { made(&start, &name, parser) } else { sought(&start, name, parser) }
}

/// With `WITH ARRAY WRAPPER` it is `json_query_array`, with `OMIT QUOTES` `json_query_text`, with `RETURNING` a cast, and with `DEFAULT`
/// `json_default`, which has the call, what is there where nothing is found and where something is wrong, and the arguments of the call.
/// What `PASSING` names stands behind the path: name, value, and whether that is JSON text.
fn sought(start: &TokenWithSpan, mut name: String, parser: &mut Parser) -> Result<Expr, ParserError> {
    let is_value = name == "json_value";
    let mut args = vec![parser.parse_expr()?];
    is_json_text(parser);
    while parser.consume_token(&Token::Comma) {
        args.push(parser.parse_expr()?);
    }
    let (mut kind, mut on_empty, mut on_error) = (None, None, None);
    while !parser.consume_token(&Token::RParen) {
        let clause = parser.next_token();
        let Token::Word(word) = &clause.token else {
            return parser.expected("a clause such as RETURNING VARCHAR", clause);
        };
        match word.value.to_ascii_uppercase().as_str() {
            // a name of the path, which shows nowhere
            "AS" => drop(parser.parse_identifier()?),
            "PASSING" => {
                for passed in parser.parse_comma_separated(passed)? {
                    args.extend(passed);
                }
            }
            "RETURNING" => kind = Some(parser.parse_data_type()?),
            "WITHOUT" => take(parser, &["CONDITIONAL", "UNCONDITIONAL", "ARRAY", "WRAPPER"]),
            "WITH" => {
                let is_conditional = takes(parser, "CONDITIONAL");
                take(parser, &["UNCONDITIONAL", "ARRAY", "WRAPPER"]);
                name = if is_conditional { "json_query_several" } else { "json_query_array" }.to_owned();
            }
            "KEEP" => take(parser, &["QUOTES", "ON", "SCALAR", "STRING"]),
            "OMIT" => {
                take(parser, &["QUOTES", "ON", "SCALAR", "STRING"]);
                name = "json_query_text".to_owned();
            }
            "NULL" | "FALSE" => take(parser, &["ON", "EMPTY", "ERROR"]),
            "EMPTY" if name != "json_exists" && !is_value => {
                let empty = if takes(parser, "OBJECT") { "{}" } else { "[]" };
                take(parser, &["ARRAY"]);
                let empty = constant(Value::SingleQuotedString(empty.to_owned()));
                *(if is_on_empty(parser)? { &mut on_empty } else { &mut on_error }) = Some(empty);
            }
            "DEFAULT" if is_value => {
                let default = parser.parse_expr()?;
                *(if is_on_empty(parser)? { &mut on_empty } else { &mut on_error }) = Some(default);
            }
            other => {
                return Err(ParserError::ParserError(format!(
                    "{other} is no clause of {name} here, which is null where there is nothing at Line: {}, Column: {}",
                    clause.span.start.line, clause.span.start.column
                )));
            }
        }
    }
    let name = Ident::with_span(start.span, name);
    let mut expr = function(name, args.clone());
    if let Some(data_type) = &kind {
        // what cannot be cast is null unless a clause says otherwise
        expr = cast(CastKind::TryCast, expr, data_type.clone());
    }
    if on_empty.is_none() && on_error.is_none() {
        return Ok(expr);
    }
    let data_type = kind.unwrap_or(DataType::Varchar(None));
    let of_type = |default: Option<Expr>| match default {
        Some(default) => cast(CastKind::Cast, default, data_type.clone()),
        None => constant(Value::Null),
    };
    let defaults = [expr, of_type(on_empty), of_type(on_error)];
    Ok(function(Ident::new("json_default"), defaults.into_iter().chain(args).collect()))
}

fn cast(kind: CastKind, expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `ON EMPTY`, and otherwise `ON ERROR`.
fn is_on_empty(parser: &mut Parser) -> Result<bool, ParserError> {
    take(parser, &["ON"]);
    match takes(parser, "EMPTY") {
        true => Ok(true),
        false if takes(parser, "ERROR") => Ok(false),
        false => parser.expected("ON EMPTY or ON ERROR", parser.peek_token()),
    }
}

/// `3 AS "low"`: the name, the value, and whether it is JSON text.
fn passed(parser: &mut Parser) -> Result<Vec<Expr>, ParserError> {
    let value = parser.parse_expr()?;
    let is_json = is_json_text(parser) || gives_json(&value);
    parser.expect_keyword_is(datafusion::sql::sqlparser::keywords::Keyword::AS)?;
    let name = parser.parse_identifier()?.value;
    Ok(vec![constant(Value::SingleQuotedString(name)), value, constant(Value::Boolean(is_json))])
}

/// `json_object('a' : 1, KEY 'b' VALUE x)` and `json_array(1, x)`: the same with whether nulls are kept first, and behind each value whether
/// it is JSON text.
fn made(start: &TokenWithSpan, name: &str, parser: &mut Parser) -> Result<Expr, ParserError> {
    let mut keeps_nulls = name == "json_object";
    let mut args = Vec::new();
    while !parser.consume_token(&Token::RParen) {
        let is_clause = |word: &str| matches!(&parser.peek_nth_token_ref(1).token, Token::Word(next) if next.value.eq_ignore_ascii_case(word));
        match word_at(parser).as_str() {
            nulls @ ("NULL" | "ABSENT") if is_clause("ON") => {
                keeps_nulls = nulls == "NULL";
                take(parser, &[nulls, "ON", "NULL"]);
            }
            "WITH" | "WITHOUT" => take(parser, &["WITH", "WITHOUT", "UNIQUE", "KEYS"]),
            "RETURNING" => {
                parser.next_token();
                parser.parse_data_type()?;
                is_json_text(parser);
            }
            word => {
                if word == "KEY" && !matches!(parser.peek_nth_token_ref(1).token, Token::Colon | Token::Period) {
                    parser.next_token();
                }
                args.push(parser.parse_expr()?);
                if name == "json_object" {
                    if !parser.consume_token(&Token::Colon) && !takes(parser, "VALUE") {
                        return parser.expected("a key and a value, 'name' : eventName", parser.peek_token());
                    }
                    args.push(parser.parse_expr()?);
                }
                let is_json = is_json_text(parser) || args.last().is_some_and(gives_json);
                args.push(constant(Value::Boolean(is_json)));
                let _ = parser.consume_token(&Token::Comma); // the last value has none behind it
            }
        }
    }
    args.insert(0, constant(Value::Boolean(keeps_nulls)));
    Ok(function(Ident::with_span(start.span, name), args))
}

/// Whether a value is JSON text without being said to be.
fn gives_json(value: &Expr) -> bool {
    match value {
        Expr::Function(call) => {
            let name = call.name.to_string().to_ascii_lowercase();
            MAKERS.contains(&name.as_str())
                || ["json_query", "json_extract", "json_parse"]
                    .iter()
                    .any(|known| name.starts_with(known) && name != "json_extract_scalar")
        }
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::JSON),
        _ => false,
    }
}

/// Passes over `FORMAT JSON`, where it stands there.
fn is_json_text(parser: &mut Parser) -> bool {
    let is_there = takes(parser, "FORMAT");
    if is_there {
        take(parser, &["JSON", "ENCODING", "UTF8"]);
    }
    is_there
}

fn word_at(parser: &Parser) -> String {
    match &parser.peek_token_ref().token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _ => String::new(),
    }
}

fn takes(parser: &mut Parser, word: &str) -> bool {
    let is_there = word_at(parser) == word;
    if is_there {
        parser.next_token();
    }
    is_there
}

/// Passes over words, in their order, as far as they stand there.
fn take(parser: &mut Parser, words: &[&str]) {
    for word in words {
        takes(parser, word);
    }
}

fn constant(value: Value) -> Expr {
    Expr::Value(value.with_empty_span())
}

fn function(name: Ident, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
