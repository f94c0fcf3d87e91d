//! What came of trying a call that a source or sink will need, without changing anything: `weir doctor` shows it.

use super::Trouble;

/// One permission on one thing.
#[derive(Debug)]
pub struct Tried {
    /// What it is needed on, such as `s3://trail/`.
    pub on: String,
    /// Such as `s3:GetObject`.
    pub action: &'static str,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    /// The call works, and this was seen.
    Works(String),
    /// The call works; what was seen will be trouble later.
    Doubtful(String),
    Fails(Trouble),
    /// Why the call was not made.
    Untried(&'static str),
}

/// The call changes something, so that it is not made to see whether it may be.
pub const NOT_WITHOUT_DOING_IT: &str = "cannot be tried without doing it";

impl Tried {
    pub fn new(on: impl ToString, action: &'static str, outcome: Outcome) -> Tried {
        Tried { on: on.to_string(), action, outcome }
    }

    /// What an answer says: `seen` tells what was seen when there was one.
    pub fn of<T>(
        on: impl ToString,
        action: &'static str,
        answer: &Result<T, Trouble>,
        seen: impl FnOnce(&T) -> String,
    ) -> Tried {
        let outcome = match answer {
            Ok(answer) => Outcome::Works(seen(answer)),
            Err(trouble) => Outcome::Fails(trouble.clone()),
        };
        Tried::new(on, action, outcome)
    }
}
