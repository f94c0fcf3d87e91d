//! An account and a Region → the hub that takes the findings of both, and the ARN of its default product.

use std::fmt;

use crate::finding::Finding;

/// The Security Hub of one account in one Region. Findings are imported there, by a caller of that account, and the rate
/// of calls is counted there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hub {
    account: String,
    region: String,
}

impl Hub {
    /// None when the account is not 12 digits, or the Region is not named as those of the partitions `aws`, `aws-cn` and
    /// `aws-us-gov` are: ASFF knows no others.
    pub fn new(account: &str, region: &str) -> Option<Hub> {
        let fits = is_account(account) && is_region(region);
        fits.then(|| Hub { account: account.to_owned(), region: region.to_owned() })
    }

    /// Where the finding happened; none when its logs did not say, or said what cannot be.
    pub fn of(finding: &Finding) -> Option<Hub> {
        Hub::new(&finding.account, &finding.region)
    }

    /// The hub that is shown as this text.
    pub fn parse(text: &str) -> Option<Hub> {
        let (account, region) = text.split_once(" in ")?;
        Hub::new(account, region)
    }

    pub fn account(&self) -> &str {
        &self.account
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub fn partition(&self) -> &'static str {
        match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The product that every account has without subscribing to one.
    pub fn product_arn(&self) -> String {
        let Hub { account, region } = self;
        format!("arn:{}:securityhub:{region}:{account}:product/{account}/default", self.partition())
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.account, self.region)
    }
}

/// Whether the text is an account id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text is named like a Region of the three partitions: `eu-west-1`, `us-gov-east-1`, `cn-north-1`.
pub fn is_region(text: &str) -> bool {
    const CHARS_MAX: usize = 16;
    let words: Vec<&str> = text.split('-').collect();
    let [area, middle @ .., number] = words.as_slice() else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    // the isolated and the European sovereign partitions
    let elsewhere = *area == "eusc" || middle.first().is_some_and(|word| word.starts_with("iso"));
    text.len() <= CHARS_MAX
        && !elsewhere
        && !middle.is_empty()
        && is_word(area)
        && middle.iter().all(|word| is_word(word))
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_follows_from_the_region() {
        let arn = |region| Hub::new("111122223333", region).map(|hub| hub.product_arn());
        let is = |arn: &str| Some(arn.to_owned());
        assert_eq!(arn("eu-west-1"), is("arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"));
        assert_eq!(
            arn("cn-north-1"),
            is("arn:aws-cn:securityhub:cn-north-1:111122223333:product/111122223333/default")
        );
        assert_eq!(
            arn("us-gov-west-1"),
            is("arn:aws-us-gov:securityhub:us-gov-west-1:111122223333:product/111122223333/default")
        );
    }

    #[test]
    fn what_names_no_hub_is_none() {
        for region in
            ["", "unknown", "global", "us-east", "us-iso-east-1", "eusc-de-east-1", "US-EAST-1", "us--1", "1-2-3"]
        {
            assert_eq!(Hub::new("111122223333", region), None, "{region}");
        }
        for account in ["", "unknown", "11112222333", "1111222233334", "11112222333a", "१११२२२२३३३३४"]
        {
            assert_eq!(Hub::new(account, "us-east-1"), None, "{account}");
        }
    }
}
