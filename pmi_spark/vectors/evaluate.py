"""How well vectors agree with people: rank correlation with word-similarity judgements."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from pmi_spark.errors import InputError
from pmi_spark.vectors.store import WordVectors


class SimilarityScore(NamedTuple):
    """Spearman's rho over the judged pairs whose words are both known, and how many those are."""

    spearman: float
    pairs_known: int
    pairs_all: int


def read_judgements(path: str) -> list[tuple[str, str, float]]:
    """``word1 TAB word2 TAB score`` lines. Raises InputError with the line that is not one."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", cure="check the path") from error
    judgements = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            first, second, score = line.split("\t")
            judgements.append((first, second, float(score)))
        except ValueError as error:
            raise InputError(f"{path} line {number} is {line!r}", cure="write word1 TAB word2 TAB score") from error
    return judgements


def score_similarity(vectors: WordVectors, judgements: Iterable[tuple[str, str, float]]) -> SimilarityScore:
    """Spearman correlation of cosine with the judged score; pairs with an unknown word are counted and left out."""
    rows = list(judgements)
    known = [
        (vectors.ids[first.lower()], vectors.ids[second.lower()], score)
        for first, second, score in rows
        if first.lower() in vectors.ids and second.lower() in vectors.ids
    ]
    if len(known) < 2:
        return SimilarityScore(float("nan"), len(known), len(rows))
    first_ids, second_ids, scores = (np.array(column) for column in zip(*known, strict=True))
    cosines = np.sum(vectors.unit_matrix[first_ids] * vectors.unit_matrix[second_ids], axis=1)
    return SimilarityScore(float(stats.spearmanr(cosines, scores).statistic), len(known), len(rows))
