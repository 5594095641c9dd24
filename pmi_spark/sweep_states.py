"""Where the factorization's state waits for a run that was cut short: both sides' factors after each sweep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pmi_spark.factorization.state import State, SweepReport
from pmi_spark.local_folders import passing_folder
from pmi_spark.storage import Storage

FOLDER = "_sweeps"
NOTE = "state.json"
_SIDES = ("left", "right")


@dataclass(frozen=True)
class SweepStates:
    """The saved state of one vectors stage, in a folder of its artifact; ``identity`` is the stage's fingerprint."""

    storage: Storage
    folder: str
    identity: str

    def save(self, state: State) -> None:
        """Write both sides, then the note that names them; the state before is whole until then. 8 n d bytes."""
        number = len(state.reports)
        if self._read_note() is None:
            # A note of other settings may name files of the same names, and must not outlive what they held.
            self.storage.delete(self._note)
        names = {side: f"{side}-{number:04d}.npy" for side in _SIDES}
        with passing_folder() as folder:
            for side, name in names.items():
                local = folder / name
                np.save(local, getattr(state, side))
                self.storage.upload(local, f"{self.folder}/{name}")
                local.unlink()
        note = {"identity": self.identity, "files": names, "reports": [list(report) for report in state.reports]}
        self.storage.write_text(self._note, json.dumps(note) + "\n")
        for entry in self.storage.children(self.folder):
            if entry.name.endswith(".npy") and entry.name not in names.values():
                self.storage.delete(entry.path)

    def load(self) -> State | None:
        """The last state saved under this identity, or None."""
        note = self._read_note()
        if note is None:
            return None
        try:
            paths = [f"{self.folder}/{note['files'][side]}" for side in _SIDES]
            if not all(map(self.storage.exists, paths)):
                return None
            left, right = map(self._read, paths)
            return State(left, right, [SweepReport(*report) for report in note["reports"]])
        except (ValueError, KeyError, TypeError, EOFError):
            # Damaged, or not a state of this version: the sweeps start from the beginning.
            return None

    def discard(self) -> None:
        """Remove what was saved under this identity; the state of other settings stays."""
        if self._read_note() is not None:
            self.storage.delete(self.folder)

    def _read_note(self) -> dict[str, Any] | None:
        """What was noted under this identity, or None."""
        try:
            note = json.loads(self.storage.read_if_there(self._note) or b"null")
            return dict(note) if note["identity"] == self.identity else None
        except (ValueError, KeyError, TypeError):
            return None

    @property
    def _note(self) -> str:
        return f"{self.folder}/{NOTE}"

    def _read(self, path: str) -> npt.NDArray[np.float32]:
        with passing_folder() as folder:
            local = folder / "side.npy"
            self.storage.download(path, local)
            return np.asarray(np.load(local))
