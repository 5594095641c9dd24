from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jieba
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus.tokenizers import jieba_tokenizer, resolve_jieba_engine, split_words, split_words_plain
from pmi_spark.corpus.tokens import choose_tokenizer
from pmi_spark.errors import MissingToolError

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
]
CHARACTERS = st.one_of(
    st.sampled_from("aZ9é'\u2019 .-\t\n"), *(st.characters(min_codepoint=a, max_codepoint=b) for a, b in STABLE_RANGES)
)
TEXTS = st.lists(st.text(CHARACTERS, max_size=25), max_size=6)

SNIPPETS = [
    "我来到北京清华大学。",
    "小明硕士毕业于中国科学院计算所，后在日本京都大学深造。",
    "他说：“今天天气真好！”然后就走了……",
    "Apache Spark 是一个开源的集群运算框架。",
    "2024年3月15日，气温为-5.3℃，降水概率是80%。",
    "我们用 Python3.11 和 numpy 2.0 做实验。",
    "工信处女干事每月经过下属科室都要亲口交代24口交换机等技术性器件的安装工作",
    "南京市长江大桥欢迎您",
    "結婚的和尚未結婚的人都可以報名參加。",
    "电子邮件请寄 info@example.org，谢谢。",
    "《红楼梦》、《西游记》与《水浒传》都是名著",
    "iPhone很贵，但是Wi-Fi不要钱。",
    "一二三四五，上山打老虎；老虎没打到，打到小松鼠",
    "   \t\n ，。！",
    "",
    "𠮷野家的牛肉饭很好吃",
]


def split(texts: list[str]) -> list[list[str]]:
    return split_words(pa.array(texts, type=pa.string())).to_pylist()


@given(TEXTS)
def test_split_words_equals_its_plain_twin(texts):
    assert split(texts) == [split_words_plain(text) for text in texts]


@given(TEXTS)
def test_words_are_split_no_further_when_joined_and_split_again(texts):
    words = split(texts)
    assert split([" ".join(found) for found in words]) == words


@given(TEXTS, TEXTS)
def test_texts_of_a_batch_do_not_touch_each_other(first, second):
    assert split(first + second) == split(first) + split(second)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("don't", ["don't"]),
        ("Don\u2019t", ["don't"]),
        ("'quoted' words'", ["quoted", "words"]),
        ("rock 'n' roll", ["rock", "n", "roll"]),
        ("a''b", ["a", "b"]),
        ("a'\u2019b", ["a", "b"]),
        ("well-known_name", ["well", "known", "name"]),
        ("3.14 and 1,000", ["3", "14", "and", "1", "000"]),
        ("ÉTÉ ΣΟΦΙΑ МОСКВА", ["été", "σοφια", "москва"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
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


def test_an_empty_batch_gives_an_empty_array_of_word_lists():
    for tokenize in (split_words, jieba_tokenizer("jieba", hmm=False)):
        result = tokenize(pa.array([], type=pa.string()))
        assert len(result) == 0
        assert result.cast(pa.list_(pa.string())).type == pa.list_(pa.string())


@given(TEXTS, st.data())
def test_a_slice_of_a_batch_is_split_as_a_batch_of_its_own(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    sliced = split_words(pa.array(texts, type=pa.string()).slice(start))
    assert sliced.to_pylist() == [split_words_plain(text) for text in texts[start:]]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> jieba.Tokenizer:
    """Jieba by its own means, its cache file in a folder of the test's."""
    segmenter = jieba.Tokenizer()
    segmenter.tmp_dir = str(tmp_path_factory.mktemp("jieba"))
    return segmenter


def without_punctuation(words: list[str]) -> list[str]:
    return [word.lower() for word in words if any(character.isalnum() for character in word)]


@pytest.mark.parametrize("hmm", [False, True], ids=["hmm off", "hmm on"])
def test_jieba_words_are_jiebas_own_without_punctuation(reference, hmm):
    expected = [without_punctuation(reference.lcut(text, HMM=hmm)) for text in SNIPPETS]
    assert jieba_tokenizer("jieba", hmm)(pa.array(SNIPPETS)).to_pylist() == expected


def test_the_hidden_markov_model_makes_a_difference():
    """Else the test above would not notice if the setting went nowhere."""
    texts = pa.array(["他来到了网易杭研大厦"])
    on, off = (jieba_tokenizer("jieba", hmm)(texts).to_pylist()[0] for hmm in (True, False))
    assert "杭研" in on
    assert "杭研" not in off


def test_rjieba_gives_jiebas_words():
    pytest.importorskip("rjieba")
    texts = pa.array(SNIPPETS)
    assert (
        jieba_tokenizer("rjieba", hmm=False)(texts).to_pylist()
        == jieba_tokenizer("jieba", hmm=False)(texts).to_pylist()
    )


def test_jieba_writes_no_cache_into_the_shared_temporary_folder(tmp_path):
    program = (
        "import pyarrow as pa; from pmi_spark.corpus.tokenizers import jieba_tokenizer; "
        "print(jieba_tokenizer('jieba', hmm=False)(pa.array(['abc'])).to_pylist())"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[['abc']]"
    assert list(tmp_path.iterdir()) == []


def installed(monkeypatch: pytest.MonkeyPatch, found: bool) -> None:
    spec = importlib.util.spec_from_file_location("rjieba", Path("rjieba.py")) if found else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec if name == "rjieba" else None)


@pytest.mark.parametrize(
    ("engine", "hmm", "has_rjieba", "resolved"),
    [
        ("auto", False, True, "rjieba"),
        ("auto", False, False, "jieba"),
        ("auto", True, True, "jieba"),
        ("auto", True, False, "jieba"),
        ("jieba", False, True, "jieba"),
        ("jieba", True, False, "jieba"),
        ("rjieba", False, True, "rjieba"),
        ("rjieba", True, True, "rjieba"),
    ],
)
def test_auto_takes_rjieba_only_where_it_gives_jiebas_tokens(monkeypatch, engine, hmm, has_rjieba, resolved):
    installed(monkeypatch, has_rjieba)
    assert resolve_jieba_engine(engine, hmm) == resolved


def test_rjieba_asked_for_and_absent_names_the_cure(monkeypatch):
    installed(monkeypatch, False)
    with pytest.raises(MissingToolError, match="pip install"):
        resolve_jieba_engine("rjieba", False)


def test_the_configuration_chooses_the_tokenizer():
    text = pa.array(["我来到北京"])
    assert choose_tokenizer("words", "jieba", False)(text).to_pylist() == [["我来到北京"]]
    assert choose_tokenizer("jieba", "jieba", False)(text).to_pylist() == [["我", "来到", "北京"]]
