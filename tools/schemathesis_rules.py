"""What the API's schemas do not say, and is no failure.

Wrong data is taken where it is one of pydantic's lax forms, as 0 for false and "12" for 12:
crates/web/tests/api/validation.rs holds them word by word. Only bodies that are right in their plain
form are let through here. So is a count in a query of more digits than a number has: it is as many as
can be.

Right data is refused by rules that no schema can say: a taken name, a release that is not there, the
cursor of another list, a key used before. Such a refusal is a value_error, or one sentence on the two
routes that answer so. Where any JSON may stand, a whole number beyond 64 bits may not
(int_parsing_size): it would be kept as another one. Whatever else is refused for its shape is a failure.
"""

import re

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

FALSE = [0, "0", "off", "f", "false", "n", "no"]
TRUE = [1, "1", "on", "t", "true", "y", "yes"]
RULES = ["value_error", "int_parsing_size"]
# What the server calls the members of a union, in crates/web/src/extract/shape/check.rs.
WAY = re.compile(r"str|datetime|int|float|bool|enum|model|(list|dict)\[.*\]")
LARGEST = 2**63 - 1


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


def is_cut(case):
    """Whether a count is too large for a number, and nothing else is wrong with the query."""
    right = {}
    for parameter in case.operation.query:
        if parameter.name in case.query:
            schema = parameter.validation_schema
            value = plain(case.query[parameter.name], schema, schema)
            right[parameter.name] = parameter.is_valid(value) or (is_count(parameter) and is_large(value))
    return bool(right) and all(right.values()) and right.keys() == case.query.keys()


def is_count(parameter):
    """As crates/web/src/extract/shape/check.rs says: none at least, and any number."""
    return parameter.raw_schema.get("minimum") == 0 and "maximum" not in parameter.raw_schema


def is_large(value):
    return str(value).isdecimal() and int(value) > LARGEST


def is_a_rule(response):
    if response.status_code != 422:
        return False
    said = response.json()
    if "message" in said:
        return True
    ruled = [fault["loc"] for fault in said["detail"] if fault["type"] in RULES]
    return all(fault["loc"] in ruled or is_other_way(fault["loc"], ruled) for fault in said["detail"])


def is_other_way(loc, ruled):
    """Whether it is one of several ways to take a value, and a rule refused another one of them."""
    *place, way = loc
    under = [found for found in ruled if len(found) > len(place) and found[: len(place)] == place]
    ways = {str(found[len(place)]) for found in under}
    return bool(WAY.fullmatch(str(way))) and any(map(WAY.fullmatch, ways - {way}))


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, AcceptedNegativeData):
        return not is_lax(case) and not is_cut(case)
    if isinstance(failure, RejectedPositiveData):
        return not is_a_rule(response)
    return True
