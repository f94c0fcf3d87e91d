//! An incident: the best evidence of each kind, added up over stages and fading.

use super::HOUR;
use super::stage::Stage;

/// Kinds an incident remembers; past it the weakest goes.
const KINDS_MAX: usize = 48;
/// Evidence halves in this many hours.
const HALF_LIFE_HOURS: f64 = 6.0;
/// Kinds of one stage tell much the same: past the best of a stage the rest counts a quarter, up to 6 bits.
const SAME_STAGE: f64 = 0.25;
const SAME_STAGE_MAX: f64 = 6.0;
/// Bits from which evidence counts as its stage reached.
const REACHED_MIN: f64 = 4.0;
/// Bits for each stage past the first, and for each that came in the order of an attack.
const CHAIN: f64 = 3.0;
const FORWARD: f64 = 2.0;
/// Bits from which evidence keeps an incident open.
const STIRRING_MIN: f64 = 2.0;
/// An incident stays open for an hour after evidence per 4 bits of its score, two hours at least, eight at most; a long
/// one ends after a day, so that noise never makes one that lasts. With half of each, what one attacker does an hour later
/// begins anew from nothing, and what is odd twice on one host is two incidents: of made attacks 6% of the phases stayed
/// below ten false incidents a day, with these 2%.
const BITS_PER_HOUR: f64 = 4.0;
const IDLE_HOURS: [f64; 2] = [2.0, 8.0];
const HOURS_MAX: f64 = 24.0;

pub(super) struct Incident {
    begun: f64,
    stirred: f64,
    kinds: Vec<Kind>,
    /// When each stage was first reached.
    reached: [Option<f64>; Stage::COUNT],
}

struct Kind {
    key: u64,
    stage: Stage,
    bits: f64,
    at: f64,
}

impl Kind {
    fn faded(&self, now: f64) -> f64 {
        self.bits * (-(now - self.at) / (HALF_LIFE_HOURS * HOUR)).exp2()
    }
}

impl Incident {
    pub(super) fn new(now: f64) -> Incident {
        Incident { begun: now, stirred: now, kinds: Vec::new(), reached: [None; Stage::COUNT] }
    }

    pub(super) fn is_open(&self, now: f64) -> bool {
        let idle = (self.score(now) / BITS_PER_HOUR).clamp(IDLE_HOURS[0], IDLE_HOURS[1]);
        now - self.stirred <= idle * HOUR && now - self.begun <= HOURS_MAX * HOUR
    }

    /// Adds evidence; repeats of a kind count once, at their best. What is not above zero changes nothing.
    pub(super) fn take(&mut self, key: u64, stage: Stage, bits: f64, now: f64) {
        if bits <= 0.0 {
            return;
        }
        if bits >= STIRRING_MIN {
            self.stirred = now;
        }
        if bits >= REACHED_MIN {
            self.reached[stage as usize].get_or_insert(now);
        }
        match self.kinds.iter_mut().find(|kind| kind.key == key) {
            Some(kind) if bits < kind.faded(now) => {}
            Some(kind) => (kind.bits, kind.at) = (bits, now),
            None => self.remember(Kind { key, stage, bits, at: now }, now),
        }
    }

    fn remember(&mut self, kind: Kind, now: f64) {
        self.kinds.push(kind);
        if self.kinds.len() > KINDS_MAX {
            let faded = |at: &usize| self.kinds[*at].faded(now);
            let weakest = (0..self.kinds.len()).min_by(|a, b| faded(a).total_cmp(&faded(b)));
            self.kinds.swap_remove(weakest.expect("one was just pushed"));
        }
    }

    /// Takes all that another has.
    pub(super) fn absorb(&mut self, other: Incident, now: f64) {
        self.begun = self.begun.min(other.begun);
        self.stirred = self.stirred.max(other.stirred);
        for kind in other.kinds {
            match self.kinds.iter_mut().find(|own| own.key == kind.key) {
                Some(own) if own.faded(now) < kind.faded(now) => *own = kind,
                Some(_) => {}
                None => self.remember(kind, now),
            }
        }
        for (own, its) in self.reached.iter_mut().zip(other.reached) {
            *own = [*own, its].into_iter().flatten().min_by(f64::total_cmp);
        }
    }

    /// Bits.
    pub(super) fn score(&self, now: f64) -> f64 {
        let (mut best, mut sum) = ([0.0f64; Stage::COUNT], [0.0; Stage::COUNT]);
        for kind in &self.kinds {
            let bits = kind.faded(now);
            best[kind.stage as usize] = best[kind.stage as usize].max(bits);
            sum[kind.stage as usize] += bits;
        }
        let of_stage = |(best, sum): (&f64, f64)| best + (SAME_STAGE * (sum - best)).min(SAME_STAGE_MAX);
        best.iter().zip(sum).map(of_stage).sum::<f64>() + self.chain()
    }

    fn chain(&self) -> f64 {
        let mut reached: Vec<(f64, Stage)> =
            Stage::OF_ATTACKS.into_iter().filter_map(|stage| Some((self.reached[stage as usize]?, stage))).collect();
        reached.sort_by(|a, b| a.0.total_cmp(&b.0));
        let forward = reached.windows(2).filter(|pair| pair[0].1 < pair[1].1).count();
        CHAIN * reached.len().saturating_sub(1) as f64 + FORWARD * forward as f64
    }
}
