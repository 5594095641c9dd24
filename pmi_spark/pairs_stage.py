"""One run of the pairs stage: counted from all text, or brought up to date from the pairs there are."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import SparkSession

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts, PartFile
from pmi_spark.bad_shards import BadShards
from pmi_spark.config import PairsConfig
from pmi_spark.cooccurrence.counting import CountingPlan, Words, make_plan
from pmi_spark.cooccurrence.pair_updates import Growing, Role, TokenShard, update_pairs
from pmi_spark.cooccurrence.pairs import PairCounts, count_pairs
from pmi_spark.cooccurrence.windows import keep_thresholds
from pmi_spark.counted_corpus import CountedCorpus
from pmi_spark.errors import RunError
from pmi_spark.increments import Difference, lineage
from pmi_spark.parquet_files import arrow_schema
from pmi_spark.stage import Built, Reporter

MARGINALS = "_marginals"
# Settings that decide what a document adds to the counts.
_DECISIVE = ("window", "weighting", "subsample", "unknown")


class _Basis(NamedTuple):
    """What the pairs there lack, and how many words they know."""

    change: Difference
    known_words: int


class PairsStage:
    """Tokens and vocabulary -> pair counts, for one output directory and configuration."""

    def __init__(self, spark: SparkSession, artifacts: Artifacts, settings: PairsConfig, reporter: Reporter) -> None:
        self._spark = spark
        self._artifacts = artifacts
        self._settings = settings
        self._reporter = reporter

    def build(self, corpus: CountedCorpus, vocabulary: pa.Table) -> Built:
        """The artifact's files; RunError when no pair is left. ``vocabulary`` is sorted by id."""
        settings = self._settings
        plan = make_plan(np.asarray(vocabulary["word_count"]), settings)
        frequencies = np.asarray(vocabulary["frequency"])
        thresholds = keep_thresholds(frequencies, settings.subsample) if settings.subsample > 0 else None
        words = Words(vocabulary["word"].combine_chunks(), thresholds)
        basis = self._basis(corpus)
        counts = self._count(corpus, words, plan) if basis is None else self._update(corpus, words, plan, basis)
        if not counts.marginals.any():
            raise RunError("no two different words ever met", cure="give longer documents or a wider pairs.window")
        files = self._artifacts.write_encoded("pairs", counts.pairs)
        if not sum(part.row_count for part in files):
            raise RunError(f"no pair met {settings.minimum_count} times", cure="lower pairs.minimum_count")
        facts = {
            **corpus.fact(),
            "denominator": plan.weights.denominator,
            "marginal_total": int(counts.marginals.sum()),
            "blocks": plan.layout.blocks,
            "skipped_shards": list(counts.skipped),
        }
        return Built(files, facts, self._write_marginals(counts.marginals))

    def _count(self, corpus: CountedCorpus, words: Words, plan: CountingPlan) -> PairCounts:
        shards = corpus.rows()

        def count(left: list[str]) -> PairCounts:
            streams = self._artifacts.stream_files(corpus.name, only=left)
            documents = {path: shards[path] for path in left}
            return count_pairs(self._spark, streams, documents, words, plan, self._minimum_units(plan), guard.skip)

        cure = f"delete the {corpus.name} folder and run that stage again"
        guard = BadShards("pairs", cure, self._settings.on_bad_shard == "skip", self._reporter.note)
        counts, lost = guard.leave_out(list(shards), count)
        for path in counts.skipped:
            self._reporter.note("pairs", f"left out {path}: damaged")
        return replace(counts, skipped=(*lost, *counts.skipped))

    def _update(self, corpus: CountedCorpus, words: Words, plan: CountingPlan, basis: _Basis) -> PairCounts:
        change, known = basis.change, basis.known_words
        roles = {Role.ADDED: change.added, Role.REMOVED: change.removed}
        if known < len(words.words):
            roles[Role.KEPT] = change.kept
        shards = {
            path: TokenShard(documents, role)
            for role, increments in roles.items()
            for path, documents in corpus.rows(increments).items()
        }
        documents = {role: sum(corpus.rows(part).values()) for role, part in roles.items() if part}
        told = ", ".join(f"{number:,} documents {role.value}" for role, number in documents.items())
        if told:
            self._reporter.note("pairs", f"{told}; {len(words.words) - known:,} new words")
        found = update_pairs(
            self._spark,
            self._artifacts.stream_files(corpus.name, only=shards),
            shards,
            self._artifacts.stream_files("pairs"),
            self._artifacts.paths("pairs"),
            Growing(words, known),
            plan,
        )
        marginals = found.marginals.copy()
        marginals[:known] += read_marginals(self._artifacts)
        return replace(found, marginals=marginals)

    def _basis(self, corpus: CountedCorpus) -> _Basis | None:
        """The pairs there are, where they hold every pair of a vocabulary that this one extends, under like settings.

        Pairs that a minimum left out are not to be had again, nor is what a damaged shard held.
        """
        found = self._artifacts.manifest("pairs")
        if found is None or not self._artifacts.has_whole("pairs", found.fingerprint):
            return None
        before = found.configuration["pairs"]
        same = all(before.get(name) == getattr(self._settings, name) for name in _DECISIVE)
        left_out = self._settings.minimum_count or before.get("minimum_count") or found.facts["skipped_shards"]
        change = corpus.difference(found)
        extends = found.upstream["vocabulary"] in lineage(self._artifacts.require("vocabulary"))
        if change is None or not extends:
            return None
        if left_out or not same:
            if not (change.added or change.removed):
                return None
            why = "pairs were left out of it" if same else "it was counted with other settings"
            self._reporter.note("pairs", f"counted anew from all text: the table there is no basis, {why}")
            return None
        return _Basis(change, sum(part.row_count for part in found.side_files))

    def _minimum_units(self, plan: CountingPlan) -> int:
        return int(np.ceil(self._settings.minimum_count * plan.weights.denominator))

    def _write_marginals(self, marginals: npt.NDArray[np.int64]) -> tuple[PartFile, ...]:
        columns = [pa.array(np.arange(len(marginals), dtype=np.int32)), pa.array(marginals)]
        table = pa.table(columns, schema=arrow_schema(schemas.MARGINALS))
        return self._artifacts.write_tables("pairs", [table], side=MARGINALS)


def read_marginals(artifacts: Artifacts) -> npt.NDArray[np.int64]:
    """The marginals beside the pairs, by word id, in units of 1 / denominator."""
    table = artifacts.read_table("pairs", schemas.MARGINALS, side=True)
    return np.asarray(table.sort_by("word_id")["marginal_count"])
