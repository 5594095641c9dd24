"""Text -> words: which tokenizer the settings name, with what stands before and after it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa

from pmi_spark.config import TokensConfig
from pmi_spark.corpus.jieba_cutter import JIEBAS_OWN, HasDictionaries, JiebaTokenizer
from pmi_spark.corpus.normalization import TextNormalizer, check_opencc
from pmi_spark.corpus.own_tokenizer import OwnTokenizer, load_function
from pmi_spark.corpus.word_filters import WordFilter, WordLists
from pmi_spark.corpus.words import split_characters, split_whitespace, split_words
from pmi_spark.errors import ConfigurationError, MissingToolError

# An Arrow array of strings -> an Arrow array of lists of words, one a string; pickled to the workers.
Tokenizer = Callable[[pa.Array], pa.Array]

SPLITTERS: dict[str, Tokenizer] = {
    "words": split_words,
    "characters": split_characters,
    "whitespace": split_whitespace,
}


@dataclass(frozen=True)
class TextToWords:
    """Normalization, a tokenizer, filters; pickled to the workers as it is.

    >>> short_words = TextToWords(TextNormalizer(lower=True), split_words, WordFilter(maximum_length=5))
    >>> lists, over_long = short_words(pa.array(["A longer word"]))
    >>> lists.to_pylist(), over_long
    ([['a', 'word']], 1)
    """

    normalizer: TextNormalizer
    tokenizer: Tokenizer
    word_filter: WordFilter

    def __call__(self, texts: pa.Array) -> WordLists:
        """Strings -> lists of words; a missing text has none."""
        return self.word_filter(self.tokenizer(self.normalizer(texts)))

    def lists(self, texts: pa.Array) -> pa.Array:
        """The lists alone."""
        return self(texts).lists


def choose_tokenizer(
    settings: TokensConfig,
    jieba_engine: str,
    dictionaries: HasDictionaries | None = None,
    stop_words: Iterable[str] = (),
) -> TextToWords:
    """What ``[tokens]`` asks for, on the driver. ``jieba_engine`` is resolved already: jieba or rjieba.

    ``dictionaries`` holds the content of ``jieba_dictionary`` and ``jieba_user_dictionaries``, ``stop_words`` the lines
    of the files of ``stop_words``. Raises ConfigurationError when there is no such function, MissingToolError when
    OpenCC is needed and absent.
    """
    if settings.chinese == "simplified":
        check_opencc()
    tokenizer = _tokenizer(settings, jieba_engine, dictionaries or JIEBAS_OWN)
    # SPLITTERS cut small letters as they cut capitals, and a text is cheaper to change than its words. jieba's
    # dictionary has capitals (T恤), and a function of the user's own may ask for them.
    lower_first = settings.lower and settings.tokenizer in SPLITTERS
    normalizer = TextNormalizer(settings.normalize, settings.chinese, lower_first)
    word_filter = WordFilter(
        lower=settings.lower and not lower_first,
        digits=settings.digits,
        minimum_letters=settings.minimum_letters,
        maximum_length=settings.maximum_length,
        long_tokens=settings.long_tokens,
    )
    return TextToWords(normalizer, tokenizer, word_filter.with_stop_words(stop_words, normalizer))


def _tokenizer(settings: TokensConfig, jieba_engine: str, dictionaries: HasDictionaries) -> Tokenizer:
    if settings.tokenizer in SPLITTERS:
        return SPLITTERS[settings.tokenizer]
    if settings.tokenizer == "jieba":
        return JiebaTokenizer(jieba_engine, settings.jieba_hmm, parse_list(settings.jieba_parts), dictionaries)
    load_function(settings.tokenizer)
    return OwnTokenizer(settings.tokenizer)


def resolve_jieba_engine(settings: TokensConfig) -> str:
    """``jieba`` or ``rjieba``: which engine ``tokens.jieba_engine`` stands for on this machine.

    With HMM off rjieba gives jieba's own tokens, whatever the dictionaries (2.8 M tokens of Chinese Wikipedia compared,
    all equal), at ten times the speed. Its hidden Markov model and its parts of speech differ; ``auto`` is jieba for
    these. Raises MissingToolError when rjieba is asked for and absent, ConfigurationError when for parts of speech.
    """
    installed = importlib.util.find_spec("rjieba") is not None
    if settings.jieba_engine == "rjieba":
        if not installed:
            raise MissingToolError(
                "tokens.jieba_engine is rjieba, which is not installed", cure="pip install 'pmi_spark[fast]'"
            )
        if settings.jieba_parts:
            raise ConfigurationError(
                "tokens.jieba_parts needs jieba, but tokens.jieba_engine is rjieba", cure="set that to auto or jieba"
            )
        return "rjieba"
    wanted = settings.jieba_engine == "auto" and not settings.jieba_hmm and not settings.jieba_parts
    return "rjieba" if installed and wanted else "jieba"


def parse_list(text: str) -> tuple[str, ...]:
    """A setting that holds several values, separated by commas.

    >>> parse_list("n, v,,a")
    ('n', 'v', 'a')
    """
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)
