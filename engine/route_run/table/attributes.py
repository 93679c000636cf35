"""What a request is matched by, and the smallest prompts there can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from route_run.policy import Capability

ESTIMATE = "estimate@1"
"""Name of the token estimate: UTF-8 bytes / 3 rounded up, + 4 a message, + 1,000 an image."""
BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 1000

MODEL = ""
"""The dimension of the requested model, beside the names of tags (which are never empty)."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What routes, bounds and webhooks can match: ``prompt_tokens`` is the estimate.

    ``undeclared`` names tags the policy does not declare: they are recorded and match nothing.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    requested_model: str | None = None
    prompt_tokens: int = 5
    needs: frozenset[Capability] = frozenset()
    undeclared: tuple[str, ...] = ()

    def value(self, dimension: str) -> str | None:
        """The value in one dimension, None when absent."""
        return self.tags.get(dimension) if dimension else self.requested_model

    def __str__(self) -> str:
        parts = [f"{tag}={value}" for tag, value in sorted(self.tags.items())]
        if self.requested_model is not None:
            parts.append(f"requested model {self.requested_model}")
        parts.append(f"{self.prompt_tokens} prompt tokens")
        parts += [f"needs {need.value}" for need in sorted(self.needs, key=lambda need: need.value)]
        return ", ".join(parts)


def smallest_prompt(needs: frozenset[Capability]) -> int:
    """The smallest estimate that any request with these needs can have."""
    return TOKENS_PER_MESSAGE + (TOKENS_PER_IMAGE if Capability.IMAGES in needs else 1)
