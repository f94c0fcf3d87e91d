//! The tables of AWS's documentation for Athena and CloudTrail Lake, with the columns that they are partitioned by → those here.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, Value, Visit,
    Visitor,
};
use regex::{Captures, Regex};

use super::template::{call_name, query, with_arguments};
use super::{last_name, times};
use crate::catalog;
use crate::rule::shape::{ATHENA_TABLES, LISTS};
use crate::table::{Column, Kind};

/// What AWS's tables for Athena call the day that they are partitioned by: those of flow logs, and those of CloudTrail, where it
/// is a text.
pub const DAYS: [&str; 2] = ["date", "timestamp"];

/// The database of the tables as they are.
const HERE: &str = "public";

/// Columns of partitions that are parts of a day, texts of two digits or four.
const PARTS: [(&str, &str); 4] = [("year", "%Y"), ("month", "%m"), ("day", "%d"), ("hour", "%H")];

/// Columns that are not there and are made where a statement names them.
#[derive(Debug, Default)]
pub struct Named {
    /// `date` or `timestamp`.
    days: Vec<&'static str>,
    /// Whether `timestamp` is the day of CloudTrail's table, '2024/08/01'.
    text_days: bool,
    /// `year`, `month` and `hour`, and then `day` is that of the month.
    parts: Vec<&'static str>,
    /// `"$path"`, the file of the archive that has the row.
    path: bool,
    /// Columns of [`PARTITIONS`].
    partitions: Vec<&'static (&'static str, &'static str)>,
    /// Columns that have another name here.
    others: Vec<&'static (&'static str, &'static str)>,
    /// What SELECT calls columns, as it is written.
    aliases: Vec<String>,
    /// Whether a SELECT calls a text `eventTime`.
    text_times: bool,
    /// What SELECT calls `eventTime`, or one of several, and nothing else.
    times: Vec<String>,
}

/// A day as folders of S3 have it.
const FOLDER: &str = "to_char(day, '%Y/%m/%d')";

/// Columns that the tables of AWS's Security Analytics Bootstrap are partitioned by, and those of many others.
const PARTITIONS: [(&str, &str); 10] = [
    ("account_id", "account"),
    ("p_account", "account"),
    ("p_region", "region"),
    ("p_date", FOLDER),
    ("date_partition", FOLDER),
    ("account_partition", "account"),
    ("region_partition", "region"),
    ("event_date", "day"),
    ("dt", FOLDER),
    ("partition_date", FOLDER),
];

/// Names that columns of flow logs have in Hive-compatible folders, in AWS's older examples and in its Security Analytics Bootstrap, or
/// where `start` and `end` are to be no words of SQL, and those here.
const OTHERS: [(&str, &str); 27] = [
    ("aws-account-id", "account"),
    ("aws-region", "region"),
    ("interfaceid", "interface_id"),
    ("sourceaddress", "srcaddr"),
    ("destinationaddress", "dstaddr"),
    ("sourceport", "srcport"),
    ("destinationport", "dstport"),
    ("numpackets", "packets"),
    ("numbytes", "bytes"),
    ("starttime", "start"),
    ("endtime", "end"),
    ("logstatus", "log_status"),
    ("start_time", "start"),
    ("end_time", "end"),
    ("vpcid", "vpc_id"),
    ("subnetid", "subnet_id"),
    ("instanceid", "instance_id"),
    ("tcpflags", "tcp_flags"),
    ("pktsrcaddr", "pkt_srcaddr"),
    ("pktdstaddr", "pkt_dstaddr"),
    ("azid", "az_id"),
    ("sublocationtype", "sublocation_type"),
    ("sublocationid", "sublocation_id"),
    ("pktsrcawsservice", "pkt_src_aws_service"),
    ("pktdstawsservice", "pkt_dst_aws_service"),
    ("flowdirection", "flow_direction"),
    ("trafficpath", "traffic_path"),
];

impl Named {
    pub fn by(statement: &impl Visit) -> Named {
        let mut names = Names::default();
        let _ = statement.visit(&mut names); // it never breaks
        let has = |name: &str| names.used.iter().any(|used| used == name);
        // a column that SELECT calls so is no column of the table
        let is_column = |name: &str| has(name) && !names.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name));
        let mut parts: Vec<&str> = PARTS.iter().map(|(name, _)| *name).filter(|name| is_column(name)).collect();
        if !parts.iter().any(|name| *name != "day") || names.whole_days {
            parts.retain(|name| *name != "day");
        }
        // nor is one that another table has, or a list: of two the name alone would say neither
        let is_of_table = |name: &str| {
            let mut tables = catalog::tables().filter(|table| names.tables.contains(&table.name));
            tables.any(|table| table.columns.iter().any(|column| column.name == name))
        };
        let is_owned = |name: &str| names.has_list && !name.ends_with("_partition") || is_of_table(name);
        Named {
            days: DAYS.into_iter().filter(|name| has(name)).collect(),
            text_days: is_column(DAYS[1]) && names.has_trail,
            parts,
            path: has("$path"),
            partitions: PARTITIONS.iter().filter(|(name, _)| is_column(name) && !is_owned(name)).collect(),
            others: OTHERS.iter().filter(|(name, _)| is_column(name)).collect(),
            aliases: names.aliases,
            text_times: names.text_times,
            times: names.times.into_iter().filter(|name| !names.others.contains(name) && !is_of_table(name)).collect(),
        }
    }

    /// Takes the quotes off names of columns that are typed as AWS writes them, "eventName": Athena knows them in any case. And
    /// "pkt-dst-aws-service", as flow logs call it, is `pkt_dst_aws_service`.
    pub fn fold(&self, names: &mut [Ident]) {
        for name in names.iter_mut().filter(|name| name.quote_style == Some('"')) {
            let lower = name.value.to_ascii_lowercase().replace('-', "_");
            let is_typed = lower != name.value && !self.aliases.contains(&name.value);
            if is_typed && catalog::tables().any(|table| table.columns.iter().any(|column| is_within(column, &lower))) {
                name.value = lower;
            }
        }
    }

    /// The table with these columns, where it lacks some.
    pub fn with_columns(&self, table: &str, is_of_athena: bool) -> Option<Box<Query>> {
        let mut columns = Vec::new();
        for name in self.days.iter().filter(|_| is_of_athena) {
            match (*name, table) {
                // else it is grouped by what SELECT calls so
                ("date", table) if table == "vpc_flow" || !self.gives("date") => {
                    columns.push("day AS \"date\"".to_owned());
                }
                ("date", _) | (_, "vpc_flow") => {}
                _ => columns.push("to_char(day, '%Y/%m/%d') AS \"timestamp\"".to_owned()),
            }
        }
        let known = catalog::tables().find(|known| known.name == table)?;
        for part in &self.parts {
            let (name, format) = PARTS.iter().find(|(name, _)| name == part)?;
            columns.push(match (*name, known.time) {
                ("hour", "start") => format!("to_char(from_unixtime(start, 'UTC'), '{format}') AS hour"),
                ("hour", time) => format!("to_char({time}, '{format}') AS hour"),
                _ => format!("to_char(day, '{format}') AS {name}"),
            });
        }
        if self.path {
            columns.push("concat('/', input_file_name()) AS \"$path\"".to_owned());
        }
        columns.extend(self.partitions.iter().map(|(name, sql)| format!("{sql} AS {name}")));
        if table == "vpc_flow" {
            columns.extend(self.others.iter().map(|(theirs, ours)| format!("\"{ours}\" AS \"{theirs}\"")));
        }
        if columns.is_empty() {
            return None;
        }
        let all = if self.parts.contains(&"day") { "* EXCLUDE (day)" } else { "*" };
        Some(query(&format!("SELECT {all}, {} FROM {HERE}.{table}", columns.join(", ")), &[]))
    }

    /// Writes what a day is compared with as days are here: partitions of S3 have '2024/08/01', as a constant or as what a format or a
    /// concatenation makes. `is_here` is whether a table of the archive is asked: else what SELECT calls so is no day but a text.
    pub fn complete_day(&self, column: &Expr, value: &mut Expr, is_here: bool) {
        if self.is_day(column, is_here) {
            // a number is one of days since 1970: as a text it is the day that it says, 20240801, or told to be none
            if let Expr::Value(constant) = value
                && let Value::Number(digits, _) = &constant.value
                && last_name(column).is_some_and(|name| !self.gives(&name))
            {
                constant.value = Value::SingleQuotedString(digits.to_string());
            }
            separated(value, "/", "-");
        }
    }

    /// Whether it is the day of a table of the archive. What SELECT calls so is one only where such a table is asked, `is_here`.
    pub fn is_day(&self, column: &Expr, is_here: bool) -> bool {
        let is_day = |name: &String| ["day", DAYS[0]].contains(&name.as_str());
        last_name(column).filter(is_day).is_some_and(|name| is_here || !self.gives(&name))
    }

    /// Whether it is a day as folders of S3 have it.
    pub fn is_folder(&self, column: &Expr) -> bool {
        last_name(column).is_some_and(|name| {
            self.text_days && name == DAYS[1]
                || self.partitions.iter().any(|(partition, sql)| *partition == name && *sql == FOLDER)
        })
    }

    /// Whether SELECT calls something so that has another name, or none.
    pub fn gives(&self, name: &str) -> bool {
        self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    }

    /// Says of an `eventTime` that it is a text, where a SELECT gives it as one, and of another name that is given to `eventTime` that it is
    /// one: but where a table of the archive has such a column, `is_here`.
    pub fn mark_times(&self, expr: &mut Expr, is_here: impl Fn(&Ident) -> bool) {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last_mut(),
            _ => None,
        };
        let Some(name) = name else { return };
        let is_time = self.times.contains(&folded(name));
        if !(is_time || self.text_times) || is_here(name) {
            return;
        }
        if is_time {
            times::mark_time(name);
        } else {
            times::mark_text(name);
        }
    }

    /// Writes what such a column is compared with as the column has it: `month = 8` and `month = '8'` are '08', and a day
    /// of `timestamp` has slashes.
    pub fn complete(&self, column: &Expr, value: &mut Expr) {
        if self.is_folder(column) {
            return separated(value, "-", "/");
        }
        let (Some(name), Expr::Value(constant)) = (last_name(column), value) else { return };
        if !self.parts.iter().any(|part| *part == name) {
            return;
        }
        let digits = match &constant.value {
            Value::SingleQuotedString(text) => text.clone(),
            Value::Number(number, _) => number.to_string(),
            _ => return,
        };
        if digits.bytes().all(|digit| digit.is_ascii_digit()) {
            let width = if name == "year" { 4 } else { 2 };
            constant.value = Value::SingleQuotedString(format!("{digits:0>width$}"));
        }
    }
}

/// Puts one separator of days in the place of another, in a constant or in what a format or a concatenation makes.
fn separated(day: &mut Expr, from: &str, to: &str) {
    match day {
        Expr::Value(constant) => {
            if let Value::SingleQuotedString(text) = &mut constant.value {
                *text = text.replace(from, to);
            }
        }
        day if is_made_text(day) => *day = with_arguments(&format!("replace(arg1, '{from}', '{to}')"), &[day]),
        _ => {}
    }
}

/// Whether it is a text that a format or a concatenation makes, once these are DataFusion's.
fn is_made_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_made_text(inner),
        Expr::Function(call) => call_name(call).as_deref() == Some("to_char"),
        Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::StringConcat),
        _ => false,
    }
}

/// The name as DataFusion knows it.
pub fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_ascii_lowercase() }
}

/// Whether a column, or a field of it, has the name.
fn is_within(column: &Column, name: &str) -> bool {
    match column.kind {
        Kind::Struct(fields) | Kind::List(fields) => {
            column.name == name || fields.iter().any(|field| is_within(field, name))
        }
        _ => column.name == name,
    }
}

/// The names of columns in a statement, and those that it gives.
#[derive(Default)]
struct Names {
    used: Vec<String>,
    aliases: Vec<String>,
    /// Whether `day` is compared with a whole day: '2024-08-01'.
    whole_days: bool,
    /// Whether a table of Athena's for CloudTrail is asked.
    has_trail: bool,
    /// The tables of the archive that are asked.
    tables: Vec<&'static str>,
    /// Whether a list of the user's is asked.
    has_list: bool,
    /// Whether a SELECT calls a text `eventTime`.
    text_times: bool,
    /// What SELECT calls `eventTime` or one of several, and what it calls anything else.
    times: Vec<String>,
    others: Vec<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if let Some((table, typed)) = archived(name) {
            self.has_trail |= table == "cloudtrail" && !typed.value.eq_ignore_ascii_case(table);
            self.tables.push(table);
        }
        let schema = name.0.first().and_then(|part| part.as_ident());
        self.has_list |= schema.is_some_and(|schema| schema.value.eq_ignore_ascii_case(LISTS));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { alias: Some(alias), .. } | TableFactor::UNNEST { alias: Some(alias), .. } = factor
        {
            self.aliases.extend(alias.columns.iter().map(|column| column.name.value.clone()));
            self.others.extend(alias.columns.iter().map(|column| folded(&column.name)));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let given = query.with.iter().flat_map(|with| &with.cte_tables).flat_map(|table| &table.alias.columns);
        for column in given {
            self.aliases.push(column.name.value.clone());
            self.others.push(folded(&column.name));
        }
        if let SetExpr::Select(select) = query.body.as_ref() {
            let alias = |item: &SelectItem| match item {
                SelectItem::ExprWithAlias { alias, expr } if last_name(expr).as_deref() != Some(&alias.value) => {
                    Some(alias.value.clone())
                }
                _ => None,
            };
            self.aliases.extend(select.projection.iter().filter_map(alias));
            let is_text_time = |item: &SelectItem| match item {
                SelectItem::ExprWithAlias { alias, expr } => {
                    alias.value.eq_ignore_ascii_case("eventtime") && times::makes_text(expr)
                }
                _ => false,
            };
            self.text_times |= select.projection.iter().any(is_text_time);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, expr } = item {
                let same = if times::is_time(expr) { &mut self.times } else { &mut self.others };
                same.push(folded(alias));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.used.extend(last_name(expr));
        let compared: Vec<&Expr> = match expr {
            Expr::BinaryOp { left, right, .. } => vec![left, right],
            Expr::Between { expr, low, .. } => vec![expr, low],
            Expr::InList { expr, list, .. } => std::iter::once(expr.as_ref()).chain(list).collect(),
            _ => Vec::new(),
        };
        let is_day = compared.iter().any(|expr| last_name(expr).as_deref() == Some("day"));
        let is_whole = |expr: &&Expr| match expr {
            Expr::Value(value) => matches!(&value.value, Value::SingleQuotedString(text) if text.len() > 2),
            _ => false,
        };
        self.whole_days |= is_day && compared.iter().any(is_whole);
        ControlFlow::Continue(())
    }
}

/// The table here that a name of Athena means, `default.cloudtrail`, `cloudtrail_logs`, `cloudtrail_logs_mybucket` as the
/// console of CloudTrail makes it, or `cloudtrail_111122223333`, with the last word of that name.
pub fn archived(name: &ObjectName) -> Option<(&'static str, Ident)> {
    let words: Vec<&Ident> = name.0.iter().map(|part| part.as_ident()).collect::<Option<_>>()?;
    let (last, databases) = words.split_last()?;
    let is_no_database = |name: &&&Ident| name.value == HERE || name.value.eq_ignore_ascii_case(LISTS);
    if databases.iter().any(|database| is_no_database(&database)) {
        return None;
    }
    let is = |word: &str| last.value.eq_ignore_ascii_case(word);
    let begins = |word: &str| {
        let rest = last.value.get(word.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        rest && last.value[..word.len()].eq_ignore_ascii_case(word)
    };
    if is_event_data_store(&last.value) {
        return Some(("cloudtrail", (*last).clone()));
    }
    let renamed = ATHENA_TABLES.iter().find(|(theirs, _)| begins(theirs)).map(|(_, ours)| *ours);
    let ours = || catalog::tables().map(|table| table.name).find(|table| is(table));
    Some((renamed.or_else(ours)?, (*last).clone()))
}

/// Whether a name is the id of an event data store of CloudTrail Lake, or what its sample queries have in the place of one.
fn is_event_data_store(name: &str) -> bool {
    let shape: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { '0' } else { letter }).collect();
    let word: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    shape == "00000000-0000-0000-0000-000000000000"
        || ["edsid", "eventdatastoreid", "eventdatastore"].contains(&word.strip_prefix("your").unwrap_or(&word))
}

/// The text with quotes around what stands for an event data store behind FROM and JOIN: its id without quotes, which is no name of SQL,
/// `$EDS_ID` and `<event-data-store-id>`.
pub fn with_event_data_stores(sql: &str) -> Cow<'_, str> {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| {
        // the last part of those in AWS's documentation is EXAMPLE11111
        let id = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-z]{12}";
        Regex::new(&format!(r"(?i)\b((?:from|join)\s+)(?:({id})|\$\{{?(\w+)\}}?|<([\w -]+)>)"))
            .expect("a pattern written here")
    });
    PLACE.replace_all(sql, |found: &Captures| {
        let name = [2, 3, 4].into_iter().find_map(|group| found.get(group)).map_or("", |name| name.as_str());
        if is_event_data_store(name) { format!("{}\"{name}\"", &found[1]) } else { found[0].to_owned() }
    })
}

/// What a table is called in a statement.
pub fn called(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: Vec::new(), at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_data_store_is_a_name() {
        for (text, expected) in [
            ("FROM 0233062b-51c6-4d18-8dec-a8c90da840d9 e", "FROM \"0233062b-51c6-4d18-8dec-a8c90da840d9\" e"),
            ("FROM a1b2c3d4-5678-90ab-cdef-EXAMPLE11111", "FROM \"a1b2c3d4-5678-90ab-cdef-EXAMPLE11111\""),
            ("FROM <YOUR_EVENT_DATA_STORE_ID>", "FROM \"YOUR_EVENT_DATA_STORE_ID\""),
            ("from $EDS_ID a JOIN\n<event-data-store-id> b", "from \"EDS_ID\" a JOIN\n\"event-data-store-id\" b"),
            ("FROM a WHERE b < c AND d > e", "FROM a WHERE b < c AND d > e"),
            ("SELECT 'from $other' FROM ${eds_id}", "SELECT 'from $other' FROM \"eds_id\""),
        ] {
            assert_eq!(with_event_data_stores(text), expected);
        }
    }
}
