//! Seals what has become a secret, and what older keys have sealed, after a hint and from time to time.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::key_rotation::keys_reseal;
use marquetry_app::secret_sweeps::{Swept, secrets_sweep};
use marquetry_app::{Ctx, Topic};
use marquetry_model::Result;
use tokio::time::Instant;

use crate::inner::Inner;

/// After a failure, because the database may need a moment.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

async fn look(ctx: &Ctx) -> Result<Swept> {
    let swept = secrets_sweep(ctx).await?;
    let next = keys_reseal(ctx).await?;
    Ok(Swept {
        next: swept.next.into_iter().chain(next).min(),
        ..swept
    })
}

pub(crate) async fn run_loop(inner: Arc<Inner>) {
    let listener = inner.ctx.app.hints.listen(Topic::Secrets);
    loop {
        let hint = listener.next();
        let again = match look(&inner.ctx).await {
            Ok(swept) => {
                if swept.sealed > 0 {
                    tracing::info!(
                        tenants = swept.sealed,
                        "sealed settings that have become secrets"
                    );
                }
                inner.look_again(swept.next)
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "sealing settings that have become secrets failed"
                );
                Instant::now() + AFTER_FAILURE
            }
        };
        tokio::select! {
            () = hint => {}
            () = tokio::time::sleep_until(again) => {}
            () = inner.stop.cancelled() => return,
        }
    }
}
