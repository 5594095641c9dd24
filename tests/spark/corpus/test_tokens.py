"""Documents -> tokens: whatever the shards look like, the same words under the same ids."""

from __future__ import annotations

import bz2
import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.artifacts import Artifacts
from pmi_spark.corpus.sources import check_readable, read_lines
from pmi_spark.corpus.tokenizers import resolve_jieba_engine, split_words, split_words_plain
from pmi_spark.corpus.tokens import choose_tokenizer, tokenize
from pmi_spark.errors import InputError
from pmi_spark.schemas import TOKENS
from pmi_spark.storage import Storage

LINES = ["The cat's whiskers", "Don\u2019t STOP, 2 fast", "", "... --- ...", "Äpfel \u6771\u4eac na\u0308ive", "x"]
PACKERS = {
    ".txt": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def text_of(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def write_shard(path: Path, lines: list[str]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PACKERS[path.suffix](text_of(lines)))
    return str(path)


def words_by_document(tokens: DataFrame) -> Counter[tuple[int, tuple[str, ...]]]:
    return Counter((row["document_id"], tuple(row["words"])) for row in tokens.collect())


def word_lists(tokens: DataFrame) -> list[list[str]]:
    return sorted(list(row["words"]) for row in tokens.select("words").collect())


def plain_lists(lines: list[str]) -> list[list[str]]:
    return sorted(words for line in lines if (words := split_words_plain(line)))


@pytest.mark.parametrize("suffix", PACKERS)
def test_every_compression_gives_the_plain_twins_words(spark: SparkSession, tmp_path: Path, suffix: str) -> None:
    path = write_shard(tmp_path / f"shard{suffix}", LINES)
    assert word_lists(tokenize(read_lines(spark, [path]), split_words)) == plain_lists(LINES)


def test_gzip_members_laid_end_to_end_are_all_read(spark: SparkSession, tmp_path: Path) -> None:
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(text_of(LINES[:2])) + gzip.compress(text_of(LINES[2:])))
    assert word_lists(tokenize(read_lines(spark, [str(path)]), split_words)) == plain_lists(LINES)


def test_windows_line_ends_do_not_change_a_document(spark: SparkSession, tmp_path: Path) -> None:
    unix, windows = tmp_path / "unix.txt", tmp_path / "windows.txt"
    unix.write_bytes(text_of(LINES))
    windows.write_bytes(text_of(LINES).replace(b"\n", b"\r\n"))
    assert_df_equality(read_lines(spark, [str(unix)]), read_lines(spark, [str(windows)]), ignore_row_order=True)


def test_tokens_have_the_declared_columns(spark: SparkSession, tmp_path: Path) -> None:
    tokens = tokenize(read_lines(spark, [write_shard(tmp_path / "a.txt", LINES)]), split_words)
    assert [(entry.name, entry.dataType) for entry in tokens.schema] == [(e.name, e.dataType) for e in TOKENS]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(lines=st.lists(st.text(st.sampled_from("ab Zé9'\u2019\u0301\u4eac\U00010400-.!"), max_size=24), max_size=12))
def test_tokens_of_any_text_equal_the_plain_twins(spark: SparkSession, lines: list[str]) -> None:
    table = pa.table({"document_id": pa.array(range(len(lines)), pa.int64()), "text": pa.array(lines, pa.string())})
    tokens = tokenize(spark.createDataFrame(table), split_words)
    expected = {number: tuple(words) for number, line in enumerate(lines) if (words := split_words_plain(line))}
    assert words_by_document(tokens) == Counter(expected.items())


class TestInputs:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        for name in ("b.txt", "a.gz", "deep/er/c.bz2", "deep/_hidden.txt", "deep/.dot.txt", "deep/_logs/d.txt"):
            path = tmp_path / "corpus" / name
            write_shard(path, [name])
        return tmp_path / "corpus"

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("", ["a.gz", "b.txt", "c.bz2"]),
            ("b.txt", ["b.txt"]),
            ("*.txt", ["b.txt"]),
            ("[ab].*", ["a.gz", "b.txt"]),
            ("{a.gz,b.txt}", ["a.gz", "b.txt"]),
            ("dee*", ["c.bz2"]),
            ("*/*/*.bz2", ["c.bz2"]),
        ],
    )
    def test_paths_directories_and_globs_find_their_files(
        self, spark: SparkSession, tree: Path, pattern: str, names: list[str]
    ) -> None:
        found = Storage(spark).find_files(f"{tree}/{pattern}".rstrip("/"))
        assert [entry.name for entry in found] == names
        assert all(entry.size_bytes and not entry.is_directory for entry in found)

    def test_what_is_not_there_is_named(self, spark: SparkSession, tree: Path) -> None:
        for pattern in ("nowhere.txt", "*.zip"):
            with pytest.raises(InputError, match=r"no such input: .*/(nowhere.txt|\*.zip);"):
                Storage(spark).find_files(f"{tree}/{pattern}")

    def test_a_file_named_twice_is_read_once(self, run_stages: Callable, artifacts: Callable, tree: Path) -> None:
        run_stages(tree.parent / "out", [tree, tree / "b.txt", f"{tree}/*.txt"], ["tokens"])
        assert artifacts(tree.parent / "out").require("tokens").facts["input_files"] == 3

    @pytest.mark.parametrize("name", ["a.xz", "a.ZIP", "a.parquet"])
    def test_what_would_be_read_as_garbage_is_refused(self, name: str) -> None:
        with pytest.raises(InputError, match="cannot read"):
            check_readable(["fine.txt", name])


class TestInvalidUtf8:
    RAW = b"good one\nbad \xff\xfe byte\ncut \xe6\x9d\nfine two\nlast\n"

    def test_it_is_replaced_counted_and_told_never_fatal(
        self, run_stages: Callable, artifacts: Callable[[Path], Artifacts], tmp_path: Path
    ) -> None:
        (tmp_path / "a.txt").write_bytes(self.RAW)
        recorder = run_stages(tmp_path / "out", [tmp_path / "a.txt"], ["tokens"])
        facts = artifacts(tmp_path / "out").require("tokens").facts
        assert (facts["lines"], facts["invalid_utf8_lines"], facts["documents"]) == (5, 2, 5)
        assert recorder.notes == ["tokens: invalid UTF-8 replaced in 2 lines"]
        words = word_lists(artifacts(tmp_path / "out").read("tokens", TOKENS))
        assert words == [["bad", "byte"], ["cut"], ["fine", "two"], ["good", "one"], ["last"]]

    def test_its_place_is_marked_in_the_text(self, spark: SparkSession, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_bytes(self.RAW)
        marked = read_lines(spark, [str(tmp_path / "a.txt")]).where(~F.col("is_valid_utf8"))
        assert all("\ufffd" in row["text"] for row in marked.collect())


NUMBERED_LINES = [f"document {number} {'word ' * (number % 7)}" for number in range(60)]


class TestDocumentIds:
    def test_they_do_not_depend_on_split_order_or_compression_of_shards(
        self, spark: SparkSession, tmp_path: Path
    ) -> None:
        whole = write_shard(tmp_path / "whole.txt", NUMBERED_LINES)
        backwards = NUMBERED_LINES[::-1]
        suffixes = list(PACKERS)
        shards = [write_shard(tmp_path / f"{k}{suffixes[k]}", backwards[k * 15 : k * 15 + 15]) for k in range(4)]
        assert_df_equality(read_lines(spark, [whole]), read_lines(spark, shards), ignore_row_order=True)

    def test_they_do_not_depend_on_how_spark_cuts_a_file(self, spark: SparkSession, tmp_path: Path) -> None:
        whole = write_shard(tmp_path / "whole.txt", NUMBERED_LINES)
        expected = words_by_document(tokenize(read_lines(spark, [whole]), split_words))
        before = spark.conf.get("spark.sql.files.maxPartitionBytes")
        spark.conf.set("spark.sql.files.maxPartitionBytes", "97")
        try:
            cut = read_lines(spark, [whole])
            assert cut.rdd.getNumPartitions() > 5
            assert words_by_document(tokenize(cut, split_words)) == expected
        finally:
            spark.conf.set("spark.sql.files.maxPartitionBytes", before)

    def test_other_texts_have_other_ids(self, spark: SparkSession, tmp_path: Path) -> None:
        documents = read_lines(spark, [write_shard(tmp_path / "a.txt", NUMBERED_LINES)])
        assert documents.select("document_id").distinct().count() == len(NUMBERED_LINES)


CHINESE_LINES = ["我来到北京清华大学。", "今天 Weather 很好, OK", "……"]
CHINESE_WORDS = sorted([["我", "来到", "北京", "清华大学"], ["今天", "weather", "很", "好", "ok"]])


class TestJieba:
    @pytest.mark.parametrize("engine", ["jieba", "auto"])
    def test_chinese_is_cut_on_the_workers(self, spark: SparkSession, tmp_path: Path, engine: str) -> None:
        tokenizer = choose_tokenizer("jieba", resolve_jieba_engine(engine, hmm=False), jieba_hmm=False)
        lines = read_lines(spark, [write_shard(tmp_path / "zh.txt", CHINESE_LINES)])
        assert word_lists(tokenize(lines, tokenizer)) == CHINESE_WORDS

    def test_the_manifest_names_the_engine_that_ran(
        self, run_stages: Callable, artifacts: Callable[[Path], Artifacts], tmp_path: Path
    ) -> None:
        shard = write_shard(tmp_path / "zh.txt", CHINESE_LINES)
        run_stages(tmp_path / "out", [shard], ["tokens"], ["tokens.tokenizer=jieba"])
        manifest = artifacts(tmp_path / "out").require("tokens")
        assert manifest.facts["jieba_engine"] == resolve_jieba_engine("auto", hmm=False)
        assert word_lists(artifacts(tmp_path / "out").read("tokens", TOKENS)) == CHINESE_WORDS
