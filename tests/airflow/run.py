"""Test the DAG with Airflow itself, in an environment of its own: its dependencies would pin half of the project's.

    python tests/airflow/run.py ENVIRONMENT

Makes the environment, or takes the one that is there if it was made from the same requirements by the same Python.
Where pip cannot reach Airflow, or finds no release for this Python, one line says so and the exit status is 0.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
# pip's words for a package that it cannot get, as against one that it cannot install.
OUT_OF_REACH = re.compile(
    r"No matching distribution found|Could not find a version|ResolutionImpossible|Max retries exceeded"
    r"|NewConnectionError|NameResolutionError|ReadTimeoutError|ConnectTimeoutError"
)


def main(environment: Path) -> int:
    """Install if need be, then run the tests; the exit status."""
    python, made_from = environment / "bin/python", environment / "made-from.txt"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if not made_from.exists() or made_from.read_text(encoding="utf-8") != wanted:
        started = time.monotonic()
        venv.create(environment, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            return report_failure(done.stderr)
        made_from.write_text(wanted, encoding="utf-8")
        print(f"installed Airflow in {time.monotonic() - started:.0f} s")
    return subprocess.run([str(python), "-m", "pytest", str(HERE)], cwd=HERE.parent.parent, check=False).returncode


def report_failure(errors: str) -> int:
    """Say in one line why there is no Airflow: 0 where it is not to be had here, 1 where installing it failed."""
    lines = [line for line in errors.splitlines() if line.strip() and not line.startswith("WARNING")]
    told = next((line for line in lines if OUT_OF_REACH.search(line)), None)
    if told is None:
        print(f"test-airflow: pip could not install Airflow: {lines[-1] if lines else 'no reason given'}")
        return 1
    print(f"skipped: pip cannot get Airflow for Python {sys.version_info.major}.{sys.version_info.minor}: {told}")
    return 0


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    sys.exit(main(Path(sys.argv[1])))
