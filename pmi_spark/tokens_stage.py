"""One run of the tokens stage: files looked at, documents read, copies dropped, texts cut, every document accounted."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts, PartFile
from pmi_spark.bad_shards import BadShards
from pmi_spark.config import Config
from pmi_spark.corpus.account import SAMPLES, Account, account_lines, sum_accounts
from pmi_spark.corpus.duplicates import drop_duplicates, limit_repeated_lines
from pmi_spark.corpus.formats import Layout, sort_files
from pmi_spark.corpus.jieba_dictionaries import JiebaDictionaries, load_dictionaries
from pmi_spark.corpus.sources import preview, read_documents
from pmi_spark.corpus.tokenizers import TextToWords, choose_tokenizer, parse_list, resolve_jieba_engine
from pmi_spark.corpus.tokens import DocumentRules, judge_documents, tokenize
from pmi_spark.errors import InputError
from pmi_spark.parquet_files import arrow_schema
from pmi_spark.session import own_error
from pmi_spark.stage import Built, Reporter
from pmi_spark.word_files import read_named_file, read_word_file

REJECTS = "_rejects"
# All tasks together send the driver about so many samples of a reason.
_SAMPLES_OF_ALL = 20_000


class TokensStage:
    """Files -> tokens, for one output directory and configuration."""

    def __init__(self, spark: SparkSession, artifacts: Artifacts, config: Config, reporter: Reporter) -> None:
        self._spark = spark
        self._artifacts = artifacts
        self._input = config.input
        self._settings = config.tokens
        self._reporter = reporter

    def effective(self) -> dict[str, Any]:
        """The settings as the fingerprint takes them: in place of each file's name what it holds.

        Raises InputError when one cannot be read.
        """
        settings = dataclasses.asdict(self._settings) | {"input": dataclasses.asdict(self._input)}
        settings |= {
            "jieba_engine": self.jieba_engine(),
            "stop_words": hashlib.sha256("\n".join(self._stop_words()).encode()).hexdigest(),
            "jieba_dictionary": "",
            "jieba_user_dictionaries": self._dictionaries().digest,
        }
        return settings

    def jieba_engine(self) -> str:
        """The segmenter that runs, or none when Chinese is not what is cut."""
        return resolve_jieba_engine(self._settings) if self._settings.tokenizer == "jieba" else "none"

    def build(self, paths: Sequence[str]) -> Built:
        """The artifact's files; InputError when there is not one word."""
        skip = self._settings.on_bad_shard == "skip" and not self._input.strict
        guard = BadShards("tokens", "replace it", skip, self._reporter.note)
        layouts, unreadable = self._sort(paths, skip)
        tokenizer = self._tokenizer()
        readable = [path for group in layouts.values() for path in group]

        nothing = InputError(f"no words in the {len(paths)} input files", cure="check the input and tokens.tokenizer")
        if not readable:
            raise nothing

        def cut(left: list[str]) -> tuple[tuple[PartFile, ...], dict[str, Any], Account]:
            kept = {layout: [path for path in group if path in set(left)] for layout, group in layouts.items()}
            try:
                return self._cut(self._documents(kept), tokenizer, len(left))
            except (Py4JJavaError, PySparkException) as error:
                own = own_error(str(error))
                if own is None:
                    raise
                # What a worker says of a record is nothing that its file would be left out for.
                raise own from error

        (files, facts, account), skipped = guard.leave_out(readable, cut)
        facts |= {
            "input_files": len(paths),
            "formats": {layout.format: len(group) for layout, group in layouts.items()},
            "jieba_engine": self.jieba_engine(),
            "skipped_shards": sorted([*unreadable, *skipped]),
        }
        for line in account_lines(facts):
            self._reporter.note("tokens", line)
        if not facts["words"]:
            raise nothing
        return Built(files, facts, self._write_rejects(account))

    def preview(self, paths: Sequence[str], count: int = 10) -> list[tuple[str, str, list[str]]]:
        """The first documents as they will be cut: (shard, why it is rejected or "", its words). Nothing is written."""
        layouts, _ = self._sort(paths, skip=False)
        documents = preview(self._documents(layouts), count)
        (words, _), reasons = judge_documents(documents, self._tokenizer(), self._rules(1))
        columns = documents.column("shard"), pc.fill_null(reasons, ""), words
        return list(zip(*(column.to_pylist() for column in columns), strict=True))

    def _sort(self, paths: Sequence[str], skip: bool) -> tuple[dict[Layout, list[str]], list[str]]:
        """Files by layout, and those left out because their first bytes already show that they cannot be read."""
        storage = self._artifacts.storage
        found = sort_files(paths, storage.read_head, storage.parquet_columns, self._input)
        for path, error in found.unreadable.items():
            if not skip:
                raise error
            self._reporter.note("tokens", f"left out {path}: {error.found.removeprefix(f'cannot read {path}: ')}")
        return found.layouts, list(found.unreadable)

    def _documents(self, layouts: dict[Layout, list[str]]) -> DataFrame:
        documents = read_documents(self._spark, layouts, self._input)
        if self._input.maximum_line_count:
            limited = limit_repeated_lines(documents, self._input.maximum_line_count)
            documents = limited.documents
            line = f"{limited.lines:,} lines that repeat too often taken out, {limited.occurrences:,} times"
            self._reporter.note("tokens", line)
        return drop_duplicates(documents) if self._input.duplicates == "drop" else documents

    def _tokenizer(self) -> TextToWords:
        dictionaries = self._spark.sparkContext.broadcast(self._dictionaries())
        return choose_tokenizer(self._settings, self.jieba_engine(), dictionaries, self._stop_words())

    def _dictionaries(self) -> JiebaDictionaries:
        settings = self._settings
        if settings.tokenizer != "jieba":
            return JiebaDictionaries()

        def read(path: str) -> bytes:
            return read_named_file(self._artifacts.storage, path, "tokens.jieba_dictionary or _user_dictionaries")

        user = parse_list(settings.jieba_user_dictionaries)
        return load_dictionaries(read, settings.jieba_dictionary, user, needs_parts=bool(settings.jieba_parts))

    def _stop_words(self) -> list[str]:
        paths = parse_list(self._settings.stop_words)
        texts = [read_word_file(self._artifacts.storage, path, "tokens.stop_words") for path in paths]
        return [word for text in texts for word in text.splitlines()]

    def _cut(
        self, documents: DataFrame, tokenizer: TextToWords, shards: int
    ) -> tuple[tuple[PartFile, ...], dict[str, Any], Account]:
        written = Observation()
        tokens = tokenize(documents, tokenizer, self._rules(shards)).observe(
            written,
            *(F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in ("documents", "words")),
            F.collect_list("account").alias("accounts"),
        )
        files = self._artifacts.write_encoded("tokens", tokens.where("file is not null"))
        observed = written.get
        account = sum_accounts(observed.pop("accounts"))
        return files, observed | account.facts(), account

    def _rules(self, shards: int) -> DocumentRules:
        return DocumentRules(
            self._input.minimum_words,
            self._input.maximum_replaced_share,
            self._input.strict,
            samples_each=min(SAMPLES, -(-_SAMPLES_OF_ALL // max(shards, 1))),
        )

    def _write_rejects(self, account: Account) -> tuple[PartFile, ...]:
        """The sample of rejected records, beside the tokens."""
        columns = list(zip(*account.rejects(), strict=True))
        if not columns:
            return ()
        table = pa.table([pa.array(column, pa.string()) for column in columns], schema=arrow_schema(schemas.REJECTS))
        return self._artifacts.write_tables("tokens", [table], side=REJECTS)
