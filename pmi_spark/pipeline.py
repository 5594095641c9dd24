"""The path of the data: documents -> tokens -> vocabulary -> pairs -> pmi -> vectors, one artifact a stage."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

from pmi_spark import __version__, schemas
from pmi_spark.artifacts import STAGES, Artifacts, Manifest, PartFile, fingerprint
from pmi_spark.association.pmi import compute_pmi, parse_measures
from pmi_spark.config import Config
from pmi_spark.cooccurrence.pair_block import BlockLayout
from pmi_spark.cooccurrence.pairs import CountingPlan, choose_block_count, count_pairs
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.corpus.sources import check_readable, read_lines
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
from pmi_spark.storage import Storage

# Part of every fingerprint: raised when the meaning of an artifact changes, so that old ones are made anew.
FORMAT = 1
MARGINALS = "_marginals"
# Settings that change how a stage runs but not a byte of what it writes.
_WITHOUT_EFFECT = {"pairs": {"memory"}, "vectors": {"blocks"}}


class Reporter(Protocol):
    """Who is told how the run goes."""

    def started(self, stage: str) -> None: ...
    def note(self, stage: str, text: str) -> None: ...
    def finished(self, stage: str, manifest: Manifest) -> None: ...
    def skipped(self, stage: str, manifest: Manifest) -> None: ...


class Pipeline:
    """The stages over one output directory, with one configuration."""

    def __init__(self, spark: SparkSession, output: str, config: Config, reporter: Reporter) -> None:
        self._spark = spark
        self._storage = Storage(spark)
        self._artifacts = Artifacts(spark, self._storage, self._storage.resolve(output))
        self._config = config
        self._reporter = reporter
        self._build: dict[str, Callable[..., None]] = {
            "tokens": self._tokens,
            "vocabulary": self._vocabulary,
            "pairs": self._pairs,
            "pmi": self._pmi,
            "vectors": self._vectors,
        }

    def run(self, stages: Sequence[str] = STAGES, inputs: Sequence[str] = ()) -> None:
        """Run the named stages in order, passing over those whose artifact is already there for this fingerprint.

        ``inputs`` are the paths, directories and globs of the ``tokens`` stage. Raises PmiSparkError.
        """
        parse_measures(self._config.pmi.measures, self._config.pmi.marginals)
        distance_weights(self._config.pairs.weighting, self._config.pairs.window)
        self._artifacts.refuse_foreign()
        for stage in stages:
            upstream = self._input_upstream(inputs) if stage == "tokens" else self._artifact_upstream(stage)
            print_ = fingerprint(FORMAT, stage, upstream, self._effective(stage))
            if self._artifacts.has_whole(stage, print_):
                self._reporter.skipped(stage, self._artifacts.require(stage))
                continue
            self._reporter.started(stage)
            self._build[stage](_Commit(self, stage, print_, upstream))

    def _effective(self, stage: str) -> dict[str, Any]:
        settings = dataclasses.asdict(getattr(self._config, stage))
        if stage == "tokens":
            settings["jieba_engine"] = self._engine() if self._config.tokens.tokenizer == "jieba" else ""
        return {key: value for key, value in settings.items() if key not in _WITHOUT_EFFECT.get(stage, set())}

    def _engine(self) -> str:
        return resolve_jieba_engine(self._config.tokens.jieba_engine, self._config.tokens.jieba_hmm)

    def _input_upstream(self, inputs: Sequence[str]) -> dict[str, Any]:
        files = sorted(
            {found for pattern in inputs for found in self._storage.find_files(self._storage.resolve(pattern))}
        )
        if not files:
            raise InputError(f"no files in {', '.join(inputs)}", cure="give text files, or a directory that holds some")
        check_readable([entry.path for entry in files])
        return {"files": [[entry.path, entry.size_bytes, entry.modified_ms] for entry in files]}

    def _artifact_upstream(self, stage: str) -> dict[str, Any]:
        """Fingerprints of the artifacts a stage reads; InputError when they are missing or do not belong together."""
        needed = {"vocabulary": ["tokens"], "pairs": ["tokens", "vocabulary"]}.get(stage, ["vocabulary", "pairs"])
        needed = [*needed, "pmi"] if stage == "vectors" else needed
        found = {name: self._artifacts.require(name) for name in needed}
        prints = {name: manifest.fingerprint for name, manifest in found.items()}
        for name, manifest in found.items():
            for source, was in manifest.upstream.items():
                if source in prints and prints[source] != was:
                    raise InputError(
                        f"{self._artifacts.output}/{name} was made from other {source} than those there now",
                        cure=f"run `pmi-spark {name}` again, or `pmi-spark run`",
                    )
        return prints

    def _tokens(self, commit: _Commit) -> None:
        read, written = Observation(), Observation()
        paths = [path for path, _, _ in commit.upstream["files"]]
        lines = read_lines(self._spark, paths).observe(
            read, F.count(F.lit(1)).alias("lines"), F.count_if(~F.col("is_valid_utf8")).alias("invalid_utf8_lines")
        )
        settings = self._config.tokens
        engine = self._engine() if settings.tokenizer == "jieba" else "none"
        tokens = tokenize(lines, choose_tokenizer(settings.tokenizer, engine, settings.jieba_hmm)).observe(
            written, F.count(F.lit(1)).alias("documents"), F.coalesce(F.sum(F.size("words")), F.lit(0)).alias("words")
        )
        files = self._artifacts.write_files("tokens", tokens, schemas.TOKENS)
        facts = {**read.get, **written.get, "input_files": len(paths), "jieba_engine": engine}
        if not facts["words"]:
            raise InputError(f"no words in the {len(paths)} input files", cure="check the input and tokens.tokenizer")
        if facts["invalid_utf8_lines"]:
            self._reporter.note("tokens", f"invalid UTF-8 replaced in {facts['invalid_utf8_lines']:,} lines")
        commit(files, facts)

    def _vocabulary(self, commit: _Commit) -> None:
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
        commit(files, {**kept_total.get, "all_words": total})

    def _read_vocabulary(self) -> pa.Table:
        """The vocabulary by id, on the driver: about 40 bytes a word."""
        frame = self._artifacts.read("vocabulary", schemas.VOCABULARY)
        return frame.toArrow().sort_by("word_id").combine_chunks()

    def _pairs(self, commit: _Commit) -> None:
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
        commit(files, facts, side_files)

    def _write_marginals(self, marginals: npt.NDArray[np.int64]) -> tuple[PartFile, ...]:
        table = pa.table({"word_id": np.arange(len(marginals), dtype=np.int32), "marginal_count": marginals})
        frame = self._spark.createDataFrame(table).coalesce(1)
        return self._artifacts.write_files("pairs", frame, schemas.MARGINALS, side=MARGINALS)

    def _read_marginals(self, word_count: int) -> npt.NDArray[np.int64]:
        table = self._artifacts.read("pairs", schemas.MARGINALS, side=True).toArrow()
        marginals = np.zeros(word_count, dtype=np.int64)
        marginals[np.asarray(table["word_id"])] = np.asarray(table["marginal_count"])
        return marginals

    def _pmi(self, commit: _Commit) -> None:
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
        commit(self._artifacts.write_files("pmi", pmi, schemas.PMI), {"window_total": total})

    def _vectors(self, commit: _Commit) -> None:
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
        commit(files, {"loss_after_sweeps": losses, "dimensions": settings.dimensions})

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

    def _commit(self, manifest: Manifest) -> None:
        self._artifacts.commit(manifest)
        self._reporter.finished(manifest.artifact, manifest)


class _Commit:
    """A stage under way: its name, fingerprint and sources, and, called with its files, its manifest's writing."""

    def __init__(self, pipeline: Pipeline, stage: str, fingerprint: str, upstream: dict[str, Any]) -> None:
        self._pipeline = pipeline
        self._stage = stage
        self._start = time.monotonic()
        self.fingerprint = fingerprint
        self.upstream = upstream

    def __call__(
        self, files: tuple[PartFile, ...], facts: dict[str, Any], side_files: tuple[PartFile, ...] = ()
    ) -> None:
        pipeline = self._pipeline
        manifest = Manifest(
            artifact=self._stage,
            fingerprint=self.fingerprint,
            row_count=sum(part.row_count for part in files),
            files=files,
            side_files=side_files,
            configuration=dataclasses.asdict(pipeline._config),
            upstream=self.upstream,
            facts=facts,
            versions=_versions(),
            seconds=round(time.monotonic() - self._start, 3),
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        pipeline._commit(manifest)


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "pyarrow", "pyspark", "jieba")
    return {"pmi_spark": __version__, "python": platform.python_version()} | {name: version(name) for name in packages}
