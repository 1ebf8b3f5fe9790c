//! Defaults of a form, against the options that a run has found.

use marquetry_testkit::both_databases;
use serde_json::{Value, json};

use crate::client::Client;

fn form() -> Value {
    json!({"schema": {
        "properties": {
            "a": {"$ref": "#/definitions/l"},
            "b": {"$ref": "#/definitions/m", "default": "placeholder"},
            "c": {"$ref": "#/metadata/shades", "default": "placeholder"},
            "d": {"type": "array", "items": {"$ref": "#/definitions/l"}, "default": ["placeholder"]},
            "e": {"$ref": "#/definitions/l", "default": "y"},
        },
        "required": ["a", "b", "c", "d", "e"],
        "definitions": {
            "l": {"default": "placeholder", "enum": ["placeholder"]},
            "m": {"enum": ["placeholder"]},
        },
    }})
}

/// The variables that come from settings, and what is wrong with these.
async fn seen(client: &Client) -> (Value, Vec<String>) {
    let mut given = client.get("/v2/tenants/1/environment").await.expect(200);
    given
        .as_object_mut()
        .unwrap()
        .retain(|name, _| name.starts_with("PAN_CFG_"));
    let tenant = client.get("/v2/tenants/1").await.expect(200);
    let problems = tenant["configs_problems"].as_array().unwrap().iter();
    let problems = problems.map(|one| format!("{}: {}", one["name"], one["message"]));
    (given, problems.collect())
}

both_databases! {
    async fn one_outside_of_the_options_counts_nowhere(database) {
        let client = Client::served(database).await;
        let id = client.integration("shop").await;
        let shades = json!({"type": "array", "default": ["placeholder"]});
        let metadata = json!({"schema": {"properties": {"shades": shades}}});
        client.inside.release_with_form(id, "v1", Some(form()), Some(metadata)).await;
        let tenant = client.tenant(id, "acme").await;
        assert_eq!(tenant, 1);
        let (given, problems) = seen(&client).await;
        let word = "placeholder";
        assert_eq!(given, json!({
            "PAN_CFG_A": word, "PAN_CFG_B": word, "PAN_CFG_C": word,
            "PAN_CFG_D": "[\"placeholder\"]", "PAN_CFG_E": "y",
        }), "nothing is known yet");
        assert!(problems.is_empty(), "{problems:?}");

        client.post("/v2/tenants/1/sync?mode=init", Value::Null).await.expect(202);
        let (job, claim) = client.inside.take_job().await;
        let printed = json!({"l": ["x", "y"], "m": ["x"], "shades": ["light"]});
        client.inside.end_run(&job.run, &claim, &printed.to_string()).await;

        let (given, problems) = seen(&client).await;
        assert_eq!(given, json!({"PAN_CFG_E": "y"}));
        let missing = |name: &str| format!("\"{name}\": \"Field required\"");
        assert_eq!(problems, ["a", "b", "c", "d"].map(missing));
        let shown = client.get("/v2/tenants/1/release").await.expect(200);
        let schema = &shown["config_schema"]["schema"];
        for name in ["a", "b", "c", "d"] {
            assert_eq!(schema["properties"][name]["default"], Value::Null, "{name} in {schema}");
        }
        assert_eq!(schema["properties"]["e"]["default"], "y");
        assert_eq!(schema["definitions"]["l"], json!({"enum": ["x", "y"]}));
        let chosen = json!({"configs": {"a": "x", "b": "x", "c": "light", "d": ["y"]}});
        client.patch("/v2/tenants/1", chosen).await.expect(200);
        let (given, problems) = seen(&client).await;
        assert_eq!(given["PAN_CFG_D"], "[\"y\"]");
        assert!(problems.is_empty(), "{problems:?}");
    }
}
