//! One JSON record at a time, walked along the structural index → the columns of its table.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch, StructArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use super::again::Again;
use super::digits;
use super::peel::{Member, Members};
use super::plan::{Action, Field, Key, Node, Plan, is_alike};
use super::scalar::{self, Clockwork};
use super::walk::{Cursor, NO_COLON, NO_KEY, Stop};
use crate::logs::build::{Arena, Flags, Numbers, Place, Valid, Views};
use crate::logs::symbols::Symbols;
use crate::table::Batch;

/// The open batch of one table.
pub struct Fill {
    pub plan: &'static Plan,
    pub rows: usize,
    pub arena: Arena,
    pub(super) texts: Vec<Views>,
    pub(super) symbols: Vec<Symbols>,
    pub(super) ints: Vec<Numbers<i64>>,
    pub(super) floats: Vec<Numbers<f64>>,
    pub(super) flags: Vec<Flags>,
    pub(super) times: Vec<Numbers<i64>>,
    pub(super) structs: Vec<Valid>,
    lists: Vec<Items>,
    /// For each node and key (0 for the beginning of the object), from [`Node::first`] on: two keys that came next. AWS writes the keys
    /// of a record in one order and leaves some out, so one of them is nearly always right.
    next: Vec<[u16; 2]>,
    clock: Clockwork,
    /// Members of the row's `unmapped` object, with commas between.
    pub(super) unmapped: Vec<u8>,
    /// The row has a member that belongs inside of a column, as [`Plan::path_inside`] says.
    is_flat: bool,
    /// A member of the record is a column's by another spelling of its name.
    is_respelled: bool,
    /// A text or symbol of the record is an object as others write a column or a value of any type.
    is_of_others: bool,
    /// What members of the record by other names gave to columns, each once.
    lent: Vec<Lent>,
    homes: [Home; 2],
    pub(super) again: Again,
}

/// Where a member stands whose value a column has, though its name is not the column's own.
struct Lent {
    action: Action,
    name: Range<usize>,
    value: Range<usize>,
}

#[derive(Default)]
struct Items {
    /// Rows that have a list.
    valid: Valid,
    /// Items that are objects.
    items: Valid,
    /// Number of items before each row, and so far.
    ends: Vec<i32>,
    count: usize,
}

impl Items {
    fn before(&self, row: usize) -> usize {
        if row < self.ends.len() { self.ends[row] as usize } else { self.count }
    }

    /// Makes `row` the row that items are added to.
    fn open(&mut self, row: usize) {
        self.ends.resize(row + 1, self.count as i32);
        self.valid.set(row);
    }
}

/// Account or Region of the rows: codes of its own dictionary for the codes of the columns that name it.
struct Home {
    symbol: usize,
    sources: Vec<usize>,
    codes: Vec<Vec<i32>>,
}

/// What stands for a missing account, Region, time.
pub struct Fallback<'a> {
    pub account: &'a str,
    pub region: &'a str,
    pub time: Option<i64>,
    pub reported_by: Option<&'static str>,
}

impl Fill {
    pub fn new(plan: &'static Plan) -> Fill {
        fn many<T: Default>(count: usize) -> Vec<T> {
            std::iter::repeat_with(T::default).take(count).collect()
        }
        let sizes = &plan.sizes;
        let home = |field: usize, sources: &[usize]| Home {
            symbol: match plan.fields[field].action {
                Action::Symbol(symbol) => symbol,
                other => unreachable!("partitions are symbols, not {other:?}"),
            },
            sources: sources.to_vec(),
            codes: vec![Vec::new(); sources.len()],
        };
        Fill {
            plan,
            rows: 0,
            arena: Arena::default(),
            texts: many(sizes.texts),
            symbols: many(sizes.symbols),
            ints: many(sizes.ints),
            floats: many(sizes.floats),
            flags: many(sizes.flags),
            times: many(sizes.times),
            structs: many(sizes.structs),
            lists: many(sizes.lists),
            next: plan.nodes.iter().flat_map(|node| 0..=node.keys.len() as u16).map(|key| [key; 2]).collect(),
            clock: Clockwork::default(),
            unmapped: Vec::new(),
            is_flat: false,
            is_respelled: false,
            is_of_others: false,
            lent: Vec::new(),
            homes: [home(0, &plan.accounts), home(1, &plan.regions)],
            again: Again::default(),
        }
    }

    /// Reads the object at the cursor into a new row, which stands once [`Fill::keep`] is called.
    pub fn record(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        self.unmapped.clear();
        (self.is_flat, self.is_respelled, self.is_of_others) = (false, false, false);
        self.lent.clear();
        let at = cursor.at();
        self.object(cursor, 0, self.rows)?;
        if !self.lent.is_empty() {
            self.keep_lent(cursor, at)?;
        }
        Ok(())
    }

    /// Keeps what other names gave to columns of the record that begins at place `at`, where the columns' own names stand behind them:
    /// these have taken their place.
    #[cold]
    fn keep_lent(&mut self, cursor: &mut Cursor<'_>, at: usize) -> Result<(), Stop> {
        let (behind, ended) = (cursor.at(), cursor.ended());
        cursor.go(at);
        let members = Members::read(cursor)?.members;
        cursor.settle(behind, ended);
        let plan: &'static Plan = self.plan;
        for Lent { action, name, value } in std::mem::take(&mut self.lent) {
            let is_own = |member: &Member<'_>| {
                let mut keys = plan.nodes[0].keys.iter().filter(|key| key.action == action);
                keys.any(|key| key.name.eq_ignore_ascii_case(member.name))
            };
            if members.iter().any(|member| member.start > value.start && member.value != b"null" && is_own(member)) {
                self.keep_unmapped(cursor, 0, &cursor.bytes()[name], value);
            }
        }
        Ok(())
    }

    /// True when the row being read has a value in this column.
    pub fn has(&self, action: Action) -> bool {
        self.is_set(action, self.rows)
    }

    /// True when a row has a value in this column.
    pub(super) fn is_set(&self, action: Action, row: usize) -> bool {
        match action {
            Action::Text(builder) | Action::Json(builder) => self.texts[builder].is_set(row),
            Action::Symbol(builder) => self.symbols[builder].is_set(row),
            Action::Int(builder) => self.ints[builder].is_set(row),
            Action::Float(builder) => self.floats[builder].is_set(row),
            Action::Flag(builder) => self.flags[builder].is_set(row),
            Action::Time(builder) => self.times[builder].is_set(row),
            Action::Struct { builder, .. } => self.structs[builder].is_set(row),
            Action::List { builder, .. } => self.lists[builder].valid.is_set(row),
            Action::Unknown => false,
        }
    }

    /// The text of a symbol in the row being read.
    #[inline]
    pub fn symbol(&self, builder: usize) -> Option<&[u8]> {
        self.symbols[builder].get(self.rows)
    }

    /// True when the row being read has a member of this name that no column takes, or has it somewhere inside of one.
    #[inline]
    pub fn has_unmapped(&self, name: &[u8]) -> bool {
        !self.unmapped.is_empty() && memchr::memmem::find(&self.unmapped, name).is_some()
    }

    /// True when the row being read may have columns that stand in the record as texts of JSON, or field by field.
    #[inline]
    pub fn has_otherwise(&self) -> bool {
        !self.unmapped.is_empty() && (self.is_flat || self.has_json_in_text())
    }

    /// True when a member that no column takes is a text that begins as an object or a list does: `"userIdentity":"{\"type\":...`.
    fn has_json_in_text(&self) -> bool {
        let mut texts = memchr::memmem::find_iter(&self.unmapped, b"\":\"");
        texts.any(|at| matches!(self.unmapped.get(at + 3), Some(b'{' | b'[')))
    }

    /// True when what the row being read has may be another's, or no value as it stands.
    #[inline]
    pub fn is_doubtful(&self) -> bool {
        self.is_respelled || self.is_of_others
    }

    /// Gives a column of the row that was read a text, if it has none.
    pub fn complete(&mut self, name: &str, text: Option<&str>) {
        let (row, Some(text)) = (self.rows, text) else { return };
        match self.plan.find(name) {
            Some(Action::Symbol(builder)) if !self.symbols[builder].is_set(row) => {
                self.symbols[builder].set(row, text.as_bytes());
            }
            Some(Action::Text(builder)) if !self.texts[builder].is_set(row) => {
                self.side_text(builder, row, text.as_bytes());
            }
            _ => {}
        }
    }

    /// Completes the row that was read.
    #[inline]
    pub fn keep(&mut self, fallback: &Fallback<'_>) {
        let row = self.rows;
        for (home, text) in self.homes.iter_mut().zip([fallback.account, fallback.region]) {
            home.fill(&mut self.symbols, row, text);
        }
        if let (Some((builder, seconds)), Some(micros)) = (self.plan.time, fallback.time) {
            let (column, value) = if seconds {
                (&mut self.ints[builder], micros.div_euclid(1_000_000))
            } else {
                (&mut self.times[builder], micros)
            };
            if !column.is_set(row) {
                column.set(row, value);
            }
        }
        if let (Some(builder), Some(text)) = (self.plan.reported_by, fallback.reported_by) {
            self.symbols[builder].set(row, text.as_bytes());
        }
        if let (Some(builder), false) = (self.plan.unmapped, self.unmapped.is_empty()) {
            let side = self.arena.side();
            let start = side.len();
            side.push(b'{');
            match digits::shorten(&self.unmapped) {
                Some(short) => side.extend_from_slice(&short),
                None => side.extend_from_slice(&self.unmapped),
            }
            side.push(b'}');
            let place = self.arena.side_place(start);
            self.texts[builder].set(row, self.arena.side(), place);
        }
        self.rows += 1;
    }

    /// Forgets the row that was being read.
    pub fn forget(&mut self) {
        let rows = self.rows;
        let sizes = &self.plan.sizes;
        let items: Vec<usize> = self.lists.iter().map(|list| list.before(rows)).collect();
        let keep = |list: &Option<usize>| list.map_or(rows, |list| items[list]);
        self.texts.iter_mut().zip(&sizes.text_lists).for_each(|(column, list)| column.truncate(keep(list)));
        self.symbols.iter_mut().zip(&sizes.symbol_lists).for_each(|(column, list)| column.truncate(keep(list)));
        self.ints.iter_mut().zip(&sizes.int_lists).for_each(|(column, list)| column.truncate(keep(list)));
        self.floats.iter_mut().zip(&sizes.float_lists).for_each(|(column, list)| column.truncate(keep(list)));
        self.flags.iter_mut().zip(&sizes.flag_lists).for_each(|(column, list)| column.truncate(keep(list)));
        self.times.iter_mut().zip(&sizes.time_lists).for_each(|(column, list)| column.truncate(keep(list)));
        self.structs.iter_mut().zip(&sizes.struct_lists).for_each(|(column, list)| column.truncate(keep(list)));
        for (list, count) in self.lists.iter_mut().zip(items) {
            list.ends.truncate(rows);
            list.valid.truncate(rows);
            list.items.truncate(count);
            list.count = count;
        }
    }

    pub(super) fn object(&mut self, cursor: &mut Cursor<'_>, node: usize, row: usize) -> Result<(), Stop> {
        let plan: &'static Plan = self.plan;
        let Node { keys, first, .. } = &plan.nodes[node];
        let mut last = *first;
        if !cursor.enter()? {
            return Ok(());
        }
        // not read from the cursor each time, where what was written a moment ago is waited for
        let mut at = cursor.at();
        loop {
            let ([quote, colon, opens, follows], [key, _, value, behind]) = cursor.member(at)?;
            // the keys that came next before, then the others in turn
            let [guess, other] = self.next[last].map(usize::from);
            if quote != b'"' {
                return Err(Stop::Damaged(NO_KEY));
            }
            let at_slot =
                |slot: usize| keys.get(slot).filter(|known| cursor.key_is(key + 1, known)).map(|known| (slot, known));
            let (slot, known) = match at_slot(guess).or_else(|| at_slot(other)) {
                Some(found) => found,
                None => match find(cursor, key + 1, keys, guess) {
                    Some(slot) => {
                        self.next[last] = [slot as u16, guess as u16];
                        (slot, &keys[slot])
                    }
                    None => {
                        cursor.go(at);
                        self.unknown(cursor, node, row)?;
                        if !cursor.more_members()? {
                            return Ok(());
                        }
                        at = cursor.at();
                        continue;
                    }
                },
            };
            if colon != b':' {
                return Err(Stop::Damaged(NO_COLON));
            }
            last = first + slot + 1;
            let is_plain = match opens {
                b'"' => self.plain_text(cursor, &known.action, row, value + 1, behind),
                b'n' | b't' | b'f' => self.plain_word(&cursor.bytes()[value..behind], &known.action, row),
                _ => false,
            };
            if is_plain {
                if follows == b',' {
                    at += 4;
                    continue;
                }
                cursor.settle(at + 3, behind);
            } else {
                cursor.go(at + 2);
                if !self.value(cursor, known.action, row)? {
                    self.keep_unmapped(cursor, node, &known.name, value..cursor.ended());
                }
            }
            if !cursor.more_members()? {
                return Ok(());
            }
            at = cursor.at();
        }
    }

    /// Gives a column the text that begins at `start` inside its quotes, where the quote that ends it stands right before the place
    /// `behind` and the text means what is written. Nearly all values are such texts.
    #[inline(always)]
    fn plain_text(
        &mut self,
        cursor: &mut Cursor<'_>,
        action: &Action,
        row: usize,
        start: usize,
        behind: usize,
    ) -> bool {
        let bytes = cursor.bytes();
        let end = behind - 1;
        if start > end || bytes[end] != b'"' || cursor.has_backslash(start, end) {
            return false;
        }
        match *action {
            Action::Text(builder) => self.text(cursor, builder, row, start, end),
            Action::Symbol(builder) => self.symbols[builder].set_padded(row, bytes, start, end - start),
            Action::Time(builder) => match self.clock.of_last_day(&bytes[start..end]) {
                Some(micros) => self.times[builder].set(row, micros),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// Takes a word that is `null`, which gives no column anything, or a flag where one is wanted.
    #[inline(always)]
    fn plain_word(&mut self, word: &[u8], action: &Action, row: usize) -> bool {
        if word == b"null" {
            return true;
        }
        let Action::Flag(builder) = *action else { return false };
        let is_true = word == b"true";
        if is_true || word == b"false" {
            self.flags[builder].set(row, is_true);
            return true;
        }
        false
    }

    /// A key that is not found as it stands: written with escapes, in another case or with other signs between its words, or of no
    /// column.
    #[cold]
    fn unknown(&mut self, cursor: &mut Cursor<'_>, node: usize, row: usize) -> Result<(), Stop> {
        let key = cursor.string()?;
        let text = key.unescaped(cursor)?;
        let name: &[u8] = &text;
        let raw = &cursor.bytes()[key.start..key.end];
        let plan: &'static Plan = self.plan;
        let keys = &plan.nodes[node].keys;
        let own = keys
            .iter()
            .find(|key| *key.name == *name)
            .or_else(|| keys.iter().find(|key| key.name.eq_ignore_ascii_case(name)));
        let is_own = own.is_some();
        let known = own
            .or_else(|| {
                let own = plan.key_of_others(name).filter(|_| node == 0)?;
                (!self.is_set(own.action, row)).then_some(own)
            })
            .or_else(|| {
                // beside the column's own name it is another thing
                let alike = keys.iter().find(|key| is_alike(&key.name, name))?;
                self.is_respelled |= node == 0;
                (!self.is_set(alike.action, row)).then_some(alike)
            });
        let action = known.map_or(Action::Unknown, |key| key.action);
        cursor.colon()?;
        let value = cursor.here()?;
        let is_inside = || str::from_utf8(name).is_ok_and(|name| plan.path_inside(name).is_some());
        self.is_flat |= node == 0 && known.is_none() && cursor.bytes()[value] != b'n' && is_inside();
        if !self.value(cursor, action, row)? {
            self.keep_unmapped(cursor, node, raw, value..cursor.ended());
        } else if node == 0 && !is_own && self.is_set(action, row) {
            self.lent.push(Lent { action, name: key.start..key.end, value: value..cursor.ended() });
        }
        Ok(())
    }

    /// Adds a member whose value stands there to the row's `unmapped` object. `name` is as it stands in JSON.
    #[cold]
    fn keep_unmapped(&mut self, cursor: &Cursor<'_>, node: usize, name: &[u8], value: Range<usize>) {
        let value = &cursor.bytes()[value];
        if value == b"null" {
            return;
        }
        let out = &mut self.unmapped;
        if !out.is_empty() {
            out.push(b',');
        }
        let quoted = [b"\"", self.plan.nodes[node].path.as_bytes(), name, b"\":", value];
        if cursor.unclean() || quoted.iter().any(|part| scalar::has_odd_escapes(part)) {
            out.extend_from_slice(&scalar::sound(&quoted.concat()));
        } else {
            quoted.into_iter().for_each(|part| out.extend_from_slice(part));
        }
    }

    /// Reads the value at the cursor into its column. False when it does not fit there; the cursor is behind the
    /// value in any case.
    fn value(&mut self, cursor: &mut Cursor<'_>, action: Action, row: usize) -> Result<bool, Stop> {
        match action {
            Action::Text(builder) => {
                if cursor.byte()? == b'"' {
                    let string = cursor.string()?;
                    if !string.escaped {
                        self.text(cursor, builder, row, string.start, string.end);
                    } else {
                        self.side_text(builder, row, &string.unescaped(cursor)?);
                    }
                    return Ok(true);
                }
                let (start, end) = cursor.skip()?;
                self.is_of_others |= is_of_others(&cursor.bytes()[start..end]);
                match scalar::inside(&cursor.bytes()[start..end]) {
                    Some(text) => self.side_text(builder, row, &text),
                    None if !cursor.is_null(start, end) => self.raw(cursor, builder, row, start, end),
                    None => {}
                }
                Ok(true)
            }
            Action::Symbol(builder) => {
                if cursor.byte()? == b'"' {
                    let text = cursor.string()?.unescaped(cursor)?;
                    self.symbols[builder].set(row, &text);
                    return Ok(true);
                }
                let (start, end) = cursor.skip()?;
                if !cursor.is_null(start, end) {
                    let value = &cursor.bytes()[start..end];
                    self.is_of_others |= is_of_others(value);
                    self.symbols[builder].set(row, scalar::inside(value).as_deref().unwrap_or(value));
                }
                Ok(true)
            }
            Action::Json(builder) => {
                if cursor.byte()? == b'"' {
                    return self.json_in_text(cursor, builder, row);
                }
                let (start, end) = cursor.skip()?;
                if !cursor.is_null(start, end) {
                    self.raw(cursor, builder, row, start, end);
                }
                Ok(true)
            }
            Action::Struct { builder, node } => {
                if cursor.byte()? == b'{' {
                    if self.plan.nodes[node].inside.is_empty() {
                        self.structs[builder].set(row);
                        self.object(cursor, node, row)?;
                    } else {
                        self.object_again(cursor, builder, node, row)?;
                    }
                    return Ok(true);
                }
                let (start, end) = cursor.skip()?;
                Ok(cursor.is_null(start, end))
            }
            Action::List { builder, node } => self.list(cursor, builder, node, row),
            Action::Flag(builder) => self.scalar(cursor, |fill, text| match scalar::flag(text) {
                Some(flag) => {
                    fill.flags[builder].set(row, flag);
                    true
                }
                None => false,
            }),
            Action::Time(builder) => self.scalar(cursor, |fill, text| match fill.clock.read(text) {
                Some(micros) => {
                    fill.times[builder].set(row, micros);
                    true
                }
                None => false,
            }),
            Action::Int(builder) => self.scalar(cursor, |fill, text| match scalar::int(text) {
                Some(number) => {
                    fill.ints[builder].set(row, number);
                    true
                }
                None => false,
            }),
            Action::Float(builder) => self.scalar(cursor, |fill, text| match scalar::float(text) {
                Some(number) => {
                    fill.floats[builder].set(row, number);
                    true
                }
                None => false,
            }),
            Action::Unknown => {
                cursor.skip()?;
                Ok(false)
            }
        }
    }

    /// A number, boolean or time, or one in quotes. An empty string and the dash of flow logs are null.
    #[inline]
    fn scalar(&mut self, cursor: &mut Cursor<'_>, set: impl Fn(&mut Fill, &[u8]) -> bool) -> Result<bool, Stop> {
        if cursor.byte()? == b'"' {
            let text = cursor.string()?.unescaped(cursor)?;
            return Ok(matches!(&*text, b"" | b"-") || set(self, &text));
        }
        let (start, end) = cursor.skip()?;
        let value = &cursor.bytes()[start..end];
        Ok(cursor.is_null(start, end) || set(self, scalar::inside(value).as_deref().unwrap_or(value)))
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, builder: usize, node: usize, row: usize) -> Result<bool, Stop> {
        if cursor.byte()? != b'[' {
            let (start, end) = cursor.skip()?;
            return Ok(cursor.is_null(start, end));
        }
        if self.lists[builder].valid.is_set(row) {
            // the key stands twice in the record: the first list stays, the other is kept beside it
            cursor.skip()?;
            return Ok(false);
        }
        let mut fits = true;
        self.lists[builder].open(row);
        if cursor.enter()? {
            loop {
                let item = self.lists[builder].count;
                if cursor.byte()? == b'{' {
                    self.object(cursor, node, item)?;
                    self.lists[builder].items.set(item);
                } else {
                    let (start, end) = cursor.skip()?;
                    fits &= cursor.is_null(start, end);
                }
                self.lists[builder].count += 1;
                if !cursor.more_items()? {
                    break;
                }
            }
        }
        Ok(fits)
    }

    /// A JSON string in a free-form column. When it holds an object or array as text, that is what is kept:
    /// `->>` then reaches into it; else the string with its quotes.
    #[cold]
    fn json_in_text(&mut self, cursor: &mut Cursor<'_>, builder: usize, row: usize) -> Result<bool, Stop> {
        let string = cursor.string()?;
        let text = string.unescaped(cursor)?;
        let nested = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
            && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
        if nested && scalar::has_odd_escapes(&text) {
            self.side_json(builder, row, &scalar::sound(&text));
        } else if nested {
            self.side_json(builder, row, &text);
        } else {
            self.raw(cursor, builder, row, string.start - 1, string.end + 1);
        }
        Ok(true)
    }

    /// Text as it stands in the input.
    #[inline(always)]
    fn text(&mut self, cursor: &Cursor<'_>, builder: usize, row: usize, start: usize, end: usize) {
        let place = Place { buffer: self.arena.next(), start: start as u32, length: (end - start) as u32 };
        self.texts[builder].set_behind(row, self.arena.base(), cursor.bytes(), place);
    }

    #[cold]
    fn side_text(&mut self, builder: usize, row: usize, text: &[u8]) {
        let side = self.arena.side();
        let start = side.len();
        side.extend_from_slice(text);
        let place = self.arena.side_place(start);
        self.texts[builder].set(row, self.arena.side(), place);
    }

    #[cold]
    fn side_json(&mut self, builder: usize, row: usize, json: &[u8]) {
        match digits::shorten(json) {
            Some(short) => self.side_text(builder, row, &short),
            None => self.side_text(builder, row, json),
        }
    }

    /// JSON text as it stands in the input, where the functions of SQL take it: of one with half a surrogate pair, or a number of thousands of
    /// digits, they give nothing.
    #[inline]
    fn raw(&mut self, cursor: &mut Cursor<'_>, builder: usize, row: usize, start: usize, end: usize) {
        let json = &cursor.bytes()[start..end];
        let is_odd = cursor.unclean() || cursor.has_backslash(start, end) && scalar::has_odd_escapes(json);
        if is_odd {
            self.side_json(builder, row, &scalar::sound(json))
        } else if let Some(short) = digits::shorten(json) {
            self.side_text(builder, row, &short)
        } else {
            self.text(cursor, builder, row, start, end)
        }
    }

    /// The batch of the rows kept; `None` when there are none.
    pub fn finish(mut self) -> Option<Batch> {
        if self.rows == 0 {
            return None;
        }
        self.forget();
        let rows = self.rows;
        let table = self.plan.table;
        let mut parts = Parts {
            buffers: self.arena.finish(),
            texts: self.texts.into_iter().map(Some).collect(),
            symbols: self.symbols.into_iter().map(Some).collect(),
            ints: self.ints.into_iter().map(Some).collect(),
            floats: self.floats.into_iter().map(Some).collect(),
            flags: self.flags.into_iter().map(Some).collect(),
            times: self.times.into_iter().map(Some).collect(),
            structs: self.structs.into_iter().map(Some).collect(),
            lists: self.lists.into_iter().map(Some).collect(),
        };
        let columns = self.plan.fields.iter().map(|field| parts.array(field, rows)).collect();
        let rows =
            RecordBatch::try_new(self.plan.schema.clone(), columns).expect("the plan has the columns of the schema");
        Some(Batch { table, rows })
    }
}

/// Builders, taken one by one.
struct Parts {
    buffers: Arc<[Buffer]>,
    texts: Vec<Option<Views>>,
    symbols: Vec<Option<Symbols>>,
    ints: Vec<Option<Numbers<i64>>>,
    floats: Vec<Option<Numbers<f64>>>,
    flags: Vec<Option<Flags>>,
    times: Vec<Option<Numbers<i64>>>,
    structs: Vec<Option<Valid>>,
    lists: Vec<Option<Items>>,
}

impl Parts {
    fn array(&mut self, field: &Field, rows: usize) -> ArrayRef {
        const ONCE: &str = "a builder belongs to one field";
        match field.action {
            // SAFETY: the index was made by a stage that validates UTF-8, texts begin and end at ASCII characters,
            // and unescaping makes UTF-8 of UTF-8; places are in the text that the arena keeps under their number
            Action::Text(builder) | Action::Json(builder) => unsafe {
                self.texts[builder].take().expect(ONCE).finish(rows, &self.buffers)
            },
            // SAFETY: as above
            Action::Symbol(builder) => unsafe { self.symbols[builder].take().expect(ONCE).finish(rows) },
            Action::Int(builder) => self.ints[builder].take().expect(ONCE).finish(rows),
            Action::Float(builder) => self.floats[builder].take().expect(ONCE).finish(rows),
            Action::Flag(builder) => self.flags[builder].take().expect(ONCE).finish(rows),
            Action::Time(builder) => self.times[builder].take().expect(ONCE).finish_times(rows),
            Action::Struct { builder, .. } => {
                let valid = self.structs[builder].take().expect(ONCE).finish(rows);
                let arrays = field.fields.iter().map(|field| self.array(field, rows)).collect();
                let DataType::Struct(fields) = &field.kind else { unreachable!("a struct column") };
                Arc::new(StructArray::new(fields.clone(), arrays, valid))
            }
            Action::List { builder, .. } => {
                let mut list = self.lists[builder].take().expect(ONCE);
                let count = list.count;
                list.ends.resize(rows, count as i32);
                list.ends.push(count as i32);
                let arrays: Vec<ArrayRef> = field.fields.iter().map(|field| self.array(field, count)).collect();
                let DataType::List(item) = &field.kind else { unreachable!("a list column") };
                let DataType::Struct(fields) = item.data_type() else { unreachable!("a list of structs") };
                let items = StructArray::new(fields.clone(), arrays, list.items.finish(count));
                let offsets = OffsetBuffer::new(ScalarBuffer::from(list.ends));
                Arc::new(ListArray::new(item.clone(), offsets, Arc::new(items), list.valid.finish(rows)))
            }
            Action::Unknown => unreachable!("no column has an unknown action"),
        }
    }
}

impl Home {
    #[inline]
    fn fill(&mut self, symbols: &mut [Symbols], row: usize, fallback: &str) {
        for (source, codes) in self.sources.iter().zip(&mut self.codes) {
            let Some(code) = symbols[*source].code_of(row) else { continue };
            let code = code as usize;
            if code >= codes.len() {
                codes.resize(code + 1, Home::UNSEEN);
            }
            if codes[code] == Home::UNSEEN {
                let text = symbols[*source].get(row).unwrap_or_default().to_vec();
                codes[code] = if text.is_empty() { Home::EMPTY } else { symbols[self.symbol].code(&text) };
            }
            if codes[code] != Home::EMPTY {
                return symbols[self.symbol].set_code(row, codes[code]);
            }
        }
        // a table may read its Region straight into the partition column
        if !symbols[self.symbol].is_set(row) {
            symbols[self.symbol].set(row, fallback.as_bytes());
        }
    }

    const UNSEEN: i32 = -1;
    const EMPTY: i32 = -2;
}

/// Whether a value is an object whose members are numbered: `{"0":`.
pub(super) fn is_column(value: &[u8]) -> bool {
    first_key(value).is_some_and(|key| !key.is_empty() && key.iter().all(u8::is_ascii_digit))
}

/// Whether a value is an object of its type and itself, as DynamoDB has them: `{"S":`.
pub(super) fn is_attribute(value: &[u8]) -> bool {
    const TYPES: [&[u8]; 10] = [b"S", b"N", b"B", b"BOOL", b"NULL", b"M", b"L", b"SS", b"NS", b"BS"];
    first_key(value).is_some_and(|key| TYPES.contains(&key))
}

fn is_of_others(value: &[u8]) -> bool {
    is_column(value) || is_attribute(value)
}

fn first_key(value: &[u8]) -> Option<&[u8]> {
    let key = value.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    Some(&key[..memchr::memchr(b'"', key)?])
}

/// The key that begins at `start` among `keys`, looked for from `guess` on and around.
#[inline]
fn find(cursor: &Cursor<'_>, start: usize, keys: &[Key], guess: usize) -> Option<usize> {
    let guess = guess.min(keys.len());
    (guess..keys.len()).chain(0..guess).find(|&slot| cursor.key_is(start, &keys[slot]))
}
