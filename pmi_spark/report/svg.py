"""Scales, axes and marks as SVG trees: positions in percent, so that the browser fits a chart to any width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree import ElementTree

Element = ElementTree.Element
# A chart as wide as it may become has room for so many labelled ticks.
MOST_TICKS = 6
# Lines are drawn in a square of this side, which the browser stretches over the plot.
SQUARE = 1000


def node(tag: str, *content: Element | str | None, **attributes: str | float | None) -> Element:
    """An element; ``class_`` stands for class, and _ in other names for -. None is left out, text is escaped later.

    >>> ElementTree.tostring(node("p", "a < b ", node("b", "c"), " d", class_="note"), encoding="unicode")
    '<p class="note">a &lt; b <b>c</b> d</p>'
    """
    names = {name: "class" if name == "class_" else name.replace("_", "-") for name in attributes}
    made = Element(tag, {names[name]: str(value) for name, value in attributes.items() if value is not None})
    last: Element | None = None
    for part in content:
        if isinstance(part, str):
            if last is None:
                made.text = (made.text or "") + part
            else:
                last.tail = (last.tail or "") + part
        elif part is not None:
            made.append(part)
            last = part
    return made


def render(element: Element) -> str:
    """As HTML."""
    return ElementTree.tostring(element, encoding="unicode", method="html")


def compact(value: float, step: float | None = None) -> str:
    """A number as a tick shows it; with as many digits behind the point as the step between ticks has, where given.

    >>> [compact(value) for value in (0, 0.05, -2.5, 250, 1000, 2_500_000, 3e9)]
    ['0', '0.05', '−2.5', '250', '1k', '2.5M', '3G']
    >>> compact(4.1, step=0.002), compact(116_000_000, step=100_000)
    ('4.100', '116.0M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return compact(value / size, None if step is None else step / size) + letter
    digits = f"{value:.4g}" if step is None else f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
    return digits.replace("-", "\N{MINUS SIGN}")


class Tick(NamedTuple):
    """A place on an axis, 0 to 1, and what is written there."""

    place: float
    text: str


@dataclass(frozen=True)
class Axis:
    """One direction of a chart: what it measures with its unit, and its ends; ``whole``: ticks at whole numbers."""

    title: str
    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high one.

        >>> Axis("rank", 1, 100, logarithmic=True).place(10)
        0.5
        """
        if self.logarithmic:
            return (math.log10(value) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[Tick]:
        """Round values, MOST_TICKS + 1 at most.

        >>> [tick.text for tick in Axis("nats", -3, 12).ticks()]
        ['−2', '0', '2', '4', '6', '8', '10', '12']
        >>> [tick.text for tick in Axis("rank", 1, 74_502, logarithmic=True).ticks()]
        ['1', '10', '100', '1k', '10k']
        """
        if self.logarithmic:
            return [Tick(self.place(value), compact(value)) for value in self._decades()]
        step = self._step()
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [Tick(self.place(k * step), compact(k * step, step)) for k in range(first, last + 1)]

    def _decades(self) -> list[float]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        if last - first < 2:
            return [
                mantissa * 10.0**power
                for power in range(first - 1, last + 1)
                for mantissa in (1, 2, 5)
                if self.low <= mantissa * 10.0**power <= self.high
            ]
        return [10.0**power for power in range(first, last + 1, 1 + (last - first) // (MOST_TICKS + 1))]

    def _step(self) -> float:
        rough = (self.high - self.low) / MOST_TICKS
        size = 10.0 ** math.floor(math.log10(rough))
        step = size * min((1, 2, 5, 10), key=lambda multiple: abs(math.log(multiple * size / rough)))
        return max(step, 1.0) if self.whole else step


def padded(title: str, values: Iterable[float], share: float = 0.08) -> Axis:
    """An axis around some values, with room beyond them.

    >>> axis = padded("loss", [10.0, 20.0], share=0.1)
    >>> axis.low, axis.high
    (9.0, 21.0)
    """
    found = list(values)
    low, high = min(found), max(found)
    room = (high - low) * share or abs(high) * share or 1.0
    return Axis(title, low - room, high + room)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


@dataclass
class Plot:
    """A chart in the making. Marks are drawn in the order they are added; ``label`` is said to screen readers.

    ``stops`` are the values that pointer and arrow keys go through, each with its own text.
    """

    label: str
    x: Axis
    y: Axis
    marks: list[Element] = field(default_factory=list)
    stops: list[Element] = field(default_factory=list)

    def line(self, xs: Sequence[float], ys: Sequence[float], kind: str) -> None:
        """Points joined; ``kind`` is a class of the style sheet."""
        points = [(self.x.place(x), 1 - self.y.place(y)) for x, y in zip(xs, ys, strict=True) if not math.isnan(y)]
        path = " ".join(f"{SQUARE * across:.1f},{SQUARE * down:.1f}" for across, down in points)
        drawn = node("polyline", points=path, class_=kind, vector_effect="non-scaling-stroke")
        self.marks.append(node("svg", drawn, viewBox=f"0 0 {SQUARE} {SQUARE}", preserveAspectRatio="none"))

    def dots(self, xs: Sequence[float], ys: Sequence[float], kind: str, radius: float = 2.5) -> None:
        """A circle a point; the radius in pixels."""
        for x, y in zip(xs, ys, strict=True):
            across, down = _percent(self.x.place(x)), _percent(1 - self.y.place(y))
            self.marks.append(node("circle", cx=across, cy=down, r=radius, class_=kind))

    def bar(self, left: float, right: float, height: float, kind: str) -> None:
        """From the axis up to ``height``."""
        self.cell(left, right, self.y.low, height, kind)

    def cell(self, left: float, right: float, low: float, high: float, kind: str, opacity: float | None = None) -> None:
        """A rectangle between values."""
        start, top = self.x.place(left), 1 - self.y.place(high)
        self.marks.append(
            node(
                "rect",
                x=_percent(start),
                y=_percent(top),
                width=_percent(self.x.place(right) - start),
                height=_percent(self.y.place(high) - self.y.place(low)),
                class_=kind,
                fill_opacity=None if opacity is None else f"{opacity:.2f}",
            )
        )

    def rule(self, text: str, x: float | None = None, y: float | None = None) -> None:
        """A dashed line at one value across the whole plot, and what it stands for."""
        if x is not None:
            place = _percent(self.x.place(x))
            self.marks.append(node("line", x1=place, x2=place, y1="0", y2="100%", class_="rule"))
            end = self.x.place(x) > 0.6
            shift, anchor = (-5, "end") if end else (5, "start")
            self.marks.append(node("text", text, x=place, y="0", dx=shift, dy=30, text_anchor=anchor, class_="note"))
        if y is not None:
            place = _percent(1 - self.y.place(y))
            self.marks.append(node("line", x1="0", x2="100%", y1=place, y2=place, class_="rule"))
            self.marks.append(node("text", text, x="0", y=place, dx=5, dy=-5, class_="note"))

    def stop(self, x: float, y: float, text: str) -> None:
        """A value to stop at."""
        across, down = _percent(self.x.place(x)), _percent(1 - self.y.place(y))
        self.stops.append(node("circle", cx=across, cy=down, r=4.5, class_="stop", data_text=text))

    def element(self) -> Element:
        """The chart."""
        frame = node("rect", x="0", y="0", width="100%", height="100%", class_="frame")
        grid, texts = [], []
        for tick in self.x.ticks():
            place = _percent(tick.place)
            grid.append(node("line", x1=place, x2=place, y1="0", y2="100%", class_="grid"))
            texts.append(node("text", tick.text, x=place, y="100%", dy=17, text_anchor="middle"))
        for tick in self.y.ticks():
            place = _percent(1 - tick.place)
            grid.append(node("line", x1="0", x2="100%", y1=place, y2=place, class_="grid"))
            texts.append(node("text", tick.text, x="0", y=place, dx=-7, dy=4, text_anchor="end"))
        # Above its axis and not beside it: nobody has to turn the head, and ticks may be as long as they are.
        above = node("text", self.y.title, x="0", y="0", dx=-50, dy=-12)
        below = node("text", self.x.title, x="50%", y="100%", dy=38, text_anchor="middle")
        titles = node("g", above, below, class_="axis-title")
        inside = node("g", *self.marks)
        stops = node("g", *self.stops, class_="stops")
        parts = (frame, *grid, inside, *texts, titles, stops)
        return node("svg", *parts, class_="chart", role="img", aria_label=self.label)
