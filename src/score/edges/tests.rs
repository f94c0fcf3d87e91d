use super::*;

/// A small office: sixty people with a few habits each, a resolver that all ask, visitors to a web server, a monitor.
struct Office {
    state: u64,
    edges: Vec<(String, String, u64)>,
}

impl Office {
    fn new(seed: u64) -> Office {
        Office { state: seed, edges: Vec::new() }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn put(&mut self, src: impl Into<String>, dst: impl Into<String>, tick: u64) {
        self.edges.push((src.into(), dst.into(), tick));
    }

    /// One ordinary tick; `level` times as many sessions as at night.
    fn tick(&mut self, tick: u64, level: u64) {
        for _ in 0..10 * level {
            let person = self.draw(60) * self.draw(60) / 60;
            let habit = self.draw(4) * self.draw(4) / 4;
            let site = if self.draw(20) == 0 { self.draw(3000) } else { person * 7 + habit };
            self.put(format!("person-{person}"), "resolver", tick);
            for _ in 0..=self.draw(6) {
                self.put(format!("person-{person}"), format!("site-{site}"), tick);
            }
        }
        for _ in 0..3 * level {
            let visitor = self.draw(3000);
            for _ in 0..=self.draw(8) {
                self.put(format!("visitor-{visitor}"), "web", tick);
            }
        }
        if tick.is_multiple_of(5) {
            (0..12).for_each(|server| self.put("monitor", format!("server-{server}"), tick));
        }
    }

    fn day(&mut self, from: u64, ticks: u64) {
        (from..from + ticks).for_each(|tick| self.tick(tick, 1 + (tick / 120) % 3));
    }

    fn scored(mut self) -> Vec<(String, f32, f32)> {
        self.edges.sort_by_key(|edge| edge.2);
        let mut scorer = Scorer::new();
        self.edges
            .iter()
            .map(|(src, dst, tick)| {
                let score = scorer.score(src.as_bytes(), dst.as_bytes(), *tick);
                (src.clone(), score, scorer.chance())
            })
            .collect()
    }
}

fn quantile(mut scores: Vec<f32>, part: f64) -> f32 {
    scores.sort_by(f32::total_cmp);
    scores[((scores.len() - 1) as f64 * part) as usize]
}

#[test]
fn every_kind_of_attack_ranks_above_ordinary_traffic() {
    let mut office = Office::new(7);
    office.day(0, 2000);
    (0..5).for_each(|k| (0..800).for_each(|_| office.put("bad-flood", "web", 700 + k)));
    (0..2000).for_each(|n| office.put(format!("bad-many-{n}"), "server-1", 800 + n / 500));
    (0..300).for_each(|n| office.put("bad-scan", format!("server-{n}"), 900 + n / 30));
    (0..400).for_each(|n| office.put("bad-ports", "server-2", 1000 + n / 100));
    (0..1200).for_each(|n| office.put("bad-brute", "server-3", 1100 + n / 10));
    for host in 0..8 {
        (0..200).for_each(|n| office.put(format!("bad-worm-{host}"), format!("host-{}", n * 8 + host), 1300 + n / 20));
    }
    (0..40).for_each(|n| office.put("bad-slow", format!("server-{n}"), 1400 + n * 9));
    (0..8).for_each(|n| office.put(format!("bad-shot-{n}"), format!("server-{n}"), 1500 + n * 40));
    (0..400).for_each(|n| office.put("bad-spam", format!("mail-{}", n % 150), 1800 + n / 20));

    let scored = office.scored();
    let of = |kind: &str| scored.iter().filter(|edge| edge.0.starts_with(kind)).map(|edge| edge.1).collect::<Vec<_>>();
    let normal = scored.iter().filter(|edge| !edge.0.starts_with("bad")).map(|edge| edge.1).collect();
    let usual = quantile(normal, 0.95);
    for kind in ["flood", "many", "scan", "ports", "brute", "worm", "slow", "shot", "spam"] {
        let typical = quantile(of(&format!("bad-{kind}")), 0.5);
        assert!(typical > usual, "{kind}: half are below {typical}, a twentieth of ordinary ones is above {usual}");
    }
}

#[test]
fn the_chance_is_the_share_of_ordinary_edges() {
    let mut office = Office::new(8);
    office.day(0, 2000);
    let scored = office.scored();
    let later = &scored[scored.len() / 4..];
    for chance in [1e-2f32, 1e-3] {
        let share = later.iter().filter(|edge| edge.2 <= chance).count() as f32 / later.len() as f32;
        assert!((chance / 3.0..chance * 3.0).contains(&share), "{share} of the edges have a chance of {chance}");
    }
}

#[test]
fn ten_times_the_traffic_is_no_flood_of_odd_edges() {
    let mut office = Office::new(9);
    (0..800).for_each(|tick| office.tick(tick, 1));
    (800..1000).for_each(|tick| office.tick(tick, 10));
    let before = office.edges.iter().filter(|edge| edge.2 < 800).count();
    let scored = office.scored();
    let odd = scored[before..].iter().filter(|edge| edge.2 < 1e-4).count() as f32 / (scored.len() - before) as f32;
    assert!(odd < 0.01, "{odd} of the edges after the step");
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut scorer = Scorer::new();
    let mut old = 0.0;
    for n in 0..600_000u64 {
        if n % 100 == 0 {
            old = scorer.score(b"alice", b"files", n / 100);
        }
        scorer.score(format!("s{n}").as_bytes(), format!("d{n}").as_bytes(), n / 100);
    }
    let lengths = [scorer.sources.len(), scorer.destinations.len(), scorer.pairs.len()];
    assert_eq!(lengths[..2], [8 << 14, 8 << 14]);
    assert!(lengths[2] <= 8 << 16 && lengths[2] > 8 << 15, "{lengths:?}");
    assert!(old < 8.0, "a habit outlives the flood: {old}");
    let cells = (16 << 14) * size_of::<Node>() + (8 << 16) * size_of::<Pair>();
    let places = 8 * ((16 << 14) + (8 << 16));
    // a table that doubles holds its old cells until they are copied
    assert!(cells + cells / 4 + places <= 64 << 20, "{} MiB", (cells + places) >> 20);
}

#[test]
fn the_same_edges_give_the_same_scores() {
    let scored = || {
        let mut office = Office::new(10);
        office.day(0, 100);
        office.scored()
    };
    assert_eq!(scored(), scored());
}

#[test]
fn any_tick_is_taken() {
    let mut scorer = Scorer::new();
    for tick in [u64::MAX - 5, 3, u64::MAX, 0] {
        assert!(scorer.score(b"a", b"b", tick).is_finite());
    }
    let mut scorer = Scorer::new();
    for tick in [0, 1, u64::MAX, u64::MAX] {
        assert!(scorer.score(b"", b"", tick).is_finite());
    }
}

#[test]
fn the_terms_say_what_was_odd() {
    let mut office = Office::new(11);
    office.day(0, 600);
    (0..200).for_each(|n| office.put("person-1", format!("server-{n}"), 600));
    office.edges.sort_by_key(|edge| edge.2);
    let mut scorer = Scorer::new();
    for (src, dst, tick) in &office.edges {
        scorer.score(src.as_bytes(), dst.as_bytes(), *tick);
    }
    let terms = scorer.terms();
    let strongest = (0..TERMS.len()).max_by(|&a, &b| terms[a].total_cmp(&terms[b])).unwrap();
    assert!(["fan-out, burst", "new destinations, 16 ticks"].contains(&TERMS[strongest]), "{terms:?}");
    assert!(terms[1] < 4.0, "no edge of a scan is a burst: {terms:?}");
}

#[test]
fn every_attack_is_among_the_first_beside_a_flood() {
    let mut office = Office::new(12);
    office.day(0, 2000);
    (0..6000).for_each(|n| office.put("bad-flood", "web", 700 + n / 1000));
    (0..300).for_each(|n| office.put("bad-scan", format!("server-{n}"), 900 + n / 30));
    (0..400).for_each(|n| office.put("bad-ports", "server-2", 1000 + n / 100));
    (0..1200).for_each(|n| office.put("bad-brute", "server-3", 1100 + n / 10));
    (0..400).for_each(|n| office.put("bad-spam", format!("mail-{}", n % 150), 1800 + n / 20));
    let mut scored = office.scored();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    for kind in ["flood", "scan", "ports", "brute", "spam"] {
        let first = scored.iter().position(|edge| edge.0 == format!("bad-{kind}")).unwrap();
        assert!(first < 200, "{kind} is number {first}");
    }
}

#[test]
fn a_flood_that_goes_on_does_not_become_usual() {
    let mut office = Office::new(15);
    office.day(0, 2000);
    // more than all else together
    (0..120_000).for_each(|n| office.put(format!("bad-{}", n % 3), "web", 1000 + n / 200));
    let scored = office.scored();
    let flood: Vec<f32> = scored.iter().filter(|edge| edge.0.starts_with("bad")).map(|edge| edge.1).collect();
    let normal = scored.iter().filter(|edge| !edge.0.starts_with("bad")).map(|edge| edge.1).collect();
    let (late, usual) = (quantile(flood[90_000..].to_vec(), 0.5), quantile(normal, 0.95));
    assert!(late > usual, "{late} {usual}");
}

#[test]
fn few_of_the_first_are_clumps_of_ordinary_edges() {
    let mut office = Office::new(13);
    office.day(0, 3000);
    // a site that nobody asked before gets a page's worth of requests at once
    (0..2000)
        .for_each(|n| (0..12).for_each(|_| office.put(format!("person-{}", n % 60), format!("page-{n}"), 500 + n)));
    (0..300).for_each(|n| office.put("bad-scan", format!("server-{n}"), 2900 + n / 30));
    let mut scored = office.scored();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    let bad = scored[..600].iter().filter(|edge| edge.0 == "bad-scan").count();
    assert!(bad > 200, "{bad} of the 300 edges of a scan are among the first 600");
}

#[test]
fn a_backup_every_hour_ranks_below_a_scan() {
    let mut office = Office::new(16);
    office.day(0, 2000);
    (0..33).for_each(|hour| (0..40).for_each(|_| office.put("backup", "store", hour * 60)));
    (0..60).for_each(|n| office.put("bad-scan", format!("server-{n}"), 1850 + n / 4));
    let scored = office.scored();
    let of = |src: &str| scored.iter().filter(|edge| edge.0 == src).map(|edge| edge.1).collect::<Vec<_>>();
    let (backup, scan) = (quantile(of("backup")[700..].to_vec(), 0.5), quantile(of("bad-scan"), 0.25));
    assert!(scan > backup + 2.0, "{scan} {backup}");
}

#[test]
fn who_attacked_is_not_taken_for_harmless() {
    let mut office = Office::new(14);
    office.day(0, 1000);
    let mut edges = office.edges;
    edges.sort_by_key(|edge| edge.2);
    let after = |scanned: bool| {
        let mut scorer = Scorer::new();
        for (src, dst, tick) in &edges {
            scorer.score(src.as_bytes(), dst.as_bytes(), *tick);
        }
        for n in 0..100 * u32::from(scanned) {
            scorer.score(b"person-3", format!("server-{n}").as_bytes(), 1000);
        }
        scorer.score(b"person-3", b"resolver", 1003)
    };
    let (scanned, not) = (after(true), after(false));
    assert!(scanned > not + 5.0, "{scanned} {not}");
}
