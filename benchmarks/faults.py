"""Kill processes of a run at random moments, run the same command again, and see that nothing is lost or redone.

    python benchmarks/faults.py --kills 100 --seed 1 --to record.json

A small text from fixed random numbers goes through `jobs/run_pipeline.py` by spark-submit, on a standalone cluster of
two workers on this machine, or in local mode. A trial is a run into an empty directory, in which one process gets
SIGKILL: an executor, a Python worker, a worker daemon, the driver's JVM or the driver's Python. The moment is uniform
over the seconds of an undisturbed run; where no such process lives then, the first one that does is taken. The same
command is run until it succeeds. A trial passes when

- the artifacts' files are the reference's byte for byte (their names hold a run's own id and are not compared; the
  vocabulary, which Spark writes, row for row), manifests say the same but for times, vectors differ by 1e-5 at most;
- manifests that were there at the end of the killed run are there unchanged: their stages were not redone;
- a reader that looked five times a second, by the package's own functions, met whole artifacts alone;
- the output holds what manifests name and nothing else, and no temporary file of the package is left.

Exit status 1 when a trial fails.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
from machine import spread, write_record
from outputs import Reader, Reference, manifests, megabytes_below, stage_under_way, strangers
from victims import CLUSTER, KINDS, LOCAL, deal_kinds, strike, victims

from deploy.standalone import LOG, PROJECT, QUICK_START, WORKERS, Cluster, Submission, kill_group, submit

SHARDS, DOCUMENTS, WORDS_A_DOCUMENT, WORDS = 3, 100, 30, 120
SETTINGS = {
    "vocabulary.minimum_count": 2,
    "pairs.subsample": 0.01,
    "pairs.files": 2,
    "vectors.dimensions": 8,
    "vectors.blocks": 2,
    "vectors.warm_sweeps": 2,
    "vectors.sweeps": 3,
}
MOST_RERUNS = 5
PAUSE_SECONDS = 2
HANGS_SECONDS = 600
# A shared machine's speed changes by the hour: the undisturbed run is measured again after so many trials.
MEASURE_EVERY = 25


def write_text(folder: Path) -> None:
    """Shards of documents whose words are drawn from fixed random numbers, the first ones more often."""
    folder.mkdir()
    generator = np.random.default_rng(7)
    for shard in range(SHARDS):
        ids = (WORDS * generator.random((DOCUMENTS, WORDS_A_DOCUMENT)) ** 2).astype(int)
        lines = [" ".join(f"word{number}" for number in line) for line in ids]
        (folder / f"part-{shard}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


class Trials:
    """Trials one after another in a folder, on a cluster that lives as long."""

    def __init__(self, folder: Path, cluster: Cluster, generator: np.random.Generator) -> None:
        self.seconds: dict[str, list[float]] = {LOCAL: [], CLUSTER: []}
        self._folder = folder
        self._cluster = cluster
        self._generator = generator
        self._references: dict[str, Reference] = {}
        self._classes = folder / "classes.jsa"
        self._started: list[subprocess.Popen[bytes]] = []
        write_text(folder / "text")

    def run(self, place: str, output: Path) -> subprocess.Popen[bytes]:
        """Start the command."""
        settings = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
        arguments = ["--input", str(self._folder / "text"), "--output", str(output), *settings]
        folder = output.parent
        folder.mkdir(exist_ok=True)
        master = self._cluster.master if place == CLUSTER else "local[2]"
        submission = Submission.of_installed(sys.executable)
        job = PROJECT / "jobs/run_pipeline.py"
        started = submit(folder, master, submission, job, arguments, self._java(folder / "tmp"))
        self._started.append(started)
        return started

    def _java(self, temporary: Path) -> dict[str, str]:
        """The first run keeps the classes it loaded for those to come, which then take two thirds of the time."""
        use = "SharedArchiveFile" if self._classes.exists() else "ArchiveClassesAtExit"
        driver = f"{QUICK_START} -Djava.io.tmpdir={temporary} -XX:{use}={self._classes}"
        executor = f"{QUICK_START} -XX:SharedArchiveFile={self._classes}"
        return {"spark.driver.extraJavaOptions": driver, "spark.executor.extraJavaOptions": executor}

    def close(self) -> None:
        """End what outlived its run."""
        while self._started:
            kill_group(self._started.pop())

    def measure(self, place: str) -> None:
        """An undisturbed run: the reference where there is none yet, and its seconds."""
        output = self._folder / f"{place}-{len(self.seconds[place])}" / "output"
        if not self._classes.exists():
            self._wait(self.run(LOCAL, self._folder / "first" / "output"))
        start = time.monotonic()
        status = self._wait(self.run(place, output))
        self.seconds[place].append(time.monotonic() - start)
        if status:
            raise SystemExit(f"faults: an undisturbed run ended with {status}: {_last_lines(output.parent)}")
        if place not in self._references:
            self._references[place] = Reference(output)
        else:
            found = self._references[place].differences(output) + strangers(output)
            if found:
                raise SystemExit(f"faults: two undisturbed runs differ: {', '.join(found)}")

    def _wait(self, run: subprocess.Popen[bytes]) -> int | None:
        """The exit status; None, and the run killed, when it hangs."""
        try:
            return run.wait(HANGS_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(run)
            return None

    def trial(self, place: str, kind: str) -> dict[str, Any]:
        """One kill and what came of it: an entry of the record."""
        missed = 0
        while True:
            folder = self._folder / "trial"
            shutil.rmtree(folder, ignore_errors=True)
            entry = self._try(place, kind, folder / "output")
            self.close()
            if entry["killed_at_s"] is not None:
                return entry | {"missed": missed}
            missed += 1

    def _try(self, place: str, kind: str, output: Path) -> dict[str, Any]:
        reference = self._references[place]
        cluster = self._cluster if place == CLUSTER else None
        moment = self._generator.uniform(0, statistics.median(self.seconds[place]))
        with Reader(output, reference) as reader:
            run = self.run(place, output)
            killed_at = strike(moment, run, lambda: victims(kind, run, cluster), self._generator)
            entry = {"place": place, "victim": kind, "moment_s": round(moment, 2), "killed_at_s": killed_at}
            entry["stage"] = stage_under_way(output)
            statuses = [self._wait(run)]
            done = manifests(output)
            self._revive()
            while statuses[-1] != 0 and len(statuses) <= MOST_RERUNS:
                time.sleep(PAUSE_SECONDS if len(statuses) > 1 else 0)
                statuses.append(self._wait(self.run(place, output)))
        problems = reader.violations
        if statuses[-1] != 0:
            problems.append(f"no success: {_last_lines(output.parent)}")
        else:
            after = manifests(output)
            problems += [f"{stage} was done again" for stage, text in done.items() if after[stage] != text]
            problems += reference.differences(output)
            problems += [f"left in the output: {name}" for name in strangers(output)]
            entry["vectors_differ_by"] = reference.distance(output)
        # Spark's own, which a JVM removes when it ends and not when it is killed.
        entry["left_by_spark_mb"] = round(megabytes_below(output.parent / "tmp"), 1)
        problems += [f"left in tmp: {path.name}" for path in (output.parent / "tmp").glob("pmi_spark*")]
        return entry | {
            "killed_at_s": None if killed_at is None else round(killed_at, 2),
            "done_then": list(done),
            "exit_statuses": statuses,
            "reruns": len(statuses) - 1,
            "reads": reader.reads,
            "passed": not problems,
            "problems": sorted(set(problems)),
        }

    def _revive(self) -> None:
        """Start the worker daemons anew that were killed."""
        for name in WORKERS:
            if self._cluster.processes[name].poll() is not None:
                kill_group(self._cluster.processes[name])
                self._cluster.start(name)
        self._cluster.wait_for_workers()


def _last_lines(folder: Path) -> str:
    return " ".join((folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()[-3:])


def summary(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Trials, those that passed and reruns, for each kind of victim; how often each stage was under way."""
    kinds: dict[str, Any] = {}
    for place, victim in KINDS:
        own = [entry for entry in trials if (entry["place"], entry["victim"]) == (place, victim)]
        kinds[f"{victim}, {place}"] = {
            "trials": len(own),
            "passed": sum(entry["passed"] for entry in own),
            "reruns": sum(entry["reruns"] for entry in own),
        }
    return {
        "trials": len(trials),
        "passed": sum(entry["passed"] for entry in trials),
        "victims": kinds,
        "stages": dict(Counter(entry["stage"] for entry in trials)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="how many trials [default 100]")
    parser.add_argument("--seed", type=int, default=1, help="of the victims and moments [default 1]")
    parser.add_argument("--to", help="JSON record to write")
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    entries: list[dict[str, Any]] = []
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory())
        cluster = stack.enter_context(Cluster(Path(name, "cluster")))
        trials = stack.enter_context(closing(Trials(Path(name), cluster, generator)))
        for number, (place, kind) in enumerate(deal_kinds(arguments.kills, generator)):
            if number % MEASURE_EVERY == 0:
                trials.measure(LOCAL)
                trials.measure(CLUSTER)
            entry = trials.trial(place, kind)
            entries.append(entry)
            verdict = "passed" if entry["passed"] else f"FAILED: {'; '.join(entry['problems'])}"
            told = f"{kind}, {place}, after {entry['killed_at_s']} s in {entry['stage']}"
            print(f"{number + 1}: {told}, {entry['exit_statuses']}: {verdict}", flush=True)
            if arguments.to:
                figures = {
                    "seed": arguments.seed,
                    "words": SHARDS * DOCUMENTS * WORDS_A_DOCUMENT,
                    "settings": SETTINGS,
                    "undisturbed_seconds": {place: spread(seconds) for place, seconds in trials.seconds.items()},
                    **summary(entries),
                    "each": entries,
                }
                write_record(arguments.to, figures)
    sys.exit(0 if all(entry["passed"] for entry in entries) else 1)


if __name__ == "__main__":
    main()
