"""All scores of a run's vectors in one record, each with its coverage: what ``pmi-spark evaluate`` prints and saves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pmi_spark.errors import InputError, RunError
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.lengths import LengthFit, fit_squares
from pmi_spark.vectors.analogy import Method
from pmi_spark.vectors.evaluate import SectionScore, add_sections, score_analogies, score_similarity
from pmi_spark.vectors.files import RECORD_NAME, OutputFiles
from pmi_spark.vectors.judgements import read_analogies, read_judgements
from pmi_spark.vectors.store import WordVectors, load_vectors
from pmi_spark.vectors.stream import Doubles, StoredVectors
from pmi_spark.vectors.unseen_pairs import UnseenScore, find_held_pairs, score_held_pairs, score_pairs

# In place of a file of pairs: those that the fit left out.
HELD_OUT = "held-out"
TOTAL = "all"


@dataclass(frozen=True)
class Asked:
    """What to evaluate: files, the most frequent words they are asked of, and sizes of samples."""

    similarity: Sequence[str] = ()
    analogies: Sequence[str] = ()
    pairs: Sequence[str] = ()
    restrict: int = 0
    held_pairs: int = 1 << 18
    minimum_expected: float = 1.0
    methods: Sequence[Method] = field(default=tuple(Method))


def evaluate_vectors(output: str, asked: Asked, load: Callable[[str], WordVectors] = load_vectors) -> dict[str, Any]:
    """The record of a run's vectors, fit for JSON: what is not a number is None, pairs and questions are counted.

    ``load`` reads the vectors. With no files, the held-out pairs and the lengths alone. Raises InputError for files
    that cannot be read and artifacts that are not there.
    """
    # Files first: a misspelt line need not wait for a million vectors.
    similarity = [(path, read_judgements(path)) for path in asked.similarity]
    analogies = [(path, read_analogies(path)) for path in asked.analogies]
    pairs = [(path, read_judgements(path)) for path in asked.pairs if path != HELD_OUT]
    stored = StoredVectors(output)
    vectors = load(output)
    record: dict[str, Any] = {
        "vectors": stored.manifest.fingerprint,
        "evaluated_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "words": len(stored.words),
        "restrict": asked.restrict,
        "similarity": [_similarity_row(vectors, path, rows, asked.restrict) for path, rows in similarity],
        "analogies": [
            _analogy_row(path, method, score_analogies(vectors, questions, method, asked.restrict))
            for path, questions in analogies
            for method in asked.methods
        ],
        "pairs": [{"file": Path(path).name, **_unseen(score_pairs(vectors, rows))} for path, rows in pairs],
        "squared_length": [
            {"vectors": name, **fit._asdict(), "words": int(np.count_nonzero(stored.word_counts))}
            for name, fit in length_fits(stored).items()
        ],
    }
    if HELD_OUT in asked.pairs or not (similarity or analogies or pairs):
        try:
            record["held_out"] = _held_out(output, stored, vectors, asked)
        except InputError as error:
            if HELD_OUT in asked.pairs:
                raise
            # Nobody asked for them by name.
            record["held_out"] = {"note": error.found}
    return record


def _similarity_row(vectors: WordVectors, path: str, rows: Sequence[Any], restrict: int) -> dict[str, Any]:
    score = score_similarity(vectors, rows, restrict)
    return {
        "file": Path(path).name,
        "spearman": _number(score.spearman),
        "pearson": _number(score.pearson),
        "known": score.pairs_known,
        "pairs": score.pairs_all,
    }


def _analogy_row(path: str, method: Method, sections: Sequence[SectionScore]) -> dict[str, Any]:
    def row(score: SectionScore) -> dict[str, Any]:
        return {
            "name": score.section,
            "accuracy": _number(score.accuracy),
            "right": score.right,
            "known": score.questions_known,
            "questions": score.questions_all,
        }

    name = {Method.add: "3CosAdd", Method.mul: "3CosMul"}[method]
    return {
        "file": Path(path).name,
        "method": name,
        "sections": [row(section) for section in sections],
        "total": row(add_sections(TOTAL, sections)),
    }


def _held_out(output: str, stored: StoredVectors, vectors: WordVectors, asked: Asked) -> dict[str, Any]:
    score = score_held_pairs(vectors, find_held_pairs(output, asked.held_pairs), asked.minimum_expected)
    started = bool(stored.manifest.configuration["vectors"]["init"])
    note = {"note": "vectors.init: the earlier fit may have seen these pairs"} if started else {}
    return {**_unseen(score), "minimum_expected": asked.minimum_expected, **note}


def _unseen(score: UnseenScore) -> dict[str, Any]:
    row = {key: _number(value) for key, value in score._asdict().items()}
    return {**row, "pairs": row.pop("pairs_all")}


def _number(value: float | int) -> float | int | None:
    """JSON has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def length_fits(stored: StoredVectors) -> dict[str, LengthFit]:
    """|v|^2 against -log p: of the vectors as they are written, and of what PMI has of them, sum_k |L_k| E_ik^2.

    The latter is the same whatever the read-out exponent, the axes and the calibration's stretch: the square that
    stands for PMI(i, i) where one space holds every PMI. Goes through the file once; 16 bytes a word.
    """
    gauge = stored.gauge
    powers = np.diag(np.abs(gauge.diagonal))
    metric = powers if stored.rotation is None else stored.rotation.T @ powers @ stored.rotation
    squares = [_squares(rows.astype(np.float64), metric) for rows in stored.slices()]
    written, own = (np.concatenate(column) for column in zip(*squares, strict=True))
    scale = LengthScale(gauge.frequency_exponent, gauge.frequency_reference, gauge.slope)
    own /= scale.of(stored.word_counts)[:, 0].astype(np.float64) ** 2
    occur = stored.word_counts > 0
    fits = (fit_squares(squares[occur], stored.word_counts[occur]) for squares in (written, own))
    return dict(zip(("as written", "of PMI"), fits, strict=True))


def _squares(rows: Doubles, metric: Doubles) -> tuple[Doubles, Doubles]:
    return np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", rows @ metric, rows)


def save_record(output: str, record: dict[str, Any]) -> str:
    """Write the record beside the artifacts; a reader sees the old one or the new. Returns its path."""
    place = OutputFiles(output)
    path = f"{place.root}/{RECORD_NAME}"
    try:
        place.write_whole(RECORD_NAME, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise RunError(f"cannot write {path}: {error}", cure="check its permissions, or leave out --save") from error
    return path
