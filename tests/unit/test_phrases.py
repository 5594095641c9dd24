"""The plain twin of the phrases stage: gensim's own semantics, pass by pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import PhrasesConfig, build_config
from pmi_spark.corpus.phrase_links import JoinRule
from pmi_spark.corpus.phrases import make_rule, phrases_plain
from pmi_spark.errors import ConfigurationError

CONNECTORS = ("of", "the")
DOCUMENTS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", *CONNECTORS]), max_size=12), max_size=8)
# Exact ties are kept here and left out by gensim; these thresholds are hit by no small counts.
THRESHOLDS = st.sampled_from([-0.98765432, -0.12345678, 0.01234567, 0.23456789, 0.51234567])


@given(DOCUMENTS, st.integers(1, 3), THRESHOLDS, st.sampled_from([(), CONNECTORS]))
def test_it_finds_and_joins_what_gensim_does(documents, minimum_count, threshold, connectors):
    phrases = pytest.importorskip("gensim.models.phrases")
    for _ in range(2):
        # gensim takes a count by its spelling, so that a_b + c is counted with a + b_c: another delimiter each pass
        # keeps them apart, as they are here.
        model = phrases.Phrases(
            documents,
            min_count=minimum_count,
            threshold=threshold,
            scoring="npmi",
            delimiter="\x01",
            connector_words=frozenset(connectors),
        )
        theirs = [[word.replace("\x01", "_") for word in model[document]] for document in documents]
        spans = {
            tuple(phrase.split("\x01")): (model.vocab[phrase], score)
            for phrase, score in model.export_phrases().items()
        }
        documents, found = phrases_plain(documents, minimum_count, threshold, JoinRule("_", connectors))
        assert documents == theirs
        assert found.keys() == spans.keys()
        for span, (count, score) in found.items():
            assert count == spans[span][0]
            assert score == pytest.approx(spans[span][1], abs=1e-9)


def test_phrases_are_judged_by_their_own_words_and_joined_from_left_to_right():
    documents = [["x", "y", "z"]] * 3
    joined, found = phrases_plain(documents, 3, 1.0, JoinRule("_"))
    assert found == {("x", "y"): (3, 1.0), ("y", "z"): (3, 1.0)}
    assert joined == [["x_y", "z"]] * 3
    assert phrases_plain(joined, 3, 1.0, JoinRule("_"))[0] == [["x_y_z"]] * 3


def test_an_exact_tie_with_the_threshold_is_a_phrase():
    # 16 words: P(a b) = 1/16, P(a) = P(b) = 1/8, so npmi = ln 4 / ln 16.
    documents = [["a", "b"], ["a"], ["b"], *([word] for word in "cdefghijklmn")]
    assert phrases_plain(documents, 1, 0.5, JoinRule("_"))[1] == {("a", "b"): (1, 0.5)}
    assert phrases_plain(documents, 1, 0.500001, JoinRule("_"))[1] == {}


@pytest.mark.parametrize(
    ("text", "connectors"), [("", ()), (" ,,", ()), ("the,of,the", ("of", "the")), (" a , b ", ("a", "b"))]
)
def test_connectors_are_read_from_their_setting(text, connectors):
    assert make_rule(PhrasesConfig(connectors=text)) == JoinRule("_", connectors)


@pytest.mark.parametrize("delimiter", [" ", "_\t", "\u2003"])
def test_a_delimiter_that_would_cut_phrases_apart_is_refused(delimiter):
    with pytest.raises(ConfigurationError, match=r"phrases\.delimiter = .* holds white space; take"):
        make_rule(PhrasesConfig(delimiter=delimiter))


def test_the_stage_is_off_by_default():
    assert build_config({}).phrases.passes == 0
