"""The vectors a page carries, against the exact ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pmi_spark.factorization.lengths import fit_lengths
from pmi_spark.report.build import length_line
from pmi_spark.report.run_files import RunFiles
from pmi_spark.report.word_space import LONGEST_WORD_BYTES, Space, pack, read_space
from pmi_spark.vectors.query import related_words, similar_words
from pmi_spark.vectors.store import load_vectors

ALL_BYTES = 1 << 30


def exact_cosines(space: Space) -> np.ndarray:
    units = space.rows / np.linalg.norm(space.rows, axis=1, keepdims=True)
    return units @ units.T


@pytest.mark.parametrize("rows", [7, 8192])
def test_the_most_frequent_words_come_by_falling_count_whatever_the_order_of_files(report_run, monkeypatch, rows):
    monkeypatch.setattr("pmi_spark.report.run_files.PIECE_ROWS", rows)
    vectors = load_vectors(str(report_run))
    space = read_space(RunFiles(str(report_run)), 200)
    assert space.words == vectors.words[:200]
    assert space.counts.tolist() == vectors.word_counts[:200].tolist()
    np.testing.assert_allclose(space.rows, vectors.matrix[:200], rtol=1e-6)
    assert len(space.squares) == len(space.all_counts) == len(vectors.words)


def test_turned_vectors_are_turned_back(tmp_path, write_vectors):
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    for name, turn in (("plain", None), ("turned", rotation)):
        write_vectors(tmp_path / name, 0.35, turn)
    plain, turned = (read_space(RunFiles(str(tmp_path / name)), 10) for name in ("plain", "turned"))
    np.testing.assert_allclose(turned.rows, plain.rows, atol=1e-5)
    np.testing.assert_allclose(turned.squares, plain.squares, rtol=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 0.35, 0.5])
def test_answers_are_those_of_the_command_line(tmp_path, write_vectors, exponent):
    write_vectors(tmp_path, exponent)
    vectors = load_vectors(str(tmp_path))
    packed = pack(read_space(RunFiles(str(tmp_path)), 10), ALL_BYTES)
    for own, word in enumerate(packed.words):
        for ask, carried in ((similar_words, packed.similar), (related_words, packed.related)):
            exact = {answer.word: answer.score for answer in ask(vectors, word, top=5)}
            found = {packed.words[place]: score for place, score in carried(own, 5)}
            assert found == pytest.approx(exact, abs=0.06)


@pytest.mark.parametrize("exponent", [0.0, 0.35, 0.5])
def test_squared_lengths_are_those_the_vectors_stage_fits(tmp_path, write_vectors, exponent):
    """|v|^2 = sum |L| E^2 whatever the read-out exponent: conftest's basis and eigenvalues."""
    write_vectors(tmp_path, exponent)
    run = RunFiles(str(tmp_path))
    space = read_space(run, 10)
    vectors = load_vectors(str(tmp_path))
    sizes = np.abs(vectors.eigenvalues)
    basis = vectors.matrix / sizes**exponent
    by_id = {word: k for k, word in enumerate(vectors.words)}
    # The fixture's files are not in the order of the words, and squares are in that of the files.
    in_files = [5, 3, 4, 1, 0, 2]
    np.testing.assert_allclose(space.squares, ((basis**2) @ sizes)[in_files], rtol=1e-4)
    assert len(by_id) == len(space.squares)
    expected = fit_lengths(basis, sizes, vectors.word_counts)
    found = length_line(run, space)
    assert found == pytest.approx((expected.spearman, expected.slope, expected.intercept), abs=1e-3)


def test_a_stretch_by_frequency_is_undone(report_run, space):
    """conftest's gauge stretches rows by sqrt(slope) (f / 50)^-0.2; |v|^2 is of before."""
    vectors = load_vectors(str(report_run))
    sizes = np.abs(vectors.eigenvalues)
    stretch = np.sqrt(0.5) * (vectors.word_counts / 50.0) ** -0.2
    before = vectors.matrix / stretch[:, None] / sizes**0.35
    expected = (before**2) @ sizes
    np.testing.assert_allclose(np.sort(space.squares), np.sort(expected), rtol=1e-4)


def random_space(words: int = 2_000, axes: int = 100) -> Space:
    """Canonical axes by falling |L|, words around some directions: real ones have near and far neighbours."""
    random = np.random.default_rng(7)
    eigenvalues = 300.0 / np.arange(1, axes + 1) * random.choice([1, -1], axes, p=[0.7, 0.3])
    centres = random.normal(size=(60, axes))
    basis = centres[random.integers(0, 60, words)] + 0.8 * random.normal(size=(words, axes))
    rows = (basis * np.abs(eigenvalues) ** 0.35).astype(np.float32)
    metric = np.sign(eigenvalues) * np.abs(eigenvalues) ** 0.3
    counts = np.arange(words, 0, -1)
    return Space([f"w{k}" for k in range(words)], counts, rows, metric, -0.5, np.ones(words), counts)


@pytest.mark.parametrize("question", ["similar", "related"])
def test_rounding_to_bytes_keeps_nineteen_of_twenty_neighbours(question):
    """Each of 100 words' ten best by bytes and by floats: 95 % are the same, and the best one nearly always."""
    space = random_space()
    packed = pack(space, ALL_BYTES)
    if question == "similar":
        exact = exact_cosines(space)
    else:
        exact = space.shift + (space.rows * space.metric.astype(np.float32)) @ space.rows.T
    np.fill_diagonal(exact, -np.inf)
    overlaps, errors = [], []
    for own in range(100):
        found = getattr(packed, question)(own, 10)
        best = np.argsort(-exact[own], kind="stable")[:10]
        overlaps.append(len({place for place, _ in found} & set(best.tolist())) / 10)
        errors += [abs(score - exact[own, place]) / np.abs(exact[own, best[0]]) for place, score in found]
    assert np.mean(overlaps) >= 0.95
    assert max(errors) < 0.01


def test_axes_that_find_no_room_are_the_last_ones():
    space = random_space(words=200, axes=40)
    packed = pack(space, 200 * 25)
    assert packed.codes.shape == (200, 25)
    assert packed.metric.shape == (25,)
    np.testing.assert_allclose(packed.metric, space.metric[:25].astype(np.float32))
    kept = (space.rows / np.linalg.norm(space.rows, axis=1, keepdims=True))[:, :25]
    for own in range(20):
        for place, score in packed.similar(own, 5):
            assert score == pytest.approx(kept[own] @ kept[place], abs=0.01)


def test_bytes_are_within_half_a_step_of_the_unit_vector(space):
    packed = pack(space, ALL_BYTES)
    units = space.rows / np.linalg.norm(space.rows, axis=1, keepdims=True)
    errors = np.abs(packed.codes * packed.steps[:, None] - units)
    assert np.all(errors <= packed.steps[:, None] * 0.5001)


def test_a_vector_of_zeros_stays_one(space):
    rows = space.rows.copy()
    rows[3] = 0
    packed = pack(space._replace(rows=rows), ALL_BYTES)
    assert not packed.codes[3].any()
    assert packed.similar(3, 1)[0][1] == 0


def test_words_of_hundreds_of_letters_stay_out(tmp_path: Path, write_artifact, make_vectors_table):
    gauge = {"eigenvalues": [1.0], "exponent": 0.5, "shift": 0.0, "frequency_exponent": 0.0, "frequency_reference": 1.0}
    gauge |= {"slope": 1.0, "fitted_shift": 0.0, "regularization": 0.0}
    words = ["a", "x" * (LONGEST_WORD_BYTES + 1), "b", "y" * LONGEST_WORD_BYTES]
    write_artifact(
        tmp_path, "vectors", [make_vectors_table([0, 1, 2, 3], words, [4, 3, 2, 1], [[1], [1], [1], [1]], gauge)]
    )
    space = read_space(RunFiles(str(tmp_path)), 10)
    assert space.words == ["a", "b", "y" * LONGEST_WORD_BYTES]
    assert space.rows.shape == (3, 1)
    assert len(space.squares) == 4
