"""Charts as trees: what is drawn where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.report.charts import coverage_chart, length_chart, pmi_chart, rank_chart, sweep_chart
from pmi_spark.report.figures import (
    Density,
    LengthLine,
    PmiHistogram,
    RankCurve,
    Sweep,
    coverage,
    density,
    rank_frequency,
)
from pmi_spark.report.svg import MOST_TICKS, Axis, Element, Plot, padded, render


def marks(element: Element, kind: str) -> list[Element]:
    return [found for found in element.iter() if kind in found.attrib.get("class", "").split()]


def texts(element: Element) -> str:
    return " ".join("".join(found.itertext()) for found in element.iter("text"))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_of_a_plain_axis_stand_within_it_and_are_few(low, size):
    ticks = Axis("x", low, low + size).ticks()
    assert 2 <= len(ticks) <= 2 * MOST_TICKS
    assert all(-1e-6 <= tick.place <= 1 + 1e-6 for tick in ticks)


@given(st.floats(0.5, 1e3), st.floats(2, 1e9))
def test_ticks_of_a_logarithmic_axis_stand_within_it_and_are_few(low, factor):
    ticks = Axis("x", low, low * factor, logarithmic=True).ticks()
    assert 1 <= len(ticks) <= MOST_TICKS + 2
    assert all(-1e-6 <= tick.place <= 1 + 1e-6 for tick in ticks)


def test_whole_axes_have_no_ticks_between():
    assert [tick.text for tick in Axis("sweep", 0.5, 2.5, whole=True).ticks()] == ["1", "2"]


@pytest.mark.parametrize("values", [[5.0], [0.0], [-3.0, -3.0]])
def test_an_axis_around_one_value_has_room(values):
    axis = padded("x", values)
    assert axis.low < values[0] < axis.high


def test_marks_stand_at_their_values():
    plot = Plot("label", Axis("x", 0, 10), Axis("y", 0, 4))
    plot.dots([5.0], [1.0], "dot")
    plot.bar(2.0, 3.0, 4.0, "bar")
    plot.line([0.0, 10.0], [0.0, 4.0], "line")
    drawn = plot.element()
    (dot,) = marks(drawn, "dot")
    assert (dot.get("cx"), dot.get("cy")) == ("50.00%", "75.00%")
    (bar,) = marks(drawn, "bar")
    assert [bar.get(name) for name in ("x", "y", "width", "height")] == ["20.00%", "0.00%", "10.00%", "100.00%"]
    (line,) = marks(drawn, "line")
    assert line.get("points") == "0.0,1000.0 1000.0,0.0"


def test_the_minimum_count_is_a_line_where_there_is_one():
    curve = rank_frequency(np.array([900, 50, 7, 5]))
    drawn = rank_chart(curve, 5).element()
    assert "minimum count 5" in texts(drawn)
    assert len(marks(drawn, "rule")) == 1
    assert not marks(rank_chart(curve, 1).element(), "rule")


@pytest.mark.parametrize("counts", [[1], [1, 1], [0, 0], [10**12, 1]])
def test_charts_of_a_vocabulary_of_any_kind_are_drawn(counts):
    word_counts = np.array(counts)
    assert "NaN" not in render(rank_chart(rank_frequency(word_counts), 5).element())
    assert "nan" not in render(coverage_chart(coverage(word_counts, int(word_counts.sum())), None).element())


def test_every_stop_says_its_value():
    chart = coverage_chart(RankCurve(np.array([1, 10, 100]), np.array([0.1, 0.5, 0.98])), 10)
    said = [stop.get("data-text") for stop in marks(chart.element(), "stop")]
    assert said == [
        "the 1 most frequent words: 10.0 % of the text",
        "the 10 most frequent words: 50.0 % of the text",
        "the 100 most frequent words: 98.0 % of the text",
    ]
    assert chart.table.rows[-1] == ("100", "98.0")


def test_the_histogram_is_drawn_by_pairs_and_by_meetings():
    histogram = PmiHistogram()
    histogram.add(np.array([-1.0, 0.5, 0.5, 2.0]), np.array([1.0, 1.0, 1.0, 5.0]))
    chart = pmi_chart(histogram)
    drawn = chart.element()
    heights = [float(bar.get("height", "0").rstrip("%")) for bar in marks(drawn, "bar") if bar.tag == "rect"]
    assert max(heights) == pytest.approx(100 * 0.5 / 0.625 / 1.18, abs=0.1)
    assert sum(float(row[1]) for row in chart.table.rows) == pytest.approx(100, abs=0.1)
    assert sum(float(row[2]) for row in chart.table.rows) == pytest.approx(100, abs=0.1)
    assert "4 pairs met" in chart.text


SWEEPS = [Sweep("warm 1", None, None, 1.0), Sweep("weighted 1", 9.0, None, 2.0), Sweep("weighted 2", 8.0, None, 2.0)]


def test_a_measure_is_drawn_for_the_sweeps_that_have_it():
    chart = sweep_chart("loss", "Loss", "loss", SWEEPS, [sweep.loss for sweep in SWEEPS])
    assert chart is not None
    assert [stop.get("data-text") for stop in marks(chart.element(), "stop")] == ["weighted 1: 9", "weighted 2: 8"]
    assert chart.table.rows[0] == ("warm 1", "", "1.0")
    assert sweep_chart("error", "Error", "nats", SWEEPS, [sweep.held_out_error for sweep in SWEEPS]) is None


def test_the_grid_and_the_line_fitted_are_drawn_within_the_chart():
    random = np.random.default_rng(1)
    x = random.uniform(3, 14, 500)
    grid = density(x, 2 * x + random.normal(size=500))
    drawn = length_chart(grid, LengthLine(0.9, 2.0, 0.0)).element()
    assert len(marks(drawn, "cell")) == np.count_nonzero(grid.counts)
    (line,) = [found for found in marks(drawn, "line") if found.tag == "polyline"]
    places = [float(number) for point in line.get("points", "").split() for number in point.split(",")]
    assert all(-0.5 <= place <= 1000.5 for place in places)


def test_a_line_that_passes_the_chart_by_is_not_drawn():
    grid: Density = density(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    drawn = length_chart(grid, LengthLine(0.0, 0.0, 99.0)).element()
    assert not [found for found in marks(drawn, "line") if found.tag == "polyline"]
