//! The `[aws]` section → clients of AWS's services, and what goes wrong with a call → one line that says what to mend.
//!
//! Nothing is looked up before the first client is asked for: a run over local files needs no credentials, no Region
//! and no network.

pub mod calls;
mod encrypt;
pub mod identity;
mod profile;
pub mod tried;
pub mod trust;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use tokio::sync::OnceCell;

use self::encrypt::Encrypt;
use self::profile::with_profile;
use self::trust::Trust;

const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// From a request to the first byte of its answer. SQS answers a long poll within 20 seconds.
const READ_WAIT: Duration = Duration::from_secs(30);
/// One try, from resolving the name to the end of the answer's head (its end, where it is no stream).
const TRY_WAIT: Duration = Duration::from_secs(45);
/// All tries of a call with the waits between them.
const CALL_WAIT: Duration = Duration::from_secs(150);
/// A call is tried this often: throttling, 500s and broken connections are tried again, a second or more apart.
const TRIES_MAX: u32 = 4;
/// Longest text of AWS's that is quoted.
const QUOTED_CHARS_MAX: usize = 300;

/// The `[aws]` section. Without it everything comes from where AWS's own tools take it: the environment, the profile,
/// the role of the container or machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Profile in `~/.aws/config`, whose credentials go before those of the environment.
    pub profile: Option<String>,
    pub region: Option<String>,
    /// One address for every service, for a server that is not AWS.
    pub endpoint_url: Option<String>,
    /// Use the endpoints with FIPS 140 cryptography.
    pub use_fips: bool,
    /// Taken on for every call, unless a source or sink names its own.
    pub assume_role: Option<Role>,
    pub s3: S3,
}

/// The `[aws.s3]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Put the bucket into the path, not into the name of the host; servers that are not AWS want it.
    pub force_path_style: bool,
    /// Account that every bucket must belong to; what is asked of another's is refused by S3.
    pub expected_bucket_owner: Option<Account>,
    /// Account of each bucket for which that one does not hold.
    pub bucket_owners: BTreeMap<String, Account>,
    /// KMS key that S3 is asked to encrypt what is written with, by id, alias or ARN; without it as the bucket says.
    pub kms_key: Option<String>,
}

/// The number of an account of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Account {
    type Error = String;

    fn try_from(text: String) -> Result<Account, String> {
        match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Ok(Account(text)),
            false => Err(format!("`{text}` is no account of AWS: 12 digits in quotes")),
        }
    }
}

/// Of a list, what is wrong with one is told with the place of that one, which TOML knows while it reads it.
impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Account, D::Error> {
        struct Digits;
        impl<'de> Visitor<'de> for Digits {
            type Value = Account;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("12 digits in quotes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Account, E> {
                Account::try_from(text.to_owned()).map_err(E::custom)
            }
        }
        from.deserialize_str(Digits)
    }
}

/// A role to take on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub arn: String,
    /// What the role's owner has agreed on with us.
    pub external_id: Option<String>,
}

/// Where clients come from. Cheap to clone; clones share their credentials and connections.
#[derive(Clone, Debug)]
pub struct Aws {
    config: Arc<Config>,
    chain: Arc<OnceCell<SdkConfig>>,
    /// The role that is taken on, and the credentials that come of it.
    role: Option<(Role, Arc<OnceCell<SdkConfig>>)>,
    /// Where no Region is set.
    or_region: Option<String>,
    /// In place of what the environment says.
    #[cfg(test)]
    trust: Option<Trust>,
}

impl Aws {
    /// Looks nothing up yet.
    pub fn new(config: Config) -> Aws {
        let role = config.assume_role.clone().map(|role| (role, Arc::default()));
        Aws {
            config: Arc::new(config),
            chain: Arc::default(),
            role,
            or_region: None,
            #[cfg(test)]
            trust: None,
        }
    }

    /// A server of a test, with credentials that are none and tries that follow one another at once.
    #[cfg(test)]
    pub fn of_server(url: &str) -> Aws {
        let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(5));
        Aws::of_test(url, &Trust::default(), |sdk| sdk.into_builder().retry_config(retries).build())
    }

    /// The same for buckets of this section.
    #[cfg(test)]
    pub fn with_buckets(self, s3: &str) -> Aws {
        let s3 = S3 { force_path_style: true, ..toml::from_str(s3).unwrap() };
        Aws { config: Arc::new(Config { s3, ..Config::default() }), ..self }
    }

    /// What answers all calls of a simulation, in whose time is waited for it, and no longer than otherwise.
    #[cfg(test)]
    pub fn answered_by(answers: aws_smithy_runtime_api::client::http::SharedHttpConnector) -> Aws {
        use aws_sdk_s3::config::{AsyncSleep, SharedAsyncSleep, Sleep, StalledStreamProtectionConfig};
        #[derive(Debug)]
        struct Sleeper;
        impl AsyncSleep for Sleeper {
            fn sleep(&self, time: Duration) -> Sleep {
                Sleep::new(crate::wait::sleep(time))
            }
        }
        let trust = Trust::of_answers(answers);
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(TRY_WAIT).operation_timeout(CALL_WAIT).build();
        let aws = Aws::of_test("http://simulated", &trust, |sdk| {
            let retries = RetryConfig::standard().with_initial_backoff(Duration::ZERO);
            let sdk = sdk.into_builder().sleep_impl(SharedAsyncSleep::new(Sleeper));
            // it measures by a real clock what is sent, and is told of nothing here: on a slow machine calls were made again
            let sdk = sdk.stalled_stream_protection(StalledStreamProtectionConfig::disabled());
            sdk.timeout_config(timeouts).retry_config(retries).build()
        });
        Aws { trust: Some(trust), ..aws }
    }

    #[cfg(test)]
    fn of_test(url: &str, trust: &Trust, with: impl FnOnce(SdkConfig) -> SdkConfig) -> Aws {
        use aws_credential_types::Credentials;
        let none = Credentials::new("AKIA", "secret", None, None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(url)
            .http_client(trust.http_client())
            .credentials_provider(SharedCredentialsProvider::new(none));
        let config = Config { s3: S3 { force_path_style: true, ..S3::default() }, ..Config::default() };
        let chain = Arc::new(OnceCell::new_with(Some(with(sdk.build()))));
        Aws { config: Arc::new(config), chain, role: None, or_region: None, trust: None }
    }

    /// Who is taken for AWS.
    ///
    /// # Errors
    /// When the certificates of `AWS_CA_BUNDLE` cannot be read.
    pub fn trust(&self) -> Result<Trust, Trouble> {
        #[cfg(test)]
        if let Some(trust) = &self.trust {
            return Ok(trust.clone());
        }
        Trust::from_env()
    }

    /// The same with the role that a source or sink names, in place of the one of `[aws]`.
    #[must_use]
    pub fn assuming(&self, role: Option<&Role>) -> Aws {
        match role {
            Some(role) => Aws { role: Some((role.clone(), Arc::default())), ..self.clone() },
            None => self.clone(),
        }
    }

    /// The same with a Region for where none is set, such as that of a queue for the buckets that it tells of.
    #[must_use]
    pub fn or_region(&self, region: Option<&str>) -> Aws {
        Aws { or_region: region.map(str::to_owned), ..self.clone() }
    }

    /// ARN of the role that is taken on.
    pub fn role(&self) -> Option<&str> {
        self.role.as_ref().map(|(role, _)| role.arn.as_str())
    }

    /// Account that a bucket must belong to.
    pub fn expected_bucket_owner(&self, bucket: &str) -> Option<&str> {
        let S3 { expected_bucket_owner, bucket_owners, .. } = &self.config.s3;
        bucket_owners.get(bucket).or(expected_bucket_owner.as_ref()).map(|account| account.0.as_str())
    }

    /// # Errors
    /// When no Region is set, or the certificates of `AWS_CA_BUNDLE` cannot be read.
    pub async fn s3(&self) -> Result<aws_sdk_s3::Client, Trouble> {
        let sdk = self.sdk(None).await?;
        let S3 { force_path_style, kms_key, .. } = &self.config.s3;
        let mut config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(*force_path_style);
        if let Some(key) = kms_key {
            config = config.interceptor(Encrypt { key: key.clone() });
        }
        Ok(aws_sdk_s3::Client::from_conf(config.build()))
    }

    /// `region` is that of the queue, when its URL says it.
    ///
    /// # Errors
    /// When no Region is set, or the certificates of `AWS_CA_BUNDLE` cannot be read.
    pub async fn sqs(&self, region: Option<&str>) -> Result<aws_sdk_sqs::Client, Trouble> {
        Ok(aws_sdk_sqs::Client::new(&self.sdk(region).await?))
    }

    /// `region` is that of the stream, when its ARN says it.
    ///
    /// # Errors
    /// When no Region is set, or the certificates of `AWS_CA_BUNDLE` cannot be read.
    pub async fn kinesis(&self, region: Option<&str>) -> Result<aws_sdk_kinesis::Client, Trouble> {
        Ok(aws_sdk_kinesis::Client::new(&self.sdk(region).await?))
    }

    /// What every client is made of, for one Region.
    ///
    /// # Errors
    /// When no Region is set, or the certificates of `AWS_CA_BUNDLE` cannot be read.
    pub async fn sdk(&self, region: Option<&str>) -> Result<SdkConfig, Trouble> {
        let chain = self.chain.get_or_try_init(|| load(&self.config)).await?;
        let region = region.map(str::to_owned).or_else(|| chain.region().map(Region::to_string));
        let Some(region) = region.or_else(|| self.or_region.clone()) else {
            return Err(Trouble::new(Kind::Region, NO_REGION));
        };
        let in_region = |sdk: &SdkConfig| sdk.to_builder().region(Region::new(region.clone())).build();
        let Some((role, assumed)) = &self.role else { return Ok(in_region(chain)) };
        // where no Region is set, STS is asked in that of who comes first
        let of_sts = if chain.region().is_some() { chain.clone() } else { in_region(chain) };
        Ok(in_region(assumed.get_or_init(|| assume(&of_sts, role)).await))
    }
}

const NO_REGION: &str =
    "no AWS Region is set: set AWS_REGION, `region` of the profile, or `region` in [aws] of the configuration";

/// Settings as AWS's own tools have them, with ours over them. Credentials are looked up with the first call.
async fn load(config: &Config) -> Result<SdkConfig, Trouble> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_WAIT)
        .read_timeout(READ_WAIT)
        .operation_attempt_timeout(TRY_WAIT)
        .operation_timeout(CALL_WAIT)
        .build();
    let http = Trust::from_env()?.http_client();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .app_name(AppName::new("weir").expect("the name has only letters"))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(TRIES_MAX));
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &config.endpoint_url {
        loader = loader.endpoint_url(without_login(url));
    }
    if config.use_fips {
        // not set otherwise: the environment and the profile may ask for it too
        loader = loader.use_fips(true);
    }
    let sdk = loader.load().await;
    let sdk = match &config.profile {
        Some(profile) => with_profile(sdk, profile, http),
        None => sdk,
    };
    let shown = sdk.endpoint_url().map(without_login).filter(|shown| sdk.endpoint_url() != Some(shown));
    Ok(match shown {
        Some(url) => sdk.into_builder().endpoint_url(url).build(),
        None => sdk,
    })
}

/// A URL without name and password. AWS's signature stands where they would be sent, so that they are for nothing, and what is called is
/// shown.
pub fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |end| rest.split_at(end));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

async fn assume(chain: &SdkConfig, role: &Role) -> SdkConfig {
    let mut provider = AssumeRoleProvider::builder(&role.arn).session_name("weir").configure(chain);
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    // `build` looks for credentials in the chain by itself, and would not see the profile
    let provider = match chain.credentials_provider() {
        Some(credentials) => provider.build_from_provider(credentials).await,
        None => provider.build().await,
    };
    chain.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// Why a call has failed, as far as it matters to who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There are no credentials, or AWS does not take them.
    Credentials,
    /// No Region is set, or it is the wrong one.
    Region,
    Denied,
    /// There is no such bucket, object, queue or stream.
    Missing,
    Throttled,
    /// AWS failed (5xx).
    Server,
    /// No connection, or no answer in time.
    Unreachable,
    Other,
}

/// A call that failed, in one line that says what to mend and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub kind: Kind,
    /// AWS's word for it, such as `NoSuchKey`.
    pub code: Option<String>,
    why: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for Trouble {}

impl Trouble {
    /// A trouble that no answer of AWS says.
    pub fn new(kind: Kind, why: impl Into<String>) -> Trouble {
        Trouble { kind, code: None, why: why.into() }
    }

    /// The same in other words, for a caller who knows more about it.
    #[must_use]
    pub fn told(self, why: String) -> Trouble {
        Trouble { why, ..self }
    }

    /// What a failed call says. `action` is the permission that the call needs, such as `s3:GetObject`.
    pub fn of<E>(action: &str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(answer) = error.as_service_error() {
            let status = error.raw_response().map_or(0, |response| response.status().as_u16());
            return answered(action, status, answer.code(), answer.message());
        }
        match error {
            SdkError::TimeoutError(_) => {
                Trouble::new(Kind::Unreachable, "no answer in time: check the network, proxies and VPC endpoints")
            }
            _ => unanswered(error),
        }
    }

    /// What a failed call says that was to be answered only where `owner` has the bucket. S3 says no more of another's bucket than that access
    /// is denied, and not why, as it does where a policy of the caller's own account is the reason.
    pub fn of_bucket<E>(action: &str, error: &SdkError<E, HttpResponse>, owner: Option<&str>) -> Trouble
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let trouble = Trouble::of(action, error);
        match owner {
            Some(owner) if trouble.kind == Kind::Denied && !trouble.why.contains(NOT_AUTHORIZED) => {
                let why = format!(
                    "access denied: the bucket does not belong to account {owner}, as [aws.s3] says (expected_bucket_owner, bucket_owners), \
                     or {action} is not allowed to the role Weir runs as, or by the policy of the bucket"
                );
                trouble.told(why)
            }
            _ => trouble,
        }
    }

    /// True for what time may mend without us.
    pub fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::Server | Kind::Unreachable)
    }

    /// True for what AWS has probably not said, which has a word for what it refuses: a proxy that is not ready may have. A few tries show it.
    pub fn is_odd(&self) -> bool {
        // `NotFound` is the SDK's own word for a 404 without a body: of a bucket that is not there S3 says `NoSuchBucket`
        matches!(self.code.as_deref(), None | Some("" | "NotFound"))
            && matches!(self.kind, Kind::Missing | Kind::Denied | Kind::Other)
    }
}

/// Whether an answer to PutObject is S3's, which gives the ETag of what it wrote: a proxy, or the page of a login, may answer in its
/// place.
///
/// # Errors
/// When it has no ETag. Time may mend that.
pub fn written(etag: Option<&str>) -> Result<(), Trouble> {
    let why = "an answer without an ETag, which is not S3's: check the network, proxies and `endpoint_url`";
    etag.map(|_| ()).ok_or_else(|| Trouble::new(Kind::Unreachable, why))
}

/// What the answer of a service says.
fn answered(action: &str, status: u16, code: Option<&str>, message: Option<&str>) -> Trouble {
    let said = code.unwrap_or_default();
    let quote = message.map(quoted).filter(|text| !text.is_empty());
    let told = match (&quote, code) {
        (Some(text), _) => text.clone(),
        (None, Some(code)) => code.to_owned(),
        (None, None) => format!("HTTP status {status}"),
    };
    let (kind, why) = match (said, status) {
        // what AWS says about keys and signatures is not quoted: the text can hold the session token
        ("ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired", _) => {
            (Kind::Credentials, "the AWS credentials have expired: renew them, as with `aws sso login`".to_owned())
        }
        ("RequestTimeTooSkewed" | "RequestInTheFuture", _) => {
            (Kind::Credentials, "AWS refuses the time of the request: set the clock of this machine".to_owned())
        }
        ("SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature", _) => {
            (Kind::Credentials, "AWS refuses the signature: check the secret access key and the clock".to_owned())
        }
        (
            "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidToken"
            | "InvalidSecurity"
            | "AuthFailure"
            | "MissingAuthenticationToken",
            _,
        ) => (
            Kind::Credentials,
            "AWS does not know the credentials: check the access key, the session token, and that the key is active"
                .to_owned(),
        ),
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) | (_, 301) => {
            (Kind::Region, format!("it is in another Region than the one that is set: {told}"))
        }
        _ if is_throttling(said) || status == 429 => (Kind::Throttled, format!("AWS asks to slow down: {told}")),
        (
            "NoSuchBucket"
            | "NoSuchKey"
            | "NoSuchVersion"
            | "NotFound"
            | "ResourceNotFoundException"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue",
            _,
        )
        | ("", 404) => (Kind::Missing, format!("there is no such thing, or it is gone: {told}")),
        _ if said.contains("AccessDenied") || ["UnauthorizedOperation", "AllAccessDisabled"].contains(&said) => {
            (Kind::Denied, denied(action, quote.as_deref()))
        }
        ("", 401 | 403) => (Kind::Denied, denied(action, None)),
        (_, 500..) => (Kind::Server, format!("AWS failed with {status}: {told}")),
        // AWS has a word for what it refuses: a proxy, or the page of a login, answers in its place
        ("", ..=399 | 407) => (
            Kind::Unreachable,
            format!("an answer that is not AWS's ({told}): check the network, proxies and `endpoint_url`"),
        ),
        ("", _) => (Kind::Other, told),
        _ => (Kind::Other, if quote.is_some() { format!("{said}: {told}") } else { told }),
    };
    Trouble { kind, code: code.map(str::to_owned), why }
}

/// AWS says so of whom, of what and why.
const NOT_AUTHORIZED: &str = "not authorized to perform";

fn denied(action: &str, quote: Option<&str>) -> String {
    match quote.filter(|text| text.contains(NOT_AUTHORIZED)) {
        Some(text) => format!("access denied: {text}"),
        None => {
            format!("access denied: allow {action} to the role Weir runs as, and look at the policy of the resource")
        }
    }
}

fn is_throttling(code: &str) -> bool {
    code.contains("Throttl")
        || [
            "SlowDown",
            "RequestLimitExceeded",
            "ProvisionedThroughputExceededException",
            "TooManyRequestsException",
            "LimitExceededException",
            "PriorRequestNotComplete",
            "BandwidthLimitExceeded",
        ]
        .contains(&code)
}

/// What no service has answered: there are no credentials, there is no way, or the answer was broken off.
fn unanswered<E>(error: &SdkError<E, HttpResponse>) -> Trouble
where
    E: Error + 'static,
{
    let mut root: &(dyn Error + 'static) = error;
    let mut credentials = None;
    while let Some(cause) = root.source() {
        credentials = credentials.or(cause.downcast_ref::<CredentialsError>());
        root = cause;
    }
    if let Some(error) = credentials {
        return without_credentials(error);
    }
    let root = quoted(&root.to_string());
    let (kind, why) = match error {
        SdkError::DispatchFailure(failure) if failure.is_timeout() || failure.is_io() => (
            Kind::Unreachable,
            format!("cannot connect: {root}: check the network, proxies, VPC endpoints and `endpoint_url`"),
        ),
        SdkError::ResponseError(_) => (Kind::Server, format!("a broken answer: {root}")),
        _ if root.contains("egion") && root.contains("issing") => (Kind::Region, NO_REGION.to_owned()),
        _ => (Kind::Other, root),
    };
    Trouble::new(kind, why)
}

/// What there is to mend when credentials cannot be had.
pub fn without_credentials(error: &CredentialsError) -> Trouble {
    let mut root: &(dyn Error + 'static) = error;
    let mut needs_login = false;
    while let Some(cause) = root.source() {
        root = cause;
        needs_login |= is_login_over(&root.to_string());
    }
    let why = match error {
        _ if needs_login => format!(
            "there is no session of IAM Identity Center, or it is over ({}): log in anew, as with `aws sso login`",
            quoted(&root.to_string())
        ),
        CredentialsError::CredentialsNotLoaded(_) => {
            "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine or \
             container a role"
                .to_owned()
        }
        CredentialsError::ProviderTimedOut(_) => {
            "no AWS credentials in time: check the profile, and the way to STS or to the metadata service".to_owned()
        }
        _ => format!("getting AWS credentials failed: {}", quoted(&root.to_string())),
    };
    Trouble::new(Kind::Credentials, why)
}

/// Whether it is about the token that `aws sso login` leaves in a file, which is not there, has run out, or is refused by the service.
fn is_login_over(text: &str) -> bool {
    text.contains("SSO token") || text.contains("/sso/cache/") || text.starts_with("UnauthorizedException")
}

/// A text of another's in one line of bounded length.
pub fn quoted(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests;
