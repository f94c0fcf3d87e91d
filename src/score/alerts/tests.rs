use super::*;

const NOISE: [(&str, &str); 3] = [
    ("Login session opened", "H-Pam"),
    ("ET INFO TLS Handshake Failure", "N-Tls"),
    ("Integrity checksum changed", "H-Fim"),
];

/// Three days in which two hosts tell the same every hour, then what a test adds, in hours after them.
struct Days {
    scorer: Scorer,
    hour: f64,
}

impl Days {
    const NOISY: u32 = 72;

    fn new() -> Days {
        let mut days = Days { scorer: Scorer::new(), hour: 0.0 };
        for hour in 0..Days::NOISY {
            days.hour = f64::from(hour) - f64::from(Days::NOISY);
            days.noise();
        }
        days.hour = 0.0;
        days
    }

    fn noise(&mut self) -> Vec<f64> {
        let told = ["web", "db"].into_iter().flat_map(|host| NOISE.map(|(name, short)| (host, name, short)));
        told.map(|(host, name, short)| self.tell(name, short, &format!("10.0.0.{}", host.len()), host).1).collect()
    }

    fn tell(&mut self, name: &str, short: &str, ip: &str, host: &str) -> (u64, f64) {
        let time = 1.6e9 + HOUR * (f64::from(Days::NOISY) + self.hour);
        let (id, priority) = self.scorer.alert(&Alert { time, name, ip, host, short });
        (id.0, priority)
    }

    fn at(&mut self, hour: f64) -> &mut Days {
        self.hour = hour;
        self
    }
}

#[test]
fn an_attack_is_one_incident_that_rises_with_each_stage() {
    let mut days = Days::new();
    let scan = days.at(0.1).tell("ET SCAN Nmap", "N-Nmap", "192.0.2.1", "web");
    let web = days.at(0.5).tell("Common web attack", "H-Web", "192.0.2.1", "web");
    let shell = days.at(0.9).tell("Possible webshell upload", "N-Shell", "192.0.2.1", "web");
    let root = days.at(1.4).tell("User changed UID to root", "H-Su", "10.0.0.3", "web");
    assert_eq!((web.0, shell.0, root.0), (scan.0, scan.0, scan.0));
    assert!(scan.1 > 5.0 && web.1 > scan.1 + 8.0 && shell.1 > web.1 + 8.0 && root.1 > shell.1, "{scan:?} {root:?}");
    // the address goes on to another host
    let other = days.at(2.0).tell("ET SCAN Nmap", "N-Nmap", "192.0.2.1", "db");
    assert_eq!(other.0, scan.0);
    assert!(other.1 > 35.0, "{other:?}");
}

#[test]
fn what_comes_every_hour_has_no_priority() {
    let mut days = Days::new();
    let noise = days.at(0.0).noise();
    assert!(noise.iter().all(|&priority| priority == 0.0), "{noise:?}");
    let alone = days.at(0.2).tell("Something new", "X", "10.0.0.2", "db");
    assert!((5.0..15.0).contains(&alone.1), "{alone:?}");
}

#[test]
fn two_hosts_with_nothing_in_common_are_two_incidents() {
    let mut days = Days::new();
    let web = days.at(0.1).tell("ET SCAN Nmap", "N-Nmap", "192.0.2.1", "web");
    let db = days.at(0.2).tell("Possible webshell upload", "N-Shell", "192.0.2.9", "db");
    assert_ne!(web.0, db.0);
    assert!(db.1 < 20.0, "{db:?}");
}

#[test]
fn an_address_that_all_hosts_talk_to_joins_nothing() {
    let tell = |hub: bool| {
        let mut days = Days::new();
        for hour in 0..8 {
            for host in ["web", "db", "mail"].into_iter().filter(|_| hub) {
                days.at(f64::from(hour)).tell("Poll", "N-Poll", "10.9.9.9", host);
            }
        }
        let web = days.at(8.5).tell("ET SCAN Nmap", "N-Nmap", "10.9.9.9", "web");
        let db = days.at(8.6).tell("Common web attack", "H-Web", "10.9.9.9", "db");
        web.0 == db.0
    };
    assert_eq!((tell(false), tell(true)), (true, false));
}

#[test]
fn a_kind_that_comes_to_host_after_host_is_a_rule_that_was_rolled_out() {
    let mut days = Days::new();
    let told: Vec<f64> =
        (0..12).map(|n| days.at(f64::from(n)).tell("IDS event", "N-New", "", &format!("host-{n}")).1).collect();
    assert!(told[..2].iter().all(|bits| *bits > 4.0), "{told:?}");
    assert!(told[8..].iter().all(|bits| *bits < 1.0), "{told:?}");
    // two weeks later it is rare again
    let later = days.at(12.0 + 14.0 * 24.0).tell("IDS event", "N-New", "", "web").1;
    assert!(later > 5.0, "{later}");
}

#[test]
fn noise_keeps_no_incident_open() {
    let mut days = Days::new();
    let first = days.at(0.1).tell("Something new", "X", "10.0.0.3", "web");
    let within = days.at(0.6).tell(NOISE[0].0, NOISE[0].1, "10.0.0.3", "web");
    assert_eq!(first.0, within.0);
    for step in 1..20 {
        days.at(0.6 + f64::from(step) * 0.2).noise();
    }
    let after = days.at(5.0).tell("Another new thing", "Y", "10.0.0.3", "web");
    assert_ne!(first.0, after.0);
}

#[test]
fn an_incident_ends_after_a_day_of_trickling() {
    let mut days = Days::new();
    let ids: Vec<u64> = (0..60)
        .map(|n| days.at(f64::from(n) * 0.5).tell("New every time", &format!("T{n}"), "10.0.0.3", "web").0)
        .collect();
    assert_eq!(ids[0], ids[48]);
    assert_ne!(ids[0], ids[49]);
}

#[test]
fn stages_count_more_than_kinds_of_one_stage() {
    let of = |names: [&str; 3]| {
        let mut days = Days::new();
        let tell = |(n, name): (usize, &str)| days.at(0.1 + n as f64 * 0.01).tell(name, &format!("K{n}"), "", "web").1;
        names.into_iter().enumerate().map(tell).last().unwrap()
    };
    let chain = of(["ET SCAN Nmap", "Common web attack", "User gained root"]);
    let backward = of(["User gained root", "Common web attack", "ET SCAN Nmap"]);
    let alike = of(["ET SCAN Nmap", "ET SCAN Masscan", "Port sweep"]);
    assert!(chain > alike + 15.0, "{chain} {alike}");
    assert!((chain - backward - 4.0).abs() < 0.1, "two steps forward: {chain} {backward}");
}

#[test]
fn a_burst_of_what_is_usual_is_evidence() {
    let mut days = Days::new();
    let burst: Vec<f64> =
        (0..300).map(|n| days.at(0.1 + f64::from(n) * 2e-4).tell(NOISE[0].0, "H-Pam", "", "db").1).collect();
    assert_eq!(burst[0], 0.0);
    // a kind of every hour starts 4 bits below nothing; a failed or opened login is worth 1, and a burst 6 at most
    assert!((2.9..3.2).contains(&burst[299]), "{}", burst[299]);
}

#[test]
fn a_burst_on_one_host_of_what_comes_singly_to_others_is_evidence() {
    let mut days = Days::new();
    for hour in 0..60u32 {
        days.at(f64::from(hour)).tell("User login failed", "L", "", if hour.is_multiple_of(2) { "web" } else { "db" });
    }
    let burst: Vec<f64> =
        (0..40).map(|n| days.at(60.0 + f64::from(n) / 200.0).tell("User login failed", "L", "", "mail").1).collect();
    assert!(burst[39] > 10.0, "{}", burst[39]);
}

#[test]
fn priority_fades_by_half_in_six_hours() {
    let mut incident = Incident::new(0.0);
    incident.take(1, Stage::Recon, 8.0, 0.0);
    incident.take(2, Stage::Unknown, 4.0, 0.0);
    incident.take(2, Stage::Unknown, -3.0, 10.0);
    assert_eq!((incident.score(0.0), incident.score(6.0 * HOUR)), (12.0, 6.0));
    assert!(incident.is_open(2.2 * HOUR) && !incident.is_open(2.5 * HOUR));
}

#[test]
fn what_an_attacker_does_an_hour_later_is_of_the_same_incident() {
    let mut days = Days::new();
    let first = days.at(0.1).tell("Something new", "X", "", "web");
    let later = days.at(2.0).tell("Another new thing", "Y", "", "web");
    assert_eq!(later.0, first.0);
    assert!(later.1 > first.1, "{first:?} {later:?}");
    let next_day = days.at(26.0).tell("A third", "Z", "", "web");
    assert_ne!(next_day.0, first.0);
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut scorer = Scorer::new();
    for n in 0..100_000u32 {
        let (host, short) = (format!("h{n}"), format!("k{n}"));
        scorer.alert(&Alert { time: f64::from(n) / 100.0, name: "x", ip: &host, host: &host, short: &short });
    }
    assert_eq!(scorer.open.len(), OPEN_MAX);
    assert!(scorer.entities.len() <= 8 << 13 && scorer.on_host.len() <= 8 << 13 && scorer.anywhere.len() == 8 << 10);
}

#[test]
fn times_that_fall_or_are_the_same_are_taken() {
    let mut scorer = Scorer::new();
    for time in [5.0, 5.0, 1.0, -3.0, 1e12] {
        let (_, priority) = scorer.alert(&Alert { time, name: "", ip: "", host: "", short: "" });
        assert!(priority.is_finite());
    }
}

#[test]
fn a_time_in_the_far_future_makes_room_as_any_other() {
    let mut scorer = Scorer::new();
    for n in 0..100_000u32 {
        let (host, short) = (format!("h{n}"), format!("k{n}"));
        let time = if n < 80_000 { 0.0 } else { 1e30 };
        let (_, priority) = scorer.alert(&Alert { time, name: "x", ip: &host, host: &host, short: &short });
        assert!(priority.is_finite());
    }
    assert!(scorer.on_host.len() <= 8 << 13);
}

#[test]
fn columns_are_found_by_name() {
    let header = ["\u{feff}Name", "short", "extra", "time", "id"];
    let columns = Columns::find(header.into_iter()).unwrap();
    let line = ["a, b", " s ", "", "1700000000.25", "7"];
    let (id, alert) = columns.alert(|at| line.get(at).copied()).unwrap();
    assert_eq!(id, "7");
    assert_eq!(alert, Alert { time: 1_700_000_000.25, name: "a, b", ip: "", host: "", short: "s" });
    assert_eq!(columns.alert(|at| line[..4].get(at).copied()), Err(ColumnError::ShortLine("id")));
    assert_eq!(Columns::find(["id", "time"].into_iter()), Err(ColumnError::NoColumn("name")));
    assert_eq!(Columns::find(["id", "name"].into_iter()), Err(ColumnError::NoColumn("time")));
    let timestamp = Columns::find(["id", "Timestamp", "name"].into_iter()).unwrap();
    assert_eq!(timestamp, Columns::find(["id", "time", "name"].into_iter()).unwrap());
}

#[test]
fn a_time_is_seconds_or_an_instant() {
    let columns = Columns::find(["id", "time", "name"].into_iter()).unwrap();
    let time = |text: &'static str| columns.alert(|at| ["1", text, "n"].get(at).copied()).map(|(_, alert)| alert.time);
    assert_eq!(time("1642204803"), Ok(1_642_204_803.0));
    assert_eq!(time("2022-01-15T00:00:03.5Z"), Ok(1_642_204_803.5));
    assert_eq!(time("2022-01-15 00:00:03"), Ok(1_642_204_803.0));
    assert_eq!(time("2022-01-15T01:00:03+01:00"), Ok(1_642_204_803.0));
    assert_eq!(time("1642204803500"), Ok(1_642_204_803.5));
    assert_eq!(time("2022/01/15 00:00:03"), Ok(1_642_204_803.0));
    for text in ["", "now", "inf", "NaN"] {
        assert_eq!(time(text), Err(ColumnError::BadTime(text.to_owned())));
    }
}
