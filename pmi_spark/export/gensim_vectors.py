"""Vectors as gensim saves its own, for ``KeyedVectors.load``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pmi_spark.errors import MissingToolError
from pmi_spark.export.source import Source

# The second is what gensim calls the array beside a file of the first one's name.
GENSIM_FILES = ("vectors.kv", "vectors.kv.vectors.npy")
_ROWS = "rows.npy"


def import_keyed_vectors() -> Any:
    """gensim's class; MissingToolError when it is not installed."""
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise MissingToolError(
            "the format gensim is written by gensim, which is not installed",
            cure="pip install gensim, or export word2vec-binary, which KeyedVectors.load_word2vec_format reads",
        ) from error
    return KeyedVectors


def write_gensim(source: Source, folder: Path) -> None:
    """``vectors.kv``, a pickle of words and counts as gensim makes it, and its array: ``KeyedVectors.load(...)``.

    Rows go to a file first and are mapped from there, so that gensim copies them from disk to disk; the words are
    Python strings in a list and a dictionary, about 200 bytes each.
    """
    keyed_vectors = import_keyed_vectors()
    rows = folder / _ROWS
    with rows.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": source.shape})
        for _, part in source.slices():
            file.write(np.ascontiguousarray(part, dtype="<f4").data)
    vectors = keyed_vectors(vector_size=source.shape[1], count=0, dtype=np.float32)
    vectors.index_to_key = source.words.to_pylist()
    vectors.key_to_index = {word: place for place, word in enumerate(vectors.index_to_key)}
    vectors.expandos = {"count": np.asarray(source.word_counts, dtype=np.int64)}
    vectors.vectors = np.load(rows, mmap_mode="r")
    # gensim would note the time, the machine and its versions.
    vectors.lifecycle_events = None
    vectors.save(str(folder / GENSIM_FILES[0]), separately=["vectors"])
    rows.unlink()
