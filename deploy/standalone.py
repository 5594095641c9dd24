"""Spark's own standalone cluster on this machine, for tests and benchmarks: a master and two workers on loopback.

Each process has a folder of its own, for its log, its work and its temporary files, so that nothing is left elsewhere.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pyspark

PROJECT = Path(__file__).resolve().parent.parent
SPARK_HOME = Path(pyspark.__file__).parent
WORKERS = ("worker-1", "worker-2")
LOG = "log"
STARTED_WITHIN_SECONDS = 120
# A JVM that runs for seconds is not worth compiling twice.
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass(frozen=True)
class Shipped:
    """The two files of ``deploy/build.py``, and the driver's own copy of the environment."""

    package: Path
    archive: Path
    driver_environment: Path


@dataclass(frozen=True)
class Submission:
    """How spark-submit is called: the executors' Python and the driver's, options before the settings."""

    python: str
    driver_python: str
    options: tuple[str, ...] = ()

    @classmethod
    def of_shipped(cls, shipped: Shipped) -> Submission:
        """Workers that get the package and its dependencies from spark-submit alone."""
        options = ("--py-files", str(shipped.package), "--archives", f"{shipped.archive}#environment")
        return cls("./environment/bin/python", str(shipped.driver_environment / "bin/python"), options)

    @classmethod
    def of_installed(cls, python: str) -> Submission:
        """Workers that find everything where this machine has it."""
        return cls(python, python)


def bare_environment(folder: Path) -> dict[str, str]:
    """Java and Spark, temporary files in ``folder``, and no word of this checkout or its environment."""
    kept = {name: os.environ[name] for name in ("JAVA_HOME", "HOME", "LANG") if name in os.environ}
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if not entry.startswith(str(PROJECT))]
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return kept | {
        "PATH": os.pathsep.join(path),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
        "SPARK_LOCAL_DIRS": str(temporary),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": f"{QUICK_START} -Djava.io.tmpdir={temporary}",
        "TMPDIR": str(temporary),
    }


def submit(
    folder: Path,
    master: str,
    submission: Submission,
    script: Path,
    arguments: Sequence[str],
    settings: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """spark-submit in client mode, in a process group of its own and from a folder that knows nothing of the project.

    The process is the driver's JVM, whose child is the driver's Python. What both print goes to LOG in the folder.
    """
    environment = bare_environment(folder)
    given = {
        "spark.pyspark.python": submission.python,
        "spark.pyspark.driver.python": submission.driver_python,
        "spark.executor.memory": "700m",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.executorEnv.OMP_NUM_THREADS": "1",
        "spark.driver.extraJavaOptions": f"{QUICK_START} -Djava.io.tmpdir={environment['TMPDIR']}",
        "spark.executor.extraJavaOptions": QUICK_START,
    } | dict(settings or {})
    conf = [part for key, value in given.items() for part in ("--conf", f"{key}={value}")]
    launch = [str(SPARK_HOME / "bin/spark-submit"), "--master", master, *submission.options, *conf]
    return _start([*launch, str(script), *arguments], folder, environment)


def _start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


class Cluster:
    """The processes by name, which live as long as the ``with`` block; RuntimeError when they do not start.

    Two workers of one core and 1 GB each. Master and workers are started by :meth:`start`; one that was killed can be
    started again.
    """

    def __init__(self, folder: Path) -> None:
        port, page = _free_port(), _free_port()
        self.folder = folder
        self.master = f"spark://127.0.0.1:{port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._page = f"http://127.0.0.1:{page}"
        self._ports = ["--port", str(port), "--webui-port", str(page)]

    def __enter__(self) -> Cluster:
        try:
            self.start("master")
            for name in WORKERS:
                self.start(name)
            self.wait_for_workers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start the master or a worker, in the folder of that name."""
        place = ["--host", "127.0.0.1"]
        if name == "master":
            arguments = ["org.apache.spark.deploy.master.Master", *place, *self._ports]
        else:
            size = ["--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", f"{self.folder}/{name}/work"]
            arguments = ["org.apache.spark.deploy.worker.Worker", *place, *size, self.master]
        folder = self.folder / name
        command = [str(SPARK_HOME / "bin/spark-class"), *arguments]
        self.processes[name] = _start(command, folder, bare_environment(folder))

    def stop(self) -> None:
        """Kill every process and what it started."""
        for process in self.processes.values():
            kill_group(process)

    def workers_alive(self) -> int:
        """How many workers the master knows to be there."""
        with urllib.request.urlopen(f"{self._page}/json/", timeout=10) as answer:
            return int(json.load(answer)["aliveworkers"])

    def wait_for_workers(self) -> None:
        """Wait until both are there; RuntimeError, with the logs, when they are not after two minutes."""
        start = time.monotonic()
        while time.monotonic() - start < STARTED_WITHIN_SECONDS:
            try:
                if self.workers_alive() == len(WORKERS):
                    return
            except OSError:
                pass
            time.sleep(0.2)
        logs = "\n".join(path.read_text(errors="replace") for path in self.folder.glob(f"*/{LOG}"))
        raise RuntimeError(f"the cluster did not start:\n{logs}")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a group, and the group: those that outlived it, too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
