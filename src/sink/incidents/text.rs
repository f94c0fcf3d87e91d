//! Incidents → a table, and stories below it, for people at a terminal.

use std::io::{self, Write};

use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::{Told, span, tactics, who};
use crate::rule::Severity;
use crate::sink::Look;
use crate::sink::table::plain;
use crate::time::{MICROS_PER_SECOND, Timestamp};
use crate::triage::incident::Incident;
use crate::triage::incident::story::{Step, Story};

/// Lines of stories are as long as the terminal allows, up to this.
const STORY_WIDTH: usize = 120;

const TACTICS: usize = 4;
/// Spaces behind each column.
const GAP: u16 = 2;

/// One row an incident, in the order given.
///
/// # Errors
/// When `out` cannot be written.
pub fn table(incidents: &[Incident], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    let width = look.width.unwrap_or(160).max(80);
    // then the tactics leave the room to whole words, and their story has them
    let is_narrow = width < 120;
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    match look.color {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    let mut header = vec!["SCORE", "SEVERITY", "WHAT", "WHO", "TACTICS", "FINDINGS", "WHEN (UTC)", "ID"];
    if is_narrow {
        header.remove(TACTICS);
    }
    table.set_header(header);
    for incident in incidents {
        let mut row = vec![
            Cell::new(format!("{:.1}", incident.score)),
            severity(incident.severity, look),
            Cell::new(plain(&incident.lead().title)),
            Cell::new(plain(&who(incident))),
            Cell::new(tactics(incident)),
            Cell::new(incident.size),
            Cell::new(span(incident)),
            Cell::new(short_id(incident)),
        ];
        if is_narrow {
            row.remove(TACTICS);
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    if is_narrow {
        // the day above the time
        let when = table.column_mut(5).expect("every column has a header");
        when.set_constraint(ColumnConstraint::Absolute(Width::Fixed("2024-08-01".len() as u16 + GAP)));
    }
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

fn severity(severity: Severity, look: Look) -> Cell {
    let cell = Cell::new(severity.as_str());
    match severity {
        Severity::Critical if look.color => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Severity::High if look.color => cell.fg(Color::Red),
        Severity::Medium if look.color => cell.fg(Color::Yellow),
        _ => cell,
    }
}

/// As much of the id as is asked for.
pub fn short_id(incident: &Incident) -> String {
    incident.id.to_string()[..8].to_owned()
}

/// What an analyst reads of one incident, in the order of [`Story`].
///
/// # Errors
/// When `out` cannot be written.
pub fn story(told: &Told, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let (incident, story) = (&told.incident, &told.story);
    let width = usize::from(look.width.unwrap_or(STORY_WIDTH as u16)).clamp(60, STORY_WIDTH);
    writeln!(out, "INCIDENT {}  {}  {:.1} bits", incident.id, incident.severity, incident.score)?;
    let mut part = |title: &str, lines: Vec<(String, String)>| -> io::Result<()> {
        writeln!(out, "\n{title}")?;
        let wrapped = lines.iter().flat_map(|(mark, line)| wrapped(mark, &plain(line), width));
        wrapped.into_iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    part("What happened", marked("", std::slice::from_ref(&story.what_happened)))?;
    part(
        "Why now, in bits",
        story.why_now.iter().map(|(bits, why)| (format!("{bits:>+5.1}  "), why.clone())).collect(),
    )?;
    part("How unusual", marked("- ", &or_nothing(&story.how_unusual, "no finding says how rare it is")))?;
    part("Timeline, in UTC", timeline(story, width))?;
    part("What is touched", marked("- ", &story.touched))?;
    if !story.related.is_empty() {
        part("Before and after", marked("- ", &story.related))?;
    }
    part("What would make it benign", marked("- ", &or_nothing(&story.benign, "nothing that its rules know of")))?;
    part("Next", story.next.iter().zip(1..).map(|(step, number)| (format!("{number}. "), step.clone())).collect())?;
    part("Events", marked("", &or_nothing(&[story.events.join(" ")], "no record has an id")))
}

fn marked(mark: &str, lines: &[String]) -> Vec<(String, String)> {
    lines.iter().map(|line| (mark.to_owned(), line.clone())).collect()
}

/// The lines, or one that says why there are none.
pub(super) fn or_nothing(lines: &[String], nothing: &str) -> Vec<String> {
    match lines.iter().all(String::is_empty) {
        true => vec![nothing.to_owned()],
        false => lines.to_vec(),
    }
}

fn timeline(story: &Story, width: usize) -> Vec<(String, String)> {
    let tactic = |step: &Step| step.tactic.map_or("-", |tactic| tactic.as_str());
    let wide = story.timeline.iter().map(|step| tactic(step).len()).max().unwrap_or(0);
    // with less the room is for words
    let id = |step: &Step| if width < 100 { String::new() } else { format!("{}  ", step.finding.short()) };
    let line = |step: &Step| (format!("{}  {}{:wide$}  ", clock(step.time), id(step), tactic(step)), deed(step, story));
    let mut lines: Vec<_> = story.timeline.iter().map(line).collect();
    lines.extend((story.steps_left_out > 0).then(|| (String::new(), format!("and {} more", story.steps_left_out))));
    lines
}

/// What was done, by whom and in which account where there are several, on what, how often.
pub(super) fn deed(step: &Step, story: &Story) -> String {
    let mut text = step.title.clone();
    for (word, name, is_told) in [("by", &step.who, story.has_several_actors()), ("on", &step.on, true)] {
        if is_told && !name.is_empty() && (word, name) != ("on", &step.who) {
            text.push_str(&format!(", {word} {name}"));
        }
    }
    text.push_str(&story.place(step));
    if step.count > 1 {
        text.push_str(&format!("  x{}", step.count));
    }
    if step.is_noise {
        text.push_str("  (usual, counts for nothing)");
    }
    text
}

/// `2024-08-01 13:33:28`
pub(super) fn clock(time: Timestamp) -> String {
    let seconds = Timestamp::from_seconds(time.0.div_euclid(MICROS_PER_SECOND));
    seconds.to_string().replace('T', " ").replace('Z', "")
}

/// Breaks a line between words; what goes on stands below its text, behind the mark. A word that is longer than a line
/// stays whole: it is a name that somebody copies.
fn wrapped(mark: &str, line: &str, width: usize) -> Vec<String> {
    const INDENT: &str = "  ";
    let hang = mark.chars().count();
    let (mut lines, mut now) = (Vec::new(), format!("{INDENT}{mark}"));
    let mut begins = true;
    for word in line.split(' ') {
        if !begins && now.chars().count() + 1 + word.chars().count() > width {
            lines.push(now.trim_end().to_owned());
            now = format!("{INDENT}{}", " ".repeat(hang));
            begins = true;
        }
        if !begins {
            now.push(' ');
        }
        now.push_str(word);
        begins = false;
    }
    lines.push(now.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Term;
    use crate::finding::tests::one_match;
    use crate::triage::incident::incidents;

    #[test]
    fn eighty_columns_leave_room_for_words() {
        let mut found = one_match("a/b", "arn:aws:iam::111122223333:user/bob", Timestamp::from_seconds(86_399), "e");
        found.title = "User was created, made administrator and given credentials in one go".into();
        found.severity = Severity::High;
        found.terms = vec![Term { name: "severity", bits: 5.0, why: "by hand".into() }];
        let shown = |width| {
            let mut out = Vec::new();
            table(&incidents(&[found.clone()]), Look { width: Some(width), color: false }, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let narrow = shown(80);
        for word in ["administrator", "credentials", "1970-01-01", "user/bob", "WHEN (UTC)"] {
            assert!(narrow.contains(word), "{word} in {narrow}");
        }
        assert!(narrow.lines().all(|line| line.chars().count() <= 80) && !narrow.contains("TACTICS"), "{narrow}");
        assert!(shown(120).contains("persistence"), "{}", shown(120));
    }

    #[test]
    fn lines_break_between_words_and_hang_below_their_text() {
        let check = |mark: &str, line: &str, expected: &[&str]| assert_eq!(wrapped(mark, line, 20), expected, "{line}");
        check("", "one two three four five", &["  one two three four", "  five"]);
        check("+8.3  ", "one two three", &["  +8.3  one two", "        three"]);
        check("", "arn:aws:iam::111122223333:user/eve is long", &["  arn:aws:iam::111122223333:user/eve", "  is long"]);
        check("", "", &[""]);
    }
}
