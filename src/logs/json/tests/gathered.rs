//! Texts that are read as one: what each is by itself.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Outcome, column, event};
use crate::decode::{self, Counts, Gathered, Input, Options, Tally};
use crate::logs;
use crate::table::{Origin, Reject};

fn alone(texts: &[String], options: &Options) -> Outcome {
    let mut read = Outcome { batches: Vec::new(), rejects: Vec::new(), counts: Counts::default() };
    for (n, text) in texts.iter().enumerate() {
        let origin = Arc::new(Origin { name: format!("r{n}"), ..Origin::default() });
        let mut reader = decode::open(Input::Bytes(text.clone().into()), origin, options);
        while let Some(records) = reader.next(&mut read.rejects, &mut read.counts).unwrap() {
            read.batches.extend(logs::batches(vec![records], options, &mut read.rejects, &mut read.counts));
        }
    }
    read
}

fn together(texts: &[String], options: &Options) -> Outcome {
    let mut gathered = Gathered::default();
    for (n, text) in texts.iter().enumerate() {
        assert!(Gathered::fits(text.as_bytes(), options));
        gathered.add(text.as_bytes(), format!("r{n}"));
    }
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    let records = gathered.take(options).into_iter().collect();
    assert!(gathered.take(options).is_none());
    let batches = logs::batches(records, options, &mut rejects, &mut counts);
    Outcome { batches, rejects, counts }
}

fn ids(read: &Outcome) -> Vec<Option<String>> {
    column(read, "cloudtrail", "eventid")
}

/// Where and what. Of a damaged value that another stands behind it is said what is wrong, and of the last that it is cut off.
fn rejects(read: &Outcome) -> Vec<(&str, u64, &[u8])> {
    fn one(Reject { origin, offset, bytes, .. }: &Reject) -> (&str, u64, &[u8]) {
        (&origin.name, *offset, bytes)
    }
    read.rejects.iter().map(one).collect()
}

/// Of all tables: what is damaged is taken for what stood before it.
fn tally(read: &Outcome) -> [u64; 4] {
    let sum = |of: fn(&Tally) -> u64| read.counts.0.values().map(of).sum();
    [sum(|all| all.records), sum(|all| all.rows), sum(|all| all.rejects), sum(|all| all.set_aside)]
}

fn text(n: usize, kind: usize) -> String {
    match kind {
        0 | 1 => event(n),
        2 => format!("{}\n", event(n)),
        3 => format!(r#"{{"Records":[{},{}]}}"#, event(n), event(n + 1000)),
        4 => format!(r#"{{"version":"0","id":"x","detail-type":"AWS API Call via CloudTrail","detail":{}}}"#, event(n)),
        5 => r#"{"an":"object"}"#.to_owned(),
        6 => event(n).replace(',', ",\n  "),
        7 => r#"{"eventVersion":"1.08","eventTime":}"#.to_owned(),
        8 => format!("{} garbage", event(n)),
        _ => format!("{}{}", event(n), event(n + 1000)),
    }
}

proptest! {
    #[test]
    fn texts_read_as_one_are_what_each_is(kinds in prop::collection::vec(0usize..10, 1..12)) {
        let texts: Vec<String> = kinds.iter().enumerate().map(|(n, kind)| text(n, *kind)).collect();
        let options = Options::default();
        let (alone, together) = (alone(&texts, &options), together(&texts, &options));
        prop_assert_eq!(ids(&together), ids(&alone));
        prop_assert_eq!(rejects(&together), rejects(&alone));
        prop_assert_eq!(tally(&together), tally(&alone));
    }

    #[test]
    fn a_text_that_is_cut_costs_no_other(cut in 1usize..300, before in 0usize..3, behind in 0usize..3) {
        let whole = event(99);
        let cut = whole[..cut.min(whole.len() - 1)].to_owned();
        prop_assume!(cut.len() > 1);
        let texts: Vec<String> = (0..before).map(event).chain([cut]).chain((10..10 + behind).map(event)).collect();
        let options = Options::default();
        let (alone, together) = (alone(&texts, &options), together(&texts, &options));
        prop_assert_eq!(ids(&together), ids(&alone));
        let places = |read: &Outcome| read.rejects.iter().map(|reject| reject.origin.name.clone()).collect::<Vec<_>>();
        prop_assert_eq!(places(&together), places(&alone));
    }
}
