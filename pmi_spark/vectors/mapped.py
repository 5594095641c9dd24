"""Vectors ready to be mapped, in the user's cache: a million of 300 dimensions are there in a tenth of a second.

Parquet is compressed, so it cannot be mapped; decoding 1.2 GB takes seconds and as much memory again. Hence the first
load of a large artifact writes its rows once more as they lie in memory, and later loads map that. An entry's name
holds the manifest's text and the sizes and times of the files it names, so another artifact is never taken for it. It
is written beside its place and renamed, so a reader finds all of it or nothing, and of two writers the first wins. What
others still map when it is removed stays theirs until they end.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float32]

MATRIX, TABLE = "matrix.npy", "words.arrow"
# Of what is free on the cache's disk at most so much is taken.
SHARE_OF_FREE = 0.5
# What a writer that died left behind is swept away by the next one after so long.
_STALE_SECONDS = 86_400


class Mapped(NamedTuple):
    """Words by id, how often each occurs, their vectors (words x d, read-only), and the vectors' lengths.

    Lengths are None where they were not stored.
    """

    words: pa.Array
    word_counts: npt.NDArray[np.int64]
    matrix: Floats
    lengths: Floats | None


class Entry(NamedTuple):
    """A place in the cache: the folder of one artifact's location, and the name of its present content."""

    location: Path
    content: str

    @property
    def folder(self) -> Path:
        return self.location / self.content


def entry_of(location: str, identity: Iterable[object]) -> Entry | None:
    """The entry of an artifact at a location, whose content is told by ``identity``; None where there is no home."""
    root = os.environ.get("XDG_CACHE_HOME") or None
    try:
        cache = Path(root) if root else Path.home() / ".cache"
    except RuntimeError:
        return None
    names = [hashlib.sha256(repr(part).encode()).hexdigest()[:32] for part in (location, list(identity))]
    return Entry(cache / "pmi_spark" / "vectors" / names[0], names[1])


def open_entry(entry: Entry, row_count: int) -> Mapped | None:
    """Map an entry; None when it is not there, or not whole."""
    try:
        matrix = np.load(entry.folder / MATRIX, mmap_mode="r", allow_pickle=False)
        source = pa.memory_map(str(entry.folder / TABLE))
        table = pa.ipc.open_file(source).get_batch(0)
        counts, lengths = (np.asarray(table.column(name)) for name in ("word_count", "length"))
    except (OSError, EOFError, ValueError, pa.ArrowException, KeyError):
        return None
    if matrix.dtype != np.float32 or matrix.ndim != 2 or not len(matrix) == len(table) == row_count:
        return None
    # A plain view of the mapping: np.memmap wraps every result that is computed from it.
    return Mapped(table.column("word"), counts, np.asarray(matrix).view(np.ndarray), lengths)


def write_entry(
    entry: Entry, parts: Iterable[pa.Table], row_count: int, unchanged: Callable[[], bool] = lambda: True
) -> None:
    """Write an entry from tables of word_id, word, word_count, vector, whose ids are 0 .. row_count - 1 in any order.

    One table is in memory at a time. ``unchanged`` is asked at the end whether the content is still that of the entry's
    name. Raises OSError when the cache cannot be written or has too little room, ValueError when it is not, or the ids
    are not those; what was written is taken away again.
    """
    entry.location.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = entry.location / f".{entry.content}.{uuid.uuid4().hex}"
    aside.mkdir(mode=0o700)
    try:
        _write(aside, parts, row_count)
        if not unchanged():
            raise ValueError("the artifact changed while it was read")
        if entry.folder.exists() and open_entry(entry, row_count) is None:
            _remove(entry.folder)
        # Fails where another process was first, whose entry holds the same.
        with suppress(OSError):
            aside.rename(entry.folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _sweep(entry)


def _write(folder: Path, parts: Iterable[pa.Table], row_count: int) -> None:
    heads, lengths = [], np.full(row_count, np.nan, np.float32)
    with (folder / MATRIX).open("wb") as file:
        start = 0
        for part in parts:
            ids, rows = np.asarray(part["word_id"]), _rows(part["vector"])
            if not start:
                start = _begin(file, row_count, rows.shape[1])
            if len(ids) and not 0 <= ids.min() <= ids.max() < row_count:
                raise ValueError("word ids out of range")
            order = np.argsort(ids)
            ids, rows = ids[order], rows[order]
            lengths[ids] = np.linalg.norm(rows, axis=1)
            for run in np.split(np.arange(len(ids)), np.flatnonzero(np.diff(ids) != 1) + 1):
                file.seek(start + 4 * rows.shape[1] * int(ids[run[0]]))
                file.write(rows[run[0] : run[-1] + 1].data)
            heads.append(part.select(["word_id", "word", "word_count"]))
        _to_disk(file)
    head = pa.concat_tables(heads).sort_by("word_id").combine_chunks()
    if not np.array_equal(np.asarray(head["word_id"]), np.arange(row_count)):
        raise ValueError("word ids are not 0 and up, each once")
    table = head.drop_columns("word_id").append_column("length", pa.array(lengths))
    with (folder / TABLE).open("wb") as file:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        _to_disk(file)


def _begin(file: BinaryIO, row_count: int, dimensions: int) -> int:
    """Write the head of an .npy file, if there is room for all of it: where its numbers begin."""
    needed, free = 4 * row_count * dimensions, shutil.disk_usage(Path(file.name).parent).free
    if needed > SHARE_OF_FREE * free:
        raise OSError(f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free")
    head = {"descr": "<f4", "fortran_order": False, "shape": (row_count, dimensions)}
    np.lib.format.write_array_header_1_0(file, head)
    return file.tell()


def _to_disk(file: BinaryIO) -> None:
    """A power cut after the renaming must not leave zeros where numbers were to be."""
    file.flush()
    os.fsync(file.fileno())


def _rows(lists: pa.ChunkedArray) -> Floats:
    return np.asarray(lists.combine_chunks().flatten(), dtype=np.float32).reshape(len(lists), -1)


def _sweep(entry: Entry) -> None:
    """Remove what the location held before, and what a writer that died left a day ago."""
    for other in entry.location.iterdir():
        unfinished = other.name.startswith(".")
        with suppress(OSError):
            if other == entry.folder or (unfinished and time.time() - other.stat().st_mtime < _STALE_SECONDS):
                continue
            _remove(other)


def _remove(folder: Path) -> None:
    """Renamed first, so that nobody opens half of it."""
    with suppress(OSError):
        gone = folder.rename(folder.with_name(f".gone.{uuid.uuid4().hex}"))
        shutil.rmtree(gone, ignore_errors=True)
