"""The phrases stage: words that want each other become one token (Mikolov et al. 2013), judged by npmi (Bouma 2009).

A pass counts words and links (neighbouring words), keeps the links that are frequent and narrow enough, and joins them;
the next pass does so with the joined words. No pass is written down: each reads the files of ``tokens`` and joins what
the passes before it found on the way, 50 ns a word, so there is nothing to clean up and only the last result is stored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import Broadcast
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from pmi_spark.config import PhrasesConfig
from pmi_spark.corpus.phrase_links import (
    NPMI_DIGITS,
    Joiner,
    JoinRule,
    PhraseTable,
    Stream,
    count_links,
    find_links,
    npmi,
    pack_links,
    unpack_pairs,
)
from pmi_spark.corpus.token_files import SCHEMA, WORD_STRINGS, decode_tokens
from pmi_spark.errors import ConfigurationError
from pmi_spark.parquet_files import NO_ROW_COUNTS, ParquetEncoder, arrow_schema, binary_value, file_contents
from pmi_spark.schemas import PHRASES

Batches = Iterator[pa.RecordBatch]
Longs = npt.NDArray[np.int64]

# Packed links held until they are counted: 16 bytes each, and as much again while they are sorted.
LINKS_PER_RUN = 1 << 22
# Rows of a batch on its way to the JVM: 6 MB.
ROWS_PER_BATCH = 1 << 18

_WORD_COUNTS = "word string, word_count bigint"
_LINK_COUNTS = "pair bigint, between bigint, link_count bigint"
_SCORED = "pair bigint, between bigint, link_count bigint, npmi double"
PHRASE_FILES = "file binary, documents bigint, words bigint, joined array<bigint>"


def make_rule(settings: PhrasesConfig) -> JoinRule:
    """The spelling of phrases that a configuration asks for; ConfigurationError when it would cut them apart.

    >>> make_rule(PhrasesConfig(connectors="the, of"))
    JoinRule(delimiter='_', connectors=('of', 'the'))
    """
    if any(map(str.isspace, settings.delimiter)):
        raise ConfigurationError(
            f"phrases.delimiter = {settings.delimiter!r} holds white space", cure="take a character such as _"
        )
    connectors = {word.strip() for word in settings.connectors.split(",")}
    return JoinRule(settings.delimiter, tuple(sorted(connectors - {""})))


class PhrasePass(NamedTuple):
    """What a pass found: rows of PHRASES, the same as workers need them, and how many words it looked at."""

    rows: pa.Table
    table: PhraseTable
    words: int


def find_phrases(
    token_files: DataFrame, settings: PhrasesConfig, rule: JoinRule, row_counts: Mapping[str, int] = NO_ROW_COUNTS
) -> list[PhrasePass]:
    """Files of ``tokens`` -> the phrases of each pass; fewer passes than asked for when one finds nothing new.

    Two scans a pass. The first counts words, as the vocabulary does. Those that occur ``minimum_count`` times come to
    the driver and go to every worker: about 30 bytes each. No other word can be in a phrase (Agrawal and Srikant 1994),
    so the second scan counts links between them alone, exactly: nothing is ever pruned by chance or by memory. The
    shuffle carries 24 bytes a distinct link of a run of LINKS_PER_RUN, less what compression saves; the links that
    occur ``minimum_count`` times are scored where they are, and those accepted come to the driver, about 100 bytes
    each. A worker holds a file (20 MB), a piece of a row group (40 bytes a word, a document is not cut), the counted
    words and a run (150 MB). The result is the same for any partitioning, order or retry.
    """
    passes: list[PhrasePass] = []
    for number in range(1, settings.passes + 1):
        joins = _Joins(tuple(entry.table for entry in passes), rule)
        found = _find_in_pass(number, token_files, settings, joins, row_counts)
        passes.append(found)
        if not len(found.table):
            break
    return passes


@dataclass(frozen=True)
class _Joins:
    """What the passes so far join: a value that travels to the workers by broadcast."""

    tables: tuple[PhraseTable, ...]
    rule: JoinRule

    def joiner(self, dictionary: pa.Array) -> Joiner:
        return Joiner(dictionary, self.tables, self.rule)


def _find_in_pass(
    number: int, token_files: DataFrame, settings: PhrasesConfig, joins: _Joins, row_counts: Mapping[str, int]
) -> PhrasePass:
    context = token_files.sparkSession.sparkContext
    sent_joins = context.broadcast(joins)
    all_words = Observation()
    words = (
        token_files.mapInArrow(_word_counter(sent_joins, row_counts), _WORD_COUNTS)
        .groupBy("word")
        .agg(F.sum("word_count").alias("word_count"))
        .observe(all_words, F.coalesce(F.sum("word_count"), F.lit(0)).alias("words"))
        .where(F.col("word_count") >= settings.minimum_count)
        .toArrow()
        .combine_chunks()
    )
    total = all_words.get["words"]
    sent_words = context.broadcast(_column(words, "word"))
    counts = context.broadcast(np.asarray(words["word_count"]))
    scored = (
        token_files.mapInArrow(_link_counter(sent_joins, sent_words, row_counts), _LINK_COUNTS)
        .groupBy("pair", "between")
        .agg(F.sum("link_count").alias("link_count"))
        .where(F.col("link_count") >= settings.minimum_count)
        .mapInArrow(_scorer(counts, total, settings.threshold), _SCORED)
        .toArrow()
    )
    found = _as_phrases(number, scored, _column(words, "word"), joins.rule)
    for broadcast in (sent_joins, sent_words, counts):
        broadcast.unpersist()
    return PhrasePass(*found, total)


def _column(table: pa.Table, name: str) -> pa.Array:
    return table[name].combine_chunks()


def _groups(batches: Batches, row_counts: Mapping[str, int]) -> Iterator[pa.ListArray]:
    """The words of each row group of each file."""
    for path, content in file_contents(batches):
        for group in decode_tokens(path, content, row_counts.get(path, -1)):
            yield group.column("words").combine_chunks()


def _word_counter(joins: Broadcast[_Joins], row_counts: Mapping[str, int]) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for lists in _groups(batches, row_counts):
            joiner = joins.value.joiner(lists.flatten().dictionary)
            counts = np.zeros(len(joiner.words), dtype=np.int64)
            for piece in Stream.of(lists).pieces():
                counts += np.bincount(joiner.join(piece)[0].codes, minlength=len(counts))
            met = np.flatnonzero(counts)
            yield pa.RecordBatch.from_arrays([joiner.words.take(met), pa.array(counts[met])], ["word", "word_count"])

    return run


def _link_counter(
    joins: Broadcast[_Joins], words: Broadcast[pa.Array], row_counts: Mapping[str, int]
) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        waiting: list[tuple[Longs, Longs]] = []
        for lists in _groups(batches, row_counts):
            for packed in _links_of_group(lists, joins.value, words.value):
                waiting.append(packed)
                if sum(len(pairs) for pairs, _ in waiting) >= LINKS_PER_RUN:
                    yield from _count_run(waiting)
                    waiting = []
        if waiting:
            yield from _count_run(waiting)

    return run


def _links_of_group(lists: pa.ListArray, joins: _Joins, words: pa.Array) -> Iterator[tuple[Longs, Longs]]:
    """Packed links of a row group after the joins, a piece at a time; ids are places among ``words``."""
    joiner = joins.joiner(lists.flatten().dictionary)
    connector_of_code = joins.rule.connector_of_code(joiner.words)
    id_of_code = np.asarray(pc.index_in(joiner.words, words).fill_null(-1))
    for piece in Stream.of(lists).pieces():
        stream, _ = joiner.join(piece)
        yield pack_links(stream, find_links(stream, connector_of_code, joins.rule), id_of_code)


def _count_run(waiting: Sequence[tuple[Longs, Longs]]) -> Batches:
    pairs, betweens = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
    columns = [pa.array(values) for values in count_links(pairs, betweens)]
    counted = pa.RecordBatch.from_arrays(columns, names=["pair", "between", "link_count"])
    for start in range(0, len(counted), ROWS_PER_BATCH):
        yield counted.slice(start, ROWS_PER_BATCH)


def _scorer(counts: Broadcast[Longs], total: int, threshold: float) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for batch in batches:
            firsts, seconds = unpack_pairs(np.asarray(batch.column("pair")))
            scores = npmi(np.asarray(batch.column("link_count")), counts.value[firsts], counts.value[seconds], total)
            columns = [*batch.columns, pa.array(scores)]
            scored = pa.RecordBatch.from_arrays(columns, names=[*batch.schema.names, "npmi"])
            yield scored.filter(pa.array(scores >= threshold))

    return run


def _as_phrases(number: int, scored: pa.Table, words: pa.Array, rule: JoinRule) -> tuple[pa.Table, PhraseTable]:
    """Accepted links -> sorted rows of PHRASES, and the table of them."""
    first, second = (words.take(ids) for ids in unpack_pairs(np.asarray(scored["pair"])))
    table = PhraseTable.of(first, second, np.asarray(scored["between"]), rule)
    passes = np.full(len(table), number, dtype=np.int32)
    columns = [table.phrases, first, second, passes, scored["link_count"], scored["npmi"]]
    rows = pa.table(columns, schema=arrow_schema(PHRASES))
    order = [("phrase_count", "descending"), *((name, "ascending") for name in ("phrase", "first", "second", "npmi"))]
    return rows.sort_by(order).combine_chunks(), table


def join_files(
    token_files: DataFrame,
    passes: Sequence[PhrasePass],
    rule: JoinRule,
    row_counts: Mapping[str, int] = NO_ROW_COUNTS,
) -> DataFrame:
    """Files of ``tokens`` -> files of ``phrases``, one for one and row for row, with the phrases of all passes joined.

    Beside each its documents, its words, and how many phrases each pass made. A narrow map: nothing is shuffled. The
    phrases are broadcast, 50 bytes each. A file's bytes follow from its file of tokens and the phrases alone; which
    documents share a file is all that depends on how the text was read.
    """
    joins = token_files.sparkSession.sparkContext.broadcast(_Joins(tuple(entry.table for entry in passes), rule))
    return token_files.mapInArrow(_file_joiner(joins, row_counts), PHRASE_FILES)


def _file_joiner(joins: Broadcast[_Joins], row_counts: Mapping[str, int]) -> Callable[[Batches], Batches]:
    def run(batches: Batches) -> Batches:
        for path, content in file_contents(batches):
            encoder = ParquetEncoder(SCHEMA, dictionary=[WORD_STRINGS])
            words, joined = 0, np.zeros(len(joins.value.tables), dtype=np.int64)
            for group in decode_tokens(path, content, row_counts.get(path, -1)):
                lists, made = _join_lists(group.column("words").combine_chunks(), joins.value)
                encoder.add(pa.table([group.column("document_id"), lists], schema=SCHEMA))
                words += len(lists.values)
                joined += made
            yield pa.RecordBatch.from_arrays(
                [
                    binary_value(encoder.finish()),
                    pa.array([encoder.row_count]),
                    pa.array([words]),
                    pa.array([joined.tolist()], pa.list_(pa.int64())),
                ],
                names=["file", "documents", "words", "joined"],
            )

    return run


def _join_lists(lists: pa.ListArray, joins: _Joins) -> tuple[pa.ListArray, Longs]:
    """Lists of dictionary-encoded words -> lists of plain words, and how many phrases each pass made."""
    joiner = joins.joiner(lists.flatten().dictionary)
    pieces, made = zip(*(joiner.join(piece) for piece in Stream.of(lists).pieces()), strict=True)
    stream = Stream.concatenate(pieces)
    words = joiner.words.take(pa.array(stream.codes))
    return pa.ListArray.from_arrays(pa.array(stream.offsets), words, type=SCHEMA.field("words").type), sum(made)


def join_plain(words: Sequence[str], spans: Mapping[tuple[str, ...], object], rule: JoinRule) -> list[str]:
    """The plain twin of a pass's joining. ``spans`` holds every phrase as its words, connectors with them.

    >>> join_plain(["new", "york", "city"], {("new", "york"): 1, ("york", "city"): 1}, JoinRule("_"))
    ['new_york', 'city']
    """
    places = [place for place, word in enumerate(words) if word not in rule.connectors]
    joined: list[str] = []
    written = link = 0
    while link + 1 < len(places):
        start, end = places[link], places[link + 1] + 1
        if tuple(words[start:end]) in spans:
            joined += [*words[written:start], rule.delimiter.join(words[start:end])]
            written, link = end, link + 1
        link += 1
    return [*joined, *words[written:]]


def phrases_plain(
    documents: Sequence[Sequence[str]], minimum_count: int, threshold: float, rule: JoinRule
) -> tuple[list[list[str]], dict[tuple[str, ...], tuple[int, float]]]:
    """The plain twin of a pass: documents joined, and {words of a phrase: (how often they were linked, npmi)}.

    >>> documents = [["new", "york"], ["new", "york"], ["a", "new", "day"]]
    >>> phrases_plain(documents, minimum_count=2, threshold=0.5, rule=JoinRule("_"))
    ([['new_york'], ['new_york'], ['a', 'new', 'day']], {('new', 'york'): (2, 0.67634331609)})
    """
    words = Counter(word for document in documents for word in document)
    spans: Counter[tuple[str, ...]] = Counter()
    for document in documents:
        places = [place for place, word in enumerate(document) if word not in rule.connectors]
        spans.update(tuple(document[start : end + 1]) for start, end in pairwise(places))
    found = {}
    for span, count in spans.items():
        share, first, second = (n / words.total() for n in (count, words[span[0]], words[span[-1]]))
        score = round(math.log(share / (first * second)) / -math.log(share), NPMI_DIGITS)
        if count >= minimum_count and score >= threshold and len(span) - 2 <= rule.longest_between:
            found[span] = (count, score)
    return [join_plain(document, found, rule) for document in documents], found
