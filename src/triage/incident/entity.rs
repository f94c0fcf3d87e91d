//! A finding → the principals, addresses, keys and things it links, each under one name however the log spells it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::finding::Finding;

/// Something that two findings can have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// Account and `user/NAME`, `role/NAME`, `root`, or what else the log calls an actor. Paths are left out: the ARN of a
    /// role's session has none, that of the role may. No account and `eve@example.com` for people of IAM Identity Center, who
    /// act in many.
    Principal(String, String),
    /// ARN of a session, apart from its role's.
    Session(String),
    /// Address on the internet.
    Address(String),
    /// Access key id.
    Key(String),
    /// No account and an ARN, or account and id.
    Thing(String, String),
}

impl fmt::Display for Entity {
    /// `role/admin of 111122223333`, or what the log says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entity::Principal(account, name) if account.is_empty() => f.write_str(name),
            Entity::Principal(account, name) => write!(f, "{name} of {account}"),
            Entity::Session(text) | Entity::Address(text) | Entity::Key(text) | Entity::Thing(_, text) => {
                f.write_str(text)
            }
        }
    }
}

/// What an entity is to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It did what was found, whatever was done to it besides.
    Acts,
    /// It assumed the role that did it.
    Assumed,
    /// It was done to it.
    ActedOn,
    /// It is a key: what was made is what is used.
    Either,
}

/// The column in which rules select the ARN of a role that was given to something that runs code. Some have the name of an instance
/// profile there, which is no role.
const GIVEN_ROLE: &str = "given_role";

/// The entities of a finding, each once, in order.
pub fn links(finding: &Finding) -> Vec<(Entity, Part)> {
    let mut parts = BTreeMap::new();
    let actor = match finding.is_permission_set() && !finding.sessions.is_empty() {
        // the role is everybody's
        true => finding.sessions.iter().map(|name| Entity::Principal(String::new(), name.clone())).collect(),
        false => finding.actor.as_ref().map_or_else(Vec::new, |text| acting(text, &finding.account)),
    };
    let assumers = finding.assumed_by.iter().flat_map(|text| acting(text, &finding.account));
    let address = finding.source_ip.iter().filter_map(|text| address(text));
    for entity in actor.into_iter().chain(address) {
        parts.insert(entity, Part::Acts);
    }
    for entity in assumers {
        parts.entry(entity).or_insert(Part::Assumed);
    }
    let on = finding.resources.iter().flat_map(|resource| acted_on(&resource.0, &finding.account));
    // code acts as the role that it was given
    let given = finding.evidence.iter().filter(|(name, value)| name == GIVEN_ROLE && value.contains(":role/"));
    let given = given.flat_map(|(_, value)| acted_on(value, &finding.account));
    let keys = finding.evidence.iter().filter(|(_, value)| is_key(value));
    for entity in on.chain(given).chain(keys.map(|(_, value)| Entity::Key(value.clone()))) {
        let part = if matches!(entity, Entity::Key(_)) { Part::Either } else { Part::ActedOn };
        parts.entry(entity).or_insert(part);
    }
    parts.into_iter().collect()
}

fn acting(text: &str, account: &str) -> Vec<Entity> {
    match principal(text, account) {
        Named::These(entities) => entities,
        // a flow's actor is its source
        Named::Other if looks_like_address(text) => address(text).into_iter().collect(),
        Named::Other if text.starts_with("arn:") => vec![Entity::Thing(String::new(), text.to_owned())],
        Named::Other if names_something(text) => vec![Entity::Principal(account.to_owned(), text.to_owned())],
        Named::Other | Named::Aws => Vec::new(),
    }
}

fn acted_on(text: &str, account: &str) -> Vec<Entity> {
    match principal(text, account) {
        Named::These(entities) => entities,
        Named::Other if is_key(text) => vec![Entity::Key(text.to_owned())],
        Named::Other if looks_like_address(text) => address(text).into_iter().collect(),
        Named::Other if text.contains(":aws:policy/") || !names_something(text) => Vec::new(),
        Named::Other if text.starts_with("arn:") => {
            vec![function(text).unwrap_or_else(|| Entity::Thing(String::new(), text.to_owned()))]
        }
        Named::Other => vec![Entity::Thing(account.to_owned(), text.to_owned())],
        Named::Aws => Vec::new(),
    }
}

/// A function of Lambda: calls have its ARN, with a version or without, or its name alone.
fn function(arn: &str) -> Option<Entity> {
    let parts: Vec<&str> = arn.splitn(8, ':').collect();
    let ["arn", _, "lambda", _, account, "function", name, ..] = parts[..] else { return None };
    Some(Entity::Thing(account.to_owned(), name.to_owned()))
}

enum Named {
    These(Vec<Entity>),
    /// AWS itself, which is everywhere and links nothing.
    Aws,
    Other,
}

/// ARNs of IAM and STS, and the short forms that rules select (`user/eve`, `role/admin`, `root`).
fn principal(text: &str, account: &str) -> Named {
    if text.ends_with(".amazonaws.com") {
        return Named::Aws;
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let (account, name) = match parts[..] {
        ["arn", _, "iam" | "sts", _, of, name] => (of, name),
        _ if text.contains(':') => return Named::Other,
        _ => (account, text),
    };
    let named = |name: String| Named::These(vec![Entity::Principal(account.to_owned(), name)]);
    match name.split_once('/') {
        _ if name == "root" => named("root".to_owned()),
        Some(("role", path)) if path.starts_with("aws-service-role/") || path.starts_with("AWSServiceRoleFor") => {
            Named::Aws
        }
        Some((kind @ ("user" | "role"), path)) => {
            named(format!("{kind}/{}", path.rsplit('/').next().unwrap_or_default()))
        }
        Some(("assumed-role", session)) if session.starts_with("AWSServiceRoleFor") => Named::Aws,
        // the role is everybody's who has the permission set
        Some(("assumed-role", session)) if session.starts_with("AWSReservedSSO_") => {
            let person = session.split_once('/').map_or(session, |(_, name)| name);
            Named::These(vec![Entity::Principal(String::new(), person.to_owned())])
        }
        Some(("assumed-role", session)) => {
            let role = session.split('/').next().unwrap_or_default();
            let role = Entity::Principal(account.to_owned(), format!("role/{role}"));
            Named::These(vec![role, Entity::Session(text.to_owned())])
        }
        _ => Named::Other,
    }
}

/// `AKIA...` of a user, `ASIA...` of a session: twenty capitals and digits.
fn is_key(text: &str) -> bool {
    (text.starts_with("AKIA") || text.starts_with("ASIA"))
        && text.len() == 20
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// False for what stands for no one thing: `...`, `*`, and a whole account, on which everything acts.
fn names_something(text: &str) -> bool {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    !is_account && text.contains(char::is_alphanumeric)
}

/// Digits and dots, even where no address has such numbers: recordings that were made anonymous do.
fn looks_like_address(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let dotted = text.split('.').count() == 4 && text.split('.').all(is_number);
    dotted || text.parse::<IpAddr>().is_ok()
}

/// `None` for names of services (`ec2.amazonaws.com`, `AWS Internal`) and for addresses that many networks have.
fn address(text: &str) -> Option<Entity> {
    let is_public = match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || shared)
        }
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local())
        }
        Err(_) => looks_like_address(text),
    };
    is_public.then(|| Entity::Address(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Resource;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    fn principal(name: &str) -> Entity {
        Entity::Principal("111122223333".into(), name.into())
    }

    #[test]
    fn a_principal_has_one_name_however_it_is_spelled() {
        let check = |text: &str, expected: &[Entity]| assert_eq!(acted_on(text, "111122223333"), expected, "{text}");
        check("user/eve", &[principal("user/eve")]);
        check("arn:aws:iam::111122223333:user/people/eve", &[principal("user/eve")]);
        check("arn:aws-cn:iam::111122223333:role/a/b/admin", &[principal("role/admin")]);
        check("arn:aws:iam::111122223333:root", &[principal("root")]);
        let session = "arn:aws:sts::111122223333:assumed-role/admin/eve@example.com";
        check(session, &[principal("role/admin"), Entity::Session(session.into())]);
        check("arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", &[]);
    }

    #[test]
    fn what_stands_for_no_one_thing_links_nothing() {
        for text in ["", "*", "...", "111122223333", "arn:aws:iam::aws:policy/AdministratorAccess", "10.1.2.3"] {
            assert_eq!(acted_on(text, "111122223333"), [], "{text}");
        }
        for text in ["", "...", "config.amazonaws.com", "10.1.2.3"] {
            assert_eq!(acting(text, "111122223333"), [], "{text}");
        }
        let thing = |account: &str, text: &str| vec![Entity::Thing(account.into(), text.into())];
        assert_eq!(acted_on("i-0123", "111122223333"), thing("111122223333", "i-0123"));
        assert_eq!(acted_on("arn:aws:s3:::logs", "111122223333"), thing("", "arn:aws:s3:::logs"));
        assert_eq!(acted_on("AKIAIOSFODNN7EXAMPLE", "1"), [Entity::Key("AKIAIOSFODNN7EXAMPLE".into())]);
    }

    #[test]
    fn a_function_is_one_thing_by_its_arn_and_by_its_name() {
        let expected = acted_on("logs-helper", "111122223333");
        for text in ["logs-helper", "logs-helper:3"] {
            let arn = format!("arn:aws:lambda:us-east-1:111122223333:function:{text}");
            assert_eq!(acted_on(&arn, "444455556666"), expected, "{arn}");
        }
        let layer = "arn:aws:lambda:us-east-1:111122223333:layer:logs-helper:3";
        assert_eq!(acted_on(layer, "111122223333"), [Entity::Thing(String::new(), layer.into())]);
    }

    #[test]
    fn only_addresses_of_the_internet_link() {
        for text in ["192.168.0.1", "172.16.9.9", "100.64.0.1", "169.254.169.254", "fd00::1", "::1", "AWS Internal"] {
            assert_eq!(address(text), None, "{text}");
        }
        for text in ["198.51.100.7", "2001:db8::1", "075.050.255.67", "100.63.0.1"] {
            assert_eq!(address(text), Some(Entity::Address(text.into())), "{text}");
        }
    }

    #[test]
    fn people_who_share_the_role_of_a_permission_set_are_told_apart() {
        let role =
            "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef";
        let mut found = one_match("a/b", role, Timestamp(0), "e");
        (found.source_ip, found.resources) = (None, Vec::new());
        assert_eq!(links(&found), [(principal("role/AWSReservedSSO_Admin_0123456789abcdef"), Part::Acts)]);
        found.sessions = vec!["eve@x.org".into(), "tom@x.org".into()];
        let person = |name: &str| (Entity::Principal(String::new(), name.into()), Part::Acts);
        assert_eq!(links(&found), [person("eve@x.org"), person("tom@x.org")]);
        assert_eq!(person("eve@x.org").0.to_string(), "eve@x.org");
        found.actor = Some("arn:aws:iam::111122223333:role/ops".into());
        assert_eq!(links(&found), [(principal("role/ops"), Part::Acts)]);
    }

    #[test]
    fn who_assumed_the_role_is_told_from_the_role_that_acts() {
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:role/ops", Timestamp(0), "e");
        (found.source_ip, found.resources) = (None, Vec::new());
        let session = "arn:aws:sts::111122223333:assumed-role/ops/first";
        found.assumed_by = vec![session.into(), "arn:aws:iam::111122223333:user/eve".into()];
        let expected = [
            (principal("role/ops"), Part::Acts),
            (principal("user/eve"), Part::Assumed),
            (Entity::Session(session.into()), Part::Assumed),
        ];
        assert_eq!(links(&found), expected);
    }

    #[test]
    fn a_role_that_code_was_given_is_acted_on() {
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:user/eve", Timestamp(0), "e");
        (found.source_ip, found.resources) = (None, Vec::new());
        let role = "arn:aws:iam::111122223333:role/ops/admin".to_owned();
        found.evidence = vec![("given_role".into(), role.clone()), ("what".into(), role)];
        assert_eq!(links(&found), [(principal("role/admin"), Part::ActedOn), (principal("user/eve"), Part::Acts)]);
        found.evidence[0].1 = "admin-profile".into();
        assert_eq!(links(&found), [(principal("user/eve"), Part::Acts)]);
    }

    #[test]
    fn who_acts_is_told_from_what_is_acted_on() {
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:user/bob", Timestamp(0), "e");
        found.resources.push(Resource("arn:aws:iam::111122223333:user/bob".into()));
        found.evidence = vec![("access_key".into(), "AKIAIOSFODNN7EXAMPLE".into()), ("n".into(), "AKIA".into())];
        let expected = [
            (principal("user/bob"), Part::Acts),
            (principal("user/eve"), Part::ActedOn),
            (Entity::Address("192.0.2.7".into()), Part::Acts),
            (Entity::Key("AKIAIOSFODNN7EXAMPLE".into()), Part::Either),
        ];
        assert_eq!(links(&found), expected);
    }
}
