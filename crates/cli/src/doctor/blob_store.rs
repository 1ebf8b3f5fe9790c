//! Can artifacts, logs and payloads be kept?

use super::Check;
use crate::config::{BlobsLocation, ServerConfig};
use crate::server::parts::blobs;

const NAME: &str = "blob store";

pub(super) async fn check(config: &ServerConfig) -> Check {
    let shown = match &config.blobs {
        // The folder is made at the first start; looking must not make it.
        BlobsLocation::Folder(path) if !path.exists() => {
            return Check::ok(
                NAME,
                format!("{} (made at the first start)", path.display()),
            );
        }
        BlobsLocation::Folder(path) => path.display().to_string(),
        BlobsLocation::S3(location) => location.clone(),
    };
    let tried = match blobs(config) {
        Ok(blobs) => blobs.check().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match tried {
        Ok(()) => Check::ok(NAME, shown),
        Err(error) => {
            let remedy = "check --blobs and, for a bucket, its endpoint and keys";
            Check::fail(NAME, format!("{shown}: {error:#}"), remedy)
        }
    }
}
