"""One writer an output directory: who holds it, since when, and whether the holder still lives.

The lock is a file, ``_lock.json``, that appears whole where there was none. Local disks, HDFS and S3 (Hadoop 3.4.2 or
newer) let one of two runs do that. Another object store may let both: the last one's content stays, so the file is read
back SETTLE_SECONDS later, and again before anything is published; it names one holder, and the other stops. The holder
renews it every BEAT_SECONDS. A holder is dead when its process is gone (asked on its own machine) or when it has not
renewed the lock for DEAD_SECONDS.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pmi_spark.errors import TryAgainError

if TYPE_CHECKING:
    from pmi_spark.storage import Storage

LOCK_NAME = "_lock.json"
BEAT_SECONDS = 30
# Clocks of two machines may be minutes apart; ten beats lost are no accident.
DEAD_SECONDS = 300
# Where two may both have taken it: longer than a store takes from its look whether there is one to the end of the put.
SETTLE_SECONDS = 2.0
# How often an empty lock is read again, a second apart: ABFS shows one while its holder renews it.
EMPTY_READS = 4


@dataclass(frozen=True)
class Holder:
    """A run that writes to an output directory.

    ``machine`` is where its process number holds. ``process_start`` is what that machine says of when the process
    began, so that another one of the same number is not taken for it; empty where no one can say. ``beat`` is in
    seconds since 1970.
    """

    token: str
    host: str
    machine: str
    process: int
    process_start: str
    since: str
    beat: float

    @classmethod
    def of_this_process(cls) -> Holder:
        own, since = os.getpid(), datetime.now(UTC).isoformat(timespec="seconds")
        start = process_start(own) or ""
        return cls(uuid.uuid4().hex, socket.gethostname(), this_machine(), own, start, since, time.time())

    def is_dead(self, now: float) -> bool:
        """Is its process gone, or its last beat too long ago?

        >>> elsewhere = Holder("token", "host", "machine", 1, "", "2026-01-01T00:00:00+00:00", beat=1000.0)
        >>> elsewhere.is_dead(now=1000.0 + DEAD_SECONDS), elsewhere.is_dead(now=1001.0 + DEAD_SECONDS)
        (False, True)
        """
        if self.machine == this_machine() and process_start(self.process) != self.process_start:
            return True
        return now - self.beat > DEAD_SECONDS

    def to_json(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Holder | None:
        """None for what no run wrote."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


def this_machine() -> str:
    """Where this process's number means something: a boot of a kernel, and a container's own count of processes.

    Containers may share a host's name, and a restarted one its numbers.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def process_start(process: int) -> str | None:
    """When a process of this machine began, in ticks since boot; "" where no one can say, None when it is gone."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    # Its parent has not taken note of its end yet.
    return None if fields[0] == "Z" else fields[19]


class OutputLock:
    """The lock of one output directory, held by this process or not."""

    def __init__(self, storage: Storage, output: str) -> None:
        self._storage = storage
        self._output = output
        self._path = f"{output}/{LOCK_NAME}"
        self._own = Holder.of_this_process()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it, renewed by a thread. Raises TryAgainError when another run holds it.

        A directory that was not there, and that nothing was written to, is not there afterwards.
        """
        is_new = not self._storage.exists(self._output)
        self._take()
        stop = threading.Event()
        beats = threading.Thread(target=self._beat, args=(stop,), name="pmi_spark lock", daemon=True)
        beats.start()
        try:
            yield
        finally:
            stop.set()
            beats.join()
            # The file system may be what failed; a dead holder is recognised.
            with suppress(Exception):
                if self._is_own():
                    self._storage.delete(self._path)
                if is_new:
                    self._storage.delete_empty(self._output)

    def check(self) -> None:
        """TryAgainError when it is no longer this run's: asked before anything is published."""
        if not self._is_own():
            raise TryAgainError(
                f"another run took {self._output}, as this one was silent for {DEAD_SECONDS} s",
                cure="run the same command again when it has ended",
            )

    def refuse_held(self) -> None:
        """TryAgainError when another run holds it and lives."""
        holder = self._holder()
        if holder is not None and not holder.is_dead(time.time()):
            raise self._refusal()

    def _take(self) -> None:
        content = self._own.to_json().encode()
        if not self._storage.create(self._path, content):
            self._remove_if_dead()
            if not self._storage.create(self._path, content):
                raise self._refusal()
        if not self._storage.admits_one(self._path):
            time.sleep(SETTLE_SECONDS)
        if not self._is_own():
            raise self._refusal()
        # What runs left that were killed while they took it.
        for entry in self._storage.children(self._output):
            if entry.name.startswith(f"{LOCK_NAME}."):
                self._storage.delete(entry.path)

    def _remove_if_dead(self) -> None:
        """Remove a dead holder's lock. Of several runs that see it dead, the one that makes a mark of it may."""
        holder = self._holder()
        if holder is not None and not holder.is_dead(time.time()):
            raise self._refusal()
        mark = f"{self._path}.{holder.token if holder else 'unreadable'}"
        if not self._storage.create(mark, self._own.to_json().encode()):
            other = self._read(mark)
            if other is not None and other.is_dead(time.time()):
                self._storage.delete(mark)
            raise self._refusal()
        # Another run may have taken the dead one's place, and removed its own mark, since the lock was read.
        if self._holder() != holder:
            self._storage.delete(mark)
            raise self._refusal()
        self._storage.delete(self._path)

    def _holder(self) -> Holder | None:
        return self._read(self._path)

    def _read(self, path: str) -> Holder | None:
        """Who a lock or a mark names; None when it is not there, or no run wrote it."""
        content = self._storage.read_if_there(path)
        for _ in range(EMPTY_READS):
            if content != b"":
                break
            time.sleep(1)
            content = self._storage.read_if_there(path)
        return Holder.from_json(content.decode("utf-8", errors="replace")) if content else None

    def _is_own(self) -> bool:
        holder = self._holder()
        return holder is not None and holder.token == self._own.token

    def _refusal(self) -> TryAgainError:
        holder = self._holder()
        who = f"process {holder.process} on {holder.host}, since {holder.since}" if holder else "another run"
        return TryAgainError(f"{self._output} is being written by {who}", cure="wait for it to end, or stop it")

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(BEAT_SECONDS):
            # A file system that is away for a while must not end the run: the stages will tell, or the lock grows old.
            with suppress(Exception):
                if self._is_own():
                    renewed = replace(self._own, beat=time.time())
                    self._storage.write_text(self._path, renewed.to_json())
