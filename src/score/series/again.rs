//! Deviations at each time of the day → how large they are there day after day: a backup at three is a habit.

/// A time at which it did not come keeps this share for the next day.
const KEPT: f64 = 0.7;

/// One time of the day.
#[derive(Clone, Copy, Default)]
pub struct Again {
    day: i32,
    /// The largest deviation of that day, and of the day before it that had one.
    today: f64,
    before: f64,
    /// What came on two days running.
    habit: f64,
}

impl Again {
    pub fn turn(&mut self, day: i32) {
        if self.day != day {
            *self = Again { day, today: 0.0, before: self.today, habit: self.habit(day) };
        }
    }

    pub fn note(&mut self, deviation: f64) {
        self.today = self.today.max(deviation);
    }

    /// The deviation that is a habit at this time, as known on the morning of `day`.
    pub fn habit(&self, day: i32) -> f64 {
        if self.day == day { self.habit } else { self.today.min(self.before).max(KEPT * self.habit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_on_two_days_running_is_a_habit_and_fades_without_it() {
        let mut again = Again::default();
        let mut day = |number: i32, deviations: &[f64]| {
            again.turn(number);
            let habit = again.habit(number);
            deviations.iter().for_each(|deviation| again.note(*deviation));
            habit
        };
        assert_eq!(day(1, &[0.5, 8.0]), 0.0);
        assert_eq!(day(2, &[6.0]), 0.0);
        assert_eq!(day(3, &[0.0]), 6.0);
        assert_eq!(day(4, &[0.0]), KEPT * 6.0);
        // once is no habit
        assert_eq!(day(5, &[90.0]), KEPT * KEPT * 6.0);
        assert!(day(6, &[0.0]) < 3.0);
    }
}
