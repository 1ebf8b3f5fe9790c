//! A random history of a real server with real runs: triggers, cancelling, pauses, reruns, state that is
//! set, time limits, and kills in between. What is asked and answered over HTTP is all that the test
//! knows; what must hold in the end is in `rules`.

mod acts;
mod drain;
mod facts;
mod rules;

use marquetry_testkit::{
    Database, Random, Scenario, Story, TestServer, both_databases, manifest, seed_to_repeat,
};
use serde_json::{Value, json};

use self::facts::Facts;
use crate::options;

/// Steps of a history.
const STEPS: usize = 60;
/// Live runs of the patient integration.
const PATIENT_LIMIT: usize = 2;

/// Stays as long, and ends as, the payloads of its triggers want, and counts on from its state.
const CODE: &str = r#"
import json, os, sys, time
now = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
began = now()
triggers = json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"])
wishes = [json.load(open(t["payload"]["file"])) for t in triggers]
seen = json.loads(os.environ.get("PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT", "null"))
count = seen and seen["count"]
time.sleep(max(wish["stay"] for wish in wishes))
if any(wish["fails"] for wish in wishes):
    sys.exit(1)
ids = [int(t["id"]) for t in triggers]
print(json.dumps({"seen": count, "count": (count or 0) + 1, "ids": ids, "began": began, "ended": now()}))
"#;

both_databases! {
    async fn a_random_history_with_kills_is_allowed(database) {
        let seed = if database == Database::Sqlite { 1 } else { 2 };
        history(database, seed_to_repeat().unwrap_or(seed)).await;
    }
}

both_databases! {
    #[ignore = "slow: several histories"]
    async fn more_random_histories_with_kills_are_allowed(database) {
        for seed in 10..18 {
            history(database, seed).await;
        }
    }
}

/// One server and what is known of it.
struct History {
    server: TestServer,
    random: Random,
    facts: Facts,
    story: Story,
}

async fn history(database: Database, seed: u64) {
    let server = TestServer::start(options(database).with("--run-slots=3")).await;
    let mut history = History {
        server,
        random: Random::new(seed),
        facts: Facts::default(),
        story: Story::new(seed),
    };
    // One has a time limit, the other is patient: its runs end by themselves or are cancelled.
    let short = json!({"timeout_seconds": 1});
    let patient = json!({"retry": "platform", "concurrency_limit": PATIENT_LIMIT});
    for (name, settings) in [("short", short), ("patient", patient)] {
        history.add_integration(name, settings).await;
    }
    for _ in 0..STEPS {
        history.step().await;
        history.observe().await;
    }
    history.drain().await;
    history.check_all();
}

impl History {
    async fn add_integration(&mut self, name: &str, settings: Value) {
        let code = manifest("python3 main.py");
        let files = [("PANDIUM.yaml", code.as_str()), ("main.py", CODE)];
        let scenario = Scenario::new(&self.server, name, &files, settings).await;
        scenario.release("v1").await;
        self.facts.integrations.push(scenario.integration);
        for number in 0..3 {
            let tenant = scenario.tenant(&format!("{name}-{number}")).await;
            self.facts.tenants.push((tenant, scenario.integration));
        }
    }

    async fn step(&mut self) {
        let tenant = self
            .random
            .pick(&self.facts.tenants)
            .expect("there are some")
            .0;
        if !self.facts.paused.is_empty() && self.random.once_in(6) {
            let step = self.pause_integration(tenant).await;
            self.story.tell(step);
        }
        let step = match self.random.below(40) {
            0..17 => self.sync(tenant).await,
            17..20 => self.cancel_trigger().await,
            20..23 => self.cancel_run().await,
            23..27 => self.rerun().await,
            27 => self.pause_tenant(tenant).await,
            28..30 => self.pause_integration(tenant).await,
            30..32 => self.set_state(tenant).await,
            32..37 => self.wait().await,
            37 => self.kill_alone().await,
            _ => self.kill().await,
        };
        self.story.tell(step);
    }
}
