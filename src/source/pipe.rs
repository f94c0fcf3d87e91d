//! Standard input or a pipe → its bytes as they come, and word of it when no more do, so that what has come is handed on.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// What has come waits for more at most this long.
const WAIT: Duration = Duration::from_secs(1);
/// How often it is asked whether the run is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A pipe that is read as long as it has something.
pub struct Pipe {
    file: File,
    stop: CancellationToken,
    /// When the oldest byte came that was not said to be all for now.
    since: Option<Instant>,
}

impl Pipe {
    pub fn new(file: File, stop: CancellationToken) -> Pipe {
        Pipe { file, stop, since: None }
    }

    /// # Errors
    /// When standard input is closed.
    pub fn standard_input(stop: CancellationToken) -> io::Result<Pipe> {
        Ok(Pipe::new(File::from(io::stdin().as_fd().try_clone_to_owned()?), stop))
    }

    fn is_ready(&self, within: Duration) -> io::Result<bool> {
        let mut asked = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: it is one descriptor, and the file is open for as long as this is
        match unsafe { libc::poll(&mut asked, 1, within.as_millis() as libc::c_int) } {
            -1 => Err(io::Error::last_os_error()),
            count => Ok(count > 0),
        }
    }
}

impl Read for Pipe {
    /// # Errors
    /// `WouldBlock` once what came before has waited long enough for more, and when the run is to stop.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_cancelled() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let left = self.since.map(|since| WAIT.saturating_sub(since.elapsed()));
            if self.is_ready(left.unwrap_or(LOOK).min(LOOK))? {
                let count = self.file.read(buffer)?;
                self.since.get_or_insert_with(Instant::now);
                return Ok(count);
            }
            if left == Some(Duration::ZERO) {
                self.since = None;
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
    }
}
