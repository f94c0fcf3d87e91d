//! A command → what its process cost: CPU time, wall time and peak memory.

// not every bench uses all of it
#![allow(dead_code)]

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
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
    Running::start(command).end()
}

/// A process that is killed where nobody waits for its end.
pub struct Running {
    child: Child,
    /// The command, for people.
    command: String,
    complaints: File,
    started: Instant,
    has_ended: bool,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        let complaints = tempfile::tempfile().expect("there is room for temporary files");
        let errors = complaints.try_clone().expect("a handle can be copied");
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { child, command: format!("{command:?}"), complaints, started, has_ended: false }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as who runs services does.
    pub fn stop(&self) {
        // SAFETY: the child has not been waited for, so that the id is its own
        let told = unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        assert_eq!(told, 0, "{}: {}", self.command, std::io::Error::last_os_error());
    }

    /// Waits for its end, as [`run`] does.
    pub fn end(mut self) -> (Cost, String) {
        let mut said = String::new();
        self.child.stdout.take().expect("it is piped").read_to_string(&mut said).expect("a pipe can be read");
        let (status, usage) = wait(self.child.id());
        self.has_ended = true;
        let wall_seconds = self.started.elapsed().as_secs_f64();
        if !status.success() {
            let why = self.complaints();
            panic!("{}: {status}\n{why}", self.command);
        }
        let cost = Cost { cpu_seconds: cpu_seconds(&usage), wall_seconds, peak_bytes: usage.ru_maxrss as u64 * 1024 };
        (cost, said)
    }

    /// What it wrote to standard error so far.
    pub fn complaints(&mut self) -> String {
        let mut why = String::new();
        let read = self.complaints.rewind().and_then(|()| self.complaints.read_to_string(&mut why));
        read.map(|_| why).expect("what was written can be read")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            // a panic goes on already
            let _ = self.child.kill().and_then(|()| self.child.wait());
        }
    }
}

fn cpu_seconds(usage: &libc::rusage) -> f64 {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// CPU time of this process and all its threads, without its children.
pub fn own_cpu_seconds() -> f64 {
    // SAFETY: it is made of numbers, and zero is one.
    let mut usage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a variable that outlives the call.
    let told = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    assert_eq!(told, 0, "{}", std::io::Error::last_os_error());
    cpu_seconds(&usage)
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

/// Resident memory of a process now, and at its peak, in bytes; `None` when it has ended.
pub fn memory(id: u32) -> Option<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let bytes = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
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
