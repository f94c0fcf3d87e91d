//! A bucket or queue that is to be read → which of the permissions for it are there, found without changing anything.

use super::Settings;
use super::bucket::Buckets;
use super::queue::{Address as QueueAddress, Attributes, Queue};
use crate::aws::tried::{NOT_WITHOUT_DOING_IT, Outcome, Tried};
use crate::aws::{Aws, Kind, Trouble};
use crate::source::plan::Address;

/// Lists a page of the prefix and begins to read its first object.
pub async fn prefix(address: &Address, settings: &Settings, aws: &Aws) -> Vec<Tried> {
    let (list, get) = ("s3:ListBucket", "s3:GetObject");
    let opened = Buckets::new(&aws.assuming(settings.assume_role.as_ref())).await;
    let buckets = match opened {
        Ok(buckets) => buckets,
        Err(trouble) => return vec![Tried::new(address, list, Outcome::Fails(trouble))],
    };
    let page = match buckets.list(&address.bucket, &address.prefix, None, None).await {
        Ok(page) => page,
        Err(trouble) => return vec![Tried::new(address, list, Outcome::Fails(trouble))],
    };
    let objects = page.contents();
    let listed = match (objects.len(), page.is_truncated()) {
        (0, _) => Outcome::Doubtful("there is no object under this prefix".to_owned()),
        (1, _) => Outcome::Works("one object".to_owned()),
        (count, Some(true)) => Outcome::Works(format!("more than {count} objects")),
        (count, _) => Outcome::Works(format!("{count} objects")),
    };
    let first = objects.iter().find(|object| object.size().unwrap_or(0) > 0).and_then(|object| object.key());
    let got = match first {
        None => Outcome::Untried("there is no object to try it on"),
        Some(key) => match buckets.get(&address.bucket, key, None).await {
            Ok(_) => Outcome::Works("the first object can be read, and decrypted where it is encrypted".to_owned()),
            Err(trouble) if trouble.code.as_deref() == Some("InvalidObjectState") => {
                Outcome::Doubtful(format!("the first object cannot be read: {trouble}"))
            }
            Err(trouble) => Outcome::Fails(trouble),
        },
    };
    vec![Tried::new(address, list, listed), Tried::new(address, get, got)]
}

/// Asks the queue about itself, and for what it must refuse.
pub async fn queue(address: &QueueAddress, settings: &Settings, aws: &Aws) -> Vec<Tried> {
    let queue = match Queue::find(&aws.assuming(settings.assume_role.as_ref()), address).await {
        Ok(queue) => queue,
        Err(trouble) => return vec![Tried::new(address, "sqs:GetQueueUrl", Outcome::Fails(trouble))],
    };
    let (attributes, senders) = match queue.attributes().await {
        Ok(Attributes { redrives, waiting, senders }) => (redriven(redrives, waiting), Some(filled(&senders))),
        // it is read all the same
        Err(trouble) if trouble.kind == Kind::Denied => (Outcome::Doubtful(trouble.to_string()), None),
        Err(trouble) => return vec![Tried::new(address, "sqs:GetQueueAttributes", Outcome::Fails(trouble))],
    };
    let judged = |_: &()| "a receipt handle that is none was refused as such".to_owned();
    let (deleted, hidden): (Result<(), Trouble>, _) = futures::join!(queue.delete_nothing(), queue.hide_nothing());
    let senders = senders.map(|outcome| Tried::new(address, "sqs:SendMessage", outcome));
    let ours = [
        Tried::new(address, "sqs:GetQueueAttributes", attributes),
        Tried::of(address, "sqs:DeleteMessage", &deleted, judged),
        Tried::of(address, "sqs:ChangeMessageVisibility", &hidden, judged),
        Tried::new(address, "sqs:ReceiveMessage", Outcome::Untried(NOT_WITHOUT_DOING_IT)),
        Tried::new(
            address,
            "s3:GetObject",
            Outcome::Untried("cannot be tried before a notice names an object; give the bucket as s3:// to try it"),
        ),
    ];
    senders.into_iter().chain(ours).collect()
}

fn redriven(redrives: bool, waiting: u64) -> Outcome {
    match redrives {
        true => Outcome::Works(format!("about {waiting} notices wait")),
        false => Outcome::Doubtful(
            "the queue has no redrive policy: give it one, or notices that cannot be read come back until they expire"
                .to_owned(),
        ),
    }
}

/// Whether notices can come: no permission of ours, and without it a run waits and finds nothing, and says nothing.
fn filled(senders: &[String]) -> Outcome {
    match senders {
        [] => Outcome::Doubtful(
            "the queue's policy lets nobody send to it: no notice comes before it lets s3.amazonaws.com, events.amazonaws.com or \
             sns.amazonaws.com"
                .to_owned(),
        ),
        senders => Outcome::Works(format!("its policy lets {} send notices", senders.join(", "))),
    }
}
