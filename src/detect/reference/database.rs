//! A database in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>): address → what is known of it.

use std::fmt;
use std::net::IpAddr;

use maxminddb::{PathElement, Reader};
use serde_json::Value;

/// A database of networks, whole in memory.
pub struct Database {
    reader: Reader<Vec<u8>>,
    hash: blake3::Hash,
}

/// Records that are looked at for a path before it is said that there is no such.
const RECORDS_MAX: usize = 10_000;

impl Database {
    /// # Errors
    /// What is wrong with the bytes, where they are no such database.
    pub fn new(bytes: Vec<u8>) -> std::result::Result<Database, String> {
        let hash = blake3::hash(&bytes);
        let reader = Reader::from_source(bytes).map_err(|error| format!("no database in MaxMind's format: {error}"))?;
        Ok(Database { reader, hash })
    }

    /// Whether it has a record for an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.reader.lookup(address).is_ok_and(|found| found.has_data())
    }

    /// The value at a path of an address's record, as text: a number as digits, a map or a list as JSON.
    pub fn value(&self, address: IpAddr, path: &Path) -> Option<String> {
        let found = self.reader.lookup(address).ok()?;
        Some(match found.decode_path::<Value>(&path.0).ok()?? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// Whether one of the first records has a path.
    ///
    /// # Errors
    /// Where none has: a record to see what there is.
    pub fn check(&self, path: &Path) -> std::result::Result<(), String> {
        let networks = self.reader.networks(Default::default()).map_err(|error| error.to_string())?;
        let mut example = None;
        for found in networks.take(RECORDS_MAX).flatten() {
            if found.decode_path::<Value>(&path.0).is_ok_and(|value| value.is_some()) {
                return Ok(());
            }
            example = example.or_else(|| found.decode::<Value>().ok().flatten());
        }
        Err(example.map_or_else(|| "it has no records".to_owned(), |example| format!("a record of it is {example}")))
    }
}

impl PartialEq for Database {
    fn eq(&self, other: &Database) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Database {}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.reader.metadata().database_type).finish()
    }
}

/// Where in a record a value is: `country.iso_code`, `subdivisions.0.iso_code`.
pub struct Path<'a>(Vec<PathElement<'a>>);

impl<'a> From<&'a str> for Path<'a> {
    fn from(text: &'a str) -> Path<'a> {
        Path(text.split('.').map(|part| part.parse().map_or(PathElement::Key(part), PathElement::Index)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made-up places of addresses for documentation: `tests/data/geo/make.py`.
    const DOCUMENTATION: &[u8] = include_bytes!("../../../tests/data/geo/documentation.mmdb");

    fn asked(address: &str, path: &str) -> Option<String> {
        Database::new(DOCUMENTATION.to_vec()).unwrap().value(address.parse().ok()?, &path.into())
    }

    #[test]
    fn a_path_leads_to_a_text() {
        let cases = [
            ("192.0.2.7", "country.iso_code", Some("DE")),
            ("198.51.100.255", "city.names.en", Some("Recife")),
            ("2001:db8::1", "autonomous_system_number", Some("64499")),
            ("192.0.2.7", "subdivisions.0.iso_code", Some("DE-1")),
            ("192.0.2.7", "location", Some("{\"latitude\":52.52,\"longitude\":13.4}")),
            ("192.0.2.7", "country.is_in_european_union", Some("true")),
            ("192.0.2.7", "country.name", None),
            ("203.0.113.128", "country.iso_code", None),
            ("iam.amazonaws.com", "country.iso_code", None),
        ];
        for (address, wanted, expected) in cases {
            assert_eq!(asked(address, wanted).as_deref(), expected, "{address} {wanted}");
        }
        let error = Database::new(b"no database".to_vec()).unwrap_err();
        assert!(error.starts_with("no database in MaxMind's format: "), "{error}");
    }
}
