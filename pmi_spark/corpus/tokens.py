"""The tokens stage: documents -> words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from pmi_spark.corpus.tokenizers import Tokenizer, jieba_tokenizer, split_words
from pmi_spark.schemas import TOKENS

Batches = Iterator[pa.RecordBatch]


def choose_tokenizer(tokenizer: str, jieba_engine: str, jieba_hmm: bool) -> Tokenizer:
    """The tokenizer a configuration names; ``jieba_engine`` already resolved to jieba or rjieba."""
    return split_words if tokenizer == "words" else jieba_tokenizer(jieba_engine, jieba_hmm)


def tokenize(documents: DataFrame, tokenizer: Tokenizer) -> DataFrame:
    """``document_id, text`` -> ``tokens`` (document_id, words); documents without a word are left out.

    A narrow map through Arrow, a batch at a time: nothing is shuffled, memory is a batch.
    """
    return documents.select("document_id", "text").mapInArrow(_batch_mapper(tokenizer), TOKENS)


def _batch_mapper(tokenizer: Tokenizer) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            words = tokenizer(batch.column("text")).cast(pa.list_(pa.string()))
            result = pa.RecordBatch.from_arrays([batch.column("document_id"), words], names=TOKENS.fieldNames())
            yield result.filter(pc.greater(pc.list_value_length(words), 0))

    return run
