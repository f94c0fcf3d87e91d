//! Findings → a table, or everything about one of them, for people.

use std::collections::BTreeSet;
use std::io::{self, Write};

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::finding::Finding;
use crate::rule::Severity;
use crate::sink::Look;
use crate::triage::prioritize::explanation;

/// # Errors
/// When `out` cannot be written.
pub fn write(findings: &[Finding], look: Look, out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return writeln!(out, "no findings");
    }
    let accounts: BTreeSet<&str> = findings.iter().map(|finding| finding.account.as_str()).collect();
    let mut header = vec!["PRI", "SEVERITY", "TITLE", "WHO", "FROM", "ON", "WHEN", "COUNT"];
    if accounts.len() > 1 {
        header.insert(3, "ACCOUNT");
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(look.width.unwrap_or(160).max(60)).set_header(header);
    if look.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    for finding in findings {
        let mut severity = Cell::new(finding.severity.as_str());
        if look.color {
            severity = match finding.severity {
                Severity::Critical => severity.fg(Color::Red).add_attribute(Attribute::Bold),
                Severity::High => severity.fg(Color::Red),
                Severity::Medium => severity.fg(Color::Yellow),
                Severity::Low | Severity::Informational => severity,
            };
        }
        let mut row = vec![
            Cell::new(finding.priority),
            severity,
            Cell::new(plain(&finding.title)),
            Cell::new(plain(finding.who())),
            Cell::new(plain(finding.source_ip.as_deref().unwrap_or("-"))),
            Cell::new(on(finding)),
            Cell::new(finding.first_seen.to_string().replace('T', " ").trim_end_matches('Z')),
            Cell::new(finding.count),
        ];
        if accounts.len() > 1 {
            row.insert(3, Cell::new(plain(&finding.account)));
        }
        table.add_row(row);
    }
    for (index, most) in [(0, 4), (1, 13)] {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(most + 2)));
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn on(finding: &Finding) -> String {
    match &finding.resources[..] {
        [] => "-".to_owned(),
        [only] => plain(&only.short()),
        [first, rest @ ..] => format!("{} +{}", plain(&first.short()), rest.len()),
    }
}

/// Everything about one finding.
///
/// # Errors
/// When `out` cannot be written.
pub fn explain(finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}  priority {}  {}", finding.id, finding.severity, finding.priority, finding.rule)?;
    writeln!(out, "\n{}", plain(&explanation(finding)))?;
    writeln!(out, "\npriority, in bits of log2 odds:")?;
    for term in &finding.terms {
        writeln!(out, "  {:<10} {:>+6.2}  {}", term.name, term.bits, plain(&term.why))?;
    }
    writeln!(out, "\nresources:")?;
    finding.resources.iter().try_for_each(|resource| writeln!(out, "  {}", plain(&resource.0)))?;
    writeln!(out, "\nevidence of the earliest match:")?;
    finding.evidence.iter().try_for_each(|(name, value)| writeln!(out, "  {name:<24} {}", plain(value)))?;
    writeln!(out, "\nevents ({} matches in all):", finding.count)?;
    finding.event_ids.iter().try_for_each(|(time, id)| writeln!(out, "  {time}  {}", plain(id)))?;
    writeln!(out, "\ntags: {}\nnext: {}", finding.tags.join(" "), finding.remedy)
}

/// Text that cannot steer a terminal: control and direction characters become `\u{..}`.
fn plain(text: &str) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars().fold(String::new(), |mut plain, character| {
        if steers(character) {
            plain.extend(character.escape_unicode())
        } else {
            plain.push(character)
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    fn shown(findings: &[Finding], look: Look) -> String {
        let mut out = Vec::new();
        write(findings, look, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_names_who_from_where_on_what_and_when() {
        let text = shown(&[one_match("a/b", "arn:aws:iam::111122223333:user/bob", Timestamp(0), "e")], Look::default());
        for part in ["medium", "Something was changed", "user/bob", "192.0.2.7", "user/eve", "1970-01-01 00:00:00"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("ACCOUNT") && text.lines().all(|line| line == line.trim_end()), "{text}");
        assert_eq!(shown(&[], Look::default()), "no findings\n");
    }

    #[test]
    fn escape_sequences_in_a_name_do_not_reach_the_terminal() {
        let text = shown(&[one_match("a/b", "x\u{1b}[31m", Timestamp(0), "e")], Look::default());
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_narrow_terminal_is_not_overrun() {
        let found = one_match("a/b", &"very-long-actor-name ".repeat(20), Timestamp(0), "e");
        let text = shown(&[found], Look { width: Some(80), color: false });
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn accounts_are_shown_when_there_are_several() {
        let mut other = one_match("a/b", "eve", Timestamp(0), "e");
        other.account = "444455556666".into();
        let text = shown(&[one_match("a/b", "eve", Timestamp(0), "e"), other], Look::default());
        assert!(text.contains("444455556666"), "{text}");
    }
}
