"""What is written about the settings in files and help pages is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pmi_spark.artifacts import STAGES
from pmi_spark.cli import app
from pmi_spark.config import Config, declared, declared_settings, load_config, render_toml, stage_sections
from pmi_spark.session import LOCAL_SETTINGS, render_local_conf
from pmi_spark.settings import Declared, toml_value

STAGE_SETTINGS = [(stage, entry) for stage in STAGES for entry in declared_settings(*stage_sections(stage))]


def read(project: Path, name: str) -> str:
    return (project / "conf" / name).read_text(encoding="utf-8")


def settings_of(text: str) -> dict[str, str]:
    """A properties file's settings; each key may stand there once."""
    lines = [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len({line[0] for line in lines}) == len(lines)
    return dict(lines)


def paragraphs(text: str) -> list[list[str]]:
    return [block.splitlines() for block in re.split(r"\n\s*\n", text.strip())]


def test_pipeline_toml_is_what_the_code_renders(project):
    assert read(project, "pipeline.toml") == render_toml()


def test_pipeline_toml_holds_every_key_at_its_default(project):
    document = tomllib.loads(read(project, "pipeline.toml"))
    keys = [f"{section}.{name}" for section, entries in document.items() for name in entries]
    assert keys == [entry.key for entry in declared_settings()]
    assert load_config(str(project / "conf" / "pipeline.toml")) == Config()


def test_demo_toml_loads_and_changes_something(project):
    assert load_config(str(project / "conf" / "demo.toml")) != Config()


def test_spark_local_conf_is_what_the_code_renders(project):
    assert read(project, "spark-local.conf") == render_local_conf()
    assert settings_of(render_local_conf()) == {key: value for key, value, _ in LOCAL_SETTINGS}


@pytest.mark.parametrize("name", ["spark-local.conf", "spark-cluster.conf"])
def test_every_spark_setting_stands_below_its_reason(project, name):
    text = read(project, name)
    assert settings_of(text)
    for block in paragraphs(text):
        comments = [line for line in block if line.startswith("#")]
        assert comments, f"no reason for {block}"
        assert block[: len(comments)] == comments, f"the reason stands above: {block}"
        for line in block[len(comments) :]:
            assert re.fullmatch(r"spark\.[\w.]+ \S+", line), line


def test_workers_run_one_blas_thread_locally_and_on_a_cluster(project):
    for name in ("spark-local.conf", "spark-cluster.conf"):
        threads = {key: value for key, value in settings_of(read(project, name)).items() if "THREADS" in key}
        assert threads == dict.fromkeys(
            (f"spark.executorEnv.{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL")), "1"
        )


def help_page(*command: str) -> str:
    """A help page with its whitespace collapsed; wide, so that no word is cut."""
    environment = {"COLUMNS": "400", "LINES": "100", "TERM": "dumb", "NO_COLOR": "1"}
    result = CliRunner().invoke(app, [*command, "--help"], env=environment)
    assert result.exit_code == 0
    return " ".join(re.sub("[│╭╮╰╯─]", " ", result.output).split())


@pytest.fixture(scope="module")
def stage_pages() -> dict[str, str]:
    return {stage: help_page(stage) for stage in (*STAGES, "run")}


def bracket(entry: Declared) -> str:
    """Default, unit and range as a help page shows them, where `|` would draw a table."""
    range_text = entry.setting.range_text().replace(" | ", " or ")
    unit = f" {entry.setting.unit}" if entry.setting.unit else ""
    return f"[default {toml_value(entry.default)}{unit}" + (f"; {range_text}]" if range_text else "]")


@pytest.mark.parametrize(("stage", "entry"), STAGE_SETTINGS, ids=lambda value: getattr(value, "key", ""))
def test_every_key_stands_in_its_stages_help_with_its_default_and_range(stage_pages, stage, entry):
    for page in (stage_pages[stage], stage_pages["run"]):
        found = re.search(rf"(?<!\S){re.escape(entry.key)}: (.*?\])", page)
        assert found, f"{entry.key} is not on the page"
        assert found.group(1).endswith(bracket(entry))


def test_a_stages_help_tells_of_its_own_settings_alone(stage_pages):
    for stage in STAGES:
        found = re.findall(r"(?<!\S)([a-z]+\.[a-z_]+): ", stage_pages[stage])
        assert found == [entry.key for entry in declared_settings(*stage_sections(stage))]


@pytest.mark.parametrize(
    ("command", "option", "key"),
    [
        ("similar", "--top", "query.top"),
        ("similar", "--minimum-count", "query.minimum_count"),
        ("related", "--top", "query.top"),
        ("related", "--minimum-count", "query.minimum_count"),
        ("related", "--minimum-pairs", "query.minimum_pairs"),
        ("related", "--depth", "query.depth"),
        ("similar", "--context", "query.context"),
        ("analogy", "--method", "query.method"),
        ("rank", "--by", "query.rank_by"),
        ("rank", "--top", "query.top"),
        ("keywords", "--top", "query.top"),
        ("keywords", "--minimum-count", "query.minimum_count"),
        ("matches", "--words", "query.words"),
        ("matches", "--depth", "query.depth"),
        ("matches", "--minimum-count", "query.minimum_count"),
    ],
)
def test_questions_options_tell_their_default_and_range(command, option, key):
    page = help_page(command)
    assert option in page
    # A table's border stands where the page has a | of its own.
    assert " ".join(declared(key).describe().replace("|", " ").split()) in " ".join(page.replace("|", " ").split())


def test_the_programs_help_names_every_command():
    page = help_page()
    for command in ("run", *STAGES, "similar", "related", "analogy", "score", "rank", "keywords", "matches", "doctor"):
        assert f" {command} " in page
