//! Rows of a list of the user's own → the one that a value is looked up by.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema};
use hashbrown::{DefaultHashBuilder, HashTable};
use ipnet::IpNet;
use serde::Deserialize;

use crate::detect::functions::addresses::read_address;

/// What the values of a list are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A value is in the list when it is the same text, in the same case.
    #[default]
    Text,
    /// An address is in the list when it lies in one of its networks. A network is an address or CIDR.
    Network,
}

/// The name of the only column of a list that is no table.
pub const ONLY_COLUMN: &str = "value";

/// The rows of a list, of which no two have the same key.
#[derive(Debug)]
pub struct Keyed {
    /// Texts.
    rows: RecordBatch,
    /// Position of the column that rows are looked up by.
    key: usize,
    places: Places,
    /// Of the rows as they were given, the first one that says something else than an earlier one of the same key, and
    /// how many there are.
    contradictions: Option<(usize, usize)>,
}

#[derive(Debug)]
enum Places {
    Texts(DefaultHashBuilder, HashTable<u32>),
    /// First and last address of stretches that do not touch unless their rows differ, in rising order, each with the row
    /// of the smallest network that has it; IPv4 as IPv6 writes it.
    Networks(Vec<(u128, u128, u32)>),
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Keyed) -> bool {
        self.kind() == other.kind() && self.key == other.key && self.rows == other.rows
    }
}

impl Eq for Keyed {}

impl Keyed {
    /// Of columns of texts. Rows whose key is null are left out, and of rows with the same key all but the first.
    ///
    /// # Errors
    /// The position of the first row whose key is no network where it has to be one, and what is wrong with it.
    ///
    /// # Panics
    /// Where a column is not of `Utf8`.
    pub fn new(kind: Kind, rows: RecordBatch, key: usize) -> Result<Keyed, (usize, String)> {
        let keys = rows.column(key).as_string::<i32>();
        let mut unique = Unique::new(&rows);
        let places = match kind {
            Kind::Text => {
                let (hasher, mut places) = (DefaultHashBuilder::default(), HashTable::new());
                for (row, text) in keys.iter().enumerate().filter_map(|(row, text)| Some((row, text?))) {
                    let at = |place: &u32| unique.text(*place, keys);
                    let hash = hasher.hash_one(text);
                    match places.find(hash, |place| at(place) == text).copied() {
                        Some(known) => unique.leave_out(row, known),
                        None => {
                            let place = unique.take(row);
                            places.insert_unique(hash, place, |place| hasher.hash_one(unique.text(*place, keys)));
                        }
                    }
                }
                Places::Texts(hasher, places)
            }
            Kind::Network => {
                let mut networks: Vec<(u128, u128, u32)> = Vec::new();
                let mut known = hashbrown::HashMap::new();
                for (row, text) in keys.iter().enumerate().filter_map(|(row, text)| Some((row, text?))) {
                    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                    let network =
                        network.map_err(|_| (row, format!("`{text}` is neither an address nor a network")))?;
                    let (first, last) = (number(network.network()), number(network.broadcast()));
                    match known.get(&(first, last)) {
                        Some(place) => unique.leave_out(row, *place),
                        None => {
                            let place = unique.take(row);
                            known.insert((first, last), place);
                            networks.push((first, last, place));
                        }
                    }
                }
                let is_bare = rows.num_columns() == 1;
                Places::Networks(stretches(networks, is_bare))
            }
        };
        let Unique { taken, contradictions, .. } = unique;
        let rows = match taken.len() == rows.num_rows() {
            true => rows,
            false => take_record_batch(&rows, &UInt32Array::from(taken)).expect("rows of it were taken"),
        };
        Ok(Keyed { rows, key, places, contradictions })
    }

    /// Of values alone.
    ///
    /// # Errors
    /// As [`Keyed::new`].
    pub fn of<'a>(kind: Kind, values: impl IntoIterator<Item = &'a str>) -> Result<Keyed, (usize, String)> {
        let schema = Schema::new(vec![Field::new(ONLY_COLUMN, DataType::Utf8, true)]);
        let values = StringArray::from_iter_values(values);
        let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]).expect("one column of texts");
        Keyed::new(kind, rows, 0)
    }

    pub fn kind(&self) -> Kind {
        match self.places {
            Places::Texts(..) => Kind::Text,
            Places::Networks(_) => Kind::Network,
        }
    }

    /// What there is to look up, as a table.
    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// The name of the column that rows are looked up by.
    pub fn key(&self) -> &str {
        self.rows.schema_ref().field(self.key).name()
    }

    /// The names of all columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.rows.schema_ref().fields().iter().map(|field| field.name().as_str())
    }

    /// The row of a value; of networks within one another that of the smallest.
    pub fn row(&self, value: &str) -> Option<usize> {
        let place = match &self.places {
            Places::Texts(hasher, places) => {
                let keys = self.rows.column(self.key).as_string::<i32>();
                *places.find(hasher.hash_one(value), |row| keys.value(*row as usize) == value)?
            }
            Places::Networks(stretches) => {
                let address = number(read_address(value)?);
                let after = stretches.partition_point(|(first, ..)| *first <= address);
                let (_, last, row) = stretches[after.checked_sub(1)?];
                (address <= last).then_some(row)?
            }
        };
        Some(place as usize)
    }

    /// What the row of a value has in a column.
    pub fn value(&self, value: &str, column: &str) -> Option<&str> {
        let column = self.rows.column_by_name(column)?.as_string::<i32>();
        let row = self.row(value)?;
        column.is_valid(row).then(|| column.value(row))
    }

    /// Of the rows that it was made of, the position of the first that says something else than an earlier one of the same
    /// key, and how many there are.
    pub fn contradictions(&self) -> Option<(usize, usize)> {
        self.contradictions
    }
}

/// Which rows have keys that none before them has.
struct Unique<'a> {
    rows: &'a RecordBatch,
    taken: Vec<u32>,
    contradictions: Option<(usize, usize)>,
}

impl<'a> Unique<'a> {
    fn new(rows: &RecordBatch) -> Unique<'_> {
        Unique { rows, taken: Vec::new(), contradictions: None }
    }

    fn text(&self, place: u32, keys: &'a StringArray) -> &'a str {
        keys.value(self.taken[place as usize] as usize)
    }

    /// Gives the row's place among those that stay.
    fn take(&mut self, row: usize) -> u32 {
        self.taken.push(u32::try_from(row).expect("a list has fewer than four billion rows"));
        (self.taken.len() - 1) as u32
    }

    /// Of a row with the key of one that stays.
    fn leave_out(&mut self, row: usize, known: u32) {
        let first = self.taken[known as usize] as usize;
        if self.rows.columns().iter().any(|column| column.slice(row, 1) != column.slice(first, 1)) {
            let (_, count) = self.contradictions.get_or_insert((row, 0));
            *count += 1;
        }
    }
}

/// What of networks, any two of which are apart or one within the other, belongs to which: to the smallest that has it. Where
/// nothing is known of networks but that they are there, neighbours are one.
fn stretches(mut networks: Vec<(u128, u128, u32)>, is_bare: bool) -> Vec<(u128, u128, u32)> {
    networks.sort_unstable_by_key(|(first, last, _)| (*first, std::cmp::Reverse(*last)));
    let mut made: Vec<(u128, u128, u32)> = Vec::new();
    let mut add = |first: u128, last: u128, row: u32| match made.last_mut() {
        _ if first > last => {}
        Some((_, end, of)) if (is_bare || *of == row) && first == end.saturating_add(1) => *end = last,
        _ => made.push((first, last, row)),
    };
    // networks that begin before the one that is looked at and may end behind it, and where what is left of each begins
    let mut open: Vec<(u128, u128, u32)> = Vec::new();
    let close = |open: &mut Vec<(u128, u128, u32)>, add: &mut dyn FnMut(u128, u128, u32)| {
        let (begin, last, row) = open.pop().expect("there is one");
        add(begin, last, row);
        if let (Some(around), Some(after)) = (open.last_mut(), last.checked_add(1)) {
            around.0 = after;
        }
        last
    };
    for (first, last, row) in networks {
        while open.last().is_some_and(|(_, end, _)| *end < first) {
            close(&mut open, &mut add);
        }
        if let Some((begin, _, around)) = open.last().filter(|(begin, ..)| *begin < first) {
            add(*begin, first - 1, *around);
        }
        open.push((first, last, row));
    }
    while !open.is_empty() {
        // what ends with the last address of all leaves nothing of those around it
        if close(&mut open, &mut add) == u128::MAX {
            open.clear();
        }
    }
    made
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: Kind, rows: &[(&str, Option<&str>)]) -> Keyed {
        let (keys, values): (Vec<_>, Vec<_>) = rows.iter().map(|(key, value)| (Some(*key), *value)).unzip();
        let column = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as _;
        let rows = RecordBatch::try_from_iter([("network", column(keys)), ("owner", column(values))]).unwrap();
        Keyed::new(kind, rows, 0).unwrap()
    }

    #[test]
    fn networks_are_looked_up_whatever_their_order_and_overlap() {
        let networks = |texts: &[&str]| Keyed::of(Kind::Network, texts.iter().copied()).unwrap();
        let list = networks(&["203.0.113.0/25", "192.0.2.7", "203.0.113.64/26", "2001:db8::/32", "203.0.113.128/25"]);
        let Places::Networks(stretches) = &list.places else { unreachable!() };
        assert_eq!(stretches.len(), 3, "neighbours are one");
        for text in ["203.0.113.0", "203.0.113.255", "192.0.2.7", "::ffff:192.0.2.7", "2001:db8:ffff::1"] {
            assert!(list.row(text).is_some(), "{text}");
        }
        for text in ["203.0.112.255", "203.0.114.0", "192.0.2.6", "2001:db9::", "s3.amazonaws.com", ""] {
            assert!(list.row(text).is_none(), "{text}");
        }
        assert!(networks(&[]).row("192.0.2.7").is_none());
        let (place, why) = Keyed::of(Kind::Network, ["192.0.2.0/24", "192.0.2.0/33"]).unwrap_err();
        assert_eq!((place, why.as_str()), (1, "`192.0.2.0/33` is neither an address nor a network"));
    }

    #[test]
    fn the_smallest_network_around_an_address_is_its_row() {
        let list = table(
            Kind::Network,
            &[
                ("10.1.0.0/16", Some("prod")),
                ("10.0.0.0/8", Some("corp")),
                ("10.1.2.3", Some("gate")),
                ("10.1.255.255/32", None),
                ("10.2.0.0/16", Some("lab")),
                ("::/0", Some("world")),
                ("ffff::/16", Some("end")),
            ],
        );
        for (address, expected) in [
            ("10.0.0.0", Some("corp")),
            ("10.1.0.0", Some("prod")),
            ("10.1.2.2", Some("prod")),
            ("10.1.2.3", Some("gate")),
            ("10.1.2.4", Some("prod")),
            ("10.1.255.255", None),
            ("10.2.0.0", Some("lab")),
            ("10.3.0.0", Some("corp")),
            ("10.255.255.255", Some("corp")),
            ("11.0.0.0", Some("world")),
            ("fffe::", Some("world")),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("end")),
        ] {
            assert_eq!(list.value(address, "owner"), expected, "{address}");
        }
        assert_eq!(list.value("10.1.255.255", "network"), Some("10.1.255.255/32"));
    }

    #[test]
    fn of_rows_with_one_key_the_first_counts() {
        let list =
            table(Kind::Text, &[("a", Some("1")), ("b", None), ("a", Some("1")), ("a", Some("2")), ("b", Some("3"))]);
        assert_eq!((list.value("a", "owner"), list.value("b", "owner")), (Some("1"), None));
        assert_eq!((list.rows().num_rows(), list.contradictions()), (2, Some((3, 2))));
        let list = table(Kind::Network, &[("10.0.0.7/8", Some("1")), ("10.0.0.0/8", Some("2"))]);
        assert_eq!((list.value("10.1.1.1", "owner"), list.contradictions()), (Some("1"), Some((1, 1))));
        assert_eq!(Keyed::of(Kind::Text, ["a", "a"]).unwrap().contradictions(), None);
    }
}
