"""What is exported: words, counts and vectors as asked for, the latter a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.errors import InputError
from pmi_spark.vectors.store import Floats
from pmi_spark.vectors.stream import Longs, StoredVectors

PMI_FORMULA = "PMI(i, j) = shift + v_i' M v_j, M = R' D R, D = diag(sign(L) |L|^(1 - 2 exponent)), in nats"
# White space parts words and numbers, or lines, in most formats, and no reader agrees with the next on what it is.
_UNSAFE = r"[\s\x0B\x{1C}-\x{1F}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]|^$"
SUBSTITUTE = "_"


class Source:
    """The vectors of an output directory as they are to be written.

    ``words`` and ``word_counts`` are the ``top_words`` most frequent ones (0: all) by word id. With ``normalize`` rows
    are scaled to length 1, and ``lengths``, once all slices were taken, holds what they were.
    """

    def __init__(self, output: str, top_words: int = 0, normalize: bool = False) -> None:
        self._stored = StoredVectors(output, top_words)
        self.normalize = normalize
        self._lengths: list[Floats] = []
        self.words: pa.Array = self._stored.words
        self.word_counts: Longs = self._stored.word_counts
        self.shape = len(self.words), self._stored.dimensions

    def slices(self) -> Iterator[tuple[int, Floats]]:
        """(place of the first row, rows), by word id; a row of length 0 stays as it is."""
        start = 0
        self._lengths.clear()
        for rows in self._stored.slices():
            if self.normalize:
                lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
                self._lengths.append(lengths.astype(np.float32))
                rows = (rows / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
            yield start, rows
            start += len(rows)

    @property
    def lengths(self) -> Floats | None:
        """The rows' own lengths, where they are scaled to 1."""
        return np.concatenate(self._lengths) if self.normalize else None

    def facts(self) -> dict[str, Any]:
        """What turns the vectors into PMI, but for the rotation, and where they are from."""
        gauge = self._stored.gauge
        formula = PMI_FORMULA if self.rotation is not None else PMI_FORMULA.replace("M = R' D R", "M = D")
        return {
            "words": self.shape[0],
            "dimensions": self.shape[1],
            "normalized": self.normalize,
            "exponent": gauge.exponent,
            "shift": gauge.shift,
            "formula": formula + (", of rows times their lengths" if self.normalize else ""),
            "vectors": self._stored.manifest.fingerprint,
        }

    @property
    def eigenvalues(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """L of the formula, one a dimension."""
        return np.asarray(self._stored.gauge.eigenvalues, dtype=np.float64)

    @property
    def rotation(self) -> np.ndarray[Any, np.dtype[np.float64]] | None:
        """R of the formula (d x d), where the vectors are on the axes of an earlier run."""
        return self._stored.rotation


def without_white_space(words: pa.Array) -> tuple[pa.Array, int]:
    """Words fit for formats in which white space parts fields, and how many had to be changed: _ for each such sign.

    gensim writes such words as they are, and cannot read them again. Raises InputError where two words would be one.

    >>> without_white_space(pa.array(["a b", "c"]))[0].to_pylist()
    ['a_b', 'c']
    """
    changed = pc.match_substring_regex(words, _UNSAFE)
    count = int(pc.sum(changed).as_py() or 0)
    if not count:
        return words, 0
    safe = pc.replace_substring_regex(words, _UNSAFE, SUBSTITUTE)
    counted = pc.value_counts(safe)
    repeated = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
    if len(repeated):
        raise InputError(
            f"without white space {repeated[0].as_py()} would stand for two words",
            cure="export as numpy or safetensors, which hold words with white space",
        )
    return safe, count


def half(rows: Floats) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Rows as float16; InputError where a number is too large for it.

    >>> half(np.array([[0.1]], np.float32))
    array([[0.1]], dtype=float16)
    """
    with np.errstate(over="ignore"):
        halves = rows.astype("<f2")
    if not np.isfinite(halves).all():
        raise InputError("a vector holds numbers over 65,504, too large for float16", cure="export float32")
    return halves
