//! Certificates → connections to servers that have one of them: TLS by rustls with ring, HTTP/2 where the server has it (ALPN).

use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::{Connector, proxy::ProxyConfig, tls};
#[cfg(test)]
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Kind, Trouble};

/// Who is taken for AWS, or for the server at `endpoint_url`. By default: whoever the system trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificates in PEM, all of them valid, that are trusted in place of the system's.
    bundle: Option<Arc<[u8]>>,
    /// What answers in place of all servers.
    #[cfg(test)]
    pub answers: Option<SharedHttpConnector>,
}

impl Trust {
    #[cfg(test)]
    pub fn of_answers(answers: SharedHttpConnector) -> Trust {
        Trust { bundle: None, answers: Some(answers) }
    }

    /// `AWS_CA_BUNDLE` as AWS's own tools have it: a file of certificates in PEM. Unset or empty, it is the system's.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn from_env() -> Result<Trust, Trouble> {
        match env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
            Some(path) => Trust::in_file(Path::new(&path)),
            None => Ok(Trust::default()),
        }
    }

    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn in_file(path: &Path) -> Result<Trust, Trouble> {
        let trouble = |why: String| Trouble::new(Kind::Other, format!("AWS_CA_BUNDLE={}: {why}", path.display()));
        let bundle = fs::read(path).map_err(|error| trouble(error.to_string()))?;
        // what is made of it later takes for granted that it is valid
        let mut roots = rustls::RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(&bundle).enumerate() {
            let refused = |why: String| trouble(format!("certificate {} cannot be used: {why}", index + 1));
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(trouble("there is no certificate in it: it must hold them in PEM".to_owned()));
        }
        Ok(Trust {
            bundle: Some(bundle.into()),
            #[cfg(test)]
            answers: None,
        })
    }

    /// Connections of their own, shared by the clients that are given this, through the proxy that the environment names.
    pub fn http_client(&self) -> SharedHttpClient {
        #[cfg(test)]
        if let Some(answers) = self.answers.clone() {
            return aws_smithy_runtime_api::client::http::http_client_fn(move |_, _| answers.clone());
        }
        // others in this program that use TLS must find the same provider; they may have set it already
        let _ = rustls::crypto::ring::default_provider().install_default();
        let context = self.context();
        aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, runtime| {
            let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(runtime.and_then(|runtime| runtime.sleep_impl()));
            let connector = connector.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
            connector.tls_context(context.clone()).build()
        })
    }

    pub fn context(&self) -> tls::TlsContext {
        let roots = match &self.bundle {
            Some(bundle) => tls::TrustStore::empty().with_pem_certificate(&**bundle),
            None => tls::TrustStore::default(),
        };
        tls::TlsContext::builder().with_trust_store(roots).build().expect("a trust store is all it needs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.pem");
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
        Trust::in_file(&data.join("ca.pem")).unwrap();
        fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        for (path, why) in [
            (data.join("none.pem"), "No such file"),
            (data.join("server.key"), "there is no certificate in it"),
            (broken, "certificate 1 cannot be used"),
        ] {
            let told = Trust::in_file(&path).unwrap_err().to_string();
            assert!(told.starts_with(&format!("AWS_CA_BUNDLE={}: ", path.display())) && told.contains(why), "{told}");
        }
    }
}
