//! Sessions out of panes: stretches of one key's rows in which none is further than the gap from the next.
//!
//! A pane of such a rule is as long as the gap, so the rows that one key has in a pane are of one session, and a session is
//! a run of panes next to each other. Rows that come late may join two sessions to one; as nothing is kept of a session
//! but its panes, that is the same as if they had come in order.

use std::collections::{BTreeSet, VecDeque};

use super::group::Group;
use super::plan::{Span, Window, Windowed};
use super::state::{Kept, Key, Windows, bytes_of};

/// Periods of `dedupe` in which a session that goes on and on is told: the latest.
const PERIODS_MAX: i64 = 31;

impl Span {
    /// The moment behind a window; of a frame the time of its row, which is still in it.
    pub fn end(self, window: &Window) -> i64 {
        match (self.session, self.frame) {
            (true, _) => window.group.last.saturating_add(self.slide),
            (false, Some(back)) => window.start.saturating_add(back),
            (false, None) => window.start.saturating_add(self.size),
        }
    }

    /// The periods whose findings tell of a window. Of a session that is each from its first row to its last: one that
    /// gains rows, or is joined with another, gains periods and loses none, so that no id was told in vain.
    pub fn periods(self, window: &Window, period: i64) -> std::ops::RangeInclusive<i64> {
        // the window's end is in the next period when it is a period's
        let last = match (self.session, self.frame) {
            (true, _) => window.group.last,
            (false, Some(_)) => self.end(window),
            (false, None) => self.end(window) - 1,
        };
        let last = last.div_euclid(period);
        match self.session {
            true => window.start.div_euclid(period).max(last + 1 - PERIODS_MAX)..=last,
            false => last..=last,
        }
    }
}

impl Windows {
    /// The sessions that hold one of these groups, each once: those whose condition may hold, or all.
    pub(super) fn sessions(&self, rule: &Windowed, all: bool, changed: &BTreeSet<(Key, i64)>) -> Vec<Window> {
        let (mut windows, mut told) = (Vec::new(), None);
        for (key, number) in changed {
            if told.is_some_and(|(known, last)| known == key && *number <= last) {
                continue;
            }
            let (last, groups) = self.session_of(rule.span, key, *number);
            let Some((one, more)) = groups.split_first() else { continue };
            told = Some((key, last));
            let panes = last - groups.len() as i64..last + 2;
            if !all && (!rule.may_hold_together(&groups) || self.may_lack(rule, key, panes)) {
                continue;
            }
            let mut group = (*one).clone();
            more.iter().for_each(|more| group.merge(more));
            if all || rule.may_hold(&group) {
                windows.push(Window {
                    key: key.clone(),
                    start: group.first,
                    row: Box::default(),
                    group,
                    first_seen: false,
                    score: None,
                });
            }
        }
        windows
    }

    /// The groups of the session that a key has in a pane, and its last pane; none where it has none.
    pub(super) fn session_of(&self, span: Span, key: &[u8], number: i64) -> (i64, Vec<&Group>) {
        let of_pane = |number: i64| self.panes.get(&number)?.group(key);
        let Some(own) = of_pane(number) else { return (number, Vec::new()) };
        let (mut groups, mut first, mut last) = (VecDeque::from([own]), number, number);
        while let Some(before) = of_pane(first - 1).filter(|before| is_joined(before, groups[0], span.slide)) {
            groups.push_front(before);
            first -= 1;
        }
        while let Some(after) = of_pane(last + 1).filter(|after| is_joined(groups[groups.len() - 1], after, span.slide))
        {
            groups.push_back(after);
            last += 1;
        }
        (last, groups.into())
    }

    /// Puts what a pane knows of sessions that go on into the next one, so that it may leave: what stays in it are sessions
    /// that have ended.
    pub fn carry(&mut self, gap: i64, number: i64) {
        let is_behind_hole = self.holed.contains(&(number - 1));
        let Some(mut next) = self.panes.remove(&(number + 1)) else { return };
        if let Some(pane) = self.panes.get_mut(&number) {
            for (key, kept) in &mut next.groups {
                let Kept { group, mark, partial } = &mut **kept;
                let goes_on = |before: &Group| is_joined(before, group, gap);
                if !pane.group(key).is_some_and(goes_on) {
                    continue;
                }
                *partial |= is_behind_hole || pane.groups[key].partial;
                let before = pane.remove(key).expect("it was just found");
                if mark.change() {
                    next.changed.push(key.clone());
                }
                let (left, known) = (bytes_of(key, &before), bytes_of(key, group));
                group.merge(&before);
                let grown = bytes_of(key, group);
                pane.bytes -= left;
                next.bytes = next.bytes + grown - known;
                self.bytes = self.bytes + grown - known - left;
            }
        }
        self.panes.insert(number + 1, next);
    }
}

/// Whether two groups of one key, in panes next to each other, are of one session.
fn is_joined(before: &Group, after: &Group, gap: i64) -> bool {
    after.first.saturating_sub(before.last) <= gap
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use crate::detect::Detector;
    use crate::detect::tests::{batch, changed, detector, event, rule};
    use crate::finding::{Finding, FindingId};
    use crate::rule::Rule;
    use crate::time::{MICROS_PER_SECOND, Timestamp};

    const MINUTE: i64 = 60 * MICROS_PER_SECOND;
    /// 2024-08-01T12:00:00Z
    const NOON: i64 = 1_722_513_600 * MICROS_PER_SECOND;

    fn sessions(header: &str, having: &str) -> Rule {
        let sql = "SELECT session(eventTime, INTERVAL '10 minutes') AS began, count(*) AS n FROM cloudtrail \
                   WHERE eventSource = 'iam.amazonaws.com' \
                   GROUP BY userIdentity.arn, session(eventTime, INTERVAL '10 minutes') HAVING ";
        rule(header, &format!("{sql}{having}"))
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp(NOON + minute * MINUTE)
    }

    fn call(minute: i64) -> Value {
        changed(event("GetUser", &format!("e{minute}")), json!({ "eventTime": at(minute).to_string() }))
    }

    fn calls(detector: &mut Detector, minutes: &[i64], now: i64) -> Vec<Finding> {
        detector.observe(&[batch(&minutes.iter().map(|minute| call(*minute)).collect::<Vec<_>>())], at(now))
    }

    fn ids(found: &[Finding]) -> BTreeSet<FindingId> {
        found.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn rows_as_far_apart_as_the_gap_are_of_one_session_and_a_moment_more_is_not() {
        let mut detector = detector([sessions("", "count(*) >= 2")]);
        assert_eq!(calls(&mut detector, &[0, 11, 22], 30), []);
        let found = calls(&mut detector, &[32], 40).remove(0);
        assert_eq!((found.count, found.first_seen, found.last_seen), (2, at(22), at(32)));
        assert_eq!(found.window, Some((at(22), at(42))));
        assert_eq!(found.evidence[0], ("began".to_owned(), at(22).to_string()));
    }

    #[test]
    fn a_late_row_joins_sessions_and_no_id_was_told_in_vain() {
        // periods of an hour: the second session is in another one than the first
        let mut detector = detector([sessions("-- dedupe = \"1h\"\n", "count(*) >= 3")]);
        let first = calls(&mut detector, &[50, 52, 54], 60);
        let second = calls(&mut detector, &[66, 70, 72], 80);
        assert_eq!((first.len(), second.len(), ids(&first).is_disjoint(&ids(&second))), (1, 1, true));
        let both = calls(&mut detector, &[60], 90);
        assert_eq!(ids(&both), ids(&[first, second].concat()));
        assert_eq!(both.iter().map(|finding| finding.count).collect::<Vec<_>>(), [7, 7]);
    }

    #[test]
    fn a_session_that_goes_on_takes_no_more_room_and_is_told_whole_when_it_is_over() {
        let mut waits = detector([sessions("-- lateness = \"15m\"\n", "count(*) = 200")]);
        let mut early = detector([sessions("-- lateness = \"15m\"\n", "count(*) >= 200")]);
        [&mut waits, &mut early].into_iter().for_each(|detector| detector.follow(true));
        // it goes on past midnight, so that each day has a finding of it
        let (mut told, mut sizes) = (Vec::new(), Vec::new());
        for n in 0..200 {
            assert_eq!(calls(&mut waits, &[n * 5], n * 5), []);
            told.extend(calls(&mut early, &[n * 5], n * 5));
            sizes.push(waits.window_bytes().map(|(_, bytes)| bytes).sum::<usize>());
        }
        assert_eq!(
            told.iter().map(|finding| (finding.count, finding.first_seen)).collect::<Vec<_>>(),
            [(200, at(0)); 2]
        );
        assert!(sizes[199] <= sizes[30] + 1_000, "{sizes:?}");
        // 995 is in the pane that ends at 1000; the next may have rows of it until 1010, and these may be late
        assert_eq!(waits.observe(&[], at(1024)), []);
        let found = waits.observe(&[], at(1025));
        assert_eq!(found.iter().map(|finding| finding.count).collect::<Vec<_>>(), [200, 200]);
        assert_eq!(waits.window_bytes().map(|(_, bytes)| bytes).sum::<usize>(), 0);
    }

    #[test]
    fn a_condition_on_the_start_waits_for_the_end() {
        let having = "session(eventTime, INTERVAL '10 minutes') > TIMESTAMP '2024-08-01T12:00:00Z'";
        let mut detector = detector([sessions("", having)]);
        assert_eq!(calls(&mut detector, &[5], 10), []);
        assert_eq!(detector.finish().len(), 1);
        calls(&mut detector, &[0], 10);
        assert_eq!(detector.finish(), []);
    }
}
