"""A run -> its page: what is there is read, drawn and written as one file. No Spark, no Java."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pmi_spark import __version__
from pmi_spark.errors import RunError
from pmi_spark.factorization.lengths import fit_lengths
from pmi_spark.report.figures import LengthLine
from pmi_spark.report.page import MOST_PAGE_BYTES, asset, render_page, word_data
from pmi_spark.report.run_files import RunFiles, write_page
from pmi_spark.report.sections import (
    corpus_section,
    evaluation_section,
    pmi_section,
    run_section,
    training_section,
    vocabulary_section,
)
from pmi_spark.report.word_map import lay_out
from pmi_spark.report.word_space import Space, pack, read_space
from pmi_spark.status import read_status, status_rows

SEARCH_WORDS = 20_000
MAP_WORDS = 3_000
# Of MOST_PAGE_BYTES, what is left to words, charts, tables and scripts. A byte of vectors is 4/3 characters of base64.
OTHER_BYTES = 9_000_000
VECTOR_BYTES = (MOST_PAGE_BYTES - OTHER_BYTES) * 3 // 4


def write_report(output: str, to: str = "") -> tuple[str, int]:
    """Write the page of an output directory: (where, bytes). Without ``to`` it lies beside the artifacts.

    Raises InputError when no run wrote there or the file cannot be written, RunError when an artifact is damaged or the
    page would pass MOST_PAGE_BYTES. Cost: one pass over pmi (20 ns a pair) and two over vectors (0.1 us a number), and
    the map; memory: PIECE_ROWS rows, 24 bytes a word, and 4 d for each of the SEARCH_WORDS.
    """
    run = RunFiles(output)
    content = build_page(run).encode("utf-8")
    if len(content) > MOST_PAGE_BYTES:
        raise RunError(f"the page would be {len(content) / 1e6:,.1f} MB", cure="this is a defect: please report it")
    path = to or run.default_page()
    write_page(path, content)
    return path, len(content)


def build_page(run: RunFiles) -> str:
    """The page as HTML; a stage that left nothing is named in place of its section."""
    space = read_space(run, SEARCH_WORDS) if "vectors" in run.manifests else None
    found = [
        corpus_section(run),
        vocabulary_section(run),
        pmi_section(run),
        training_section(run, space, None if space is None else length_line(run, space)),
        evaluation_section(run),
        run_section(run, status_rows(read_status(run.output))),
    ]
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    name = Path(run.output.rstrip("/")).name or run.output
    words = search = ""
    if space is not None and space.words:
        words = word_data(pack(space, VECTOR_BYTES), lay_out(space.rows[:MAP_WORDS]))
        search = asset("search.html")
    return render_page(
        title=f"{name}: pmi_spark report",
        subtitle=f"pmi_spark {__version__}, made {made}",
        sections=[own for own in found if own is not None],
        words=words,
        search=search,
    )


def length_line(run: RunFiles, space: Space) -> LengthLine:
    """As the vectors stage fitted it, or fitted now: vectors that were folded in have none in their manifest."""
    told = run.facts("vectors").get("squared_length")
    if told is None:
        # |v|^2 = L E^2 for one axis of eigenvalue 1 and entries |v|.
        told = fit_lengths(np.sqrt(space.squares)[:, None], np.ones(1), space.all_counts)._asdict()
    return LengthLine(told["spearman"], told["slope"], told["intercept"])
