//! Incidents out: as a table and stories for people, as Markdown for tickets, as NDJSON or JSON for programs.

pub mod json;
pub mod markdown;
pub mod text;

use crate::triage::incident::Incident;
use crate::triage::incident::story::Story;

/// An incident with its story.
pub struct Told {
    pub incident: Incident,
    pub story: Story,
}

/// From when to when, to the second; the day once where it is one.
fn span(incident: &Incident) -> String {
    let (first, last) = (text::clock(incident.first_seen), text::clock(incident.last_seen));
    match (first.split_once(' '), last.split_once(' ')) {
        _ if first == last => first,
        (Some((day, _)), Some((other, time))) if day == other => format!("{first} .. {time}"),
        _ => format!("{first} .. {last}"),
    }
}

/// `user/eve`, or `user/eve +2` with those that acted besides.
fn who(incident: &Incident) -> String {
    match &incident.who()[..] {
        [] => "-".to_owned(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    }
}

fn tactics(incident: &Incident) -> String {
    let names: Vec<_> = incident.tactics.iter().map(|tactic| tactic.as_str()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}
