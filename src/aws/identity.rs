//! Who AWS takes us for, and how far its clock is from ours: one call of GetCallerIdentity, which needs no permission.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};

use super::{Aws, Kind, Trouble};

/// The answer to the question.
#[derive(Debug)]
pub struct Identity {
    /// ARN of the user or of the session of a role.
    pub who: Result<String, Trouble>,
    /// Seconds that AWS's clock is ahead of ours, to a second or two; `None` when nobody answered.
    pub ahead_seconds: Option<i64>,
    /// The Region that is set, in which is looked for what names none.
    pub region: Option<String>,
}

/// Asks STS, in `region` when no other is set.
pub async fn identity(aws: &Aws, region: Option<&str>) -> Identity {
    let set = aws.sdk(None).await;
    let region_set = set.as_ref().ok().and_then(|sdk| sdk.region()).map(ToString::to_string);
    let sdk = match (set, region) {
        (Err(trouble), Some(region)) if trouble.kind == Kind::Region => aws.sdk(Some(region)).await,
        (sdk, _) => sdk,
    };
    let sdk = match sdk {
        Ok(sdk) => sdk,
        Err(trouble) => return Identity { who: Err(trouble), ahead_seconds: None, region: None },
    };
    let dates = Dates::default();
    let ask = aws_sdk_sts::Client::new(&sdk).get_caller_identity().customize().interceptor(dates.clone());
    let who = match ask.send().await {
        Ok(answer) => Ok(answer.arn.unwrap_or_default()),
        Err(error) => Err(Trouble::of("sts:GetCallerIdentity", &error)),
    };
    let ahead_seconds = *dates.ahead_seconds.lock().unwrap_or_else(PoisonError::into_inner);
    Identity { who, ahead_seconds, region: region_set }
}

/// Reads the `Date` of answers, also of those that refuse.
#[derive(Clone, Debug, Default)]
struct Dates {
    ahead_seconds: Arc<Mutex<Option<i64>>>,
}

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "Dates"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(theirs) = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok()) {
            let ahead = theirs.secs() - DateTime::from(SystemTime::now()).secs();
            *self.ahead_seconds.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(())
    }
}
