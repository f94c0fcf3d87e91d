//! Addresses as text → whether they lie in a network: `cidr_match(address, cidr, ...)` and `ip_is_private(address)`.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use ipnet::IpNet;

use super::texts;

pub fn functions() -> [Arc<ScalarUDF>; 2] {
    let signature = Signature::variadic_any(Volatility::Immutable);
    let addresses = [
        ScalarUDF::new_from_impl(CidrMatch { signature: signature.clone() }),
        ScalarUDF::new_from_impl(IpIsPrivate { signature }),
    ];
    addresses.map(Arc::new)
}

/// True when the address lies in one of the networks; false when it does not, is null, or is not an address.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CidrMatch {
    signature: Signature,
}

impl ScalarUDFImpl for CidrMatch {
    fn name(&self) -> &str {
        "cidr_match"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    /// Networks are read here too, so that a rule with a bad one is refused when it is loaded.
    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [address, networks @ ..] = args.arg_fields else {
            return plan_err!("cidr_match needs an address and networks");
        };
        check_text(self.name(), address)?;
        if networks.is_empty() {
            return plan_err!("cidr_match needs at least one network behind the address");
        }
        for network in &args.scalar_arguments[1..] {
            let Some(network) = network else { return plan_err!("the networks of cidr_match are constants") };
            read_network(network)?;
        }
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let network = |arg: &ColumnarValue| match arg {
            ColumnarValue::Scalar(text) => read_network(text),
            ColumnarValue::Array(_) => exec_err!("the networks of cidr_match are constants"),
        };
        let networks = args.args[1..].iter().map(network).collect::<Result<Vec<IpNet>>>()?;
        judge(&args.args[0], |address| networks.iter().any(|network| network.contains(&address)))
    }
}

/// True for addresses that are not reachable over the internet; false for all others, null, and what is not an address.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpIsPrivate {
    signature: Signature,
}

impl ScalarUDFImpl for IpIsPrivate {
    fn name(&self) -> &str {
        "ip_is_private"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [address] = args.arg_fields else { return plan_err!("ip_is_private takes one address") };
        check_text(self.name(), address)?;
        Ok(Arc::new(Field::new(self.name(), DataType::Boolean, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        judge(&args.args[0], |address| PRIVATE.iter().any(|network| network.contains(&address)))
    }
}

/// This host, private use, shared, loopback, link-local, multicast and broadcast.
static PRIVATE: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    let networks = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];
    networks.map(|network| network.parse().expect("a network written here")).into()
});

/// Refuses what is no text.
pub fn check_text(function: &str, field: &Field) -> Result<()> {
    if texts::is_text(field.data_type()) {
        return Ok(());
    }
    plan_err!("what {function} looks at is text, not {}", field.data_type())
}

fn read_network(text: &ScalarValue) -> Result<IpNet> {
    let Some(Some(text)) = text.try_as_str() else { return plan_err!("a network is text such as '10.0.0.0/8'") };
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.or_else(|_| plan_err!("`{text}` is not a network such as '10.0.0.0/8'"))
}

fn judge(addresses: &ColumnarValue, test: impl Fn(IpAddr) -> bool) -> Result<ColumnarValue> {
    judge_texts(addresses, &|text| text.and_then(read_address).is_some_and(&test))
}

/// The answer of a test for each text, asked once for each value of a dictionary.
pub fn judge_texts(texts: &ColumnarValue, test: &dyn Fn(Option<&str>) -> bool) -> Result<ColumnarValue> {
    Ok(match texts {
        ColumnarValue::Scalar(text) => {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(test(text.try_as_str().flatten()))))
        }
        ColumnarValue::Array(array) => ColumnarValue::Array(judge_array(array, test)?),
    })
}

fn judge_array(array: &ArrayRef, test: &dyn Fn(Option<&str>) -> bool) -> Result<ArrayRef> {
    let answers: BooleanArray = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(|text| Some(test(text))).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(|text| Some(test(text))).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(|text| Some(test(text))).collect(),
        DataType::Null => BooleanArray::from(vec![false; array.len()]),
        DataType::Dictionary(..) if array.as_any_dictionary().values().is_empty() => vec![false; array.len()].into(),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = judge_array(dictionary.values(), test)?;
            let (values, keys) = (values.as_boolean(), dictionary.normalized_keys());
            let valid = |row: usize| !dictionary.keys().is_null(row);
            (0..array.len()).map(|row| Some(valid(row) && values.value(keys[row]))).collect()
        }
        kind => return exec_err!("an address is text, not {kind}"),
    };
    Ok(Arc::new(answers))
}

/// An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is that IPv4 address.
pub fn read_address(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringArray, StringViewArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    const ADDRESSES: [Option<&str>; 6] = [
        Some("10.1.2.3"),
        Some("192.0.2.7"),
        Some("::ffff:10.0.0.1"),
        Some("fe80::1"),
        Some("iam.amazonaws.com"),
        None,
    ];

    #[test]
    fn every_text_type_gets_the_same_answer() {
        let arrays: [ArrayRef; 3] = [
            Arc::new(StringArray::from_iter(ADDRESSES)),
            Arc::new(StringViewArray::from_iter(ADDRESSES)),
            Arc::new(DictionaryArray::<Int32Type>::from_iter(ADDRESSES)),
        ];
        for array in arrays {
            let private = judge(&ColumnarValue::Array(array), |address| PRIVATE.iter().any(|n| n.contains(&address)));
            let ColumnarValue::Array(private) = private.unwrap() else { panic!() };
            let expected = BooleanArray::from(vec![true, false, true, true, false, false]);
            assert_eq!(private.as_boolean(), &expected);
        }
    }

    #[test]
    fn a_network_may_be_one_address() {
        let network = |text: &str| read_network(&ScalarValue::from(text));
        assert_eq!(network("192.0.2.7").unwrap(), "192.0.2.7/32".parse().unwrap());
        assert!(network("10.0.0/8").unwrap_err().to_string().contains("`10.0.0/8` is not a network"));
    }
}
