"""The examples of the README and of docs/commands.md, run as a reader would type them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pyspark
import pytest
import typer

from pmi_spark.cli import app
from pmi_spark.config import build_config

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
COMMANDS = PROJECT / "docs" / "commands.md"
# Trains on whatever is installed, for a minute; its own folder, questioned afterwards, is the fixture's here.
DEMO = "pmi-spark demo "

# A process of its own, for the paths are relative to the folder the JVM was started in. Each command's output ends with
# a line of its own, so that the commands can be told apart.
RUN_EXAMPLES = """
import doctest, json, shlex, sys
from pmi_spark.cli import main
commands, example = json.loads(sys.stdin.read())
for command in commands:
    program, *arguments = shlex.split(command)
    assert program == "pmi-spark", command
    assert main(arguments) == 0, command
    print("end of", command, flush=True)
parsed = doctest.DocTestParser().get_doctest(example, {}, "README", "README.md", 0)
sys.exit(doctest.DocTestRunner().run(parsed).failed)
"""


def blocks(language: str, page: Path = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page's console blocks, each with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in (line for block in blocks("console", page) for line in block.splitlines()):
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


def heading(lines: list[str]) -> list[str]:
    """The first line's columns, where it heads a table; figures and notes of progress differ from run to run."""
    columns = re.split(r"\s{2,}", lines[0]) if lines else []
    return columns if len(columns) > 2 and not re.search(r"\d", lines[0]) else []


@pytest.fixture
def folder_with_texts(tmp_path: Path) -> Path:
    # 400 words, each in a ring with its neighbours, so that 300 dimensions have something to hold; those that the
    # examples ask about are among them.
    asked = re.findall(r"[a-z]{2,}", " ".join(command for page in (README, COMMANDS) for command, _ in examples(page)))
    words = list(dict.fromkeys(["river", *asked, *(f"word{number}" for number in range(399))]))[:400]
    lines = [" ".join(words[(start + step) % 400] for step in range(12)) for start in range(400)]
    texts = tmp_path / "texts"
    corpus = tmp_path / "demo-output" / "_corpus"
    for folder in (texts, corpus):
        folder.mkdir(parents=True)
        (folder / "part-0.txt").write_text("\n".join(lines), encoding="utf-8")
    for number, day in enumerate(("2026-11-25", "2026-11-26")):
        folder = tmp_path / "days" / day
        folder.mkdir(parents=True)
        (folder / "part-0.txt").write_text("\n".join(lines[number::9]), encoding="utf-8")
    (tmp_path / "texts.txt").write_text("river matrix\nmean\n", encoding="utf-8")
    (tmp_path / "judged.tsv").write_text("matrix\tmean\t3\nmean\triver\t1\nriver\tmatrix\t2\n", encoding="utf-8")
    (tmp_path / "analogies.txt").write_text(": sizes\nminimum maximum min mean\n", encoding="utf-8")
    return tmp_path


def run_examples(folder: Path, commands: list[str], example: str) -> list[str]:
    """What each command prints on standard output."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_EXAMPLES],
        input=json.dumps([commands, example]),
        cwd=folder,
        env=os.environ | {"COLUMNS": "118"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.split(r"^end of .*\n", done.stdout, flags=re.MULTILINE)
    return printed[: len(commands)]


def test_the_commands_and_the_python_example_run(folder_with_texts: Path) -> None:
    small = "pmi-spark run --input demo-output/_corpus --output demo-output --set vectors.dimensions=50"
    found = [example for page in (README, COMMANDS) for example in examples(page)]
    told = [(command, lines) for command, lines in found if not command.startswith(DEMO)]
    assert len(told) >= 40
    assert sum(bool(heading(lines)) for _, lines in told) >= 12
    commands = [small, *(command for command, _ in told)]
    python = "".join(blocks("python"))
    assert ">>>" in python
    _, *printed = run_examples(folder_with_texts, commands, python)
    for (command, lines), text in zip(told, printed, strict=True):
        if heading(lines):
            assert heading(lines) in [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()], command


def test_every_command_is_shown() -> None:
    shown = {shlex.split(command)[1] for command, lines in examples(COMMANDS) if lines}
    assert shown == set(typer.main.get_command(app).commands)


def test_the_settings_examples_are_accepted() -> None:
    settings, phrases = (build_config(tomllib.loads(block)) for block in blocks("toml"))
    assert (settings.pairs.window, settings.vocabulary.minimum_count) == (10, 10)
    assert (phrases.phrases.passes, phrases.phrases.connectors) == (2, "of,the")


def test_the_first_commands_are_targets_of_the_makefile() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
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
