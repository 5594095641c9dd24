"""The path of the data: documents -> tokens (-> phrases) -> vocabulary -> pairs -> pmi -> vectors, each an artifact."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyspark
from pyspark.sql import SparkSession

from pmi_spark import __version__
from pmi_spark.artifacts import STAGES, Artifacts, Manifest, fingerprint
from pmi_spark.association.pmi import parse_measures
from pmi_spark.config import Config
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.corpus.phrases import make_rule
from pmi_spark.errors import InputError
from pmi_spark.metrics import JSON_NAME, PROMETHEUS_NAME, render_json, render_prometheus
from pmi_spark.output_lock import OutputLock
from pmi_spark.plan import Planned, reason_to_run
from pmi_spark.stage import Built, Reporter
from pmi_spark.stages import StageRuns
from pmi_spark.storage import Storage

# Part of every fingerprint: raised when the meaning of an artifact changes, so that old ones are made anew.
FORMAT = 2
# Settings that change how a stage runs but not a byte of what it writes.
_WITHOUT_EFFECT = {"pairs": {"memory"}, "vectors": {"blocks", "memory"}}


class Pipeline:
    """The stages over one output directory, with one configuration."""

    def __init__(self, spark: SparkSession, output: str, config: Config, reporter: Reporter) -> None:
        self._spark = spark
        self._storage = Storage(spark)
        self._artifacts = Artifacts(spark, self._storage, self._storage.resolve(output))
        self._lock = OutputLock(self._storage, self._artifacts.output)
        self._config = config
        self._reporter = reporter
        self._stages = StageRuns(spark, self._artifacts, config, reporter)

    def run(self, stages: Sequence[str] = STAGES, inputs: Sequence[str] = ()) -> None:
        """Run the named stages in order, passing over those whose artifact is already there for this fingerprint.

        ``inputs`` are the paths, directories and globs of the ``tokens`` stage. Raises PmiSparkError: a TryAgainError
        when another run writes to the same output.
        """
        parse_measures(self._config.pmi.measures, self._config.pmi.marginals)
        distance_weights(self._config.pairs.weighting, self._config.pairs.window)
        make_rule(self._config.phrases)
        self._artifacts.refuse_foreign()
        with self._lock.held():
            self._run(stages, inputs)

    def plan(self, stages: Sequence[str] = STAGES, inputs: Sequence[str] = ()) -> list[Planned]:
        """What :meth:`run` would do, and why; nothing is written, and no stage runs."""
        plans: list[Planned] = []
        for stage in self._wanted(stages):
            if any(plan.reason for plan in plans):
                plans.append(Planned(stage, "what it is made from is made anew"))
                continue
            upstream, identity = self._identify(stage, inputs)
            whole = self._artifacts.has_whole(stage, identity)
            found = None if whole else self._artifacts.manifest(stage)
            plans.append(Planned(stage, "" if whole else reason_to_run(stage, found, identity, upstream, self._config)))
        return plans

    def _wanted(self, stages: Sequence[str]) -> list[str]:
        """The stages but for phrases where they are off: a former artifact of theirs stays, but nobody reads it."""
        return [stage for stage in stages if stage != "phrases" or self._config.phrases.passes]

    def _identify(self, stage: str, inputs: Sequence[str]) -> tuple[dict[str, Any], str]:
        """What a stage is made from, and the fingerprint its artifact would have."""
        upstream = self._input_upstream(inputs) if stage == "tokens" else self._artifact_upstream(stage)
        return upstream, fingerprint(FORMAT, stage, upstream, self._effective(stage))

    def _run(self, stages: Sequence[str], inputs: Sequence[str]) -> None:
        wanted = self._wanted(stages)
        if not wanted:
            self._reporter.note("phrases", "left out: phrases.passes is 0")
        for stage in wanted:
            upstream, identity = self._identify(stage, inputs)
            if self._artifacts.has_whole(stage, identity):
                self._reporter.skipped(stage, self._artifacts.require(stage))
                continue
            self._reporter.started(stage)
            # Names the stage's jobs in Spark's own pages.
            self._spark.sparkContext.setJobGroup(stage, f"pmi_spark {stage}", interruptOnCancel=True)
            start = time.monotonic()
            built = self._stages.build(stage, upstream, identity)
            self._publish(stage, identity, upstream, built, time.monotonic() - start)

    def preview(self, inputs: Sequence[str]) -> list[tuple[str, str, list[str]]]:
        """The first documents as they will be cut: (shard, why it is rejected or "", its words). Nothing is written."""
        paths = [path for path, _, _ in self._input_upstream(inputs)["files"]]
        return self._stages.tokens_stage().preview(paths)

    def _publish(self, stage: str, identity: str, upstream: dict[str, Any], built: Built, seconds: float) -> None:
        manifest = Manifest(
            artifact=stage,
            fingerprint=identity,
            row_count=sum(part.row_count for part in built.files),
            files=built.files,
            configuration=dataclasses.asdict(self._config),
            upstream=upstream,
            side_files=built.side_files,
            facts=built.facts,
            versions=_versions(),
            seconds=round(seconds, 3),
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._lock.check()
        self._artifacts.commit(manifest, built.scratch)
        done = [found for name in STAGES if (found := self._artifacts.manifest(name)) is not None]
        self._storage.write_text(f"{self._artifacts.output}/{JSON_NAME}", render_json(done))
        self._storage.write_text(f"{self._artifacts.output}/{PROMETHEUS_NAME}", render_prometheus(done))
        self._reporter.finished(stage, manifest)

    def _effective(self, stage: str) -> dict[str, Any]:
        settings = dataclasses.asdict(getattr(self._config, stage))
        if stage == "tokens":
            settings = self._stages.tokens_stage().effective()
        if stage == "vocabulary":
            settings = self._stages.vocabulary_stage().effective()
        if stage == "vectors" and settings["init"]:
            place = Artifacts(self._spark, self._storage, self._storage.resolve(settings["init"]))
            settings["init"] = place.require("vectors").fingerprint
        return {key: value for key, value in settings.items() if key not in _WITHOUT_EFFECT.get(stage, set())}

    def _input_upstream(self, inputs: Sequence[str]) -> dict[str, Any]:
        files = sorted(
            {found for pattern in inputs for found in self._storage.find_files(self._storage.resolve(pattern))}
        )
        if not files:
            raise InputError(f"no files in {', '.join(inputs)}", cure="give text files, or a directory that holds some")
        return {"files": [[entry.path, entry.size_bytes, entry.modified_ms] for entry in files]}

    def _artifact_upstream(self, stage: str) -> dict[str, Any]:
        """Fingerprints of the artifacts a stage reads; InputError when they are missing or do not belong together."""
        corpus = self._stages.corpus
        first = {"phrases": ["tokens"], "vocabulary": [corpus], "pairs": [corpus, "vocabulary"]}
        needed = first.get(stage, ["vocabulary", "pairs"])
        needed = [*needed, "pmi"] if stage == "vectors" else needed
        found = {name: self._artifacts.require(name) for name in needed}
        prints = {name: manifest.fingerprint for name, manifest in found.items()}
        if stage == "pairs" and corpus not in found["vocabulary"].upstream:
            raise InputError(
                f"{self._artifacts.output}/vocabulary was not made from {corpus}, which phrases.passes asks for",
                cure="run `pmi-spark vocabulary` again, or set phrases.passes as it was then",
            )
        for name, manifest in found.items():
            for source, was in manifest.upstream.items():
                if source in prints and prints[source] != was:
                    raise InputError(
                        f"{self._artifacts.output}/{name} was made from other {source} than those there now",
                        cure=f"run `pmi-spark {name}` again, or `pmi-spark run`",
                    )
        return prints


def _versions() -> dict[str, str]:
    # Spark may be the cluster's own, which no package manager knows of.
    own = {"pmi_spark": __version__, "python": platform.python_version(), "pyspark": pyspark.__version__}
    return own | {name: version(name) for name in ("numpy", "scipy", "pyarrow", "jieba")}
