//! Incidents → Markdown, for tickets and wikis: the table, then each story.

use std::io::{self, Write};

use super::text::{clock, deed, or_nothing, short_id};
use super::{Told, span, tactics, who};
use crate::sink::table::plain;

/// # Errors
/// When `out` cannot be written.
pub fn write(incidents: &[Told], out: &mut dyn Write) -> io::Result<()> {
    if incidents.is_empty() {
        return writeln!(out, "No incidents.");
    }
    writeln!(
        out,
        "| score | severity | what | who | tactics | findings | when (UTC) | id |\n|---|---|---|---|---|---|---|---|"
    )?;
    for Told { incident, .. } in incidents {
        writeln!(
            out,
            "| {:.1} | {} | {} | {} | {} | {} | {} | `{}` |",
            incident.score,
            incident.severity,
            escaped(&incident.lead().title),
            escaped(&who(incident)),
            tactics(incident),
            incident.size,
            span(incident),
            short_id(incident)
        )?;
    }
    incidents.iter().try_for_each(|told| story(told, out))
}

fn story(Told { incident, story }: &Told, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## Incident {}: {}, {:.1} bits", incident.id, incident.severity, incident.score)?;
    writeln!(out, "\n{}", escaped(&story.what_happened))?;
    let why = story.why_now.iter().map(|(bits, why)| format!("{bits:+.1} bits: {why}")).collect();
    list("Why now", why, "-", out)?;
    list("How unusual", or_nothing(&story.how_unusual, "no finding says how rare it is"), "-", out)?;
    writeln!(out, "\n### Timeline\n\n| time (UTC) | finding | tactic | what |\n|---|---|---|---|")?;
    for step in &story.timeline {
        let tactic = step.tactic.map_or("-", |tactic| tactic.as_str());
        let (time, id) = (clock(step.time), step.finding.short());
        writeln!(out, "| {time} | `{id}` | {tactic} | {} |", escaped(&deed(step, story)))?;
    }
    if story.steps_left_out > 0 {
        writeln!(out, "\nand {} more", story.steps_left_out)?;
    }
    list("What is touched", story.touched.clone(), "-", out)?;
    if !story.related.is_empty() {
        list("Before and after", story.related.clone(), "-", out)?;
    }
    list("What would make it benign", or_nothing(&story.benign, "nothing that its rules know of"), "-", out)?;
    list("Next", story.next.clone(), "1.", out)?;
    list("Events", or_nothing(&story.events, "no record has an id"), "-", out)
}

fn list(title: &str, lines: Vec<String>, mark: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n### {title}\n")?;
    lines.iter().try_for_each(|line| writeln!(out, "{mark} {}", escaped(line)))
}

/// Text as it is: what an attacker named things is no link, no table and no HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in plain(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '>' => escaped.extend(['\\', character]),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_make_markdown() {
        assert_eq!(escaped("a|b [x](http://y) <img> *c* `d`"), "a\\|b \\[x\\](http://y) &lt;img\\> \\*c\\* \\`d\\`");
        assert_eq!(escaped("a\nb\u{1b}"), "a\\\\u{a}b\\\\u{1b}");
    }
}
