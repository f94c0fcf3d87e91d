//! What tasks wait for: time, and work that takes a thread. It is tokio's. In the tests of this crate a simulation may have
//! taken its place ([`simulated`]): then time stands still while anything works, and goes on at once when nothing does.

#[cfg(test)]
pub mod simulated;

use std::fmt;
#[cfg(test)]
use std::sync::mpsc::TryRecvError;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::time::Timestamp;

/// The present moment, as far as waits go.
pub fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = simulated::now() {
        return now;
    }
    Instant::now()
}

/// Time since a moment before, which goes by also while the machine sleeps: that of [`now`] stands still then.
pub fn boottime() -> Duration {
    #[cfg(test)]
    if simulated::now().is_some() {
        return simulated::elapsed();
    }
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The same as a time of day.
pub fn clock() -> Timestamp {
    #[cfg(test)]
    if let Some(clock) = simulated::clock_now() {
        return clock;
    }
    Timestamp::now()
}

pub async fn sleep_until(moment: Instant) {
    #[cfg(test)]
    if let Some(sleep) = simulated::sleep_until(moment) {
        return sleep.await;
    }
    tokio::time::sleep_until(moment).await;
}

pub async fn sleep(time: Duration) {
    sleep_until(now() + time).await;
}

/// It was not done in time.
#[derive(Debug)]
pub struct Elapsed;

impl std::error::Error for Elapsed {}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

/// What a task comes to, if it does within this time.
///
/// # Errors
/// When it does not; the task is dropped then.
pub async fn timeout<T>(time: Duration, task: impl Future<Output = T>) -> Result<T, Elapsed> {
    #[cfg(test)]
    if let Some(end) = simulated::sleep_until(now() + time) {
        return tokio::select! {
            biased;
            done = task => Ok(done),
            () = end => Err(Elapsed),
        };
    }
    tokio::time::timeout(time, task).await.map_err(|_| Elapsed)
}

/// Moments with the same time between them, of which none is left out.
pub struct Every {
    time: Duration,
    next: Instant,
}

/// The first is now.
pub fn every(time: Duration) -> Every {
    Every { time, next: now() }
}

impl Every {
    /// Waits for the next. Nothing is lost where it is dropped.
    pub async fn tick(&mut self) {
        sleep_until(self.next).await;
        self.next += self.time;
    }
}

/// [`tokio::select`]. A simulation chooses by its seed which branch is first of those that are ready.
#[cfg(not(test))]
macro_rules! select {
    ($($branches:tt)*) => { tokio::select! { $($branches)* } };
}
#[cfg(test)]
macro_rules! select {
    ($($branches:tt)*) => {
        if $crate::wait::simulated::now().is_some() {
            $crate::wait::simulated::by_seed! { () $($branches)* }
        } else {
            tokio::select! { $($branches)* }
        }
    };
}
pub(crate) use select;

/// [`watch::Receiver::changed`], which wakes those who wait for the same in an order that is chance's. A simulation has them look.
///
/// # Errors
/// When nobody is left who could change it.
pub async fn changed<T>(receiver: &mut watch::Receiver<T>) -> Result<(), watch::error::RecvError> {
    #[cfg(test)]
    if simulated::now().is_some() {
        while let Ok(false) = receiver.has_changed() {
            sleep(simulated::LOOK).await;
        }
    }
    receiver.changed().await
}

/// Work for the processor, or for a disk, on a thread of its own: the tasks of this one go on. It is done whether what is given
/// is waited for or not.
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    #[cfg(test)]
    if simulated::now().is_some() {
        return simulated::spawn_blocking(work);
    }
    tokio::task::spawn_blocking(work)
}

/// The same on this thread: its other tasks go on elsewhere.
pub fn block_in_place<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    #[cfg(test)]
    if simulated::now().is_some() {
        return simulated::block_in_place(work);
    }
    tokio::task::block_in_place(work)
}

/// On a thread of [`spawn_blocking`], or another that has no tasks, does what a task would.
pub fn block_on<T>(runtime: &Handle, task: impl Future<Output = T>) -> T {
    #[cfg(test)]
    if simulated::now().is_some() {
        return simulated::block_on(task);
    }
    runtime.block_on(task)
}

/// On a thread of [`spawn_blocking`], or another that has no tasks, does nothing for so long.
pub fn pause(time: Duration) {
    #[cfg(test)]
    if simulated::now().is_some() {
        return simulated::block_on(sleep(time));
    }
    std::thread::sleep(time);
}

/// On a thread of [`spawn_blocking`], waits for what a task sends.
///
/// # Errors
/// When nothing was sent within this time, or nobody is left who could.
pub fn recv_timeout<T>(receiver: &Receiver<T>, time: Duration) -> Result<T, RecvTimeoutError> {
    #[cfg(test)]
    if simulated::now().is_some() {
        let ended = |error| (error == TryRecvError::Disconnected).then_some(Err(RecvTimeoutError::Disconnected));
        return simulated::until(|| receiver.try_recv().map_or_else(ended, |received| Some(Ok(received))));
    }
    receiver.recv_timeout(time)
}

/// On a thread of [`spawn_blocking`], waits until no task holds it.
pub fn blocking_lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    #[cfg(test)]
    if simulated::now().is_some() {
        return simulated::until(|| mutex.try_lock().ok());
    }
    mutex.blocking_lock()
}
