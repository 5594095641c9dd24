"""Documents to ids, the accumulator that counts them and where its blocks go: what a task does with its text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence import windows
from pmi_spark.cooccurrence.counting import (
    MEETINGS_PER_FILE,
    SMALLEST_BLOCK_COUNT,
    SMALLEST_FILE_COUNT,
    CountingPlan,
    PairAccumulator,
    Words,
    choose_block_count,
    choose_file_count,
    documents_with,
    encode_documents,
    one_row,
)
from pmi_spark.cooccurrence.pair_block import BlockLayout, PairBlock
from pmi_spark.cooccurrence.windows import (
    GAP,
    WORDS_PER_SLICE,
    count_pairs_plain,
    distance_weights,
    hash_documents,
    keep_thresholds,
    subsample,
)

Text = tuple[int, list[str]]
Pairs = dict[tuple[int, int], int]

VOCABULARY = ["the", "a", "cat", "mat"]
TEXTS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.lists(st.sampled_from([*VOCABULARY, "unseen", "Ünbekannt", ""]), max_size=8),
    ),
    max_size=8,
)
THRESHOLDS = np.array([2**62, 2**63, 2**64 - 1, 2**64 - 1], dtype=np.uint64)
FORMS = pytest.mark.parametrize("form", ["plain", "dictionary"])
GAPS = pytest.mark.parametrize("unknown_leaves_gap", [False, True], ids=["drop", "gap"])


def as_table(texts: list[Text], form: str) -> pa.Table:
    """One chunk; its dictionary, if any, holds its own words alone."""
    words = pa.array([word for _, words in texts for word in words], type=pa.string())
    offsets = np.cumsum([0, *(len(words) for _, words in texts)])
    lists = pa.ListArray.from_arrays(
        pa.array(offsets, type=pa.int32()), words.dictionary_encode() if form == "dictionary" else words
    )
    numbers = pa.array([number for number, _ in texts], type=pa.int64())
    return pa.table({"document_id": numbers, "words": lists})


def keeps(number: int, place: int, word: int, thresholds: np.ndarray) -> bool:
    one = np.array([word], dtype=np.int32)
    return bool(subsample(one, hash_documents(np.array([number])), np.array([place]), thresholds)[0])


def encode_plain(texts: list[Text], thresholds: np.ndarray | None, unknown_leaves_gap: bool) -> list[list[int]]:
    documents = []
    for number, words in texts:
        ids = [VOCABULARY.index(word) if word in VOCABULARY else GAP for word in words]
        if thresholds is not None:
            ids = [
                word if word == GAP or keeps(number, place, word, thresholds) else GAP for place, word in enumerate(ids)
            ]
        documents.append(ids if unknown_leaves_gap else [word for word in ids if word != GAP])
    return documents


def encoded(table: pa.Table, words: Words, unknown_leaves_gap: bool) -> list[list[int]]:
    """encode_documents as a list a document."""
    ids, lengths = encode_documents(table, words, unknown_leaves_gap)
    assert ids.dtype == np.int32
    assert lengths.dtype == np.int64
    assert len(lengths) == len(table)
    assert lengths.sum() == len(ids)
    return [part.tolist() for part in np.split(ids, np.cumsum(lengths)[:-1])] if len(table) else []


@pytest.mark.parametrize("thresholds", [None, THRESHOLDS], ids=["all kept", "subsampled"])
@GAPS
@FORMS
@given(TEXTS)
def test_unknown_and_subsampled_words_are_dropped_or_leave_a_gap(thresholds, unknown_leaves_gap, form, texts):
    found = encoded(as_table(texts, form), Words(pa.array(VOCABULARY), thresholds), unknown_leaves_gap)
    assert found == encode_plain(texts, thresholds, unknown_leaves_gap)


@GAPS
@FORMS
@given(st.lists(TEXTS, min_size=1, max_size=4), st.data())
def test_chunks_and_slices_are_encoded_as_one_table_of_the_same_documents(unknown_leaves_gap, form, chunks, data):
    """Each chunk of dictionary-encoded words brings a dictionary of its own."""
    words = Words(pa.array(VOCABULARY), THRESHOLDS)
    texts = [text for chunk in chunks for text in chunk]
    table = pa.concat_tables([as_table(chunk, form) for chunk in chunks])
    assert table.column("words").num_chunks == len(chunks)
    start = data.draw(st.integers(0, len(texts)))
    stop = data.draw(st.integers(start, len(texts)))
    expected = encode_plain(texts, THRESHOLDS, unknown_leaves_gap)
    assert encoded(table, words, unknown_leaves_gap) == expected
    assert encoded(table.slice(start, stop - start), words, unknown_leaves_gap) == expected[start:stop]


@FORMS
def test_a_table_without_rows_or_without_chunks_has_no_words(form):
    words = Words(pa.array(VOCABULARY), THRESHOLDS)
    empty = as_table([], form)
    for table in (empty, empty.schema.empty_table(), as_table([(3, ["cat"])], form).slice(1)):
        assert encoded(table, words, unknown_leaves_gap=True) == []
    assert encoded(as_table([(3, []), (4, [])], form), words, unknown_leaves_gap=True) == [[], []]


@FORMS
def test_positions_count_before_unknown_words_are_dropped(form):
    """Else the same occurrence would be kept under one vocabulary and turned away under another."""
    thresholds = np.full(4, 2**63, dtype=np.uint64)
    texts = [(number, ["unseen", "cat"]) for number in range(200)]
    kept = [keeps(number, 1, 2, thresholds) for number in range(200)]
    for unknown_leaves_gap in (True, False):
        found = encoded(as_table(texts, form), Words(pa.array(VOCABULARY), thresholds), unknown_leaves_gap)
        assert [document[-1:] == [2] for document in found] == kept
    assert 0 < sum(kept) < 200


@FORMS
def test_a_document_longer_than_a_slice_is_subsampled_as_if_whole(form):
    length = 3 * WORDS_PER_SLICE + 5
    ids = np.random.default_rng(1).integers(0, 3, length).astype(np.int32)
    thresholds = keep_thresholds(np.bincount(ids) / len(ids), 1e-2)
    words = pa.array(["a", "b", "c"])
    table = as_table([(3, ["a"]), (9, words.take(ids).to_pylist())], form)
    found = encoded(table, Words(words, thresholds), unknown_leaves_gap=True)[1]
    kept = subsample(ids, np.repeat(hash_documents(np.array([9])), length), np.arange(length), thresholds)
    assert 0 < kept.sum() < length
    np.testing.assert_array_equal(found, np.where(kept, ids, GAP))


def random_documents(seed: int, words: int, vocabulary: int) -> list[list[int]]:
    """Documents of 1 to 400 words, ids as uneven as a language's, with gaps."""
    generator = np.random.default_rng(seed)
    ids = np.minimum(generator.zipf(1.3, words) - 1, vocabulary) - (generator.random(words) < 0.05) * vocabulary
    ids = np.maximum(np.where(ids >= vocabulary, vocabulary - 1, ids), GAP)
    cuts = np.cumsum(generator.integers(1, 400, words // 100))
    return [part.tolist() for part in np.split(ids, cuts[cuts < words])]


def plan_of(memory_bytes: int, blocks: int, files: int = 1, window: int = 4, vocabulary: int = 60) -> CountingPlan:
    return CountingPlan(
        layout=BlockLayout(vocabulary, blocks),
        files=files,
        window=window,
        weights=distance_weights("linear", window),
        unknown_leaves_gap=True,
        memory_bytes=memory_bytes,
    )


def hand_out(
    plan: CountingPlan, batches: list[list[list[int]]]
) -> tuple[list[tuple[int, PairBlock]], list[tuple[int, PairBlock]]]:
    """What an accumulator hands out while it is added to, and at the end."""
    accumulator = PairAccumulator(plan)
    early: list[tuple[int, PairBlock]] = []
    for documents in batches:
        ids = np.array([word for document in documents for word in document], dtype=np.int32)
        early += accumulator.add(ids, np.array([len(document) for document in documents], dtype=np.int64))
    return early, list(accumulator.finish())


def all_handed_out(plan: CountingPlan, batches: list[list[list[int]]]) -> list[tuple[int, PairBlock]]:
    early, late = hand_out(plan, batches)
    return early + late


def sum_up(plan: CountingPlan, handed: list[tuple[int, PairBlock]]) -> tuple[Pairs, list[int]]:
    """Pairs and marginals from everything handed out."""
    pairs: Counter[tuple[int, int]] = Counter()
    marginals = np.zeros(plan.layout.vocabulary_size, dtype=np.int64)
    first, columns_apart = plan.layout.blocks, plan.marginal_layout.blocks
    for block, cells in handed:
        assert len(cells) > 0
        assert block < plan.shard_block
        if block >= first:
            assert cells.rows.tolist() == [0]
            marginals[cells.columns * columns_apart + (block - first)] += cells.counts
            continue
        word_ids, context_ids = plan.layout.decode(block, cells)
        for word, context, count in zip(word_ids.tolist(), context_ids.tolist(), cells.counts.tolist(), strict=True):
            pairs[word, context] += count
    return dict(sorted(pairs.items())), marginals.tolist()


def marginals_of(pairs: Pairs, vocabulary: int) -> list[int]:
    """Row sums plus column sums."""
    marginals = [0] * vocabulary
    for (word, context), count in pairs.items():
        marginals[word] += count
        marginals[context] += count
    return marginals


@pytest.fixture(scope="module")
def corpus() -> list[list[int]]:
    return random_documents(seed=3, words=14_000, vocabulary=60)


@pytest.fixture(scope="module")
def corpus_pairs(corpus: list[list[int]]) -> Pairs:
    return count_pairs_plain(corpus, 4, distance_weights("linear", 4))


@pytest.mark.parametrize(("blocks", "files"), [(1, 1), (7, 7), (128, 64)])
@pytest.mark.parametrize("memory_bytes", [1 << 10, 1_500_000, 1 << 28])
@pytest.mark.parametrize("documents_at_once", [1, 13, 10**6])
def test_what_is_handed_out_sums_to_the_plain_count(
    corpus, corpus_pairs, blocks, files, memory_bytes, documents_at_once
):
    batches = [corpus[start : start + documents_at_once] for start in range(0, len(corpus), documents_at_once)]
    plan = plan_of(memory_bytes, blocks, files)
    early, late = hand_out(plan, batches)
    pairs, marginals = sum_up(plan, early + late)
    assert pairs == corpus_pairs
    assert marginals == marginals_of(corpus_pairs, 60)
    assert bool(early) == (memory_bytes < 1 << 28)
    assert all(block < blocks for block, _ in early)


DOCUMENTS = st.lists(st.lists(st.integers(GAP, 9), max_size=12), max_size=8)


@given(st.lists(DOCUMENTS, max_size=4), st.integers(1, 40), st.integers(1, 8), st.integers(1, 12))
def test_pieces_of_any_size_count_each_meeting_once(batches, words, window, blocks):
    plan = plan_of(1, blocks, window=window, vocabulary=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CountingPlan, "words_per_piece", property(lambda _: words))
        early, late = hand_out(plan, batches)
    expected = count_pairs_plain([document for batch in batches for document in batch], window, plan.weights)
    pairs, marginals = sum_up(plan, early + late)
    assert pairs == expected
    assert marginals == marginals_of(expected, 10)


def test_counting_begins_when_a_piece_is_full_and_no_earlier():
    plan = plan_of(1 << 10, 1)
    half = np.tile(np.array([1, 2], dtype=np.int32), plan.words_per_piece // 4)
    accumulator = PairAccumulator(plan)
    assert list(accumulator.add(half[:-1], np.array([len(half) - 1]))) == []
    assert list(accumulator.add(half, np.array([len(half)]))) == []
    assert [block for block, _ in accumulator.add(half[:1], np.array([1]))] == [0]
    assert [block for block, _ in accumulator.finish()] == [1], "nothing waits but the marginals"


def test_no_piece_holds_more_words_than_the_memory_has_room_for(monkeypatch):
    counted = []
    window_pairs = windows.window_pairs

    def watch(ids, ends, window, lefts):
        counted.append(lefts)
        return window_pairs(ids, ends, window, lefts)

    monkeypatch.setattr(windows, "window_pairs", watch)
    plan = plan_of(3_000_000, 2)
    hand_out(plan, [random_documents(seed=7, words=14_000, vocabulary=60)])
    assert plan.words_per_piece * 4 * 36 * 4 <= plan.memory_bytes
    assert len(counted) == -(-14_000 // plan.words_per_piece)
    assert max(counted) <= plan.words_per_piece


def test_the_words_of_a_piece_follow_the_memory_and_the_window():
    assert plan_of(1 << 10, 1).words_per_piece == plan_of(0, 1).words_per_piece == 4096
    assert plan_of(1 << 30, 1, window=4).words_per_piece == pytest.approx(
        2 * plan_of(1 << 29, 1, window=4).words_per_piece, rel=1e-5
    )
    assert plan_of(1 << 30, 1, window=4).words_per_piece == pytest.approx(
        2 * plan_of(1 << 30, 1, window=8).words_per_piece, rel=1e-5
    )


def test_one_document_longer_than_a_piece_is_counted_whole():
    document = random_documents(seed=4, words=10_000, vocabulary=30)
    whole = [[word for part in document for word in part]]
    plan = plan_of(memory_bytes=1, blocks=2, vocabulary=30)
    assert plan.words_per_piece < 10_000
    pairs, _ = sum_up(plan, all_handed_out(plan, [whole]))
    assert pairs == count_pairs_plain(whole, 4, plan.weights)


@pytest.mark.parametrize("batches", [[], [[]], [[[]]], [[[1], [GAP, GAP], [2, 2]], [], [[]]]])
def test_documents_that_make_no_pair_hand_out_nothing(batches):
    assert hand_out(plan_of(1 << 20, 4), batches) == ([], [])


def test_marginals_are_exact_beyond_32_bits():
    """Units of harmonic weights are near 2^28: ten meetings of one word pass 2^31."""
    weights = distance_weights("harmonic", 20)
    plan = CountingPlan(BlockLayout(4, 2), 1, 20, weights, unknown_leaves_gap=True, memory_bytes=1 << 20)
    documents = [[0, 1]] * 6 + [[0, 2]] * 6 + [[3, 2]] * 12
    pairs, marginals = sum_up(plan, all_handed_out(plan, [documents[:12], documents[12:]]))
    unit = weights.units[0]
    assert pairs == {(0, 1): 6 * unit, (0, 2): 6 * unit, (2, 3): 12 * unit}
    assert marginals == [12 * unit, 6 * unit, 18 * unit, 12 * unit]


@given(st.integers(1, 10**13), st.integers(1, 100))
def test_the_file_count_is_a_power_of_two_that_keeps_files_within_their_limit(words, window):
    files = choose_file_count(words, window)
    assert files & (files - 1) == 0
    assert words * window <= files * MEETINGS_PER_FILE
    assert files == SMALLEST_FILE_COUNT or words * window > files // 2 * MEETINGS_PER_FILE


@given(st.integers(1, 10**5) | st.integers(1, 300))
def test_the_block_count_is_the_least_multiple_of_the_files_that_is_large_enough(files):
    blocks = choose_block_count(files)
    assert blocks % files == 0
    assert blocks >= SMALLEST_BLOCK_COUNT
    assert blocks == files or blocks - files < SMALLEST_BLOCK_COUNT


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 10**6))
def test_each_file_holds_its_blocks_and_marginals_and_shards_come_after(files, blocks_of_file, vocabulary):
    plan = plan_of(1, files * blocks_of_file, files, vocabulary=vocabulary)
    blocks = range(plan.layout.blocks)
    assert [plan.partition_of_block(block) for block in blocks] == [block % files for block in blocks]
    after = range(files, plan.partitions)
    marginal_blocks = range(plan.layout.blocks, plan.layout.blocks + plan.marginal_layout.blocks)
    assert [plan.partition_of_block(block) for block in marginal_blocks] == list(after)
    assert plan.shard_block not in marginal_blocks
    assert plan.shard_block >= plan.layout.blocks
    assert plan.partition_of_block(plan.shard_block) in after


@pytest.mark.parametrize(("files", "marginal_blocks"), [(1, 1), (8, 1), (63, 1), (64, 2), (1024, 32)])
def test_marginals_have_a_block_for_32_files(files, marginal_blocks):
    plan = plan_of(1, choose_block_count(files), files)
    assert plan.marginal_layout == BlockLayout(60, marginal_blocks)
    assert plan.partitions == files + marginal_blocks


@pytest.mark.parametrize("files", [1, 3, 8, 64])
def test_a_file_holds_the_words_that_leave_its_number_divided_by_the_files(corpus, corpus_pairs, files):
    plan = plan_of(1 << 10, choose_block_count(files), files)
    words_of_file: dict[int, set[int]] = {file: set() for file in range(files)}
    for block, cells in all_handed_out(plan, [corpus]):
        partition = plan.partition_of_block(block)
        if partition < files:
            words_of_file[partition].update(plan.layout.decode(block, cells)[0].tolist())
    words = {word for word, _ in corpus_pairs}
    assert words_of_file == {file: {word for word in words if word % files == file} for file in range(files)}


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=10, unique=True).map(sorted))
def test_one_row_is_a_block_whose_cells_stand_in_row_0(columns):
    counts = np.arange(1, len(columns) + 1)
    block = one_row(np.array(columns), counts)
    assert BlockLayout(2**31, 1).decode(0, block)[0].tolist() == [0] * len(columns)
    assert (block.columns.tolist(), block.counts.tolist()) == (columns, counts.tolist())
    assert block.columns.dtype == np.int32


@FORMS
@GAPS
def test_subsampling_and_dropping_agree_with_the_plain_twin_from_end_to_end(form, unknown_leaves_gap):
    generator = np.random.default_rng(5)
    texts = [
        (int(number), generator.choice([*VOCABULARY, "unseen"], size=20, p=[0.5, 0.2, 0.1, 0.1, 0.1]).tolist())
        for number in generator.integers(-(2**63), 2**63 - 1, 40)
    ]
    thresholds = keep_thresholds(np.array([500, 200, 100, 100]) / 900, 0.05)
    table = as_table(texts, form)
    ids, lengths = encode_documents(table, Words(pa.array(VOCABULARY), thresholds), unknown_leaves_gap)
    plan = plan_of(1 << 20, 3, vocabulary=4)
    accumulator = PairAccumulator(plan)
    pairs, _ = sum_up(plan, [*accumulator.add(ids, lengths), *accumulator.finish()])
    kept = encode_plain(texts, thresholds, unknown_leaves_gap)
    assert sum(word != GAP for document in kept for word in document) < 40 * 20 * 0.8
    assert pairs == count_pairs_plain(kept, 4, plan.weights)


@FORMS
@given(texts=TEXTS, wanted=st.sets(st.sampled_from([*VOCABULARY, "unseen", "absent"])))
def test_documents_with_a_word_are_those_that_hold_it(form, texts, wanted):
    found = documents_with(as_table(texts, form), pa.array(sorted(wanted), pa.string()))
    assert found["document_id"].to_pylist() == [number for number, words in texts if wanted.intersection(words)]
    assert found["words"].to_pylist() == [words for _, words in texts if wanted.intersection(words)]


def test_documents_are_looked_through_from_any_place_of_a_column():
    table = as_table([(1, ["a"]), (2, ["b"]), (3, ["a", "b"])], "plain").slice(1)
    assert documents_with(table, pa.array(["a"]))["document_id"].to_pylist() == [3]
