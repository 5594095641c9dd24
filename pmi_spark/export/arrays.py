"""Vectors as arrays: numpy's files and safetensors, both with what turns them into PMI."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pmi_spark.export.source import Source, half

NUMPY_FILES = ("vectors.npy", "words.json", "word_counts.npy", "eigenvalues.npy", "rotation.npy", "lengths.npy")
METADATA_FILE = "metadata.json"
# safetensors' own names for what numpy calls so.
_TENSOR_TYPES = {"<f8": "F64", "<i8": "I64", "<f4": "F32", "<f2": "F16", "|u1": "U8"}


def write_numpy(source: Source, folder: Path, dtype: str) -> None:
    """``vectors.npy`` (words x d, fit for ``mmap_mode``), ``words.json``, ``word_counts.npy``, ``metadata.json``.

    Beside them ``eigenvalues.npy`` and, where there are any, ``rotation.npy`` and ``lengths.npy``: what the formula in
    the metadata speaks of.
    """
    with (folder / "vectors.npy").open("wb") as file:
        head = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": source.shape}
        np.lib.format.write_array_header_1_0(file, head)
        _write_rows(source, file, dtype)
    (folder / "words.json").write_bytes(_words(source))
    for name, array in _small_arrays(source).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    text = json.dumps(source.facts(), indent=1, ensure_ascii=False) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")


class _Tensor(NamedTuple):
    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


def write_safetensors(source: Source, file: BinaryIO, dtype: str) -> None:
    """One file: ``vectors`` (words x d), ``words`` (a JSON array, as bytes), ``word_counts``, ``eigenvalues``.

    Where there are any, also ``rotation`` and ``lengths``; the formula and its numbers are text metadata.

    The format is a length (8 bytes), a JSON head with each tensor's type, shape and place, and the tensors end to end.
    It is written here because the library takes whole arrays only: a million words would be in memory twice.
    """
    words, vectors = _words(source), np.dtype(dtype).newbyteorder("<").str
    tensors = [
        _Tensor("vectors", vectors, source.shape),
        _Tensor("word_counts", "<i8", source.shape[:1]),
        _Tensor("eigenvalues", "<f8", source.shape[1:]),
        _Tensor("words", "|u1", (len(words),)),
    ]
    if source.rotation is not None:
        tensors.append(_Tensor("rotation", "<f8", source.rotation.shape))
    if source.normalize:
        tensors.append(_Tensor("lengths", "<f4", source.shape[:1]))
    # The wider first, so that each begins at a multiple of its numbers' size.
    tensors.sort(key=lambda tensor: -np.dtype(tensor.dtype).itemsize)
    head: dict[str, Any] = {"__metadata__": {key: str(value) for key, value in source.facts().items()}}
    begins, end = {}, 0
    for tensor in tensors:
        begins[tensor.name], end = end, end + tensor.size_bytes
        place = [begins[tensor.name], end]
        head[tensor.name] = {"dtype": _TENSOR_TYPES[tensor.dtype], "shape": tensor.shape, "data_offsets": place}
    text = json.dumps(head, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    start = file.tell()
    # Lengths are known when the rows are done.
    for tensor in sorted(tensors, key=lambda tensor: tensor.name != "vectors"):
        file.seek(start + begins[tensor.name])
        if tensor.name == "vectors":
            _write_rows(source, file, dtype)
        elif tensor.name == "words":
            file.write(words)
        else:
            file.write(_small_arrays(source)[tensor.name].astype(tensor.dtype).tobytes())


def _write_rows(source: Source, file: BinaryIO, dtype: str) -> None:
    for _, rows in source.slices():
        numbers = half(rows) if dtype == "float16" else np.ascontiguousarray(rows, dtype="<f4")
        file.write(numbers.data)


def _words(source: Source) -> bytes:
    """The words as a JSON array, 12 bytes a word or so: whatever stands in a word, it is read back."""
    return json.dumps(source.words.to_pylist(), ensure_ascii=False).encode()


def _small_arrays(source: Source) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """What is written whole; the lengths once the rows were."""
    arrays: dict[str, Any] = {"word_counts": source.word_counts, "eigenvalues": source.eigenvalues}
    further = {"rotation": source.rotation, "lengths": source.lengths}
    return arrays | {name: array for name, array in further.items() if array is not None}
