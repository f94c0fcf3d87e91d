//! Tags of a rule → the tactic of ATT&CK that it is about.

use std::fmt;

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
    fn each_is_in_its_place_of_the_list() {
        assert!(TACTICS.iter().enumerate().all(|(place, (tactic, _, _))| *tactic as usize == place));
    }
}
