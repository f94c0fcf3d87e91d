//! How much memory the process may take → the share of its usual size that each queue, buffer and state gets; and how much it takes
//! now.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use crate::metrics::METRICS;

/// Bytes, written as `512MiB`, `1GiB`, `268435456`; `512M` and `512m`, as containers are given it, mean MiB too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        let digits = text.len() - text.trim_start_matches(|next: char| next.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kib" => 10,
            "m" | "mib" => 20,
            "g" | "gib" => 30,
            _ => return Err(format!("`{text}` is no size: write 512MiB or 1GiB")),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
        bytes.map(Size).ok_or_else(|| format!("`{text}` is no size: write 512MiB or 1GiB"))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Size, String> {
        text.parse()
    }
}

/// A limit of the process's resident memory, and what follows from it: every queue, buffer and state gets the same share of its
/// usual size. [`Memory::default`] is no limit, and usual sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    limit: Option<u64>,
    share: f64,
    /// What there is above [`Memory::FULL`], of which what rules remember gets parts.
    above: u64,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { limit: None, share: 1.0, above: 0 }
    }
}

impl Memory {
    /// From this limit up everything has its usual size: they come to about 0.9 GB when all of them are full.
    pub const FULL: u64 = 1 << 30;
    /// A lower limit is refused: a piece, its rows and one decoder would not be sure to fit beside the program.
    pub const FLOOR: u64 = 256 << 20;
    /// Of a limit, what is above [`Memory::FULL`] counts up to here: what rules remember is read and unpacked at each start.
    pub const ABOVE_MAX: u64 = 8 << 30;
    /// The same where nobody set a limit: the machine may be there for others too, and a run over any input is to stay below 512 MiB.
    const ABOVE_UNASKED: u64 = 768 << 20;
    /// What the program takes by itself. `weir run` of one small file took 118 MiB with all built-in rules (`/usr/bin/time -v`); the
    /// rest is what the allocator has not given back.
    pub const PROGRAM: u64 = 160 << 20;
    /// From here on [`Memory::give_back`] gives back to the system what was freed, and pages of the program are let go of. Below it both are
    /// kept for what is needed next, for each page that comes back costs a fault: a run over 240 files with `MIMALLOC_PURGE_DELAY=1000` in
    /// place of 0 took 6% less CPU time of one core, and 10% less of two (three runs of each in turn, medians). It is so much where there is
    /// no limit, and otherwise half of the limit, but no less than [`Memory::ROOMY_MIN`].
    const ROOMY: u64 = 320 << 20;
    const ROOMY_MIN: u64 = 200 << 20;

    /// # Errors
    /// When the limit is lower than [`Memory::FLOOR`], which the error names.
    pub fn of_limit(limit: Size) -> Result<Memory, String> {
        if limit.0 < Memory::FLOOR {
            return Err(format!(
                "a memory limit of {} is too low: {} is the least that Weir keeps to",
                mib(limit.0),
                mib(Memory::FLOOR)
            ));
        }
        let room = (limit.0 - Memory::PROGRAM) as f64 / (Memory::FULL - Memory::PROGRAM) as f64;
        let above = limit.0.saturating_sub(Memory::FULL).min(Memory::ABOVE_MAX);
        Ok(Memory { limit: Some(limit.0), share: room.min(1.0), above })
    }

    /// That of the control group that the process runs in, as containers and systemd's `MemoryMax` set it. Where there is none there is no
    /// limit, and what rules remember goes by half of the machine's memory: in its usual size windows of a day of 40,000 events, of
    /// short sessions most, had no room. One that is lower than [`Memory::FLOOR`] gets the shares of the floor, and is told of.
    pub fn of_machine() -> Memory {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        match limit_of_group(Path::new("/sys/fs/cgroup"), &groups) {
            None => Memory::unlimited(Memory::half_of_machine()),
            Some(limit) => Memory::of_limit(Size(limit)).unwrap_or_else(|why| {
                tracing::warn!(why, "the control group allows less memory than Weir can keep to");
                let floor = Memory::of_limit(Size(Memory::FLOOR)).expect("the floor is not lower than itself");
                Memory { limit: Some(limit), ..floor }
            }),
        }
    }

    /// No limit on a machine of which so much may be counted with.
    fn unlimited(half: Size) -> Memory {
        let above = half.0.saturating_sub(Memory::FULL).min(Memory::ABOVE_UNASKED);
        Memory { above, ..Memory::default() }
    }

    /// What the process may take where nobody says: half of the machine's memory, or of what its control group allows where that is
    /// less, and 4 GiB where neither is told.
    pub fn half_of_machine() -> Size {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|told| bytes_of(&told, "MemTotal:"));
        let all = [machine, limit_of_group(Path::new("/sys/fs/cgroup"), &groups)].into_iter().flatten().min();
        Size((all.unwrap_or(8 << 30) / 2).max(Memory::FLOOR))
    }

    /// Hundredths that everything gets of its usual size.
    pub fn percent(self) -> u32 {
        (self.share * 100.0).round() as u32
    }

    /// Bytes; `None` where there is none.
    pub fn limit(self) -> Option<u64> {
        self.limit
    }

    /// What something may take that takes `usual` where nothing is short, at least 1.
    pub fn of(self, usual: usize) -> usize {
        ((usual as f64 * self.share) as usize).max(1)
    }

    /// The same of rows that wait to be judged and written: the fewer come at once, the dearer is each, for all rules are asked of them and
    /// all columns written. No less than a quarter, for they are the same rows that wait for both.
    pub fn of_rows(self, usual: usize) -> usize {
        ((usual as f64 * self.share.max(0.25)) as usize).max(1)
    }

    /// What rules may remember of a kind that takes `usual` where nothing is short; where there is more than [`Memory::FULL`] also one of so many
    /// `parts` of what is above it, up to [`Memory::ABOVE_MAX`].
    pub fn of_state(self, usual: usize, parts: u64) -> usize {
        self.of(usual) + usize::try_from(self.above / parts).expect("a part of it fits where it is counted")
    }

    /// Threads that each have buffers of their own: `most`, and where memory is short fewer.
    pub fn threads(self, most: usize) -> usize {
        if self.share < 1.0 { most.min(self.of(8)) } else { most }
    }

    /// Looks at what the process takes, as [`Memory::give_back`] does, and says whether it is so near the limit that nothing more should be
    /// read: seven eighths, since what is under way still grows. Where it cannot be seen it is not near.
    pub fn is_short(self) -> bool {
        let Some(taken) = self.give_back() else { return false };
        self.limit.is_some_and(|limit| taken > limit / 8 * 7)
    }

    /// Has the allocator give back what it keeps, and what is freed from then on, where the process takes much. Tells the metrics what it
    /// takes, and gives it; `None` where that cannot be seen.
    pub fn give_back(self) -> Option<u64> {
        let mut taken = resident()?;
        let is_much = self.is_much(taken);
        keep_freed(!is_much);
        if is_much {
            trim();
            taken = resident()?;
        }
        METRICS.memory_bytes.set(taken as i64);
        METRICS.memory_max_bytes.set(self.limit.unwrap_or(0) as i64);
        Some(taken)
    }

    /// Whether the process takes so much that what it can do without is better left.
    pub fn takes_much(self) -> bool {
        resident().is_none_or(|taken| self.is_much(taken))
    }

    fn is_much(self, taken: u64) -> bool {
        taken > self.limit.map_or(Memory::ROOMY, |limit| Memory::ROOMY_MIN.max(limit / 2).min(limit / 4 * 3))
    }
}

/// `512 MiB`; what is less than one, in bytes.
pub fn mib(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{bytes} bytes") } else { format!("{} MiB", bytes >> 20) }
}

/// Bytes of the process that are in memory, of which the program's own pages are a part.
pub fn resident() -> Option<u64> {
    bytes_of(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// What a line of a file of `/proc` says that begins with this name.
fn bytes_of(told: &str, name: &str) -> Option<u64> {
    let kib = told.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"))?;
    Some(kib.parse::<u64>().ok()? << 10)
}

/// Has the allocator keep what is freed from now on for a second, or give it back at once: within one turn much comes and goes.
fn keep_freed(is_kept: bool) {
    use libmimalloc_sys::{mi_option_set, mi_option_t, mi_option_use_numa_nodes};
    /// `mi_option_purge_delay` of mimalloc 3, in milliseconds, which the crate does not name; its neighbours are 14 and 16 there.
    const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;
    // SAFETY: sets a number that is read when memory is freed
    unsafe { mi_option_set(PURGE_DELAY, if is_kept { 1000 } else { 0 }) }
}

/// Gives back to the system what the allocator keeps for later.
pub fn trim() {
    // SAFETY: it may be called at any time, from any thread
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Lets go of the pages of the program itself. Most of those that planning rules needs, nothing needs after it; the others come back from
/// the cache of the file.
pub fn leave_program() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    for part in read_only(&maps, leave_program as *const () as usize) {
        // SAFETY: these pages are mapped from a file that is not written, and neither are they, so they come back as they are
        unsafe { libc::madvise(part.start as *mut libc::c_void, part.len(), libc::MADV_DONTNEED) };
    }
}

/// From `/proc/self/maps`, the addresses of the code that has `inside` in it, and right before it of the beginning of its file, with what
/// is only read. What is written when a program starts, and only read from then on, is neither; nor is the file where it was mapped once
/// more, as a backtrace does to read its symbols.
fn read_only(maps: &str, inside: usize) -> Vec<Range<usize>> {
    let parts: Vec<Mapped> = maps.lines().filter_map(Mapped::read).collect();
    let is_code = |part: &&Mapped| part.range.contains(&inside) && part.mode == "r-xp";
    let Some(code) = parts.iter().find(is_code) else { return Vec::new() };
    let is_start = |part: &&Mapped| {
        part.file == code.file && part.mode == "r--p" && part.offset == 0 && part.range.end == code.range.start
    };
    parts.iter().filter(|part| is_code(part) || is_start(part)).map(|part| part.range.clone()).collect()
}

/// A line of `/proc/self/maps`.
struct Mapped<'a> {
    range: Range<usize>,
    mode: &'a str,
    offset: u64,
    /// Device and inode.
    file: (&'a str, &'a str),
}

impl Mapped<'_> {
    fn read(line: &str) -> Option<Mapped<'_>> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let [start, end] = [start, end].map(|address| usize::from_str_radix(address, 16).ok());
        let (mode, offset) = (fields.next()?, u64::from_str_radix(fields.next()?, 16).ok()?);
        Some(Mapped { range: start?..end?, mode, offset, file: (fields.next()?, fields.next()?) })
    }
}

/// The least `memory.max` of a group (version 2) and of those that it is in. `groups` is `/proc/self/cgroup`; inside of a container
/// it says `0::/`, and the folder is the container's own.
fn limit_of_group(root: &Path, groups: &str) -> Option<u64> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let own = root.join(own);
    let limits = own.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(|folder| {
        // `max` is no number, and no limit
        fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_is_written_at_the_start_of_a_program_is_not_let_go_of() {
        let maps = "\
1000-3000 r--p 00000000 fe:00 77 /usr/bin/weir
3000-9000 r-xp 00002000 fe:00 77 /usr/bin/weir
9000-a000 r--p 00008000 fe:00 77 /usr/bin/weir
a000-b000 rw-p 00009000 fe:00 77 /usr/bin/weir
b000-c000 rw-p 00000000 00:00 0
c000-d000 r--p 00000000 fe:00 78 /usr/lib/libc.so.6
d000-e000 r-xp 00001000 fe:00 78 /usr/lib/libc.so.6
f000-18000 r--p 00000000 fe:00 77 /usr/bin/weir
";
        assert_eq!(read_only(maps, 0x3010), [0x1000..0x3000, 0x3000..0x9000]);
        assert!(read_only(maps, 0xb010).is_empty());
        assert!(read_only("", 0x3010).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_goes_on_without_its_pages() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        assert_eq!(read_only(&maps, leave_program as *const () as usize).len(), 2, "{maps}");
        leave_program();
    }

    #[test]
    fn sizes_have_units() {
        let of = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(of("512MiB"), Ok(512 * MIB));
        assert_eq!(of("512m"), Ok(512 * MIB));
        assert_eq!(of("1 GiB"), Ok(1024 * MIB));
        assert_eq!(of("65536"), Ok(65_536));
        for wrong in ["", "MiB", "1TB", "-1", "99999999999GiB", "1.5GiB"] {
            assert_eq!(of(wrong), Err(format!("`{wrong}` is no size: write 512MiB or 1GiB")));
        }
    }

    #[test]
    fn all_get_the_same_share_and_too_low_a_limit_is_refused() {
        let of = |mib: u64| Memory::of_limit(Size(mib * MIB)).map(|memory| memory.of(864 << 10));
        // 256 - 160 of 1024 - 160
        assert_eq!(of(256), Ok(96 << 10));
        assert_eq!(of(592), Ok(432 << 10));
        assert_eq!(of(1024), Ok(864 << 10));
        assert_eq!(of(4096), Ok(864 << 10));
        let why = "a memory limit of 255 MiB is too low: 256 MiB is the least that Weir keeps to";
        assert_eq!(of(255), Err(why.to_owned()));
        assert_eq!(Memory::of_limit(Size(256 * MIB)).unwrap().of(4), 1);
        assert_eq!(Memory::default().of(7), 7);
        let state = |gib: u64| Memory::of_limit(Size(gib << 30)).unwrap().of_state(16 << 20, 8) >> 20;
        assert_eq!([1, 2, 3, 9, 64].map(state), [16, 144, 272, 1040, 1040]);
        assert_eq!(Memory::default().of_state(7, 8), 7);
    }

    #[test]
    fn where_nobody_sets_a_limit_rules_remember_by_what_the_machine_has() {
        let unlimited = |gib: u64| Memory::unlimited(Size(gib << 30));
        assert_eq!([1, 2, 3, 64].map(|gib| unlimited(gib).of_state(32 << 20, 8) >> 20), [32, 128, 128, 128]);
        assert_eq!((unlimited(64).limit(), unlimited(64).of(7)), (None, 7));
    }

    #[test]
    fn a_group_has_the_least_limit_of_those_that_it_is_in() {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("system.slice/weir.service");
        fs::create_dir_all(&service).unwrap();
        let of = |groups: &str| limit_of_group(root.path(), groups);
        assert_eq!(of("0::/system.slice/weir.service\n"), None);
        fs::write(service.join("memory.max"), "max\n").unwrap();
        assert_eq!(of("0::/system.slice/weir.service\n"), None);
        fs::write(root.path().join("system.slice/memory.max"), "700\n").unwrap();
        assert_eq!(of("0::/system.slice/weir.service\n"), Some(700));
        fs::write(service.join("memory.max"), "500\n").unwrap();
        assert_eq!(of("4:memory:/x\n0::/system.slice/weir.service\n"), Some(500));
        // a container sees its own group as the root
        fs::write(root.path().join("memory.max"), "300\n").unwrap();
        assert_eq!(of("0::/\n"), Some(300));
        assert_eq!(of("4:memory:/x\n"), None, "version 1");
    }

    #[test]
    fn what_the_process_takes_is_seen() {
        let resident = resident().unwrap();
        assert!(resident > MIB, "{resident}");
        let tight = Memory { limit: Some(resident / 2), ..Memory::default() };
        assert!(tight.is_short() && !Memory::default().is_short());
        assert!(!Memory { limit: Some(resident * 100), ..Memory::default() }.is_short());
        assert_eq!(METRICS.memory_max_bytes.get(), (resident * 100) as i64);
    }
}
