//! A score → the sentence that explains it.

use super::tail::usual;
use super::{Score, Why, hours, newcomers, rare, rate};
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND};

impl Score {
    /// What was seen in a window of `size` microseconds, what was expected, after how much history, against whom, how likely that is, and how many
    /// false findings a day come of telling all that is as unlikely.
    pub fn told(&self, size: i64) -> String {
        let window = length(size);
        match self.why {
            Why::Learning { days, rows } => {
                format!("nothing is unusual yet: {} on {} are known of this key", many(rows, "row"), many(days, "day"))
            }
            Why::New(basis) => format!("{}; {}", new(&basis, &window), self.odds()),
            Why::Rate(basis) => format!("{}; {}", rate(&basis, &window), self.odds()),
            Why::Rare(basis) => format!("{}; {}", rare(&basis, &window), self.odds()),
            Why::Hours(basis) => format!("{}; {}", hours(&basis), self.odds()),
        }
    }

    fn odds(&self) -> String {
        let chance = format!("chance among all scores {}", tiny(self.chance));
        format!("{chance}; at most {} false findings a day", tiny(self.false_a_day))
    }
}

fn rate(basis: &rate::Basis, window: &str) -> String {
    let rate::Basis { seen, mean, variance, days, common, bits } = *basis;
    let (least, most) = usual(mean, variance);
    let common = match common >= 1.05 {
        true => format!(" (with all others at {common:.1} times theirs)"),
        false => String::new(),
    };
    format!(
        "{seen} in {window}; usually {least} to {most} over {}{common}; chance under its own history {}",
        many(days, "day"),
        tiny((-bits).exp2())
    )
}

fn new(basis: &newcomers::Basis, window: &str) -> String {
    let newcomers::Basis { seen, mean, variance, keys, days, rows } = *basis;
    let (least, most) = usual(mean, variance);
    format!(
        "{seen} in {window} of a key of which {} on {} are known; the first of {keys} keys were usually {least} to {most}",
        many(rows, "row"),
        many(days, "day")
    )
}

fn rare(basis: &rare::Basis, window: &str) -> String {
    let rare::Basis { days, value_days, members, alike_value, alike, others, all, bits } = *basis;
    let own = match value_days {
        0 => format!("never on {} of its own", many(days, "day")),
        times => format!("on {times} of {} of its own", many(days, "day")),
    };
    let alike = match members {
        0 => String::new(),
        _ => format!("{alike_value:.0} of {alike:.0} times of {members} that do the like; "),
    };
    format!(
        "{own}; {alike}{others:.0} of {all:.0} times of all in the last weeks, by windows of {window}; expected once in {:.0}",
        bits.exp2()
    )
}

fn hours(basis: &hours::Basis) -> String {
    let hours::Basis { hour, days, weeks, peers, bits } = *basis;
    let day =
        ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"][usize::from(hour) / 24 % 7];
    format!(
        "{day} {:02}:00 UTC; in {weeks} of its last {} weeks within two hours of that, of {} that are known; so are {} of the \
         hours of its peers; of its own one in {:.0} is as odd",
        hour % 24,
        hours::WEEKS,
        many(days, "day"),
        tiny(peers),
        bits.exp2()
    )
}

fn many<T: std::fmt::Display + PartialEq + From<u8>>(count: T, what: &str) -> String {
    let plural = if count == T::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A few digits of a number that is mostly small.
pub fn tiny(number: f64) -> String {
    match number {
        number if number < 1e-300 => "below 1e-300".to_owned(),
        number if number < 0.001 => format!("{number:.0e}"),
        number => format!("{}", (number * 1000.0).round() / 1000.0),
    }
}

fn length(size: i64) -> String {
    let units = [(MICROS_PER_DAY, "day"), (MICROS_PER_HOUR, "hour"), (60 * MICROS_PER_SECOND, "min")];
    let (unit, name) = units.into_iter().find(|(unit, _)| size % unit == 0).unwrap_or((MICROS_PER_SECOND, "s"));
    match size / unit {
        1 if name == "day" || name == "hour" => format!("one {name}"),
        count if name == "day" || name == "hour" => format!("{count} {name}s"),
        count => format!("{count} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_says_what_it_is_made_of() {
        let basis = rate::Basis { seen: 214.0, mean: 1.0, variance: 1.0, days: 41, common: 1.0, bits: 40.0 };
        let score = Score { chance: 2e-7, false_a_day: 0.0123, why: Why::Rate(basis) };
        assert_eq!(
            score.told(600 * MICROS_PER_SECOND),
            "214 in 10 min; usually 0 to 3 over 41 days; chance under its own history 9e-13; \
             chance among all scores 2e-7; at most 0.012 false findings a day"
        );
        let basis = rare::Basis {
            days: 41,
            value_days: 0,
            members: 0,
            alike_value: 0.0,
            alike: 0.0,
            others: 2.2,
            all: 5000.0,
            bits: 13.0,
        };
        let score = Score { chance: 2e-4, false_a_day: 0.1, why: Why::Rare(basis) };
        assert_eq!(
            score.told(MICROS_PER_HOUR),
            "never on 41 days of its own; 2 of 5000 times of all in the last weeks, by windows of one hour; expected \
             once in 8192; chance among all scores 2e-4; at most 0.1 false findings a day"
        );
        let basis = rare::Basis { members: 5, alike_value: 0.0, alike: 310.0, ..basis };
        let score = Score { why: Why::Rare(basis), ..score };
        let told = score.told(MICROS_PER_HOUR);
        assert!(told.contains("of its own; 0 of 310 times of 5 that do the like; 2 of 5000 times of all"), "{told}");
        let basis = hours::Basis { hour: 5 * 24 + 3, days: 41, weeks: 1, peers: 0.0012, bits: 9.0 };
        let score = Score { chance: 2e-4, false_a_day: 0.1, why: Why::Hours(basis) };
        assert_eq!(
            score.told(MICROS_PER_HOUR),
            "Tuesday 03:00 UTC; in 1 of its last 8 weeks within two hours of that, of 41 days that are known; so are 0.001 of the \
             hours of its peers; of its own one in 512 is as odd; chance among all scores 2e-4; at most 0.1 false findings a day"
        );
        let basis = newcomers::Basis { seen: 90.0, mean: 2.0, variance: 4.0, keys: 310, days: 1, rows: 4 };
        let score = Score { chance: 1e-5, false_a_day: 0.02, why: Why::New(basis) };
        assert_eq!(
            score.told(MICROS_PER_HOUR),
            "90 in one hour of a key of which 4 rows on 1 day are known; the first of 310 keys were usually 0 to 6; chance \
             among all scores 1e-5; at most 0.02 false findings a day"
        );
        let young = Score { chance: 1.0, false_a_day: f64::INFINITY, why: Why::Learning { days: 1, rows: 20 } };
        assert_eq!(young.told(MICROS_PER_DAY), "nothing is unusual yet: 20 rows on 1 day are known of this key");
    }
}
