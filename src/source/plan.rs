//! A prefix of a bucket and what is wanted of it → the few listings that find the folders of days, and those folders,
//! in order of time. The bucket is never listed whole. The planner asks and is told; it opens nothing itself: the S3
//! source makes the listings.

use std::collections::BTreeMap;
use std::fmt;

use super::layout::{Child, Place, Strange, Wanted};
use crate::time::day_text;

/// Where no `AWSLogs/` is named, it is looked for in the folder itself and so many levels below,
const SEARCH_DEPTH: u8 = 2;
/// and in the first folders of each; together that is 442 listings at most.
const SEARCH_FOLDERS_MAX: usize = 20;

/// `s3://BUCKET/PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub bucket: String,
    /// A folder with or without its last `/`, an object, or empty.
    pub prefix: String,
}

impl Address {
    /// # Errors
    /// Says what about the address is wrong.
    pub fn parse(url: &str) -> Result<Address, String> {
        let path = url.strip_prefix("s3://").ok_or_else(|| format!("`{url}` does not begin with s3://"))?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if !is_bucket_name(bucket) {
            return Err(format!("`{bucket}` is no name of a bucket"));
        }
        Ok(Address { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Whether all that is in the other is in this.
    pub fn holds(&self, other: &Address) -> bool {
        let folder = |prefix: &str| match prefix.trim_end_matches('/') {
            "" => String::new(),
            name => format!("{name}/"),
        };
        self.bucket == other.bucket && folder(&other.prefix).starts_with(&folder(&self.prefix))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Whether S3 could have a bucket of this name. Old ones of us-east-1 may have capitals and be as long as 255.
pub fn is_bucket_name(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// One listing to make, of what begins with `prefix`, with the delimiter `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListStep {
    pub prefix: String,
    pub pages: Pages,
}

/// How much of a listing is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pages {
    All,
    /// At most 1,000 names: there may be millions, and the first say enough.
    First,
}

/// What a listing found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The common prefixes, as S3 gives them: whole, with the `/` at the end.
    pub folders: Vec<String>,
    /// Objects that stand there themselves, without a marker whose key is the folder's own name.
    pub objects: u64,
}

/// A place to read: list everything that begins with `prefix`, without a delimiter, and ask [`Wanted::judge`] of each
/// object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub prefix: String,
    /// The day, since 1970-01-01, of the files in it; `None` for a folder that is not laid out by days, or one object.
    pub day: Option<i32>,
}

/// Folders that are left out, or something else a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub why: String,
    /// The first of the places, by name.
    pub example: String,
    pub places: u64,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.places {
            0 | 1 => write!(f, "{}: {}", self.example, self.why),
            more => write!(f, "{} and {} more: {}", self.example, more - 1, self.why),
        }
    }
}

/// What will be read.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Folders that the days lie in, by name.
    roots: Vec<String>,
    /// Day, and place in `roots`: with an organization's accounts, Regions and years there are millions.
    days: Vec<(i32, u32)>,
    /// Leaves that were named by the prefix itself.
    named: Vec<Leaf>,
    pub notes: Vec<Note>,
}

impl Plan {
    /// The leaves: by day, then by name. No object is in two of them.
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = Leaf> + '_ {
        let count = self.named.len() + self.days.len();
        (0..count).map(|place| match place.checked_sub(self.named.len()) {
            None => self.named[place].clone(),
            Some(place) => {
                let (day, root) = self.days[place];
                Leaf { prefix: day_folder(&self.roots[root as usize], day), day: Some(day) }
            }
        })
    }
}

/// The folder of a day in that of a Region.
fn day_folder(root: &str, day: i32) -> String {
    let text = day_text(day);
    let mut parts = text.split('-');
    let mut part = || parts.next().unwrap_or_default();
    // Hive's names run through the whole path, and the root is that of a Region
    if root.rsplit('/').nth(1).is_some_and(|region| region.starts_with("aws-region=")) {
        format!("{root}year={}/month={}/day={}/", part(), part(), part())
    } else {
        format!("{root}{}/{}/{}/", part(), part(), part())
    }
}

/// Why a listing was asked for.
#[derive(Clone, Debug)]
enum Ask {
    /// The prefix is a folder of this place.
    Children(Place),
    /// Is there a folder of this name? If not, what begins so?
    Exact(Place),
    Begins,
    /// Is there an `AWSLogs/` of this name?
    Probe,
    /// Which folders could have one? So many levels below the one that was named.
    Look {
        depth: u8,
    },
}

/// Finds the folders to read.
///
/// Ask [`Planner::steps`] for steps, make them in any order and at the same time, and [`Planner::answer`] each: new
/// steps come of it. Once no step is out and none comes, [`Planner::finish`] has the plan, which does not depend on
/// the order of the answers.
#[derive(Debug)]
pub struct Planner {
    wanted: Wanted,
    /// The folder that was named, for when it turns out to be a plain one.
    folder: String,
    ready: Vec<ListStep>,
    asked: BTreeMap<ListStep, Ask>,
    found: Vec<(i32, u32)>,
    roots: BTreeMap<String, u32>,
    named: Vec<Leaf>,
    notes: BTreeMap<String, (String, u64)>,
    /// Steps of the search for `AWSLogs/` that are out, and whether it found any.
    searching: usize,
    tree: bool,
}

impl Planner {
    pub fn new(prefix: &str, wanted: Wanted) -> Planner {
        let mut planner = Planner {
            wanted,
            folder: String::new(),
            ready: Vec::new(),
            asked: BTreeMap::new(),
            found: Vec::new(),
            roots: BTreeMap::new(),
            named: Vec::new(),
            notes: BTreeMap::new(),
            searching: 0,
            tree: false,
        };
        planner.begin(prefix);
        planner
    }

    /// Steps that have become ready since the last call; each is given once.
    pub fn steps(&mut self) -> Vec<ListStep> {
        std::mem::take(&mut self.ready)
    }

    /// Takes the answer to a step that [`Planner::steps`] gave.
    ///
    /// # Panics
    /// When the step was not asked for, or is answered twice.
    pub fn answer(&mut self, step: &ListStep, listing: &Listing) {
        let ask = self.asked.remove(step).expect("an answer belongs to a step that is out");
        match ask {
            Ask::Children(place) => self.children(&step.prefix, place, listing),
            Ask::Exact(place) => self.exact(step, place, listing),
            Ask::Begins => self.begins(&step.prefix, listing),
            Ask::Probe => self.probed(&step.prefix, listing),
            Ask::Look { depth } => self.looked(&step.prefix, depth, listing),
        }
    }

    /// True when every step has been answered.
    pub fn is_done(&self) -> bool {
        self.ready.is_empty() && self.asked.is_empty()
    }

    /// The plan.
    ///
    /// # Panics
    /// When steps are still out.
    pub fn finish(self) -> Plan {
        assert!(self.is_done(), "a plan is finished once every step has been answered");
        // the roots are numbered as they were found; the plan has them by name
        let mut place = vec![0; self.roots.len()];
        for (new, old) in self.roots.values().enumerate() {
            place[*old as usize] = new as u32;
        }
        let mut days: Vec<_> = self.found.iter().map(|&(day, root)| (day, place[root as usize])).collect();
        days.sort_unstable();
        let notes = self.notes.into_iter().map(|(why, (example, places))| Note { why, example, places }).collect();
        Plan { roots: self.roots.into_keys().collect(), days, named: self.named, notes }
    }

    fn begin(&mut self, prefix: &str) {
        let (folder, tail) = prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1));
        let mut place = Place::Outside;
        for name in folder.split_terminator('/') {
            match named(place, name, &self.wanted) {
                Ok(next) => place = next,
                Err(why) => return self.note(why, prefix),
            }
        }
        if tail.is_empty() {
            return self.enter(folder.to_owned(), place);
        }
        if let Place::Day(day) = place {
            return self.named.push(Leaf { prefix: prefix.to_owned(), day: Some(day) });
        }
        let folder = format!("{prefix}/");
        match named(place, tail, &self.wanted) {
            Ok(place @ Place::Day(_)) => self.enter(folder, place),
            Ok(Place::Outside) => self.ask(folder, Pages::First, Ask::Exact(Place::Outside)),
            Ok(place) => self.ask(folder, Pages::All, Ask::Exact(place)),
            Err(why) => self.note(why, prefix),
        }
    }

    /// Starts at the folder that was named.
    fn enter(&mut self, folder: String, place: Place) {
        match place {
            Place::Outside => {
                self.folder.clone_from(&folder);
                self.search(folder, 0);
            }
            // an hour's folder, perhaps
            Place::Day(day) => self.named.push(Leaf { prefix: folder, day: Some(day) }),
            _ => self.descend(folder, place),
        }
    }

    fn ask(&mut self, prefix: String, pages: Pages, ask: Ask) {
        let step = ListStep { prefix, pages };
        self.searching += usize::from(matches!(ask, Ask::Probe | Ask::Look { .. }));
        self.asked.insert(step.clone(), ask);
        self.ready.push(step);
    }

    fn note(&mut self, why: &str, place: &str) {
        let place = if place.is_empty() { "the bucket" } else { place };
        self.notes
            .entry(why.to_owned())
            .and_modify(|(example, places)| {
                *places += 1;
                if place < example.as_str() {
                    place.clone_into(example);
                }
            })
            .or_insert_with(|| (place.to_owned(), 1));
    }

    /// Goes into a folder of the tree.
    fn descend(&mut self, folder: String, place: Place) {
        if let Place::Day(day) = place {
            return self.found_day(&folder, day);
        }
        match place.children_by_range(&self.wanted) {
            Some(names) => names.iter().for_each(|name| self.child(&folder, name, place)),
            None => self.ask(folder, Pages::All, Ask::Children(place)),
        }
    }

    fn children(&mut self, folder: &str, place: Place, listing: &Listing) {
        for child in &listing.folders {
            let name = child.strip_prefix(folder).unwrap_or(child);
            self.child(folder, name.strip_suffix('/').unwrap_or(name), place);
        }
        if listing.objects > 0 {
            self.note("has objects beside the folders of days, which are left out", folder);
        }
    }

    fn child(&mut self, folder: &str, name: &str, place: Place) {
        let path = format!("{folder}{name}/");
        match place.child(name, &self.wanted) {
            Child::Into(place) => self.descend(path, place),
            Child::Unwanted => {}
            Child::Strange(strange) => self.note(strange.why(), &path),
        }
    }

    fn found_day(&mut self, folder: &str, day: i32) {
        let root = folder.rmatch_indices('/').nth(3).map_or(0, |(slash, _)| slash + 1);
        let next = self.roots.len() as u32;
        let root = match self.roots.get(&folder[..root]) {
            Some(&root) => root,
            None => *self.roots.entry(folder[..root].to_owned()).or_insert(next),
        };
        self.found.push((day, root));
    }

    fn exact(&mut self, step: &ListStep, place: Place, listing: &Listing) {
        if listing.folders.is_empty() && listing.objects == 0 {
            let name = step.prefix.strip_suffix('/').unwrap_or(&step.prefix).to_owned();
            return self.ask(name, Pages::First, Ask::Begins);
        }
        match place {
            Place::Outside => {
                self.folder.clone_from(&step.prefix);
                self.ask(format!("{}AWSLogs/", step.prefix), Pages::All, Ask::Probe);
                // the first look has just been had
                self.searching += 1;
                self.looked(&step.prefix, 0, listing);
            }
            _ => self.children(&step.prefix, place, listing),
        }
    }

    fn begins(&mut self, name: &str, listing: &Listing) {
        let is_it = |folder: &String| folder.strip_suffix('/') == Some(name);
        if listing.folders.iter().any(is_it) {
            self.note("the folder is empty", name);
        } else if !listing.folders.is_empty() {
            self.note("there is no such folder, but there are some that begin so: name one of them", name);
        } else if listing.objects == 0 {
            self.note("there is nothing of this name", name);
        } else {
            self.named.push(Leaf { prefix: name.to_owned(), day: None });
        }
    }

    fn search(&mut self, folder: String, depth: u8) {
        self.ask(format!("{folder}AWSLogs/"), Pages::All, Ask::Probe);
        if depth < SEARCH_DEPTH {
            self.ask(folder, Pages::First, Ask::Look { depth });
        }
    }

    fn probed(&mut self, folder: &str, listing: &Listing) {
        if !listing.folders.is_empty() {
            self.tree = true;
            self.children(folder, Place::Root, listing);
        }
        self.searched();
    }

    fn looked(&mut self, folder: &str, depth: u8, listing: &Listing) {
        let is_other = |child: &&String| child.strip_prefix(folder) != Some("AWSLogs/");
        let others: Vec<&String> = listing.folders.iter().filter(is_other).collect();
        for child in others.iter().take(SEARCH_FOLDERS_MAX) {
            self.search((*child).clone(), depth + 1);
        }
        if others.len() > SEARCH_FOLDERS_MAX {
            self.note(MANY, folder);
        }
        if listing.objects > 0 {
            self.note(BESIDE, folder);
        }
        self.searched();
    }

    /// One step less of the search; when it is over without success, the folder is a plain one.
    fn searched(&mut self) {
        self.searching -= 1;
        if self.searching > 0 || self.tree {
            return;
        }
        self.notes.clear();
        let folder = std::mem::take(&mut self.folder);
        if folder.is_empty() {
            self.note("no AWSLogs/ was found in it, and it is not read whole: name a folder", "");
        } else {
            self.note("no AWSLogs/ was found in it: it is read whole, as a plain folder of logs", &folder);
            self.named.push(Leaf { prefix: folder, day: None });
        }
    }
}

const MANY: &str = "has many folders, and AWSLogs/ was looked for in the first 20 only: name one of them";
const BESIDE: &str = "has objects outside of AWSLogs/, which are left out";

/// What a folder that was named is, or why nothing in it is read.
fn named(place: Place, name: &str, wanted: &Wanted) -> Result<Place, &'static str> {
    match place.child(name, wanted) {
        Child::Into(place) => Ok(place),
        Child::Unwanted => Err("what is named lies outside of the accounts, Regions or times that are wanted"),
        Child::Strange(Strange::Digest) => Err(Strange::Digest.why()),
        // it is named, so it is read
        Child::Strange(Strange::Service | Strange::Unknown) => Ok(Place::Outside),
    }
}

#[cfg(test)]
mod tests;
