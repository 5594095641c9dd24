"""The one Spark session of the tests: nothing of Java starts until a test asks for ``spark``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOGGING = Path(__file__).parent.parent / "conf" / "log4j2.properties"
# A user's spark-defaults.conf: what is not named here comes from pmi_spark.session, as in a user's own run.
SPARK_DEFAULTS = (
    ("spark.master", "local[2]", "two workers, so that partitions do meet in another process; more would only wait"),
    ("spark.driver.memory", "1g", "the tests' tables are small, and other programs share the machine"),
    (
        "spark.driver.extraJavaOptions",
        f"-XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile={LOGGING.as_uri()}",
        "hundreds of plans run once each: a third of the JVM's time went into optimizing them; the logging is our own",
    ),
    ("spark.sql.shuffle.partitions", "3", "few tasks, yet more than one, and no divisor of the tests' block counts"),
    ("spark.driver.bindAddress", "127.0.0.1", "a machine without a network runs the tests too"),
    ("spark.driver.host", "127.0.0.1", "as above: its own name may not resolve"),
)


def write_spark_defaults(folder: Path, settings: tuple[tuple[str, str, str], ...]) -> None:
    lines = [f"# {reason}\n{key} {value}\n" for key, value, reason in settings]
    (folder / "spark-defaults.conf").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session a user's run would get, with the settings above as the user's own."""
    from pmi_spark.session import start_session

    folder = tmp_path_factory.mktemp("spark-conf")
    write_spark_defaults(folder, SPARK_DEFAULTS)
    with pytest.MonkeyPatch.context() as patch:
        # Recorded, so that what the session start leaves in the environment is undone with the rest.
        for variable in ("PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON"):
            patch.setenv(variable, "")
            del os.environ[variable]
        patch.setenv("SPARK_CONF_DIR", str(folder))
        session = start_session("pmi_spark tests")
    yield session
    session.stop()
