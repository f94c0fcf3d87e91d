//! What is wrong with rules, a text for each → lines for people, few for each reason.

use std::collections::BTreeMap;

/// As many are named each though the reason is the same.
const ALIKE_MAX: usize = 3;

/// A folder of Sigma rules may have thousands for the logs of other products: of such the first is named, and the others counted. Each text
/// is a place, `: ` and the reason.
pub fn few(refused: &[String]) -> Vec<String> {
    let mut alike = BTreeMap::<&str, usize>::new();
    for text in refused {
        *alike.entry(reason(text)).or_default() += 1;
    }
    let mut told = Vec::new();
    for text in refused {
        match alike.get_mut(reason(text)) {
            Some(0) => {}
            Some(count) if *count > ALIKE_MAX => {
                told.push(format!("{text} (and {} more for this reason: `weir rules check` names each)", *count - 1));
                *count = 0;
            }
            Some(_) | None => told.push(text.clone()),
        }
    }
    told
}

fn reason(text: &str) -> &str {
    text.split_once(": ").map_or(text, |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn of_many_rules_that_are_refused_for_one_reason_the_first_is_named() {
        let mut all: Vec<String> = (1..=3).map(|line| format!("x.yml:{line}:1: of another log")).collect();
        assert_eq!(few(&all), all);
        all.insert(1, "x.yml:7:1: not YAML".to_owned());
        all.push("x.yml:4:1: of another log".to_owned());
        let first = "x.yml:1:1: of another log (and 3 more for this reason: `weir rules check` names each)";
        assert_eq!(few(&all), [first, "x.yml:7:1: not YAML"]);
    }
}
