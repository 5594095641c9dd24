"""One run of each stage: its artifacts read, its function applied, its files written."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

from pmi_spark import schemas
from pmi_spark.artifacts import Artifacts, Manifest, PartFile
from pmi_spark.association.pmi import compute_pmi, parse_measures
from pmi_spark.config import Config
from pmi_spark.cooccurrence.pair_block import BlockLayout
from pmi_spark.cooccurrence.pairs import CountingPlan, choose_block_count, count_pairs
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.corpus.sources import read_lines
from pmi_spark.corpus.tokenizers import resolve_jieba_engine
from pmi_spark.corpus.tokens import choose_tokenizer, tokenize
from pmi_spark.corpus.vocabulary import count_words, number_words
from pmi_spark.errors import InputError, RunError
from pmi_spark.factorization.als import (
    CellSettings,
    build_row_blocks,
    factorize,
    initial_factors,
    vectors_frame,
)
from pmi_spark.factorization.canonical import canonical_form
from pmi_spark.factorization.solver import LossSettings
from pmi_spark.storage import escape_glob

MARGINALS = "_marginals"


class Reporter(Protocol):
    """Who is told how the run goes."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


class Built(NamedTuple):
    """What a stage wrote, not yet published: its files, and what its manifest should say besides."""

    files: tuple[PartFile, ...]
    facts: dict[str, Any]
    side_files: tuple[PartFile, ...] = ()


class StageRuns:
    """The stages of one output directory under one configuration."""

    def __init__(self, spark: SparkSession, artifacts: Artifacts, config: Config, reporter: Reporter) -> None:
        self._spark = spark
        self._artifacts = artifacts
        self._config = config
        self._reporter = reporter

    def build(self, stage: str, upstream: dict[str, Any]) -> Built:
        """Run one stage by name. ``upstream`` holds the input files of ``tokens``."""
        if stage == "tokens":
            return self.tokens(upstream)
        builders = {"vocabulary": self.vocabulary, "pairs": self.pairs, "pmi": self.pmi, "vectors": self.vectors}
        return builders[stage]()

    def jieba_engine(self) -> str:
        """The segmenter that runs, or none when Chinese is not what is cut."""
        settings = self._config.tokens
        if settings.tokenizer != "jieba":
            return "none"
        return resolve_jieba_engine(settings.jieba_engine, settings.jieba_hmm)

    def tokens(self, upstream: dict[str, Any]) -> Built:
        """Documents -> tokens; InputError when there is not one word."""
        read, written = Observation(), Observation()
        paths = [path for path, _, _ in upstream["files"]]
        lines = read_lines(self._spark, [escape_glob(path) for path in paths]).observe(
            read, F.count(F.lit(1)).alias("lines"), F.count_if(~F.col("is_valid_utf8")).alias("invalid_utf8_lines")
        )
        settings = self._config.tokens
        engine = self.jieba_engine()
        tokens = tokenize(lines, choose_tokenizer(settings.tokenizer, engine, settings.jieba_hmm)).observe(
            written, F.count(F.lit(1)).alias("documents"), F.coalesce(F.sum(F.size("words")), F.lit(0)).alias("words")
        )
        files = self._artifacts.write_files("tokens", tokens, schemas.TOKENS)
        facts = {**read.get, **written.get, "input_files": len(paths), "jieba_engine": engine}
        if not facts["words"]:
            raise InputError(f"no words in the {len(paths)} input files", cure="check the input and tokens.tokenizer")
        if facts["invalid_utf8_lines"]:
            self._reporter.note("tokens", f"invalid UTF-8 replaced in {facts['invalid_utf8_lines']:,} lines")
        return Built(files, facts)

    def vocabulary(self) -> Built:
        """Tokens -> vocabulary; RunError when no word is frequent enough."""
        settings = self._config.vocabulary
        counted = count_words(self._artifacts.read("tokens", schemas.TOKENS))
        kept_total = Observation()
        vocabulary = number_words(counted, settings.minimum_count, settings.maximum_size).observe(
            kept_total, F.coalesce(F.sum("word_count"), F.lit(0)).alias("kept_words")
        )
        files = self._artifacts.write_files("vocabulary", vocabulary, schemas.VOCABULARY)
        if not sum(part.row_count for part in files):
            raise RunError(
                f"no word occurs {settings.minimum_count} times",
                cure="lower vocabulary.minimum_count or give more text",
            )
        total = self._artifacts.require("tokens").facts["words"]
        return Built(files, {**kept_total.get, "all_words": total})

    def _read_vocabulary(self) -> pa.Table:
        """The vocabulary by id, on the driver: about 40 bytes a word."""
        frame = self._artifacts.read("vocabulary", schemas.VOCABULARY)
        return frame.toArrow().sort_by("word_id").combine_chunks()

    def pairs(self) -> Built:
        """Tokens and vocabulary -> pair counts and marginals; RunError when no pair is left."""
        settings = self._config.pairs
        vocabulary = self._read_vocabulary()
        word_counts = np.asarray(vocabulary["word_count"])
        blocks = settings.blocks or choose_block_count(int(word_counts.sum()), settings.window)
        weights = distance_weights(settings.weighting, settings.window)
        plan = CountingPlan(
            layout=BlockLayout(len(vocabulary), blocks),
            window=settings.window,
            weights=weights,
            unknown_leaves_gap=settings.unknown == "gap",
            memory_bytes=settings.memory << 20,
        )
        counts = count_pairs(
            self._spark,
            tokens=self._artifacts.read("tokens", schemas.TOKENS),
            words=vocabulary["word"].combine_chunks(),
            word_counts=word_counts,
            plan=plan,
            subsample=settings.subsample,
            minimum_units=int(np.ceil(settings.minimum_count * weights.denominator)),
        )
        if not counts.marginals.any():
            raise RunError("no two different words ever met", cure="give longer documents or a wider pairs.window")
        files = self._artifacts.write_files("pairs", counts.pairs, schemas.PAIRS)
        if not sum(part.row_count for part in files):
            raise RunError(f"no pair met {settings.minimum_count} times", cure="lower pairs.minimum_count")
        side_files = self._write_marginals(counts.marginals)
        total = int(counts.marginals.sum())
        facts = {"denominator": weights.denominator, "marginal_total": total, "blocks": blocks}
        return Built(files, facts, side_files)

    def _write_marginals(self, marginals: npt.NDArray[np.int64]) -> tuple[PartFile, ...]:
        table = pa.table({"word_id": np.arange(len(marginals), dtype=np.int32), "marginal_count": marginals})
        frame = self._spark.createDataFrame(table).coalesce(1)
        return self._artifacts.write_files("pairs", frame, schemas.MARGINALS, side=MARGINALS)

    def _read_marginals(self, word_count: int) -> npt.NDArray[np.int64]:
        table = self._artifacts.read("pairs", schemas.MARGINALS, side=True).toArrow()
        marginals = np.zeros(word_count, dtype=np.int64)
        marginals[np.asarray(table["word_id"])] = np.asarray(table["marginal_count"])
        return marginals

    def pmi(self) -> Built:
        """Pair counts and marginals -> PMI."""
        settings = self._config.pmi
        vocabulary = self._read_vocabulary()
        facts = self._artifacts.require("pairs").facts
        denominator = facts["denominator"]
        total = facts["marginal_total"] / denominator
        if settings.marginals == "window":
            marginals = self._read_marginals(len(vocabulary)) / denominator
        else:
            marginals = np.asarray(vocabulary["word_count"]).astype(np.float64)
        pmi = compute_pmi(
            self._spark,
            pairs=self._artifacts.read("pairs", schemas.PAIRS),
            marginals=marginals,
            denominator=denominator,
            context_smoothing=settings.context_smoothing,
            further=parse_measures(settings.measures, settings.marginals),
            window_total=total,
        )
        return Built(self._artifacts.write_files("pmi", pmi, schemas.PMI), {"window_total": total})

    def vectors(self) -> Built:
        """PMI -> word vectors; RunError when there are fewer words than dimensions."""
        settings = self._config.vectors
        vocabulary = self._read_vocabulary()
        if settings.dimensions > len(vocabulary):
            raise RunError(
                f"the vocabulary has {len(vocabulary)} words, fewer than vectors.dimensions = {settings.dimensions}",
                cure=f"set vectors.dimensions to at most {len(vocabulary)}, or lower vocabulary.minimum_count",
            )
        losses: list[float] = []
        canonical = canonical_form(*self._factors(len(vocabulary), losses))
        frame = vectors_frame(
            self._spark,
            canonical,
            settings.exponent,
            settings.shift,
            vocabulary["word"].combine_chunks(),
            vocabulary["word_count"].combine_chunks(),
        )
        files = self._artifacts.write_files("vectors", frame, schemas.VECTORS)
        return Built(files, {"loss_after_sweeps": losses, "dimensions": settings.dimensions})

    def _factors(self, word_count: int, losses: list[float]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        settings = self._config.vectors
        cells = CellSettings(
            positive_only=settings.cells == "positive",
            shift=settings.shift,
            count_ceiling=settings.count_ceiling,
            weight_exponent=settings.weight_exponent,
            truncate_weights=settings.truncate_weights,
        )

        def report(phase: str, sweep: int, loss: float) -> None:
            of = settings.warm_sweeps if phase == "warm" else settings.sweeps
            if phase == "weighted":
                losses.append(loss)
            self._reporter.note(
                "vectors", f"{phase} sweep {sweep} of {of}" + (f", loss {loss:,.0f}" if loss == loss else "")
            )

        row_blocks = settings.blocks or 2 * self._spark.sparkContext.defaultParallelism
        table = build_row_blocks(self._artifacts.read("pmi", schemas.PMI), word_count, row_blocks, cells)
        try:
            return factorize(
                self._spark,
                table,
                initial_factors(word_count, settings.dimensions, settings.seed),
                LossSettings(settings.background, settings.target, settings.regularization),
                settings.warm_sweeps,
                settings.sweeps,
                settings.solver_steps,
                report,
            )
        finally:
            table.unpersist()
