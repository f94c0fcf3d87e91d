//! Athena's types of addresses and networks, which are texts here: `ip_prefix(address, 24)`, `ip_subnet_min(network)`,
//! `ip_subnet_max(network)`, `is_subnet_of(network, address)`, and what `CAST(text AS IPADDRESS)` and comparisons of it are.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use ipnet::IpNet;

use super::maps::{plain, texts};
use crate::detect::functions::addresses::read_address;

pub fn all() -> Vec<ScalarUDF> {
    [What::Address, What::Order, What::First, What::Last, What::Prefix, What::IsWithin]
        .map(|what| {
            let count = if matches!(what, What::Prefix | What::IsWithin) { 2 } else { 1 };
            let signature = Signature::any(count, Volatility::Immutable);
            ScalarUDF::new_from_impl(OfAddresses { what, signature })
        })
        .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// The address as it is written shortest.
    Address,
    /// A text for each address that compares as they do.
    Order,
    First,
    Last,
    Prefix,
    IsWithin,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfAddresses {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for OfAddresses {
    fn name(&self) -> &str {
        match self.what {
            What::Address => "ip_address",
            What::Order => "ip_order",
            What::First => "ip_subnet_min",
            What::Last => "ip_subnet_max",
            What::Prefix => "ip_prefix",
            What::IsWithin => "is_subnet_of",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match (self.what, plain(&args[0])) {
            (_, DataType::Utf8 | DataType::Null) => {}
            (_, other) => return plan_err!("{} takes a text such as '10.0.0.0/8', not {other}", self.name()),
        }
        Ok(if self.what == What::IsWithin { DataType::Boolean } else { DataType::Utf8 })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let first = texts(&args.args[0].to_array(rows)?)?;
        let answer: ArrayRef = match self.what {
            What::Prefix => {
                let bits = cast(&args.args[1].to_array(rows)?, &DataType::Int64)?;
                let bits: &Int64Array = bits.as_primitive::<Int64Type>();
                let pairs = first.iter().zip(bits);
                Arc::new(pairs.map(|(address, bits)| prefix(address?, bits?)).collect::<StringArray>())
            }
            What::IsWithin => {
                let second = texts(&args.args[1].to_array(rows)?)?;
                let pairs = first.iter().zip(&second);
                let judge =
                    |(outer, inner): (Option<&str>, Option<&str>)| Some(network(outer?)?.contains(&network(inner?)?));
                Arc::new(pairs.map(judge).collect::<BooleanArray>())
            }
            What::Address => Arc::new(each(&first, |text| read_address(text).map(|address| address.to_string()))),
            What::Order => Arc::new(each(&first, |text| read_address(text).map(order))),
            What::First => Arc::new(each(&first, |text| network(text).map(|network| network.network().to_string()))),
            What::Last => Arc::new(each(&first, |text| network(text).map(|network| network.broadcast().to_string()))),
        };
        Ok(ColumnarValue::Array(answer))
    }
}

fn each(texts: &StringArray, of: impl Fn(&str) -> Option<String>) -> StringArray {
    texts.iter().map(|text| text.and_then(&of)).collect()
}

/// A network, or one of the one address.
fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| read_address(text).map(IpNet::from))
}

fn prefix(address: &str, bits: i64) -> Option<String> {
    let network = IpNet::new(read_address(address)?, u8::try_from(bits).ok()?).ok()?;
    Some(network.trunc().to_string())
}

/// All addresses as those of IPv6, in digits of one number.
fn order(address: IpAddr) -> String {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    format!("{:032x}", u128::from(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_and_compared_as_numbers() {
        assert_eq!(prefix("10.1.2.3", 24).as_deref(), Some("10.1.2.0/24"));
        assert_eq!(prefix("2001:db8::1", 32).as_deref(), Some("2001:db8::/32"));
        assert_eq!(prefix("10.1.2.3", 33), None);
        assert_eq!(prefix("-", 8), None);
        let order = |text: &str| order(read_address(text).unwrap());
        assert!(order("9.0.0.1") < order("10.0.0.0") && order("255.255.255.255") < order("2001:db8::1"));
        assert_eq!(network("10.0.0.0/8").unwrap().broadcast().to_string(), "10.255.255.255");
    }
}
