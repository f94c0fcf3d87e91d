//! SQL text as Athena takes it → the same as the parser takes it: rows of VALUES, and types of lists, maps and rows.

use std::borrow::Cow;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::dialect::WeirDialect;

/// The text with each row of `VALUES 1, 2` in parentheses, which Athena takes for rows of one column.
pub fn with_rows(sql: &str) -> Cow<'_, str> {
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
pub fn with_types(sql: &str) -> Cow<'_, str> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::dialect::parse;

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
        let parsed = parse("SELECT CAST(a AS ARRAY(INTEGER)) IS NULL").unwrap();
        assert_eq!(parsed[0].to_string(), "SELECT CAST(a AS ARRAY<INTEGER>) IS NULL");
    }
}
