"""Files that documents name: inside the policy folder, and nothing else."""

from __future__ import annotations

import os

import pytest

from route_run.text import read_named_file
from support.policies import write_policy


@pytest.fixture
def folder(tmp_path):
    write_policy(tmp_path, {"outside.json": "secret"})
    return write_policy(tmp_path / "policy", {"a.json": "{}", "sub/b.json": "[]"})


@pytest.mark.parametrize(("name", "content"), [("a.json", b"{}"), ("sub/b.json", b"[]"), ("./sub//b.json", b"[]")])
def test_a_file_is_named_by_its_path_inside_the_folder(folder, name, content):
    found = read_named_file(folder, name)
    assert (found.content, found.problem) == (content, "")


@pytest.mark.parametrize(
    "name",
    ["../outside.json", "sub/../../outside.json", "sub/../a.json", "/etc/passwd", "..\\outside.json", "a\0.json"],
    ids=["parent", "up-and-up", "up-and-back", "absolute", "backslash", "nul"],
)
def test_ways_out_of_the_folder_are_refused_by_their_form(folder, name):
    found = read_named_file(folder, name)
    assert found.content == b""
    assert "inside the policy folder" in found.problem


@pytest.mark.parametrize("name", ["missing.json", "sub", ".", "", "a.json/b", "sub/missing/x.json"])
def test_what_is_no_file_is_said_to_be_missing(folder, name):
    found = read_named_file(folder, name)
    assert found.content == b""
    assert found.problem == "there is no such file in the policy folder"


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000 + "b", "\U0001f600" * 200], ids=["part", "path", "bytes"])
def test_a_name_too_long_for_the_system_is_a_problem_and_not_an_error(folder, name):
    assert read_named_file(folder, name).problem


def test_a_symbolic_link_is_refused(folder):
    (folder / "link.json").symlink_to(folder / "a.json")
    assert read_named_file(folder, "link.json").problem == "symbolic links are refused"


def test_a_file_behind_a_linked_folder_is_refused(folder):
    (folder / "linked").symlink_to(folder.parent)
    found = read_named_file(folder, "linked/outside.json")
    assert (found.content, found.problem) == (b"", "symbolic links are refused")


def test_what_is_no_regular_file_is_not_read(folder):
    os.mkfifo(folder / "pipe")
    assert read_named_file(folder, "pipe").problem


def test_a_file_of_the_largest_size_is_read(folder):
    (folder / "large").write_bytes(b"x" * 100)
    assert len(read_named_file(folder, "large", limit=100).content) == 100


def test_a_larger_file_is_refused_with_its_cap(folder):
    (folder / "large").write_bytes(b"x" * 1001)
    found = read_named_file(folder, "large", limit=1000)
    assert (found.content, found.problem) == (b"", "the file is larger than 1,000 bytes")
