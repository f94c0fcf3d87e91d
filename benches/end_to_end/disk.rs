//! Numbers → logs on the disk: many files as CloudTrail delivers them, the same events as lines, and one large object.

// not every bench uses all of it
#![allow(dead_code)]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::iter::Sum;
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use crate::corpus::{self, Delivery};

/// What a part of the corpus is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    pub files: u64,
    pub events: u64,
    /// Bytes before compression.
    pub raw: u64,
    pub packed: u64,
}

impl Sum for Sizes {
    fn sum<I: Iterator<Item = Sizes>>(sizes: I) -> Sizes {
        sizes.fold(Sizes::default(), |sum, one| Sizes {
            files: sum.files + one.files,
            events: sum.events + one.events,
            raw: sum.raw + one.raw,
            packed: sum.packed + one.packed,
        })
    }
}

/// Gzipped files as CloudTrail delivers them.
pub struct Corpus {
    pub folder: PathBuf,
    /// Sizes of each, in the order of their seeds.
    pub files: Vec<Sizes>,
}

impl Corpus {
    /// Writes it: a file of so many events for each seed.
    pub fn write(folder: PathBuf, seeds: Range<u64>, events: u64) -> Corpus {
        Corpus { files: cloudtrail(&folder, seeds, events), folder }
    }

    pub fn sizes(&self) -> Sizes {
        self.files.iter().copied().sum()
    }
}

/// Files of `events` CloudTrail events, one for each seed, gzipped. Gives the sizes of each.
pub fn cloudtrail(folder: &Path, seeds: Range<u64>, events: u64) -> Vec<Sizes> {
    write_all(folder, seeds, |seed| {
        let text = corpus::cloudtrail_file(seed, events as usize);
        let gzip = corpus::gzip(&text);
        let sizes = Sizes { files: 1, events, raw: text.len() as u64, packed: gzip.len() as u64 };
        (gz(folder, seed), gzip, sizes)
    })
}

/// Where [`cloudtrail`] puts the file of a seed.
pub fn gz(folder: &Path, seed: u64) -> PathBuf {
    folder.join(Delivery::of(seed).folder()).join(format!("{seed:08}.json.gz"))
}

/// The same events, not compressed, one a line.
pub fn lines(folder: &Path, seeds: Range<u64>, events: u64) -> Vec<Sizes> {
    write_all(folder, seeds, |seed| {
        let text = corpus::cloudtrail_lines(seed, events as usize);
        let sizes = Sizes { files: 1, events, raw: text.len() as u64, packed: text.len() as u64 };
        (folder.join(format!("{seed:08}.ndjson")), text, sizes)
    })
}

fn write_all(folder: &Path, seeds: Range<u64>, make: impl Fn(u64) -> (PathBuf, Vec<u8>, Sizes) + Sync) -> Vec<Sizes> {
    fs::create_dir_all(folder).expect("the folder can be made");
    let written = seeds.into_par_iter().map(|seed| {
        let (path, bytes, sizes) = make(seed);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder can be made");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
        sizes
    });
    written.collect()
}

/// Events of one piece of a large object.
const PIECE_EVENTS: u64 = 5_000;

/// One gzipped CloudTrail object that inflates to `raw` bytes or a little more. Only a piece of it is in memory.
pub fn cloudtrail_object(path: &Path, seed: u64, raw: u64) -> Sizes {
    cloudtrail_objects(&[path.to_owned()], seed, raw)
}

/// The same for several: the second goes on where the first ends.
pub fn cloudtrail_objects(paths: &[PathBuf], seed: u64, raw: u64) -> Sizes {
    let (mut seeds, mut delivery, mut piece) = (seed.., Delivery::of(seed), String::new());
    let objects = paths.iter().map(|path| {
        let mut object = Object::create(path);
        object.write(br#"{"Records":["#, 0);
        for seed in &mut seeds {
            piece.clear();
            corpus::cloudtrail_events(seed, &delivery, PIECE_EVENTS as usize, ',', &mut piece);
            delivery = delivery.next();
            object.write(piece.as_bytes(), PIECE_EVENTS);
            if object.sizes.raw >= raw {
                break;
            }
            object.write(b",", 0);
        }
        object.write(b"]}", 0);
        object.finish()
    });
    objects.sum()
}

/// One gzipped flow log object of the default format that inflates to `raw` bytes or a little more.
pub fn vpc_flow_object(path: &Path, seed: u64, raw: u64) -> Sizes {
    let mut object = Object::create(path);
    for seed in seed.. {
        let piece = corpus::vpc_flow_file(seed, PIECE_EVENTS as usize);
        let header = memchr::memchr(b'\n', &piece).expect("the first line is a header") + 1;
        let from = if object.sizes.raw == 0 { 0 } else { header };
        object.write(&piece[from..], PIECE_EVENTS);
        if object.sizes.raw >= raw {
            break;
        }
    }
    object.finish()
}

/// A gzip file being written.
struct Object {
    encoder: GzEncoder<BufWriter<File>>,
    sizes: Sizes,
}

impl Object {
    fn create(path: &Path) -> Object {
        let file = File::create(path).unwrap_or_else(|error| panic!("making {}: {error}", path.display()));
        let encoder = GzEncoder::new(BufWriter::new(file), Compression::new(6));
        Object { encoder, sizes: Sizes { files: 1, ..Sizes::default() } }
    }

    fn write(&mut self, bytes: &[u8], events: u64) {
        self.encoder.write_all(bytes).expect("the disk has room");
        self.sizes.raw += bytes.len() as u64;
        self.sizes.events += events;
    }

    fn finish(self) -> Sizes {
        let file = self.encoder.finish().and_then(|file| file.into_inner().map_err(|error| error.into_error()));
        let packed = file.and_then(|file| file.metadata()).expect("the disk has room").len();
        Sizes { packed, ..self.sizes }
    }
}
