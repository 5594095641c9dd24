"""Documents to ids, and the accumulator that counts them: what a task does with its Arrow batches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.cooccurrence import windows
from pmi_spark.cooccurrence.pair_block import BlockLayout, PairBlock
from pmi_spark.cooccurrence.pairs import (
    MEETINGS_PER_BLOCK,
    CountingPlan,
    PairAccumulator,
    Words,
    choose_block_count,
    encode_documents,
)
from pmi_spark.cooccurrence.windows import (
    GAP,
    count_pairs_plain,
    distance_weights,
    document_ends,
    keep_thresholds,
    subsample,
)

VOCABULARY = ["the", "a", "cat", "mat"]
TEXTS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.lists(st.sampled_from([*VOCABULARY, "unseen", "Ünbekannt", ""]), max_size=8),
    ),
    max_size=8,
)
THRESHOLDS = np.array([2**62, 2**63, 2**64 - 1, 2**64 - 1], dtype=np.uint64)


def as_batch(texts: list[tuple[int, list[str]]]) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "document_id": pa.array([number for number, _ in texts], type=pa.int64()),
            "words": pa.array([words for _, words in texts], type=pa.list_(pa.string())),
        }
    )


def encode_plain(
    texts: list[tuple[int, list[str]]], thresholds: np.ndarray | None, unknown_leaves_gap: bool
) -> list[list[int]]:
    documents = []
    for number, words in texts:
        ids = [VOCABULARY.index(word) if word in VOCABULARY else GAP for word in words]
        if thresholds is not None:
            for place, word in enumerate(ids):
                one = np.array([word], dtype=np.int32)
                if word != GAP and not subsample(one, np.array([number]), np.array([place]), thresholds)[0]:
                    ids[place] = GAP
        documents.append(ids if unknown_leaves_gap else [word for word in ids if word != GAP])
    return documents


def encoded(batch: pa.RecordBatch, words: Words, unknown_leaves_gap: bool) -> tuple[list[int], list[int]]:
    ids, ends = encode_documents(batch, words, unknown_leaves_gap)
    return ids.tolist(), ends.tolist()


@pytest.mark.parametrize("thresholds", [None, THRESHOLDS], ids=["all kept", "subsampled"])
@pytest.mark.parametrize("unknown_leaves_gap", [False, True], ids=["drop", "gap"])
@given(TEXTS)
def test_unknown_and_subsampled_words_are_dropped_or_leave_a_gap(thresholds, unknown_leaves_gap, texts):
    documents = encode_plain(texts, thresholds, unknown_leaves_gap)
    ids, ends = encoded(as_batch(texts), Words(pa.array(VOCABULARY), thresholds), unknown_leaves_gap)
    assert ids == [word for document in documents for word in document]
    assert ends == document_ends(np.array([len(document) for document in documents], dtype=np.int64)).tolist()


@pytest.mark.parametrize("unknown_leaves_gap", [False, True], ids=["drop", "gap"])
@given(TEXTS, st.data())
def test_a_slice_of_a_batch_is_encoded_as_a_batch_of_its_own(unknown_leaves_gap, texts, data):
    start = data.draw(st.integers(0, len(texts)))
    length = data.draw(st.integers(0, len(texts) - start))
    words = Words(pa.array(VOCABULARY), THRESHOLDS)
    sliced = encoded(as_batch(texts).slice(start, length), words, unknown_leaves_gap)
    assert sliced == encoded(as_batch(texts[start : start + length]), words, unknown_leaves_gap)


def test_positions_count_before_unknown_words_are_dropped():
    """Else the same occurrence would be kept under one vocabulary and turned away under another."""
    words = Words(pa.array(VOCABULARY), np.full(4, 2**63, dtype=np.uint64))
    texts = [(number, ["unseen", "cat"]) for number in range(200)]
    kept = subsample(np.full(200, 2, dtype=np.int32), np.arange(200), np.ones(200, dtype=np.int64), words.thresholds)
    ids, _ = encode_documents(as_batch(texts), words, unknown_leaves_gap=True)
    assert (ids.reshape(200, 2)[:, 1] == 2).tolist() == kept.tolist()
    assert 0 < kept.sum() < 200


def random_documents(seed: int, words: int, vocabulary: int) -> list[list[int]]:
    """Documents of 1 to 400 words, ids as uneven as a language's, with gaps."""
    generator = np.random.default_rng(seed)
    ids = np.minimum(generator.zipf(1.3, words) - 1, vocabulary) - (generator.random(words) < 0.05) * vocabulary
    ids = np.maximum(np.where(ids >= vocabulary, vocabulary - 1, ids), GAP)
    cuts = np.cumsum(generator.integers(1, 400, words // 100))
    return [part.tolist() for part in np.split(ids, cuts[cuts < words])]


def collect(plan: CountingPlan, batches: list[list[list[int]]]) -> tuple[dict[tuple[int, int], int], list[int], int]:
    """(pairs, marginals, number of flushes) from everything an accumulator hands out."""
    pairs: Counter[tuple[int, int]] = Counter()
    marginals = np.zeros(plan.layout.vocabulary_size, dtype=np.int64)
    flushes = 0
    handed: list[list[tuple[int, PairBlock]]] = []
    accumulator = PairAccumulator(plan)
    for documents in batches:
        ids = np.array([word for document in documents for word in document], dtype=np.int32)
        ends = document_ends(np.array([len(document) for document in documents], dtype=np.int64))
        handed += accumulator.add(ids, ends)
    handed += accumulator.finish()
    for blocks in handed:
        flushes += any(block < plan.layout.blocks for block, _ in blocks)
        for block, cells in blocks:
            if block >= plan.layout.blocks:
                layout = plan.marginal_layout
                marginals[cells.keys * layout.blocks + (block - plan.layout.blocks)] += cells.counts
                continue
            word_ids, context_ids = plan.layout.decode(block, cells.keys)
            for word, context, count in zip(
                word_ids.tolist(), context_ids.tolist(), cells.counts.tolist(), strict=True
            ):
                pairs[word, context] += count
    return dict(sorted(pairs.items())), marginals.tolist(), flushes


def plan_of(memory_bytes: int, blocks: int, window: int = 4, vocabulary: int = 60) -> CountingPlan:
    return CountingPlan(
        layout=BlockLayout(vocabulary, blocks),
        window=window,
        weights=distance_weights("linear", window),
        unknown_leaves_gap=True,
        memory_bytes=memory_bytes,
    )


@pytest.fixture(scope="module")
def corpus() -> list[list[int]]:
    return random_documents(seed=3, words=14_000, vocabulary=60)


@pytest.fixture(scope="module")
def corpus_pairs(corpus: list[list[int]]) -> dict[tuple[int, int], int]:
    return count_pairs_plain(corpus, 4, distance_weights("linear", 4))


@pytest.mark.parametrize("blocks", [1, 7, 128])
@pytest.mark.parametrize("memory_bytes", [1, 30_000, 1 << 28])
@pytest.mark.parametrize("documents_at_once", [1, 13, 10**6])
def test_what_is_handed_out_sums_to_the_plain_count(corpus, corpus_pairs, blocks, memory_bytes, documents_at_once):
    batches = [corpus[start : start + documents_at_once] for start in range(0, len(corpus), documents_at_once)]
    pairs, marginals, flushes = collect(plan_of(memory_bytes, blocks), batches)
    assert pairs == corpus_pairs
    expected = [0] * 60
    for (word, context), count in corpus_pairs.items():
        expected[word] += count
        expected[context] += count
    assert marginals == expected, "marginals are row sums plus column sums"
    if memory_bytes == 1:
        assert flushes > 1
    if memory_bytes == 1 << 28:
        assert flushes == 1


def test_one_document_longer_than_a_piece_is_counted_whole():
    document = random_documents(seed=4, words=10_000, vocabulary=30)
    whole = [[word for part in document for word in part]]
    plan = plan_of(memory_bytes=1, blocks=2, vocabulary=30)
    assert plan.words_per_piece < 10_000
    pairs, _, _ = collect(plan, [whole])
    assert pairs == count_pairs_plain(whole, 4, plan.weights)


def test_documents_that_make_no_pair_hand_out_nothing():
    pairs, marginals, flushes = collect(plan_of(1 << 20, 4), [[[1], [GAP, GAP], [2, 2]], [], [[]]])
    assert (pairs, sum(marginals), flushes) == ({}, 0, 0)


@given(st.integers(1, 10**13), st.integers(1, 100))
def test_the_block_count_is_a_power_of_two_that_keeps_blocks_within_their_limit(words, window):
    blocks = choose_block_count(words, window)
    assert blocks & (blocks - 1) == 0
    assert words * window <= blocks * MEETINGS_PER_BLOCK
    assert blocks == 8 or words * window > blocks // 2 * MEETINGS_PER_BLOCK


def test_subsampling_and_dropping_agree_with_the_plain_twin_from_end_to_end():
    generator = np.random.default_rng(5)
    texts = [
        (int(number), generator.choice([*VOCABULARY, "unseen"], size=20, p=[0.5, 0.2, 0.1, 0.1, 0.1]).tolist())
        for number in generator.integers(-(2**63), 2**63 - 1, 40)
    ]
    thresholds = keep_thresholds(np.array([500, 200, 100, 100]), 0.05)
    ids, ends = encode_documents(as_batch(texts), Words(pa.array(VOCABULARY), thresholds), unknown_leaves_gap=False)
    plan = plan_of(1 << 20, 3, vocabulary=4)
    accumulator = PairAccumulator(plan)
    handed = [*accumulator.add(ids, ends), *accumulator.finish()]
    found: Counter[tuple[int, int]] = Counter()
    for block, cells in (entry for blocks in handed for entry in blocks if entry[0] < 3):
        word_ids, context_ids = plan.layout.decode(block, cells.keys)
        found.update(
            dict(zip(zip(word_ids.tolist(), context_ids.tolist(), strict=True), cells.counts.tolist(), strict=True))
        )
    documents = [[VOCABULARY.index(word) if word in VOCABULARY else GAP for word in words] for _, words in texts]

    def keep(number: int, place: int) -> bool:
        word = np.array([documents[number][place]], dtype=np.int32)
        return bool(subsample(word, np.array([texts[number][0]]), np.array([place]), thresholds)[0])

    kept = [
        [word for place, word in enumerate(document) if word != GAP and keep(number, place)]
        for number, document in enumerate(documents)
    ]
    assert sum(map(len, kept)) < sum(map(len, documents))
    assert dict(found) == count_pairs_plain(kept, 4, plan.weights)


def test_a_document_longer_than_a_slice_is_subsampled_as_if_whole():
    length = 3 * (1 << 16) + 5
    ids = np.random.default_rng(1).integers(0, 3, length).astype(np.int32)
    thresholds = windows.keep_thresholds(np.bincount(ids), 1e-2)
    words = pa.array(["a", "b", "c"])
    batch = pa.record_batch({"document_id": pa.array([3, 9]), "words": pa.array([["a"], words.take(ids).to_pylist()])})
    encoded, _ = encode_documents(batch, Words(words, thresholds), unknown_leaves_gap=True)
    kept = windows.subsample(ids, np.full(length, 9), np.arange(length), thresholds)
    assert 0 < kept.sum() < length
    np.testing.assert_array_equal(encoded[1:] != windows.GAP, kept)
