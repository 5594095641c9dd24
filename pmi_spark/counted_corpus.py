"""The files of words that the vocabulary and the pairs count, increment by increment."""

from __future__ import annotations

from collections.abc import Sequence

from pmi_spark.artifacts import Artifacts, Manifest
from pmi_spark.increments import COUNTED, FIRST_LABEL, Difference, Increment, counted_fact, difference, increments_of


class CountedCorpus:
    """An artifact of words, ``tokens`` or ``phrases``, and those of its increments that are wanted.

    Without ``wanted`` that is all of them. Phrases are found in all text at once, so they are one increment.
    """

    def __init__(self, artifacts: Artifacts, name: str, wanted: Sequence[Increment] | None = None) -> None:
        self.name = name
        manifest = artifacts.require(name)
        self._rows = artifacts.paths(name)
        self._path_of_part = dict(zip((part.name for part in manifest.files), self._rows, strict=True))
        self.available = increments_of(manifest) if name == "tokens" else (_whole(manifest),)
        self.wanted = self.available if wanted is None else tuple(wanted)

    def rows(self, increments: Sequence[Increment] | None = None) -> dict[str, int]:
        """The files of increments, of the wanted ones without an argument: path, and how many documents it holds."""
        chosen = self.wanted if increments is None else increments
        paths = [self._path_of_part[part] for entry in chosen for part in entry.parts]
        return {path: self._rows[path] for path in paths}

    def difference(self, counted_by: Manifest) -> Difference | None:
        """What an artifact lacks of the wanted increments; None when it is to be made anew."""
        return difference(counted_by.facts.get(COUNTED, {}), self.wanted, self.available)

    def fact(self) -> dict[str, dict[str, str]]:
        """For the manifest of what counted them."""
        return {COUNTED: counted_fact(self.wanted)}


def _whole(manifest: Manifest) -> Increment:
    return Increment(FIRST_LABEL, (), tuple(part.name for part in manifest.files))
