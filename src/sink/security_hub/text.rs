//! Text as logs and rules have it → text that ASFF takes: of one line, not blank, and no longer than it may be.

/// The text on one line, without space around it; none when nothing is left. Control characters become spaces: ASFF wants
/// a character that is not blank, and the validators of AWS's languages disagree on which of those are.
pub fn said(text: &str) -> Option<String> {
    let is_blank = |character: char| character.is_control() || character == '\u{feff}';
    let line: String = text.chars().map(|character| if is_blank(character) { ' ' } else { character }).collect();
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// What was cut or left out, by the names that a reader of the finding knows.
#[derive(Debug, Default)]
pub struct Cuts(Vec<String>);

impl Cuts {
    /// The text with at most `chars_max` characters; what is longer ends in `…` and is noted under `name`.
    pub fn cut(&mut self, name: &str, text: String, chars_max: usize) -> String {
        if text.chars().nth(chars_max).is_none() {
            return text;
        }
        self.note(name);
        text.chars().take(chars_max - 1).chain(['…']).collect()
    }

    /// [`said`], then [`Cuts::cut`].
    pub fn said(&mut self, name: &str, text: &str, chars_max: usize) -> Option<String> {
        said(text).map(|text| self.cut(name, text, chars_max))
    }

    pub fn note(&mut self, what: &str) {
        if !self.0.iter().any(|noted| noted == what) {
            self.0.push(what.to_owned());
        }
    }

    /// What was noted, in one line; none when nothing was.
    pub fn line(&self) -> Option<String> {
        said(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_characters_and_the_cut_is_noted() {
        let mut cuts = Cuts::default();
        assert_eq!(cuts.cut("Title", "é".repeat(5), 5), "ééééé");
        assert_eq!(cuts.line(), None);
        assert_eq!(cuts.cut("Title", "é".repeat(6), 5), "éééé…");
        cuts.cut("Title", "123456".into(), 5);
        cuts.note("2 resources");
        assert_eq!(cuts.line().unwrap(), "Title, 2 resources");
    }

    #[test]
    fn blank_text_is_none_and_lines_become_one() {
        for blank in ["", " ", "\n\t", "\u{0}", "\u{feff}", "\u{a0}\u{2003}"] {
            assert_eq!(said(blank), None, "{blank:?}");
        }
        assert_eq!(said(" a\nb\u{1b}[0m ").unwrap(), "a b [0m");
    }
}
