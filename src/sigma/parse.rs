//! Text of a YAML file → its Sigma documents, each with its place in the file, and what in them is not Sigma.

use rsigma_parser::{SigmaCollection, SigmaDocument, parse_sigma_yaml};
use yaml_serde::Value;

use super::place::{Lines, Place};

/// A rule, a correlation or a filter.
#[derive(Debug)]
pub struct Document {
    pub parsed: SigmaDocument,
    pub lines: Lines,
}

/// What is wrong, and where.
pub type Wrong = (Place, String);

/// Reads every document of a file. One that is wrong does not keep the others from being read, as far as YAML lets them.
pub fn parse(text: &str) -> (Vec<Document>, Vec<Wrong>) {
    let (mut documents, mut wrong) = (Vec::new(), Vec::new());
    let all = Lines::documents(text);
    if all.is_empty() {
        wrong.push(((1, 1), "the file has no rule in it".to_owned()));
    }
    // one with an action depends on those before it, and any other on the last global one
    let (mut global, mut before, mut read) = (String::new(), String::new(), Read::default());
    let mut is_global_lost = false;
    for lines in all {
        let action = lines.action();
        // of a global document that is no YAML is told once, and not of each that it is for
        if is_global_lost && !matches!(action, Some("global" | "reset")) {
            continue;
        }
        if action.is_none() {
            before.clone_from(&global);
            read = Read::default();
        }
        if !before.is_empty() {
            before.push_str("---\n");
        }
        let above = before.lines().count();
        before.push_str(&lines.text);
        match action {
            Some("global") => global.clone_from(&lines.text),
            Some("reset") => global.clear(),
            Some(_) | None => {}
        }
        is_global_lost = action == Some("global") && yaml_serde::from_str::<Value>(&lines.text).is_err();
        match parse_sigma_yaml(&before) {
            Ok(collection) => {
                let (new, errors) = read.new_in(collection);
                match (errors.first(), new) {
                    (Some(error), _) => wrong.push(explain(error, &lines, above)),
                    (None, Some(parsed)) => documents.push(Document { parsed, lines }),
                    // an action, which is no document by itself
                    (None, None) => {}
                }
            }
            Err(error) => wrong.push(explain(&error.to_string(), &lines, above)),
        }
        if is_global_lost {
            global.clear();
            before.clear();
            read = Read::default();
        }
    }
    (documents, wrong)
}

/// A correlation that cannot be read, and lets none of its rules be by themselves.
pub struct Unread {
    pub title: String,
    /// As it names them.
    pub rules: Vec<String>,
}

/// What can be told of the correlation in a document that is wrong; `None` where there is none, or its text is no YAML.
pub fn unread_correlation(lines: &Lines) -> Option<Unread> {
    let document: Value = yaml_serde::from_str(&lines.text).ok()?;
    let correlation = document.get("correlation")?;
    let generates = |place: &Value| place.get("generate").and_then(Value::as_bool) == Some(true);
    if generates(&document) || generates(correlation) {
        return None;
    }
    let rules = correlation.get("rules")?;
    let names = rules.as_sequence().map_or(std::slice::from_ref(rules), Vec::as_slice);
    let title = document.get("title").and_then(Value::as_str).unwrap_or("without a title");
    Some(Unread { title: title.to_owned(), rules: names.iter().filter_map(Value::as_str).map(str::to_owned).collect() })
}

/// How much of a growing text has been read.
#[derive(Default)]
struct Read {
    rules: usize,
    correlations: usize,
    filters: usize,
    errors: usize,
}

impl Read {
    /// What its last document is, and what is wrong with it.
    fn new_in(&mut self, all: SigmaCollection) -> (Option<SigmaDocument>, Vec<String>) {
        let before = std::mem::replace(
            self,
            Read {
                rules: all.rules.len(),
                correlations: all.correlations.len(),
                filters: all.filters.len(),
                errors: all.errors.len(),
            },
        );
        let rule = all.rules.into_iter().nth(before.rules).map(|rule| SigmaDocument::Rule(Box::new(rule)));
        let correlation = all.correlations.into_iter().nth(before.correlations).map(SigmaDocument::Correlation);
        let filter = all.filters.into_iter().nth(before.filters).map(SigmaDocument::Filter);
        (rule.or(correlation).or(filter), all.errors.into_iter().skip(before.errors).collect())
    }
}

/// The parser says what is wrong in words only; the words say where to look. It was given so many lines above the document's.
fn explain(error: &str, lines: &Lines, above: usize) -> Wrong {
    let quoted = || error.split('\'').nth(1).unwrap_or_default();
    if let Some(yaml) = error.strip_prefix("YAML parse error: ") {
        return not_yaml(yaml, lines, above);
    }
    let sections = ["correlation", "filter", "detection"];
    let section = sections.into_iter().find(|section| lines.has(&[*section])).unwrap_or("detection");
    if error.starts_with("Condition") {
        let place = lines.key(&[section, "condition"]);
        let behind = lines.value(&[section, "condition"], "|");
        if behind != place {
            return (behind, "aggregations behind `|` are no longer Sigma: write a correlation".to_owned());
        }
        return (place, format!("the condition cannot be read: {}", unread_condition(error)));
    }
    if error.starts_with("Unknown modifier") {
        let place = lines.text(&format!("|{}", quoted())).map(|(line, column)| (line, column + 1));
        return (place.unwrap_or(lines.start()), format!("there is no modifier `{}`", quoted()));
    }
    if error.starts_with("`not` is not a value modifier") {
        let place = lines.text("|not").map(|(line, column)| (line, column + 1));
        return (place.unwrap_or(lines.start()), "`not` is not a modifier: write it in the condition".to_owned());
    }
    if error.starts_with("Missing required field") {
        return match quoted() {
            "condition" => (lines.key(&[section]), "`condition` is missing".to_owned()),
            name if lines.has(&[name]) && sections.contains(&name) => {
                (lines.key(&[name]), "a mapping is missing here".to_owned())
            }
            name if lines.has(&[name]) => (lines.key(&[name]), format!("`{name}` is no text")),
            name => (lines.start(), format!("`{name}` is missing")),
        };
    }
    if error.starts_with("Invalid detection: condition must be") {
        let message = "the condition is a text, or a list of texts".to_owned();
        return (lines.key(&[section, "condition"]), message);
    }
    if error.starts_with("Invalid detection: Detection section must be") {
        let message = "a mapping is missing here: names with what each looks for, and `condition`".to_owned();
        return (lines.key(&[section]), message);
    }
    if error.starts_with("Invalid rule: logsource must be") {
        let message = "a mapping is missing here, such as `product: aws` with `service: cloudtrail`".to_owned();
        return (lines.key(&["logsource"]), message);
    }
    if let Some((key, value)) = error.strip_prefix("invalid ").and_then(|rest| rest.split_once(": ")) {
        let known = match key {
            "level" => ": these are informational, low, medium, high and critical",
            "status" => ": these are stable, test, experimental, deprecated and unsupported",
            _ => "",
        };
        return (lines.key(&[key]), format!("`{}` is not a {key} of Sigma{known}", value.trim_matches('\'')));
    }
    if let Some(kind) = error.strip_prefix("Invalid correlation rule: Unknown correlation type: ") {
        return (lines.key(&["correlation", "type"]), format!("there is no correlation `{kind}`"));
    }
    if error.starts_with("Invalid correlation rule: correlation condition operator") {
        let message = "the condition compares a whole number, as in `gte: 10`".to_owned();
        return (lines.key(&["correlation", "condition"]), message);
    }
    if error.starts_with("Invalid correlation rule: Correlation condition must have an operator") {
        let message = "the condition compares by lt, lte, gt, gte, eq or neq, as in `gte: 10`".to_owned();
        return (lines.key(&["correlation", "condition"]), message);
    }
    if error.starts_with("Invalid correlation rule: Non-temporal correlation rule requires a condition") {
        return (lines.key(&["correlation"]), "`condition` is missing, as in `gte: 10`".to_owned());
    }
    if error.starts_with("Invalid correlation rule: Missing timeframe") {
        let keys = ["timespan", "timeframe"].map(|key| ["correlation", key]);
        return match keys.into_iter().find(|key| lines.has(key)) {
            Some(key) => (lines.key(&key), "a timespan is a number and its unit, such as 15m".to_owned()),
            None => (lines.key(&["correlation"]), "`timespan` is missing, as in `timespan: 5m`".to_owned()),
        };
    }
    if let Some(window) = error.strip_prefix("Invalid correlation rule: Unknown window mode: ") {
        let name = window.split(' ').next().unwrap_or_default();
        let place = lines.text("window:").unwrap_or_else(|| lines.key(&["correlation"]));
        return (place, format!("there is no window `{name}`: there are sliding, tumbling and session"));
    }
    if error.starts_with("Invalid correlation rule: window: session requires") {
        let place = lines.text("session").unwrap_or_else(|| lines.key(&["correlation"]));
        return (place, "a session needs a `gap`, such as 5m".to_owned());
    }
    if error.starts_with("Invalid correlation rule: 'gap' ") {
        let place = lines.text("gap:").unwrap_or_else(|| lines.key(&["correlation"]));
        let message = if error.contains("must be a string") {
            "a gap is a text such as \"5m\""
        } else {
            "`gap` goes with `window: session`"
        };
        return (place, message.to_owned());
    }
    if error.starts_with("Invalid timespan") {
        let place = ["timespan", "timeframe", "gap"].map(|key| lines.value(&["correlation", key], quoted()));
        let found = place.into_iter().find(|place| Some(*place) == lines.text(quoted()));
        return (found.unwrap_or(lines.key(&["correlation"])), format!("`{}` is no timespan such as 15m", quoted()));
    }
    let key =
        error.split(['\'', '[', ' ']).find(|word| ["related", "detection", "correlation", "filter"].contains(word));
    (key.map_or(lines.start(), |key| lines.key(&[key])), error.to_owned())
}

/// What the parser of YAML says, which counts lines from the first that it was given.
fn not_yaml(error: &str, lines: &Lines, above: usize) -> Wrong {
    let (words, last) = error.rsplit_once(" at line ").unwrap_or((error, ""));
    // what has no end is told where it begins, the last place, and what does not fit into a block where it stands
    let place = match error.split_once(" at line ") {
        Some((_, first)) if first.contains(", while parsing a block ") => first,
        Some(_) | None => last,
    };
    let place = place.split_once(" column ").and_then(|(line, column)| {
        let column = column.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((lines.first + line.parse::<usize>().ok()?.checked_sub(above + 1)?, column.parse().ok()?))
    });
    // of a key that is there twice it says where the mapping begins
    let doubled = || -> Option<Place> {
        let (path, key) = words.split_once("duplicate entry with key ")?;
        let path: Vec<&str> = path.trim_end_matches(": ").split('.').filter(|part| !part.is_empty()).collect();
        let same = lines.keys(&path).into_iter().rfind(|(_, known)| known == key.trim_matches('"'));
        same.map(|(place, _)| place)
    };
    // a second place, of what it had begun to read
    let words = match words.split_once(" at line ") {
        Some((first, rest)) => format!("{first}{}", rest.find(',').map_or("", |comma| &rest[comma..])),
        None => words.to_owned(),
    };
    (doubled().or(place).unwrap_or(lines.start()), format!("not YAML: {words}"))
}

/// Words of conditions, in lower case only.
const WORDS: [&str; 7] = ["and", "or", "not", "of", "all", "any", "them"];

/// Why a condition cannot be read. Its parser prints where it stopped (`--> 1:3`), the line behind its number (`1 | a AND b`), and last the
/// names of what may stand there.
fn unread_condition(error: &str) -> String {
    let reason = error.lines().last().unwrap_or(error).trim_start_matches([' ', '=']).trim();
    // what is nested says of each level where it is
    let reason = reason.rsplit("Condition parse error: ").next().unwrap_or(reason);
    let Some(may_stand) = reason.strip_prefix("expected ") else { return reason.to_owned() };
    let is_number = |text: &str| text.trim().parse::<u32>().is_ok();
    let line = error.lines().find_map(|line| Some(line.split_once(" | ").filter(|(number, _)| is_number(number))?.1));
    let column = error.split_once("--> ").and_then(|(_, place)| {
        let (_, column) = place.lines().next()?.split_once(':')?;
        column.trim().parse::<usize>().ok()?.checked_sub(1)
    });
    let (line, column) = (line.unwrap_or_default(), column.unwrap_or_default());
    let rest: String = line.chars().skip(column).collect();
    let word = rest.split([' ', '(', ')']).find(|word| !word.is_empty());
    // where a name may stand, such a word is taken for one, and the error is behind it
    let is_raised = |word: &&str| WORDS.contains(&word.to_lowercase().as_str()) && !WORDS.contains(word);
    if let Some(raised) = word.into_iter().chain(line.split([' ', '(', ')'])).find(is_raised) {
        return format!("`{raised}` is written `{}`", raised.to_lowercase());
    }
    if line.matches('(').count() > line.matches(')').count() {
        return "a parenthesis is not closed".to_owned();
    }
    if line.matches(')').count() > line.matches('(').count() {
        return "a parenthesis is closed that was not opened".to_owned();
    }
    let names = may_stand.split([',', ' ']).filter(|name| !["", "or"].contains(name)).map(|name| match name {
        "EOI" => "its end",
        "or_op" => "`or`",
        "and_op" => "`and`",
        "not_op" => "`not`",
        "quantifier" => "`1 of`",
        "selector_target" => "`them` or a name, which may have `*`",
        "ident" | "expr" | "primary" => "the name of a detection",
        other => other,
    });
    let at = word.map_or("its end".to_owned(), |word| format!("`{word}`"));
    format!("at {at} is expected {}", names.collect::<Vec<_>>().join(", or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
title: T
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventName: x
    condition: selection
";

    fn wrong(text: &str) -> Vec<String> {
        let (_, wrong) = parse(text);
        wrong.into_iter().map(|((line, column), message)| format!("{line}:{column} {message}")).collect()
    }

    fn titles(text: &str) -> Vec<(String, usize)> {
        let (documents, wrong) = parse(text);
        assert_eq!(wrong, []);
        let title = |document: Document| match document.parsed {
            SigmaDocument::Rule(rule) => (rule.title, document.lines.first),
            SigmaDocument::Correlation(rule) => (rule.title, document.lines.first),
            SigmaDocument::Filter(filter) => (filter.title, document.lines.first),
        };
        documents.into_iter().map(title).collect()
    }

    #[test]
    fn a_file_may_hold_several_documents() {
        let two = format!("{GOOD}---\n{}", GOOD.replace("T\n", "U\n"));
        assert_eq!(titles(&two), [("T".into(), 1), ("U".into(), 8)]);
    }

    #[test]
    fn a_global_document_is_part_of_those_behind_it() {
        let global = "action: global\ntitle: G\nlogsource: {product: aws, service: cloudtrail}\n";
        let each = "detection:\n    selection:\n        eventName: x\n    condition: selection\n";
        let file = format!("{global}---\n{each}---\ntitle: Own\n{each}---\naction: reset\n---\n{GOOD}");
        assert_eq!(titles(&file), [("G".into(), 5), ("Own".into(), 10), ("T".into(), 18)]);
        let repeat = format!("{GOOD}---\naction: repeat\ntitle: Again\n");
        assert_eq!(titles(&repeat), [("T".into(), 1), ("Again".into(), 8)]);
        let again = format!("{repeat}---\naction: repeat\nlevel: low\n---\n{GOOD}");
        let expected = [("T".into(), 1), ("Again".into(), 8), ("Again".into(), 11), ("T".into(), 14)];
        assert_eq!(titles(&again), expected);
        // the last one is what counts, and one that is said again is of its time
        let second = format!(
            "{global}---\n{each}---\n{}---\naction: repeat\nstatus: test\n---\n{each}",
            global.replace("G", "H")
        );
        assert_eq!(titles(&second), [("G".into(), 5), ("G".into(), 14), ("H".into(), 17)]);
    }

    #[test]
    fn lines_behind_a_global_document_are_those_of_the_file() {
        let global = "action: global\ntitle: G\nlogsource: {product: aws, service: cloudtrail}\n";
        let each = "detection:\n    selection:\n        eventName: x\n    condition: selection\n";
        let broken = each.replace("x", "a: b");
        let told = wrong(&format!("{global}---\n{each}---\n{broken}---\n{each}"));
        assert_eq!(told, ["12:21 not YAML: mapping values are not allowed in this context"]);
        let lost = global.replace("cloudtrail}", "cloudtrail");
        let told = wrong(&format!("{lost}---\n{each}---\n{each}---\n{global}---\n{broken}"));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("3:12 not YAML: ") && told[1].starts_with("21:21 not YAML: "), "{told:?}");
        // each is told of, and what comes behind the first is not counted with it
        assert_eq!(wrong(&format!("{lost}---\n{lost}---\n{each}")).len(), 2);
        let first = wrong(&format!("{broken}---\n{global}---\n{each}---\n{broken}"));
        assert!(first.last().unwrap().starts_with("17:21 not YAML: "), "{first:?}");
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        assert_eq!(wrong(&GOOD.replace("eventName:", "eventName|contians:")), ["5:19 there is no modifier `contians`"]);
        assert_eq!(wrong(&GOOD.replace("title: T\n", "")), ["1:1 `title` is missing"]);
        let level = wrong(&format!("{GOOD}level: hihg\n"));
        assert_eq!(
            level,
            ["7:1 `hihg` is not a level of Sigma: these are informational, low, medium, high and critical"]
        );
        let tab = wrong(&GOOD.replace("    selection:", "\tselection:"));
        assert!(tab[0].starts_with("4:1 not YAML: "), "{tab:?}");
        let condition = wrong(&GOOD.replace("condition: selection", "condition: selection and"));
        assert_eq!(
            condition,
            ["6:5 the condition cannot be read: at its end is expected `1 of`, or the name of a detection, or `not`"]
        );
        let upper = wrong(&GOOD.replace("condition: selection", "condition: selection AND selection"));
        assert_eq!(upper, ["6:5 the condition cannot be read: `AND` is written `and`"]);
        let not = wrong(&GOOD.replace("condition: selection", "condition: selection and NOT (selection)"));
        assert_eq!(not, ["6:5 the condition cannot be read: `NOT` is written `not`"]);
        let beside = wrong(&GOOD.replace("condition: selection", "condition: selection selection"));
        assert_eq!(beside, ["6:5 the condition cannot be read: at `selection` is expected its end, or `or`, or `and`"]);
        let open = wrong(&GOOD.replace("condition: selection", "condition: (selection"));
        assert_eq!(open, ["6:5 the condition cannot be read: a parenthesis is not closed"]);
        let count = wrong(&GOOD.replace("condition: selection", "condition: selection | count() > 5"));
        assert_eq!(count, ["6:26 aggregations behind `|` are no longer Sigma: write a correlation"]);
        let closed = wrong(&GOOD.replace("condition: selection", "condition: selection)"));
        assert_eq!(closed, ["6:5 the condition cannot be read: a parenthesis is closed that was not opened"]);
        let deep = wrong(
            &GOOD.replace("condition: selection", &format!("condition: {}selection{}", "(".repeat(99), ")".repeat(99))),
        );
        assert_eq!(deep, ["6:5 the condition cannot be read: condition nesting exceeds maximum depth (64)"]);
        assert_eq!(wrong(&GOOD.replace("title: T", "title: 42")), ["1:1 `title` is no text"]);
        assert_eq!(wrong("title: F\nfilter: 42\n"), ["2:1 a mapping is missing here"]);
        assert_eq!(wrong(&GOOD.replace("    condition: selection\n", "")), ["3:1 `condition` is missing"]);
        let number = wrong(&GOOD.replace("condition: selection", "condition: 5"));
        assert_eq!(number, ["6:5 the condition is a text, or a list of texts"]);
        let twice = wrong(&format!("{GOOD}level: low\nlevel: high\n"));
        assert_eq!(twice, ["8:1 not YAML: duplicate entry with key \"level\""]);
        let inner = wrong(&GOOD.replace("eventName: x", "eventName: x\n        eventName: y"));
        assert_eq!(inner, ["6:9 not YAML: detection.selection: duplicate entry with key \"eventName\""]);
        let source = wrong(&GOOD.replace("{product: aws, service: cloudtrail}", "aws"));
        assert_eq!(source, ["2:1 a mapping is missing here, such as `product: aws` with `service: cloudtrail`"]);
        let quote = wrong(&format!("{GOOD}---\n{}", GOOD.replace("eventName: x", "eventName: 'x")));
        assert_eq!(quote, ["12:20 not YAML: found unexpected end of stream, while scanning a quoted scalar"]);
        let block = wrong(&GOOD.replace("    condition", "       b: y\n    condition"));
        assert_eq!(block, ["6:8 not YAML: did not find expected key, while parsing a block mapping"]);
        let behind = wrong(&format!("action: global\nstatus: test\n---\n{}", GOOD.replace("title: T", "title: 'T' b")));
        assert_eq!(behind, ["4:12 not YAML: did not find expected key, while parsing a block mapping"]);
        let correlation =
            "title: C\ncorrelation:\n    type: temporal\n    rules: [a, b]\n    timespan: 5m\n    condition: a b\n";
        let filter = "title: F\nlogsource: {product: aws}\nfilter:\n    rules: any\n    s:\n        eventName: x\n    condition: not s and\n";
        let open = wrong(filter);
        assert!(open[0].starts_with("7:5 the condition cannot be read: at its end is expected "), "{open:?}");
        let beside = wrong(correlation);
        assert_eq!(beside, ["6:5 the condition cannot be read: at `b` is expected its end, or `or`, or `and`"]);
        let number = wrong(&correlation.replace("5m", "300"));
        assert_eq!(number, ["5:5 a timespan is a number and its unit, such as 15m"]);
        assert_eq!(wrong("- a\n"), ["1:1 Document is not a YAML mapping"]);
        assert_eq!(wrong("\n"), ["1:1 the file has no rule in it"]);
    }

    #[test]
    fn one_document_that_is_wrong_leaves_the_others() {
        let (documents, wrong) = parse(&format!("title: none\n---\n{GOOD}"));
        assert_eq!((documents.len(), wrong.len()), (1, 1));
        assert_eq!(wrong[0], ((1, 1), "`detection` is missing".to_owned()));
    }
}
