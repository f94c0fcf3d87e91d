//! What Weir itself writes into buckets → whether an object is such a one.
//!
//! A queue may tell of a whole bucket, and so of these objects too. Read, a file of the archive would be rows once more, and these a file
//! that the queue tells of, without end; and each commit of a state in the bucket would be the reason for another.

use crate::archive::layout::Partition;
use crate::catalog;
use crate::time::Timestamp;

/// What a configuration has Weir write into buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own(Vec<(Kind, Place)>);

/// What it is, which says how keys go on behind the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Archive,
    Findings,
    State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    bucket: String,
    /// Ends with a slash, or is empty.
    prefix: String,
}

impl Own {
    /// Adds what is written to a bucket below a prefix, with or without slashes around it.
    #[must_use]
    pub fn with(mut self, kind: Kind, bucket: &str, prefix: &str) -> Own {
        let prefix = prefix.trim_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        self.0.push((kind, Place { bucket: bucket.to_owned(), prefix: format!("{prefix}{slash}") }));
        self
    }

    /// The same, named as `s3://BUCKET/PREFIX`; anything else is nowhere in a bucket.
    #[must_use]
    pub fn with_address(self, kind: Kind, address: &str) -> Own {
        let Some(rest) = address.strip_prefix("s3://") else { return self };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        self.with(kind, bucket, prefix)
    }

    /// Whether an object is one of these. What stands beside them, under the same prefix too, is not.
    pub fn has(&self, bucket: &str, key: &str) -> bool {
        self.0.iter().any(|(kind, place)| {
            place.bucket == bucket && key.strip_prefix(&place.prefix).is_some_and(|rest| kind.writes(rest))
        })
    }
}

impl Kind {
    /// Whether a key goes on so behind the prefix.
    fn writes(self, rest: &str) -> bool {
        let parts: Vec<&str> = rest.split('/').collect();
        match (self, parts.as_slice()) {
            (Kind::Archive, [table, account, region, day, file]) => {
                catalog::table(table).is_some_and(|known| known.name == *table)
                    && Partition::from_folders(account, region, day).is_some()
                    && file.ends_with(".parquet")
            }
            (Kind::Findings, [day, file]) => Timestamp::parse(day).is_some() && file.ends_with(".ndjson"),
            (Kind::State, [name]) => ["state.weir", "feedback.ndjson"].contains(name),
            (Kind::State, ["state.parts", _]) => true,
            (Kind::Archive | Kind::Findings | Kind::State, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weir_writes_is_its_own_and_what_stands_beside_it_is_not() {
        let own = Own::default()
            .with_address(Kind::Archive, "s3://logs/weir/")
            .with(Kind::Findings, "logs", "/weir/findings")
            .with_address(Kind::State, "s3://logs")
            .with_address(Kind::Archive, "none");
        let file = "cloudtrail/account=111122223333/region=eu-west-1/day=2024-08-01/20240801T120000-1-0.parquet";
        for key in [
            &format!("weir/{file}"),
            "weir/reject/account=unknown/region=unknown/day=unknown/a.parquet",
            "weir/findings/2024-08-01/000000000012-0-abc.ndjson",
            "state.weir",
            "feedback.ndjson",
            "state.parts/abc",
        ] {
            assert!(own.has("logs", key), "{key}");
            assert!(!own.has("others", key), "{key}");
        }
        for key in [
            file,
            "weir/AWSLogs/111122223333/vpcflowlogs/eu-west-1/2024/08/01/a.log.parquet",
            "weir/AWSLogs/aws-account-id=1/aws-service=vpcflowlogs/aws-region=x-1/year=2024/a.parquet",
            "weir/other/account=111122223333/region=eu-west-1/day=2024-08-01/a.parquet",
            "weir/findings/2024-08-01.ndjson",
            "weir/findings/2024-08-01/a.json.gz",
            "weir/findings/other/a.ndjson",
            "weir/state.weir",
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/a.json.gz",
        ] {
            assert!(!own.has("logs", key), "{key}");
        }
    }
}
