//! `weir rules coverage`: techniques of ATT&CK's cloud matrix × the rules that name them, gaps included.

use std::collections::BTreeMap;
use std::io::Write;

use crate::rule::Rule;

/// Techniques of MITRE ATT&CK's matrix for clouds (IaaS) that an AWS account may see, by tactic: id and name.
const MATRIX: &[(&str, &[(&str, &str)])] = &[
    (
        "Initial access",
        &[
            ("T1078.001", "Default accounts"),
            ("T1078.004", "Cloud accounts"),
            ("T1190", "Exploit public-facing application"),
            ("T1199", "Trusted relationship"),
        ],
    ),
    (
        "Execution",
        &[
            ("T1059.009", "Cloud API"),
            ("T1204.003", "Malicious image"),
            ("T1648", "Serverless execution"),
            ("T1651", "Cloud administration command"),
        ],
    ),
    (
        "Persistence and privilege escalation",
        &[
            ("T1098.001", "Additional cloud credentials"),
            ("T1098.003", "Additional cloud roles"),
            ("T1098.004", "SSH authorized keys"),
            ("T1136.003", "Cloud account"),
            ("T1484.002", "Trust modification"),
            ("T1525", "Implant internal image"),
            ("T1546", "Event triggered execution"),
            ("T1548.005", "Temporary elevated cloud access"),
            ("T1556.006", "Multi-factor authentication"),
            ("T1556.007", "Hybrid identity"),
            ("T1556.009", "Conditional access policies"),
        ],
    ),
    (
        "Defense evasion",
        &[
            ("T1535", "Unused or unsupported cloud Regions"),
            ("T1550.001", "Application access token"),
            ("T1550.004", "Web session cookie"),
            ("T1562.001", "Disable or modify tools"),
            ("T1562.007", "Disable or modify cloud firewall"),
            ("T1562.008", "Disable or modify cloud logs"),
            ("T1578.001", "Create snapshot"),
            ("T1578.002", "Create cloud instance"),
            ("T1578.003", "Delete cloud instance"),
            ("T1578.004", "Revert cloud instance"),
            ("T1578.005", "Modify cloud compute configurations"),
            ("T1666", "Modify cloud resource hierarchy"),
        ],
    ),
    (
        "Credential access",
        &[
            ("T1040", "Network sniffing"),
            ("T1110.001", "Password guessing"),
            ("T1110.003", "Password spraying"),
            ("T1110.004", "Credential stuffing"),
            ("T1528", "Steal application access token"),
            ("T1539", "Steal web session cookie"),
            ("T1552.001", "Credentials in files"),
            ("T1552.005", "Cloud instance metadata API"),
            ("T1555.006", "Cloud secrets management stores"),
            ("T1606.001", "Forge web cookies"),
            ("T1606.002", "Forge SAML tokens"),
            ("T1621", "Multi-factor authentication request generation"),
        ],
    ),
    (
        "Discovery",
        &[
            ("T1046", "Network service discovery"),
            ("T1049", "System network connections discovery"),
            ("T1069.003", "Cloud groups"),
            ("T1082", "System information discovery"),
            ("T1087.004", "Cloud account discovery"),
            ("T1201", "Password policy discovery"),
            ("T1518.001", "Security software discovery"),
            ("T1526", "Cloud service discovery"),
            ("T1538", "Cloud service dashboard"),
            ("T1580", "Cloud infrastructure discovery"),
            ("T1619", "Cloud storage object discovery"),
            ("T1654", "Log enumeration"),
        ],
    ),
    ("Lateral movement", &[("T1021.007", "Cloud services"), ("T1021.008", "Direct cloud VM connections")]),
    (
        "Collection",
        &[
            ("T1074.002", "Remote data staging"),
            ("T1119", "Automated collection"),
            ("T1213", "Data from information repositories"),
            ("T1530", "Data from cloud storage"),
        ],
    ),
    (
        "Exfiltration",
        &[
            ("T1048", "Exfiltration over alternative protocol"),
            ("T1537", "Transfer data to cloud account"),
            ("T1567.002", "Exfiltration to cloud storage"),
        ],
    ),
    (
        "Impact",
        &[
            ("T1485", "Data destruction"),
            ("T1485.001", "Lifecycle-triggered deletion"),
            ("T1486", "Data encrypted for impact"),
            ("T1489", "Service stop"),
            ("T1490", "Inhibit system recovery"),
            ("T1491.002", "External defacement"),
            ("T1496.001", "Compute hijacking"),
            ("T1496.002", "Bandwidth hijacking"),
            ("T1496.003", "SMS pumping"),
            ("T1496.004", "Cloud service hijacking"),
            ("T1498", "Network denial of service"),
            ("T1499", "Endpoint denial of service"),
            ("T1531", "Account access removal"),
        ],
    ),
];

/// Writes the page. A rule that names only the technique above a sub-technique stands in brackets, and is no gap.
///
/// # Errors
/// When `out` cannot be written.
pub fn markdown(rules: &[Rule], out: &mut dyn Write) -> std::io::Result<()> {
    let mut named: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for rule in rules {
        for technique in rule.tags.iter().filter_map(|tag| tag.strip_prefix("attack.t")) {
            named.entry(format!("T{technique}")).or_default().push(&rule.id);
        }
    }
    let of = |technique: &str| named.get(technique).map_or(&[][..], Vec::as_slice);
    let above = |technique: &str| technique.split_once('.').map_or(&[][..], |(above, _)| of(above));
    let all: Vec<&str> = MATRIX.iter().flat_map(|(_, techniques)| techniques.iter().map(|(id, _)| *id)).collect();
    let gaps = all.iter().filter(|id| of(id).is_empty() && above(id).is_empty()).count();
    writeln!(out, "# Coverage\n")?;
    writeln!(
        out,
        "Generated by `weir rules coverage`: {} of the {} techniques of MITRE ATT&CK's cloud matrix (IaaS) that an AWS account may \
         see are named by a rule, and {gaps} by none. Rules in brackets name the technique above, not the sub-technique. That a rule \
         names a technique says that it finds one way of it, not all. ATT&CK is © The MITRE Corporation.",
        all.len() - gaps,
        all.len(),
    )?;
    for (tactic, techniques) in MATRIX {
        writeln!(out, "\n## {tactic}\n| technique | | rules |\n|---|---|---|")?;
        for (id, name) in *techniques {
            let (own, wider) = (of(id), above(id));
            let rules = match (own.is_empty(), wider.is_empty()) {
                (true, true) => "**none**".to_owned(),
                (true, false) => format!("({})", list(wider)),
                (false, _) => list(own),
            };
            writeln!(out, "| {id} | {name} | {rules} |")?;
        }
    }
    writeln!(out, "\n## Named by rules besides\n| technique | rules |\n|---|---|")?;
    for (id, rules) in named.iter().filter(|(id, _)| !all.contains(&id.as_str())) {
        writeln!(out, "| {id} | {} |", list(rules))?;
    }
    Ok(())
}

fn list(rules: &[&str]) -> String {
    rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(" ")
}
