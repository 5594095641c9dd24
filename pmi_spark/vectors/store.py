"""Finished artifacts read with pyarrow alone: vectors into memory, rows of the PMI table on demand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from pmi_spark.artifacts import MANIFEST_NAME, Manifest
from pmi_spark.errors import InputError, RunError
from pmi_spark.parquet_files import SPARK_SCHEMA_KEY

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.integer]


class OutputFiles:
    """Files of an output directory, read by pyarrow: on a local disk, or where a URI says.

    Raises InputError where the place cannot be reached.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        # Hadoop writes local paths as file:/a/b, which pyarrow does not take for a URI.
        place = output if output.startswith("file://") else output.removeprefix("file:")
        try:
            self.system, root = pafs.FileSystem.from_uri(place) if "://" in place else (pafs.LocalFileSystem(), place)
        except (OSError, pa.ArrowInvalid) as error:
            raise self._unreadable(error) from error
        self.root = root.rstrip("/")

    def read_text(self, name: str) -> str | None:
        """The text of a small file, None when it is not there."""
        try:
            with self.system.open_input_stream(f"{self.root}/{name}") as stream:
                return str(stream.read().decode("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, pa.ArrowInvalid) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(f"cannot read {self._output}: {error}", cure="check the path and its permissions")


def read_artifact(output: str, name: str, side: bool = False, **scan: Any) -> tuple[pa.Table, Manifest]:
    """Rows of an artifact, or of its side table, from the files its manifest names, and the manifest.

    ``scan`` goes to pyarrow's ``to_table``. Where a run publishes a successor meanwhile, and removes the files, that is
    what is read.

    Raises InputError when there is no complete artifact, RunError when its files are missing or damaged.
    """
    found = OutputFiles(output)
    folder = f"{found.root}/{name}"
    manifest = _read_manifest(found, name, output)
    while True:
        paths = [f"{folder}/{part.name}" for part in (manifest.side_files if side else manifest.files)]
        try:
            return ds.dataset(paths, filesystem=found.system, format="parquet").to_table(**scan), manifest
        except (OSError, pa.ArrowException) as error:
            before, manifest = manifest, _read_manifest(found, name, output)
            if manifest == before:
                raise RunError(f"{folder} is damaged: {error}", cure=f"run `pmi-spark {name}` again") from error


def _read_manifest(found: OutputFiles, name: str, output: str) -> Manifest:
    text = found.read_text(f"{name}/{MANIFEST_NAME}")
    # Empty where a store shows a file before it is whole.
    if not text:
        raise InputError(f"no {name} in {output}", cure="name the --output directory of a finished `pmi-spark run`")
    return Manifest.from_json(text, where=f"{found.root}/{name}/{MANIFEST_NAME}")


@dataclass(frozen=True)
class WordVectors:
    """All word vectors by word id, with the gauge they were written in.

    ``matrix`` (words x d) is E |L|^p, times ``rotation`` R where the axes are those of an earlier run;
    ``eigenvalues`` are L, ``exponent`` is p; an estimate adds ``shift`` (nats).
    """

    words: list[str]
    word_counts: npt.NDArray[np.int64]
    matrix: Floats
    eigenvalues: npt.NDArray[np.float64]
    exponent: float
    shift: float
    rotation: npt.NDArray[np.float64] | None = None
    vocabulary_fingerprint: str = ""

    @cached_property
    def ids(self) -> dict[str, int]:
        return {word: word_id for word_id, word in enumerate(self.words)}

    @cached_property
    def unit_matrix(self) -> Floats:
        """The vectors scaled to length 1; a vector of length 0 stays 0."""
        lengths = np.linalg.norm(self.matrix, axis=1, keepdims=True)
        return np.asarray(self.matrix / np.where(lengths > 0, lengths, 1), dtype=np.float32)

    @cached_property
    def pmi_metric(self) -> npt.NDArray[np.float64]:
        """D = diag(s_k |L_k|^(1 - 2p)), or R' D R (d x d): PMI_hat(i, j) = shift + v_i' D v_j, whatever p and R are."""
        magnitudes = np.abs(self.eigenvalues)
        powers = np.where(magnitudes > 0, magnitudes, 1.0) ** (1 - 2 * self.exponent)
        diagonal = np.diag(np.sign(self.eigenvalues) * powers)
        return diagonal if self.rotation is None else self.rotation.T @ diagonal @ self.rotation

    def estimated_pmi(self, words: Ids, contexts: Ids) -> Floats:
        """PMI (nats) of pairs of word ids, one for one, met or not: shift + v_i' D v_j. 4 d bytes a pair, twice."""
        metric = self.pmi_metric.astype(np.float32)
        products = np.einsum("ij,ij->i", self.matrix[words] @ metric, self.matrix[contexts])
        return np.asarray(self.shift + products, dtype=np.float32)


def load_vectors(output: str) -> WordVectors:
    """Read the ``vectors`` artifact of a run: 4 d bytes a word. Raises InputError when there is none."""
    table, manifest = read_artifact(output, "vectors")
    table = table.sort_by("word_id").combine_chunks()
    gauge = gauge_of(table.schema)
    turned = None
    if manifest.side_files:
        turned, of = read_artifact(output, "vectors", side=True)
        if of != manifest:
            # A run has published other vectors in between.
            return load_vectors(output)
    return WordVectors(
        words=table["word"].to_pylist(),
        word_counts=np.asarray(table["word_count"]),
        matrix=matrix_of(table["vector"]),
        eigenvalues=gauge.eigenvalues,
        exponent=gauge.exponent,
        shift=gauge.shift,
        rotation=rotation_of(turned) if turned is not None else None,
        vocabulary_fingerprint=str(manifest.upstream.get("vocabulary", "")),
    )


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
