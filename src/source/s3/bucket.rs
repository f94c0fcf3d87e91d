//! Calls to S3, each to the Region that its bucket is in: one object or a part of it, one page of a listing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::{Region, StalledStreamProtectionConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use crate::aws::{Aws, Kind, Trouble};

/// The buckets of one source.
#[derive(Clone)]
pub(super) struct Buckets {
    aws: Aws,
    client: Client,
    /// Clients for buckets that S3 said are elsewhere.
    elsewhere: Arc<Mutex<HashMap<String, Client>>>,
}

impl Buckets {
    /// # Errors
    /// When no Region is set.
    pub async fn new(aws: &Aws) -> Result<Buckets, Trouble> {
        let client = aws.s3().await?;
        // `body` watches over its streams itself: one that waits because we are slow is no trouble
        let config = client.config().to_builder().stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Ok(Buckets { aws: aws.clone(), client: Client::from_conf(config.build()), elsewhere: Arc::default() })
    }

    /// One object; with `from` and the ETag it must still have, what is behind that many bytes.
    pub async fn get(&self, bucket: &str, key: &str, from: Option<(u64, &str)>) -> Result<GetObjectOutput, Trouble> {
        let owner = self.aws.expected_bucket_owner(bucket);
        let send = async |client: Client| {
            let call = client.get_object().bucket(bucket).key(key);
            let mut call = call.set_expected_bucket_owner(owner.map(str::to_owned));
            if let Some((start, etag)) = from {
                call = call.range(format!("bytes={start}-")).if_match(etag);
            }
            call.send().await
        };
        let mut answer = send(self.client(bucket)).await;
        if self.has_moved(bucket, &answer) {
            answer = send(self.client(bucket)).await;
        }
        answer.map_err(|error| of_object(Trouble::of_bucket("s3:GetObject", &error, owner)))
    }

    /// One page of what begins with `prefix`: of everything, or with a delimiter of what stands in that folder.
    pub async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, Trouble> {
        let owner = self.aws.expected_bucket_owner(bucket);
        let send = async |client: Client| {
            let call = client.list_objects_v2().bucket(bucket).prefix(prefix);
            let call = call.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token.clone());
            call.set_expected_bucket_owner(owner.map(str::to_owned)).send().await
        };
        let mut answer = send(self.client(bucket)).await;
        if self.has_moved(bucket, &answer) {
            answer = send(self.client(bucket)).await;
        }
        let page = answer.map_err(|error| Trouble::of_bucket("s3:ListBucket", &error, owner))?;
        is_whole(&page, token.as_deref()).map(|()| page)
    }

    fn client(&self, bucket: &str) -> Client {
        let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        elsewhere.get(bucket).unwrap_or(&self.client).clone()
    }

    /// Whether S3 says that the bucket is in another Region, which is asked from then on.
    fn has_moved<T, E>(&self, bucket: &str, answer: &Result<T, SdkError<E, HttpResponse>>) -> bool
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let Err(error) = answer else { return false };
        if Trouble::of("", error).kind != Kind::Region {
            return false;
        }
        let Some(region) = error.raw_response().and_then(|response| response.headers().get("x-amz-bucket-region"))
        else {
            return false;
        };
        let config = self.client.config().to_builder().region(Region::new(region.to_owned()));
        let client = Client::from_conf(config.build());
        let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        elsewhere.insert(bucket.to_owned(), client).is_none()
    }
}

/// Refuses a page that says of more than it lists, since the reader of XML takes one that was cut off for one that has ended, and one that is
/// said to be followed by itself.
fn is_whole(page: &ListObjectsV2Output, token: Option<&str>) -> Result<(), Trouble> {
    let listed = page.contents().len() + page.common_prefixes().len();
    let lacks_some = page.key_count().is_some_and(|count| usize::try_from(count).is_ok_and(|count| count > listed));
    let next = page.next_continuation_token();
    let lacks_next = page.is_truncated() == Some(true) && next.is_none();
    let why = match next.is_some() && next == token {
        true => "a listing that goes on with the page that it is at",
        false if lacks_some || lacks_next => "a page of the listing that is cut off",
        false => return Ok(()),
    };
    Err(Trouble::new(Kind::Unreachable, format!("{why}: check the network, proxies and `endpoint_url`")))
}

/// What a trouble means when it was about one object.
fn of_object(trouble: Trouble) -> Trouble {
    let code = trouble.code.clone().unwrap_or_default();
    let told = trouble.to_string();
    let why = match trouble.kind {
        _ if code.starts_with("KMS.") || (told.contains("kms:") && trouble.kind == Kind::Denied) => format!(
            "it is encrypted with a KMS key that cannot be used: {told}; allow kms:Decrypt on the key, in its policy too"
        ),
        _ if code == "InvalidObjectState" => {
            "it is archived (Glacier, Deep Archive or an archive tier): restore it, then read it again".to_owned()
        }
        _ if code == "PreconditionFailed" => "it was replaced while it was read".to_owned(),
        Kind::Missing if code == "NoSuchBucket" => "there is no such bucket".to_owned(),
        Kind::Missing => "there is no such object: it was deleted, or never there".to_owned(),
        // S3 does not tell a caller who may not list whether an object exists
        Kind::Denied if !told.contains("not authorized to perform") => {
            format!("{told}; without s3:ListBucket, S3 says the same of an object that is not there")
        }
        _ => return trouble,
    };
    trouble.told(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_goes_round_is_refused() {
        let page = ListObjectsV2Output::builder().is_truncated(true).next_continuation_token("b").build();
        assert!(is_whole(&page, None).is_ok() && is_whole(&page, Some("a")).is_ok());
        let trouble = is_whole(&page, Some("b")).unwrap_err();
        assert!(trouble.to_string().starts_with("a listing that goes on with the page"), "{trouble}");
        let last = ListObjectsV2Output::builder().is_truncated(true).key_count(0).build();
        assert!(
            is_whole(&last, Some("b")).unwrap_err().to_string().starts_with("a page of the listing that is cut off")
        );
    }
}
