//! Why a request failed, for whoever has to do something about it.
//!
//! No text holds more of an address than its host and port: the rest may be a secret.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::identity::IdentityError;
use super::judge::Verdict;
use super::target::Target;
use crate::policy::Refused;
use crate::resolver::ResolveError;

/// What a server says to a client without a certificate, or with one that it does not accept.
const CLIENT_CERTIFICATE_ALERTS: [AlertDescription; 5] = [
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be used.
    #[error("the address cannot be used: {0}")]
    Url(UrlReason),
    /// The host may not get this request.
    #[error("{host} may not get this request: it is not one of the hosts that are named for it")]
    Host {
        /// The host.
        host: String,
    },
    /// The policy does not let one of the host's addresses through.
    #[error("no connection to {host}: {refused}")]
    Refused {
        /// The host.
        host: String,
        /// The address and its kind.
        refused: Refused,
    },
    /// The name has no address.
    #[error("no connection to {host}: {why}")]
    Resolve {
        /// The host.
        host: String,
        /// What the name service said.
        why: Arc<ResolveError>,
    },
    /// The request would have gone over the public internet for everybody to read.
    #[error(
        "no connection to {host}: plain http would show its credentials to the public internet; \
         write https (http is for networks that are opened with --outbound-allow)"
    )]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// Nobody accepted the connection.
    #[error(
        "no connection to {host}: {kind}; see its port, and whether this server may reach it \
         without a proxy"
    )]
    Connect {
        /// The host and its port.
        host: String,
        /// What the system said.
        kind: io::ErrorKind,
        /// The whole of it.
        source: reqwest::Error,
    },
    /// The two sides do not trust or understand each other.
    #[error("no TLS with {host}: {why}{}", remedy(why))]
    Tls {
        /// The host and its port.
        host: String,
        /// What the TLS library said.
        why: rustls::Error,
    },
    /// The answer was not complete in time. The request may have arrived.
    #[error("{host} did not answer within {after:?}")]
    TimedOut {
        /// The host and its port.
        host: String,
        /// How long the request was given.
        after: Duration,
    },
    /// The answer is larger than the request allows.
    #[error("{host} answered with more than {most} bytes")]
    TooLarge {
        /// The host and its port.
        host: String,
        /// How many it may be.
        most: usize,
    },
    /// The connection ended early, or the other side does not speak HTTP. The request may have
    /// arrived.
    #[error("{host} broke off, or what it sent is not HTTP")]
    Protocol {
        /// The host and its port.
        host: String,
        /// What the HTTP library said.
        source: reqwest::Error,
    },
    /// The client certificate cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The HTTP library refused its settings.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
    /// The TLS library refused its settings.
    #[error("TLS cannot be set up")]
    SetupTls(#[source] rustls::Error),
}

/// Why an address cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlReason {
    /// Neither `https` nor `http`.
    #[error("it must start with https://")]
    Scheme,
    /// Credentials belong into headers, where they are kept out of logs.
    #[error("it holds a user or a password; they belong into the fields for them")]
    UserInfo,
    /// There is no host.
    #[error("it has no host")]
    NoHost,
    /// The host is not a name that a name service knows.
    #[error("its host is not a name; write letters, digits, `-`, `_` and dots")]
    HostName,
}

impl HttpError {
    /// Whether the same request may succeed later. Whether it may be sent twice is for the caller
    /// to know: after [`Self::TimedOut`] and [`Self::Protocol`] it may have arrived.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Resolve { why, .. } => match **why {
                ResolveError::NotFound => false,
                ResolveError::TimedOut | ResolveError::Failed(_) => true,
            },
            Self::Connect { .. } | Self::TimedOut { .. } | Self::Protocol { .. } => true,
            Self::Url(_)
            | Self::Host { .. }
            | Self::Refused { .. }
            | Self::PlainHttp { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::Identity(_)
            | Self::Setup(_)
            | Self::SetupTls(_) => false,
        }
    }

    /// Sorts an error of the HTTP library by who can do something about it.
    pub(super) fn of(error: reqwest::Error, target: &Target) -> Self {
        // the library keeps the whole address, and with it the query
        let error = error.without_url();
        if let Some(verdict) = find::<Verdict>(&error) {
            return verdict.clone().about(&target.name);
        }
        let host = target.place.clone();
        if let Some(why) = find::<rustls::Error>(&error) {
            let why = why.clone();
            return Self::Tls { host, why };
        }
        if error.is_connect() {
            let kind = if error.is_timeout() {
                io::ErrorKind::TimedOut
            } else {
                io_kind(&error)
            };
            return Self::Connect {
                host,
                kind,
                source: error,
            };
        }
        Self::Protocol {
            host,
            source: error,
        }
    }
}

/// The first error of this kind among `error` and its causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // an io error that wraps another names the causes of that one, and not that one itself
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// What the system said first: the layers above wrap its error in further ones of no kind.
fn io_kind(error: &(dyn Error + 'static)) -> io::ErrorKind {
    let mut kind = io::ErrorKind::Other;
    let mut next = find::<io::Error>(error);
    while let Some(error) = next {
        kind = error.kind();
        next = error
            .get_ref()
            .and_then(|inner| find::<io::Error>(inner as &(dyn Error + 'static)));
    }
    kind
}

/// What can be done about the most frequent failures of TLS.
fn remedy(why: &rustls::Error) -> &'static str {
    if let rustls::Error::AlertReceived(alert) = why {
        return if CLIENT_CERTIFICATE_ALERTS.contains(alert) {
            "; it asks for a client certificate from an authority that it trusts"
        } else {
            ""
        };
    }
    let rustls::Error::InvalidCertificate(wrong) = why else {
        return "";
    };
    if matches!(wrong, CertificateError::UnknownIssuer) {
        "; if its authority is your own, add it to the certificates of this server's system or \
         name its file in SSL_CERT_FILE"
    } else {
        "; whoever runs it has to renew or correct its certificate"
    }
}
