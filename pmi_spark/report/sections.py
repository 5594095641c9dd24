"""The page's sections: headings, tables and charts of what there is, and a line about what there is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pmi_spark.artifacts import CORE_STAGES
from pmi_spark.corpus.account import account_rows
from pmi_spark.increments import INCREMENTS
from pmi_spark.report import figures
from pmi_spark.report.charts import (
    Table,
    coverage_chart,
    length_chart,
    number,
    percent,
    pmi_chart,
    rank_chart,
    sweep_chart,
)
from pmi_spark.report.run_files import RunFiles
from pmi_spark.report.svg import Element, node
from pmi_spark.report.word_space import Space

# Labels and files shown; a corpus may have come in thousands of days.
MOST_LABELS = 50


def section(name: str, title: str, *content: Element | None) -> Element:
    """A part of the page that its contents list leads to."""
    heading = node("h2", title, id=f"{name}-title")
    return node("section", heading, *content, id=name, aria_labelledby=f"{name}-title")


def absent(stage: str) -> Element:
    """What is said in place of what a stage would have made."""
    return node("p", f"There is no {stage} here. ", node("code", f"pmi-spark {stage}"), " makes it.", class_="absent")


def figures_row(*charts: Element | None) -> Element:
    """Charts beside each other where there is room."""
    return node("div", *charts, class_="charts")


def corpus_section(run: RunFiles) -> Element:
    """What became of every document, and the labels they came under."""
    facts = run.facts("tokens")
    if "documents_read" not in facts:
        return section("corpus", "Corpus", absent("tokens"))
    rows = [(name.strip(), f"{count:,}", note) for name, count, note in account_rows(facts)]
    formats = ", ".join(f"{count:,} {name}" for name, count in facts.get("formats", {}).items())
    files = node("p", f"{facts.get('input_files', 0):,} input files: {formats}.") if formats else None
    account = Table(("of the text", "count", "size"), rows).element()
    return section("corpus", "Corpus", files, account, _labels(facts.get(INCREMENTS, [])))


def _labels(increments: Sequence[Mapping[str, Any]]) -> Element | None:
    """The increments, where there are several."""
    if len(increments) < 2:
        return None
    rows = []
    for entry in increments[-MOST_LABELS:]:
        counts = (entry["facts"].get(name, 0) for name in ("documents", "words"))
        rows.append((entry["label"], f"{len(entry['inputs']):,}", *(f"{count:,}" for count in counts)))
    note = f"The last {MOST_LABELS} of {len(increments):,} labels." if len(increments) > MOST_LABELS else None
    table = Table(("label", "files", "documents", "words"), rows).element()
    return node("div", node("h3", "Labels"), node("p", note) if note else None, table)


def vocabulary_section(run: RunFiles) -> Element:
    """Word counts by rank, coverage, and what each rule dropped."""
    if "vocabulary" not in run.manifests:
        return section("vocabulary", "Vocabulary", absent("vocabulary"))
    facts = run.facts("vocabulary")
    parts = [np.asarray(piece["word_count"]) for piece in run.pieces("vocabulary", ["word_count"])]
    counts = np.concatenate(parts).astype(np.int64)
    all_words = int(facts.get("all_words", counts.sum()))
    settings = run.manifests["vocabulary"].configuration.get("vocabulary", {})
    ranks = rank_chart(figures.rank_frequency(counts), int(settings.get("minimum_count", 0)))
    half = figures.words_for_share(counts, all_words, 0.5)
    covered = coverage_chart(figures.coverage(counts, all_words), half)
    told = [(f"dropped: {rule.replace('_', ' ')}", share) for rule, share in facts.get("dropped", {}).items()]
    told.append(("kept", {"words": len(counts), "occurrences": int(counts.sum())}))
    rows = [
        (name, f"{share['words']:,}", f"{share['occurrences']:,}", percent(share["occurrences"] / max(all_words, 1)))
        for name, share in told
        if share["words"]
    ]
    table = Table(("words", "distinct", "occurrences", "share of the text"), rows).element()
    return section("vocabulary", "Vocabulary", figures_row(ranks.element(), covered.element()), table)


def pmi_section(run: RunFiles) -> Element:
    """The distribution of PMI over all pairs, streamed."""
    if "pmi" not in run.manifests:
        return section("pmi", "PMI", absent("pmi"))
    histogram = figures.PmiHistogram()
    for piece in run.pieces("pmi", ["pmi", "pair_count"]):
        histogram.add(np.asarray(piece["pmi"], np.float64), np.asarray(piece["pair_count"], np.float64))
    if not histogram.pair_count:
        return section("pmi", "PMI", node("p", "No pair met.", class_="absent"))
    return section("pmi", "PMI", figures_row(pmi_chart(histogram).element()))


def training_section(run: RunFiles, space: Space | None, line: figures.LengthLine | None) -> Element:
    """Loss and held-out error a sweep, squared length against rarity."""
    if space is None or line is None:
        return section("training", "Vectors", absent("vectors"))
    sweeps = figures.sweep_rows(run.facts("vectors"))
    charts = [
        sweep_chart("loss", "Loss a sweep", "loss, weighted squared nats", sweeps, [entry.loss for entry in sweeps]),
        sweep_chart(
            "held-out-error",
            "Held-out error a sweep",
            "root mean square error, nats",
            sweeps,
            [entry.held_out_error for entry in sweeps],
        ),
    ]
    occurs = space.all_counts > 0
    rarity = -np.log(space.all_counts[occurs] / space.all_counts.sum())
    lengths = length_chart(figures.density(rarity, space.squares[occurs]), line)
    drawn = [chart.element() for chart in charts if chart is not None]
    return section("training", "Vectors", figures_row(*drawn, lengths.element()))


def evaluation_section(run: RunFiles) -> Element | None:
    """The scores that ``pmi-spark evaluate`` left, each with its coverage; None when it was not run."""
    found = run.evaluation()
    similarity = {"file": "file", "spearman": "Spearman", "pearson": "Pearson"}
    tables = [_scores("Word similarity", found.get("similarity"), similarity, "pairs")]
    for entry in found.get("analogies") or []:
        rows = [*entry.get("sections", []), *([entry["total"]] if "total" in entry else [])]
        title = f"Analogies: {entry.get('file', '')}, {entry.get('method', '')}"
        tables.append(_scores(title, rows, {"name": "section", "accuracy": "right, of known"}, "questions"))
    tables.append(_scores("Pairs of words", found.get("pairs"), {"file": "file", "auc": "AUC", "spearman": "Spearman"}))
    held = found.get("held_out")
    rows = [{"name": name.replace("_", " "), "value": value} for name, value in held.items()] if held else []
    tables.append(_scores("Pairs kept from the fit", rows, {"name": "measure", "value": "value"}))
    lengths = {"vectors": "vectors", "spearman": "Spearman", "slope": "slope", "words": "words"}
    tables.append(_scores("‖v‖² against −log p", found.get("squared_length"), lengths))
    told = [table for table in tables if table is not None]
    if not told:
        return None
    now = run.manifests["vectors"].fingerprint if "vectors" in run.manifests else None
    others = node("p", "These are scores of vectors that are no longer here.", class_="absent")
    return section("evaluation", "Evaluation", others if found.get("vectors", now) != now else None, *told)


def _scores(
    title: str, rows: Sequence[Mapping[str, Any]] | None, columns: Mapping[str, str], asked: str = ""
) -> Element | None:
    """Some of each row's values under headings; with ``asked``, how many of those could be."""
    if not rows:
        return None
    headings = tuple(columns.values())
    body = [tuple(score(row.get(key)) for key in columns) for row in rows]
    if asked:
        known = [f"{score(row.get('known'))} of {score(row.get(asked))}" for row in rows]
        headings, body = (*headings, f"{asked} known"), [(*cells, k) for cells, k in zip(body, known, strict=True)]
    return node("div", node("h3", title), Table(headings, body).element())


def score(value: Any) -> str:
    """A measure as a table shows it; whole numbers are counts.

    >>> score(0.67812), score(1351), score(None), score("3CosAdd")
    ('0.678', '1,351', 'none', '3CosAdd')
    """
    if value is None:
        return "none"
    if isinstance(value, float):
        return number(value, 3)
    return f"{value:,}" if isinstance(value, int) else str(value)


def run_section(run: RunFiles, status_rows: Sequence[Mapping[str, Any]]) -> Element:
    """The stages, their sizes and seconds, and the settings of the last one."""
    rows = []
    for row in status_rows:
        numbers = ("", "", "")
        if row["rows"] is not None:
            numbers = (f"{row['rows']:,}", f"{row['bytes'] / 1e6:,.1f}", f"{row['seconds']:,.1f}")
        rows.append((row["stage"], *numbers, _moment(row["written_at"]), row["state"]))
    stages = Table(("stage", "rows", "MB", "seconds", "made at, UTC", "state"), rows, texts=2).element()
    last = list(run.manifests.values())[-1]
    missing = [stage for stage in CORE_STAGES if stage not in run.manifests]
    note = node("p", f"Not there yet: {', '.join(missing)}.", class_="absent") if missing else None
    settings = Table(
        ("setting", "value"),
        [
            (f"{part}.{name}", json.dumps(value, ensure_ascii=False))
            for part, entries in last.configuration.items()
            for name, value in entries.items()
        ],
        texts=1,
    ).element()
    folded = node("details", node("summary", f"Settings of the stage {last.artifact}"), settings)
    versions = ", ".join(f"{name} {number}" for name, number in last.versions.items())
    return section("run", "How it was made", stages, note, folded, node("p", versions, class_="small"))


def _moment(written_at: str | None) -> str:
    """To the minute."""
    return "" if not written_at else datetime.fromisoformat(written_at).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
