"""The path of the data: documents -> tokens (-> phrases) -> vocabulary -> pairs -> pmi -> vectors, each an artifact."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

import pyspark
from pyspark.sql import DataFrame, SparkSession

from pmi_spark import __version__
from pmi_spark.artifacts import STAGES, Artifacts, Manifest
from pmi_spark.association.pmi import parse_measures
from pmi_spark.config import Config
from pmi_spark.cooccurrence.windows import distance_weights
from pmi_spark.corpus.phrases import make_rule
from pmi_spark.identities import Identities, Identity
from pmi_spark.increments import Change
from pmi_spark.metrics import JSON_NAME, PROMETHEUS_NAME, render_json, render_prometheus
from pmi_spark.output_lock import OutputLock
from pmi_spark.plan import Planned, reason_to_run
from pmi_spark.stage import Built, Reporter
from pmi_spark.stages import StageRuns
from pmi_spark.storage import Storage
from pmi_spark.sweep_states import FOLDER, SweepStates

# The order in which a label leaves the artifacts.
_RETIRING = ("vocabulary", "pairs", "tokens", "pmi", "vectors")


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

    def run(self, stages: Sequence[str] = STAGES, inputs: Sequence[str] = (), change: Change | None = None) -> None:
        """Run the named stages in order, passing over those whose artifact is already there for this fingerprint.

        ``inputs`` are the paths, directories and globs of the ``tokens`` stage. With a ``change`` they are added to the
        text there is, under its label, or the label is taken out; the stages after it take in what changed. Raises
        PmiSparkError: a TryAgainError when another run writes to the same output.
        """
        self._check()
        with self._lock.held():
            self._run(stages, inputs, change)

    def take_words(self, documents: DataFrame) -> None:
        """Publish ``tokens`` from a frame in place of files: ``words array<string>``, a row a document.

        Nulls are left out, and lists without a word. The frame is computed once; the other stages :meth:`run` as
        ever. Raises InputError when there is not one word.
        """
        self._check()
        with self._lock.held():
            self._build("tokens", self._look().of_frame(), partial(self._stages.words, documents))

    def plan(
        self, stages: Sequence[str] = STAGES, inputs: Sequence[str] = (), change: Change | None = None
    ) -> list[Planned]:
        """What :meth:`run` would do, and why; nothing is written, and no stage runs."""
        self._check()
        self._lock.refuse_held()
        plans: list[Planned] = []
        identities = self._look()
        for stage in self._begin(identities, stages, inputs, change):
            if any(plan.reason for plan in plans):
                verb = "made anew" if change is None else "changed"
                plans.append(Planned(stage, f"what it is made from is {verb}"))
                continue
            upstream, identity = identities.of(stage)
            whole = self._artifacts.has_whole(stage, identity)
            found = None if whole else self._artifacts.manifest(stage)
            plans.append(Planned(stage, "" if whole else reason_to_run(stage, found, identity, upstream, self._config)))
        return plans

    def preview(self, inputs: Sequence[str]) -> list[tuple[str, str, list[str]]]:
        """The first documents as they will be cut: (shard, why it is rejected or "", its words). Nothing is written."""
        paths = [path for path, _, _ in self._look().find(inputs)]
        return self._stages.tokens_stage().preview(paths)

    def _check(self) -> None:
        """Refuse what would fail later: settings at odds with each other, an output that holds something else."""
        parse_measures(self._config.pmi.measures, self._config.pmi.marginals)
        distance_weights(self._config.pairs.weighting, self._config.pairs.window)
        make_rule(self._config.phrases)
        self._artifacts.refuse_foreign()

    def _look(self) -> Identities:
        return Identities(self._artifacts, self._config, self._stages)

    def _begin(
        self, identities: Identities, stages: Sequence[str], inputs: Sequence[str], change: Change | None
    ) -> list[str]:
        """The stages to go through, in order, when it is settled what text they are to have.

        Phrases are left out where they are off: a former artifact of theirs stays, but nobody reads it. A label that is
        taken out leaves the counts before the tokens, which are what is subtracted.
        """
        self._stages.wanted = identities.want(inputs, change) if "tokens" in stages else None
        chosen = [stage for stage in stages if stage != "phrases" or self._config.phrases.passes]
        if change is not None and change.retires:
            chosen.sort(key=_RETIRING.index)
        return chosen

    def _run(self, stages: Sequence[str], inputs: Sequence[str], change: Change | None) -> None:
        identities = self._look()
        chosen = self._begin(identities, stages, inputs, change)
        if not chosen:
            self._reporter.note("phrases", "left out: phrases.passes is 0")
            return
        for stage in chosen:
            identity = identities.of(stage)
            if self._artifacts.has_whole(stage, identity.fingerprint):
                self._keep(stage, identity.fingerprint)
            else:
                self._build(stage, identity, partial(self._stages.build, stage, *identity))
            if stage == "tokens":
                # From here on it is their manifest that says what text there is.
                self._stages.wanted = None
        # A run that was killed may have published its last stage without.
        self._write_metrics()

    def _keep(self, stage: str, identity: str) -> None:
        """Pass over a stage that is done, and remove what a run left there that was killed when it had published."""
        manifest = self._artifacts.require(stage)
        self._artifacts.tidy(manifest)
        SweepStates(self._storage, f"{self._artifacts.folder(stage)}/{FOLDER}", identity).discard()
        self._reporter.skipped(stage, manifest)

    def _build(self, stage: str, identity: Identity, make: Callable[[], Built]) -> None:
        self._reporter.started(stage)
        # Names the stage's jobs in Spark's own pages.
        self._spark.sparkContext.setJobGroup(stage, f"pmi_spark {stage}", interruptOnCancel=True)
        start = time.monotonic()
        built = make()
        self._publish(stage, identity, built, time.monotonic() - start)

    def _publish(self, stage: str, identity: Identity, built: Built, seconds: float) -> None:
        manifest = Manifest(
            artifact=stage,
            fingerprint=identity.fingerprint,
            row_count=sum(part.row_count for part in built.files),
            files=built.files,
            configuration=dataclasses.asdict(self._config),
            upstream=identity.upstream,
            side_files=built.side_files,
            facts=built.facts,
            versions=_versions(),
            seconds=round(seconds, 3),
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self._lock.check()
        self._artifacts.commit(manifest, built.scratch)
        self._write_metrics()
        self._reporter.finished(stage, manifest)

    def _write_metrics(self) -> None:
        done = self._artifacts.manifests()
        self._storage.write_text(f"{self._artifacts.output}/{JSON_NAME}", render_json(done))
        self._storage.write_text(f"{self._artifacts.output}/{PROMETHEUS_NAME}", render_prometheus(done))


def _versions() -> dict[str, str]:
    # Spark may be the cluster's own, which no package manager knows of.
    own = {"pmi_spark": __version__, "python": platform.python_version(), "pyspark": pyspark.__version__}
    return own | {name: version(name) for name in ("numpy", "scipy", "pyarrow", "jieba")}
