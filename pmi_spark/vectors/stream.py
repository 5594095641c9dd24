"""Artifacts read piece by piece, so that memory is bounded whatever their size. pyarrow alone, no Spark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pmi_spark.artifacts import Manifest, PartFile
from pmi_spark.errors import RunError
from pmi_spark.vectors.store import (
    Floats,
    Gauge,
    OutputFiles,
    find_artifact,
    gauge_of,
    matrix_of,
    read_artifact,
    rotation_of,
)

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
PAIRS_AT_ONCE = 1 << 18
# 10 MB at 300 dimensions.
VECTORS_AT_ONCE = 1 << 13


def stream_part(
    place: OutputFiles, manifest: Manifest, part: PartFile, columns: Sequence[str], rows: int
) -> Iterator[pa.Table]:
    """The rows of one of an artifact's files, so many at a time. Raises RunError when it is missing or damaged."""
    path = f"{place.root}/{manifest.artifact}/{part.name}"
    try:
        with place.system.open_input_file(path) as source:
            # Pages come as they are needed, not a column whole.
            file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20)
            for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{path} is damaged: {error}", cure=f"run `pmi-spark {manifest.artifact}` again") from error


class StoredVectors:
    """The ``vectors`` artifact of an output directory: words and their counts in memory, rows as they are asked for.

    ``ids`` (ascending), ``words`` and ``word_counts`` are of the ``top_words`` most frequent words; 0: of all. Takes
    about 40 bytes a word. Raises InputError when there is no artifact, RunError when it is damaged or in disorder.
    """

    def __init__(self, output: str, top_words: int = 0) -> None:
        self._place, self.manifest = find_artifact(output, "vectors")
        self._output = output
        names = ["word_id", "word", "word_count"]
        heads = [(part, pa.concat_tables(self._stream(part, names))) for part in self.manifest.files if part.row_count]
        heads.sort(key=lambda head: int(np.asarray(head[1]["word_id"]).min()))
        self._parts = [(part, bool(np.all(np.diff(np.asarray(head["word_id"])) > 0))) for part, head in heads]
        whole = pa.concat_tables([head.sort_by("word_id") for _, head in heads]).combine_chunks()
        ids, counts = np.asarray(whole["word_id"]), np.asarray(whole["word_count"])
        if not np.array_equal(ids, np.arange(len(ids))):
            raise RunError(f"vectors in {output} are not in the order of their words", "run `pmi-spark vectors` again")
        kept = np.sort(np.argsort(-counts, kind="stable")[: top_words or None])
        self._kept = np.zeros(len(ids), dtype=bool)
        self._kept[kept] = True
        self.words: pa.Array = whole["word"].combine_chunks().take(pa.array(kept))
        self.ids: Longs = kept
        self.word_counts: Longs = counts[kept]

    def _stream(self, part: PartFile, columns: Sequence[str]) -> Iterator[pa.Table]:
        return stream_part(self._place, self.manifest, part, columns, VECTORS_AT_ONCE)

    @cached_property
    def schema(self) -> pa.Schema:
        """The files' columns, the vector column's metadata with them."""
        with self._place.system.open_input_file(f"{self._place.root}/vectors/{self._parts[0][0].name}") as source:
            return pq.read_schema(source)

    @cached_property
    def gauge(self) -> Gauge:
        """What turns the rows into PMI."""
        return gauge_of(self.schema)

    @cached_property
    def rotation(self) -> Doubles | None:
        """The axes of an earlier run (d x d), where the vectors were turned to them."""
        return rotation_of(read_artifact(self._output, "vectors", side=True)[0]) if self.manifest.side_files else None

    @property
    def dimensions(self) -> int:
        return len(self.gauge.eigenvalues)

    def slices(self) -> Iterator[Floats]:
        """The words' vectors by id, VECTORS_AT_ONCE or fewer at a time."""
        for part, ascends in self._parts:
            tables = self._stream(part, ["word_id", "vector"])
            # The vectors stage writes them by id; what somebody else wrote is sorted a file at a time.
            for table in tables if ascends else [pa.concat_tables(tables).sort_by("word_id")]:
                kept = self._kept[np.asarray(table["word_id"])]
                if kept.any():
                    rows = matrix_of(table["vector"])
                    yield rows if kept.all() else rows[kept]
