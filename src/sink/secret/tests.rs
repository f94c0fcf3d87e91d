use std::sync::Mutex as Lock;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::*;
use crate::sink::wire;

const CANARY: &str = "canary0canary0canary";

/// What the next calls are answered with; the last stays. And what was asked for.
#[derive(Clone, Default)]
struct Vault(Arc<Lock<(Answers, Vec<String>)>>);

type Answers = Vec<(u16, Value)>;

async fn answer(State(vault): State<Vault>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let mut vault = vault.0.lock().unwrap();
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let scope = headers["authorization"].to_str().unwrap().split('/').skip(2).take(2).collect::<Vec<_>>().join("/");
    vault.1.push(format!("{scope} {body}"));
    let (status, body) = if vault.0.len() > 1 { vault.0.remove(0) } else { vault.0[0].clone() };
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

fn config(id: &str, key: Option<&str>) -> Config {
    Config { id: id.to_owned(), key: key.map(str::to_owned), region: None, assume_role: None }
}

async fn secret(config: &Config, answers: &[(u16, Value)]) -> (Secret, Vault) {
    let vault = Vault(Arc::new(Lock::new((answers.to_vec(), Vec::new()))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(answer).with_state(vault.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Secret::of(config, &Aws::of_server(&url), wire::connector()).unwrap(), vault)
}

async fn fetched(key: Option<&str>, status: u16, body: Value) -> String {
    let (secret, _) = secret(&config("weir/hook", key), &[(status, body)]).await;
    match secret.fetch().await {
        Ok(text) => text.reveal().to_owned(),
        Err(answer) => {
            let told = format!("{answer:?}");
            assert!(!told.contains("canary"), "{told}");
            let kind = match &answer {
                Answer::Denied { .. } => "denied",
                Answer::Unavailable { .. } => "unavailable",
                Answer::Invalid { .. } | Answer::Taken { .. } => panic!("a secret is no finding: {told}"),
            };
            format!("{kind} {}", answer.why().unwrap())
        }
    }
}

#[tokio::test]
async fn the_text_is_all_of_it_or_the_value_of_a_key() {
    let text = |text: &str| json!({ "Name": "weir/hook", "SecretString": text, "VersionStages": ["AWSCURRENT"] });
    assert_eq!(fetched(None, 200, text(CANARY)).await, CANARY);
    let object = json!({ "url": CANARY, "port": 443 }).to_string();
    assert_eq!(fetched(Some("url"), 200, text(&object)).await, CANARY);
    let of = "the secret weir/hook of Secrets Manager";
    for (key, of_secret, why) in [
        (None, text(&object), "it is a JSON object: `key` has to say which of its values is meant"),
        (Some("adress"), text(&object), "it has no key `adress`"),
        (Some("port"), text(&object), "the value of its key `port` is no text"),
        (Some("url"), text(CANARY), "it is no JSON object, and so has no key `url`"),
        (None, json!({ "SecretBinary": "Y2FuYXJ5" }), "it is binary, and has to be a text (SecretString)"),
    ] {
        assert_eq!(fetched(key, 200, of_secret).await, format!("denied UnusableSecret: {of}: {why}"));
    }
    let portal = fetched(None, 200, json!({ "SecretString": ["canary"] })).await;
    assert_eq!(portal, format!("unavailable unreadable: {of}: an answer with status 200 has no SecretString"));
}

#[tokio::test]
async fn what_a_person_must_put_right_is_told_from_what_passes() {
    let of = "the secret weir/hook of Secrets Manager: m";
    for (code, kind) in [
        ("ResourceNotFoundException", "denied"),
        ("AccessDeniedException", "denied"),
        // it is marked for deletion
        ("InvalidRequestException", "denied"),
        ("ValidationException", "denied"),
        ("DecryptionFailure", "denied"),
        ("InternalServiceError", "unavailable"),
        ("ThrottlingException", "unavailable"),
    ] {
        let told = fetched(None, 400, json!({ "__type": code, "Message": "m" })).await;
        assert_eq!(told, format!("{kind} {code}: {of}"));
    }
}

#[tokio::test]
async fn it_is_asked_for_again_after_an_hour_and_when_it_is_refused() {
    let text = |text: &str| (200, json!({ "SecretString": text }));
    let down = || (500, json!({ "__type": "InternalServiceError" }));
    let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:weir/hook-a1b2c3";
    let answers = [text("one"), text("two"), down(), text("two"), text("three")];
    let (secret, vault) = secret(&config(arn, None), &answers).await;
    let asked = || vault.0.lock().unwrap().1.len();
    let start = Instant::now();
    let at = async |seconds: u64| secret.text(start + Duration::from_secs(seconds), |_| Ok(())).await.unwrap();
    assert_eq!((at(0).await.reveal(), asked()), ("one", 1));
    assert_eq!((at(3599).await.reveal(), asked()), ("one", 1));
    assert_eq!((at(3600).await.reveal(), asked()), ("two", 2));
    // nobody answers: what was there stays, and nobody is asked for an hour
    assert_eq!((at(7200).await.reveal(), asked()), ("two", 3));
    assert_eq!((at(7300).await.reveal(), asked()), ("two", 3));
    // the same is no other
    let now = start + Duration::from_secs(7400);
    let renewed = async || secret.renewed(&Text::new("two"), now, |_| Ok(())).await.map(|text| text.unwrap());
    assert_eq!((renewed().await, asked()), (None, 4));
    assert_eq!((renewed().await, asked()), (Some(Text::new("three")), 5));
    assert_eq!((at(7500).await.reveal(), asked()), ("three", 5));
    assert_eq!(vault.0.lock().unwrap().1[0], format!("eu-west-1/secretsmanager {{\"SecretId\":\"{arn}\"}}"));
    assert!(!format!("{secret:?}").contains("three"));
}

#[tokio::test]
async fn a_text_that_is_of_no_use_is_not_kept_and_takes_the_place_of_none() {
    let text = |text: &str| (200, json!({ "SecretString": text }));
    let answers = [text("todo"), text("url one\n"), text("todo"), text("todo"), text("url two")];
    let (secret, vault) = secret(&config("weir/hook", None), &answers).await;
    let asked = || vault.0.lock().unwrap().1.len();
    let check = |text: &Text| match text.reveal().starts_with("url ") {
        true => Ok(()),
        false => Err(Answer::Denied { code: UNUSABLE.to_owned(), message: "no url".to_owned() }),
    };
    let start = Instant::now();
    let at = async |seconds: u64| secret.text(start + Duration::from_secs(seconds), check).await;
    assert!(matches!(at(0).await, Err(Answer::Denied { .. })));
    // mended a second later; one that was made of a file ends with its newline
    assert_eq!((at(1).await.unwrap().reveal(), asked()), ("url one", 2));
    // in an hour there is none for a while: the one before is used
    assert_eq!((at(3700).await.unwrap().reveal(), asked()), ("url one", 3));
    let renewed = async || secret.renewed(&Text::new("url one"), start + Duration::from_secs(3800), check).await;
    assert!(matches!(renewed().await, Some(Err(Answer::Denied { .. }))));
    assert_eq!(at(3800).await.unwrap().reveal(), "url one");
    assert_eq!(renewed().await.unwrap().unwrap().reveal(), "url two");
    assert_eq!(at(3900).await.unwrap().reveal(), "url two");
}

#[test]
fn an_id_is_a_name_or_an_arn_and_is_not_shown_where_it_is_neither() {
    let arn = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:a/b_c+d=e.f@g-h";
    assert_eq!(region("prod/weir.hook@1").unwrap(), None);
    assert_eq!(region(arn).unwrap(), Some("us-gov-west-1"));
    let made = |config: &Config| Secret::new(config, aws::Config::default(), wire::connector());
    for id in [
        "",
        "https://hooks.slack.com/services/canary",
        "a canary",
        "arn:aws:sns:eu-west-1:111122223333:canary",
        "arn:aws:secretsmanager:eu-west-1:1:secret:canary",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:canary:url::",
    ] {
        let error = format!("{:#}", made(&config(id, None)).unwrap_err());
        assert!(error.contains("secret:NAME") && !error.contains("canary"), "{error}");
    }
    let other = Config { region: Some("eu-west-1".into()), ..config(arn, None) };
    assert_eq!(made(&other).unwrap_err().to_string(), "the secret is not in eu-west-1, as its ARN says");
    let none = Config { region: Some("europe".into()), ..config("a", None) };
    assert_eq!(made(&none).unwrap_err().to_string(), "`europe` is no Region");
}
