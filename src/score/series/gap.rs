//! Places of values → how odd it is that none was away from the center for so long: a beat that stops is no outlier.

use super::tail::Tail;

/// Values this many widths from the center, or more, are away from it.
const AWAY: f64 = 4.0;
/// A gap this many times as long as any before is the end of the beat, and not told any further.
const LONGEST: u32 = 8;

/// How long the gaps between values usually are that are away. A gap that has not ended is no part of the past.
pub struct Gap {
    /// Points of the present gap, once its beginning is known.
    points: Option<u32>,
    /// Points that are away, without a gap.
    away: u32,
    longest: u32,
    /// How long the gaps were; and of each of their points, how late it was in its gap.
    ended: Tail,
    ages: Tail,
}

impl Gap {
    pub fn new() -> Gap {
        Gap { points: None, away: 0, longest: 0, ended: Tail::new(), ages: Tail::new() }
    }

    /// The chance of a gap as long as the present one, after a value at `spot`, in widths from the center; 1 where there is none.
    ///
    /// It is the larger one of two: how many gaps were as long, and how many points were as late in theirs. Many short
    /// gaps by day make the long one of the night neither rare nor odd.
    pub fn observe(&mut self, spot: f64) -> f64 {
        if spot.abs() >= AWAY {
            self.end();
            return 1.0;
        }
        self.away = 0;
        let Some(points) = &mut self.points else { return 1.0 };
        *points = points.saturating_add(1);
        let points = *points;
        if points / LONGEST > self.longest {
            return 1.0;
        }
        // gaps are whole numbers: half of one less, so that those as long are all counted
        let late = f64::from(points) - 0.5;
        self.ended.chance(late).max(self.ages.chance(late))
    }

    fn end(&mut self) {
        let points = self.points.replace(0).unwrap_or(0);
        if points > 0 {
            self.ended.add(f64::from(points), 1.0);
            (1..=points).for_each(|late| self.ages.add(f64::from(late), 1.0));
            self.longest = self.longest.max(points);
        }
        self.away = self.away.saturating_add(1);
        // what is away for longer than any gap was is another level, of whose beat nothing is known
        if self.longest > 0 && self.away > self.longest {
            *self = Gap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chances of the points of a beat whose every `period`th point is away, from point `from` on; from `stopped` on none is.
    fn chances(period: usize, stopped: usize, from: usize, to: usize) -> Vec<f64> {
        let mut gap = Gap::new();
        let spot = |step: usize| if step.is_multiple_of(period) && step < stopped { 9.0 } else { 0.5 };
        (0..to).map(|step| gap.observe(spot(step))).collect::<Vec<_>>()[from..].to_vec()
    }

    #[test]
    fn a_beat_that_goes_on_is_usual_and_one_that_stops_is_not() {
        let usual = chances(50, usize::MAX, 2_000, 3_000);
        assert!(usual.iter().all(|chance| *chance > 0.015), "{usual:?}");
        let stopped = chances(50, 3_000, 3_000, 3_200);
        assert!(stopped[0] > 0.01 && stopped[149] < 1e-3, "{stopped:?}");
    }

    #[test]
    fn a_beat_that_has_ended_is_not_told_for_ever() {
        assert!(chances(50, 3_000, 3_500, 9_000).iter().all(|chance| *chance == 1.0));
    }

    #[test]
    fn what_is_away_for_longer_than_any_gap_is_another_level() {
        let mut gap = Gap::new();
        for step in 0..3_000 {
            gap.observe(if step % 50 == 0 { 9.0 } else { 0.5 });
        }
        for _ in 0..60 {
            gap.observe(9.0);
        }
        assert!((0..300).all(|_| gap.observe(0.5) == 1.0));
    }

    #[test]
    fn a_night_between_days_of_short_gaps_is_usual_from_the_second_on() {
        let mut gap = Gap::new();
        let spot = |step: usize| if step % 288 < 200 && step.is_multiple_of(4) { 9.0 } else { 0.5 };
        let chances: Vec<f64> = (0..10 * 288).map(|step| gap.observe(spot(step))).collect();
        assert!(chances[3 * 288..].iter().all(|chance| *chance > 0.003), "{chances:?}");
    }
}
