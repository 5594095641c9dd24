"""One run of each stage: its artifacts read, its function applied, its files written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts, PartFile
from pmi_spark.association.measures import log_probabilities
from pmi_spark.association.pmi import compute_pmi, parse_measures
from pmi_spark.bad_shards import BadShards
from pmi_spark.config import Config
from pmi_spark.cooccurrence.counting import Words, make_plan
from pmi_spark.cooccurrence.pairs import PairCounts, count_pairs
from pmi_spark.cooccurrence.windows import keep_thresholds
from pmi_spark.corpus.phrases import PhrasePass, find_phrases, join_files, make_rule
from pmi_spark.errors import RunError
from pmi_spark.factorization.held_pairs import Independence
from pmi_spark.parquet_files import arrow_schema
from pmi_spark.stage import Built, Reporter
from pmi_spark.tokens_stage import TokensStage
from pmi_spark.vectors_stage import VectorsStage
from pmi_spark.vocabulary_stage import VocabularyStage

MARGINALS = "_marginals"
PHRASES = "_phrases"
MOST_FREQUENT = 10


class StageRuns:
    """The stages of one output directory under one configuration."""

    def __init__(self, spark: SparkSession, artifacts: Artifacts, config: Config, reporter: Reporter) -> None:
        self._spark = spark
        self._artifacts = artifacts
        self._config = config
        self._reporter = reporter

    def build(self, stage: str, upstream: dict[str, Any], identity: str) -> Built:
        """Run one stage by name. ``upstream`` holds the input files of ``tokens``, ``identity`` is its fingerprint."""
        if stage == "tokens":
            return self.tokens(upstream)
        if stage == "vectors":
            return self.vectors(identity)
        builders = {"phrases": self.phrases, "vocabulary": self.vocabulary, "pairs": self.pairs, "pmi": self.pmi}
        return builders[stage]()

    def tokens_stage(self) -> TokensStage:
        """The stage that reads and cuts, before it runs."""
        return TokensStage(self._spark, self._artifacts, self._config, self._reporter)

    def tokens(self, upstream: dict[str, Any]) -> Built:
        """Documents -> tokens; InputError when there is not one word."""
        return self.tokens_stage().build([path for path, _, _ in upstream["files"]])

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

    def vocabulary_stage(self) -> VocabularyStage:
        """The stage that selects words, before it runs."""
        return VocabularyStage(self._spark, self._artifacts, self._config.vocabulary, self._reporter, self.corpus)

    def vocabulary(self) -> Built:
        """Tokens -> vocabulary; RunError when no word is left."""
        return self.vocabulary_stage().build()

    def _read_vocabulary(self) -> pa.Table:
        """The vocabulary by id, on the driver: about 40 bytes a word."""
        table = self._artifacts.read_table("vocabulary", schemas.VOCABULARY)
        return table.sort_by("word_id").combine_chunks()

    def pairs(self) -> Built:
        """Tokens and vocabulary -> pair counts and marginals; RunError when no pair is left."""
        settings = self._config.pairs
        vocabulary = self._read_vocabulary()
        word_counts = np.asarray(vocabulary["word_count"])
        plan = make_plan(word_counts, settings)
        thresholds = keep_thresholds(word_counts, settings.subsample) if settings.subsample > 0 else None
        words = Words(vocabulary["word"].combine_chunks(), thresholds)
        minimum_units = int(np.ceil(settings.minimum_count * plan.weights.denominator))
        shards = self._artifacts.paths(self.corpus)

        def count(left: list[str]) -> PairCounts:
            streams = self._artifacts.stream_files(self.corpus, without=set(shards) - set(left))
            documents = {path: shards[path] for path in left}
            return count_pairs(self._spark, streams, documents, words, plan, minimum_units, guard.skip)

        cure = f"delete the {self.corpus} folder and run that stage again"
        guard = BadShards("pairs", cure, settings.on_bad_shard == "skip", self._reporter.note)
        counts, lost = guard.leave_out(list(shards), count)
        for path in counts.skipped:
            self._reporter.note("pairs", f"left out {path}: damaged")
        if not counts.marginals.any():
            raise RunError("no two different words ever met", cure="give longer documents or a wider pairs.window")
        files = self._artifacts.write_encoded("pairs", counts.pairs)
        if not sum(part.row_count for part in files):
            raise RunError(f"no pair met {settings.minimum_count} times", cure="lower pairs.minimum_count")
        side_files = self._write_marginals(counts.marginals)
        total = int(counts.marginals.sum())
        facts = {
            "denominator": plan.weights.denominator,
            "marginal_total": total,
            "blocks": plan.layout.blocks,
            "skipped_shards": [*lost, *counts.skipped],
        }
        return Built(files, facts, side_files)

    def _write_marginals(self, marginals: npt.NDArray[np.int64]) -> tuple[PartFile, ...]:
        columns = [pa.array(np.arange(len(marginals), dtype=np.int32)), pa.array(marginals)]
        table = pa.table(columns, schema=arrow_schema(schemas.MARGINALS))
        return self._artifacts.write_tables("pairs", [table], side=MARGINALS)

    def _read_marginals(self) -> npt.NDArray[np.int64]:
        table = self._artifacts.read_table("pairs", schemas.MARGINALS, side=True)
        return np.asarray(table.sort_by("word_id")["marginal_count"])

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
            marginals = self._read_marginals() / facts["denominator"]
        else:
            marginals = np.asarray(vocabulary["word_count"]).astype(np.float64)
        return marginals, facts["marginal_total"] / facts["denominator"]

    def vectors(self, identity: str) -> Built:
        """PMI -> word vectors."""
        vocabulary = self._read_vocabulary()
        marginals, total = self._pmi_marginals(vocabulary)
        independence = Independence(log_probabilities(marginals, self._config.pmi.context_smoothing), total)
        stage = VectorsStage(self._spark, self._artifacts, self._config.vectors, self._reporter, independence, identity)
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
