//! Edges of a graph in time order, `src,dst,tick` → a score for each: how odd it is after all before it.

mod calibrate;
mod line;
mod rate;
#[cfg(test)]
mod tests;

pub use line::{Columns, Line, LineError, is_header, parse_line};

use super::hash::{hash, joined};
use super::table::{Cell, Table};
use calibrate::Calibrated;
use rate::{CLASSES, Rate, Spans, Statistic, kept};

/// What is asked of each edge. Spans are half-lives of 1, 16 and 512 ticks.
///
/// Bursts are counts against the rate since the stream began, of the edge and of both nodes (after MIDAS, Bhatia and others,
/// 2020, with the deviance in place of chi-squared); fans are distinct partners within a tick, and partners never seen before
/// within a span. The last is the surprise of the destination given the source, smoothed by how readily the source
/// takes new partners and by how many partners the destination has (Kneser and Ney, 1995).
pub const TERMS: [&str; 16] = [
    "edge, burst",
    "edge, 16 ticks",
    "edge, 512 ticks",
    "source, burst",
    "source, 16 ticks",
    "source, 512 ticks",
    "destination, burst",
    "destination, 16 ticks",
    "destination, 512 ticks",
    "fan-out, burst",
    "new destinations, 16 ticks",
    "new destinations, 512 ticks",
    "fan-in, burst",
    "new sources, 16 ticks",
    "new sources, 512 ticks",
    "rarity",
];

/// What the terms other than the strongest count for. They depend on each other, so their sum is no evidence; none of
/// them is to be lost either. 0.1 to 0.2 rank alike, 0.3 ranks worse.
const OTHERS: f32 = 0.15;
/// Bits of the strongest term past which an edge teaches the calibration little, or a long attack would become usual: with a
/// tenth, streams that are mostly attacks rank worse.
const USUAL_MAX: f32 = 8.0;
const UNUSUAL_WEIGHT: f32 = 0.01;
/// A node with so many edges of that kind of late, with a half-life of 512 ticks, teaches half as much, and ever less with
/// more: what goes on for an hour and is a tenth of a stream would teach that it is usual. With a hundred, what many
/// ordinary nodes do now and then is never learnt.
const UNUSUAL_MANY: f32 = 1000.0;
/// What the evidence of the edges before counts for that had the same source, and how fast it follows: who just attacked is
/// not taken for harmless, and in ordinary traffic few odd edges are followed by others. The first edge stands for those
/// before it, or what comes once would rank behind all that goes on.
const SOURCE: f32 = 0.3;
const SOURCE_RATE: f32 = 0.06;
/// Evidence from which an edge is news at the least, where it is so many bits above what was told of either of its nodes.
const NEWS_MIN: f32 = 20.0;
const NEWS_STEP: f32 = 8.0;
/// What is news needs so many bits more after each piece of it, and so many less after each edge: in the long run one edge in
/// 250 is news. A fixed threshold has ten times as much in some ordinary streams as in others.
const NEWS_RISE: f32 = 0.05;
const NEWS_FALL: f32 = 0.0002;
/// What is no news counts a tenth past so many bits above what news takes, so that the first edges of every attack rank above
/// the rest of a flood, and that above what is barely news. With 0 in place of 5 twice as many of the first 500 edges are
/// ordinary ones; with 8 a tenth fewer attacks are among them.
const TOLD: f32 = 5.0;
const TOLD_SHARE: f32 = 0.1;
/// Bits of chance past which an edge teaches the calibration of the whole a tenth.
const CHANCE_USUAL_MAX: f32 = 13.3;

/// Scores edges one after another, in one pass. The same edges give the same scores.
///
/// Memory is at most 64 MiB, however many nodes there are: 131,072 sources, as many destinations and 524,288 edges
/// are remembered. Past that the ones forgotten first are those active in the fewest ticks and longest ago.
pub struct Scorer {
    sources: Table<Node>,
    destinations: Table<Node>,
    pairs: Table<Pair>,
    begun: Option<u64>,
    now: u64,
    /// Of the present tick.
    spans: Spans,
    /// Distinct edges, and those of them that were the first of their destination.
    distinct: f32,
    births: f32,
    /// Of each term, by the class of its statistic.
    usual: Vec<[Calibrated; CLASSES]>,
    usual_whole: Calibrated,
    news_min: f32,
    terms: [f32; TERMS.len()],
    chance_bits: f32,
}

/// A source or a destination.
#[derive(Default)]
struct Node {
    last: u64,
    /// Ticks with an edge.
    ticks: f32,
    edges: Rate<3>,
    partners: Rate<1>,
    new_partners: Rate<2>,
    /// Distinct partners, and ticks with an edge summed over them.
    distinct: f32,
    pair_ticks: f32,
    /// Edges in the present tick.
    current: f32,
    /// Evidence of its latest edge that was news, with a half-life of 512 ticks.
    told: f32,
    /// Of a source: mean evidence of its latest edges.
    evidence: f32,
    /// Edges with a term past [`USUAL_MAX`], with a half-life of 512 ticks.
    unusual: f32,
}

#[derive(Default)]
struct Pair {
    last: u64,
    ticks: f32,
    edges: Rate<3>,
}

impl Cell for Node {
    fn worth(&self, now: u64) -> f32 {
        self.ticks / (1.0 + (now - self.last) as f32)
    }
}

impl Cell for Pair {
    fn worth(&self, now: u64) -> f32 {
        self.ticks / (1.0 + (now - self.last) as f32)
    }
}

impl Default for Scorer {
    fn default() -> Scorer {
        Scorer::new()
    }
}

impl Scorer {
    pub fn new() -> Scorer {
        Scorer {
            sources: Table::new(14),
            destinations: Table::new(14),
            pairs: Table::new(16),
            begun: None,
            now: 0,
            spans: Spans::new(1.0),
            distinct: 1.0,
            births: 1.0,
            usual: TERMS.iter().map(|_| std::array::from_fn(|_| Calibrated::new())).collect(),
            usual_whole: Calibrated::new(),
            news_min: NEWS_MIN,
            terms: [0.0; TERMS.len()],
            chance_bits: 0.0,
        }
    }

    /// How odd this edge is, from 0: the bits of its strongest term and some of those of the others, and a part of what the edges
    /// of its source had before. What was told of its nodes counts a tenth where it is far above ordinary. Ticks do not fall; one
    /// that does is taken for the latest. How long a tick is, a second or a minute, is open: there are spans for either.
    pub fn score(&mut self, src: &[u8], dst: &[u8], tick: u64) -> f32 {
        self.advance(tick);
        let now = self.now;
        let (src, dst) = (hash(src), hash(dst));
        let source = self.sources.cell(src, now);
        let destination = self.destinations.cell(dst, now);
        let pair = self.pairs.cell(joined(src, dst), now);
        let (is_new, is_first) = (pair.ticks == 0.0, pair.ticks == 0.0 || pair.last != now);
        let is_birth = destination.ticks == 0.0;
        let is_young = source.ticks == 0.0;

        source.turn(now, &self.spans);
        destination.turn(now, &self.spans);
        if is_first {
            pair.turn(now, &self.spans);
        }
        let popularity = if is_birth { self.births } else { destination.distinct } / self.distinct;
        let rarity = source.surprise(pair, popularity);

        pair.edges.add(1.0);
        source.add(is_first, is_new);
        destination.add(is_first, is_new);
        pair.ticks += f32::from(u8::from(is_first));
        self.distinct += f32::from(u8::from(is_new));
        self.births += f32::from(u8::from(is_birth));

        let rarity = Statistic { value: rarity, class: source.explores() };
        let [e1, e2, e3] = pair.edges.deviations(&self.spans.shares);
        let [s1, s2, s3, o1, o2, o3] = source.deviations(&self.spans);
        let [d1, d2, d3, i1, i2, i3] = destination.deviations(&self.spans);
        let statistics = [e1, e2, e3, s1, s2, s3, d1, d2, d3, o1, o2, o3, i1, i2, i3, rarity];
        // a node counts for its root, or a busy one would be all there is
        let weight = 1.0 / source.current.max(destination.current).sqrt();
        let unusual_weight = UNUSUAL_WEIGHT / (1.0 + source.unusual.max(destination.unusual) / UNUSUAL_MANY);
        let weights = [weight, weight * unusual_weight];
        let (strongest, sum) = calibrated(&mut self.usual, &statistics, weights, &mut self.terms);
        if strongest > USUAL_MAX {
            source.unusual += 1.0;
            destination.unusual += 1.0;
        }
        let evidence = strongest + OTHERS * (sum - strongest);

        // bins are for what spans decades: this makes them 3/4 of a bit of evidence wide
        let spread = (evidence / 6.0).exp2() - 1.0;
        self.chance_bits = self.usual_whole.bits(spread);
        self.usual_whole.learn(spread, if self.chance_bits > CHANCE_USUAL_MAX { 0.1 } else { 1.0 });
        if is_young {
            source.evidence = evidence;
        }
        let score = evidence + SOURCE * source.evidence;
        source.evidence += SOURCE_RATE * (evidence - source.evidence);
        let told = self.news_min + TOLD;
        let is_news = is_news(evidence, &mut self.news_min, source, destination);
        if is_news || score < told { score } else { told + TOLD_SHARE * (score - told) }
    }

    /// The chance of a score like the latest one or above it among those before it, every edge counted once, before
    /// what was told of its nodes changes it.
    pub fn chance(&self) -> f32 {
        (-self.chance_bits).exp2()
    }

    /// What each of [`TERMS`] gave the latest score: `-log2` of the chance of that much among what is usual.
    pub fn terms(&self) -> &[f32; TERMS.len()] {
        &self.terms
    }

    fn advance(&mut self, tick: u64) {
        let begun = *self.begun.get_or_insert(tick);
        if tick > self.now || self.now == 0 {
            self.now = tick.max(begun);
            self.spans = Spans::new((self.now - begun) as f32 + 1.0);
        }
    }
}

/// Puts the bits of each statistic into `terms`, and learns them, with the second weight past [`USUAL_MAX`]; gives the most
/// and the sum.
fn calibrated(
    usual: &mut [[Calibrated; CLASSES]],
    statistics: &[Statistic; TERMS.len()],
    weights: [f32; 2],
    terms: &mut [f32; TERMS.len()],
) -> (f32, f32) {
    for ((term, usual), statistic) in terms.iter_mut().zip(&*usual).zip(statistics) {
        *term = usual[statistic.class].bits(statistic.value);
    }
    let (strongest, sum) = terms.iter().fold((0.0f32, 0.0), |(most, sum), &term| (most.max(term), sum + term));
    let weight = weights[usize::from(strongest > USUAL_MAX)];
    for (usual, statistic) in usual.iter_mut().zip(statistics) {
        usual[statistic.class].learn(statistic.value, weight);
    }
    (strongest, sum)
}

/// Whether this edge tells something new of its nodes. `least` is the evidence it takes, which follows how often there is
/// such.
fn is_news(evidence: f32, least: &mut f32, source: &mut Node, destination: &mut Node) -> bool {
    *least = (*least - NEWS_FALL).max(NEWS_MIN);
    let told = source.told.max(destination.told);
    if evidence < *least || evidence < told + NEWS_STEP {
        return false;
    }
    *least += NEWS_RISE;
    source.told = evidence;
    destination.told = evidence;
    true
}

impl Node {
    /// Begins tick `now`, unless it has begun.
    fn turn(&mut self, now: u64, spans: &Spans) {
        if self.ticks > 0.0 && self.last == now {
            return;
        }
        if self.ticks > 0.0 {
            let kept = kept(now - self.last);
            self.edges.turn(spans, &spans.shares, &kept);
            self.partners.turn(spans, &spans.shares[..1], &kept[..1]);
            self.new_partners.turn(spans, &spans.shares[1..], &kept[1..]);
            self.told *= kept[2];
            self.unusual *= kept[2];
        }
        self.ticks += 1.0;
        self.last = now;
        self.current = 0.0;
    }

    fn add(&mut self, is_first: bool, is_new: bool) {
        let (first, new) = (f32::from(u8::from(is_first)), f32::from(u8::from(is_new)));
        self.current += 1.0;
        self.edges.add(1.0);
        self.partners.add(first);
        self.new_partners.add(new);
        self.pair_ticks += first;
        self.distinct += new;
    }

    /// Of the edges, then of the partners.
    fn deviations(&self, spans: &Spans) -> [Statistic; 6] {
        let [a, b, c] = self.edges.deviations(&spans.shares);
        let [d] = self.partners.deviations(&spans.shares[..1]);
        let [e, f] = self.new_partners.deviations(&spans.shares[1..]);
        [a, b, c, d, e, f]
    }

    /// How many partners a source has had, as a class: below 4, then each four times as many.
    fn explores(&self) -> usize {
        (self.distinct.max(1.0).log2() / 2.0).min(CLASSES as f32 - 1.0) as usize
    }

    /// `-log2` of the chance that a partner of this node is that of `pair`, whose share of all distinct edges is
    /// `popularity`. Ticks count, not edges: a loop of ten thousand would make all else look rare.
    fn surprise(&self, pair: &Pair, popularity: f32) -> f32 {
        let explores = self.distinct.max(1.0);
        let chance = (pair.ticks + explores * popularity) / (self.pair_ticks + explores);
        -chance.min(1.0).log2()
    }
}

impl Pair {
    fn turn(&mut self, now: u64, spans: &Spans) {
        if self.ticks > 0.0 {
            self.edges.turn(spans, &spans.shares, &kept(now - self.last));
        }
        self.last = now;
    }
}
