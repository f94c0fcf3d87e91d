//! The timespan of a correlation → the windows that its rows are added up in.
//!
//! Sigma's timespan slides: what counts is whatever lies no further apart than that. Windows that overlap come close to it
//! from above. They begin at the multiples of a *distance*, a twelfth of the timespan in whole seconds, and are one distance
//! longer than the timespan, so that any rows within the timespan are together in one of them: nothing is missed. What they
//! may say too much of is rows that lie further apart than the timespan, by less than the distance (less than two, where the
//! timespan is no multiple of it). Of a timespan of at most twelve seconds the distance is a second, and with times in whole
//! seconds, as CloudTrail and flow logs have them, the answer is exact.
//!
//! A condition that more rows can make false, such as `lt: 5`, holds at the edge of every burst when windows slide. It is
//! asked of periods as long as the timespan, one after the other, each when it is over.

const DISTANCES: i64 = 12;

/// SQL that groups rows by windows of their `time` that hold whatever lies within `seconds`, at least 1.
pub fn sliding(time: &str, seconds: i64) -> String {
    let distance = (seconds + DISTANCES - 1) / DISTANCES;
    // a timespan that is no multiple of the distance is rounded up to one
    let length = (seconds + distance - 1) / distance * distance + distance;
    format!("hop({time}, {}, {})", interval(distance), interval(length))
}

/// SQL that groups rows by periods of `seconds`, which begin at the multiples of that since 1970.
pub fn periods(time: &str, seconds: i64) -> String {
    format!("tumble({time}, {})", interval(seconds))
}

/// SQL that groups rows by sessions: rows of which none is further than `gap` seconds from the next.
pub fn sessions(time: &str, gap: i64) -> String {
    format!("session({time}, {})", interval(gap))
}

fn interval(seconds: i64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let (count, unit) = units
        .into_iter()
        .find(|(unit, _)| seconds % unit == 0)
        .map_or((seconds, "second"), |(unit, name)| (seconds / unit, name));
    format!("INTERVAL '{count} {unit}{}'", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_a_twelfth_longer_than_the_timespan() {
        let hop = |seconds| sliding("t", seconds);
        assert_eq!(hop(300), "hop(t, INTERVAL '25 seconds', INTERVAL '325 seconds')");
        assert_eq!(hop(3600), "hop(t, INTERVAL '5 minutes', INTERVAL '65 minutes')");
        assert_eq!(hop(86_400), "hop(t, INTERVAL '2 hours', INTERVAL '26 hours')");
        assert_eq!(hop(12), "hop(t, INTERVAL '1 second', INTERVAL '13 seconds')");
        assert_eq!(hop(1), "hop(t, INTERVAL '1 second', INTERVAL '2 seconds')");
        // 61 seconds are eleven distances of six
        assert_eq!(hop(61), "hop(t, INTERVAL '6 seconds', INTERVAL '72 seconds')");
        assert_eq!(periods("t", 604_800), "tumble(t, INTERVAL '7 days')");
        assert_eq!(sessions("t", 90), "session(t, INTERVAL '90 seconds')");
        assert_eq!(periods("t", 90), "tumble(t, INTERVAL '90 seconds')");
    }
}
