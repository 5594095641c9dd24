"""Word vectors read without Spark, mapped or in memory, and rows of the PMI table on demand."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.artifacts import MANIFEST_NAME, Manifest
from pmi_spark.config import TokensConfig
from pmi_spark.errors import InputError, RunError
from pmi_spark.parquet_files import SPARK_SCHEMA_KEY
from pmi_spark.vectors.files import ArtifactFiles, OutputFiles, read_artifact
from pmi_spark.vectors.mapped import Entry, Mapped, entry_of, open_entry, write_entry
from pmi_spark.vectors.words import Words

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer]
# Who is told, a line each, when vectors are written to the cache or cannot be.
Tell = Callable[[str], None]

# Smaller artifacts are decoded in half a second, and kept in memory alone.
MAPPED_FROM_BYTES = 256 << 20


@dataclass(frozen=True)
class WordVectors:
    """All word vectors by word id, with the gauge they were written in.

    ``matrix`` (words x d) is E |L|^p, times ``rotation`` R where the axes are those of an earlier run;
    ``eigenvalues`` are L, ``exponent`` is p; an estimate adds ``shift`` (nats). ``tokens`` are the run's settings of
    that name: how its texts were cut. ``stored_lengths`` are those of the rows, where they need not be computed.
    """

    words: Sequence[str]
    word_counts: npt.NDArray[np.int64]
    matrix: Floats
    eigenvalues: npt.NDArray[np.float64]
    exponent: float
    shift: float
    rotation: npt.NDArray[np.float64] | None = None
    vocabulary_fingerprint: str = ""
    fingerprint: str = ""
    tokens: TokensConfig = field(default_factory=TokensConfig)
    stored_lengths: Floats | None = None

    @cached_property
    def ids(self) -> dict[str, int]:
        """{word: id}: a second and 100 MB for a million words; for a few of them :meth:`find` is enough."""
        return {word: word_id for word_id, word in enumerate(self.words)}

    @cached_property
    def word_array(self) -> Words:
        """The words as an Arrow array."""
        return Words.of(self.words)

    def find(self, words: Sequence[str]) -> npt.NDArray[np.int64]:
        """The id of each word, -1 for those that are unknown."""
        distinct = list(dict.fromkeys(words))
        ids = dict(zip(distinct, self.word_array.find(pa.array(distinct, pa.string())).tolist(), strict=True))
        return np.array([ids[word] for word in words], dtype=np.int64)

    @cached_property
    def lengths(self) -> Floats:
        """The lengths of the vectors, 1 where one is 0: what a product is divided by to become a cosine."""
        found = np.linalg.norm(self.matrix, axis=1) if self.stored_lengths is None else self.stored_lengths
        return np.where(found > 0, found, np.float32(1)).astype(np.float32)

    @cached_property
    def unit_matrix(self) -> Floats:
        """The vectors scaled to length 1, all of them in memory; a vector of length 0 stays 0."""
        return np.asarray(self.matrix / self.lengths[:, None], dtype=np.float32)

    def cosines(self, word_id: int) -> Floats:
        """The cosine of every word with one: a product of n x d, and nothing else of that size is held."""
        return np.asarray(self.matrix @ (self.matrix[word_id] / self.lengths[word_id]) / self.lengths)

    def estimates(self, summed: npt.NDArray[np.floating], words: int = 1) -> Floats:
        """Estimated PMI (nats) of every word with a set of ``words`` words whose vectors sum to ``summed`` (d).

        sum_j PMI_hat(i, j) = words * shift + v_i' D sum_j v_j
        """
        products = self.matrix @ (self.pmi_metric @ summed).astype(np.float32)
        return np.asarray(words * self.shift + products, dtype=np.float32)

    @cached_property
    def pmi_metric(self) -> npt.NDArray[np.float64]:
        """D = diag(s_k |L_k|^(1 - 2p)), or R' D R (d x d): PMI_hat(i, j) = shift + v_i' D v_j, whatever p and R are."""
        diagonal = np.diag(pmi_diagonal(self.eigenvalues, self.exponent))
        return diagonal if self.rotation is None else self.rotation.T @ diagonal @ self.rotation

    def estimated_pmi(self, words: Ids, contexts: Ids) -> Floats:
        """PMI (nats) of pairs of word ids, one for one, met or not: shift + v_i' D v_j. 4 d bytes a pair, twice."""
        metric = self.pmi_metric.astype(np.float32)
        products = np.einsum("ij,ij->i", self.matrix[words] @ metric, self.matrix[contexts])
        return np.asarray(self.shift + products, dtype=np.float32)


def load_vectors(output: str, tell: Tell = lambda line: None) -> WordVectors:
    """The ``vectors`` artifact of a run: 4 d bytes a word, in memory where they are few.

    From MAPPED_FROM_BYTES on they are mapped from the user's cache ($XDG_CACHE_HOME, else ~/.cache), which the first
    load writes: see :mod:`pmi_spark.vectors.mapped`. Where it cannot be written they are read into memory. Raises
    InputError when there is no artifact, RunError when it is damaged. Where a run publishes others meanwhile, and
    removes the files, those are what is read.
    """
    while True:
        found = ArtifactFiles.find(output, "vectors")
        try:
            return _load(output, found, tell)
        except RunError:
            if not found.was_replaced():
                raise


def _load(output: str, found: ArtifactFiles, tell: Tell) -> WordVectors:
    gauge = gauge_of(found.schema())
    turned = found.read(side=True) if found.manifest.side_files else None
    mapped = _map(found, tell) if sum(part.size_bytes for part in found.manifest.files) >= MAPPED_FROM_BYTES else None
    if mapped is None:
        table = found.read().sort_by("word_id").combine_chunks()
        words = table["word"].combine_chunks()
        mapped = Mapped(words, np.asarray(table["word_count"]), matrix_of(table["vector"]), None)
    return WordVectors(
        words=Words(mapped.words),
        word_counts=mapped.word_counts,
        matrix=mapped.matrix,
        eigenvalues=gauge.eigenvalues,
        exponent=gauge.exponent,
        shift=gauge.shift,
        rotation=rotation_of(turned) if turned is not None else None,
        vocabulary_fingerprint=str(found.manifest.upstream.get("vocabulary", "")),
        fingerprint=found.manifest.fingerprint,
        tokens=tokens_settings(output, found.manifest),
        stored_lengths=mapped.lengths,
    )


def tokens_settings(output: str, vectors: Manifest) -> TokensConfig:
    """The [tokens] settings that a run's text was cut with; where its tokens are gone, those its vectors name."""
    text = OutputFiles(output).read_text(f"tokens/{MANIFEST_NAME}")
    manifest = vectors if not text else Manifest.from_json(text, where=f"{output}/tokens/{MANIFEST_NAME}")
    settings = manifest.configuration.get("tokens", {})
    known = {entry.name for entry in dataclasses.fields(TokensConfig)}
    return TokensConfig(**{name: value for name, value in settings.items() if name in known})


def _map(found: ArtifactFiles, tell: Tell) -> Mapped | None:
    """The vectors mapped from the cache, which is written where it does not hold them; None where it cannot be."""
    rows, identity = found.manifest.row_count, found.identity()
    entry = entry_of(f"{found.files.system.type_name}:{found.folder}", identity)
    if entry is None:
        return None
    mapped = open_entry(entry, rows)
    if mapped is None and _write_to_cache(entry, found, identity, tell):
        mapped = open_entry(entry, rows)
    return mapped


def _write_to_cache(entry: Entry, found: ArtifactFiles, identity: list[Any], tell: Tell) -> bool:
    rows, start = found.manifest.row_count, time.monotonic()
    tell(f"making {rows:,} vectors ready to be mapped, once, in {entry.location}")
    try:
        write_entry(entry, found.tables(), rows, unchanged=lambda: found.identity() == identity)
    except (OSError, ValueError) as error:
        tell(f"read into memory, for the cache cannot hold them: {error}")
        return False
    tell(f"{rows:,} vectors are ready to be mapped, {time.monotonic() - start:.1f} s")
    return True


def rotation_of(table: pa.Table) -> npt.NDArray[np.float64]:
    """The side table's rotation (d x d) between canonical axes (rows) and those the vectors are written in."""
    return matrix_of(table.sort_by("axis")["row"]).astype(np.float64)


def matrix_of(lists: pa.ChunkedArray) -> Floats:
    """A column of lists of one length -> a matrix, a list a row."""
    return np.asarray(lists.combine_chunks().flatten()).reshape(len(lists), -1)


class Gauge(NamedTuple):
    """What the vector column's metadata says: eigenvalues L, read-out exponent p, shift (nats), the stretching of rows.

    The stretching is sqrt(slope) (f / frequency_reference)^-frequency_exponent for a word that occurs f times. Before
    the fit ``fitted_shift`` (nats) was taken off every PMI, ``regularization`` is its lambda.
    """

    eigenvalues: npt.NDArray[np.float64]
    exponent: float
    shift: float
    frequency_exponent: float
    frequency_reference: float
    slope: float
    fitted_shift: float
    regularization: float

    @property
    def diagonal(self) -> npt.NDArray[np.float64]:
        """D (d), by which products on canonical axes become PMI."""
        return pmi_diagonal(self.eigenvalues, self.exponent)


def pmi_diagonal(eigenvalues: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    """D = sign(L) |L|^(1 - 2p) for vectors E |L|^p; an axis whose eigenvalue is 0 holds nothing.

    >>> pmi_diagonal(np.array([4.0, -4.0, 0.0]), 0.25)
    array([ 2., -2.,  0.])
    """
    magnitudes = np.abs(eigenvalues)
    return np.asarray(np.sign(eigenvalues) * np.where(magnitudes > 0, magnitudes, 1.0) ** (1 - 2 * exponent))


def gauge_of(schema: pa.Schema) -> Gauge:
    """The vector column's metadata, which Spark keeps as JSON in the Parquet footer. Raises RunError without it."""
    text = (schema.metadata or {}).get(SPARK_SCHEMA_KEY, b"{}")
    for column in json.loads(text).get("fields", []):
        found = column["metadata"]
        if column["name"] == "vector" and "regularization" in found:
            return Gauge(np.asarray(found["eigenvalues"]), *(float(found[name]) for name in Gauge._fields[1:]))
    raise RunError("the vectors carry no signs and shift in their metadata", cure="write them with `pmi-spark vectors`")


def observed_pairs(
    output: str, word_id: int, vocabulary_fingerprint: str
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], Floats]:
    """The partners a word met: (their ids, weighted pair counts, PMI in nats). Reads the row groups that may hold it.

    Raises InputError when the table numbers its words by another vocabulary than the one asked about.
    """
    columns = ["word_id", "context_id", "pair_count", "pmi"]
    wanted = (pc.field("word_id") == word_id) | (pc.field("context_id") == word_id)
    table, manifest = read_artifact(output, "pmi", columns=columns, filter=wanted)
    if manifest.upstream.get("vocabulary", "") != vocabulary_fingerprint:
        raise InputError(f"pmi and vectors in {output} are of different vocabularies", cure="run `pmi-spark run` again")
    low, high = np.asarray(table["word_id"]), np.asarray(table["context_id"])
    return np.where(low == word_id, high, low), np.asarray(table["pair_count"]), np.asarray(table["pmi"])
