//! What is written to S3 → the same, with the KMS key that it is to be encrypted with.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Names the key in every PUT of a client, so that no write can be made without it.
#[derive(Debug)]
pub(super) struct Encrypt {
    pub key: String,
}

impl Intercept for Encrypt {
    fn name(&self) -> &'static str {
        "Encrypt"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if request.method() == "PUT" {
            let headers = request.headers_mut();
            headers.try_insert("x-amz-server-side-encryption", "aws:kms")?;
            headers.try_insert("x-amz-server-side-encryption-aws-kms-key-id", self.key.clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_s3::primitives::ByteStream;
    use axum::extract::State;
    use axum::http::{HeaderMap, Method};

    use crate::aws::{Aws, Config, S3};

    /// Of each request its method, and the headers about encryption.
    type Seen = Arc<Mutex<Vec<(String, Vec<String>)>>>;

    async fn note(State(seen): State<Seen>, method: Method, headers: HeaderMap) {
        let names = ["x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"];
        let told = names.iter().filter_map(|name| Some(headers.get(*name)?.to_str().unwrap().to_owned()));
        let signed = headers["authorization"].to_str().unwrap().matches("server-side-encryption").count();
        seen.lock().unwrap().push((format!("{method} {signed}"), told.collect()));
    }

    #[tokio::test]
    async fn what_is_written_names_the_key_and_what_is_read_does_not() {
        let seen = Seen::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(note).with_state(seen.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let write_and_read = async |kms_key: Option<&str>| {
            let s3 = S3 { force_path_style: true, kms_key: kms_key.map(str::to_owned), ..S3::default() };
            let aws = Aws { config: Arc::new(Config { s3, ..Config::default() }), ..Aws::of_server(&url) };
            let client = aws.s3().await.unwrap();
            client.put_object().bucket("b").key("k").body(ByteStream::from_static(b"x")).send().await.unwrap();
            client.get_object().bucket("b").key("k").send().await.unwrap();
            std::mem::take(&mut *seen.lock().unwrap())
        };
        let key = "arn:aws:kms:eu-west-1:111122223333:key/k";
        let named = vec!["aws:kms".to_owned(), key.to_owned()];
        assert_eq!(write_and_read(Some(key)).await, [("PUT 2".to_owned(), named), ("GET 0".to_owned(), vec![])]);
        assert_eq!(write_and_read(None).await, [("PUT 0".to_owned(), vec![]), ("GET 0".to_owned(), vec![])]);
    }
}
