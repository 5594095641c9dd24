"""The configurations in conf: each runs, and the classical ones find what classical algebra finds."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from pmi_spark.artifacts import STAGES
from pmi_spark.config import Config, load_config
from pmi_spark.pipeline import Pipeline
from pmi_spark.vectors.query import related_words
from pmi_spark.vectors.store import WordVectors, load_vectors, read_artifact

CONF = Path(__file__).resolve().parents[2] / "conf"
SMALL = ["vectors.dimensions=6", "pairs.files=2"]
FREQUENT = ["pairs.subsample=0"]


@pytest.fixture(scope="module")
def until_pmi(run_stages: Callable, two_topics: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's output before its vectors, every word sampled."""
    folder = tmp_path_factory.mktemp("presets")
    (folder / "text.txt").write_text("\n".join(two_topics[:800]), encoding="utf-8")
    run_stages(folder / "out", [folder / "text.txt"], STAGES[:-1], [*SMALL, *FREQUENT])
    return folder / "out"


@pytest.fixture
def trained(spark: SparkSession, until_pmi: Path, tmp_path: Path, run_stages: Callable) -> Callable[..., Path]:
    """``trained(config, stages)``: a copy of that output with what the configuration makes of it."""
    recorder = type(run_stages(until_pmi, stages=[]))

    def train(config: Config, stages: tuple[str, ...] = ("vectors",)) -> Path:
        output = Path(shutil.copytree(until_pmi, tmp_path / "out"))
        Pipeline(spark, str(output), config, recorder()).run(stages, [str(until_pmi.parent / "text.txt")])
        return output

    return train


def preset(name: str, *overrides: str) -> Config:
    return load_config(str(CONF / f"{name}.toml"), overrides)


def dense_pmi(output: Path, words: int) -> np.ndarray:
    """PMI of the pairs that met, 0 elsewhere."""
    table, _ = read_artifact(str(output), "pmi")
    matrix = np.zeros((words, words))
    rows, columns = np.asarray(table["word_id"]), np.asarray(table["context_id"])
    matrix[rows, columns] = matrix[columns, rows] = np.asarray(table["pmi"])
    return matrix


def estimates(vectors: WordVectors) -> np.ndarray:
    return vectors.shift + vectors.matrix @ vectors.pmi_metric @ vectors.matrix.T


def assert_topics_are_told_apart(vectors: WordVectors) -> None:
    for topic in ("sea", "law"):
        for number in range(0, 30, 5):
            found = [neighbour.word for neighbour in related_words(vectors, f"{topic}{number}", top=10)]
            assert all(word.startswith(topic) for word in found)


def test_there_is_a_test_for_every_preset() -> None:
    presets = {path.stem for path in CONF.glob("*.toml")}
    # How the demo's runs is the command line's own test.
    assert presets == {"pipeline", "demo", "fast", "svd", "seed"}


def test_the_file_of_defaults_holds_the_defaults() -> None:
    assert preset("pipeline") == Config()


class TestFast:
    def test_it_is_the_default_at_100_dimensions(self) -> None:
        assert preset("fast") == load_config(None, ["vectors.dimensions=100"])

    def test_it_runs(self, trained: Callable) -> None:
        vectors = load_vectors(str(trained(preset("fast", *SMALL, *FREQUENT))))
        assert vectors.matrix.shape[1] == 6
        assert_topics_are_told_apart(vectors)


class TestSvd:
    @pytest.mark.parametrize("dimensions", [2, 6])
    def test_it_is_the_decomposition_of_the_positive_pmi_table(self, trained: Callable, dimensions: int) -> None:
        output = trained(preset("svd", *SMALL, *FREQUENT, f"vectors.dimensions={dimensions}"))
        vectors = load_vectors(str(output))
        positive = np.maximum(dense_pmi(output, len(vectors.words)), 0)
        eigenvalues, basis = np.linalg.eigh(positive)
        leading = np.argsort(-np.abs(eigenvalues))[:dimensions]
        best = basis[:, leading] * eigenvalues[leading] @ basis[:, leading].T
        # An approximation of the same rank that is as near to the table as any can be.
        least = np.linalg.norm(best - positive)
        assert least > 0.1 * np.linalg.norm(positive)
        assert np.linalg.norm(estimates(vectors) - positive) < 1.01 * least
        np.testing.assert_allclose(vectors.eigenvalues[:2], eigenvalues[leading[:2]], rtol=1e-2)
        assert vectors.shift == 0.0

    def test_where_the_eigenvalues_stand_apart_the_vectors_are_the_eigenvectors(self, trained: Callable) -> None:
        output = trained(preset("svd", *SMALL, *FREQUENT, "vectors.dimensions=2", "vectors.exponent=0.5"))
        vectors = load_vectors(str(output))
        eigenvalues, basis = np.linalg.eigh(np.maximum(dense_pmi(output, len(vectors.words)), 0))
        leading = np.argsort(-np.abs(eigenvalues))[:2]
        expected = basis[:, leading] * np.abs(eigenvalues[leading]) ** 0.5
        signs = np.sign(np.sum(expected * vectors.matrix, axis=0))
        np.testing.assert_allclose(vectors.matrix, expected * signs, atol=0.02)


class TestSeed:
    def test_it_fits_the_observed_pairs_and_no_other(self, trained: Callable) -> None:
        output = trained(preset("seed", *SMALL, "vectors.dimensions=5"), STAGES)
        vectors = load_vectors(str(output))
        assert (vectors.shift, vectors.matrix.shape[1]) == (0.0, 5)
        assert np.isfinite(vectors.matrix).all()
        table, manifest = read_artifact(str(output), "pmi")
        assert manifest.configuration["pairs"]["weighting"] == "flat"
        weights = np.minimum(1, np.asarray(table["pair_count"]) / 100) ** 0.75
        errors = estimates(vectors)[table["word_id"], table["context_id"]] - np.asarray(table["pmi"])
        spread = np.asarray(table["pmi"])
        # The best constant is what a fit must beat.
        spread = spread - np.average(spread, weights=weights)
        assert weights @ errors**2 < 0.5 * weights @ spread**2

    def test_marginals_are_the_words_own_counts(self, trained: Callable) -> None:
        output = trained(preset("seed", *SMALL), STAGES)
        table, manifest = read_artifact(str(output), "pmi")
        counts = load_vectors(str(output)).word_counts
        total = manifest.facts["window_total"]
        for row in table.slice(0, 50).to_pylist():
            chances = [counts[row[side]] / counts.sum() for side in ("word_id", "context_id")]
            expected = math.log(row["pair_count"] / total / math.prod(chances))
            assert row["pmi"] == pytest.approx(expected, abs=1e-5)


class TestSolvers:
    def test_mllib_runs_as_a_baseline(self, trained: Callable) -> None:
        overrides = [*SMALL, *FREQUENT, "vectors.solver=mllib", "vectors.regularization=0.01", "vectors.sweeps=5"]
        output = trained(load_config(None, overrides))
        vectors = load_vectors(str(output))
        assert vectors.matrix.shape == (68, 6)
        assert np.isfinite(vectors.matrix).all()
        table, _ = read_artifact(str(output), "pmi")
        found = estimates(vectors)[table["word_id"], table["context_id"]]
        assert np.corrcoef(found, np.asarray(table["pmi"]))[0, 1] > 0.7

    def test_cholesky_finds_what_many_steps_find(self, trained: Callable, until_pmi: Path, tmp_path: Path) -> None:
        found = []
        for solver in ("cholesky", "cg"):
            overrides = [*SMALL, *FREQUENT, f"vectors.solver={solver}", "vectors.solver_steps=50"]
            found.append(estimates(load_vectors(str(trained(load_config(None, overrides))))))
            shutil.rmtree(tmp_path / "out")
        np.testing.assert_allclose(found[0], found[1], atol=5e-3)
