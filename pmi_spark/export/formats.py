"""The formats that vectors are exported to, by name. Imports nothing, so that help pages are there at once."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What the vectors become."""

    word2vec = "word2vec"
    word2vec_binary = "word2vec-binary"
    gensim = "gensim"
    numpy = "numpy"
    safetensors = "safetensors"
    projector = "projector"
