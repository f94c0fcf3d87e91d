//! A table's column list → what to do at each key of its records.

use std::borrow::Cow;

use arrow::datatypes::{DataType, SchemaRef};

use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::vpc_flow::{self, VPC_FLOW};
use crate::table::{Column, Kind, PARTITIONS, Table};

/// Compiled once per table and process.
pub struct Plan {
    pub table: &'static Table,
    /// That of the table: made once, and the same in all batches, so that they are soon compared.
    pub schema: SchemaRef,
    /// Node 0 is the record itself.
    pub nodes: Vec<Node>,
    /// Columns of the schema in order, partitions included.
    pub fields: Vec<Field>,
    /// How many of each kind of builder the fields need.
    pub sizes: Sizes,
    /// Time column, an index of `times` or, when `.1`, of `ints` in seconds.
    pub time: Option<(usize, bool)>,
    pub unmapped: Option<usize>,
    /// Symbols that name the row's account and Region, best first.
    pub accounts: Vec<usize>,
    pub regions: Vec<usize>,
    /// Two columns that nearly every record has and that make it one.
    pub common: Option<[usize; 2]>,
    /// Symbol that takes `Context::reported_by`.
    pub reported_by: Option<usize>,
    /// Columns inside of objects of the record, by letters and digits alone (`useridentityarn`), and their paths there.
    inside: Vec<(Vec<u8>, String)>,
}

#[derive(Default)]
pub struct Sizes {
    pub texts: usize,
    pub symbols: usize,
    pub ints: usize,
    pub floats: usize,
    pub flags: usize,
    pub times: usize,
    pub structs: usize,
    pub lists: usize,
    /// For each builder of the kind: the list whose items are its rows.
    pub text_lists: Vec<Option<usize>>,
    pub symbol_lists: Vec<Option<usize>>,
    pub int_lists: Vec<Option<usize>>,
    pub float_lists: Vec<Option<usize>>,
    pub flag_lists: Vec<Option<usize>>,
    pub time_lists: Vec<Option<usize>>,
    pub struct_lists: Vec<Option<usize>>,
}

/// An object whose keys are known.
pub struct Node {
    pub keys: Vec<Key>,
    /// Keys of the nodes before it, and one more for each of these nodes.
    pub first: usize,
    /// Dotted path with a dot at its end, for `unmapped`; empty for the record.
    pub path: String,
    /// All columns inside, where the object is the value of a member of the record and has no lists; else empty.
    pub inside: Vec<Action>,
}

#[repr(C, align(32))]
pub struct Key {
    /// The first bytes of the key and its closing quote, and which of them count.
    pub want: [u8; Key::HEAD],
    pub mask: [u8; Key::HEAD],
    pub action: Action,
    pub name: Box<[u8]>,
    /// The name and its closing quote.
    quoted: Box<[u8]>,
}

/// What to do with the value of a key; numbers are indices of builders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Text(usize),
    Json(usize),
    Symbol(usize),
    Int(usize),
    Float(usize),
    Flag(usize),
    Time(usize),
    Struct { builder: usize, node: usize },
    List { builder: usize, node: usize },
    Unknown,
}

/// A column of the schema: its builder, and its fields when it has some.
pub struct Field {
    pub action: Action,
    pub column: &'static Column,
    /// As the schema has it.
    pub kind: DataType,
    pub fields: Vec<Field>,
}

impl Field {
    fn take_kind(&mut self, kind: &DataType) {
        self.kind = kind.clone();
        let inner = match kind {
            DataType::List(item) => item.data_type(),
            _ => kind,
        };
        if let DataType::Struct(fields) = inner {
            self.fields.iter_mut().zip(fields).for_each(|(own, field)| own.take_kind(field.data_type()));
        }
    }
}

/// What Microsoft Sentinel's table of CloudTrail's events (`AWSCloudTrail`) calls otherwise than the record, and not by the path in it.
const OF_SENTINEL: [(&str, &str); 14] = [
    ("AwsEventId", "eventID"),
    ("AwsRequestId", "requestID"),
    ("TimeGenerated", "eventTime"),
    ("EventTypeName", "eventType"),
    ("SessionMfaAuthenticated", "userIdentity.sessionContext.attributes.mfaAuthenticated"),
    ("SessionCreationDate", "userIdentity.sessionContext.attributes.creationDate"),
    ("SessionIssuerType", "userIdentity.sessionContext.sessionIssuer.type"),
    ("SessionIssuerPrincipalId", "userIdentity.sessionContext.sessionIssuer.principalId"),
    ("SessionIssuerArn", "userIdentity.sessionContext.sessionIssuer.arn"),
    ("SessionIssuerAccountId", "userIdentity.sessionContext.sessionIssuer.accountId"),
    ("SessionIssuerUserName", "userIdentity.sessionContext.sessionIssuer.userName"),
    ("TlsVersion", "tlsDetails.tlsVersion"),
    ("CipherSuite", "tlsDetails.cipherSuite"),
    ("ClientProvidedHostHeader", "tlsDetails.clientProvidedHostHeader"),
];

/// Where a table finds the account and the Region of a row: columns, dotted, best first.
fn homes(table: &Table) -> (&'static [&'static str], &'static [&'static str]) {
    match table.name {
        "cloudtrail" => (&["recipientaccountid", "useridentity.accountid"], &["awsregion"]),
        "vpc_flow" => (&["account_id"], &[]),
        "guardduty_finding" => (&["accountid"], &[]),
        _ => (&[], &[]),
    }
}

/// The columns of fields and of what is inside them; `None` when one is a list.
fn inside(fields: &[Field]) -> Option<Vec<Action>> {
    let mut all = Vec::new();
    for field in fields {
        if let Action::List { .. } = field.action {
            return None;
        }
        all.push(field.action);
        all.extend(inside(&field.fields)?);
    }
    Some(all)
}

impl Plan {
    pub fn new(table: &'static Table) -> Plan {
        let mut plan = Plan {
            table,
            schema: table.schema(),
            nodes: vec![Node { keys: Vec::new(), first: 0, path: String::new(), inside: Vec::new() }],
            fields: Vec::new(),
            sizes: Sizes::default(),
            time: None,
            unmapped: None,
            accounts: Vec::new(),
            regions: Vec::new(),
            common: None,
            reported_by: None,
            inside: Vec::new(),
        };
        let partitions = plan.fields(PARTITIONS, 0, None);
        let columns = plan.fields(table.columns, 0, None);
        plan.fields = partitions.into_iter().chain(columns).collect();
        let kinds = plan.schema.fields().iter().map(|field| field.data_type());
        plan.fields.iter_mut().zip(kinds).for_each(|(field, kind)| field.take_kind(kind));
        // version 4 flow records and GuardDuty's findings name their Region, which is a partition column
        if matches!(table.name, "vpc_flow" | "guardduty_finding") {
            let action = plan.fields[1].action;
            plan.nodes[0].keys.push(Key::new("region", action));
        }
        let (accounts, regions) = homes(table);
        let symbol = |path: &&str| match plan.find(path) {
            Some(Action::Symbol(builder)) => Some(builder),
            _ => None,
        };
        let accounts = accounts.iter().filter_map(symbol).collect();
        let regions = regions.iter().filter_map(symbol).collect();
        let reported_by = symbol(&"reportedby");
        let common = symbol(&"eventname").zip(symbol(&"eventsource")).map(|(name, source)| [name, source]);
        (plan.accounts, plan.regions, plan.reported_by, plan.common) = (accounts, regions, reported_by, common);
        plan.time = match plan.find(table.time) {
            Some(Action::Time(builder)) => Some((builder, false)),
            Some(Action::Int(builder)) => Some((builder, true)),
            _ => None,
        };
        for field in &plan.fields {
            if let Action::Struct { node, .. } = field.action {
                plan.nodes[node].inside = inside(&field.fields).unwrap_or_default();
            }
        }
        let mut first = 0;
        for node in &mut plan.nodes {
            node.first = first;
            first += node.keys.len() + 1;
        }
        if table.name == CLOUDTRAIL.name {
            let path = |(name, path): &(&str, &str)| (letters(name.as_bytes()).collect(), (*path).to_owned());
            plan.inside.extend(OF_SENTINEL.iter().map(path));
        }
        plan.unmapped = match plan.find("unmapped") {
            Some(Action::Json(builder)) => Some(builder),
            _ => None,
        };
        plan
    }

    /// What is done with a column, by its dotted name.
    pub fn find(&self, path: &str) -> Option<Action> {
        let mut fields = &self.fields;
        let mut found = None;
        for name in path.split('.') {
            let field = fields.iter().find(|field| field.column.name == name)?;
            found = Some(field.action);
            fields = &field.fields;
        }
        found
    }

    /// The column of a record that others call by this name, by a key of its own.
    pub fn key_of_others(&self, name: &[u8]) -> Option<&Key> {
        let name = str::from_utf8(name).ok().filter(|_| self.table.name == VPC_FLOW.name)?;
        let own = vpc_flow::own_name(name)?;
        self.nodes[0].keys.iter().find(|key| *key.name == *own.as_bytes())
    }

    /// Where in a record a member belongs whose name is of something inside of a column: `userIdentity.arn` and
    /// `requestParameters.bucketName`, as Splunk calls them, or what Sentinel calls otherwise, or `userIdentity_arn` and `UserIdentityArn`, as columns of databases are called.
    pub fn path_inside<'n>(&self, name: &'n str) -> Option<Cow<'n, str>> {
        if let Some((top, inside)) = name.split_once('.') {
            let top = top.strip_suffix("{}").unwrap_or(top);
            let has_inside = |column: &&Column| {
                matches!(column.kind, Kind::Struct(_) | Kind::List(_) | Kind::Json) && !column.path.is_empty()
            };
            let mut columns = self.table.columns.iter().filter(has_inside);
            let is_one = !inside.is_empty() && columns.any(|column| is_alike(column.name.as_bytes(), top.as_bytes()));
            return is_one.then_some(Cow::Borrowed(name));
        }
        let (_, path) = self.inside.iter().find(|(letters, _)| is_alike(letters, name.as_bytes()))?;
        Some(Cow::Owned(path.clone()))
    }

    fn fields(&mut self, columns: &'static [Column], node: usize, list: Option<usize>) -> Vec<Field> {
        columns.iter().map(|column| self.field(column, node, list)).collect()
    }

    fn field(&mut self, column: &'static Column, node: usize, list: Option<usize>) -> Field {
        fn take(size: &mut usize) -> usize {
            *size += 1;
            *size - 1
        }
        let sizes = &mut self.sizes;
        let mut fields = Vec::new();
        let action = match column.kind {
            Kind::Text | Kind::Json => {
                sizes.text_lists.push(list);
                let builder = take(&mut sizes.texts);
                if matches!(column.kind, Kind::Text) { Action::Text(builder) } else { Action::Json(builder) }
            }
            Kind::Symbol => {
                sizes.symbol_lists.push(list);
                Action::Symbol(take(&mut sizes.symbols))
            }
            Kind::Int => {
                sizes.int_lists.push(list);
                Action::Int(take(&mut sizes.ints))
            }
            Kind::Float => {
                sizes.float_lists.push(list);
                Action::Float(take(&mut sizes.floats))
            }
            Kind::Bool => {
                sizes.flag_lists.push(list);
                Action::Flag(take(&mut sizes.flags))
            }
            Kind::Time => {
                sizes.time_lists.push(list);
                Action::Time(take(&mut sizes.times))
            }
            Kind::Struct(columns) => {
                sizes.struct_lists.push(list);
                let builder = take(&mut sizes.structs);
                let child = self.node(node, column);
                fields = self.fields(columns, child, list);
                Action::Struct { builder, node: child }
            }
            Kind::List(columns) => {
                assert!(list.is_none(), "no table has a list inside a list");
                let builder = take(&mut sizes.lists);
                let child = self.node(node, column);
                fields = self.fields(columns, child, Some(builder));
                Action::List { builder, node: child }
            }
        };
        for name in column.path.split('|').filter(|name| !name.is_empty()) {
            self.nodes[node].keys.push(Key::new(name, action));
            // Parquet flow logs and JSON made from them write underscores
            if name.contains('-') {
                self.nodes[node].keys.push(Key::new(&name.replace('-', "_"), action));
                // camel case, since case does not count
                self.nodes[node].keys.push(Key::new(&name.replace('-', ""), action));
            }
            if let "srcaddr" | "dstaddr" | "srcport" | "dstport" = name {
                self.nodes[node].keys.push(Key::new(&format!("{}-{}", &name[..3], &name[3..]), action));
                self.nodes[node].keys.push(Key::new(&format!("{}_{}", &name[..3], &name[3..]), action));
            }
        }
        if node > 0 && list.is_none() && fields.is_empty() {
            let path = format!("{}{}", self.nodes[node].path, column.path.split('|').next().unwrap_or_default());
            self.inside.push((letters(path.as_bytes()).collect(), path));
        }
        Field { action, column, kind: DataType::Null, fields }
    }

    fn node(&mut self, parent: usize, column: &Column) -> usize {
        let path = format!("{}{}.", self.nodes[parent].path, column.path);
        self.nodes.push(Node { keys: Vec::new(), first: 0, path, inside: Vec::new() });
        self.nodes.len() - 1
    }
}

/// Whether two names differ in case and in what stands between their words only: `eventName`, `event_name` and `Event name`.
pub fn is_alike(name: &[u8], other: &[u8]) -> bool {
    letters(name).eq(letters(other))
}

fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' ')).map(u8::to_ascii_lowercase)
}

impl Key {
    pub const HEAD: usize = 32;

    fn new(name: &str, action: Action) -> Key {
        let quoted = [name.as_bytes(), b"\""].concat();
        let mut want = [0; Key::HEAD];
        let mut mask = [0; Key::HEAD];
        for (at, &byte) in quoted.iter().take(Key::HEAD).enumerate() {
            (want[at], mask[at]) = (byte, 0xff);
        }
        Key { want, mask, action, name: name.as_bytes().into(), quoted: quoted.into() }
    }

    /// What of a long name and its closing quote stands behind the first bytes.
    pub fn behind_head(&self) -> &[u8] {
        &self.quoted[Key::HEAD..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs;

    #[test]
    fn every_table_has_a_plan_with_its_time() {
        for table in logs::TABLES {
            let plan = Plan::new(table);
            assert_eq!(plan.fields.len(), table.columns.len() + PARTITIONS.len(), "{}", table.name);
            assert!(plan.time.is_some() && plan.unmapped.is_some(), "{}", table.name);
        }
    }

    #[test]
    fn nested_columns_are_found_by_their_dotted_name() {
        let plan = Plan::new(&logs::cloudtrail::CLOUDTRAIL);
        assert_eq!((plan.accounts.len(), plan.regions.len()), (2, 1));
        assert!(matches!(plan.find("useridentity.sessioncontext.sessionissuer.arn"), Some(Action::Symbol(_))));
        assert_eq!(plan.find("useridentity.nothing"), None);
        let Some(Action::Struct { node, .. }) = plan.find("useridentity.sessioncontext") else { panic!() };
        assert_eq!(plan.nodes[node].path, "userIdentity.sessionContext.");
    }

    #[test]
    fn names_of_what_is_inside_of_columns_have_a_place() {
        let plan = Plan::new(&logs::cloudtrail::CLOUDTRAIL);
        let path = |name: &str| plan.path_inside(name).map(Cow::into_owned);
        let issuer = "userIdentity.sessionContext.sessionIssuer.arn";
        for name in ["UserIdentitySessionContextSessionIssuerArn", "useridentity_sessioncontext_sessionissuer_arn"] {
            assert_eq!(path(name).as_deref(), Some(issuer));
        }
        for name in [issuer, "requestParameters.bucketName", "user_identity.arn", "resources{}.ARN", "resources.0.ARN"]
        {
            assert_eq!(path(name).as_deref(), Some(name));
        }
        for name in
            ["userIdentity", "userIdentity.", "eventName.keyword", "unmapped.x", "arn", "other.arn", "resourcesARN"]
        {
            assert_eq!(path(name), None);
        }
    }
}
