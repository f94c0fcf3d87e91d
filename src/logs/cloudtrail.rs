//! The `cloudtrail` table: one row per CloudTrail record of any category, from AWS's record contents reference.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use serde::Deserialize;

use crate::table::{Batch, Column, Kind, Names, Table};
use crate::time::Timestamp;

/// Field names are AWS's own; a value that does not fit its column is kept in `unmapped`.
pub static CLOUDTRAIL: Table = Table {
    name: "cloudtrail",
    about: "API calls, console sign-ins, service events and Insights recorded by AWS CloudTrail",
    time: "eventtime",
    id: Some("eventid"),
    same: &["eventid"],
    names: Names {
        // a user of Identity Center has neither ARN nor principal id
        actor: "coalesce(useridentity.sessioncontext.sessionissuer.arn, useridentity.arn, useridentity.invokedby, useridentity.principalid, useridentity.onbehalfof.userid, useridentity.username)",
        session: "useridentity.principalid",
        source_ip: "sourceipaddress",
        resource: "resources[1].arn",
    },
    own: "useridentity.type = 'AWSService' OR eventtype = 'AwsServiceEvent' OR strpos(useridentity.sessioncontext.sessionissuer.arn, ':role/aws-service-role/') > 0",
    lookups: &[
        "eventid",
        "sourceipaddress",
        "useridentity.arn",
        "useridentity.principalid",
        "useridentity.accesskeyid",
    ],
    columns: COLUMNS,
};

const AGGREGATED: &str = "AwsAggregatedEvent";

/// What an aggregated event has in place of a time and a recipient; it stays in `unmapped`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Aggregated {
    account_id: Option<String>,
    time_window: Option<Window>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    window_start: Option<String>,
}

/// Makes an error code that says there is none null, as it is in CSV and Parquet, and gives aggregated events the time at which their window begins, and
/// the account that received them.
pub fn settled(batch: Batch) -> Batch {
    let batch = without_codes_of_none(batch);
    let kinds = batch.rows.column_by_name("eventtype").expect("a column of the table").as_dictionary::<Int32Type>();
    let names = kinds.values().as_string::<i32>();
    if !names.iter().any(|name| name == Some(AGGREGATED)) {
        return batch;
    }
    let texts = batch.rows.column_by_name("unmapped").expect("a column of the table").as_string_view();
    let said = (0..batch.rows.num_rows()).map(|row| -> Option<Aggregated> {
        let is_one = kinds.key(row).is_some_and(|key| names.value(key) == AGGREGATED);
        let text = (is_one && texts.is_valid(row)).then(|| texts.value(row))?;
        serde_json::from_str(text).ok()
    });
    let said: Vec<Option<Aggregated>> = said.collect();
    let schema = batch.rows.schema();
    let columns = schema.fields().iter().zip(batch.rows.columns()).map(|(field, column)| match field.name().as_str() {
        "eventtime" => times(column, &said),
        "account" | "recipientaccountid" => accounts(column, &said),
        _ => column.clone(),
    });
    let columns = columns.collect();
    let rows = RecordBatch::try_new(schema.clone(), columns).expect("the columns keep their kinds");
    Batch { rows, ..batch }
}

/// Exports write a call that succeeded with an empty code, or with the word `null` as a text, then for its message too: such calls
/// would all be errors.
fn without_codes_of_none(batch: Batch) -> Batch {
    let place = |name: &str| batch.rows.schema().index_of(name).expect("a column of the table");
    let (code, message) = (place("errorcode"), place("errormessage"));
    let codes = batch.rows.column(code).as_dictionary::<Int32Type>();
    let names = codes.values().as_string::<i32>();
    let is_none = |name: Option<&str>| name.is_some_and(|name| name.is_empty() || is_null_word(name));
    let none: Vec<bool> = names.iter().map(is_none).collect();
    if !none.contains(&true) {
        return batch;
    }
    let keys: Int32Array = codes.keys().iter().map(|key| key.filter(|key| !none[*key as usize])).collect();
    let mut columns = batch.rows.columns().to_vec();
    columns[code] = Arc::new(DictionaryArray::new(keys, codes.values().clone()));
    let is_null: Vec<bool> = names.iter().map(|name| name.is_some_and(is_null_word)).collect();
    if is_null.contains(&true) {
        let messages = batch.rows.column(message).as_string_view().iter().zip(codes.keys());
        // not of another call that is read with it
        let of_none = |key: Option<i32>| key.is_some_and(|key| is_null[key as usize]);
        let messages = messages.map(|(text, key)| text.filter(|text| !(of_none(key) && is_null_word(text))));
        let messages: StringViewArray = messages.collect();
        columns[message] = Arc::new(messages);
    }
    let rows = RecordBatch::try_new(batch.rows.schema(), columns).expect("the columns keep their kinds");
    Batch { rows, ..batch }
}

fn is_null_word(text: &str) -> bool {
    text.eq_ignore_ascii_case("null")
}

fn times(column: &ArrayRef, said: &[Option<Aggregated>]) -> ArrayRef {
    let own = column.as_primitive::<TimestampMicrosecondType>();
    let start = |row: usize| -> Option<i64> {
        let window = said[row].as_ref()?.time_window.as_ref()?;
        Timestamp::parse(window.window_start.as_deref()?).map(|time| time.0)
    };
    let times = (0..own.len()).map(|row| own.is_valid(row).then(|| own.value(row)).or_else(|| start(row)));
    Arc::new(times.collect::<TimestampMicrosecondArray>().with_data_type(column.data_type().clone()))
}

fn accounts(column: &ArrayRef, said: &[Option<Aggregated>]) -> ArrayRef {
    let own = column.as_dictionary::<Int32Type>();
    let names = own.values().as_string::<i32>();
    let account = |row: usize| -> Option<&str> {
        let name = own.key(row).map(|key| names.value(key));
        let said = || said[row].as_ref()?.account_id.as_deref();
        name.filter(|name| *name != "unknown").or_else(said).or(name)
    };
    let accounts: StringArray = (0..own.len()).map(account).collect();
    cast(&accounts, column.data_type()).expect("texts become symbols")
}

const COLUMNS: &[Column] = &[
    Column::new("eventversion", "eventVersion", Kind::Symbol, "version of the record format, two numbers around a dot"),
    Column::new("useridentity", "userIdentity", Kind::Struct(USER_IDENTITY), "who made the call"),
    Column::new("eventtime", "eventTime", Kind::Time, "when the service finished the call"),
    Column::new("eventsource", "eventSource", Kind::Symbol, "service called, such as `iam.amazonaws.com`"),
    Column::new("eventname", "eventName", Kind::Symbol, "API action, sign-in or service event"),
    Column::new("awsregion", "awsRegion", Kind::Symbol, "Region the call was made to"),
    Column::new(
        "sourceipaddress",
        "sourceIPAddress",
        Kind::Text,
        "caller's IP address, or the DNS name of an AWS service",
    ),
    Column::new("useragent", "userAgent", Kind::Symbol, "client that made the call"),
    Column::new("errorcode", "errorCode", Kind::Symbol, "error of a failed call; null when it succeeded"),
    Column::new("errormessage", "errorMessage", Kind::Text, "description of the error"),
    Column::new("requestparameters", "requestParameters", Kind::Json, "parameters of the call, whole"),
    Column::new("responseelements", "responseElements", Kind::Json, "answer of a call that changes something, whole"),
    Column::new(
        "additionaleventdata",
        "additionalEventData",
        Kind::Json,
        "further facts about the call, such as `MFAUsed`",
    ),
    Column::new("requestid", "requestID", Kind::Text, "id of the request, made by the service"),
    Column::new("eventid", "eventID", Kind::Text, "id of the record, made by CloudTrail"),
    Column::new(
        "eventtype",
        "eventType",
        Kind::Symbol,
        "AwsApiCall, AwsServiceEvent, AwsConsoleAction, AwsConsoleSignIn, AwsCloudTrailInsight, AwsVpceEvent or AwsAggregatedEvent",
    ),
    Column::new("apiversion", "apiVersion", Kind::Symbol, "version of the API called"),
    Column::new("managementevent", "managementEvent", Kind::Bool, "true for management events"),
    Column::new("readonly", "readOnly", Kind::Bool, "true when the call changes nothing"),
    Column::new("resources", "resources", Kind::List(RESOURCES), "resources touched"),
    Column::new("recipientaccountid", "recipientAccountId", Kind::Symbol, "account that received the record"),
    Column::new("serviceeventdetails", "serviceEventDetails", Kind::Json, "facts of a service event, whole"),
    Column::new(
        "sharedeventid",
        "sharedEventID",
        Kind::Text,
        "id shared by the records that several accounts got of one action",
    ),
    Column::new("vpcendpointid", "vpcEndpointId", Kind::Symbol, "VPC endpoint the call came through"),
    Column::new("vpcendpointaccountid", "vpcEndpointAccountId", Kind::Symbol, "account that owns the VPC endpoint"),
    Column::new(
        "eventcategory",
        "eventCategory",
        Kind::Symbol,
        "Management, Data, Insight, NetworkActivity or Aggregated",
    ),
    Column::new("addendum", "addendum", Kind::Json, "why the record came late or was corrected"),
    Column::new(
        "sessioncredentialfromconsole",
        "sessionCredentialFromConsole",
        Kind::Bool,
        "true when the credentials came from a console session",
    ),
    Column::new("edgedevicedetails", "edgeDeviceDetails", Kind::Json, "edge devices that were the target"),
    Column::new("tlsdetails", "tlsDetails", Kind::Struct(TLS_DETAILS), "TLS version, cipher and host name of the call"),
    Column::new("insightdetails", "insightDetails", Kind::Json, "facts of an Insights event, whole"),
    Column::new("eventcontext", "eventContext", Kind::Json, "request and tag context of an enriched event"),
    Column::new(
        "unmapped",
        "",
        Kind::Json,
        "fields without a column, or whose value does not fit theirs, as one JSON object",
    ),
];

const USER_IDENTITY: &[Column] = &[
    Column::new(
        "type",
        "type",
        Kind::Symbol,
        "Root, IAMUser, AssumedRole, Role, FederatedUser, AWSAccount, AWSService, IdentityCenterUser, SAMLUser, WebIdentityUser, Directory or Unknown",
    ),
    Column::new(
        "principalid",
        "principalId",
        Kind::Symbol,
        "unique id of the caller; `ROLEID:session` for an assumed role",
    ),
    Column::new("arn", "arn", Kind::Symbol, "ARN of the caller"),
    Column::new("accountid", "accountId", Kind::Symbol, "account of the caller"),
    Column::new(
        "accesskeyid",
        "accessKeyId",
        Kind::Text,
        "access key used: AKIA for long-lived keys, ASIA for sessions",
    ),
    Column::new("username", "userName", Kind::Symbol, "name of the user"),
    Column::new("invokedby", "invokedBy", Kind::Symbol, "AWS service that made the call"),
    Column::new("sessioncontext", "sessionContext", Kind::Struct(SESSION_CONTEXT), "session of temporary credentials"),
    Column::new("inscopeof", "inScopeOf", Kind::Json, "what the credentials were issued to"),
    Column::new("onbehalfof", "onBehalfOf", Kind::Struct(ON_BEHALF_OF), "IAM Identity Center user behind the call"),
    Column::new("identityprovider", "identityProvider", Kind::Text, "external identity provider"),
    Column::new("credentialid", "credentialId", Kind::Text, "id of a bearer credential"),
];

const SESSION_CONTEXT: &[Column] = &[
    Column::new("attributes", "attributes", Kind::Struct(SESSION_ATTRIBUTES), "attributes of the session"),
    Column::new(
        "sessionissuer",
        "sessionIssuer",
        Kind::Struct(SESSION_ISSUER),
        "role or user the session was issued for",
    ),
    Column::new(
        "webidfederationdata",
        "webIdFederationData",
        Kind::Struct(WEB_ID_FEDERATION),
        "web identity federation",
    ),
    Column::new("sourceidentity", "sourceIdentity", Kind::Text, "source identity set when the role was assumed"),
    Column::new(
        "ec2roledelivery",
        "ec2RoleDelivery",
        Kind::Symbol,
        "version of the instance metadata service that gave the credentials",
    ),
    Column::new("ec2issuedinvpc", "ec2IssuedInVpc", Kind::Symbol, "VPC in which instance credentials were issued"),
    Column::new("assumedroot", "assumedRoot", Kind::Symbol, "`true` for a central root session"),
];

const SESSION_ATTRIBUTES: &[Column] = &[
    Column::new("creationdate", "creationDate", Kind::Text, "when the session began"),
    Column::new("mfaauthenticated", "mfaAuthenticated", Kind::Symbol, "`true` or `false`, as text"),
];

const SESSION_ISSUER: &[Column] = &[
    Column::new("type", "type", Kind::Symbol, "Root, IAMUser or Role"),
    Column::new("principalid", "principalId", Kind::Symbol, "unique id of the issuer"),
    Column::new("arn", "arn", Kind::Symbol, "ARN of the issuer"),
    Column::new("accountid", "accountId", Kind::Symbol, "account of the issuer"),
    Column::new("username", "userName", Kind::Symbol, "name of the role or user"),
];

const WEB_ID_FEDERATION: &[Column] = &[
    Column::new("federatedprovider", "federatedProvider", Kind::Text, "identity provider"),
    Column::new("attributes", "attributes", Kind::Json, "attributes the provider gave"),
];

const ON_BEHALF_OF: &[Column] = &[
    Column::new("userid", "userId", Kind::Text, "IAM Identity Center user id"),
    Column::new("identitystorearn", "identityStoreArn", Kind::Text, "ARN of the identity store"),
];

const RESOURCES: &[Column] = &[
    Column::new("arn", "ARN", Kind::Text, "ARN of the resource"),
    Column::new("accountid", "accountId", Kind::Symbol, "account that owns it"),
    Column::new("type", "type", Kind::Symbol, "resource type, such as `AWS::S3::Object`"),
    Column::new("arnprefix", "ARNPrefix", Kind::Text, "prefix of the ARNs touched"),
];

const TLS_DETAILS: &[Column] = &[
    Column::new("tlsversion", "tlsVersion", Kind::Symbol, "TLS version"),
    Column::new("ciphersuite", "cipherSuite", Kind::Symbol, "cipher suite"),
    Column::new("clientprovidedhostheader", "clientProvidedHostHeader", Kind::Symbol, "host name the client asked for"),
];
