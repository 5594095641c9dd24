"""The README's examples, run as a reader would type them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pyspark
import pytest

from pmi_spark.config import build_config

README = Path(__file__).parents[2] / "README.md"

# A process of its own, for the paths are relative to the folder the JVM was started in.
RUN_EXAMPLES = """
import doctest, json, shlex, sys
from pmi_spark.cli import main
commands, example = json.loads(sys.stdin.read())
for command in commands:
    program, *arguments = shlex.split(command)
    assert program == "pmi-spark", command
    assert main(arguments) == 0, command
parsed = doctest.DocTestParser().get_doctest(example, {}, "README", "README.md", 0)
assert parsed.examples
sys.exit(doctest.DocTestRunner().run(parsed).failed)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder_with_texts(tmp_path: Path) -> Path:
    # 400 words, each in a ring with its neighbours, so that 300 dimensions have something to hold.
    words = ["river", *(f"word{number}" for number in range(399))]
    lines = [" ".join(words[(start + step) % 400] for step in range(12)) for start in range(400)]
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "part-0.txt").write_text("\n".join(lines), encoding="utf-8")
    for number, day in enumerate(("2026-11-25", "2026-11-26")):
        folder = tmp_path / "days" / day
        folder.mkdir(parents=True)
        (folder / "part-0.txt").write_text("\n".join(lines[number::9]), encoding="utf-8")
    return tmp_path


def test_the_commands_and_the_python_example_run(folder_with_texts: Path) -> None:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    assert len(commands) >= 4
    done = subprocess.run(
        [sys.executable, "-c", RUN_EXAMPLES],
        input=json.dumps([commands, "".join(blocks("python"))]),
        cwd=folder_with_texts,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_settings_examples_are_accepted() -> None:
    settings, phrases = (build_config(tomllib.loads(block)) for block in blocks("toml"))
    assert (settings.pairs.window, settings.vocabulary.minimum_count) == (10, 10)
    assert (phrases.phrases.passes, phrases.phrases.connectors) == (2, "of,the")


def test_the_first_commands_are_targets_of_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    opening = re.findall(r"^    make ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert opening == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in opening)


def test_spark_submit_has_the_options_of_the_submit_lines() -> None:
    program = Path(pyspark.__file__).parent / "bin/spark-submit"
    known = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    lines = [re.split(r"\bjobs/", line) for block in blocks("sh") for line in block.split("spark-submit ")[1:]]
    assert len(lines) >= 3
    used = {option for before, _ in lines for option in re.findall(r"(?<=\s)--[a-z-]+", f" {before}")}
    assert used >= {"--master", "--conf", "--archives"}
    assert used <= set(re.findall(r"(?<=\s)--[a-z-]+", known.stdout + known.stderr))
