//! A word and those that there are → how near one is to another, and the one that was probably meant.

/// Letters to insert, remove or change to make one word of the other.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The nearest of some words in whatever case, where it is no more than so many letters away.
pub fn nearest<'a>(word: &str, edits_max: usize, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let near = known.into_iter().map(|known| (distance(&lower, &known.to_lowercase()), known)).min();
    near.filter(|(edits, _)| *edits <= edits_max).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_misspelt_is_near_and_another_is_not() {
        let known = ["eventName", "eventSource", "arn"];
        assert_eq!(nearest("eventNmae", 2, known), Some("eventName"));
        assert_eq!(nearest("EVENTSOURC", 2, known), Some("eventSource"));
        assert_eq!(nearest("arnn", 2, known), Some("arn"));
        assert_eq!(nearest("status", 2, known), None);
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")), (3, 0, 3));
    }
}
