"""Everything the platform tells a run, read from its environment."""

import json
import os
import re
from pathlib import Path
from typing import Any


class RunError(Exception):
    """A failure whose message is meant for the reader of the log."""


def _with_prefix(prefix: str) -> dict[str, str]:
    """The variables with this prefix: `PAN_CFG_STEP` becomes `step`."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in os.environ.items()
        if name.startswith(prefix)
    }


#: About this run: mode, triggers, what the last run left behind.
context = _with_prefix("PAN_CTX_")

#: The customer's settings.
config = _with_prefix("PAN_CFG_")

#: Credentials of the connected systems. Never print the values.
secrets = _with_prefix("PAN_SEC_")


def integer_setting(name: str, fallback: int) -> int:
    """A setting that must be a whole number."""
    text = config.get(name, str(fallback))
    if not re.fullmatch(r"-?[0-9]+", text):
        raise RunError(f"the setting `{name}` must be a whole number, but it is `{text}`")
    return int(text)


def boolean_setting(name: str) -> bool:
    """A setting that is a check box; booleans arrive as the words `true` and `false`."""
    return config.get(name) == "true"


def triggers() -> list[dict[str, Any]]:
    """What started this run: several triggers may share one run.

    A long list does not fit into a variable, so the file, which always has all of it, goes first.
    """
    file = context.get("run_triggers_file")
    text = _read(file) if file else context.get("run_triggers", "[]")
    return _parse(text, "the list of triggers")


def body(trigger: dict[str, Any]) -> Any:
    """The body that came with a trigger, or None when it came with none."""
    file = (trigger.get("payload") or {}).get("file")
    if not file:
        return None
    return _parse(_read(file), f"the body of trigger {trigger['id']}")


def last_state() -> dict[str, Any]:
    """What the last successful run printed; empty for the first run.

    There is one state for each customer, not one for each mode: what an init run prints replaces
    what a normal run printed before.
    """
    text = context.get("last_successful_run_std_out")
    if not text:
        return {}
    state = _parse(text, "the state of the last run")
    if not isinstance(state, dict):
        raise RunError(f"the state of the last run is no object, but {text}")
    return state


def build_info() -> dict[str, Any] | None:
    """What the build step left behind."""
    file = Path(__file__).parent.parent / "build-info.json"
    return _parse(_read(file), "build-info.json") if file.exists() else None


def _read(file: str | Path) -> str:
    # errors="replace": a body is whatever the other system sent, not always UTF-8.
    return Path(file).read_text(encoding="utf-8", errors="replace")


def _parse(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise RunError(f"{what} is not JSON: {error}") from error
