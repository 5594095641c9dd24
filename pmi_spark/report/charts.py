"""From figures to charts: each a plot, what it says in words, and its values as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from pmi_spark.report.figures import Density, LengthLine, PmiHistogram, RankCurve, Sweep
from pmi_spark.report.svg import Axis, Element, Plot, node, padded

Value = TypeVar("Value")

# A table behind a chart is read by people.
MOST_TABLE_ROWS = 40
# Shades of a grid: a cell of one word must still be seen.
FAINTEST = 0.12
HINT = "Point at the chart, or focus it and use the arrow keys, to read values."


class Table(NamedTuple):
    """A heading a column, and rows of texts; the first column names the row, the last ``texts`` are no numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int = 0

    def element(self) -> Element:
        edge = len(self.headings) - self.texts
        kinds = [None if place < edge else "text" for place in range(len(self.headings))]
        head = [node("th", text, scope="col", class_=kind) for text, kind in zip(self.headings, kinds, strict=True)]
        body = []
        for row in self.rows:
            cells = [node("td", text, class_=kind) for text, kind in zip(row[1:], kinds[1:], strict=True)]
            body.append(node("tr", node("th", row[0], scope="row"), *cells))
        table = node("table", node("thead", node("tr", *head)), node("tbody", *body))
        return node("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"Table: {self.headings[0]}")


class Chart(NamedTuple):
    """A chart with its heading, what it says in words, a legend ({class of a mark: its name}), and its values."""

    name: str
    title: str
    text: str
    plot: Plot
    table: Table
    legend: Sequence[tuple[str, str]] = ()

    def element(self) -> Element:
        keys = [node("span", node("span", class_=f"key {kind}"), name, class_="entry") for kind, name in self.legend]
        legend = node("p", *keys, class_="legend") if keys else None
        frame = node(
            "div",
            self.plot.element(),
            class_="plot",
            tabindex="0",
            role="group",
            aria_roledescription="chart",
            aria_label=self.plot.label,
            aria_describedby=f"{self.name}-readout",
        )
        return node(
            "figure",
            node("figcaption", node("h3", self.title), node("p", self.text)),
            legend,
            frame,
            node("p", HINT, class_="readout", id=f"{self.name}-readout", aria_live="polite"),
            node("details", node("summary", "Values as a table"), self.table.element()),
            id=self.name,
        )


def thinned(values: Sequence[Value], most: int = MOST_TABLE_ROWS) -> list[Value]:
    """Some of many values, the first and the last among them.

    >>> thinned(range(10), most=4)
    [0, 3, 6, 9]
    """
    if len(values) <= most:
        return list(values)
    return [values[k] for k in np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def percent(share: float, digits: int = 1) -> str:
    """As a reader knows it.

    >>> percent(0.9823)
    '98.2 %'
    """
    return f"{100 * share:.{digits}f} %"


def number(value: float, digits: int) -> str:
    """With a minus sign that is one.

    >>> number(-1.5, 2)
    '−1.50'
    """
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def rank_chart(curve: RankCurve, minimum_count: int) -> Chart:
    """Occurrences by rank, on logarithmic axes, with a line at the vocabulary's minimum count."""
    size, most = int(curve.ranks[-1]), float(curve.values[0])
    low = float(min(curve.values[-1], max(minimum_count, 1)))
    plot = Plot(
        f"Word counts by rank: from {most:,.0f} occurrences at rank 1 to {curve.values[-1]:,.0f} at rank {size:,}",
        Axis("rank of the word", 1, max(size, 2), logarithmic=True),
        Axis("occurrences", max(low / 2, 0.5), max(most * 2, 2), logarithmic=True),
    )
    values = [max(value, 0.5) for value in curve.values.tolist()]
    plot.line(curve.ranks.tolist(), values, "line first")
    if minimum_count > 1:
        plot.rule(f"minimum count {minimum_count:,}", y=minimum_count)
    for rank, value, shown in zip(curve.ranks.tolist(), curve.values.tolist(), values, strict=True):
        plot.stop(rank, shown, f"rank {rank:,}: {value:,.0f} occurrences")
    rows = [(f"{rank:,}", f"{value:,.0f}") for rank, value in thinned(list(zip(*_lists(curve), strict=True)))]
    text = "Both axes are logarithmic. Zipf's law would be a straight line."
    return Chart("ranks", "Word counts by rank", text, plot, Table(("rank", "occurrences"), rows))


def coverage_chart(curve: RankCurve, half_words: int | None) -> Chart:
    """The share of the text that the k most frequent words make up."""
    size, reached = int(curve.ranks[-1]), float(curve.values[-1])
    plot = Plot(
        f"Coverage of the text: {percent(curve.values[0])} by one word, {percent(reached)} by all {size:,}",
        Axis("most frequent words taken", 1, max(size, 2), logarithmic=True),
        Axis("share of all words in the text, %", 0, 100),
    )
    shares = (100 * curve.values).tolist()
    plot.line(curve.ranks.tolist(), shares, "line first")
    for rank, share in zip(curve.ranks.tolist(), shares, strict=True):
        plot.stop(rank, share, f"the {rank:,} most frequent words: {share:.1f} % of the text")
    rows = [
        (f"{rank:,}", f"{share:.1f}") for rank, share in thinned(list(zip(curve.ranks.tolist(), shares, strict=True)))
    ]
    text = f"The vocabulary of {size:,} words covers {percent(reached)} of the text"
    text += f"; half of the text is made of {half_words:,} of them." if half_words else "."
    return Chart("coverage", "Coverage of the text", text, plot, Table(("words", "share of the text, %"), rows))


def pmi_chart(histogram: PmiHistogram) -> Chart:
    """PMI of the pairs that met: each counted once, and each as often as it met."""
    bins = histogram.bins()
    width = float(bins.edges[1] - bins.edges[0])
    highest = float(max(bins.pairs.max(), bins.occurrences.max()))
    plot = Plot(
        f"Distribution of PMI over {histogram.pair_count:,} pairs; their mean is {histogram.mean(False):.2f} nats",
        Axis("PMI, nats", float(bins.edges[0]), float(bins.edges[-1])),
        Axis(f"share in a bin of {width:g} nats, %", 0, 118 * highest),
    )
    if bins.edges[0] < 0 < bins.edges[-1]:
        plot.rule("as by chance", x=0.0)
    rows = []
    edges = bins.edges.tolist()
    for left, right, pairs, occurrences in zip(edges, edges[1:], bins.pairs, bins.occurrences, strict=False):
        plot.bar(left, right, 100 * float(pairs), "bar first")
        rows.append((f"{left:g} to {right:g}", f"{100 * pairs:.2f}", f"{100 * occurrences:.2f}"))
        text = f"{100 * pairs:.2f} % of the pairs, {100 * occurrences:.2f} % of the meetings"
        plot.stop((left + right) / 2, 100 * float(pairs), f"PMI {left:g} to {right:g} nats: {text}")
    # The second distribution is an outline: corners at every edge, down to the axis at both ends.
    outline = np.repeat(np.concatenate([[0.0], 100 * bins.occurrences, [0.0]]), 2)[1:-1]
    plot.line(np.repeat(bins.edges, 2).tolist(), outline.tolist(), "line second")
    text = (
        f"{histogram.pair_count:,} pairs met. Counted once each, their mean is {histogram.mean(False):.2f} nats, the "
        f"median {histogram.median(False):.2f}, and {percent(histogram.positive_share(False))} lie above 0; counted as "
        f"often as they met, {histogram.mean(True):.2f}, {histogram.median(True):.2f} and "
        f"{percent(histogram.positive_share(True))}."
    )
    legend = (("bar first", "pairs, each once"), ("line second", "pairs, as often as they met"))
    table = Table(("PMI, nats", "pairs, %", "meetings, %"), rows)
    return Chart("pmi-distribution", "Distribution of PMI", text, plot, table, legend)


def sweep_chart(
    name: str, title: str, unit: str, sweeps: Sequence[Sweep], values: Sequence[float | None]
) -> Chart | None:
    """One measure a sweep; None when no sweep has it."""
    told = [(place, value) for place, value in enumerate(values, start=1) if value is not None]
    if not told:
        return None
    measured = [value for _, value in told]
    warm = sum(sweep.name.startswith("warm") for sweep in sweeps)
    order = f"sweep ({warm} warm, then {len(sweeps) - warm} weighted)" if warm else "sweep"
    plot = Plot(
        f"{title}: {measured[0]:,.4g} after {sweeps[told[0][0] - 1].name}, {measured[-1]:,.4g} after the last sweep",
        Axis(order, 0.5, len(sweeps) + 0.5, whole=True),
        padded(unit, measured, share=0.15),
    )
    places = [place for place, _ in told]
    plot.line(places, measured, "line first")
    plot.dots(places, measured, "dot first", radius=4)
    rows = []
    for sweep, value in zip(sweeps, values, strict=True):
        rows.append((sweep.name, "" if value is None else f"{value:,.6g}", f"{sweep.seconds:.1f}"))
    for place, value in told:
        plot.stop(place, value, f"{sweeps[place - 1].name}: {value:,.6g}")
    silent = sum(value is None for value in values)
    text = f"{len(told)} of {len(sweeps)} sweeps were measured."
    if silent:
        text += " Warm sweeps minimize an unweighted loss of their own, and are not."
    return Chart(name, title, text, plot, Table(("sweep", unit, "seconds"), rows))


def length_chart(grid: Density, fitted: LengthLine) -> Chart:
    """|v|^2 against -log p over all words: how many words in each cell, each column's median, the line fitted."""
    spearman, slope, intercept = fitted
    left, right = float(grid.x_edges[0]), float(grid.x_edges[-1])
    low, high = float(grid.y_edges[0]), float(grid.y_edges[-1])
    sign = "−" if slope < 0 else "+"
    plot = Plot(
        f"Squared length against -log p: rank correlation {number(spearman, 2)}, slope {number(slope, 2)}",
        Axis("−log p, nats (rare words to the right)", left, right),
        Axis("‖v‖²", low, high),
    )
    most = max(int(grid.counts.max()), 2)
    for column, row in zip(*np.nonzero(grid.counts), strict=True):
        shade = FAINTEST + (1 - FAINTEST) * math.log(grid.counts[column, row]) / math.log(most)
        x, y = grid.x_edges[column : column + 2].tolist(), grid.y_edges[row : row + 2].tolist()
        plot.cell(x[0], x[1], y[0], y[1], "cell first", shade)
    ends = _within(left, right, low, high, slope, intercept)
    if ends is not None:
        plot.line(*ends, kind="line second")
    middles = ((grid.x_edges[1:] + grid.x_edges[:-1]) / 2).tolist()
    words = grid.counts.sum(axis=1).tolist()
    rows = []
    for x, median, count in zip(middles, grid.medians.tolist(), words, strict=True):
        if not math.isnan(median):
            rows.append((f"{x:.2f}", f"{median:.2f}", f"{count:,}"))
            shown = min(max(median, low), high)
            plot.stop(x, shown, f"−log p about {x:.1f} nats: median ‖v‖² {median:.2f} over {count:,} words")
    text = (
        "Where one space holds every PMI, ‖v‖² stands for −log p; a background term draws rare words towards 0. "
        f"Rank correlation {number(spearman, 3)}; the line is "
        f"‖v‖² = {number(intercept, 2)} {sign} {abs(slope):.3f} (−log p). "
        "The stronger a cell, the more words are in it"
    )
    text += f"; {grid.outside:,} words lie outside." if grid.outside else "."
    legend = (("bar first", "words"), ("line second", "line fitted to all words"))
    table = Table(("−log p, nats", "median ‖v‖²", "words"), rows)
    return Chart("lengths", "Squared length and rarity", text, plot, table, legend)


def _within(
    left: float, right: float, low: float, high: float, slope: float, intercept: float
) -> tuple[list[float], list[float]] | None:
    """The two ends of the part of y = intercept + slope x that lies in a box; None when it passes it by.

    >>> _within(0.0, 10.0, 0.0, 5.0, slope=1.0, intercept=0.0)
    ([0.0, 5.0], [0.0, 5.0])
    """
    start, end = left, right
    if slope:
        crossings = sorted(((low - intercept) / slope, (high - intercept) / slope))
        start, end = max(left, crossings[0]), min(right, crossings[1])
    elif not low <= intercept <= high:
        return None
    if start >= end:
        return None
    return [start, end], [intercept + slope * start, intercept + slope * end]


def _lists(curve: RankCurve) -> tuple[list[int], list[float]]:
    return curve.ranks.tolist(), curve.values.tolist()
