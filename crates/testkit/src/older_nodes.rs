//! What older nodes left behind.

use marquetry_model::{Run, Source, Stop, TenantId};
use marquetry_store::runs::NewRun;
use marquetry_store::tenant_states::Dispatched;
use marquetry_store::{releases, runs, tenant_states, tenants, triggers};

use crate::Inside;

impl Inside {
    /// Makes a run of the first trigger that waits and leaves it to whoever claims it, as nodes without
    /// places of an older version did; none when there is nothing to make it of.
    pub async fn leave_pending(&self, id: TenantId) -> Option<Run> {
        let now = self.app.now();
        let mut tx = self.app.store.write().await.unwrap();
        let tenant = tenants::lock(&mut tx, id).await.unwrap();
        let waiting = triggers::list_waiting(&mut tx, &[id]).await.unwrap();
        let (_, first) = *waiting.first()?;
        if first.is_rerun || first.source == Source::Cron {
            return None;
        }
        let release = releases::find_latest(&mut tx, tenant.integration_id).await;
        let state = tenant_states::get(&mut tx, id).await.unwrap();
        let wanted = NewRun {
            tenant_id: id,
            integration_id: tenant.integration_id,
            release_id: release.unwrap().expect("there is a release").id,
            mode: first.mode,
            rerun_of: None,
            is_saved: true,
            configs_version: Some(tenant.configs_version),
            given: state.given(),
            stop: Stop::QueueEmpty,
        };
        let run = runs::insert(&mut tx, &[wanted], None, now).await.unwrap();
        let run = run.into_iter().next()??;
        triggers::update_taken(&mut tx, &[(first.id, run.id)])
            .await
            .unwrap();
        let dispatched = Dispatched {
            tenant_id: id,
            taken: 1,
            due_at: (waiting.len() > 1).then_some(now),
            run_id: run.id,
        };
        tenant_states::update_dispatched(&mut tx, &[dispatched])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Some(run)
    }
}
