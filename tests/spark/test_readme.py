"""The README's examples, run as a reader would type them."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pmi_spark.cli import main
from pmi_spark.config import build_config

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder_with_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # 400 words, each in a ring with its neighbours, so that 300 dimensions have something to hold.
    words = ["river", *(f"word{number}" for number in range(399))]
    lines = [" ".join(words[(start + step) % 400] for step in range(12)) for start in range(400)]
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "part-0.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_and_the_python_example_run(
    spark: SparkSession, folder_with_texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [line for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) >= 4
    for command in commands:
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program == "pmi-spark"
        assert main(arguments) == 0, capsys.readouterr().err
    examples = doctest.DocTestParser().get_doctest("".join(blocks("python")), {}, "README", str(README), 0)
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_the_settings_example_is_accepted() -> None:
    import tomllib

    for block in blocks("toml"):
        assert build_config(tomllib.loads(block)).pairs.window == 10


def test_the_first_commands_are_targets_of_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    opening = re.findall(r"^    make ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert opening == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in opening)
