"""The most frequent words' vectors, small enough to be carried by a page: one byte a number, canonical axes.

A vector is v = E |L|^p R (words x d), stretched by a word's own length. Cosines do not change when it is turned back,
w = v R', and then the table that turns products into PMI is the diagonal D = sign(L) |L|^(1 - 2p). So one table of
bytes answers both questions:

    cosine(i, j) = u_i.u_j        PMI(i, j) = shift + |w_i| |w_j| sum_k D_k u_ik u_jk        u = w / |w|
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.report.run_files import RunFiles
from pmi_spark.vectors.store import gauge_of, matrix_of, rotation_of

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]

LARGEST_BYTE = 127
# A word is shown on buttons; what is longer (a URL, a run of letters) stays out of the page.
LONGEST_WORD_BYTES = 200


class Space(NamedTuple):
    """The most frequent words by falling count, their vectors on canonical axes, and every word's squared length.

    ``rows`` (words x d) are w; ``metric`` is D; ``squares`` and ``all_counts`` are of all words in the artifact,
    |v|^2 as it is at p = 0.5 and before any stretching, which is what stands for -log p.
    """

    words: list[str]
    counts: Longs
    rows: Floats
    metric: Doubles
    shift: float
    squares: Doubles
    all_counts: Longs


class PackedSpace(NamedTuple):
    """What the page carries: ``codes`` (words x k int8), u = codes * ``steps``, ``lengths`` |w|, ``metric`` D."""

    words: list[str]
    counts: Longs
    codes: Bytes
    steps: Floats
    lengths: Floats
    metric: Floats
    shift: float

    def similar(self, word: int, top: int) -> list[tuple[int, float]]:
        """(word, cosine) of the most similar ones: what the page's script computes, for its tests."""
        own = self.codes[word] * self.steps[word]
        return _best(self.steps * (self.codes.astype(np.float32) @ own), word, top)

    def related(self, word: int, top: int) -> list[tuple[int, float]]:
        """(word, estimated PMI in nats) of the most related ones: as :meth:`similar`."""
        own = self.codes[word] * (self.steps[word] * self.lengths[word] * self.metric)
        return _best(self.shift + self.lengths * self.steps * (self.codes.astype(np.float32) @ own), word, top)


def _best(scores: Floats, own: int, top: int) -> list[tuple[int, float]]:
    order = np.argsort(-scores, kind="stable")
    return [(int(place), float(scores[place])) for place in order[: top + 1] if place != own][:top]


def read_space(run: RunFiles, most_words: int) -> Space:
    """The vectors artifact, in two passes: counts first, then vectors, PIECE_ROWS at a time; those asked for are kept.

    Memory: 24 bytes a word, and 4 d for each kept one.
    """
    counts_by_row = np.concatenate([np.asarray(piece["word_count"]) for piece in run.pieces("vectors", ["word_count"])])
    gauge = gauge_of(run.schema("vectors"))
    rotation = None
    if run.manifests["vectors"].side_files:
        side = pa.concat_tables(run.pieces("vectors", ["axis", "row"], side=True))
        rotation = rotation_of(side).astype(np.float32)
    order = np.argsort(-counts_by_row, kind="stable")
    is_wanted = np.zeros(len(order), dtype=bool)
    is_wanted[order[:most_words]] = True
    lengths = LengthScale(gauge.frequency_exponent, gauge.frequency_reference, gauge.slope)
    metric = gauge.diagonal
    squares = np.empty(len(order))
    words: list[str] = []
    ids, counts, kept, start = [], [], [], 0
    for piece in run.pieces("vectors", ["word_id", "word", "word_count", "vector"]):
        part = slice(start, start + len(piece))
        start += len(piece)
        rows = matrix_of(piece["vector"])
        rows = rows if rotation is None else rows @ rotation.T
        stretch = lengths.of(np.asarray(piece["word_count"]))
        # |v|^2 at p = 0.5 is sum_k |L_k| E_k^2, and w = E |L|^p: so |L_k|^(1 - 2p) w_k^2.
        squares[part] = ((rows / stretch) ** 2) @ np.abs(metric)
        own = np.flatnonzero(is_wanted[part])
        words += piece["word"].take(own).to_pylist()
        ids.append(np.asarray(piece["word_id"])[own])
        counts.append(np.asarray(piece["word_count"])[own])
        kept.append(rows[own])
    by_count = np.lexsort((np.concatenate(ids), -np.concatenate(counts)))
    by_count = np.array([k for k in by_count if len(words[k].encode()) <= LONGEST_WORD_BYTES], dtype=np.int64)
    return Space(
        words=[words[k] for k in by_count],
        counts=np.concatenate(counts)[by_count],
        rows=np.concatenate(kept)[by_count],
        metric=metric,
        shift=gauge.shift,
        squares=squares,
        all_counts=counts_by_row,
    )


def units_of(rows: Floats) -> tuple[Floats, Floats]:
    """Rows at length 1, a row of zeros as it is; and the lengths."""
    lengths = np.linalg.norm(rows, axis=1)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, None], np.float32), np.asarray(lengths, np.float32)


def pack(space: Space, most_bytes: int) -> PackedSpace:
    """Round unit vectors to bytes, each by its own largest number; axes beyond ``most_bytes`` are left out, last first.

    Axes stand by falling |L|, so the first k hold more of the vectors than any other k.
    """
    units, lengths = units_of(space.rows)
    axes = max(1, min(units.shape[1], most_bytes // max(1, len(units))))
    units = units[:, :axes]
    largest = np.abs(units).max(axis=1, initial=0.0)
    steps = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(LARGEST_BYTE)
    codes = np.rint(units / steps[:, None]).astype(np.int8)
    metric = space.metric[:axes].astype(np.float32)
    return PackedSpace(space.words, space.counts, codes, steps, lengths, metric, space.shift)
