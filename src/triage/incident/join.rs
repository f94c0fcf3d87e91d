//! Findings with their entities → which of them belong together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::entity::{Entity, Part};
use crate::finding::FindingId;
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// Microseconds without evidence after which what shares an entity no longer belongs together.
pub const IDLE_MICROS: i64 = 2 * MICROS_PER_HOUR;
/// The same where who acts was acted on before (a role assumed or opened, a user made or given a key), or was assumed by who acted
/// before, and for access keys: what was made is used later.
const IDENTITY_MICROS: i64 = 24 * MICROS_PER_HOUR;
/// With more principals or more addresses than this an entity is a hub (a role of everybody's, a scanned host) and joins
/// nothing. What is acted on does not count: that is how far an attack went.
pub const HUB_LINKS: usize = 20;
/// An entity joins from this [`weight`] on: with five others that act with it or on it, and not with six, as an office's address is by three
/// attacks, or the role of a pipeline. From how many addresses it is used does not count here: one who acts through a proxy is one.
/// `independent_attacks_through_one_address_stay_apart` has the numbers that it was chosen by.
pub const JOINS_FROM: f64 = 0.35;

/// A finding of more who act than this, on several things, is folded of what each did to some of them: it joins by none of these.
/// Over the findings of fifty organizations a limit of one and one of five each made an incident of honest work, and this none.
const MIXED_ACTORS: usize = 3;

/// How much it says that two findings share an entity, by the number of others that go with it: all where there is none, half with two.
pub fn weight(degree: usize) -> f64 {
    1.0 / (2.0 + degree as f64).log2()
}

/// What joining asks of a finding.
pub struct Node {
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub id: FindingId,
    /// Evidence joins, and keeps an incident open. Noise is put to the evidence that it is nearest to, and joins nothing.
    pub is_evidence: bool,
    /// Of medium severity or above. What is less does not join by what it was done to: honest people read the secret that a thief reads.
    pub is_firm: bool,
    /// In order, each once.
    pub links: Vec<(Entity, Part)>,
}

impl Node {
    /// Whether it joins with others that share this entity.
    fn joins_by(&self, entity: &Entity) -> bool {
        self.is_evidence && (!matches!(entity, Entity::Thing(..)) || self.is_firm && !self.is_mixed())
    }

    fn things(&self) -> usize {
        self.links.iter().filter(|(entity, _)| matches!(entity, Entity::Thing(..))).count()
    }

    /// Whether it does not say who of those who act did it to which of the things.
    fn is_mixed(&self) -> bool {
        self.things() > 1 && self.actors().len() > MIXED_ACTORS
    }

    /// Those who act, each once: one who assumed a role and what the role did then are one who acts, as a session stands for its role.
    fn actors(&self) -> Vec<&Entity> {
        let of = |part: Part, is: fn(&Entity) -> bool| -> Vec<&Entity> {
            self.links.iter().filter(|(entity, of)| *of == part && is(entity)).map(|(entity, _)| entity).collect()
        };
        let is_session = |entity: &Entity| matches!(entity, Entity::Session(_));
        let is_principal = |entity: &Entity| matches!(entity, Entity::Principal(..));
        // at the beginning of a chain of roles stands who is none
        let is_no_role = |entity: &Entity| matches!(entity, Entity::Principal(_, name) if !name.starts_with("role/"));
        let answers = [
            of(Part::Assumed, is_no_role),
            of(Part::Assumed, is_session),
            of(Part::Acts, is_session),
            of(Part::Acts, is_principal),
        ];
        answers.into_iter().find(|actors| !actors.is_empty()).unwrap_or_default()
    }
}

/// Groups of places in `nodes`, which stand in the order of (time, id). Each group has evidence and is in order; noise
/// near no evidence is in none. The same for any order that the findings came in.
pub fn groups(nodes: &[Node]) -> Vec<Vec<usize>> {
    groups_from(nodes, JOINS_FROM)
}

/// The same, where what is shared joins from another weight on.
fn groups_from(nodes: &[Node], joins_from: f64) -> Vec<Vec<usize>> {
    debug_assert!(nodes.is_sorted_by_key(|node| (node.first_seen, node.id)), "the order is part of the answer");
    let mut of_entity: BTreeMap<&Entity, Vec<(usize, Part)>> = BTreeMap::new();
    for (place, node) in nodes.iter().enumerate() {
        node.links.iter().for_each(|(entity, part)| of_entity.entry(entity).or_default().push((place, *part)));
    }
    let mut joined = Joined::new(nodes.len());
    let mut of_evidence: BTreeMap<&Entity, (Vec<Stretch>, Spans)> = BTreeMap::new();
    for (&entity, members) in &of_entity {
        let noise = members.iter().map(|(place, _)| *place).filter(|place| !nodes[*place].joins_by(entity)).collect();
        let noise = Noise::of(nodes, noise);
        let mut joining = stretches_of(nodes, entity, members);
        joining.retain(|stretch| {
            let shared = stretch.shared(nodes, entity, &noise);
            !shared.is_hub() && weight(shared.principals) >= joins_from
        });
        for stretch in &joining {
            stretch.places.windows(2).for_each(|pair| joined.join(pair[0], pair[1]));
        }
        let spans = Spans::of(joining.iter().map(|stretch| (stretch.first_seen.0, stretch.last_seen.0)));
        of_evidence.insert(entity, (joining, spans));
    }
    for (place, node) in nodes.iter().enumerate().filter(|(_, node)| !node.is_evidence) {
        let of = node.links.iter().filter_map(|(entity, _)| of_evidence.get(entity));
        let near = of.flat_map(|(stretches, spans)| &stretches[spans.near(node.first_seen.0, node.last_seen.0)]);
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

/// Spans of time in the order of their beginnings: those near another are found without a look at all of them.
struct Spans {
    firsts: Vec<i64>,
    /// The latest end up to each.
    lasts: Vec<i64>,
}

impl Spans {
    fn of(spans: impl Iterator<Item = (i64, i64)>) -> Spans {
        let mut latest = i64::MIN;
        let until = |(first, last): (i64, i64)| {
            latest = latest.max(last);
            (first, latest)
        };
        let (firsts, lasts) = spans.map(until).unzip();
        Spans { firsts, lasts }
    }

    /// Places among which are all that are [`IDLE_MICROS`] from a span, or less; few others where spans are short.
    fn near(&self, first: i64, last: i64) -> Range<usize> {
        let to = self.firsts.partition_point(|begins| *begins <= last.saturating_add(IDLE_MICROS));
        let from = self.lasts.partition_point(|ends| *ends < first.saturating_sub(IDLE_MICROS));
        from.min(to)..to
    }
}

/// What is found of one entity and does not join by it.
struct Noise {
    places: Vec<usize>,
    spans: Spans,
}

impl Noise {
    fn of(nodes: &[Node], places: Vec<usize>) -> Noise {
        let spans = Spans::of(places.iter().map(|place| (nodes[*place].first_seen.0, nodes[*place].last_seen.0)));
        Noise { places, spans }
    }
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

    /// Who and what goes with the entity. Noise tells of hubs too.
    fn shared(&self, nodes: &[Node], entity: &Entity, noise: &Noise) -> Shared {
        let (mut principals, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        let near = &noise.places[noise.spans.near(self.first_seen.0, self.last_seen.0)];
        let near = near.iter().filter(|place| self.gap(&nodes[**place]) <= IDLE_MICROS);
        for &place in self.places.iter().chain(near) {
            let node = &nodes[place];
            let actors = node.actors();
            // a week of nine people's work on ten machines makes each of these no machine of nine
            let is_shared_out = matches!(entity, Entity::Thing(..)) && node.is_mixed();
            let share = if is_shared_out { actors.len().div_ceil(node.things()) } else { actors.len() };
            principals.extend(actors.into_iter().filter(|actor| *actor != entity).take(share));
            let addresses_of = node.links.iter().map(|(other, _)| other).filter(|other| *other != entity);
            addresses.extend(addresses_of.filter(|other| matches!(other, Entity::Address(_))));
        }
        Shared { principals: principals.len(), addresses: addresses.len() }
    }
}

/// How many others go with an entity.
struct Shared {
    /// Those that act with it, through it or on it; of a role's sessions each one.
    principals: usize,
    addresses: usize,
}

impl Shared {
    fn is_hub(&self) -> bool {
        self.principals > HUB_LINKS || self.addresses > HUB_LINKS
    }
}

/// What joins by the entity among `members`, parted where nothing happened for too long.
fn stretches_of(nodes: &[Node], entity: &Entity, members: &[(usize, Part)]) -> Vec<Stretch> {
    // an address that somebody connected to is nothing that is handed on
    let is_identity = matches!(entity, Entity::Principal(..) | Entity::Session(_) | Entity::Key(_));
    let evidence: Vec<_> = members.iter().copied().filter(|(place, _)| nodes[*place].joins_by(entity)).collect();
    let mut joined = Joined::new(evidence.len());
    // the latest end so far, and who has it
    let mut open: Option<(i64, usize)> = None;
    // of those that acted on the entity, or made the key: several, since they need not be joined to each other
    let mut granted: Vec<(i64, usize)> = Vec::new();
    // what the entity did itself, one of each that are joined: roles that it assumed then may act later
    let mut own: Vec<(i64, usize)> = Vec::new();
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
        if part == Part::Assumed {
            own.retain(|(end, _)| first <= end.saturating_add(IDENTITY_MICROS));
            own.iter().for_each(|&(_, with)| joined.join(index, with));
            own = own.into_iter().max().into_iter().collect();
        }
        if matches!(part, Part::ActedOn | Part::Either) && is_identity {
            granted.push((last, index));
        }
        if part == Part::Acts && is_identity {
            match own.last_mut() {
                Some(before) if first <= before.0.saturating_add(IDLE_MICROS) => *before = (*before).max((last, index)),
                Some(_) | None => own.push((last, index)),
            }
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

    /// `minutes what`: evidence from one minute to another, `-` before it for noise, `?` for what is low; `what` are entities, a principal that
    /// acts as `eve`, one that is acted on as `>eve`, one that assumed the role as `<eve`, a thing as `#x`, an address as `@x` or `~x`, a
    /// session as `%x` (`=x` where it assumed the role), a key as `$x`.
    fn nodes(lines: &[(i64, i64, &str)]) -> Vec<Node> {
        let link = |text: &str| match text.split_at(1) {
            (">", name) => (Entity::Principal("1".into(), name.into()), Part::ActedOn),
            ("<", name) => (Entity::Principal("1".into(), name.into()), Part::Assumed),
            ("=", name) => (Entity::Session(name.into()), Part::Assumed),
            ("#", name) => (Entity::Thing("1".into(), name.into()), Part::ActedOn),
            ("@", name) => (Entity::Address(name.into()), Part::Acts),
            ("~", name) => (Entity::Address(name.into()), Part::ActedOn),
            ("%", name) => (Entity::Session(name.into()), Part::Acts),
            ("$", name) => (Entity::Key(name.into()), Part::Either),
            _ => (Entity::Principal("1".into(), text.into()), Part::Acts),
        };
        let node = |(number, (from, to, what)): (usize, &(i64, i64, &str))| Node {
            first_seen: Timestamp(from * MINUTE),
            last_seen: Timestamp(to * MINUTE),
            id: FindingId([number as u8; 16]),
            is_evidence: !what.starts_with("- "),
            is_firm: !what.starts_with("? "),
            links: what.trim_start_matches(['-', '?', ' ']).split(' ').map(link).collect(),
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
    fn what_is_low_joins_by_who_acts_and_not_by_what_it_was_done_to() {
        check(&[(0, 0, "eve #secret"), (1, 1, "? hana #secret")], &[&[0], &[1]]);
        check(&[(0, 0, "eve #secret"), (1, 1, "? eve #other")], &[&[0, 1]]);
        check(&[(0, 0, "? eve >admin"), (1, 1, "admin #x")], &[&[0, 1]]);
        // it tells of hubs all the same
        let names: Vec<String> = (0..6).map(|n| format!("? user{n} #secret")).collect();
        let mut lines: Vec<_> = names.iter().map(|what| (0, 0, &**what)).collect();
        lines.extend([(1, 1, "eve #secret"), (2, 2, "bob #secret")]);
        assert_eq!(groups(&nodes(&lines)).len(), 8);
        assert_eq!(groups(&nodes(&lines[6..])).len(), 1);
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
    fn what_a_role_does_belongs_to_the_acts_of_who_assumed_it_for_a_day() {
        check(&[(0, 0, "eve #x"), (1440, 1440, "admin <eve")], &[&[0, 1]]);
        check(&[(0, 0, "eve #x"), (1441, 1441, "admin <eve")], &[&[0], &[1]]);
        // acts hours apart: the role may have been assumed in either
        check(
            &[(0, 0, "eve #x"), (60, 60, "eve #y"), (400, 400, "eve #z"), (900, 900, "admin <eve")],
            &[&[0, 1, 2, 3]],
        );
        // but not to what is done later, nor do two roles' acts hold each other for longer than others
        check(&[(0, 0, "admin <eve"), (300, 300, "eve #x")], &[&[0], &[1]]);
        check(&[(0, 0, "admin <eve"), (300, 300, "ops <eve")], &[&[0], &[1]]);
    }

    #[test]
    fn a_key_is_used_within_a_day() {
        check(&[(0, 0, "eve $k"), (1440, 1440, "bob $k")], &[&[0, 1]]);
        check(&[(0, 0, "eve $k"), (1441, 1441, "bob $k")], &[&[0], &[1]]);
    }

    #[test]
    fn an_address_of_many_joins_nothing() {
        let names: Vec<String> = (0..6).map(|n| format!("user{n} @office")).collect();
        let lines: Vec<_> = names.iter().enumerate().map(|(n, what)| (n as i64, n as i64, &**what)).collect();
        assert_eq!(groups(&nodes(&lines[..5])).len(), 1, "five share an address");
        assert_eq!(groups(&nodes(&lines)).len(), 6, "six do not");
        // the same where the others are noise, and are in no incident then
        let noise: Vec<String> = names.iter().map(|what| format!("- {what}")).collect();
        let mut lines: Vec<_> = noise.iter().map(|what| (0, 0, &**what)).collect();
        lines.extend([(1, 1, "eve @office"), (2, 2, "bob @office")]);
        assert_eq!(groups(&nodes(&lines)), [[6], [7]]);
    }

    #[test]
    fn what_many_did_to_several_things_joins_by_none_and_makes_none_a_hub() {
        fn beside(folded: &str, expected: &[&[usize]]) {
            check(&[(0, 900, folded), (500, 500, "eve #i0"), (512, 512, "role/web #i0")], expected);
        }
        let by_on = |people: usize, things: usize| {
            let people = (0..people).map(|n| format!("user{n}"));
            people.chain((0..things).map(|n| format!("#i{n}"))).collect::<Vec<_>>().join(" ")
        };
        beside(&by_on(9, 10), &[&[0], &[1, 2]]);
        // who acted on what is known of one thing, and nearly so of few people
        beside(&by_on(9, 1), &[&[0], &[1], &[2]]);
        beside(&by_on(4, 2), &[&[0], &[1, 2]]);
        beside(&by_on(3, 2), &[&[0, 1, 2]]);
        // of many it is a hub all the same
        beside(&by_on(20, 2), &[&[0], &[1], &[2]]);
    }

    #[test]
    fn a_role_of_many_sessions_joins_nothing_and_each_session_does() {
        let names: Vec<String> = (0..6).map(|n| format!("ci %s{n}")).collect();
        let lines: Vec<_> = names.iter().chain(&names).map(|what| (0, 0, &**what)).collect();
        assert_eq!(groups(&nodes(&lines)), [[0, 6], [1, 7], [2, 8], [3, 9], [4, 10], [5, 11]]);
    }

    #[test]
    fn one_who_assumed_many_roles_is_one() {
        let together = |names: &[String]| {
            let lines: Vec<_> = names.iter().map(|what| (0, 0, &**what)).collect();
            groups(&nodes(&lines)).len()
        };
        let roles = |of: &dyn Fn(usize) -> String| (0..9).map(of).collect::<Vec<_>>();
        let mut names = roles(&|n| format!("role/r{n} <eve @a"));
        names.push("eve @a".into());
        assert_eq!(together(&names), 1, "through one address");
        let mut names = roles(&|n| format!("role/r{n} <eve @a{n}"));
        names.extend(["eve @b", "eve @c"].map(str::to_owned));
        assert_eq!(together(&names), 1, "each through another");
        assert_eq!(together(&roles(&|n| format!("role/r{n} <role/web =i-0 @a{n}"))), 1, "one session, too");
        assert_eq!(together(&roles(&|n| format!("role/r{n} <role/web =i-{n} @a{n}"))), 9, "of a role each session");
        assert_eq!(together(&roles(&|n| format!("role/r{n} <role/web =i-{n} <eve @a{n}"))), 1, "who began the chain");
        // the role of many, and the address of many
        assert_eq!(together(&roles(&|n| format!("role/ci <user{n}"))), 9);
        assert_eq!(together(&roles(&|n| format!("role/r{n} <user{n} @nat"))), 9);
    }

    #[test]
    fn one_who_acts_from_twenty_addresses_is_one() {
        let names: Vec<String> = (0..=HUB_LINKS).map(|n| format!("eve @a{n}")).collect();
        let lines: Vec<_> = names.iter().map(|what| (0, 0, &**what)).collect();
        assert_eq!(groups(&nodes(&lines[..HUB_LINKS])).len(), 1, "a proxy's");
        assert_eq!(groups(&nodes(&lines)).len(), HUB_LINKS + 1, "one more are everybody's");
    }

    #[test]
    fn what_is_shared_weighs_less_the_more_share_it() {
        assert_eq!((weight(0), weight(2), weight(14)), (1.0, 0.5, 0.25));
        assert!(weight(5) >= JOINS_FROM && weight(6) < JOINS_FROM);
    }

    #[test]
    fn one_who_acts_on_many_things_is_no_hub() {
        let names: Vec<String> = (0..50).map(|n| format!("eve #bucket{n}")).collect();
        let lines: Vec<_> = names.iter().map(|what| (0, 0, &**what)).collect();
        assert_eq!(groups(&nodes(&lines)).len(), 1);
    }

    #[test]
    fn of_many_stretches_those_near_are_looked_at() {
        let spans = Spans::of((0..10_000).map(|n| (n * 180 * MINUTE, n * 180 * MINUTE)));
        assert_eq!(spans.near(900 * MINUTE, 900 * MINUTE), 5..6);
        assert_eq!(spans.near(910 * MINUTE, 1_000 * MINUTE), 5..7);
        assert_eq!(spans.near(-900 * MINUTE, -800 * MINUTE), 0..0);
        // one that lasts is near to all that come while it does
        let spans = Spans::of([(0, 5_000), (1, 1), (2_000, 2_000)].map(|(a, b)| (a * MINUTE, b * MINUTE)).into_iter());
        assert_eq!(spans.near(1_000 * MINUTE, 1_000 * MINUTE), 0..2);
        assert_eq!(spans.near(9_000 * MINUTE, 9_000 * MINUTE), 3..3);
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

    /// Pairs of findings that are of one attack, and how many of the pairs that are in one group are, in percent: recall and precision.
    fn pairs(groups: &[Vec<usize>], attack_of: &[usize]) -> (usize, usize) {
        let (mut right, mut told, mut there) = (0, 0, 0);
        let mut group_of = vec![usize::MAX; attack_of.len()];
        groups.iter().enumerate().for_each(|(group, places)| places.iter().for_each(|place| group_of[*place] = group));
        for a in 0..attack_of.len() {
            for b in 0..a {
                let (is_told, is_there) = (group_of[a] == group_of[b], attack_of[a] == attack_of[b]);
                told += usize::from(is_told);
                there += usize::from(is_there);
                right += usize::from(is_told && is_there);
            }
        }
        (100 * right / there, 100 * right / told)
    }

    /// Attacks within two hours. Most are each by a user of its own from the address that all of these share: two to four findings of the
    /// user, a session of the role that all of them take, what the session did, and a user that it made. One more is by four users whose
    /// keys were stolen, with only the thief's address in common. `seed` chooses times and numbers.
    fn mixture(attacks: usize, seed: u64) -> (Vec<Node>, Vec<usize>) {
        let mut state = seed;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut lines: Vec<(i64, String, usize)> = Vec::new();
        for attack in 0..attacks {
            let start = next(90) as i64;
            for step in 0..2 + next(3) {
                lines.push((start + step as i64, format!("user{attack} @nat #bucket{attack}"), attack));
            }
            lines.push((start + 6, format!("user{attack} @nat >ci $k{attack}"), attack));
            for step in 0..1 + next(3) as i64 {
                lines.push((start + 8 + step, format!("ci %s{attack} @nat $k{attack} #thing{attack}"), attack));
            }
            lines.push((start + 14, format!("ci %s{attack} @nat $k{attack} >made{attack}"), attack));
            lines.push((start + 20, format!("made{attack} @out{attack}"), attack));
        }
        let start = next(90) as i64;
        lines.extend((0..4).map(|n| (start + n, format!("stolen{n} @thief #secret{n}"), attacks)));
        lines.sort_by_key(|(minute, ..)| *minute);
        let attack_of = lines.iter().map(|(.., attack)| *attack).collect();
        let texts: Vec<_> = lines.iter().map(|(minute, what, _)| (*minute, *minute, what.as_str())).collect();
        (nodes(&texts), attack_of)
    }

    #[test]
    fn independent_attacks_through_one_address_stay_apart() {
        let of = |from: f64| {
            [2, 3, 6, 9].map(|attacks| {
                let (nodes, attack_of) = mixture(attacks, 7);
                pairs(&groups_from(&nodes, from), &attack_of)
            })
        };
        // recall and precision of 2, 3, 6 and 9 attacks through one address, as if nothing but the limit of hubs were
        assert_eq!(of(0.0), [(100, 49), (100, 32), (100, 15), (100, 10)]);
        assert_eq!(of(JOINS_FROM), [(100, 49), (100, 100), (100, 100), (100, 100)]);
        // from a higher weight on the thief's keys fall apart
        assert_eq!(of(0.4), [(91, 100), (93, 100), (96, 100), (97, 100)]);
    }
}
