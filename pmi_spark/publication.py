"""How one small file appears whole, on a local disk, on HDFS, and on an object store.

Manifests, metrics, locks and notes of sweeps are published here. What each kind of file system promises:

- A local disk renames a file over another in one step, and a hard link fails where a file is.
- HDFS, asked by itself or over HTTP, has one rename that replaces and one that does not, each a single step.
- An object store has neither: its rename is a copy and a deletion. But an object appears whole when its stream is
  closed, or not at all, so one is written where it belongs, and nothing is renamed. S3A and GCS keep that promise; so
  does Ozone. ABFS shows an empty file until then, which readers take for none.

Hadoop has no capability that says whether a rename is one step (none in ``CommonPathCapabilities`` up to 3.5), and a
file system may have no ``FileContext``, which alone renames over a file. So the few that are known to do it are named,
and every other one is taken for an object store. What lies behind the mounts of a viewfs is asked for by Hadoop.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from py4j.protocol import Py4JJavaError

LOCAL = "file"
ATOMIC_RENAMES = ("hdfs", "webhdfs", "swebhdfs")
# Hadoop's name for "put where there is none, decided by the store at the end of the put": S3A from Hadoop 3.4.2 on.
CONDITIONAL_CREATE = "fs.option.create.conditional.overwrite"
_IS_THERE_OR_GONE = ("FileAlreadyExistsException", "FileNotFoundException")


class Publisher(Protocol):
    """One way to publish. Paths are absolute, with scheme and host.

    ``admits_one`` says whether of several that create a file at the same time exactly one is told that it did.
    """

    promise: str
    admits_one: bool

    def replace(self, path: str, content: bytes) -> None:
        """Write a file, or another in its place: a reader sees the old one or the new one, never a part."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file whose folder is there; False, and nothing is changed, where there is one already."""


class LocalDisk:
    """A disk of the driver's machine. Nothing goes through Hadoop, which would keep a checksum in a second file.

    Two files cannot be renamed in one step: a run killed between them would leave a manifest that no one can read.
    """

    promise = "a file is replaced in one step"
    admits_one = True

    def __init__(self, local_path: Callable[[str], Path]) -> None:
        self._local_path = local_path

    def replace(self, path: str, content: bytes) -> None:
        """Write aside, then rename; what is aside after a crash, the next one writes over."""
        target = self._local_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f"{target.name}.tmp")
        _write_through(aside, content)
        # Where Hadoop wrote the file before: its checksum is of the old text.
        target.with_name(f".{target.name}.crc").unlink(missing_ok=True)
        aside.replace(target)

    def create(self, path: str, content: bytes) -> bool:
        """Write aside, then link."""
        return link_new(self._local_path(path), content)


class AtomicRename:
    """HDFS: written aside, then renamed by its FileContext."""

    promise = "a rename replaces a file in one step"
    admits_one = True

    def __init__(self, hadoop: Any, configuration: Any, new_array: Callable[..., Any]) -> None:
        self._hadoop = hadoop
        self._configuration = configuration
        self._new_array = new_array

    def replace(self, path: str, content: bytes) -> None:
        """Write aside, then rename over what is there: FileSystem.rename will not, and to delete first leaves a gap."""
        aside = f"{path}.tmp"
        self._write(aside, content)
        self._rename(aside, path, self._hadoop.fs.Options.Rename.OVERWRITE)

    def create(self, path: str, content: bytes) -> bool:
        """Write aside, then rename to a name that is free."""
        from py4j.protocol import Py4JJavaError

        aside = f"{path}.{uuid.uuid4().hex}"
        self._write(aside, content)
        try:
            self._rename(aside, path)
        except Py4JJavaError as error:
            if _java_name(error) not in _IS_THERE_OR_GONE:
                raise
            system, hadoop_path = _open(self._hadoop, self._configuration, aside)
            system.delete(hadoop_path, False)
            return False
        return True

    def _write(self, path: str, content: bytes) -> None:
        system, hadoop_path = _open(self._hadoop, self._configuration, path)
        write_whole(system.create(hadoop_path, True), content)

    def _rename(self, source: str, target: str, *options: Any) -> None:
        old, new = self._hadoop.fs.Path(source), self._hadoop.fs.Path(target)
        given = self._new_array(self._hadoop.fs.Options.Rename, len(options))
        for place, option in enumerate(options):
            given[place] = option
        self._hadoop.fs.FileContext.getFileContext(old.toUri(), self._configuration).rename(old, new, given)


class ObjectStore:
    """One put, straight to where the file belongs; its close publishes it."""

    promise = "a rename may be a copy, so files are put where they belong and nothing relies on one"

    def __init__(self, hadoop: Any, configuration: Any, path: str) -> None:
        self._hadoop = hadoop
        self._configuration = configuration
        system, hadoop_path = _open(hadoop, configuration, path)
        self.admits_one = bool(system.hasPathCapability(hadoop_path, CONDITIONAL_CREATE))

    def replace(self, path: str, content: bytes) -> None:
        """One put over what is there."""
        system, hadoop_path = _open(self._hadoop, self._configuration, path)
        write_whole(system.create(hadoop_path, True), content)

    def create(self, path: str, content: bytes) -> bool:
        """One put that the store refuses where there is an object, at its end if it can, else at its beginning.

        In the latter case two may both succeed, and the last one's content stays. An answer may be lost and the put be
        sent again, and refused for the sake of the first: what decides is whose content is there.
        """
        from py4j.protocol import Py4JJavaError

        system, hadoop_path = _open(self._hadoop, self._configuration, path)
        try:
            if self.admits_one:
                builder = system.createFile(hadoop_path).overwrite(True)
                stream = builder.must(CONDITIONAL_CREATE, True).build()
            else:
                stream = system.create(hadoop_path, False)
            write_whole(stream, content)
        except Py4JJavaError as error:
            there = read_if_there(system, hadoop_path)
            if there is None and _java_name(error) not in _IS_THERE_OR_GONE:
                raise
            return there == content
        return True


def choose_publisher(hadoop: Any, configuration: Any, new_array: Callable[..., Any], folder: str) -> Publisher:
    """How files are published in a folder, given as :func:`resolve_mounts` does; ``hadoop`` is the JVM's package."""
    scheme = hadoop.fs.Path(folder).toUri().getScheme()
    if scheme == LOCAL:
        return LocalDisk(lambda path: Path(hadoop.fs.Path(path).toUri().getPath()))
    if scheme in ATOMIC_RENAMES:
        return AtomicRename(hadoop, configuration, new_array)
    return ObjectStore(hadoop, configuration, folder)


def resolve_mounts(hadoop: Any, configuration: Any, folder: str) -> str:
    """A folder, which need not be there, with scheme and host, on the file system behind the mounts of a viewfs."""
    system, hadoop_path = _open(hadoop, configuration, folder)
    hadoop_path = system.makeQualified(hadoop_path)
    names: list[str] = []
    while hadoop_path.getParent() is not None and not system.exists(hadoop_path):
        names.insert(0, str(hadoop_path.getName()))
        hadoop_path = hadoop_path.getParent()
    return "/".join([str(system.resolvePath(hadoop_path).toString()).rstrip("/"), *names])


def write_whole(stream: Any, content: bytes) -> None:
    """Write to a Hadoop stream and close it; when the write fails it is not closed, as that would publish a part."""
    try:
        stream.write(bytearray(content))
    except BaseException:
        # Few streams can be told to abort; the others are left to the JVM.
        with suppress(Exception):
            stream.abort()
        raise
    stream.close()


def read_if_there(system: Any, hadoop_path: Any) -> bytes | None:
    """A whole file through the JVM, None when there is none: for small ones, 10 ns a byte."""
    from py4j.protocol import Py4JJavaError

    try:
        stream = system.open(hadoop_path)
        try:
            return bytes(stream.readAllBytes())
        finally:
            stream.close()
    except Py4JJavaError as error:
        if _java_name(error) == "FileNotFoundException":
            return None
        raise


def link_new(path: Path, content: bytes) -> bool:
    """Write beside ``path``, then link: the link fails where a file is."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    _write_through(aside, content)
    try:
        os.link(aside, path)
    except (FileExistsError, FileNotFoundError):
        # The second: what lies beside it was swept away, by whoever was first.
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def _write_through(path: Path, content: bytes) -> None:
    """To the disk itself: else a machine that loses its power may have kept the rename and not the bytes."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _open(hadoop: Any, configuration: Any, path: str) -> tuple[Any, Any]:
    hadoop_path = hadoop.fs.Path(path)
    return hadoop_path.getFileSystem(configuration), hadoop_path


def _java_name(error: Py4JJavaError) -> str:
    return str(error.java_exception.getClass().getSimpleName())
