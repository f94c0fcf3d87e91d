//! Text of a query file → [`Rule`]: the TOML header behind `--`, then one SELECT. `queries/README.md` is the reference.

use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Confidence, Fires, Rule, RuleError, Severity, dialect, shape};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND};

/// Longest title, in characters: it has to fit a line of the findings table.
pub const TITLE_MAX: usize = 120;

/// Reads one rule. `file` is what people are shown; `id` is `<table>/<name>`.
///
/// Whether the columns and functions it names exist is known when it is compiled (`detect`).
pub fn parse(id: &str, file: &str, text: &str) -> Result<Rule, RuleError> {
    let fail =
        |(line, column): (usize, usize), message: String| RuleError { file: file.to_owned(), line, column, message };
    let comments = header_lines(text);
    let toml = comments.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    let header: Header = toml::from_str(&toml).map_err(|error| {
        fail(place(&comments, error.span()), error.message().lines().next().unwrap_or("bad TOML").to_owned())
    })?;
    header.check().map_err(|(key, message)| fail(line_of(&comments, key), message))?;

    let statements = dialect::parse(text).map_err(|error| fail((error.line, error.column), error.message))?;
    let after = (comments.len() + 1, 1);
    let statement = match (statements.len(), statements.into_iter().next()) {
        (1, Some(statement)) => statement,
        (0, _) => return Err(fail(after, "there is no query behind the header".into())),
        (count, _) => return Err(fail(after, format!("a rule is one query, here are {count}"))),
    };
    let (table, fires) =
        shape::table(&statement).map_err(|misfit| fail(misfit.place(text).unwrap_or(after), misfit.message()))?;
    if fires == Fires::PerWindow && !header.key.is_empty() {
        return Err(fail(
            line_of(&comments, "key"),
            "the key of a rule that groups is what it groups or partitions by".into(),
        ));
    }
    if fires == Fires::PerRow && header.lateness.is_some() {
        let message = "`lateness` is for rules over windows".into();
        return Err(fail(line_of(&comments, "lateness"), message));
    }

    Ok(Rule {
        id: id.to_owned(),
        title: header.title,
        severity: header.severity.0,
        confidence: header.confidence.0,
        table,
        fires,
        text: text.to_owned(),
        key: header.key,
        dedupe_micros: header.dedupe.0,
        lateness_micros: header.lateness.map(|period| period.0),
        tags: header.tags,
        remedy: header.remedy,
        false_positives: header.false_positives,
        description: header.description,
        author: header.author,
        references: header.references,
        needs: header.needs,
        aws_services: header.aws_services,
        file: file.to_owned(),
        asks: shape::asks(&statement),
        learns: shape::learns(&statement),
        made_from: None,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    title: String,
    severity: Word<Severity>,
    tags: Vec<String>,
    remedy: String,
    #[serde(default)]
    key: Vec<String>,
    #[serde(default = "a_day")]
    dedupe: Period,
    #[serde(default)]
    lateness: Option<Period>,
    #[serde(default = "medium")]
    confidence: Word<Confidence>,
    #[serde(default)]
    aws_services: bool,
    #[serde(default)]
    false_positives: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    references: Vec<String>,
    #[serde(default)]
    needs: Option<String>,
}

impl Header {
    /// The key at fault, and what is wrong with it.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let length = self.title.chars().count();
        if length == 0 || length > TITLE_MAX {
            return Err(("title", format!("a title has 1 to {TITLE_MAX} characters, this one {length}")));
        }
        if self.title.chars().any(char::is_control) {
            return Err(("title", "the title has a control character, which terminals may obey".into()));
        }
        if self.remedy.trim().is_empty() {
            return Err(("remedy", "the remedy is empty: name the next step".into()));
        }
        let tag = |tag: &&String| tag.is_empty() || tag.chars().any(|c| c.is_uppercase() || c.is_whitespace());
        match self.tags.iter().find(tag) {
            _ if self.tags.is_empty() => Err(("tags", "tags are empty: name a tactic and a technique".into())),
            Some(tag) => {
                Err(("tags", format!("tag `{tag}` is not lower case without spaces, such as `attack.t1078.004`")))
            }
            None => Ok(()),
        }
    }
}

/// A word of a closed set.
struct Word<T>(T);

impl<'de, T: std::str::FromStr<Err = String>> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Word<T>, D::Error> {
        String::deserialize(from)?.parse().map(Word).map_err(D::Error::custom)
    }
}

fn medium() -> Word<Confidence> {
    Word(Confidence::Medium)
}

/// A length of time in microseconds, written as a whole number and a unit: `30s`, `15m`, `24h`, `7d`.
struct Period(i64);

fn a_day() -> Period {
    Period(MICROS_PER_DAY)
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        let text = String::deserialize(from)?;
        let micros = |unit: char| match unit {
            's' => Some(MICROS_PER_SECOND),
            'm' => Some(60 * MICROS_PER_SECOND),
            'h' => Some(MICROS_PER_HOUR),
            'd' => Some(MICROS_PER_DAY),
            _ => None,
        };
        let period = || {
            let unit = text.chars().next_back()?;
            let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
            number.checked_mul(micros(unit)?).filter(|period| *period > 0)
        };
        period().map(Period).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is not a period: write a whole number and s, m, h or d, such as `24h`"))
        })
    }
}

/// The leading comment lines: how many bytes their marker takes, and what is behind it.
fn header_lines(text: &str) -> Vec<(usize, &str)> {
    let comment = |line| {
        let rest = str::strip_prefix(line, "--")?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        Some((line.len() - rest.len(), rest))
    };
    text.lines().map_while(comment).collect()
}

/// Line and column in the file of a span of the joined header; the first line when there is none.
fn place(comments: &[(usize, &str)], span: Option<Range<usize>>) -> (usize, usize) {
    let mut left = span.map_or(0, |span| span.start);
    for (index, (marker, line)) in comments.iter().enumerate() {
        if left <= line.len() {
            return (index + 1, marker + left + 1);
        }
        left -= line.len() + 1;
    }
    (1, 1)
}

/// Line and column of a key of the header of a rule's text.
pub fn header_place(text: &str, key: &str) -> (usize, usize) {
    line_of(&header_lines(text), key)
}

/// What stands behind the header of a rule's text.
pub fn query_text(text: &str) -> &str {
    let header = text.split_inclusive('\n').take_while(|line| line.starts_with("--"));
    &text[header.map(str::len).sum()..]
}

fn line_of(comments: &[(usize, &str)], key: &str) -> (usize, usize) {
    let is_key =
        |line: &str| line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let index = comments.iter().position(|(_, line)| is_key(line));
    index.map_or((1, 1), |index| (index + 1, comments[index].0 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
-- title    = \"Root signed in\"
-- severity = \"high\"
-- tags     = [\"attack.initial_access\"]
-- remedy   = \"Ask.\"
SELECT eventTime
FROM cloudtrail
WHERE eventName = 'ConsoleLogin'
";

    fn refused(text: &str) -> String {
        parse("cloudtrail/x", "x.sql", text).unwrap_err().to_string()
    }

    #[test]
    fn a_header_gives_the_rest_its_defaults() {
        let rule = parse("cloudtrail/x", "x.sql", GOOD).unwrap();
        assert_eq!((rule.id.as_str(), rule.table.as_str()), ("cloudtrail/x", "cloudtrail"));
        assert_eq!((rule.severity, rule.confidence), (Severity::High, Confidence::Medium));
        assert_eq!((rule.dedupe_micros, rule.aws_services), (86_400_000_000, false));
        assert!(rule.key.is_empty());
    }

    #[test]
    fn every_key_is_read() {
        let header = "-- dedupe = \"15m\"\n-- confidence = \"low\"\n-- aws_services = true\n-- key = [\"account\"]\n-- needs = \"city\"\n";
        let rule = parse("cloudtrail/x", "x.sql", &format!("{header}{GOOD}")).unwrap();
        assert_eq!((rule.dedupe_micros, rule.confidence), (900_000_000, Confidence::Low));
        assert_eq!((rule.aws_services, rule.key), (true, vec!["account".to_owned()]));
        assert_eq!(rule.needs.as_deref(), Some("city"));
    }

    #[test]
    fn a_mistake_in_the_header_has_a_place() {
        let with = |line: &str| refused(&format!("{line}\n{GOOD}"));
        assert!(
            with("-- titel = \"x\"").starts_with("x.sql:1:4: unknown field `titel`"),
            "{}",
            with("-- titel = \"x\"")
        );
        let severity = refused(&GOOD.replace("\"high\"", "\"hihg\""));
        assert!(severity.starts_with("x.sql:2:15: `hihg` is not a severity"), "{severity}");
        let missing = refused(&GOOD.replace("-- remedy   = \"Ask.\"\n", ""));
        assert_eq!(missing, "x.sql:1:4: missing field `remedy`");
        let open = refused(&GOOD.replace("\"Ask.\"", "\"Ask."));
        assert!(open.starts_with("x.sql:4:"), "{open}");
        assert!(with("-- dedupe = \"1 day\"").starts_with("x.sql:1:13: `1 day` is not a period"));
        let title = refused(&GOOD.replace("Root signed in", "\\u001b[31mRoot"));
        assert!(title.starts_with("x.sql:1:4: the title has a control character"), "{title}");
        let tags = refused(&GOOD.replace("attack.initial_access", "Attack"));
        assert!(tags.starts_with("x.sql:3:4: tag `Attack`"), "{tags}");
    }

    #[test]
    fn a_mistake_in_the_query_has_a_place() {
        let comma = refused(&GOOD.replace("eventTime", "eventTime,,"));
        assert!(comma.starts_with("x.sql:5:18: "), "{comma}");
        assert_eq!(refused(&format!("{GOOD};SELECT 1")), "x.sql:5:1: a rule is one query, here are 2");
        let grouped = refused(&format!("{GOOD}GROUP BY eventTime"));
        assert_eq!(grouped, "x.sql:8:1: a rule that groups needs a HAVING: without one every group is a finding");
        let having = refused(&format!("{GOOD}HAVING count(*) > 1"));
        assert!(having.starts_with("x.sql:8:1: HAVING needs a GROUP BY with a window"), "{having}");
        let grouping = format!("{GOOD}GROUP BY tumble(eventTime, INTERVAL '1 hour') HAVING count(*) > 1");
        let key = refused(&format!("-- key = [\"account\"]\n{grouping}"));
        assert_eq!(key, "x.sql:1:4: the key of a rule that groups is what it groups or partitions by");
        assert_eq!(parse("cloudtrail/x", "x.sql", &grouping).unwrap().fires, Fires::PerWindow);
        let late = refused(&format!("-- lateness = \"1h\"\n{GOOD}"));
        assert_eq!(late, "x.sql:1:4: `lateness` is for rules over windows");
    }
}
