//! The modules that read bytes, without the rest of the program (whose SQL engine would take an hour to build with
//! coverage), and what all targets do with them. The integration tests run the targets over their seeds.

#[path = "../../../src"]
mod src {
    pub mod caught;
    pub mod decode;
    pub mod logs;
    pub mod memory;
    pub mod metrics;
    pub mod table;
    pub mod time;
}
pub mod targets;

extern crate self as weir;
pub use src::{caught, decode, logs, memory, metrics, table, time};
