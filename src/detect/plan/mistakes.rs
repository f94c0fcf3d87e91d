//! What DataFusion says of a query that it cannot run → words for the person who typed it, and the name or text in the query that
//! they are about.

use datafusion::error::DataFusionError;
use regex::Regex;

use super::instead;
use crate::catalog;
use crate::detect::athena::calls;
use crate::rule::dialect::{find_names, find_text};
use crate::rule::shape::LISTS;
use crate::rule::spelling::distance;
use crate::table::{Column, Kind, Table};

/// Athena's tables are partitioned by these.
const DAYS: [&str; 4] = ["date", "year", "month", "timestamp"];

/// Times of flow logs are numbers.
const OF_SECONDS: &str = "from_unixtime(start) is the time of so many seconds";

pub struct Mistake {
    pub message: String,
    /// What is wrong, as the query may have it in any case.
    about: Option<String>,
}

impl From<String> for Mistake {
    fn from(message: String) -> Mistake {
        Mistake { message, about: None }
    }
}

impl Mistake {
    pub fn of(error: &DataFusionError) -> Mistake {
        if let DataFusionError::ResourcesExhausted(why) = error.find_root() {
            return why.clone().into();
        }
        let text = error.strip_backtrace();
        let text = plain(&text);
        let named = [table, column, field, function, group, qualifier, twice, interval, pattern, value, call, escape];
        if let Some(mistake) = named.iter().find_map(|judge| judge(text)) {
            return mistake;
        }
        if let Some(message) = other(text) {
            return message.into();
        }
        as_athena(&text.replace("datafusion.public.", "").replace("\\\"", "\"")).into()
    }

    /// Line and column of what it is about.
    pub fn place(&self, sql: &str) -> Option<(usize, usize)> {
        let about = self.about.as_deref()?;
        let names = find_names(sql, about);
        // what SELECT calls so is right, and what is looked for elsewhere is not
        let wrong = names.iter().find(|name| !name.is_alias).or(names.first());
        wrong.map(|name| name.place).or_else(|| find_text(sql, about))
    }

    /// The same with what can be said once the text of the query is known.
    pub fn in_text(mut self, sql: &str) -> Mistake {
        let names = self.about.as_deref().map(|about| find_names(sql, about)).unwrap_or_default();
        if !self.message.starts_with("there is no column") || self.message.contains(';') {
            return self;
        }
        if names.iter().any(|name| name.is_alias) && names.iter().any(|name| !name.is_alias) {
            self.message +=
                "; what SELECT calls so WHERE does not know: SELECT * FROM (...) WHERE does, and so does QUALIFY";
        } else if let (true, Some(about)) = (names.iter().any(|name| name.is_quoted), &self.about) {
            self.message += &format!("; text is written in single quotes: '{about}'");
        }
        self
    }
}

fn about(name: &str, message: String) -> Option<Mistake> {
    Some(Mistake { message, about: Some(name.to_owned()) })
}

/// An error without the kinds of errors that it is, and without what helps nobody.
fn plain(text: &str) -> &str {
    const PREFIXES: [&str; 10] = [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "Execution error: ",
        "External error: ",
        "Arrow error: ",
        "Parquet error: ",
        "Cast error: ",
        "Parser error: ",
        "Internal error: ",
    ];
    let mut text = text;
    while let Some(rest) = PREFIXES
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
        .or_else(|| behind_rule(text))
        .or_else(|| within_filter(text))
    {
        text = rest;
    }
    let parser = text.strip_prefix("ParserError(\"").or_else(|| text.strip_prefix("TokenizerError(\""));
    let text = parser.and_then(|text| text.strip_suffix("\")")).unwrap_or(text);
    // a list of a hundred valid names helps nobody; the nearest one stands in front of it. Nor does the name of a setting
    let text = text.split("\nValid fields are ").next().unwrap_or(text);
    let text = text.split("\nColumn names are case sensitive.").next().unwrap_or(text);
    // a type that a function does not take, DataFusion takes for a bug of its own as well
    let text = text.split_once("https://github.com/apache/datafusion/issues. ").map_or(text, |(_, rest)| rest);
    text.split("\nThis issue was likely caused by a bug in DataFusion's code.").next().unwrap_or(text)
}

/// The error of a row in a condition that is asked while a file is read. Of a text that is no number more is said, see [`value`].
fn within_filter(text: &str) -> Option<&str> {
    let (_, inner) = text.split_once("Error evaluating filter predicate: ")?;
    if inner.starts_with("ArrowError(DivideByZero") {
        return Some("Divide by zero error");
    }
    let (_, inner) = inner.split_once("(\"")?;
    let of_arrow = inner.strip_suffix("\"), Some(\"\"))").filter(|why| !why.starts_with("Cannot cast string"));
    of_arrow.or_else(|| inner.strip_suffix("\")"))
}

/// The error that a rule of DataFusion's optimizer or analyzer ran into, ours among them, without the name of the rule.
fn behind_rule(text: &str) -> Option<&str> {
    let (rule, rest) = text.split_once("\ncaused by\n")?;
    let is_analyzer = rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_analyzer || rule.starts_with("Optimizer rule '")).then_some(rest)
}

fn table(text: &str) -> Option<Mistake> {
    let (path, _) = text.split_once("table '")?.1.split_once("' not found")?;
    let name = path.splitn(3, '.').last().unwrap_or(path);
    if name.starts_with("amazon_security_lake") {
        return about(
            name,
            "tables of Security Lake have OCSF's columns, and the archive AWS's own: FROM cloudtrail, where api.operation is \
             eventName, actor.user.uid userIdentity.arn, and src_endpoint.ip sourceIPAddress"
                .to_owned(),
        );
    }
    if path.split('.').nth(1) == Some(LISTS) {
        return about(
            name,
            format!("there is no list `{name}`: -c names the configuration, which has [reference.{name}]"),
        );
    }
    if ["finding", "findings", "incident", "incidents"].contains(&name) {
        let message =
            "findings are no table: a run writes them to --findings, and `weir incidents` tells those of an archive";
        return about(name, message.to_owned());
    }
    let names: Vec<_> = catalog::tables().map(|table| table.name).collect();
    about(name, format!("there is no table `{name}`; the tables are {}", names.join(", ")))
}

/// Quotes as word processors and web pages make them of straight ones.
pub const CURLY: [char; 4] = ['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}'];

fn column(text: &str) -> Option<Mistake> {
    let (name, rest) = match text.strip_prefix("No field named ")?.split_once(". Did you mean '") {
        Some((name, rest)) => (name, rest.split_once('\'').map(|(near, _)| near)),
        None => (text.strip_prefix("No field named ")?.strip_suffix('.')?, None),
    };
    let bare = name.split('"').map(|part| part.trim_matches('.')).rfind(|part| !part.is_empty()).unwrap_or(name);
    let bare = if name.contains('"') { bare } else { bare.rsplit('.').next().unwrap_or(bare) };
    let mut message = format!("there is no column `{}`", name.trim_matches('"'));
    if name.split(['.', ' ', '"']).any(|word| word == "eventjson") {
        return about(
            bare,
            "the archive has an event's fields as columns, and not its text: those without a column are in `unmapped`"
                .to_owned(),
        );
    }
    let has_it = |table: &&Table| table.columns.iter().any(|column| column.name == bare);
    let is_day = DAYS.contains(&name);
    let elsewhere = catalog::tables().find(has_it).filter(|_| !is_day && path_to(bare, catalog::tables()).is_none());
    if let Some(table) = elsewhere {
        message += &format!(" here: it is one of {}", table.name);
    } else if let Some(near) = rest {
        let near = near.replace('"', "");
        let of = catalog::tables().find_map(|table| Some((table, near.strip_prefix(table.name)?.strip_prefix('.')?)));
        let last = near.rsplit('.').next().unwrap_or(&near);
        let begun = begun(bare, Some(last));
        let near = match of {
            // a field of the table that is called so is meant, and not a column that is called nearly so
            Some((table, near)) => {
                path_to(bare, std::iter::once(table)).unwrap_or_else(|| begun.unwrap_or(near).to_owned())
            }
            None => format!("{}{}", &near[..near.len() - last.len()], begun.unwrap_or(last)),
        };
        message += &format!("; did you mean `{near}`?");
    } else if bare.starts_with(CURLY) {
        message += "; text is written in straight quotes: eventName = 'GetObject'";
    } else if let Some(text) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        message += &format!("; text is written in single quotes: '{}'", text.replace('\'', "''"));
    } else if is_day {
        message += "; the day of a row is `day`: WHERE day = '2024-08-01'";
    } else if let Some(path) = path_to(bare, catalog::tables()) {
        message += &format!("; did you mean `{path}`?");
    } else if let Some(begun) = begun(bare, None) {
        message += &format!("; did you mean `{begun}`?");
    }
    about(bare, message)
}

/// The column that begins with the name, as `sourceipaddress` with `source_ip`, of a table that has the other column.
fn begun(name: &str, beside: Option<&str>) -> Option<&'static str> {
    let name = name.replace('_', "").to_ascii_lowercase();
    let has = |table: &Table, other: &str| table.columns.iter().any(|column| column.name == other);
    let tables = catalog::tables().filter(|table| beside.is_none_or(|other| has(table, other)));
    let names = tables.flat_map(|table| table.columns).map(|column| column.name);
    names.filter(|column| name.len() > 4 && column.starts_with(&name)).min_by_key(|column| column.len())
}

/// The path of a field of the tables that is called so, of several the outermost.
fn path_to(name: &str, tables: impl Iterator<Item = &'static Table>) -> Option<String> {
    let paths = fields(tables).into_iter().filter(|(_, own)| *own == name).map(|(path, _)| path);
    paths.min_by_key(|path| path.matches('.').count())
}

/// Every field inside of a column of the tables, as `useridentity.arn`, with its own name.
fn fields(tables: impl Iterator<Item = &'static Table>) -> Vec<(String, &'static str)> {
    fn within(above: &str, columns: &'static [Column], all: &mut Vec<(String, &'static str)>) {
        for column in columns {
            let path = format!("{above}.{}", column.name);
            if let Kind::Struct(inner) = column.kind {
                within(&path, inner, all);
            }
            all.push((path, column.name));
        }
    }
    let mut all = Vec::new();
    for column in tables.flat_map(|table| table.columns) {
        if let Kind::Struct(inner) = column.kind {
            within(column.name, inner, &mut all);
        }
    }
    all
}

fn field(text: &str) -> Option<Mistake> {
    let name = text.strip_prefix("Field ")?.strip_suffix(" not found in struct")?;
    let fields = fields(catalog::tables());
    let near = nearest(name, fields.iter().map(|(_, name)| *name));
    let near = near.and_then(|near| fields.iter().find(|(_, name)| *name == near));
    let what = match near {
        Some((path, _)) => format!("did you mean `{path}`?"),
        None => "`weir tables NAME` shows the fields of a table's columns".to_owned(),
    };
    about(name, format!("there is no field `{name}` in that column: {what}"))
}

fn function(text: &str) -> Option<Mistake> {
    if let Some((name, rest)) = text.strip_prefix("The function '").and_then(|text| text.split_once("' expected ")) {
        let (takes, rest) = rest.split_once(" but received ")?;
        let count = rest.split('.').next()?;
        return about(name, format!("{name} takes {}, not {count}", takes.replace("(s)", "s")));
    }
    let (name, rest) = text.strip_prefix("Invalid function '")?.split_once('\'')?;
    if let Some(instead) = instead::of(name) {
        return about(name, format!("there is no function `{name}` here: {instead}"));
    }
    let counts: Vec<String> = calls::counts(name).iter().map(ToString::to_string).collect();
    if let Some((last, others)) = counts.split_last() {
        let others = if others.is_empty() { String::new() } else { format!("{} or ", others.join(", ")) };
        let plural = if counts == ["1"] { "" } else { "s" };
        return about(name, format!("{name} takes {others}{last} argument{plural}"));
    }
    let mut known: Vec<&str> = calls::names();
    known.extend(rest.split('\'').nth(1));
    let near = nearest(name, known.into_iter());
    let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    about(name, format!("there is no function `{name}`{near}"))
}

/// The known name that takes the fewest letters to change, where these are few.
fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let near = known.map(|known| (distance(name, known), known)).min()?;
    (near.0 <= 1 + name.len() / 4).then_some(near.1)
}

fn group(text: &str) -> Option<Mistake> {
    let (_, rest) = text.split_once("While expanding wildcard, column \"")?;
    let (column, _) = rest.split_once("\" must appear in the GROUP BY clause")?;
    let name = column.rsplit('.').next().unwrap_or(column).trim_end_matches(']');
    let name = name.rsplit('[').next().unwrap_or(name);
    let mut fields = fields(catalog::tables()).into_iter();
    // which of its fields is selected is not said
    if let Some((field, _)) = fields.find(|(path, _)| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    {
        let what = format!(
            "a field of `{name}` stands neither in GROUP BY nor in an aggregate: GROUP BY that field too, or select it as arbitrary({field})"
        );
        return about(name, what);
    }
    about(
        name,
        format!(
            "`{name}` stands neither in GROUP BY nor in an aggregate: GROUP BY {name} too, or select arbitrary({name})"
        ),
    )
}

fn qualifier(text: &str) -> Option<Mistake> {
    let name = text.strip_prefix("Invalid qualifier ")?;
    let fields: Vec<String> = fields(catalog::tables())
        .into_iter()
        .filter(|(path, _)| path.starts_with(&format!("{name}.")))
        .map(|(path, _)| path)
        .take(2)
        .collect();
    let instead = match fields.as_slice() {
        [] => "a star stands for the columns of a table".to_owned(),
        some => format!("its fields are named one by one, {}", some.join(", ")),
    };
    about(name, format!("`{name}.*` has no table before the star: {instead}"))
}

fn twice(text: &str) -> Option<Mistake> {
    let name = text.strip_prefix("Ambiguous reference to unqualified field ")?;
    about(name, format!("more than one table has a column `{name}`: write the table before it, as in t.{name}"))
}

fn interval(text: &str) -> Option<Mistake> {
    let typed = text.strip_prefix("Invalid input syntax for type interval: \"")?.strip_suffix('"')?;
    about(typed, format!("`{typed}` is no interval: INTERVAL '10 minutes', or INTERVAL '10' MINUTE"))
}

/// The complaint about a regular expression, which draws it with a caret below.
fn pattern(text: &str) -> Option<Mistake> {
    let mut lines = text.split_once("regex parse error:\n")?.1.lines();
    let (pattern, caret) = (lines.next()?.strip_prefix("    ")?, lines.next()?);
    let why = lines.find_map(|line| line.strip_prefix("error: "))?;
    let place = caret.find('^').map(|column| format!(", at its character {}", column.saturating_sub(3)));
    let message = format!("the pattern '{pattern}' cannot be read: {why}{}", place.unwrap_or_default());
    about(pattern, message)
}

/// A text that is no value of a type, which may stand in the query.
fn value(text: &str) -> Option<Mistake> {
    if let Some((_, found)) = text.split_once("CastError(\"Cannot cast string '") {
        let (found, kind) = found.split_once("\")")?.0.strip_suffix(" type")?.rsplit_once("' to value of ")?;
        let kind = as_athena(kind);
        return Some(Mistake::from(format!(
            "a text is compared with a {kind}, and '{found}' is none: a text is compared with a text, eventName = '5', and \
             try_cast(x AS {}) is null where it is none",
            kind.to_ascii_uppercase()
        )));
    }
    if let Some((number, kind)) = text.strip_prefix("Can't cast value ").and_then(|text| text.split_once(" to type ")) {
        let kind = as_athena(kind);
        let cast = kind.to_ascii_uppercase();
        return about(number, format!("{number} is no {kind}: try_cast(x AS {cast}) is null there"));
    }
    let [large, small] = ["large", "small"]
        .map(|size| text.split_once(&format!(" is too {size} to store in a Decimal128 of precision ")));
    if let Some((number, rest)) = large.or(small) {
        let number = number.rsplit(' ').next().unwrap_or(number);
        let digits = rest.split('.').next().unwrap_or(rest);
        return about(number, format!("{number} has no room in a decimal of {digits} digits: try_cast is null there"));
    }
    let (typed, kind) = text.strip_prefix("Cannot cast string '")?.rsplit_once("' to value of ")?;
    let kind = match kind.strip_suffix(" type")? {
        "Date32" => "a day such as 2024-08-01".to_owned(),
        kind => as_athena(kind),
    };
    let is_interval = typed.split_once(' ').is_some_and(|(_, unit)| unit.bytes().all(|byte| byte.is_ascii_uppercase()));
    let is_time = is_interval || typed.get(..5).is_some_and(|year| year.ends_with('-'));
    let hint = if is_time && kind == "bigint" { format!(": {OF_SECONDS}") } else { String::new() };
    about(typed, format!("'{typed}' cannot be cast to {kind}{hint}"))
}

/// A function that is asked of other types than it takes.
fn call(text: &str) -> Option<Mistake> {
    let (_, rest) = text.split_once("No function matches the given name and argument types '")?;
    let call = as_athena(rest.split_once('\'')?.0);
    // a union is JSON, of which more can be said
    let (name, types) = call.split_once('(').filter(|(_, types)| !types.contains("Union("))?;
    let is_of_times = ["date_bin", "date_part", "date_trunc", "to_char", "to_local_time"].contains(&name);
    if is_of_times && types.contains("bigint") && !types.contains("timestamp") {
        return about(name, format!("{name} takes a time, and no bigint: {OF_SECONDS}"));
    }
    about(
        name,
        format!(
            "{name} does not take ({}): CAST(x AS VARCHAR) makes a text, CAST(x AS BIGINT) or CAST(x AS DOUBLE) a number",
            types.trim_end_matches(')')
        ),
    )
}

fn escape(text: &str) -> Option<Mistake> {
    text.starts_with("LIKE does not support escape_char other than").then(|| Mistake {
        message: "LIKE knows one ESCAPE, the backslash, which need not be named: LIKE 'a\\_%' is for texts that begin with a_".to_owned(),
        about: Some("ESCAPE".to_owned()),
    })
}

/// What is said in the place of an error that is about no single name.
fn other(text: &str) -> Option<String> {
    // what `->` gives is a union in Arrow, and the planner spells it out
    if text.contains("0: (\"null\"") {
        return Some("JSON stands where text is needed: use `->>` in place of `->`".to_owned());
    }
    if let Some(name) = text.strip_prefix("Schema contains duplicate qualified field name ") {
        let name = name.rsplit('.').next().unwrap_or(name);
        return Some(format!("`{name}` stands twice within ROLLUP, CUBE or GROUPING SETS: once is enough"));
    }
    if let Some(rest) = text.strip_prefix("Projections require unique expression names but the expression \"") {
        let column = rest.split("\" at position").next()?;
        let name = column.rsplit(" AS ").next()?.rsplit('.').next()?;
        return Some(format!("two columns of one query are called `{name}`: AS gives one of them another name"));
    }
    if text.contains("Correlated scalar subquery must be aggregated")
        || text.contains("does not support logical expression ScalarSubquery")
    {
        return Some(
            "a subquery that names columns of the query around it is asked for one value: arbitrary(x), max(x) or count(*), and \
             max_by(x, eventTime) in the place of ORDER BY eventTime DESC LIMIT 1"
                .to_owned(),
        );
    }
    if text.contains("does not support logical expression OuterReferenceColumn") {
        return Some(
            "what stands behind FROM can name a column of another table only in CROSS JOIN UNNEST(c.resources) AS t (r) and in LATERAL \
             (SELECT count(*) AS n FROM vpc_flow v WHERE v.srcaddr = c.sourceIPAddress) AS t, where c is a table before it whose rows no \
             outer join fills with nulls; the last row of each is what QUALIFY row_number() OVER (PARTITION BY sourceIPAddress ORDER BY \
             eventTime DESC) = 1 leaves"
                .to_owned(),
        );
    }
    if text.starts_with("Cannot access field at argument") && text.contains("type List(") {
        return Some(
            "that column is a list: resources[1].arn is a field of its first item, any_match(resources, r -> r.arn LIKE '%x') asks all, and \
             CROSS JOIN UNNEST(resources) AS t (r) makes rows of them"
                .to_owned(),
        );
    }
    if text == "Divide by zero error" {
        return Some("something is divided by zero: bytes / nullif(packets, 0) is null there".to_owned());
    }
    if text.starts_with("Substring without for/from is not valid") {
        return Some("substring takes 2 or 3 arguments: substring(eventName, 1, 3)".to_owned());
    }
    if text.contains("Physical plan does not support logical expression WindowFunction(") {
        return Some(
            "WHERE knows nothing of windows: QUALIFY row_number() OVER (PARTITION BY sourceIPAddress ORDER BY eventTime DESC) = 1 behind it does"
                .to_owned(),
        );
    }
    if text.starts_with("Cannot access field at argument") && text.contains("type Utf8") {
        return Some(
            "that column has no fields; of JSON text, as `weir tables NAME` says which column is, requestParameters ->> 'bucketName' \
             is one"
                .to_owned(),
        );
    }
    if text.contains("common type to coerce") && text.contains("in LIKE expression") {
        return Some(
            "LIKE is asked of texts: CAST(dstport AS VARCHAR) LIKE '44%', and of what is in a list any_match(resources, r -> r.arn LIKE '%x%')"
                .to_owned(),
        );
    }
    let is_nested = |kind: &str| ["List(", "Struct(", "Map("].iter().any(|nested| kind.starts_with(nested));
    if text.split_once("Unsupported CAST from ").is_some_and(|(_, kind)| is_nested(kind)) && text.contains(" to Utf8") {
        return Some(
            "lists and rows have no text but that of their JSON: json_format(CAST(resources AS JSON))".to_owned(),
        );
    }
    if let Some((what, _)) = text.split_once(", got Struct(") {
        return Some(format!("{what}, got a struct: its fields are named with dots, as in userIdentity.arn"));
    }
    if text.starts_with(
        "This feature is not implemented: Nested identifiers are not yet supported for OuterReferenceColumn",
    ) {
        return Some(
            "a subquery names a field of a table around it with the name of that table: c.userIdentity.arn, where FROM cloudtrail AS c \
             stands around it"
                .to_owned(),
        );
    }
    if let Some(rest) = text.strip_prefix("Cannot create filter with non-boolean predicate '") {
        let (what, kind) = rest.rsplit_once("' returning ")?;
        let what = what.rsplit_once(" AS ").map_or(what, |(_, name)| name);
        let kind = as_athena(kind);
        return Some(format!("a condition is true or false, and `{what}` is {kind}: compare it with something"));
    }
    if text.contains("Unsupported binary operator: PGOverlap") {
        return Some("conditions are joined by AND, and not by &&; of lists, arrays_overlap(a, b)".to_owned());
    }
    if text.starts_with("Cannot automatically convert Int64 to Interval") {
        return Some(format!("an interval is added to a time, and to no bigint: {OF_SECONDS}"));
    }
    if let Some(name) = text.strip_prefix("table function '").and_then(|text| text.strip_suffix("' not found")) {
        let instead =
            instead::of(name).unwrap_or("FROM cloudtrail CROSS JOIN UNNEST(resources) AS t (r) has the items of lists");
        return Some(format!("there is no table function `{name}` here: {instead}"));
    }
    if text.contains("Physical plan does not support logical expression AggregateFunction(") {
        return Some("GROUP BY takes what rows have, and no aggregate: its numbers are places in SELECT".to_owned());
    }
    if text.contains("SHOW COLUMNS with WHERE or LIKE") {
        return Some(
            "SHOW COLUMNS has all columns of a table: SELECT column_name FROM information_schema.columns WHERE table_name = 'cloudtrail' \
             AND column_name LIKE 'event%'"
                .to_owned(),
        );
    }
    if text.starts_with("Placeholder '") {
        return Some(
            "there are no parameters here: the values are written into the query, eventName = 'ConsoleLogin'"
                .to_owned(),
        );
    }
    let lower = text.to_ascii_lowercase();
    if ["ipaddress", "inet", "cidr"].iter().any(|kind| lower.contains(&format!("unsupported sql type {kind}"))) {
        return Some("addresses are texts here: cidr_match(srcaddr, '10.0.0.0/8', '192.168.0.0/16')".to_owned());
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for logical boolean operation ") {
        return Some(format!(
            "{}: what stands beside AND and OR is a condition, as in readOnly = true",
            as_athena(types)
        ));
    }
    let node =
        text.split_once("Unsupported ast node in sqltorel: ").or_else(|| text.split_once("Unsupported ast node "));
    if let Some((_, node)) = node {
        let name: String = node.chars().take_while(char::is_ascii_alphanumeric).collect();
        return Some(match name.as_str() {
            "Lambda" => {
                "a lambda, x -> ..., stands only in functions of lists and maps: transform(list, x -> upper(x))"
                    .to_owned()
            }
            "JsonTable" => {
                "there is no JSON_TABLE here: CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.items') AS ARRAY(JSON))) AS t (item)"
                    .to_owned()
            }
            name => format!("there is no {} here", name.to_ascii_uppercase()),
        });
    }
    let compared = text.strip_prefix("Cannot infer common argument type for comparison operation ").or_else(|| {
        text.strip_prefix("Failed to coerce types ").and_then(|text| text.split_once(" in ")).map(|(types, _)| types)
    });
    if let Some(types) = compared {
        let types = as_athena(types);
        let instead = match types.contains("boolean") {
            _ if types.contains("array(row)") => {
                "of what is in a list, any_match(resources, r -> r.arn = 'x') is asked"
            }
            _ if types.contains("row") => "the fields of a row are named with dots, as in userIdentity.arn = 'x'",
            false if types.contains("bigint") && types.contains("timestamp") => {
                "a time is written '2024-08-01 12:00:00', and from_unixtime(start) is the time of so many seconds"
            }
            true => {
                "true and false stand without quotes, as in readOnly = true, and are no numbers; a text is compared with 'true'"
            }
            false => "a time is written '2024-08-01 12:00:00', and CAST(x AS BIGINT) makes a number of a text",
        };
        return Some(format!("{types} cannot be compared: {instead}"));
    }
    if let Some(types) =
        text.strip_prefix("Cannot coerce arithmetic expression ").and_then(|text| text.strip_suffix(" to valid types"))
    {
        let types = as_athena(types);
        let instead = match types.contains("varchar") {
            true => "CAST(x AS BIGINT) makes a number of a text, and || puts texts together",
            false => "an interval is taken off a time, eventTime - INTERVAL '7' DAY",
        };
        return Some(format!("{types} cannot be computed: {instead}"));
    }
    None
}

/// A text with Athena's names of types in the place of Arrow's.
fn as_athena(text: &str) -> String {
    const TYPES: [(&str, &str); 15] = [
        (r"Dictionary\(\w+, Utf8(View)?\)", "varchar"),
        (r#"Timestamp\(\w+, "[^"]*"\)"#, "timestamp with time zone"),
        (r"Timestamp\(\w+\)", "timestamp"),
        (r"\bList\(Struct\(.*\)\)", "array(row)"),
        (r"Struct\(.*\)", "row"),
        (r"\b(Large)?Utf8(View)?\b", "varchar"),
        (r"\bU?Int64\b", "bigint"),
        (r"\bU?Int32\b", "integer"),
        (r"\bU?Int16\b", "smallint"),
        (r"\bU?Int8\b", "tinyint"),
        (r"\bFloat64\b", "double"),
        (r"\bFloat32\b", "real"),
        (r"\bDate32\b", "date"),
        (r"\bBoolean\b", "boolean"),
        (r"\bInterval\(\w+\)", "interval"),
    ];
    TYPES.iter().fold(text.to_owned(), |text, (pattern, name)| {
        let pattern = Regex::new(pattern).expect("a pattern written here");
        pattern.replace_all(&text, *name).into_owned()
    })
}
