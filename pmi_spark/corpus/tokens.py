"""The tokens stage: documents -> words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pmi_spark.corpus.account import SAMPLES, UNDECODABLE, Account
from pmi_spark.corpus.token_files import SCHEMA, WORD_STRINGS
from pmi_spark.corpus.word_filters import WordLists
from pmi_spark.errors import RunError
from pmi_spark.parquet_files import ParquetEncoder, binary_value

Batches = Iterator[pa.RecordBatch]
# An Arrow array of strings -> their words, and how many of these were too long.
TextTokenizer = Callable[[pa.Array], WordLists]

# A row group has a dictionary of its words, which later stages look up once: 4 M words make it worth its size.
WORDS_PER_ROW_GROUP = 1 << 22
# About 20 MB.
WORDS_PER_FILE = 1 << 23

TOKEN_FILES = "file binary, documents bigint, words bigint, account string"
WORD_FILES = "file binary, documents bigint, words bigint"
_DOCUMENTS = ("document_id", "text", "shard", "bytes", "replaced_bytes", "reject")


@dataclass(frozen=True)
class DocumentRules:
    """Which documents are cut: see the configuration's keys of the same names.

    ``samples_each`` is how many rejected records of a reason a task shows.
    """

    minimum_words: int = 1
    maximum_replaced_share: float = 1.0
    strict: bool = False
    samples_each: int = SAMPLES


def tokenize(documents: DataFrame, tokenizer: TextTokenizer, rules: DocumentRules) -> DataFrame:
    """Documents -> files of ``tokens`` (document_id, words), with their numbers of documents and words and an account.

    ``documents`` has document_id, text, shard, bytes, replaced_bytes and reject, the reason why it is no document
    (null: it is one). The account (:mod:`pmi_spark.corpus.account`, JSON) speaks of all documents since the last file;
    a task's last row may have no ``file``. A narrow map, a batch at a time: nothing is shuffled; memory is a row
    group's words (40 MB) and a file (20 MB). With ``strict`` a task fails at the first document that is rejected for a
    fault of the input.
    """
    return documents.select(*_DOCUMENTS).mapInArrow(_mapper(tokenizer, rules), TOKEN_FILES)


def _mapper(tokenizer: TextTokenizer, rules: DocumentRules) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        waiting, account = TokenFile(), Account(samples_each=rules.samples_each)
        for batch in batches:
            waiting.add(_cut(batch, tokenizer, rules, account))
            if waiting.words >= WORDS_PER_FILE:
                yield _row(waiting, account)
                waiting, account = TokenFile(), Account(samples_each=rules.samples_each)
        if account.shards:
            yield _row(waiting, account)

    return run


def _cut(batch: pa.RecordBatch, tokenizer: TextTokenizer, rules: DocumentRules, account: Account) -> pa.RecordBatch:
    """The rows of ``tokens`` that a batch of documents gives; all of the batch goes into ``account``."""
    (words, long_tokens), reasons = judge_documents(batch, tokenizer, rules)
    account.add(batch, reasons, long_tokens)
    if rules.strict and account.samples:
        reason, [(shard, beginning), *_] = next(iter(account.samples.items()))
        raise RunError(
            f"{shard} has a record that is rejected, {reason.replace('_', ' ')}: it begins {beginning[:60]!r}",
            cure="mend it, or set input.strict to false",
        )
    rows = pa.RecordBatch.from_arrays([batch.column("document_id"), words], schema=SCHEMA)
    return rows.filter(pc.is_null(reasons))


def judge_documents(
    documents: pa.RecordBatch, tokenizer: TextTokenizer, rules: DocumentRules
) -> tuple[WordLists, pa.Array]:
    """Documents -> the words of each, and why it is dropped, whatever it has of them (null: it is kept)."""
    reasons = documents.column("reject")
    replaced = pc.greater(
        documents.column("replaced_bytes"), pc.multiply(documents.column("bytes"), rules.maximum_replaced_share)
    )
    reasons = pc.if_else(pc.and_(pc.is_null(reasons), replaced), UNDECODABLE, reasons)
    texts = documents.column("text")
    if reasons.null_count < len(reasons):
        # What is rejected has no words, and is not cut to find that out.
        texts = pc.if_else(pc.is_null(reasons), texts, "")
    words, long_tokens = tokenizer(texts)
    words = words.cast(SCHEMA.field("words").type)
    lengths = pc.list_value_length(words)
    reasons = pc.if_else(pc.and_(pc.is_null(reasons), pc.equal(lengths, 0)), "empty", reasons)
    too_short = pc.and_(pc.is_null(reasons), pc.less(lengths, rules.minimum_words))
    return WordLists(words, long_tokens), pc.if_else(too_short, "too_short", reasons)


def encode_words(documents: DataFrame) -> DataFrame:
    """A frame's ``words array<string>``, a row a document -> files of ``tokens``, as :func:`tokenize` makes them.

    Words and lists that are null are left out, and lists without a word; document_id is the xxhash64 of the words. A
    narrow map like the other, and the same memory.
    """
    present = documents.select(F.array_compact("words").alias("words")).where("size(words) > 0")
    return present.select(F.xxhash64("words").alias("document_id"), "words").mapInArrow(_encode, WORD_FILES)


def _encode(batches: Batches) -> Batches:
    waiting = TokenFile()
    for batch in batches:
        columns = [batch.column(name).cast(kind) for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True)]
        waiting.add(pa.RecordBatch.from_arrays(columns, schema=SCHEMA))
        if waiting.words >= WORDS_PER_FILE:
            yield _file(waiting)
            waiting = TokenFile()
    if waiting.documents:
        yield _file(waiting)


def _row(waiting: TokenFile, account: Account) -> pa.RecordBatch:
    """The file as a row of TOKEN_FILES."""
    row = _file(waiting)
    return pa.RecordBatch.from_arrays(
        [*row.columns, pa.array([account.to_json()])], names=[*row.schema.names, "account"]
    )


def _file(waiting: TokenFile) -> pa.RecordBatch:
    """The file as a row of WORD_FILES."""
    columns = [
        binary_value(waiting.finish()) if waiting.documents else pa.array([None], pa.binary()),
        pa.array([waiting.documents], pa.int64()),
        pa.array([waiting.words], pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["file", "documents", "words"])


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

    def finish(self) -> pa.Buffer:
        """The file but for its last four bytes."""
        if self._waiting:
            self._write_row_group()
        return self._encoder.finish()

    def _write_row_group(self) -> None:
        self._encoder.add(pa.Table.from_batches(self._waiting, SCHEMA))
        self._waiting, self._waiting_words = [], 0
