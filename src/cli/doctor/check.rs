//! One line of the report.

use crate::aws::calls;
use crate::aws::tried::{Outcome, Tried};
use crate::aws::{Kind, Trouble};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// A run works, and something about it should be mended.
    Warning,
    /// A run would not do what the configuration says.
    Failed,
    /// Only a run can tell.
    Untried,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "failed",
            Status::Untried => "untried",
        }
    }
}

#[derive(Debug)]
pub struct Check {
    /// What was checked, such as `s3:GetObject on s3://trail/`.
    pub name: String,
    pub status: Status,
    /// What was seen, or what is wrong and how to mend it.
    pub says: String,
}

impl Check {
    pub fn new(name: impl Into<String>, status: Status, says: impl Into<String>) -> Check {
        Check { name: name.into(), status, says: says.into() }
    }

    pub fn ok(name: impl Into<String>, says: impl Into<String>) -> Check {
        Check::new(name, Status::Ok, says)
    }

    pub fn failed(name: impl Into<String>, says: impl Into<String>) -> Check {
        Check::new(name, Status::Failed, says)
    }
}

impl From<Tried> for Check {
    fn from(tried: Tried) -> Check {
        let Tried { on, action, outcome } = tried;
        let (status, says) = match outcome {
            Outcome::Works(seen) => (Status::Ok, seen),
            Outcome::Doubtful(seen) => (Status::Warning, seen),
            Outcome::Fails(trouble) => (Status::Failed, with_policy(action, &trouble)),
            Outcome::Untried(why) => (Status::Untried, why.to_owned()),
        };
        Check::new(format!("{action} on {on}"), status, says)
    }
}

/// What went wrong, and where a policy that allows it is to be found.
fn with_policy(action: &str, trouble: &Trouble) -> String {
    let policies: Vec<String> = calls::policies(action).map(|file| format!("deploy/iam/{file}")).collect();
    match trouble.kind {
        Kind::Denied if !policies.is_empty() => format!("{trouble}; {} allows it", policies.join(" or ")),
        _ => trouble.to_string(),
    }
}
