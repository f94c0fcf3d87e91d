use super::*;

const FIVE_MINUTES: i64 = 300_000_000;
/// Monday, 2024-07-01.
const MONDAY: i64 = 1_719_792_000_000_000;

fn time(step: usize) -> Timestamp {
    Timestamp(MONDAY + step as i64 * FIVE_MINUTES)
}

const NONE: [usize; 0] = [];

/// Scores of values five minutes apart.
fn scores(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut scorer = Scorer::new();
    values.into_iter().enumerate().map(|(step, value)| scorer.score(time(step), value)).collect()
}

/// Numbers that look random and are the same each time: SplitMix64 (Steele, Lea, Flood, 2014).
struct Noise(u64);

impl Noise {
    /// In 0..1.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, deviation 1 (Box, Muller, 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A level of 20 with a day of 8 up and down, and noise of 1.
fn days(points: usize) -> Vec<f64> {
    let mut noise = Noise(7);
    let day = |step: usize| (step as f64 / 288.0 * std::f64::consts::TAU).sin();
    (0..points).map(|step| 20.0 + 8.0 * day(step) + noise.normal()).collect()
}

fn above(scores: &[f64], least: f64) -> Vec<usize> {
    (0..scores.len()).filter(|step| scores[*step] > least).collect()
}

#[test]
fn a_flat_line_that_jumps_is_told_at_the_jump_and_held_from_then_on() {
    let scores = scores((0..1_000).map(|step| if step < 600 { 5.0 } else { 9.0 }));
    assert_eq!(above(&scores[..600], 0.5), NONE);
    assert!(scores[600] > 0.999_999, "{}", scores[600]);
    // the fourth point that is as odd makes it 100,000 times less likely once more
    assert_eq!(above(&scores, 0.999), [600, 603]);
}

#[test]
fn a_peak_in_noise_is_told_when_it_comes_and_not_again_while_it_lasts() {
    let mut noise = Noise(1);
    let mut values: Vec<f64> = (0..3_000).map(|_| 50.0 + noise.normal()).collect();
    values[2_000..2_040].iter_mut().for_each(|value| *value += 30.0);
    let scores = scores(values);
    // one in ten thousand is this odd by chance
    assert!(above(&scores[..2_000], 0.999_9).len() <= 1);
    let told: Vec<usize> = above(&scores, 0.999_9).into_iter().filter(|step| *step >= 2_000).collect();
    assert!(told.first().is_some_and(|first| (2_000..2_003).contains(first)), "{told:?}");
    assert!(told.len() <= 2 && told.iter().all(|step| *step < 2_005), "{told:?}");
    assert_eq!(above(&scores[2_005..2_040], 0.998_1), NONE);
    assert!(above(&scores[2_005..2_040], 0.95).len() > 20, "what lasts stands above the ordinary");
}

#[test]
fn the_second_episode_after_the_hold_is_told_too() {
    let mut noise = Noise(2);
    let mut values: Vec<f64> = (0..4_000).map(|_| 50.0 + noise.normal()).collect();
    for begin in [2_000, 3_000] {
        values[begin..begin + 10].iter_mut().for_each(|value| *value += 25.0);
    }
    let scores = scores(values);
    let within = |from: usize| above(&scores[from..from + 10], 0.999).len();
    assert!(within(2_000) >= 1 && within(3_000) >= 1, "{:?}", above(&scores, 0.999));
}

#[test]
fn a_season_that_was_learnt_is_usual_and_a_day_without_it_is_not() {
    let usual = days(14 * 288);
    let told = above(&scores(usual.clone()), 0.999);
    assert!(told.len() <= 4, "{told:?}");

    let mut noise = Noise(8);
    let mut flat = usual;
    // day 11 stays at the level: no value of it is out of the range of the others
    flat[11 * 288..12 * 288].iter_mut().for_each(|value| *value = 20.0 + noise.normal());
    let told = above(&scores(flat)[11 * 288..12 * 288], 0.999);
    assert!(!told.is_empty());
}

#[test]
fn an_outage_of_counts_is_told() {
    let mut noise = Noise(3);
    let mut values: Vec<f64> = (0..3_000).map(|_| (200.0 + 40.0 * noise.normal()).round()).collect();
    values[2_500..2_520].fill(0.0);
    let scores = scores(values);
    assert!(above(&scores[2_500..2_520], 0.999).first().is_some_and(|first| *first < 3), "{:?}", above(&scores, 0.99));
}

/// The share of scores above 0.99, 0.999 and 0.9999, as multiples of what they say.
fn shares(noise: &mut Noise, one: impl Fn(&mut Noise) -> f64) -> [f64; 3] {
    let (mut all, mut above) = (0.0, [0.0; 3]);
    for _ in 0..20 {
        let mut scorer = Scorer::new();
        for step in 0..4_000 {
            let score = scorer.score(time(step), one(noise));
            if step >= 300 {
                all += 1.0;
                above[0] += f64::from(u8::from(score > 0.99));
                above[1] += f64::from(u8::from(score > 0.999));
                above[2] += f64::from(u8::from(score > 0.9999));
            }
        }
    }
    [above[0] / all * 1e2, above[1] / all * 1e3, above[2] / all * 1e4]
}

#[test]
fn the_share_of_high_scores_on_noise_is_nominal() {
    let mut of_noises = Vec::new();
    let mut within = |name: &str, [hundredth, thousandth, far]: [f64; 3]| {
        assert!((1.0 / 3.0..3.0).contains(&hundredth), "{name}: {hundredth} times nominal above 0.99");
        assert!((1.0 / 3.0..3.0).contains(&thousandth), "{name}: {thousandth} times nominal above 0.999");
        of_noises.push(far);
    };
    let noise = &mut Noise(4);
    within("normal", shares(noise, |noise| 10.0 + noise.normal()));
    within("uniform", shares(noise, Noise::uniform));
    within("exponential", shares(noise, |noise| -(1.0 - noise.uniform()).ln()));
    within("log-normal", shares(noise, |noise| noise.normal().exp()));
    within("counts", shares(noise, |noise| (4.0 + 2.0 * noise.normal()).round().max(0.0)));
    let heavy = |noise: &mut Noise| noise.normal() / ((0..3).map(|_| noise.normal().powi(2)).sum::<f64>() / 3.0).sqrt();
    within("Student's t, 3", shares(noise, heavy));
    // one noise alone is not within a factor of 3 that far out: light tails are rarer, heavy ones more frequent
    of_noises.sort_by(f64::total_cmp);
    let middle = (of_noises[2] + of_noises[3]) / 2.0;
    assert!((2.0 / 3.0..1.5).contains(&middle), "above 0.9999: {of_noises:?}");
}

#[test]
fn counts_that_are_nearly_always_none_are_not_odd_when_they_are_one() {
    // errors, retries, messages in a dead-letter queue: one point in a hundred
    let [hundredth, thousandth, _] = shares(&mut Noise(15), |noise| f64::from(u8::from(noise.uniform() < 0.01)));
    assert!(hundredth < 4.0 && thousandth < 4.0, "{hundredth} and {thousandth} times nominal");
}

#[test]
fn a_score_depends_on_nothing_after_it_and_is_the_same_each_time() {
    let values = days(2_000);
    let whole = scores(values.clone());
    for length in [1, 149, 151, 1_000, 1_999] {
        assert_eq!(scores(values[..length].to_vec()), whole[..length], "{length}");
    }
}

#[test]
fn the_unit_of_a_value_does_not_matter() {
    let mut values = days(3_000);
    values[2_000] = 90.0;
    let one = scores(values.clone());
    // a power of two scales exactly; others to the last digits, of which some are of 32 bits
    assert_eq!(scores(values.iter().map(|value| value * 1024.0)), one);
    for factor in [1e-6, 3.7e9, -1.0] {
        let other = scores(values.iter().map(|value| value * factor));
        let apart = one.iter().zip(&other).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-5, "{factor}: {apart}");
    }
}

#[test]
fn scores_are_between_0_and_1_whatever_comes() {
    let mut noise = Noise(5);
    let odd = [0.0, -0.0, 1e308, -1e308, 5e-324, f64::MAX, 1.0, -1.0];
    let mut scorer = Scorer::new();
    for step in 0..5_000 {
        let value = if noise.uniform() < 0.5 { odd[step % odd.len()] } else { noise.normal() };
        let time = Timestamp((noise.uniform() * 1e16) as i64 - (step as i64 - 2_500) * 1_000_000_000_000);
        let score = scorer.score(time, value);
        assert!((0.0..=1.0).contains(&score), "{step}: {value} scores {score}");
    }
}

#[test]
fn a_metric_that_is_always_the_same_is_never_odd() {
    assert_eq!(above(&scores(vec![42.0; 2_000]), 0.5), NONE);
    assert_eq!(above(&scores(vec![0.0; 2_000]), 0.5), NONE);
}

#[test]
fn a_backup_that_runs_every_night_is_a_habit() {
    let mut noise = Noise(9);
    let mut values: Vec<f64> = (0..14 * 288).map(|_| 15.0 + 0.5 * noise.normal()).collect();
    // one point at three in the morning
    (0..14).for_each(|day| values[day * 288 + 36] += 9.0);
    values[11 * 288 + 150] += 9.0;
    let scores = scores(values);
    let of_backups: Vec<f64> = (7..14).map(|day| scores[day * 288 + 36]).collect();
    assert!(of_backups.iter().all(|score| *score < 0.999), "{of_backups:?}");
    assert!(scores[11 * 288 + 150] > 0.9999, "the same by day: {}", scores[11 * 288 + 150]);
}

#[test]
fn a_stuck_sensor_is_told() {
    let mut noise = Noise(10);
    let mut values: Vec<f64> = (0..3_000).map(|_| 60.0 + 6.0 * noise.normal()).collect();
    let last = values[2_500];
    values[2_500..2_600].fill(last);
    let told = above(&scores(values), 0.999);
    assert!(told.iter().any(|step| (2_505..2_560).contains(step)), "{told:?}");
}

#[test]
fn a_square_day_that_does_not_rise_is_told() {
    let mut noise = Noise(11);
    let mut values: Vec<f64> = (0..14 * 288)
        .map(|step| if (108..216).contains(&(step % 288)) { 80.0 } else { 20.0 } + 2.0 * noise.normal())
        .collect();
    values[10 * 288 + 108..10 * 288 + 216].fill_with(|| 20.0 + 2.0 * noise.normal());
    let told = above(&scores(values), 0.999);
    assert!(told.iter().any(|step| (10 * 288 + 108..10 * 288 + 216).contains(step)), "{told:?}");
}

#[test]
fn a_beat_that_is_missed_is_told_whatever_its_period() {
    let mut noise = Noise(13);
    let bump = |at: f64, middle: f64, width: f64| (-((at - middle) / width).powi(2)).exp();
    let beat = |step: usize| {
        let at = (step % 60) as f64;
        if (2_400..2_460).contains(&step) { 0.0 } else { 8.0 * bump(at, 20.0, 2.0) + 2.0 * bump(at, 40.0, 5.0) }
    };
    let values: Vec<f64> = (0..3_000).map(|step| beat(step) + 0.1 * noise.normal()).collect();
    let told = above(&scores(values), 0.999);
    assert!(told.iter().any(|step| (2_400..2_480).contains(step)), "{told:?}");
}

#[test]
fn a_beat_of_single_points_that_stops_is_told() {
    // an hourly job, minute by minute: its stretches differ from those without it in one point of sixteen
    let mut noise = Noise(16);
    let beat = |step: usize| if step % 60 == 7 && !(3_600..3_960).contains(&step) { 45.0 } else { 0.0 };
    let values: Vec<f64> = (0..5_000).map(|step| 5.0 + beat(step) + 2.0 * noise.normal()).collect();
    let told = above(&scores(values), 0.999);
    assert!(told.iter().any(|step| (3_660..3_960).contains(step)), "{told:?}");
}
