//! How much memory there is → what rules may remember, what leaves where that is too much, and findings that say what was lost.

use super::{Detector, Place, RuleCost, fold};
use crate::detect::horizon::SKEW_MICROS;
use crate::detect::quarantine;
use crate::detect::window::state::{Left, Windows};
use crate::finding::Finding;
use crate::memory::Memory;
use crate::time::Timestamp;

/// What the windows of all rules may take, in bytes, as the two below where memory is not short and not much, see
/// [`Detector::state_bytes_max`]. Texts that windows share are counted for each: it is about twice what they take. Past it the rule that
/// takes most lets go of some, see [`Windows::shed`], and its [`RuleCost::shed`] says so.
const WINDOW_BYTES_MAX: usize = 32 << 20;

/// What rules that ask what is new may keep of what they have seen, in bytes: about 250,000 keys. Past it the rule that
/// takes most forgets what was seen longest ago, which counts as shed too.
const SEEN_BYTES_MAX: usize = 16 << 20;

/// What rules that score their windows may keep of what they learnt, in bytes: about 150,000 keys or values. Past it the rule that takes
/// most forgets what was seen longest ago, which counts as shed.
pub const MODEL_BYTES_MAX: usize = 16 << 20;

/// Each usual size, and the part that it gets of a memory limit above [`Memory::FULL`]. Together that is a quarter: the allocator,
/// what changed and is packed, and a commit of it need room too; so do all packed pieces where the state is in a bucket.
const SIZES: [(usize, u64); 3] = [(WINDOW_BYTES_MAX, 8), (SEEN_BYTES_MAX, 16), (MODEL_BYTES_MAX, 16)];

impl Detector {
    /// From now on windows, what was seen and what was learnt have the room that this memory gives them.
    pub fn keep_to(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Bytes that windows, what was seen, and what was learnt may take, each of all rules.
    pub fn state_bytes_max(&self) -> [usize; 3] {
        SIZES.map(|(usual, part)| self.memory.of_state(usual, part))
    }

    /// Bytes of windows, of what was seen, and of what was learnt, each of all rules.
    pub fn state_bytes(&self) -> [usize; 3] {
        let sum = |of: fn(&Windows) -> usize| self.windows.values().map(of).sum();
        [sum(Windows::bytes_len), sum(|windows| windows.seen.bytes_len()), sum(|windows| windows.model.bytes_len())]
    }

    /// Makes room where there is too little; gives the findings that rules may have, in the order of their ids.
    pub(super) fn conclude(&mut self, mut found: Vec<Finding>, now: Timestamp) -> Vec<Finding> {
        found.extend(self.shed(self.state_bytes_max(), now));
        let mut found = self.admit(found);
        found.sort_by_key(|finding| finding.id);
        found
    }

    /// Makes room at once, as past the limits: half of what windows, what was seen and what was learnt each take leaves, where it is
    /// more than a MiB. Gives the findings of windows that leave as if they were over.
    pub fn ease(&mut self, now: Timestamp) -> Vec<Finding> {
        const LEAST: usize = 1 << 20;
        let halves = self.state_bytes().map(|bytes| (bytes / 2).max(LEAST));
        let found = self.shed(halves, now);
        let mut found = self.admit(found);
        found.sort_by_key(|finding| finding.id);
        found
    }

    /// Makes room until windows, what was seen and what was learnt take no more than so many bytes. Windows that are scored leave as
    /// if they were over, with their findings; before all others those from the future of input that goes on, so that a wrong clock
    /// costs nobody else's. Of others that leave, a finding says of which rule and time they were.
    pub(super) fn shed(&mut self, [windows_max, seen_max, model_max]: [usize; 3], now: Timestamp) -> Vec<Finding> {
        let (mut found, mut lost) = (Vec::new(), Vec::new());
        while let Some(place) = self.over(windows_max, Windows::bytes_len) {
            let plan = self.windowed(place).0;
            let (span, scored) = (plan.span, plan.scored.is_some());
            let future = self.follows.then(|| now.0.saturating_add(SKEW_MICROS));
            let windows = self.windows.get_mut(&place).expect("the rule has windows");
            if let Some(left) = future.and_then(|future| windows.shed_from(span, future)) {
                lost.push(self.lose(place, &left));
            } else if scored && windows.panes_len() > 1 {
                found.extend(self.close_oldest(place));
                self.windows.get_mut(&place).expect("the rule has windows").note_shed();
            } else {
                let left = windows.shed(span).expect("what takes bytes has panes");
                lost.push(self.lose(place, &left));
            }
        }
        while let Some(place) = self.over(seen_max, |windows| windows.seen.bytes_len()) {
            let shed = self.windows.get_mut(&place).expect("the rule has windows").seen.shed();
            self.spend(&self.rule(place).rule.clone(), RuleCost { shed, ..RuleCost::default() });
        }
        while let Some(place) = self.over(model_max, |windows| windows.model.bytes_len()) {
            let shed = self.windows.get_mut(&place).expect("the rule has windows").shed_learnt();
            if shed == 0 {
                break;
            }
            self.spend(&self.rule(place).rule.clone(), RuleCost { shed, ..RuleCost::default() });
        }
        found.extend(fold(lost));
        found
    }

    /// The rule that takes most, where all together take more than so many bytes.
    fn over(&self, bytes_max: usize, of: fn(&Windows) -> usize) -> Option<Place> {
        let is_over = self.windows.values().map(of).sum::<usize>() > bytes_max;
        let largest = || self.windows.iter().max_by_key(|(_, windows)| of(windows)).map(|(place, _)| *place);
        is_over.then(largest).flatten()
    }

    /// Counts what left, and gives what says so.
    fn lose(&mut self, place: Place, left: &Left) -> Finding {
        self.spend(&self.rule(place).rule.clone(), RuleCost { shed: left.groups, ..RuleCost::default() });
        self.hole(place, left)
    }

    /// What says that groups are lost: they left for want of room, or their rows came when their windows had.
    pub(super) fn hole(&self, place: Place, left: &Left) -> Finding {
        let (span, rule) = (self.windowed(place).0.span, &self.rule(place).rule);
        let name = |name: Option<&str>| name.unwrap_or("unknown").to_owned();
        let time = Timestamp(left.pane.saturating_mul(span.slide));
        let at = quarantine::Place {
            time,
            account: name(left.account.as_deref()),
            region: name(left.region.as_deref()),
            event_id: None,
        };
        quarantine::lost(rule, left.groups, [span.slide, span.size], at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::detect::quarantine::WINDOWS_SHED;
    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::memory::Size;
    use crate::rule::Rule;
    use crate::time::MICROS_PER_SECOND;

    fn flood(round: usize) -> Vec<Value> {
        let one = |n: usize| {
            let arn = format!("arn:aws:iam::111122223333:user/{round}-{n}-{}", "x".repeat(100));
            changed(event("GetUser", &format!("{round}-{n}")), json!({ "userIdentity": { "arn": arn } }))
        };
        (0..10_000).map(one).collect()
    }

    fn burst() -> Detector {
        detector([rule(
            "",
            "SELECT count(*) AS n FROM cloudtrail WHERE eventName = 'GetUser' \
             GROUP BY userIdentity.arn, tumble(eventTime, INTERVAL '10 minutes') HAVING count(*) >= 3",
        )])
    }

    #[test]
    fn what_leaves_for_want_of_room_is_a_finding_that_says_when_it_was() {
        let mut full = burst();
        full.keep_to(Memory::of_limit(Size(Memory::FLOOR)).unwrap());
        let mut found: Vec<Finding> =
            (0..8).flat_map(|round| full.observe(&[batch(&flood(round))], Timestamp(0))).collect();
        let shed = full.costs()["cloudtrail/x"].shed;
        assert!(shed > 0 && !found.is_empty());
        let mut hole = found.remove(0);
        found.into_iter().for_each(|more| hole.fold(more));
        assert_eq!((hole.rule.as_str(), hole.count), (WINDOWS_SHED, shed));
        assert_eq!((hole.account.as_str(), hole.region.as_str()), ("111122223333", "us-east-1"));
        // the window of 11:30:23
        let time = |text: &str| Timestamp::parse(text).unwrap();
        assert_eq!(
            (hole.first_seen, hole.last_seen),
            (time("2024-08-01T11:30:00Z"), Timestamp(time("2024-08-01T11:40:00Z").0 - 1))
        );
        let command = "weir backtest cloudtrail/x --since 2024-07-31 --until 2024-08-02";
        assert!(hole.remedy.contains(command), "{}", hole.remedy);
    }

    #[test]
    fn rows_that_come_when_their_windows_have_left_for_want_of_room_are_a_hole_too() {
        let calls = |time: &str, from: usize, count: usize| {
            let call = |n: usize| changed(event("GetUser", &format!("{time}-{n}")), json!({ "eventTime": time }));
            [batch(&(from..from + count).map(call).collect::<Vec<_>>())]
        };
        let mut detector = burst();
        for time in ["2024-08-01T12:00:00Z", "2024-08-01T13:00:00Z"] {
            assert_eq!(detector.observe(&calls(time, 0, 2), Timestamp(0)), []);
        }
        let left = detector.shed([detector.state_bytes()[0] - 1, usize::MAX, usize::MAX], Timestamp(0));
        assert_eq!(left.iter().map(|hole| (hole.rule.as_str(), hole.count)).collect::<Vec<_>>(), [(WINDOWS_SHED, 1)]);
        let mut again = burst();
        assert!(again.restore(&detector.changes()).is_whole());
        // a month before, of a window that was never there
        let holes = again.observe(&calls("2024-07-01T00:03:00Z", 0, 4), Timestamp(0));
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let told: Vec<_> = holes.iter().map(|hole| (hole.rule.as_str(), hole.count, hole.first_seen)).collect();
        assert_eq!(told, [(WINDOWS_SHED, 1, time("2024-07-01T00:00:00Z"))]);
        assert_eq!(again.costs()["cloudtrail/x"].late, 4);
        assert!(holes[0].remedy.contains("--since 2024-06-30 --until 2024-07-02"), "{}", holes[0].remedy);
        // behind what left all is as it was
        assert_eq!(again.observe(&calls("2024-08-01T13:00:00Z", 2, 1), Timestamp(0))[0].count, 3);
    }

    #[test]
    fn with_more_memory_more_is_remembered() {
        let mut roomy = burst();
        assert_eq!(roomy.state_bytes_max(), [32 << 20, 16 << 20, 16 << 20]);
        roomy.keep_to(Memory::of_limit(Size(2 << 30)).unwrap());
        assert_eq!(roomy.state_bytes_max(), [(32 + 128) << 20, (16 + 64) << 20, (16 + 64) << 20]);
        for round in 0..8 {
            assert_eq!(roomy.observe(&[batch(&flood(round))], Timestamp(0)), []);
        }
        assert_eq!(roomy.costs()["cloudtrail/x"].shed, 0);
        // who restores it with less room lets go of some at the next turn
        let mut tight = burst();
        tight.keep_to(Memory::of_limit(Size(Memory::FLOOR)).unwrap());
        assert!(tight.restore(&roomy.changes()).is_whole());
        assert_eq!(tight.state_bytes(), roomy.state_bytes());
        assert_eq!(tight.observe(&[], Timestamp(0))[0].rule, WINDOWS_SHED);
        assert!(tight.state_bytes()[0] <= tight.state_bytes_max()[0]);
    }

    #[test]
    fn a_condition_that_can_fall_says_nothing_of_windows_that_lost_rows() {
        let grouped = |by: &str, calls: u8| {
            format!(
                "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
                 GROUP BY userIdentity.arn, {by} HAVING count(*) = {calls}"
            )
        };
        let framed = "SELECT n FROM (SELECT *, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                      RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW) AS n \
                      FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com') WHERE n = 1 AND eventName = 'Second'";
        // of each of many users two calls come, so that the last alone may tell
        let texts = [
            grouped("tumble(eventTime, INTERVAL '10 minutes')", 1),
            grouped("hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')", 1),
            grouped("session(eventTime, INTERVAL '10 minutes')", 1),
            framed.to_owned(),
            grouped("tumble(eventTime, INTERVAL '10 minutes')", 2),
        ];
        let new = || {
            let one = |(place, text): (usize, &String)| Rule { id: format!("cloudtrail/r{place}"), ..rule("", text) };
            detector(texts.iter().enumerate().map(one))
        };
        let calls = |name: &str, time: &str| {
            let call = |who: usize| {
                let who = json!({ "arn": format!("arn:aws:iam::111122223333:user/{who}") });
                let changes = json!({ "eventName": name, "eventTime": time, "userIdentity": who });
                changed(event(name, &format!("{name}{}", changes["userIdentity"]["arn"])), changes)
            };
            [batch(&(0..100).map(call).collect::<Vec<_>>())]
        };
        let mut detector = new();
        assert_eq!(detector.observe(&calls("First", "2024-08-01T12:00:00Z"), Timestamp(0)), []);
        detector.shed([detector.state_bytes()[0] / 4, usize::MAX, usize::MAX], Timestamp(0));
        assert!(detector.costs().values().all(|cost| cost.shed > 0), "{:?}", detector.costs());
        let mut again = new();
        assert!(again.restore(&detector.changes()).is_whole());
        for detector in [&mut detector, &mut again] {
            assert_eq!(detector.observe(&calls("Second", "2024-08-01T12:03:00Z"), Timestamp(0)), []);
            let told = detector.finish();
            assert!(!told.is_empty() && told.len() < 100, "those of whom nothing left are told");
            assert!(told.iter().all(|finding| (finding.rule.as_str(), finding.count) == ("cloudtrail/r4", 2)));
        }
    }

    /// A rule of each kind.
    fn kinds() -> Detector {
        let grouped = |by: &str, having: &str| {
            format!(
                "SELECT count(*) AS n FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com' \
                 GROUP BY userIdentity.arn, {by} HAVING {having}"
            )
        };
        let framed = "SELECT n FROM (SELECT *, count(*) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime \
                      RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW) AS n \
                      FROM cloudtrail WHERE eventSource = 'iam.amazonaws.com') WHERE n >= 3";
        let texts = [
            grouped("tumble(eventTime, INTERVAL '1 hour')", "count(*) = 3"),
            grouped("hop(eventTime, INTERVAL '10 minutes', INTERVAL '30 minutes')", "count(*) >= 3"),
            grouped("session(eventTime, INTERVAL '10 minutes')", "count(*) >= 3"),
            grouped("eventName, tumble(eventTime, INTERVAL '1 day')", "first_seen(eventName, INTERVAL '5 days')"),
            framed.to_owned(),
        ];
        let one = |(place, text): (usize, &String)| Rule { id: format!("cloudtrail/r{place}"), ..rule("", text) };
        detector(texts.iter().enumerate().map(one))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_leaves_does_not_depend_on_the_order_of_the_rows_of_a_batch(
            (calls, shuffled) in prop::collection::vec((0i64..9_000, 0u8..12, 0u8..3), 1..120).prop_flat_map(|calls| {
                let calls: Vec<_> = calls.into_iter().enumerate().collect();
                (Just(calls.clone()), Just(calls).prop_shuffle())
            }),
            room in prop::sample::select(vec![2_000usize, 8_000, 30_000]),
        ) {
            let run = |calls: &[(usize, (i64, u8, u8))]| {
                let call = |(place, (minute, who, what)): &(usize, (i64, u8, u8))| {
                    let time = Timestamp((1_722_513_600 + minute * 60) * MICROS_PER_SECOND).to_string();
                    let who = json!({ "arn": format!("arn:aws:iam::111122223333:user/{who}") });
                    let changes = json!({ "eventTime": time, "userIdentity": who, "eventName": format!("N{what}") });
                    changed(event("x", &format!("e{place}")), changes)
                };
                let mut detector = kinds();
                detector.observe(&[batch(&calls.iter().map(call).collect::<Vec<_>>())], Timestamp(0));
                let lost = detector.shed([room, room / 8, room], Timestamp(0));
                let shed: Vec<u64> = detector.costs().values().map(|cost| cost.shed).collect();
                (lost, shed, detector.state_bytes(), detector.finish())
            };
            prop_assert_eq!(run(&calls), run(&shuffled));
        }
    }
}
