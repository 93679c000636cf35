"""Files are written whole or not at all, and only those that may be."""

from __future__ import annotations

import os
import stat

import pytest

from route_run.lint.fix import Change
from route_run.lint.write import WriteRefused, write_changes, write_files


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"old")
    path.chmod(0o640)

    write_changes([Change(path, b"old", b"new")])

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_mode_of_the_person(tmp_path):
    before = os.umask(0o027)
    try:
        write_files({tmp_path / "a": b"x"})
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_a_symbolic_link_is_not_written_through_for_a_fix(tmp_path):
    (tmp_path / "real.yaml").write_bytes(b"old")
    link = tmp_path / "link.yaml"
    link.symlink_to("real.yaml")

    with pytest.raises(WriteRefused, match="is a symbolic link; nothing was written"):
        write_changes([Change(link, b"old", b"new")])

    assert (tmp_path / "real.yaml").read_bytes() == b"old"


def test_a_file_that_changed_meanwhile_is_left_alone_and_so_are_the_others(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"old")
    second.write_bytes(b"somebody typed")

    with pytest.raises(WriteRefused, match="has changed since it was read; nothing was written"):
        write_changes([Change(first, b"old", b"new"), Change(second, b"old", b"new")])

    assert first.read_bytes() == b"old"


def test_when_one_file_cannot_be_written_none_is(tmp_path):
    first = tmp_path / "a"
    first.write_bytes(b"old")

    with pytest.raises(WriteRefused, match="cannot be written"):
        write_files({first: b"new", tmp_path / "missing" / "b": b"new"})

    assert first.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [first]


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "a").mkdir()

    with pytest.raises(WriteRefused, match="cannot be written: Is a directory"):
        write_files({tmp_path / "a": b"x"})


def test_a_report_goes_through_a_link_and_into_what_is_no_file(tmp_path):
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").write_bytes(b"old")

    write_files({tmp_path / "link": b"new"})
    write_files({tmp_path / "null": b"x"})

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
