//! Small objects that are JSON with nothing around it, one after the other → one text: what reading a text takes is paid once.

use std::mem;
use std::sync::Arc;

use super::reader::{INFLATED_MAX, WHOLE_MAX};
use super::{Body, Json, Open, Options, PADDING, Records, Text, reuse};
use crate::table::Origin;

/// Records of a stream, which mostly are an event each.
#[derive(Default)]
pub struct Gathered {
    text: Vec<u8>,
    parts: Vec<(u64, String)>,
}

impl Gathered {
    /// A text is handed on once it has so many bytes.
    pub const BYTES: usize = 256 << 10;

    /// Whether [`super::open`] would give these bytes as its only piece, and a line of a text that they are a line of is the same.
    pub fn fits(bytes: &[u8], options: &Options) -> bool {
        let max = (options.memory.of(INFLATED_MAX) as u64).min(options.inflated_bytes_max).min(WHOLE_MAX as u64);
        // with a zero it may be UTF-16
        matches!(bytes, [b'{', second, ..] if *second != 0) && bytes.len() as u64 <= max
    }

    /// Adds an object that fits; `name` is that of its [`Origin`].
    pub fn add(&mut self, bytes: &[u8], name: String) {
        if self.text.capacity() == 0 {
            self.text = reuse::buffer(Gathered::BYTES + bytes.len());
        }
        self.text.extend_from_slice(bytes);
        self.text.push(b'\n');
        self.parts.push((self.text.len() as u64, name));
    }

    pub fn is_full(&self) -> bool {
        self.text.len() >= Gathered::BYTES
    }

    /// What was added since the last time.
    pub fn take(&mut self, options: &Options) -> Option<Records> {
        let mut parts = mem::take(&mut self.parts);
        let name = parts.first()?.1.clone();
        if parts.len() == 1 {
            parts.clear();
        }
        let origin = Arc::new(Origin { name, parts, ..Origin::default() });
        let mut text = mem::take(&mut self.text);
        if text.len() + PADDING <= text.capacity() / 2 {
            // rows point into it until they are archived: of few events it shall not have the room of many
            let few = [&text[..], &[0; PADDING]].concat();
            reuse::give_back(mem::replace(&mut text, few));
            text.truncate(text.len() - PADDING);
        }
        let body = Body::Json(Json { text: Text::new(text), open: Open::Nothing, ends: true });
        let table = options.table.unwrap_or(options.recognize.json);
        Some(Records { table, origin, offset: 0, body, context: None })
    }
}
