from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from pmi_spark.corpus.docstrings import docstring_documents, source_folders

MODULE = '''"""First paragraph
over two lines.

Second   paragraph."""

class Box:
    """A box."""

    def lid(self):
        """The lid."""

async def fetch():
    """Fetched."""

def bare():
    x = "no docstring"
    return x
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


def test_each_paragraph_of_each_docstring_is_one_line(folder):
    (folder / "box.py").write_text(MODULE, encoding="utf-8")
    documents = list(docstring_documents(folder))
    assert documents[:2] == ["First paragraph over two lines.", "Second paragraph."]
    assert sorted(documents[2:]) == ["A box.", "Fetched.", "The lid."]


def test_files_come_in_order_of_their_path(folder):
    for name in ("c.py", "a.py", "b/x.py"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'"""Text of {name}."""\n', encoding="utf-8")
    assert list(docstring_documents(folder)) == ["Text of a.py.", "Text of b/x.py.", "Text of c.py."]


@pytest.mark.parametrize("content", [b"def broken(:\n", b"\xff\xfe\x00", b"# coding: nonsense\n", b"x = '\x00'\n"])
def test_files_that_do_not_parse_are_passed_over(folder, content):
    (folder / "a.py").write_bytes(content)
    (folder / "b.py").write_text('"""Good."""\n', encoding="utf-8")
    assert list(docstring_documents(folder)) == ["Good."]


def test_a_source_in_another_encoding_is_read_in_it(folder):
    (folder / "a.py").write_bytes('# coding: latin-1\n"""Café."""\n'.encode("latin-1"))
    assert list(docstring_documents(folder)) == ["Café."]


def test_packages_below_the_standard_library_and_other_files_are_passed_over(folder):
    for name in ("site-packages/other/a.py", "notes.txt"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('"""Not here."""\n', encoding="utf-8")
    assert list(docstring_documents(folder)) == []


def test_a_folder_below_site_packages_is_itself_read(tmp_path):
    package = tmp_path / "site-packages" / "package"
    package.mkdir(parents=True)
    (package / "a.py").write_text('"""Here."""\n', encoding="utf-8")
    assert list(docstring_documents(package)) == ["Here."]


def test_texts_attached_to_compiled_functions_are_documents(folder):
    text = 'add_newdoc("numpy", "absolute",\n    """\n    The absolute value.\n\n    Element by element.\n    """)\n'
    (folder / "docs.py").write_text(text, encoding="utf-8")
    assert list(docstring_documents(folder)) == ["The absolute value.", "Element by element."]


def test_a_warning_in_a_source_is_not_the_readers_concern(folder, recwarn):
    (folder / "a.py").write_text('"""Fine."""\nx = "\\d"\n', encoding="utf-8")
    assert list(docstring_documents(folder)) == ["Fine."]
    assert not recwarn.list


def test_source_folders_are_the_standard_librarys_and_the_named_packages():
    import numpy as np

    folders = source_folders(["numpy", "no_such_package_anywhere"])
    assert folders == [Path(sysconfig.get_path("stdlib")), Path(np.__file__).parent]
