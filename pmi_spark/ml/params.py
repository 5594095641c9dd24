"""The parameters: Word2Vec's under their own names, and settings of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasMaxIter, HasOutputCol, HasSeed, HasStepSize

from pmi_spark.config import Config, build_config, checked, declared
from pmi_spark.errors import ConfigurationError
from pmi_spark.ml.errors import ArgumentError
from pmi_spark.settings import Scalar, Setting

# The key of the configuration that a parameter sets.
KEYS: dict[str, str] = {}
# Words that occur so often or less are not thinned, unless a threshold is asked for. At the default threshold, 1e-4,
# that makes a difference to texts of less than a million words, of which little would be left.
NEVER_THINNED = 100
# Word2Vec's, which mean nothing here, and why.
WITHOUT_EFFECT = {
    "stepSize": "rows are solved, not stepped",
    "numPartitions": "Spark divides the work, and the result does not depend on it",
    "maxSentenceLength": "texts of any length are counted whole",
}
# Word2Vec's, where the pipeline's own are others.
_DEFAULTS = {"vectorSize": 100, "maxIter": 1, "stepSize": 0.025, "numPartitions": 1, "maxSentenceLength": 1000}
# Text that is cut already.
_TOKENS: dict[str, Scalar] = {"tokenizer": "whitespace", "lower": False}
_AGGREGATION = Setting("a text's vector is this of its words' vectors", choices=("mean", "sum"))

# Stands for the object that a parameter will belong to.
_OWNER: Params = Params._dummy()
_KINDS: dict[type, Callable[[Any], Any]] = {
    bool: TypeConverters.toBoolean,
    int: TypeConverters.toInt,
    float: TypeConverters.toFloat,
    str: TypeConverters.toString,
}


def _param(name: str, key: str, note: str = "") -> Param[Any]:
    """A parameter that stands for a key of the configuration: its meaning, perhaps a note, its range and unit."""
    KEYS[name] = key
    return _declare(name, declared(key).setting, lambda value: _converted(name, value), note)


def _declare(name: str, setting: Setting, converter: Callable[[Any], Any], note: str = "") -> Param[Any]:
    values = " ".join(part for part in (setting.range_text(), setting.unit) if part)
    meaning = f"{setting.help}; {note}" if note else setting.help
    return Param(_OWNER, name, f"{meaning} [{values}]" if values else meaning, converter)


def _ignored(name: str, converter: Callable[[Any], Any]) -> Param[Any]:
    return Param(_OWNER, name, f"taken as Word2Vec takes it, without effect: {WITHOUT_EFFECT[name]}", converter)


def _converted(name: str, value: Any) -> Scalar:
    """The value in the parameter's type. TypeError when it has another, ArgumentError when it is out of range."""
    converted: Scalar = _KINDS[type(declared(KEYS[name]).default)](value)
    _as_setting(name, converted)
    return converted


def _as_setting(name: str, value: Scalar) -> Scalar:
    key = KEYS[name]
    try:
        return checked(key, _admitted(name, value))
    except ConfigurationError as error:
        raise ArgumentError(error.found.replace(key, name), error.cure) from error


def _admitted(name: str, value: Any) -> Any:
    """What Word2Vec takes and the configuration does not, as it would have it.

    >>> _admitted("minCount", 0), _admitted("seed", -1) == 2**63 - 1
    (1, True)
    """
    if name == "minCount" and value == 0:
        # No word occurs less than once.
        return 1
    return value & (2**63 - 1) if name == "seed" else value


def _aggregation(value: Any) -> str:
    text = TypeConverters.toString(value)
    if not _AGGREGATION.takes_text(text):
        raise ArgumentError(f"aggregation = {text} is out of range", f"it takes {_AGGREGATION.range_text()}")
    return text


class Arguments(TypedDict, total=False):
    """The keyword arguments of :class:`pmi_spark.ml.PMIEmbedding`; ``explainParams`` says what each means."""

    inputCol: str
    outputCol: str
    vectorSize: int
    minCount: int
    numPartitions: int
    stepSize: float
    maxIter: int
    seed: int | None
    windowSize: int
    maxSentenceLength: int
    aggregation: str
    workingDirectory: str
    minimumDocuments: int
    maximumDocumentShare: float
    maximumVocabulary: int
    weighting: str
    subsample: float
    unknown: str
    minimumPairCount: float
    countingMemory: int
    marginals: str
    contextSmoothing: float
    cells: str
    shift: float
    target: float
    background: float
    countCeiling: float
    weightExponent: float
    truncateWeights: bool
    regularization: float
    warmSweeps: int
    warmWords: int
    stopBelow: float
    solver: str
    solverSteps: int
    heldOut: float
    exponent: float
    calibrate: bool
    solvingMemory: int


class EmbeddingParams(HasInputCol, HasOutputCol, HasMaxIter, HasSeed, HasStepSize):
    """What :class:`pmi_spark.ml.PMIEmbedding` and its model both hold."""

    vectorSize = _param("vectorSize", "vectors.dimensions")
    minCount = _param("minCount", "vocabulary.minimum_count")
    windowSize = _param("windowSize", "pairs.window")
    maxIter = _param("maxIter", "vectors.sweeps")
    seed = _param("seed", "vectors.seed")

    minimumDocuments = _param("minimumDocuments", "vocabulary.minimum_documents")
    maximumDocumentShare = _param("maximumDocumentShare", "vocabulary.maximum_document_share")
    maximumVocabulary = _param("maximumVocabulary", "vocabulary.maximum_size")
    weighting = _param("weighting", "pairs.weighting")
    subsample = _param(
        "subsample", "pairs.subsample", f"unless it is set, words that occur {NEVER_THINNED} times or less keep all"
    )
    unknown = _param("unknown", "pairs.unknown")
    minimumPairCount = _param("minimumPairCount", "pairs.minimum_count")
    countingMemory = _param("countingMemory", "pairs.memory")
    marginals = _param("marginals", "pmi.marginals")
    contextSmoothing = _param("contextSmoothing", "pmi.context_smoothing")
    cells = _param("cells", "vectors.cells")
    shift = _param("shift", "vectors.shift")
    target = _param("target", "vectors.target")
    background = _param("background", "vectors.background")
    countCeiling = _param("countCeiling", "vectors.count_ceiling")
    weightExponent = _param("weightExponent", "vectors.weight_exponent")
    truncateWeights = _param("truncateWeights", "vectors.truncate_weights")
    regularization = _param("regularization", "vectors.regularization")
    warmSweeps = _param("warmSweeps", "vectors.warm_sweeps")
    warmWords = _param("warmWords", "vectors.warm_words")
    stopBelow = _param("stopBelow", "vectors.stop_below")
    solver = _param("solver", "vectors.solver")
    solverSteps = _param("solverSteps", "vectors.solver_steps")
    heldOut = _param("heldOut", "vectors.held_out")
    exponent = _param("exponent", "vectors.exponent")
    calibrate = _param("calibrate", "vectors.calibrate")
    solvingMemory = _param("solvingMemory", "vectors.memory")
    aggregation = _declare("aggregation", _AGGREGATION, _aggregation)
    workingDirectory: Param[str] = Param(
        _OWNER,
        "workingDirectory",
        "where a fit keeps its tables until it is done, on a cluster a folder that all machines share; empty: this "
        "machine's temporary folder, on a cluster Spark's checkpoint directory",
        TypeConverters.toString,
    )
    stepSize = _ignored("stepSize", TypeConverters.toFloat)
    numPartitions = _ignored("numPartitions", TypeConverters.toInt)
    maxSentenceLength = _ignored("maxSentenceLength", TypeConverters.toInt)

    def __init__(self) -> None:
        super().__init__()
        own = {name: declared(key).default for name, key in KEYS.items()}
        self._setDefault(**own | _DEFAULTS | {"aggregation": "mean", "workingDirectory": ""})

    def getVectorSize(self) -> int:
        return int(self.getOrDefault(self.vectorSize))

    def getMinCount(self) -> int:
        return int(self.getOrDefault(self.minCount))

    def getWindowSize(self) -> int:
        return int(self.getOrDefault(self.windowSize))

    def getNumPartitions(self) -> int:
        return int(self.getOrDefault(self.numPartitions))

    def getMaxSentenceLength(self) -> int:
        return int(self.getOrDefault(self.maxSentenceLength))

    def configuration(self) -> Config:
        """The pipeline's configuration under these parameters. ArgumentError when one is out of range."""
        document: dict[str, dict[str, Scalar]] = {"tokens": _TOKENS}
        for name, key in KEYS.items():
            section, _, entry = key.partition(".")
            # Parameters of a map, such as a grid's, come as they are.
            document.setdefault(section, {})[entry] = _as_setting(name, _converted(name, self.getOrDefault(name)))
        return build_config(document)


def accessor(verb: str, name: str) -> str:
    """The name of a parameter's getter or setter.

    >>> accessor("get", "heldOut")
    'getHeldOut'
    """
    return f"{verb}{name[0].upper()}{name[1:]}"


def _getter(name: str) -> Callable[[EmbeddingParams], Any]:
    def get(self: EmbeddingParams) -> Any:
        return self.getOrDefault(name)

    get.__doc__ = f"The value of :py:attr:`{name}`, or its default."
    return get


for _name in Arguments.__annotations__:
    if not hasattr(EmbeddingParams, accessor("get", _name)):
        setattr(EmbeddingParams, accessor("get", _name), _getter(_name))
