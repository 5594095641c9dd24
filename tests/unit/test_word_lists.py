from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.word_lists import parse_numbered, parse_words
from pmi_spark.errors import InputError

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1), min_size=1, max_size=8)
LINE_ENDS = st.sampled_from(["\n", "\r\n", " \n", "\t7\n"])


@given(WORDS.filter(lambda words: words[0][0] != "\ufeff"), LINE_ENDS, st.sampled_from(["", "\ufeff"]))
def test_a_list_is_its_words_once_each(words, line_end, mark):
    text = mark + "".join(word + line_end for word in words)
    assert parse_words(text, "words.txt") == list(dict.fromkeys(words))


@given(WORDS.filter(lambda words: len(set(words)) == len(words) and words[0][0] != "\ufeff"), LINE_ENDS)
def test_a_numbered_list_keeps_every_line_in_its_place(words, line_end):
    assert parse_numbered("".join(word + line_end for word in words) + "\n\n", "words.txt") == words


def test_characters_that_end_no_line_stay_in_their_word():
    assert parse_words("a\u0085b\nc\u2028d\n", "words.txt") == ["a\u0085b", "c\u2028d"]


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff\n"])
@pytest.mark.parametrize("parse", [parse_words, parse_numbered])
def test_a_file_without_words_is_refused(parse, text):
    with pytest.raises(InputError, match=r"no words in words\.txt"):
        parse(text, "words.txt")


def test_a_hole_in_the_numbers_is_refused():
    with pytest.raises(InputError, match=r"words\.txt, line 2: no word"):
        parse_numbered("a\n\nb\n", "words.txt")
