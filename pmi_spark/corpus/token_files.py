"""The files of ``tokens``, as the stages that read them decode them."""

from __future__ import annotations

import pyarrow as pa

from pmi_spark.parquet_files import arrow_schema, decode_row_groups
from pmi_spark.schemas import TOKENS

SCHEMA = arrow_schema(TOKENS)
# The column of strings inside the lists: stored by dictionary, and read as one, so that a word is looked up once.
WORD_STRINGS = "words.list.element"


def decode_tokens(path: str, content: pa.Buffer | bytes, row_count: int = -1) -> list[pa.Table]:
    """A file of tokens -> its row groups, words as dictionaries; see :func:`decode_row_groups` for the rest."""
    return decode_row_groups(path, content, SCHEMA, [WORD_STRINGS], row_count)
