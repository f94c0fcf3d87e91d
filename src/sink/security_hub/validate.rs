//! An ASFF finding as JSON → everything in it that BatchImportFindings would refuse. It is asked before a finding is sent,
//! and by the stand-in for Security Hub in tests; it shares nothing with the code that makes findings.

mod time;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::schema::{self, Field, Shape};
use time::is_time;

/// Findings of a call at most.
const CALL_FINDINGS_MAX: usize = 100;
/// The contract's 6 MB and 240 KB, read as the smaller of their meanings.
const CALL_BYTES_MAX: usize = 6_000_000;
const FINDING_BYTES_MAX: usize = 240_000;

/// One thing that breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, from the finding on: `Resources[0].Details.Other.Name`. Empty for the finding as a whole.
    pub path: String,
    /// What is wrong there.
    pub wrong: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.wrong),
            path => write!(f, "{path} {}", self.wrong),
        }
    }
}

/// Everything that is wrong with a finding; nothing for one that Security Hub takes.
pub fn violations(finding: &Value) -> Vec<Violation> {
    let mut check = Check { found: Vec::new(), path: String::new() };
    check.shape(finding, &schema::FINDING);
    if let Value::Object(finding) = finding {
        check.whole(finding);
    }
    let bytes = finding.to_string().len();
    if bytes > FINDING_BYTES_MAX {
        check.wrong(format!("is {bytes} bytes long, and may be {FINDING_BYTES_MAX}"));
    }
    check.found
}

/// Everything that is wrong with the body of a call, `{"Findings": [...]}`, its findings included.
pub fn call_violations(call: &Value) -> Vec<Violation> {
    let mut check = Check { found: Vec::new(), path: String::new() };
    let Some(findings) = call.get("Findings").and_then(Value::as_array) else {
        check.at("Findings", |check| check.wrong("is needed, a list"));
        return check.found;
    };
    check.at("Findings", |check| {
        if findings.is_empty() || findings.len() > CALL_FINDINGS_MAX {
            check.wrong(format!("has {} findings, and may have 1 to {CALL_FINDINGS_MAX}", findings.len()));
        }
        let mut seen = BTreeSet::new();
        for (index, finding) in findings.iter().enumerate() {
            check.path.push_str(&format!("[{index}]"));
            let key = (finding["ProductArn"].as_str(), finding["Id"].as_str());
            if key.1.is_some() && !seen.insert(key) {
                check.at("Id", |check| check.wrong("is that of another finding of the call"));
            }
            for Violation { path, wrong } in violations(finding) {
                check.at(&path, |check| check.wrong(wrong));
            }
            check.path.truncate("Findings".len());
        }
    });
    let bytes = call.to_string().len();
    if bytes > CALL_BYTES_MAX {
        check.wrong(format!("is {bytes} bytes long, and may be {CALL_BYTES_MAX}"));
    }
    check.found
}

/// Fields of a valid finding that are not the provider's to send: analysts own them, analysts may change them and the
/// provider puts its own value into `FindingProviderFields`, or Security Hub fills them.
pub fn not_ours(finding: &Value) -> Vec<Violation> {
    const FIELDS: &[(&str, &str)] = &[
        ("Note", "is the analysts'"),
        ("UserDefinedFields", "is the analysts'"),
        ("VerificationState", "is the analysts'"),
        ("Workflow", "is the analysts'"),
        ("WorkflowState", "is the analysts'"),
        ("Confidence", "belongs into FindingProviderFields"),
        ("Criticality", "belongs into FindingProviderFields"),
        ("RelatedFindings", "belongs into FindingProviderFields"),
        ("Severity", "belongs into FindingProviderFields"),
        ("Types", "belongs into FindingProviderFields"),
        ("ProcessedAt", "is filled by Security Hub"),
        ("Region", "is filled by Security Hub"),
    ];
    let of = |path: String, wrong: &str| Violation { path, wrong: wrong.to_owned() };
    let present = FIELDS.iter().filter(|(field, _)| finding.get(field).is_some());
    let mut found: Vec<Violation> = present.map(|(field, wrong)| of((*field).to_owned(), wrong)).collect();
    let names = finding.get("ProductFields").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let reserved = names.filter(|name| name.starts_with("aws/"));
    found.extend(reserved.map(|name| of(format!("ProductFields.{name}"), "begins with aws/, which is reserved")));
    found
}

struct Check {
    found: Vec<Violation>,
    path: String,
}

impl Check {
    fn wrong(&mut self, wrong: impl Into<String>) {
        self.found.push(Violation { path: self.path.clone(), wrong: wrong.into() });
    }

    fn at(&mut self, field: &str, look: impl FnOnce(&mut Check)) {
        let length = self.path.len();
        if !self.path.is_empty() && !field.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(field);
        look(self);
        self.path.truncate(length);
    }

    fn shape(&mut self, value: &Value, shape: &Shape) {
        match (shape, value) {
            (Shape::Text(least, most), Value::String(text)) => self.text(text, *least, *most),
            (Shape::Word(words), Value::String(text)) if !words.contains(&text.as_str()) => {
                self.wrong(format!("is `{text}`, and may be {}", words.join(", ")));
            }
            (Shape::Time, Value::String(text)) if !is_time(text) => {
                self.wrong(format!("is `{text}`, and not like 2024-01-02T03:04:05.678Z"));
            }
            (Shape::Account, Value::String(text)) if !is_account(text) => {
                self.wrong(format!("is `{text}`, and not 12 digits"));
            }
            (Shape::ProductArn, Value::String(text)) => {
                self.text(text, 12, 2048);
                if product(text).is_none() {
                    self.wrong("is not arn:PARTITION:securityhub:REGION:ACCOUNT:product/COMPANY/PRODUCT");
                }
            }
            (Shape::FindingType, Value::String(text)) => self.finding_type(text),
            (Shape::IpV4, Value::String(text)) if text.parse::<Ipv4Addr>().is_err() => {
                self.wrong("is not an IPv4 address");
            }
            (Shape::IpV6, Value::String(text)) if text.parse::<Ipv6Addr>().is_err() => {
                self.wrong("is not an IPv6 address");
            }
            (Shape::Https, Value::String(text)) => {
                self.text(text, 1, 2048);
                if !text.starts_with("https://") {
                    self.wrong("does not begin with https://");
                }
            }
            (Shape::Integer(least, most), Value::Number(number)) => match number.as_i64() {
                Some(number) if (*least..=*most).contains(&number) => {}
                _ => self.wrong(format!("is {number}, and may be {least} to {most}")),
            },
            (Shape::Pairs(pairs, name, text), Value::Object(map)) => self.pairs(map, *pairs, *name, *text),
            (Shape::List(least, most, of), Value::Array(list)) => self.list(list, *least, *most, of),
            (Shape::Object(fields), Value::Object(map)) => self.object(map, fields),
            (Shape::Details, Value::Object(map)) => self.details(map),
            (Shape::Open, _) => self.open(value),
            (Shape::Word(_) | Shape::Time | Shape::Account | Shape::IpV4 | Shape::IpV6, Value::String(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::Bool, Value::Bool(_)) => {}
            (shape, value) => self.wrong(format!("is {}, and must be {}", kind(value), wanted(shape))),
        }
    }

    fn text(&mut self, text: &str, least: usize, most: usize) {
        let count = text.chars().count();
        if text.chars().all(is_blank) {
            self.wrong("is blank");
        } else if count < least {
            self.wrong(format!("has {count} characters, and must have {least}"));
        } else if count > most {
            self.wrong(format!("has {count} characters, and may have {most}"));
        }
    }

    fn finding_type(&mut self, text: &str) {
        let parts: Vec<&str> = text.split('/').collect();
        if !schema::NAMESPACES.contains(&parts[0]) {
            self.wrong(format!("has the namespace `{}`, and may have {}", parts[0], schema::NAMESPACES.join(", ")));
        } else if parts.len() > 3 || parts.iter().any(|part| part.chars().all(is_blank)) {
            self.wrong(format!("is `{text}`, and not namespace/category/classifier"));
        }
    }

    fn pairs(&mut self, map: &Map<String, Value>, pairs: usize, name_max: usize, text_max: usize) {
        if map.len() > pairs {
            self.wrong(format!("has {} pairs, and may have {pairs}", map.len()));
        }
        for (name, text) in map {
            self.at(name, |check| {
                let chars = name.chars().count();
                if name.chars().all(is_blank) {
                    check.wrong("has a blank name");
                } else if chars > name_max {
                    check.wrong(format!("has a name of {chars} characters, and may have {name_max}"));
                }
                check.shape(text, &Shape::Text(1, text_max));
            });
        }
    }

    fn list(&mut self, list: &[Value], least: usize, most: usize, of: &Shape) {
        if list.len() < least || list.len() > most {
            self.wrong(format!("has {} members, and may have {least} to {most}", list.len()));
        }
        for (index, value) in list.iter().enumerate() {
            let length = self.path.len();
            self.path.push_str(&format!("[{index}]"));
            self.shape(value, of);
            self.path.truncate(length);
        }
    }

    fn object(&mut self, map: &Map<String, Value>, fields: &[Field]) {
        for field in fields {
            let (name, shape, needed) = match field {
                Field::Needed(name, shape) => (*name, shape, true),
                Field::Optional(name, shape) => (*name, shape, false),
            };
            match map.get(name) {
                Some(value) => self.at(name, |check| check.shape(value, shape)),
                None if needed => self.at(name, |check| check.wrong("is missing")),
                None => {}
            }
        }
        let known = |name: &str| {
            fields
                .iter()
                .any(|field| matches!(field, Field::Needed(known, _) | Field::Optional(known, _) if *known == name))
        };
        for name in map.keys().filter(|name| !known(name)) {
            self.at(name, |check| check.wrong("is no field of ASFF"));
        }
    }

    fn details(&mut self, map: &Map<String, Value>) {
        for (name, value) in map {
            self.at(name, |check| match name.as_str() {
                "Other" => check.shape(value, &schema::OTHER_DETAILS),
                name if schema::DETAILS.contains(&name) => check.shape(value, &Shape::Open),
                _ => check.wrong("is no field of ASFF"),
            });
        }
    }

    fn open(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text, 1, usize::MAX),
            Value::Null => self.wrong("is null, and must be left out"),
            Value::Array(list) => self.list(list, 0, usize::MAX, &Shape::Open),
            Value::Object(map) => {
                for (name, value) in map {
                    self.at(name, |check| check.open(value));
                }
            }
            Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// What fields require of each other.
    fn whole(&mut self, finding: &Map<String, Value>) {
        let of_provider = finding.get("FindingProviderFields");
        let own = finding.get("Severity").is_some_and(|own| own.get("Label").or(own.get("Normalized")).is_some());
        let provided = of_provider.and_then(|fields| fields.get("Severity")?.get("Label")).is_some();
        if !own && !provided {
            self.wrong("has no severity: neither Severity nor FindingProviderFields.Severity has a Label");
        }
        let is_filled = |types: Option<&Value>| types.and_then(Value::as_array).is_some_and(|types| !types.is_empty());
        if !is_filled(finding.get("Types")) && !is_filled(of_provider.and_then(|fields| fields.get("Types"))) {
            self.wrong("has no type: neither Types nor FindingProviderFields.Types has a member");
        }
        let text = |field: &str| finding.get(field).and_then(Value::as_str);
        if let Some(owner) = text("ProductArn").and_then(product).and_then(|product| product.owner)
            && text("AwsAccountId").is_some_and(|account| account != owner)
        {
            self.at("AwsAccountId", |check| check.wrong(format!("is not that of the product, {owner}")));
        }
        if let Some(action) = finding.get("Action") {
            self.at("Action", |check| check.action(action));
        }
    }

    fn action(&mut self, action: &Value) {
        let named = action.get("ActionType").and_then(Value::as_str);
        for (kind, member) in schema::ACTION_MEMBERS {
            match (named == Some(kind), action.get(member).is_some()) {
                (true, false) => self.at(member, |check| check.wrong(format!("is missing, and ActionType is {kind}"))),
                (false, true) => {
                    self.at(member, |check| check.wrong(format!("is there, and ActionType is not {kind}")))
                }
                (true, true) | (false, false) => {}
            }
        }
    }
}

/// What `\S` leaves out in one of the languages that services are written in.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || character.is_control() || character == '\u{feff}'
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wanted(shape: &Shape) -> &'static str {
    match shape {
        Shape::Integer(..) => "an integer",
        Shape::Number => "a number",
        Shape::Bool => "a boolean",
        Shape::List(..) => "a list",
        Shape::Pairs(..) | Shape::Object(_) | Shape::Details => "an object",
        Shape::Text(..) | Shape::Word(_) | Shape::Time | Shape::Account | Shape::ProductArn => "text",
        Shape::FindingType | Shape::IpV4 | Shape::IpV6 | Shape::Https | Shape::Open => "text",
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

struct Product<'a> {
    /// The account of a default product; partners' products have none.
    owner: Option<&'a str>,
}

/// A default product names its account twice, a partner's not at all.
fn product(arn: &str) -> Option<Product<'_>> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "securityhub", region, account, path] = parts.as_slice() else { return None };
    let ["product", company, product] = path.split('/').collect::<Vec<_>>()[..] else { return None };
    let fits = match region.split('-').next()? {
        "cn" => *partition == "aws-cn",
        _ if region.starts_with("us-gov-") => *partition == "aws-us-gov",
        _ => *partition == "aws",
    };
    let region_fits = region.len() <= 16 && region.split('-').count() >= 3 && !region.chars().any(is_blank);
    if !fits || !region_fits || company.is_empty() || product.is_empty() {
        return None;
    }
    match *account {
        "" => Some(Product { owner: None }),
        account => (is_account(account) && company == account).then_some(Product { owner: Some(account) }),
    }
}

#[cfg(test)]
mod tests;
