//! A time of a simulation's own, for the tasks of one thread and the work that they give to others. Only one of these threads
//! works at a time, and while one does time stands still; when all wait, it is the first moment that one of them waits for.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::time::{MICROS_PER_SECOND, Timestamp};

/// 2024-08-01T14:00:00Z.
const BEGUN: i64 = 1_722_520_800 * MICROS_PER_SECOND;
/// Those who wait for something else than time look for it this often.
pub const LOOK: Duration = Duration::from_millis(200);
/// Work that is given away takes less than this.
const WORK_MILLIS: u64 = 300;

thread_local! {
    static CLOCK: RefCell<Option<Arc<Clock>>> = const { RefCell::new(None) };
    /// Which thread this is of those that tasks gave work to.
    static NUMBER: Cell<u64> = const { Cell::new(TASKS) };
}

struct Clock {
    begun: Instant,
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Default)]
struct State {
    now: Duration,
    dice: Dice,
    /// Works that were given away and are not done.
    works: u64,
    sleepers: u64,
    /// Who waits, by the moment and a number of its own.
    waiting: BTreeMap<(Duration, u64), Waker>,
    threads: u64,
    /// The thread that works, or else [`TASKS`].
    turn: u64,
    /// Threads that wait for what tasks do.
    looking: BTreeSet<u64>,
    /// One of them waits no more.
    has_found: bool,
}

/// The turn of the thread that has the tasks.
const TASKS: u64 = 0;

/// Numbers that a seed gives: splitmix64.
#[derive(Default)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// Runs a task to its end, with all that it spawns, in a time that begins with it. The seed says what else would be chance's.
///
/// # Panics
/// When all wait and none for a moment: nothing would ever happen any more.
pub fn run<T>(seed: u64, task: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let state = State { dice: Dice(seed), ..State::default() };
    let clock = Arc::new(Clock { begun, state: Mutex::new(state), turned: Condvar::new() });
    let parked = clock.clone();
    let runtime = Builder::new_current_thread().on_thread_park(move || parked.go_on()).build().unwrap();
    CLOCK.set(Some(clock.clone()));
    let done = runtime.block_on(task);
    // with its tasks goes whatever the threads wait for
    drop(runtime);
    clock.give_turns();
    CLOCK.set(None);
    done
}

fn clock() -> Option<Arc<Clock>> {
    CLOCK.with_borrow(Clone::clone)
}

pub fn now() -> Option<Instant> {
    let clock = clock()?;
    let now = clock.state().now;
    Some(clock.begun + now)
}

/// The time of day: each simulation begins at the same.
pub fn clock_now() -> Option<Timestamp> {
    let now = clock()?.state().now;
    Some(Timestamp(BEGUN + now.as_micros() as i64))
}

/// How long the simulation has gone on.
pub fn elapsed() -> Duration {
    clock().map(|clock| clock.state().now).unwrap_or_default()
}

/// A number below, by the seed.
pub fn random(below: u64) -> Option<u64> {
    let clock = clock()?;
    let number = clock.state().dice.roll(below);
    Some(number)
}

pub fn sleep_until(moment: Instant) -> Option<Sleep> {
    let clock = clock()?;
    let mut state = clock.state();
    state.sleepers += 1;
    let key = (moment.saturating_duration_since(clock.begun), state.sleepers);
    drop(state);
    Some(Sleep { clock, key })
}

pub struct Sleep {
    clock: Arc<Clock>,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if self.key.0 <= state.now {
            return Poll::Ready(());
        }
        state.waiting.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.state().waiting.remove(&self.key);
    }
}

/// Takes the branches of a `select!` one after the other, each of them [`shy`].
macro_rules! by_seed {
    (($($shy:tt)*)) => { tokio::select! { biased; $($shy)* } };
    (($($shy:tt)*) else => $last:expr $(,)?) => { tokio::select! { biased; $($shy)* else => { $last } } };
    (($($shy:tt)*) $pattern:pat = $future:expr $(, if $condition:expr)? => $then:block $(,)? $($rest:tt)*) => {
        $crate::wait::simulated::by_seed! {
            ($($shy)* $pattern = $crate::wait::simulated::shy($future) $(, if $condition)? => { $then }) $($rest)*
        }
    };
    (($($shy:tt)*) $pattern:pat = $future:expr $(, if $condition:expr)? => $then:expr $(, $($rest:tt)*)?) => {
        $crate::wait::simulated::by_seed! {
            ($($shy)* $pattern = $crate::wait::simulated::shy($future) $(, if $condition)? => { $then }) $($($rest)*)?
        }
    };
}
pub(crate) use by_seed;

/// Half of the time, lets others go first.
pub async fn shy<T>(future: impl Future<Output = T>) -> T {
    if random(2) == Some(0) {
        tokio::task::yield_now().await;
    }
    future.await
}

/// Does the work on a thread of its own: it begins after a while, and it is known after another that it is done.
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let clock = clock().expect("it is simulated");
    let mut state = clock.state();
    state.works += 1;
    let [before, after] = [0; 2].map(|_| state.dice.roll(2) * state.dice.roll(WORK_MILLIS));
    drop(state);
    let pause = |millis| super::sleep(Duration::from_millis(millis));
    tokio::spawn(async move {
        pause(before).await;
        let done = at_once(work).await;
        clock.state().works -= 1;
        pause(after).await;
        done.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Waits until all work is done that was given away, which nobody may be there for any more.
pub async fn all_done() {
    while clock().is_some_and(|clock| clock.state().works > 0) {
        super::sleep(Duration::from_millis(1)).await;
    }
}

/// Does the work on a thread of its own until it is done, or waits for what tasks do.
pub fn at_once<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = thread::Result<T>> {
    let (clock, runtime) = (clock().expect("it is simulated"), Handle::current());
    let (sender, receiver) = oneshot::channel();
    let mut state = clock.state();
    state.threads += 1;
    let number = state.threads;
    drop(state);
    // this is the thread of tasks, or one that does what a task would
    let (of_thread, giver) = (clock.clone(), NUMBER.get());
    thread::spawn(move || {
        NUMBER.set(number);
        CLOCK.set(Some(of_thread.clone()));
        of_thread.wait_for_turn(number);
        let _runtime = runtime.enter();
        // who is not waited for any more is not missed
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
        of_thread.turn_to(giver);
    });
    clock.turn_to(number);
    clock.wait_for_turn(giver);
    async { receiver.await.expect("it was sent") }
}

/// Does the work on another thread, where it may wait for its own tasks, while this one has none.
pub fn block_in_place<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// On a thread of [`spawn_blocking`], looks again whenever tasks have done what they can, until there is something.
pub fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let clock = clock().expect("it is simulated");
    if let Some(found) = look() {
        return found;
    }
    loop {
        let number = NUMBER.get();
        clock.state().looking.insert(number);
        clock.turn_to(TASKS);
        clock.wait_for_turn(number);
        if let Some(found) = look() {
            clock.state().has_found = true;
            return found;
        }
    }
}

/// The same with what a task of this thread's own comes to.
pub fn block_on<T>(task: impl Future<Output = T>) -> T {
    let (mut task, mut context) = (pin!(task), Context::from_waker(Waker::noop()));
    until(|| match task.as_mut().poll(&mut context) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    })
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn turn_to(&self, number: u64) {
        self.state().turn = number;
        self.turned.notify_all();
    }

    fn wait_for_turn(&self, number: u64) {
        let state = self.state();
        drop(self.turned.wait_while(state, |state| state.turn != number).unwrap());
    }

    fn give_turn(&self, number: u64) {
        self.turn_to(number);
        self.wait_for_turn(TASKS);
    }

    /// Has those look for it who wait for what tasks do.
    fn give_turns(&self) {
        let looking = std::mem::take(&mut self.state().looking);
        looking.into_iter().for_each(|number| self.give_turn(number));
    }

    /// No task has anything to do: time goes on to the next moment.
    fn go_on(&self) {
        self.give_turns();
        let mut state = self.state();
        if std::mem::take(&mut state.has_found) {
            drop(state);
            // what they did may have woken tasks, which go first: it is not parked while there is one
            tokio::spawn(async {});
            return;
        }
        let (&(moment, _), _) = state.waiting.first_key_value().expect("somebody waits for a moment");
        state.now = moment;
        let later = state.waiting.split_off(&(moment + Duration::from_nanos(1), 0));
        let due = std::mem::replace(&mut state.waiting, later);
        let is_any_looking = !state.looking.is_empty();
        drop(state);
        if is_any_looking {
            // what is due may be theirs alone, and no task's
            tokio::spawn(async {});
        }
        due.into_values().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::super as wait;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn time_goes_on_when_all_wait_and_for_nobody_who_works() {
        run(0, async {
            let (sender, receiver) = channel();
            let moment = at_once(move || {
                thread::sleep(Duration::from_millis(2));
                (elapsed(), wait::recv_timeout(&receiver, Duration::ZERO), elapsed())
            });
            let sending = tokio::spawn(async move {
                wait::sleep(2 * HOUR).await;
                sender.send("done").unwrap();
            });
            assert!(wait::timeout(HOUR, sending).await.is_err());
            assert_eq!(elapsed(), HOUR);
            assert_eq!(moment.await.unwrap(), (Duration::ZERO, Ok("done"), 2 * HOUR));
        });
    }

    #[test]
    fn the_seed_says_which_branch_is_first() {
        let first = |seed| {
            let task = async {
                wait::select! {
                    () = async {} => 'a',
                    Some(_) = async { None::<()> } => { 'b' }
                    () = std::future::ready(()), if seed < 200 => 'c',
                    else => 'd',
                }
            };
            run(seed, task)
        };
        let all: String = (0..100).map(first).collect();
        assert!(['a', 'c'].map(|letter| all.matches(letter).count()).iter().all(|count| *count > 20), "{all}");
        assert_eq!(all, (0..100).map(first).collect::<String>());
    }
}
