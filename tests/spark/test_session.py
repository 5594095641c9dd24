"""The user's settings come first, whichever way they are given: ours fill what is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from pmi_spark.java import java_problem

pytestmark = pytest.mark.skipif(java_problem() is not None, reason="a session needs Java")

SPARK_SUBMIT = Path(pyspark.__file__).parent / "bin" / "spark-submit"
LOOK = """
import json, sys
from pathlib import Path
from pmi_spark.session import start_session
spark = start_session()
heap = spark.sparkContext._jvm.java.lang.Runtime.getRuntime().maxMemory() >> 20
Path(sys.argv[1]).write_text(json.dumps(dict(spark.sparkContext.getConf().getAll()) | {"heap": heap}))
"""


def settings_seen(tmp_path: Path, *command: str, **variables: str) -> dict:
    """What a session started by ``command`` runs with; "heap" is the driver's in MB."""
    (tmp_path / "look.py").write_text(LOOK, encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SPARK_", "PYSPARK_"))}
    environment = kept | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"} | variables
    subprocess.run(
        [*command, str(tmp_path / "look.py"), str(tmp_path / "seen.json")],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return json.loads((tmp_path / "seen.json").read_text(encoding="utf-8"))


def test_what_spark_submit_is_given_stays(tmp_path: Path) -> None:
    conf = ("spark.sql.shuffle.partitions=3", "spark.app.name=custom", "spark.driver.memory=600m")
    given = [word for setting in conf for word in ("--conf", setting)]
    seen = settings_seen(tmp_path, str(SPARK_SUBMIT), "--master", "local[1]", *given)
    assert seen["spark.master"] == "local[1]"
    assert seen["spark.sql.shuffle.partitions"] == "3"
    assert seen["spark.app.name"] == "custom"
    assert seen["heap"] < 700
    assert seen["spark.ui.enabled"] == "false"


def test_what_pyspark_submit_args_say_stays(tmp_path: Path) -> None:
    arguments = "--master local[1] --conf spark.sql.shuffle.partitions=3 pyspark-shell"
    seen = settings_seen(tmp_path, sys.executable, PYSPARK_SUBMIT_ARGS=arguments)
    assert (seen["spark.master"], seen["spark.sql.shuffle.partitions"]) == ("local[1]", "3")


def test_what_spark_defaults_say_stays_the_drivers_memory_too(tmp_path: Path) -> None:
    defaults = "spark.master local[1]\nspark.sql.shuffle.partitions=5\nspark.driver.memory 600m\n"
    (tmp_path / "spark-defaults.conf").write_text(defaults, encoding="utf-8")
    seen = settings_seen(tmp_path, sys.executable, SPARK_CONF_DIR=str(tmp_path))
    assert (seen["spark.master"], seen["spark.sql.shuffle.partitions"]) == ("local[1]", "5")
    assert seen["heap"] < 700
    assert seen["spark.driver.maxResultSize"] == "0"


def test_where_nothing_is_set_ours_hold(tmp_path: Path) -> None:
    seen = settings_seen(tmp_path, sys.executable)
    assert (seen["spark.master"], seen["spark.sql.shuffle.partitions"]) == ("local[*]", "16")
    assert seen["heap"] > 3000
