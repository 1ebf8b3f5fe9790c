//! Whom the client believes, and as whom it comes.

use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use super::error::HttpError;
use super::identity::Identity;

/// The authorities of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR` where they are set.
pub(super) fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some certificate authorities of the system cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(
            "the system has no certificate authorities, so no request by https will succeed; \
             install them or name a file of them in SSL_CERT_FILE"
        );
    }
    roots
}

/// The settings of a connection; cheap, as the authorities are shared.
pub(super) fn config(
    roots: &Arc<RootCertStore>,
    identity: Option<&Identity>,
) -> Result<ClientConfig, HttpError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(HttpError::SetupTls)?
        .with_root_certificates(Arc::clone(roots));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let shown = SingleCertAndKey::from(Arc::clone(&identity.certified));
            let shown: Arc<dyn ResolvesClientCert> = Arc::new(shown);
            builder.with_client_cert_resolver(shown)
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
