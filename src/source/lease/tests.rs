use super::*;

const EXPIRY: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lease(shard: &str, owner: &str, counter: u64) -> Lease {
    Lease {
        shard: shard.into(),
        owner: (!owner.is_empty()).then(|| owner.into()),
        leaving: None,
        leaving_counter: 0,
        counter,
        switches: 0,
        mark: Mark::TrimHorizon,
        parents: Vec::new(),
    }
}

fn done(shard: &str) -> Lease {
    Lease { mark: Mark::Done(Offset::End), ..lease(shard, "a/1", 1) }
}

fn child(shard: &str, parents: &[&str]) -> Lease {
    Lease { parents: parents.iter().map(|&parent| parent.into()).collect(), ..lease(shard, "", 0) }
}

/// What worker `b` takes once it has seen these leases at 0 s, and these at `now`.
fn wanted(first: &[Lease], then: &[Lease], now: u64) -> Vec<(String, &'static str)> {
    let mut leases = Leases::new("b/1", EXPIRY);
    leases.see(first.to_vec(), at(0));
    leases.see(then.to_vec(), at(now));
    let take = |take| match take {
        Take::Free(lease) => (lease.shard.to_string(), "free"),
        Take::Ask(lease) => (lease.shard.to_string(), "ask"),
    };
    let mut taken: Vec<_> = leases.wanted(|_| false, at(now)).into_iter().map(take).collect();
    taken.sort();
    taken
}

fn same(leases: &[Lease], now: u64) -> Vec<(String, &'static str)> {
    wanted(leases, leases, now)
}

#[test]
fn a_lease_is_free_once_its_count_stands_still_for_the_expiry() {
    let one = [lease("s", "a/1", 7)];
    assert_eq!(same(&one, 9), []);
    assert_eq!(same(&one, 10), [("s".into(), "free")]);
    assert_eq!(wanted(&one, &[lease("s", "a/1", 8)], 10), []);
    assert_eq!(same(&[lease("s", "", 7)], 0), [("s".into(), "free")]);
}

#[test]
fn an_earlier_life_of_the_same_worker_is_not_waited_for() {
    assert_eq!(same(&[lease("s", "b/0", 7)], 0), [("s".into(), "free")]);
    assert_eq!(same(&[lease("s", "bb/0", 7)], 0), []);
    assert_eq!(same(&[lease("s", "b/1", 7)], 60), [], "it has it already");
}

#[test]
fn free_ones_are_taken_up_to_a_fair_part() {
    let free = ["s", "t", "u", "v"].map(|shard| lease(shard, "", 0));
    assert_eq!(same(&free, 0).len(), 4);
    let other = [free.to_vec(), vec![lease("w", "a/1", 1)]].concat();
    assert_eq!(same(&other, 0).len(), 3, "five for two");
    let two = [lease("s", "b/1", 1), lease("t", "b/1", 1), lease("u", "", 0), lease("v", "a/1", 1)];
    assert_eq!(same(&two, 0), []);
}

#[test]
fn who_has_two_more_is_asked_for_one() {
    let of = |owners: &[&str], counter| -> Vec<Lease> {
        owners.iter().enumerate().map(|(number, owner)| lease(&number.to_string(), owner, counter)).collect()
    };
    let moving = |owners: &[&str]| wanted(&of(owners, 1), &of(owners, 2), 3);
    assert_eq!(moving(&["a/1", "a/1", "a/1", "a/1"]).len(), 1);
    assert_eq!(moving(&["a/1", "a/1", "a/1", "a/1"])[0].1, "ask");
    assert_eq!(moving(&["a/1", "a/1", "b/1"]), [], "one more is as even as it gets");
    assert_eq!(moving(&["a/1"]), []);
    assert_eq!(moving(&["a/1", "a/1", "c/1", "c/1"]).len(), 1, "two each, and none for a third worker");
    assert_eq!(moving(&["a/1", "a/1", "a/1", "c/1", "c/1", "b/1", "b/1"]), []);
    // nobody has seen it alive yet: it may be dead, and is then no one to ask
    assert_eq!(same(&of(&["a/1", "a/1"], 1), 3), []);
}

#[test]
fn a_child_waits_for_its_parents_whoever_reads_them() {
    let merged = |parents: [Lease; 2]| same(&[parents.to_vec(), vec![child("c", &["s", "t"])]].concat(), 0);
    assert_eq!(merged([lease("s", "a/1", 1), done("t")]), []);
    assert_eq!(merged([done("s"), done("t")]), [("c".into(), "free")]);
    // without a lease a parent has aged out, unless it is listed
    assert_eq!(same(&[done("s"), child("c", &["s", "t"])], 0), [("c".into(), "free")]);
    let mut leases = Leases::new("b/1", EXPIRY);
    leases.see(vec![child("c", &["s"])], at(0));
    assert_eq!(leases.wanted(|shard| shard == "s", at(0)), []);
}

#[test]
fn who_leaves_is_waited_for_as_long_as_it_says_that_it_commits() {
    let mut leases = Leases::new("b/1", EXPIRY);
    let leaving =
        |counter, leaving_counter| Lease { leaving: Some("a/1".into()), leaving_counter, ..lease("s", "b/1", counter) };
    leases.see(vec![leaving(1, 0)], at(0));
    leases.put(leaving(2, 0), at(9));
    assert!(!leases.is_left_behind("s", at(9)) && leases.is_left_behind("s", at(10)));
    leases.put(leaving(3, 1), at(9));
    assert!(!leases.is_left_behind("s", at(18)) && leases.is_left_behind("s", at(19)));
}

#[test]
fn who_leaves_is_waited_for_though_the_owner_that_asked_has_gone() {
    let leaving = |leaving: &str| Lease { leaving: Some(leaving.into()), ..lease("s", "c/1", 1) };
    let still = |lease: &Lease, now| {
        let mut leases = Leases::new("b/1", EXPIRY);
        leases.see(vec![lease.clone()], at(0));
        leases.is_still_leaving(lease, at(now))
    };
    assert!(still(&leaving("a/1"), 9) && !still(&leaving("a/1"), 10));
    assert!(!still(&leaving("b/0"), 0), "an earlier life of this worker commits no more");
    assert!(!still(&lease("s", "c/1", 1), 0));
}

#[test]
fn who_leaves_says_that_it_stays_until_it_commits_and_not_for_ever_before_that() {
    let mut leases = Leases::new("a/1", EXPIRY);
    let asked = |shard, leaving_counter| Lease {
        leaving: Some("a/1".into()),
        leaving_counter,
        ..lease(shard, "b/1", leaving_counter)
    };
    leases.see(vec![lease("s", "a/1", 1), lease("t", "a/1", 1), asked("u", 0)], at(0));
    let stays = |leases: &Leases, committing: &str, now| -> Vec<String> {
        let staying = leases.to_stay(|shard| shard == committing, at(now));
        staying.map(|lease| lease.shard.to_string()).collect()
    };
    assert_eq!(stays(&leases, "", 0), ["u"], "of the others nobody has asked for it");
    leases.see(vec![asked("s", 0), lease("t", "a/1", 2), asked("u", 1)], at(60));
    assert_eq!(stays(&leases, "", 99), ["s", "u"]);
    // its own word is no new question
    assert_eq!(stays(&leases, "", 100), ["s"]);
    assert_eq!(stays(&leases, "u", 100), ["s", "u"], "another would read what it is about to commit");
    assert_eq!(stays(&leases, "", 159), ["s"]);
    assert_eq!(stays(&leases, "t", 160), Vec::<String>::new());
}

#[test]
fn reading_goes_on_behind_the_later_of_lease_and_own_commit() {
    let at = |number| Mark::Done(Offset::at(number));
    let of = |mark, own: Option<u64>| Lease { mark, ..lease("s", "b/1", 1) }.reach(own.map(Offset::at).as_ref());
    assert_eq!(of(at(50), Some(100)), at(100));
    assert_eq!(of(at(150), Some(100)), at(150));
    assert_eq!(of(at(50), None), at(50));
    assert_eq!(of(Mark::TrimHorizon, Some(100)), at(100));
    assert_eq!(of(Mark::Since(Timestamp(5)), Some(0)), Mark::Since(Timestamp(5)));
    assert_eq!(of(Mark::Done(Offset::End), Some(100)), Mark::Done(Offset::End));
}
