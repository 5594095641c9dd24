"""Tokens -> pairs: the plain twin's counts, whatever the files, the order, the memory or the failures."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark import RDD
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from pmi_spark.cooccurrence.counting import CountingPlan, Words
from pmi_spark.cooccurrence.pair_block import BlockLayout
from pmi_spark.cooccurrence.pairs import PairCounts, count_pairs
from pmi_spark.cooccurrence.windows import (
    GAP,
    Weighting,
    count_pairs_plain,
    distance_weights,
    hash_documents,
    keep_thresholds,
    subsample,
)
from pmi_spark.errors import RunError
from pmi_spark.java import java_problem
from pmi_spark.parquet_files import ENCODED_FILES, MAGIC, arrow_schema
from pmi_spark.schemas import PAIRS

Documents = Sequence[Sequence[str]]
Cells = dict[tuple[int, int], int]
Row = tuple[int, int, int]
WORDS = list("abcdefgh")
UNKNOWN = ["rare", "\u4eac"]
SMALLEST_MEMORY = 1 << 10
ROOMY_MEMORY = 256 << 20


class Laid(NamedTuple):
    """How the windows are laid, and over which words."""

    window: int = 3
    weighting: str = "linear"
    unknown: str = "drop"
    threshold: float = 0.0

    @property
    def weights(self) -> Weighting:
        return distance_weights(self.weighting, self.window)


def words_for(documents: Documents, words: Sequence[str], threshold: float) -> Words:
    """The vocabulary of WORDS (others are unknown); a threshold of 0 subsamples nothing."""
    counted = Counter(word for document in documents for word in document)
    word_counts = np.array([max(1, counted[word]) for word in words])
    return Words(pa.array(words), keep_thresholds(word_counts / word_counts.sum(), threshold) if threshold else None)


def plan_for(
    laid: Laid, vocabulary_size: int, files: int = 3, blocks_per_file: int = 2, memory_bytes: int = ROOMY_MEMORY
) -> CountingPlan:
    layout = BlockLayout(vocabulary_size, files * blocks_per_file)
    return CountingPlan(layout, files, laid.window, laid.weights, laid.unknown == "gap", memory_bytes)


class CountOf(NamedTuple):
    """Counts documents on Spark."""

    spark: SparkSession
    token_files_rdd: Callable[..., tuple[RDD[tuple[str, bytes]], list[str]]]

    def __call__(
        self,
        documents: Documents,
        laid: Laid = Laid(),  # noqa: B008 (a value)
        *,
        words: Sequence[str] = WORDS,
        token_files: int = 2,
        tasks: int = 0,
        order: Sequence[int] | None = None,
        minimum_units: int = 0,
        **planned: int,
    ) -> PairCounts:
        """``planned`` is what plan_for takes besides."""
        files, paths = self.token_files_rdd(documents, token_files, order, tasks)
        known = words_for(documents, words, laid.threshold)
        return count_pairs(self.spark, files, paths, known, plan_for(laid, len(words), **planned), minimum_units)


@pytest.fixture(scope="session")
def count(spark: SparkSession, token_files_rdd: Callable) -> CountOf:
    return CountOf(spark, token_files_rdd)


def tables_of(counts: PairCounts) -> list[pa.Table]:
    return [pq.read_table(pa.BufferReader(row["file"] + MAGIC.encode())) for row in counts.pairs.collect()]


def rows_of(table: pa.Table) -> list[Row]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def cells_of(counts: PairCounts) -> Cells:
    rows = [row for table in tables_of(counts) for row in rows_of(table)]
    cells = {(word_id, context_id): pair_count for word_id, context_id, pair_count in rows}
    assert len(cells) == len(rows), "a pair stands in the table twice"
    return cells


def marginals_of(cells: Cells, size: int) -> list[int]:
    """Row sums and column sums of the upper triangle: each pair adds to both its words."""
    table = np.zeros((size, size), dtype=np.int64)
    for (word_id, context_id), units in cells.items():
        table[word_id, context_id] = units
    return (table.sum(axis=0) + table.sum(axis=1)).tolist()


def kept_ids(documents: Documents, laid: Laid, words: Sequence[str] = WORDS) -> list[list[int]]:
    """Documents as ids, subsampled by the package's own hash, gaps where they stay."""
    id_of_word = {word: number for number, word in enumerate(words)}
    thresholds = words_for(documents, words, laid.threshold).thresholds
    found = []
    for number, document in enumerate(documents):
        ids = np.array([id_of_word.get(word, GAP) for word in document], dtype=np.int32)
        if thresholds is not None:
            hashes = hash_documents(np.full(len(ids), number))
            ids[~subsample(ids, hashes, np.arange(len(ids)), thresholds)] = GAP
        found.append(ids.tolist() if laid.unknown == "gap" else ids[ids != GAP].tolist())
    return found


def plain_cells(documents: Documents, laid: Laid, words: Sequence[str] = WORDS) -> Cells:
    return count_pairs_plain(kept_ids(documents, laid, words), laid.window, laid.weights)


DOCUMENTS = st.lists(st.lists(st.sampled_from([*WORDS, *UNKNOWN]), max_size=14), min_size=1, max_size=8)
LAID = st.builds(
    Laid,
    st.integers(1, 6),
    st.sampled_from(["flat", "linear", "harmonic"]),
    st.sampled_from(["drop", "gap"]),
    st.sampled_from([0.0, 0.05]),
)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(documents=DOCUMENTS, laid=LAID, token_files=st.sampled_from([1, 2, 9]), files=st.sampled_from([1, 3, 5]))
def test_counts_of_any_documents_equal_the_plain_twins(
    count: CountOf, documents: Documents, laid: Laid, token_files: int, files: int
) -> None:
    counts = count(documents, laid, token_files=token_files, files=files)
    plain = plain_cells(documents, laid)
    assert cells_of(counts) == plain
    assert counts.marginals.tolist() == marginals_of(plain, len(WORDS))


def random_documents(seed: int) -> Documents:
    """80 documents of 0 to 24 words, the earlier words of WORDS the likelier, a tenth of them unknown."""
    generator = np.random.default_rng(seed)
    chances = np.array([*(1 / np.arange(1, len(WORDS) + 1)), 0.15, 0.15])
    lengths = generator.integers(0, 25, 80)
    return [generator.choice([*WORDS, *UNKNOWN], length, p=chances / chances.sum()).tolist() for length in lengths]


COMBINATIONS = list(
    product(["flat", "linear", "harmonic"], ["drop", "gap"], [0.0, 0.02], ["all pairs", "frequent pairs"], [1, 2, 5])
)


@pytest.mark.parametrize(("weighting", "unknown", "threshold", "pairs", "window"), COMBINATIONS)
def test_counts_equal_the_plain_twins_for_each_combination_of_settings(
    count: CountOf, weighting: str, unknown: str, threshold: float, pairs: str, window: int
) -> None:
    laid = Laid(window, weighting, unknown, threshold)
    documents = random_documents(COMBINATIONS.index((weighting, unknown, threshold, pairs, window)))
    plain = plain_cells(documents, laid)
    minimum_units = sorted(plain.values())[len(plain) // 2] if pairs == "frequent pairs" else 0
    counts = count(documents, laid, minimum_units=minimum_units)
    frequent = {pair: units for pair, units in plain.items() if units >= minimum_units}
    assert cells_of(counts) == frequent
    assert (len(frequent) < len(plain)) == (pairs == "frequent pairs")
    assert counts.marginals.tolist() == marginals_of(plain, len(WORDS))


@pytest.mark.parametrize("unknown", ["drop", "gap"])
def test_subsampling_takes_some_words_and_leaves_some(unknown: str) -> None:
    documents = random_documents(0)
    kept, all_known = (kept_ids(documents, Laid(1, "flat", unknown, threshold)) for threshold in (0.02, 0.0))
    share = sum(number != GAP for ids in kept for number in ids) / sum(
        number != GAP for ids in all_known for number in ids
    )
    assert 0.2 < share < 0.8
    assert (sum(map(len, kept)) == sum(map(len, all_known))) == (unknown == "gap")


def long_text(size: int = 40, documents: int = 60, length: int = 90, seed: int = 3) -> tuple[Documents, list[str]]:
    """A Zipf-like text whose documents differ in length, and its words."""
    generator = np.random.default_rng(seed)
    words = [f"w{number:02d}" for number in range(size)]
    chances = 1 / np.arange(1, size + 1)
    lengths = generator.integers(0, length, documents)
    return [generator.choice(words, count, p=chances / chances.sum()).tolist() for count in lengths], words


@pytest.fixture(scope="module")
def counts(count: CountOf) -> PairCounts:
    """A longer text counted, into 4 files of 2 blocks each."""
    documents, words = long_text()
    return count(documents, words=words, files=4)


class TestLaws:
    def test_the_smaller_id_comes_first_and_no_pair_repeats(self, counts: PairCounts) -> None:
        assert all(word_id < context_id for word_id, context_id in cells_of(counts))

    def test_marginals_are_row_sums_plus_column_sums(self, counts: PairCounts) -> None:
        assert counts.marginals.tolist() == marginals_of(cells_of(counts), 40)

    def test_every_count_is_positive(self, counts: PairCounts) -> None:
        assert min(cells_of(counts).values()) > 0

    def test_every_shard_is_read(self, counts: PairCounts) -> None:
        assert counts.skipped == ()

    def test_files_are_of_the_declared_columns(self, counts: PairCounts) -> None:
        assert [f"{entry.name} {entry.dataType.simpleString()}" for entry in counts.pairs.schema] == [ENCODED_FILES]
        assert [table.schema for table in tables_of(counts)] == [arrow_schema(PAIRS)] * 4

    def test_a_file_holds_its_share_of_the_words_block_by_block_sorted(self, counts: PairCounts) -> None:
        for file, table in enumerate(tables_of(counts)):
            keys = [(word_id % 8, word_id, context_id) for word_id, context_id, _ in rows_of(table)]
            assert keys == sorted(keys)
            assert {block for block, _, _ in keys} == {file, file + 4}

    def test_windows_never_cross_documents(self, count: CountOf) -> None:
        assert cells_of(count([["a"], ["b"], [], ["c"]], token_files=1)) == {}

    @pytest.mark.parametrize(("files", "blocks_per_file"), [(1, 1), (64, 1), (3, 5)])
    def test_the_number_of_files_and_blocks_changes_no_count(
        self, count: CountOf, counts: PairCounts, files: int, blocks_per_file: int
    ) -> None:
        documents, words = long_text()
        other = count(documents, words=words, files=files, blocks_per_file=blocks_per_file)
        assert other.marginals.tolist() == counts.marginals.tolist()
        assert cells_of(other) == cells_of(counts)


class TestUnknownWords:
    DOCUMENT = ("a", "rare", "rare", "b")

    def test_dropped_ones_leave_no_room_in_the_window(self, count: CountOf) -> None:
        assert cells_of(count([self.DOCUMENT], Laid(1, "flat", "drop"))) == {(0, 1): 1}

    def test_gaps_take_up_room_in_the_window(self, count: CountOf) -> None:
        assert cells_of(count([self.DOCUMENT], Laid(2, "flat", "gap"))) == {}
        assert cells_of(count([self.DOCUMENT], Laid(3, "flat", "gap"))) == {(0, 1): 1}


SAME_DOCUMENTS, SAME_WORDS = long_text(documents=160, length=300, seed=4)


@pytest.fixture(scope="module")
def encoded(count: CountOf) -> Callable[..., list[bytes]]:
    """``encoded(token_files=..., ...)``: the files that one and the same text gives."""

    def encode(**how: int | Sequence[int]) -> list[bytes]:
        counts = count(SAME_DOCUMENTS, Laid(threshold=0.05), words=SAME_WORDS, files=8, **how)
        return [bytes(row["file"]) for row in counts.pairs.collect()]

    return encode


@pytest.fixture(scope="module")
def reference(encoded: Callable[..., list[bytes]]) -> list[bytes]:
    return encoded(token_files=1)


class TestSameBytes:
    """The artifact's files are the same to the byte however they came about."""

    def test_each_file_is_its_own(self, reference: list[bytes]) -> None:
        assert len(set(reference)) == 8

    @pytest.mark.parametrize("token_files", [1, 2, 7, 64])
    def test_for_any_partitions(self, encoded: Callable, reference: list[bytes], token_files: int) -> None:
        assert encoded(token_files=token_files) == reference

    def test_for_more_partitions_than_documents(self, count: CountOf) -> None:
        one, many = (count([["a", "b"], ["b", "c", "a"]], token_files=files) for files in (1, 5))
        assert many.pairs.collect() == one.pairs.collect()
        assert many.skipped == ()

    def test_for_several_files_a_task(self, encoded: Callable, reference: list[bytes]) -> None:
        assert encoded(token_files=7, tasks=2) == reference

    @pytest.mark.parametrize("seed", [1, 2])
    def test_for_any_order_of_documents(self, encoded: Callable, reference: list[bytes], seed: int) -> None:
        order = np.random.default_rng(seed).permutation(len(SAME_DOCUMENTS)).tolist()
        assert encoded(token_files=3, order=order) == reference

    @pytest.mark.parametrize("memory_bytes", [SMALLEST_MEMORY, 1 << 20])
    def test_for_any_memory(self, encoded: Callable, reference: list[bytes], memory_bytes: int) -> None:
        assert encoded(token_files=2, memory_bytes=memory_bytes) == reference

    def test_for_any_cut_of_the_corpus_into_shards(
        self, run_stages: Callable, digests: Callable, tmp_path: Path, two_topics: list[str]
    ) -> None:
        lines = two_topics[:300]
        (tmp_path / "whole.txt").write_text("\n".join(lines), encoding="utf-8")
        for place, shard in enumerate(shards_backwards(lines)):
            (tmp_path / f"shard{place}.txt").write_text("\n".join(shard), encoding="utf-8")
        stages, overrides = ("tokens", "vocabulary", "pairs"), ["pairs.subsample=0.01"]
        run_stages(tmp_path / "one", [tmp_path / "whole.txt"], stages, overrides)
        run_stages(tmp_path / "many", [f"{tmp_path}/shard*.txt"], stages, [*overrides, "pairs.memory=16"])
        for folder in ("vocabulary", "pairs", "pairs/_marginals"):
            found = digests(tmp_path / "one" / folder)
            assert found
            assert digests(tmp_path / "many" / folder) == found


def shards_backwards(lines: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(len(lines), 0, -83):
        yield lines[max(0, start - 83) : start][::-1]


def cut_short(content: bytes) -> bytes:
    return content[:-9]


def with_a_bit_turned(content: bytes) -> bytes:
    """The bit lies in the last page of words: the file's end says where."""
    chunk = pq.ParquetFile(pa.BufferReader(content)).metadata.row_group(0).column(1)
    place = chunk.dictionary_page_offset + chunk.total_compressed_size - 1
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def nothing_left(content: bytes) -> bytes:
    return b""


HARMS = (cut_short, with_a_bit_turned, nothing_left)
BAD = "token-file-1"
SHARD_DOCUMENTS, SHARD_WORDS = long_text(documents=40)

Shards = dict[str, bytes]


@pytest.fixture(scope="module")
def counted(spark: SparkSession, token_files: Callable) -> Callable[..., PairCounts]:
    """``counted(change)``: count what ``change`` makes of four shards; their own paths are expected."""

    def run(change: Callable[[Shards], Shards], skip_bad_shards: bool = False) -> PairCounts:
        shards = dict(token_files(SHARD_DOCUMENTS, 4))
        delivered = spark.sparkContext.parallelize(list(change(dict(shards)).items()), 2)
        words = words_for(SHARD_DOCUMENTS, SHARD_WORDS, 0.0)
        return count_pairs(spark, delivered, dict.fromkeys(shards, 10), words, plan_for(Laid(), 40), 0, skip_bad_shards)

    return run


@pytest.fixture(scope="module")
def rest() -> Cells:
    """The counts of the other three shards."""
    others = [document for number, document in enumerate(SHARD_DOCUMENTS) if number % 4 != 1]
    return plain_cells(others, Laid(), SHARD_WORDS)


def harmed(harm: Callable[[bytes], bytes]) -> Callable[[Shards], Shards]:
    return lambda shards: shards | {BAD: harm(shards[BAD])}


def lost(shards: Shards) -> Shards:
    return {path: content for path, content in shards.items() if path != BAD}


class TestBadShards:
    """Four shards of a longer text; something befalls the second."""

    @pytest.mark.parametrize("harm", HARMS)
    def test_a_damaged_one_is_named(self, counted: Callable, harm: Callable) -> None:
        with pytest.raises(PythonException, match=f"UnreadableFileError: .*cannot read {BAD}: "):
            counted(harmed(harm))

    @pytest.mark.parametrize("harm", HARMS)
    def test_a_damaged_one_is_left_out_on_demand(self, counted: Callable, rest: Cells, harm: Callable) -> None:
        counts = counted(harmed(harm), skip_bad_shards=True)
        assert counts.skipped == (BAD,)
        assert cells_of(counts) == rest
        assert counts.marginals.tolist() == marginals_of(rest, 40)

    def test_one_that_never_came_is_named(self, counted: Callable) -> None:
        with pytest.raises(RunError, match=f"^{BAD} was not read; "):
            counted(lost)

    def test_one_that_never_came_is_left_out_on_demand(self, counted: Callable, rest: Cells) -> None:
        counts = counted(lost, skip_bad_shards=True)
        assert counts.skipped == (BAD,)
        assert cells_of(counts) == rest

    def test_all_may_be_left_out(self, counted: Callable) -> None:
        counts = counted(lambda shards: dict.fromkeys(shards, b""), skip_bad_shards=True)
        assert counts.skipped == tuple(f"token-file-{number}" for number in range(4))
        assert cells_of(counts) == {}
        assert not counts.marginals.any()

    @pytest.mark.parametrize("skip_bad_shards", [False, True])
    def test_one_that_nobody_expects_is_not_counted(
        self, counted: Callable, token_files: Callable, skip_bad_shards: bool
    ) -> None:
        ((_, stray),) = token_files([["w00", "w01"] * 50], 1)
        more = {"stray": stray, "half": stray[:9]}
        counts = counted(lambda shards: more | shards, skip_bad_shards)
        assert counts.skipped == ()
        assert cells_of(counts) == plain_cells(SHARD_DOCUMENTS, Laid(), SHARD_WORDS)


# local[2] gives a task one attempt; local[2,4] four, as a cluster does. The odd tasks of both stages fail at their end.
COUNT_WITH_FAILURES = """
import json, os, pickle, sys
from pathlib import Path
from pyspark import TaskContext
from pmi_spark.artifacts import Artifacts
from pmi_spark.cooccurrence.pairs import count_pairs
from pmi_spark.session import start_session
from pmi_spark.storage import Storage

folder = sys.argv[1]
shards, words, plan = pickle.loads(Path(folder, "task.pickle").read_bytes())
spark = start_session()

def odd_tasks(fail):
    def failing(step):
        def run(rows):
            yield from rows
            task = TaskContext.get()
            if task.partitionId() % 2 and not task.attemptNumber():
                Path(folder, f"{fail.__name__}-{step}-{task.partitionId()}.failed").touch()
                fail()
        return lambda rdd: rdd.mapPartitions(run)
    return failing

def error():
    raise ValueError

def crash():
    os._exit(1)

def count(name, wrap):
    files = wrap("counting")(spark.sparkContext.parallelize(shards, len(shards)))
    counts = count_pairs(spark, files, dict.fromkeys((path for path, _ in shards), -1), words, plan, 0)
    pairs = spark.createDataFrame(wrap("writing")(counts.pairs.rdd), counts.pairs.schema)
    Artifacts(spark, Storage(spark), f"{folder}/{name}").write_encoded("pairs", pairs)
    return counts.marginals.tolist()

wraps = {"calm": lambda step: lambda rdd: rdd, "error": odd_tasks(error), "crash": odd_tasks(crash)}
marginals = {name: count(name, wrap) for name, wrap in wraps.items()}
Path(folder, "marginals.json").write_text(json.dumps(marginals))
"""


@pytest.mark.skipif(java_problem() is not None, reason="a session needs Java")
def test_tasks_that_failed_or_crashed_and_were_tried_again_change_no_byte(
    token_files: Callable, digests: Callable, tmp_path: Path
) -> None:
    shards = token_files(SAME_DOCUMENTS, 4)
    plan = plan_for(Laid(), len(SAME_WORDS), files=4, memory_bytes=SMALLEST_MEMORY)
    task = (shards, words_for(SAME_DOCUMENTS, SAME_WORDS, 0.05), plan)
    (tmp_path / "task.pickle").write_bytes(pickle.dumps(task))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
    arguments = "--master local[2,4] --driver-memory 1g pyspark-shell"
    done = subprocess.run(
        [sys.executable, "-c", COUNT_WITH_FAILURES, str(tmp_path)],
        env=kept | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_SUBMIT_ARGS": arguments},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    marginals = json.loads((tmp_path / "marginals.json").read_text(encoding="utf-8"))
    expected = digests(tmp_path / "calm" / "pairs")
    assert len(expected) == 4
    for failure in ("error", "crash"):
        failed = {path.stem for path in tmp_path.glob(f"{failure}-*.failed")}
        assert failed >= {f"{failure}-{step}-{task}" for step in ("counting", "writing") for task in (1, 3)}
        assert marginals[failure] == marginals["calm"]
        assert digests(tmp_path / failure / "pairs") == expected
