use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_722_511_800_000_000);

fn shard(id: &str, parents: &[&str], first: u8, last: u8) -> Shard {
    let range = HashRange { first: u128::from(first) << 120, last: (u128::from(last) << 120) | (u128::MAX >> 8) };
    Shard { id: id.into(), parents: parents.iter().map(|&id| id.into()).collect(), range, closed: false }
}

fn closed(mut shard: Shard) -> Shard {
    shard.closed = true;
    shard
}

fn checkpoint(positions: Vec<Position>) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    positions.into_iter().for_each(|position| checkpoint.advance(position));
    checkpoint
}

fn due(shards: &mut Shards) -> Vec<(String, ReadFrom)> {
    shards.due().into_iter().map(|due| (due.shard.to_string(), due.from)).collect()
}

fn begun(start: Start, listing: Vec<Shard>) -> (Shards, Checkpoint) {
    let mut shards = Shards::new("s@1", start, Share::ALL, &Checkpoint::default());
    let marks = shards.listed(listing, NOW);
    (shards, checkpoint(marks))
}

fn restarted(start: Start, committed: &Checkpoint, listing: Vec<Shard>) -> Shards {
    let mut shards = Shards::new("s@1", start, Share::ALL, committed);
    assert_eq!(shards.listed(listing, Timestamp(NOW.0 + 1)), []);
    shards
}

const SEQUENCE: &str = "49590338271490256608559692538361571095921575989136588898";

#[test]
fn a_merged_child_waits_for_both_parents() {
    let listing = vec![shard("a", &[], 0, 127), shard("b", &[], 128, 255), shard("c", &["a", "b"], 0, 255)];
    let (mut shards, _) = begun(Start::TrimHorizon, listing);
    assert_eq!(due(&mut shards), [("a".into(), ReadFrom::TrimHorizon), ("b".into(), ReadFrom::TrimHorizon)]);
    shards.ended("a", Vec::new());
    assert_eq!(due(&mut shards), []);
    shards.ended("b", Vec::new());
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon)]);
    assert_eq!(due(&mut shards), []);
}

#[test]
fn a_parent_that_has_aged_out_counts_as_finished() {
    let (mut shards, _) = begun(Start::TrimHorizon, vec![shard("b", &["a"], 0, 255), shard("c", &["b"], 0, 255)]);
    assert_eq!(due(&mut shards), [("b".into(), ReadFrom::TrimHorizon)]);
}

#[test]
fn children_are_known_from_the_last_answer_of_their_parent() {
    let (mut shards, _) = begun(Start::Latest, vec![shard("a", &[], 0, 255)]);
    assert_eq!(due(&mut shards), [("a".into(), ReadFrom::Latest)]);
    let children = || vec![shard("b", &["a"], 0, 127), shard("c", &["a"], 128, 255)];
    shards.ended("a", children());
    assert_eq!(due(&mut shards), [("b".into(), ReadFrom::TrimHorizon), ("c".into(), ReadFrom::TrimHorizon)]);
    // a listing that was under way when they were born changes nothing, and neither does one that has them
    shards.ended("b", Vec::new());
    shards.listed(vec![shard("a", &[], 0, 255)], NOW);
    assert!(shards.take_forgotten().is_empty());
    shards.listed([vec![closed(shard("a", &[], 0, 255))], children()].concat(), NOW);
    assert_eq!(due(&mut shards), []);
}

#[test]
fn a_merged_child_waits_for_a_parent_that_nothing_has_told_of_yet() {
    let (mut shards, _) = begun(Start::TrimHorizon, vec![shard("a", &[], 0, 127), shard("b", &[], 128, 255)]);
    assert_eq!(due(&mut shards).len(), 2);
    // after the listing `a` was split, and its upper half merged with `b`
    let merged = || shard("e", &["d", "b"], 64, 255);
    let halves = || vec![shard("c", &["a"], 0, 63), closed(shard("d", &["a"], 64, 127))];
    assert!(!shards.wants_listing());
    shards.ended("b", vec![merged()]);
    assert_eq!((due(&mut shards), shards.wants_listing()), (vec![], true));
    // a listing tells of the other parent
    shards.listed([vec![shard("a", &[], 0, 127), merged()], halves()].concat(), NOW);
    assert_eq!((due(&mut shards), shards.wants_listing()), (vec![], false));
    shards.ended("a", halves());
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon), ("d".into(), ReadFrom::TrimHorizon)]);
    shards.ended("d", vec![merged()]);
    assert_eq!(due(&mut shards), [("e".into(), ReadFrom::TrimHorizon)]);
    // or that it has aged out
    let (mut shards, _) = begun(Start::TrimHorizon, vec![shard("b", &[], 128, 255)]);
    assert_eq!(due(&mut shards).len(), 1);
    shards.ended("b", vec![merged()]);
    assert_eq!((due(&mut shards), shards.wants_listing()), (vec![], true));
    shards.listed(vec![closed(shard("b", &[], 128, 255)), merged()], NOW);
    assert_eq!(due(&mut shards), [("e".into(), ReadFrom::TrimHorizon)]);
}

#[test]
fn begun_at_the_end_closed_shards_are_over_and_later_born_ones_are_read_whole() {
    let old = closed(shard("a", &[], 0, 255));
    let (mut shards, committed) = begun(Start::Latest, vec![old.clone(), shard("b", &["a"], 0, 255)]);
    assert_eq!(due(&mut shards), [("b".into(), ReadFrom::Latest)]);
    assert_eq!(
        committed.0,
        BTreeMap::from([
            ("kinesis:s@1".into(), Offset::At("1722511800000000".into())),
            ("kinesis:s@1/a".into(), Offset::End),
            ("kinesis:s@1/b".into(), Offset::at(0)),
        ])
    );
    let listing = vec![old, closed(shard("b", &["a"], 0, 255)), shard("c", &["b"], 0, 255)];
    // nothing came from `b` before the restart: what came since the first start must not be missed
    let mut shards = restarted(Start::Latest, &committed, listing.clone());
    assert_eq!(due(&mut shards), [("b".into(), ReadFrom::Time(NOW))]);
    shards.ended("b", Vec::new());
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon)]);
    // the same when `b` was read to its end before the restart, and when it has aged out as well
    let mut committed = committed;
    committed.advance(Position { partition: shards.partition("b"), offset: Offset::End });
    assert_eq!(due(&mut restarted(Start::Latest, &committed, listing.clone())), [("c".into(), ReadFrom::TrimHorizon)]);
    assert_eq!(
        due(&mut restarted(Start::Latest, &committed, listing[2..].to_vec())),
        [("c".into(), ReadFrom::TrimHorizon)]
    );
}

#[test]
fn what_aged_out_before_it_was_listed_holds_back_no_shard_whose_child_was() {
    let share = Share::new(0, 2).unwrap();
    let mut shards = Shards::new("s@1", Start::TrimHorizon, share, &Checkpoint::default());
    shards.listed(vec![shard("a", &[], 0, 63)], NOW);
    assert_eq!(shards.due().len(), 1);
    // the other worker's, of which the last answer tells; and its child, which is ours again
    let foreign = shard("b", &["a"], 200, 255);
    shards.ended("a", vec![foreign]);
    shards.listed(vec![shard("c", &["b"], 0, 63)], NOW);
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon)]);
}

#[test]
fn shards_that_were_read_to_their_ends_and_have_left_the_stream_are_forgotten() {
    let (a, b) = (closed(shard("a", &[], 0, 255)), closed(shard("b", &["a"], 0, 255)));
    let listing = vec![a.clone(), b.clone(), shard("c", &["b"], 0, 255)];
    let (mut shards, mut committed) = begun(Start::TrimHorizon, listing.clone());
    shards.due();
    shards.ended("a", Vec::new());
    committed.advance(Position { partition: shards.partition("a"), offset: Offset::End });
    assert!(shards.take_forgotten().is_empty(), "it is listed");
    // the reader of `b` is not at its end yet
    shards.due();
    shards.listed(listing[2..].to_vec(), NOW);
    assert_eq!(shards.take_forgotten(), [shards.partition("a")]);
    shards.ended("b", Vec::new());
    shards.listed(listing[2..].to_vec(), NOW);
    assert_eq!(shards.take_forgotten(), [shards.partition("b")]);
    shards.listed(listing[2..].to_vec(), NOW);
    assert!(shards.take_forgotten().is_empty());
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon)]);
    // what left the stream while nobody read it: of `b`, not all had been read
    let mut shards = restarted(Start::TrimHorizon, &committed, listing[2..].to_vec());
    assert_eq!(shards.take_forgotten(), [shards.partition("a")]);
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon)]);
}

#[test]
fn what_was_read_by_leases_is_gone_on_with_and_the_rest_is_read_from_its_oldest_record() {
    let listing = || {
        let (a, c) = (closed(shard("a", &[], 0, 127)), closed(shard("c", &[], 128, 255)));
        vec![a, shard("b", &["a"], 0, 127), c, shard("d", &["c"], 128, 255)]
    };
    let mut committed = Checkpoint::default();
    let partition = "kinesis:s@1/a".into();
    committed.advance(Position { partition, offset: Offset::of_record(SEQUENCE, None).unwrap() });
    let mut shards = Shards::new("s@1", Start::Latest, Share::ALL, &committed);
    let marks = shards.listed(listing(), NOW);
    // `c` was another worker's, and how far that one has read it nobody says
    let first = || [("a".into(), ReadFrom::After(SEQUENCE.into())), ("c".into(), ReadFrom::TrimHorizon)];
    assert_eq!(due(&mut shards), first());
    marks.into_iter().for_each(|mark| committed.advance(mark));
    // killed at once, it goes on there
    let mut shards = restarted(Start::Latest, &committed, listing());
    assert_eq!(due(&mut shards), first());
    shards.ended("a", Vec::new());
    shards.ended("c", Vec::new());
    assert_eq!(due(&mut shards), [("b".into(), ReadFrom::TrimHorizon), ("d".into(), ReadFrom::TrimHorizon)]);
}

#[test]
fn a_stream_that_was_made_again_is_read_whole_and_one_of_another_name_counts_for_nothing() {
    let committed = |name: &str| checkpoint(vec![Position { partition: name.into(), offset: Offset::at(7) }]);
    let listing = || vec![shard("a", &[], 0, 255)];
    let from = |committed: &Checkpoint, start| {
        let mut shards = Shards::new("s@1", start, Share::ALL, committed);
        shards.listed(listing(), NOW);
        due(&mut shards).pop().unwrap().1
    };
    for name in ["kinesis:s@0/a", "kinesis:s@0", "kinesis:s@12/a"] {
        let committed = committed(name);
        let earlier: Vec<String> = earlier("s@1", &committed).iter().map(|one| one.to_string()).collect();
        assert_eq!(earlier, [name.split('/').next().unwrap()]);
        assert_eq!(from(&committed, Start::Latest), ReadFrom::TrimHorizon, "{name}");
        assert_eq!(from(&committed, Start::At(NOW)), ReadFrom::Time(NOW), "{name}");
    }
    for name in ["kinesis:s@1/b", "kinesis:as@0/a", "kinesis:s/a", "kinesis:sa@0/a"] {
        assert!(earlier("s@1", &committed(name)).is_empty(), "{name}");
    }
    assert_eq!(from(&committed("kinesis:sa@0/a"), Start::Latest), ReadFrom::Latest);
}

#[test]
fn a_restart_goes_on_behind_the_last_record() {
    let listing = vec![shard("a", &[], 0, 127), shard("b", &[], 128, 255)];
    let (shards, mut committed) = begun(Start::TrimHorizon, listing.clone());
    let at =
        |shard, sub| Position { partition: shards.partition(shard), offset: Offset::of_record(SEQUENCE, sub).unwrap() };
    let within = Within { sub_sequence: 7, bytes: None };
    committed.advance(at("a", None));
    committed.advance(at("b", Some(within)));
    // where a stream has been read before, the start it is given now does not count
    let mut shards = restarted(Start::Latest, &committed, listing);
    assert_eq!(
        due(&mut shards),
        [("a".into(), ReadFrom::After(SEQUENCE.into())), ("b".into(), ReadFrom::Inside(SEQUENCE.into(), within)),]
    );
}

#[test]
fn begun_at_a_time_a_restart_begins_there_too() {
    let time = Timestamp(NOW.0 - 5);
    let listing = vec![shard("a", &[], 0, 255)];
    let (mut shards, committed) = begun(Start::At(time), listing.clone());
    assert_eq!(due(&mut shards), [("a".into(), ReadFrom::Time(time))]);
    let later = Start::At(Timestamp(NOW.0 + 5));
    assert_eq!(due(&mut restarted(later, &committed, listing)), [("a".into(), ReadFrom::Time(time))]);
}

#[test]
fn another_stream_is_another_checkpoint() {
    let (_, committed) = begun(Start::Latest, vec![shard("a", &[], 0, 255)]);
    for stream in ["s@2", "s", "s@11", "s@1-a"] {
        let mut other = Shards::new(stream, Start::TrimHorizon, Share::ALL, &committed);
        assert_eq!(other.listed(vec![shard("a", &[], 0, 255)], NOW).len(), 2, "{stream}");
        assert_eq!(due(&mut other), [("a".into(), ReadFrom::TrimHorizon)], "{stream}");
    }
}

#[test]
fn a_shard_knows_the_ranges_that_it_was_born_of() {
    // a was split into b and c, and c merged with d
    let listing = vec![
        closed(shard("a", &[], 0, 127)),
        shard("b", &["a"], 0, 63),
        closed(shard("c", &["a"], 64, 127)),
        closed(shard("d", &["gone"], 128, 255)),
        shard("e", &["c", "d"], 64, 255),
    ];
    let range = |id: &str| listing.iter().find(|one| *one.id == *id).unwrap().range;
    let (mut shards, _) = begun(Start::TrimHorizon, listing.clone());
    let ancestors = |shards: &mut Shards| -> BTreeMap<String, Vec<HashRange>> {
        shards.due().into_iter().map(|due| (due.shard.to_string(), due.ancestors)).collect()
    };
    assert_eq!(ancestors(&mut shards), BTreeMap::from([("a".into(), vec![]), ("d".into(), vec![])]));
    ["a", "d"].into_iter().for_each(|id| shards.ended(id, Vec::new()));
    assert_eq!(
        ancestors(&mut shards),
        BTreeMap::from([("b".into(), vec![range("a")]), ("c".into(), vec![range("a")])])
    );
    shards.ended("c", Vec::new());
    let mut found = ancestors(&mut shards).remove("e").unwrap();
    found.sort_by_key(|range| (range.first, range.last));
    assert_eq!(found, [range("a"), range("c"), range("d")]);
}

#[test]
fn starts_and_shares_are_written_in_words() {
    let start = |text: &str| Start::try_from(text.to_owned());
    assert_eq!(start("latest"), Ok(Start::Latest));
    assert_eq!(start("trim_horizon"), Ok(Start::TrimHorizon));
    assert_eq!(start("2024-08-01T11:30:00Z"), Ok(Start::At(NOW)));
    assert!(start("LATEST").unwrap_err().contains("`LATEST` is neither"));
    let share = |text: &str| Share::try_from(text.to_owned());
    assert_eq!(share("1/4"), Ok(Share { worker: 1, of: 4 }));
    for wrong in ["4/4", "0/0", "1", "-1/4", "a/b", ""] {
        assert!(share(wrong).unwrap_err().contains("is no share"), "{wrong}");
    }
}

#[test]
fn workers_share_the_hash_keys() {
    let of = |worker, of| Share::new(worker, of).unwrap();
    assert_eq!(Share::new(2, 2), None);
    assert_eq!(Share::new(0, 0), None);
    let (border, most) = (1 << 127, u128::MAX);
    for (first, last, expected) in [
        (0, 0, 0),
        (0, border - 1, 0),
        (border, most, 1),
        (most, most, 1),
        // over the border, the middle decides
        (0, most, 0),
        (1, most, 1),
        (border - 3, border + 1, 0),
        (border - 1, border + 1, 1),
    ] {
        let range = HashRange { first, last };
        assert_eq!([of(0, 2).has(range), of(1, 2).has(range)], [expected == 0, expected == 1], "{first} {last}");
    }
    let third = HashRange { first: u128::MAX / 3 * 2 + 2, last: u128::MAX };
    assert_eq!([0, 1, 2].map(|worker| of(worker, 3).has(third)), [false, false, true]);
}

#[test]
fn the_shard_of_another_worker_is_not_waited_for_but_its_parents_are() {
    // `b` crosses the border and is the other worker's; `c` is ours again
    let listing = vec![
        shard("a", &[], 0, 100),
        shard("b", &["a", "z"], 128, 255),
        shard("c", &["b"], 0, 127),
        shard("d", &["b"], 128, 255),
    ];
    let mut shards = Shards::new("s@1", Start::TrimHorizon, Share::new(0, 2).unwrap(), &Checkpoint::default());
    let marked: Vec<_> = shards.listed(listing, NOW).into_iter().map(|mark| mark.partition.to_string()).collect();
    assert_eq!(marked, ["kinesis:s@1", "kinesis:s@1/a", "kinesis:s@1/c"]);
    assert_eq!(due(&mut shards), [("a".into(), ReadFrom::TrimHorizon)]);
    shards.ended("a", Vec::new());
    assert_eq!(due(&mut shards), [("c".into(), ReadFrom::TrimHorizon)]);
}

/// A stream in memory.
#[derive(Default)]
struct Stream {
    shards: BTreeMap<Arc<str>, Stored>,
    born: usize,
    sequence: u64,
    clock: i64,
    /// How many records each key has.
    put: BTreeMap<u8, u32>,
}

#[derive(Clone)]
struct Stored {
    shard: Shard,
    records: Vec<Record>,
    children: Vec<Shard>,
}

#[derive(Clone)]
struct Record {
    sequence: String,
    time: i64,
    key: u8,
    /// Of those of its key, from 0.
    number: u32,
}

impl Stream {
    fn born(&mut self, parents: &[&Shard], range: HashRange) {
        let id: Arc<str> = format!("shardId-{:012}", self.born).into();
        self.born += 1;
        let shard =
            Shard { id: id.clone(), parents: parents.iter().map(|one| one.id.clone()).collect(), range, closed: false };
        for parent in parents {
            let parent = self.shards.get_mut(&parent.id).unwrap();
            parent.shard.closed = true;
            parent.children.push(shard.clone());
        }
        self.shards.insert(id, Stored { shard, records: Vec::new(), children: Vec::new() });
    }

    /// The open shards by hash key.
    fn open(&self) -> Vec<Shard> {
        let mut open: Vec<Shard> =
            self.shards.values().map(|one| one.shard.clone()).filter(|one| !one.closed).collect();
        open.sort_by_key(|shard| shard.range.first);
        open
    }

    fn put(&mut self, key: u8) {
        let hash = u128::from(key) << 120;
        let id = self.open().into_iter().find(|shard| shard.range.contains(hash)).unwrap().id;
        self.sequence += 1;
        let number = self.put.entry(key).or_default();
        // numbers grow in length on the way
        let record = Record { sequence: format!("{}", self.sequence * 7), time: self.clock, key, number: *number };
        *number += 1;
        self.shards.get_mut(&id).unwrap().records.push(record);
    }

    fn split(&mut self, place: usize) {
        let open = self.open();
        let parent = &open[place % open.len()];
        let HashRange { first, last } = parent.range;
        if last - first > 1 << 121 {
            let middle = first + (last - first) / 2;
            self.born(&[parent], HashRange { first, last: middle });
            self.born(&[parent], HashRange { first: middle + 1, last });
        }
    }

    fn merge(&mut self, place: usize) {
        let open = self.open();
        if open.len() > 1 {
            let [a, b] = &open[place % (open.len() - 1)..][..2] else { unreachable!() };
            self.born(&[a, b], HashRange { first: a.range.first, last: b.range.last });
        }
    }

    fn listing(&self) -> Vec<Shard> {
        self.shards.values().map(|one| one.shard.clone()).collect()
    }

    /// The oldest closed shard goes, once all of it has been committed.
    fn expire(&mut self, workers: &[Worker]) {
        let oldest = self.shards.values().next().unwrap().shard.clone();
        let partition = format!("kinesis:s@1/{}", oldest.id);
        if oldest.closed && workers.iter().any(|worker| worker.committed.is_done(&partition)) {
            self.shards.remove(&oldest.id);
        }
    }
}

/// One worker with what it has read, and what of that is committed.
struct Worker {
    share: Share,
    start: Start,
    shards: Shards,
    /// Shards it is reading, and the next record of each.
    reading: BTreeMap<Arc<str>, usize>,
    reached: Checkpoint,
    committed: Checkpoint,
    taken: Vec<(u8, u32)>,
    kept: usize,
}

impl Worker {
    fn new(share: Share, start: Start) -> Worker {
        let none = Checkpoint::default();
        Worker {
            share,
            start,
            shards: Shards::new("s@1", start, share, &none),
            reading: BTreeMap::new(),
            reached: none.clone(),
            committed: none,
            taken: Vec::new(),
            kept: 0,
        }
    }

    fn list(&mut self, stream: &Stream) {
        let marks = self.shards.listed(stream.listing(), Timestamp(stream.clock));
        if !marks.is_empty() {
            marks.into_iter().for_each(|mark| self.reached.advance(mark));
            self.commit();
        }
        self.shards.take_forgotten().iter().for_each(|partition| self.reached.forget(partition));
        self.begin(stream);
    }

    fn begin(&mut self, stream: &Stream) {
        for due in self.shards.due() {
            let Some(stored) = stream.shards.get(&due.shard) else {
                self.shards.ended(&due.shard, Vec::new());
                continue;
            };
            let records = &stored.records;
            let next = match due.from {
                ReadFrom::TrimHorizon => 0,
                ReadFrom::Latest => records.len(),
                ReadFrom::Time(time) => records.partition_point(|record| record.time < time.0),
                ReadFrom::After(sequence) => records.iter().position(|one| *one.sequence == *sequence).unwrap() + 1,
                ReadFrom::Inside(..) => unreachable!("nothing is aggregated here"),
            };
            assert!(self.reading.insert(due.shard, next).is_none(), "a shard is given once");
        }
    }

    /// Reads some records of one of its shards.
    fn read(&mut self, stream: &Stream, place: usize, count: usize) {
        let Some((id, &next)) = self.reading.iter().nth(place % self.reading.len().max(1)) else { return };
        let id = id.clone();
        let partition = self.shards.partition(&id);
        let stored = &stream.shards[&id];
        let end = stored.records.len().min(next + count);
        for record in &stored.records[next..end] {
            self.taken.push((record.key, record.number));
            let offset = Offset::of_record(&record.sequence, None).unwrap();
            self.reached.advance(Position { partition: partition.clone(), offset });
        }
        self.reading.insert(id.clone(), end);
        if stored.shard.closed && end == stored.records.len() {
            self.reached.advance(Position { partition, offset: Offset::End });
            self.reading.remove(&id);
            self.shards.ended(&id, stored.children.clone());
            self.begin(stream);
        }
    }

    fn commit(&mut self) {
        self.committed = self.reached.clone();
        self.kept = self.taken.len();
    }

    fn crash(&mut self) {
        self.taken.truncate(self.kept);
        self.reached = self.committed.clone();
        self.reading.clear();
        self.shards = Shards::new("s@1", self.start, self.share, &self.committed);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Put(u8),
    Split(usize),
    Merge(usize),
    List(usize),
    Read(usize, usize, usize),
    Commit(usize),
    Crash(usize),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0..64usize;
    prop_oneof![
        8 => any::<u8>().prop_map(|key| Step::Put(key & 0xf3)),
        2 => place.clone().prop_map(Step::Split),
        2 => place.clone().prop_map(Step::Merge),
        2 => place.clone().prop_map(Step::List),
        8 => (place.clone(), place.clone(), 0..4usize).prop_map(|(worker, shard, count)| Step::Read(worker, shard, count)),
        2 => place.clone().prop_map(Step::Commit),
        1 => place.prop_map(Step::Crash),
        1 => Just(Step::Expire),
    ]
}

/// How many records each key has.
type Put = BTreeMap<u8, u32>;

/// Runs the steps, reads all that is left, and gives what each worker took, and what there was of each key when the
/// stream was first read.
fn simulate(steps: &[Step], count: u32, start: Start) -> (Vec<Vec<(u8, u32)>>, Put, Put) {
    let mut stream = Stream::default();
    stream.born(&[], HashRange { first: 0, last: u128::MAX });
    let (before, after) = steps.split_at(steps.len() / 4);
    let mut workers = Vec::new();
    let mut there = BTreeMap::new();
    for (place, &step) in before.iter().chain(after).enumerate() {
        stream.clock += 1;
        if place == before.len() {
            there = stream.put.clone();
            workers = (0..count).map(|worker| Worker::new(Share::new(worker, count).unwrap(), start)).collect();
            workers.iter_mut().for_each(|worker| worker.list(&stream));
        }
        match step {
            Step::Put(key) => stream.put(key),
            Step::Split(place) => stream.split(place),
            Step::Merge(place) => stream.merge(place),
            _ if workers.is_empty() => {}
            Step::List(worker) => workers[worker % count as usize].list(&stream),
            Step::Read(worker, shard, records) => workers[worker % count as usize].read(&stream, shard, records),
            Step::Commit(worker) => workers[worker % count as usize].commit(),
            Step::Crash(worker) => {
                workers[worker % count as usize].crash();
                workers[worker % count as usize].list(&stream);
            }
            Step::Expire => stream.expire(&workers),
        }
    }
    for worker in &mut workers {
        worker.list(&stream);
        for _ in 0..=2 * stream.born {
            if worker.shards.wants_listing() {
                worker.list(&stream);
            }
            (0..worker.reading.len()).rev().for_each(|shard| worker.read(&stream, shard, usize::MAX / 2));
        }
    }
    (workers.into_iter().map(|worker| worker.taken).collect(), there, stream.put)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_record_is_read_once_and_those_of_a_key_in_order(
        steps in prop::collection::vec(step(), 8..200), latest: bool
    ) {
        let start = if latest { Start::Latest } else { Start::TrimHorizon };
        let (taken, there, put) = simulate(&steps, 1, start);
        let mut next = if latest { there } else { BTreeMap::new() };
        for &(key, number) in &taken[0] {
            let expected = next.entry(key).or_default();
            prop_assert_eq!(number, *expected, "key {}", key);
            *expected += 1;
        }
        next.retain(|_, count| *count > 0);
        prop_assert_eq!(next, put);
    }

    #[test]
    fn several_workers_read_every_record_once(
        steps in prop::collection::vec(step(), 8..200), latest: bool, count in 2..4u32
    ) {
        let start = if latest { Start::Latest } else { Start::TrimHorizon };
        let (taken, there, put) = simulate(&steps, count, start);
        let mut all = taken.concat();
        all.sort_unstable();
        let from = |key| if latest { there.get(&key).copied().unwrap_or(0) } else { 0 };
        let expected: Vec<_> = put.iter().flat_map(|(&key, &count)| (from(key)..count).map(move |n| (key, n))).collect();
        prop_assert_eq!(all, expected);
    }
}
