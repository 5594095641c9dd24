"""Is there a Java that Spark can use? Standard library only: the Makefile asks before anything is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

REQUIRED_JAVA = 17
CURE = (
    f"install a JRE {REQUIRED_JAVA} or newer (Debian/Ubuntu: apt-get install openjdk-{REQUIRED_JAVA}-jre-headless, "
    f"macOS: brew install openjdk@{REQUIRED_JAVA}) and put it on PATH or name it in JAVA_HOME"
)


def parse_major_version(version_text: str) -> int | None:
    """Major version from what ``java -version`` prints; None when it prints none.

    >>> parse_major_version('openjdk version "17.0.15" 2025-04-15')
    17
    >>> parse_major_version('java version "1.8.0_402"')
    8
    """
    match = re.search(r'version "(?:1\.)?(\d+)', version_text)
    return int(match.group(1)) if match else None


def find_java() -> str | None:
    """The Java that Spark's launcher takes: ``$JAVA_HOME/bin/java``, else ``java`` on PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else shutil.which("java")


def java_version(executable: str) -> int | None:
    """Major version of one Java executable; None when it cannot be run."""
    try:
        done = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_major_version(done.stderr + done.stdout)


def java_problem() -> str | None:
    """One line that says what is missing and how to get it; None when all is well."""
    executable = find_java()
    if executable is None:
        return f"Java {REQUIRED_JAVA} or newer is needed and no java was found; {CURE}"
    version = java_version(executable)
    if version is None:
        return f"Java {REQUIRED_JAVA} or newer is needed and {executable} does not run; {CURE}"
    if version < REQUIRED_JAVA:
        return f"Java {REQUIRED_JAVA} or newer is needed and {executable} is Java {version}; {CURE}"
    return None


if __name__ == "__main__":
    print(java_problem() or "")
