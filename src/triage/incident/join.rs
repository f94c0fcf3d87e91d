//! Findings with their entities → which of them belong together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entity::{Entity, Part};
use crate::finding::FindingId;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Microseconds without evidence after which what shares an entity no longer belongs together.
pub const IDLE_MICROS: i64 = 2 * MICROS_PER_HOUR;
/// The same where who acts was acted on before (a role assumed or opened, a user made or given a key), and for access keys:
/// what was made is used later.
pub const IDENTITY_MICROS: i64 = 24 * MICROS_PER_HOUR;
/// With more principals or more addresses than this an entity is a hub (an office's address, a role of everybody's, a
/// scanned host) and joins nothing. What is acted on does not count: that is how far an attack went.
pub const HUB_LINKS: usize = 20;

/// What joining asks of a finding.
pub struct Node {
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub id: FindingId,
    /// Evidence joins, and keeps an incident open. Noise is put to the evidence that it is nearest to, and joins nothing.
    pub is_evidence: bool,
    /// In order, each once.
    pub links: Vec<(Entity, Part)>,
}

/// Groups of places in `nodes`, which stand in the order of (time, id). Each group has evidence and is in order; noise
/// near no evidence is in none. The same for any order that the findings came in.
pub fn groups(nodes: &[Node]) -> Vec<Vec<usize>> {
    debug_assert!(nodes.is_sorted_by_key(|node| (node.first_seen, node.id)), "the order is part of the answer");
    let mut of_entity: BTreeMap<&Entity, Vec<(usize, Part)>> = BTreeMap::new();
    for (place, node) in nodes.iter().enumerate() {
        node.links.iter().for_each(|(entity, part)| of_entity.entry(entity).or_default().push((place, *part)));
    }
    let mut joined = Joined::new(nodes.len());
    let mut stretches: BTreeMap<&Entity, Vec<Stretch>> = BTreeMap::new();
    for (&entity, members) in &of_entity {
        for stretch in stretches_of(nodes, entity, members) {
            if stretch.is_hub(nodes, entity, members) {
                continue;
            }
            stretch.places.windows(2).for_each(|pair| joined.join(pair[0], pair[1]));
            stretches.entry(entity).or_default().push(stretch);
        }
    }
    for (place, node) in nodes.iter().enumerate().filter(|(_, node)| !node.is_evidence) {
        let near = node.links.iter().filter_map(|(entity, _)| stretches.get(entity)).flatten();
        let nearest = near.map(|stretch| (stretch.gap(node), stretch.places[0])).min();
        if let Some((_, with)) = nearest.filter(|(gap, _)| *gap <= IDLE_MICROS) {
            let root = joined.root(with);
            joined.parent[place] = root;
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..nodes.len() {
        groups.entry(joined.root(place)).or_default().push(place);
    }
    groups.into_values().filter(|group| group.iter().any(|&place| nodes[place].is_evidence)).collect()
}

/// Evidence on one entity that belongs together.
struct Stretch {
    first_seen: Timestamp,
    last_seen: Timestamp,
    /// In order, at least one.
    places: Vec<usize>,
}

impl Stretch {
    /// Microseconds from it to a finding before, in or after it.
    fn gap(&self, node: &Node) -> i64 {
        let before = self.first_seen.0.saturating_sub(node.last_seen.0);
        let after = node.first_seen.0.saturating_sub(self.last_seen.0);
        before.max(after).max(0)
    }

    /// Noise tells of hubs too.
    fn is_hub(&self, nodes: &[Node], entity: &Entity, members: &[(usize, Part)]) -> bool {
        let (mut principals, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        let here = |place: usize| match nodes[place].is_evidence {
            true => self.places.binary_search(&place).is_ok(),
            false => self.gap(&nodes[place]) <= IDLE_MICROS,
        };
        for &(place, _) in members.iter().filter(|(place, _)| here(*place)) {
            for (other, part) in nodes[place].links.iter().filter(|(other, _)| other != entity) {
                match (other, part) {
                    (Entity::Principal(..) | Entity::Session(_), Part::Acts) => drop(principals.insert(other)),
                    (Entity::Address(_), _) => drop(addresses.insert(other)),
                    _ => {}
                }
            }
        }
        principals.len() > HUB_LINKS || addresses.len() > HUB_LINKS
    }
}

/// The evidence among `members`, parted where nothing happened for too long.
fn stretches_of(nodes: &[Node], entity: &Entity, members: &[(usize, Part)]) -> Vec<Stretch> {
    // an address that somebody connected to is nothing that is handed on
    let is_identity = matches!(entity, Entity::Principal(..) | Entity::Session(_) | Entity::Key(_));
    let evidence: Vec<_> = members.iter().copied().filter(|(place, _)| nodes[*place].is_evidence).collect();
    let mut joined = Joined::new(evidence.len());
    // the latest end so far, and who has it
    let mut open: Option<(i64, usize)> = None;
    // of those that acted on the entity, or made the key: several, since they need not be joined to each other
    let mut granted: Vec<(i64, usize)> = Vec::new();
    for (index, &(place, part)) in evidence.iter().enumerate() {
        let (first, last) = (nodes[place].first_seen.0, nodes[place].last_seen.0);
        if let Some((end, with)) = open
            && first <= end.saturating_add(IDLE_MICROS)
        {
            joined.join(index, with);
        }
        if part != Part::ActedOn {
            granted.retain(|(end, _)| first <= end.saturating_add(IDENTITY_MICROS));
            granted.iter().for_each(|&(_, with)| joined.join(index, with));
            // they are one now, which the one that lasts longest stands for
            granted = granted.into_iter().max().into_iter().collect();
        }
        if part != Part::Acts && is_identity {
            granted.push((last, index));
        }
        if open.is_none_or(|(end, _)| last > end) {
            open = Some((last, index));
        }
    }
    let mut stretches: HashMap<usize, Stretch> = HashMap::new();
    for (index, &(place, _)) in evidence.iter().enumerate() {
        let (first_seen, last_seen) = (nodes[place].first_seen, nodes[place].last_seen);
        let stretch =
            stretches.entry(joined.root(index)).or_insert(Stretch { first_seen, last_seen, places: Vec::new() });
        stretch.last_seen = stretch.last_seen.max(last_seen);
        stretch.places.push(place);
    }
    let mut stretches: Vec<_> = stretches.into_values().collect();
    stretches.sort_by_key(|stretch| stretch.places[0]);
    stretches
}

/// Sets that are made one by one, each named by its smallest member.
struct Joined {
    parent: Vec<usize>,
}

impl Joined {
    fn new(count: usize) -> Joined {
        Joined { parent: (0..count).collect() }
    }

    fn root(&mut self, mut of: usize) -> usize {
        while self.parent[of] != of {
            self.parent[of] = self.parent[self.parent[of]];
            of = self.parent[of];
        }
        of
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = MICROS_PER_HOUR / 60;

    /// `minutes what`: evidence from one minute to another, `-` before it for noise; `what` are entities, a principal that
    /// acts as `eve`, one that is acted on as `>eve`, a thing as `#x`, an address as `@x` or `~x`, a key as `$x`.
    fn nodes(lines: &[(i64, i64, &str)]) -> Vec<Node> {
        let link = |text: &str| match text.split_at(1) {
            (">", name) => (Entity::Principal("1".into(), name.into()), Part::ActedOn),
            ("#", name) => (Entity::Thing("1".into(), name.into()), Part::ActedOn),
            ("@", name) => (Entity::Address(name.into()), Part::Acts),
            ("~", name) => (Entity::Address(name.into()), Part::ActedOn),
            ("$", name) => (Entity::Key(name.into()), Part::Either),
            _ => (Entity::Principal("1".into(), text.into()), Part::Acts),
        };
        let node = |(number, (from, to, what)): (usize, &(i64, i64, &str))| Node {
            first_seen: Timestamp(from * MINUTE),
            last_seen: Timestamp(to * MINUTE),
            id: FindingId([number as u8; 16]),
            is_evidence: !what.starts_with("- "),
            links: what.trim_start_matches("- ").split(' ').map(link).collect(),
        };
        lines.iter().enumerate().map(node).collect()
    }

    fn check(lines: &[(i64, i64, &str)], expected: &[&[usize]]) {
        assert_eq!(groups(&nodes(lines)), expected, "{lines:?}");
    }

    #[test]
    fn what_shares_an_entity_within_two_hours_belongs_together() {
        check(&[(0, 0, "eve"), (120, 120, "eve")], &[&[0, 1]]);
        check(&[(0, 0, "eve"), (121, 121, "eve")], &[&[0], &[1]]);
        check(&[(0, 60, "eve"), (180, 180, "eve")], &[&[0, 1]]);
        check(&[(0, 0, "eve"), (1, 1, "bob")], &[&[0], &[1]]);
        check(&[(0, 0, "eve @a"), (1, 1, "bob @a"), (2, 2, "bob #x"), (3, 3, "tom #x")], &[&[0, 1, 2, 3]]);
    }

    #[test]
    fn a_long_finding_holds_open_what_began_in_it() {
        check(&[(0, 600, "eve"), (5, 5, "eve"), (700, 700, "eve")], &[&[0, 1, 2]]);
    }

    #[test]
    fn a_session_belongs_to_who_assumed_its_role() {
        // eve takes a role, and a day later the role acts
        check(&[(0, 0, "eve >admin"), (1440, 1440, "admin #x")], &[&[0, 1]]);
        check(&[(0, 0, "eve >admin"), (1441, 1441, "admin #x")], &[&[0], &[1]]);
        // and on from there
        check(&[(0, 0, "eve >admin"), (600, 600, "admin >ops"), (1200, 1200, "ops #x")], &[&[0, 1, 2]]);
        // two who had acted on it, hours apart: either may be whose acts these are
        check(&[(0, 0, "eve >admin"), (300, 300, "bob >admin"), (900, 900, "admin")], &[&[0, 1, 2]]);
        // but what the role did before is not theirs, and to act on the same is not to be the same
        check(&[(0, 0, "admin #x"), (300, 300, "eve >admin")], &[&[0], &[1]]);
        check(&[(0, 0, "eve >admin"), (300, 300, "bob >admin")], &[&[0], &[1]]);
        check(&[(0, 0, "eve ~a"), (300, 300, "bob @a")], &[&[0], &[1]]);
    }

    #[test]
    fn a_key_is_used_within_a_day() {
        check(&[(0, 0, "eve $k"), (1440, 1440, "bob $k")], &[&[0, 1]]);
        check(&[(0, 0, "eve $k"), (1441, 1441, "bob $k")], &[&[0], &[1]]);
    }

    #[test]
    fn a_hub_joins_nothing() {
        let names: Vec<String> = (0..=HUB_LINKS).map(|n| format!("user{n} @office")).collect();
        let lines: Vec<_> = names.iter().enumerate().map(|(n, what)| (n as i64, n as i64, &**what)).collect();
        assert_eq!(groups(&nodes(&lines[..HUB_LINKS])).len(), 1, "twenty share an address");
        assert_eq!(groups(&nodes(&lines)).len(), HUB_LINKS + 1, "twenty-one do not");
        // the same where the others are noise, and are in no incident then
        let noise: Vec<String> = names.iter().map(|what| format!("- {what}")).collect();
        let mut lines: Vec<_> = noise.iter().map(|what| (0, 0, &**what)).collect();
        lines.extend([(1, 1, "eve @office"), (2, 2, "bob @office")]);
        assert_eq!(groups(&nodes(&lines)), [[HUB_LINKS + 1], [HUB_LINKS + 2]]);
    }

    #[test]
    fn one_who_acts_on_many_things_is_no_hub() {
        let names: Vec<String> = (0..50).map(|n| format!("eve #bucket{n}")).collect();
        let lines: Vec<_> = names.iter().map(|what| (0, 0, &**what)).collect();
        assert_eq!(groups(&nodes(&lines)).len(), 1);
    }

    #[test]
    fn noise_is_put_to_evidence_and_keeps_nothing_open() {
        let lines = [
            (0, 0, "eve"),
            (60, 60, "- eve"),
            (100, 100, "- eve"),
            (150, 150, "- eve"),
            (200, 200, "eve"),
            (900, 900, "- eve"),
        ];
        check(&lines, &[&[0, 1, 2], &[3, 4]]);
        // a day of it neither
        check(&[(0, 1440, "- eve"), (100, 100, "eve"), (400, 400, "eve")], &[&[0, 1], &[2]]);
        check(&[(0, 0, "- eve"), (1, 1, "- eve")], &[]);
    }
}
