//! The application, the nodes and the oracle of one history.

use std::sync::Arc;
use std::time::Duration;

use marquetry_app::integrations::{IntegrationInput, integration_create};
use marquetry_app::tenants::{TenantCreate, tenant_create};
use marquetry_app::{Ctx, Limits, Places};
use marquetry_model::{Channel, IntegrationId, Patch, Randomization, TenantId, Timestamp};
use marquetry_testkit::{Database, Inside, Random, Story, tenant_named};
use serde_json::{Map, Value, json};

use crate::door::Door;
use crate::nodes::Node;
use crate::oracle::{Integration, MOST_IN_BUNDLE, MOST_WAITING, Oracle, Output, Tenant};
use crate::truth::Truth;

/// One history, as far as it has come.
pub(crate) struct World {
    pub(crate) inside: Inside,
    pub(crate) oracle: Oracle,
    pub(crate) nodes: Vec<Node>,
    /// Where a trigger may become a run at once.
    pub(crate) door: Arc<Door>,
    pub(crate) random: Random,
    /// The rows after the last step.
    pub(crate) truth: Truth,
    pub(crate) story: Story,
    /// Numbers that are used once.
    count: i64,
}

impl World {
    /// Two integrations with three and four tenants, and two nodes.
    pub(crate) async fn new(database: Database, seed: u64) -> Self {
        let limits = Limits {
            waiting_per_tenant: i64::try_from(MOST_WAITING).unwrap(),
            most_in_bundle: MOST_IN_BUNDLE,
            inline_payload_bytes: 64,
            ..Limits::default()
        };
        let inside = Inside::with(database, limits).await;
        let door = Arc::new(Door::default());
        let places: Arc<dyn Places> = Arc::<Door>::clone(&door);
        inside.app.offer_places(Arc::downgrade(&places));
        let mut world = Self {
            inside,
            oracle: Oracle::default(),
            nodes: vec![Node::new("a"), Node::new("b")],
            door,
            random: Random::new(seed),
            truth: Truth::default(),
            story: Story::new(seed),
            count: 0,
        };
        for tenants in [3, 4] {
            let integration = world.add_integration().await;
            for _ in 0..tenants {
                world.add_tenant(integration).await;
            }
            world.begin(integration).await;
        }
        world
    }

    /// Not all histories begin with an integration as it is made.
    async fn begin(&mut self, integration: IntegrationId) {
        let limit = self.random.pick(&[None, None, Some(1), Some(2)]);
        self.set_limit(integration, limit.flatten()).await;
        let debounce_ms = self.random.pick(&[0, 0, 1_000, 3_000]);
        self.set_debounce(integration, debounce_ms.unwrap()).await;
        let repeats_lost = self.random.once_in(2);
        self.set_retry(integration, repeats_lost).await;
    }

    pub(crate) fn ctx(&self) -> Ctx {
        self.inside.system()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inside.app.now()
    }

    pub(crate) fn number(&mut self) -> i64 {
        self.count += 1;
        self.count
    }

    async fn add_integration(&mut self) -> IntegrationId {
        let name = format!("integration-{}", self.number());
        let repository = self.inside.folder.path().join("repositories").join(&name);
        let input = IntegrationInput {
            long_name: Some(name.clone()),
            name: Some(name),
            repository_url: Patch::Set(repository.display().to_string()),
            schedule_randomization: Some(Randomization::Off),
            ..IntegrationInput::default()
        };
        let id = integration_create(&self.ctx(), input).await.unwrap().id;
        let form = json!({"schema": {"properties": {"region": {"type": "string"}}}});
        let metadata = json!({"schema": {}});
        self.inside
            .release_with_form(id.get(), "v1", Some(form), Some(metadata))
            .await;
        self.oracle.integrations.insert(id, Integration::default());
        id
    }

    pub(crate) async fn add_tenant(&mut self, integration: IntegrationId) -> TenantId {
        let number = self.number();
        let has_schedule = number % 2 == 0;
        let region = format!("r{number}");
        let name = format!("tenant-{number}");
        let wanted = TenantCreate {
            user_schedule: has_schedule.then(|| "* * * * *".to_owned()),
            integration_release_channel: Some(Channel::Latest),
            configs: region_of(&region),
            paused: Some(false),
            ..tenant_named(&name, integration)
        };
        let id = tenant_create(&self.ctx(), wanted).await.unwrap().tenant.id;
        let tenant = Tenant {
            integration,
            paused: false,
            archived: false,
            region,
            has_schedule,
            next_tick: has_schedule.then(|| next_minute(self.now())),
            last: None,
            last_successful: None,
            output: Output::OfRun,
            metadata: Map::new(),
        };
        self.oracle.tenants.insert(id, tenant);
        id
    }

    /// Lets time pass; nodes tell meanwhile that they live.
    pub(crate) async fn pass(&mut self, by: Duration) {
        /// Shorter than a lease.
        const BEAT: Duration = Duration::from_secs(10);
        let mut left = by;
        while !left.is_zero() {
            let part = left.min(BEAT);
            self.inside.clock.advance(part);
            left -= part;
            for at in 0..self.nodes.len() {
                self.beat(at).await;
            }
        }
    }
}

/// Settings of a tenant.
pub(crate) fn region_of(region: &str) -> Map<String, Value> {
    let mut configs = Map::new();
    configs.insert("region".to_owned(), region.into());
    configs
}

/// When a schedule of every minute is due after this.
pub(crate) fn next_minute(after: Timestamp) -> Timestamp {
    const MINUTE: i64 = 60_000;
    Timestamp::from_millis((after.as_millis() / MINUTE + 1) * MINUTE)
}
