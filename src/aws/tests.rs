use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;

fn said(status: u16, code: &str, message: &str) -> (Kind, String) {
    let trouble = answered(
        "s3:GetObject",
        status,
        Some(code).filter(|code| !code.is_empty()),
        Some(message).filter(|message| !message.is_empty()),
    );
    (trouble.kind, trouble.to_string())
}

#[test]
fn a_denied_call_names_the_permission_it_needs() {
    let who = "User: arn:aws:sts::111122223333:assumed-role/weir/i-1 is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/1";
    assert_eq!(said(403, "AccessDenied", who), (Kind::Denied, format!("access denied: {who}")));
    let short = "access denied: allow s3:GetObject to the role Weir runs as, and look at the policy of the resource";
    assert_eq!(said(403, "AccessDenied", "Access Denied"), (Kind::Denied, short.to_owned()));
    assert_eq!(said(403, "", ""), (Kind::Denied, short.to_owned()));
}

#[test]
fn what_is_missing_throttled_or_broken_is_told_apart() {
    assert_eq!(
        said(404, "NoSuchKey", "The specified key does not exist."),
        (Kind::Missing, "there is no such thing, or it is gone: The specified key does not exist".to_owned())
    );
    assert_eq!(said(404, "", "").0, Kind::Missing);
    assert_eq!(
        said(503, "SlowDown", "Please reduce your request rate."),
        (Kind::Throttled, "AWS asks to slow down: Please reduce your request rate".to_owned())
    );
    assert_eq!(said(400, "ThrottlingException", "Rate exceeded").0, Kind::Throttled);
    assert_eq!(said(400, "ProvisionedThroughputExceededException", "").0, Kind::Throttled);
    assert_eq!(said(500, "", ""), (Kind::Server, "AWS failed with 500: HTTP status 500".to_owned()));
    assert_eq!(said(400, "InvalidArgument", "no"), (Kind::Other, "InvalidArgument: no".to_owned()));
    assert_eq!(said(301, "PermanentRedirect", "use another endpoint").0, Kind::Region);
    // a proxy, or the page of a login
    let other = "an answer that is not AWS's (HTTP status 302): check the network, proxies and `endpoint_url`";
    assert_eq!(said(302, "", ""), (Kind::Unreachable, other.to_owned()));
    assert_eq!([200, 407].map(|status| said(status, "", "").0), [Kind::Unreachable; 2]);
    assert_eq!(said(400, "", "").0, Kind::Other);
}

#[test]
fn what_has_no_word_of_aws_may_be_a_proxys() {
    let is_odd = |status, code: Option<&str>| answered("s3:ListBucket", status, code, None).is_odd();
    assert!(is_odd(403, None) && is_odd(403, Some("")) && is_odd(404, None) && is_odd(404, Some("NotFound")));
    assert!(!is_odd(404, Some("NoSuchBucket")) && !is_odd(403, Some("AccessDenied")));
    // time may mend these anyway
    assert!(!is_odd(503, None) && !is_odd(407, None));
}

#[test]
fn what_aws_says_about_a_signature_is_not_shown() {
    let message = "The Canonical String for this request should have been\n'GET\nx-amz-security-token:CANARY'";
    for code in ["SignatureDoesNotMatch", "InvalidClientTokenId", "ExpiredToken", "RequestTimeTooSkewed"] {
        let (kind, why) = said(403, code, message);
        assert_eq!(kind, Kind::Credentials, "{code}");
        assert!(!why.contains("CANARY"), "{why}");
    }
}

#[test]
fn a_quoted_text_is_one_short_line() {
    assert_eq!(quoted(" a\n  b. "), "a b");
    assert_eq!(quoted(&"ä".repeat(400)), format!("{}...", "ä".repeat(300)));
}

#[test]
fn the_section_is_strict_and_empty_by_default() {
    let config: Config = toml::from_str(
        "profile = 'a'\nassume_role = { arn = 'arn:aws:iam::1:role/r', external_id = 'x' }\n[s3]\nforce_path_style = true",
    )
    .unwrap();
    assert_eq!(config.assume_role.as_ref().and_then(|role| role.external_id.as_deref()), Some("x"));
    assert!(config.s3.force_path_style);
    assert!(toml::from_str::<Config>("secret = 'x'").is_err());
    for owner in ["expected_bucket_owner = '1111'", "bucket_owners = { trail = 'me' }"] {
        let error = toml::from_str::<Config>(&format!("[s3]\n{owner}")).unwrap_err().to_string();
        assert!(error.contains("is no account of AWS: 12 digits in quotes"), "{error}");
    }
    assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
}

/// The addresses that are asked for, and no answer.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<std::sync::Mutex<Vec<String>>>);

impl HttpConnector for Asked {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.0.lock().unwrap().push(request.uri().split('?').next().unwrap().to_owned());
        HttpConnectorFuture::ready(Err(ConnectorError::user("nobody is there".into())))
    }
}

#[tokio::test]
async fn every_client_takes_the_endpoints_with_fips_where_it_is_told_to() {
    let asked = async |use_fips: bool| {
        let asked = Asked::default();
        let region = Some("us-gov-west-1".to_owned());
        let sdk = Aws::new(Config { region, use_fips, ..Config::default() }).sdk(None).await.unwrap();
        let none = aws_credential_types::Credentials::new("AKIA", "secret", None, None, "test");
        let sdk =
            sdk.into_builder().http_client(Trust::of_answers(SharedHttpConnector::new(asked.clone())).http_client());
        let sdk = sdk.credentials_provider(SharedCredentialsProvider::new(none)).build();
        let (s3, sqs) = (aws_sdk_s3::Client::new(&sdk), aws_sdk_sqs::Client::new(&sdk));
        let (kinesis, sts) = (aws_sdk_kinesis::Client::new(&sdk), aws_sdk_sts::Client::new(&sdk));
        assert!(s3.get_object().bucket("b-b").key("k").send().await.is_err());
        assert!(sqs.get_queue_url().queue_name("q").send().await.is_err());
        assert!(kinesis.list_shards().stream_name("s").send().await.is_err());
        assert!(sts.get_caller_identity().send().await.is_err());
        let mut asked = std::mem::take(&mut *asked.0.lock().unwrap());
        asked.dedup();
        asked
    };
    let of = |[s3, sqs, kinesis, sts]: [&str; 4]| {
        let host = |name: &str| format!("https://{name}.us-gov-west-1.amazonaws.com/");
        [format!("{}k", host(&format!("b-b.{s3}"))), host(sqs), host(kinesis), host(sts)]
    };
    assert_eq!(asked(false).await, of(["s3", "sqs", "kinesis", "sts"]));
    // some are named as the others are there
    assert_eq!(asked(true).await, of(["s3-fips", "sqs", "kinesis", "sts"]));
}

#[tokio::test]
async fn where_no_region_is_set_that_of_who_asks_is_taken_for_the_role_too() {
    let none = aws_credential_types::Credentials::new("AKIA", "secret", None, None, "test");
    let nobody = Trust::of_answers(SharedHttpConnector::new(Asked::default())).http_client();
    let loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new("none")).http_client(nobody);
    let sdk = loader.credentials_provider(SharedCredentialsProvider::new(none)).load().await;
    let aws = |region: Option<&str>| {
        let sdk = sdk.to_builder().region(region.map(|region| Region::new(region.to_owned()))).build();
        Aws { chain: Arc::new(OnceCell::new_with(Some(sdk))), ..Aws::new(Config::default()) }
    };
    let told = async |aws: Aws, region| aws.sdk(region).await.map(|sdk| sdk.region().unwrap().to_string());
    assert_eq!(told(aws(None), None).await.unwrap_err().kind, Kind::Region);
    assert_eq!(told(aws(None).or_region(Some("eu-west-1")), None).await.unwrap(), "eu-west-1");
    let set = aws(Some("us-east-1")).or_region(Some("eu-west-1"));
    assert_eq!(told(set.clone(), None).await.unwrap(), "us-east-1");
    assert_eq!(told(set, Some("eu-west-2")).await.unwrap(), "eu-west-2");

    let role = Role { arn: "arn:aws:iam::111122223333:role/r".to_owned(), external_id: None };
    let assuming = aws(None).assuming(Some(&role));
    let sdk = assuming.sdk(Some("eu-west-1")).await.unwrap();
    let error = aws_sdk_sqs::Client::new(&sdk).get_queue_url().queue_name("q").send().await.unwrap_err();
    // STS is asked, and nobody is there
    let told = Trouble::of("sqs:GetQueueUrl", &error).to_string();
    assert!(told.contains("nobody is there"), "{told}");
}

/// A client that has everything it needs but a server: nothing listens on port 1.
fn nowhere() -> Aws {
    Aws::new(Config {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some("http://127.0.0.1:1".to_owned()),
        ..Config::default()
    })
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_so() {
    let client = nowhere().s3().await.unwrap();
    let config = client
        .config()
        .to_builder()
        .retry_config(RetryConfig::disabled())
        .credentials_provider(aws_sdk_s3::config::Credentials::new("AKIA", "secret", None, None, "test"));
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let error = client.get_object().bucket("bucket").key("key").send().await.unwrap_err();
    let trouble = Trouble::of("s3:GetObject", &error);
    assert_eq!(trouble.kind, Kind::Unreachable, "{trouble}");
    assert!(trouble.may_pass());
    assert!(trouble.to_string().starts_with("cannot connect: "), "{trouble}");
}

#[tokio::test]
async fn missing_credentials_are_named_so() {
    let client = nowhere().s3().await.unwrap();
    let none = aws_sdk_s3::config::SharedCredentialsProvider::new(NoCredentials);
    let client = aws_sdk_s3::Client::from_conf(client.config().to_builder().credentials_provider(none).build());
    let error = client.get_object().bucket("bucket").key("key").send().await.unwrap_err();
    let trouble = Trouble::of("s3:GetObject", &error);
    assert_eq!(trouble.kind, Kind::Credentials, "{trouble}");
    assert!(trouble.to_string().starts_with("no AWS credentials were found: set AWS_PROFILE"), "{trouble}");
}

#[derive(Debug)]
struct NoCredentials;

impl aws_sdk_s3::config::ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nothing")))
    }
}

#[test]
fn a_url_is_shown_without_its_login() {
    for (url, shown) in [
        ("http://user:secret@host:1/a@b?c", "http://host:1/a@b?c"),
        ("https://user@host", "https://host"),
        ("https://u:p@ss@host/", "https://host/"),
        ("http://host:1/a@b", "http://host:1/a@b"),
        ("user:secret@host", "user:secret@host"),
    ] {
        assert_eq!(without_login(url), shown);
    }
}
