//! The steps of a history, and the look after each.

use reqwest::Method;
use serde_json::{Value, json};

use super::facts::{Asked, FOR_EVER, Rerun, is_over, phase_of, triggers_of};
use super::{History, PATIENT_LIMIT};

impl History {
    /// Some triggers for one tenant, of which most wait for a run that is live.
    pub(super) async fn sync(&mut self, tenant: i64) -> String {
        let mut told = Vec::new();
        for _ in 0..=self.random.below(3) {
            told.push(self.sync_once(tenant).await);
        }
        told.join("; ")
    }

    async fn sync_once(&mut self, tenant: i64) -> String {
        let mode = self.random.pick(&["normal", "normal", "init"]).unwrap();
        let stay = self
            .random
            .pick(&[0.0, 0.0, 0.0, 0.1, 0.1, 0.3, 0.3, FOR_EVER])
            .unwrap();
        let fails = self.random.once_in(8);
        let path = format!("/v2/tenants/{tenant}/sync?mode={mode}");
        let body = json!({"stay": stay, "fails": fails});
        let answer = self.server.post(&path, body).await;
        let integration = self.facts.integration_of(tenant);
        if self.facts.paused.contains_key(&integration) {
            answer.expect(422);
            return format!("sync of {tenant} is refused");
        }
        let trigger = answer.expect(202)["trigger_id"].clone();
        let trigger = trigger.as_str().unwrap().parse().unwrap();
        let asked = Asked {
            tenant,
            mode,
            stay,
            fails,
            rerun: None,
            is_cancelled: false,
        };
        let told = format!("trigger {trigger}: {asked:?}");
        self.accepted(trigger, asked);
        told
    }

    fn accepted(&mut self, trigger: i64, asked: Asked) {
        let before = self.facts.asked.insert(trigger, asked);
        assert!(before.is_none(), "trigger {trigger} is new");
    }

    pub(super) async fn cancel_trigger(&mut self) -> String {
        let all: Vec<i64> = self.facts.asked.keys().copied().collect();
        let Some(trigger) = self.random.pick(&all[all.len().saturating_sub(6)..]) else {
            return "nothing to cancel".to_owned();
        };
        let path = format!("/v2/runs/triggers/{trigger}/cancel");
        let status = self.server.post(&path, Value::Null).await.status;
        let asked = self.facts.asked.get_mut(&trigger).unwrap();
        match status {
            200 => {
                assert!(!asked.is_cancelled, "trigger {trigger} is cancelled once");
                asked.is_cancelled = true;
            }
            other => assert_eq!(other, 409),
        }
        format!("cancel trigger {trigger}: {status}")
    }

    pub(super) async fn cancel_run(&mut self) -> String {
        let live = self.facts.runs.iter().filter(|(_, run)| !is_over(run));
        let live: Vec<i64> = live.map(|(id, _)| *id).collect();
        let Some(run) = self.random.pick(&live) else {
            return "no run to cancel".to_owned();
        };
        self.cancel(run).await
    }

    pub(super) async fn cancel(&mut self, run: i64) -> String {
        let path = format!("/v2/runs/{run}/cancel");
        let status = self.server.post(&path, Value::Null).await.status;
        assert!(matches!(status, 200 | 409), "cancel run {run}: {status}");
        if status == 200 {
            self.facts.cancels.insert(run);
        }
        format!("cancel run {run}: {status}")
    }

    pub(super) async fn rerun(&mut self) -> String {
        let over = self.facts.runs.iter().filter(|(_, run)| is_over(run));
        let over: Vec<i64> = over.map(|(id, _)| *id).collect();
        let Some(of) = self.random.pick(&over) else {
            return "no run to repeat".to_owned();
        };
        let rerun = Rerun {
            of,
            has_original_state: self.random.once_in(2),
            is_saved: self.random.once_in(2),
        };
        let state = if rerun.has_original_state {
            "original"
        } else {
            "current"
        };
        let body = json!({"std_out": state, "save": rerun.is_saved});
        let path = format!("/v2/runs/{of}/rerun");
        let answer = self.server.post(&path, body).await;
        let run = &self.facts.runs[&of];
        let tenant = run["tenant_id"].as_i64().unwrap();
        let integration = self.facts.integration_of(tenant);
        if self.facts.paused.contains_key(&integration) {
            answer.expect(422);
            return format!("rerun of {of} is refused");
        }
        let trigger = answer.expect(202)["trigger_id"].clone();
        let trigger = trigger.as_str().unwrap().parse().unwrap();
        let told = format!("trigger {trigger}: {rerun:?}");
        let (stay, fails) = self.facts.wish_of(of);
        let asked = Asked {
            tenant,
            mode: if run["mode"] == "init" {
                "init"
            } else {
                "normal"
            },
            stay,
            fails,
            rerun: Some(rerun),
            is_cancelled: false,
        };
        self.accepted(trigger, asked);
        told
    }

    /// Which holds nothing that a client asks for.
    pub(super) async fn pause_tenant(&mut self, tenant: i64) -> String {
        let paused = self.facts.paused_tenants.insert(tenant);
        if !paused {
            self.facts.paused_tenants.remove(&tenant);
        }
        let body = json!({"paused": paused});
        let path = format!("/v2/tenants/{tenant}");
        self.server.patch(&path, body).await.expect(200);
        format!("tenant {tenant} paused: {paused}")
    }

    /// With something that waits for it to go on; or resumes the one that is paused.
    pub(super) async fn pause_integration(&mut self, tenant: i64) -> String {
        if let Some(integration) = self.facts.paused.keys().next().copied() {
            self.set_paused(integration, false).await;
            return format!("integration {integration} goes on");
        }
        let mut told = vec![self.sync_once(tenant).await, self.sync_once(tenant).await];
        let first = self.facts.asked.keys().rev().nth(1).copied().unwrap();
        let integration = self.facts.integration_of(tenant);
        self.set_paused(integration, true).await;
        told.push(format!("integration {integration} is paused"));
        // Only then is it to be seen that what waits behind it is held.
        told.push(self.wait_for(first).await);
        told.join("; ")
    }

    pub(super) async fn set_paused(&mut self, integration: i64, paused: bool) {
        let path = format!("/v2/integrations/{integration}");
        let body = json!({"paused": paused});
        // What has begun meanwhile must be seen while it is wrong.
        self.observe().await;
        self.facts.paused.remove(&integration);
        self.server.patch(&path, body.clone()).await.expect(200);
        if paused {
            // Who looked before the answer may start a run after it. The same again tells the time, by the
            // server's clock, from which on everybody has looked later.
            let answer = self.server.patch(&path, body).await.expect(200);
            let since = answer["modified_date"].as_str().unwrap().to_owned();
            self.facts.paused.insert(integration, since);
        }
    }

    /// Only for an idle tenant: else nobody could say which run sees it first.
    pub(super) async fn set_state(&mut self, tenant: i64) -> String {
        let mut newest = 0;
        for (id, run) in self.facts.runs_of(tenant) {
            if !is_over(run) {
                return format!("tenant {tenant} is not idle");
            }
            newest = id;
        }
        let taken: Vec<i64> = self.facts.runs.values().flat_map(triggers_of).collect();
        let mut asked = self.facts.asked.iter();
        if asked.any(|(id, it)| it.tenant == tenant && !it.is_cancelled && !taken.contains(id))
            || self.repetition_waits(tenant)
        {
            return format!("something waits for tenant {tenant}");
        }
        let count = 1_000 * i64::try_from(1 + self.facts.states.len()).unwrap();
        let body = json!({"std_out": {"count": count}});
        let path = format!("/v2/tenants/{tenant}/state");
        let set = self.server.call(Method::PUT, &path, Some(body)).await;
        set.expect(200);
        self.facts.states.push((tenant, newest, count));
        format!("state of tenant {tenant}: {count}")
    }

    /// Lets the server go on: until the run of a trigger ends, a second at most.
    pub(super) async fn wait(&mut self) -> String {
        let all: Vec<i64> = self.facts.asked.keys().copied().collect();
        let Some(trigger) = self.random.pick(&all[all.len().saturating_sub(4)..]) else {
            return "nothing to wait for".to_owned();
        };
        self.wait_for(trigger).await
    }

    async fn wait_for(&self, trigger: i64) -> String {
        let path = format!("/v2/runs/triggers/{trigger}/status?wait=1");
        let answer = self.server.get(&path).await;
        format!(
            "wait for trigger {trigger}: {} {}",
            answer.status, answer.text
        )
    }

    /// A power cut in the middle of everything: when the server is there again, what it ran is closed.
    pub(super) async fn kill(&mut self) -> String {
        let live = self.facts.runs.iter().filter(|(_, run)| !is_over(run));
        let live: Vec<i64> = live.map(|(id, _)| *id).collect();
        self.server.kill();
        self.server.restart();
        self.observe().await;
        for run in &live {
            let run = &self.facts.runs[run];
            assert!(is_over(run), "its node has started again: {run}");
        }
        format!("kill and restart with {live:?}")
    }

    /// Its process alone is killed: what it runs goes on, or is closed where it had just begun.
    pub(super) async fn kill_alone(&mut self) -> String {
        self.server.kill_alone();
        self.server.restart();
        self.observe().await;
        "kill of the server alone, and restart".to_owned()
    }

    /// Looks at all runs: they go the way that they may go, and what is over never changes.
    pub(super) async fn observe(&mut self) {
        let list = self.server.get("/v2/runs?limit=500").await.expect(200);
        let list = list.as_array().unwrap();
        for (id, before) in &self.facts.runs {
            let now = list
                .iter()
                .find(|run| run["id"] == *id)
                .expect("it is there still");
            assert_eq!(
                triggers_of(now),
                triggers_of(before),
                "run {id} keeps its triggers"
            );
            if is_over(before) {
                assert_eq!(now, before, "what is over never changes");
            }
            let goes_back = phase_of(before) == "Running" && phase_of(now) == "Pending";
            assert!(!goes_back, "{before} became {now}");
        }
        for run in list {
            self.facts
                .runs
                .insert(run["id"].as_i64().unwrap(), run.clone());
        }
        for (integration, since) in &self.facts.paused {
            let mut runs = self.facts.runs.values();
            let fresh = runs.find(|run| {
                run["integration_id"] == *integration && run["started_date"].as_str() > Some(since)
            });
            assert_eq!(
                fresh, None,
                "integration {integration} is paused since {since}"
            );
        }
        let live = self.facts.runs.values().filter(|run| !is_over(run));
        let patient = live.filter(|run| self.facts.is_patient(run)).count();
        assert!(patient <= PATIENT_LIMIT, "{patient} live patient runs");
        for (tenant, _) in &self.facts.tenants {
            let live = self.facts.runs_of(*tenant).filter(|(_, run)| !is_over(run));
            assert!(live.count() <= 1, "live runs of tenant {tenant}");
        }
    }
}
