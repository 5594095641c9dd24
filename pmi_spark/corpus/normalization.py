"""Text -> the same text in one spelling, before it is cut."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pmi_spark.errors import MissingToolError


@dataclass(frozen=True)
class TextNormalizer:
    """Compatibility forms, then traditional Chinese, then capitals; each as configured, a text at a time."""

    normalize: str = "none"
    chinese: str = "keep"
    lower: bool = False

    def __call__(self, texts: pa.Array) -> pa.Array:
        """Strings -> strings; a missing text is an empty one. MissingToolError where OpenCC is needed and absent.

        >>> TextNormalizer(normalize="nfkc", lower=True)(pa.array(["ＡＢＣ１２ ﬁne", None])).to_pylist()
        ['abc12 fine', '']
        """
        texts = pc.fill_null(texts, "") if texts.null_count else texts
        if self.normalize == "nfkc":
            texts = pc.utf8_normalize(texts, "NFKC")
        if self.chinese == "simplified":
            texts = _simplified(texts)
        # Arrow maps one character to one: U+0130 to a plain i, where str.lower adds a combining dot.
        return pc.utf8_lower(texts) if self.lower else texts


def check_opencc() -> None:
    """MissingToolError when OpenCC, which turns traditional Chinese into simplified, is not installed."""
    if importlib.util.find_spec("opencc") is None:
        raise MissingToolError(
            "tokens.chinese is simplified, which needs OpenCC", cure="pip install 'pmi_spark[chinese]' on every machine"
        )


def _simplified(texts: pa.Array) -> pa.Array:
    """By OpenCC's t2s, words before characters: 乾隆 keeps its 乾, 乾燥 becomes 干燥."""
    has_han = pc.match_substring_regex(texts, r"\p{Han}")
    if not pc.any(has_han, min_count=0).as_py():
        return texts
    convert = _converter().convert
    converted = [convert(text) for text in texts.filter(has_han).to_pylist()]
    return pc.replace_with_mask(texts, has_han, pa.array(converted, type=texts.type))


@lru_cache(maxsize=1)
def _converter() -> Any:
    """OpenCC with its dictionaries, once a worker process."""
    check_opencc()
    import opencc

    return opencc.OpenCC("t2s")
