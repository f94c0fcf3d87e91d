//! A rule's tags → finding types of ASFF's taxonomy, `namespace/category/classifier`.

/// Types at most, as ASFF has it.
const TYPES_MAX: usize = 50;

/// MITRE ATT&CK tactics as tags name them, by their name or id. What happened is a TTP; what came of it is an effect, and
/// ASFF has no TTP categories for those two.
const TACTICS: &[(&str, &str, &str)] = &[
    ("reconnaissance", "ta0043", "TTPs/Reconnaissance"),
    ("resource_development", "ta0042", "TTPs/Resource Development"),
    ("initial_access", "ta0001", "TTPs/Initial Access"),
    ("execution", "ta0002", "TTPs/Execution"),
    ("persistence", "ta0003", "TTPs/Persistence"),
    ("privilege_escalation", "ta0004", "TTPs/Privilege Escalation"),
    ("defense_evasion", "ta0005", "TTPs/Defense Evasion"),
    ("credential_access", "ta0006", "TTPs/Credential Access"),
    ("discovery", "ta0007", "TTPs/Discovery"),
    ("lateral_movement", "ta0008", "TTPs/Lateral Movement"),
    ("collection", "ta0009", "TTPs/Collection"),
    ("command_and_control", "ta0011", "TTPs/Command and Control"),
    ("exfiltration", "ta0010", "Effects/Data Exfiltration"),
];

/// Techniques that say more than their tactic does (Impact has three categories of effects), or that rules name alone.
/// Subtechniques are as their technique.
const TECHNIQUES: &[(&str, &str)] = &[
    ("t1485", "Effects/Data Destruction"),
    ("t1486", "Effects/Data Destruction"),
    ("t1490", "Effects/Data Destruction"),
    ("t1561", "Effects/Data Destruction"),
    ("t1565", "Effects/Data Destruction"),
    ("t1489", "Effects/Denial of Service"),
    ("t1498", "Effects/Denial of Service"),
    ("t1499", "Effects/Denial of Service"),
    ("t1529", "Effects/Denial of Service"),
    ("t1531", "Effects/Denial of Service"),
    ("t1496", "Effects/Resource Consumption"),
    ("t1562", "TTPs/Defense Evasion"),
];

const BENCHMARK: &str =
    "Software and Configuration Checks/Industry and Regulatory Standards/CIS AWS Foundations Benchmark";

/// The types of a finding, at least one, distinct, in the order of the tags. Where ATT&CK tags give none, a benchmark's
/// tag does, and then the table whose rows the rule reads.
pub fn types(tags: &[String], table: &str) -> Vec<&'static str> {
    let attack: Vec<String> = tags
        .iter()
        .filter_map(|tag| tag.to_ascii_lowercase().strip_prefix("attack.").map(|tag| tag.replace('-', "_")))
        .collect();
    let mut types: Vec<&'static str> = Vec::new();
    for found in attack.iter().filter_map(|tag| of_tag(tag)) {
        if !types.contains(&found) && types.len() < TYPES_MAX {
            types.push(found);
        }
    }
    let of_impact = |found: &&str| found.starts_with("Effects/") && !found.ends_with("Exfiltration");
    let impact = attack.iter().any(|tag| tag == "impact" || tag == "ta0040");
    if impact && !types.iter().any(of_impact) {
        types.push("Effects");
    }
    if types.is_empty() {
        types.push(match table {
            _ if tags.iter().any(|tag| tag.starts_with("cis.")) => BENCHMARK,
            "vpc_flow" => "Unusual Behaviors/Network Flow",
            _ => "Unusual Behaviors",
        });
    }
    types
}

fn of_tag(tag: &str) -> Option<&'static str> {
    let technique = tag.split('.').next().unwrap_or(tag);
    let of_tactic = TACTICS.iter().find(|(name, id, _)| *name == tag || *id == tag).map(|(_, _, found)| *found);
    of_tactic.or_else(|| TECHNIQUES.iter().find(|(id, _)| *id == technique).map(|(_, found)| *found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &str, table: &str, expected: &[&str]) {
        let tags: Vec<String> = tags.split_whitespace().map(str::to_owned).collect();
        assert_eq!(types(&tags, table), expected, "{tags:?}");
    }

    #[test]
    fn tactics_are_ttps_and_what_came_of_them_effects() {
        check("attack.initial_access attack.t1078.004 cis.1.7", "cloudtrail", &["TTPs/Initial Access"]);
        check("attack.command-and-control", "cloudtrail", &["TTPs/Command and Control"]);
        check(
            "attack.exfiltration attack.t1537 attack.TA0009",
            "cloudtrail",
            &["Effects/Data Exfiltration", "TTPs/Collection"],
        );
    }

    #[test]
    fn the_technique_says_which_impact() {
        check("attack.impact attack.t1496.003", "vpc_flow", &["Effects/Resource Consumption"]);
        check("attack.impact attack.t1485", "cloudtrail", &["Effects/Data Destruction"]);
        check("attack.exfiltration attack.impact", "cloudtrail", &["Effects/Data Exfiltration", "Effects"]);
        check("attack.t1499", "glue_log", &["Effects/Denial of Service"]);
        check("attack.t1562.008", "vpc_flow", &["TTPs/Defense Evasion"]);
    }

    #[test]
    fn a_finding_without_tactics_has_a_type_still() {
        check("cis.1.7", "cloudtrail", &[BENCHMARK]);
        check("attack.t9999", "vpc_flow", &["Unusual Behaviors/Network Flow"]);
        check("", "cloudtrail", &["Unusual Behaviors"]);
    }
}
