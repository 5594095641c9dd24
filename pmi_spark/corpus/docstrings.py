"""Real English that is on every machine with Python: the docstrings of installed packages."""

from __future__ import annotations

import ast
import importlib.util
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

_PASSED_OVER = {"site-packages", "test", "tests"}
PACKAGES = ("numpy", "scipy", "pyspark", "pyarrow")


def source_folders(packages: Iterable[str] = PACKAGES) -> list[Path]:
    """The standard library's folder and those of the named packages, found without importing them."""
    folders = [Path(sysconfig.get_path("stdlib"))]
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec and spec.submodule_search_locations:
            folders.append(Path(next(iter(spec.submodule_search_locations))))
    return folders


def docstring_documents(folder: Path) -> Iterator[str]:
    """Each paragraph of each docstring below a folder as one line, files in order of their path.

    Passed over: files that do not parse, tests, and packages installed below the standard library.
    """
    for path in sorted(folder.rglob("*.py")):
        if not _PASSED_OVER.isdisjoint(path.relative_to(folder).parts):
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError, RecursionError):
            continue
        for text in _texts(tree):
            for paragraph in text.split("\n\n"):
                line = " ".join(paragraph.split())
                if line:
                    yield line


def _texts(tree: ast.Module) -> Iterator[str]:
    """Docstrings, and the texts numpy attaches to compiled functions with add_newdoc(module, name, text)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text
        elif isinstance(node, ast.Call) and "newdoc" in ast.unparse(node.func):
            for value in ast.walk(node):
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and "\n" in value.value:
                    yield value.value
