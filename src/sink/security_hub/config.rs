//! The `[sink.security_hub]` section → which hub takes a finding, and with whose credentials.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::hub::Hub;
use crate::aws::Role;
use crate::finding::Finding;
use crate::sink::defaults::drain_seconds;

/// The section as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Account of the credentials that the process is given.
    pub account: String,
    /// Region whose hub takes what no other does.
    pub region: String,
    /// Further Regions with a hub: findings from there go there.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Roles that may import findings, at most one in an account: findings of that account are sent with it. Those of
    /// other accounts go to the hub of `account`, and name theirs in `weir/account`.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Seconds that the end of a run waits for findings that are not accepted yet. Later ones wait for the next run.
    #[serde(default = "drain_seconds")]
    pub drain_seconds: u64,
    /// Following, seconds between two looks at what analysts say of findings in the hubs; 0 for none.
    #[serde(default)]
    pub read_back_seconds: u64,
}

impl Config {
    /// The defaults, for a hub written as `ACCOUNT/REGION`.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn of_hub(text: &str) -> anyhow::Result<Config> {
        let (account, region) = text.split_once('/').with_context(|| format!("`{text}` is not ACCOUNT/REGION"))?;
        let config = Config {
            account: account.to_owned(),
            region: region.to_owned(),
            regions: Vec::new(),
            roles: Vec::new(),
            drain_seconds: drain_seconds(),
            read_back_seconds: 0,
        };
        Routes::new(&config).map(|_| config)
    }
}

/// Which hub takes a finding.
#[derive(Clone, Debug)]
pub struct Routes {
    home: Hub,
    regions: BTreeSet<String>,
    /// By account.
    roles: BTreeMap<String, Role>,
}

impl Routes {
    /// # Errors
    /// When an account, a Region or a role is none, or two roles are of one account.
    pub fn new(config: &Config) -> anyhow::Result<Routes> {
        let Config { account, region, regions, .. } = config;
        let hub = |region: &str| {
            Hub::new(account, region).with_context(|| format!("there is no Security Hub in `{account}`, `{region}`"))
        };
        let home = hub(region)?;
        for region in regions {
            hub(region)?;
        }
        let mut roles = BTreeMap::new();
        for role in &config.roles {
            let arn = &role.arn;
            let account = account_of_role(arn).with_context(|| format!("`{arn}` is no ARN of an IAM role"))?;
            if let Some(other) = roles.insert(account.to_owned(), role.clone()) {
                bail!("`{}` and `{arn}` are roles of one account", other.arn);
            }
        }
        Ok(Routes { home, regions: regions.iter().cloned().collect(), roles })
    }

    /// The hub that takes what no other does.
    pub fn home(&self) -> &Hub {
        &self.home
    }

    /// Every hub that findings can go to.
    pub fn hubs(&self) -> Vec<Hub> {
        let accounts = std::iter::once(self.home.account()).chain(self.roles.keys().map(String::as_str));
        let of_regions = |account| {
            let regions = std::iter::once(self.home.region()).chain(self.regions.iter().map(String::as_str));
            regions.filter_map(move |region| Hub::new(account, region))
        };
        let hubs: BTreeSet<Hub> = accounts.flat_map(of_regions).collect();
        hubs.into_iter().collect()
    }

    /// The hub of the finding's account and Region, or what stands in for either of them.
    pub fn hub(&self, finding: &Finding) -> Hub {
        let account = match self.roles.contains_key(&finding.account) {
            true => &finding.account,
            false => self.home.account(),
        };
        let region = match self.regions.contains(&finding.region) {
            true => &finding.region,
            false => self.home.region(),
        };
        Hub::new(account, region).expect("accounts of roles and Regions were checked")
    }

    /// The role that imports into the hubs of an account; none for the process's own credentials.
    pub fn role(&self, account: &str) -> Option<&Role> {
        self.roles.get(account)
    }
}

fn account_of_role(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, name] = parts.as_slice() else { return None };
    let fits = partition.starts_with("aws") && name.starts_with("role/") && super::hub::is_account(account);
    fits.then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::one_match;
    use crate::time::Timestamp;

    const ROLE: &str = "arn:aws:iam::444455556666:role/path/weir";

    fn routes(roles: &[&str], regions: &[&str]) -> anyhow::Result<Routes> {
        let home = Config::of_hub("111122223333/eu-west-1")?;
        let roles = roles.iter().map(|arn| Role { arn: (*arn).to_owned(), external_id: None }).collect();
        Routes::new(&Config { roles, regions: regions.iter().map(|region| (*region).to_owned()).collect(), ..home })
    }

    #[test]
    fn a_finding_goes_to_its_own_hub_where_there_is_a_way() {
        let routes = routes(&[ROLE], &["us-east-1"]).unwrap();
        let of = |account: &str, region: &str| {
            let mut finding = one_match("cloudtrail/x", "a", Timestamp(0), "e");
            (finding.account, finding.region) = (account.into(), region.into());
            routes.hub(&finding).to_string()
        };
        assert_eq!(of("111122223333", "us-east-1"), "111122223333 in us-east-1");
        assert_eq!(of("444455556666", "us-east-1"), "444455556666 in us-east-1");
        assert_eq!(of("444455556666", "ap-south-1"), "444455556666 in eu-west-1");
        assert_eq!(of("777788889999", "us-east-1"), "111122223333 in us-east-1");
        assert_eq!(of("unknown", "unknown"), "111122223333 in eu-west-1");
        let role = |account| routes.role(account).map(|role| role.arn.as_str());
        assert_eq!((role("444455556666"), role("111122223333")), (Some(ROLE), None));
    }

    #[test]
    fn what_names_no_hub_or_role_is_refused() {
        let error = |result: anyhow::Result<Routes>| result.unwrap_err().to_string();
        assert_eq!(
            error(routes(&["arn:aws:iam::444455556666:user/x"], &[])),
            "`arn:aws:iam::444455556666:user/x` is no ARN of an IAM role"
        );
        assert_eq!(error(routes(&[ROLE, ROLE], &[])), format!("`{ROLE}` and `{ROLE}` are roles of one account"));
        assert_eq!(error(routes(&[], &["global"])), "there is no Security Hub in `111122223333`, `global`");
        assert_eq!(Config::of_hub("111122223333").unwrap_err().to_string(), "`111122223333` is not ACCOUNT/REGION");
        assert!(Config::of_hub("1/eu-west-1").is_err());
    }
}
