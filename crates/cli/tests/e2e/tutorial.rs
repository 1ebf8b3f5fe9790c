//! The original's tutorial, "Pokémon of the Day", parts 1 and 2: what it would post to a chat goes to the log. Its
//! credentials are those of the document, with a stand-in for Slack.

mod slack;

use marquetry_testkit::{Scenario, TestServer, both_databases, eventually};
use serde_json::{Value, json};

use crate::{options, pushes};

const PACKAGE: &str = r#"{"name": "pokemon-of-the-day", "version": "1.0.0", "main": "index.js"}"#;

/// Step 6: nothing to configure, in both forms that the tutorial allows.
const BARE_MANIFEST: &str = "
version: 0.4
base: node:20.9.0
build: node --check index.js
run: node .
";
const FIRST_MANIFEST: &str = "
version: 0.4
base: node:20.9.0
build: node --check index.js
run: node .
configs:
  schema:
    type: object
    properties: {}
  uischema:
    type: VerticalLayout
    elements:
      - type: Section
        label: Pokémon of the Day
        hintText: No Configuration required.
";

/// Step 12: two selectors; the definition's type is the tutorial's own slip.
const SECOND_MANIFEST: &str = "
version: 0.4
base: node:20.9.0
build: node --check index.js
run: node .
configs:
  schema:
    name: pandium_configs
    properties:
      pokemon_type:
        type: string
        $ref: '#/definitions/pokemon_types'
      slack_user:
        type: string
        $ref: '#/definitions/slack_users'
    required: [pokemon_type, slack_user]
    definitions:
      pokemon_types:
        enum: [placeholder]
      slack_users:
        type: number
        oneOf:
          - title: Placeholder
            const: placeholder
    type: object
  uischema:
    elements:
      - type: Section
        label: Configure Pokémon of the Day
        elements:
          - {type: Control, label: Type, scope: '#/properties/pokemon_type'}
          - {type: Control, label: User, scope: '#/properties/slack_user'}
    type: VerticalLayout
";

/// What the scaffold's library does: it reads the environment by prefix, in lower case.
const LIB: &str = r"
const read = prefix => Object.fromEntries(Object.entries(process.env)
  .filter(([name, value]) => name.startsWith(prefix) && value)
  .map(([name, value]) => [name.slice(prefix.length).toLowerCase(), value]))
exports.context = read('PAN_CTX_')
exports.config = read('PAN_CFG_')
exports.dex = [
  {id: 1, name: 'bulbasaur', type: 'grass'}, {id: 2, name: 'ivysaur', type: 'grass'},
  {id: 3, name: 'venusaur', type: 'grass'}, {id: 74, name: 'geodude', type: 'rock'}, {id: 95, name: 'onix', type: 'rock'},
]
";

/// Step 9.
const FIRST_CODE: &str = r"
const {context, config, dex} = require('./lib.js')
const main = async () => {
  console.error(`This run is in mode: ${context.run_mode}`)
  console.error('CONFIG', config, 'CONTEXT', Object.keys(context).join(' '))
  if (context.run_mode === 'init') return
  const state = JSON.parse(context.last_successful_run_std_out ?? '{}')
  const id = (state.last_pokemon_id ?? 0) + 1
  const pokemon = dex.find(one => one.id === id)
  if (!pokemon) throw new Error(`there is no number ${id}`)
  for (const member of ['U1', 'U2']) console.error(`to ${member}: ${pokemon.name}`)
  console.log(JSON.stringify({last_pokemon_id: id}))
}
main().catch(error => { console.error(error); process.exitCode = 1 })
";

/// Steps 14 and 17.
const SECOND_CODE: &str = r"
const {context, config, dex} = require('./lib.js')
const initSync = async () => {
  const members = [{id: 'U1', name: 'ann'}, {id: 'U2', name: 'bob'}, {id: 'U9', name: 'bot', bot: true}]
  console.log('options follow')
  console.log(JSON.stringify({
    slack_users: members.filter(one => !one.bot).map(one => ({const: one.id, title: one.name})),
    pokemon_types: [...new Set(dex.map(one => one.type))],
  }))
  console.log('')
}
const pokemonSync = async () => {
  const state = JSON.parse(context.last_successful_run_std_out ?? '{}')
  const last = Number(state.last_pokemon_id ?? 0)
  const next = dex.find(one => one.type === config.pokemon_type && one.id > last)
  if (next) console.error(`to ${config.slack_user}: ${next.name}`)
  console.log(JSON.stringify({last_pokemon_id: String(next?.id ?? last)}))
}
(context.run_mode === 'init' ? initSync : pokemonSync)()
  .catch(error => { console.error(error); process.exitCode = 1 })
";

async fn get(server: &TestServer, path: String) -> Value {
    server.get(&path).await.expect(200)
}

/// Asks for a run in a mode and waits for its end.
async fn end(scenario: &Scenario<'_>, tenant: i64, mode: &str) -> Value {
    let path = format!("/v2/tenants/{tenant}/sync?mode={mode}");
    let accepted = scenario.server.post(&path, Value::Null).await.expect(202);
    scenario.end(accepted["trigger_id"].as_str().unwrap()).await
}

/// The same; it has to succeed.
async fn run(scenario: &Scenario<'_>, tenant: i64, mode: &str) -> Value {
    let run = end(scenario, tenant, mode).await;
    let log = scenario.log(&run).await;
    assert_eq!(run["status"]["phase"], "Succeeded", "{run}\n{log}");
    run
}

both_databases! {
    async fn pokemon_of_the_day(database) {
        let server = TestServer::start(options(database).with("--outbound-allow=127.0.0.0/8")).await;
        let files = [
            ("PANDIUM.yaml", FIRST_MANIFEST),
            ("package.json", PACKAGE),
            ("lib.js", LIB),
            ("index.js", FIRST_CODE),
        ];
        let settings = json!({"default_schedule": "0 9 * * *"});
        let scenario = Scenario::new(&server, "pokemon", &files, settings).await;
        scenario.release("part-1").await;
        let tenant = scenario.tenant("academy").await;
        nothing_to_configure(&scenario, tenant).await;
        part_one(&scenario, tenant).await;
        scheduled(&scenario, tenant).await;
        too_far(&scenario, tenant).await;
        slack::connected(&scenario, tenant).await;
        part_two(&scenario, tenant).await;
    }
}

/// Steps 2, 3, 6 and 7: what the installation shows, and a form without controls.
async fn nothing_to_configure(scenario: &Scenario<'_>, tenant: i64) {
    let server = scenario.server;
    let path = format!("/v2/integrations/{}/releases", scenario.integration);
    let releases = get(server, path).await;
    assert_eq!(releases.as_array().unwrap().len(), 1);
    let path = format!("/v2/tenants?integration_id={}", scenario.integration);
    let listed = &get(server, path).await[0];
    assert_eq!(listed["integration_release_channel"], "Latest");
    assert_eq!(listed["status"]["auth"]["connected"], true);
    assert_eq!(listed["user_schedule"], Value::Null);
    daily(listed);

    let form = format!("/v2/tenants/{tenant}/integration_release");
    let one_section = json!({
        "schema": {"type": "object", "properties": {}},
        "uischema": {
            "type": "VerticalLayout",
            "elements": [{
                "type": "Section",
                "label": "Pokémon of the Day",
                "hintText": "No Configuration required.",
            }],
        },
    });
    let shown = get(server, form.clone()).await;
    assert_eq!(shown["config_schema"], one_section);
    let bare = [("PANDIUM.yaml", BARE_MANIFEST)];
    scenario.repository.commit(&bare);
    scenario.release("part-1-bare").await;
    let shown = get(server, form).await;
    assert_eq!(shown["tag"], "part-1-bare");
    assert_eq!(shown["config_schema"], Value::Null);
    let path = format!("/v2/tenants/{tenant}");
    let clean = get(server, path).await;
    assert_eq!(
        (&clean["configs"], &clean["configs_problems"]),
        (&json!({}), &json!([]))
    );
}

/// At nine, at a minute of the tenant's own.
fn daily(tenant: &Value) {
    let schedule = tenant["schedule"].as_str().unwrap();
    let minute: u32 = schedule.strip_suffix(" 9 * * *").unwrap().parse().unwrap();
    assert!(minute < 60, "{schedule}");
}

/// Steps 9 and 10.
async fn part_one(scenario: &Scenario<'_>, tenant: i64) {
    let silent = run(scenario, tenant, "init").await;
    assert_eq!(
        silent["std_out"],
        Value::Null,
        "an init run that prints nothing is fine"
    );
    let first = run(scenario, tenant, "normal").await;
    assert_eq!(first["std_out"], r#"{"last_pokemon_id":1}"#);
    let log = scenario.log(&first).await;
    for part in [
        "This run is in mode: normal",
        "CONFIG",
        "CONTEXT",
        "to U2: bulbasaur",
    ] {
        assert!(log.contains(part), "no {part} in {log}");
    }
    let second = run(scenario, tenant, "normal").await;
    assert_eq!(second["std_out"], r#"{"last_pokemon_id":2}"#);
    assert!(scenario.log(&second).await.contains("to U1: ivysaur"));
}

/// Step 11.
async fn scheduled(scenario: &Scenario<'_>, tenant: i64) {
    let server = scenario.server;
    let path = format!("/v2/tenants/{tenant}");
    let schedule = async |asked: &str| {
        let changed = server
            .patch(&path, json!({"user_schedule": asked, "paused": false}))
            .await;
        let changed = changed.expect(200);
        assert_eq!(changed["user_schedule"], asked);
        changed
    };
    daily(&schedule("0 9 * * *").await);
    // A day is long: the next whole minute shows the same.
    schedule("* * * * *").await;
    let fired = eventually("a run whose trigger is cron's", || async {
        let runs = get(server, format!("/v2/tenants/{tenant}/runs")).await;
        let run = runs[0].clone();
        let ended = run["status"]["phase"] == "Succeeded";
        (ended && run["triggers"][0]["source"] == "cron").then_some(run)
    });
    let fired = fired.await;
    assert_eq!(fired["std_out"], r#"{"last_pokemon_id":3}"#);
    let never = json!({"user_schedule": null});
    server.patch(&path, never).await.expect(200);
}

/// A promise that is rejected ends the run badly, and what was there before stays the state.
async fn too_far(scenario: &Scenario<'_>, tenant: i64) {
    for _ in 0..2 {
        let run = end(scenario, tenant, "normal").await;
        let log = scenario.log(&run).await;
        let phase = &run["status"]["phase"];
        assert_eq!(*phase, "Failed (Integration Issue)", "{log}");
        assert_eq!(run["exit_code"], 1);
        assert!(log.contains("there is no number 4"), "{log}");
    }
}

async fn part_two(scenario: &Scenario<'_>, tenant: i64) {
    let server = scenario.server;
    // Nobody asks for this build: the host of the repository tells of the push.
    let commit = scenario
        .repository
        .commit(&[("PANDIUM.yaml", SECOND_MANIFEST)]);
    let body = json!({"ref": "refs/heads/main", "after": commit});
    let hook = pushes::hook(scenario).await;
    let told = pushes::push(server, &hook, &body).await.expect(202);
    let built = scenario.build_end(told["build"]["id"].as_i64().unwrap());
    assert_eq!(built.await["status"], "Succeeded");
    let form = format!("/v2/tenants/{tenant}/integration_release");
    let shown = get(server, form.clone()).await;
    let definitions = &shown["config_schema"]["schema"]["definitions"];
    assert_eq!(
        definitions["pokemon_types"],
        json!({"enum": ["placeholder"]})
    );
    let path = format!("/v2/tenants/{tenant}");
    let waiting = get(server, path.clone()).await;
    assert_eq!(
        waiting["configs_problems"],
        json!([]),
        "placeholders ask for nothing"
    );

    scenario.repository.commit(&[("index.js", SECOND_CODE)]);
    scenario.release("part-2-init").await;
    let init = run(scenario, tenant, "init").await;
    assert_eq!(init["mode"], "init");
    let users = json!([{"const": "U1", "title": "ann"}, {"const": "U2", "title": "bob"}]);
    let filled = get(server, path.clone()).await;
    let options = &filled["status"]["dynamic_configs"];
    assert_eq!(
        options,
        &json!({"slack_users": users, "pokemon_types": ["grass", "rock"]})
    );
    let shown = get(server, form).await;
    let definitions = &shown["config_schema"]["schema"]["definitions"];
    assert_eq!(definitions["slack_users"]["oneOf"], users);
    assert_eq!(
        definitions["pokemon_types"]["enum"],
        json!(["grass", "rock"])
    );

    let wrong = json!({"configs": {"pokemon_type": "placeholder", "slack_user": "U9"}});
    let refused = server.patch(&path, wrong).await.expect(422);
    assert_eq!(refused["detail"].as_array().unwrap().len(), 2, "{refused}");

    // The init run's output replaced the last one, number 3: the counter begins again at 0.
    posts(
        scenario,
        tenant,
        "grass",
        &[(1, "bulbasaur"), (2, "ivysaur")],
    )
    .await;
    posts(scenario, tenant, "rock", &[(74, "geodude"), (95, "onix")]).await;
    let none_left = run(scenario, tenant, "normal").await;
    assert_eq!(none_left["std_out"], r#"{"last_pokemon_id":"95"}"#);
}

/// Steps 16 and 18: a type is chosen, and each run posts the next of it.
async fn posts(scenario: &Scenario<'_>, tenant: i64, kind: &str, expected: &[(u32, &str)]) {
    let chosen = json!({"pokemon_type": kind, "slack_user": "U2"});
    let path = format!("/v2/tenants/{tenant}");
    let body = json!({"configs": chosen});
    let saved = scenario.server.patch(&path, body).await.expect(200);
    assert_eq!(saved["configs"], chosen);
    for (id, name) in expected {
        let posted = run(scenario, tenant, "normal").await;
        assert_eq!(
            posted["std_out"],
            format!(r#"{{"last_pokemon_id":"{id}"}}"#)
        );
        let log = scenario.log(&posted).await;
        assert!(log.contains(&format!("to U2: {name}")), "{log}");
        for name in ["PAN_CFG_POKEMON_TYPE", "PAN_CFG_SLACK_USER"] {
            assert!(log.contains(name), "{log}");
        }
    }
}
