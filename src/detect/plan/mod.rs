//! A rule's text → its plan, or the place in the text and what is wrong there.

pub(super) mod planner;
pub(super) mod query;
mod framed;
pub(super) mod lowered;
pub(super) mod narrowed;
pub(super) mod words;
pub mod absent;
pub(super) mod item;
pub mod regex;
pub(super) mod needles;
pub(super) mod place;
pub mod mistakes;
mod instead;
