"""Files and folders that appear whole: written aside under a hidden name, then renamed. Local file systems."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pmi_spark.errors import InputError, RunError


def check_target(to: str, output: str, force: bool, names: Collection[str] = ()) -> Path:
    """The place to write to; ``names`` are the files of a folder, none for a single file.

    Raises InputError where something is there and ``force`` is not given, where a folder holds other files than an
    export's, which nothing may remove, and where the place is inside the output directory of a run.
    """
    if "://" in to:
        raise InputError(f"--to {to} is no local path", cure="export to a local disk, then copy it")
    path = Path(to).absolute()
    if not path.parent.is_dir():
        raise InputError(f"no folder {path.parent}", cure="make it, or name another --to")
    run = Path(output.removeprefix("file:")).resolve()
    if run in (path.resolve(), *path.resolve().parents):
        raise InputError(f"--to {to} is inside the run's own folder", cure="name a place outside of it")
    if not os.path.lexists(path):
        return path
    if not force:
        raise InputError(f"{to} is there already", cure="give another --to, or --force to replace it")
    if bool(names) != path.is_dir() or (names and {entry.name for entry in path.iterdir()} - set(names)):
        kind = "a folder of another export" if names else "a file"
        raise InputError(f"{to} is not {kind}, so --force does not replace it", cure="give another --to")
    return path


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write; it is at its place when the block ends well, and nothing is when it does not.

    Raises RunError when the disk is full, or the place cannot be written to.
    """
    with _aside(path) as aside:
        with aside.open("xb") as file:
            yield file
            _to_disk(file)
        aside.replace(path)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """As :func:`new_file`, a folder. One that it replaces is gone for the moment between two renames."""
    with _aside(path) as aside:
        aside.mkdir()
        yield aside
        for entry in aside.iterdir():
            with entry.open("rb") as file:
                _to_disk(file)
        before = path.with_name(f"{aside.name}.before")
        if path.exists():
            path.rename(before)
        aside.rename(path)
        shutil.rmtree(before, ignore_errors=True)


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield aside
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}", cure="check its folder and the disk"
        ) from error
    finally:
        # Ctrl-C comes here too.
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def _to_disk(file: BinaryIO) -> None:
    """A power cut after the renaming must not leave zeros where numbers were to be."""
    file.flush()
    os.fsync(file.fileno())
