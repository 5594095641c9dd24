"""Tokenizers on the workers: what must reach them does, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from pmi_spark.config import TokensConfig
from pmi_spark.corpus.jieba_dictionaries import load_dictionaries
from pmi_spark.corpus.tokenizers import TextToWords, choose_tokenizer
from pmi_spark.corpus.tokens import tokenize
from pmi_spark.parquet_files import MAGIC
from pmi_spark.storage import Storage


def words_on_workers(spark: SparkSession, chosen: TextToWords, texts: Sequence[str]) -> list[list[str]]:
    """Each text's words, in the order of the texts, cut by two tasks."""
    rows = [(number, text) for number, text in enumerate(texts)]
    documents = spark.createDataFrame(spark.sparkContext.parallelize(rows, 2), "document_id long, text string")
    files = [row["file"] + MAGIC.encode() for row in tokenize(documents, chosen.lists).collect()]
    found = {
        row["document_id"]: row["words"]
        for file in files
        for row in pq.read_table(pa.BufferReader(bytes(file))).to_pylist()
    }
    return [found.get(number, []) for number in range(len(texts))]


class TestDictionaries:
    TEXTS = ("我来到北京清华大学", "他来到北京", "……")

    @pytest.mark.parametrize("engine", ["jieba", "rjieba"])
    def test_they_reach_every_worker_from_wherever_spark_reads(
        self, spark: SparkSession, tmp_path: Path, engine: str
    ) -> None:
        pytest.importorskip(engine)
        user, main = tmp_path / "user.txt", tmp_path / "main.txt"
        main.write_text("我 5 r\n来到 9 v\n北京 3 ns\n清华 3 nz\n", encoding="utf-8")
        user.write_text("来到北京 9999999\n", encoding="utf-8")
        dictionaries = load_dictionaries(Storage(spark).read_bytes, main.as_uri(), [user.as_uri()])
        # The files themselves are needed no more.
        user.unlink()
        main.unlink()
        shipped = spark.sparkContext.broadcast(dictionaries)
        chosen = choose_tokenizer(TokensConfig(tokenizer="jieba"), engine, shipped)
        assert words_on_workers(spark, chosen, self.TEXTS) == [
            ["我", "来到北京", "清华", "大", "学"],
            ["他", "来到北京"],
            [],
        ]

    def test_a_file_changed_within_a_session_is_read_anew(self, spark: SparkSession, tmp_path: Path) -> None:
        user = tmp_path / "user.txt"
        for entry, words in (("来到北京 9999999\n", ["来到北京"]), ("来到北 99999999\n", ["来到北", "京"])):
            user.write_text(entry, encoding="utf-8")
            dictionaries = load_dictionaries(Storage(spark).read_bytes, "", [str(user)])
            chosen = choose_tokenizer(
                TokensConfig(tokenizer="jieba"), "jieba", spark.sparkContext.broadcast(dictionaries)
            )
            assert words_on_workers(spark, chosen, ["来到北京"]) == [words]


class TestOwnFunction:
    @pytest.fixture
    def module(self, spark: SparkSession, tmp_path: Path) -> Iterator[str]:
        """A module that Spark ships, as spark-submit does with --py-files; pickled by value it could not be used."""
        path = tmp_path / "shipped_words.py"
        path.write_text(
            "import os, threading, uuid\n"
            "LOCK = threading.Lock()\n"
            "LOADED = uuid.uuid4().hex\n"
            "def cut(text):\n"
            "    with LOCK:\n"
            "        return [*text.split('+'), LOADED, str(os.getpid())]\n"
        )
        spark.sparkContext.addPyFile(str(path))
        return "shipped_words:cut"

    def test_each_worker_imports_it_once(self, spark: SparkSession, module: str) -> None:
        chosen = choose_tokenizer(TokensConfig(tokenizer=module), "none")
        texts = [f"A{number}+b" for number in range(20)]
        found = [words for _ in range(2) for words in words_on_workers(spark, chosen, texts)]
        assert [words[:2] for words in found] == [[f"a{number}", "b"] for number in range(20)] * 2
        processes = {words[3] for words in found}
        assert len({tuple(words[2:]) for words in found}) == len(processes)
