"""The page as a file: whole, self-contained, and deaf to what corpora say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from pmi_spark.cli import main
from pmi_spark.errors import EXIT_FAILED, EXIT_USAGE, InputError, RunError
from pmi_spark.report.build import VECTOR_BYTES, write_report
from pmi_spark.report.page import MOST_PAGE_BYTES, SCRIPTS, asset, digest
from pmi_spark.report.run_files import RunFiles, write_page

VOID = {"meta", "input", "br", "hr", "img", "link"}


class Outline(HTMLParser):
    """Tags opened and closed in turn, every attribute, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, own, value in self.attributes if own == name]


@pytest.fixture(autouse=True)
def no_neighbour_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a second, and has its own tests."""
    monkeypatch.setattr("pmi_spark.report.word_map.FEWEST_WORDS", 1_000_000)


@pytest.fixture(scope="module")
def outline(page: Path) -> Outline:
    return Outline(page.read_text(encoding="utf-8"))


def test_every_element_is_closed(outline):
    assert outline.problems == []
    assert outline.open == []


def test_nothing_is_loaded_from_anywhere(page, outline):
    assert not outline.values("src")
    assert not [tag for tag, _, _ in outline.attributes if tag in ("link", "iframe", "img", "object", "embed")]
    assert all(target.startswith("#") for target in outline.values("href"))
    text = page.read_text(encoding="utf-8")
    styles = "".join(outline.texts["style"])
    assert "url(" not in styles
    assert "@import" not in styles
    # An address that names a vocabulary of markup is none that is asked.
    assert set(re.findall(r"https?://[^\"'\s)]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_policy_admits_the_pages_own_script_and_style_alone(page, outline):
    (policy,) = [value for value in outline.values("content") if "default-src" in value]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    text = page.read_text(encoding="utf-8")
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[-1]
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
    assert f"script-src '{digest(script)}'" in policy
    assert f"style-src '{digest(style)}'" in policy
    # It would be refused.
    assert not outline.values("style")
    assert not [name for _, name, _ in outline.attributes if name.startswith("on")]


def test_words_are_carried_as_data_and_never_as_markup(page, outline):
    blocks = re.findall(r'<script type="application/json" id="word-data">(.*?)</script>', page.read_text("utf-8"), re.S)
    data = json.loads(blocks[0])
    assert "<script>alert(1)</script>" in data["words"]
    assert "</script>" in data["words"]
    assert "<" not in blocks[0]
    assert len(re.findall(r"<script[ >]", page.read_text("utf-8"))) == 2
    # What manifests and evaluations say is text, too.
    assert "<i>first</i>" in outline.texts["th"]
    assert "<u>judged</u>.tsv" in outline.texts["th"]
    assert any("/texts/<b>.txt" in text for text in outline.texts["th"])
    assert not {"i", "u", "b"} & {tag for tag, _, _ in outline.attributes}


def test_each_label_and_description_points_to_what_is_there(outline):
    ids = outline.values("id")
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "aria-describedby", "aria-controls", "for"):
        for value in outline.values(name):
            assert set(value.split()) <= set(ids), (name, value)
    assert {target[1:] for target in outline.values("href")} <= set(ids)


def test_every_chart_has_a_table_a_label_and_a_place_for_the_focus(page):
    text = page.read_text(encoding="utf-8")
    charts = re.findall(r"<figure id=\"([\w-]+)\">(.*?)</figure>", text, re.DOTALL)
    names = {name for name, _ in charts}
    assert names == {"ranks", "coverage", "pmi-distribution", "loss", "held-out-error", "lengths"}
    for _, chart in charts:
        assert re.search(
            r'class="plot" tabindex="0" role="group" aria-roledescription="chart" aria-label="[^"]+" aria-describedby',
            chart,
        )
        assert "<details><summary>Values as a table</summary>" in chart
        assert "data-text=" in chart


def test_what_the_manifests_say_is_told(page):
    text = re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))
    for told in ("13", "binary", "too long", "invalid UTF-8 replaced", "second", "minimum count", "−0.500", "9 of 10"):
        assert told in text
    assert "no longer here" not in text


def test_scripts_never_write_markup():
    for name in SCRIPTS:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", asset(name)), name


def test_scores_of_other_vectors_are_told_apart(tmp_path, write_run):
    write_run(tmp_path)
    (tmp_path / "_evaluation.json").write_text('{"vectors": "another", "held_out": {"auc": 0.5}}', encoding="utf-8")
    path, _ = write_report(str(tmp_path))
    assert "no longer here" in Path(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["[]", "{", "null"])
def test_an_evaluation_that_is_none_is_named(tmp_path, write_run, text):
    write_run(tmp_path)
    (tmp_path / "_evaluation.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"_evaluation\.json is no evaluation; run `pmi-spark evaluate` again"):
        write_report(str(tmp_path))


@pytest.mark.parametrize("stages", [("tokens",), ("tokens", "vocabulary"), ("tokens", "vocabulary", "pairs", "pmi")])
def test_a_run_on_its_way_has_a_page_of_what_there_is(tmp_path, write_run, stages):
    write_run(tmp_path, stages)
    path, _ = write_report(str(tmp_path))
    outline = Outline(Path(path).read_text(encoding="utf-8"))
    assert outline.problems == []
    assert "pmi-spark vectors" in outline.texts["code"]
    assert not {"query", "map-canvas", "word-data"} & set(outline.values("id"))


def test_a_table_without_pairs_says_so(tmp_path, write_run, write_artifact):
    write_run(tmp_path)
    write_artifact(
        tmp_path, "pmi", [pa.table({"pmi": pa.array([], pa.float32()), "pair_count": pa.array([], pa.float64())})]
    )
    path, _ = write_report(str(tmp_path))
    assert "No pair met." in Path(path).read_text(encoding="utf-8")


def test_the_largest_page_leaves_room_for_all_but_the_vectors():
    assert VECTOR_BYTES * 4 / 3 < MOST_PAGE_BYTES - 8_000_000


def test_the_command_says_where_the_page_is(capsys, report_run, tmp_path):
    to = tmp_path / "page.html"
    assert main(["report", "--output", str(report_run), "--to", str(to)]) == 0
    assert capsys.readouterr().out == f"{to}  {to.stat().st_size / 1e6:,.1f} MB\n"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_by_default_it_lies_beside_the_artifacts_under_a_name_stages_pass_over(page, report_run):
    assert page == report_run / "_report.html"


@pytest.mark.parametrize("name", ["absent/page.html", "folder"])
def test_a_page_that_cannot_be_written_leaves_nothing(capsys, report_run, tmp_path, name):
    (tmp_path / "folder").mkdir()
    assert main(["report", "--output", str(report_run), "--to", str(tmp_path / name)]) == EXIT_USAGE
    error = capsys.readouterr().err
    assert error.startswith(f"pmi-spark: cannot write {tmp_path / name}: ")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_the_old_page_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "page.html"
    write_page(str(path), b"old")
    # Bytes are what is written: this fails once the file is open.
    with pytest.raises(TypeError):
        write_page(str(path), "new")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]
    write_page(path.as_uri(), b"new")
    assert path.read_bytes() == b"new"


def test_a_folder_that_no_run_wrote_to_is_a_usage_failure(capsys, tmp_path):
    assert main(["report", "--output", str(tmp_path)]) == EXIT_USAGE
    assert "no run wrote to" in capsys.readouterr().err
    with pytest.raises(InputError):
        RunFiles(str(tmp_path / "absent"))


@pytest.mark.parametrize("stage", ["vocabulary", "pmi", "vectors"])
def test_damaged_artifacts_are_named(capsys, tmp_path, write_run, stage):
    write_run(tmp_path)
    (tmp_path / stage / "part-00001.parquet").write_bytes(b"PAR1 and nothing more PAR1")
    assert main(["report", "--output", str(tmp_path)]) == EXIT_FAILED
    assert f"{tmp_path}/{stage} is damaged: " in capsys.readouterr().err
    assert not (tmp_path / "_report.html").exists()
