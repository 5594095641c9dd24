"""Vectors as word2vec reads them, in text and in binary, and as TensorFlow's projector does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.export.source import Source
from pmi_spark.vectors.store import Floats

# Text takes about 12 bytes a number, and it is held three times over.
_LINES_AT_ONCE = 1 << 10

PROJECTOR_FILES = ("vectors.tsv", "metadata.tsv")


def write_word2vec(source: Source, words: pa.Array, file: BinaryIO) -> None:
    """A heading ``words dimensions``, then ``word number number ...`` a line.

    Numbers are the shortest decimals that are read back as the same float32: 0.3 us each.
    """
    file.write(_heading(source))
    for start, rows in _few(source):
        numbers = _lines(rows, " ")
        _write_lines(file, pc.binary_join_element_wise(words.slice(start, len(rows)), numbers, " "))


def write_word2vec_binary(source: Source, words: pa.Array, file: BinaryIO) -> None:
    """The same heading; then ``word``, a space and the row's float32 numbers, little end first, as gensim writes it."""
    file.write(_heading(source))
    for start, rows in source.slices():
        spelt = words.slice(start, len(rows)).to_pylist()
        numbers = np.ascontiguousarray(rows, dtype="<f4")
        file.write(
            b"".join(b"%s %s" % (word.encode(), row.tobytes()) for word, row in zip(spelt, numbers, strict=True))
        )


def write_projector(source: Source, words: pa.Array, folder: Path) -> None:
    """``vectors.tsv``, a row a line, and ``metadata.tsv``, its word and count, under a heading."""
    vectors, metadata = (folder / name for name in PROJECTOR_FILES)
    with vectors.open("wb") as file:
        for _, rows in _few(source):
            _write_lines(file, _lines(rows, "\t"))
    with metadata.open("wb") as file:
        file.write(b"word\tcount\n")
        _write_lines(file, pc.binary_join_element_wise(words, pa.array(source.word_counts).cast(pa.string()), "\t"))


def _heading(source: Source) -> bytes:
    return b"%d %d\n" % source.shape


def _few(source: Source) -> Iterator[tuple[int, Floats]]:
    for start, rows in source.slices():
        for first in range(0, len(rows), _LINES_AT_ONCE):
            yield start + first, rows[first : first + _LINES_AT_ONCE]


def _lines(rows: Floats, separator: str) -> pa.Array:
    """Each row's numbers as one text."""
    numbers = pa.array(np.ascontiguousarray(rows).ravel()).cast(pa.string())
    offsets = pa.array(np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.shape[1]))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, numbers), separator)


def _write_lines(file: BinaryIO, lines: pa.Array) -> None:
    file.write("".join(f"{line}\n" for line in lines.to_pylist()).encode())
