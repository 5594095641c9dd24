"""Build what spark-submit ships, and try it before anyone submits.

    python deploy/build.py [--to DIR] [--unpack DIR]

    DIR/pmi_spark.zip        for --py-files: the package as its wheel has it
    DIR/environment.tar.gz   for --archives: a virtual environment of its dependencies but Spark, which the cluster has

With --unpack the unpacked environment that was tried is kept: the driver's, where it runs on this machine.

The environment is one of this machine's Python: the workers need the same Python at the same place, the same processor
and a C library no older.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import venv_pack

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE, ENVIRONMENT = "pmi_spark.zip", "environment.tar.gz"
# What is asked of the unpacked environment, with nothing but the package on its path.
TRIAL = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
import pmi_spark.cli, pmi_spark.corpus.jieba_dictionaries, pmi_spark.factorization.solver, pmi_spark.report.page
assert all(pmi_spark.report.page.asset(name) for name in ("page.html", "search.html", "style.css"))
assert all(pmi_spark.report.page.asset(name) for name in pmi_spark.report.page.SCRIPTS)
assert ".zip" in pmi_spark.cli.__file__, pmi_spark.cli.__file__
"""
IMPORT_NAMES = {"prometheus-client": "prometheus_client"}


def requirements() -> list[str]:
    """The project's dependencies and the fast segmenter; Spark is the cluster's own."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        entry
        for entry in project["dependencies"] + project["optional-dependencies"]["fast"]
        if not entry.startswith("pyspark")
    ]


def import_name(requirement: str) -> str:
    """The module of a requirement.

    >>> import_name("prometheus-client>=0.20"), import_name("numpy>=1.26")
    ('prometheus_client', 'numpy')
    """
    name = requirement.partition(">")[0].partition("=")[0].strip()
    return IMPORT_NAMES.get(name, name)


def run(*command: str, **options: object) -> None:
    """Run a command; SystemExit with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(f"deploy: {' '.join(command)} failed: {done.stderr.strip()}")


def build_package(to: Path) -> None:
    """The wheel under a name that Spark takes for importable."""
    with TemporaryDirectory() as folder:
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(PROJECT))
        (wheel,) = Path(folder).glob("*.whl")
        shutil.copy(wheel, to / PACKAGE)


def build_environment(to: Path) -> None:
    """A new virtual environment with the requirements in it, packed so that it runs wherever it is unpacked.

    Python compiles what it imports: done here once for what the package needs, and not for the rest. The fastest
    compression: the next level takes twice as long for 4 % less.
    """
    with TemporaryDirectory() as folder:
        venv.create(folder)
        python = f"{folder}/bin/python"
        run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", *requirements())
        import_everything(Path(folder), to)
        (to / ENVIRONMENT).unlink(missing_ok=True)
        left_out = [("exclude", "*/tests/*")]
        venv_pack.pack(prefix=folder, output=str(to / ENVIRONMENT), compress_level=1, filters=left_out)


def import_everything(environment: Path, to: Path) -> None:
    """Import it all with an environment's Python, and the package's file alone on the path."""
    bare = {"PATH": os.defpath, "PYTHONPATH": str((to / PACKAGE).resolve())}
    names = ",".join(map(import_name, requirements()))
    run(f"{environment}/bin/python", "-c", TRIAL, names, cwd=environment, env=bare)


def try_both(to: Path, unpacked: Path) -> None:
    """Unpack as an executor does, into a new folder, and import everything."""
    with tarfile.open(to / ENVIRONMENT) as archive:
        archive.extractall(unpacked, filter="fully_trusted")
    import_everything(unpacked, to)


def main() -> None:
    """Build both, try both, say where they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=PROJECT / "dist", help="folder of the two files [default dist]")
    parser.add_argument(
        "--unpack", type=Path, help="a new folder to unpack the environment in [default: a passing one]"
    )
    arguments = parser.parse_args()
    to = arguments.to
    to.mkdir(parents=True, exist_ok=True)
    build_package(to)
    build_environment(to)
    with TemporaryDirectory() as passing:
        try_both(to, arguments.unpack or Path(passing))
    for name in (PACKAGE, ENVIRONMENT):
        print(f"{to / name}  {(to / name).stat().st_size / 1e6:,.1f} MB")


if __name__ == "__main__":
    main()
