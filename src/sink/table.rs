//! Findings → a table, or everything about one of them, for people.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::RangeInclusive;

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};

use crate::finding::Finding;
use crate::rule::Severity;
use crate::sink::Look;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::triage::prioritize::explanation;

/// One row a finding: titles wrap, and names too long for their column lose their middle (`role/te…-prod`), since what
/// tells two of them apart stands at either end.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(findings: &[Finding], look: Look, out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return writeln!(out, "no findings");
    }
    // with less there is no room for words, and a line that goes on in the next is easier to read than one of letters
    let width = usize::from(look.width.unwrap_or(160).max(80));
    let accounts: BTreeSet<&str> = findings.iter().map(|finding| finding.account.as_str()).collect();
    let narrow = width < 140;
    let mut header =
        vec![if narrow { "PRI" } else { "PRIORITY" }, "SEVERITY", "TITLE", "WHO", "FROM", "ON", "WHEN (UTC)", "COUNT"];
    let mut rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    // with less there is room for the id alone, by which `--explain` tells the account too
    if accounts.len() > 1 && width >= 120 {
        header.push("ACCOUNT");
        rows.iter_mut().zip(findings).for_each(|(row, finding)| row.push(plain(&finding.account)));
    }
    if width >= 100 {
        header.push("ID");
        rows.iter_mut().zip(findings).for_each(|(row, finding)| row.push(finding.id.short()));
    }
    if narrow {
        // the other severities have eight letters at most
        let wide = rows.iter_mut().filter(|row| row[SEVERITY] == Severity::Informational.as_str());
        wide.for_each(|row| row[SEVERITY] = "info".to_owned());
    }
    let natural = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).chain([header[column].len()]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..header.len()).map(natural).collect();
    if narrow {
        // the date above the time
        widths[WHEN] = 10;
    }
    let taken: usize = widths.iter().sum::<usize>() + GAP * (header.len() - 1)
        - SHARED.map(|column| widths[column]).iter().sum::<usize>();
    share(&mut widths, width.saturating_sub(taken));
    let lines = if narrow { 3 } else { 2 };

    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width as u16);
    table.set_header(header);
    match look.color {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    for (row, finding) in rows.iter().zip(findings) {
        table.add_row(row.iter().enumerate().map(|(column, text)| match column {
            SEVERITY if look.color => colored(Cell::new(text), finding.severity),
            WHO | FROM | ON => Cell::new(shortened(text, widths[column] * lines)),
            _ => Cell::new(text),
        }));
    }
    for (index, &room) in widths.iter().enumerate() {
        let gap = if index + 1 == widths.len() { 0 } else { GAP };
        let column = table.column_mut(index).expect("every column has a header");
        column
            .set_padding((0, gap as u16))
            .set_constraint(ColumnConstraint::Absolute(Width::Fixed((room + gap) as u16)));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

const SEVERITY: usize = 1;
const TITLE: usize = 2;
const WHO: usize = 3;
const FROM: usize = 4;
const ON: usize = 5;
const WHEN: usize = 6;
/// Columns that share what the others leave, those served first in front.
const SHARED: [usize; 4] = [FROM, WHO, ON, TITLE];
/// Spaces between columns.
const GAP: usize = 2;

fn row(finding: &Finding) -> Vec<String> {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { plain(text) };
    vec![
        finding.priority.to_string(),
        finding.severity.to_string(),
        plain(&finding.title),
        or_dash(&finding.who()),
        from(finding),
        on(finding),
        when(if finding.is_of_frame() { finding.last_seen } else { finding.first_seen }),
        finding.count.to_string(),
    ]
}

/// `192.0.2.7`, or `192.0.2.7 +1` where there are several.
fn from(finding: &Finding) -> String {
    match &finding.addresses()[..] {
        [] => "-".to_owned(),
        [only] => plain(only),
        [first, rest @ ..] => plain(&format!("{first} +{}", rest.len())),
    }
}

/// The second; a dash for what has no time.
fn when(time: Timestamp) -> String {
    if time == Timestamp(0) {
        return "-".to_owned();
    }
    Timestamp::from_seconds(time.0.div_euclid(MICROS_PER_SECOND)).to_string().replace('T', " ").replace('Z', "")
}

fn colored(cell: Cell, severity: Severity) -> Cell {
    match severity {
        Severity::Critical => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Severity::High => cell.fg(Color::Red),
        Severity::Medium => cell.fg(Color::Yellow),
        Severity::Low | Severity::Informational => cell,
    }
}

/// Gives each shared column its natural width where there is room, and else equal parts of what is left; what a column
/// does not need goes to those after it. An IPv4 address is never broken.
fn share(widths: &mut [usize], room: usize) {
    let mut room = room;
    for (place, &column) in SHARED.iter().enumerate() {
        let others: Vec<usize> = SHARED[place + 1..].iter().map(|&other| widths[other]).collect();
        let part = room / (others.len() + 1);
        let spare: usize = others.iter().map(|&other| part.saturating_sub(other)).sum();
        let least = if column == FROM { "255.255.255.255".len() } else { 1 };
        widths[column] = widths[column].min((part + spare).max(least)).max(1);
        room = room.saturating_sub(widths[column]);
    }
    debug_assert_eq!(SHARED[3], TITLE, "the title takes what is left");
}

/// At most `most` characters, the middle left out.
pub fn shortened(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let head = most.saturating_sub(1).div_ceil(2);
    let tail = most.saturating_sub(1) - head;
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

fn on(finding: &Finding) -> String {
    match &finding.resources[..] {
        [] => "-".to_owned(),
        [only] => plain(&only.short()),
        [first, rest @ ..] => {
            let or_more = if finding.has_more_resources() { " or more" } else { "" };
            format!("{} +{}{or_more}", plain(&first.short()), rest.len())
        }
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
    let whose = match finding.window {
        Some(_) if finding.is_of_frame() => "last match, and of those before it that were counted",
        Some(_) => "window",
        None if finding.gravest.is_some() => "gravest match",
        None => "earliest match",
    };
    writeln!(out, "\nevidence of the {whose}:")?;
    finding.evidence.iter().try_for_each(|(name, value)| writeln!(out, "  {name:<24} {}", plain(value)))?;
    writeln!(out, "\nevents (matches in all: {}):", finding.count)?;
    finding.events().iter().try_for_each(|(time, id)| writeln!(out, "  {time}  {}", plain(id)))?;
    writeln!(out, "\ntags: {}\nnext: {}", finding.tags.join(" "), finding.remedy)
}

/// What is not seen, or turns the direction of text: with it two names look the same, or one name holds another text. Joiners
/// and marks of writing from right to left are among them, tags too.
const INVISIBLE: [RangeInclusive<char>; 11] = [
    '\u{ad}'..='\u{ad}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{e0000}'..='\u{e007f}',
];

/// Text that cannot steer a terminal: control, direction and invisible characters become `\u{..}`.
pub fn plain(text: &str) -> String {
    let steers = |character: char| character.is_control() || INVISIBLE.iter().any(|range| range.contains(&character));
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

/// The same of a text of several lines.
pub fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Resource;
    use crate::finding::tests::one_match;

    fn shown(findings: &[Finding], look: Look) -> String {
        let mut out = Vec::new();
        write(findings, look, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_names_who_from_where_on_what_and_when() {
        let found = one_match("a/b", "arn:aws:iam::111122223333:user/bob", Timestamp::from_seconds(86_399), "e");
        let text = shown(&[found], Look::default());
        for part in ["medium", "Something was changed", "user/bob", "192.0.2.7", "user/eve", "1970-01-01 23:59:59"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.contains("  WHEN (UTC)  "), "{text}");
        assert!(!text.contains("ACCOUNT") && text.lines().all(|line| line == line.trim_end()), "{text}");
        assert_eq!(shown(&[], Look::default()), "no findings\n");
    }

    #[test]
    fn a_row_has_the_beginning_of_the_id_that_other_commands_ask_for() {
        let found = one_match("a/b", "bob", Timestamp(0), "e");
        let row = |width: u16| {
            let text = shown(std::slice::from_ref(&found), Look { width: Some(width), color: false });
            text.lines().nth(1).unwrap().to_owned()
        };
        let id = found.id.to_string();
        assert!(row(160).ends_with(&format!("  1      {}", &id[..8])), "{}", row(160));
        assert!(!row(80).contains(&id[..8]), "{}", row(80));
    }

    #[test]
    fn what_looks_back_shows_when_it_fired() {
        let mut found = one_match("a/b", "bob", Timestamp::from_seconds(10), "e");
        found.last_seen = Timestamp::from_seconds(86_399);
        (found.count, found.window) = (2, Some((Timestamp(0), found.last_seen)));
        let text = shown(std::slice::from_ref(&found), Look::default());
        assert!(text.contains("1970-01-01 23:59:59"), "{text}");
        let explained = |found: &Finding| {
            let mut out = Vec::new();
            explain(found, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(explained(&found).contains("\nevidence of the last match, and"), "{}", explained(&found));
        found.window = Some((Timestamp(0), Timestamp::from_seconds(86_400)));
        assert!(explained(&found).contains("\nevidence of the window:\n"), "{}", explained(&found));
        assert!(shown(&[found], Look::default()).contains("1970-01-01 00:00:10"));
    }

    #[test]
    fn what_has_no_time_shows_none() {
        let text = shown(&[one_match("a/b", "bob", Timestamp(0), "e")], Look::default());
        assert!(text.contains("  -  ") && !text.contains("1970"), "{text}");
    }

    #[test]
    fn escape_sequences_in_a_name_do_not_reach_the_terminal() {
        let text = shown(&[one_match("a/b", "x\u{1b}[31m", Timestamp(0), "e")], Look::default());
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        // a soft hyphen, a word joiner, a Hangul filler and a tag
        for hidden in ['\u{ad}', '\u{2060}', '\u{3164}', '\u{e0041}'] {
            assert_eq!(plain(&format!("ad{hidden}min")), format!("ad{}min", hidden.escape_unicode()));
        }
        assert_eq!(plain("Jürgen 花子 مها"), "Jürgen 花子 مها");
    }

    #[test]
    fn addresses_that_differ_are_counted() {
        let mut found = one_match("a/b", "eve", Timestamp(0), "e");
        found.source_ip = None;
        found.evidence = vec![("addresses".into(), r#"["192.0.2.7","198.51.100.7"]"#.into())];
        let text = shown(&[found], Look { width: Some(160), color: false });
        assert!(text.contains(" 192.0.2.7 +1 "), "{text}");
    }

    #[test]
    fn a_narrow_terminal_is_not_overrun() {
        let found = one_match("a/b", &"very-long-actor-name ".repeat(20), Timestamp(0), "e");
        let text = shown(&[found], Look { width: Some(80), color: false });
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn eighty_columns_leave_room_for_words() {
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:user/bob", Timestamp::from_seconds(86_399), "e");
        found.title = "Somebody did something".into();
        found.severity = Severity::Informational;
        let mut other = one_match("a/b", "eve", Timestamp(0), "e");
        other.account = "444455556666".into();
        let text = shown(&[found, other], Look { width: Some(80), color: false });
        assert!(text.contains("Somebody") && text.contains("something") && text.contains(" info "), "{text}");
        assert!(!text.contains("ACCOUNT"), "{text}");
    }

    #[test]
    fn a_hundred_columns_have_the_id_and_leave_room_for_words() {
        let role = "arn:aws:iam::111122223333:role/a-role-with-quite-a-long-name";
        let mut found = one_match("a/b", role, Timestamp::from_seconds(86_399), "e");
        found.title = "Instances were launched".into();
        found.source_ip = Some("203.0.113.111".into());
        found.resources = vec![Resource(role.into())];
        let mut other = found.clone();
        other.account = "444455556666".into();
        let text = |width: u16| shown(&[found.clone(), other.clone()], Look { width: Some(width), color: false });
        for part in ["Instances", "launched", &found.id.to_string()[..8]] {
            assert!(text(100).contains(part) && text(120).contains(part), "{part} in {}", text(100));
        }
        assert_eq!([100, 120].map(|width| text(width).contains("ACCOUNT")), [false, true]);
    }

    #[test]
    fn a_name_loses_its_middle_and_an_address_is_never_broken() {
        assert_eq!(shortened("role/abcdefgh", 13), "role/abcdefgh");
        assert_eq!(shortened("role/abcdefghi", 13), "role/a…defghi");
        let mut found = one_match(
            "a/b",
            "arn:aws:iam::111122223333:role/a-role-with-quite-a-long-name-0123456789",
            Timestamp(0),
            "e",
        );
        found.source_ip = Some("203.0.113.111".into());
        found.title = "Somebody did something that takes a while to say".into();
        let text = shown(&[found], Look { width: Some(80), color: false });
        assert!(text.contains("203.0.113.111") && text.contains('…'), "{text}");
    }

    #[test]
    fn accounts_are_shown_when_there_are_several() {
        let mut other = one_match("a/b", "eve", Timestamp(0), "e");
        other.account = "444455556666".into();
        let text = shown(&[one_match("a/b", "eve", Timestamp(0), "e"), other], Look::default());
        assert!(text.contains("444455556666"), "{text}");
    }
}
