"""Texts as vectors: the sum or the mean of their words' vectors. Pure numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from pmi_spark.vectors.words import Words

# So many words' vectors are gathered at a time: 10 MB at 300 dimensions.
_WORDS_AT_ONCE = 4096


def sum_vectors(
    texts: pa.ListArray, words: Words, matrix: npt.NDArray[np.floating], mean: bool
) -> npt.NDArray[np.float64]:
    """Texts as lists of words -> the sums of their vectors (texts x d), or their means with ``mean``.

    Unknown words and nulls add nothing, but a mean divides by them too: it is over every word of the text, as
    ``Word2VecModel.transform`` has it. A text without words, or a null, is 0. ``matrix`` (words x d) may be mapped: the
    rows of words that occur are read, each once. 50 ns a word of the vocabulary, 2 d flops a word of text; memory is
    8 d bytes a text.

    >>> texts = pa.array([["b", "a", "b"], ["a", "new"], []])
    >>> sum_vectors(texts, Words(pa.array(["a", "b"])), np.array([[1.0, 0.0], [0.0, 2.0]]), mean=True)
    array([[0.33333333, 1.33333333], [0.5 , 0. ], [0. , 0. ]])
    """
    encoded = texts.flatten().dictionary_encode()
    # One more for nulls, which are no one's code.
    of_code = np.append(words.find(encoded.dictionary.cast(pa.string())), -1)
    ids = of_code[np.asarray(encoded.indices.fill_null(len(of_code) - 1))]
    lengths = np.asarray(texts.value_lengths().fill_null(0)).astype(np.int64)
    owners = np.repeat(np.arange(len(texts)), lengths)
    known = ids >= 0
    used, columns = np.unique(ids[known], return_inverse=True)
    counts = sparse.csc_array((np.ones(len(columns)), (owners[known], columns)), shape=(len(texts), len(used)))
    sums = np.zeros((len(texts), matrix.shape[1]))
    for start in range(0, len(used), _WORDS_AT_ONCE):
        part = slice(start, start + _WORDS_AT_ONCE)
        sums += counts[:, part] @ np.asarray(matrix[used[part]], np.float64)
    return sums / np.maximum(lengths, 1)[:, None] if mean else sums
