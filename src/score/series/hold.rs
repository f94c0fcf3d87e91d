//! The chance of each point → the same, or a larger one while an episode that was told goes on.

/// An episode begins with a point at or below this chance.
const BEGINS: f64 = 4.6e-4;
/// It goes on until this share of the past (at least [`POINTS_MIN`] points) has no such point any more...
const SHARE: f64 = 0.03;
const POINTS_MIN: f64 = 12.0;
/// ...but no longer than this many times that: then what goes on is told again.
const SHARES_MAX: f64 = 3.0;
/// A point this much less likely than what was told is news, and is told.
const NEWS: f64 = 1e5;
/// Any other point of an episode is made this much more likely, and at least this likely.
const REPEAT: f64 = 1e6;
const REPEAT_MIN: f64 = 0.05;

/// The episode that is going on, if any.
pub struct Hold {
    /// The chance that was told.
    told: f64,
    /// Points that are left of the episode, if nothing more happens, and if it goes on.
    left: f64,
    left_at_most: f64,
}

/// What became of the chance of a point.
pub struct Held {
    pub p: f64,
    /// The point is as odd as an episode and none begins with it.
    pub repeats: bool,
}

impl Hold {
    pub fn new() -> Hold {
        Hold { told: 1.0, left: 0.0, left_at_most: 0.0 }
    }

    /// An episode was told and has not ended.
    pub fn goes_on(&self) -> bool {
        self.left > 0.0
    }

    pub fn judge(&mut self, p: f64, points: f64) -> Held {
        let quiet = (SHARE * points).max(POINTS_MIN);
        let goes_on = self.left > 0.0 && p > self.told / NEWS;
        if p <= BEGINS {
            if !goes_on {
                *self = Hold { told: p, left: quiet, left_at_most: SHARES_MAX * quiet };
            }
            self.left = quiet.min(self.left_at_most);
        }
        self.left -= 1.0;
        self.left_at_most -= 1.0;
        Held { p: if goes_on { (p * REPEAT).clamp(REPEAT_MIN, 1.0) } else { p }, repeats: goes_on && p < BEGINS }
    }
}
