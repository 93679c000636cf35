"""Comments are found where YAML has them, and nowhere else."""

from __future__ import annotations

import pytest

from route_run.text import comments_of
from support.reading import fragment, read

SOURCE = """# first
version: 1  # after a number
a: 'x # no
   # no' # after quotes
b: "no # no"\t# after a tab
c: |  # no: the header of a block belongs to it
  text # no
  # no

# after a block
d: >-
  folded # no
 # less indented
e: plain#no # yes
f: [a, "b#c", # inside a list
  d#e] # after a list
g: multi
  line # after lines
h:   # before a mapping
  'k#': v#
i: # ä日😀 after wide characters
"""


def found(text):
    document, _ = read(text)
    return [(comment.span.start.line, comment.text, comment.is_alone) for comment in comments_of(document)]


def test_comments_are_what_stands_outside_of_texts():
    assert found(SOURCE) == [
        (1, "first", True),
        (2, "after a number", False),
        (4, "after quotes", False),
        (5, "after a tab", False),
        (10, "after a block", True),
        (13, "less indented", True),
        (14, "yes", False),
        (15, "inside a list", False),
        (16, "after a list", False),
        (18, "after lines", False),
        (19, "before a mapping", False),
        (21, "ä日😀 after wide characters", False),
    ]


def test_the_span_of_a_comment_covers_it_from_its_mark_to_the_end_of_the_line():
    document, _ = read(SOURCE)

    for comment in comments_of(document):
        covered = fragment(SOURCE, comment.span)
        assert covered.startswith("#")
        assert covered.endswith(comment.text)


@pytest.mark.parametrize("text", ["", "a: b", "# x\na: [", "# x\n" + "[" * 100, "# x\n---\n---\n"])
def test_a_document_without_comments_or_one_that_could_not_be_read_has_none(text):
    assert found(text) == []


def test_lines_may_end_in_any_way():
    assert found("a: 1 # x\r\nb: 'y # no'\r\n# z") == [(1, "x", False), (3, "z", True)]
