"""What PMIEmbedding does beyond Word2Vec: PMI, sums, the pipeline's own counts, folders, few words, tuning."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.tuning import CrossValidator, CrossValidatorModel, ParamGridBuilder
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pmi_spark.cli import main
from pmi_spark.errors import ConfigurationError, InputError
from pmi_spark.local_folders import passing_folder
from pmi_spark.ml import PMIEmbedding, PMIEmbeddingModel
from pmi_spark.ml import folders as ml_folders
from pmi_spark.ml.params import KEYS
from pmi_spark.storage import Storage
from pmi_spark.vectors.query import related_words
from pmi_spark.vectors.store import load_vectors

# As little work as tells two topics apart, and the same for the command.
FITTING: Any = {"minCount": 1, "subsample": 0, "warmSweeps": 1, "maxIter": 0, "heldOut": 0}
JOB_GROUP = "spark.jobGroup.id"


@pytest.fixture(scope="module")
def words(texts: DataFrame) -> DataFrame:
    return texts.select(F.split("text", " ").alias("words"), "label")


@pytest.fixture(scope="module")
def validated(words: DataFrame) -> CrossValidatorModel:
    """The dimensions chosen by how well a classifier tells the topics apart: five fits, two at a time."""
    embedding: Any = PMIEmbedding(inputCol="words", outputCol="features", **FITTING)
    pipeline = Pipeline(stages=[embedding, LogisticRegression(maxIter=5)])
    grid = ParamGridBuilder().addGrid(embedding.vectorSize, [8, 1]).build()
    judge = MulticlassClassificationEvaluator(metricName="accuracy")
    return CrossValidator(
        estimator=pipeline, estimatorParamMaps=grid, evaluator=judge, numFolds=2, seed=3, parallelism=2
    ).fit(words)


@pytest.fixture(scope="module")
def model(validated: CrossValidatorModel) -> PMIEmbeddingModel:
    """The chosen one, fitted again to all texts."""
    return validated.bestModel.stages[0]


@pytest.fixture(scope="module")
def saved(model: PMIEmbeddingModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("saved") / "model")
    model.save(path)
    return path


def topics(found: list[tuple[str, float]]) -> set[str]:
    return {word.rstrip("0123456789") for word, _ in found}


def test_dimensions_are_chosen_by_cross_validation(validated: CrossValidatorModel, model: PMIEmbeddingModel) -> None:
    assert isinstance(model, PMIEmbeddingModel)
    assert len(validated.avgMetrics) == 2
    assert max(validated.avgMetrics) > 0.95
    assert model.getVectorSize() == [8, 1][int(np.argmax(validated.avgMetrics))] == 8
    assert len(model.getVectors().first()["vector"]) == 8


def test_similar_and_related_words_are_of_the_topic(model: PMIEmbeddingModel) -> None:
    assert topics(model.findSynonymsArray("sea1", 20)) == {"sea"}
    assert topics([tuple(row) for row in model.findRelated("law1", 20).collect()]) == {"law"}


def test_vectors_are_those_of_the_command_on_the_same_text(
    model: PMIEmbeddingModel, saved: str, texts: DataFrame, run_stages: Callable, tmp_path: Path
) -> None:
    lines = [row["text"] for row in texts.collect()]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    overrides = [f"{KEYS[name]}={value}" for name, value in FITTING.items()]
    run_stages(tmp_path / "out", [tmp_path / "texts.txt"], overrides=[*overrides, f"{KEYS['vectorSize']}=8"])
    command, frame = load_vectors(str(tmp_path / "out")), load_vectors(saved)
    assert frame.words == command.words
    np.testing.assert_array_equal(frame.word_counts, command.word_counts)
    np.testing.assert_allclose(frame.matrix, command.matrix, atol=1e-4)
    np.testing.assert_allclose(frame.eigenvalues, command.eigenvalues, rtol=1e-4)
    assert [row["word"] for row in model.getVectors().collect()] == list(command.words)


def test_a_saved_model_is_an_output_directory_to_the_commands(
    model: PMIEmbeddingModel, saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vectors = load_vectors(saved)
    related = [(found.word, found.score) for found in related_words(vectors, "sea1", 5)]
    assert [tuple(row) for row in model.findRelated("sea1", 5).collect()] == related
    assert main(["similar", "sea1", "--output", saved, "--top", "2"]) == 0
    assert model.findSynonymsArray("sea1", 2)[0][0] in capsys.readouterr().out


def test_what_is_no_model_is_not_loaded(model: PMIEmbeddingModel, tmp_path: Path) -> None:
    PMIEmbedding().save(str(tmp_path / "estimator"))
    with pytest.raises(AssertionError, match="Expected class name"):
        PMIEmbeddingModel.load(str(tmp_path / "estimator"))
    with pytest.raises(InputError, match="is there already; write"):
        model.save(str(tmp_path))


def test_sums_and_texts_that_are_null(model: PMIEmbeddingModel, spark: SparkSession) -> None:
    frame = spark.createDataFrame([(["sea1", "sea1", "new"],), (None,)], "words array<string>")
    vectors = {row["word"]: row["vector"].toArray() for row in model.getVectors().collect()}
    summed, nothing = (row["features"] for row in model.copy({model.aggregation: "sum"}).transform(frame).collect())
    np.testing.assert_allclose(summed.toArray(), 2 * vectors["sea1"], rtol=1e-6)
    assert nothing is None
    mean = model.setAggregation("mean").transform(frame).first()["features"]
    np.testing.assert_allclose(mean.toArray(), 2 * vectors["sea1"] / 3, rtol=1e-6)


def test_a_vector_of_another_size_is_refused(model: PMIEmbeddingModel) -> None:
    with pytest.raises(ConfigurationError, match=r"shape \(2,\) is none of this model; it takes 8 numbers"):
        model.findSynonyms([1.0, 2.0], 3)


def test_fewer_words_than_dimensions(spark: SparkSession, tmp_path: Path) -> None:
    context = spark.sparkContext
    context.setJobGroup("mine", "my job")
    sentence = ("a b " * 100 + "a c " * 10).split()
    rows = [(sentence,), (sentence,), ([None, "a"],), ([],), (None,)]
    frame = spark.createDataFrame(rows, "sentence array<string>")
    embedding = PMIEmbedding(vectorSize=5, inputCol="sentence", workingDirectory=str(tmp_path / "work"))
    model = embedding.fit(frame)
    rows = model.getVectors().collect()
    assert [row["word"] for row in rows] == ["a", "b", "c"]
    matrix = np.array([row["vector"].toArray() for row in rows])
    assert matrix[:, :3].any(axis=0).all()
    assert matrix.shape == (3, 5)
    assert not matrix[:, 3:].any()
    # Nothing is left of the run, in the folder or in the thread.
    assert list((tmp_path / "work").iterdir()) == []
    assert context.getLocalProperty(JOB_GROUP) == "mine"
    context.setLocalProperty(JOB_GROUP, None)  # type: ignore[arg-type]


def test_a_fit_that_fails_leaves_nothing_and_warns_of_what_has_no_effect(
    spark: SparkSession, words: DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embedding = PMIEmbedding(inputCol="words", stepSize=0.1, numPartitions=1, workingDirectory=str(tmp_path))
    with caplog.at_level(logging.WARNING, "pmi_spark.ml"), pytest.raises(InputError, match="no words in the frame"):
        embedding.fit(words.where("false"))
    assert list(tmp_path.iterdir()) == []
    assert [record.getMessage() for record in caplog.records] == [
        "stepSize = 0.1 has no effect: rows are solved, not stepped"
    ]


def test_on_a_cluster_the_folder_is_one_that_workers_see(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ml_folders, "is_local", lambda spark: False)
    with ml_folders.working_folder(spark, str(tmp_path)) as folder:
        assert Path(folder).is_dir()
    monkeypatch.setattr(Storage, "write_text", lambda self, path, text: None)
    with (
        pytest.raises(ConfigurationError, match=r"is not there on .*; set workingDirectory"),
        ml_folders.working_folder(spark, str(tmp_path)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_in_the_temporary_directory_nobody_takes_the_folder_for_abandoned(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ml_folders.working_folder(spark, str(tmp_path)) as folder:
        Path(folder).mkdir()
        # As every fit does for its factors, and every other run on the machine.
        with passing_folder():
            assert Path(folder).exists()
    assert list(tmp_path.iterdir()) == []
