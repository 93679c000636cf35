"""A picture as Mermaid text: requests, routes, targets in their order, endpoints.

Decides how texts are written so that none of them can be more than a text: every character that is not a letter,
a digit or a space is an entity.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.review.picture.model import Picture, RoutePicture

_PLAIN = frozenset(" ,.-_/")


def as_mermaid(picture: Picture) -> str:
    """A flow chart from left to right."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "flowchart LR"
    endpoints = {endpoint.name: f"e{number}" for number, endpoint in enumerate(picture.endpoints)}
    for endpoint in picture.endpoints:
        about = ", ".join((endpoint.dialect, *endpoint.labels, *endpoint.limits))
        yield f'  {endpoints[endpoint.name]}[("{text(endpoint.name)}<br/>{text(about)}")]'
    for number, route in enumerate(picture.routes):
        yield from _route(number, route, endpoints)


def _route(number: int, route: RoutePicture, endpoints: dict[str, str]) -> Iterator[str]:
    asked = route.requests or ", ".join(route.ways)
    guards = f"|{text('guards: ' + ', '.join(route.guards))}| " if route.guards else ""
    precedence = f"<br/>{text(f'precedence {route.precedence}')}" if route.precedence else ""
    yield f'  q{number}(["{text(asked)}"]) -->{guards} r{number}["{text(route.name)}{precedence}"]'
    for place, target in enumerate(route.targets, 1):
        node = f"t{number}_{place}"
        yield f'  r{number} -->|{place}| {node}["{text(target.model)}"] --> {endpoints[target.endpoint]}'


def text(words: str) -> str:
    """A text inside of quotes of Mermaid."""
    plain = "".join(c if c.isprintable() else "·" for c in words)
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in plain)
