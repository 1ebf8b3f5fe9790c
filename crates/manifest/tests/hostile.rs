//! Any bytes end in an answer: no panic, no hang, no answer without a reason.

use std::time::{Duration, Instant};

use marquetry_manifest::{MANIFEST_LIMIT, parse};
use proptest::prelude::*;

/// Much of what YAML has, so that a mutation lands in something of interest.
const RICH: &str = r#"%YAML 1.2
---
# comment
version: 1.0
base: &base 'node:20.9.0'
build: >-
  npm ci
  && npm run build
run: |+
  node .

connectors: [slack, "hub\u00e9spot", *base]
configs:
  schema: !!map
    type: object
    properties:
      list: &list {type: array, items: {type: string, enum: [a, b]}}
      copy: *list
      merged: {<<: [*list, {type: integer}], min: -5, default: 0x1F}
      choice: {$ref: '#/definitions/users'}
      ? plain key
      : {type: !!str number}
    definitions: {users: {oneOf: [{const: 1.5, title: ~}]}}
    required: [list, choice]
  uischema:
    type: VerticalLayout
    elements:
    - type: Section
      elements:
      - {type: Control, scope: '#/properties/list'}
metadata_schema: {schema: {properties: {x: {type: string}}}}
marquetry: {timeout_seconds: 30, egress: public}
...
"#;

/// Either a manifest or reasons, each within the file.
fn answer(bytes: &[u8]) {
    if let Err(problems) = parse("PANDIUM.yaml", bytes) {
        assert!(!problems.is_empty());
        assert!(problems.len() <= 100);
        for problem in problems {
            assert!(problem.line >= 1 && problem.column >= 1, "{problem}");
            assert!(!problem.message.is_empty());
            assert!(!problem.to_string().contains('\n'), "{problem}");
            assert!(problem.to_string().len() < 8192, "{problem}");
        }
    }
}

#[test]
fn the_rich_manifest_is_one() {
    let parsed = parse("PANDIUM.yaml", RICH.as_bytes()).expect("accepted");
    assert_eq!(parsed.manifest.connectors.len(), 3);
    assert_eq!(parsed.manifest.run, "node .\n\n");
}

/// Long enough for a step that grows with the square to take very long.
const LONG: usize = 64 * 1024;

/// Texts made to be slow.
#[test]
fn no_long_text_is_slow() {
    let units: &[&str] = &[
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "{a: ",
        "[a, ",
        "a,",
        "'",
        "\"",
        "\\",
        "&a ",
        "*a ",
        "!a ",
        "&a\n",
        "a\n",
        "a:\n",
        "a: b\n",
        "- a\n",
        "? a\n",
        "\n",
        " ",
        "\t",
        "#\n",
        "# ",
        "|\n",
        "a: |\n",
        "---\n",
        "...\n",
        "%A\n",
        "a: 'b",
        "[]",
        "{}",
        ": ",
        ":",
        "é",
        "\u{2028}",
        "\r",
        "- &a a\n",
        "- *a\n",
        "<<: {}\n",
        "a: &a [*a, *a]\n",
        "\"\\x41",
        "''",
        "{? a, ",
        "a: -\n",
        "  a\n",
        "'\n",
        "\"\n",
        "[\n",
        "- - -\n",
        "!<a> ",
        "%TAG ! a\n",
        "a #",
    ];
    for (start, unit) in [
        "",
        "a: ",
        "a:\n  b: ",
        "x: [",
        "- &a b\n",
        "a: |\n ",
        "a: '",
        "a: \"",
    ]
    .iter()
    .flat_map(|start| units.iter().map(move |unit| (start, unit)))
    {
        let count = LONG / unit.len();
        let text = format!("{start}{}", unit.repeat(count));
        let began = Instant::now();
        answer(text.as_bytes());
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(15),
            "{start:?} {unit:?} took {took:?}"
        );
    }
}

/// Names without end: all different, all the same, and all asked for by each other.
#[test]
fn many_names_are_not_slow() {
    let lines = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let keys = lines(60_000, |n| format!("k{n:07}: {n}\n"));
    let properties = lines(7_000, |n| {
        format!("      k{n}: {{$ref: '#/definitions/d{n}'}}\n")
    });
    let definitions = lines(7_000, |n| format!("      d{}: {{}}\n", n * 2));
    let required = lines(7_000, |n| format!("      - k{}\n", n * 2));
    let controls = lines(7_000, |n| {
        format!(
            "    - {{type: Control, scope: '#/properties/k{}'}}\n",
            n * 2
        )
    });
    let form = format!(
        "configs:\n  schema:\n    properties:\n{properties}    definitions:\n{definitions}    \
         required:\n{required}  uischema:\n    type: Group\n    elements:\n{controls}"
    );
    for text in [keys, "k: 1\n".repeat(150_000), form] {
        assert!(text.len() < MANIFEST_LIMIT, "{}", text.len());
        let text = format!("version: 1.0\nbase: node\nbuild: x\nrun: x\n{text}");
        let began = Instant::now();
        answer(text.as_bytes());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(30), "took {took:?}");
    }
}

#[derive(Debug, Clone)]
enum Mutation {
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "&a", "*a", "<<: ", "? ", ": ", "- ", "[", "]", "{", "}", "'", "\"", "|", ">", "%",
            "!", "!!int ", "---\n", "...\n", "\n", "\t", "  ", "#", ",", "~", "\0", "\u{feff}",
            "\\", "@",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop_oneof![
        (0..RICH.len(), 1_usize..40).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (0..RICH.len(), piece).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (0..RICH.len(), 1_usize..60).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

fn mutated(mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = RICH.as_bytes().to_vec();
    for mutation in mutations {
        let clamp = |at: usize| at.min(bytes.len());
        match mutation {
            Mutation::Remove(at, count) => drop(bytes.drain(clamp(*at)..clamp(at + count))),
            Mutation::Insert(at, piece) => {
                let at = clamp(*at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Mutation::Repeat(at, count) => {
                let again = bytes[clamp(*at)..clamp(at + count)].to_vec();
                let at = clamp(*at);
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        answer(&bytes);
    }

    #[test]
    fn random_yaml(text in "[ab:,\\[\\]{}&*!|>'\"%#?~<\\-\\. \n\t\\\\0x]{0,80}") {
        answer(text.as_bytes());
    }

    #[test]
    fn mutated_manifests(mutations in prop::collection::vec(mutation(), 1..6)) {
        answer(&mutated(&mutations));
    }
}
