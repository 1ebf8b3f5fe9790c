//! Where blobs live: the location's forms, the settings of a bucket, and opening either.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

/// How long to wait for a bucket's server to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a bucket's server may say nothing while it answers.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one request may take; an interrupted download continues where it stopped.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(5);

/// How long a request is tried again after the server failed or did not answer.
const RETRY_FOR: Duration = Duration::from_secs(30);

/// How to reach an S3-compatible bucket. What is set in a field wins over `variables`.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The server's URL; none means Amazon's for the region.
    pub endpoint: Option<String>,
    /// The region; none means `us-east-1`.
    pub region: Option<String>,
    /// The access key's id.
    pub access_key: Option<String>,
    /// The access key's secret.
    pub secret: Option<String>,
    /// Whether the bucket stands in the URL's path (the default, understood everywhere) or in its
    /// host name.
    pub path_style: bool,
    /// Whether an `http://` endpoint is accepted. Over it, content and signatures are readable on
    /// the way.
    pub allow_http: bool,
    /// The usual `AWS_*` variables, handed in by the caller; those that mean nothing to object
    /// storage are ignored.
    pub variables: BTreeMap<String, String>,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            access_key: None,
            secret: None,
            path_style: true,
            allow_http: false,
            variables: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for S3Settings {
    /// Shows no secret: neither the key nor the values of the variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("has_secret", &self.secret.is_some())
            .field("path_style", &self.path_style)
            .field("allow_http", &self.allow_http)
            .field("variables", &self.variables.keys())
            .finish_non_exhaustive()
    }
}

/// Why a blobs location could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// The text has none of the known forms.
    #[error(
        "blobs location `{location}` is not understood; give file:DIR for a folder or \
         s3://BUCKET/PREFIX for an S3-compatible bucket"
    )]
    Unknown {
        /// The text as given.
        location: String,
    },
    /// The prefix in the bucket has empty, `.` or `..` parts.
    #[error(
        "blobs location `{location}` has a prefix that cannot be used; give s3://BUCKET/PREFIX"
    )]
    Prefix {
        /// The text as given.
        location: String,
        /// The cause.
        #[source]
        source: object_store::path::Error,
    },
    /// The folder could not be made or opened.
    #[error("blobs folder {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The endpoint is plain HTTP, which was not allowed.
    #[error("blobs endpoint {endpoint} is not encrypted; use https:// or allow plain http for it")]
    PlainHttp {
        /// The endpoint as given.
        endpoint: String,
    },
    /// The settings do not make a usable store.
    #[error("blobs location `{location}` cannot be opened with these settings")]
    Settings {
        /// The text as given.
        location: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
}

/// An opened location.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Below this stand all objects.
    pub(crate) prefix: ObjectPath,
    /// The folder, when the store is one.
    pub(crate) folder: Option<PathBuf>,
}

/// Opens `location`, making its folder if need be.
pub(crate) fn open(location: &str, s3: &S3Settings) -> Result<Opened, LocationError> {
    if let Some(folder) = location.strip_prefix("file:").filter(|dir| !dir.is_empty()) {
        return open_folder(location, Path::new(folder));
    }
    if let Some(rest) = location.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !bucket.is_empty() {
            return open_bucket(location, bucket, prefix, s3);
        }
    }
    Err(LocationError::Unknown {
        location: location.to_owned(),
    })
}

fn open_folder(location: &str, folder: &Path) -> Result<Opened, LocationError> {
    make_folder(folder).map_err(|source| LocationError::Folder {
        path: folder.to_owned(),
        source,
    })?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|source| LocationError::Settings {
            location: location.to_owned(),
            source,
        })?
        .with_fsync(true);
    Ok(Opened {
        store: Arc::new(store),
        prefix: ObjectPath::default(),
        folder: Some(folder.to_owned()),
    })
}

/// Makes the folder and what is missing above it, readable by this user only, and puts the new
/// names on disk: a blob is only as durable as the folders above it.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_folder(parent)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        // Somebody else made it just now.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    std::fs::File::open(parent)?.sync_all()
}

fn open_bucket(
    location: &str,
    bucket: &str,
    prefix: &str,
    settings: &S3Settings,
) -> Result<Opened, LocationError> {
    let prefix = ObjectPath::parse(prefix).map_err(|source| LocationError::Prefix {
        location: location.to_owned(),
        source,
    })?;
    let store = bucket_builder(bucket, settings)?
        .build()
        .map_err(|source| LocationError::Settings {
            location: location.to_owned(),
            source,
        })?;
    Ok(Opened {
        store: Arc::new(store),
        prefix,
        folder: None,
    })
}

fn bucket_builder(bucket: &str, settings: &S3Settings) -> Result<AmazonS3Builder, LocationError> {
    let mut builder =
        AmazonS3Builder::new().with_client_options(client_options(settings.allow_http));
    for (name, value) in &settings.variables {
        builder = match recognised(name) {
            Some(key) => builder.with_config(key, value),
            None => builder,
        };
    }
    for (key, value) in [
        (AmazonS3ConfigKey::Region, &settings.region),
        (AmazonS3ConfigKey::AccessKeyId, &settings.access_key),
        (AmazonS3ConfigKey::SecretAccessKey, &settings.secret),
    ] {
        if let Some(value) = value {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint(settings) {
        if endpoint.starts_with("http://") && !settings.allow_http {
            return Err(LocationError::PlainHttp { endpoint });
        }
        let endpoint = if settings.path_style {
            endpoint
        } else {
            with_bucket_in_host(&endpoint, bucket)
        };
        builder = builder.with_endpoint(endpoint);
    }
    let retry = RetryConfig {
        max_retries: 6,
        retry_timeout: RETRY_FOR,
        ..RetryConfig::default()
    };
    Ok(builder
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_retry(retry))
}

fn client_options(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
}

/// The meaning of a variable, unless a field or the location speaks for it.
fn recognised(name: &str) -> Option<AmazonS3ConfigKey> {
    let name = name.strip_prefix("AWS_")?.to_ascii_lowercase();
    let key = format!("aws_{name}").parse().ok()?;
    let is_ours = matches!(
        key,
        AmazonS3ConfigKey::Bucket
            | AmazonS3ConfigKey::Endpoint
            | AmazonS3ConfigKey::S3Endpoint
            | AmazonS3ConfigKey::VirtualHostedStyleRequest
            | AmazonS3ConfigKey::Client(_)
    );
    (!is_ours).then_some(key)
}

fn endpoint(settings: &S3Settings) -> Option<String> {
    let variable = |name| settings.variables.get(name);
    settings
        .endpoint
        .as_ref()
        .or_else(|| variable("AWS_ENDPOINT_URL_S3"))
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .cloned()
}

/// `https://host/…` → `https://bucket.host/…`: the client takes an endpoint as the bucket's own.
fn with_bucket_in_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{bucket}.{rest}"),
        None => format!("https://{bucket}.{endpoint}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn plain(endpoint: &str) -> S3Settings {
        S3Settings {
            endpoint: Some(endpoint.to_owned()),
            ..S3Settings::default()
        }
    }

    fn error(location: &str, settings: &S3Settings) -> String {
        match open(location, settings) {
            Ok(_) => panic!("{location} was opened"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn other_forms_are_refused_and_the_known_ones_named() {
        for location in [
            "",
            "/var/blobs",
            "file:",
            "s3://",
            "s3:///x",
            "gs://bucket",
            "S3://b/x",
        ] {
            assert_eq!(
                error(location, &S3Settings::default()),
                format!(
                    "blobs location `{location}` is not understood; give file:DIR for a folder or \
                     s3://BUCKET/PREFIX for an S3-compatible bucket"
                )
            );
        }
        let text = error("s3://bucket/a//b", &S3Settings::default());
        assert!(text.contains("`s3://bucket/a//b` has a prefix"), "{text}");
    }

    #[test]
    fn new_folders_belong_to_this_user_only() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("data/blobs");
        open(
            &format!("file:{}", folder.display()),
            &S3Settings::default(),
        )
        .unwrap();
        for made in [&folder, folder.parent().unwrap()] {
            let mode = std::fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o700, "{}", made.display());
        }
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        let text = error(
            &format!("file:{}/x", temp.path().display()),
            &S3Settings::default(),
        );
        assert_eq!(
            text,
            format!("blobs folder {}/x cannot be used", temp.path().display())
        );
    }

    #[test]
    fn plain_http_must_be_allowed() {
        let settings = plain("http://10.0.0.5:9000");
        let text = error("s3://bucket", &settings);
        assert_eq!(
            text,
            "blobs endpoint http://10.0.0.5:9000 is not encrypted; use https:// or allow plain \
             http for it"
        );
        let settings = S3Settings {
            allow_http: true,
            ..settings
        };
        assert!(open("s3://bucket", &settings).is_ok());
    }

    #[test]
    fn fields_win_over_variables_and_secrets_are_not_shown() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "from-variable"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "https://variable.example"),
            ("AWS_BUCKET", "other"),
            ("AWS_PAGER", "less"),
            ("HOME", "/root"),
        ];
        let settings = S3Settings {
            access_key: Some("from-field".to_owned()),
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..S3Settings::default()
        };
        let builder = bucket_builder("bucket", &settings).unwrap();
        let value = |key| builder.get_config_value(&key);
        assert_eq!(value(AmazonS3ConfigKey::AccessKeyId).unwrap(), "from-field");
        assert_eq!(value(AmazonS3ConfigKey::SecretAccessKey).unwrap(), "hidden");
        assert_eq!(value(AmazonS3ConfigKey::Region).unwrap(), "eu-west-1");
        assert_eq!(value(AmazonS3ConfigKey::Bucket).unwrap(), "bucket");
        assert_eq!(
            value(AmazonS3ConfigKey::Endpoint).unwrap(),
            "https://variable.example"
        );
        assert!(!format!("{settings:?}").contains("hidden"));
    }

    #[test]
    fn host_style_puts_the_bucket_in_the_host_name() {
        let settings = S3Settings {
            path_style: false,
            ..plain("https://objects.example:9000")
        };
        let builder = bucket_builder("bucket", &settings).unwrap();
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        assert_eq!(endpoint.unwrap(), "https://bucket.objects.example:9000");
    }
}
