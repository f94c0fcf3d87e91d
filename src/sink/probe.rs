//! A way out of a configuration → whether it may be called, found with a call that holds no finding and so sends nothing.

use super::outbox::call::{Answer, Call};
use super::security_hub::Hub;
use super::signed::UNSET;
use super::way::Way;
use crate::aws::tried::{NOT_WITHOUT_DOING_IT, Outcome, Tried};
use crate::aws::{Kind, Trouble};

/// Calls every place of the way where that is harmless.
pub async fn way(way: &Way) -> Vec<Tried> {
    let untried = || Outcome::Untried(NOT_WITHOUT_DOING_IT);
    match way {
        Way::SecurityHub { hubs, .. } => {
            let places = hubs.all();
            let one = async |hub: &Hub| {
                let (on, action) = (format!("the hub of {hub}"), "securityhub:BatchImportFindings");
                let answer = way.send(&hub.to_string(), &nothing()).await;
                let mut tried = vec![Tried::new(&on, action, read(action, answer, &enable(hub)))];
                if way.read_back().is_some() {
                    tried.push(Tried::new(&on, ASK, asked(hubs.may_ask(hub).await, hub)));
                }
                tried
            };
            futures::future::join_all(places.iter().map(one)).await.into_iter().flatten().collect()
        }
        Way::EventBridge(bus) => {
            let action = "events:PutEvents";
            let answer = way.send("bus", &nothing()).await;
            let is_there = "look whether there is such a bus in this account and Region";
            let outcome = match read(action, answer, is_there) {
                Outcome::Works(_) => Outcome::Untried(BUS),
                outcome => outcome,
            };
            vec![Tried::new(format!("the bus {}", bus.name()), action, outcome)]
        }
        Way::Sns(topic) => vec![Tried::new(topic.name(), "sns:Publish", untried())],
        Way::S3(bucket) => vec![Tried::new(bucket.name(), "s3:PutObject", untried())],
        Way::Webhook(hook) => {
            let secret = hook.try_secret().await.map(|(id, address)| {
                let outcome = match address {
                    Ok(()) => Outcome::Works("it holds an address".to_owned()),
                    Err(answer) => read(SECRET, answer, "look at `url_secret` and at the secret"),
                };
                Tried::new(id, SECRET, outcome)
            });
            secret.into_iter().chain([Tried::new("the webhook", "a message", untried())]).collect()
        }
    }
}

/// EventBridge looks at the entries of a call before it looks for the bus.
const BUS: &str = "an empty call may be made; whether there is such a bus only an event tells";

const ASK: &str = "securityhub:GetFindings";
const SECRET: &str = "secretsmanager:GetSecretValue";

fn enable(hub: &Hub) -> String {
    format!("enable Security Hub in {}, and use credentials of its account", hub.region())
}

fn asked(answer: Result<(), Answer>, hub: &Hub) -> Outcome {
    match answer {
        Ok(()) => Outcome::Works("it says what analysts say of findings".to_owned()),
        Err(Answer::Invalid { code, message }) => {
            Outcome::Fails(Trouble::new(Kind::Other, format!("{code}: {message}")))
        }
        Err(answer) => read(ASK, answer, &enable(hub)),
    }
}

fn nothing() -> Call {
    Call { number: 0, ids: Vec::new(), findings: Vec::new() }
}

/// `mend` is for what a person has to put right at the service itself.
fn read(action: &str, answer: Answer, mend: &str) -> Outcome {
    let trouble = |kind, why: String| Outcome::Fails(Trouble::new(kind, why));
    match answer {
        // AWS says this of an empty call
        Answer::Invalid { .. } | Answer::Taken { .. } => {
            Outcome::Works("an empty call came as far as the check of what is in it".to_owned())
        }
        Answer::Denied { code, message } if code == UNSET => trouble(Kind::Region, message),
        Answer::Denied { code, message } if code.to_ascii_lowercase().starts_with("accessdenied") => {
            trouble(Kind::Denied, format!("{message}: allow {action} to the role that Weir has there"))
        }
        Answer::Denied { code, message }
            if ["UnrecognizedClient", "InvalidClientToken"].iter().any(|known| code.starts_with(known)) =>
        {
            trouble(Kind::Credentials, format!("{code}: {message}: check the credentials"))
        }
        Answer::Denied { code, message } => trouble(Kind::Missing, format!("{code}: {message}: {mend}")),
        Answer::Unavailable { code, message, .. } => trouble(
            Kind::Unreachable,
            format!("{code}: {message}: check the credentials, the network and the address of the service"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_to_mend() {
        let of = |code| match read("events:PutEvents", Answer::of_error(code, "m"), "make it") {
            Outcome::Works(seen) | Outcome::Doubtful(seen) => format!("works: {seen}"),
            Outcome::Fails(trouble) => trouble.to_string(),
            Outcome::Untried(why) => why.to_owned(),
        };
        assert_eq!(of("ValidationException"), "works: an empty call came as far as the check of what is in it");
        assert_eq!(of("InvalidAccessException"), "InvalidAccessException: m: make it");
        assert_eq!(of("AccessDeniedException"), "m: allow events:PutEvents to the role that Weir has there");
        assert_eq!(of("UnrecognizedClientException"), "UnrecognizedClientException: m: check the credentials");
        let unset = Answer::Denied { code: UNSET.to_owned(), message: "no Region is set".to_owned() };
        let Outcome::Fails(trouble) = read("events:PutEvents", unset, "make it") else { panic!() };
        assert_eq!(trouble.to_string(), "no Region is set");
        assert_eq!(
            of("unreachable"),
            "unreachable: m: check the credentials, the network and the address of the service"
        );
    }
}
