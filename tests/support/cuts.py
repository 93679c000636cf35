"""Ways to cut bytes into chunks: everything that reads a stream has to read all of them alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import strategies as st


def in_two(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every cut into two parts, the empty ones included."""
    for at in range(len(data) + 1):
        yield data[:at], data[at:]


def byte_by_byte(data: bytes) -> list[bytes]:
    """One chunk per byte."""
    return [data[at : at + 1] for at in range(len(data))]


def at_places(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Chunks that end at the places."""
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def chunkings(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Any cut of the data into chunks, empty ones among them."""
    return st.lists(st.integers(0, len(data)), max_size=8).map(lambda places: at_places(data, places))
