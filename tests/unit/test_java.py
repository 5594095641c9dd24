from __future__ import annotations

from pathlib import Path

import pytest

from pmi_spark.java import REQUIRED_JAVA, find_java, java_problem, java_version, parse_major_version


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "25-ea" 2025-09-16', 25),
        ('java version "1.8.0_402"', 8),
        ('java version "11.0.2" 2019-01-15 LTS', 11),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.1"', 17),
        ('openjdk version "100.0.1"', 100),
        ("", None),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_major_version_is_read_from_what_java_prints(text, major):
    assert parse_major_version(text) == major


def fake_java(folder: Path, prints: str) -> Path:
    path = folder / "java"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{prints}\nEND\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def search_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The first folder of a PATH that holds no Java; JAVA_HOME is unset."""
    folder = tmp_path / "bin"
    folder.mkdir()
    # /bin has the shell of the fake and, on many machines, a java as well: the shell alone is linked.
    for tool in ("sh", "cat"):
        (folder / tool).symlink_to(Path("/bin", tool).resolve())
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def test_no_java_at_all_is_one_line_with_the_cure(search_path):
    assert find_java() is None
    problem = java_problem()
    assert problem is not None
    assert "no java was found; install a JRE" in problem
    assert len(problem.splitlines()) == 1


def test_an_old_java_on_the_path_is_named_with_its_version(search_path):
    executable = fake_java(search_path, 'java version "1.8.0_402"')
    problem = java_problem()
    assert problem is not None
    assert f"{executable} is Java 8; " in problem
    assert str(REQUIRED_JAVA) in problem


@pytest.mark.parametrize("version", [REQUIRED_JAVA, REQUIRED_JAVA + 4])
def test_a_new_enough_java_is_no_problem(search_path, version):
    fake_java(search_path, f'openjdk version "{version}.0.1" 2025-01-01')
    assert java_problem() is None


def test_the_version_before_the_required_one_is_a_problem(search_path):
    fake_java(search_path, f'openjdk version "{REQUIRED_JAVA - 1}.0.2" 2025-01-01')
    assert java_problem() is not None


def test_java_home_comes_before_the_path(search_path, monkeypatch, tmp_path):
    fake_java(search_path, f'openjdk version "{REQUIRED_JAVA}.0.1"')
    old = fake_java(tmp_path / "home" / "bin", 'java version "1.8.0_402"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java() == str(old)
    assert f"{old} is Java 8" in (java_problem() or "")


def test_a_java_home_without_java_does_not_run(search_path, monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert "does not run; install" in (java_problem() or "")


def test_a_java_that_prints_no_version_does_not_run(search_path):
    executable = fake_java(search_path, "Unable to locate a Java Runtime.")
    assert java_version(str(executable)) is None
    assert "does not run" in (java_problem() or "")
