//! The application, the oracle and the time of one year.

use std::rc::Rc;
use std::time::Duration;

use marquetry_app::App;
use marquetry_app::integrations::{IntegrationInput, integration_create, integration_update};
use marquetry_app::schedules::schedules_fire;
use marquetry_app::tenants::{TenantCreate, TenantPatch, tenant_create, tenant_update};
use marquetry_model::{IntegrationId, Missed, Patch, Randomization, Source, TenantId, Timestamp};
use marquetry_store::triggers;
use marquetry_testkit::{Database, Inside, Random, Story, tenant_named};

use crate::calendar::{Times, all_times};
use crate::oracle::{Oracle, Rules};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// One year, as far as it has come.
pub(crate) struct World {
    inside: Inside,
    oracle: Oracle,
    /// All schedules that a tenant may have.
    times: Vec<Rc<Times>>,
    tenants: Vec<TenantId>,
    integrations: Vec<IntegrationId>,
    random: Random,
    end: Timestamp,
    story: Story,
}

impl World {
    /// An integration for each policy, with a tenant for each schedule in each zone.
    pub(crate) async fn new(database: Database, seed: u64) -> Self {
        let inside = Inside::on(database).await;
        let now = inside.app.now();
        let end = now.plus(Duration::from_millis(365 * DAY));
        let mut world = Self {
            inside,
            oracle: Oracle::default(),
            times: all_times(now, end).into_iter().map(Rc::new).collect(),
            tenants: Vec::new(),
            integrations: Vec::new(),
            random: Random::new(seed),
            end,
            story: Story::new(seed),
        };
        for missed in [Missed::Once, Missed::Skip] {
            world.add_integration(missed).await;
            for times in world.times.clone() {
                world.add_tenant(times).await;
            }
        }
        world
    }

    async fn add_integration(&mut self, missed: Missed) {
        let name = missed.as_str().to_owned();
        let repository = self.inside.folder.path().join("repositories").join(&name);
        let input = IntegrationInput {
            long_name: Some(name.clone()),
            name: Some(name),
            repository_url: Patch::Set(repository.display().to_string()),
            schedule_randomization: Some(Randomization::Off),
            missed: Some(missed),
            ..IntegrationInput::default()
        };
        let made = integration_create(&self.inside.system(), input).await;
        let id = made.unwrap().id;
        self.inside.release(id.get(), "v1").await;
        self.integrations.push(id);
        let paused = false;
        self.oracle.integrations.push(Rules { missed, paused });
    }

    /// One of the newest integration.
    async fn add_tenant(&mut self, times: Rc<Times>) {
        let integration = self.integrations.len() - 1;
        let name = format!("tenant-{}", self.tenants.len());
        let wanted = TenantCreate {
            user_schedule: Some(times.rule.text.to_owned()),
            timezone: Some(times.zone.to_owned()),
            paused: Some(false),
            ..tenant_named(&name, self.integrations[integration])
        };
        let made = tenant_create(&self.inside.system(), wanted).await;
        self.tenants.push(made.unwrap().tenant.id);
        self.oracle.add(integration, times, self.inside.app.now());
    }

    /// Until the next look, or until somebody changes something; answers whether the year goes on.
    pub(crate) async fn step(&mut self) -> bool {
        let now = self.inside.app.now();
        let next = self.oracle.next().filter(|at| *at < self.end);
        let Some(next) = next else {
            return false;
        };
        let mut at = next.max(now);
        if self.random.once_in(40) {
            let down = self.downtime();
            self.tell(&format!("down for {} min", down / MINUTE));
            at = now.plus(Duration::from_millis(down)).min(self.end);
            self.move_to(at);
            if self.random.once_in(2) {
                self.restart().await;
            }
        } else if self.random.once_in(5) {
            let late = [0, 1, MINUTE - 1, MINUTE, MINUTE + 1, 3 * MINUTE];
            let late = self.random.pick(&late).unwrap();
            at = at.plus(Duration::from_millis(late)).min(self.end);
        }
        if self.random.once_in(8) {
            // Often when something is due that nobody has looked at.
            let before = if self.random.once_in(2) {
                at
            } else {
                self.between(at)
            };
            self.move_to(before);
            self.change().await;
            // Nodes are told of a change; what they are told may be lost.
            if self.random.once_in(2) {
                self.look().await;
            }
            return true;
        }
        self.move_to(at);
        self.look().await;
        true
    }

    fn downtime(&mut self) -> u64 {
        let (unit, most) = self
            .random
            .pick(&[(MINUTE, 180), (MINUTE, 180), (HOUR, 48), (DAY, 6)])
            .unwrap();
        let odd = u64::try_from(self.random.below(60_000)).unwrap();
        unit * u64::try_from(1 + self.random.below(most)).unwrap() + odd
    }

    /// An instant from now until this one.
    fn between(&mut self, end: Timestamp) -> Timestamp {
        let now = self.inside.app.now();
        let most = usize::try_from(end.since(now).as_millis()).unwrap();
        let wait = u64::try_from(self.random.below(most + 1)).unwrap();
        now.plus(Duration::from_millis(wait))
    }

    fn move_to(&self, at: Timestamp) {
        self.inside.clock.advance(at.since(self.inside.app.now()));
    }

    /// Another application on the same database; what the former had in memory is gone.
    async fn restart(&mut self) {
        self.tell("restart");
        let old = &self.inside.app;
        let (store, blobs) = (old.store.clone(), old.blobs.clone());
        let (clock, settings) = (old.clock.clone(), old.settings.clone());
        let http = old.http.clone();
        let new = App::new(store, blobs, http, clock, settings).await;
        self.inside.app = new.unwrap();
    }

    /// A node looks, or two do at once.
    async fn look(&mut self) {
        let now = self.inside.app.now();
        let expected = self.oracle.look(now);
        self.tell(&format!("look, {expected} due"));
        let ctx = self.inside.system();
        let mut fired = 0;
        if self.random.once_in(6) {
            let (one, other) = tokio::join!(schedules_fire(&ctx), schedules_fire(&ctx));
            fired = one.unwrap().fired + other.unwrap().fired;
            assert_eq!(fired, expected, "triggers of two looks at {now}");
        }
        let last = schedules_fire(&ctx).await.unwrap();
        assert_eq!(fired + last.fired, expected, "triggers at {now}");
        let next = last.next.filter(|at| *at <= self.end);
        assert_eq!(next, self.oracle.next(), "the next look after {now}");
    }

    /// Somebody changes something.
    async fn change(&mut self) {
        match self.random.below(10) {
            0..4 => self.pause_any().await,
            4..6 => self.pause_any_integration().await,
            6..8 => self.change_any_times().await,
            _ => self.change_anything_else().await,
        }
    }

    /// Pauses a tenant, or resumes one that is paused.
    async fn pause_any(&mut self) {
        let all = 0..self.tenants.len();
        let paused: Vec<usize> = all.filter(|at| self.oracle.tenants[*at].paused).collect();
        let resumed = self.random.pick(&paused).filter(|_| paused.len() > 2);
        let at = resumed.unwrap_or_else(|| self.random.below(self.tenants.len()));
        let paused = !self.oracle.tenants[at].paused;
        self.tell(&format!("tenant {at} paused: {paused}"));
        let patch = TenantPatch {
            paused: Some(paused),
            ..TenantPatch::default()
        };
        self.patch(at, patch).await;
        self.oracle.tenants[at].pause(paused, self.inside.app.now());
    }

    async fn pause_any_integration(&mut self) {
        let at = self.random.below(self.integrations.len());
        let paused = !self.oracle.integrations[at].paused;
        self.tell(&format!("integration {at} paused: {paused}"));
        let input = IntegrationInput {
            paused: Some(paused),
            ..IntegrationInput::default()
        };
        integration_update(&self.inside.system(), self.integrations[at], input)
            .await
            .unwrap();
        self.oracle.integrations[at].paused = paused;
    }

    async fn change_any_times(&mut self) {
        let at = self.random.below(self.tenants.len());
        let times = self.random.pick(&self.times).unwrap();
        self.tell(&format!("tenant {at}: {} {}", times.rule.text, times.zone));
        let patch = TenantPatch {
            user_schedule: Patch::Set(times.rule.text.to_owned()),
            timezone: Patch::Set(times.zone.to_owned()),
            ..TenantPatch::default()
        };
        self.patch(at, patch).await;
        self.oracle.tenants[at].set_times(times, self.inside.app.now());
    }

    /// What schedules have nothing to do with, and the same times again.
    async fn change_anything_else(&mut self) {
        let at = self.random.below(self.tenants.len());
        self.tell(&format!("tenant {at}: another user"));
        let times = &self.oracle.tenants[at].times;
        let patch = TenantPatch {
            user_name: Patch::Set(format!("user-{}", self.random.below(1_000))),
            timezone: Patch::Set(times.zone.to_owned()),
            ..TenantPatch::default()
        };
        self.patch(at, patch).await;
    }

    async fn patch(&self, at: usize, patch: TenantPatch) {
        tenant_update(&self.inside.system(), self.tenants[at], patch)
            .await
            .unwrap();
    }

    /// All triggers there are, none lost and none doubled; and the year was worth its name.
    pub(crate) async fn check(&mut self) {
        let mut tx = self.inside.app.store.read().await.unwrap();
        for (id, tenant) in self.tenants.iter().zip(&self.oracle.tenants) {
            let found = triggers::list_waiting(&mut tx, &[*id]).await.unwrap();
            assert!(
                found
                    .iter()
                    .all(|(_, trigger)| trigger.source == Source::Cron)
            );
            let found: Vec<Timestamp> = found
                .iter()
                .map(|(_, trigger)| trigger.created_at)
                .collect();
            assert_eq!(found, tenant.triggers, "triggers of tenant {id}");
        }
        drop(tx);
        let met = &self.oracle.met;
        let often = [met.in_time / 50, met.made_up_for, met.skipped, met.held];
        assert!(often.iter().all(|times| *times >= 20), "{met:?}");
    }

    fn tell(&mut self, step: &str) {
        let now = self.inside.app.now();
        self.story.tell(format!("{now} {step}"));
    }
}
