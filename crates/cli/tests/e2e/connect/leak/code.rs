//! The code whose runs say all that they know, in every way they can think of.

use serde_json::{Value, json};

/// Its build has a secret, too. It leaves nothing of it in the artifact, which is its own matter.
pub(super) fn manifest() -> String {
    let steps = "echo licence $LICENCE; printf '%s' \"$LICENCE\" | base64 -w0; printf '%s' \"$LICENCE\" | od -An -v -tx1 | tr -d ' \\n'";
    let manifest: Value = json!({
        "version": "1.0", "base": "python:3.11", "build": steps, "run": "python3 main.py",
        "configs": {"schema": {"type": "object", "properties": {
            "region": {"type": "string"},
            "pause": {"type": "string"},
            "token": {"type": "string", "format": "password"},
            "certificate": {"type": "string", "format": "password"},
            "keys": {"type": "array", "items": {"type": "string"}, "writeOnly": true},
        }}},
    });
    manifest.to_string()
}

/// Its answer is what is no secret: what a run prints to standard output is its own matter.
pub(super) const MAIN: &str = r#"
import base64, json, os, sys, time, traceback, urllib.parse

def say(text):
    print(text, file=sys.stderr, flush=True)

def leaves(value):
    if isinstance(value, str): yield value
    elif isinstance(value, dict): yield from (leaf for part in value.values() for leaf in leaves(part))
    elif isinstance(value, list): yield from (leaf for part in value for leaf in leaves(part))

def show(value):
    data = value.encode()
    say("plain " + value)
    say("json " + json.dumps({"v": value}) + json.dumps(value, ensure_ascii=False))
    for before in (b"", b"u", b"u:"):
        say("base64 " + base64.b64encode(before + data).decode() + " " + base64.urlsafe_b64encode(before + data).decode())
    say("basic " + base64.b64encode(b"user:" + data + b":end").decode())
    say("address " + urllib.parse.quote(value, safe="") + " " + urllib.parse.quote(value) + " " + urllib.parse.quote_plus(value))
    say("hex " + data.hex() + " " + data.hex().upper())
    for line in value.splitlines():
        say("line   " + line)
    for at in (1, len(value) // 2):
        sys.stderr.write("pieces " + value[:at]); sys.stderr.flush()
        time.sleep(0.001)
        sys.stderr.write(value[at:] + "\n"); sys.stderr.flush()
    try:
        raise ValueError("no good: " + value)
    except ValueError:
        traceback.print_exc()

names = [n for n in os.environ if n.startswith(("PAN_SEC_", "PAN_CFG_"))]
for name in sorted(names):
    say("now " + name)
    show(os.environ[name])
    try: found = json.loads(os.environ[name])
    except ValueError: continue
    for leaf in leaves(found):
        show(leaf)
sys.stderr.buffer.write(open("/proc/self/environ", "rb").read()); sys.stderr.flush()
say("x" * 9000)

token, pause = os.environ.get("PAN_CFG_TOKEN", ""), int(os.environ.get("PAN_CFG_PAUSE", "0"))
if pause:
    sys.stderr.write("here it waits in the midst of " + token[:len(token) // 2]); sys.stderr.flush()
    time.sleep(pause)
    say(token[len(token) // 2:])
    show(token)
print(json.dumps({"region": os.environ.get("PAN_CFG_REGION"), "names": sorted(n for n in names if "-" not in n)}))
if os.environ["PAN_CTX_RUN_MODE"] == "init":
    sys.exit("it failed with " + token)
"#;
