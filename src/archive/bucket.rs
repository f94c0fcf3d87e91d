//! Files of an archive → objects of a bucket, in the same folders, by PutObject. It is for who has no disk that lasts; no
//! state names these objects, so their keys say whose rows they hold, and who writes the same rows again writes the same object.

use anyhow::{Context, bail};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use tokio::sync::OnceCell;

use super::{Archive, Object};
use crate::aws::{Aws, Kind, Trouble, written};

/// What the address of such an archive begins with.
pub const SCHEME: &str = "s3://";

/// `s3://BUCKET/PREFIX`, and the client for it, made with the first call.
#[derive(Debug)]
pub struct Bucket {
    bucket: String,
    /// Ends with a slash, or is empty.
    prefix: String,
    aws: Aws,
    client: OnceCell<Client>,
}

impl Bucket {
    /// # Errors
    /// When the address is none.
    pub fn new(address: &str, aws: Aws) -> anyhow::Result<Bucket> {
        let rest = address.strip_prefix(SCHEME).with_context(|| format!("`{address}` is no s3://BUCKET/PREFIX"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            bail!("`{address}` is no s3://BUCKET/PREFIX");
        }
        let prefix = prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        let (bucket, prefix) = (bucket.to_owned(), format!("{prefix}{slash}"));
        Ok(Bucket { bucket, prefix, aws, client: OnceCell::new() })
    }

    /// Where an object of the archive goes.
    pub fn name(&self, object: &Object) -> String {
        format!("{SCHEME}{}/{}{}", self.bucket, self.prefix, object.path)
    }

    /// Puts a file of `archive` that waits for its commit into the bucket, in place of one with its key. AWS's client tries
    /// four times.
    ///
    /// # Errors
    /// What S3 says, or that the file cannot be read.
    pub async fn put(&self, archive: &Archive, object: &Object) -> Result<(), Trouble> {
        let path = archive.dir().join(object.pending());
        let bytes = tokio::fs::read(&path).await;
        let bytes = bytes.map_err(|error| Trouble::new(Kind::Other, format!("reading {}: {error}", path.display())))?;
        let client = self.client.get_or_try_init(|| self.aws.s3()).await?;
        let owner = self.aws.expected_bucket_owner(&self.bucket);
        let put = client
            .put_object()
            .bucket(&self.bucket)
            .key(format!("{}{}", self.prefix, object.path))
            .content_type("application/vnd.apache.parquet")
            .set_expected_bucket_owner(owner.map(str::to_owned))
            .body(ByteStream::from(bytes));
        match put.send().await {
            Ok(answer) => written(answer.e_tag()),
            Err(error) => Err(Trouble::of_bucket("s3:PutObject", &error, owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws;

    #[test]
    fn an_address_is_a_bucket_and_a_prefix() {
        let object = Object { table: "t".into(), path: "t/day=x/a.parquet".into(), rows: 1, bytes: 1 };
        let name = |address: &str| {
            let bucket = Bucket::new(address, Aws::new(aws::Config::default())).map_err(|error| error.to_string())?;
            Ok(bucket.name(&object))
        };
        assert_eq!(name("s3://b/p/q/"), Ok("s3://b/p/q/t/day=x/a.parquet".to_owned()));
        assert_eq!(name("s3://b"), Ok("s3://b/t/day=x/a.parquet".to_owned()));
        for wrong in ["s3://", "s3:///p", "archive"] {
            assert_eq!(name(wrong), Err(format!("`{wrong}` is no s3://BUCKET/PREFIX")));
        }
    }
}
