"""Wrong data that the API takes on purpose: pydantic's lax forms, as 0 for false and "12" for 12.

crates/web/tests/api/validation.rs holds them word by word. Here only bodies that are right in their
plain form are let through, so that any other wrong data that is taken is a failure.
"""

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

FALSE = [0, "0", "off", "f", "false", "n", "no"]
TRUE = [1, "1", "on", "t", "true", "y", "yes"]


def meanings(schema, root):
    """The schema itself and what it refers to or chooses from."""
    while "$ref" in schema:
        place = schema["$ref"].removeprefix("#/").split("/")
        schema = root
        for name in place:
            schema = schema[name]
    parts = [part for key in ["anyOf", "oneOf", "allOf"] for part in schema.get(key, [])]
    return [schema] + [found for part in parts for found in meanings(part, root)]


def plain(value, schema, root):
    """What the lax forms in it stand for; anything else stays."""
    for schema in meanings(schema, root):
        if isinstance(value, dict):
            known = schema.get("properties", {})
            value = {name: plain(part, known.get(name, {}), root) for name, part in value.items()}
        elif isinstance(value, list):
            value = [plain(part, schema.get("items", {}), root) for part in value]
        elif "boolean" in schema.get("type", []):
            word = value.lower() if isinstance(value, str) else value
            value = False if word in FALSE else True if word in TRUE else value
        elif "integer" in schema.get("type", []) and isinstance(value, str):
            value = int(value) if value.isdecimal() else value
    return value


@schemathesis.hook
def filter_failure(context, failure, case, response):
    body = case.operation.get_body_for_media_type("application/json")
    if not isinstance(failure, AcceptedNegativeData) or not body:
        return True
    schema = body.validation_schema
    right = body.get_validator().is_valid
    return right(case.body) or not right(plain(case.body, schema, schema))
