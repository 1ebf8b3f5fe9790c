"""What the API's schemas do not say, and is no failure.

Wrong data is taken where it is one of pydantic's lax forms, as 0 for false and "12" for 12:
crates/web/tests/api/validation.rs holds them word by word. Only bodies that are right in their plain
form are let through here.

Right data is refused by rules that no schema can say: a taken name, a release that is not there, the
cursor of another list, a key used before. Such a refusal is a value_error, or one sentence on the two
routes that answer so. Whatever is refused for its shape is a failure.
"""

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

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


def is_lax(case):
    body = case.operation.get_body_for_media_type("application/json")
    if not body:
        return False
    schema = body.validation_schema
    right = body.get_validator().is_valid
    return not right(case.body) and right(plain(case.body, schema, schema))


def is_a_rule(response):
    if response.status_code != 422:
        return False
    said = response.json()
    return "message" in said or all(fault["type"] == "value_error" for fault in said["detail"])


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, AcceptedNegativeData):
        return not is_lax(case)
    if isinstance(failure, RejectedPositiveData):
        return not is_a_rule(response)
    return True
