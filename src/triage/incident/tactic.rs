//! Tags of a rule → the tactic of ATT&CK that it is about.

use std::fmt;

use crate::rule::spelling::nearest;

/// ATT&CK's tactics (enterprise matrix), in the order in which attacks go through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tactic {
    Reconnaissance,
    ResourceDevelopment,
    InitialAccess,
    Execution,
    Persistence,
    PrivilegeEscalation,
    DefenseEvasion,
    CredentialAccess,
    Discovery,
    LateralMovement,
    Collection,
    CommandAndControl,
    Exfiltration,
    Impact,
}

/// Each with its name and id as tags have them.
const TACTICS: [(Tactic, &str, &str); 14] = [
    (Tactic::Reconnaissance, "reconnaissance", "ta0043"),
    (Tactic::ResourceDevelopment, "resource development", "ta0042"),
    (Tactic::InitialAccess, "initial access", "ta0001"),
    (Tactic::Execution, "execution", "ta0002"),
    (Tactic::Persistence, "persistence", "ta0003"),
    (Tactic::PrivilegeEscalation, "privilege escalation", "ta0004"),
    (Tactic::DefenseEvasion, "defense evasion", "ta0005"),
    (Tactic::CredentialAccess, "credential access", "ta0006"),
    (Tactic::Discovery, "discovery", "ta0007"),
    (Tactic::LateralMovement, "lateral movement", "ta0008"),
    (Tactic::Collection, "collection", "ta0009"),
    (Tactic::CommandAndControl, "command and control", "ta0011"),
    (Tactic::Exfiltration, "exfiltration", "ta0010"),
    (Tactic::Impact, "impact", "ta0040"),
];

impl Tactic {
    /// The first tactic that the tags name, as `attack.initial_access`, `attack.initial-access` or `attack.ta0001`. A rule
    /// may name several; it is one step of an attack all the same, and the first is what it is mostly about.
    pub fn of(tags: &[String]) -> Option<Tactic> {
        tags.iter().find_map(|tag| {
            let name = tag.strip_prefix("attack.")?.replace(['_', '-'], " ");
            TACTICS.iter().find(|(_, text, id)| *text == name || *id == name).map(|(tactic, _, _)| *tactic)
        })
    }

    /// What a tag that begins as those of ATT&CK do is probably meant to be, where it is none: its tactic, or technique, would be in no
    /// incident and no page. `None` of those that are, and of what is not near to one, as a tactic of a later version.
    pub fn meant(tag: &str) -> Option<String> {
        let name = tag.to_ascii_lowercase().strip_prefix("attack.")?.replace(['_', '-'], " ");
        let is_known = |name: &str| TACTICS.iter().any(|(_, text, id)| *text == name || *id == name);
        let is_id = |name: &str| {
            let digits = name.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
            let (id, part) = digits.split_once('.').map_or((digits, None), |(id, part)| (id, Some(part)));
            let are_digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
            are_digits(id, 4) && part.is_none_or(|part| are_digits(part, 3))
        };
        let meant = match is_known(&name) || is_id(&name) {
            true => name,
            false => nearest(&name, 2, TACTICS.iter().map(|(_, text, _)| *text))?.to_owned(),
        };
        let meant = format!("attack.{}", meant.replace(' ', "_"));
        (meant != tag.replace('-', "_")).then_some(meant)
    }

    pub fn as_str(self) -> &'static str {
        TACTICS[self as usize].1
    }
}

impl fmt::Display for Tactic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tactic_of_the_tags_is_the_rules() {
        let check = |tags: &str, expected| {
            let tags: Vec<String> = tags.split_whitespace().map(str::to_owned).collect();
            assert_eq!(Tactic::of(&tags), expected, "{tags:?}");
        };
        check("attack.t1098 attack.privilege_escalation attack.persistence", Some(Tactic::PrivilegeEscalation));
        check("attack.command-and-control", Some(Tactic::CommandAndControl));
        check("cis.1.4 attack.ta0010", Some(Tactic::Exfiltration));
        check("attack.t1499", None);
        check("impact", None);
    }

    #[test]
    fn a_tag_that_is_misspelt_is_told_from_one_that_is_not() {
        let check = |tag: &str, expected: Option<&str>| assert_eq!(Tactic::meant(tag).as_deref(), expected, "{tag}");
        check("attack.persistance", Some("attack.persistence"));
        check("attack.Impact", Some("attack.impact"));
        check("attack.defence-evasion", Some("attack.defense_evasion"));
        check("attack.T1098.001", Some("attack.t1098.001"));
        for tag in
            ["attack.initial-access", "attack.ta0010", "attack.t1098.001", "attack.g0016", "attack.stealth", "cis.1.7"]
        {
            check(tag, None);
        }
    }

    #[test]
    fn each_is_in_its_place_of_the_list() {
        assert!(TACTICS.iter().enumerate().all(|(place, (tactic, _, _))| *tactic as usize == place));
    }
}
