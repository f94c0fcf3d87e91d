//! Scores on ordinary traffic that is made here, and on what is not ordinary.

use std::collections::{BTreeMap, BTreeSet};

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
fn ordinary_traffic_scores_as_often_as_it_says_and_stays_within_the_budget() {
    let (scores, model) = ordinary(10, 28, 28);
    let shares = shares_below(&scores, 3);
    for (share, nominal) in shares.iter().zip([1e-2, 1e-3, 1e-4]) {
        assert!((nominal / 3.0..nominal * 3.0).contains(share), "{shares:?}");
    }
    for budget in [0.2, 1.0, 3.0] {
        let found = findings(3..28, &scores, budget);
        assert!(found <= budget, "{found} a day of {budget}");
    }
    let (told, judged) = model.shares().unwrap();
    assert!(judged > 50_000.0 && (told[0] / 0.01).ln().abs() < 3f64.ln(), "{told:?} of {judged}");
}

#[test]
fn ten_times_the_traffic_of_all_is_no_flood() {
    for seed in 10..13 {
        let (scores, _) = ordinary(seed, 21, 14);
        for budget in [1.0, 3.0] {
            let worst = (14..21).map(|day| findings(day..day + 1, &scores, budget)).fold(0.0, f64::max);
            assert!(worst <= 3.0 * budget, "{worst} findings on a day of {budget}");
        }
        let mean = findings(14..21, &scores, 0.2);
        assert!(mean <= 0.6, "{mean} a day of 0.2 in the week after");
    }
}

/// One principal among the ordinary ones, after two weeks: what it has in each window of each day, and on how many days it is told.
fn told_of_one(amount: impl Fn(i64) -> f64, days: i64) -> Vec<bool> {
    let (mut dice, mut model) = (Dice(7), Model::default());
    let mut told = vec![false; days as usize];
    for pane in 0..(14 + days) * PER_DAY {
        let day = pane / PER_DAY - 14;
        let mut windows = traffic(&mut dice, pane, 60, 1.0);
        if pane % 6 == 0 {
            let amount = if day < 0 { dice.count(2.0, None) } else { amount(day) };
            windows.push(Observed { owner: 99, peers: 0, value: 0, amount, rows: amount as u64 });
        }
        let scores = model.close(RATE, pane * PANE, &windows);
        if day >= 0 && windows.last().unwrap().owner == 99 {
            told[day as usize] |= scores.last().unwrap().is_within(RATE.budget);
        }
    }
    told
}

#[test]
fn a_burst_of_one_is_told_and_a_new_habit_is_learnt_after_three_days() {
    let told = told_of_one(|_| 60.0, 20);
    assert_eq!(told[..3], [true; 3], "{told:?}");
    assert_eq!(told[15..], [false; 5], "{told:?}");
}

/// A host that is looked at on every port four times a day, beside few others: of so few windows it is never as unlikely as [`ODD`] says.
#[test]
fn what_is_told_every_day_is_learnt_among_few_windows() {
    let (mut dice, mut model, mut told) = (Dice(7), Model::default(), BTreeSet::new());
    for pane in 0..24 * PER_DAY {
        let mut windows = traffic(&mut dice, pane, 6, 1.0);
        let amount = if pane % (PER_DAY / 4) == 0 { 31.0 } else { 1.0 };
        windows.push(Observed { owner: 99, peers: 0, value: 0, amount, rows: amount as u64 });
        let scores = model.close(RATE, pane * PANE, &windows);
        if scores.last().unwrap().is_within(RATE.budget) {
            told.insert(pane / PER_DAY);
        }
    }
    assert!(told.contains(&3), "{told:?}");
    assert!(told.iter().all(|day| *day < 7), "{told:?}");
}

#[test]
fn who_doubles_daily_is_told() {
    // 4, 8, 16, 32, 64 where 2 are usual
    let told = told_of_one(|day| 2.0 * f64::from(1 << (day + 1)), 5);
    assert!(told[..4].contains(&true), "{told:?}");
}

/// Names of calls by rank, as often as Zipf says, of principals of three kinds, from their fourth week on: before, what nobody had had was still rarer each day.
#[test]
fn ordinary_calls_are_rare_as_often_as_they_say() {
    let (mut dice, mut model, mut judged) = (Dice(3), Model::default(), Vec::new());
    let rare = Scored { what: What::Rare { value: 1 }, budget: 0.2 };
    let weights: Vec<f64> = (1..=1000).map(|rank| f64::from(rank).powf(-1.5)).collect();
    let total: f64 = weights.iter().sum();
    let mut told = BTreeSet::new();
    for hour in 0..42 * 24 {
        let mut windows = BTreeSet::new();
        for owner in 0..60u64 {
            for _ in 0..3 {
                let mut left = dice.unit() * total;
                let rank = weights.iter().position(|weight| {
                    left -= weight;
                    left < 0.0
                });
                windows.insert((owner, rank.unwrap_or(0) as u64 + owner % 3 * 50));
            }
        }
        let seen =
            |(owner, value): &(u64, u64)| Observed { owner: *owner, peers: 0, value: *value, amount: 0.0, rows: 1 };
        let windows: Vec<Observed> = windows.iter().map(seen).collect();
        for (window, score) in windows.iter().zip(model.close(rare, hour * 6 * PANE, &windows)) {
            if hour >= 21 * 24 {
                judged.push(score.chance);
                if score.is_within(rare.budget) {
                    told.insert((hour / 24, window.owner));
                }
            }
        }
    }
    let shares = [1e-2, 1e-3, 1e-4]
        .map(|bound| judged.iter().filter(|chance| **chance < bound).count() as f64 / judged.len() as f64);
    for (share, nominal) in shares.iter().zip([1e-2, 1e-3, 1e-4]) {
        assert!((nominal / 3.0..nominal * 3.0).contains(share), "{shares:?}");
    }
    assert!(told.len() as f64 / 21.0 <= rare.budget, "{told:?}");
}

/// Ordinary days in which five keys a day are new and gone after two, and the scores of these; on some of the days `odd` says what
/// one key that nobody knows has in each window of one hour.
fn newcomers(seed: u64, days: i64, odd: impl Fn(i64) -> Option<f64>) -> (Vec<(i64, u64, Score)>, Model) {
    let (mut dice, mut model, mut all) = (Dice(seed), Model::default(), Vec::new());
    for pane in 0..days * PER_DAY {
        let day = pane / PER_DAY;
        let mut windows = traffic(&mut dice, pane, 60, 1.0);
        for new in (day - 1).max(0) * 5..(day + 1) * 5 {
            let size = 0.3 * 1.5f64.powi((new % 11) as i32);
            let amount = if dice.unit() < 0.1 { dice.count(size, Some(2)) } else { 0.0 };
            if amount > 0.0 {
                windows.push(Observed { owner: 1000 + new as u64, peers: 0, value: 0, amount, rows: 1 });
            }
        }
        if let Some(amount) = odd(day).filter(|_| (60..66).contains(&(pane % PER_DAY))) {
            windows.push(Observed { owner: 90_000 + day as u64, peers: 0, value: 0, amount, rows: 1 });
        }
        let scores = model.close(RATE, pane * PANE, &windows);
        let of_new = windows.iter().zip(scores).filter(|(window, _)| window.owner >= 1000);
        all.extend(of_new.map(|(window, score)| (day, window.owner, score)));
    }
    (all, model)
}

#[test]
fn ordinary_new_keys_are_within_their_part_of_the_budget() {
    for seed in 20..23 {
        let (scores, _) = newcomers(seed, 40, |_| None);
        let judged: Vec<f64> = scores.iter().filter(|one| one.0 >= 20).map(|(.., score)| score.chance).collect();
        let share = judged.iter().filter(|chance| **chance < 1e-2).count() as f64 / judged.len() as f64;
        // of few windows the ledger is careful
        assert!(judged.len() > 1000 && (0.01 / 5.0..0.03).contains(&share), "{share} of {}", judged.len());
        let found = findings(3..40, &scores, 1.0);
        assert!(found <= 0.5, "{found} a day of 1");
    }
}

#[test]
fn a_key_without_history_is_compared_with_others_that_had_none() {
    let (scores, model) = newcomers(24, 30, |day| (day >= 25).then_some(2000.0));
    let told: BTreeSet<u64> =
        scores.iter().filter(|(.., score)| score.is_within(1.0)).map(|(_, owner, _)| *owner).collect();
    assert!((25..30).all(|day| told.contains(&(90_000 + day))), "{told:?}");
    let (.., first) = scores.iter().find(|(_, owner, _)| *owner == 90_025).unwrap();
    assert!(matches!(first.why, Why::New(_)), "{first:?}");
    let mut to = Writer::default();
    model.write(&mut to);
    assert_eq!(Model::read(&mut Reader(&to.0)), Some(model));
}

/// Who is there in an hour: of those of the odd numbers by day on working days, and of the others by night, each at any other time as often as `stray` says.
fn people(dice: &mut Dice, hour: i64, stray: f64) -> Vec<Observed> {
    // 1970 began on a Thursday
    let is_working = ![2, 3].contains(&(hour / 24 % 7));
    let of_day = if (8..18).contains(&(hour % 24)) { [stray, 0.4] } else { [0.4, stray] };
    let seen = |owner: u64| Observed { owner, peers: owner % 2, value: 0, amount: 0.0, rows: 1 };
    let is_there = |owner: &u64| {
        let usual = of_day[*owner as usize % 2];
        dice.unit() < if is_working { usual } else { stray }
    };
    (0..60).filter(is_there).map(seen).collect()
}

const AT_HOURS: Scored = Scored { what: What::Hours, budget: 0.2 };

#[test]
fn ordinary_hours_are_odd_as_often_as_they_say() {
    const SEEDS: [u64; 4] = [5, 6, 7, 8];
    let (mut judged, mut told) = (Vec::new(), BTreeSet::new());
    for seed in SEEDS {
        let (mut dice, mut model) = (Dice(seed), Model::default());
        for hour in 0..84 * 24 {
            let windows = people(&mut dice, hour, 0.002);
            for (window, score) in windows.iter().zip(model.close(AT_HOURS, hour * 6 * PANE, &windows)) {
                if hour >= 28 * 24 {
                    judged.push(score.chance);
                    if score.is_within(AT_HOURS.budget) {
                        told.insert((seed, hour / 24, window.owner));
                    }
                }
            }
        }
        let mut to = Writer::default();
        model.write(&mut to);
        assert_eq!(Model::read(&mut Reader(&to.0)), Some(model));
    }
    let shares =
        [1e-2, 1e-3].map(|bound| judged.iter().filter(|chance| **chance < bound).count() as f64 / judged.len() as f64);
    assert!((0.01 / 3.0..0.03).contains(&shares[0]) && shares[1] < 0.003, "{shares:?} of {}", judged.len());
    assert!(told.len() as f64 / (SEEDS.len() as f64 * 56.0) <= AT_HOURS.budget, "{told:?}");
}

/// The bits of an hour at which all have always been there, by the day of the week.
#[test]
fn a_habit_is_as_usual_on_every_day_of_the_week() {
    let (mut model, mut of_day) = (Model::default(), BTreeMap::new());
    for hour in 0..12 * 168 {
        let day = hour / 24 % 7;
        // 1970 began on a Thursday
        if [2, 3].contains(&day) || !(9..17).contains(&(hour % 24)) {
            continue;
        }
        let windows: Vec<_> =
            (0..20).map(|owner| Observed { owner, peers: 0, value: 0, amount: 0.0, rows: 1 }).collect();
        let scores = model.close(AT_HOURS, hour * 6 * PANE, &windows);
        if let Why::Hours(hours::Basis { bits, .. }) = scores[0].why
            && hour % 24 == 12
        {
            of_day.insert(day, bits);
        }
    }
    assert_eq!(of_day.len(), 5);
    assert!(of_day.values().all(|bits| *bits < 0.9), "{of_day:?}");
}

/// Sixteen people work by day; on the Thursday of the eighth week some of them do in the evening too. Those who are told of the evening.
fn told_of_an_evening(people: u64) -> BTreeSet<u64> {
    let (mut dice, mut model, mut told) = (Dice(11), Model::default(), BTreeSet::new());
    for hour in 0..49 * 24 + 24 {
        let seen = |owner: u64| Observed { owner, peers: owner % 2, value: 0, amount: 0.0, rows: 1 };
        let is_work = ![2, 3].contains(&(hour / 24 % 7)) && (9..17).contains(&(hour % 24));
        let is_evening = hour / 24 == 49 && (20..23).contains(&(hour % 24));
        let windows: Vec<_> = (0..16)
            .filter(
                |owner| if is_work { dice.unit() < 0.6 } else { is_evening && *owner < people || dice.unit() < 0.0005 },
            )
            .map(seen)
            .collect();
        for (window, score) in windows.iter().zip(model.close(AT_HOURS, hour * 6 * PANE, &windows)) {
            if is_evening && window.owner < people && score.is_within(AT_HOURS.budget) {
                told.insert(window.owner);
            }
        }
    }
    told
}

#[test]
fn an_evening_on_which_many_work_is_told_of_nobody() {
    assert_eq!(told_of_an_evening(1), BTreeSet::from([0]));
    assert_eq!(told_of_an_evening(12), BTreeSet::new());
}

/// The days on which one of the day, who is there by night from the sixth week on, is told, of three weeks.
#[test]
fn a_new_shift_is_told_and_learnt() {
    let (mut dice, mut model, mut told) = (Dice(6), Model::default(), vec![false; 21]);
    for hour in 0..56 * 24 {
        let mut windows = people(&mut dice, hour, 0.0002);
        let by_night = hour >= 35 * 24;
        let is_there = if by_night { [1, 2, 3].contains(&(hour % 24)) } else { [10, 11, 12].contains(&(hour % 24)) };
        if is_there {
            windows.push(Observed { owner: 99, peers: 1, value: 0, amount: 0.0, rows: 1 });
        }
        let scores = model.close(AT_HOURS, hour * 6 * PANE, &windows);
        if is_there && by_night {
            told[(hour / 24 - 35) as usize] |= scores.last().unwrap().is_within(AT_HOURS.budget);
        }
    }
    assert_eq!(told[..2], [true; 2], "one night makes no habit: {told:?}");
    assert_eq!(told[14..], [false; 7], "{told:?}");
}

#[test]
fn the_same_hours_in_any_order_teach_the_same() {
    let (mut dice, mut in_order, mut in_reverse) = (Dice(7), Model::default(), Model::default());
    for hour in 0..21 * 24 {
        let mut windows = people(&mut dice, hour, 0.002);
        let scores = in_order.close(AT_HOURS, hour * 6 * PANE, &windows);
        windows.reverse();
        let mut again = in_reverse.close(AT_HOURS, hour * 6 * PANE, &windows);
        again.reverse();
        assert_eq!(again, scores);
    }
}

/// Roles of four kinds in one account, each of which has most of the twenty calls of its kind; then one has the call that it alone of its kind never had,
/// and another has one of another kind's. The bits of both.
#[test]
fn what_those_do_that_do_the_like_is_less_rare() {
    let (mut dice, mut model) = (Dice(9), Model::default());
    let rare = Scored { what: What::Rare { value: 1 }, budget: 0.2 };
    let seen = |owner: u64, call: u64| Observed { owner, peers: 7, value: alike::mix(call), amount: 0.0, rows: 1 };
    for hour in 0..28 * 24 {
        let mut windows = BTreeSet::new();
        for owner in 0..24u64 {
            let call = (dice.unit() * 20.0) as u64;
            if call != owner % 20 {
                windows.insert((owner, owner % 4 * 100 + call));
            }
        }
        let windows: Vec<Observed> = windows.iter().map(|(owner, call)| seen(*owner, *call)).collect();
        let foreseen = model.foresee(rare, hour * 6 * PANE, &windows).unwrap();
        assert_eq!(model.close(rare, hour * 6 * PANE, &windows), foreseen, "hour {hour}");
    }
    let scores = model.close(rare, 28 * MICROS_PER_DAY, &[seen(4, 4), seen(5, 4)]);
    let bits = |place: usize| match scores[place].why {
        Why::Rare(basis) => (basis.members, basis.bits),
        why => panic!("{why:?}"),
    };
    let ((of_kind, own), (of_other, foreign)) = (bits(0), bits(1));
    assert_eq!((of_kind, of_other), (6, 6));
    assert!(own + 4.0 < foreign, "{own} {foreign}");
    let mut to = Writer::default();
    model.write(&mut to);
    assert_eq!(Model::read(&mut Reader(&to.0)), Some(model));
}
