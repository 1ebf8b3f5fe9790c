"""The run.

- stderr is the log: people read it.
- stdout is the state: its last line, JSON, is handed to the next run.
- The exit code is the verdict: anything but 0 means that the run failed.
"""

import json
import sys
from typing import Any

from . import environment
from .environment import RunError, config, context, secrets


def log(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def flavours() -> list[dict[str, str]]:
    """The options of the selector `flavour`. A real integration would ask the connected system."""
    return [
        {"const": "vanilla", "title": "Vanilla"},
        {"const": "chocolate", "title": "Dark chocolate"},
        {"const": "hazelnut", "title": "Hazelnut"},
    ]


def init(state: dict[str, Any]) -> dict[str, Any]:
    """The first run of a customer: tells the platform which options the selectors have."""
    # The count goes along, or the next run would start again at 0.
    return {"count": count(state), "flavours": flavours()}


def normal(state: dict[str, Any]) -> dict[str, Any]:
    """A run by schedule, by button or through the API: counts one step."""
    following = count(state) + step()
    greet(following)
    return {"count": following}


def webhook(state: dict[str, Any], received: list[dict[str, Any]]) -> dict[str, Any]:
    """A run by webhook: counts what each body asks for, such as {"add": 5}; else one step."""
    following = count(state)
    for trigger in received:
        message = environment.body(trigger)
        add = message.get("add", step()) if isinstance(message, dict) else step()
        if not is_whole(add):
            raise RunError(f"trigger {trigger['id']} wants to add {add!r}, no whole number")
        log(f"trigger {trigger['id']} from {trigger['source']}: {json.dumps(message)}, adding {add}")
        following += add
    greet(following)
    return {"count": following}


def count(state: dict[str, Any]) -> int:
    """How far the runs before came."""
    last = state.get("count", 0)
    if not is_whole(last):
        raise RunError(f"the state of the last run has the count {last!r}, no whole number")
    return last


def step() -> int:
    """How far one run counts."""
    size = environment.integer_setting("step", 1)
    if size < 1:
        raise RunError(f"the setting `step` must be at least 1, but it is {size}")
    return size


def is_whole(value: object) -> bool:
    # In Python, True and False are whole numbers as well; in JSON they are not.
    return isinstance(value, int) and not isinstance(value, bool)


def greet(now: int) -> None:
    name = context.get("tenant_name", "whoever you are")
    flavour = config.get("flavour", "things")
    line = f"{config.get('greeting', 'Hello')}, {name}: the count of {flavour} is now {now}"
    log(line.upper() if environment.boolean_setting("loud") else line)


def main() -> dict[str, Any]:
    mode = context.get("run_mode", "normal")
    received = environment.triggers()
    build = environment.build_info()
    log("mode:", mode)
    log("built with:", build["python"] if build else "nothing, the build step has not run")
    log("config:", json.dumps(config))
    log("secrets (names only):", ", ".join(sorted(secrets)) or "none")
    for trigger in received:
        log(f"trigger: {trigger['id']} from {trigger['source']}")

    state = environment.last_state()
    log("state of the last run:", json.dumps(state))

    match mode:
        case "init":
            return init(state)
        case "normal":
            return normal(state)
        case "webhook":
            return webhook(state, received)
        case _:
            raise RunError(f"unknown mode `{mode}`; this code knows init, normal and webhook")


try:
    print(json.dumps(main()))
except RunError as error:
    log("failed:", error)
    sys.exit(1)
