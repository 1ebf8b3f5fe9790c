//! Languages that run as they are written.

use super::Manner;

/// Python, Node, the shell, Ruby, PHP.
pub(super) const MANNERS: [Manner; 5] = [
    // The first library of all: prefixes off, names in lower case, line breaks out of the values.
    Manner {
        name: "python-lib",
        programs: &["python3"],
        manifest: r#"
version: 0.4
base: python:3.7
connectors:
  - shipbob
build: "true"
run: python3 -m app.main
configs:
  schema:
    name: pandium_configs
    type: object
    properties:
      bool_input: {type: boolean, default: false}
      off_input: {type: boolean, default: true}
      text_input: {type: string}
      count: {type: integer, min: -10, max: 10}
      list: {type: array, items: {type: string, enum: [a, b, c]}, uniqueItems: true}
      shade: {type: string, default: grey}
      nothing: {type: string}
  uischema:
    type: VerticalLayout
    elements:
      - {type: Section, label: Settings, hintText: No Configuration required.}
      - {type: Control, scope: '#/properties/bool_input', admin: true}
"#,
        files: &[(
            "app/main.py",
            r#"
import json, os, re, sys
def group(prefix):
    return {k[len(prefix):].lower(): re.sub(r"[\r\n]", "", v) for k, v in os.environ.items() if k.startswith(prefix)}
cfg, ctx = group("PAN_CFG_"), group("PAN_CTX_")
yes = lambda v: v.lower() in ("true", "1", "t", "y", "yes")
triggers = [t for t in json.loads(ctx["run_triggers"]) if t["source"] in ("api", "webhook")]
payload, header = None, None
for t in triggers:
    with open(t["payload"]["file"], encoding="utf-8") as f:
        payload = json.load(f)
    header = t["payload"]["headers"]["x-shop"]
last = json.loads(ctx["last_successful_run_std_out"]) if "last_successful_run_std_out" in ctx else {"seen": -1}
print("This run is in mode:", ctx["run_mode"], file=sys.stderr)
print("a banner")
print(json.dumps({"bool": yes(cfg["bool_input"]), "off": yes(cfg["off_input"]), "count": int(cfg["count"]), "list": json.loads(cfg["list"]),
    "fallback": cfg["shade"], "unset": cfg.get("nothing"), "mode": ctx["run_mode"], "tenant": ctx["tenant_name"],
    "payload": payload, "header": header, "seen": last["seen"] + 1}))
print()
"#,
        )],
    },
    // A class over the environment, typed by hand; the banner of the newest scaffold.
    Manner {
        name: "node-lib",
        programs: &["node"],
        manifest: r"
version: 1.0
base: Node
build: node --check src/index.js
run: node .
configs:
  schema:
    type: object
    properties:
      bool_input: {type: boolean}
      off_input: {type: boolean}
      text_input: {type: string, options: {multi: true}}
      count: {type: integer, minimum: -10}
      list: {type: array, items: {type: string}}
      shade: {$ref: '#/metadata/shades', default: grey}
      nothing: {type: string}
metadata_schema:
  schema:
    properties:
      shades: {type: array, items: {type: string}, default: ['grey']}
",
        files: &[
            ("package.json", r#"{"main": "src/index.js"}"#),
            (
                "src/index.js",
                r"
const fs = require('node:fs');
class Group {
  constructor(prefix) {
    for (const [key, value] of Object.entries(process.env)) {
      if (key.startsWith(prefix) && value) this[key.slice(prefix.length).toLowerCase()] = value;
    }
  }
}
const cfg = new Group('PAN_CFG_'), ctx = new Group('PAN_CTX_');
const flag = (text) => /^(true|1|t|y|yes)$/.test(text);
console.error('------------------------CONFIG------------------------');
for (const [key, value] of Object.entries(cfg)) console.error(`${key}: ${value}`);
const trigger = JSON.parse(ctx.run_triggers).find((t) => t.payload.file);
const body = trigger && JSON.parse(fs.readFileSync(trigger.payload.file, 'utf8'));
const last = ctx.last_successful_run_std_out ? JSON.parse(ctx.last_successful_run_std_out) : {seen: -1};
console.log(JSON.stringify({bool: flag(cfg.bool_input), off: flag(cfg.off_input), count: Number(cfg.count), list: JSON.parse(cfg.list),
  fallback: cfg.shade, unset: cfg.nothing ?? null, mode: ctx.run_mode, tenant: ctx.tenant_name,
  payload: body ?? null, header: trigger?.payload.headers['x-shop'] ?? null, seen: last.seen + 1}));
",
            ),
        ],
    },
    // Straight from the environment, with the misspelt name of an older page.
    Manner {
        name: "shell",
        programs: &["python3"],
        manifest: r#"
version: "0.4"
base: Python
build: chmod +x sync.sh && test -x sync.sh
run: ./sync.sh
configs:
  schema:
    type: object
    properties:
      shade: {$ref: 'definitions/shades', default: grey}
    definitions:
      shades: {type: string, enum: [placeholder]}
"#,
        files: &[(
            "sync.sh",
            r#"#!/bin/sh
set -eu
seen=-1
if [ -n "${PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT:-}" ]; then
  seen=$(printf %s "$PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT" | sed 's/.*"seen": *\([0-9]*\).*/\1/')
fi
file=$(printf %s "$PAN_CTX_RUN_TRIGGERS" | sed -n 's/.*"file":"\([^"]*\)".*/\1/p')
header=$(printf %s "$PAN_CTX_RUN_TRIGGERS" | sed -n 's/.*"x-shop":"\([^"]*\)".*/\1/p')
printf '{"bool":%s,"off":%s,"count":%s,"list":%s,"fallback":"%s","unset":null,"mode":"%s","tenant":"%s","payload":%s,"header":"%s","seen":%s}' \
  "$PAN_CFG_BOOL_INPUT" "$PAN_CFG_OFF_INPUT" "$PAN_CFG_COUNT" "$PAN_CFG_LIST" "$PAN_CFG_SHADE" \
  "$PAN_CTX_RUN_MODE" "$PAN_CTX_TENANT_NAME" "$(cat "$file")" "$header" "$((seen + 1))"
"#,
        )],
    },
    // The language's own dictionary of the environment.
    Manner {
        name: "ruby-lib",
        programs: &["ruby"],
        manifest: r"
version: 1.0
base: ruby:2.6
build: ruby -c main.rb
run: ruby main.rb
configs: {schema: {type: object, properties: {shade: {type: string, default: grey}}}}
",
        files: &[(
            "main.rb",
            r#"
require 'json'
def group(prefix)
  ENV.select { |name, _| name.start_with?(prefix) }.to_h { |name, value| [name.delete_prefix(prefix).downcase.to_sym, value] }
end
cfg, ctx = group('PAN_CFG_'), group('PAN_CTX_')
trigger = JSON.parse(ctx[:run_triggers]).find { |t| t['payload'].key?('file') }
last = JSON.parse(ctx.fetch(:last_successful_run_std_out, '{"seen": -1}'))
puts JSON.generate(bool: cfg[:bool_input] == 'true', off: cfg[:off_input] == 'true', count: Integer(cfg[:count]), list: JSON.parse(cfg[:list]),
  fallback: cfg[:shade], unset: cfg[:nothing], mode: ctx[:run_mode], tenant: ctx[:tenant_name],
  payload: JSON.parse(File.read(trigger['payload']['file'])), header: trigger['payload']['headers']['x-shop'], seen: last['seen'] + 1)
"#,
        )],
    },
    Manner {
        name: "php-lib",
        programs: &["php"],
        manifest: r"
version: 1.0
base: php:8.0
build: php -l main.php
run: php main.php
configs:
  schema:
    type: object
    properties:
      shade: {type: string, default: grey, ref: '#/definitions/shades', enum: [grey, red]}
",
        files: &[(
            "main.php",
            r#"<?php
function group(string $prefix): array {
    $found = [];
    foreach (getenv() as $name => $value) {
        if (str_starts_with($name, $prefix)) { $found[strtolower(substr($name, strlen($prefix)))] = $value; }
    }
    return $found;
}
$cfg = group('PAN_CFG_'); $ctx = group('PAN_CTX_');
$trigger = json_decode($ctx['run_triggers'], true)[0];
$last = json_decode($ctx['last_successful_run_std_out'] ?? '{"seen": -1}', true);
fwrite(STDERR, "\u{1b}[32mphp\u{1b}[0m\n");
echo json_encode(['bool' => $cfg['bool_input'] === 'true', 'off' => $cfg['off_input'] === 'true', 'count' => (int) $cfg['count'], 'list' => json_decode($cfg['list']),
    'fallback' => $cfg['shade'], 'unset' => $cfg['nothing'] ?? null, 'mode' => $ctx['run_mode'], 'tenant' => $ctx['tenant_name'],
    'payload' => json_decode(file_get_contents($trigger['payload']['file']), true), 'header' => $trigger['payload']['headers']['x-shop'], 'seen' => $last['seen'] + 1]), "\n";
"#,
        )],
    },
];
