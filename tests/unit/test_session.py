"""Choosing Spark's settings; no session is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from py4j.protocol import Py4JNetworkError

from pmi_spark import session
from pmi_spark.errors import EXIT_FAILED, EXIT_TRY_AGAIN, EXIT_USAGE, MissingToolError
from pmi_spark.session import describe_failure, launch_arguments, start_session, user_defaults


@pytest.fixture
def user_conf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's Spark configuration folder, empty; nothing else of theirs is set."""
    for name in ("SPARK_HOME", "SPARK_DRIVER_MEMORY", "PYSPARK_SUBMIT_ARGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    return tmp_path


def test_where_the_user_has_set_nothing_ours_are_given_to_the_launcher(user_conf):
    arguments = launch_arguments()
    assert "--conf spark.driver.memory=4g" in arguments
    assert "log4j2.properties" in arguments
    assert arguments.endswith(" pyspark-shell")


def test_the_users_defaults_win(user_conf):
    (user_conf / "spark-defaults.conf").write_text(
        "# mine\n\nspark.driver.memory   9g\nspark.master=local[3]\n", encoding="utf-8"
    )
    assert user_defaults() == {"spark.driver.memory", "spark.master"}
    assert "spark.driver.memory" not in launch_arguments()


def test_the_users_memory_variable_wins(user_conf, monkeypatch):
    monkeypatch.setenv("SPARK_DRIVER_MEMORY", "9g")
    assert "spark.driver.memory" not in launch_arguments()


def test_the_users_logging_wins(user_conf):
    (user_conf / "log4j2.properties").write_text("rootLogger.level = info\n", encoding="utf-8")
    assert "log4j2" not in launch_arguments()


def test_spark_home_holds_the_users_configuration_too(user_conf, monkeypatch):
    monkeypatch.delenv("SPARK_CONF_DIR")
    assert user_defaults() == set()
    monkeypatch.setenv("SPARK_HOME", str(user_conf))
    (user_conf / "conf").mkdir()
    (user_conf / "conf" / "spark-defaults.conf").write_text("spark.driver.memory 2g\n", encoding="utf-8")
    assert user_defaults() == {"spark.driver.memory"}


def test_without_java_no_session_is_tried(monkeypatch):
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.setattr(session.SparkSession, "getActiveSession", lambda: None)
    monkeypatch.setattr(session, "java_problem", lambda: "no java was found; install one")
    with pytest.raises(MissingToolError) as caught:
        start_session()
    assert (caught.value.found, caught.value.cure) == ("no java was found", "install one")
    assert caught.value.exit_status == EXIT_USAGE


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("disk full", "disk full"),
        (
            "job aborted\n\tat a.B\nCaused by: first\n\tat c.D\nCaused by: java.io.IOException: No space left",
            "No space",
        ),
        ('Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: the last line', "the last line"),
        ("", "the run failed: RuntimeError"),
    ],
)
def test_a_failure_is_one_line_that_ends_in_the_innermost_cause(text, cause):
    failure = describe_failure(RuntimeError(text))
    assert failure.exit_status == EXIT_FAILED
    assert cause in str(failure)
    assert len(str(failure).splitlines()) == 1
    assert "\tat " not in failure.found


@pytest.mark.parametrize(
    "failure",
    [
        Py4JNetworkError("Answer from Java side is empty"),
        ConnectionRefusedError(111, "Connection refused"),
        RuntimeError("Job 3 cancelled because SparkContext was shut down"),
        RuntimeError("java.lang.IllegalStateException: Cannot call methods on a stopped SparkContext."),
        RuntimeError("Application has been killed. Reason: All masters are unresponsive! Giving up."),
        RuntimeError("Application application_1_2 was killed by user yarn"),
    ],
)
def test_spark_that_went_away_is_worth_another_try(failure):
    described = describe_failure(failure)
    assert described.exit_status == EXIT_TRY_AGAIN
    assert "run the same command again" in str(described)


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), RuntimeError("ExecutorLostFailure (137)")])
def test_what_would_happen_again_is_a_failure(failure):
    assert describe_failure(failure).exit_status == EXIT_FAILED
