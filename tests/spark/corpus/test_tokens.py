"""Documents -> tokens: whatever the shards look like, the same words under the same ids."""

from __future__ import annotations

import bz2
import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.artifacts import Artifacts
from pmi_spark.config import TokensConfig
from pmi_spark.corpus import tokens as token_stage
from pmi_spark.corpus.sources import check_readable, read_lines
from pmi_spark.corpus.tokenizers import choose_tokenizer, resolve_jieba_engine
from pmi_spark.corpus.tokens import tokenize
from pmi_spark.corpus.words import split_words, split_words_plain
from pmi_spark.errors import InputError
from pmi_spark.parquet_files import MAGIC, arrow_schema
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


def decoded(file: bytes) -> list[dict]:
    """The rows of a file that lacks its closing magic number yet."""
    return pq.read_table(pa.BufferReader(file + MAGIC.encode())).to_pylist()


def rows_of(tokens: DataFrame) -> list[dict]:
    return [row for written in tokens.collect() for row in decoded(written["file"])]


def words_by_document(tokens: DataFrame) -> Counter[tuple[int, tuple[str, ...]]]:
    return Counter((row["document_id"], tuple(row["words"])) for row in rows_of(tokens))


def word_lists(tokens: DataFrame) -> list[list[str]]:
    return sorted(row["words"] for row in rows_of(tokens))


def words_of_artifact(tokens: DataFrame) -> list[list[str]]:
    return sorted(list(row["words"]) for row in tokens.collect())


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


def test_tokens_are_files_of_the_declared_columns_with_their_totals(spark: SparkSession, tmp_path: Path) -> None:
    tokens = tokenize(read_lines(spark, [write_shard(tmp_path / "a.txt", LINES)]), split_words)
    assert [(entry.name, entry.dataType.simpleString()) for entry in tokens.schema] == [
        ("file", "binary"),
        ("documents", "bigint"),
        ("words", "bigint"),
    ]
    (written,) = tokens.collect()
    file = pq.ParquetFile(pa.BufferReader(written["file"] + MAGIC.encode()))
    assert file.schema_arrow.equals(arrow_schema(TOKENS))
    lists = plain_lists(LINES)
    assert (written["documents"], written["words"]) == (len(lists), sum(map(len, lists)))


def test_text_without_a_word_gives_no_file(spark: SparkSession, tmp_path: Path) -> None:
    assert tokenize(read_lines(spark, [write_shard(tmp_path / "a.txt", ["...", ""])]), split_words).collect() == []


def batch_of(lines: Sequence[str], first: int = 0) -> pa.RecordBatch:
    ids = pa.array(range(first, first + len(lines)), pa.int64())
    return pa.RecordBatch.from_arrays([ids, pa.array(lines, pa.string())], names=["document_id", "text"])


def files_of(batches: Iterable[pa.RecordBatch]) -> list[dict]:
    """What a task gives for its batches of lines: rows of TOKEN_FILES."""
    return [row for batch in token_stage._mapper(split_words)(iter(batches)) for row in batch.to_pylist()]


def row_groups(file: bytes) -> list[list[int]]:
    """The document_ids of each row group."""
    whole = pq.ParquetFile(pa.BufferReader(file + MAGIC.encode()))
    return [whole.read_row_group(k)["document_id"].to_pylist() for k in range(whole.num_row_groups)]


class TestCuts:
    """Where a task's tokens are cut; its batches here are of 2 lines, 4 words."""

    BATCHES = tuple(batch_of(["one two three", "four"], first) for first in range(0, 10, 2))

    def test_a_file_is_closed_after_the_batch_that_fills_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(token_stage, "WORDS_PER_FILE", 7)
        files = files_of(self.BATCHES)
        assert [(file["documents"], file["words"]) for file in files] == [(4, 8), (4, 8), (2, 4)]
        assert [row_groups(file["file"]) for file in files] == [[[0, 1, 2, 3]], [[4, 5, 6, 7]], [[8, 9]]]

    def test_a_row_group_is_closed_after_the_batch_that_fills_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(token_stage, "WORDS_PER_ROW_GROUP", 5)
        (file,) = files_of(self.BATCHES)
        assert (file["documents"], file["words"]) == (10, 20)
        assert row_groups(file["file"]) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    def test_neither_limit_loses_a_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = [f"{'word ' * (number % 5)}n{number}" if number % 3 else "..." for number in range(60)]
        batches = [batch_of(lines[first : first + 7], first) for first in range(0, 60, 7)]
        monkeypatch.setattr(token_stage, "WORDS_PER_FILE", 40)
        monkeypatch.setattr(token_stage, "WORDS_PER_ROW_GROUP", 9)
        files = files_of(batches)
        assert len(files) > 2
        assert all(len(row_groups(file["file"])) > 1 for file in files[:-1])
        assert [row["words"] for file in files for row in decoded(file["file"])] == [
            words for line in lines if (words := split_words_plain(line))
        ]

    def test_a_full_last_file_is_not_followed_by_an_empty_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(token_stage, "WORDS_PER_FILE", 4)
        assert [file["words"] for file in files_of([*self.BATCHES, batch_of(["..."])])] == [4] * 5

    def test_a_file_may_have_no_rows(self) -> None:
        (row,) = token_stage.TokenFile().finish().to_pylist()
        assert (decoded(row["file"]), row["documents"], row["words"]) == ([], 0, 0)


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
        words = words_of_artifact(artifacts(tmp_path / "out").read("tokens", TOKENS))
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
        settings = TokensConfig(tokenizer="jieba", jieba_engine=engine)
        tokenizer = choose_tokenizer(settings, resolve_jieba_engine(settings)).lists
        lines = read_lines(spark, [write_shard(tmp_path / "zh.txt", CHINESE_LINES)])
        assert word_lists(tokenize(lines, tokenizer)) == CHINESE_WORDS

    def test_the_manifest_names_the_engine_that_ran(
        self, run_stages: Callable, artifacts: Callable[[Path], Artifacts], tmp_path: Path
    ) -> None:
        shard = write_shard(tmp_path / "zh.txt", CHINESE_LINES)
        run_stages(tmp_path / "out", [shard], ["tokens"], ["tokens.tokenizer=jieba"])
        manifest = artifacts(tmp_path / "out").require("tokens")
        assert manifest.facts["jieba_engine"] == resolve_jieba_engine(TokensConfig())
        assert words_of_artifact(artifacts(tmp_path / "out").read("tokens", TOKENS)) == CHINESE_WORDS
