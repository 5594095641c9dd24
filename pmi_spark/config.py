"""Every setting: its default, unit, range and meaning, said once.

``--help``, ``conf/pipeline.toml`` and the checks all read the declarations below, so they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pmi_spark.errors import ConfigurationError
from pmi_spark.settings import Declared, Scalar, setting, toml_value


@dataclass(frozen=True)
class InputConfig:
    """Files -> documents."""

    format: str = setting(
        "auto",
        "auto tells each file by its name and first bytes; wiki: WikiExtractor's <doc> tags, wet: Common Crawl's text",
        choices=("auto", "text", "wiki", "wet", "json", "csv", "parquet"),
    )
    text_column: str = setting("text", "the column that holds the text in JSON Lines, CSV and Parquet")
    id_column: str = setting(
        "", "the column that names a document in JSON Lines, CSV and Parquet; empty: the text's hash is its id"
    )
    document: str = setting(
        "line",
        "what is a document in plain text; paragraphs are parted by blank lines",
        choices=("line", "paragraph", "file"),
    )
    maximum_bytes: int = setting(
        10**7, "longer documents are rejected before they are held in a worker", unit="bytes", low=1, high=10**9
    )
    maximum_replaced_share: float = setting(
        0.3, "documents of which more is invalid UTF-8 are rejected", unit="of the bytes", low=0, high=1
    )
    minimum_words: int = setting(1, "documents with fewer words are left out", unit="words", low=1, high=10**9)
    duplicates: str = setting(
        "keep",
        "documents of the same text but for case and white space: keep all, or drop all but one",
        choices=("keep", "drop"),
    )
    maximum_line_count: int = setting(
        0,
        "lines that occur more often in the whole corpus are taken out of every document; 0 leaves all",
        unit="occurrences",
        low=0,
        high=10**12,
    )
    strict: bool = setting(False, "stop at the first record or file that is not as it should be")


@dataclass(frozen=True)
class TokensConfig:
    """Documents -> tokens."""

    tokenizer: str = setting(
        "words",
        "words: runs of Unicode letters, marks and digits with inner apostrophes; jieba: Chinese segmentation; "
        "characters: as words, but Chinese by the character; whitespace: text already cut; or a function of your own, "
        "from a text to its words",
        choices=("words", "jieba", "characters", "whitespace", "module:function"),
        pattern=r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
    )
    normalize: str = setting(
        "none",
        "Unicode compatibility forms, such as full-width letters and ligatures, as plain ones before the text is cut",
        choices=("none", "nfkc"),
    )
    chinese: str = setting(
        "keep",
        "traditional Chinese as simplified before the text is cut, by OpenCC (the package opencc)",
        choices=("keep", "simplified"),
    )
    lower: bool = setting(True, "capitals as small letters")
    digits: str = setting("keep", "zero writes each decimal digit as 0", choices=("keep", "zero"))
    minimum_letters: int = setting(
        0, "words with fewer letters and digits are left out", unit="characters", low=0, high=1000
    )
    maximum_length: int = setting(
        0, "words that are longer are dropped or cut, and counted; 0 takes any", unit="characters", low=0, high=10**6
    )
    long_tokens: str = setting("drop", "what becomes of words over maximum_length", choices=("drop", "cut"))
    stop_words: str = setting("", "files of words to leave out, one a line, separated by commas")
    jieba_dictionary: str = setting("", "a main dictionary in jieba's form; empty: jieba's own")
    jieba_user_dictionaries: str = setting("", "files of words that jieba adds to it, separated by commas")
    jieba_hmm: bool = setting(False, "let jieba's hidden Markov model join characters its dictionary does not know")
    jieba_parts: str = setting(
        "", "keep words alone whose part of speech starts with one of these, separated by commas, such as n,v,a"
    )
    jieba_engine: str = setting(
        "auto",
        "auto takes rjieba (Rust) where it is installed and gives jieba's own tokens, else jieba",
        choices=("auto", "jieba", "rjieba"),
    )
    on_bad_shard: str = setting(
        "fail",
        "an input file that cannot be read to its end: stop, or leave all of it out and list it in the manifest",
        choices=("fail", "skip"),
    )


@dataclass(frozen=True)
class PhrasesConfig:
    """Tokens -> tokens in which words that want each other are one, as in new_york."""

    passes: int = setting(
        0, "each joins two words or phrases of the one before; 0 leaves the stage out", unit="passes", low=0, high=10
    )
    minimum_count: int = setting(
        5, "neighbours that stand together less often are no phrase", unit="occurrences", low=1, high=10**12
    )
    threshold: float = setting(
        0.5, "least normalised PMI of a phrase's words: 1 if they only occur together, 0 by chance", low=-1, high=1
    )
    delimiter: str = setting("_", "what stands between the words of a phrase")
    connectors: str = setting("", "words that may stand inside a phrase, not at its ends, separated by commas: of, the")


@dataclass(frozen=True)
class VocabularyConfig:
    """Tokens -> vocabulary."""

    minimum_count: int = setting(5, "words that occur less often are left out", unit="occurrences", low=1, high=10**12)
    minimum_documents: int = setting(
        1, "words that occur in fewer documents are left out", unit="documents", low=1, high=10**12
    )
    maximum_document_share: float = setting(
        1.0, "words that occur in a larger share of the documents are left out", unit="of the documents", low=0, high=1
    )
    maximum_size: int = setting(
        0, "keep only the most frequent words; 0 keeps all", unit="words", low=0, high=2**31 - 1
    )
    keep: str = setting(
        "",
        "file of words, one a line, that need only occur to be kept; they are the first to take places of maximum_size",
    )
    drop: str = setting("", "file of words, one a line, that are left out however frequent")
    given: str = setting(
        "",
        "take the words and ids of this vocabulary, whatever their counts, and no others: an earlier output directory, "
        "or a file of words, or word TAB count, a line, in the order of their ids",
    )


@dataclass(frozen=True)
class PairsConfig:
    """Tokens and vocabulary -> pair counts."""

    window: int = setting(5, "reach of the window to either side of a word", unit="words", low=1, high=100)
    weighting: str = setting(
        "linear",
        "weight of a pair at distance d: flat 1, linear (window + 1 - d) / window, harmonic 1 / d (window up to 20)",
        choices=("flat", "linear", "harmonic"),
    )
    subsample: float = setting(
        1e-4,
        "threshold t: a word of relative frequency f > t keeps each occurrence with chance sqrt(t / f); 0 keeps all",
        unit="relative frequency",
        low=0,
        high=1,
    )
    unknown: str = setting(
        "drop",
        "words outside the vocabulary or subsampled away: drop them before the window is laid, or leave a gap",
        choices=("drop", "gap"),
    )
    minimum_count: float = setting(
        0.0,
        "pairs that meet less often are left out of the table, but stay in the marginals",
        unit="weighted pairs",
        low=0,
        high=10**12,
    )
    files: int = setting(
        0,
        "output files, each a reduce task; 0 sizes them by the vocabulary's counts",
        unit="files",
        low=0,
        high=1e6,
    )
    memory: int = setting(
        512,
        "what a counting worker may hold before it hands partial counts to the shuffle",
        unit="MB",
        low=16,
        high=65536,
    )
    on_bad_shard: str = setting(
        "fail",
        "a file of tokens that cannot be read: stop, or leave it out and list it in the manifest",
        choices=("fail", "skip"),
    )


@dataclass(frozen=True)
class PmiConfig:
    """Pair counts -> PMI."""

    marginals: str = setting(
        "window", "P(i) from pair counts (window) or from word counts (unigram)", choices=("window", "unigram")
    )
    context_smoothing: float = setting(
        1.0, "exponent s of the smoothed context distribution P(j)^s / sum P^s; 1 is none", low=0, high=1
    )
    measures: str = setting(
        "", "further columns, separated by commas: npmi (-1 to 1), log_likelihood (Dunning's G2, nats)"
    )


@dataclass(frozen=True)
class VectorsConfig:
    """PMI -> word vectors."""

    dimensions: int = setting(300, "length of a word vector", unit="numbers", low=1, high=4096)
    cells: str = setting(
        "observed",
        "fit every observed pair, or those alone whose PMI is above the shift",
        choices=("observed", "positive"),
    )
    shift: float = setting(
        -2.0,
        "subtracted from every PMI before the fit, and added again to every estimate: log k of shifted PMI",
        unit="nats",
        low=-20,
        high=20,
    )
    target: float = setting(
        0.0, "what a pair never seen is drawn to, counted from the shift", unit="nats", low=-20, high=20
    )
    background: float = setting(0.1, "alpha, the weight of every cell, seen or not, at `target`", low=0, high=1e6)
    count_ceiling: float = setting(
        10.0, "x_max of w = min(1, (n / x_max) ^ weight_exponent)", unit="weighted pairs", low=1e-9, high=1e12
    )
    weight_exponent: float = setting(0.75, "exponent of w", low=0, high=2)
    truncate_weights: bool = setting(True, "hold w at 1 above the ceiling; false lets it grow")
    regularization: float = setting(
        0.4,
        "lambda, on the squared length of every factor",
        unit="of a row's energy, sqrt(sum w x^2 / words)",
        low=0,
        high=1e9,
    )
    warm_sweeps: int = setting(
        3, "unweighted sweeps on the shrunken table before the weighted ones", unit="sweeps", low=0, high=100
    )
    warm_words: int = setting(
        8192,
        "the warm sweeps go over so many of the most frequent words; 0 takes all",
        unit="words",
        low=0,
        high=2**31 - 1,
    )
    sweeps: int = setting(2, "weighted sweeps; each solves both sides once", unit="sweeps", low=0, high=1000)
    stop_below: float = setting(
        0.0,
        "end the weighted sweeps when one lowers the loss by less; 0 does them all",
        unit="of the loss",
        low=0,
        high=1,
    )
    solver: str = setting(
        "cg",
        "cg: conjugate gradients; cholesky: each row exactly; mllib: Spark's own ALS, unweighted, as a baseline",
        choices=("cg", "cholesky", "mllib"),
    )
    solver_steps: int = setting(1, "conjugate-gradient steps a row and half-sweep", unit="steps", low=1, high=1000)
    held_out: float = setting(
        0.01,
        "pairs kept from the fit to judge and to calibrate it, by a hash of their words",
        unit="share of pairs",
        low=0,
        high=0.5,
    )
    exponent: float = setting(
        0.35,
        "p of the read-out E |L|^p; at 0.5 the signed inner product of two vectors is their PMI less the shift",
        low=0,
        high=1,
    )
    calibrate: bool = setting(
        True, "stretch vectors by frequency so that estimates fit the held-out pairs; cosines do not change"
    )
    seed: int = setting(1, "seed of the initial factors", low=0, high=2**63 - 1)
    init: str = setting(
        "", "output directory whose vectors are the start, words matched by name, and whose axes are kept; empty: none"
    )
    freeze: bool = setting(False, "with init: leave the vectors of its words as they are, solve for new words alone")
    blocks: int = setting(
        0,
        "row blocks dealt to tasks; 0 takes two a core, more for tables over 8 M pairs",
        unit="blocks",
        low=0,
        high=1e6,
    )
    memory: int = setting(
        2048, "what a solving worker may hold, the other side's factors included", unit="MB", low=300, high=10**6
    )


@dataclass(frozen=True)
class QueryConfig:
    """Questions to finished vectors."""

    top: int = setting(10, "answers to print", unit="answers", low=1, high=1e6)
    minimum_count: int = setting(0, "leave out words that occur less often", unit="occurrences", low=0, high=10**12)
    minimum_pairs: float = setting(
        3.0, "with --observed, leave out pairs that met less often", unit="weighted pairs", low=0, high=10**12
    )
    depth: int = setting(
        100,
        "partners are mutual when each is among so many of the other's first by estimated PMI",
        unit="words",
        low=1,
        high=10_000,
    )
    context: int = setting(
        0,
        "compare words by their PMI with so many of the most frequent words, 2 or more; 0 compares their vectors",
        unit="words",
        low=0,
        high=2**31 - 1,
    )
    method: str = setting("add", "how an analogy's answers are ranked: 3CosAdd or 3CosMul", choices=("add", "mul"))
    rank_by: str = setting(
        "mean",
        "order texts by the mean PMI of a pair of words, whatever their length, or by the sum, which grows with it",
        choices=("mean", "sum"),
    )
    words: int = setting(
        0, "match so many of the most frequent words among themselves; 0 takes all", unit="words", low=0, high=2**31 - 1
    )


@dataclass(frozen=True)
class EvaluationConfig:
    """Finished vectors -> scores."""

    restrict: int = setting(
        300_000,
        "ask of the most frequent words alone, as gensim does; 0 takes all",
        unit="words",
        low=0,
        high=2**31 - 1,
    )
    held_pairs: int = setting(
        1 << 18, "of held-out pairs, and of pairs that never met, judge at most so many", unit="pairs", low=1, high=1e8
    )
    minimum_expected: float = setting(
        1.0,
        "held-out pairs are ranked by PMI where independence expects so many meetings",
        unit="weighted pairs",
        low=0,
        high=1e12,
    )


@dataclass(frozen=True)
class ExportConfig:
    """Finished vectors -> other tools' files."""

    top_words: int = setting(
        0, "write the most frequent words alone; 0 writes all", unit="words", low=0, high=2**31 - 1
    )
    dtype: str = setting(
        "float32", "numbers of numpy and safetensors files; the others hold float32", choices=("float32", "float16")
    )


@dataclass(frozen=True)
class Config:
    """All sections. Frozen: a run's configuration is a value, and its manifest holds it whole."""

    input: InputConfig = field(default_factory=InputConfig)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    phrases: PhrasesConfig = field(default_factory=PhrasesConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    pmi: PmiConfig = field(default_factory=PmiConfig)
    vectors: VectorsConfig = field(default_factory=VectorsConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    export: ExportConfig = field(default_factory=ExportConfig)


# Sections that a stage reads besides the one that has its name.
_FURTHER_SECTIONS = {"tokens": ("input",)}


def stage_sections(*stages: str) -> list[str]:
    """The sections that stages read, in the order of :class:`Config`.

    >>> stage_sections("tokens", "pmi")
    ['input', 'tokens', 'pmi']
    """
    read = {name for stage in stages for name in (stage, *_FURTHER_SECTIONS.get(stage, ()))}
    return [section.name for section in dataclasses.fields(Config) if section.name in read]


def declared_settings(*sections: str) -> Iterator[Declared]:
    """Every declared key, in order; of the named sections alone where names are given."""
    for section in dataclasses.fields(Config):
        if sections and section.name not in sections:
            continue
        for entry in dataclasses.fields(getattr(Config(), section.name)):
            yield Declared(section.name, entry.name, entry.default, entry.metadata["setting"])  # type: ignore[arg-type]


def declared(key: str) -> Declared:
    """The declaration of one key such as ``pairs.window``; ConfigurationError names the known ones."""
    known = {entry.key: entry for entry in declared_settings()}
    if key not in known:
        section = key.partition(".")[0]
        near = [name for name in known if name.startswith(f"{section}.")] or list(known)
        raise ConfigurationError(f"unknown configuration key {key}", cure=f"known keys: {', '.join(near)}")
    return known[key]


def checked(key: str, value: object) -> Scalar:
    """``value`` as the key's type and within its range, or ConfigurationError with both named.

    >>> checked("pairs.window", 10)
    10
    >>> checked("pairs.window", 0)
    Traceback (most recent call last):
    pmi_spark.errors.ConfigurationError: pairs.window = 0 is out of range; it takes 1 to 100 words
    """
    entry = declared(key)
    kind = type(entry.default)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigurationError(
            f"{key} = {value!r} is not {_KIND_NAMES[kind]}", cure=f"the default is {toml_value(entry.default)}"
        )
    bounds = entry.setting
    assert isinstance(value, bool | int | float | str)
    wrong = not bounds.takes_text(value) if isinstance(value, str) else False
    if isinstance(value, int | float) and not isinstance(value, bool):
        wrong = not ((bounds.low is None or value >= bounds.low) and (bounds.high is None or value <= bounds.high))
    if wrong:
        takes = f"it takes {bounds.range_text()} {bounds.unit}".rstrip()
        raise ConfigurationError(f"{key} = {value} is out of range", cure=takes)
    return value


_KIND_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


def parse_override(text: str) -> tuple[str, Scalar]:
    """``section.key=value`` from the command line; the value is read as TOML, else as bare text.

    >>> parse_override("pairs.window=10")
    ('pairs.window', 10)
    >>> parse_override("tokens.tokenizer=jieba")
    ('tokens.tokenizer', 'jieba')
    """
    key, equals, raw = (part.strip() for part in text.partition("="))
    if not equals:
        raise ConfigurationError(f"--set {text} has no =", cure="write --set section.key=value")
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        value = raw
    return key, checked(key, value)


def build_config(document: Mapping[str, Any], overrides: Sequence[str] = (), where: str = "configuration") -> Config:
    """A Config from a parsed TOML document and ``--set`` overrides, which win.

    Raises ConfigurationError for unknown sections and keys, wrong types and values out of range.
    """
    values: dict[str, Scalar] = {}
    names = [section.name for section in dataclasses.fields(Config)]
    for section, entries in document.items():
        if section not in names or not isinstance(entries, Mapping):
            raise ConfigurationError(
                f"unknown section [{section}] in {where}", cure=f"known sections: {', '.join(names)}"
            )
        for name, value in entries.items():
            values[f"{section}.{name}"] = checked(f"{section}.{name}", value)
    values.update(parse_override(text) for text in overrides)
    config = Config()
    for key, value in values.items():
        section, _, name = key.partition(".")
        changed = dataclasses.replace(getattr(config, section), **{name: value})
        config = dataclasses.replace(config, **{section: changed})
    return config


def load_config(path: str | None, overrides: Sequence[str] = ()) -> Config:
    """The defaults, changed by a TOML file (if any) and then by ``--set`` overrides."""
    if path is None:
        return build_config({}, overrides)
    try:
        with Path(path).open("rb") as handle:
            document = tomllib.load(handle)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read configuration {path}: {error.strerror}", cure="check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", cure="see conf/pipeline.toml for the form") from error
    return build_config(document, overrides, where=path)


def render_toml() -> str:
    """``conf/pipeline.toml``: every key with its meaning, default, unit and range."""
    lines = [
        "# Every key of the pipeline at its default. Copy what you change; unknown keys are refused.",
        "# This file is written by `make conf`, from the declarations in pmi_spark/config.py.",
    ]
    for section in dataclasses.fields(Config):
        title = (getattr(Config(), section.name).__doc__ or "").strip()
        lines += ["", f"# {title}", f"[{section.name}]"]
        for entry in declared_settings(section.name):
            note = entry.describe().rpartition(" [default ")
            lines += [f"# {note[0]}", f"# [default {note[2]}", f"{entry.name} = {toml_value(entry.default)}"]
    return "\n".join(lines) + "\n"
