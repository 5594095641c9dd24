"""One read-only copy of a large matrix for all Python workers of a machine.

A broadcast reaches each executor once, block by block from its peers, and lies there as one file in pickle's form.
``Broadcast.value`` would unpickle it into every worker: k workers, k copies. Here the workers map the file instead, so
the pages are the operating system's, shared, and given back when memory runs short. Where Spark encrypts its files
(``spark.io.encryption.enabled``) there is no plain file to map, and each worker holds a copy of its own.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyspark import Broadcast, SparkContext

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# Stands before the numbers, so that a reader finds them behind pickle's header whatever its length is.
_MARK = b"pmi_spark matrix"
# numpy copies what is not aligned before it computes; 64 bytes is a cache line.
_ALIGNMENT = 64
# How far the marker is searched for: pickle's header takes about 100 bytes.
_HEADER_BYTES = 4096
# From this size pickle writes bytes apart from its frames, always behind the same header.
_PROBE_BYTES = 1 << 17


class MatrixBuffer:
    """A matrix to fill and send: ``rows`` is a view of the bytes that will be broadcast, so nothing is copied.

    >>> buffer = MatrixBuffer(3, 2)
    >>> buffer.rows[:] = 1
    >>> buffer.rows.shape
    (3, 2)
    """

    def __init__(self, row_count: int, dimensions: int) -> None:
        spare = -(_mark_offset() + len(_MARK)) % _ALIGNMENT
        start = spare + len(_MARK)
        size = max(start + 4 * row_count * dimensions, _PROBE_BYTES)
        # Aligned in the file means askew here: the bytes begin where the numbers are aligned in memory too.
        room: Bytes = np.zeros(size + _ALIGNMENT, np.uint8)
        first = -(room.ctypes.data + start) % _ALIGNMENT
        self._raw = room[first : first + size]
        self._raw[spare:start] = np.frombuffer(_MARK, np.uint8)
        self.rows = _numbers(self._raw, row_count, dimensions)

    def share(self, context: SparkContext) -> SharedMatrix:
        """Broadcast what ``rows`` holds now: 4 bytes a number to every executor."""
        return SharedMatrix(context.broadcast(self._raw), *self.rows.shape)


class SharedMatrix:
    """A broadcast matrix (rows x dimensions, float32), for closures."""

    def __init__(self, broadcast: Broadcast[Bytes], row_count: int, dimensions: int) -> None:
        self._broadcast = broadcast
        self._row_count = row_count
        self._dimensions = dimensions

    @property
    def shape(self) -> tuple[int, int]:
        return self._row_count, self._dimensions

    def slice(self, first: int, last: int) -> Floats:
        """In a worker, rows first..last - 1 of the machine's one copy: mapped, read-only.

        The pages that were touched count as this process's own until the array goes.
        """
        path = getattr(self._broadcast, "_path", None)
        if path is None:
            return _numbers(self._broadcast.value, *self.shape)[first:last]
        with Path(path).open("rb") as file:
            start = _first_number(file.read(_HEADER_BYTES))
        offset = start + 4 * first * self._dimensions
        return np.memmap(path, np.float32, "r", offset, (last - first, self._dimensions))

    def destroy(self) -> None:
        """Free it everywhere; on the driver, when no task will read it any more."""
        self._broadcast.destroy()


def _mark_offset() -> int:
    """Where pickle puts the first byte of a large array."""
    probe = np.full(_PROBE_BYTES, 1, np.uint8)
    return pickle.dumps(probe, pickle.HIGHEST_PROTOCOL).index(b"\1" * _ALIGNMENT)


def _first_number(header: bytes) -> int:
    return header.index(_MARK) + len(_MARK)


def _numbers(raw: Bytes, row_count: int, dimensions: int) -> Floats:
    """The matrix behind the marker; a copy only where it is not aligned."""
    start = _first_number(raw[:_HEADER_BYTES].tobytes())
    numbers = raw[start : start + 4 * row_count * dimensions]
    if numbers.ctypes.data % 4:
        numbers = numbers.copy()
    return numbers.view(np.float32).reshape(row_count, dimensions)
