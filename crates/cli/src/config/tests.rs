//! Precedence, faults and masking.

use std::path::Path;

use clap::Parser;

use super::*;
use crate::printer::captured::printer;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    flags: ServerFlags,
}

fn flags(words: &[&str]) -> ServerFlags {
    let mut line = vec!["serve"];
    line.extend(words);
    Line::try_parse_from(line).unwrap().flags
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("marquetry.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

fn faults(flags: &ServerFlags, environment: &Environment) -> Vec<String> {
    let error = ServerConfig::load(flags, environment).unwrap_err();
    error.0.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_said_means_the_defaults() {
    let config = ServerConfig::load(&flags(&[]), &Environment::new()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.data_dir, Path::new("./marquetry-data"));
    assert_eq!(
        config.blobs,
        BlobsLocation::Folder("./marquetry-data/blobs".into())
    );
    assert_eq!(
        config.local_repositories,
        Path::new("./marquetry-data/repositories")
    );
    assert_eq!(config.roles.len(), 4);
    assert_eq!(config.sandbox, SandboxMode::Full);
    assert_eq!(config.environment, "prod");
    assert!(config.database_url.is_none() && !config.allow_host_network);
    assert_eq!(config.effective.len(), spec::SPECS.len());
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let (_folder, path) = file("run_slots = 2\nbuild_slots = 2\nenvironment = 'file'\n");
    let said = environment(&[
        ("MARQUETRY_RUN_SLOTS", "3"),
        ("MARQUETRY_BUILD_SLOTS", "3"),
        ("MARQUETRY_SANDBOX", ""),
    ]);
    let config =
        ServerConfig::load(&flags(&["--config", &path, "--run-slots", "4"]), &said).unwrap();
    assert_eq!(config.run_slots, 4);
    assert_eq!(config.build_slots, 3);
    assert_eq!(config.environment, "file");
    assert_eq!(config.sandbox, SandboxMode::Full);
    let origin = |key| {
        let setting = config.effective.iter().find(|setting| setting.key == key);
        setting.unwrap().origin.to_string()
    };
    assert_eq!(origin("run_slots"), "--run-slots");
    assert_eq!(origin("build_slots"), "MARQUETRY_BUILD_SLOTS");
    assert_eq!(origin("environment"), format!("{path}:3"));
    assert_eq!(origin("listen"), "default");
}

#[test]
fn tables_and_lists_of_the_file_are_read() {
    let (_folder, path) = file(
        "roles = ['runner', 'api', 'api']\noutbound_allow = '10.0.0.0/8'\nallow_host_network = true\n\
         [build]\nallow_hosts = ['mirror.example.com']\n\
         [s3]\nendpoint = 'http://127.0.0.1:9000'\nallow_http = true\nsecret = 'geheim'\n",
    );
    let config = ServerConfig::load(&flags(&["--config", &path]), &Environment::new()).unwrap();
    assert_eq!(config.roles, [Role::Api, Role::Runner]);
    assert_eq!(config.outbound_allow.len(), 1);
    assert!(config.allow_host_network && config.s3.allow_http && config.s3.path_style);
    assert_eq!(config.build_allow_hosts, ["mirror.example.com"]);
    assert_eq!(config.s3.secret, Some(Hidden::new("geheim")));
}

#[test]
fn variables_hold_lists_with_commas() {
    let said = environment(&[
        ("MARQUETRY_ROLES", "api, scheduler"),
        ("MARQUETRY_OUTBOUND_ALLOW", "10.0.0.0/8,192.168.1.7"),
        ("AWS_REGION", "eu-west-1"),
        ("MARQUETRY_BOOTSTRAP_API_KEY", "mq_x"),
    ]);
    let config = ServerConfig::load(&flags(&[]), &said).unwrap();
    assert_eq!(config.roles, [Role::Api, Role::Scheduler]);
    assert_eq!(config.outbound_allow[1].to_string(), "192.168.1.7/32");
    assert_eq!(config.s3.variables["AWS_REGION"], "eu-west-1");
    assert_eq!(config.bootstrap_api_key.unwrap().reveal(), "mq_x");
}

#[test]
fn a_switch_may_stand_alone_or_say_no() {
    let on = ServerConfig::load(&flags(&["--allow-host-network"]), &Environment::new()).unwrap();
    assert!(on.allow_host_network);
    let said = environment(&[("MARQUETRY_ALLOW_HOST_NETWORK", "true")]);
    let off = ServerConfig::load(&flags(&["--allow-host-network=false"]), &said).unwrap();
    assert!(!off.allow_host_network);
}

#[test]
fn all_faults_are_told_at_once_with_place_and_remedy() {
    let (_folder, path) =
        file("lisen = '127.0.0.1:1'\nrun_slots = 0\n[build]\nallow_host = ['x']\n");
    let said = environment(&[("MARQUETRY_SANDBOX", "fulll")]);
    let found = faults(
        &flags(&["--config", &path, "--listen", "8080", "--roles", "api,cook"]),
        &said,
    );
    assert_eq!(
        found,
        [
            format!("lisen ({path}:1): is no setting; did you mean `listen`?"),
            format!("build.allow_host ({path}:4): is no setting; did you mean `build.allow_hosts`?"),
            "listen (--listen): `8080` is no address with a port; write it as 127.0.0.1:8080 or [::]:8080".to_owned(),
            "roles (--roles): `cook` is no role; write one of api, scheduler, builder, runner".to_owned(),
            format!("run_slots ({path}:2): `0` is no number from 1 to 4096; write a number from 1 to 4096"),
            "sandbox (MARQUETRY_SANDBOX): `fulll` is no mode of the sandbox; did you mean `full`?".to_owned(),
        ]
    );
}

#[test]
fn an_engine_and_images_are_told_together() {
    let none = Environment::new();
    let whole = [
        "--container-engine=podman",
        "--container-images=node:20=a,python=b:{version}",
        "--container-pull=never",
    ];
    let config = ServerConfig::load(&flags(&whole), &none).unwrap();
    let containers = config.containers.unwrap();
    assert_eq!(containers.images, ["node:20=a", "python=b:{version}"]);
    assert_eq!(containers.pull, marquetry_sandbox::Pull::Never);
    for (arguments, fault) in [
        (
            ["--container-engine=podman"],
            "container_images (--container-engine): is missing, and container_engine is set; name the image of each base, as node:20=docker.io/library/node:20-slim",
        ),
        (
            ["--container-images=node=a"],
            "container_engine (--container-images): is missing, and container_images is set; write podman or docker",
        ),
        (
            ["--container-pull=nevr"],
            "container_pull (--container-pull): `nevr` is no time to fetch images; did you mean `never`?",
        ),
    ] {
        assert_eq!(faults(&flags(&arguments), &none), [fault]);
    }
    let found = faults(&flags(&[whole[0], "--container-images=cobol=a"]), &none);
    assert_eq!(found.len(), 1, "one fault is told once: {found:?}");
    assert!(
        found[0].starts_with("container_images (--container-images): unknown language `cobol`"),
        "{found:?}"
    );
}

#[test]
fn a_broken_file_is_told_with_its_line() {
    let (_folder, path) = file("listen = '127.0.0.1:1'\nrun_slots =\n");
    let found = faults(&flags(&["--config", &path]), &Environment::new());
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with(&format!("config ({path}:2): ")),
        "{found:?}"
    );
    let found = faults(
        &flags(&["--config", "/nowhere/x.toml"]),
        &Environment::new(),
    );
    assert!(found[0].contains("cannot be read"), "{found:?}");
}

#[test]
fn a_value_of_the_wrong_shape_is_refused() {
    let (_folder, path) = file("listen = ['a']\nroles = [1.5]\nrun_slots = 1.5\ns3 = 'x'\n");
    let found = faults(&flags(&["--config", &path]), &Environment::new());
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].contains("write one value"), "{found:?}");
    assert!(found[1].contains("write a list of texts"), "{found:?}");
    assert!(found[3].contains("is no setting"), "{found:?}");
}

#[test]
fn secrets_are_never_shown() {
    let said = environment(&[
        ("MARQUETRY_DATABASE_URL", "postgres://u:geheim@db/x"),
        ("MARQUETRY_S3_SECRET", "geheim"),
        ("MARQUETRY_MASTER_KEY", "geheim"),
        ("MARQUETRY_MARKETPLACE_URL", "https://m.example.com"),
    ]);
    let config = ServerConfig::load(&flags(&[]), &said).unwrap();
    assert!(!format!("{config:?}").contains("geheim"));
    let (mut to, out, _) = printer(false);
    print_effective(&config, false, &mut to);
    assert!(!out.text().contains("geheim"));
    assert!(out.text().contains("********"));
    assert!(out.text().contains("no effect yet"));
    let keyless = environment(&[("MARQUETRY_DATABASE_URL", "postgres://u:geheim@db/x")]);
    let found = faults(&flags(&[]), &keyless);
    assert!(
        found.len() == 1 && found[0].contains("keys master"),
        "{found:?}"
    );
    let wrong = environment(&[("MARQUETRY_DATABASE_URL", "mysql://u:geheim@db/x")]);
    let found = faults(&flags(&[]), &wrong);
    assert!(!found[0].contains("geheim") && found[0].contains("PostgreSQL"));
}

#[test]
fn mistyped_variables_are_told() {
    let said = environment(&[("MARQUETRY_LISTN", "x"), ("MARQUETRY_URL", "x")]);
    let config = ServerConfig::load(&flags(&[]), &said).unwrap();
    assert_eq!(
        config.unknown_variables,
        ["MARQUETRY_LISTN is no setting; did you mean MARQUETRY_LISTEN?"]
    );
}

#[test]
fn a_master_key_must_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let text = path.display().to_string();
    let words = ["--master-key-file", text.as_str()];
    assert!(faults(&flags(&words), &Environment::new())[0].contains("marquetry keys master"));
    std::fs::write(&path, "c2hvcnQ=\n").unwrap();
    assert!(faults(&flags(&words), &Environment::new())[0].contains("32 bytes"));
    std::fs::write(&path, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    let config = ServerConfig::load(&flags(&words), &Environment::new()).unwrap();
    assert_eq!(config.master_key_file, Some(path));
}

#[test]
fn every_setting_has_a_flag_or_stands_in_a_table() {
    for spec in spec::SPECS {
        assert!(!spec.flag.is_empty() || spec.key.contains('.'), "{spec:?}");
        let name = spec.key.replace('.', "_").to_uppercase();
        assert_eq!(spec.variable, format!("MARQUETRY_{name}"));
        if !spec.flag.is_empty() {
            assert_eq!(spec.flag, spec.key.replace(['.', '_'], "-"));
            let word = match spec.kind {
                spec::Kind::Switch => format!("--{}=x", spec.flag),
                spec::Kind::One | spec::Kind::Many => format!("--{}=y", spec.flag),
            };
            assert_eq!(flags(&[&word]).values(spec.flag).len(), 1, "{word}");
        }
    }
}

#[test]
fn limits_are_numbers_in_a_range() {
    let (_folder, path) = file("[run]\nmemory_mb = 512\nstdout_kb = 7\n[limits]\nbody_mb = 2\n");
    let said = environment(&[
        ("MARQUETRY_RUN_STDOUT_KB", "8"),
        ("MARQUETRY_BUILD_TIMEOUT_SECONDS", "60"),
    ]);
    let limits = ServerConfig::load(&flags(&["--config", &path]), &said)
        .unwrap()
        .limits;
    assert_eq!((limits.run_memory_mb, limits.run_stdout_kb), (512, 8));
    assert_eq!((limits.body_mb, limits.build_timeout_s), (2, 60));
    assert_eq!(
        (limits.waiting_triggers, limits.run_timeout_s),
        (10_000, 600)
    );
    let (_folder, path) = file("[run]\nstdout_kb = 121\ngrace_seconds = -1\nmemory_mb = 99_999\n");
    let said = environment(&[("MARQUETRY_LIMITS_BODY_MB", "many")]);
    assert_eq!(
        faults(&flags(&["--config", &path]), &said),
        [
            format!("run.grace_seconds ({path}:3): `-1` is no number from 0 to 300; write a number from 0 to 300"),
            format!("run.stdout_kb ({path}:2): `121` is no number from 1 to 120; write a number from 1 to 120"),
            "limits.body_mb (MARQUETRY_LIMITS_BODY_MB): `many` is no number from 1 to 64; write a number from 1 to 64".to_owned(),
            format!("run.memory_mb ({path}:4): 99999 is more than run.max_memory_mb, which is 65536; lower run.memory_mb or raise run.max_memory_mb"),
        ]
    );
}

#[test]
fn variables_of_builds_are_assignments_and_never_shown() {
    let (_folder, path) =
        file("[build]\nenvironment = ['HTTPS_PROXY=http://u:geheim@p:1', 'NO_PROXY=a,b']\n");
    let config = ServerConfig::load(&flags(&["--config", &path]), &Environment::new()).unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted = [
        pair("HTTPS_PROXY", "http://u:geheim@p:1"),
        pair("NO_PROXY", "a,b"),
    ];
    assert_eq!(config.build_environment, wanted);
    let (mut to, out, _) = printer(false);
    print_effective(&config, true, &mut to);
    assert!(!out.text().contains("geheim"), "{}", out.text());
    for wrong in ["A=1,geheim", "1A=geheim", "PATH=/geheim", "=geheim"] {
        let said = environment(&[("MARQUETRY_BUILD_ENVIRONMENT", wrong)]);
        let found = faults(&flags(&[]), &said);
        assert!(
            found.len() == 1 && !found[0].contains("geheim"),
            "{found:?}"
        );
    }
}
