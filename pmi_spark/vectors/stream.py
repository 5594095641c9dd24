"""Finished vectors gone through piece by piece, so that memory is bounded whatever their size. No Spark."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pmi_spark.errors import RunError
from pmi_spark.vectors.files import ArtifactFiles
from pmi_spark.vectors.store import Floats, Gauge, gauge_of, matrix_of, rotation_of

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
# 10 MB at 300 dimensions.
VECTORS_AT_ONCE = 1 << 13


class StoredVectors:
    """The ``vectors`` artifact of an output directory: words and their counts in memory, rows as they are asked for.

    ``ids`` (ascending), ``words`` and ``word_counts`` are of the ``top_words`` most frequent words; 0: of all. Takes
    about 60 bytes a word. Raises InputError when there is no artifact, RunError when it is damaged or in disorder.
    """

    def __init__(self, output: str, top_words: int = 0) -> None:
        self._files = ArtifactFiles.find(output, "vectors")
        self.manifest = self._files.manifest
        heads = [(name, self._head(name)) for name in self._files.names()]
        heads = sorted(heads, key=lambda pair: int(np.asarray(pair[1]["word_id"]).min()))
        whole = pa.concat_tables([head.sort_by("word_id") for _, head in heads]).combine_chunks()
        ids, counts = np.asarray(whole["word_id"]), np.asarray(whole["word_count"])
        if not np.array_equal(ids, np.arange(len(ids))):
            raise RunError(f"the files of vectors in {output} are not by word", cure="run `pmi-spark vectors` again")
        self._names = {name: bool(np.all(np.diff(np.asarray(head["word_id"])) > 0)) for name, head in heads}
        self.ids: Longs = np.sort(np.argsort(-counts, kind="stable")[: top_words or None])
        self._kept = np.zeros(len(ids), dtype=bool)
        self._kept[self.ids] = True
        self.words: pa.Array = whole["word"].combine_chunks().take(pa.array(self.ids))
        self.word_counts: Longs = counts[self.ids]

    def _head(self, name: str) -> pa.Table:
        return pa.concat_tables(self._files.pieces(name, ["word_id", "word", "word_count"], VECTORS_AT_ONCE))

    @cached_property
    def gauge(self) -> Gauge:
        """What turns the rows into PMI."""
        return gauge_of(self._files.schema())

    @cached_property
    def rotation(self) -> Doubles | None:
        """The axes of an earlier run (d x d), where the vectors were turned to them."""
        return rotation_of(self._files.read(side=True)) if self.manifest.side_files else None

    @property
    def dimensions(self) -> int:
        return len(self.gauge.eigenvalues)

    def slices(self) -> Iterator[Floats]:
        """The words' vectors by id, VECTORS_AT_ONCE or fewer at a time."""
        for name, ascends in self._names.items():
            tables = self._files.pieces(name, ["word_id", "vector"], VECTORS_AT_ONCE)
            # The vectors stage writes them by id; what somebody else wrote is sorted a file at a time.
            for table in tables if ascends else [pa.concat_tables(tables).sort_by("word_id")]:
                kept = self._kept[np.asarray(table["word_id"])]
                if kept.any():
                    rows = matrix_of(table["vector"])
                    yield rows if kept.all() else rows[kept]
