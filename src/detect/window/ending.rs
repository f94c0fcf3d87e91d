//! The oldest pane, once it is over → the windows that are over with it.

use std::collections::BTreeSet;

use super::plan::{Window, Windowed};
use super::state::{Key, Windows};

impl Windows {
    /// The windows that no later pane is in, and that were not over with an earlier one: those whose condition may hold.
    ///
    /// Of windows that overlap, one may begin in a pane in which its key has no rows, and be over with that pane.
    pub fn ending(&self, rule: &Windowed, number: i64) -> Vec<Window> {
        if rule.span.session {
            return self.windows(rule, false, &self.of_pane(number));
        }
        let panes = rule.span.size / rule.span.slide;
        let from = number - panes + 1;
        let within = self.panes.range(number..number + panes);
        let keys: BTreeSet<&Key> = within.flat_map(|(_, pane)| pane.groups.keys()).collect();
        let mut windows = Vec::new();
        keys.into_iter().for_each(|key| self.beginning(rule, false, key, from, number, &mut windows));
        windows
    }
}
