"""The options that describe a request, shared by `run` and `explain`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

from route_run.cli.policy import pairs
from route_run.flow.request import PromptRequest
from route_run.policy import Parameter
from route_run.text.nearest import listed, nearest

MAX_PROMPT = 64 << 20
"""Largest prompt from stdin or a file, in bytes."""

_WHOLE = (Parameter.MAX_TOKENS, Parameter.SEED)


Asked = Callable[[], PromptRequest]
"""Makes the request that the options describe; raises RequestError or UsageError."""

_OPTIONS = (
    click.argument("prompt", required=False, metavar="[PROMPT or -]"),
    click.option("--route", metavar="R", help="Call this route by name instead of matching."),
    click.option("--model", "requested_model", metavar="M", help="The model that is asked for; routes may match it."),
    click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag such as desk=support; repeatable."),
    click.option("--param", "parameters", multiple=True, metavar="K=V", help="Such as temperature=0.2; repeatable."),
    click.option(
        "--document",
        "documents",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A text file that goes along before the prompt; repeatable.",
    ),
)


def request_options(command: Callable[..., int]) -> Callable[..., int]:
    """Adds PROMPT, --route, --model, --tag, --param and --document; the command gets them as ``asked``."""

    @wraps(command)
    def with_request(
        *arguments: Any,
        prompt: str | None,
        route: str | None,
        requested_model: str | None,
        tags: Sequence[str],
        parameters: Sequence[str],
        documents: Sequence[Path],
        **others: Any,  # the options of the command itself, which click passes by name
    ) -> int:
        def asked() -> PromptRequest:
            return PromptRequest.of(
                prompt=_prompt(prompt),
                route=route,
                requested_model=requested_model,
                tags=_tags(tags),
                parameters=_parameters(parameters),
                documents=tuple(_text_of(path) for path in documents),
            )

        return command(*arguments, asked=asked, **others)

    decorated: Callable[..., int] = with_request
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _prompt(argument: str | None) -> str:
    if argument is not None and argument != "-":
        return argument
    if argument is None and sys.stdin.isatty():
        raise click.UsageError("Give a prompt as an argument, or on standard input.")
    return _decoded(sys.stdin.buffer.read(MAX_PROMPT + 1), "standard input")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _decoded(file.read(MAX_PROMPT + 1), str(path))
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}") from error


def _decoded(content: bytes, source: str) -> str:
    if len(content) > MAX_PROMPT:
        raise click.UsageError(f"{source} holds more than {MAX_PROMPT:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{source} is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}"
        ) from error


def _tags(values: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs(values, "--tag"):
        if name in found:
            raise click.UsageError(f"the tag `{name}` is given twice; a tag has one value")
        found[name] = value
    return found


def _parameters(values: Sequence[str]) -> dict[str, object]:
    known = [parameter.value for parameter in Parameter]
    found: dict[str, object] = {}
    stops: list[str] = []
    for name, text in pairs(values, "--param"):
        if name not in known:
            similar = nearest(name, known)
            hint = f"did you mean `{similar}`? " if similar else ""
            raise click.UsageError(f"there is no parameter `{name}`; {hint}known: {listed(known)}")
        if name == Parameter.STOP.value:
            stops.append(text)
        else:
            found[name] = _number(Parameter(name), text)
    return found | ({"stop": tuple(stops)} if stops else {})


def _number(parameter: Parameter, text: str) -> float | int:
    try:
        return int(text) if parameter in _WHOLE else float(text)
    except ValueError as error:
        kind = "a whole number" if parameter in _WHOLE else "a number"
        raise click.UsageError(f"{parameter.value} is {kind}, not `{text}`") from error
