//! An incident → what an analyst reads of it, in the order in which it is asked.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::entity::Entity;
use super::risk::{is_evidence, matches};
use super::tactic::Tactic;
use super::{Incident, IncidentId, came};
use crate::finding::{Finding, FindingId, Resource};
use crate::time::Timestamp;

/// The parts of a story. Each list has at most [`Story::LINES_MAX`] lines and then says how many more there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Who did what to what, in one sentence.
    pub what_happened: String,
    /// The largest parts of the score, and what the rest of it is.
    pub why_now: Vec<(f64, String)>,
    /// How often the actors did such things before.
    pub how_unusual: Vec<String>,
    pub timeline: Vec<Step>,
    /// Steps past the last that the timeline shows.
    pub steps_left_out: usize,
    /// What was acted on, and who is at risk.
    pub touched: Vec<String>,
    /// Incidents before and after it of the same principals or keys, in order of time, and what they share.
    pub related: Vec<String>,
    /// What its rules are known to be wrong about.
    pub benign: Vec<String>,
    /// What to do: of the gravest findings first, of equal ones those furthest along the kill chain, then the earliest.
    pub next: Vec<String>,
    /// Ids of the events, each once, in order of time. A finding knows those of its first ten matches.
    pub events: Vec<String>,
}

/// What one actor did that one rule has a name for.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub time: Timestamp,
    /// The first of its findings.
    pub finding: FindingId,
    pub tactic: Option<Tactic>,
    pub title: String,
    pub who: String,
    /// `user/eve`, `user/eve +2`, or nothing.
    pub on: String,
    /// Where it was done, each once.
    pub accounts: Vec<String>,
    pub count: u64,
    /// True of what happens all the time, and counts for nothing.
    pub is_noise: bool,
}

/// Which incidents each principal and each key is in.
pub struct Identities<'a>(BTreeMap<&'a Entity, Vec<&'a Incident>>);

impl<'a> Identities<'a> {
    pub fn of(all: &'a [Incident]) -> Identities<'a> {
        let mut identities: BTreeMap<&Entity, Vec<&Incident>> = BTreeMap::new();
        for incident in all {
            let entities = incident.entities.iter().map(|risk| &risk.entity);
            for entity in entities.filter(|entity| matches!(entity, Entity::Principal(..) | Entity::Key(_))) {
                identities.entry(entity).or_default().push(incident);
            }
        }
        Identities(identities)
    }
}

impl Story {
    pub const LINES_MAX: usize = 25;
    const REASONS: usize = 3;
    /// Related incidents that are named: those nearest in time.
    const RELATED_MAX: usize = 10;

    /// Whether the timeline has to say who did what.
    pub fn has_several_actors(&self) -> bool {
        self.timeline.windows(2).any(|pair| pair[0].who != pair[1].who)
    }

    /// Where a step was done, when the timeline has to say that: ` in account 111122223333`, or nothing.
    pub fn place(&self, step: &Step) -> String {
        let mut all = self.timeline.iter().flat_map(|step| &step.accounts);
        let is_told = all.next().is_some_and(|first| all.any(|account| account != first));
        if is_told { in_accounts(&step.accounts) } else { String::new() }
    }

    /// The story of an incident. `identities` are those of all there are, and `false_positives` is what a rule, by its id, is known
    /// to be wrong about.
    pub fn of<'a>(
        incident: &Incident,
        identities: &Identities,
        false_positives: impl Fn(&str) -> Option<&'a str>,
    ) -> Story {
        let rules = one_of_each_rule(incident);
        let benign = rules.iter().filter_map(|finding| {
            let text = false_positives(&finding.rule).filter(|text| !text.is_empty())?;
            Some(format!("{}: {text}", finding.said()))
        });
        let mut timeline = steps(incident);
        let steps_left_out = timeline.len().saturating_sub(Story::LINES_MAX);
        timeline.truncate(Story::LINES_MAX);
        Story {
            what_happened: what_happened(incident),
            why_now: why_now(incident),
            how_unusual: capped(how_unusual(&rules)),
            timeline,
            steps_left_out,
            touched: capped(touched(incident)),
            related: related(incident, identities),
            benign: capped(distinct(benign)),
            next: capped(next(incident)),
            events: distinct(incident.findings.iter().flat_map(Finding::events).map(|(_, id)| id.to_owned())),
        }
    }
}

/// The gravest finding of each rule with evidence, of equal ones the first: what was tried has another title than what was done.
/// Rules are in the order of time.
fn one_of_each_rule(incident: &Incident) -> Vec<&Finding> {
    let mut rules: Vec<&Finding> = Vec::new();
    for finding in incident.findings.iter().filter(|finding| is_evidence(finding)) {
        match rules.iter_mut().find(|known| known.rule == finding.rule) {
            Some(known) if finding.severity > known.severity => *known = finding,
            Some(_) => {}
            None => rules.push(finding),
        }
    }
    rules
}

fn what_happened(incident: &Incident) -> String {
    let lead = incident.lead();
    let all = incident.who();
    let (who, others) = match &all[..] {
        [] => ("an unnamed actor", &[][..]),
        [who, others @ ..] => (who.as_str(), others),
    };
    let mut text = who.to_owned();
    if !others.is_empty() {
        text.push_str(&format!(", with {}", listed(others, 3)));
    }
    let addresses = distinct(incident.findings.iter().flat_map(Finding::addresses));
    if !addresses.is_empty() {
        text.push_str(&format!(", from {}", listed(&addresses, 3)));
    }
    text.push_str(&format!(",{}: {}", in_accounts(&incident.accounts()), lead.said()));
    if !lead.resources.is_empty() {
        text.push_str(&format!(" ({})", on(&[lead])));
    }
    text.push_str(&match incident.size {
        1 => "; one finding".to_owned(),
        size => format!("; {size} findings in all"),
    });
    let tactics: Vec<_> = incident.tactics.iter().map(|tactic| tactic.as_str()).collect();
    if !tactics.is_empty() {
        text.push_str(&format!(", for {}", listed(&tactics, tactics.len())));
    }
    if incident.first_seen == incident.last_seen {
        text.push_str(&format!(", at {}.", incident.first_seen));
    } else {
        text.push_str(&format!(", from {} to {}.", incident.first_seen, incident.last_seen));
    }
    text
}

fn why_now(incident: &Incident) -> Vec<(f64, String)> {
    let (largest, rest) = incident.reasons.split_at(incident.reasons.len().min(Story::REASONS));
    let mut lines: Vec<_> =
        largest.iter().map(|reason| (reason.bits, format!("{}: {}", reason.what, reason.why))).collect();
    if !rest.is_empty() {
        let names: Vec<_> = rest.iter().map(|reason| reason.what.as_str()).collect();
        lines.push((rest.iter().map(|reason| reason.bits).sum(), format!("the rest: {}", names.join("; "))));
    }
    lines
}

/// The words of the findings' rarity, with the titles they are true of.
fn how_unusual(rules: &[&Finding]) -> Vec<String> {
    let mut words: Vec<(f64, &str, Vec<&str>)> = Vec::new();
    for finding in rules {
        let Some(rarity) = finding.terms.iter().find(|term| term.name == "rarity") else { continue };
        match words.iter_mut().find(|(_, why, _)| *why == rarity.why) {
            Some((_, _, titles)) => titles.push(finding.said()),
            None => words.push((rarity.bits, &rarity.why, vec![finding.said()])),
        }
    }
    // what was never seen before comes first
    words.sort_by(|a, b| b.0.total_cmp(&a.0));
    let line = |(bits, why, titles): (f64, &str, Vec<&str>)| format!("{why} ({bits:+.1} bits): {}", titles.join("; "));
    words.into_iter().map(line).collect()
}

fn steps(incident: &Incident) -> Vec<Step> {
    let mut steps: Vec<(&str, bool, Vec<&Finding>)> = Vec::new();
    for finding in &incident.findings {
        let noise = !is_evidence(finding);
        // a rule calls what was tried otherwise than what was done
        let same = |(rule, is_noise, of): &&mut (&str, bool, Vec<&Finding>)| {
            *rule == finding.rule && *is_noise == noise && of[0].title == finding.title && of[0].who() == finding.who()
        };
        match steps.iter_mut().find(same) {
            Some((_, _, of)) => of.push(finding),
            None => steps.push((&finding.rule, noise, vec![finding])),
        }
    }
    let step = |(_, is_noise, of): (&str, bool, Vec<&Finding>)| Step {
        time: came(of[0]),
        finding: of[0].id,
        tactic: Tactic::of(&of[0].tags),
        title: of[0].said().to_owned(),
        who: of[0].who(),
        on: on(&of),
        accounts: accounts_of(&of),
        count: matches(&of),
        is_noise,
    };
    let mut steps: Vec<Step> = steps.into_iter().map(step).collect();
    // what was found of one instant is told in the order of an attack
    steps.sort_by(|a, b| {
        let key = |step: &Step| (step.time, step.tactic.is_none(), step.tactic);
        key(a).cmp(&key(b)).then_with(|| a.title.cmp(&b.title))
    });
    steps
}

/// What the rules advise, and about what. What stops the harm that is being done stands before what asks how it began.
fn next(incident: &Incident) -> Vec<String> {
    let mut evidence: Vec<&Finding> = incident.findings.iter().filter(|finding| is_evidence(finding)).collect();
    evidence.sort_by_key(|finding| Reverse((finding.severity, Tactic::of(&finding.tags))));
    let mut steps: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in evidence {
        match steps.iter_mut().find(|(remedy, _)| *remedy == finding.remedy) {
            Some((_, of)) => of.push(finding),
            None => steps.push((&finding.remedy, vec![finding])),
        }
    }
    let has_several_accounts = incident.accounts().len() > 1;
    let step = |(remedy, of): (&str, Vec<&Finding>)| {
        let things = match &things(&of)[..] {
            [] => String::new(),
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first} +{}", rest.len()),
        };
        let place = if has_several_accounts { in_accounts(&accounts_of(&of)) } else { String::new() };
        match format!("{things}{place}").trim_start() {
            "" => remedy.to_owned(),
            about => format!("{about}: {remedy}"),
        }
    };
    steps.into_iter().map(step).collect()
}

/// What findings were done to, but for who did it and the account as a whole.
fn things(findings: &[&Finding]) -> Vec<String> {
    let is_told = |finding: &Finding, name: &str| name == finding.who() || name == finding.account;
    named_once(findings, |finding, name| !is_told(finding, name))
}

fn on(findings: &[&Finding]) -> String {
    let or_more = if findings.iter().any(|finding| finding.has_more_resources()) { " or more" } else { "" };
    match &named_once(findings, |_, _| true)[..] {
        [] => String::new(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} +{}{or_more}", rest.len()),
    }
}

/// The names of the resources that are wanted, each resource once: two accounts may call theirs the same.
fn named_once(findings: &[&Finding], is_wanted: impl Fn(&Finding, &str) -> bool) -> Vec<String> {
    let (mut seen, mut names) = (BTreeSet::new(), Vec::new());
    for &finding in findings {
        for resource in &finding.resources {
            let name = named(resource);
            if is_wanted(finding, &name) && seen.insert((owner(resource, finding), name.clone())) {
                names.push(name);
            }
        }
    }
    names
}

/// The name of a resource; of a function the same by its ARN as where a call had its name.
fn named(resource: &Resource) -> String {
    let name = resource.short();
    name.strip_prefix("function:").map(str::to_owned).unwrap_or(name)
}

/// The account that the ARN names, nothing where an ARN has none, and for other names that of the finding.
fn owner<'a>(resource: &'a Resource, finding: &'a Finding) -> &'a str {
    let mut parts = resource.0.splitn(6, ':');
    match (parts.next(), parts.nth(3)) {
        (Some("arn"), Some(account)) => account,
        _ => &finding.account,
    }
}

fn accounts_of(findings: &[&Finding]) -> Vec<String> {
    distinct(findings.iter().map(|finding| finding.account.clone()))
}

/// ` in account 111122223333`, ` in accounts 111122223333 and 444455556666`.
fn in_accounts(accounts: &[String]) -> String {
    let word = if accounts.len() == 1 { "account" } else { "accounts" };
    format!(" in {word} {}", listed(accounts, 3))
}

/// What was acted on, by account and Region, and then the entities at most risk.
fn touched(incident: &Incident) -> Vec<String> {
    let place = |finding: &Finding| format!("account {}, {}", finding.account, finding.region);
    let mut lines = Vec::new();
    for name in distinct(incident.findings.iter().map(place)) {
        let here = incident.findings.iter().filter(|finding| place(finding) == name);
        let things = distinct(here.flat_map(|finding| &finding.resources).map(named));
        lines.push(match things.is_empty() {
            true => name,
            false => format!("{name}: {}", listed(&things, 10)),
        });
    }
    let others = other_accounts(incident);
    if !others.is_empty() {
        lines.push(format!("other accounts in it: {}", listed(&others, 10)));
    }
    let risk = |risk: &super::risk::Risk| format!("{} ({:.1})", risk.entity, risk.bits);
    let risks: Vec<_> = incident.entities.iter().take(3).map(risk).collect();
    if !risks.is_empty() {
        lines.push(format!("most at risk, in bits: {}", risks.join(", ")));
    }
    lines
}

/// Accounts that the findings name and that none of them is of: whom a snapshot was shared with, whom a role lets in, who came in.
fn other_accounts(incident: &Incident) -> Vec<String> {
    let own: BTreeSet<&str> = incident.findings.iter().map(|finding| finding.account.as_str()).collect();
    let texts = |finding: &'_ Finding| -> Vec<String> {
        let evidence = finding.evidence.iter().map(|(_, value)| value);
        let names =
            finding.resources.iter().map(|resource| &resource.0).chain(&finding.actor).chain(&finding.assumed_by);
        evidence.chain(names).flat_map(|text| accounts(text)).map(str::to_owned).collect()
    };
    let named = incident.findings.iter().flat_map(texts);
    distinct(named.filter(|account| !own.contains(account.as_str())))
}

/// Twelve digits that stand alone, as in a list, or between the colons of an ARN. Those in the name of a bucket are part of that.
fn accounts(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && !"-_./…".contains(sign));
    words.filter(|word| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whoever waits for longer than what is joined goes on in another incident.
fn related(incident: &Incident, identities: &Identities) -> Vec<String> {
    let mut others: BTreeMap<IncidentId, (&Incident, Vec<String>)> = BTreeMap::new();
    for entity in incident.entities.iter().map(|risk| &risk.entity) {
        for &other in identities.0.get(entity).into_iter().flatten() {
            others.entry(other.id).or_insert((other, Vec::new())).1.push(entity.to_string());
        }
    }
    others.remove(&incident.id);
    let mut others: Vec<(&Incident, Vec<String>)> = others.into_values().collect();
    others.sort_by_key(|(other, _)| (apart(incident, other), other.id));
    let more = others.len().saturating_sub(Story::RELATED_MAX);
    others.truncate(Story::RELATED_MAX);
    others.sort_by_key(|(other, _)| (other.first_seen, other.id));
    let line = |(other, names): &(&Incident, Vec<String>)| {
        let id = &other.id.to_string()[..8];
        let (severity, title) = (other.severity, other.lead().said());
        format!("{id}, {severity}, from {}: {title}; by {}", other.first_seen, listed(names, 3))
    };
    let mut lines: Vec<String> = others.iter().map(line).collect();
    lines.extend((more > 0).then(|| format!("and {more} more")));
    lines
}

/// Microseconds between two incidents, 0 where one begins before the other is over.
fn apart(a: &Incident, b: &Incident) -> i64 {
    let (before, after) = (a.first_seen.0.saturating_sub(b.last_seen.0), b.first_seen.0.saturating_sub(a.last_seen.0));
    before.max(after).max(0)
}

fn capped(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(Story::LINES_MAX);
    if more > 0 {
        lines.truncate(Story::LINES_MAX);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn distinct(all: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

/// `a, b and c`, or `a, b and 7 more`.
fn listed<T: AsRef<str>>(all: &[T], most: usize) -> String {
    let names: Vec<&str> = all.iter().map(AsRef::as_ref).collect();
    match &names[..] {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] if names.len() <= most => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names[..most].join(", "), names.len() - most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Term;
    use crate::triage::incident::incidents;
    use crate::triage::incident::tests::{at_hour, finding};

    fn attack() -> Incident {
        let mut found = [
            finding("a/key", "high", 0.0, 9.0),
            finding("a/user", "medium", 1.0, 4.0),
            finding("a/n", "low", 1.5, -1.0),
        ];
        for (finding, tactic) in found.iter_mut().zip(["persistence", "impact", "impact"]) {
            finding.tags = vec![format!("attack.{tactic}")];
            finding.source_ip = Some("198.51.100.7".into());
        }
        found[0].resources = ["user/eve", "user/tom"].map(|name| Resource(name.into())).to_vec();
        found[1].count = 4;
        found[1].terms.push(Term { name: "rarity", bits: 2.0, why: "in 1 of 9 hours".into() });
        found[1].remedy = "Call them.".into();
        incidents(&found).remove(0)
    }

    #[test]
    fn it_is_told_in_order() {
        let story = Story::of(&attack(), &Identities::of(&[]), |rule| (rule == "a/user").then_some("Terraform."));
        assert_eq!(
            story.what_happened,
            "user/bob, from 198.51.100.7, in account 111122223333: a/key happened (user/eve +1); 3 findings in all, for \
             persistence and impact, from 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z."
        );
        // six bits an hour after the gravest are 6 * 2^(-1/6)
        let why: Vec<_> = story.why_now.iter().map(|(bits, why)| format!("{bits:.2} {why}")).collect();
        let expected = [
            "9.00 a/key happened: severity +9.0",
            "5.85 a/user happened: severity +4.0, rarity +2.0, faded over 1 h, 4 matches +0.5",
            "5.00 2 tactics of an attack: persistence, then impact",
        ];
        assert_eq!(why, expected);
        assert_eq!(story.how_unusual, ["in 1 of 9 hours (+2.0 bits): a/user happened"]);
        assert_eq!(story.benign, ["a/user happened: Terraform."]);
        assert_eq!(story.next, ["user/eve +1: Ask the owner.", "Call them."]);
        assert_eq!(story.events, ["e"]);
        assert_eq!(story.touched[0], "account 111122223333, us-east-1: user/eve and user/tom");
    }

    #[test]
    fn a_title_that_ends_with_a_full_stop_goes_on_without_it() {
        let mut found = attack().findings;
        found[0].title = "Credentials were used elsewhere.".into();
        found[0].terms.push(Term { name: "rarity", bits: 2.0, why: "in 1 of 7 hours".into() });
        let story = Story::of(&incidents(&found)[0], &Identities::of(&[]), |_| Some("Terraform."));
        assert_eq!(story.timeline[0].title, "Credentials were used elsewhere");
        assert!(story.why_now[0].1.starts_with("Credentials were used elsewhere: "), "{story:?}");
        assert!(story.how_unusual.iter().any(|line| line.ends_with("Credentials were used elsewhere")), "{story:?}");
        assert_eq!(story.benign[0], "Credentials were used elsewhere: Terraform.");
    }

    #[test]
    fn a_function_is_listed_once_by_its_arn_and_its_name() {
        let mut found = attack().findings;
        let arn = "arn:aws:lambda:us-east-1:111122223333:function:logs-helper";
        found[0].resources = [arn, "logs-helper"].map(|name| Resource(name.into())).to_vec();
        let story = Story::of(&incidents(&found)[0], &Identities::of(&[]), |_| None);
        assert_eq!(story.timeline[0].on, "logs-helper");
        assert_eq!(story.touched[0], "account 111122223333, us-east-1: logs-helper");
    }

    #[test]
    fn what_to_do_about_the_gravest_comes_first() {
        let remedy = |severity: &str, tactic: &str, hour: f64| {
            let mut found = finding(&format!("a/{severity}/{tactic}"), severity, hour, 9.0);
            found.remedy = format!("{severity} {tactic}");
            found.tags = vec![format!("attack.{tactic}")];
            found
        };
        let mut found = [
            remedy("low", "impact", 0.0),
            remedy("high", "discovery", 0.1),
            remedy("high", "impact", 0.2),
            remedy("critical", "execution", 1.0),
        ];
        let story = Story::of(&incidents(&found)[0], &Identities::of(&[]), |_| None);
        assert_eq!(story.next, ["critical execution", "high impact", "high discovery", "low impact"]);
        // who did it and the whole account are told already
        found[1].resources = ["user/bob", "111122223333", "key/1"].map(|name| Resource(name.into())).to_vec();
        let story = Story::of(&incidents(&found)[0], &Identities::of(&[]), |_| None);
        assert_eq!(story.next[2], "key/1: high discovery");
    }

    #[test]
    fn the_timeline_has_a_step_for_each_actor_and_rule() {
        let mut again = finding("a/key", "high", 1.0, 9.0);
        again.resources = vec![Resource("user/kim".into())];
        let mut found = attack().findings;
        found.push(again);
        let story = Story::of(&incidents(&found)[0], &Identities::of(&[]), |_| None);
        let step = |step: &Step| format!("{} {} {} x{} {}", step.time, step.title, step.on, step.count, step.is_noise);
        let expected = [
            "1970-01-01T00:00:00Z a/key happened user/eve +2 x2 false",
            "1970-01-01T01:00:00Z a/user happened  x4 false",
            "1970-01-01T01:30:00Z a/n happened  x1 true",
        ];
        assert_eq!(story.timeline.iter().map(step).collect::<Vec<_>>(), expected);
        assert_eq!(story.timeline[1].time, at_hour(1.0));
        assert_eq!(story.timeline[0].finding, attack().findings[0].id, "the first of two");
        assert_eq!(story.timeline[1].tactic, Some(Tactic::Impact));
    }

    #[test]
    fn what_was_done_in_several_accounts_is_told_with_them() {
        let in_account = |account: &str, hour: f64, resource: &str| {
            let mut found = finding("a/trail", "high", hour, 9.0);
            found.id = FindingId::new("a/trail", &[Some(account), Some(resource)], 0);
            found.account = account.into();
            found.assumed_by = vec!["arn:aws:iam::111122223333:user/eve".into()];
            found.resources = vec![Resource(resource.into())];
            found
        };
        let story_of = |found: &[Finding]| Story::of(&incidents(found)[0], &Identities::of(&[]), |_| None);
        // each account has a trail of this name; a bucket is one, whoever sees it
        let mut found = vec![
            in_account("222233334444", 0.0, "main"),
            in_account("333344445555", 0.1, "main"),
            in_account("222233334444", 0.2, "arn:aws:s3:::logs"),
            in_account("333344445555", 0.3, "arn:aws:s3:::logs"),
        ];
        let story = story_of(&found);
        let place = " in accounts 222233334444 and 333344445555";
        assert_eq!((story.timeline[0].on.as_str(), story.place(&story.timeline[0]).as_str()), ("main +2", place));
        assert_eq!(story.next, [format!("main +2{place}: Ask the owner.")]);
        assert!(
            story.what_happened.starts_with("user/bob, with user/eve, in accounts 222233334444 and 333344445555: ")
        );
        // what is of the account as a whole
        found.iter_mut().for_each(|finding| finding.resources = vec![Resource(finding.account.clone())]);
        assert_eq!(story_of(&found).next, ["in accounts 222233334444 and 333344445555: Ask the owner."]);
        // of one account it is said once
        let story = story_of(&found[..1]);
        assert_eq!((story.place(&story.timeline[0]).as_str(), story.next[0].as_str()), ("", "Ask the owner."));
    }

    #[test]
    fn what_was_done_is_not_told_as_what_was_tried() {
        let mut found = attack().findings;
        let mut done = finding("a/user", "high", 1.2, 9.0);
        done.title = "It is gone".into();
        done.terms.push(Term { name: "rarity", bits: 2.0, why: "in 1 of 9 hours".into() });
        found.push(done);
        let story = Story::of(&incidents(&found)[0], &Identities::of(&[]), |_| None);
        let step = |step: &Step| format!("{} x{}", step.title, step.count);
        let expected = ["a/key happened x1", "a/user happened x4", "It is gone x1", "a/n happened x1"];
        assert_eq!(story.timeline.iter().map(step).collect::<Vec<_>>(), expected);
        assert_eq!(story.how_unusual, ["in 1 of 9 hours (+2.0 bits): It is gone"]);
    }

    #[test]
    fn what_the_same_principals_did_days_apart_is_related() {
        let at_days = |days: &[f64]| -> Vec<Incident> {
            let all = days.iter().map(|day| finding("a/key", "high", day * 24.0, 9.0)).collect::<Vec<_>>();
            let mut stranger = finding("a/other", "high", 0.0, 9.0);
            stranger.actor = Some("arn:aws:iam::111122223333:user/tom".into());
            incidents(&[&all[..], &[stranger]].concat())
        };
        let all = at_days(&[0.0, 5.0, 12.0]);
        let middle = all.iter().find(|one| one.first_seen == at_hour(120.0)).unwrap();
        let of = |hour: f64, time: &str| {
            let one = all.iter().find(|one| one.first_seen == at_hour(hour) && one.who() == ["user/bob"]).unwrap();
            let id = &one.id.to_string()[..8];
            format!("{id}, high, from {time}: a/key happened; by user/bob of 111122223333")
        };
        let expected = [of(0.0, "1970-01-01T00:00:00Z"), of(288.0, "1970-01-13T00:00:00Z")];
        assert_eq!(Story::of(middle, &Identities::of(&all), |_| None).related, expected);
        // of many those that are nearest
        let days: Vec<f64> = (0..13).map(f64::from).collect();
        let all = at_days(&days);
        let first = all.iter().find(|one| one.first_seen == at_hour(0.0) && one.who() == ["user/bob"]).unwrap();
        let related = Story::of(first, &Identities::of(&all), |_| None).related;
        assert!(related[0].contains("from 1970-01-02") && related[9].contains("from 1970-01-11"), "{related:?}");
        assert_eq!((related.len(), related.last().unwrap().as_str()), (11, "and 2 more"));
    }

    #[test]
    fn other_accounts_are_named() {
        let mut shared = finding("a/shared", "high", 0.0, 9.0);
        shared.evidence = vec![
            ("shared_with".into(), r#"{"items":[{"userId":"444455556666"}]}"#.into()),
            (
                "policy".into(),
                r#"{"AWS": "arn:aws:iam::777788889999:root", "of": "arn:aws:iam::111122223333:root"}"#.into(),
            ),
            ("bucket".into(), "logs-222233334444/AWSLogs/222233334444".into()),
            ("cut".into(), "444455556667…".into()),
        ];
        let story = Story::of(&incidents(&[shared])[0], &Identities::of(&[]), |_| None);
        assert!(story.touched.contains(&"other accounts in it: 444455556666 and 777788889999".into()), "{story:?}");
        let story = Story::of(&attack(), &Identities::of(&[]), |_| None);
        assert!(!story.touched.iter().any(|line| line.starts_with("other")), "{story:?}");
    }

    #[test]
    fn resources_that_a_finding_had_no_room_for_are_not_left_unsaid() {
        let with = |count: usize| {
            let mut found = finding("a/key", "high", 0.0, 9.0);
            found.resources = (0..count).map(|n| Resource(format!("key/{n:02}"))).collect();
            Story::of(&incidents(&[found])[0], &Identities::of(&[]), |_| None).timeline[0].on.clone()
        };
        assert_eq!(with(Finding::RESOURCES_MAX), "key/00 +19 or more");
        assert_eq!(with(Finding::RESOURCES_MAX - 1), "key/00 +18");
    }

    #[test]
    fn what_is_too_much_is_counted() {
        assert_eq!(listed(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(listed(&["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(capped(vec!["x".into(); 26]).last().unwrap(), "and 1 more");
        assert_eq!(capped(vec!["x".into(); 25]).len(), 25);
    }
}
