from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.words import split_characters, split_whitespace, split_words, split_words_plain

# Blocks without code points that one Unicode version assigns and another does not: Arrow and Python carry their own.
STABLE_RANGES = [
    (0x20, 0x7E),
    (0xA1, 0xFF),
    (0x100, 0x12F),
    (0x131, 0x17F),
    (0x391, 0x3A1),
    (0x3A3, 0x3CE),
    (0x400, 0x45F),
    (0x621, 0x64A),
    (0x660, 0x669),
    (0x904, 0x939),
    (0x93E, 0x94D),
    (0x966, 0x96F),
    (0x3041, 0x3096),
    (0x4E00, 0x9FA5),
    (0x2010, 0x2027),
    (0x3001, 0x3011),
    (0x1F600, 0x1F640),
    (0xE01, 0xE2E),
    (0xE31, 0xE3A),
    (0x30A1, 0x30FA),
    (0xFF66, 0xFF6F),
]
CHARACTERS = st.one_of(
    st.sampled_from("aZ9é'\u2019 .-\t\n\u0301我々〇ーｰ〆ﾞ"),
    *(st.characters(min_codepoint=a, max_codepoint=b) for a, b in STABLE_RANGES),
)
TEXTS = st.lists(st.text(CHARACTERS, max_size=25), max_size=6)


def array(texts: list[str]) -> pa.Array:
    return pa.array(texts, type=pa.string())


def split(texts: list[str]) -> list[list[str]]:
    return split_words(array(texts)).to_pylist()


@given(TEXTS)
def test_split_words_equals_its_plain_twin(texts):
    assert split(texts) == [split_words_plain(text) for text in texts]


@given(TEXTS)
def test_split_characters_equals_its_plain_twin(texts):
    assert split_characters(array(texts)).to_pylist() == [split_words_plain(text, by_character=True) for text in texts]


@given(TEXTS)
def test_split_whitespace_is_pythons_own(texts):
    assert split_whitespace(array(texts)).to_pylist() == [text.split() for text in texts]


@given(TEXTS)
def test_words_are_split_no_further_when_joined_and_split_again(texts):
    words = split(texts)
    assert split([" ".join(found) for found in words]) == words


@given(TEXTS)
def test_characters_are_words_cut_further(texts):
    words = split(texts)
    assert split_characters(array([" ".join(found) for found in words])).to_pylist() == [
        [part for word in found for part in split_words_plain(word, by_character=True)] for found in words
    ]


@given(TEXTS, TEXTS)
def test_texts_of_a_batch_do_not_touch_each_other(first, second):
    assert split(first + second) == split(first) + split(second)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["Hello", "World"]),
        ("don't", ["don't"]),
        ("Don\u2019t", ["Don't"]),
        ("'quoted' words'", ["quoted", "words"]),
        ("rock 'n' roll", ["rock", "n", "roll"]),
        ("a''b", ["a", "b"]),
        ("a'\u2019b", ["a", "b"]),
        ("well-known_name", ["well", "known", "name"]),
        ("3.14 and 1,000", ["3", "14", "and", "1", "000"]),
        ("ÉTÉ ΣΟΦΙΑ МОСКВА", ["ÉTÉ", "ΣΟΦΙΑ", "МОСКВА"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("한국어를 배우다", ["한국어를", "배우다"]),
        ("你好，世界", ["你好", "世界"]),
        ("one\ttwo\nthree\r\nfour", ["one", "two", "three", "four"]),
        ("\u00a0non\u00a0breaking\u3000wide ", ["non", "breaking", "wide"]),
        ("", []),
        ("'", []),
        ("... -- !?", []),
    ],
)
def test_known_examples(text, words):
    assert split([text]) == [words]
    assert split_words_plain(text) == words


@pytest.mark.parametrize(
    ("text", "words", "characters"),
    [
        ("买了iPhone15手机", ["买了", "iPhone15", "手机"], ["买", "了", "iPhone15", "手", "机"]),
        ("2024年3月", ["2024", "年", "3", "月"], ["2024", "年", "3", "月"]),
        ("我don't知道", ["我", "don't", "知道"], ["我", "don't", "知", "道"]),
        ("我'你 a'我'b", ["我", "你", "a", "我", "b"], ["我", "你", "a", "我", "b"]),
        ("ラーメンを食べるSushi", ["ラーメンを食べる", "Sushi"], [*"ラーメンを食べる", "Sushi"]),
        ("か\u3099Ga", ["か\u3099", "Ga"], ["か\u3099", "Ga"]),
        ("ภาษาไทยThai", ["ภาษาไทย", "Thai"], [*"ภาษาไทย", "Thai"]),
        ("𠮷野家", ["𠮷野家"], ["𠮷", "野", "家"]),
        ("한국어", ["한국어"], ["한국어"]),
    ],
)
def test_a_script_without_spaces_ends_at_another_script(text, words, characters):
    assert split([text]) == [words]
    assert split_characters(array([text])).to_pylist() == [characters]


def test_text_already_cut_is_left_as_it_is():
    assert split_whitespace(array(["New_York\u3000北京 , Don\u2019t\n3.14"])).to_pylist() == [
        ["New_York", "北京", ",", "Don\u2019t", "3.14"]
    ]


@pytest.mark.parametrize("splitter", [split_words, split_characters, split_whitespace])
def test_an_empty_batch_gives_an_empty_array_of_word_lists(splitter):
    result = splitter(array([]))
    assert len(result) == 0
    assert result.cast(pa.list_(pa.string())).type == pa.list_(pa.string())


@given(TEXTS, st.data())
def test_a_slice_of_a_batch_is_split_as_a_batch_of_its_own(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    sliced = split_words(array(texts).slice(start))
    assert sliced.to_pylist() == [split_words_plain(text) for text in texts[start:]]
