"""What fixing changes, as a unified diff.

Decides that secrets stay hidden in it, too: a diff ends up in the log of a pipeline. Where it stars something
out, the diff cannot be applied as a patch any more; `--fix` writes the files.
"""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterable, Iterator

from route_run.errors import Span
from route_run.lint.fix import Change, Mended
from route_run.lint.report.excerpt import Excerpts


def difference(mended: Mended) -> str:
    """The unified diff of all changed files, in the order of their paths."""
    return "".join(line for change in mended.changes for line in _of(change, mended))


def _of(change: Change, mended: Mended) -> Iterator[str]:
    name = str(change.path)
    before = _lines(change.before, mended.secrets_before, name)
    after = _lines(change.after, mended.verdict.secrets, name)
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(content: bytes, secrets: Iterable[Span], path: str) -> list[str]:
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    shown = Excerpts({path: text}, secrets)
    endings = [line[len(line.rstrip("\r\n")) :] for line in text.splitlines(keepends=True)]
    return [_safe(shown.line(path, number)) + ending for number, ending in enumerate(endings, start=1)]


def _safe(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "·" for c in line)
