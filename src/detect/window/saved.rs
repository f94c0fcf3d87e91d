//! Windows of one rule → parts that are saved, of which only those that changed are made anew; and back.

use std::collections::BTreeMap;

use super::bytes::{Reader, Writer};
use super::frame::Moments;
use super::group::Group;
use super::log::{Entries, Log, Mark, Part, Saving};
use super::plan::Windowed;
use super::score::Model;
use super::seen::Seen;
use super::state::{Kept, Key, Pane, Windows, bytes_of};
use crate::time::Timestamp;

impl Windows {
    /// Saves what changed, and writes what names all of it. Both become permanent together with what was saved before, or neither.
    pub fn save(&mut self, rule: &Windowed, head: &mut Writer, to: &mut Saving) {
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for (number, pane) in &mut self.panes {
            changed.extend(std::mem::take(&mut pane.changed).into_iter().map(|key| (*number, key)));
            gone.extend(std::mem::take(&mut pane.gone).into_iter().map(|key| (*number, key)));
        }
        let mut groups = Groups { panes: &mut self.panes, rule };
        self.saved.groups.save(&mut groups, changed.into_iter(), gone.into_iter(), &mut self.saved.last, to);
        self.seen.save(&mut self.saved.last, to);
        if std::mem::take(&mut self.saved.has_learnt) {
            if let Some(before) = self.saved.model {
                to.forget(before.number);
            }
            let mut model = Writer::default();
            self.model.write(&mut model);
            self.saved.last += 1;
            self.saved.model = Some(to.put(self.saved.last, &model.0));
        }

        for bound in [self.floor, self.left, self.shed] {
            head.byte(u8::from(bound.is_some()));
            head.signed(bound.unwrap_or(0));
        }
        head.number(self.holed.len() as u64);
        self.holed.iter().for_each(|number| head.signed(*number));
        head.number(self.saved.last);
        head.number(self.panes.len() as u64);
        for (number, pane) in &self.panes {
            head.signed(*number);
            head.signed(pane.touched.0);
            head.number(pane.since);
        }
        self.saved.groups.write(head);
        self.seen.write(head);
        head.byte(u8::from(self.saved.model.is_some()));
        self.saved.model.iter().for_each(|part| part.write(head));
    }

    /// The numbers of the parts that have all of it.
    pub fn parts(&self) -> impl Iterator<Item = u64> {
        let model = self.saved.model.iter().map(|part| part.number);
        self.saved.groups.parts().chain(self.seen.parts()).chain(model)
    }

    /// What [`Windows::save`] wrote and saved for the same rule; `None` when it did not.
    pub fn read<'a>(from: &mut Reader, rule: &Windowed, saved: &impl Fn(u64) -> Option<&'a [u8]>) -> Option<Windows> {
        let mut windows = Windows::default();
        for bound in [&mut windows.floor, &mut windows.left, &mut windows.shed] {
            let is_some = from.byte()? == 1;
            let number = from.signed()?;
            *bound = is_some.then_some(number);
        }
        windows.holed = (0..from.number()?).map(|_| from.signed()).collect::<Option<_>>()?;
        windows.saved.last = from.number()?;
        for _ in 0..from.number()? {
            let (number, touched) = (from.signed()?, Timestamp(from.signed()?));
            windows.panes.insert(number, Pane::new(touched, from.number()?));
        }
        windows.saved.groups = Log::read(from, &mut Groups { panes: &mut windows.panes, rule }, saved)?;
        windows.seen = Seen::read(from, saved)?;
        if from.byte()? == 1 {
            let part = Part::read(from)?;
            windows.model = Model::read(&mut Reader(&part.unpack(saved)?))?;
            windows.saved.model = Some(part);
        }
        for pane in windows.panes.values_mut() {
            pane.bytes = pane.moments.bytes_len();
            for (key, kept) in &pane.groups {
                pane.bytes += bytes_of(key, &kept.group);
                pane.peaks.add(&kept.group);
            }
            windows.bytes += pane.bytes;
        }
        Some(windows)
    }
}

#[cfg(test)]
impl Windows {
    /// What is remembered, in an order that is always the same.
    pub fn told(&self, rule: &Windowed) -> impl PartialEq + std::fmt::Debug {
        let mut names: Vec<(i64, Key)> = Vec::new();
        for (number, pane) in &self.panes {
            names.extend(pane.groups.keys().map(|key| (*number, key.clone())));
        }
        names.sort();
        let mut bytes = Writer::default();
        for name in &names {
            Groups::write_name(name, &mut bytes);
            write(&self.panes, rule, name, &mut bytes);
        }
        self.model.write(&mut bytes);
        let touched: Vec<_> = self.panes.iter().map(|(number, pane)| (*number, pane.touched)).collect();
        (self.floor, self.left, touched, bytes.0)
    }
}

/// The groups of all panes, by pane and key; of a rule over frames with their moments.
struct Groups<'a> {
    panes: &'a mut BTreeMap<i64, Pane>,
    rule: &'a Windowed,
}

fn write(panes: &BTreeMap<i64, Pane>, rule: &Windowed, (pane, key): &(i64, Key), to: &mut Writer) {
    let pane = &panes[pane];
    let kept = &pane.groups[key];
    to.byte(u8::from(kept.partial));
    kept.group.write(to);
    if rule.span.frame.is_some() {
        pane.moments.write(key, to);
    }
}

impl Groups<'_> {
    /// The pane of that number, as far as it is the one that a part knew.
    fn pane(&mut self, number: i64, part: u64) -> Option<&mut Pane> {
        self.panes.get_mut(&number).filter(|pane| pane.since < part)
    }
}

impl Entries for Groups<'_> {
    type Name = (i64, Key);

    fn mark(&mut self, (pane, key): &(i64, Key)) -> Option<&mut Mark> {
        self.panes.get_mut(pane)?.groups.get_mut(key).map(|kept| &mut kept.mark)
    }

    fn write_name((pane, key): &(i64, Key), to: &mut Writer) {
        to.signed(*pane);
        to.bytes(key);
    }

    fn read_name(from: &mut Reader) -> Option<(i64, Key)> {
        Some((from.signed()?, from.bytes()?.into()))
    }

    fn write(&self, name: &(i64, Key), to: &mut Writer) {
        write(self.panes, self.rule, name, to);
    }

    fn read(&mut self, (number, mut key): (i64, Key), from: &mut Reader, part: u64) -> Option<(i64, Key)> {
        let parts = self.rule.parts_len();
        let partial = from.byte()? == 1;
        let kept = Box::new(Kept { group: Group::read(from, parts)?, mark: Mark::saved(part), partial });
        let framed = self.rule.span.frame.is_some();
        match self.pane(number, part) {
            Some(pane) => {
                // of keys that are the same one is kept
                if let Some((known, _)) = pane.groups.get_key_value(&key) {
                    key = known.clone();
                }
                if framed {
                    pane.moments.read(key.clone(), from, parts)?;
                }
                pane.groups.insert(key.clone(), kept);
            }
            // what has left is read over
            None if framed => Moments::default().read(key.clone(), from, parts)?,
            None => {}
        }
        Some((number, key))
    }

    fn remove(&mut self, (pane, key): &(i64, Key)) {
        if let Some(pane) = self.panes.get_mut(pane) {
            pane.groups.remove(key);
            pane.moments.remove(key);
        }
    }
}
