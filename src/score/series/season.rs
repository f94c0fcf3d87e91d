//! The habits of a day and of a week: what a metric does at a time, about its level.

use super::again::Again;
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};

/// A quarter of an hour.
const DAY_SLOTS: usize = 96;
/// An hour.
const WEEK_SLOTS: usize = 168;
/// Points in a slot before it is used: of the day, of the week, for the spread, for the distance.
const DAY_MIN: f64 = 3.0;
const WEEK_MIN: f64 = 2.0;
const SPREAD_MIN: f64 = 9.0;
const DISTANCE_MIN: f64 = 5.0;

/// The rate of an exponential mean that begins as a plain one.
pub fn rate(least: f64, count: f64) -> f64 {
    least.max(1.0 / count)
}

#[derive(Clone, Copy, Default)]
struct Slot {
    count: f64,
    /// Value less the steady level.
    mean: f64,
}

/// What a slot of the day also knows: how far values usually are from a one-step forecast, and from level and season.
#[derive(Clone, Copy, Default)]
struct Spreads {
    step: f64,
    distance: f64,
}

pub struct Season {
    day: [Slot; DAY_SLOTS],
    week: [Slot; WEEK_SLOTS],
    spreads: [Spreads; DAY_SLOTS],
    again: [Again; DAY_SLOTS],
    /// The slots of the present time.
    of_day: usize,
    of_week: usize,
    /// Days since 1970.
    today: i32,
    /// Level of the value less its season.
    level_day: f64,
    level_week: f64,
    /// Usual distance from the steady level alone, with the season of the day, with that of the week.
    errors: [f64; 3],
    /// Distance from the best of these three: of late, with its sign; and its usual size.
    away: f64,
    usual: f64,
}

impl Season {
    pub fn new() -> Season {
        Season {
            day: [Slot::default(); DAY_SLOTS],
            week: [Slot::default(); WEEK_SLOTS],
            spreads: [Spreads::default(); DAY_SLOTS],
            again: [Again::default(); DAY_SLOTS],
            of_day: 0,
            of_week: 0,
            today: 0,
            level_day: 0.0,
            level_week: 0.0,
            errors: [0.0; 3],
            away: 0.0,
            usual: 0.0,
        }
    }

    pub fn begin(&mut self, value: f64) {
        (self.level_day, self.level_week) = (value, value);
    }

    /// Turns to the slots of this time. Weeks begin on Monday, in UTC.
    pub fn turn(&mut self, time: Timestamp) {
        const DAY: usize = MICROS_PER_DAY as usize;
        const HOUR: usize = MICROS_PER_HOUR as usize;
        // 1970 began on a Thursday
        let since_monday = (time.0.rem_euclid(7 * MICROS_PER_DAY) + 3 * MICROS_PER_DAY) as usize % (7 * DAY);
        self.of_day = since_monday % DAY / (DAY / DAY_SLOTS);
        self.of_week = since_monday / HOUR;
        self.today = time.0.div_euclid(MICROS_PER_DAY) as i32;
        self.again[self.of_day].turn(self.today);
    }

    /// The deviation that comes at this time, or a quarter of an hour before or after it, day after day.
    pub fn habit(&self) -> f64 {
        let at = |by: usize| self.again[(self.of_day + by) % DAY_SLOTS].habit(self.today);
        at(0).max(at(1)).max(at(DAY_SLOTS - 1))
    }

    pub fn note(&mut self, deviation: f64) {
        self.again[self.of_day].note(deviation);
    }

    /// What the best season says of this time, about the level; 0 where the level alone is better.
    pub fn part(&self) -> f64 {
        [0.0, self.of_day(), self.of_week()][self.best()]
    }

    /// The steady level alone, with the season of the day, or with that of the week.
    fn best(&self) -> usize {
        let [day, week] = self.known();
        let mut best = 0;
        if day && self.errors[1] < self.errors[0] {
            best = 1;
        }
        if week && self.errors[2] < self.errors[best] {
            best = 2;
        }
        best
    }

    fn of_day(&self) -> f64 {
        self.day[self.of_day].mean
    }

    fn of_week(&self) -> f64 {
        self.week[self.of_week].mean
    }

    /// Which of the two seasons is known at this time.
    pub fn known(&self) -> [bool; 2] {
        [self.day[self.of_day].count >= DAY_MIN, self.week[self.of_week].count >= WEEK_MIN]
    }

    /// Next values by the day and by the week.
    pub fn forecasts(&self) -> [f64; 2] {
        [self.of_day() + self.level_day, self.of_week() + self.level_week]
    }

    /// The deviation from a one-step forecast that is usual at this time of the day, between what the slot says and
    /// `everywhere`, which counts as 20 points.
    pub fn local_spread(&self, everywhere: f64) -> f64 {
        self.shrunk(SPREAD_MIN, self.spreads[self.of_day].step, everywhere)
    }

    fn shrunk(&self, least: f64, here: f64, everywhere: f64) -> f64 {
        let count = self.day[self.of_day].count;
        if count < least {
            return everywhere;
        }
        let count = count.min(60.0);
        (here * count + everywhere * 20.0) / (count + 20.0)
    }

    /// How far the value is, over some points, from the steady level with its season, in units of what is usual at this
    /// time of the day; and learns it.
    pub fn distance(&mut self, value: f64, steady: f64, floor: f64, points: f64) -> f64 {
        let away = [value - steady, value - steady - self.of_day(), value - steady - self.of_week()];
        let best = self.best();
        self.away += 0.3 * (away[best] - self.away);
        let usual = self.shrunk(DISTANCE_MIN, self.spreads[self.of_day].distance, self.usual).max(floor);
        let distance = self.away.abs() / usual;

        let young = points < 20.0;
        let most = |times: f64| if young { f64::INFINITY } else { times * self.usual.max(floor) };
        let (far, farther) = (most(6.0), most(20.0));
        for (error, away) in self.errors.iter_mut().zip(away) {
            *error += rate(0.003, points) * (away.abs().min(farther) - *error);
        }
        let cut = away[best].abs().min(far);
        self.usual += rate(0.003, points) * (cut - self.usual);
        let here = &mut self.spreads[self.of_day].distance;
        *here += rate(0.03, self.day[self.of_day].count + 1.0) * (cut - *here);
        distance
    }

    /// Learns a deviation from the one-step forecast, then the value: its levels, and by how much it is off the steady
    /// one, at most `limit`.
    pub fn learn(&mut self, value: f64, step: f64, steady: f64, limit: f64, points: f64) {
        let (day, week) = (&mut self.day[self.of_day], &mut self.week[self.of_week]);
        let spread = &mut self.spreads[self.of_day].step;
        *spread += rate(0.03, day.count + 1.0) * (step - *spread);
        self.level_day += rate(0.1, points) * (value - day.mean - self.level_day);
        self.level_week += rate(0.1, points) * (value - week.mean - self.level_week);
        for (slot, least) in [(day, 0.02), (week, 0.03)] {
            slot.count += 1.0;
            slot.mean += rate(least, slot.count) * (value - steady - slot.mean).clamp(-limit, limit);
        }
    }
}
