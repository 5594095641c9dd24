"""The tokenizer that the settings name, with what stands before and after it."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import TokensConfig, build_config
from pmi_spark.corpus.jieba_dictionaries import JiebaDictionaries
from pmi_spark.corpus.normalization import TextNormalizer
from pmi_spark.corpus.own_tokenizer import OwnTokenizer
from pmi_spark.corpus.tokenizers import TextToWords, choose_tokenizer, resolve_jieba_engine
from pmi_spark.corpus.word_filters import WordFilter
from pmi_spark.corpus.words import split_words_plain
from pmi_spark.errors import ConfigurationError, MissingToolError, PmiSparkError, RunError

TEXT = "ＦＵＬＬ Don\u2019t stop: T恤,体育館 3.14, 1912"


def tokens_config(**settings: object) -> TokensConfig:
    return build_config({"tokens": settings}).tokens


def words_of(texts: list[str | None], stop_words: tuple[str, ...] = (), **settings: object) -> list[list[str]]:
    chosen = choose_tokenizer(tokens_config(**settings), "jieba", stop_words=stop_words)
    return chosen.lists(pa.array(texts, pa.string())).to_pylist()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "ｆｕｌｌ don't stop t 恤 体育館 3 14 1912"),
        ({"tokenizer": "characters"}, "ｆｕｌｌ don't stop t 恤 体 育 館 3 14 1912"),
        ({"tokenizer": "whitespace"}, "ｆｕｌｌ don\u2019t stop: t恤,体育館 3.14, 1912"),
        ({"tokenizer": "jieba"}, "ｆ ｕ ｌ ｌ don t stop t恤 体育 館 3 14 1912"),
        ({"tokenizer": "jieba", "lower": False, "normalize": "nfkc"}, "FULL Don t stop T恤 体育 館 3 14 1912"),
        ({"tokenizer": "shlex:split", "digits": "zero"}, "ｆｕｌｌ don\u2019t stop: t恤,体育館 0.00, 0000"),
        ({"lower": False}, "ＦＵＬＬ Don't stop T 恤 体育館 3 14 1912"),
        ({"normalize": "nfkc"}, "full don't stop t 恤 体育館 3 14 1912"),
        ({"digits": "zero"}, "ｆｕｌｌ don't stop t 恤 体育館 0 00 0000"),
        ({"minimum_letters": 3}, "ｆｕｌｌ don't stop 体育館 1912"),
        ({"maximum_length": 4}, "ｆｕｌｌ stop t 恤 体育館 3 14 1912"),
        ({"maximum_length": 2, "long_tokens": "cut"}, "ｆｕ do st t 恤 体育 3 14 19"),
    ],
)
def test_each_setting_does_what_it_says(settings, words):
    assert words_of([TEXT], **settings) == [words.split()]


def test_traditional_chinese_becomes_simplified_before_it_is_cut():
    pytest.importorskip("opencc")
    texts = ["體育館裡很乾燥", "乾隆皇帝 OK", "plain", None, ""]
    assert words_of(texts, chinese="simplified") == [["体育馆里很干燥"], ["乾隆皇帝", "ok"], ["plain"], [], []]
    assert words_of(texts[:1], chinese="simplified", tokenizer="jieba") == [["体育馆", "里", "很", "干燥"]]


def test_simplified_without_opencc_names_the_cure(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"pip install 'pmi_spark\[chinese\]'"):
        choose_tokenizer(tokens_config(chinese="simplified"), "none")


def test_a_missing_text_has_no_words():
    for tokenizer in ("words", "characters", "whitespace", "jieba", "shlex:split"):
        assert words_of([None, "a b", None], tokenizer=tokenizer) == [[], ["a", "b"], []]


@pytest.mark.parametrize("control", ["\x07", "\x01", "\x1f", "\x7f", "\x9b"])
@pytest.mark.parametrize("engine", ["none", "jieba", "rjieba"])
def test_words_end_at_control_characters(engine: str, control: str) -> None:
    config = tokens_config(tokenizer="words" if engine == "none" else "jieba")
    texts = pa.array([f"北京{control}大学 ab{control}cd"])
    assert choose_tokenizer(config, engine)(texts).lists.to_pylist() == [["北京", "大学", "ab", "cd"]]


@pytest.mark.parametrize("tokenizer", ["words", "characters", "whitespace", "jieba", "shlex:split"])
def test_an_empty_batch_has_no_lists(tokenizer):
    chosen = choose_tokenizer(tokens_config(tokenizer=tokenizer, maximum_length=3), "jieba")
    lists, over_long = chosen(pa.array([], pa.string()))
    assert (lists.to_pylist(), over_long) == ([], 0)
    assert lists.cast(pa.list_(pa.string())).type == pa.list_(pa.string())


class TestStopWords:
    def test_they_are_written_as_the_words_will_be(self):
        stop_words = ("The\n", " and ", "", "Don\u2019t", "19", "\ufeffＯf")
        settings = {"normalize": "nfkc", "digits": "zero"}
        assert words_of(["the AND of don't 42 sea"], stop_words, **settings) == [["sea"]]

    @pytest.mark.parametrize("tokenizer", ["whitespace", "jieba", "shlex:split"])
    def test_they_are_left_out_whatever_the_tokenizer(self, tokenizer):
        assert words_of(["the sea", "北京 of"], ("THE", "北京"), tokenizer=tokenizer) == [["sea"], ["of"]]


words_lists = st.lists(st.lists(st.text("aB9é北\u0301-'", min_size=1, max_size=6), max_size=6), max_size=6)
filters = st.builds(
    WordFilter,
    lower=st.booleans(),
    digits=st.sampled_from(["keep", "zero"]),
    minimum_letters=st.integers(0, 3),
    maximum_length=st.integers(0, 5),
    long_tokens=st.sampled_from(["drop", "cut"]),
    stop_words=st.frozensets(st.sampled_from(["a", "b", "ab", "0", "北"]), max_size=3),
)


def filter_plain(word_filter: WordFilter, lists: list[list[str]]) -> tuple[list[list[str]], int]:
    """The plain twin of WordFilter, a word at a time."""
    over_long = 0
    results: list[list[str]] = []
    for words in lists:
        results.append([])
        for word in words:
            word = word.lower() if word_filter.lower else word
            if word_filter.digits == "zero":
                word = "".join("0" if character.isdecimal() else character for character in word)
            if word_filter.maximum_length and len(word) > word_filter.maximum_length:
                over_long += 1
                if word_filter.long_tokens == "drop":
                    continue
                word = word[: word_filter.maximum_length]
            letters = sum(map(str.isalnum, word))
            if letters >= word_filter.minimum_letters and word not in word_filter.stop_words:
                results[-1].append(word)
    return results, over_long


@given(filters, words_lists, st.data())
def test_the_filter_equals_its_plain_twin_on_any_slice(word_filter, lists, data):
    start = data.draw(st.integers(0, len(lists)))
    found, over_long = word_filter(pa.array(lists, pa.list_(pa.string())).slice(start))
    assert (found.to_pylist(), over_long) == filter_plain(word_filter, lists[start:])


def test_over_long_words_are_counted_as_often_as_they_occur():
    for long_tokens in ("drop", "cut"):
        word_filter = WordFilter(maximum_length=3, long_tokens=long_tokens)
        assert word_filter(pa.array([["long"] * 5 + ["abc"], ["longer"]])).over_long == 6


@given(st.lists(st.text("aÉß9 ,'北ｱ", max_size=12), max_size=5))
def test_defaults_are_small_letters_and_nothing_else(texts):
    assert words_of(texts) == [split_words_plain(text.lower()) for text in texts]


class TestOwnFunction:
    @pytest.fixture
    def module(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        (tmp_path / "own_words.py").write_text(
            "import sys\n"
            "def cut(text): return text.split('-')\n"
            "def lazily(text): return (word for word in text.split('-'))\n"
            "def none(text): return None\n"
            "def text(text): return text\n"
            "def numbers(text): return [1]\n"
            "NAME = 'x'\n"
        )
        (tmp_path / "needs_more.py").write_text("import a_module_nobody_has\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        yield "own_words"
        sys.modules.pop("own_words", None)

    @pytest.mark.parametrize("name", ["cut", "lazily"])
    def test_its_words_are_taken_and_empty_ones_left_out(self, module, name):
        assert words_of(["A-b--C", "-", ""], tokenizer=f"{module}:{name}") == [["a", "b", "c"], [], []]

    @pytest.mark.parametrize(("name", "kind"), [("none", "NoneType"), ("text", "str"), ("numbers", "int")])
    def test_anything_but_words_is_refused_by_name(self, module, name, kind):
        with pytest.raises(RunError, match=f"own_words:{name} gave {kind} where words were expected"):
            words_of(["a"], tokenizer=f"{module}:{name}")

    @pytest.mark.parametrize(
        ("reference", "message"),
        [
            ("no_such_module:cut", "there is no module no_such_module; .*--py-files"),
            ("own_words.deeper:cut", "there is no module own_words.deeper"),
            ("own_words:absent", "own_words has no function absent"),
            ("own_words:NAME", "own_words has no function NAME"),
            ("needs_more:cut", "No module named 'a_module_nobody_has'"),
        ],
    )
    def test_what_is_missing_is_named_on_the_driver(self, module, reference, message):
        with pytest.raises(ConfigurationError, match=message):
            choose_tokenizer(tokens_config(tokenizer=reference), "none")

    def test_it_is_pickled_by_name(self, module):
        pickled = pickle.dumps(choose_tokenizer(tokens_config(tokenizer=f"{module}:cut"), "none"))
        assert b"own_words:cut" in pickled
        assert pickle.loads(pickled).tokenizer == OwnTokenizer("own_words:cut")

    @pytest.mark.parametrize("value", ["words2", "a:b:c", ":cut", "module:", "a b:c", "1a:b", "a:b.c"])
    def test_other_text_is_no_tokenizer(self, value):
        with pytest.raises(ConfigurationError, match=r"whitespace \| module:function"):
            tokens_config(tokenizer=value)


def installed(monkeypatch: pytest.MonkeyPatch, found: bool) -> None:
    spec = importlib.util.spec_from_file_location("rjieba", Path("rjieba.py")) if found else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "rjieba" else None)


@pytest.mark.parametrize(
    ("settings", "has_rjieba", "resolved"),
    [
        ({}, True, "rjieba"),
        ({}, False, "jieba"),
        ({"jieba_hmm": True}, True, "jieba"),
        ({"jieba_hmm": True}, False, "jieba"),
        ({"jieba_user_dictionaries": "u.txt", "jieba_dictionary": "d.txt"}, True, "rjieba"),
        ({"jieba_parts": "n"}, True, "jieba"),
        ({"jieba_engine": "jieba"}, True, "jieba"),
        ({"jieba_engine": "jieba", "jieba_hmm": True}, False, "jieba"),
        ({"jieba_engine": "rjieba"}, True, "rjieba"),
        ({"jieba_engine": "rjieba", "jieba_hmm": True}, True, "rjieba"),
    ],
)
def test_auto_takes_rjieba_only_where_it_gives_jiebas_tokens(monkeypatch, settings, has_rjieba, resolved):
    installed(monkeypatch, has_rjieba)
    assert resolve_jieba_engine(tokens_config(**settings)) == resolved


def test_rjieba_asked_for_and_absent_names_the_cure(monkeypatch):
    installed(monkeypatch, False)
    with pytest.raises(MissingToolError, match="pip install"):
        resolve_jieba_engine(tokens_config(jieba_engine="rjieba"))


def test_rjieba_asked_for_parts_of_speech_is_refused(monkeypatch):
    installed(monkeypatch, True)
    with pytest.raises(PmiSparkError, match=r"tokens\.jieba_parts needs jieba"):
        resolve_jieba_engine(tokens_config(jieba_engine="rjieba", jieba_parts="n"))


def test_dictionaries_reach_the_tokenizer():
    dictionaries = JiebaDictionaries(user=("来到北京 9999999\n".encode(),))
    chosen = choose_tokenizer(tokens_config(tokenizer="jieba"), "jieba", dictionaries)
    assert chosen.lists(pa.array(["我来到北京"])).to_pylist() == [["我", "来到北京"]]


def test_parts_reach_the_tokenizer():
    assert words_of(["我来到北京"], tokenizer="jieba", jieba_parts="v, r") == [["我", "来到"]]


def test_the_parts_are_applied_in_turn():
    seen = []

    def cut(texts: pa.Array) -> pa.Array:
        seen.append(texts.to_pylist())
        return pa.array([text.split("x") for text in texts.to_pylist()], pa.list_(pa.string()))

    chosen = TextToWords(TextNormalizer(lower=True), cut, WordFilter(stop_words=frozenset("a")))
    assert chosen(pa.array(["AXB"])).lists.to_pylist() == [["b"]]
    assert seen == [["axb"]]
