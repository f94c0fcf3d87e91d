//! What is saved of a map, and what is not yet: pieces, of which a later one replaces what those before it have of an entry.
//!
//! What changed is saved as one more piece. For that the oldest leave: what these have as it still is, is written again. So what is
//! written depends on what changed, and the pieces together come to about twice what there is.

use std::collections::{BTreeMap, VecDeque};

use zstd::bulk::Compressor;
use zstd::zstd_safe::get_frame_content_size;

use super::bytes::{Reader, Writer};

/// A piece is cut past so many bytes before it is packed; as many are written again at least where anything changed, so that there
/// are not very many pieces.
const PIECE_BYTES: usize = 256 << 10;
/// The same of tests, which have a few keys, until there are so many pieces: of a flood of keys there would be tens of thousands.
const TEST_PIECE_BYTES: usize = 600;
const TEST_PIECES: usize = 1000;
/// Names of what no longer holds that are passed at once, besides four for each that is written: a pane that leaves may leave pieces of millions
/// behind.
const PASSED: usize = 1 << 16;
/// Level of zstd.
const PACKING: i32 = 1;
/// What a piece has of an entry: that it is gone, or all.
const GONE: u8 = 0;
const ENTRY: u8 = 1;

/// The first half of BLAKE3.
pub type Digest = [u8; 16];

pub fn digest(parts: &[&[u8]]) -> Digest {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hash.finalize().as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// Of an entry: the piece that has it as it was last saved, if one has, and whether it changed since.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(u64);

impl Mark {
    /// Of an entry that this piece has as it is.
    pub fn saved(piece: u64) -> Mark {
        Mark(piece << 1)
    }

    /// Notes that it changed; true the first time since it was saved.
    pub fn change(&mut self) -> bool {
        let is_first = self.0 & 1 == 0;
        self.0 |= 1;
        is_first
    }

    pub fn was_saved(self) -> bool {
        self.0 > 1
    }

    /// Whether it is to be written: where it changed, or where this piece has it as it is.
    fn is_due(self, of: Option<u64>) -> bool {
        match of {
            None => self.0 & 1 == 1,
            Some(piece) => self.0 == piece << 1,
        }
    }
}

/// What a log is of.
pub trait Entries {
    type Name;

    fn mark(&mut self, name: &Self::Name) -> Option<&mut Mark>;
    fn write_name(name: &Self::Name, to: &mut Writer);
    fn read_name(from: &mut Reader) -> Option<Self::Name>;
    /// Of one that is there.
    fn write(&self, name: &Self::Name, to: &mut Writer);
    /// Puts an entry in place of what is known of it; gives its name again, or `None` when it cannot be read.
    fn read(&mut self, name: Self::Name, from: &mut Reader, piece: u64) -> Option<Self::Name>;
    fn remove(&mut self, name: &Self::Name);
}

/// Parts that are to be saved, by their numbers; no bytes of those that are to be forgotten.
pub struct Saving {
    pub parts: BTreeMap<u64, Vec<u8>>,
    packer: Compressor<'static>,
}

impl Saving {
    pub fn new() -> Saving {
        let packer = Compressor::new(PACKING).expect("there is such a level");
        Saving { parts: BTreeMap::new(), packer }
    }

    /// Packs what becomes the part of this number; gives what is to be remembered of it.
    pub fn put(&mut self, number: u64, bytes: &[u8]) -> Part {
        let mut packed = self.packer.compress(bytes).expect("a buffer in memory takes what is written to it");
        // it has room for what does not pack, and a state in a bucket keeps all parts in memory
        packed.shrink_to_fit();
        let digest = digest(&[&packed]);
        self.parts.insert(number, packed);
        Part { number, digest }
    }

    pub fn forget(&mut self, number: u64) {
        self.parts.insert(number, Vec::new());
    }
}

/// Names what was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub number: u64,
    digest: Digest,
}

impl Part {
    pub fn write(&self, to: &mut Writer) {
        to.number(self.number);
        to.fixed(&self.digest);
    }

    pub fn read(from: &mut Reader) -> Option<Part> {
        Some(Part { number: from.number()?, digest: from.fixed()? })
    }

    /// What [`Saving::put`] was given; `None` when these are other bytes.
    pub fn unpack<'a>(&self, saved: &impl Fn(u64) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
        let packed = saved(self.number).filter(|packed| digest(&[packed]) == self.digest)?;
        // the digest vouches for what the frame says
        let bytes = usize::try_from(get_frame_content_size(packed).ok()??).ok()?;
        zstd::bulk::decompress(packed, bytes).ok()
    }
}

/// The pieces, the oldest first.
#[derive(Debug)]
pub struct Log<N> {
    pieces: VecDeque<Piece<N>>,
}

#[derive(Debug)]
struct Piece<N> {
    part: Part,
    /// Of the entries that it was written with.
    names: Box<[N]>,
}

/// A piece that is being written.
struct Draft<N> {
    bytes: Writer,
    names: Vec<N>,
}

impl<N> Default for Log<N> {
    fn default() -> Log<N> {
        Log { pieces: VecDeque::new() }
    }
}

impl<N> Log<N> {
    /// Saves what changed and what is gone. `last` is the number of the last part of all.
    pub fn save<E: Entries<Name = N>>(
        &mut self,
        entries: &mut E,
        changed: impl Iterator<Item = N>,
        gone: impl Iterator<Item = N>,
        last: &mut u64,
        to: &mut Saving,
    ) {
        let (mut draft, before) = (Draft { bytes: Writer::default(), names: Vec::new() }, self.pieces.len());
        let (mut written, mut passed) = (0, PASSED);
        // who was gone and came again is among those that changed
        for name in gone {
            draft.bytes.byte(GONE);
            E::write_name(&name, &mut draft.bytes);
            written += self.cut(&mut draft, self.piece_bytes(), last, to);
        }
        for name in changed {
            passed += 4;
            draft.add(entries, name, None, *last + 1);
            written += self.cut(&mut draft, self.piece_bytes(), last, to);
        }
        written += draft.bytes.0.len();
        let least = if written == 0 { 0 } else { written.max(self.piece_bytes()) };
        let mut again = 0;
        for _ in 0..before {
            if passed == 0 {
                break;
            }
            let Piece { part, names } = &self.pieces[0];
            let of = Some(part.number);
            let holds = |name: &N| entries.mark(name).is_some_and(|mark| mark.is_due(of));
            // one that has nothing that still holds leaves even where nothing changed
            if again >= least && names.iter().any(holds) {
                break;
            }
            let Piece { part, names } = self.pieces.pop_front().expect("those of before are there");
            to.forget(part.number);
            passed = passed.saturating_sub(names.len());
            for name in names {
                again += draft.add(entries, name, Some(part.number), *last + 1);
                self.cut(&mut draft, self.piece_bytes(), last, to);
            }
        }
        self.cut(&mut draft, 1, last, to);
    }

    fn piece_bytes(&self) -> usize {
        if cfg!(test) && self.pieces.len() < TEST_PIECES { TEST_PIECE_BYTES } else { PIECE_BYTES }
    }

    /// Makes a piece of a draft that has so many bytes; gives how many.
    fn cut(&mut self, draft: &mut Draft<N>, least: usize, last: &mut u64, to: &mut Saving) -> usize {
        let bytes = draft.bytes.0.len();
        if bytes < least {
            return 0;
        }
        *last += 1;
        let part = to.put(*last, &draft.bytes.0);
        draft.bytes.0.clear();
        self.pieces.push_back(Piece { part, names: std::mem::take(&mut draft.names).into() });
        bytes
    }

    pub fn parts(&self) -> impl Iterator<Item = u64> {
        self.pieces.iter().map(|piece| piece.part.number)
    }

    /// Writes what [`Log::read`] asks for besides the parts.
    pub fn write(&self, to: &mut Writer) {
        to.number(self.pieces.len() as u64);
        self.pieces.iter().for_each(|piece| piece.part.write(to));
    }

    /// Puts into `entries` what the parts have of them; `None` when they cannot be read.
    pub fn read<'a, E: Entries<Name = N>>(
        from: &mut Reader,
        entries: &mut E,
        saved: &impl Fn(u64) -> Option<&'a [u8]>,
    ) -> Option<Log<N>> {
        let mut log = Log::default();
        for _ in 0..from.number()? {
            let part = Part::read(from)?;
            let bytes = part.unpack(saved)?;
            let (mut rest, mut names) = (Reader(&bytes), Vec::new());
            while !rest.0.is_empty() {
                let (kind, name) = (rest.byte()?, E::read_name(&mut rest)?);
                match kind {
                    GONE => entries.remove(&name),
                    ENTRY => names.push(entries.read(name, &mut rest, part.number)?),
                    _ => return None,
                }
            }
            log.pieces.push_back(Piece { part, names: names.into() });
        }
        Some(log)
    }
}

impl<N> Draft<N> {
    /// Adds an entry where it is due, and gives how many bytes that takes.
    fn add<E: Entries<Name = N>>(&mut self, entries: &mut E, name: N, of: Option<u64>, piece: u64) -> usize {
        match entries.mark(&name) {
            Some(mark) if mark.is_due(of) => *mark = Mark::saved(piece),
            _ => return 0,
        }
        let before = self.bytes.0.len();
        self.bytes.byte(ENTRY);
        E::write_name(&name, &mut self.bytes);
        entries.write(&name, &mut self.bytes);
        self.names.push(name);
        self.bytes.0.len() - before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Some bytes of each name.
    #[derive(Default)]
    struct Map(BTreeMap<u64, (u8, Mark)>);

    impl Entries for Map {
        type Name = u64;

        fn mark(&mut self, name: &u64) -> Option<&mut Mark> {
            self.0.get_mut(name).map(|(_, mark)| mark)
        }

        fn write_name(name: &u64, to: &mut Writer) {
            to.number(*name);
        }

        fn read_name(from: &mut Reader) -> Option<u64> {
            from.number()
        }

        fn write(&self, name: &u64, to: &mut Writer) {
            to.fixed(&[self.0[name].0; 40]);
        }

        fn read(&mut self, name: u64, from: &mut Reader, piece: u64) -> Option<u64> {
            let [value, ..] = from.fixed::<40>()?;
            self.0.insert(name, (value, Mark::saved(piece)));
            Some(name)
        }

        fn remove(&mut self, name: &u64) {
            self.0.remove(name);
        }
    }

    /// What was saved, and what is kept of it.
    #[derive(Default)]
    struct Store {
        log: Log<u64>,
        last: u64,
        parts: BTreeMap<u64, Vec<u8>>,
    }

    impl Store {
        /// Gives how many bytes became of it in this commit, before they were packed.
        fn save(&mut self, map: &mut Map, changed: Vec<u64>, gone: Vec<u64>) -> usize {
            let mut to = Saving::new();
            self.log.save(map, changed.into_iter(), gone.into_iter(), &mut self.last, &mut to);
            let written = to.parts.values().filter(|part| !part.is_empty()).map(|part| unpacked(part)).sum();
            self.parts.extend(to.parts);
            self.parts.retain(|_, part| !part.is_empty());
            assert!(self.parts.keys().copied().eq(self.log.parts()));
            written
        }

        fn bytes(&self) -> usize {
            self.parts.values().map(|part| unpacked(part)).sum()
        }

        fn read(&self) -> (Map, Log<u64>) {
            let (mut head, mut map) = (Writer::default(), Map::default());
            self.log.write(&mut head);
            let saved = |number| self.parts.get(&number).map(Vec::as_slice);
            let log = Log::read(&mut Reader(&head.0), &mut map, &saved).unwrap();
            (map, log)
        }
    }

    fn unpacked(part: &[u8]) -> usize {
        get_frame_content_size(part).unwrap().unwrap() as usize
    }

    fn told(map: &Map) -> Vec<(u64, u8)> {
        map.0.iter().map(|(name, (value, _))| (*name, *value)).collect()
    }

    fn set(map: &mut Map, name: u64, value: u8, changed: &mut Vec<u64>) {
        let (known, mark) = map.0.entry(name).or_default();
        *known = value;
        if mark.change() {
            changed.push(name);
        }
    }

    proptest! {
        #[test]
        fn a_commit_writes_about_twice_what_changed_and_all_of_them_hold_what_there_is(
            rounds in prop::collection::vec((prop::collection::vec((0u64..200, any::<Option<u8>>()), 0..30), any::<bool>()), 1..60),
        ) {
            let (mut map, mut store) = (Map::default(), Store::default());
            for (changes, restarts) in rounds {
                let (mut changed, mut gone, count) = (Vec::new(), Vec::new(), changes.len());
                for (name, value) in changes {
                    match value {
                        Some(value) => set(&mut map, name, value, &mut changed),
                        None => gone.extend(map.0.remove(&name).filter(|(_, mark)| mark.was_saved()).map(|_| name)),
                    }
                }
                let written = store.save(&mut map, changed, gone);
                prop_assert!(written <= 2 * (count * 44).max(TEST_PIECE_BYTES) + TEST_PIECE_BYTES + 88, "{written} of {count}");
                prop_assert!(store.bytes() <= 2 * map.0.len() * 44 + 8 * TEST_PIECE_BYTES + 30 * 88, "{} of {}", store.bytes(), map.0.len());
                let (read, log) = store.read();
                prop_assert_eq!(told(&read), told(&map));
                if restarts {
                    (map, store.log) = (read, log);
                }
            }
        }
    }

    #[test]
    fn what_very_many_leave_behind_goes_little_by_little() {
        let (mut map, mut store, mut changed) = (Map::default(), Store::default(), Vec::new());
        (0..3 * PASSED as u64).for_each(|name| set(&mut map, name, 1, &mut changed));
        store.save(&mut map, changed, Vec::new());
        // they are known to be gone, as of a pane that left
        map.0.clear();
        let mut left = vec![store.parts.len()];
        while !store.parts.is_empty() {
            assert_eq!(store.save(&mut map, Vec::new(), Vec::new()), 0);
            left.push(store.parts.len());
        }
        assert!((3..=4).contains(&(left.len() - 1)), "{left:?}");
    }
}
