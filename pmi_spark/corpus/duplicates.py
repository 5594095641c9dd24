"""Copies and boilerplate: documents that came before, lines that the corpus repeats.

Two texts are the same when they are equal after :func:`normal_form`: lower case, every run of white space one space,
none at the ends. Unicode's compatibility forms (NFKC) are left apart: the JVM's SQL functions have no normalizer, and a
pass through Python would cost more than the hash; copies on the web are copied bytes.

Hashes stand for texts. Two documents are taken for the same by 128 bits (xxhash64 under two seeds): among n = 10^10
documents the chance that any two different ones are is n^2 / 2^129 = 1.5e-19. One hash of 64 bits would merge three
pairs. Lines take 64 bits: a line is lost when it shares its hash with one that is too frequent, and with 10^6 of those
among 10^11 different lines 0.005 are. No one is kept from making texts collide on purpose; they would lose a document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Broadcast
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pmi_spark.errors import RunError

Batches = Iterator[pa.RecordBatch]
Hashes = npt.NDArray[np.int64]

DUPLICATE, EMPTY = "duplicate", "empty"
# Shorter lines (normal form, characters) repeat by nature: a word, a number, a bracket.
SHORTEST_LINE = 10
# Hashes of too frequent lines that a worker holds: 256 MB. At 10^11 lines by Zipf's law 4 M of them occur more than
# 1000 times.
MOST_REPEATED_LINES = 1 << 25

_HASHES = "_hashes"
# What Python's str.split takes for white space: controls that separate, and Unicode's category Z.
_WHITE_SPACE = r"[\t-\r\x1c-\x20\x85\p{Z}]+"


def normal_form(text: Column) -> Column:
    """Lower case, every run of white space one space, none at the ends; in the JVM, 10 ns a character."""
    return F.trim(F.regexp_replace(F.lower(text), _WHITE_SPACE, " "))


def normal_form_plain(text: str) -> str:
    r"""The plain twin of :func:`normal_form`.

    >>> normal_form_plain("  Two\n\tWORDS ")
    'two words'
    """
    return " ".join(text.lower().split())


def drop_duplicates(documents: DataFrame) -> DataFrame:
    """Documents -> the same rows, where of those of one text all but one have ``reject`` = duplicate and no ``text``.

    ``documents`` has document_id, text, shard, bytes, replaced_bytes and reject (null: a document). Rejected rows and
    blank texts are passed through; they neither are copies nor have any. The copy that stays is the least by
    (document_id, text, shard, bytes, replaced_bytes), whatever the order or the partitions; rows that are equal in all
    of these are told apart by nothing.

    This shuffles every row with its text, once, by 128 bits of hash, and sorts them there; both spill, so memory is
    bounded. The source is read once, and what is dropped can be counted where the rows are used. Sending hashes alone
    would spare the texts their way, but then the source is read, unpacked and parsed a second time, and a set of copies
    that is too large to broadcast brings the texts on their way after all. But: all copies of one text meet in one
    task.
    """
    is_document = F.col("reject").isNull()
    normal = normal_form(F.col("text"))
    # Rows that are no one's copy are dealt out evenly, apart from documents.
    compared = is_document & (normal != "")
    columns = ("document_id", "text", "shard", "bytes", "replaced_bytes")
    key = F.when(compared, F.struct(F.xxhash64(normal), F.xxhash64(F.lit(1), normal)))
    spread = F.when(~compared, F.xxhash64(*columns))
    hashed = documents.withColumns({"_key": key, "_spread": spread})
    place = F.row_number().over(Window.partitionBy("_key", "_spread").orderBy(*columns))
    is_copy = F.col("_key").isNotNull() & (F.col("_place") > 1)
    return hashed.withColumn("_place", place).select(
        *(_replaced(name, is_copy, {"text": "", "reject": DUPLICATE}) for name in documents.columns)
    )


def _replaced(name: str, where: Column, values: dict[str, str]) -> Column:
    return F.when(where, F.lit(values[name])).otherwise(F.col(name)).alias(name) if name in values else F.col(name)


class Document(NamedTuple):
    """A row of documents, for the plain twins."""

    document_id: int
    text: str
    shard: str
    bytes: int
    replaced_bytes: int
    reject: str | None


def drop_duplicates_plain(documents: Sequence[Document]) -> list[Document]:
    """The plain twin of :func:`drop_duplicates`; rows come back in order of their columns.

    >>> rows = [Document(2, "A  b", "s", 4, 0, None), Document(1, "a b", "s", 3, 0, None)]
    >>> [(row.document_id, row.reject) for row in drop_duplicates_plain(rows)]
    [(1, None), (2, 'duplicate')]
    """
    seen: set[str] = set()
    result = []
    for row in sorted(documents, key=lambda row: row[:5]):
        normal = normal_form_plain(row.text)
        if row.reject is None and normal in seen:
            row = row._replace(text="", reject=DUPLICATE)
        elif row.reject is None and normal:
            seen.add(normal)
        result.append(row)
    return result


class LimitedLines(NamedTuple):
    """Documents without the lines that came too often; how many different ones those were, and occurrences in all."""

    documents: DataFrame
    lines: int
    occurrences: int


def limit_repeated_lines(documents: DataFrame, most: int, shortest: int = SHORTEST_LINE) -> LimitedLines:
    """Leave out every occurrence of a line that occurs more than ``most`` times in the whole corpus.

    All of them, for the first ``most`` would depend on an order. Lines are compared by their normal form; those of
    fewer than ``shortest`` characters stay. A document that has become blank has no ``text`` and ``reject`` = empty;
    rejected rows are passed through and not counted.

    The source is read twice. The first time, here and now, lines are counted exactly by their 64-bit hash: each task
    sums its own first, so the shuffle carries 16 bytes for each different line of a task, 1.6 TB at most for 10^11
    lines, and no line is too frequent for it. The driver collects the hashes above ``most`` and sends them to every
    worker, 8 bytes each. There are at most lines / most of them, in practice far fewer (see MOST_REPEATED_LINES).
    The second time, when the result is used, hashes are looked up by bisection, 0.1 us a line; nothing is shuffled.

    Raises RunError when more than MOST_REPEATED_LINES lines are too frequent.
    """
    hashed = _with_line_hashes(documents, shortest)
    counts = hashed.select(F.explode(_HASHES).alias("hash")).where(F.col("hash").isNotNull()).groupBy("hash").count()
    # One row more than can be held tells that there are too many.
    repeated = counts.where(F.col("count") > most).limit(MOST_REPEATED_LINES + 1).toArrow()
    if len(repeated) > MOST_REPEATED_LINES:
        raise RunError(
            f"more than {MOST_REPEATED_LINES:,} lines occur more than {most:,} times",
            cure="raise input.maximum_line_count",
        )
    frequent = np.sort(np.asarray(repeated["hash"]))
    occurrences = int(np.asarray(repeated["count"]).sum())
    if not len(frequent):
        return LimitedLines(documents, 0, 0)
    broadcast = documents.sparkSession.sparkContext.broadcast(frequent)
    left = hashed.mapInArrow(_line_remover(broadcast), documents.schema)
    return LimitedLines(left, len(frequent), occurrences)


def _with_line_hashes(documents: DataFrame, shortest: int) -> DataFrame:
    """Documents with a hash for each of their lines, null for those that are let be; none for rejected rows."""
    lines = F.when(F.col("reject").isNull(), F.split("text", "\n")).otherwise(F.array().cast("array<string>"))
    normal = F.transform(lines, normal_form)
    hashes = F.transform(normal, lambda line: F.when(F.length(line) >= shortest, F.xxhash64(line)))
    return documents.withColumn(_HASHES, hashes)


def _line_remover(frequent: Broadcast[Hashes]) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            text, touched = remove_lines(batch.column("text"), batch.column(_HASHES), frequent.value)
            blank = pc.and_(touched, pc.equal(pc.utf8_trim_whitespace(text), ""))
            columns = {
                "text": pc.if_else(blank, "", text),
                "reject": pc.if_else(blank, EMPTY, batch.column("reject")),
            }
            names = [name for name in batch.schema.names if name != _HASHES]
            yield pa.RecordBatch.from_arrays([columns.get(name, batch.column(name)) for name in names], names=names)

    return run


def remove_lines(texts: pa.Array, hashes: pa.ListArray, frequent: Hashes) -> tuple[pa.Array, pa.Array]:
    r"""Texts without the lines whose hash is in ``frequent`` (sorted, not empty), and which texts had such lines.

    ``hashes`` has one number for each line of a text, null where the line is let be; an empty list lets be the text.

    >>> remove_lines(pa.array(["a\nb\nc", "d"]), pa.array([[1, 2, None], [3]]), np.array([2, 7]))[0].to_pylist()
    ['a\nc', 'd']
    """
    flat = hashes.flatten()
    values = np.asarray(flat.fill_null(0))
    places = np.minimum(np.searchsorted(frequent, values), len(frequent) - 1)
    gone = (frequent[places] == values) & np.asarray(flat.is_valid())
    passed = np.concatenate(([0], np.cumsum(gone)))
    offsets = np.asarray(hashes.offsets) - hashes.offsets[0].as_py()
    touched = pa.array(passed[offsets[1:]] > passed[offsets[:-1]])
    lines = pc.split_pattern(texts.filter(touched), "\n")
    stays = ~gone[np.repeat(np.asarray(touched), np.diff(offsets))]
    kept = np.concatenate(([0], np.cumsum(stays)))[np.asarray(lines.offsets) - lines.offsets[0].as_py()]
    joined = pc.binary_join(
        pa.ListArray.from_arrays(pa.array(kept, pa.int32()), lines.flatten().filter(pa.array(stays))), "\n"
    )
    return pc.replace_with_mask(texts, touched, joined.cast(texts.type)), touched


def limit_repeated_lines_plain(
    documents: Sequence[Document], most: int, shortest: int = SHORTEST_LINE
) -> list[Document]:
    r"""The plain twin of :func:`limit_repeated_lines`.

    >>> rows = [Document(k, text, "s", 9, 0, None) for k, text in enumerate(["All rights\nx", "ALL  RIGHTS"])]
    >>> [(row.text, row.reject) for row in limit_repeated_lines_plain(rows, most=1)]
    [('x', None), ('', 'empty')]
    """
    normal_lines = (normal_form_plain(line) for row in documents if not row.reject for line in row.text.split("\n"))
    counts = Counter(line for line in normal_lines if len(line) >= shortest)
    result = []
    for row in documents:
        lines = row.text.split("\n")
        kept = [line for line in lines if row.reject or counts[normal_form_plain(line)] <= most]
        if len(kept) < len(lines):
            text = "\n".join(kept)
            row = row._replace(text=text) if text.strip() else row._replace(text="", reject=EMPTY)
        result.append(row)
    return result
