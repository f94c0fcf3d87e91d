//! How often a kind of alert comes, on one host and anywhere, and how many at once → bits.

use crate::detect::normal_bits;
use crate::score::table::Cell;

use super::HOUR;
use super::stage::Stage;

/// Seconds in which the number of recent alerts halves.
const BURST_HALF_LIFE: f64 = 600.0;
/// Hours over which the usual peak of an hour is learnt; older ones fade.
const PEAKS_MAX: f64 = 50.0;
/// Hours that stand in for a history: how peaks vary, as a variance of `ln(1 + recent)`, and where they lie. Both are those
/// of the kind anywhere, as far as it is known.
const PRIOR_HOURS: f64 = 3.0;
const PRIOR_VARIANCE: f64 = 0.8;
const PRIOR_PEAK: f64 = 1.6;
/// Hours in which the hosts that a kind came to count half, and hosts that are no spread yet: an attack has few.
const SPREAD_HALF_LIFE: f64 = 24.0;
const SPREAD_FREE: f64 = 2.0;
/// Hours of which the stream begins to be long: what is new in the first hour is no news.
const YOUNG_HOURS: f64 = 4.0;

/// What is remembered of one kind, on one host or anywhere.
#[derive(Default)]
pub(super) struct Habit {
    /// Of the name that came with the first alert.
    pub(super) stage: Option<Stage>,
    /// Hours, counted from the beginning of the stream, that had an alert; the present hour is not in yet.
    hours: f64,
    hour: u64,
    /// Alerts, fading with [`BURST_HALF_LIFE`], at second `last`.
    recent: f64,
    last: f64,
    /// The most that `ln(1 + recent)` came to in the present hour, and its mean and variance over the hours before.
    peak: f64,
    mean: f64,
    variance: f64,
    /// Of a kind anywhere: hosts it came to, fading with [`SPREAD_HALF_LIFE`], at second `came`.
    hosts: f64,
    came: f64,
}

impl Cell for Habit {
    fn worth(&self, hour: u64) -> f32 {
        (self.hours as f32 + 0.1) / (1.0 + hour.saturating_sub(self.hour) as f32)
    }
}

impl Habit {
    /// Takes an alert `now` seconds after the beginning of the stream.
    pub(super) fn take(&mut self, now: f64) {
        let hour = (now / HOUR) as u64;
        if hour != self.hour && self.recent > 0.0 {
            self.hours += 1.0;
            let rate = 1.0 / self.hours.min(PEAKS_MAX);
            let off = self.peak - self.mean;
            self.mean += rate * off;
            self.variance += rate * (off * (self.peak - self.mean) - self.variance);
            self.peak = 0.0;
        }
        self.hour = hour;
        self.recent = self.recent * (-(now - self.last) / BURST_HALF_LIFE).exp2() + 1.0;
        self.last = now;
        self.peak = self.peak.max((1.0 + self.recent).ln());
    }

    pub(super) fn is_new(&self) -> bool {
        self.recent == 0.0
    }

    /// Comes to a host where it never was, `now` seconds after the beginning of the stream.
    pub(super) fn come_to_host(&mut self, now: f64) {
        self.hosts = self.hosts * self.faded(now) + 1.0;
        self.came = now;
    }

    fn faded(&self, now: f64) -> f64 {
        (-(now - self.came) / (SPREAD_HALF_LIFE * HOUR)).exp2()
    }

    /// Hosts an hour that this kind comes to of late: a rule that was just rolled out is new on each.
    fn spread(&self, hours_observed: f64) -> f64 {
        let hosts = (self.hosts - SPREAD_FREE).max(0.0) * self.faded(hours_observed * HOUR);
        hosts * std::f64::consts::LN_2 / SPREAD_HALF_LIFE
    }

    /// `-log2` of the chance that an hour has this kind on this host, smoothed by how often it comes anywhere: 0 for what
    /// comes every hour, about `log2(hours)` for what is new on the host, twice that for what is new altogether; and no more
    /// than that of the hour having a host that is new to it.
    pub(super) fn rarity(&self, anywhere: &Habit, hours_observed: f64) -> f64 {
        let hours = hours_observed + YOUNG_HOURS;
        let spread = anywhere.spread(hours_observed);
        let anywhere = (anywhere.hours + 1.0) / hours;
        -((self.hours + anywhere) / hours).max(spread).min(1.0).log2()
    }

    /// `-log2` of the chance of as many at once, from the peaks of the hours before, as a log-normal law.
    pub(super) fn burst(&self, anywhere: &Habit) -> f64 {
        let hours = self.hours.min(PEAKS_MAX);
        let prior = if anywhere.hours >= PRIOR_HOURS { anywhere.mean } else { PRIOR_PEAK };
        let mean = (2.0 * prior + hours * self.mean) / (2.0 + hours);
        let spread = self.spread_of_peaks(anywhere.spread_of_peaks(PRIOR_VARIANCE));
        // the second term: how little is known of the mean; the third: alerts are whole numbers
        let variance = spread + 1.0 / (2.0 + hours) + 0.05;
        normal_bits(((1.0 + self.recent).ln() - mean) / variance.sqrt())
    }

    /// Variance of the peaks, where a few hours had this `prior` one.
    fn spread_of_peaks(&self, prior: f64) -> f64 {
        let hours = self.hours.min(PEAKS_MAX);
        (PRIOR_HOURS * prior + hours * self.variance) / (PRIOR_HOURS + hours)
    }
}
