"""The tokens stage: documents -> words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from pmi_spark.corpus.token_files import SCHEMA, WORD_STRINGS
from pmi_spark.corpus.tokenizers import Tokenizer
from pmi_spark.parquet_files import ParquetEncoder, binary_value

Batches = Iterator[pa.RecordBatch]

# A row group has a dictionary of its words, which later stages look up once: 4 M words make it worth its size.
WORDS_PER_ROW_GROUP = 1 << 22
# About 20 MB.
WORDS_PER_FILE = 1 << 23

TOKEN_FILES = "file binary, documents bigint, words bigint"


def tokenize(documents: DataFrame, tokenizer: Tokenizer) -> DataFrame:
    """``document_id, text`` -> files of ``tokens`` (document_id, words) with their numbers of documents and words.

    Documents without a word are left out. A narrow map, a batch at a time: nothing is shuffled; memory is a row group's
    words (40 MB) and a file (20 MB).
    """
    return documents.select("document_id", "text").mapInArrow(_mapper(tokenizer), TOKEN_FILES)


def _mapper(tokenizer: Tokenizer) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        waiting = TokenFile()
        for batch in batches:
            words = tokenizer(batch.column("text")).cast(SCHEMA.field("words").type)
            rows = pa.RecordBatch.from_arrays([batch.column("document_id"), words], schema=SCHEMA)
            waiting.add(rows.filter(pc.greater(pc.list_value_length(words), 0)))
            if waiting.words >= WORDS_PER_FILE:
                yield waiting.finish()
                waiting = TokenFile()
        if waiting.documents:
            yield waiting.finish()

    return run


class TokenFile:
    """A file of tokens in the making, written a row group at a time."""

    def __init__(self) -> None:
        self.documents = 0
        self.words = 0
        self._encoder = ParquetEncoder(SCHEMA, dictionary=[WORD_STRINGS])
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_words = 0

    def add(self, rows: pa.RecordBatch) -> None:
        words = len(rows.column("words").flatten())
        self.documents += len(rows)
        self.words += words
        self._waiting.append(rows)
        self._waiting_words += words
        if self._waiting_words >= WORDS_PER_ROW_GROUP:
            self._write_row_group()

    def finish(self) -> pa.RecordBatch:
        """The file as a row of TOKEN_FILES."""
        if self._waiting:
            self._write_row_group()
        columns = [
            binary_value(self._encoder.finish()),
            pa.array([self.documents], pa.int64()),
            pa.array([self.words], pa.int64()),
        ]
        return pa.RecordBatch.from_arrays(columns, names=["file", "documents", "words"])

    def _write_row_group(self) -> None:
        self._encoder.add(pa.Table.from_batches(self._waiting, SCHEMA))
        self._waiting, self._waiting_words = [], 0
