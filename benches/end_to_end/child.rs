//! A command → what its process cost: CPU time, wall time and peak memory.

use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// User and system time of all threads.
    pub cpu_seconds: f64,
    pub wall_seconds: f64,
    /// Most resident memory, pages of mapped files included. Linux counts from before the program is loaded, when the
    /// process still shares the memory of the driver: so the driver must stay small.
    pub peak_bytes: u64,
}

/// Runs a command to its end and gives what it wrote to standard output.
///
/// Panics when it fails, with what it wrote to standard error.
pub fn run(command: &mut Command) -> (Cost, String) {
    let mut complaints = tempfile::tempfile().expect("there is room for temporary files");
    let errors = complaints.try_clone().expect("a handle can be copied");
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn();
    #[expect(clippy::zombie_processes, reason = "`wait` below waits for it, and learns its usage too")]
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut said = String::new();
    child.stdout.take().expect("it is piped").read_to_string(&mut said).expect("a pipe can be read");
    let (status, usage) = wait(child.id());
    let wall_seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        let mut why = String::new();
        complaints.rewind().and_then(|()| complaints.read_to_string(&mut why)).expect("what was written can be read");
        panic!("{command:?}: {status}\n{why}");
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let cost = Cost {
        cpu_seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        wall_seconds,
        peak_bytes: usage.ru_maxrss as u64 * 1024,
    };
    (cost, said)
}

/// The one way to learn the peak of one child rather than of all children.
fn wait(id: u32) -> (ExitStatus, libc::rusage) {
    let mut status = 0;
    // SAFETY: it is made of numbers, and zero is one.
    let mut usage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to variables that outlive the call, and the child has not been waited for.
    let waited = unsafe { libc::wait4(id as libc::pid_t, &mut status, 0, &mut usage) };
    assert_eq!(waited, id as libc::pid_t, "waiting for a child: {}", std::io::Error::last_os_error());
    (ExitStatus::from_raw(status), usage)
}

/// Resident memory of this process at its peak.
pub fn own_peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    field(&status, "VmHWM:").trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}

/// CPUs that this process may run on, as `taskset --cpu-list` takes them.
pub fn cpus() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let number = |text: &str| text.parse::<usize>().expect("the list is of numbers");
    let ranges =
        field(&status, "Cpus_allowed_list:").split(',').map(|range| range.split_once('-').unwrap_or((range, range)));
    ranges.flat_map(|(first, last)| number(first)..=number(last)).collect()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells").trim()
}
