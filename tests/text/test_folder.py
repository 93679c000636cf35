"""Which files a policy folder holds, which are refused, and that nothing outside of it is read."""

from __future__ import annotations

import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from route_run.text import Kind, Limits, read_folders
from support.policies import write_policy
from support.reading import codes


def names(reading):
    return [document.name for document in reading.documents]


def said(reading):
    return [(finding.code.value, Path(finding.span.path).name) for finding in reading.findings]


def test_every_yaml_file_is_read_at_any_depth_in_the_order_of_paths(tmp_path):
    write_policy(tmp_path, dict.fromkeys(["b.yaml", "a/z.yaml", "a/b/c.yaml", "a.yaml"], "version: 1"))
    assert names(read_folders([tmp_path])) == ["a.yaml", "a/b/c.yaml", "a/z.yaml", "b.yaml"]


def test_a_document_knows_what_to_open_and_its_name_in_the_folder(tmp_path):
    write_policy(tmp_path, {"sub/a.yaml": "version: 1"})
    (document,) = read_folders([tmp_path]).documents
    assert (document.path, document.name) == (str(tmp_path / "sub" / "a.yaml"), "sub/a.yaml")
    assert document.folder == tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.yaml", Kind.POLICY),
        ("a.pack.yaml", Kind.PACK),
        ("a.test.yaml", Kind.TEST),
        ("pack.yaml", Kind.POLICY),
        ("test.yaml", Kind.POLICY),
        ("a.pack.test.yaml", Kind.TEST),
    ],
)
def test_the_name_of_a_file_tells_what_it_holds(tmp_path, name, kind):
    write_policy(tmp_path, {name: "version: 1"})
    assert read_folders([tmp_path]).documents[0].kind is kind


@pytest.mark.parametrize("name", ["readme.md", "a.json", "yaml", "a.yaml.bak", "a.yaml~", "answer.schema.json"])
def test_other_files_are_not_read(tmp_path, name):
    write_policy(tmp_path, {"a.yaml": "version: 1", name: "no: ["})
    reading = read_folders([tmp_path])
    assert (names(reading), reading.findings) == (["a.yaml"], ())


def test_a_yml_file_is_a_finding_with_the_name_to_give_it(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1", "b.yml": "version: 1"})
    reading = read_folders([tmp_path])
    assert names(reading) == ["a.yaml"]
    assert said(reading) == [("RR012", "b.yml")]
    assert "`b.yaml`" in reading.findings[0].help


def test_a_yml_file_given_by_itself_is_a_finding_too(tmp_path):
    write_policy(tmp_path, {"b.yml": "version: 1"})
    reading = read_folders([tmp_path / "b.yml"])
    assert said(reading) == [("RR012", "b.yml")]


def test_dot_folders_and_dot_files_are_skipped(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1", ".git/b.yaml": "no: [", "x/.cache/c.yaml": "[", ".d.yaml": "["})
    reading = read_folders([tmp_path])
    assert (names(reading), reading.findings) == (["a.yaml"], ())


def test_a_symbolic_link_to_a_file_is_refused(tmp_path):
    folder = write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    write_policy(tmp_path, {"outside.yaml": "tags: {secret: {}}"})
    (folder / "b.yaml").symlink_to(tmp_path / "outside.yaml")
    reading = read_folders([folder])
    assert names(reading) == ["a.yaml"]
    assert said(reading) == [("RR013", "b.yaml")]


def test_a_broken_symbolic_link_is_refused(tmp_path):
    folder = write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    (folder / "b.yaml").symlink_to(tmp_path / "nothing.yaml")
    assert said(read_folders([folder])) == [("RR013", "b.yaml")]


def test_a_symbolic_link_to_a_folder_is_refused_and_not_entered(tmp_path):
    folder = write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    write_policy(tmp_path / "outside", {"b.yaml": "version: 1"})
    (folder / "linked").symlink_to(tmp_path / "outside")
    reading = read_folders([folder])
    assert names(reading) == ["a.yaml"]
    assert said(reading) == [("RR013", "linked")]


def test_a_folder_that_links_to_itself_ends(tmp_path):
    folder = write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    (folder / "again").symlink_to(folder)
    reading = read_folders([folder])
    assert (names(reading), said(reading)) == (["a.yaml"], [("RR013", "again")])


def test_a_symbolic_link_is_refused_as_the_policy_folder(tmp_path):
    write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    (tmp_path / "link").symlink_to(tmp_path / "policy")
    reading = read_folders([tmp_path / "link"])
    assert (names(reading), said(reading)) == ([], [("RR013", "link")])


def test_a_symbolic_link_is_refused_as_a_single_file(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1"})
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    reading = read_folders([tmp_path / "b.yaml"])
    assert (names(reading), said(reading)) == ([], [("RR013", "b.yaml")])


def test_a_folder_named_like_a_file_is_a_folder(tmp_path):
    write_policy(tmp_path, {"x.yaml/a.yaml": "version: 1"})
    reading = read_folders([tmp_path])
    assert (names(reading), reading.findings) == (["x.yaml/a.yaml"], ())


def test_what_is_no_regular_file_is_a_finding_and_never_waited_for(tmp_path):
    folder = write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    os.mkfifo(folder / "b.yaml")
    readings = []
    reader = threading.Thread(target=lambda: readings.append(read_folders([folder])), daemon=True)
    reader.start()
    reader.join(10)
    waits = reader.is_alive()
    if waits:  # let it go: a writer that comes and goes ends the wait
        os.close(os.open(folder / "b.yaml", os.O_WRONLY | os.O_NONBLOCK))
        reader.join(10)
    assert not waits, "reading waited for somebody to write into the pipe"
    assert names(readings[0]) == ["a.yaml", "b.yaml"]
    assert said(readings[0]) == [("RR001", "b.yaml")]


def test_a_file_is_read_no_further_than_its_cap(tmp_path):
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(1 << 26)
    tracemalloc.start()
    try:
        reading = read_folders([tmp_path], Limits(bytes=1000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert codes(reading.findings) == ["RR008"]
    assert not reading.is_complete
    assert most < 1 << 22


def test_a_missing_folder_is_a_finding_that_names_the_way_to_start(tmp_path):
    reading = read_folders([tmp_path / "nothing"])
    assert said(reading) == [("RR014", "nothing")]
    assert "no such policy folder" in reading.findings[0].message
    assert "route-run init" in reading.findings[0].help


def test_a_folder_that_cannot_be_looked_at_is_a_finding(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1"})
    reading = read_folders([tmp_path / ("x" * 300), tmp_path])
    assert codes(reading.findings) == ["RR001"]
    assert (names(reading), reading.is_complete) == (["a.yaml"], False)


def test_an_empty_folder_is_a_finding(tmp_path):
    write_policy(tmp_path, {"readme.md": "nothing"})
    reading = read_folders([tmp_path])
    assert codes(reading.findings) == ["RR014"]
    assert "no `*.yaml`" in reading.findings[0].message


def test_a_folder_whose_only_file_is_refused_has_that_one_finding(tmp_path):
    write_policy(tmp_path, {"a.yml": "version: 1"})
    assert codes(read_folders([tmp_path]).findings) == ["RR012"]


def test_an_empty_folder_is_a_finding_beside_one_whose_name_starts_alike(tmp_path):
    write_policy(tmp_path / "policy-old", {"a.yml": "version: 1"})
    (tmp_path / "policy").mkdir()
    reading = read_folders([tmp_path / "policy-old", tmp_path / "policy"])
    assert said(reading) == [("RR012", "a.yml"), ("RR014", "policy")]


def test_several_folders_are_one_policy(tmp_path):
    write_policy(tmp_path / "common", {"a.yaml": "version: 1"})
    write_policy(tmp_path / "prod", {"b.yaml": "version: 1"})
    reading = read_folders([tmp_path / "common", tmp_path / "prod"])
    assert (names(reading), reading.findings) == (["a.yaml", "b.yaml"], ())


def test_a_folder_inside_another_is_read_once(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1", "sub/b.yaml": "version: 1"})
    reading = read_folders([tmp_path, tmp_path / "sub"])
    assert (names(reading), reading.findings) == (["a.yaml", "sub/b.yaml"], ())


def test_the_same_folder_by_two_ways_is_read_once(tmp_path, monkeypatch):
    write_policy(tmp_path / "policy", {"a.yaml": "version: 1"})
    monkeypatch.chdir(tmp_path)
    reading = read_folders([Path("policy"), tmp_path / "policy"])
    assert (len(reading.documents), reading.findings) == (1, ())


def test_a_single_file_is_a_policy(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1", "b.yaml": "version: 1"})
    reading = read_folders([tmp_path / "a.yaml"])
    assert names(reading) == ["a.yaml"]


@pytest.mark.parametrize(
    ("text", "complete"), [("a: 1", True), ("a: [", False), ("a: 1\n---\nb: 1", False), (b"\xff", False)]
)
def test_a_reading_is_complete_when_every_file_was_read_to_its_end(tmp_path, text, complete):
    (tmp_path / "a.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read_folders([tmp_path]).is_complete is complete


def test_a_reading_with_a_refused_file_is_not_complete(tmp_path):
    write_policy(tmp_path, {"a.yaml": "version: 1", "b.yml": "version: 1"})
    assert not read_folders([tmp_path]).is_complete
