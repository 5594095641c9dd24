"""Vectors that start from those of an earlier run, and new words folded in to vectors that stay as they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pmi_spark import vectors_stage
from pmi_spark.artifacts import STAGES
from pmi_spark.errors import ConfigurationError, InputError
from pmi_spark.factorization.canonical import Canonical, canonical_form
from pmi_spark.factorization.loss import LossSettings
from pmi_spark.factorization.solver import solve_row_plain
from pmi_spark.vectors.query import related_words, similar_words
from pmi_spark.vectors.store import WordVectors, load_vectors, read_artifact

DIMENSIONS = ["vectors.dimensions=6", "pairs.subsample=0", "pairs.files=2"]
# What the sums by hand take for granted.
MODEL = ["vectors.shift=-1.0", "vectors.regularization=0.01", "vectors.exponent=0.5", "vectors.held_out=0"]
# Near enough to the minimum that further sweeps hardly move anything.
SETTLED = [*DIMENSIONS, *MODEL, "vectors.sweeps=10", "vectors.solver=cholesky"]
NEW_WORDS = {"sea": ["seaweed", "seagull"], "law": ["lawsuit", "lawyer"]}


class Runs(NamedTuple):
    """``earlier``: a finished run. ``same``: the same text up to its pmi. ``more``: more text, with new words."""

    earlier: Path
    same: Path
    more: Path


@pytest.fixture(scope="module")
def runs(run_stages: Callable, two_topics: list[str], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("init")
    documents = two_topics[:800]
    (folder / "text.txt").write_text("\n".join(documents), encoding="utf-8")
    same, more = folder / "same", folder / "more"
    run_stages(same, [folder / "text.txt"], STAGES[:-1], DIMENSIONS)
    earlier = Path(shutil.copytree(same, folder / "earlier"))
    run_stages(earlier, stages=["vectors"], overrides=SETTLED)

    for number, document in enumerate(two_topics[800:1000]):
        topic = "sea" if "sea" in document else "law"
        documents.append(f"{NEW_WORDS[topic][number // 2 % 2]} {document}")
    (folder / "more.txt").write_text("\n".join(documents), encoding="utf-8")
    run_stages(more, [folder / "more.txt"], STAGES[:-1], DIMENSIONS)
    return Runs(earlier, same, more)


@pytest.fixture
def trained(run_stages: Callable, tmp_path: Path) -> Callable[..., Path]:
    """``trained(prepared, init, *overrides)``: a copy of a prepared run with the vectors made from ``init``."""

    def train(prepared: Path, init: Path, *overrides: str) -> Path:
        output = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(prepared, output)
        run_stages(output, stages=["vectors"], overrides=[*SETTLED, f"vectors.init={init}", *overrides])
        return output

    return train


def estimates(vectors: WordVectors) -> np.ndarray:
    return vectors.shift + vectors.matrix @ vectors.pmi_metric @ vectors.matrix.T


def rows_of(vectors: WordVectors, words: list[str]) -> np.ndarray:
    return vectors.matrix[[vectors.ids[word] for word in words]]


def facts_of(output: Path) -> dict:
    return read_artifact(str(output), "vectors")[1].facts


def assert_new_words_are_of_their_topic(vectors: WordVectors, *questions: Callable) -> None:
    for topic, words in NEW_WORDS.items():
        for word in words:
            for ask in questions:
                found = [neighbour.word for neighbour in ask(vectors, word, top=15)]
                assert all(neighbour.startswith(topic) for neighbour in found)


@pytest.fixture
def canonical_forms(monkeypatch: pytest.MonkeyPatch) -> list[Canonical]:
    """The canonical forms that a run computes."""
    computed = []

    def spy(left: np.ndarray, right: np.ndarray, overwrite_left: bool) -> Canonical:
        computed.append(canonical_form(left, right, overwrite_left))
        return computed[-1]

    monkeypatch.setattr(vectors_stage, "canonical_form", spy)
    return computed


def cells_of(output: Path) -> tuple[np.ndarray, np.ndarray]:
    """Value less the shift and weight of every pair that met."""
    table, _ = read_artifact(str(output), "pmi")
    return np.asarray(table["pmi"]) + 1.0, np.minimum(1, np.asarray(table["pair_count"]) / 10) ** 0.75


def test_lambda_goes_by_the_energy_of_a_row(runs: Runs) -> None:
    values, weights = cells_of(runs.earlier)
    words = len(load_vectors(str(runs.earlier)).words)
    energy = np.sqrt(2 * np.sum(weights * values**2) / words)
    assert facts_of(runs.earlier)["regularization"] == pytest.approx(0.01 * energy, rel=1e-5)


class TestInit:
    @pytest.mark.parametrize(("sweeps", "moved"), [(0, 1e-4), (1, 0.1)])
    def test_on_the_same_text_every_coordinate_stays_near_where_it_was(
        self, runs: Runs, trained: Callable, sweeps: int, moved: float
    ) -> None:
        output = trained(runs.same, runs.earlier, f"vectors.sweeps={sweeps}")
        earlier, again = load_vectors(str(runs.earlier)), load_vectors(str(output))
        assert again.words == earlier.words
        assert again.rotation is not None
        scale = np.linalg.norm(earlier.matrix, axis=0)
        assert np.all(np.linalg.norm(again.matrix - earlier.matrix, axis=0) < moved * scale)
        np.testing.assert_allclose(estimates(again), estimates(earlier), atol=2 * moved)

    @pytest.mark.parametrize("exponent", [0.25, 0.5])
    def test_what_is_written_is_the_canonical_form_turned_by_the_rotation_beside_it(
        self, runs: Runs, trained: Callable, canonical_forms: list[Canonical], exponent: float
    ) -> None:
        output = trained(runs.more, runs.earlier, f"vectors.exponent={exponent}", "vectors.sweeps=1")
        vectors = load_vectors(str(output))
        (canonical,) = canonical_forms
        assert vectors.rotation is not None
        np.testing.assert_allclose(vectors.rotation @ vectors.rotation.T, np.eye(6), atol=1e-5)
        expected = canonical.vectors(exponent) @ vectors.rotation
        np.testing.assert_allclose(vectors.matrix, expected, atol=1e-4)
        estimated = vectors.shift + canonical.basis * canonical.eigenvalues @ canonical.basis.T
        np.testing.assert_allclose(estimates(vectors), estimated, atol=1e-3)
        for answer in related_words(vectors, "sea3", top=20):
            expected = estimated[vectors.ids["sea3"], vectors.ids[answer.word]]
            assert answer.score == pytest.approx(expected, abs=1e-3)

    def test_new_words_are_trained_with_the_others(self, runs: Runs, trained: Callable) -> None:
        output = trained(runs.more, runs.earlier)
        earlier, vectors = load_vectors(str(runs.earlier)), load_vectors(str(output))
        assert len(vectors.words) == len(earlier.words) + 4
        assert facts_of(output)["words_kept"] == len(earlier.words)
        assert_new_words_are_of_their_topic(vectors, similar_words, related_words)
        # The known words have moved, but not turned.
        known = rows_of(vectors, earlier.words)
        assert not np.array_equal(known, earlier.matrix)
        cosines = np.sum(known * earlier.matrix, axis=0)
        cosines /= np.linalg.norm(known, axis=0) * np.linalg.norm(earlier.matrix, axis=0)
        assert np.all(cosines > 0.8)

    def test_there_is_no_warm_start(self, runs: Runs, trained: Callable) -> None:
        sweeps = facts_of(trained(runs.same, runs.earlier, "vectors.sweeps=2"))["sweeps"]
        assert [(sweep["phase"], sweep["sweep"]) for sweep in sweeps] == [("weighted", 1), ("weighted", 2)]
        assert sweeps[0]["loss"] == pytest.approx(facts_of(runs.earlier)["sweeps"][-1]["loss"], rel=0.02)


class TestFreeze:
    def test_known_words_keep_their_vectors_to_the_last_bit_and_new_ones_find_their_topic(
        self, runs: Runs, trained: Callable
    ) -> None:
        output = trained(runs.more, runs.earlier, "vectors.freeze=true")
        earlier, vectors = load_vectors(str(runs.earlier)), load_vectors(str(output))
        assert rows_of(vectors, earlier.words).tobytes() == earlier.matrix.tobytes()
        assert (vectors.exponent, vectors.shift) == (earlier.exponent, earlier.shift)
        assert vectors.eigenvalues.tolist() == earlier.eigenvalues.tolist()
        assert len(vectors.words) == len(earlier.words) + 4
        assert facts_of(output)["words_kept"] == len(earlier.words)
        assert_new_words_are_of_their_topic(vectors, similar_words, related_words)

    def test_a_new_word_is_the_solution_of_its_own_pairs(self, runs: Runs, trained: Callable) -> None:
        output = trained(runs.more, runs.earlier, "vectors.freeze=true", "vectors.target=-0.5")
        earlier, vectors = load_vectors(str(runs.earlier)), load_vectors(str(output))
        known = [vectors.ids[word] for word in earlier.words]
        factors = np.zeros((len(vectors.words), 6))
        factors[known] = earlier.matrix * np.sign(earlier.eigenvalues)
        table, _ = read_artifact(str(output), "pmi")
        lam = facts_of(runs.earlier)["regularization"]
        loss = LossSettings(background=0.1, target=-0.5, regularization=lam)
        for word in ("seaweed", "lawsuit"):
            own = vectors.ids[word]
            sides = (np.asarray(table["word_id"]), np.asarray(table["context_id"]))
            met = (sides[0] == own) | (sides[1] == own)
            partners = (sides[0] + sides[1])[met] - own
            values, weights = (column[met].astype(float) for column in cells_of(output))
            solution = solve_row_plain(factors, partners, values, weights, loss)
            expected = -1.0 + (earlier.matrix * np.sign(earlier.eigenvalues)) @ solution
            np.testing.assert_allclose(estimates(vectors)[own, known], expected, atol=1e-3)

    def test_so_do_words_whose_axes_were_turned(self, runs: Runs, trained: Callable) -> None:
        turned = trained(runs.same, runs.earlier, "vectors.exponent=0.25", "vectors.sweeps=1")
        output = trained(runs.more, turned, "vectors.freeze=true")
        earlier, vectors = load_vectors(str(turned)), load_vectors(str(output))
        assert rows_of(vectors, earlier.words).tobytes() == earlier.matrix.tobytes()
        assert vectors.exponent == 0.25
        np.testing.assert_array_equal(vectors.rotation, earlier.rotation)
        assert_new_words_are_of_their_topic(vectors, related_words)

    def test_a_text_without_new_words_gives_the_earlier_vectors(self, runs: Runs, trained: Callable) -> None:
        vectors = load_vectors(str(trained(runs.same, runs.earlier, "vectors.freeze=true")))
        assert vectors.matrix.tobytes() == load_vectors(str(runs.earlier)).matrix.tobytes()


class TestWhatIsRefused:
    def test_vectors_of_other_dimensions(self, runs: Runs, trained: Callable) -> None:
        message = r"vectors\.init has 6 dimensions, vectors\.dimensions is 5; set vectors\.dimensions to 6"
        with pytest.raises(ConfigurationError, match=message):
            trained(runs.same, runs.earlier, "vectors.dimensions=5")

    def test_a_directory_without_vectors(self, runs: Runs, trained: Callable) -> None:
        for init in (runs.same, runs.same.parent / "absent"):
            with pytest.raises(InputError, match=f"no vectors in {init}"):
                trained(runs.same, init)

    def test_vectors_that_share_no_word(self, run_stages: Callable, runs: Runs, tmp_path: Path) -> None:
        text, output = tmp_path / "text.txt", tmp_path / "out"
        text.write_text("a b c d e f g h a c e g b d f h\n" * 20, encoding="utf-8")
        overrides = [*SETTLED, f"vectors.init={runs.earlier}"]
        with pytest.raises((ConfigurationError, InputError)):
            run_stages(output, [text], overrides=overrides)


def test_vectors_are_made_again_when_those_they_start_from_have_changed(
    run_stages: Callable, runs: Runs, tmp_path: Path
) -> None:
    earlier, output = (Path(shutil.copytree(source, tmp_path / source.name)) for source in (runs.earlier, runs.same))
    overrides = [*DIMENSIONS, "vectors.sweeps=1"]
    asked = [*overrides, f"vectors.init={earlier}"]
    assert run_stages(output, stages=["vectors"], overrides=asked).stages("finished") == ["vectors"]
    assert run_stages(output, stages=["vectors"], overrides=asked).stages("skipped") == ["vectors"]
    run_stages(earlier, stages=["vectors"], overrides=[*overrides, "vectors.seed=2"])
    assert run_stages(output, stages=["vectors"], overrides=asked).stages("finished") == ["vectors"]
    # Where they lie is of no matter, what they are is.
    moved = Path(shutil.copytree(earlier, tmp_path / "moved"))
    told = run_stages(output, stages=["vectors"], overrides=[*overrides, f"vectors.init={moved}"])
    assert told.stages("skipped") == ["vectors"]
