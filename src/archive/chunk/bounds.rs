//! The first and the last of texts, of a page and of a chunk, and how short a file may write them.

use parquet::basic::BoundaryOrder;

/// The first and the last of texts.
#[derive(Default)]
pub struct Bounds(pub Option<(Vec<u8>, Vec<u8>)>);

/// Whether the bounds of pages rise or fall.
pub struct Order {
    last: Option<(Vec<u8>, Vec<u8>)>,
    rises: bool,
    falls: bool,
}

impl Bounds {
    pub fn add(&mut self, text: &[u8]) {
        match &mut self.0 {
            None => self.0 = Some((text.to_vec(), text.to_vec())),
            Some((least, most)) => {
                if text < &least[..] {
                    text.clone_into(least);
                } else if text > &most[..] {
                    text.clone_into(most);
                }
            }
        }
    }
}

impl Default for Order {
    fn default() -> Order {
        Order { last: None, rises: true, falls: true }
    }
}

impl Order {
    pub fn add(&mut self, least: &[u8], most: &[u8]) {
        if let Some((last_least, last_most)) = &self.last {
            self.rises &= &last_least[..] <= least && &last_most[..] <= most;
            self.falls &= &last_least[..] >= least && &last_most[..] >= most;
        }
        self.last = Some((least.to_vec(), most.to_vec()));
    }

    pub fn of_pages(&self) -> BoundaryOrder {
        match (self.rises, self.falls) {
            (true, _) => BoundaryOrder::ASCENDING,
            (false, true) => BoundaryOrder::DESCENDING,
            (false, false) => BoundaryOrder::UNORDERED,
        }
    }
}

/// A bound below a text in at most so many bytes, and whether it is the text.
pub fn below(mut text: Vec<u8>, bytes_max: usize) -> (Vec<u8>, bool) {
    if text.len() <= bytes_max {
        return (text, true);
    }
    text.truncate(char_start(&text, bytes_max));
    (text, false)
}

/// A bound above a text, in at most so many bytes where there is one, and whether it is the text.
pub fn above(text: Vec<u8>, bytes_max: usize) -> (Vec<u8>, bool) {
    if text.len() <= bytes_max {
        return (text, true);
    }
    let short = std::str::from_utf8(&text[..char_start(&text, bytes_max)]).expect("a text is UTF-8");
    for (place, last) in short.char_indices().rev() {
        let next = char::from_u32(last as u32 + 1).filter(|next| next.len_utf8() == last.len_utf8());
        if let Some(next) = next {
            return (format!("{}{next}", &short[..place]).into_bytes(), false);
        }
    }
    (text, true)
}

/// Where the character begins that stands at this place of a text.
fn char_start(text: &[u8], place: usize) -> usize {
    (0..=place).rev().find(|&place| text[place] & 0xc0 != 0x80).unwrap_or(0)
}
