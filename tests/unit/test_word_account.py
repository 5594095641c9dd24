from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.word_account import RULES, Share, WordClass, cut_to_size, settle_account
from pmi_spark.errors import ConfigurationError

COUNTS = st.lists(st.integers(1, 6), max_size=12)
WORDS = st.lists(st.tuples(st.sampled_from(["", "", *RULES[:4]]), st.booleans(), st.integers(1, 5)), max_size=15)


def distinct(values: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(np.array(values, dtype=np.int64), return_counts=True)


def classes_of(words: list[tuple[str, bool, int]]) -> list[WordClass]:
    """Words one by one (rule, listed, count) as classes; what a rule dropped is not listed."""
    keys = [(rule, listed and not rule, count) for rule, listed, count in words]
    return [WordClass(*key, keys.count(key)) for key in dict.fromkeys(keys)]


@given(COUNTS, st.integers(0, 14))
def test_a_cut_leaves_the_most_frequent(counts, room):
    cut = cut_to_size(*distinct(counts), room)
    if cut is None:
        assert len(counts) <= room
        return
    stay = [count for count in counts if count > cut.word_count] + [cut.word_count] * cut.room
    assert sorted(stay, reverse=True) == sorted(counts, reverse=True)[:room]
    assert cut.tied == counts.count(cut.word_count) > cut.room >= 0


@given(WORDS, st.integers(0, 15))
def test_every_word_and_occurrence_is_accounted_for(words, maximum_size):
    classes = classes_of(words)
    always = sum(entry.words for entry in classes if entry.listed)
    size = maximum_size and max(maximum_size, always)
    account, _ = settle_account(classes, size, listed=always + 2)
    shares = [account.kept, *account.dropped.values()]
    assert sum(share.words for share in shares) == len(words)
    assert sum(share.occurrences for share in shares) == sum(count for _, _, count in words)
    assert not size or account.kept.words <= size
    assert account.absent == 2
    facts = account.facts()
    assert facts["distinct_words"] == len(words)
    assert facts["all_words"] == sum(count for _, _, count in words)
    assert list(facts["dropped"]) == list(RULES)


def test_each_rule_answers_for_its_own():
    classes = [WordClass(rule, False, count, 2) for count, rule in enumerate(RULES[:4], start=1)]
    account, cut = settle_account([*classes, WordClass("", False, 9, 3)], maximum_size=2, listed=0)
    assert account.dropped == {
        "drop": Share(2, 2),
        "minimum_count": Share(2, 4),
        "minimum_documents": Share(2, 6),
        "maximum_document_share": Share(2, 8),
        "maximum_size": Share(1, 9),
    }
    assert cut == (9, 2, 3)


def test_more_words_to_keep_than_places_are_refused():
    with pytest.raises(ConfigurationError, match=r"3 words of vocabulary\.keep occur, more than .* = 2"):
        settle_account([WordClass("", True, 1, 3)], maximum_size=2, listed=3)
