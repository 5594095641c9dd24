"""The processes of a run, by what they are, and one of them killed at a given moment."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from workers import descendants, is_worker

from deploy.standalone import WORKERS, Cluster

LOCAL = "local"
CLUSTER = "cluster"
# Who is killed where. In local mode the driver's JVM is the executor too, and there is no daemon.
KINDS = (
    (CLUSTER, "executor"),
    (CLUSTER, "python worker"),
    (CLUSTER, "worker daemon"),
    (CLUSTER, "driver jvm"),
    (CLUSTER, "driver python"),
    (LOCAL, "python worker"),
    (LOCAL, "driver jvm"),
    (LOCAL, "driver python"),
)
LOOK_SECONDS = 0.02


def deal_kinds(count: int, generator: np.random.Generator) -> Iterator[tuple[str, str]]:
    """So many of KINDS: all of them in a random order, and again, so that each comes as often."""
    for number in range(count):
        if number % len(KINDS) == 0:
            order = generator.permutation(len(KINDS))
        yield KINDS[order[number % len(KINDS)]]


def victims(kind: str, run: subprocess.Popen[bytes], cluster: Cluster | None) -> list[int]:
    """The processes of this kind that live now; ``cluster`` is None in local mode."""
    if kind == "driver jvm":
        return [run.pid]
    if kind == "driver python":
        return [
            process
            for process in descendants(run.pid)
            if _command(process).startswith("python") and not is_worker(process)
        ]
    if cluster is None:
        return [process for process in descendants(run.pid) if is_worker(process)]
    daemons = [cluster.processes[name].pid for name in WORKERS]
    if kind == "worker daemon":
        return daemons
    below = [process for daemon in daemons for process in descendants(daemon)]
    if kind == "python worker":
        return [process for process in below if is_worker(process)]
    return [process for process in below if "CoarseGrainedExecutorBackend" in _command(process)]


def strike(
    moment: float, run: subprocess.Popen[bytes], find: Callable[[], list[int]], generator: np.random.Generator
) -> float | None:
    """Kill one of ``find()`` so many seconds from now, or as soon as there is one; when that was.

    None when the run ended before.
    """
    started = time.monotonic()
    while run.poll() is None:
        passed = time.monotonic() - started
        if passed >= moment and (found := find()):
            os.kill(found[generator.integers(len(found))], signal.SIGKILL)
            return passed
        time.sleep(LOOK_SECONDS)
    return None


def _command(process: int) -> str:
    """The program's name and its arguments; empty when the process has just ended."""
    try:
        program, _, arguments = Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ").partition(" ")
    except OSError:
        return ""
    return f"{Path(program).name} {arguments}"
