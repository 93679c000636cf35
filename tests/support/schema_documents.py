"""Documents that a schema of ours accepts, drawn at random from the schema itself."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from route_run.schema import schema_text

TEXT = "abcXYZ 019-_.:/äß日😀'\"#\\"
REFERENCES = st.sampled_from(["${NAME}", "${file:/run/secrets/name}"])
BY_UNIT = {
    "duration": ["0s", "250ms", "1.5min", "2h", "400d"],
    "rate": ["1/s", "600/min", "200k/h", "1.5M/day"],
    "spend": ["0 USD/h", "20 USD/day", "19.99 USD/month"],
    "share": ["0%", "12.5%", "100%"],
}
BY_FORMAT = {
    "url": ["https://models.example.com/v1", "http://127.0.0.1:8080", "http://[::1]/x"],
    "network": ["loopback", "10.0.0.0/8", "fd00::/8", "192.168.1.1"],
    "instant": ["2026-12-01T22:00:00+01:00", "2026-12-01T22:00:00Z", "2030-01-02T03:04:05.678-09:30"],
    "own_header": ["X-Team", "X-Request-Source", "traceparent"],
}
MOST_ITEMS = 2


def documents(name: str) -> SearchStrategy[dict[str, Any]]:
    """Documents of one schema (`policy` or `pack`), as data."""
    root = json.loads(schema_text(name))
    return _values(root, root)


def _values(root: dict[str, Any], node: dict[str, Any]) -> SearchStrategy[Any]:
    node = _resolved(root, node)
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return st.one_of([_of_type(root, _branched(root, {**node, "type": kind})) for kind in types])


def _of_type(root: dict[str, Any], node: dict[str, Any]) -> SearchStrategy[Any]:
    if "enum" in node:
        return st.sampled_from(node["enum"])
    match node["type"]:
        case "string":
            return _texts(node)
        case "boolean":
            return st.booleans()
        case "integer":
            return _integers(node)
        case "number":
            return _integers(node) | _integers(node, 64).map(lambda n: n / 64)
        case "array":
            return _lists(root, node)
        case _:
            return _objects(root, node)


def _branched(root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A node of one type with the branches that this type leads into."""
    for part in [node, *node.get("allOf", [])]:
        if set(part.get("if", ())) == {"type"}:
            branch = "then" if part["if"]["type"] == node["type"] else "else"
            node = _merged(root, node, part.get(branch, {}))
    return node


def _merged(root: dict[str, Any], node: dict[str, Any], branch: dict[str, Any]) -> dict[str, Any]:
    branch = _resolved(root, branch)
    properties = dict(node.get("properties", {}))
    for key, child in branch.get("properties", {}).items():
        properties[key] = {**properties.get(key, {}), **child}
    required = [*node.get("required", ()), *branch.get("required", ())]
    return {**node, **branch, "properties": properties, "required": required}


def _texts(node: dict[str, Any]) -> SearchStrategy[str]:
    if "x-secret" in node:
        return REFERENCES
    if "x-unit" in node:
        return st.sampled_from(BY_UNIT[node["x-unit"]])
    if "x-format" in node:
        plain = st.sampled_from(BY_FORMAT[node["x-format"]])
    elif "pattern" in node:
        plain = st.from_regex(node["pattern"], fullmatch=True).filter(lambda text: "\n" not in text)
    else:
        plain = st.text(TEXT, min_size=node.get("minLength", 0), max_size=12)
    return plain | REFERENCES if "x-reference" in node else plain


def _integers(node: dict[str, Any], scale: int = 1) -> SearchStrategy[int]:
    low = node.get("minimum", -100) * scale
    if "exclusiveMinimum" in node:
        low = node["exclusiveMinimum"] * scale + 1
    return st.integers(low, min(node.get("maximum", 10**6), 10**6) * scale)


def _lists(root: dict[str, Any], node: dict[str, Any]) -> SearchStrategy[list[Any]]:
    items = _values(root, node["items"])
    least = node.get("minItems", 0)
    unique = json.dumps if node.get("uniqueItems") else None
    return st.lists(items, min_size=least, max_size=max(least, MOST_ITEMS), unique_by=unique)


def _objects(root: dict[str, Any], node: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    if isinstance(node.get("additionalProperties"), dict):
        names = _values(root, node["propertyNames"]) if "propertyNames" in node else st.text(TEXT, max_size=8)
        least = node.get("minProperties", 0)
        values = _values(root, node["additionalProperties"])
        return st.dictionaries(names, values, min_size=least, max_size=max(least, MOST_ITEMS))
    return _closed_objects(root, node)


@st.composite
def _closed_objects(draw: DrawFn, root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    node = _chosen(draw, root, node)
    required = list(dict.fromkeys(node.get("required", ())))
    allowed = [key for key, child in node.get("properties", {}).items() if "x-exclusive" not in child]
    most = node.get("maxProperties", len(allowed))
    optional = draw(st.permutations([key for key in allowed if key not in required]))
    least = max(0, node.get("minProperties", 0) - len(required))
    count = draw(st.integers(least, max(least, min(len(optional), most - len(required)))))
    return {key: draw(_values(root, node["properties"][key])) for key in [*required, *optional[:count]]}


def _chosen(draw: DrawFn, root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A node with one of the branches that depend on whether a field is there."""
    if set(node.get("if", ())) - {"type"} != {"required"}:
        return node
    (key,) = node["if"]["required"]
    if draw(st.booleans()):
        return _merged(root, {**node, "required": [*node.get("required", ()), key]}, node.get("then", {}))
    others = {k: child for k, child in node.get("properties", {}).items() if k != key}
    return _merged(root, {**node, "properties": others}, node.get("else", {}))


def _resolved(root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    own = {key: value for key, value in node.items() if key != "$ref"}
    return {**_resolved(root, target), **own}
