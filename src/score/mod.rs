//! Streams that are no AWS log → how odd each line of them is, in one pass: what `weir score` measures part by part.

pub mod tail;
mod hash;
mod table;
mod when;
pub mod series;
pub mod edges;
pub mod alerts;
