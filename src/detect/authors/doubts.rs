//! A query file → what in it is probably a mistake: it compiles, and never fires, or cannot judge what it is asked of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::parser::Statement as AnyStatement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, SetExpr, Spanned, Statement, Value, visit_expressions};

use crate::catalog;
use crate::detect::library::{self, Source};
use crate::rule::dialect::{self, line_and_column};
use crate::rule::spelling::distance;
use crate::rule::{Rule, RuleError, parse};
use crate::table::{Column, Kind, Table};

/// What is doubtful, with its place. A file that is refused has no doubts.
pub fn doubts(source: &Source) -> Vec<RuleError> {
    let Some(asked) = parse(&source.id, &source.file, &source.text).ok().and_then(Asked::new) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let _ = visit_expressions(&asked.statement, |expr| {
        found.extend(asked.doubt(expr).map(|message| (place(expr), message)));
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    if let Some(condition) = condition(&asked.statement) {
        asked.find_contradictions(condition, &mut BTreeMap::new(), &mut found);
    }
    found.sort();
    found.dedup();
    let doubt = |((line, column), message)| RuleError { file: source.file.clone(), line, column, message };
    found.into_iter().map(doubt).collect()
}

type Place = (usize, usize);

fn place(expr: &Expr) -> Place {
    let (line, column) = line_and_column(expr.span().start);
    (line.max(1), column.max(1))
}

fn condition(statement: &Statement) -> Option<&Expr> {
    let Statement::Query(query) = statement else { return None };
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    select.selection.as_ref()
}

/// Columns whose values AWS spells in one way. A column that holds names of the user's is none: `Admin` may be there beside `admin`.
const SPELLED: [&str; 8] = [
    "eventname",
    "eventsource",
    "eventtype",
    "eventcategory",
    "errorcode",
    "useridentity.type",
    "useridentity.sessioncontext.attributes.mfaauthenticated",
    "action",
];

/// What the rules of this program ask for.
#[derive(Default)]
struct Known {
    /// Texts by the column they are compared with.
    texts: BTreeMap<String, BTreeSet<String>>,
    /// Keys of JSON by the service, which is empty where a rule says none, the name of the call, and the column that has them.
    keys: BTreeMap<(String, String, String), BTreeSet<String>>,
    /// The services whose call of a name is asked for.
    sources: BTreeMap<String, BTreeSet<String>>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known::default();
    for asked in library::rules(&library::built_in()).0.into_iter().filter_map(Asked::new) {
        for name in &asked.names {
            known.sources.entry(name.clone()).or_default().extend(asked.sources.iter().cloned());
        }
        let _ = visit_expressions(&asked.statement, |expr| {
            if let Some((column, texts)) = asked.texts(expr) {
                known.texts.entry(column).or_default().extend(texts);
            }
            if let Some((column, key)) = asked.key(expr) {
                let any = BTreeSet::from([String::new()]);
                let sources = if asked.sources.is_empty() { &any } else { &asked.sources };
                for (source, name) in
                    sources.iter().flat_map(|source| asked.names.iter().map(move |name| (source, name)))
                {
                    let place = (source.clone(), name.clone(), column.clone());
                    known.keys.entry(place).or_default().insert(key.to_owned());
                }
            }
            ControlFlow::<()>::Continue(())
        }); // the closure never breaks
    }
    known
});

/// The query of a rule.
struct Asked {
    statement: Statement,
    table: &'static Table,
    /// The calls that it is of, where it says so.
    names: BTreeSet<String>,
    /// The services whose calls these are, where it says so.
    sources: BTreeSet<String>,
}

impl Asked {
    fn new(rule: Rule) -> Option<Asked> {
        let AnyStatement::Statement(statement) = dialect::parse(&rule.text).ok()?.pop_front()? else { return None };
        let plainly = |column: &str| rule.asks.get(column).cloned().unwrap_or_default();
        let (names, sources) = (plainly("eventname"), plainly("eventsource"));
        Some(Asked { statement: *statement, table: catalog::table(&rule.table)?, names, sources })
    }

    fn doubt(&self, expr: &Expr) -> Option<String> {
        use BinaryOperator::{Arrow, Eq, Gt, GtEq, LongArrow, Lt, LtEq, NotEq};
        match expr {
            Expr::BinaryOp { left, op: op @ (Eq | NotEq | Lt | LtEq | Gt | GtEq), right } => {
                let doubt = |asked: &Expr, value: &Expr| {
                    null(asked, op, value).or_else(|| self.number(asked, op, value)).or_else(|| {
                        let text = text(value).filter(|_| matches!(op, Eq | NotEq))?;
                        self.text(asked, text)
                    })
                };
                doubt(left, right).or_else(|| doubt(right, left))
            }
            Expr::InList { expr, list, negated } => {
                if *negated && list.iter().any(is_null) {
                    return Some(format!(
                        "NOT IN is never true where NULL is in the list: leave it out, or add AND {expr} IS NOT NULL"
                    ));
                }
                list.iter().find_map(|value| {
                    self.number(expr, &Eq, value).or_else(|| text(value).and_then(|text| self.text(expr, text)))
                })
            }
            Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => {
                self.not_a_pattern(expr, text(pattern)?)
            }
            Expr::BinaryOp { op: Arrow | LongArrow, .. } => self.misspelt_key(expr),
            _ => None,
        }
    }

    /// A text that is compared with a number is made one, which what is no number cannot be.
    fn number(&self, asked: &Expr, op: &BinaryOperator, value: &Expr) -> Option<String> {
        let Some(Value::Number(number, _)) = constant(value) else { return None };
        let is_text = match bare(asked) {
            Expr::BinaryOp { op: BinaryOperator::LongArrow, .. } => true,
            asked => matches!(self.column(asked), Some((_, Kind::Text | Kind::Symbol))),
        };
        let instead = match op {
            BinaryOperator::Eq | BinaryOperator::NotEq => format!("compare it with '{number}'"),
            // of texts '9' is greater than '10'
            _ => format!("compare TRY_CAST({asked} AS DOUBLE)"),
        };
        is_text.then(|| format!("{asked} is a text, and a row in which it is no number cannot be judged: {instead}"))
    }

    fn text(&self, asked: &Expr, text: &str) -> Option<String> {
        let (column, _) = self.column(asked)?;
        if !SPELLED.contains(&&*column) {
            return None;
        }
        let known = KNOWN.texts.get(&column);
        if known.is_some_and(|known| known.contains(text)) {
            return None;
        }
        if text.len() > 1 && (text.starts_with(['%', '*']) || text.ends_with(['%', '*'])) {
            let pattern = text.replace('*', "%");
            return Some(format!("= and IN compare whole texts, letter by letter: {asked} LIKE '{pattern}'"));
        }
        let known: Vec<&String> = known.into_iter().flatten().collect();
        let meant = match known.iter().find(|known| known.eq_ignore_ascii_case(text)) {
            Some(known) if column == "eventname" && !self.may_be_of(known) => None,
            Some(known) => Some((*known).clone()),
            None if column == "eventsource" => source_meant(text, &known),
            None => None,
        };
        let is_asked = |expr: &Expr, meant: &str| {
            self.texts(expr).is_some_and(|(other, texts)| other == column && texts.contains(meant))
        };
        let meant = meant.filter(|meant| !self.has(|expr| is_asked(expr, meant)))?;
        Some(format!("no `{column}` is '{text}': did you mean '{meant}'?"))
    }

    /// Whether the query has such an expression. Who asks for what was meant too asks for both on purpose.
    fn has(&self, is_such: impl Fn(&Expr) -> bool) -> bool {
        let look = |expr: &Expr| if is_such(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        visit_expressions(&self.statement, look).is_break()
    }

    /// Whether the call of this name that rules know may be of a service that is asked: AppSync has `CreateApiKey`, and WAF `CreateAPIKey`.
    fn may_be_of(&self, name: &str) -> bool {
        let is_one = |known: &BTreeSet<String>| !known.is_disjoint(&self.sources);
        self.sources.is_empty() || KNOWN.sources.get(name).is_some_and(is_one)
    }

    fn misspelt_key(&self, expr: &Expr) -> Option<String> {
        let (column, key) = self.key(expr)?;
        let meant = |name: &String| {
            if !self.may_be_of(name) {
                return None;
            }
            let is_of = |source: &String| self.sources.is_empty() || source.is_empty() || self.sources.contains(source);
            let places = KNOWN.keys.iter().filter(|((source, of, on), _)| of == name && *on == column && is_of(source));
            let known: BTreeSet<&String> = places.flat_map(|(_, keys)| keys).collect();
            if known.iter().any(|known| *known == key) {
                return None;
            }
            known.into_iter().find(|known| known.eq_ignore_ascii_case(key))
        };
        let meant: Option<Vec<&String>> = self.names.iter().map(meant).collect();
        let meant = meant?.first().copied()?;
        if self.has(|expr| self.key(expr).is_some_and(|(other, key)| other == column && key == meant)) {
            return None;
        }
        Some(format!("no key in `{column}` of these calls is '{key}': did you mean '{meant}'?"))
    }

    fn not_a_pattern(&self, asked: &Expr, pattern: &str) -> Option<String> {
        let is_network = pattern
            .split_once('/')
            .is_some_and(|(address, bits)| address.parse::<std::net::IpAddr>().is_ok() && bits.parse::<u8>().is_ok());
        // no column holds networks, but the parameters of a call may: `requestParameters ->> 'cidrIp' LIKE '0.0.0.0/0'`
        if is_network && self.column(asked).is_some() {
            return Some(format!("LIKE compares texts and knows no networks: cidr_match({asked}, '{pattern}')"));
        }
        // `*` alone is whom a policy allows
        let has_star = pattern != "*" && pattern.contains('*') && !pattern.contains(['%', '_']);
        has_star.then(|| format!("in LIKE % stands for any letters, and * for itself: '{}'", pattern.replace('*', "%")))
    }

    /// A column that must be two things at once.
    fn find_contradictions(
        &self,
        condition: &Expr,
        must: &mut BTreeMap<String, BTreeSet<String>>,
        found: &mut Vec<(Place, String)>,
    ) {
        match condition {
            Expr::Nested(inner) => self.find_contradictions(inner, must, found),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.find_contradictions(left, must, found);
                self.find_contradictions(right, must, found);
            }
            Expr::BinaryOp { op: BinaryOperator::Eq, .. } | Expr::InList { negated: false, .. } => {
                let Some((column, texts)) = self.texts(condition) else { return };
                match must.get(&column) {
                    Some(before) if before.is_disjoint(&texts) => {
                        let message = format!(
                            "`{column}` has one value in a row, and a condition before asks for others: OR, or IN (...)"
                        );
                        found.push((place(condition), message));
                    }
                    _ => {
                        must.insert(column, texts);
                    }
                }
            }
            _ => {}
        }
    }

    /// The texts, and nothing else, that a column is compared with.
    fn texts(&self, expr: &Expr) -> Option<(String, BTreeSet<String>)> {
        let (asked, texts) = match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } => match text(right) {
                Some(text) => (left, vec![Some(text)]),
                None => (right, vec![text(left)]),
            },
            Expr::InList { expr, list, .. } => (expr, list.iter().map(text).collect()),
            _ => return None,
        };
        let texts = texts.into_iter().map(|text| text.map(str::to_owned)).collect::<Option<BTreeSet<String>>>()?;
        Some((self.column(asked)?.0, texts))
    }

    /// `requestParameters ->> 'userName'` → the column, and the key.
    fn key<'e>(&self, expr: &'e Expr) -> Option<(String, &'e str)> {
        let Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, right } = expr else {
            return None;
        };
        let (column, kind) = self.column(left)?;
        matches!(kind, Kind::Json).then_some((column, text(right)?))
    }

    /// A column, or a field of one, by its names in lower case without that of the table: `useridentity.type`.
    fn column(&self, expr: &Expr) -> Option<(String, Kind)> {
        let names: Vec<String> = match bare(expr) {
            Expr::Identifier(name) => vec![name.value.to_lowercase()],
            Expr::CompoundIdentifier(names) => names.iter().map(|name| name.value.to_lowercase()).collect(),
            _ => return None,
        };
        (0..names.len().min(2))
            .find_map(|from| Some((names[from..].join("."), kind_of(self.table.columns, &names[from..])?)))
    }
}

fn kind_of(columns: &[Column], path: &[String]) -> Option<Kind> {
    let (first, rest) = path.split_first()?;
    match columns.iter().find(|column| column.name == first.as_str())?.kind {
        kind if rest.is_empty() => Some(kind),
        Kind::Struct(inner) => kind_of(inner, rest),
        _ => None,
    }
}

fn null(asked: &Expr, op: &BinaryOperator, value: &Expr) -> Option<String> {
    let instead = match op {
        BinaryOperator::Eq => format!("{asked} IS NULL"),
        BinaryOperator::NotEq => format!("{asked} IS NOT NULL"),
        _ => "leave it out".to_owned(),
    };
    is_null(value).then(|| format!("a comparison with NULL is never true: {instead}"))
}

/// The service that a text names otherwise than CloudTrail does: `iam`, `iam.amazon.com`, `guarduty.amazonaws.com`.
fn source_meant(text: &str, known: &[&String]) -> Option<String> {
    const END: &str = ".amazonaws.com";
    let name = text.split('.').next().unwrap_or(text);
    if let Some(name) = text.strip_suffix(END) {
        // names of services that are one digit or letter apart are short, or differ in a digit
        let is_long = name.len() > 7 && !name.contains(|c: char| c.is_ascii_digit());
        let is_near = |known: &str| !known.ends_with(char::is_numeric) && distance(name, known) == 1;
        let near = known.iter().find(|known| is_long && known.strip_suffix(END).is_some_and(is_near));
        return near.map(|near| (*near).clone());
    }
    let is_of_aws = !text.contains('.') || text.contains("amazon") || text.ends_with("aws.com");
    (is_of_aws && !text.is_empty()).then(|| format!("{}{END}", name.to_lowercase()))
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        expr => expr,
    }
}

fn constant(expr: &Expr) -> Option<&Value> {
    match bare(expr) {
        Expr::Value(value) => Some(&value.value),
        _ => None,
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(constant(expr), Some(Value::Null))
}

fn text(expr: &Expr) -> Option<&str> {
    match constant(expr)? {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(condition: &str) -> Source {
        let text = format!(
            "-- title = \"T\"\n-- severity = \"low\"\n-- tags = [\"attack.impact\", \"attack.t1485\"]\n-- remedy = \"R\"\n\
             SELECT eventTime FROM cloudtrail c\nWHERE {condition}\n"
        );
        Source { id: "cloudtrail/t".to_owned(), file: "t.sql".to_owned(), text, cases: None, sigma: None }
    }

    fn check(condition: &str, expected: &[&str]) {
        let found: Vec<String> = doubts(&source(condition)).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{condition}");
    }

    #[test]
    fn a_comparison_with_null_is_doubtful() {
        check(
            "eventName = 'ConsoleLogin' AND errorCode = NULL",
            &["t.sql:6:38: a comparison with NULL is never true: errorCode IS NULL"],
        );
        check("(errorCode) != NULL", &["t.sql:6:8: a comparison with NULL is never true: (errorCode) IS NOT NULL"]);
        check(
            "eventName NOT IN ('ConsoleLogin', NULL)",
            &[
                "t.sql:6:7: NOT IN is never true where NULL is in the list: leave it out, or add AND eventName IS NOT NULL",
            ],
        );
        check("eventName IN ('ConsoleLogin', NULL) AND errorCode IS NULL AND readOnly IS DISTINCT FROM NULL", &[]);
    }

    #[test]
    fn a_text_that_is_compared_with_a_number_is_doubtful() {
        let message = |asked: &str, instead: &str| {
            format!(
                "t.sql:6:7: {asked} is a text, and a row in which it is no number cannot be judged: compare {instead}"
            )
        };
        check("c.eventName = 5", &[message("c.eventName", "it with '5'").as_str()]);
        check(
            "userIdentity.accountId IN (111122223333)",
            &[message("userIdentity.accountId", "it with '111122223333'").as_str()],
        );
        check(
            "requestParameters ->> 'maxResults' > 5",
            &[message("requestParameters ->> 'maxResults'", "TRY_CAST(requestParameters ->> 'maxResults' AS DOUBLE)")
                .as_str()],
        );
        check("CAST(requestParameters ->> 'maxResults' AS BIGINT) > 5 AND length(eventName) = 5", &[]);
    }

    #[test]
    fn a_text_in_another_case_than_aws_has_is_doubtful() {
        let said = |text: &str, column: &str, meant: &str| {
            format!("t.sql:6:7: no `{column}` is '{text}': did you mean '{meant}'?")
        };
        check("eventName = 'consolelogin'", &[said("consolelogin", "eventname", "ConsoleLogin").as_str()]);
        check("userIdentity.type = 'root'", &[said("root", "useridentity.type", "Root").as_str()]);
        check("eventSource = 'iam.amazon.com'", &[said("iam.amazon.com", "eventsource", "iam.amazonaws.com").as_str()]);
        check("eventSource IN ('sts')", &[said("sts", "eventsource", "sts.amazonaws.com").as_str()]);
        check(
            "eventSource = 'guarduty.amazonaws.com'",
            &[said("guarduty.amazonaws.com", "eventsource", "guardduty.amazonaws.com").as_str()],
        );
        check("eventSource IN ('newservice.amazonaws.com', 'okta.com') AND lower(eventName) = 'consolelogin'", &[]);
        check("userIdentity.userName = 'root' AND readOnly = 'True' AND eventName = 'NewCall'", &[]);
    }

    #[test]
    fn a_pattern_in_the_wrong_place_is_doubtful() {
        check(
            "eventName = 'Create%'",
            &["t.sql:6:7: = and IN compare whole texts, letter by letter: eventName LIKE 'Create%'"],
        );
        check(
            "eventName LIKE 'Create*'",
            &["t.sql:6:7: in LIKE % stands for any letters, and * for itself: 'Create%'"],
        );
        check(
            "sourceIPAddress NOT LIKE '10.0.0.0/8'",
            &["t.sql:6:7: LIKE compares texts and knows no networks: cidr_match(sourceIPAddress, '10.0.0.0/8')"],
        );
        check("eventName LIKE 'Create%' AND requestParameters ->> 'policyDocument' LIKE '%\"*\"%'", &[]);
        check("requestParameters ->> 'principal' = '*'", &[]);
        check("requestParameters ->> 'principal' LIKE '*' AND requestParameters ->> 'cidrIp' LIKE '0.0.0.0/0'", &[]);
    }

    #[test]
    fn what_contradicts_itself_is_doubtful() {
        check(
            "eventName = 'CreateUser' AND (eventSource = 'iam.amazonaws.com' AND eventName = 'CreateRole')",
            &[
                "t.sql:6:75: `eventname` has one value in a row, and a condition before asks for others: OR, or IN (...)",
            ],
        );
        check("eventName IN ('CreateUser', 'CreateRole') AND eventName = 'CreateRole'", &[]);
        check("eventName = 'CreateUser' OR eventName = 'CreateRole'", &[]);
        check("eventName = 'CreateUser' AND eventName <> 'CreateRole'", &[]);
    }

    #[test]
    fn a_key_in_another_case_than_the_call_has_is_doubtful() {
        check(
            "eventName = 'CreateUser' AND requestParameters ->> 'username' = 'x'",
            &["t.sql:6:36: no key in `requestparameters` of these calls is 'username': did you mean 'userName'?"],
        );
        check("eventName = 'NewCall' AND requestParameters ->> 'username' = 'x'", &[]);
        check(
            "eventSource = 'iam.amazonaws.com' AND eventName = 'CreateUser' AND requestParameters ->> 'username' = 'x'",
            &["t.sql:6:74: no key in `requestparameters` of these calls is 'username': did you mean 'userName'?"],
        );
        check(
            "eventName = 'CreateUser' AND coalesce(requestParameters ->> 'userName', requestParameters ->> 'username') = 'x'",
            &[],
        );
        check("requestParameters ->> 'username' = 'x'", &[]);
    }

    #[test]
    fn a_call_of_another_service_is_spelled_as_that_has_it() {
        check("eventSource = 'wafv2.amazonaws.com' AND eventName = 'CreateAPIKey'", &[]);
        check("eventSource IN ('iam.amazonaws.com', 'iam', '')", &[]);
        check(
            "eventSource = 'mq.amazonaws.com' AND eventName = 'CreateUser' AND requestParameters ->> 'username' = 'x'",
            &[],
        );
        check(
            "eventSource = 'iam.amazonaws.com' AND eventName = 'createuser'",
            &["t.sql:6:45: no `eventname` is 'createuser': did you mean 'CreateUser'?"],
        );
    }

    #[test]
    fn nothing_in_the_rules_of_this_program_is_doubtful() {
        let found: Vec<RuleError> = library::built_in().iter().flat_map(doubts).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
