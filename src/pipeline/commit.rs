//! What makes a round permanent: one redb transaction with the positions, the archived objects and the stages' state.
//!
//! A commit that has to be settled is written with a way back. Whether it stands only the leases know, and they are asked behind it; where
//! the answer is not had, or is no, the run ends, and who takes the state up next finds out and goes back, or on ([`State::settle`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, ReadableDatabase, StorageBackend, TableDefinition};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::bucket::Bucket;
use super::duplicates::kept;
use super::said::Said;
use crate::archive::Object;
use crate::aws::Aws;
use crate::caught::caught;
use crate::detect::Parts;
use crate::mark::Mark;
use crate::position::Checkpoint;
use crate::source::claims::{Note, Permit};

/// Everything that one round makes permanent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    pub round: u64,
    pub checkpoint: Checkpoint,
    /// Files of this round, which are moved into place after the commit.
    pub objects: Vec<Object>,
    /// Of a commit that is made, what changed since the one before; of one that is loaded, all.
    pub detector: Parts,
    pub triage: Vec<u8>,
    /// Ids of events that were seen; the same.
    pub seen: kept::Parts,
    /// Findings that were not accepted yet, by the name of the way that they wait for. A commit leaves those of ways that it
    /// does not name as they are.
    pub outboxes: BTreeMap<String, Vec<u8>>,
    /// How far the file is written that findings are appended to, so that what a crash left behind it can be cut off.
    pub journal: Mark,
    /// Names this worker among those that share a source.
    pub worker: String,
}

/// The committed state; one process at a time holds it.
pub struct State(Home);

enum Home {
    /// A file beside the archive.
    Disk(Disk),
    Bucket(Box<Bucket>),
}

struct Disk {
    database: Database,
    path: PathBuf,
}

const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");
/// What rules over windows remember, by id and number of part.
const WINDOWS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("windows");
/// Ids of events that were seen, by number of part.
const SEEN: TableDefinition<u64, &[u8]> = TableDefinition::new("seen");
/// What the key of an outbox begins with. Security Hub's was once under [`OUTBOX_BEFORE`], with no name.
const OUTBOX: &str = "outbox/";
const OUTBOX_BEFORE: (&str, &str) = ("outbox", "security_hub");
/// What the database keeps of its file in memory; without it, up to 1 GiB.
const CACHE_BYTES: usize = 8 << 20;
/// Names the last commit if it has to be settled; the database before it is then a savepoint.
const NOTE: &str = "note";
/// How many bytes redb knows its files by.
const MAGIC_BYTES: usize = 9;
/// Layout of the values; another one is refused rather than guessed at.
const VERSION: u32 = 1;

/// All of a commit but its large values.
#[derive(Serialize, Deserialize)]
pub(super) struct Manifest {
    version: u32,
    round: u64,
    checkpoint: Checkpoint,
    objects: Vec<Object>,
    #[serde(default)]
    journal: Mark,
    /// States of before it have none.
    #[serde(default)]
    worker: String,
}

impl Manifest {
    pub fn of(commit: &Commit) -> Manifest {
        Manifest {
            version: VERSION,
            round: commit.round,
            checkpoint: commit.checkpoint.clone(),
            objects: commit.objects.clone(),
            journal: commit.journal.clone(),
            worker: commit.worker.clone(),
        }
    }

    /// # Errors
    /// When a newer Weir has written it.
    pub fn commit(self) -> anyhow::Result<Commit> {
        let Manifest { version, round, checkpoint, objects, journal, worker } = self;
        if version != VERSION {
            bail!("the state has version {version}, and this weir knows version {VERSION}");
        }
        Ok(Commit { round, checkpoint, objects, journal, worker, ..Commit::default() })
    }
}

/// Copies of a state that is being written to that are taken at most, and the time between two. A commit writes for
/// milliseconds, and comes about once a second.
const COPIES: u32 = 20;
const COPY_AGAIN: Duration = Duration::from_millis(50);

impl State {
    /// Opens or makes the state in a file.
    ///
    /// # Errors
    /// When another process has it, or it cannot be read or made.
    pub fn open(path: &Path) -> anyhow::Result<State> {
        let create = || Database::builder().set_cache_size(CACHE_BYTES).create(path);
        let created = unless_damaged(path, || {
            Ok(match create() {
                Err(DatabaseError::Storage(_)) if begin_again(path)? => create(),
                created => created,
            })
        })?;
        match created {
            Ok(database) => Ok(State(Home::Disk(Disk { database, path: path.to_owned() }))),
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                bail!("another weir run is writing to this archive ({} is locked)", path.display())
            }
            Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
        }
    }

    /// On a disk of a test, which fails as the test wants it.
    #[cfg(test)]
    pub fn on(disk: impl StorageBackend) -> anyhow::Result<State> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(disk)?;
        Ok(State(Home::Disk(Disk { database, path: "simulated".into() })))
    }

    /// Takes over the state that an object below `s3://BUCKET/PREFIX` holds, or begins it there, see [`Bucket::take`].
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn take(address: &str, writer: &str, again: bool, aws: &Aws, runtime: Handle) -> anyhow::Result<State> {
        Ok(State(Home::Bucket(Box::new(Bucket::take(address, writer, again, aws, runtime)?))))
    }

    /// Waits for what the last commits needed no more to be removed, see [`Bucket::wait_for_removals`].
    pub fn wait_for_removals(&self) {
        if let Home::Bucket(bucket) = &self.0 {
            bucket.wait_for_removals();
        }
    }

    /// Whether the state is elsewhere than the archive, which may then be gone while it is there.
    pub fn is_remote(&self) -> bool {
        matches!(self.0, Home::Bucket(_))
    }

    /// What people say of its findings, where it is in a bucket.
    pub fn said(&self) -> Option<Said> {
        match &self.0 {
            Home::Disk(_) => None,
            Home::Bucket(bucket) => Some(bucket.said()),
        }
    }

    /// The last commit of a state that another process may be writing to: a copy of the file is read, in memory, so that
    /// neither the lock nor the file is touched. A copy that was taken in the middle of a commit does not match its
    /// checksums and is taken again.
    ///
    /// # Errors
    /// When there is no such file, or no copy of it is whole.
    pub fn peek(path: &Path) -> anyhow::Result<Option<Commit>> {
        let mut tries = 0;
        loop {
            let copy = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            tries += 1;
            match whole(copy).map(|database| Disk { database, path: path.to_owned() }) {
                Ok(disk) => return disk.load(),
                Err(_) if tries < COPIES => std::thread::sleep(COPY_AGAIN),
                Err(error) => {
                    let busy = "it is damaged, or a run is writing to it without pause";
                    return Err(error).with_context(|| format!("reading a copy of {}: {busy}", path.display()));
                }
            }
        }
    }

    /// The last commit, if there is one.
    ///
    /// # Errors
    /// When the state cannot be read, or was written by a newer Weir.
    pub fn load(&self) -> anyhow::Result<Option<Commit>> {
        match &self.0 {
            Home::Disk(disk) => disk.load(),
            Home::Bucket(bucket) => Ok(bucket.load()),
        }
    }

    /// Finds out whether the last commit stands, where that is not known: `undo` has it never stand, and says `false` where it does.
    /// To be called before anything else of a state that was just taken up. What is found is kept: files of a commit that stands are moved
    /// into place, and it is asked of nobody again, who might have it that it never did.
    ///
    /// # Errors
    /// That of `undo`, or when what was found cannot be written.
    pub fn settle(&self, undo: impl FnOnce(&Note) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let note = match &self.0 {
            Home::Disk(disk) => disk.unsettled()?,
            Home::Bucket(bucket) => bucket.unsettled(),
        };
        let Some(note) = note else { return Ok(()) };
        let is_undone = undo(&note).context("finding out whether the last commit stands")?;
        match (&self.0, is_undone) {
            (Home::Disk(disk), true) => disk.undo().context("undoing the last commit")?,
            (Home::Disk(disk), false) => disk.stand().context("keeping that the last commit stands")?,
            (Home::Bucket(bucket), true) => bucket.undo().context("undoing the last commit")?,
            (Home::Bucket(bucket), false) => bucket.stand().context("keeping that the last commit stands")?,
        }
        if is_undone {
            tracing::warn!("another worker has read on before the last commit stood: it is undone");
        }
        Ok(())
    }

    /// Makes a commit permanent, or nothing of it.
    ///
    /// # Errors
    /// When it cannot be written, or another worker has taken the state over; the last commit then stands.
    pub fn commit(&self, commit: &Commit) -> anyhow::Result<()> {
        self.commit_if(commit, &Permit::default())
    }

    /// The same for as long as `permit` says that what it has may be committed, and if it says behind it that it stands. It was asked
    /// before this is called, and a disk takes too little time to ask again.
    ///
    /// # Errors
    /// Those of [`State::commit`] and of `permit`: then [`State::settle`] tells which commit stands, once the state is taken up again.
    pub fn commit_if(&self, commit: &Commit, permit: &Permit) -> anyhow::Result<()> {
        match &self.0 {
            Home::Disk(disk) => disk.commit(commit, permit.note())?,
            Home::Bucket(bucket) => bucket.commit(commit, permit.note(), &|| permit.confirm())?,
        }
        Ok(permit.settle()?)
    }
}

impl Disk {
    fn load(&self) -> anyhow::Result<Option<Commit>> {
        unless_damaged(&self.path, || self.read())
    }

    fn read(&self) -> anyhow::Result<Option<Commit>> {
        let read = self.database.begin_read().context("reading the archive's state")?;
        let table = match read.open_table(STATE) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error).context("reading the archive's state"),
        };
        let value = |key: &str| -> anyhow::Result<Option<Vec<u8>>> {
            let value = table.get(key).context("reading the archive's state")?;
            Ok(value.map(|value| value.value().to_vec()))
        };
        let Some(manifest) = value("manifest")? else {
            return Ok(None);
        };
        let manifest: Manifest = serde_json::from_slice(&manifest).context("reading the archive's state")?;
        let commit = manifest.commit()?;
        let mut outboxes = BTreeMap::new();
        // no bytes: there was no way
        if let Some(before) = value(OUTBOX_BEFORE.0)?.filter(|before| !before.is_empty()) {
            outboxes.insert(OUTBOX_BEFORE.1.to_owned(), before);
        }
        // what follows `outbox/` in the order of keys
        for entry in table.range(OUTBOX..).context("reading the archive's state")? {
            let (key, value) = entry.context("reading the archive's state")?;
            let Some(name) = key.value().strip_prefix(OUTBOX) else { break };
            outboxes.insert(name.to_owned(), value.value().to_vec());
        }
        let mut detector = Parts { shared: value("detector")?.unwrap_or_default().into(), ..Parts::default() };
        match read.open_table(WINDOWS) {
            Ok(windows) => {
                for entry in windows.range::<(&str, u64)>(..).context("reading the archive's state")? {
                    let (name, part) = entry.context("reading the archive's state")?;
                    let (rule, number) = name.value();
                    detector.of_rules.insert((rule.to_owned(), number), part.value().to_vec().into());
                }
            }
            // of before there were parts
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error).context("reading the archive's state"),
        }
        let mut seen = kept::Parts::default();
        match read.open_table(SEEN) {
            Ok(parts) => {
                for entry in parts.range::<u64>(..).context("reading the archive's state")? {
                    let (number, part) = entry.context("reading the archive's state")?;
                    seen.insert(number.value(), part.value().to_vec().into());
                }
            }
            // of before they were kept
            Err(redb::TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(error).context("reading the archive's state"),
        }
        let triage = value("triage")?.unwrap_or_default();
        Ok(Some(Commit { detector, triage, seen, outboxes, ..commit }))
    }

    /// By what the last commit is known if it had to be settled.
    fn unsettled(&self) -> anyhow::Result<Option<Note>> {
        unless_damaged(&self.path, || self.note())
    }

    fn note(&self) -> anyhow::Result<Option<Note>> {
        let read = self.database.begin_read()?;
        let note = match read.open_table(STATE) {
            Ok(table) => table.get(NOTE)?.map(|note| serde_json::from_slice(note.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(note.transpose()?)
    }

    /// Goes back to what was there before the last commit, which had to be settled.
    fn undo(&self) -> anyhow::Result<()> {
        let mut write = self.database.begin_write()?;
        let before = write.list_persistent_savepoints()?.next().context("there is no way back")?;
        let savepoint = write.get_persistent_savepoint(before)?;
        write.restore_savepoint(&savepoint)?;
        write.delete_persistent_savepoint(before)?;
        // that of the commit before, which stands
        write.open_table(STATE)?.remove(NOTE)?;
        Ok(write.commit()?)
    }

    /// Keeps the last commit, which stands.
    fn stand(&self) -> anyhow::Result<()> {
        let write = self.database.begin_write()?;
        for before in write.list_persistent_savepoints()? {
            write.delete_persistent_savepoint(before)?;
        }
        write.open_table(STATE)?.remove(NOTE)?;
        Ok(write.commit()?)
    }

    fn commit(&self, commit: &Commit, note: Option<&Note>) -> anyhow::Result<()> {
        let manifest = Manifest::of(commit);
        let write = || -> anyhow::Result<()> {
            let manifest = serde_json::to_vec(&manifest)?;
            let write = self.database.begin_write()?;
            // the commit before stands: there is another only then
            for before in write.list_persistent_savepoints()? {
                write.delete_persistent_savepoint(before)?;
            }
            if note.is_some() {
                write.persistent_savepoint()?;
            }
            {
                let mut table = write.open_table(STATE)?;
                match note {
                    Some(note) => table.insert(NOTE, &serde_json::to_vec(note)?[..])?,
                    None => table.remove(NOTE)?,
                };
                let values = [
                    ("manifest", &manifest[..]),
                    ("detector", &commit.detector.shared[..]),
                    ("triage", &commit.triage[..]),
                ];
                for (key, value) in values {
                    table.insert(key, value)?;
                }
                let mut windows = write.open_table(WINDOWS)?;
                for ((rule, number), part) in &commit.detector.of_rules {
                    match part.is_empty() {
                        true => windows.remove((rule.as_str(), *number))?,
                        false => windows.insert((rule.as_str(), *number), &part[..])?,
                    };
                }
                let mut seen = write.open_table(SEEN)?;
                for (number, part) in &commit.seen {
                    match part.is_empty() {
                        true => seen.remove(number)?,
                        false => seen.insert(number, &part[..])?,
                    };
                }
                for (name, outbox) in &commit.outboxes {
                    table.insert(format!("{OUTBOX}{name}").as_str(), outbox.as_slice())?;
                }
                if commit.outboxes.contains_key(OUTBOX_BEFORE.1) {
                    table.remove(OUTBOX_BEFORE.0)?;
                }
            }
            Ok(write.commit()?)
        };
        let written = unless_damaged(&self.path, write);
        written.with_context(|| format!("writing the archive's state {}", self.path.display()))
    }
}

/// What is asked of a file whose pages redb takes for what it wrote: of others it panics.
fn unless_damaged<T>(path: &Path, ask: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    caught(ask).unwrap_or_else(|| {
        let path = path.display();
        bail!(
            "the archive's state {path} is damaged: take it from a backup, or move the whole archive away, and what there is to read is \
             read anew"
        )
    })
}

/// Whether a file that begins so is none that redb has finished making: it writes the bytes by which it knows its files last.
/// Nothing was ever committed to it.
pub(super) fn is_unmade(begin: &[u8]) -> bool {
    begin.iter().take(MAGIC_BYTES).all(|byte| *byte == 0)
}

/// Empties a file that a process was killed over while it made it, so that it can be made again; false for any other.
fn begin_again(path: &Path) -> anyhow::Result<bool> {
    let making = || format!("opening {}", path.display());
    let mut file = File::options().read(true).write(true).open(path).with_context(making)?;
    let mut begin = [0; MAGIC_BYTES];
    let read = file.read(&mut begin).with_context(making)?;
    let unmade = is_unmade(&begin[..read]);
    if unmade {
        file.set_len(0).with_context(making)?;
    }
    Ok(unmade)
}

/// The database in a copy of its file, when all of it is there.
fn whole(copy: Vec<u8>) -> anyhow::Result<Database> {
    let memory = InMemoryBackend::new();
    memory.set_len(copy.len() as u64)?;
    memory.write(0, &copy)?;
    drop(copy);
    let open = || -> anyhow::Result<Database> {
        let mut database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(memory)?;
        // a file that was closed well is opened unchecked, and may have been opened by another since
        database.check_integrity()?;
        Ok(database)
    };
    // pages of different commits are nothing redb expects to see
    caught(open).unwrap_or_else(|| bail!("its pages do not fit together"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::{Offset, Position};
    use crate::source::claims::{Claims, Lost};

    #[test]
    fn a_file_that_was_damaged_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let detector = Parts { shared: vec![7; 1 << 20].into(), ..Parts::default() };
        State::open(&path).unwrap().commit(&Commit { detector, ..Commit::default() }).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut told = 0;
        for place in (4096..whole.len()).step_by(64 << 10) {
            let mut damaged = whole.clone();
            let end = damaged.len().min(place + (64 << 10));
            damaged[place..end].fill(0);
            std::fs::write(&path, damaged).unwrap();
            let used = || -> anyhow::Result<()> {
                let state = State::open(&path)?;
                state.load()?;
                state.commit(&Commit::default())
            };
            if let Err(error) = used() {
                assert!(format!("{error:#}").contains("state.redb"), "{error:#}");
                told += 1;
            }
        }
        assert!(told > 0, "of {} bytes", whole.len());
    }

    #[test]
    fn a_file_that_was_never_finished_is_made_again_and_any_other_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        // as a kill between redb's first two writes leaves it
        std::fs::write(&path, [0; 4096]).unwrap();
        let state = State::open(&path).unwrap();
        assert_eq!(state.load().unwrap(), None);
        state.commit(&Commit { round: 1, ..Commit::default() }).unwrap();
        drop(state);
        assert_eq!(State::open(&path).unwrap().load().unwrap().unwrap().round, 1);
        std::fs::write(&path, "somebody's notes").unwrap();
        assert!(State::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody's notes");
    }

    /// Of leases that say, behind a commit, whether it stands.
    fn permit(stands: bool) -> Permit {
        let claims = Claims::default();
        let mut asks = claims.answer_for("s/");
        std::thread::spawn(move || {
            while let Some(ask) = asks.blocking_recv() {
                let is_lost = ask.note.is_some() && !stands;
                ask.answer.send(if is_lost { Err(Lost::Taken("s/1".to_owned())) } else { Ok(Duration::MAX) }).unwrap();
            }
        });
        claims.permit("w", vec![Position { partition: "s/1".into(), offset: Offset::at(1) }])
    }

    #[test]
    fn a_commit_that_has_to_be_settled_is_gone_on_or_back_from_once_that_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let part = |round: u64| (("a/x".to_owned(), round), vec![round as u8; 5000].into());
        let commit = |round: u64| {
            let of_rules = BTreeMap::from([part(round), (("a/x".to_owned(), round - 1), "".into())]);
            Commit { round, detector: Parts { shared: "s".into(), of_rules }, ..Commit::default() }
        };
        let whole = |round: u64| {
            let of_rules = BTreeMap::from([part(round)]);
            Commit { detector: Parts { shared: "s".into(), of_rules }, ..commit(round) }
        };
        let found = |state: &State, is_undone: Option<bool>| {
            let mut asked = None;
            let answer = |note: &Note| {
                asked = Some(note.clone());
                Ok(is_undone.expect("it is not asked"))
            };
            state.settle(answer).unwrap();
            assert_eq!(asked.is_some(), is_undone.is_some());
            state.load().unwrap()
        };
        let state = State::open(&path).unwrap();
        assert_eq!(found(&state, None), None);
        // also the first
        assert!(state.commit_if(&commit(1), &permit(false)).unwrap_err().is::<Lost>());
        drop(state);
        let state = State::open(&path).unwrap();
        assert_eq!(found(&state, Some(true)), None);
        for round in 1..=20 {
            state.commit_if(&commit(round), &permit(true)).unwrap();
        }
        let permit_of_21 = permit(false);
        state.commit_if(&commit(21), &permit_of_21).unwrap_err();
        assert_eq!(State::peek(&path).unwrap(), Some(whole(21)));
        drop(state);
        // an answer was lost
        let state = State::open(&path).unwrap();
        assert_eq!(found(&state, Some(false)), Some(whole(21)));
        drop(state);
        // that it stands is known from then on: its files are in place
        let state = State::open(&path).unwrap();
        assert_eq!(found(&state, None), Some(whole(21)));
        state.commit_if(&commit(22), &permit(false)).unwrap_err();
        drop(state);
        let state = State::open(&path).unwrap();
        assert_eq!(found(&state, Some(true)), Some(whole(21)));
        assert_eq!(found(&state, None), Some(whole(21)));
        state.commit(&commit(22)).unwrap();
        assert_eq!(found(&state, None), Some(whole(22)));
    }

    #[test]
    fn what_was_committed_is_loaded_and_only_one_process_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let mut commit = Commit { round: 3, triage: b"t".to_vec(), ..Commit::default() };
        commit.outboxes = BTreeMap::from([("sns".into(), b"o".to_vec())]);
        commit.journal.bytes = 9;
        commit.checkpoint.advance(Position { partition: "a".into(), offset: Offset::at(5) });
        commit.objects = vec![Object { table: "cloudtrail".into(), path: "x".into(), rows: 1, bytes: 2 }];
        {
            let state = State::open(&path).unwrap();
            assert_eq!(state.load().unwrap(), None);
            state.commit(&commit).unwrap();
            assert_eq!(state.load().unwrap().as_ref(), Some(&commit));
            let second = State::open(&path).err().expect("the state is held").to_string();
            assert!(second.contains("another weir run"), "{second}");
        }
        assert_eq!(State::open(&path).unwrap().load().unwrap(), Some(commit));
    }

    #[test]
    fn a_state_is_read_while_another_holds_it_and_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        assert!(format!("{:#}", State::peek(&path).unwrap_err()).starts_with("reading "));
        let state = State::open(&path).unwrap();
        assert_eq!(State::peek(&path).unwrap(), None);
        // larger with each round, so that pages are freed and used again; all of a commit says which round it is of
        let commit = |round: u64| {
            let filled = |times: usize| vec![round as u8; times * 1000];
            let part = (("cloudtrail/x".to_owned(), 1), filled(50).into());
            let detector = Parts { shared: filled(1).into(), of_rules: BTreeMap::from([part]) };
            Commit { round, triage: filled(round as usize), detector, ..Commit::default() }
        };
        state.commit(&commit(0)).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 1..=100 {
                    state.commit(&commit(round)).unwrap();
                    // as a run does, it rests between commits, if for less long
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let mut seen = 0;
            while !writer.is_finished() {
                let copy = State::peek(&path).unwrap().unwrap();
                assert_eq!(copy, commit(copy.round));
                assert!(copy.round >= seen);
                seen = copy.round;
            }
            writer.join().unwrap();
        });
        assert_eq!(State::peek(&path).unwrap(), Some(commit(100)));
        state.commit(&commit(101)).unwrap();
    }

    #[test]
    fn parts_that_a_commit_does_not_name_stay_and_those_without_bytes_go() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state.redb")).unwrap();
        let with = |parts: &[(&str, u64, &'static str)]| {
            let of_rules = parts.iter().map(|(rule, number, bytes)| (((*rule).to_owned(), *number), (*bytes).into()));
            let detector = Parts { shared: "s".into(), of_rules: of_rules.collect() };
            let seen = parts.iter().map(|(_, number, bytes)| (*number, (*bytes).into())).collect();
            Commit { detector, seen, ..Commit::default() }
        };
        state.commit(&with(&[("a/x", 0, "head"), ("a/x", 1, "one"), ("b/y", 1, "other")])).unwrap();
        state.commit(&with(&[("a/x", 0, "next"), ("a/x", 1, ""), ("a/x", 2, "two"), ("c/z", 9, "")])).unwrap();
        let mut expected = with(&[("a/x", 0, "next"), ("a/x", 2, "two"), ("b/y", 1, "other")]);
        expected.seen = BTreeMap::from([(0, "next".into()), (2, "two".into())]);
        assert_eq!(state.load().unwrap(), Some(expected));
    }

    #[test]
    fn outboxes_are_kept_by_name_and_the_one_without_is_security_hubs() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&dir.path().join("state.redb")).unwrap();
        let with = |outboxes: &[(&str, &str)]| {
            let outboxes = outboxes.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
            Commit { outboxes: outboxes.collect(), ..Commit::default() }
        };
        state.commit(&with(&[])).unwrap();
        let Home::Disk(disk) = &state.0 else { panic!("it is a file") };
        let write = disk.database.begin_write().unwrap();
        write.open_table(STATE).unwrap().insert("outbox", b"old".as_slice()).unwrap();
        write.commit().unwrap();
        state.commit(&with(&[("sns", "a")])).unwrap();
        assert_eq!(state.load().unwrap(), Some(with(&[("security_hub", "old"), ("sns", "a")])));
        state.commit(&with(&[("security_hub", "new")])).unwrap();
        assert_eq!(state.load().unwrap(), Some(with(&[("security_hub", "new"), ("sns", "a")])));
        state.commit(&with(&[("sns", "b")])).unwrap();
        assert_eq!(state.load().unwrap(), Some(with(&[("security_hub", "new"), ("sns", "b")])));
    }
}
