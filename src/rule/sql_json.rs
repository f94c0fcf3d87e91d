//! `json_value`, `json_query` and `json_exists` with the clauses that SQL has for them → calls and casts without.

use datafusion::sql::sqlparser::ast::{
    CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, Word};

/// Whether such a call stands at the parser's place.
pub fn begins(name: &Word, parser: &Parser) -> bool {
    let is_one = ["json_value", "json_query", "json_exists"].iter().any(|known| name.value.eq_ignore_ascii_case(known));
    is_one && name.quote_style.is_none() && parser.peek_nth_token_ref(1).token == Token::LParen
}

/// What stands in the place of such a call: with `WITH ARRAY WRAPPER` of `json_query_array`, with `OMIT QUOTES` of `json_query_text`, with
/// `RETURNING` a cast, and with `DEFAULT` what is there where the call is null.
pub fn call(parser: &mut Parser) -> Result<Expr, ParserError> {
    let start = parser.next_token();
    let Token::Word(name) = &start.token else { return parser.expected("json_value", start) };
    let (mut name, is_value) = (name.value.to_ascii_lowercase(), name.value.eq_ignore_ascii_case("json_value"));
    parser.expect_token(&Token::LParen)?;
    let mut args = parser.parse_comma_separated(Parser::parse_expr)?;
    let (mut kind, mut default) = (None, None);
    while !parser.consume_token(&Token::RParen) {
        let clause = parser.next_token();
        let Token::Word(word) = &clause.token else {
            return parser.expected("a clause such as RETURNING VARCHAR", clause);
        };
        match word.value.to_ascii_uppercase().as_str() {
            "RETURNING" => kind = Some(parser.parse_data_type()?),
            "WITHOUT" => take(parser, &["CONDITIONAL", "UNCONDITIONAL", "ARRAY", "WRAPPER"]),
            "WITH" => {
                take(parser, &["CONDITIONAL", "UNCONDITIONAL", "ARRAY", "WRAPPER"]);
                name = "json_query_array".to_owned();
            }
            "KEEP" => take(parser, &["QUOTES", "ON", "SCALAR", "STRING"]),
            "OMIT" => {
                take(parser, &["QUOTES", "ON", "SCALAR", "STRING"]);
                name = "json_query_text".to_owned();
            }
            "NULL" | "FALSE" => take(parser, &["ON", "EMPTY", "ERROR"]),
            "DEFAULT" if is_value => {
                default = Some(parser.parse_expr()?);
                take(parser, &["ON", "EMPTY", "ERROR"]);
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
    let mut expr = function(name, std::mem::take(&mut args));
    if let Some(data_type) = kind {
        // what cannot be cast is null unless a clause says otherwise
        let kind = CastKind::TryCast;
        expr = Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None };
    }
    Ok(match default {
        Some(default) => function(Ident::new("coalesce"), vec![expr, default]),
        None => expr,
    })
}

/// Passes over words, in their order, as far as they stand there.
fn take(parser: &mut Parser, words: &[&str]) {
    for word in words {
        let is_there =
            matches!(&parser.peek_token_ref().token, Token::Word(found) if found.value.eq_ignore_ascii_case(word));
        if is_there {
            parser.next_token();
        }
    }
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
