from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.phrase_links import (
    Joiner,
    JoinRule,
    PhraseTable,
    Stream,
    count_links,
    find_links,
    npmi,
    pack_links,
    take_alternate,
    unpack_pairs,
)
from pmi_spark.corpus.phrases import join_plain

CONNECTORS = ("of", "the")
WORDS = ("a", "b", "a_b", "é", *CONNECTORS)
RULES = st.sampled_from([JoinRule("_"), JoinRule("_", CONNECTORS), JoinRule("", ("of",)), JoinRule("--", ("a", "of"))])
DOCUMENTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=9), max_size=6)


def dictionary_lists(documents: list[list[str]]) -> pa.ListArray:
    words = pa.array([word for document in documents for word in document], type=pa.string())
    offsets = np.cumsum([0, *map(len, documents)])
    return pa.ListArray.from_arrays(pa.array(offsets, type=pa.int32()), words.dictionary_encode())


def links_plain(document: list[str], rule: JoinRule) -> list[tuple[str, ...]]:
    """The words of every link, connectors with them, in order."""
    places = [place for place, word in enumerate(document) if word not in rule.connectors]
    return [tuple(document[places[k] : places[k + 1] + 1]) for k in range(len(places) - 1)]


def number_of(between: tuple[str, ...], rule: JoinRule) -> int:
    """Connectors as one number: the inverse of JoinRule.spell_between."""
    number = 0
    for word in between:
        number = number << rule.digit_bits | rule.connectors.index(word) + 1
    return number


def table_of(spans: list[tuple[str, ...]], rule: JoinRule) -> PhraseTable:
    first, second = (pa.array([span[end] for span in spans], pa.string()) for end in (0, -1))
    betweens = np.array([number_of(span[1:-1], rule) for span in spans], dtype=np.int64)
    return PhraseTable.of(first, second, betweens, rule)


def lists_of(stream: Stream, dictionary: pa.Array) -> list[list[str]]:
    return pa.ListArray.from_arrays(pa.array(stream.offsets), dictionary.take(pa.array(stream.codes))).to_pylist()


@given(DOCUMENTS, RULES, st.integers(1, 20), st.data())
def test_links_are_counted_as_a_counter_does(documents, rule, words_a_piece, data):
    lists = dictionary_lists(documents)
    start = data.draw(st.integers(0, min(2, len(documents))))
    lists, documents = lists.slice(start), documents[start:]
    dictionary = lists.flatten().dictionary
    connector_of_code = rule.connector_of_code(dictionary)
    # Ids run against the codes, and one word has none.
    ids = np.arange(len(dictionary), dtype=np.int32)[::-1] - np.int32(1)
    packed = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for piece in Stream.of(lists).pieces(words_a_piece):
        packed.append(pack_links(piece, find_links(piece, connector_of_code, rule), ids))
    pairs, betweens, counts = count_links(*(np.concatenate(part) for part in zip(*packed, strict=True)))
    firsts, seconds = unpack_pairs(pairs)
    found = zip(firsts.tolist(), betweens.tolist(), seconds.tolist(), strict=True)
    id_of_word = dict(zip(dictionary.to_pylist(), ids.tolist(), strict=True))
    expected = Counter(
        (id_of_word[link[0]], number_of(link[1:-1], rule), id_of_word[link[-1]])
        for document in documents
        for link in links_plain(document, rule)
    )
    known = {link: count for link, count in expected.items() if link[0] >= 0 and link[2] >= 0}
    assert dict(zip(found, counts.tolist(), strict=True)) == known
    assert len(counts) == len(known)


@given(DOCUMENTS, RULES, st.integers(1, 20), st.data())
def test_joining_equals_its_plain_twin_pass_by_pass(documents, rule, words_a_piece, data):
    lists = dictionary_lists(documents)
    start = data.draw(st.integers(0, min(2, len(documents))))
    lists, expected = lists.slice(start), documents[start:]
    tables, made = [], []
    for _ in range(data.draw(st.integers(0, 3))):
        links = sorted({link for document in expected for link in links_plain(document, rule)})
        # One phrase has words that never meet.
        spans = [*data.draw(st.lists(st.sampled_from(links), unique=True) if links else st.just([])), ("é", "nowhere")]
        tables.append(table_of(spans, rule))
        before = sum(len(document) for document in expected)
        joined = [join_plain(document, dict.fromkeys(spans), rule) for document in expected]
        made.append((before, sum(map(len, joined))))
        expected = joined
    joiner = Joiner(lists.flatten().dictionary, tables, rule)
    parts = [joiner.join(piece) for piece in Stream.of(lists).pieces(words_a_piece)]
    stream = Stream.concatenate([part for part, _ in parts])
    assert lists_of(stream, joiner.words) == expected
    assert len(set(joiner.words.to_pylist())) == len(joiner.words)
    counted = sum((joins for _, joins in parts), start=np.zeros(len(tables), np.int64))
    for joins, (before, after) in zip(counted.tolist(), made, strict=True):
        assert before - after == joins if not rule.connectors else before - after >= joins
        assert (joins == 0) == (before == after)


@given(st.lists(st.integers(0, 3), max_size=12), st.sampled_from([1, 2, 3, 4, 15, 16, 40]))
def test_the_connectors_between_two_words_are_spelled_as_they_stood(digits, different):
    rule = JoinRule("+", tuple(f"c{number}" for number in range(different)))
    words = tuple(f"c{digit % different}" for digit in digits)[: rule.longest_between]
    assert rule.spell_between(number_of(words, rule)) == "+".join(["", *words, ""] if words else ["", ""])


@pytest.mark.parametrize("different", [1, 3, 20])
def test_more_connectors_than_a_number_holds_make_no_link(different):
    rule = JoinRule("_", tuple(f"c{number:02}" for number in range(different)))
    last = rule.connectors[-1]
    fits, exceeds = (["x", *[last] * (rule.longest_between + more), "y"] for more in (0, 1))
    lists = dictionary_lists([fits, exceeds])
    dictionary = lists.flatten().dictionary
    links = find_links(Stream.of(lists), rule.connector_of_code(dictionary), rule)
    assert links.left.tolist() == [0]
    assert rule.spell_between(int(links.betweens[0])) == "_".join(["", *fits[1:-1], ""])
    joiner = Joiner(dictionary, [PhraseTable.of(pa.array(["x"]), pa.array(["y"]), links.betweens, rule)], rule)
    assert lists_of(joiner.join(Stream.of(lists))[0], joiner.words) == [["_".join(fits)], exceeds]


@given(st.lists(st.booleans(), max_size=20))
def test_every_other_link_of_a_chain_is_taken_and_none_of_them_touch(chained):
    ends = np.cumsum([2 - one for one in chained]) if chained else np.zeros(0, np.int64)
    left, right = ends, ends + 1
    taken = take_alternate(left, right)
    words = [place for link in taken.tolist() for place in (left[link], right[link])]
    assert len(set(words)) == len(words)
    # What was left out shares its first word with one that was taken.
    assert set(range(len(left))) - set(taken.tolist()) == {
        link for link in range(len(left)) if link and link - 1 in taken and left[link] == right[link - 1]
    }


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 10**9))
def test_npmi_is_between_its_bounds_and_does_not_mind_the_order(pair, more_first, more_second, more):
    first, second = pair + more_first, pair + more_second
    counts = [np.array([number]) for number in (pair, first, second)]
    total = first + second + more
    (value,) = npmi(*counts, total)
    assert -1 <= value <= 1
    assert value == npmi(counts[0], counts[2], counts[1], total)[0]
    assert (value == 1) == (first == second == pair)
    assert np.copysign(1, value) == 1 or value < 0


def test_npmi_by_hand():
    # P(a b) = 1/16, P(a) = P(b) = 1/8: ln(4) / ln(16).
    assert npmi(np.array([1]), np.array([2]), np.array([2]), 16).tolist() == [0.5]


def test_a_stream_of_no_documents_has_no_pieces_and_no_links():
    lists = dictionary_lists([])
    assert list(Stream.of(lists).pieces()) == []
    empty = dictionary_lists([[], []])
    (piece,) = Stream.of(empty).pieces(3)
    assert len(piece.offsets) == 3
    assert len(find_links(piece, np.zeros(0, np.int32), JoinRule("_")).left) == 0
