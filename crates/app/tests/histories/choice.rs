//! Which step comes next.

use std::time::Duration;

use marquetry_model::{IntegrationId, TenantId};

use crate::world::World;

/// What a step does.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Accept,
    TakeA,
    TakeB,
    End,
    Time,
    CancelTrigger,
    CancelRun,
    Rerun,
    Pause,
    PauseIntegration,
    SetState,
    Settings,
    Schedules,
    NodeLost,
    NodeFrozen,
    Late,
    Reap,
    LongTime,
    Limit,
    Debounce,
    Retry,
    Pending,
    Archive,
    IntegrationArchived,
}

/// Each as often as it is tried among all.
const KINDS: [(usize, Kind); 24] = [
    (18, Kind::Accept),
    (7, Kind::TakeA),
    (7, Kind::TakeB),
    (18, Kind::End),
    (5, Kind::Time),
    (4, Kind::CancelTrigger),
    (4, Kind::CancelRun),
    (8, Kind::Rerun),
    (4, Kind::Pause),
    (5, Kind::PauseIntegration),
    (3, Kind::SetState),
    (3, Kind::Settings),
    (4, Kind::Schedules),
    (2, Kind::NodeLost),
    (3, Kind::NodeFrozen),
    (4, Kind::Late),
    (2, Kind::Reap),
    (2, Kind::LongTime),
    (2, Kind::Limit),
    (2, Kind::Debounce),
    (2, Kind::Retry),
    (2, Kind::Pending),
    (1, Kind::Archive),
    (1, Kind::IntegrationArchived),
];

impl World {
    /// One step, and a look at what it left.
    pub(crate) async fn step(&mut self) {
        let kind = self.kind();
        let integrations: Vec<IntegrationId> = self.oracle.integrations.keys().copied().collect();
        let integration = self.random.pick(&integrations).expect("there are some");
        let tenant = self.tenant();
        let number = self.random.below(5);
        let step = format!("{kind:?}: tenant {tenant}, integration {integration}, number {number}");
        self.story.tell(step);
        match kind {
            Kind::Accept => self.accept_any(tenant).await,
            Kind::TakeA => self.look(0).await,
            Kind::TakeB => self.look(1).await,
            Kind::End => self.end_any(number == 0).await,
            Kind::Time => self.pass(Duration::from_millis(700 * number as u64)).await,
            Kind::CancelTrigger => self.cancel_any_trigger().await,
            Kind::CancelRun => self.cancel_any_run().await,
            Kind::Rerun => self.rerun_any().await,
            Kind::Pause => self.pause(tenant, number < 2).await,
            Kind::PauseIntegration => self.pause_integration(integration, number == 0).await,
            Kind::SetState => self.set_state(tenant).await,
            Kind::Settings => self.set_region(tenant).await,
            Kind::Schedules => self.schedules(number).await,
            Kind::NodeLost => self.restart(number % 2).await,
            Kind::NodeFrozen => self.stand_still(number).await,
            Kind::Late => self.late(number).await,
            Kind::Reap => self.reap(None).await,
            Kind::LongTime => {
                self.pass(Duration::from_secs(31 + 10 * number as u64))
                    .await;
            }
            Kind::Limit => {
                self.set_limit(integration, Some(number).filter(|it| *it > 0))
                    .await;
            }
            Kind::Debounce => {
                self.set_debounce(integration, [0, 0, 500, 2_000, 5_000][number])
                    .await;
            }
            Kind::Retry => self.set_retry(integration, number > 1).await,
            Kind::Pending => self.leave(tenant).await,
            Kind::Archive => self.archive(tenant).await,
            Kind::IntegrationArchived => self.archive_all(integration, number).await,
        }
        self.check().await;
    }

    fn kind(&mut self) -> Kind {
        let all: usize = KINDS.iter().map(|(weight, _)| weight).sum();
        let mut chosen = self.random.below(all);
        for (weight, kind) in KINDS {
            if chosen < weight {
                return kind;
            }
            chosen -= weight;
        }
        unreachable!("less than all weights")
    }

    /// Mostly one that is there.
    fn tenant(&mut self) -> TenantId {
        let gone = self.random.once_in(20);
        let all = self.oracle.tenants.iter();
        let all: Vec<TenantId> = all
            .filter(|(_, tenant)| gone || !tenant.archived)
            .map(|(id, _)| *id)
            .collect();
        self.random.pick(&all).expect("there are some")
    }
}
