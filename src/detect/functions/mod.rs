//! What rules and analysts call beside DataFusion's own functions.

pub mod addresses;
mod json_walk;
mod texts;
pub(super) mod spans;
mod travel;
mod moment;
mod utc;
mod in_order;
pub(super) mod correlates;
pub(super) mod regularity;
pub mod percentile;
mod sliding;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

/// Every scalar function of ours.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let addresses = addresses::functions();
    let others = [texts::all(), spans::all(), travel::functions().into(), moment::functions(), utc::functions()];
    addresses.into_iter().chain(others.into_iter().flatten()).collect()
}
