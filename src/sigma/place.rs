//! A key or a value of YAML text → its line and column, found by indentation: the parser of Sigma keeps no places.

/// Line and column, from 1.
pub type Place = (usize, usize);

/// The lines of one document of a file.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Line of the file that the document begins at, from 1.
    pub first: usize,
    pub text: String,
}

impl Lines {
    /// The documents of a YAML stream: each begins behind `---`, maybe on the same line, or behind `...`, which ends one.
    pub fn documents(text: &str) -> Vec<Lines> {
        let mut documents = vec![Lines { first: 1, text: String::new() }];
        for (index, line) in text.lines().enumerate() {
            let behind = |mark| line.strip_prefix(mark).filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
            match behind("---").or_else(|| behind("...")) {
                Some(rest) if rest.trim_start().is_empty() || rest.trim_start().starts_with('#') => {
                    documents.push(Lines { first: index + 2, text: String::new() });
                }
                // columns stay those of the file
                Some(rest) => documents.push(Lines { first: index + 1, text: format!("   {rest}\n") }),
                None => {
                    let last = documents.last_mut().expect("there is always one");
                    last.text.push_str(line);
                    last.text.push('\n');
                }
            }
        }
        documents.retain(|document| document.lines().any(|line| line.is_some()));
        documents
    }

    /// The document's beginning: its first line that is not empty.
    pub fn start(&self) -> Place {
        let index = self.lines().position(|line| line.is_some()).unwrap_or_default();
        (self.first + index, 1)
    }

    /// What the document is to those around it, as its key `action` says.
    pub fn action(&self) -> Option<&str> {
        let value = self.text.lines().find_map(|line| line.strip_prefix("action:"))?;
        Some(value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']))
    }

    /// The key that a path of keys leads to; as far as it is found.
    pub fn key(&self, path: &[&str]) -> Place {
        self.find(path).map_or(self.start(), |(index, column)| (self.first + index, column))
    }

    /// Whether there is such a key.
    pub fn has(&self, path: &[&str]) -> bool {
        let (Some(found), Some((_, above))) = (self.find(path), path.split_last()) else { return false };
        self.find(above) != Some(found)
    }

    /// The keys directly within the one that a path leads to, or of the document, each with its place. None of what stands in braces.
    pub fn keys(&self, path: &[&str]) -> Vec<(Place, String)> {
        let lines: Vec<Option<Line>> = self.lines().collect();
        let (from, above) = match self.find(path) {
            _ if path.is_empty() => (0, None),
            Some((index, column)) if self.has(path) => (index + 1, Some(column - 1)),
            _ => return Vec::new(),
        };
        let (mut keys, mut own) = (Vec::new(), None);
        for (index, line) in lines.iter().enumerate().skip(from) {
            let Some(line) = line else { continue };
            if above.is_some_and(|above| line.indent <= above) {
                break;
            }
            let own = *own.get_or_insert(line.indent);
            if line.indent == own
                && let Some(key) = line.name()
            {
                keys.push(((self.first + index, line.indent + 1), key.to_owned()));
            }
        }
        keys
    }

    /// A value below a key, else the key.
    pub fn value(&self, path: &[&str], value: &str) -> Place {
        let Some((index, column)) = self.find(path) else { return self.start() };
        let own_indent = self.lines().nth(index).flatten().map_or(0, |line| line.indent);
        for (below, line) in self.text.lines().enumerate().skip(index) {
            let indent = line.len() - line.trim_start().len();
            // a list may stand as far to the left as its key
            let ends =
                below > index && indent <= own_indent && !line.trim_start().starts_with('-') && !line.trim().is_empty();
            if ends {
                break;
            }
            let from = if below == index { line.find(':').map_or(0, |colon| colon + 1) } else { 0 };
            if let Some(at) = line[from..].find(value).filter(|_| !value.is_empty()) {
                return (self.first + below, line[..from + at].chars().count() + 1);
            }
        }
        (self.first + index, column)
    }

    /// The first line with this text.
    pub fn text(&self, text: &str) -> Option<Place> {
        self.text
            .lines()
            .enumerate()
            .find_map(|(index, line)| Some((self.first + index, line[..line.find(text)?].chars().count() + 1)))
    }

    /// Index of a line, and the column of the key in it.
    fn find(&self, path: &[&str]) -> Option<(usize, usize)> {
        let lines: Vec<Option<Line>> = self.lines().collect();
        let (mut found, mut from, mut above) = (None, 0, None::<usize>);
        for name in path {
            let mut here = None;
            for (index, line) in lines.iter().enumerate().skip(from) {
                let Some(line) = line else { continue };
                if above.is_some_and(|above| line.indent <= above) {
                    break;
                }
                if line.is_key(name) && (above.is_some() || line.indent == 0) {
                    here = Some((index, line.indent));
                    break;
                }
            }
            let Some((index, indent)) = here else { return found };
            (found, from, above) = (Some((index, indent + 1)), index + 1, Some(indent));
        }
        found
    }

    /// `None` for a line that is empty, a comment, or a directive such as `%YAML 1.2`.
    fn lines(&self) -> impl Iterator<Item = Option<Line<'_>>> {
        self.text.lines().map(|line| {
            // `- ` in front of a key is indentation
            let key = line.trim_start_matches([' ', '-']);
            let content = line.trim_start();
            let indent = line.len() - key.len();
            let is_silent = content.is_empty() || content.starts_with('#') || line.starts_with('%');
            (!is_silent).then_some(Line { indent, key })
        })
    }
}

struct Line<'a> {
    indent: usize,
    key: &'a str,
}

impl<'a> Line<'a> {
    /// The key that it begins with.
    fn name(&self) -> Option<&'a str> {
        let (key, rest) = self.key.split_once(':')?;
        let key = key.trim_matches(['\'', '"']);
        let is_key = !key.is_empty() && !key.contains([' ', '{', '[']) && (rest.is_empty() || rest.starts_with(' '));
        is_key.then_some(key)
    }

    /// Whether the line begins with this key, or with this field and modifiers behind it.
    fn is_key(&self, name: &str) -> bool {
        let bare = self.key.trim_start_matches(['\'', '"']);
        let behind = bare.strip_prefix(name).map(|rest| rest.trim_start_matches(['\'', '"']).trim_start());
        behind.is_some_and(|rest| rest.starts_with(':') || rest.starts_with('|'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
# a comment
title: One
detection:
    selection:
        eventName|contains: x
    other:
        - 'eventSource': a
          eventName:
            - first
            - second
    condition: selection
---
title: Two
";

    #[test]
    fn documents_begin_behind_their_marks() {
        let documents = Lines::documents(TWO);
        assert_eq!(documents.iter().map(Lines::start).collect::<Vec<_>>(), [(2, 1), (13, 1)]);
        assert_eq!(Lines::documents("---\n\n---\n# nothing\n").len(), 0);
        let directive = Lines::documents("%YAML 1.2\n---\ntitle: T\n");
        assert_eq!(directive.iter().map(Lines::start).collect::<Vec<_>>(), [(3, 1)]);
        let marked =
            Lines::documents("--- {title: One}\n--- # a note\ntitle: Two\n...\ntitle: Three\n...\n---- no mark\n");
        assert_eq!(marked.iter().map(Lines::start).collect::<Vec<_>>(), [(1, 1), (3, 1), (5, 1), (7, 1)]);
        assert_eq!(marked[0].text, "    {title: One}\n");
    }

    #[test]
    fn a_key_is_found_below_those_it_stands_in() {
        let one = Lines::documents(TWO).remove(0);
        assert_eq!(one.key(&["detection", "selection", "eventName"]), (5, 9));
        assert_eq!(one.key(&["detection", "other", "eventName"]), (8, 11));
        assert_eq!(one.key(&["detection", "other", "eventSource"]), (7, 11));
        assert_eq!(one.key(&["detection", "condition"]), (11, 5));
        assert_eq!(one.key(&["detection", "nothing"]), (3, 1));
        assert_eq!(one.key(&["level"]), (2, 1));
    }

    #[test]
    fn a_value_is_found_below_its_key() {
        let one = Lines::documents(TWO).remove(0);
        assert_eq!(one.value(&["detection", "other", "eventName"], "second"), (10, 15));
        assert_eq!(one.value(&["detection", "selection", "eventName"], "x"), (5, 29));
        assert_eq!(one.value(&["detection", "selection", "eventName"], "gone"), (5, 9));
    }
}
