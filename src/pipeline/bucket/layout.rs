//! Which values of a state are in its head, which in packs, and the form of both.
//!
//! What changed is in the head, which is written anyway. What did not is there too until it comes to [`COLD_BYTES`]; then it becomes a
//! pack, one request for all of it, which later heads name. So a commit writes what changed and less than that besides, and more
//! requests than one only where so much changed before. A pack of which less than half still holds is taken apart again.
//!
//! The head of a commit of which it has yet to be found out whether it stands has the one before behind it, so that either can be gone
//! on from.

use std::collections::BTreeMap;
use std::iter::once;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::pipeline::commit::{Commit, Manifest};
use crate::source::claims::Note;

/// Level of zstd.
const LEVEL: i32 = 3;
/// What the name of a part begins with of what a rule over windows remembers; its number and the rule follow.
const WINDOWS: &str = "windows/";
const OUTBOX: &str = "outbox/";
/// And of ids of events that were seen.
const SEEN: &str = "seen/";
/// Layout of the head; another one is refused rather than guessed at. One without packs is as those of before there were any, and one
/// that stands as those of before others did not.
const VERSION: u32 = 3;
const VERSION_PACKS: u32 = 2;
const VERSION_ALONE: u32 = 1;
/// What did not change that each head may have again. Tests have little.
const COLD_BYTES: usize = if cfg!(test) { 600 } else { 4 << 20 };

type Digest = blake3::Hash;

/// What a head or a pack has, by name.
pub type Values = BTreeMap<String, Vec<u8>>;

/// The first line of the inflated head; its values follow it one behind the other.
#[derive(Serialize, Deserialize)]
pub struct Index {
    version: u32,
    pub epoch: u64,
    pub writer: String,
    /// Names the commit, as the number of its round does not: after a run began again, another has the same.
    #[serde(default)]
    pub write: String,
    manifest: Option<Manifest>,
    values: Vec<(String, usize)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<Pack>,
    /// Names the commit if it has to be settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}

/// A head that was read.
pub struct Head {
    pub index: Index,
    pub values: Values,
    /// All of that, inflated,
    pub text: Vec<u8>,
    /// and the same of the head before, if it is behind this one.
    pub before: Option<Vec<u8>>,
}

/// Values in an object of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    pub name: String,
    /// Inflated, with what does not hold any more.
    bytes: usize,
    /// Those that hold, with where they begin and how long they are.
    values: Vec<(String, usize, usize)>,
}

/// What the state has, as it was written last.
#[derive(Default)]
pub struct Kept {
    digests: BTreeMap<String, Digest>,
    pub packs: Vec<Pack>,
}

/// Where the values of a commit are to be.
#[derive(Default)]
pub struct Layout<'a> {
    digests: BTreeMap<String, Digest>,
    hot: Vec<(String, &'a [u8])>,
    cold: Vec<(String, &'a [u8])>,
    packs: Vec<Pack>,
    pub note: Option<&'a Note>,
}

/// All of a commit that its manifest does not have.
fn values(commit: &Commit) -> impl Iterator<Item = (String, &[u8])> {
    let parts = commit.detector.of_rules.iter();
    let parts = parts.map(|((rule, number), part)| (format!("{WINDOWS}{number}/{rule}"), &part[..]));
    let outboxes = commit.outboxes.iter().map(|(name, outbox)| (format!("{OUTBOX}{name}"), &outbox[..]));
    let seen = commit.seen.iter().map(|(number, part)| (format!("{SEEN}{number}"), &part[..]));
    once(("detector".to_owned(), &commit.detector.shared[..]))
        .chain(parts)
        .chain(once(("triage".to_owned(), &commit.triage[..])))
        .chain(outboxes)
        .chain(seen)
}

impl Kept {
    pub fn of(index: &Index, commit: Option<&Commit>) -> Kept {
        let digests = commit.into_iter().flat_map(values).map(|(name, value)| (name, blake3::hash(value)));
        Kept { digests: digests.collect(), packs: index.packs.clone() }
    }

    pub fn names(&self, pack: &str) -> bool {
        self.packs.iter().any(|one| one.name == pack)
    }

    /// That of a commit that comes next: `whole` has besides what changed what did not.
    pub fn next<'a>(&self, changes: &Commit, whole: &'a Commit) -> Layout<'a> {
        let digests = values(changes).map(|(name, value)| (name, blake3::hash(value)));
        let mut digests: BTreeMap<String, Digest> = digests.collect();
        let mut left: BTreeMap<String, &[u8]> = values(whole).collect();
        let mut layout = Layout::default();
        left.retain(|name, value| {
            let before = self.digests.get(name).copied();
            let digest = digests.remove(name).or(before).unwrap_or_else(|| blake3::hash(value));
            layout.digests.insert(name.clone(), digest);
            let is_cold = before == Some(digest);
            if !is_cold {
                layout.hot.push((name.clone(), value));
            }
            is_cold
        });
        for pack in &self.packs {
            let mut pack = pack.clone();
            pack.values.retain(|(name, ..)| left.contains_key(name));
            let holds: usize = pack.values.iter().map(|(_, _, bytes)| bytes).sum();
            if 2 * holds >= pack.bytes && holds > 0 {
                for (name, ..) in &pack.values {
                    left.remove(name);
                }
                layout.packs.push(pack);
            }
        }
        layout.cold = left.into_iter().collect();
        layout
    }
}

impl Layout<'_> {
    /// Whether what did not change is to leave the head.
    pub fn wants_pack(&self) -> bool {
        self.cold.iter().map(|(_, value)| value.len()).sum::<usize>() > COLD_BYTES
    }

    /// The object of it.
    pub fn pack(&self) -> anyhow::Result<Vec<u8>> {
        let whole: Vec<&[u8]> = self.cold.iter().map(|(_, value)| *value).collect();
        Ok(zstd::encode_all(&whole.concat()[..], LEVEL)?)
    }

    /// It was written.
    pub fn is_packed(&mut self, name: String) {
        let mut pack = Pack { name, bytes: 0, values: Vec::new() };
        for (name, value) in self.cold.drain(..) {
            pack.values.push((name, pack.bytes, value.len()));
            pack.bytes += value.len();
        }
        self.packs.push(pack);
    }

    pub fn head(&self, epoch: u64, writer: &str, write: &str, commit: Option<&Commit>) -> anyhow::Result<Vec<u8>> {
        let values = || self.hot.iter().chain(&self.cold);
        let index = Index {
            version: 0,
            epoch,
            writer: writer.to_owned(),
            write: write.to_owned(),
            manifest: commit.map(Manifest::of),
            values: values().map(|(name, value)| (name.clone(), value.len())).collect(),
            packs: self.packs.clone(),
            note: self.note.cloned(),
        };
        let mut whole = index.line()?;
        values().for_each(|(_, value)| whole.extend_from_slice(value));
        packed(&whole)
    }

    /// Once the head is written.
    pub fn kept(self) -> Kept {
        Kept { digests: self.digests, packs: self.packs }
    }
}

impl Index {
    fn line(mut self) -> anyhow::Result<Vec<u8>> {
        self.version = match (&self.note, self.packs.is_empty()) {
            (Some(_), _) => VERSION,
            (None, false) => VERSION_PACKS,
            (None, true) => VERSION_ALONE,
        };
        let mut line = serde_json::to_vec(&self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// The object of a text, or that of a head with the one before behind it: zstd inflates what stands one behind the other to the same.
pub fn packed(text: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok(zstd::encode_all(text, LEVEL)?)
}

/// A head with another first line.
pub fn rewritten(text: &[u8], rewrite: impl FnOnce(&mut Index)) -> anyhow::Result<Vec<u8>> {
    let (mut index, values) = split(text)?;
    rewrite(&mut index);
    let mut whole = index.line()?;
    whole.extend_from_slice(values);
    packed(&whole)
}

impl Pack {
    pub fn read(&self, object: &[u8], to: &mut Values) -> anyhow::Result<()> {
        let whole = zstd::decode_all(object).context("it is not compressed with zstd")?;
        for (name, begin, length) in &self.values {
            let value = whole.get(*begin..).and_then(|rest| rest.get(..*length)).context("it is cut off")?;
            to.insert(name.clone(), value.to_vec());
        }
        Ok(())
    }
}

/// Whether a pack may have been written under this name: the number of an epoch, and one of chance.
pub fn is_pack_name(name: &str) -> bool {
    let parts = name.split_once('-');
    parts.is_some_and(|(epoch, chance)| {
        epoch.parse::<u64>().is_ok() && chance.len() == 16 && u64::from_str_radix(chance, 16).is_ok()
    })
}

impl Head {
    /// The object of it once another writer has it.
    pub fn taken(&self, epoch: u64, writer: &str) -> anyhow::Result<Vec<u8>> {
        let mut object = rewritten(&self.text, |index| {
            (index.epoch, index.writer, index.write) = (epoch, writer.to_owned(), String::new());
        })?;
        object.extend(self.before.as_deref().map(packed).transpose()?.unwrap_or_default());
        Ok(object)
    }

    /// Names of the packs that it names, or the one before.
    pub fn packs(&self) -> anyhow::Result<Vec<String>> {
        let before = self.before.as_deref().map(split).transpose()?;
        let packs = self.index.packs.iter().chain(before.iter().flat_map(|(index, _)| &index.packs));
        Ok(packs.map(|pack| pack.name.clone()).collect())
    }
}

/// What the head itself has.
pub fn read_head(object: &[u8]) -> anyhow::Result<Head> {
    let mut text = zstd::decode_all(object).context("it is not compressed with zstd")?;
    let (index, mut rest) = split(&text)?;
    let mut values = BTreeMap::new();
    for (name, length) in &index.values {
        let (value, behind) = rest.split_at_checked(*length).context("it is cut off")?;
        values.insert(name.clone(), value.to_vec());
        rest = behind;
    }
    let own = text.len() - rest.len();
    let before = text.split_off(own);
    Ok(Head { index, values, text, before: Some(before).filter(|before| !before.is_empty()) })
}

/// The first line, and what is behind it.
fn split(text: &[u8]) -> anyhow::Result<(Index, &[u8])> {
    let line = text.iter().position(|byte| *byte == b'\n').context("it has no first line")?;
    let index: Index = serde_json::from_slice(&text[..line])?;
    if !(VERSION_ALONE..=VERSION).contains(&index.version) {
        bail!("it has version {}, and this weir knows version {VERSION}", index.version);
    }
    Ok((index, &text[line + 1..]))
}

/// The commit of a head, with the values of its packs; `None` where none was made yet.
pub fn commit_of(index: &mut Index, mut values: Values) -> anyhow::Result<Option<Commit>> {
    let Some(manifest) = index.manifest.take() else { return Ok(None) };
    let mut commit = manifest.commit()?;
    commit.detector.shared = values.remove("detector").unwrap_or_default().into();
    for (name, part) in values.extract_if(.., |name, _| name.starts_with(WINDOWS)) {
        let (number, rule) = name[WINDOWS.len()..].split_once('/').context("a part has no number")?;
        commit.detector.of_rules.insert((rule.to_owned(), number.parse()?), part.into());
    }
    for (name, part) in values.extract_if(.., |name, _| name.starts_with(SEEN)) {
        commit.seen.insert(name[SEEN.len()..].parse()?, part.into());
    }
    commit.triage = values.remove("triage").unwrap_or_default();
    let outboxes = values.into_iter().filter_map(|(name, value)| Some((name.strip_prefix(OUTBOX)?.to_owned(), value)));
    commit.outboxes = outboxes.collect();
    Ok(Some(commit))
}
