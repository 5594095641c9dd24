"""One run of each stage: its artifacts read, its function applied, its files written."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts
from pmi_spark.association.measures import log_probabilities
from pmi_spark.association.pmi import compute_pmi, parse_measures
from pmi_spark.config import Config
from pmi_spark.corpus.phrases import PhrasePass, find_phrases, join_files, make_rule
from pmi_spark.corpus.tokens import encode_words
from pmi_spark.counted_corpus import CountedCorpus
from pmi_spark.errors import InputError, RunError
from pmi_spark.factorization.held_pairs import Independence
from pmi_spark.increments import EXTENDS, FIRST_LABEL, REFITS, RETIRED, Increment, increments_of, parts_of, tokens_facts
from pmi_spark.pairs_stage import PairsStage, read_marginals
from pmi_spark.stage import Built, Reporter
from pmi_spark.tokens_stage import TokensStage
from pmi_spark.vectors_stage import VectorsStage
from pmi_spark.vocabulary_stage import VocabularyStage

PHRASES = "_phrases"
MOST_FREQUENT = 10


class StageRuns:
    """The stages of one output directory under one configuration.

    ``wanted`` are the increments that the text is to have; None: those it has.
    """

    def __init__(self, spark: SparkSession, artifacts: Artifacts, config: Config, reporter: Reporter) -> None:
        self.wanted: tuple[Increment, ...] | None = None
        self._spark = spark
        self._artifacts = artifacts
        self._config = config
        self._reporter = reporter

    def build(self, stage: str, upstream: dict[str, Any], identity: str) -> Built:
        """Run one stage by name. ``upstream`` is what it is made from, ``identity`` its fingerprint."""
        if stage == "vocabulary":
            return self.vocabulary(upstream)
        if stage == "vectors":
            return self.vectors(upstream, identity)
        builders = {"tokens": self.tokens, "phrases": self.phrases, "pairs": self.pairs, "pmi": self.pmi}
        return builders[stage]()

    def tokens_stage(self) -> TokensStage:
        """The stage that reads and cuts, before it runs."""
        return TokensStage(self._spark, self._artifacts, self._config, self._reporter)

    def tokens(self) -> Built:
        """Documents -> tokens: of the increments wanted, those alone that are not there.

        Raises InputError when there is not one word, RunError when a file changed meanwhile.
        """
        assert self.wanted is not None
        found = self._artifacts.manifest("tokens")
        stays = [entry for entry in self.wanted if entry.parts]
        files, side_files = parts_of(found, stays) if found is not None else ((), ())
        done = []
        for entry in self.wanted:
            if not entry.parts:
                built = self.tokens_stage().build([path for path, _, _ in entry.inputs])
                self._refuse_changed(entry.inputs, built.facts["skipped_shards"])
                parts, side_parts = (tuple(part.name for part in group) for group in (built.files, built.side_files))
                entry = replace(entry, facts=built.facts, parts=parts, side_parts=side_parts)
                files, side_files = files + built.files, side_files + built.side_files
            done.append(entry)
        before = increments_of(found) if found is not None and stays else ()
        retired = found.facts[RETIRED] if found is not None and stays else ()
        return Built(files, tokens_facts(done, before, retired), side_files)

    def words(self, documents: DataFrame) -> Built:
        """Words that a frame holds (``words array<string>``, a row a document) -> tokens: one increment, of no files.

        Raises InputError when there is not one word.
        """
        written = Observation()
        sums = (F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in ("documents", "words"))
        files = self._artifacts.write_encoded("tokens", encode_words(documents).observe(written, *sums))
        facts = dict(written.get)
        if not facts["words"]:
            raise InputError("no words in the frame", cure="check the column of words")
        entry = Increment(FIRST_LABEL, (), tuple(part.name for part in files), facts=facts)
        return Built(files, tokens_facts([entry], (), ()))

    def _refuse_changed(self, listed: Sequence[tuple[str, int, int]], skipped: Collection[str]) -> None:
        """RunError when a file that was read is not what was listed: (path, size in bytes, modified in ms) each.

        The tokens may be of the one or the other, or of both. Lists every folder again; files that came since then are
        none of this run's.
        """
        folders = {path.rpartition("/")[0] for path, _, _ in listed}
        entries = [entry for folder in folders for entry in self._artifacts.storage.children(folder)]
        now = {entry.path: (entry.size_bytes, entry.modified_ms) for entry in entries}
        for path, *known in listed:
            if path not in skipped and now.get(path) != tuple(known):
                what = "changed" if path in now else "vanished"
                raise RunError(f"{path} {what} while it was read", cure="run the same command again when it is at rest")

    @property
    def corpus(self) -> str:
        """The artifact whose words are counted."""
        return "phrases" if self._config.phrases.passes else "tokens"

    def phrases(self) -> Built:
        """Tokens -> tokens with phrases joined, and the table of phrases beside them."""
        settings = self._config.phrases
        rule = make_rule(settings)
        files, rows = self._artifacts.read_files("tokens"), self._artifacts.paths("tokens")
        passes = find_phrases(files, settings, rule, rows)
        written = Observation()
        joined = join_files(files, passes, rule, rows).observe(
            written,
            *(F.sum(name).alias(name) for name in ("documents", "words")),
            *(F.sum(F.col("joined")[place]).alias(f"joined_{place}") for place in range(len(passes))),
        )
        parts = self._artifacts.write_encoded("phrases", joined)
        table = pa.concat_tables([entry.rows for entry in passes]).combine_chunks()
        side_files = self._artifacts.write_tables("phrases", [table], side=PHRASES)
        if not len(table):
            self._reporter.note("phrases", "found none: lower phrases.threshold or phrases.minimum_count")
        return Built(parts, _phrase_facts(passes, table, written.get), side_files)

    def counted_corpus(self) -> CountedCorpus:
        """The files whose words are counted."""
        return CountedCorpus(self._artifacts, self.corpus, self.wanted)

    def vocabulary_stage(self) -> VocabularyStage:
        """The stage that selects words, before it runs."""
        return VocabularyStage(self._spark, self._artifacts, self._config.vocabulary, self._reporter)

    def vocabulary(self, upstream: dict[str, Any]) -> Built:
        """Tokens -> vocabulary; RunError when no word is left."""
        corpus, earlier = self.counted_corpus(), self._artifacts.manifest("vocabulary")
        if earlier is not None and upstream.get(EXTENDS) == earlier.fingerprint:
            change = corpus.difference(earlier)
            if change is not None:
                return self.vocabulary_stage().update(corpus, earlier, change)
        return self.vocabulary_stage().build(corpus)

    def _read_vocabulary(self) -> pa.Table:
        """The vocabulary by id, on the driver: about 40 bytes a word."""
        table = self._artifacts.read_table("vocabulary", schemas.VOCABULARY)
        return table.sort_by("word_id").combine_chunks()

    def pairs(self) -> Built:
        """Tokens and vocabulary -> pair counts and marginals; RunError when no pair is left."""
        return PairsStage(self._spark, self._artifacts, self._config.pairs, self._reporter).build(
            self.counted_corpus(), self._read_vocabulary()
        )

    def pmi(self) -> Built:
        """Pair counts and marginals -> PMI."""
        settings = self._config.pmi
        marginals, total = self._pmi_marginals(self._read_vocabulary())
        pmi = compute_pmi(
            self._spark,
            pair_files=self._artifacts.read_files("pairs"),
            marginals=marginals,
            denominator=self._artifacts.require("pairs").facts["denominator"],
            context_smoothing=settings.context_smoothing,
            further=parse_measures(settings.measures, settings.marginals),
            window_total=total,
            row_counts=self._artifacts.paths("pairs"),
        )
        return Built(self._artifacts.write_encoded("pmi", pmi), {"window_total": total})

    def _pmi_marginals(self, vocabulary: pa.Table) -> tuple[npt.NDArray[np.float64], float]:
        """What P(i) is made of, one number a word id, and N, the sum over ordered pairs in weighted occurrences."""
        facts = self._artifacts.require("pairs").facts
        if self._config.pmi.marginals == "window":
            marginals = read_marginals(self._artifacts) / facts["denominator"]
        else:
            marginals = np.asarray(vocabulary["word_count"]).astype(np.float64)
        return marginals, facts["marginal_total"] / facts["denominator"]

    def vectors(self, upstream: dict[str, Any], identity: str) -> Built:
        """PMI -> word vectors; from those there are where the vocabulary was extended."""
        vocabulary = self._read_vocabulary()
        marginals, total = self._pmi_marginals(vocabulary)
        independence = Independence(log_probabilities(marginals, self._config.pmi.context_smoothing), total)
        settings = self._config.vectors
        start = self._artifacts.output if REFITS in upstream else settings.init
        stage = VectorsStage(self._spark, self._artifacts, settings, self._reporter, independence, identity, start)
        return stage.build(vocabulary)


def _phrase_facts(passes: list[PhrasePass], table: pa.Table, written: dict[str, int]) -> dict[str, Any]:
    """What the manifest says: of each pass the words it looked at, the phrases it found and the joins it made."""
    frequent = table.sort_by([("phrase_count", "descending"), ("phrase", "ascending")]).slice(0, MOST_FREQUENT)
    return {
        "documents": written["documents"],
        "words": written["words"],
        "phrases": len(table),
        "passes": [
            {"words": entry.words, "phrases": len(entry.rows), "joined": written[f"joined_{place}"]}
            for place, entry in enumerate(passes)
        ],
        "most_frequent": dict(zip(*(frequent[name].to_pylist() for name in ("phrase", "phrase_count")), strict=True)),
    }
