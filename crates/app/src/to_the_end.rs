//! Work that is not left in the middle.

use std::future::Future;

use marquetry_model::{Error, Result};

/// Does it to the end, also when the client goes away meanwhile, which drops whoever waits here: what was got from a
/// provider is kept, for it takes what went before no more.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.map_err(Error::internal)
}
