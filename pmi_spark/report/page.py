"""The page: sections, templates and embedded data as one HTML text."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Any

import numpy as np

from pmi_spark.report.svg import Element, node, render
from pmi_spark.report.word_map import WordMap
from pmi_spark.report.word_space import PackedSpace

ASSETS = resources.files("pmi_spark.report") / "assets"
SCRIPTS = ("theme.js", "charts.js", "search.js", "map.js")
# The largest page there may be, and what of it is left to everything but the vectors.
MOST_PAGE_BYTES = 25_000_000
LAYOUT_STEPS = 4000


def asset(name: str) -> str:
    """A template, wherever the package lies: a folder, or the archive that a cluster is sent."""
    return (ASSETS / name).read_text(encoding="utf-8")


def json_block(name: str, value: Any) -> str:
    r"""Data for the page's script. Nothing in it can end the element or be taken for markup.

    >>> print(json_block("data", ["</script><b>"]))
    <script type="application/json" id="data">["\u003c/script>\u003cb>"]</script>
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def packed(values: np.ndarray[Any, Any], kind: str) -> str:
    """Numbers as base64 of their little-endian bytes.

    >>> packed(np.array([1.0]), "<f4")
    'AACAPw=='
    """
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")


def word_data(space: PackedSpace, word_map: WordMap | None) -> str:
    """The block of words and vectors, and of the map where there is one."""
    data: dict[str, Any] = {
        "words": space.words,
        "counts": space.counts.tolist(),
        "axes": space.codes.shape[1],
        "shift": space.shift,
        "steps": packed(space.steps, "<f4"),
        "lengths": packed(space.lengths, "<f4"),
        "metric": packed(space.metric, "<f4"),
        "codes": packed(space.codes, "<i1"),
    }
    if word_map is not None:
        data["map"] = {
            "layouts": {
                name: np.rint(layout * LAYOUT_STEPS).astype(int).ravel().tolist()
                for name, layout in word_map.layouts.items()
            },
            "steps": LAYOUT_STEPS,
            "clusters": word_map.clusters.tolist(),
            "names": word_map.names,
            "held": word_map.held_share,
        }
    return json_block("word-data", data)


def contents(sections: Sequence[tuple[str, str]]) -> Element:
    """The list of sections, (id, title) each."""
    links = [node("li", node("a", title, href=f"#{name}")) for name, title in sections]
    return node("nav", node("ul", *links), aria_label="Sections")


def render_page(title: str, subtitle: str, sections: Sequence[Element], words: str = "", search: str = "") -> str:
    """The whole file. ``words`` is the data block, ``search`` the markup of what needs it.

    Its content security policy names the digests of its own script and style: nothing else is run, loaded or sent.
    """
    style, script = asset("style.css"), "".join(f"{{\n{asset(name)}}}\n" for name in SCRIPTS)
    listed = [(own.attrib["id"], own[0].text or "") for own in sections]
    if search:
        listed = [("search", "Search"), ("map", "Map"), *listed]
    policy = f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'"
    return Template(asset("page.html")).substitute(
        policy=f"{policy}; base-uri 'none'; form-action 'none'",
        title=render(node("title", title)),
        heading=render(node("h1", title)) + render(node("p", subtitle, class_="small")),
        style=style,
        script=script,
        contents=render(contents(listed)),
        search=search,
        sections="\n".join(render(own) for own in sections),
        words=words,
    )


def digest(text: str) -> str:
    """As a content security policy names a script: SHA-256 of what stands between its tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
