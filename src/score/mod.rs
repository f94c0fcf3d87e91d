//! Streams of plain numbers → how odd each of them is, in one pass: what `weir score` measures part by part.

pub mod series;
