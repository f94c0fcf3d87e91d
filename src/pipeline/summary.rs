//! What a run did, for people and, as JSON, for `--summary`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::detect::Detector;
use crate::rule::{Severity, refused};
use crate::sink::post::Sent;
use crate::sink::table::plain;
use crate::table::Reject;
use crate::triage::canary;

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

/// Records of one input that were rejected for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    pub name: String,
    pub reason: String,
    pub records: u64,
    /// Place of the first of them in the inflated input.
    pub first: u64,
}

impl Unreadable {
    /// Inputs that are named: a run that follows goes on for months.
    pub const NAMED_MAX: usize = 1000;
    /// Those of them that people are shown: a folder that is cleared while it is read has thousands.
    const SHOWN_MAX: usize = 20;
    /// Those of one round that are named as it goes on.
    pub const TOLD_MAX: usize = 10;
}

impl Rejected {
    /// Inputs and reasons that are counted one by one, and those of them that people are shown.
    const KEPT_MAX: usize = 100;
    const SHOWN_MAX: usize = 5;
    /// Characters of a reason that people are shown: some quote the record.
    const REASON_CHARS_MAX: usize = 200;
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

/// A canary of the configuration, and what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    pub name: String,
    pub matches: u64,
    /// Time of the newest event.
    pub last_event: Option<String>,
}

impl From<canary::Told<'_>> for Canary {
    fn from(told: canary::Told) -> Canary {
        Canary { name: told.name.to_owned(), matches: told.matches, last_event: told.last.map(|last| last.to_string()) }
    }
}

/// What a rule took, and gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleTook {
    /// Of the threads that judged by it. What several rules ask of a row is asked once, by the first of them.
    pub seconds: f64,
    /// Rows that it looked at one by one, because no value of a symbol column told that they cannot match.
    pub rows: u64,
    /// Of them, those that its WHERE holds for.
    pub matches: u64,
    /// Of the windows that it remembers at the end, and that the next run begins with.
    pub state_bytes: u64,
}

impl RuleTook {
    /// Of each rule of a detector that looked at a row or remembers some, by id.
    pub fn by_rule(detector: &Detector) -> BTreeMap<String, RuleTook> {
        let mut all: BTreeMap<String, RuleTook> = BTreeMap::new();
        for (rule, cost) in detector.costs() {
            let took = RuleTook { seconds: cost.seconds, rows: cost.rows, matches: cost.hits, state_bytes: 0 };
            all.insert(rule.clone(), took);
        }
        for (rule, bytes) in detector.window_bytes() {
            all.entry(rule.to_owned()).or_default().state_bytes = bytes as u64;
        }
        all.retain(|_, took| took.rows > 0 || took.state_bytes > 0);
        all
    }
}

/// A part of the last commit that could not be read: what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedState {
    /// [`RefusedState::WINDOWS`], [`RefusedState::SHARED`] or [`RefusedState::FINDINGS`].
    pub part: String,
    /// Of windows, whose.
    pub rules: Vec<String>,
    pub why: String,
    /// What it was rebuilt from,
    pub rebuilt: Option<Rebuilt>,
    /// or why it was not: it then begins anew, and what it knew is missing.
    pub hole: Option<String>,
}

/// What of the archive was replayed to rebuild a part of the last commit. Of what lies before it that part knows nothing any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    pub rows: u64,
    pub days: u64,
    /// The first of these days.
    pub since: String,
}

impl RefusedState {
    pub const WINDOWS: &str = "windows";
    pub const SHARED: &str = "clock and limits of rules";
    pub const FINDINGS: &str = "open findings";
    /// Rules that people are shown.
    const RULES_SHOWN_MAX: usize = 3;

    pub fn of(part: &str, why: String) -> RefusedState {
        RefusedState { part: part.to_owned(), why, ..RefusedState::default() }
    }

    pub fn of_rules(rules: Vec<String>, why: String) -> RefusedState {
        RefusedState { rules, ..RefusedState::of(RefusedState::WINDOWS, why) }
    }

    fn show(&self, out: &mut dyn io::Write) -> io::Result<()> {
        write!(out, "\nthe last commit's {}", self.part)?;
        if !self.rules.is_empty() {
            write!(out, " of {}", some_rules(&self.rules, RefusedState::RULES_SHOWN_MAX))?;
        }
        write!(out, " are refused: {}: ", plain(&self.why))?;
        match (&self.rebuilt, &self.hole) {
            (Some(Rebuilt { rows, days, since }), _) => {
                write!(
                    out,
                    "rebuilt from {} of {}, since {since}",
                    counted(*rows, "archived row"),
                    counted(*days, "day")
                )
            }
            (None, hole) => write!(out, "not rebuilt, since {}", plain(hole.as_deref().unwrap_or("nobody tried"))),
        }
    }
}

/// How many rules there are, and which, at most so many of them.
fn some_rules(rules: &[String], most: usize) -> String {
    let named = rules[..rules.len().min(most)].join(", ");
    let more = if rules.len() > most { ", ..." } else { "" };
    format!("{} ({named}{more})", counted(rules.len() as u64, "rule"))
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
    /// What was seen of the canaries, of everything read into the archive so far.
    #[serde(default)]
    pub canaries: Vec<Canary>,
    /// Windows of this run that left early for want of room, and rows that came after their window had left.
    pub shed_groups: u64,
    pub late_rows: u64,
    /// Matches of this run that were put aside because their rule has too many findings.
    #[serde(default)]
    pub put_aside: u64,
    pub files_read: u64,
    /// Files that an earlier run into the same archive had read.
    pub files_already_read: u64,
    /// The first thousand, and how many more there were.
    pub unreadable: Vec<Unreadable>,
    #[serde(default)]
    pub unreadable_more: u64,
    /// Sources that ended because they could not be read, of all that could not.
    #[serde(default)]
    pub sources_ended: u64,
    /// Rejects by input and reason, the first hundred of such pairs; `tables` counts all.
    pub rejected: Vec<Rejected>,
    /// Rows without a time that can be read. Rules judge them; their findings are dated 1970-01-01T00:00:00Z.
    pub rows_without_time: u64,
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
    /// By id, the rules that looked at a row or remember some. `weir rules cost` shows them.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleTook>,
    /// Times that rules, lists or suppressions were read again and taken up.
    #[serde(default)]
    pub reloads: u64,
    /// What was wrong with their files at the end, each with its place: what was in force before stayed so.
    #[serde(default)]
    pub refused_edits: Vec<String>,
    /// What of the last commit could not be read, and what became of it.
    #[serde(default)]
    pub refused_state: Vec<RefusedState>,
    /// Rules that ask what is new or unusual and have nothing to know it from: they learn from this run on.
    #[serde(default)]
    pub unlearned: Vec<String>,
    /// True when the run was told to stop before the input ended.
    pub stopped: bool,
    /// True when it read inputs that have no end, so that being told to stop is how it ends.
    pub followed: bool,
    /// True when it read an input that can be read once only.
    #[serde(skip)]
    pub has_pipe: bool,
}

/// What a run has done up to its last commit: where it has to begin again from that, its summary goes on from there. A clone is
/// of the same run.
#[derive(Clone, Debug)]
pub struct SoFar {
    pub started: Instant,
    committed: Arc<Mutex<Summary>>,
}

impl Default for SoFar {
    /// A run that starts now.
    fn default() -> SoFar {
        SoFar { started: Instant::now(), committed: Arc::default() }
    }
}

impl SoFar {
    pub fn committed(&self) -> Summary {
        self.committed.lock().expect("nobody panics while holding it").clone()
    }

    pub fn commit(&self, summary: Summary) {
        *self.committed.lock().expect("nobody panics while holding it") = summary;
    }
}

impl Summary {
    /// Adds what ways and rules have counted since the summary was taken up.
    pub fn add(&mut self, sent: BTreeMap<String, Sent>, rules: BTreeMap<String, RuleTook>) {
        for (way, Sent { accepted, refused, waiting, why }) in sent {
            let all = self.sent.entry(way).or_default();
            *all = Sent { accepted: all.accepted + accepted, refused: all.refused + refused, waiting, why };
        }
        self.rules.values_mut().for_each(|took| took.state_bytes = 0);
        for (rule, RuleTook { seconds, rows, matches, state_bytes }) in rules {
            let all = self.rules.entry(rule).or_default();
            all.seconds += seconds;
            all.rows += rows;
            all.matches += matches;
            all.state_bytes = state_bytes;
        }
    }

    pub fn table(&mut self, name: &str) -> &mut TableCounts {
        let name = if name.is_empty() { "unknown" } else { name };
        self.tables.entry(name.to_owned()).or_default()
    }

    /// Counts a reject. True when it is the first of its input and reason, and there is room to count these by themselves.
    pub fn reject(&mut self, reject: &Reject) -> bool {
        let name = &reject.origin.name;
        let known = self.rejected.iter_mut().find(|known| known.reason == reject.reason && known.name == *name);
        if let Some(known) = known {
            known.records += reject.records();
            known.first = known.first.min(reject.offset);
            return false;
        }
        let room = self.rejected.len() < Rejected::KEPT_MAX;
        if room {
            let (name, reason) = (name.clone(), reject.reason.clone());
            self.rejected.push(Rejected { name, reason, records: reject.records(), first: reject.offset });
        }
        room
    }

    pub fn stage(&mut self, name: &str, seconds: f64) {
        *self.stage_seconds.entry(name.to_owned()).or_default() += seconds;
    }

    pub fn total(&self, field: impl Fn(&TableCounts) -> u64) -> u64 {
        self.tables.values().map(field).sum()
    }

    /// Writes the summary as people read it.
    pub fn show(&self, out: &mut dyn io::Write) -> io::Result<()> {
        if self.files_already_read > 0 {
            writeln!(out, "{} had been read before", counted(self.files_already_read, "file"))?;
        }
        self.show_tables(out)?;
        self.show_findings(out)?;
        let records = self.total(|counts| counts.records);
        let seconds = self.seconds.max(1e-6);
        writeln!(
            out,
            "\n{} ({} read, {} inflated) in {:.2} s: {} events/s, {}/s of logs",
            counted(self.files_read, "file"),
            bytes(self.bytes_read),
            bytes(self.bytes_inflated),
            self.seconds,
            grouped((records as f64 / seconds) as u64),
            bytes((self.bytes_inflated as f64 / seconds) as u64),
        )?;
        self.show_sent(out)?;
        for unreadable in self.unreadable.iter().take(Unreadable::SHOWN_MAX) {
            writeln!(out, "could not read {}: {}", plain(&unreadable.name), plain(&unreadable.why))?;
        }
        let more = self.unreadable_more + self.unreadable.len().saturating_sub(Unreadable::SHOWN_MAX) as u64;
        if more > 0 {
            writeln!(out, "could not read {} more", grouped(more))?;
        }
        self.show_rejected(out)?;
        if self.rows_without_time > 0 {
            let have = if self.rows_without_time == 1 { "has" } else { "have" };
            writeln!(out, "{} {have} no time that can be read", counted(self.rows_without_time, "row"))?;
        }
        match &self.archive {
            Some(dir) => writeln!(
                out,
                "archive: {dir} ({} in {})",
                bytes(self.total(|counts| counts.archived_bytes)),
                counted(self.total(|counts| counts.archived_files), "file"),
            )?,
            None => writeln!(out, "archive: none")?,
        }
        match (&self.archive, self.stopped && !self.followed) {
            (_, false) => Ok(()),
            (Some(_), true) if self.has_pipe => {
                writeln!(
                    out,
                    "stopped before the end of the input: what came through a pipe until then is kept, and cannot be gone on with"
                )
            }
            (Some(_), true) => {
                writeln!(out, "stopped before the end of the input: the same command goes on where it stopped")
            }
            (None, true) => writeln!(out, "stopped before the end of the input: the same command begins anew"),
        }
    }

    /// What was read of each table, and what the archive has of it.
    fn show_tables(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let touched = |counts: &&TableCounts| counts.records > 0 || counts.archived_bytes > 0;
        let tables: Vec<_> = self.tables.iter().filter(|(_, counts)| touched(counts)).collect();
        let width = tables.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(14);
        if self.files_already_read == 0 || !tables.is_empty() {
            writeln!(
                out,
                "{:<width$} {:>10} {:>10} {:>8} {:>10} {:>9} {:>12} {:>11}",
                "TABLE", "RECORDS", "ROWS", "REJECTS", "DUPLICATES", "SET ASIDE", "ARCHIVED", "BYTES/EVENT"
            )?;
        }
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
        Ok(())
    }

    /// What was found, and what of it may be missing, and why.
    fn show_findings(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let severities = Severity::ALL.iter().rev().filter_map(|severity| {
            let count = *self.findings.get(severity.as_str())?;
            (count > 0).then(|| format!("{count} {severity}"))
        });
        let severities: Vec<_> = severities.collect();
        let findings: u64 = self.findings.values().sum();
        write!(out, "\n{}", counted(findings, "finding"))?;
        if !severities.is_empty() {
            write!(out, ": {}", severities.join(", "))?;
        }
        if self.suppressed > 0 {
            write!(out, "; {} suppressed", matches(self.suppressed))?;
        }
        for canary in &self.canaries {
            let last = canary.last_event.as_ref().map_or_else(|| "never".to_owned(), |last| format!("last at {last}"));
            write!(out, "\n  canary {}: {}, {last}", canary.name, matches(canary.matches))?;
        }
        for entry in &self.suppressions {
            write!(out, "\n  suppressed: {} of {} ({})", grouped(entry.matches), entry.rule, entry.reason)?;
        }
        if self.shed_groups > 0 {
            let windows = counted(self.shed_groups, "window");
            write!(out, "\n{windows} left early for want of room: weir/windows_shed says of which rules and times")?;
        }
        if self.late_rows > 0 {
            let rows = counted(self.late_rows, "row");
            write!(
                out,
                "\n{rows} came after their windows or without a time: weir backtest judges those that have one"
            )?;
        }
        if self.put_aside > 0 {
            let many = matches(self.put_aside);
            write!(out, "\n{many} put aside, of rules with too many findings: weir/rule_quarantined names them")?;
        }
        if self.reloads > 0 {
            write!(out, "\nrules, lists or suppressions were read again {}", counted(self.reloads, "time"))?;
        }
        self.refused_state.iter().try_for_each(|refused| refused.show(out))?;
        // who reads a folder of logs once has them all before it, and no rule misses much; who wants no archive knows
        if !self.unlearned.is_empty() && self.archive.is_some() && self.followed {
            let rules = some_rules(&self.unlearned, RefusedState::RULES_SHOWN_MAX);
            write!(
                out,
                "\nknown from the rows of this run alone is what is new and usual, by {rules}: \
                 the archive has no rows of before that can be read"
            )?;
        }
        for why in refused::few(&self.refused_edits) {
            write!(out, "\nnot in force: {}", plain(&why))?;
        }
        Ok(())
    }

    /// What became of findings on their way to services.
    fn show_sent(&self, out: &mut dyn io::Write) -> io::Result<()> {
        for (way, sent) in &self.sent {
            let way = way.replace('_', " ");
            // which gets the findings of a commit as one
            let accepted = if way == "s3" { counted(sent.accepted, "object") } else { grouped(sent.accepted) };
            write!(out, "{way}: {accepted} accepted, {} refused", grouped(sent.refused))?;
            if sent.waiting > 0 {
                write!(out, ", {} wait for the next run", grouped(sent.waiting))?;
            }
            match &sent.why {
                // it is quoted of what the service said
                Some(why) => writeln!(out, " ({})", plain(why))?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }

    /// Takes note of an input that could not be read.
    pub fn note_unreadable(&mut self, input: Unreadable) {
        if self.unreadable.len() < Unreadable::NAMED_MAX {
            self.unreadable.push(input);
        } else {
            self.unreadable_more += 1;
        }
    }

    /// Where rejects come from and why, those with the most records first.
    fn show_rejected(&self, out: &mut dyn io::Write) -> io::Result<()> {
        // what was said already
        let is_unreadable = |rejected: &&Rejected| {
            self.unreadable.iter().any(|input| input.name == rejected.name && input.why == rejected.reason)
        };
        let (said, mut most): (Vec<&Rejected>, Vec<_>) = self.rejected.iter().partition(is_unreadable);
        most.sort_by_key(|rejected| Reverse(rejected.records));
        most.truncate(Rejected::SHOWN_MAX);
        for Rejected { name, reason, records, first } in &most {
            let what = if *records == 1 { "record" } else { "records" };
            let reason: String = plain(reason).chars().take(Rejected::REASON_CHARS_MAX).collect();
            let (name, records, first) = (plain(name), grouped(*records), grouped(*first));
            writeln!(out, "{name}: {records} {what} rejected: {reason} (first at byte {first})")?;
        }
        let shown: u64 = most.iter().chain(&said).map(|rejected| rejected.records).sum();
        let more = self.total(|counts| counts.rejects).saturating_sub(shown);
        if more > 0 {
            writeln!(out, "{} more rejected, of other files or for other reasons", grouped(more))?;
        }
        match &self.archive {
            Some(dir) if shown > 0 => {
                writeln!(out, "rejected records: weir sql \"SELECT origin, reason FROM reject\" --archive {dir}")
            }
            Some(_) | None => Ok(()),
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

/// `1 file` and `2 files`.
pub fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), plural(number as usize))
}

/// `1,234 matches`.
pub fn matches(number: u64) -> String {
    format!("{} match{}", grouped(number), if number == 1 { "" } else { "es" })
}

/// What stands behind the name of things that there are so many of.
pub fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
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
    use std::sync::Arc;

    use super::*;
    use crate::table::Origin;

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

    fn shown(summary: &Summary) -> String {
        let mut out = Vec::new();
        summary.show(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_run_that_began_again_tells_of_all_that_it_did() {
        let sent =
            |accepted, waiting| BTreeMap::from([("sns".to_owned(), Sent { accepted, refused: 1, waiting, why: None })]);
        let took = |rows, state_bytes| RuleTook { seconds: 0.5, rows, matches: 2, state_bytes };
        let so_far = SoFar::default();
        let mut first = Summary { files_read: 3, ..Summary::default() };
        first.add(sent(10, 4), BTreeMap::from([("a".into(), took(7, 100)), ("b".into(), took(1, 50))]));
        so_far.commit(first);
        // what came after the commit is dropped, and counted by who reads it then
        let mut again = so_far.clone().committed();
        again.files_read += 1;
        again.add(sent(5, 0), BTreeMap::from([("a".into(), took(1, 80))]));
        assert_eq!(again.files_read, 4);
        assert_eq!(again.sent["sns"], Sent { accepted: 15, refused: 2, waiting: 0, why: None });
        assert_eq!(again.rules["a"], RuleTook { seconds: 1.0, rows: 8, matches: 4, state_bytes: 80 });
        assert_eq!(again.rules["b"].state_bytes, 0, "it remembers nothing any more");
    }

    #[test]
    fn windows_that_left_and_rows_that_came_late_are_told_each_where_there_are_some() {
        let text = |shed_groups, late_rows| shown(&Summary { shed_groups, late_rows, ..Summary::default() });
        let is_told = |text: String| (text.contains("for want of room"), text.contains("came after their windows"));
        assert_eq!(
            [(0, 0), (1, 0), (0, 1)].map(|(shed, late)| is_told(text(shed, late))),
            [(false, false), (true, false), (false, true)]
        );
    }

    #[test]
    fn rules_that_are_not_in_force_for_one_reason_are_counted() {
        let refused_edits = (1..=400).map(|line| format!("x.yml:{line}:1: of another log")).collect();
        let text = shown(&Summary { refused_edits, ..Summary::default() });
        assert!(text.contains("\nnot in force: x.yml:1:1: of another log (and 399 more for this reason: "), "{text}");
        assert_eq!(text.matches("not in force").count(), 1);
    }

    #[test]
    fn one_is_told_as_one() {
        let mut summary = Summary { files_read: 1, rows_without_time: 1, ..Summary::default() };
        summary.findings.insert("low".into(), 1);
        let text = shown(&summary);
        assert!(text.contains("\n1 finding: 1 low\n1 file (0 B read"), "{text}");
        assert!(text.contains("\n1 row has no time that can be read\n"), "{text}");
        summary.rows_without_time = 1200;
        assert!(shown(&summary).contains("\n1,200 rows have no time that can be read\n"));
    }

    #[test]
    fn what_a_service_says_steers_no_terminal() {
        let sent = Sent { why: Some("status 500: \u{1b}[2J".to_owned()), ..Sent::default() };
        let summary = Summary { sent: BTreeMap::from([("webhook".to_owned(), sent)]), ..Summary::default() };
        let text = shown(&summary);
        assert!(text.contains("webhook: 0 accepted, 0 refused (status 500: \\u{1b}[2J)\n"), "{text:?}");
    }

    #[test]
    fn findings_of_a_bucket_are_counted_as_the_objects_that_they_are() {
        let sent = |way: &str| (way.to_owned(), Sent { accepted: 1, ..Sent::default() });
        let summary = Summary { sent: BTreeMap::from(["sns", "s3"].map(sent)), ..Summary::default() };
        let text = shown(&summary);
        assert!(text.contains("\ns3: 1 object accepted, 0 refused\nsns: 1 accepted, 0 refused\n"), "{text}");
    }

    #[test]
    fn inputs_that_cannot_be_read_are_named_up_to_a_thousand_and_people_are_shown_a_few() {
        let mut summary = Summary::default();
        for number in 0..1234 {
            summary.note_unreadable(Unreadable { name: format!("s3://b/{number}"), why: "gone".into() });
        }
        assert_eq!((summary.unreadable.len(), summary.unreadable_more), (1000, 234));
        assert!(shown(&summary).contains("\ncould not read s3://b/19: gone\ncould not read 1,214 more\n"));
    }

    #[test]
    fn rejects_are_told_by_file_and_reason() {
        let origin = |name: &str| Arc::new(Origin { name: name.into(), ..Origin::default() });
        let mut summary = Summary { archive: Some("kept".into()), ..Summary::default() };
        for (name, reason, first) in [("a", "not JSON", 1700), ("a", "not JSON", 9), ("b", "not\u{1b}[2J JSON", 0)] {
            summary.reject(&Reject::new(&origin(name), first, "", reason, b""));
        }
        for number in 0..1000 {
            summary.reject(&Reject::new(&origin("c"), 0, "", format!("number {number}"), b""));
        }
        summary.table("").rejects = 1003;
        assert_eq!(summary.rejected.len(), 100);
        let text = shown(&summary);
        let expected = "\na: 2 records rejected: not JSON (first at byte 9)\n\
            b: 1 record rejected: not\\u{1b}[2J JSON (first at byte 0)\n\
            c: 1 record rejected: number 0 (first at byte 0)\n\
            c: 1 record rejected: number 1 (first at byte 0)\n\
            c: 1 record rejected: number 2 (first at byte 0)\n\
            997 more rejected, of other files or for other reasons\n\
            rejected records: weir sql \"SELECT origin, reason FROM reject\" --archive kept\n";
        assert!(text.contains(expected), "{text}");
        summary.archive = None;
        assert!(!shown(&summary).contains("weir sql"));
    }

    #[test]
    fn rules_that_have_nothing_to_learn_from_are_named_where_it_matters() {
        let unlearned = ["a/1", "a/2", "a/3", "a/4"].map(str::to_owned).to_vec();
        let mut summary = Summary { unlearned, ..Summary::default() };
        let by = "\nknown from the rows of this run alone is what is new and usual, by 4 rules (a/1, a/2, a/3, ...): ";
        assert!(!shown(&summary).contains("known from"));
        summary.archive = Some("kept".into());
        assert!(!shown(&summary).contains("known from"));
        summary.followed = true;
        assert!(shown(&summary).contains(&format!("{by}the archive has no rows of before that can be read\n")));
    }

    #[test]
    fn a_run_that_was_stopped_says_what_the_next_one_does() {
        let mut summary = Summary { stopped: true, ..Summary::default() };
        assert!(shown(&summary).ends_with("stopped before the end of the input: the same command begins anew\n"));
        summary.archive = Some("kept".into());
        assert!(shown(&summary).ends_with("end of the input: the same command goes on where it stopped\n"));
        summary.has_pipe = true;
        assert!(shown(&summary).ends_with("what came through a pipe until then is kept, and cannot be gone on with\n"));
        summary.followed = true;
        assert!(shown(&summary).ends_with("archive: kept (0 B in 0 files)\n"));
    }

    #[test]
    fn a_run_with_nothing_new_has_no_empty_table() {
        let mut summary = Summary { files_already_read: 129, ..Summary::default() };
        let text = shown(&summary);
        assert!(text.starts_with("129 files had been read before\n\n0 findings\n0 files"), "{text}");
        summary.files_already_read = 0;
        assert!(shown(&summary).starts_with("TABLE "));
    }
}
