use super::*;
use crate::aws;
use crate::finding::tests::one_match;
use crate::memory::Memory;
use crate::rule::Severity;
use crate::sink::{event_bridge, security_hub, wire};

const HUB: &str = "111122223333 in us-east-1";

fn post() -> Post {
    let config = security_hub::Config::of_hub("111122223333/us-east-1").unwrap();
    let way = Way::security_hub(&config, aws::Config::default(), wire::connector()).unwrap();
    Post::new(way, Memory::default(), CancellationToken::new())
}

fn bus() -> Post {
    let config = event_bridge::Config { min_severity: Severity::Medium, ..event_bridge::Config::default() };
    let way = Way::event_bridge(&config, aws::Config::default(), wire::connector()).unwrap();
    Post::new(way, Memory::default(), CancellationToken::new())
}

/// Commits, and gives what is saved of the one way.
fn committed(post: &mut Post) -> Option<Vec<u8>> {
    let mut saved = None;
    commit(std::slice::from_mut(post), 1, Timestamp(0), |outboxes| {
        saved = outboxes.into_values().next();
        Ok(())
    })
    .unwrap();
    saved
}

fn found(actor: &str) -> Finding {
    one_match("cloudtrail/x", actor, Timestamp(1), "e")
}

#[test]
fn a_reason_is_another_one_by_its_code() {
    let denied = "AccessDeniedException: request 1";
    assert_eq!(code(denied), code("AccessDeniedException: request 2"));
    assert_ne!(code(denied), code("status 500: request 1"));
    assert_ne!(code("status 500: x"), code("status 503"));
    assert_eq!(code("status 503"), "status 503");
}

fn waiting(post: &Post) -> usize {
    post.shared.desk.blocking_lock().outbox.len()
}

#[test]
fn a_critical_finding_is_known_until_its_commit_among_others() {
    let mut post = post();
    let high = Finding { severity: Severity::High, ..found("eve") };
    post.stage(&[high], Timestamp(5));
    assert!(post.has_staged() && !post.has_critical_staged());
    post.stage(&[Finding { severity: Severity::Critical, ..found("mallory") }], Timestamp(6));
    assert!(post.has_critical_staged());
    committed(&mut post).unwrap();
    assert!(!post.has_critical_staged());
}

#[test]
fn the_sender_has_a_finding_only_after_its_commit() {
    let mut post = post();
    post.stage(&[found("eve")], Timestamp(5));
    assert_eq!((waiting(&post), post.is_changed()), (0, true));
    let mut saved = BTreeMap::new();
    let shared = post.shared();
    commit(std::slice::from_mut(&mut post), 1, Timestamp(0), |outboxes| {
        assert!(shared.desk.try_lock().is_err(), "the sender could have it before it is permanent");
        saved = outboxes;
        Ok(())
    })
    .unwrap();
    assert_eq!((waiting(&post), post.is_changed()), (1, false));
    let mut next = self::post();
    next.restore(&saved["security_hub"], Timestamp(6)).unwrap();
    assert_eq!(waiting(&next), 1);
    // nothing has changed, and nothing is written again
    assert_eq!(committed(&mut post), None);
    post.stage(&[found("mallory")], Timestamp(6));
    let error = commit(std::slice::from_mut(&mut post), 1, Timestamp(0), |_| anyhow::bail!("disk full")).unwrap_err();
    assert_eq!(error.to_string(), "disk full");
}

#[test]
fn an_update_is_newer_though_the_clock_went_back() {
    let mut post = post();
    let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
    post.stage(&[found("eve")], at(100));
    let saved = committed(&mut post).unwrap();
    let mut post = self::post();
    post.restore(&saved, at(50)).unwrap();
    post.stage(&[Finding { count: 2, ..found("eve") }], at(50));
    committed(&mut post);
    let mut desk = post.shared.desk.blocking_lock();
    let Next::Call(call) = desk.outbox.next(HUB, at(100)) else { panic!() };
    assert_eq!(call.findings.len(), 1);
    let sent: serde_json::Value = serde_json::from_str(&call.findings[0]).unwrap();
    assert_eq!(
        (&sent["UpdatedAt"], &sent["ProductFields"]["weir/count"]),
        (&"2023-11-14T22:15:00.000001Z".into(), &"2".into())
    );
}

/// Security Hub takes an update that looks old, and changes nothing.
#[test]
fn an_update_is_newer_than_what_was_accepted_before_a_restart_unless_the_clock_was_days_ahead() {
    let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
    let updated = |sent: i64, now: i64| {
        let mut post = post();
        post.stage(&[found("eve")], at(sent));
        committed(&mut post);
        let (place, call) = post.shared().next_call(at(sent)).unwrap();
        post.shared().answered(&place, (call.number, Answer::all(&call)), at(sent), 0.5);
        let saved = committed(&mut post).unwrap();
        let mut post = self::post();
        post.restore(&saved, at(now)).unwrap();
        assert_eq!(waiting(&post), 0);
        post.stage(&[Finding { count: 2, ..found("eve") }], at(now));
        committed(&mut post);
        let (_, call) = post.shared().next_call(at(sent.max(now))).unwrap();
        let sent: serde_json::Value = serde_json::from_str(&call.findings[0]).unwrap();
        sent["UpdatedAt"].as_str().unwrap().to_owned()
    };
    assert_eq!(updated(100, 50), "2023-11-14T22:15:00.000001Z");
    assert_eq!(updated(100, 160), "2023-11-14T22:16:00Z");
    assert_eq!(updated(3 * 86_400, 100), "2023-11-14T22:15:00Z");
}

#[test]
fn a_commit_waits_for_room_and_not_once_told_to_stop() {
    let mut post = post();
    post.shared.desk = Arc::new(Mutex::new(Desk::new(Limits { waiting_max: 1, ..security_hub::LIMITS })));
    post.stage(&[found("eve")], Timestamp(5));
    committed(&mut post);
    post.stage(&[found("mallory")], Timestamp(6));
    let (shared, stop) = (post.shared(), post.stop.clone());
    let committing = std::thread::spawn(move || {
        committed(&mut post);
        post
    });
    std::thread::sleep(5 * LOOK);
    assert!(!committing.is_finished());
    {
        let mut desk = shared.desk.blocking_lock();
        let Next::Call(call) = desk.outbox.next(HUB, Timestamp(7)) else { panic!() };
        let taken = Answer::all(&call);
        assert_eq!(desk.outbox.answer(HUB, call.number, taken, Timestamp(7), 0.5).accepted, 1);
    }
    let mut post = committing.join().unwrap();
    post.stage(&[found("trudy")], Timestamp(8));
    stop.cancel();
    committed(&mut post);
    assert_eq!(waiting(&post), 2);
}

#[test]
fn where_a_finding_that_comes_again_is_one_more_it_does_not_for_its_count() {
    let mut post = bus();
    let found = |severity, count| Finding { severity, count, ..found("eve") };
    post.stage(&[found(Severity::Low, 1)], Timestamp(1));
    assert!(!post.has_staged());
    post.stage(&[found(Severity::Medium, 1)], Timestamp(2));
    assert!(post.has_staged());
    let saved = committed(&mut post).unwrap();
    let mut post = bus();
    post.restore(&saved, Timestamp(3)).unwrap();
    post.stage(&[found(Severity::Medium, 4)], Timestamp(3));
    assert!(!post.has_staged());
    post.stage(&[found(Severity::High, 4)], Timestamp(4));
    assert!(post.has_staged());
    committed(&mut post);
    // in place of the one that still waited
    assert_eq!(waiting(&post), 1);
}

#[test]
fn the_outboxes_of_all_ways_are_one_commit() {
    let mut posts = [post(), bus()];
    posts.iter_mut().for_each(|post| post.stage(&[found("eve")], Timestamp(5)));
    commit(&mut posts, 1, Timestamp(0), |outboxes| {
        assert_eq!(outboxes.keys().collect::<Vec<_>>(), ["event_bridge", "security_hub"]);
        Ok(())
    })
    .unwrap();
    posts[1].stage(&[found("mallory")], Timestamp(6));
    commit(&mut posts, 1, Timestamp(0), |outboxes| {
        assert_eq!(outboxes.keys().collect::<Vec<_>>(), ["event_bridge"]);
        Ok(())
    })
    .unwrap();
}
