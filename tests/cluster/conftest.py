"""A cluster of Spark's own on this machine, which knows nothing of this checkout, and what is shipped to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from deploy.standalone import PROJECT, Cluster, Shipped


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """What `make package` builds, and the environment unpacked once more for the driver."""
    folder = tmp_path_factory.mktemp("dist")
    environment = folder / "driver-environment"
    build = [sys.executable, str(PROJECT / "deploy/build.py"), "--to", str(folder), "--unpack", str(environment)]
    subprocess.run(build, check=True)
    return Shipped(folder / "pmi_spark.zip", folder / "environment.tar.gz", environment)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running
