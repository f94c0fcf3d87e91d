//! Rules over windows: rows are added up by key and pane, and a finding is made of each window whose condition holds.
//!
//! A *pane* is a stretch of time as long as the distance between windows; a window is one or more panes. What a group
//! knows can be added up in any order, so a finding depends neither on how rows were cut into batches nor on their order,
//! as long as none comes after its pane has left. A rule whose condition more rows cannot make false fires at once and
//! again with every row; any other fires when its windows are over. A session is as many panes as it takes; a frame that slides with its rows
//! is panes and moments ([`frame`]). What a rule with `first_seen` has seen of a key is kept for
//! longer than its rows, as a bit for each pane; what a rule that scores its windows has learnt of them is in [`score`].

pub mod bytes;
pub mod smallest;
mod ends;
pub mod text;
pub mod part;
pub mod chain;
pub mod nested;
pub mod times;
pub mod spread;
mod group;
mod rising;
mod asked;
pub mod columns;
pub mod aggregate;
pub mod plan;
mod stretches;
pub mod log;
pub mod seen;
pub mod score;
pub mod gather;
pub mod state;
mod saved;
mod session;
pub mod frame;
mod ending;
pub mod fire;

#[cfg(test)]
pub mod tests;
#[cfg(test)]
mod first_seen_tests;
#[cfg(test)]
mod scored_tests;
#[cfg(test)]
mod frame_tests;
#[cfg(test)]
mod slow_tests;
#[cfg(test)]
mod replayed_tests;
#[cfg(test)]
mod by_day_tests;
