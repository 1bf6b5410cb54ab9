"""The folder or zip that a backup becomes: whole, or not there."""

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.backup.files import Occupied, drafted


def filled(out: Path, also: Callable[[Path], None]) -> None:
    with drafted(out) as draft:
        (draft / "whole.txt").write_text("here", "utf-8")
        also(draft)


def test_zip_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def unnamed(draft: Path) -> None:
        Path(os.fsdecode(os.fsencode(draft) + b"/\xff")).touch()  # no zip can name it

    with pytest.raises(UnicodeEncodeError):
        filled(tmp_path / "b.zip", unnamed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["b.zip", "b"])
def test_what_fails_before_the_end_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    def fails(_: Path) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        filled(tmp_path / name, fails)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["b.zip", "b"])
def test_empty_folder_of_that_name_gives_way_and_a_full_one_does_not(
    tmp_path: Path, name: str
) -> None:
    out = tmp_path / name
    out.mkdir()
    filled(out, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(Occupied, match="is there already"), drafted(out):
        pass


def test_file_from_before_the_zip_format_is_in_the_zip_and_only_its_owner_reads_it(
    tmp_path: Path,
) -> None:
    out = tmp_path / "b.zip"
    with drafted(out) as draft:
        (draft / "old.txt").write_text("here", "utf-8")
        os.utime(draft / "old.txt", (0, 0))
    with zipfile.ZipFile(out) as packed:
        assert packed.read("old.txt") == b"here"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
