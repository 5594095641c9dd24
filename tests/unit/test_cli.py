"""Commands from their arguments to their exit status; nothing here may start Spark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pmi_spark import __version__
from pmi_spark.artifacts import STAGES
from pmi_spark.cli import main
from pmi_spark.errors import EXIT_USAGE


@pytest.fixture(autouse=True)
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that got past its checks would come here."""

    def refuse(*_: object) -> None:
        raise AssertionError("Spark was started")

    monkeypatch.setattr("pmi_spark.session.start_session", refuse)
    monkeypatch.setenv("COLUMNS", "100")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a usage failure leaves on standard error."""
    assert main(list(arguments)) == EXIT_USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("pmi-spark: ")
    return lines[0]


@pytest.mark.parametrize("command", ["run", "tokens"])
def test_no_input_is_a_usage_failure(capsys, tmp_path, command):
    assert "no --input; name the text to read" in failure(capsys, command, "--output", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["run", *STAGES, "similar", "related"])
def test_no_output_is_a_usage_failure(capsys, command):
    words = ["word"] if command in ("similar", "related") else []
    assert "--output" in failure(capsys, command, *words)


def stage_arguments(tmp_path: Path, command: str) -> list[str]:
    inputs = ["--input", str(tmp_path)] if command in ("run", "tokens") else []
    return [command, *inputs, "--output", str(tmp_path / "out")]


@pytest.mark.parametrize("command", ["run", *STAGES])
def test_an_unknown_key_names_the_known_ones(capsys, tmp_path, command):
    line = failure(capsys, *stage_arguments(tmp_path, command), "--set", "pairs.windw=5")
    assert "unknown configuration key pairs.windw; known keys: pairs.window, " in line


@pytest.mark.parametrize("command", ["run", *STAGES])
def test_a_value_out_of_range_names_the_range(capsys, tmp_path, command):
    line = failure(capsys, *stage_arguments(tmp_path, command), "--set", "pairs.window=0")
    assert line == "pmi-spark: pairs.window = 0 is out of range; it takes 1 to 100 words"


def test_a_setting_without_a_value_is_a_usage_failure(capsys, tmp_path):
    assert "has no =" in failure(capsys, *stage_arguments(tmp_path, "pairs"), "--set", "pairs.window")


@pytest.mark.parametrize("command", ["run", *STAGES])
def test_a_missing_configuration_file_is_named(capsys, tmp_path, command):
    line = failure(capsys, *stage_arguments(tmp_path, command), "--config", str(tmp_path / "absent.toml"))
    assert f"cannot read configuration {tmp_path / 'absent.toml'}" in line


def test_a_configuration_file_that_is_not_toml_is_named(capsys, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[pairs\nwindow", encoding="utf-8")
    assert "bad.toml is not TOML" in failure(capsys, *stage_arguments(tmp_path, "pairs"), "--config", str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["run", "--outptu", "x"], "No such option: --outptu"),
        (["similar"], "Missing argument"),
        (["similar", "word", "--output", "x", "--top", "many"], "Invalid value for '--top'"),
    ],
)
def test_a_command_line_that_cannot_be_read_points_to_the_help(capsys, arguments, message):
    line = failure(capsys, *arguments)
    assert message in line
    assert line.endswith("; see pmi-spark --help")


def test_no_arguments_show_the_help(capsys):
    assert main([]) == EXIT_USAGE
    assert "Usage: pmi-spark" in capsys.readouterr().out


def test_help_and_version_succeed(capsys):
    assert main(["--help"]) == 0
    assert "Usage: pmi-spark" in capsys.readouterr().out
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("command", ["similar", "related"])
def test_a_directory_without_vectors_is_a_usage_failure(capsys, tmp_path, command):
    for output in (tmp_path, tmp_path / "absent"):
        assert f"no vectors in {output}; " in failure(capsys, command, "king", "--output", str(output))


def test_observed_without_a_pmi_artifact_is_a_usage_failure(capsys, tmp_path, write_vectors):
    write_vectors(tmp_path)
    line = failure(capsys, "related", "king", "--output", str(tmp_path), "--observed")
    assert f"no pmi in {tmp_path}; " in line


@pytest.mark.parametrize("options", [("similar",), ("related",), ("related", "--observed")])
def test_an_unknown_word_gets_its_nearest_spellings(capsys, finished_run, options):
    line = failure(capsys, *options, "castel", "--output", str(finished_run))
    assert line == "pmi-spark: unknown word 'castel'; near: castle"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (["similar", "--top", "0"], "query.top"),
        (["related", "--top", "0"], "query.top"),
        (["similar", "--minimum-count", "-1"], "query.minimum_count"),
        (["related", "--minimum-pairs", "-1"], "query.minimum_pairs"),
    ],
)
def test_a_questions_limits_have_ranges(capsys, finished_run, options, key):
    assert f"{key} = " in failure(capsys, *options, "king", "--output", str(finished_run))


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    """The printed table's rows as columns, heading first."""
    assert main(list(arguments)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return [re.split(r"\s{2,}", line.strip()) for line in captured.out.splitlines()]


def test_similar_prints_word_cosine_and_occurrences(capsys, finished_run):
    rows = answers(capsys, "similar", "king", "--output", str(finished_run), "--top", "2")
    assert rows[0] == ["word", "cosine", "occurrences"]
    assert len(rows) == 3
    assert all(re.fullmatch(r"-?[01]\.\d{3}", score) for _, score, _ in rows[1:])
    assert float(rows[1][1]) >= float(rows[2][1])


def test_related_prints_the_estimate(capsys, finished_run, estimated_table):
    rows = answers(capsys, "related", "king", "--output", str(finished_run))
    assert rows[0] == ["word", "PMI, estimated (nats)", "occurrences"]
    assert len(rows) == 6
    by_word = {word: score for word, score, _ in rows[1:]}
    assert by_word["queen"] == f"{estimated_table[0, 1]:.3f}"


def test_related_observed_prints_counted_pmi_of_pairs_that_met_often_enough(capsys, finished_run):
    command = ("related", "king", "--output", str(finished_run), "--observed")
    assert answers(capsys, *command) == [
        ["word", "PMI, observed (nats)", "occurrences"],
        ["queen", "2.000", "500"],
        ["crown", "1.000", "200"],
    ]
    assert answers(capsys, *command, "--minimum-pairs", "0", "--top", "1")[1] == ["castle", "3.500", "300"]
    assert [row[0] for row in answers(capsys, *command, "--minimum-count", "300")[1:]] == ["queen"]


def test_the_jobs_call_the_commands_of_the_same_stages(project):
    commands = set()
    for path in (project / "jobs").glob("*.py"):
        commands |= set(re.findall(r'main\(\["(\w+)"', path.read_text(encoding="utf-8")))
    assert {"run", *STAGES} <= commands


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "--label", "x", "--input", "a"], "--label names what is added; give --append with it"),
        (["tokens", "--label", "x", "--input", "a"], "--label names what is added; give --append with it"),
        (["run", "--append", "--retire", "x"], "--append and --retire do not go together; run one after the other"),
        (["run", "--retire", "x", "--input", "a"], "--retire takes no --input; leave it out"),
        (["run", "--append"], "no --input; name the text to read"),
    ],
    ids=["label", "tokens label", "both", "retire input", "append nothing"],
)
def test_options_of_increments_that_do_not_go_together(capsys, tmp_path, arguments, line):
    assert line in failure(capsys, *arguments, "--output", str(tmp_path / "out"))
