"""What each stage would be made from now, and the fingerprint its artifact would have."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pmi_spark.artifacts import Artifacts, Manifest, fingerprint
from pmi_spark.config import Config
from pmi_spark.errors import ConfigurationError, InputError
from pmi_spark.increments import (
    EXTENDS,
    FIRST_LABEL,
    REFITS,
    RETIRED,
    Change,
    Increment,
    check_label,
    increments_of,
    lineage,
    upstream_of,
    with_added,
    without,
)
from pmi_spark.stages import StageRuns

# Part of every fingerprint: raised when the meaning of an artifact changes, so that old ones are made anew.
FORMAT = 3
# Settings that change how a stage runs but not a byte of what it writes.
_WITHOUT_EFFECT = {"pairs": {"memory"}, "vectors": {"blocks", "memory"}}


class Identity(NamedTuple):
    """What a stage is made from, and the fingerprint its artifact would have."""

    upstream: dict[str, Any]
    fingerprint: str


class Identities:
    """The identities of one output directory's stages under one configuration, in one run.

    Files that settings name are read once each.
    """

    def __init__(self, artifacts: Artifacts, config: Config, stages: StageRuns) -> None:
        self._settings: dict[str, dict[str, Any]] = {}
        self._artifacts = artifacts
        self._config = config
        self._stages = stages

    def of(self, stage: str) -> Identity:
        """Raises InputError when an artifact that the stage reads is missing, or they do not belong together."""
        if stage == "tokens":
            return self._identity(stage, upstream_of(self._wanted()))
        upstream = self._artifact_upstream(stage)
        if stage == "vocabulary":
            return self._built_upon(stage, upstream, EXTENDS)
        if stage == "vectors":
            return self._built_upon(stage, upstream, REFITS)
        return self._identity(stage, upstream)

    def of_frame(self) -> Identity:
        """That of tokens from a frame: no other's, for nobody can tell whether a frame would give the same again."""
        return self._identity("tokens", upstream_of(()) | {"frame": uuid.uuid4().hex})

    def want(self, inputs: Sequence[str], change: Change | None) -> tuple[Increment, ...]:
        """The increments that the text is to have: of ``inputs`` alone, or the ones there and a change.

        Raises InputError when the change cannot be made, or increments there would be lost.
        """
        tokens = self._artifacts.manifest("tokens")
        there = () if tokens is None else self._whole(tokens)
        if change is None:
            return self._only(inputs, there, tokens)
        check_label(change.label)
        if self._config.phrases.passes:
            raise ConfigurationError(
                "phrases are found in all text at once, so phrases.passes and labels do not go together",
                cure="set phrases.passes to 0, or join the phrases before",
            )
        if tokens is not None and not self._is_cut_alike(tokens, there):
            raise ConfigurationError(
                f"{self._artifacts.output} was cut with other [tokens] or [input] settings, or by another version",
                cure="give the settings of the first run: --config or --set",
            )
        if change.retires:
            lost = [entry.label for entry in there if not entry.parts]
            if lost:
                raise InputError(
                    f"{self._artifacts.output}/tokens lost files of the label {lost[0]}, so counts cannot be adjusted",
                    cure="cut that text again: `pmi-spark run --append --label` with its name and --input",
                )
            return without(there, change.label, tokens.facts[RETIRED] if tokens is not None else ())
        return with_added(there, Increment(change.label, self.find(inputs)))

    def _only(
        self, inputs: Sequence[str], there: tuple[Increment, ...], tokens: Manifest | None
    ) -> tuple[Increment, ...]:
        found = self.find(inputs)
        if len(there) == 1 and there[0].inputs == found:
            # As they are, if the settings are: the label of a first run may be any.
            return there if self._is_cut_alike(tokens, there) else (Increment(there[0].label, found),)
        if len(there) > 1:
            labels = ", ".join(entry.label for entry in there[-3:])
            raise InputError(
                f"{self._artifacts.output} holds {len(there)} labels, {labels} the last, which this run would replace",
                cure="add to them with --append --label, or give another --output",
            )
        return (Increment(FIRST_LABEL, found),)

    def _is_cut_alike(self, tokens: Manifest | None, there: Sequence[Increment]) -> bool:
        """Were the tokens there cut with the settings of now?"""
        return tokens is not None and self._identity("tokens", upstream_of(there)).fingerprint == tokens.fingerprint

    def _whole(self, tokens: Manifest) -> tuple[Increment, ...]:
        """The increments there are; without parts, to be cut again, those of which a file is gone."""
        gone = self._artifacts.missing_parts(tokens)
        return tuple(
            replace(entry, parts=(), side_parts=()) if gone.intersection(entry.parts + entry.side_parts) else entry
            for entry in increments_of(tokens)
        )

    def find(self, inputs: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
        """The input files that paths, folders and globs stand for, by path; InputError when there are none."""
        storage = self._artifacts.storage
        files = sorted({found for pattern in inputs for found in storage.find_files(storage.resolve(pattern))})
        if not files:
            raise InputError(f"no files in {', '.join(inputs)}", cure="give text files, or a directory that holds some")
        return tuple((entry.path, entry.size_bytes, entry.modified_ms) for entry in files)

    def _wanted(self) -> tuple[Increment, ...]:
        if self._stages.wanted is None:
            return increments_of(self._artifacts.require("tokens"))
        return self._stages.wanted

    def _identity(self, stage: str, upstream: dict[str, Any]) -> Identity:
        if stage not in self._settings:
            self._settings[stage] = self._effective(stage)
        return Identity(upstream, fingerprint(FORMAT, stage, upstream, self._settings[stage]))

    def _built_upon(self, stage: str, upstream: dict[str, Any], predecessor: str) -> Identity:
        """The identity of a stage that goes on from its own artifact where it can: then it names that in its upstream.

        A vocabulary can be extended where its settings are the same and it counted some of the text wanted; vectors can
        be refitted where theirs are, and the vocabulary was extended since.
        """
        found = self._artifacts.manifest(stage)
        if found is None or self._identity(stage, found.upstream).fingerprint != found.fingerprint:
            return self._identity(stage, upstream)
        if not self._artifacts.has_whole(stage, found.fingerprint):
            return self._identity(stage, upstream)
        if {key: value for key, value in found.upstream.items() if key != predecessor} == upstream:
            return Identity(found.upstream, found.fingerprint)
        goes_on = self._extends(found) if stage == "vocabulary" else self._refits(found)
        return self._identity(stage, upstream | {predecessor: found.fingerprint} if goes_on else upstream)

    def _extends(self, vocabulary: Manifest) -> bool:
        corpus = self._stages.counted_corpus()
        return corpus.name in vocabulary.upstream and corpus.difference(vocabulary) is not None

    def _refits(self, vectors: Manifest) -> bool:
        earlier = lineage(self._artifacts.require("vocabulary"))[:-1]
        return vectors.upstream["vocabulary"] in earlier and self._config.vectors.solver != "mllib"

    def _effective(self, stage: str) -> dict[str, Any]:
        settings = dataclasses.asdict(getattr(self._config, stage))
        if stage == "tokens":
            settings = self._stages.tokens_stage().effective()
        if stage == "vocabulary":
            settings = self._stages.vocabulary_stage().effective()
        if stage == "vectors" and settings["init"]:
            settings["init"] = self._artifacts.beside(settings["init"]).require("vectors").fingerprint
        return {key: value for key, value in settings.items() if key not in _WITHOUT_EFFECT.get(stage, set())}

    def _artifact_upstream(self, stage: str) -> dict[str, Any]:
        """Fingerprints of the artifacts a stage reads; InputError when they are missing or do not belong together."""
        corpus = self._stages.corpus
        first = {"phrases": ["tokens"], "vocabulary": [corpus], "pairs": [corpus, "vocabulary"]}
        needed = first.get(stage, ["vocabulary", "pairs"])
        needed = [*needed, "pmi"] if stage == "vectors" else needed
        found = {name: self._artifacts.require(name) for name in needed}
        prints = {name: manifest.fingerprint for name, manifest in found.items()}
        if "tokens" in prints and self._stages.wanted is not None:
            # What is taken out of the text leaves the counts first, so that the tokens of it are there to subtract.
            prints["tokens"] = self.of("tokens").fingerprint
        if stage == "pairs" and corpus not in found["vocabulary"].upstream:
            raise InputError(
                f"{self._artifacts.output}/vocabulary was not made from {corpus}, which phrases.passes asks for",
                cure="run `pmi-spark vocabulary` again, or set phrases.passes as it was then",
            )
        for name, manifest in found.items():
            for source, was in manifest.upstream.items():
                if source in prints and prints[source] != was:
                    raise InputError(
                        f"{self._artifacts.output}/{name} was made from other {source} than those there now",
                        cure=f"run `pmi-spark {name}` again, or `pmi-spark run`",
                    )
        return prints
