//! Incidents → JSON objects: one a line, or an array. The keys are a promise to the programs that read them.

use std::io::{self, Write};

use serde::Serialize;

use super::Told;
use crate::triage::incident::risk::Risk;
use crate::triage::incident::story::Step;

#[derive(Serialize)]
struct Shown<'a> {
    id: String,
    severity: &'a str,
    /// In bits.
    score: f64,
    title: &'a str,
    who: Vec<String>,
    accounts: Vec<String>,
    tactics: Vec<&'a str>,
    first_seen: String,
    last_seen: String,
    findings: usize,
    what_happened: &'a str,
    why_now: Vec<ShownReason<'a>>,
    how_unusual: &'a [String],
    timeline: Vec<ShownStep<'a>>,
    touched: &'a [String],
    entities: Vec<ShownRisk>,
    related: &'a [String],
    benign: &'a [String],
    next: &'a [String],
    /// At most 500.
    finding_ids: Vec<String>,
    event_ids: &'a [String],
}

#[derive(Serialize)]
struct ShownReason<'a> {
    bits: f64,
    what: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct ShownStep<'a> {
    time: String,
    /// The first of its findings.
    finding: String,
    tactic: Option<&'a str>,
    title: &'a str,
    who: &'a str,
    on: &'a str,
    accounts: &'a [String],
    count: u64,
    usual: bool,
}

#[derive(Serialize)]
struct ShownRisk {
    entity: String,
    bits: f64,
    findings: usize,
}

impl<'a> From<&'a Told> for Shown<'a> {
    fn from(told: &'a Told) -> Shown<'a> {
        let (incident, story) = (&told.incident, &told.story);
        Shown {
            id: incident.id.to_string(),
            severity: incident.severity.as_str(),
            score: hundredths(incident.score),
            title: &incident.lead().title,
            who: incident.who(),
            accounts: incident.accounts(),
            tactics: incident.tactics.iter().map(|tactic| tactic.as_str()).collect(),
            first_seen: incident.first_seen.to_string(),
            last_seen: incident.last_seen.to_string(),
            findings: incident.size,
            what_happened: &story.what_happened,
            why_now: incident
                .reasons
                .iter()
                .map(|reason| ShownReason { bits: hundredths(reason.bits), what: &reason.what, why: &reason.why })
                .collect(),
            how_unusual: &story.how_unusual,
            timeline: story.timeline.iter().map(step).collect(),
            touched: &story.touched,
            entities: incident.entities.iter().map(risk).collect(),
            related: &story.related,
            benign: &story.benign,
            next: &story.next,
            finding_ids: incident.findings.iter().map(|finding| finding.id.to_string()).collect(),
            event_ids: &story.events,
        }
    }
}

fn step(step: &Step) -> ShownStep<'_> {
    ShownStep {
        time: step.time.to_string(),
        finding: step.finding.to_string(),
        tactic: step.tactic.map(|tactic| tactic.as_str()),
        title: &step.title,
        who: &step.who,
        on: &step.on,
        accounts: &step.accounts,
        count: step.count,
        usual: step.is_noise,
    }
}

fn risk(risk: &Risk) -> ShownRisk {
    ShownRisk { entity: risk.entity.to_string(), bits: hundredths(risk.bits), findings: risk.findings }
}

fn hundredths(bits: f64) -> f64 {
    (bits * 100.0).round() / 100.0
}

/// # Errors
/// When `out` cannot be written.
pub fn lines(incidents: &[Told], out: &mut dyn Write) -> io::Result<()> {
    for told in incidents {
        serde_json::to_writer(&mut *out, &Shown::from(told))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// # Errors
/// When `out` cannot be written.
pub fn array(incidents: &[Told], out: &mut dyn Write) -> io::Result<()> {
    let shown: Vec<_> = incidents.iter().map(Shown::from).collect();
    serde_json::to_writer_pretty(&mut *out, &shown)?;
    out.write_all(b"\n")
}
