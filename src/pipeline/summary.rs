//! What a run did, for people and, as JSON, for `--summary`.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use crate::rule::Severity;
use crate::sink::post::Sent;

/// Records of one table: `records = rows + rejects + duplicates + set_aside`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCounts {
    pub records: u64,
    pub rows: u64,
    pub rejects: u64,
    pub duplicates: u64,
    /// Recognized and left out: digest files, control messages.
    pub set_aside: u64,
    pub archived_files: u64,
    pub archived_bytes: u64,
}

/// An input that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    pub name: String,
    pub why: String,
}

/// An entry of the configuration that hides findings, and the matches it hid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// Pattern of rule ids.
    pub rule: String,
    pub reason: String,
    pub matches: u64,
}

impl From<(&str, &str, u64)> for Suppressed {
    fn from((rule, reason, matches): (&str, &str, u64)) -> Suppressed {
        Suppressed { rule: rule.to_owned(), reason: reason.to_owned(), matches }
    }
}

/// What one run did. Its fields are the keys of `--summary`'s JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// By table; records that no table took are under `unknown`.
    pub tables: BTreeMap<String, TableCounts>,
    /// Findings by severity, of everything read into the archive so far.
    pub findings: BTreeMap<String, u64>,
    /// Matches hidden by suppressions, of everything read into the archive so far: all of them, and by entry.
    pub suppressed: u64,
    pub suppressions: Vec<Suppressed>,
    pub files_read: u64,
    /// Files that an earlier run into the same archive had read.
    pub files_already_read: u64,
    pub unreadable: Vec<Unreadable>,
    /// Bytes as stored, and inflated.
    pub bytes_read: u64,
    pub bytes_inflated: u64,
    /// Folder of the archive, if there is one.
    pub archive: Option<String>,
    /// What became of the findings for each way out that there is: keys `security_hub`, `event_bridge`, `sns`,
    /// `webhook` and `s3`.
    #[serde(flatten)]
    pub sent: BTreeMap<String, Sent>,
    pub seconds: f64,
    /// Seconds by stage: work of several threads adds up, so their sum may exceed `seconds`.
    pub stage_seconds: BTreeMap<String, f64>,
    /// True when the run was told to stop before the input ended.
    pub stopped: bool,
}

impl Summary {
    pub fn table(&mut self, name: &str) -> &mut TableCounts {
        let name = if name.is_empty() { "unknown" } else { name };
        self.tables.entry(name.to_owned()).or_default()
    }

    pub fn stage(&mut self, name: &str, seconds: f64) {
        *self.stage_seconds.entry(name.to_owned()).or_default() += seconds;
    }

    pub fn total(&self, field: impl Fn(&TableCounts) -> u64) -> u64 {
        self.tables.values().map(field).sum()
    }

    /// Writes the summary as people read it.
    pub fn show(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let touched = |counts: &&TableCounts| counts.records > 0 || counts.archived_bytes > 0;
        let tables: Vec<_> = self.tables.iter().filter(|(_, counts)| touched(counts)).collect();
        let width = tables.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(14);
        writeln!(
            out,
            "{:<width$} {:>10} {:>10} {:>8} {:>10} {:>9} {:>12} {:>11}",
            "TABLE", "RECORDS", "ROWS", "REJECTS", "DUPLICATES", "SET ASIDE", "ARCHIVED", "BYTES/EVENT"
        )?;
        for (name, counts) in tables {
            let per_event = match counts.rows {
                0 => "-".to_owned(),
                _ if counts.archived_bytes == 0 => "-".to_owned(),
                rows => format!("{:.0}", counts.archived_bytes as f64 / rows as f64),
            };
            writeln!(
                out,
                "{name:<width$} {:>10} {:>10} {:>8} {:>10} {:>9} {:>12} {per_event:>11}",
                grouped(counts.records),
                grouped(counts.rows),
                grouped(counts.rejects),
                grouped(counts.duplicates),
                grouped(counts.set_aside),
                bytes(counts.archived_bytes),
            )?;
        }
        let severities = Severity::ALL.iter().rev().filter_map(|severity| {
            let count = *self.findings.get(severity.as_str())?;
            (count > 0).then(|| format!("{count} {severity}"))
        });
        let severities: Vec<_> = severities.collect();
        let findings: u64 = self.findings.values().sum();
        write!(out, "\n{} findings", grouped(findings))?;
        if !severities.is_empty() {
            write!(out, ": {}", severities.join(", "))?;
        }
        if self.suppressed > 0 {
            write!(out, "; {} matches suppressed", grouped(self.suppressed))?;
        }
        for entry in &self.suppressions {
            write!(out, "\n  suppressed: {} of {} ({})", grouped(entry.matches), entry.rule, entry.reason)?;
        }
        let records = self.total(|counts| counts.records);
        let seconds = self.seconds.max(1e-6);
        writeln!(
            out,
            "\n{} files ({} read, {} inflated) in {:.2} s: {} events/s, {}/s of logs",
            grouped(self.files_read),
            bytes(self.bytes_read),
            bytes(self.bytes_inflated),
            self.seconds,
            grouped((records as f64 / seconds) as u64),
            bytes((self.bytes_inflated as f64 / seconds) as u64),
        )?;
        if self.files_already_read > 0 {
            writeln!(out, "{} files had been read by an earlier run", grouped(self.files_already_read))?;
        }
        for (way, sent) in &self.sent {
            let way = way.replace('_', " ");
            write!(out, "{way}: {} accepted, {} refused", grouped(sent.accepted), grouped(sent.refused))?;
            if sent.waiting > 0 {
                write!(out, ", {} wait for the next run", grouped(sent.waiting))?;
            }
            match &sent.why {
                Some(why) => writeln!(out, " ({why})")?,
                None => writeln!(out)?,
            }
        }
        for unreadable in &self.unreadable {
            writeln!(out, "could not read {}: {}", unreadable.name, unreadable.why)?;
        }
        match &self.archive {
            Some(dir) => writeln!(
                out,
                "archive: {dir} ({} in {} files)",
                bytes(self.total(|counts| counts.archived_bytes)),
                grouped(self.total(|counts| counts.archived_files)),
            ),
            None => writeln!(out, "archive: none"),
        }
    }
}

/// `1,234,567`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 MB`, in powers of ten.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_threes() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 999, 1500, 12_300_000].map(bytes), ["0 B", "999 B", "1.5 kB", "12.3 MB"]);
    }

    #[test]
    fn the_sum_of_records_is_shown_with_its_parts() {
        let mut summary = Summary::default();
        *summary.table("cloudtrail") =
            TableCounts { records: 1200, rows: 1190, rejects: 3, duplicates: 7, ..TableCounts::default() };
        *summary.table("") = TableCounts { records: 1, rejects: 1, ..TableCounts::default() };
        summary.findings.insert("high".into(), 2);
        summary.suppressed = 1234;
        summary.suppressions = vec![("cloudtrail/*", "our pipeline", 1234).into()];
        let mut out = Vec::new();
        summary.show(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("cloudtrail          1,200      1,190        3          7"), "{text}");
        assert!(text.contains("unknown "), "{text}");
        assert!(text.contains("2 findings: 2 high; 1,234 matches suppressed\n"), "{text}");
        assert!(text.contains("\n  suppressed: 1,234 of cloudtrail/* (our pipeline)\n"), "{text}");
    }
}
