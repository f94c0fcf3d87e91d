//! Scores on ordinary traffic that is made here, and on what is not ordinary.

use std::collections::BTreeSet;

use super::*;
use crate::time::MICROS_PER_SECOND;

const PANE: i64 = 600 * MICROS_PER_SECOND;
const PER_DAY: i64 = MICROS_PER_DAY / PANE;

/// Numbers that are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn unit(&mut self) -> f64 {
        ((self.word() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// A count: Poisson, or where `shape` is given a negative binomial one.
    fn count(&mut self, mean: f64, shape: Option<u32>) -> f64 {
        let mean = match shape {
            // a gamma number of a whole shape is a sum of exponential ones
            Some(shape) => -(0..shape).map(|_| self.unit().ln()).sum::<f64>() * mean / f64::from(shape),
            None => mean,
        };
        let (mut left, mut count) = (mean, 0.0);
        loop {
            left += self.unit().ln();
            if left < 0.0 {
                return count;
            }
            count += 1.0;
        }
    }
}

/// Principals of all sizes by day and night: even ones Poisson, odd ones over-dispersed, each third one asleep at night.
fn traffic(dice: &mut Dice, pane: i64, owners: u64, times: f64) -> Vec<Observed> {
    let hour = (pane % PER_DAY) as f64 / PER_DAY as f64 * std::f64::consts::TAU;
    let mut windows = Vec::new();
    for owner in 0..owners {
        let size = 0.3 * 1.06f64.powi(owner as i32);
        let swing = if owner % 3 == 0 { 0.95 } else { 0.4 };
        let mean = size * (1.0 - swing * hour.cos()) * times;
        let amount = dice.count(mean, (owner % 2 == 1).then_some(4));
        if amount > 0.0 {
            windows.push(Observed { owner, peers: 0, value: 0, amount, rows: amount as u64 });
        }
    }
    windows
}

const RATE: Scored = Scored { what: What::Rate, budget: 0.2 };

/// Findings a day, as people get them: one of an owner in a day.
fn findings(days: std::ops::Range<i64>, scores: &[(i64, u64, Score)], budget: f64) -> f64 {
    let told = scores.iter().filter(|(day, _, score)| days.contains(day) && score.is_within(budget));
    let told: BTreeSet<(i64, u64)> = told.map(|(day, owner, _)| (*day, *owner)).collect();
    told.len() as f64 / (days.end - days.start) as f64
}

/// Scores of ordinary days, of which those from `step` on have ten times the traffic.
fn ordinary(seed: u64, days: i64, step: i64) -> (Vec<(i64, u64, Score)>, Model) {
    let (mut dice, mut model, mut all) = (Dice(seed), Model::default(), Vec::new());
    for pane in 0..days * PER_DAY {
        let day = pane / PER_DAY;
        let windows = traffic(&mut dice, pane, 60, if day < step { 1.0 } else { 10.0 });
        let scores = model.close(RATE, pane * PANE, &windows);
        all.extend(windows.iter().zip(scores).map(|(window, score)| (day, window.owner, score)));
    }
    (all, model)
}

fn shares_below(scores: &[(i64, u64, Score)], from: i64) -> [f64; 3] {
    let judged: Vec<f64> = scores
        .iter()
        .filter(|(day, _, score)| *day >= from && !matches!(score.why, Why::Learning { .. }))
        .map(|(.., score)| score.chance)
        .collect();
    [1e-2, 1e-3, 1e-4].map(|bound| judged.iter().filter(|chance| **chance < bound).count() as f64 / judged.len() as f64)
}

#[test]
fn zz_seeds() {
    for seed in 10..20 {
        let (scores, _) = ordinary(seed, 28, 28);
        let r = [0.2, 1.0, 3.0].map(|budget| (budget, findings(3..28, &scores, budget), findings(3..10, &scores, budget)));
        println!("seed {seed} {:?} {r:?}", shares_below(&scores, 3));
        let (scores, _) = ordinary(seed, 21, 14);
        let days: Vec<Vec<f64>> = [0.2, 1.0, 3.0].map(|budget| (13..21).map(|day| findings(day..day + 1, &scores, budget)).collect()).into();
        println!("  step {days:?}");
    }
}
