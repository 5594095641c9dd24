"""Texts -> words as a run cut them -> word ids: normalization, tokenizer, filters and phrases of the run's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs

from pmi_spark.artifacts import MANIFEST_NAME, Manifest
from pmi_spark.config import PhrasesConfig, TokensConfig
from pmi_spark.corpus.jieba_dictionaries import JiebaDictionaries, load_dictionaries
from pmi_spark.corpus.phrase_links import Joiner, JoinRule, PhraseTable, Stream
from pmi_spark.corpus.tokenizers import TextToWords, choose_tokenizer, parse_list, resolve_jieba_engine
from pmi_spark.errors import InputError, RunError
from pmi_spark.vectors.files import OutputFiles, read_artifact
from pmi_spark.vectors.words import Words

Longs = npt.NDArray[np.int64]
# For runs that joined nothing.
NO_RULE = JoinRule("_")


class WordIds(NamedTuple):
    """Texts end to end: ids of their words, -1 for unknown ones, and where each text begins (texts + 1 places)."""

    ids: Longs
    offsets: Longs
    words: pa.Array

    def unknown_words(self) -> list[str]:
        """The unknown words, each once, in the order of the texts."""
        return pc.unique(self.words.filter(pa.array(self.ids < 0))).to_pylist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TextCutter:
    """Cuts texts as a run did, phrases joined where it joined them; pickled to workers as it is.

    ``phrases`` are the tables of the run's passes, in turn.
    """

    tokenizer: TextToWords
    phrases: tuple[PhraseTable, ...] = ()
    rule: JoinRule = NO_RULE

    def words(self, texts: pa.Array) -> pa.ListArray:
        """A list of words a text; a missing text has none."""
        lists = self.tokenizer.lists(texts)
        if not self.phrases:
            return lists
        offsets = np.asarray(lists.offsets) - lists.offsets[0].as_py()
        encoded = lists.flatten().dictionary_encode()
        joiner = Joiner(encoded.dictionary, self.phrases, self.rule)
        stream, _ = joiner.join(Stream(np.asarray(encoded.indices), offsets.astype(np.int32)))
        return pa.ListArray.from_arrays(pa.array(stream.offsets), joiner.words.take(pa.array(stream.codes)))

    def ids(self, texts: pa.Array, vocabulary: Words) -> WordIds:
        """The texts' words as ids. Each distinct word is looked up once, all of them in one go over the vocabulary."""
        lists = self.words(texts)
        encoded = lists.flatten().dictionary_encode()
        found = vocabulary.find(encoded.dictionary.cast(pa.string()))
        offsets = np.asarray(lists.offsets).astype(np.int64) - lists.offsets[0].as_py()
        return WordIds(found[np.asarray(encoded.indices)], offsets, lists.flatten())


def load_cutter(output: str, settings: TokensConfig) -> TextCutter:
    """How the run in ``output`` cut its texts; ``settings`` are its [tokens].

    Dictionaries and stop words are read from the paths the settings name, as they are now. Raises InputError when one
    of them is not there, and what choosing a tokenizer raises.
    """
    dictionaries, engine = JiebaDictionaries(), "none"
    if settings.tokenizer == "jieba":
        engine = resolve_jieba_engine(settings)
        user = parse_list(settings.jieba_user_dictionaries)
        dictionaries = load_dictionaries(_read_named, settings.jieba_dictionary, user, bool(settings.jieba_parts))
    stop_words: list[str] = []
    for path in parse_list(settings.stop_words):
        stop_words += _text(_read_named(path), path).splitlines()
    tokenizer = choose_tokenizer(settings, engine, dictionaries, stop_words)
    return TextCutter(tokenizer, *_phrases(output))


def _read_named(path: str) -> bytes:
    """A file that a setting names: on this machine, or where a URI says."""
    try:
        if "://" not in path:
            return Path(path.removeprefix("file:")).read_bytes()
        system, place = pafs.FileSystem.from_uri(path)
        with system.open_input_stream(place) as stream:
            return bytes(stream.read())
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"cannot read {path}, which the run's [tokens] settings name: {error}",
            cure="put it back, or ask from the folder that the run was started in",
        ) from error


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from error


def _phrases(output: str) -> tuple[tuple[PhraseTable, ...], JoinRule]:
    """The phrases of each pass, where the vocabulary was made from joined words, and how they are spelled."""
    files = OutputFiles(output)
    text = files.read_text(f"vocabulary/{MANIFEST_NAME}")
    if not text or "phrases" not in Manifest.from_json(text, where=f"{output}/vocabulary").upstream:
        return (), NO_RULE
    if not files.read_text(f"phrases/{MANIFEST_NAME}"):
        raise InputError(f"{output} has words joined by phrases, and no phrases", cure="run `pmi-spark phrases` again")
    table, manifest = read_artifact(output, "phrases", side=True)
    settings = PhrasesConfig(**manifest.configuration["phrases"])
    rule = JoinRule(settings.delimiter, tuple(sorted(parse_list(settings.connectors))))
    passes = sorted(set(table["pass_number"].to_pylist()))
    return tuple(phrase_table(table.filter(pc.equal(table["pass_number"], number)), rule) for number in passes), rule


def phrase_table(rows: pa.Table, rule: JoinRule) -> PhraseTable:
    """One pass's rows of the phrases' side table as what joins them. RunError when a row does not fit the rule.

    >>> rows = pa.table({"phrase": ["out_of_africa"], "first": ["out"], "second": ["africa"]})
    >>> phrase_table(rows, JoinRule("_", ("of",))).phrases.to_pylist()
    ['out_of_africa']
    """
    phrases, firsts, seconds = (rows[name].to_pylist() for name in ("phrase", "first", "second"))
    try:
        spelled = [_between(*row) for row in zip(phrases, firsts, seconds, strict=True)]
        numbers = {text: rule.parse_between(text) for text in set(spelled)}
    except ValueError as error:
        raise RunError(f"the table of phrases is damaged: {error}", cure="run `pmi-spark phrases` again") from error
    first, second = (pa.array(words, pa.string()) for words in (firsts, seconds))
    return PhraseTable.of(first, second, np.array([numbers[text] for text in spelled], np.int64), rule)


def _between(phrase: str, first: str, second: str) -> str:
    """What stands between the two words in a phrase's spelling."""
    between = phrase[len(first) : len(phrase) - len(second)]
    if f"{first}{between}{second}" != phrase:
        raise ValueError(f"{phrase!r} does not join {first!r} and {second!r}")
    return between
