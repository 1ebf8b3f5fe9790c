//! The shape of `configs`: what the original's samples do must pass.

use marquetry_manifest::{Parsed, parse};
use serde_json::json;

const SMALL: &str = "version: 0.4\nbase: node:20\nbuild: npm ci\nrun: node .\n";

fn read(rest: &str) -> Result<Parsed, String> {
    parse("PANDIUM.yaml", format!("{SMALL}{rest}").as_bytes()).map_err(|problems| lines(&problems))
}

fn lines(problems: &[marquetry_manifest::Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[track_caller]
fn warnings(rest: &str) -> String {
    lines(&read(rest).expect("no problem").warnings)
}

#[track_caller]
fn assert_has(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in:\n{text}");
}

/// The form of the original's tutorial, second part: the definition's type contradicts the
/// property's, `required` names selectors that hold a placeholder only.
const TUTORIAL: &str = "
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
        label: Configure
        elements:
          - {type: Control, label: Type, scope: '#/properties/pokemon_type'}
          - {type: Control, label: User, scope: '#/properties/slack_user'}
    type: VerticalLayout
";

#[test]
fn the_tutorial_passes_with_one_warning() {
    let parsed = read(TUTORIAL).expect("no problem");
    let found = lines(&parsed.warnings);
    assert_eq!(found.lines().count(), 1, "{found}");
    assert_has(
        &found,
        "configs.schema.properties.slack_user.$ref: the definition is of type `number`, the property of type `string`",
    );
    let schema = parsed.manifest.configs_schema().expect("a schema").clone();
    let order: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(order, ["pokemon_type", "slack_user"]);
    assert_eq!(
        schema["definitions"]["pokemon_types"],
        json!({"enum": ["placeholder"]})
    );
}

#[test]
fn a_form_without_controls_passes() {
    let form = "
configs:
  schema:
    type: object
    properties:
  uischema:
    type: VerticalLayout
    elements:
      - type: Section
        label: Pokémon of the Day
        hintText: No Configuration required.
      - type: Section
        elements:
";
    assert_eq!(warnings(form), "");
}

#[test]
fn configs_may_be_absent_or_empty() {
    for rest in ["", "configs:\n", "configs: {}\n", "configs: {schema: }\n"] {
        assert_eq!(warnings(rest), "", "{rest}");
    }
    assert_eq!(
        read("configs:\n").expect("no problem").manifest.configs,
        None
    );
}

#[test]
fn min_and_max_and_every_element_type_pass() {
    let form = "
configs:
  schema:
    type: object
    properties:
      amount: {type: integer, min: -5, max: 5, default: 0}
      rate: {type: number, minimum: 0}
      tags: {type: array, items: {type: string, enum: [a, b]}, uniqueItems: true}
      day: {type: string, format: date}
      either: {type: [string, 'null']}
  uischema:
    type: VerticalLayout
    elements:
      - {type: Control, scope: '#/properties/amount', admin: true, options: {trim: false}}
      - {type: MultiSelectControl, scope: '#/properties/tags'}
      - {type: Label, title: Text}
      - type: Divider
      - {type: Group, label: G, elements: [{type: HorizontalLayout, elements: []}]}
";
    assert_eq!(warnings(form), "");
}

#[test]
fn bent_references_are_warned_of() {
    let found = warnings(
        "
configs:
  schema:
    properties:
      a: {$ref: 'definitions/list'}
      b: {ref: '#/definitions/list', enum: [x]}
      c: {$ref: '#/metadata/shades'}
      d: {$ref: '#/definitions/lsit'}
      e: {$ref: 'https://example.com'}
      f: {$ref: '#/metadata/none'}
    definitions:
      list: {enum: [placeholder]}
metadata_schema:
  schema:
    properties:
      shades: {type: array, items: {type: string}, default: [grey]}
",
    );
    assert_eq!(found.lines().count(), 5, "{found}");
    assert_has(
        &found,
        "9:17: configs.schema.properties.a.$ref: read as if it began with `#/`",
    );
    assert_has(
        &found,
        "configs.schema.properties.b.ref: ignored; write `$ref`",
    );
    assert_has(
        &found,
        "d.$ref: there is no definition `lsit` (did you mean `list`?)",
    );
    assert_has(&found, "e.$ref: has no meaning here");
    assert_has(&found, "f.$ref: there is no metadata property `none`");
}

#[test]
fn doubtful_properties_are_warned_of() {
    let found = warnings(
        "
configs:
  schema:
    type: array
    properties:
      a: {type: strnig}
      b: {title: B}
      shop-id: {type: string}
      shop_id: {type: string}
    required: [a, c]
  uischema:
    type: VerticalLayuot
    elements:
      - {type: Control}
      - {type: Control, scope: '#/properties/aa'}
      - {type: Control, scope: a}
",
    );
    assert_has(&found, "configs.schema.type: settings are always an object");
    assert_has(
        &found,
        "10:17: configs.schema.properties.a.type: unknown type `strnig` (did you mean `string`?)",
    );
    assert_has(&found, "configs.schema.properties.b: has no `type`");
    assert_has(
        &found,
        "configs.schema.properties.shop_id: becomes PAN_CFG_SHOP_ID like `shop-id` in line 12",
    );
    assert_has(
        &found,
        "configs.schema.required[1]: there is no property `c`",
    );
    assert_has(
        &found,
        "configs.uischema.type: unknown element type `VerticalLayuot` (did you mean `VerticalLayout`?)",
    );
    assert_has(&found, "configs.uischema.elements[0]: has no `scope`");
    assert_has(
        &found,
        "configs.uischema.elements[1].scope: there is no property `aa` (did you mean `a`?)",
    );
    assert_has(
        &found,
        "configs.uischema.elements[2].scope: points to no property",
    );
    assert_eq!(found.lines().count(), 9, "{found}");
}

#[test]
fn shapes_that_nothing_can_read_are_refused() {
    let found = read(
        "
configs:
  schema:
    properties:
      a: text
      b: {type: {}}
      c: {$ref: [1]}
      d: {enum: x}
    required: yes
    definitions: []
  uischema:
    elements:
      - 7
      - {label: x}
      - {type: Group, elements: {}}
      - {type: [Control]}
",
    )
    .expect_err("refused");
    assert_has(
        &found,
        "9:10: configs.schema.properties.a: expected an object such as `{type: string}`, found text",
    );
    assert_has(
        &found,
        "configs.schema.properties.b.type: expected the name of a type",
    );
    assert_has(
        &found,
        "configs.schema.properties.c.$ref: expected the place of a definition",
    );
    assert_has(
        &found,
        "configs.schema.properties.d.enum: expected a list of options",
    );
    assert_has(
        &found,
        "configs.schema.required: expected a list of property names",
    );
    assert_has(&found, "configs.schema.definitions: expected an object");
    assert_has(
        &found,
        "configs.uischema.elements[0]: expected a form element",
    );
    assert_has(
        &found,
        "configs.uischema.elements[2].elements: expected a list of form elements",
    );
    assert_has(
        &found,
        "configs.uischema.elements[3].type: expected the name of an element type",
    );
    assert_eq!(found.lines().count(), 9, "{found}");

    let found = read("configs: {schema: [], uischema: x}\n").expect_err("refused");
    assert_has(&found, "configs.schema: expected an object");
    assert_has(&found, "configs.uischema: expected a form element");
    assert_has(
        &read("configs: text\n").expect_err("refused"),
        "configs: expected an object with `schema` and `uischema`",
    );
}
