//! What a manifest may say, and what is said about one that may not.

use marquetry_manifest::{Egress, Language, MANIFEST_LIMIT, Parsed, parse};
use serde_json::json;

const SMALL: &str = "version: 1.0\nbase: node:20\nbuild: npm ci\nrun: node .\n";

fn read(text: &str) -> Parsed {
    match parse("PANDIUM.yaml", text.as_bytes()) {
        Ok(parsed) => parsed,
        Err(problems) => panic!("refused: {problems:#?}\n{text}"),
    }
}

/// All problems, one a line.
fn refused(text: impl AsRef<[u8]>) -> String {
    let problems = parse("PANDIUM.yaml", text.as_ref()).expect_err("refused");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn warnings(text: &str) -> String {
    let lines: Vec<String> = read(text)
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    lines.join("\n")
}

/// The small manifest with `rest` after it.
fn with(rest: &str) -> String {
    format!("{SMALL}{rest}")
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in:\n{text}");
}

#[test]
fn the_smallest_manifest_has_four_keys() {
    let parsed = read(SMALL);
    let manifest = parsed.manifest;
    assert_eq!(manifest.version, "1.0");
    assert_eq!(manifest.base.language, Language::Node);
    assert_eq!(manifest.base.version.as_deref(), Some("20"));
    assert_eq!(manifest.build, "npm ci");
    assert_eq!(manifest.run, "node .");
    assert!(manifest.connectors.is_empty());
    assert_eq!(manifest.configs, None);
    assert_eq!(manifest.configs_schema(), None);
    assert_eq!(manifest.metadata_schema, None);
    assert_eq!(parsed.warnings, []);
}

#[test]
fn scalars_keep_their_text() {
    for version in ["1.0", "0.4", "0.5", "\"0.4\""] {
        let parsed = read(&SMALL.replace("1.0", version));
        assert_eq!(parsed.manifest.version, version.trim_matches('"'));
    }
    let odd =
        "version: 1.0\nbase: python:3.10\nbuild: true\nrun: \"CGO_ENABLED=0 go build && ./x\"\n";
    assert_eq!(read(odd).manifest.base.version.as_deref(), Some("3.10"));
    assert_eq!(read(odd).manifest.build, "true");
    assert_eq!(read(odd).manifest.run, "CGO_ENABLED=0 go build && ./x");
}

#[test]
fn all_problems_come_at_once() {
    let text = "version: []\nbase: cobol:74\nbuild: ''\nconnectors: slack\n";
    let found = refused(text);
    assert_eq!(found.lines().count(), 4, "{found}");
    assert_has(
        &found,
        "PANDIUM.yaml:1:10: version: expected a format version such as `1.0`, found a list",
    );
    assert_has(
        &found,
        "PANDIUM.yaml:2:7: base: unknown language `cobol`; use one of clojure, node,",
    );
    assert_has(
        &found,
        "PANDIUM.yaml:3:8: build: the command is empty; write `true`",
    );
    assert_has(
        &found,
        "PANDIUM.yaml:1:1: run: missing; add a line such as `run: node .`",
    );
}

#[test]
fn each_required_key_is_missed() {
    for key in ["version", "base", "build", "run"] {
        let text: String = SMALL
            .lines()
            .filter(|line| !line.starts_with(key))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_has(
            &refused(&text),
            &format!("PANDIUM.yaml:1:1: {key}: missing"),
        );
    }
}

#[test]
fn empty_values_point_to_their_key() {
    let found = refused("version:\nbase: ~\nbuild: \"  \"\nrun:\n");
    assert_has(
        &found,
        "PANDIUM.yaml:1:1: version: expected a format version",
    );
    assert_has(&found, "PANDIUM.yaml:2:1: base: expected a language");
    assert_has(&found, "PANDIUM.yaml:3:8: build: the command is empty");
    assert_has(&found, "PANDIUM.yaml:4:1: run: the command is empty");
}

#[test]
fn commands_are_one_text() {
    let found = refused(SMALL.replace("npm ci", "[npm, ci]"));
    assert_has(
        &found,
        "3:8: build: expected one shell command as text (join several with `&&`), found a list",
    );
    let found = refused(SMALL.replace("node .", &"x".repeat(100_000)));
    assert_has(&found, "4:6: run: the command is over 98304 bytes");
    let block = read(&SMALL.replace("npm ci", "|\n  npm ci\n  npm run build"));
    assert_eq!(block.manifest.build, "npm ci\nnpm run build\n");
}

#[test]
fn unknown_keys_are_warned_of() {
    let found = warnings(&with(
        "Connectors: []\nschedule: daily\nconfigs: {uiSchema: {}}\n",
    ));
    assert_has(
        &found,
        "PANDIUM.yaml:5:1: Connectors: unknown key, ignored (did you mean `connectors`?)",
    );
    assert_has(&found, "PANDIUM.yaml:6:1: schedule: unknown key, ignored");
    assert_has(
        &found,
        "PANDIUM.yaml:7:11: configs.uiSchema: unknown key, ignored (did you mean `uischema`?)",
    );
}

#[test]
fn an_unknown_format_version_is_read_with_a_warning() {
    assert_has(
        &warnings(&SMALL.replace("1.0", "7.1")),
        "1:10: version: unknown format version `7.1`",
    );
}

#[test]
fn connectors_are_names() {
    let parsed = read(&with("connectors: [slack, hubspot-oauth]\n"));
    assert_eq!(parsed.manifest.connectors, ["slack", "hubspot-oauth"]);
    // The original takes what it does not understand, so that a repository builds there.
    let odd = with("connectors:\n  - slack\n  - name: x\n");
    assert_eq!(read(&odd).manifest.connectors, ["slack"]);
    assert_has(
        &warnings(&odd),
        "7:5: connectors[1]: ignored: expected the name of a connector, found an object",
    );
    assert_has(
        &warnings(&with("connectors: slack\n")),
        "5:13: connectors: ignored: expected a list of connector names, found text",
    );
}

#[test]
fn a_default_is_a_variable_and_has_its_bound() {
    let with_default = |bytes: usize| {
        let default = "x".repeat(bytes);
        with(&format!(
            "configs:\n  schema:\n    properties:\n      a: {{type: string, default: {default}}}\n    definitions:\n      b: {{type: string, default: {default}}}\n"
        ))
    };
    read(&with_default(96 * 1024));
    let found = refused(with_default(96 * 1024 + 1));
    for at in ["properties.a", "definitions.b"] {
        let line = format!(
            "configs.schema.{at}.default: has 98305 bytes; a variable of a run may have 98304"
        );
        assert_has(&found, &line);
    }
}

#[test]
fn the_name_of_a_setting_has_a_bound() {
    let named = |bytes: usize| {
        let name = "n".repeat(bytes);
        with(&format!(
            "configs:\n  schema:\n    properties:\n      ? {name}\n      : {{type: string}}\n"
        ))
    };
    read(&named(1024));
    assert_has(
        &refused(named(1025)),
        "configs.schema.properties: its name has 1025 bytes; the name of a setting may have 1024",
    );
}

#[test]
fn what_would_narrow_is_not_ignored() {
    let found = refused(with("marquetry:\n  secrets: [slack]\n  resume: true\n"));
    assert_has(
        &found,
        "6:3: marquetry.secrets: not supported by this version",
    );
    assert_has(
        &found,
        "7:3: marquetry.resume: not supported by this version",
    );
}

#[test]
fn our_own_keys_narrow() {
    let parsed = read(&with("marquetry:\n  timeout_seconds: 90\n  egress: none\n"));
    assert_eq!(parsed.manifest.marquetry.timeout_seconds, Some(90));
    assert_eq!(parsed.manifest.marquetry.egress, Some(Egress::None));
    let found = refused(with("marquetry:\n  timeout_seconds: 0\n  egress: publik\n"));
    assert_has(
        &found,
        "6:20: marquetry.timeout_seconds: expected whole seconds from 1 to 86400",
    );
    assert_has(
        &found,
        "7:11: marquetry.egress: unknown reach `publik` (did you mean `public`?)",
    );
    for wrong in ["1.5", "86401", "-3", "soon", "[1]"] {
        assert_has(
            &refused(with(&format!("marquetry: {{timeout_seconds: {wrong}}}\n"))),
            "whole seconds",
        );
    }
    assert_has(
        &warnings(&with("marquetry: {timeout: 3}\n")),
        "marquetry.timeout: unknown key",
    );
}

#[test]
fn configs_become_json_in_their_order() {
    let text = with(
        "configs:\n  schema:\n    zeta: yes\n    type: object\n    alpha: [1, -2.50, 0x1F, 0o17, 1e3, null, ~, True, 'true', !!str 7]\n    date: 2026-07-01\n",
    );
    let configs = read(&text).manifest.configs.unwrap();
    assert_eq!(
        configs.to_string(),
        r#"{"schema":{"zeta":"yes","type":"object","alpha":[1,-2.5,31,15,1000.0,null,null,true,"true","7"],"date":"2026-07-01"}}"#
    );
}

#[test]
fn numbers_that_json_cannot_hold_are_refused() {
    for number in [
        ".inf",
        "-.INF",
        ".nan",
        "1e999",
        "123456789012345678901234567890",
    ] {
        let found = refused(with(&format!("configs:\n  schema:\n    x: [{number}]\n")));
        assert_has(&found, "7:9: configs.schema.x[0]: ");
        assert_has(&found, "write it in quotes");
    }
}

#[test]
fn metadata_needs_a_schema() {
    let parsed = read(&with(
        "metadata_schema:\n  schema: {properties: {cursor: {type: string}}}\n",
    ));
    let expected = json!({"schema": {"properties": {"cursor": {"type": "string"}}}});
    assert_eq!(parsed.manifest.metadata_schema, Some(expected));
    assert_has(
        &refused(with("metadata_schema: {}\n")),
        "5:1: metadata_schema.schema: missing",
    );
    assert_has(
        &refused(with("metadata_schema: {schema: 1}\n")),
        "5:27: metadata_schema.schema: expected an object",
    );
    assert_has(
        &refused(with("metadata_schema: yes\n")),
        "expected an object with the key `schema`, found text",
    );
}

#[test]
fn files_that_are_no_manifest_are_refused() {
    assert_has(&refused(""), "PANDIUM.yaml:1:1: the file is empty");
    assert_has(&refused("# only a comment\n"), "1:1: the file is empty");
    assert_has(&refused("- a\n"), "1:1: the file holds a list");
    assert_has(&refused("hello"), "1:1: the file holds text");
    assert_has(
        &refused(vec![b' '; MANIFEST_LIMIT + 1]),
        "1:1: the file is over 1048576 bytes",
    );
    assert_has(&refused(b"version: \xff"), "1:10: the file is not UTF-8");
    assert_has(&refused(b"a: b\nversion: 1\0"), "2:11: a NUL character");
    assert_has(
        &refused(with("configs: {a: \"\\0\"}")),
        "5:14: configs.a: a NUL character",
    );
    assert_has(
        &refused(with("--- {}\n")),
        "5:1: a second document starts here",
    );
    assert_has(
        &refused(with("...\n---\nversion: 1\n")),
        "a second document starts here",
    );
}

#[test]
fn a_mark_crlf_and_one_marked_document_are_fine() {
    let text = format!("\u{feff}---\r\n{}...\r\n", SMALL.replace('\n', "\r\n"));
    assert_eq!(read(&text).manifest.run, "node .");
    assert_has(
        &refused("\u{feff}version: 1.0\r\nrun: []\r\n"),
        "2:6: run: expected one shell command",
    );
}

#[test]
fn syntax_errors_have_a_place() {
    assert_has(
        &refused("version: 1.0\nbase: node: 20\n"),
        "PANDIUM.yaml:2:",
    );
    assert_has(&refused("version: 1.0\nbase: node: 20\n"), "not valid YAML");
    assert_has(
        &refused("configs:\n\tschema: {}\n"),
        "2:1: configs: a tab in the indentation",
    );
    assert_has(&refused("run: 'open\n"), "not valid YAML");
}

#[test]
fn duplicate_keys_are_refused_at_any_depth() {
    let found = refused(with(
        "configs:\n  schema:\n    properties:\n      a: {x: 1, x: 2}\n      a: {}\nrun: b\n",
    ));
    assert_eq!(found.lines().count(), 3, "{found}");
    assert_has(
        &found,
        "8:17: configs.schema.properties.a.x: given twice, first in line 8; remove one",
    );
    assert_has(
        &found,
        "9:7: configs.schema.properties.a: given twice, first in line 8",
    );
    assert_has(&found, "10:1: run: given twice, first in line 4");
}

#[test]
fn keys_must_be_text() {
    let found = refused(with(
        "configs:\n  1: a\n  true: b\n  ~: c\n  [x]: d\n  \"2\": e\n",
    ));
    assert_has(
        &found,
        "6:3: configs: the key `1` is a number, not text; write it in quotes",
    );
    assert_has(&found, "7:3: configs: the key `true` is a boolean");
    assert_has(&found, "8:3: configs: the key `~` is nothing");
    assert_has(&found, "9:3: configs: a key is a list or an object");
    assert_eq!(found.lines().count(), 4, "{found}");
}

#[test]
fn foreign_tags_are_refused() {
    let found = refused(with("configs: !ruby/object:Foo {a: !!python/name:x 1}\n"));
    assert_has(&found, "the tag `!ruby/object:Foo` has no meaning here");
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn anchors_aliases_and_merge_keys_are_allowed() {
    let text = with(
        "configs:\n  schema:\n    definitions: &d\n      text: &text {type: string, default: a}\n    properties:\n      one: *text\n      two: {<<: *text, default: b}\n      three: {<<: [{type: integer}, *text], title: t}\n",
    );
    let configs = read(&text).manifest.configs.unwrap();
    assert_eq!(
        configs["schema"]["properties"],
        json!({
            "one": {"type": "string", "default": "a"},
            "two": {"default": "b", "type": "string"},
            "three": {"title": "t", "type": "integer", "default": "a"},
        })
    );
    assert_has(
        &refused(with("configs: {<<: text}\n")),
        "configs.<<: a merge key takes an object",
    );
    let quoted = read(&with("configs: {schema: {\"<<\": text}}\n"))
        .manifest
        .configs;
    assert_eq!(quoted, Some(json!({"schema": {"<<": "text"}})));
}

#[test]
fn alias_bombs_are_refused() {
    let ten = |word: &str| [word; 10].join(", ");
    let level = |n: usize| format!("  a{n}: &a{n} [{}]\n", ten(&format!("*a{}", n - 1)));
    let levels = (1..12).map(level).collect::<Vec<_>>().concat();
    let laughs = with(&format!("configs:\n  a0: &a0 [{}]\n{levels}", ten("lol")));
    assert_has(&refused(&laughs), "expand to over 1 MB");
    assert_has(
        &refused(with("configs: &a {b: *a}\n")),
        "5:17: configs.b: an alias stands inside of what it refers to",
    );
    assert_has(
        &refused(with("configs: {b: *missing}\n")),
        "not valid YAML: while parsing node, found unknown anchor",
    );
}

#[test]
fn depth_is_bounded_through_aliases_too() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(
        parse(
            "x",
            with(&format!("configs: {{schema: {{a: {}}}}}\n", nested(60))).as_bytes()
        )
        .is_ok()
    );
    assert_has(
        &refused(with(&format!("configs: {}\n", nested(80)))),
        "nested more than 64 levels deep",
    );
    assert_has(
        &refused("- ".repeat(100_000)),
        "nested more than 64 levels deep",
    );
    let chain = format!(
        "configs:\n  a: &a {}\n  b: {}*a{}\n",
        nested(40),
        "[".repeat(40),
        "]".repeat(40)
    );
    assert_has(&refused(with(&chain)), "nested more than 64 levels deep");
}
