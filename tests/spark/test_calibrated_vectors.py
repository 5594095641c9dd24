"""Estimates calibrated on held-out pairs, through the whole stage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pmi_spark import vectors_stage
from pmi_spark.artifacts import STAGES
from pmi_spark.vectors.store import WordVectors, load_vectors

SMALL = ["vectors.dimensions=6", "pairs.files=2", "pairs.subsample=0"]
HELD = [*SMALL, "vectors.held_out=0.3"]


@pytest.fixture(scope="module")
def counted(run_stages: Callable, two_topics: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    (folder / "text.txt").write_text("\n".join(two_topics[:800]), encoding="utf-8")
    run_stages(folder / "out", [folder / "text.txt"], STAGES[:-1], SMALL)
    return folder / "out"


@pytest.fixture
def trained(counted: Path, run_stages: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """``trained(name, *overrides)``: the vectors, their facts, and what was noted."""
    monkeypatch.setattr(vectors_stage, "FEWEST_PAIRS", 50)

    def run(name: str, *overrides: str) -> tuple[WordVectors, dict[str, Any], list[str]]:
        output = Path(shutil.copytree(counted, tmp_path / name))
        recorder = run_stages(output, stages=["vectors"], overrides=overrides)
        facts = json.loads((output / "vectors" / "_manifest.json").read_text())["facts"]
        return load_vectors(str(output)), facts, list(recorder.notes)

    return run


def estimates(vectors: WordVectors) -> np.ndarray:
    return vectors.shift + vectors.matrix @ vectors.pmi_metric @ vectors.matrix.T


def test_estimates_are_the_fitted_products_on_the_line_found(trained: Callable) -> None:
    calibrated, facts, notes = trained("calibrated", *HELD)
    plain, _, _ = trained("plain", *HELD, "vectors.calibrate=false")
    found = facts["calibration"]
    assert found["pairs"] >= 50
    assert found["gain_nats_a_meeting"] > 0
    assert calibrated.shift == found["shift"]
    counts = plain.word_counts.astype(float)
    typical = np.exp(counts @ np.log(counts) / counts.sum())
    stretch = (counts / typical) ** -found["frequency_exponent"]
    products = (estimates(plain) - plain.shift) * stretch[:, None] * stretch
    np.testing.assert_allclose(estimates(calibrated), found["shift"] + found["slope"] * products, atol=1e-3)
    np.testing.assert_allclose(calibrated.unit_matrix, plain.unit_matrix, atol=1e-5)
    assert any("calibrated on" in text for text in notes)


def test_too_few_pairs_leave_the_estimates_as_fitted(trained: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_stage, "FEWEST_PAIRS", 10**6)
    vectors, facts, notes = trained("few", *HELD)
    assert (vectors.shift, "calibration" in facts) == (-2.0, False)
    assert any("not calibrated" in text for text in notes)


@pytest.mark.parametrize("override", ["vectors.held_out=0", "vectors.cells=positive", "vectors.calibrate=false"])
def test_without_a_sample_of_pairs_nothing_is_calibrated(trained: Callable, override: str) -> None:
    vectors, facts, notes = trained("none", *HELD, override)
    assert (vectors.shift, "calibration" in facts) == (-2.0, False)
    assert not any("calibrated" in text for text in notes)


def test_a_calibrated_run_is_a_start_like_any_other(trained: Callable, tmp_path: Path) -> None:
    first, _, _ = trained("first", *HELD, "vectors.sweeps=8")
    again, facts, _ = trained("again", *HELD, "vectors.sweeps=1", f"vectors.init={tmp_path / 'first'}")
    assert facts["calibration"]["frequency_exponent"] == pytest.approx(0, abs=0.5)
    np.testing.assert_allclose(estimates(again), estimates(first), atol=0.2)
    frozen, _, _ = trained("frozen", *HELD, "vectors.freeze=true", f"vectors.init={tmp_path / 'first'}")
    np.testing.assert_array_equal(frozen.matrix, first.matrix)
    assert frozen.shift == first.shift
