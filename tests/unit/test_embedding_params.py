"""The estimator's parameters: names, defaults, ranges, and the configuration that they make. Nothing of Java starts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyspark.errors import IllegalArgumentException

from pmi_spark.artifacts import Manifest
from pmi_spark.config import Config, declared
from pmi_spark.errors import ConfigurationError, RunError
from pmi_spark.factorization.calibration import LengthScale
from pmi_spark.factorization.earlier import Gauged
from pmi_spark.ml import PMIEmbedding, training
from pmi_spark.ml import folders as ml_folders
from pmi_spark.ml.params import KEYS, WITHOUT_EFFECT, Arguments
from pmi_spark.ml.training import fit_to_size, widen
from pmi_spark.vectors.store import pmi_diagonal

# Parameters whose defaults are Word2Vec's and not the pipeline's.
WORD2VEC_OWN = {"vectorSize": 100, "maxIter": 1}


def test_every_keyword_is_a_parameter_and_every_parameter_a_keyword() -> None:
    assert {param.name for param in PMIEmbedding().params} == set(Arguments.__annotations__)
    with pytest.raises(TypeError, match=r"setParams\(\) got an unexpected keyword argument 'windowsize'"):
        PMIEmbedding().setParams(windowsize=3)  # type: ignore[call-arg]


def test_defaults_meanings_and_ranges_are_the_declared_ones() -> None:
    embedding = PMIEmbedding()
    for name, key in KEYS.items():
        entry = declared(key)
        assert embedding.getOrDefault(name) == WORD2VEC_OWN.get(name, entry.default), name
        line = embedding.explainParam(name)
        assert entry.setting.help in line
        assert entry.setting.range_text() in line
        assert entry.setting.unit in line


@pytest.mark.parametrize("name", sorted(Arguments.__annotations__))
def test_each_parameter_has_a_getter_and_a_setter(name: str) -> None:
    value = PMIEmbedding().getOrDefault(name) if name != "inputCol" else "words"
    others: dict[type, Any] = {int: value + 1, float: 0.25, bool: False} if not isinstance(value, str) else {}
    value = others.get(type(value), value)
    suffix = name[0].upper() + name[1:]
    embedding = PMIEmbedding()
    assert getattr(embedding, f"set{suffix}")(value) is embedding
    assert getattr(embedding, f"get{suffix}")() == value
    assert getattr(PMIEmbedding(**{name: value}), f"get{suffix}")() == value


def test_the_configuration_is_the_default_but_for_what_is_set() -> None:
    config = PMIEmbedding().configuration()
    assert (config.vectors.dimensions, config.vectors.sweeps) == (100, 1)
    assert (config.pairs, config.pmi, config.vocabulary) == (Config().pairs, Config().pmi, Config().vocabulary)
    # Words are taken as they are.
    assert (config.tokens.tokenizer, config.tokens.lower) == ("whitespace", False)
    set_all = PMIEmbedding(windowSize=np.int64(9), minCount=0, seed=-1, subsample=0, weighting="flat", heldOut=0.25)
    config = set_all.setSolver("cholesky").configuration()
    assert (config.pairs.window, config.pairs.subsample, config.pairs.weighting) == (9, 0.0, "flat")
    # Word2Vec takes both; no word occurs less than once.
    assert (config.vocabulary.minimum_count, set_all.getMinCount()) == (1, 0)
    assert (config.vectors.seed, set_all.getSeed()) == (2**63 - 1, -1)
    assert (config.vectors.held_out, config.vectors.solver) == (0.25, "cholesky")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"windowSize": 0}, "windowSize = 0 is out of range; it takes 1 to 100 words"),
        ({"minCount": -1}, "minCount = -1 is out of range; it takes 1 to 1e+12 occurrences"),
        ({"weighting": "square"}, "weighting = square is out of range; it takes flat | linear | harmonic"),
        ({"aggregation": "max"}, "aggregation = max is out of range; it takes mean | sum"),
    ],
)
def test_what_is_out_of_range_is_refused_when_it_is_set(arguments: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PMIEmbedding(**arguments)
    assert str(caught.value).replace("1,000,000,000,000", "1e+12") == line
    assert isinstance(caught.value, IllegalArgumentException)
    assert caught.value.getMessage()


def test_another_type_is_refused_as_word2vec_does() -> None:
    with pytest.raises(TypeError, match='Invalid param value given for param "vectorSize"'):
        PMIEmbedding(vectorSize="many")  # type: ignore[arg-type]


def test_what_a_grid_brings_is_checked_too() -> None:
    embedding = PMIEmbedding()
    with pytest.raises(ConfigurationError, match="vectorSize = 0 is out of range"):
        embedding.copy({embedding.vectorSize: 0}).configuration()


def test_none_leaves_a_parameter_as_it_is() -> None:
    assert PMIEmbedding(seed=None).getSeed() == declared("vectors.seed").default
    assert not PMIEmbedding(seed=None).isSet("seed")


def test_parameters_without_effect_say_so() -> None:
    for name in WITHOUT_EFFECT:
        assert "without effect" in PMIEmbedding().explainParam(name)


def vocabulary(words: int, occurrences: int) -> Manifest:
    return Manifest("vocabulary", "f", words, (), {}, {}, facts={"kept_words": occurrences})


def test_few_words_have_fewer_dimensions_and_are_not_thinned() -> None:
    asked = PMIEmbedding(vectorSize=8).configuration()
    config = fit_to_size(asked, vocabulary(words=3, occurrences=200), thin=False)
    assert (config.vectors.dimensions, config.pairs.subsample) == (3, 0.5)
    assert fit_to_size(asked, vocabulary(3, 40), thin=False).pairs.subsample == 1.0
    assert fit_to_size(asked, vocabulary(3, 40), thin=True) == fit_to_size(asked, vocabulary(3, 10**9), thin=True)
    # From a million words on the threshold is the declared one.
    assert fit_to_size(asked, vocabulary(9000, 10**6), thin=False) == asked
    assert fit_to_size(PMIEmbedding(subsample=0).configuration(), vocabulary(999, 9), thin=False).pairs.subsample == 0


def test_axes_that_hold_nothing_change_no_estimate() -> None:
    matrix = np.array([[1.0, 2.0], [0.5, -1.0]], np.float32)
    given = Gauged(["a", "b"], np.array([2, 1]), matrix, np.array([4.0, -1.0]), 0.35, 0, LengthScale(0, 1), None, 0)
    wide = widen(given, 5)
    assert wide.matrix.shape == (2, 5)
    before, after = (entry.matrix * pmi_diagonal(entry.eigenvalues, 0.35) @ entry.matrix.T for entry in (given, wide))
    np.testing.assert_array_equal(before, after)
    assert widen(given, 2) is given


def test_errors_of_the_stages_name_parameters() -> None:
    with pytest.raises(RunError) as caught, training._named_as_parameters():
        raise RunError("no pair met 3 times, vectors.solver_steps = 2", cure="lower pairs.minimum_count")
    assert str(caught.value) == "no pair met 3 times, solverSteps = 2; lower minimumPairCount"


def test_a_cluster_without_a_shared_folder_is_told_which_parameter_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ml_folders, "is_local", lambda spark: False)
    spark: Any = SimpleNamespace(sparkContext=SimpleNamespace(getCheckpointDir=lambda: None))
    with pytest.raises(ConfigurationError, match="share no folder that is known; set workingDirectory"):
        ml_folders.working_folder(spark, "").__enter__()
