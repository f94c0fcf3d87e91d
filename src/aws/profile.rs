//! The profile that the configuration names → its credentials, and no others.
//!
//! AWS's chain looks into the environment first, and passes over a profile that is not there: keys of another account would be taken
//! for those that were asked for.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::{SharedCredentialsProvider, SharedHttpClient};

#[derive(Debug)]
struct OfProfile {
    name: String,
    config: ProviderConfig,
}

impl ProvideCredentials for OfProfile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let missing = || format!("the profile `{}` of [aws] is not there, or has no credentials", self.name);
        future::ProvideCredentials::new(async move {
            // anew each time, which is as often as credentials run out: one whose file was wrong says so once, and is wrong for ever
            let file =
                ProfileFileCredentialsProvider::builder().profile_name(&self.name).configure(&self.config).build();
            file.provide_credentials().await.map_err(|error| match error {
                CredentialsError::CredentialsNotLoaded(_) => CredentialsError::invalid_configuration(missing()),
                error => error,
            })
        })
    }
}

/// The same settings with the credentials of a profile, which are looked up with the first call. What it asks of STS or SSO goes over
/// `http`, to endpoints of the same kind and with the same patience.
pub(super) fn with_profile(sdk: SdkConfig, name: &str, http: SharedHttpClient) -> SdkConfig {
    let region = sdk.region().map(|region| Region::new(region.to_string()));
    let mut config = ProviderConfig::without_region()
        .with_region(region)
        .with_http_client(http)
        .with_use_fips(sdk.use_fips())
        .with_use_dual_stack(sdk.use_dual_stack());
    if let Some(timeouts) = sdk.timeout_config() {
        config = config.with_timeout_config(timeouts.clone());
    }
    if let Some(retries) = sdk.retry_config() {
        config = config.with_retry_config(retries.clone());
    }
    let of_profile = OfProfile { name: name.to_owned(), config };
    sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(of_profile)).build()
}
