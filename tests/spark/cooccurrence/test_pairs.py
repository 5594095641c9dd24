"""Tokens -> pairs: the plain twin's counts, whatever the partitions, the order or the memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.cooccurrence.pair_block import BlockLayout
from pmi_spark.cooccurrence.pairs import CountingPlan, PairCounts, choose_block_count, count_pairs
from pmi_spark.cooccurrence.windows import (
    GAP,
    count_pairs_plain,
    distance_weights,
    keep_thresholds,
    subsample,
)
from pmi_spark.errors import ConfigurationError
from pmi_spark.schemas import PAIRS

Documents = Sequence[Sequence[str]]
Cells = dict[tuple[int, int], int]
WORDS = list("abcdefgh")
IDS = {word: number for number, word in enumerate(WORDS)}
SMALLEST_MEMORY = 1 << 10
ROOMY_MEMORY = 256 << 20


class Laid(NamedTuple):
    """How the windows are laid."""

    window: int = 3
    weighting: str = "linear"
    unknown: str = "drop"


def plan_for(laid: Laid, vocabulary_size: int, blocks: int = 3, memory_bytes: int = ROOMY_MEMORY) -> CountingPlan:
    weights = distance_weights(laid.weighting, laid.window)
    layout = BlockLayout(vocabulary_size, blocks)
    return CountingPlan(layout, laid.window, weights, laid.unknown == "gap", memory_bytes)


class CountOf(NamedTuple):
    """Counts documents of WORDS (others are unknown) on Spark."""

    spark: SparkSession
    tokens_frame: Callable[..., DataFrame]

    def __call__(
        self,
        documents: Documents,
        laid: Laid = Laid(),  # noqa: B008 (a value)
        *,
        words: Sequence[str] = WORDS,
        partitions: int = 2,
        blocks: int = 3,
        memory_bytes: int = ROOMY_MEMORY,
        threshold: float = 0.0,
        minimum_units: int = 0,
        shuffled_by: int | None = None,
    ) -> PairCounts:
        tokens = self.tokens_frame(documents, partitions)
        if shuffled_by is not None:
            tokens = tokens.orderBy(F.rand(shuffled_by)).repartition(partitions)
        plan = plan_for(laid, len(words), blocks, memory_bytes)
        counts = word_counts(documents, words)
        return count_pairs(self.spark, tokens, pa.array(words), counts, plan, threshold, minimum_units)


@pytest.fixture(scope="session")
def count(spark: SparkSession, tokens_frame: Callable[..., DataFrame]) -> CountOf:
    return CountOf(spark, tokens_frame)


def word_counts(documents: Documents, words: Sequence[str]) -> np.ndarray:
    counted = Counter(word for document in documents for word in document)
    return np.array([max(1, counted[word]) for word in words])


def cells_of(counts: PairCounts) -> Cells:
    rows = [tuple(row) for row in counts.pairs.collect()]
    cells = {(word_id, context_id): pair_count for word_id, context_id, pair_count in rows}
    assert len(cells) == len(rows), "a pair stands in the table twice"
    return cells


def as_ids(documents: Documents, unknown: str) -> list[list[int]]:
    ids = [[IDS.get(word, GAP) for word in document] for document in documents]
    return ids if unknown == "gap" else [[number for number in document if number != GAP] for document in ids]


def marginals_of(cells: Cells, size: int) -> list[int]:
    """Row sums and column sums of the upper triangle: each pair adds to both its words."""
    table = np.zeros((size, size), dtype=np.int64)
    for (word_id, context_id), units in cells.items():
        table[word_id, context_id] = units
    return (table.sum(axis=0) + table.sum(axis=1)).tolist()


DOCUMENTS = st.lists(st.lists(st.sampled_from([*WORDS, "rare", "\u4eac"]), max_size=14), min_size=1, max_size=8)
LAID = st.builds(
    Laid, st.integers(1, 6), st.sampled_from(["flat", "linear", "harmonic"]), st.sampled_from(["drop", "gap"])
)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(documents=DOCUMENTS, laid=LAID, blocks=st.sampled_from([1, 3, 5]))
def test_counts_equal_the_plain_twins(count: CountOf, documents: Documents, laid: Laid, blocks: int) -> None:
    counts = count(documents, laid, blocks=blocks)
    plain = count_pairs_plain(
        as_ids(documents, laid.unknown), laid.window, distance_weights(laid.weighting, laid.window)
    )
    assert cells_of(counts) == plain
    assert counts.marginals.tolist() == marginals_of(plain, len(WORDS))


def long_text(size: int = 40, documents: int = 60, length: int = 90, seed: int = 3) -> tuple[Documents, list[str]]:
    """A Zipf-like text whose documents differ in length, and its words."""
    generator = np.random.default_rng(seed)
    words = [f"w{number:02d}" for number in range(size)]
    chances = 1 / np.arange(1, size + 1)
    lengths = generator.integers(0, length, documents)
    return [generator.choice(words, count, p=chances / chances.sum()).tolist() for count in lengths], words


@pytest.fixture(scope="module")
def counts(count: CountOf) -> PairCounts:
    """A longer text counted, in 8 blocks."""
    documents, words = long_text()
    return count(documents, words=words, blocks=8)


class TestLaws:
    def test_the_smaller_id_comes_first_and_no_pair_repeats(self, counts: PairCounts) -> None:
        assert all(word_id < context_id for word_id, context_id in cells_of(counts))

    def test_marginals_are_row_sums_plus_column_sums(self, counts: PairCounts) -> None:
        assert counts.marginals.tolist() == marginals_of(cells_of(counts), 40)

    def test_every_count_is_positive(self, counts: PairCounts) -> None:
        assert min(cells_of(counts).values()) > 0

    def test_rows_are_declared_and_sorted_within_a_partition(self, counts: PairCounts) -> None:
        assert [(e.name, e.dataType) for e in counts.pairs.schema] == [(e.name, e.dataType) for e in PAIRS]
        for part in counts.pairs.rdd.glom().collect():
            keys = [(row["word_id"], row["context_id"]) for row in part]
            assert keys == sorted(keys)
            assert len({word_id % 8 for word_id, _ in keys}) <= 1

    def test_windows_never_cross_documents(self, count: CountOf) -> None:
        assert cells_of(count([["a"], ["b"], [], ["c"]], partitions=1)) == {}

    def test_marginal_blocks_of_their_own_sum_to_the_same(self, count: CountOf, counts: PairCounts) -> None:
        documents, words = long_text()
        many = count(documents, words=words, blocks=64)
        assert many.marginals.tolist() == counts.marginals.tolist()
        assert cells_of(many) == cells_of(counts)

    def test_sums_that_could_pass_64_bits_are_refused(self, count: CountOf) -> None:
        plan = plan_for(Laid(20, "harmonic"), 2)
        with pytest.raises(ConfigurationError, match=r"beyond 2\^63"):
            count_pairs(
                count.spark, count.tokens_frame([["a", "b"]]), pa.array(["a", "b"]), np.array([10**10, 1]), plan, 0, 0
            )

    def test_block_count_covers_the_text(self) -> None:
        counts = [choose_block_count(total, 5) for total in (1, 10**8, 10**10)]
        assert counts == sorted(counts)
        assert all(number & (number - 1) == 0 for number in counts)


class TestUnknownWords:
    DOCUMENT = ("a", "rare", "rare", "b")

    def test_dropped_ones_leave_no_room_in_the_window(self, count: CountOf) -> None:
        assert cells_of(count([self.DOCUMENT], Laid(1, "flat", "drop"))) == {(0, 1): 1}

    def test_gaps_take_up_room_in_the_window(self, count: CountOf) -> None:
        assert cells_of(count([self.DOCUMENT], Laid(2, "flat", "gap"))) == {}
        assert cells_of(count([self.DOCUMENT], Laid(3, "flat", "gap"))) == {(0, 1): 1}


THRESHOLD = 0.02


@pytest.fixture(scope="module")
def text() -> tuple[Documents, list[str]]:
    return long_text(documents=30)


@pytest.fixture(scope="module")
def kept(text: tuple[Documents, list[str]]) -> Callable[[int, int], bool]:
    """``kept(document, position)`` of the text, by the package's own hash."""
    documents, words = text
    thresholds = keep_thresholds(word_counts(documents, words), THRESHOLD)
    decided = []
    for number, document in enumerate(documents):
        ids = np.array([words.index(word) for word in document], dtype=np.int32)
        decided.append(subsample(ids, np.full(len(ids), number), np.arange(len(ids)), thresholds))
    return lambda document, position: bool(decided[document][position])


class TestSubsampling:
    @pytest.mark.parametrize("unknown", ["drop", "gap"])
    def test_counts_equal_the_plain_twins(
        self, count: CountOf, text: tuple[Documents, list[str]], kept: Callable[[int, int], bool], unknown: str
    ) -> None:
        documents, words = text
        laid = Laid(4, "linear", unknown)
        ids = [[words.index(word) for word in document] for document in documents]
        if unknown == "gap":
            gapped = [[word if kept(n, k) else GAP for k, word in enumerate(row)] for n, row in enumerate(ids)]
            plain = count_pairs_plain(gapped, 4, distance_weights("linear", 4))
        else:
            plain = count_pairs_plain(ids, 4, distance_weights("linear", 4), kept)
        counts = count(documents, laid, words=words, threshold=THRESHOLD)
        assert cells_of(counts) == plain
        assert counts.marginals.tolist() == marginals_of(plain, len(words))

    def test_it_takes_some_words_and_leaves_some(
        self, text: tuple[Documents, list[str]], kept: Callable[[int, int], bool]
    ) -> None:
        decisions = [kept(number, place) for number, row in enumerate(text[0]) for place in range(len(row))]
        assert 0.3 < np.mean(decisions) < 0.95


class TestMinimumPairCount:
    def test_rare_pairs_leave_the_table_but_not_the_marginals(self, count: CountOf) -> None:
        documents, words = long_text()
        whole = count(documents, words=words)
        cells = cells_of(whole)
        units = sorted(cells.values())[len(cells) // 2]
        cut = count(documents, words=words, minimum_units=units)
        assert cells_of(cut) == {pair: number for pair, number in cells.items() if number >= units}
        assert 0 < len(cells_of(cut)) < len(cells)
        assert cut.marginals.tolist() == whole.marginals.tolist()


@pytest.fixture(scope="module")
def written(
    count: CountOf, artifacts: Callable, digests: Callable, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[str]]:
    """``written(partitions=..., ...)``: the digests of the files that one and the same text gives."""
    documents, words = long_text(documents=160, length=300, seed=4)

    def write(**how: int) -> list[str]:
        output = tmp_path_factory.mktemp("pairs")
        counts = count(documents, words=words, blocks=8, threshold=0.05, **how)
        artifacts(output).write_files("pairs", counts.pairs, PAIRS)
        return digests(output / "pairs")

    return write


@pytest.fixture(scope="module")
def reference(written: Callable[..., list[str]]) -> list[str]:
    return written(partitions=1)


class TestSameBytes:
    """The artifact's files, one a block, are the same to the byte however they came about."""

    def test_there_is_a_file_a_block_each_its_own(self, reference: list[str]) -> None:
        assert len(set(reference)) >= 8

    @pytest.mark.parametrize("partitions", [2, 7])
    def test_for_any_partitions(self, written: Callable, reference: list[str], partitions: int) -> None:
        assert written(partitions=partitions) == reference

    @pytest.mark.parametrize("seed", [1, 2])
    def test_for_any_order_of_documents(self, written: Callable, reference: list[str], seed: int) -> None:
        assert written(partitions=3, shuffled_by=seed) == reference

    @pytest.mark.parametrize("memory_bytes", [SMALLEST_MEMORY, 1 << 14])
    def test_for_any_memory(self, written: Callable, reference: list[str], memory_bytes: int) -> None:
        assert written(partitions=2, memory_bytes=memory_bytes) == reference

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
