"""One script, run with pyspark's Word2Vec and with PMIEmbedding: what a user sees who changes one import."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pyspark.errors import IllegalArgumentException
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import Tokenizer
from pyspark.ml.linalg import DenseVector, Vectors, VectorUDT
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

IMPORTS = {
    "Word2Vec": "from pyspark.ml.feature import Word2Vec as Estimator, Word2VecModel as Fitted",
    "PMIEmbedding": "from pmi_spark.ml import PMIEmbedding as Estimator, PMIEmbeddingModel as Fitted",
}
SIZE = 6
PARAMETERS = {
    "vectorSize": SIZE,
    "minCount": 2,
    "numPartitions": 1,
    "stepSize": 0.025,
    "maxIter": 2,
    "seed": 7,
    "inputCol": "words",
    "outputCol": "features",
    "windowSize": 4,
    "maxSentenceLength": 1000,
}


class Fit(NamedTuple):
    estimator: Any
    fitted: Any
    pipeline: PipelineModel
    model: Any
    vectors: dict[str, np.ndarray]


@pytest.fixture(scope="module", params=list(IMPORTS))
def fit(request: pytest.FixtureRequest, texts: DataFrame) -> Fit:
    """The two classes, and a model that a Pipeline fitted behind Spark's own tokenizer."""
    names: dict[str, Any] = {}
    exec(IMPORTS[request.param], names)
    estimator = names["Estimator"](**PARAMETERS)
    pipeline = Pipeline(stages=[Tokenizer(inputCol="text", outputCol="words"), estimator]).fit(texts)
    model = pipeline.stages[1]
    vectors = {row["word"]: row["vector"].toArray() for row in model.getVectors().collect()}
    return Fit(estimator, names["Fitted"], pipeline, model, vectors)


@pytest.fixture(scope="module")
def words(spark: SparkSession) -> DataFrame:
    rows = [(["sea1"],), (["sea1", "law2", "never-seen", None],), (["never-seen"],), ([],)]
    return spark.createDataFrame(rows, "words array<string>")


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_parameters_are_set_and_told_under_the_same_names(fit: Fit) -> None:
    assert isinstance(fit.model, fit.fitted)
    for name, value in PARAMETERS.items():
        suffix = name[0].upper() + name[1:]
        assert getattr(fit.estimator, f"get{suffix}")() == value
        assert getattr(fit.model, f"get{suffix}")() == value
        blank = type(fit.estimator)()
        assert getattr(blank, f"set{suffix}")(value) is blank
        assert blank.getOrDefault(name) == value
        assert f"{name}: " in blank.explainParams()
    blank = type(fit.estimator)()
    defaults = {name: blank.getOrDefault(name) for name in PARAMETERS if name not in ("inputCol", "outputCol", "seed")}
    assert defaults == {
        "vectorSize": 100,
        "minCount": 5,
        "numPartitions": 1,
        "stepSize": 0.025,
        "maxIter": 1,
        "windowSize": 5,
        "maxSentenceLength": 1000,
    }
    assert blank.getOutputCol() == f"{blank.uid}__output"
    assert blank.setParams(vectorSize=3, seed=None).getVectorSize() == 3
    with pytest.raises(TypeError):
        type(fit.estimator)(vector_size=3)
    with pytest.raises(TypeError):
        type(fit.estimator)(3)
    with pytest.raises(TypeError, match='given for param "vectorSize"'):
        blank.setVectorSize("many")


def test_vectors_are_a_frame_of_words_and_dense_vectors(fit: Fit) -> None:
    schema = fit.model.getVectors().schema
    assert schema == StructType([StructField("word", StringType()), StructField("vector", VectorUDT())])
    assert set(fit.vectors) > {"sea0", "sea29", "law0", "law29", "the0"}
    assert {vector.shape for vector in fit.vectors.values()} == {(SIZE,)}
    assert isinstance(fit.model.getVectors().first()["vector"], DenseVector)


def test_a_text_is_the_mean_over_all_of_its_words(fit: Fit, words: DataFrame) -> None:
    known, mixed, unknown, empty = (row["features"].toArray() for row in fit.model.transform(words).collect())
    np.testing.assert_allclose(known, fit.vectors["sea1"], rtol=1e-6)
    np.testing.assert_allclose(mixed, (fit.vectors["sea1"] + fit.vectors["law2"]) / 4, rtol=1e-6, atol=1e-9)
    assert not unknown.any()
    assert not empty.any()
    assert len(empty) == SIZE


def test_the_new_column_stands_last_and_knows_its_size(fit: Fit, words: DataFrame) -> None:
    frame = fit.model.transform(words)
    assert frame.columns == ["words", "features"]
    field = frame.schema["features"]
    assert (field.dataType, field.nullable) == (VectorUDT(), True)
    assert field.metadata == {"ml_attr": {"num_attrs": SIZE}}
    assert fit.model.transform(words, {fit.model.outputCol: "other"}).columns == ["words", "other"]
    assert fit.model.copy({fit.model.outputCol: "other"}).transform(words).columns == ["words", "other"]
    assert fit.model.setOutputCol("third").transform(words).columns == ["words", "third"]
    assert fit.model.setOutputCol("features").setInputCol("words").getInputCol() == "words"


def test_synonyms_of_a_word_are_the_nearest_others_by_cosine(fit: Fit) -> None:
    frame = fit.model.findSynonyms("sea1", 5)
    similarity = StructField("similarity", DoubleType(), nullable=False)
    assert frame.schema == StructType([StructField("word", StringType()), similarity])
    found = fit.model.findSynonymsArray("sea1", 5)
    assert found == [(row["word"], row["similarity"]) for row in frame.collect()]
    cosines = {word: cosine(vector, fit.vectors["sea1"]) for word, vector in fit.vectors.items() if word != "sea1"}
    np.testing.assert_allclose([score for _, score in found], sorted(cosines.values())[:-6:-1], atol=1e-5)
    assert len(fit.model.findSynonymsArray("sea1", 10**6)) == len(fit.vectors) - 1


def test_synonyms_of_a_vector_may_be_any_word(fit: Fit) -> None:
    vector = Vectors.dense(fit.vectors["sea1"])
    (first, one), *others = fit.model.findSynonymsArray(vector, 5)
    assert (first, round(one, 5)) == ("sea1", 1.0)
    np.testing.assert_allclose(
        [score for _, score in others], [score for _, score in fit.model.findSynonymsArray("sea1", 4)], atol=1e-5
    )
    assert fit.model.findSynonymsArray(fit.vectors["sea1"].tolist(), 1)[0][0] == "sea1"
    assert fit.model.findSynonymsArray(Vectors.sparse(SIZE, {0: 1.0}), 1)
    assert [score for _, score in fit.model.findSynonymsArray([0.0] * SIZE, 2)] == [0.0, 0.0]


def test_wrong_questions_are_refused(fit: Fit) -> None:
    with pytest.raises(IllegalArgumentException):
        fit.model.findSynonyms("sea1", 0)
    with pytest.raises(Exception, match="never-seen"):
        fit.model.findSynonymsArray("never-seen", 3)
    with pytest.raises(TypeError):
        fit.model.findSynonyms(3, 2)


def test_wrong_columns_are_refused(fit: Fit, words: DataFrame) -> None:
    text = words.selectExpr("'a b' AS words")
    numbers = words.selectExpr("array(1, 2) AS words")
    taken = words.selectExpr("words", "1 AS features")
    for frame in (words.withColumnRenamed("words", "text"), text, numbers, taken):
        with pytest.raises(IllegalArgumentException, match=r"words|features"):
            fit.estimator.fit(frame)
        with pytest.raises(IllegalArgumentException, match=r"words|features"):
            fit.model.transform(frame)


def test_a_model_is_saved_and_loaded(fit: Fit, words: DataFrame, tmp_path: Path) -> None:
    path = str(tmp_path / "model")
    fit.model.save(path)
    with pytest.raises(Exception, match="already"):
        fit.model.save(path)
    fit.model.write().overwrite().save(path)
    loaded = fit.fitted.load(path)
    assert (loaded.uid, repr(loaded)) == (fit.model.uid, repr(fit.model))
    assert {param.name: value for param, value in loaded.extractParamMap().items()} == {
        param.name: value for param, value in fit.model.extractParamMap().items()
    }
    assert loaded.transform(words).collect() == fit.model.transform(words).collect()
    assert loaded.findSynonymsArray("law1", 3) == fit.model.findSynonymsArray("law1", 3)
    assert not any(file.suffix in (".pkl", ".pickle") for file in tmp_path.rglob("*"))
    with pytest.raises(Exception, match=r"[Pp]ath does not exist"):
        fit.fitted.load(str(tmp_path / "nothing"))


def test_an_estimator_is_saved_and_loaded(fit: Fit, tmp_path: Path) -> None:
    path = str(tmp_path / "estimator")
    fit.estimator.save(path)
    loaded = type(fit.estimator).load(path)
    assert loaded.uid == fit.estimator.uid
    assert {name: loaded.getOrDefault(name) for name in PARAMETERS} == PARAMETERS
    assert not loaded.isSet("seed") or loaded.getSeed() == 7


def test_a_pipeline_with_it_is_saved_and_loaded(fit: Fit, texts: DataFrame, tmp_path: Path) -> None:
    path = str(tmp_path / "pipeline")
    fit.pipeline.save(path)
    loaded = PipelineModel.load(path)
    assert isinstance(loaded.stages[1], fit.fitted)
    few = texts.limit(5)
    assert loaded.transform(few).collect() == fit.pipeline.transform(few).collect()
    unfitted = Pipeline(stages=[Tokenizer(inputCol="text", outputCol="words"), fit.estimator])
    unfitted.write().overwrite().save(path)
    assert Pipeline.load(path).getStages()[1].getVectorSize() == SIZE


def test_the_names_are_all_there(fit: Fit) -> None:
    from pyspark.ml.feature import Word2Vec, Word2VecModel

    public = {name for kind in (Word2Vec, Word2VecModel) for name in dir(kind) if not name.startswith("_")}
    assert public <= {*dir(fit.estimator), *dir(fit.model)}
