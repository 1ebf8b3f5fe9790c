//! What is removed at the same time as somebody asks for it.

use std::pin::pin;
use std::time::Duration;

use marquetry_model::RunId;
use marquetry_store::retention;

use crate::Inside;

impl Inside {
    /// Removes all runs that may be, as those that are kept no longer, and commits that only when
    /// `meanwhile` has begun and waits for it; what that came to.
    pub async fn remove_runs_while<T>(&self, meanwhile: impl Future<Output = T>) -> T {
        let after_all = self.app.now().plus(Duration::from_millis(1));
        let mut tx = self.app.store.write().await.unwrap();
        let step = retention::delete_runs(&mut tx, RunId::new(0), after_all, i64::MAX).await;
        assert!(step.unwrap().deleted > 0, "there is a run to remove");
        let mut meanwhile = pin!(meanwhile);
        let early = tokio::time::timeout(Duration::from_millis(200), &mut meanwhile).await;
        assert!(early.is_err(), "it answers of a run that may be gone");
        tx.commit().await.unwrap();
        meanwhile.await
    }
}
