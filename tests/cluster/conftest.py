"""A cluster of Spark's own on this machine: a master and two workers, which know nothing of this checkout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest

PROJECT = Path(__file__).resolve().parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
STARTED_WITHIN_SECONDS = 120


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def bare_environment() -> dict[str, str]:
    """Java and Spark, and no word of this checkout or its environment."""
    kept = {name: os.environ[name] for name in ("JAVA_HOME", "HOME", "LANG") if name in os.environ}
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.startswith(str(PROJECT))]
    return kept | {
        "PATH": os.pathsep.join(path),
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_NO_DAEMONIZE": "1",
    }


@dataclass
class Cluster:
    """The processes, the workers' folders, and what spark-submit ships to them."""

    master: str
    page: str
    processes: dict[str, subprocess.Popen[bytes]]
    folder: Path
    package: Path
    archive: Path
    driver_python: Path

    def submit(self, script: Path, arguments: Sequence[str], settings: Sequence[str] = ()) -> subprocess.Popen[str]:
        """spark-submit in client mode, from a folder that has nothing to do with the project."""
        given = {
            "spark.pyspark.python": "./environment/bin/python",
            "spark.pyspark.driver.python": str(self.driver_python),
            "spark.executor.memory": "700m",
            "spark.driver.memory": "1g",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.executorEnv.OMP_NUM_THREADS": "1",
        } | dict(setting.split("=", 1) for setting in settings)
        conf = [part for key, value in given.items() for part in ("--conf", f"{key}={value}")]
        shipped = ["--py-files", str(self.package), "--archives", f"{self.archive}#environment"]
        return subprocess.Popen(
            [str(SPARK_HOME / "bin/spark-submit"), "--master", self.master, *shipped, *conf, str(script), *arguments],
            cwd=self.folder,
            env=bare_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def workers_alive(self) -> int:
        with urllib.request.urlopen(f"{self.page}/json/", timeout=10) as answer:
            return int(json.load(answer)["aliveworkers"])


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the two files that `make package` builds."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, str(PROJECT / "deploy/build.py"), "--to", str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def cluster(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    driver = folder / "driver-environment"
    with tarfile.open(packages / "environment.tar.gz") as archive:
        archive.extractall(driver, filter="fully_trusted")
    port, page = free_port(), free_port()
    running = Cluster(
        master=f"spark://127.0.0.1:{port}",
        page=f"http://127.0.0.1:{page}",
        processes={},
        folder=folder,
        package=packages / "pmi_spark.zip",
        archive=packages / "environment.tar.gz",
        driver_python=driver / "bin/python",
    )
    with ExitStack() as stack:

        def start(name: str, *arguments: str) -> None:
            (folder / name).mkdir(exist_ok=True)
            log = stack.enter_context((folder / name / "log").open("wb"))
            command = [str(SPARK_HOME / "bin/spark-class"), *arguments]
            running.processes[name] = subprocess.Popen(
                command, cwd=folder / name, env=bare_environment(), stdout=log, stderr=subprocess.STDOUT
            )

        try:
            where = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(page)]
            start("master", "org.apache.spark.deploy.master.Master", *where)
            for name in ("worker-1", "worker-2"):
                size = ["--cores", "1", "--memory", "1g", "--host", "127.0.0.1", "--webui-port", "0"]
                work = ["--work-dir", str(folder / name / "work")]
                start(name, "org.apache.spark.deploy.worker.Worker", *size, *work, running.master)
            wait_for_workers(running)
            yield running
        finally:
            for process in running.processes.values():
                process.kill()
                process.wait()


def wait_for_workers(running: Cluster) -> None:
    start = time.monotonic()
    while time.monotonic() - start < STARTED_WITHIN_SECONDS:
        try:
            if running.workers_alive() == 2:
                return
        except OSError:
            pass
        time.sleep(0.5)
    logs = "\n".join(path.read_text(errors="replace") for path in running.folder.glob("*/log"))
    raise AssertionError(f"the cluster did not start:\n{logs}")
