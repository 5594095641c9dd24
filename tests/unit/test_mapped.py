"""Vectors mapped from the user's cache: the same answers, never a former artifact's, and no harm where it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pmi_spark.errors import RunError
from pmi_spark.vectors import mapped, store
from pmi_spark.vectors.mapped import entry_of, open_entry, write_entry
from pmi_spark.vectors.query import related_words, similar_words
from pmi_spark.vectors.store import load_vectors


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of the test's own, used for artifacts of any size."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "MAPPED_FROM_BYTES", 0)
    return tmp_path / "cache"


def entries(cache: Path) -> list[Path]:
    """The cache's folders of content, whole or not."""
    return sorted(path for location in cache.glob("pmi_spark/vectors/*") for path in location.iterdir())


def is_mapped(array: np.ndarray) -> bool:
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = getattr(array, "base", None)
    return False


def test_mapped_vectors_are_those_of_the_artifact(monkeypatch, finished_run):
    found = [load_vectors(str(finished_run)) for _ in range(2)]
    monkeypatch.setattr(store, "MAPPED_FROM_BYTES", 1 << 40)
    plain = load_vectors(str(finished_run))
    assert not is_mapped(plain.matrix)
    for vectors in found:
        assert is_mapped(vectors.matrix)
        np.testing.assert_array_equal(vectors.matrix, plain.matrix)
        np.testing.assert_array_equal(vectors.word_counts, plain.word_counts)
        np.testing.assert_allclose(vectors.lengths, plain.lengths, rtol=1e-6)
        assert vectors.words == plain.words
        for ask in (similar_words, related_words):
            expected = [(answer.word, pytest.approx(answer.score, abs=1e-6)) for answer in ask(plain, "king", top=5)]
            assert [answer[:2] for answer in ask(vectors, "king", top=5)] == expected


def test_the_second_load_reads_no_vector_from_the_artifact(monkeypatch, finished_run):
    load_vectors(str(finished_run))
    monkeypatch.setattr("pmi_spark.vectors.files.ArtifactFiles.tables", None)
    monkeypatch.setattr("pmi_spark.vectors.files.ArtifactFiles.read", None)
    assert load_vectors(str(finished_run)).words[0] == "king"


def test_mapped_vectors_cannot_be_written(finished_run):
    with pytest.raises(ValueError, match="read-only"):
        load_vectors(str(finished_run)).matrix[0, 0] = 1


def test_a_new_artifact_in_the_same_place_is_another_entry_and_replaces_the_first(tmp_path, write_vectors, cache):
    write_vectors(tmp_path, 0.5)
    first = load_vectors(str(tmp_path))
    (before,) = entries(cache)
    shutil.rmtree(tmp_path / "vectors")
    write_vectors(tmp_path, 1.0)
    second = load_vectors(str(tmp_path))
    assert not np.allclose(first.matrix, second.matrix)
    (after,) = entries(cache)
    assert after != before


def test_a_file_rewritten_in_place_is_never_answered_from_the_cache(tmp_path, write_vectors):
    """The same manifest, the same size: the time tells."""
    write_vectors(tmp_path, 0.5)
    manifest = (tmp_path / "vectors" / "_manifest.json").read_text()
    assert load_vectors(str(tmp_path)).matrix[0, 0] == pytest.approx(1.8)
    part = tmp_path / "vectors" / "part-00001.parquet"
    was = part.stat()
    write_vectors(tmp_path, 0.0)
    os.utime(part, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    (tmp_path / "vectors" / "_manifest.json").write_text(manifest)
    assert load_vectors(str(tmp_path)).matrix[0, 0] == pytest.approx(0.6)


def test_an_artifact_that_changes_while_it_is_written_to_the_cache_is_not_kept(tmp_path, write_vectors, cache):
    write_vectors(tmp_path)
    changing = iter([True, False])
    entry = entry_of("here", [1])
    table = pa.table({"word_id": [0], "word": ["a"], "word_count": [1], "vector": [[1.0]]})
    with pytest.raises(ValueError, match="changed while it was read"):
        write_entry(entry, [table], 1, unchanged=lambda: next(changing) and next(changing))
    assert entries(cache) == []


@pytest.mark.parametrize("file", ["matrix.npy", "words.arrow"])
@pytest.mark.parametrize("damage", ["missing", "cut short", "empty"])
def test_an_entry_that_is_not_whole_is_written_again(finished_run, cache, file, damage):
    expected = load_vectors(str(finished_run)).matrix.tolist()
    path = entries(cache)[0] / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else -16])
    vectors = load_vectors(str(finished_run))
    assert vectors.matrix.tolist() == expected
    assert vectors.words == ["king", "queen", "castle", "crown", "river", "boat"]
    assert is_mapped(vectors.matrix)


def test_a_full_disk_is_told_and_the_vectors_are_read_into_memory(monkeypatch, finished_run, cache):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(mapped.shutil, "disk_usage", lambda path: usage(100, 100, 100))
    told: list[str] = []
    vectors = load_vectors(str(finished_run), told.append)
    assert not is_mapped(vectors.matrix)
    assert vectors.words[1] == "queen"
    assert told[-1] == "read into memory, for the cache cannot hold them: 0.0 GB are needed and 0.0 GB are free"
    assert entries(cache) == []


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_behind(monkeypatch, finished_run, cache):
    def full(file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped, "_to_disk", full)
    told: list[str] = []
    assert not is_mapped(load_vectors(str(finished_run), told.append).matrix)
    assert "No space left on device" in told[-1]
    assert entries(cache) == []


def test_a_cache_that_cannot_be_written_is_passed_over(monkeypatch, tmp_path, finished_run):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    told: list[str] = []
    assert not is_mapped(load_vectors(str(finished_run), told.append).matrix)
    assert "cannot hold them" in told[-1]


def test_without_a_home_there_is_no_cache(monkeypatch, finished_run):
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert not is_mapped(load_vectors(str(finished_run)).matrix)


def test_a_read_only_cache_that_holds_them_is_used(finished_run, cache):
    load_vectors(str(finished_run))
    folders = [cache, *cache.rglob("*")]
    for path in folders:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        assert is_mapped(load_vectors(str(finished_run)).matrix)
    finally:
        for path in folders:
            path.chmod(0o700)


def test_many_processes_at_once_get_the_same_and_leave_one_entry(finished_run, cache):
    program = (
        "import sys, json; from pmi_spark.vectors import store; store.MAPPED_FROM_BYTES = 0;"
        "vectors = store.load_vectors(sys.argv[1]); print(json.dumps([vectors.matrix.tolist(), list(vectors.words)]))"
    )
    command = [sys.executable, "-c", program, str(finished_run)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 4
    (answer,) = answers
    assert json.loads(answer)[1][:2] == ["king", "queen"]
    assert len(entries(cache)) == 1


def test_what_a_dead_writer_left_is_swept_away_after_a_day(finished_run, cache):
    load_vectors(str(finished_run))
    (entry,) = entries(cache)
    old, young = entry.parent / ".old.1", entry.parent / ".young.1"
    for path, age in ((old, 90_000), (young, 60)):
        path.mkdir()
        os.utime(path, (time.time() - age,) * 2)
    shutil.rmtree(entry)
    load_vectors(str(finished_run))
    assert entries(cache) == sorted([entry, young])


def test_what_others_map_stays_theirs_when_it_is_replaced(tmp_path, write_vectors):
    write_vectors(tmp_path, 0.5)
    first = load_vectors(str(tmp_path))
    before = first.matrix.copy()
    shutil.rmtree(tmp_path / "vectors")
    write_vectors(tmp_path, 1.0)
    load_vectors(str(tmp_path))
    np.testing.assert_array_equal(first.matrix, before)


def test_ids_that_are_not_0_and_up_are_not_written(cache):
    table = pa.table({"word_id": [0, 2], "word": ["a", "b"], "word_count": [2, 1], "vector": [[1.0], [2.0]]})
    for ids in ([0, 2], [0, 0], [-1, 0]):
        rows = table.set_column(0, "word_id", pa.array(ids))
        with pytest.raises(ValueError, match="word ids"):
            write_entry(entry_of("here", [1]), [rows], 2)
    assert entries(cache) == []


def test_an_entry_of_another_number_of_rows_is_not_opened():
    table = pa.table({"word_id": [0], "word": ["a"], "word_count": [1], "vector": [[1.0]]})
    entry = entry_of("here", [1])
    write_entry(entry, [table], 1)
    assert open_entry(entry, 1).words.to_pylist() == ["a"]
    assert open_entry(entry, 2) is None


def test_a_damaged_artifact_is_an_error_with_the_cache_as_without(tmp_path, write_vectors, cache):
    write_vectors(tmp_path)
    (tmp_path / "vectors" / "part-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match="damaged"):
        load_vectors(str(tmp_path))
    assert entries(cache) == []
