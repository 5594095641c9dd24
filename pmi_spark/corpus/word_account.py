"""How many words, and how much of the text, each rule of the vocabulary keeps and drops. Pure numpy, exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pmi_spark.errors import ConfigurationError

Longs = npt.NDArray[np.int64]

# In the order in which they are asked: a word is dropped by the first that it does not meet.
RULES = ("drop", "minimum_count", "minimum_documents", "maximum_document_share", "maximum_size")


class Share(NamedTuple):
    """Distinct words, and how often they occur in all."""

    words: int
    occurrences: int


class WordClass(NamedTuple):
    """Words that occur equally often and fare alike: ``rule`` dropped them ("" none did), ``listed`` keeps them."""

    rule: str
    listed: bool
    word_count: int
    words: int


class SizeCut(NamedTuple):
    """Where a size limit cuts: words above ``word_count`` stay, and of those at it the first ``room`` by code points.

    ``tied`` is how many there are at it.
    """

    word_count: int
    room: int
    tied: int


@dataclass(frozen=True)
class Account:
    """What was kept and what each rule dropped, of the words that occur; ``absent`` asked-for words do not."""

    kept: Share
    dropped: Mapping[str, Share] = field(default_factory=dict)
    absent: int = 0

    def facts(self) -> dict[str, Any]:
        """For the manifest. ``coverage`` is the share of all occurrences that the kept words have.

        >>> Account(Share(1, 3), {"minimum_count": Share(1, 1)}).facts()["coverage"]
        0.75
        """
        all_words = self.kept.occurrences + sum(share.occurrences for share in self.dropped.values())
        return {
            "all_words": all_words,
            "kept_words": self.kept.occurrences,
            "coverage": round(self.kept.occurrences / all_words, 6) if all_words else 0.0,
            "distinct_words": self.kept.words + sum(share.words for share in self.dropped.values()),
            "absent_words": self.absent,
            "dropped": {rule: share._asdict() for rule, share in self.dropped.items()},
        }

    def lines(self) -> list[str]:
        """The account as a person reads it: a table, a line each.

        >>> for line in Account(Share(1, 3), {"minimum_count": Share(1, 1), "drop": Share(0, 0)}).lines():
        ...     print(line)
        distinct words                             2                4 words of text
          dropped: minimum count                   1                1
        kept                                       1                3, 75.0 % of the text
        """
        facts = self.facts()
        rows = [("distinct words", facts["distinct_words"], facts["all_words"], " words of text")]
        rows += [
            (f"  dropped: {rule.replace('_', ' ')}", share.words, share.occurrences, "")
            for rule, share in self.dropped.items()
            if share.words
        ]
        rows.append(("kept", self.kept.words, self.kept.occurrences, f", {facts['coverage']:.1%} of the text"))
        return [
            f"{name:<28} {words:>15,}  {occurrences:>15,}{note}".replace("%", " %")
            for name, words, occurrences, note in rows
        ]


def cut_to_size(word_counts: Longs, words: Longs, room: int) -> SizeCut | None:
    """The cut that leaves the ``room`` most frequent of ``words[k]`` words of count ``word_counts[k]``; None: all fit.

    >>> cut_to_size(np.array([9, 4, 1]), np.array([1, 3, 50]), room=3)
    SizeCut(word_count=4, room=2, tied=3)
    >>> cut_to_size(np.array([9, 4, 1]), np.array([1, 3, 50]), room=54)
    """
    order = np.argsort(-word_counts, kind="stable")
    reached = np.cumsum(words[order])
    if not len(reached) or room >= reached[-1]:
        return None
    edge = int(np.searchsorted(reached, room, side="right"))
    tied = int(words[order][edge])
    return SizeCut(int(word_counts[order][edge]), room - int(reached[edge]) + tied, tied)


def settle_account(classes: list[WordClass], maximum_size: int, listed: int) -> tuple[Account, SizeCut | None]:
    """The classes of all distinct words -> the account, and the cut that ``maximum_size`` (0: none) makes.

    ``listed`` words are to be kept whatever their count: they take their places first, and the cut falls on the others.
    Raises ConfigurationError when those of them that occur are more than ``maximum_size``.

    >>> classes = [WordClass("", False, 5, 2), WordClass("", True, 1, 1), WordClass("minimum_count", False, 1, 8)]
    >>> account, cut = settle_account(classes, maximum_size=2, listed=1)
    >>> account.kept, account.dropped["minimum_count"], account.dropped["maximum_size"], cut
    (Share(words=2, occurrences=6), Share(words=8, occurrences=8), Share(words=1, occurrences=5),
     SizeCut(word_count=5, room=1, tied=2))
    """
    dropped = {rule: _share([entry for entry in classes if entry.rule == rule]) for rule in RULES}
    kept = [entry for entry in classes if not entry.rule]
    always = sum(entry.words for entry in kept if entry.listed)
    stays, cut = _share(kept), None
    if maximum_size:
        if always > maximum_size:
            raise ConfigurationError(
                f"{always} words of vocabulary.keep occur, more than vocabulary.maximum_size = {maximum_size}",
                cure="raise vocabulary.maximum_size or shorten the list",
            )
        free = [entry for entry in kept if not entry.listed]
        word_counts = np.array([entry.word_count for entry in free], dtype=np.int64)
        words = np.array([entry.words for entry in free], dtype=np.int64)
        cut = cut_to_size(word_counts, words, maximum_size - always)
    if cut:
        over = Share(cut.tied - cut.room, (cut.tied - cut.room) * cut.word_count)
        below = _share([entry for entry in free if entry.word_count < cut.word_count])
        gone = Share(over.words + below.words, over.occurrences + below.occurrences)
        dropped["maximum_size"] = gone
        stays = Share(stays.words - gone.words, stays.occurrences - gone.occurrences)
    return Account(stays, dropped, absent=listed - always), cut


def _share(classes: list[WordClass]) -> Share:
    return Share(sum(entry.words for entry in classes), sum(entry.words * entry.word_count for entry in classes))
