"""Questions about texts: PMI of sets of words, texts ordered by it, keywords. Spark only where it is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
import typer

from pmi_spark.cli.answers import (
    OCCURRENCES,
    WORD,
    Column,
    as_records,
    finite,
    load,
    print_json,
    print_table,
)
from pmi_spark.cli.app import app, failures_in_one_line
from pmi_spark.cli.options import AsJson, Debug, MinimumCount, RunOutput, To, Top, setting_option, setting_value
from pmi_spark.errors import InputError

if TYPE_CHECKING:
    from pmi_spark.vectors.candidates import TextScorer
    from pmi_spark.vectors.store import WordVectors
    from pmi_spark.vectors.texts import TextCutter, WordIds

PAIRS = (
    Column("first", "first"),
    Column("second", "second"),
    Column("pmi_nats", "PMI (nats)", ".3f"),
    Column("times", "times", ","),
)
KEYWORDS = (
    WORD,
    Column("sum_pmi_nats", "PMI, sum (nats)", ".3f"),
    Column("mean_pmi_nats", "mean (nats)", ".3f"),
    Column("times", "in the text", ","),
    OCCURRENCES,
)
# Keys of the ranked columns in JSON, where units are told.
_IN_NATS = {"sum_pmi": "sum_pmi_nats", "mean_pmi": "mean_pmi_nats"}
_SHOWN_CHARACTERS = 200


@app.command()
def score(
    first: Annotated[str, typer.Argument(help="Words or a text.", show_default=False, metavar="WORDS")],
    second: Annotated[str, typer.Argument(help="Words or a text.", show_default=False, metavar="WORDS")],
    output: RunOutput,
    as_json: AsJson = False,
) -> None:
    """PMI of two sets of words, which adds up over their pairs, and the pairs behind the sum."""
    from pmi_spark.vectors.sets import pair_scores, score_sets

    vectors, cutter = _load(output)
    sets = [_known(vectors, cutter, text) for text in (first, second)]
    found = score_sets(vectors, *(ids[ids >= 0] for ids, _ in sets))
    pairs = pair_scores(vectors, *(ids[ids >= 0] for ids, _ in sets))
    unknown = [words for _, words in sets]
    if as_json:
        about = {"sum_pmi_nats": found.sum_pmi, "mean_pmi_nats": found.mean_pmi, "pairs": found.pairs}
        table = as_records(PAIRS, pairs)
        print_json("score", output=output, **about, unknown={"first": unknown[0], "second": unknown[1]}, table=table)
        return
    print_table(PAIRS, pairs)
    typer.echo(f"\nsum {found.sum_pmi:.3f} nats over {found.pairs:,} pairs, mean {found.mean_pmi:.3f}")
    _tell_unknown([*unknown[0], *unknown[1]])


@app.command()
def keywords(
    text: Annotated[
        str,
        typer.Argument(help="A text, or the name of a file that holds one.", show_default=False, metavar="TEXT|FILE"),
    ],
    output: RunOutput,
    top: Top = None,
    minimum_count: MinimumCount = None,
    anywhere: Annotated[
        bool,
        typer.Option("--anywhere", help="Also words that the text does not have. [default: false; true or false]"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The words of a text with the highest PMI to the text's other words, summed."""
    from pmi_spark.vectors.sets import keywords as find_keywords

    limits = setting_value("query.top", top), setting_value("query.minimum_count", minimum_count)
    vectors, cutter = _load(output)
    ids, unknown = _known(vectors, cutter, _text_or_file(text))
    found = find_keywords(vectors, ids[ids >= 0], *limits, anywhere=anywhere)
    counts = {"known_words": int((ids >= 0).sum()), "unknown_words": int((ids < 0).sum())}
    if as_json:
        print_json("keywords", output=output, **counts, unknown=unknown, keywords=as_records(KEYWORDS, found))
        return
    print_table(KEYWORDS, found)
    _tell_unknown(unknown)


@app.command()
def rank(
    query: Annotated[str, typer.Argument(help="Words or a text.", show_default=False)],
    output: RunOutput,
    candidates: Annotated[
        str,
        typer.Option(
            "--candidates", help="Texts to order: a file, one a line, or Parquet, a file or a folder. [no default]"
        ),
    ],
    column: Annotated[
        str, typer.Option("--column", help="The text's column in Parquet. [default text]", show_default=False)
    ] = "text",
    by: Annotated[str | None, setting_option("--by", "query.rank_by")] = None,
    top: Top = None,
    to: To = None,
    spark: Annotated[
        bool,
        typer.Option(
            "--spark",
            help="On Spark, for candidates that one machine's memory or time is too small for; --to is a folder then. "
            "[default: false; true or false]",
        ),
    ] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Order candidate texts by their PMI with a query."""
    limit, key = setting_value("query.top", top), f"{setting_value('query.rank_by', by)}_pmi"
    vectors, cutter = _load(output)
    ids, unknown = _known(vectors, cutter, query)
    scorer = _scorer(vectors, cutter, ids[ids >= 0])
    if spark:
        with failures_in_one_line(debug):
            from pmi_spark.rank_texts import rank_on_spark

            count, best = rank_on_spark(scorer, candidates, column, key, limit, to)
    else:
        from pmi_spark.vectors.candidates import rank_file

        count, best = rank_file(scorer, candidates, column, key, limit, to)
    if as_json:
        rows = [{_IN_NATS.get(name, name): finite(value) for name, value in row.items()} for row in best.to_pylist()]
        print_json("rank", output=output, by=key, unknown=unknown, candidates=count, to=to, best=rows)
        return
    _print_ranked(best, column)
    _tell_unknown(unknown)
    if to is not None:
        typer.echo(f"\n{count:,} candidates in {to}")


def _print_ranked(best: pa.Table, column: str) -> None:
    shown = (
        Column("mean_pmi", "mean PMI (nats)", ".3f"),
        Column("sum_pmi", "sum (nats)", ".3f"),
        Column("known_words", "words", ","),
        Column("unknown_words", "unknown", ","),
        Column(column, "text"),
    )
    text = [(value or "")[:_SHOWN_CHARACTERS] for value in best[column].to_pylist()]
    print_table(shown, zip(*(best[entry.key].to_pylist() for entry in shown[:-1]), text, strict=True))


def _scorer(vectors: WordVectors, cutter: TextCutter, ids: Any) -> TextScorer:
    from pmi_spark.vectors.candidates import TextScorer
    from pmi_spark.vectors.sets import scores_with_set

    return TextScorer(cutter, vectors.word_array, scores_with_set(vectors, ids), len(ids))


def _load(output: str) -> tuple[WordVectors, TextCutter]:
    from pmi_spark.vectors.texts import load_cutter

    vectors = load(output)
    return vectors, load_cutter(output, vectors.tokens)


def _known(vectors: WordVectors, cutter: TextCutter, text: str) -> tuple[Any, list[str]]:
    """The ids of a text's words, -1 for unknown ones, and these; InputError with near spellings if none is known."""
    from pmi_spark.vectors.query import nearest_spellings

    found: WordIds = cutter.ids(pa.array([text], pa.string()), vectors.word_array)
    unknown = found.unknown_words()
    if len(found.ids) and found.ids.max() >= 0:
        return found.ids, unknown
    if not unknown:
        raise InputError(f"no word in '{text[:_SHOWN_CHARACTERS]}'", cure="give words that the run's tokenizer takes")
    near = nearest_spellings(vectors, unknown[0])
    cure = f"near: {', '.join(near)}" if near else "no word is spelt like it"
    raise InputError(f"no known word in '{text[:_SHOWN_CHARACTERS]}', unknown word '{unknown[0]}'", cure)


def _tell_unknown(unknown: list[str]) -> None:
    if unknown:
        more = f" and {len(unknown) - 10:,} more" if len(unknown) > 10 else ""
        typer.echo(f"\nunknown and left out: {', '.join(unknown[:10])}{more}")


def _text_or_file(text: str) -> str:
    """The content of a file of that name, if there is one, else the text itself. InputError when it cannot be read."""
    # Where Path.is_file raises, for a text longer than a name can be, this one answers.
    if not os.path.isfile(text):  # noqa: PTH113
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{text} is not UTF-8: {error}", cure="save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"cannot read {text}: {error.strerror}", cure="check its permissions") from error
