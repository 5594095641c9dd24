"""One run of the vocabulary stage: lists and earlier vocabularies read, words selected and numbered."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts, Manifest
from pmi_spark.config import VocabularyConfig
from pmi_spark.corpus.vocabulary import Rules, Selection, count_given, count_words, select_words
from pmi_spark.corpus.vocabulary_growth import extend_vocabulary, update_counts, update_given
from pmi_spark.corpus.word_account import Account
from pmi_spark.corpus.word_lists import parse_numbered, parse_words
from pmi_spark.counted_corpus import CountedCorpus
from pmi_spark.errors import ConfigurationError, RunError
from pmi_spark.increments import ANCESTORS, Difference
from pmi_spark.stage import Built, Reporter
from pmi_spark.word_files import read_word_file

# Settings that name a file; what counts is what stands in it.
FILES = ("keep", "drop", "given")
DROPPED = "_dropped"


class VocabularyStage:
    """Tokens -> vocabulary, for one output directory and configuration."""

    def __init__(
        self, spark: SparkSession, artifacts: Artifacts, settings: VocabularyConfig, reporter: Reporter
    ) -> None:
        self._spark = spark
        self._artifacts = artifacts
        self._settings = settings
        self._reporter = reporter

    def effective(self) -> dict[str, Any]:
        """The settings as the fingerprint takes them: in place of each file's name what it holds.

        Raises InputError when one cannot be read.
        """
        settings = dataclasses.asdict(self._settings)
        for name in FILES:
            if settings[name]:
                earlier = self._earlier() if name == "given" else None
                settings[name] = (
                    earlier.require("vocabulary").fingerprint if earlier else _digest(self._read_text(name))
                )
        return settings

    def build(self, corpus: CountedCorpus) -> Built:
        """The artifact's files; RunError when no word is left."""
        tokens = corpus.rows()
        counted = self._count(corpus, tokens)
        facts: dict[str, Any] = {**corpus.fact(), ANCESTORS: []}
        if self._settings.given:
            words, size = self._given()
            with count_given(counted, words, size) as selection:
                return self._write(selection, facts)
        lists, listed = self._lists()
        with select_words(counted, self._rules(), sum(tokens.values()), lists, listed) as selection:
            return self._write(selection, facts)

    def update(self, corpus: CountedCorpus, earlier: Manifest, change: Difference) -> Built:
        """As :meth:`build`, from the earlier vocabulary: the text of ``change`` alone is read, and ids stay."""
        words = self._artifacts.read("vocabulary", schemas.VOCABULARY)
        dropped = self._artifacts.read("vocabulary", schemas.DROPPED_WORDS, side=True)
        added, removed = (self._count(corpus, corpus.rows(part)) for part in (change.added, change.removed))
        updated = update_counts(words, dropped, added, removed)
        facts = {**corpus.fact(), ANCESTORS: [*earlier.facts[ANCESTORS], earlier.fingerprint]}
        size = earlier.row_count
        if self._settings.given:
            with update_given(updated, size) as selection:
                return self._write(selection, facts)
        lists, listed = self._lists()
        there = words.join(lists.where("verdict = 'keep'"), "word", "left_semi").count() if lists is not None else 0
        documents = sum(corpus.rows().values())
        with extend_vocabulary(updated, size, self._rules(), documents, lists, listed - there) as selection:
            return self._write(selection, facts)

    def _count(self, corpus: CountedCorpus, files: Mapping[str, int]) -> DataFrame:
        """Words of token files, {path: documents}, of none perhaps."""
        if not files:
            return self._spark.createDataFrame([], schemas.DROPPED_WORDS)
        return count_words(self._artifacts.read_files(corpus.name, files), files)

    def _rules(self) -> Rules:
        settings = self._settings
        return Rules(
            settings.minimum_count, settings.minimum_documents, settings.maximum_document_share, settings.maximum_size
        )

    def _write(self, selection: Selection, facts: dict[str, Any]) -> Built:
        account = selection.account
        if not account.kept.words:
            raise self._nothing_left(account)
        if account.absent:
            name = "given" if self._settings.given else "keep"
            self._reporter.note("vocabulary", f"{account.absent:,} words of vocabulary.{name} do not occur")
        for line in account.lines():
            self._reporter.note("vocabulary", line)
        files = self._artifacts.write_files("vocabulary", selection.vocabulary, schemas.VOCABULARY)
        side_files = self._artifacts.write_files("vocabulary", selection.dropped, schemas.DROPPED_WORDS, DROPPED)
        return Built(files, account.facts() | facts, side_files)

    def _nothing_left(self, account: Account) -> RunError:
        if self._settings.given:
            return RunError(
                f"no word of {self._settings.given} occurs", cure="give text of the same language and tokenizer"
            )
        by = {rule: share.words for rule, share in account.dropped.items() if share.words}
        if list(by) == ["minimum_count"]:
            return RunError(
                f"no word occurs {self._settings.minimum_count} times",
                cure="lower vocabulary.minimum_count or give more text",
            )
        left_out = ", ".join(f"{words:,} by vocabulary.{rule}" for rule, words in by.items())
        return RunError(f"no word is left: {left_out}", cure="loosen these settings or give more text")

    def _list(self, name: str) -> list[str]:
        path = getattr(self._settings, name)
        return parse_words(self._read_text(name), path) if path else []

    def _lists(self) -> tuple[DataFrame | None, int]:
        """The words to keep and to drop (word, verdict), None without any, and how many there are to keep."""
        keep, drop = self._list("keep"), self._list("drop")
        if not (keep or drop):
            return None, 0
        both = set(keep).intersection(drop)
        if both:
            raise ConfigurationError(
                f"{min(both)} stands in both vocabulary.keep and vocabulary.drop", cure="take it out of one of them"
            )
        verdicts = ["keep"] * len(keep) + ["drop"] * len(drop)
        lists = self._spark.createDataFrame(pa.table({"word": [*keep, *drop], "verdict": verdicts}))
        return lists, len(keep)

    def _earlier(self) -> Artifacts | None:
        """The output directory that ``given`` names, or None when it is a file."""
        storage = self._artifacts.storage
        path = storage.resolve(self._settings.given)
        if not storage.is_directory(path):
            return None
        if storage.qualify(path).rstrip("/") == storage.qualify(self._artifacts.output).rstrip("/"):
            raise ConfigurationError(
                f"vocabulary.given names the output directory {self._settings.given} itself",
                cure="name that of an earlier run",
            )
        return Artifacts(self._spark, storage, path)

    def _given(self) -> tuple[DataFrame, int]:
        """The given words (word_id, word), and how many there are."""
        if self._settings.keep or self._settings.drop:
            raise ConfigurationError(
                "vocabulary.given is set, and so is vocabulary.keep or vocabulary.drop",
                cure="a given vocabulary is taken as it is: set one or the other",
            )
        earlier = self._earlier()
        if earlier:
            rows = earlier.read("vocabulary", schemas.VOCABULARY).select("word_id", "word", "frequency")
            return rows, earlier.require("vocabulary").row_count
        words = parse_numbered(self._read_text("given"), self._settings.given)
        table = pa.table({"word_id": pa.array(range(len(words)), pa.int32()), "word": words})
        return self._spark.createDataFrame(table), len(words)

    def _read_text(self, name: str) -> str:
        return read_word_file(self._artifacts.storage, getattr(self._settings, name), f"vocabulary.{name}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
