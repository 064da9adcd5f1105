import os
from pathlib import Path

from inferno_engine import digests


def test_a_folder_s_digest_knows_names_and_contents(tmp_path: Path):
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        (folder / "model").write_bytes(b"weights")
    assert digests.folder_digest(first) == digests.folder_digest(second)
    (second / "model").rename(second / "other")
    assert digests.folder_digest(first) != digests.folder_digest(second)


def test_a_file_that_changed_is_read_again(tmp_path: Path):
    file = tmp_path / "model"
    file.write_bytes(b"weights")
    before = digests.file_digest(file)
    assert digests.file_digest(file) == before
    file.write_bytes(b"WEIGHTS")
    os.utime(file, ns=(0, 0))
    assert digests.file_digest(file) != before


def test_what_differs_is_named(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    recorded = digests.manifest(tmp_path)
    assert list(recorded) == ["b", "sub/a"]
    assert digests.difference(recorded, recorded) is None
    assert digests.difference(recorded, recorded | {"c": "x"}) == "c is missing"
    assert digests.difference(recorded | {"c": "x"}, recorded) == "c was not there"
    assert "b is another file" in str(digests.difference(recorded | {"b": "other"}, recorded))
