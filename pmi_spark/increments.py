"""A corpus that grows and shrinks by labelled increments: which files came when, and what an artifact has counted.

The manifest of ``tokens`` lists the increments in the order they came; those of the vocabulary and the pairs say which
of them they have counted. What is to be done is the difference, so a run that died goes on from what it finds, and a
stage that missed two increments takes in both. Pure; nothing here reads a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pmi_spark.artifacts import Manifest, PartFile, fingerprint
from pmi_spark.errors import InputError

# Facts of manifests.
INCREMENTS, RETIRED, COUNTED, ANCESTORS = "increments", "retired", "counted", "ancestors"
FIRST_LABEL = "first"
LONGEST_LABEL = 100

# In an upstream: the fingerprint of the vocabulary that this one extends, of the vectors that these were refitted from.
EXTENDS, REFITS = "extends", "refits"

# An input file: path, size in bytes, modification time in milliseconds since 1970.
InputFile = tuple[str, int, int]


@dataclass(frozen=True)
class Increment:
    """Input files that came together, the parts of ``tokens`` that hold their documents, and the account of them."""

    label: str
    inputs: tuple[InputFile, ...]
    parts: tuple[str, ...] = ()
    side_parts: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Tells its tokens from any others: part files have names of their own."""
        return fingerprint(*self.parts)


class Change(NamedTuple):
    """What a run asks for: to add inputs under a label, or to take a label out."""

    label: str
    retires: bool = False


def check_label(label: str) -> None:
    """Raises InputError unless it is 1 to LONGEST_LABEL printable characters: it stands in manifests and on terminals.

    >>> check_label("2026-11-25")
    >>> check_label("")
    Traceback (most recent call last):
    pmi_spark.errors.InputError: '' is no label; give 1 to 100 printable characters
    """
    if not (0 < len(label) <= LONGEST_LABEL and label.isprintable() and label.strip() == label):
        raise InputError(f"{label!r} is no label", cure=f"give 1 to {LONGEST_LABEL} printable characters")


def increments_of(tokens: Manifest) -> tuple[Increment, ...]:
    """What the manifest of ``tokens`` lists."""
    return tuple(
        Increment(
            label=entry["label"],
            inputs=tuple((path, size, modified) for path, size, modified in entry["inputs"]),
            parts=tuple(entry["parts"]),
            side_parts=tuple(entry["side_parts"]),
            facts=entry["facts"],
        )
        for entry in tokens.facts[INCREMENTS]
    )


def upstream_of(increments: Sequence[Increment]) -> dict[str, Any]:
    """What ``tokens`` is made from, for its fingerprint; of one increment its files alone, whatever its label."""
    upstream: dict[str, Any] = {"files": [list(file) for entry in increments for file in entry.inputs]}
    if len(increments) > 1:
        upstream["labels"] = [[entry.label, len(entry.inputs)] for entry in increments]
    return upstream


def with_added(increments: Sequence[Increment], new: Increment) -> tuple[Increment, ...]:
    """The increments and a new one behind them; as they are when it is there already, file by file.

    Raises InputError when its label is taken by other files, or a file came under another label.

    >>> first = Increment("first", (("a.txt", 1, 5),))
    >>> [entry.label for entry in with_added([first], Increment("second", (("b.txt", 1, 5),)))]
    ['first', 'second']
    >>> with_added([first], Increment("second", (("a.txt", 2, 6), ("b.txt", 1, 5))))
    Traceback (most recent call last):
    pmi_spark.errors.InputError: a.txt was added before, under the label first; leave it out, or retire that label first
    """
    for entry in increments:
        if entry.label == new.label:
            if entry.inputs == new.inputs:
                return tuple(increments)
            raise InputError(
                f"the label {new.label} is there already, for {len(entry.inputs)} other files",
                cure="give another --label, or retire that one first",
            )
        there = {path for path, _, _ in entry.inputs}
        for path, _, _ in new.inputs:
            if path in there:
                raise InputError(
                    f"{path} was added before, under the label {entry.label}",
                    cure="leave it out, or retire that label first",
                )
    return (*increments, new)


def without(increments: Sequence[Increment], label: str, retired: Sequence[str] = ()) -> tuple[Increment, ...]:
    """The increments but for one; as they are when it is among those ``retired`` before.

    Raises InputError when it never was there, or is the only one.

    >>> two = [Increment("first", ()), Increment("second", ())]
    >>> [entry.label for entry in without(two, "first")]
    ['second']
    """
    left = tuple(entry for entry in increments if entry.label != label)
    if len(left) == len(increments) and label not in retired:
        there = ", ".join(entry.label for entry in increments[-10:])
        raise InputError(f"there is no label {label}", cure=f"the last ones there are {there}")
    if not left:
        raise InputError(f"{label} is the only label there", cure="delete the output directory, or add a label first")
    return left


def lineage(vocabulary: Manifest) -> list[str]:
    """Fingerprints of the vocabularies whose ids mean the same in this one: itself, and those it was extended from."""
    return [*vocabulary.facts[ANCESTORS], vocabulary.fingerprint]


class Difference(NamedTuple):
    """What an artifact that counted some increments lacks: increments to add, to take out, and those in both."""

    added: tuple[Increment, ...]
    removed: tuple[Increment, ...]
    kept: tuple[Increment, ...]


def difference(
    counted: Mapping[str, str], wanted: Sequence[Increment], available: Sequence[Increment]
) -> Difference | None:
    """From what was counted ({label: digest}) to the increments wanted; None when the way there is to count anew.

    What is taken out must still be there, among ``available``; and where nothing stays there is nothing to build on.

    >>> first, second = Increment("first", (), ("part-1",)), Increment("second", (), ("part-2",))
    >>> difference({"first": first.digest}, [first, second], [first, second]).added == (second,)
    True
    >>> difference({"first": "of other tokens"}, [first, second], [first, second]) is None
    True
    """
    kept = tuple(entry for entry in wanted if counted.get(entry.label) == entry.digest)
    gone = {label: digest for label, digest in counted.items() if label not in {entry.label for entry in kept}}
    removed = tuple(entry for entry in available if gone.get(entry.label) == entry.digest)
    if not kept or len(removed) < len(gone):
        return None
    return Difference(tuple(entry for entry in wanted if entry not in kept), removed, kept)


def counted_fact(increments: Sequence[Increment]) -> dict[str, str]:
    """{label: digest}, for the manifest of what counted them."""
    return {entry.label: entry.digest for entry in increments}


def tokens_facts(
    increments: Sequence[Increment], before: Sequence[Increment], retired: Sequence[str]
) -> dict[str, Any]:
    """The facts of ``tokens``: the sum of its increments' accounts, the increments, and the labels taken out so far.

    ``before`` are the increments there were, ``retired`` the labels that were taken out by then.
    """
    total: dict[str, Any] = {}
    for entry in increments:
        total = sum_facts(total, entry.facts)
    there = [entry.label for entry in increments]
    gone = [label for label in (*retired, *(entry.label for entry in before)) if label not in there]
    return total | {INCREMENTS: [dataclasses.asdict(entry) for entry in increments], RETIRED: gone}


def sum_facts(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    """Two accounts as one: numbers add up, lists follow each other, what is in one alone stays.

    >>> sum_facts({"words": 3, "dropped": {"empty": 1}, "skipped": ["a"]}, {"words": 4, "dropped": {"binary": 2}})
    {'words': 7, 'dropped': {'empty': 1, 'binary': 2}, 'skipped': ['a']}
    """
    total = dict(left)
    for key, value in right.items():
        if key not in total:
            total[key] = value
        elif isinstance(value, Mapping):
            total[key] = sum_facts(total[key], value)
        elif isinstance(value, int | float | list) and not isinstance(value, bool):
            total[key] = total[key] + value
        else:
            total[key] = value
    return total


def parts_of(manifest: Manifest, increments: Sequence[Increment]) -> tuple[tuple[PartFile, ...], tuple[PartFile, ...]]:
    """The part files of ``tokens``, and of its side table, that increments name."""
    names = {name for entry in increments for name in entry.parts}
    side_names = {name for entry in increments for name in entry.side_parts}
    return (
        tuple(part for part in manifest.files if part.name in names),
        tuple(part for part in manifest.side_files if part.name in side_names),
    )
