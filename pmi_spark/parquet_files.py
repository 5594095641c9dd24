"""Parquet files as values: encoded and decoded in the Python workers, carried by Spark as plain bytes.

Row by row through the JVM and Arrow a table costs 150-300 ns a row or list element each way; pyarrow in the worker
encodes at 30-60 ns and decodes at 10. So the large tables travel as whole files: Spark's ``binaryFile`` source hands a
file to a worker, and its text sink writes one, whose "line end" is the magic number that closes every Parquet file.
Both go through Hadoop's file systems and Spark's commit protocol like any other table's.

A file is held in memory whole by the worker and by its JVM, so files are cut at tens of MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pmi_spark.errors import RunError

if TYPE_CHECKING:
    from pyspark.sql.types import DataType, StructType

MAGIC = "PAR1"
# The columns of a frame of files read.
FILES_READ = ("path", "content")
# The columns of a frame of files to write.
ENCODED_FILES = "file binary"
# For who does not know how many rows each path must have.
NO_ROW_COUNTS: Mapping[str, int] = {}
# Where Spark keeps a table's schema, its columns' metadata with it, in a Parquet file.
SPARK_SCHEMA_KEY = b"org.apache.spark.sql.parquet.row.metadata"
# Dictionaries of words outgrow the usual 1 MB at 100,000 distinct; past the limit pages fall back to plain strings.
DICTIONARY_BYTES = 64 << 20

_ARROW_TYPES = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
}


def arrow_schema(columns: StructType) -> pa.Schema:
    """The Arrow twin of a table's columns: what its Parquet files declare.

    >>> from pmi_spark.schemas import PAIRS
    >>> arrow_schema(PAIRS).field("pair_count")
    pyarrow.Field<pair_count: int64 not null>
    """
    return pa.schema([pa.field(entry.name, _arrow_type(entry.dataType), entry.nullable) for entry in columns])


def _arrow_type(kind: DataType) -> pa.DataType:
    name = kind.simpleString()
    if name.startswith("array<"):
        return pa.list_(pa.field("element", _ARROW_TYPES[name[6:-1]], nullable=False))
    return _ARROW_TYPES[name]


class ParquetEncoder:
    """One Parquet file in the making.

    ``dictionary`` names the columns whose values repeat, ``deltas`` the integers whose neighbours are alike: sorted
    pairs take 1.6 bytes a row as deltas, 3.1 without, 5.1 as Spark writes them at its defaults.
    """

    def __init__(self, schema: pa.Schema, dictionary: Sequence[str] = (), deltas: Sequence[str] = ()) -> None:
        self._sink = pa.BufferOutputStream()
        self.row_count = 0
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            use_dictionary=list(dictionary),
            column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
            dictionary_pagesize_limit=DICTIONARY_BYTES,
            write_page_checksum=True,
        )

    def add(self, rows: pa.Table) -> None:
        """Append a row group."""
        self._writer.write_table(rows, row_group_size=max(1, len(rows)))
        self.row_count += len(rows)

    def finish(self) -> pa.Buffer:
        """The file, less the closing magic number."""
        self._writer.close()
        whole = self._sink.getvalue()
        return whole.slice(0, len(whole) - len(MAGIC))


_CURE = "delete its artifact's folder and run that stage again"


class UnreadableFileError(RunError):
    """A Parquet file that is damaged, or none."""


def decode_row_groups(
    path: str, content: pa.Buffer | bytes, schema: pa.Schema, dictionary: Sequence[str] = (), row_count: int = -1
) -> list[pa.Table]:
    """A whole file -> its row groups, the columns of ``schema``, those of ``dictionary`` as Arrow dictionaries.

    Pages carry checksums, their headers and the footer do not: the result must be valid Arrow, have the types of
    ``schema`` and ``row_count`` rows (known from elsewhere, -1 if not). UnreadableFileError names ``path``.

    >>> words = pa.schema([("word", pa.string())])
    >>> encoder = ParquetEncoder(words, dictionary=["word"])
    >>> encoder.add(pa.table({"word": ["a", "b", "a"]}))
    >>> content = encoder.finish().to_pybytes() + MAGIC.encode()
    >>> [group["word"].to_pylist() for group in decode_row_groups("here", content, words)]
    [['a', 'b', 'a']]
    >>> decode_row_groups("part-7", content, words, row_count=4)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pmi_spark.parquet_files.UnreadableFileError: cannot read part-7: it has 3 rows, not 4; ...
    """
    try:
        file = pq.ParquetFile(
            pa.BufferReader(content), read_dictionary=list(dictionary), page_checksum_verification=True
        )
        groups = [
            file.read_row_group(group, columns=schema.names, use_threads=False) for group in range(file.num_row_groups)
        ]
        for group in groups:
            group.validate(full=True)
        found = pq.read_schema(pa.BufferReader(content))
        same = all(found.field(name).type == schema.field(name).type for name in schema.names)
    except (pa.ArrowException, OSError, KeyError, ValueError, IndexError) as error:
        raise UnreadableFileError(f"cannot read {path}: {error}", _CURE) from error
    rows = sum(map(len, groups))
    if not same or row_count not in (-1, rows):
        problem = f"it has {rows} rows, not {row_count}" if same else "its columns are others"
        raise UnreadableFileError(f"cannot read {path}: {problem}", _CURE)
    return groups


def binary_value(value: pa.Buffer) -> pa.Array:
    """A binary column of one row, not copied.

    >>> binary_value(pa.py_buffer(b"ab")).to_pylist()
    [b'ab']
    """
    offsets = pa.array([0, len(value)], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), 1, [None, offsets, value])


def file_contents(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, pa.Buffer]]:
    """Rows of a FILES_READ frame as (path, the whole file), without copying it."""
    for batch in batches:
        contents = batch.column("content")
        offsets = np.frombuffer(contents.buffers()[1], dtype=np.int32)[contents.offset :]
        for row, path in enumerate(batch.column("path").to_pylist()):
            yield path, contents.buffers()[2][offsets[row] : offsets[row + 1]]
