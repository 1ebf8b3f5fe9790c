//! Seals what has become a secret, after a hint and from time to time.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::Topic;
use marquetry_app::secret_sweeps::secrets_sweep;
use tokio::time::Instant;

use crate::inner::Inner;

/// How often a node that shares its database looks for what others have marked.
const SHARED: Duration = Duration::from_secs(30);
/// A sleep that nobody needs to end: whoever marks something here gives a hint.
const ALONE: Duration = Duration::from_secs(3600);
/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Secrets);
    let most = if inner.ctx.app.store.is_shared() {
        SHARED
    } else {
        ALONE
    };
    loop {
        let hint = listener.next();
        let pause = match secrets_sweep(&inner.ctx).await {
            Ok(swept) => {
                if swept.sealed > 0 {
                    tracing::info!(
                        tenants = swept.sealed,
                        "sealed settings that have become secrets"
                    );
                }
                let until = swept.next.map(|next| next.since(inner.ctx.now()));
                until.unwrap_or(most).clamp(Duration::from_millis(10), most)
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "sealing settings that have become secrets failed"
                );
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = hint => {}
            () = tokio::time::sleep_until(Instant::now() + pause) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}
