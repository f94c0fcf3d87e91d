use super::*;
use crate::sink::outbox::rate::Rate;

fn call() -> Call {
    Call { number: 0, ids: vec!["a".into()], findings: vec!["{}".into()] }
}

#[test]
fn what_a_status_means() {
    let of = |status: u16, retry_after: Option<&str>| {
        let retry_after = retry_after.map(str::to_owned);
        match read(&Reply { status, retry_after, body: b"no_service".into(), ..Reply::default() }, &call()) {
            Answer::Taken { success_count, failed } => format!("{success_count} taken, {} failed", failed.len()),
            Answer::Invalid { code, message } => format!("invalid {code} ({message})"),
            Answer::Denied { code, message } => format!("denied {code} ({message})"),
            Answer::Unavailable { code, pause, .. } => format!("unavailable {code}, {pause:?}"),
        }
    };
    assert_eq!(of(200, None), "1 taken, 0 failed");
    assert_eq!(of(204, None), "1 taken, 0 failed");
    assert_eq!(of(302, None), "denied status 302 (no_service)");
    assert_eq!(of(400, None), "invalid status 400 (no_service)");
    for status in [401, 403, 404, 410] {
        assert!(of(status, None).starts_with("denied"), "{status}");
    }
    assert_eq!(of(429, Some("30")), "unavailable status 429, Some(30000000)");
    assert_eq!(of(429, Some("Wed, 21 Oct 2015 07:28:00 GMT")), "unavailable status 429, None");
    assert_eq!(of(503, None), "unavailable status 503, None");
}

#[test]
fn no_minute_has_more_messages_than_are_asked_for() {
    for messages in [2, 3, 20, 600] {
        let mut rate = Rate::new(pace(messages));
        let mut now = Timestamp(0);
        let mut made = Vec::new();
        for _ in 0..3 * messages {
            now = rate.next_call(now);
            rate.call(now);
            made.push(now.0);
        }
        for first in &made {
            let minute = made.iter().filter(|at| (*first..*first + 60_000_000).contains(*at)).count();
            assert!(minute <= messages as usize, "{minute} messages, and {messages} are asked for");
        }
    }
}

#[test]
fn the_address_is_a_secret() {
    let url = "https://hooks.example.com/services/T00000000/B00000000/canary0canary0canary";
    let address = Address::of(url).unwrap();
    let message =
        format!("calling {url}: canary0canary0canary is gone from /services/T00000000/B00000000 at example.com");
    let Answer::Denied { message, .. } = address.scrubbed(Answer::Denied { code: "x".into(), message }) else {
        panic!()
    };
    assert_eq!(message, "calling (secret): (secret) is gone from /(secret)/(secret)/(secret) at example.com");
    let hook = Hook::at(&Config::of_variable("X"), Place::Environment(address), wire::connector()).unwrap();
    assert!(!format!("{hook:?}").contains("canary"));
    let wrong = |url: &str| Address::of(url).err().unwrap().to_string();
    assert_eq!(wrong("http://hooks.example.com/canary"), "there is no https:// URL");
    assert_eq!(wrong("canary canary"), "there is no URL");
    assert!(Address::of("http://127.0.0.1:8080/x").is_ok());
}

fn refused(config: &Config) -> String {
    let made = Hook::new(config, wire::connector(), aws::Config::default(), wire::connector);
    format!("{:#}", made.unwrap_err())
}

#[test]
fn a_configuration_says_where_one_address_is() {
    let unset = "the environment variable `WEIR_NO_SUCH_VARIABLE` of the webhook is not set";
    assert_eq!(refused(&Config::of_variable("WEIR_NO_SUCH_VARIABLE")), unset);
    // the address itself, where the name of its variable should be
    let told = refused(&Config::of_variable("https://hooks.example.com/canary"));
    assert!(told.starts_with("`url_env` of the webhook is no name") && !told.contains("canary"), "{told}");
    let url_secret = toml::from_str("id = 'weir/hook'").unwrap();
    let both = Config { url_secret: Some(url_secret), ..Config::of_variable("X") };
    assert!(refused(&both).ends_with("of which one is enough: leave one out"));
    let neither = Config { url_env: None, ..Config::of_variable("X") };
    assert!(refused(&neither).starts_with("the webhook has no address"));
    let config = Config { messages_per_minute: 1, ..Config { url_env: None, ..both } };
    assert_eq!(refused(&config), "messages_per_minute of the webhook can be 2 to 600");
}
