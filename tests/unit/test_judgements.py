from __future__ import annotations

import pytest

from pmi_spark.errors import InputError
from pmi_spark.vectors.judgements import read_analogies, read_judgements

ROWS = [("tiger", "cat", 7.35), ("Ärger", "Wut", 8.0)]


def written(tmp_path, text: str, name: str = "judged.txt") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "tiger\tcat\t7.35\n\nÄrger\tWut\t8\n",
        "tiger cat 7.35\nÄrger   Wut 8",
        "tiger;cat;7.35\r\nÄrger; Wut ;8.0\r\n",
        'tiger,cat,7.35\n"Ärger", Wut ,8\n',
        "\ufeffWord 1,Word 2,Human (mean)\ntiger,cat,7.35\nÄrger,Wut,8\n",
        "# Word 1\tWord 2\n# a comment\ntiger\tcat\t7.35\nÄrger\tWut\t8.0\n",
        "word1\tword2\tPOS\tSimLex999\tconc(w1)\ntiger\tcat\tN\t7.35\t1\nÄrger\tWut\tN\t8.0\t3\n",
        "tiger\tcat\tN\t7.35\tSYNONYMS\nÄrger\tWut\tN\t8.0\tNONE\n",
        "tiger\tcat\t7.35\t7\t8\nÄrger\tWut\t8\t8\tx\n",
    ],
    ids=["tabs", "spaces", "semicolons", "csv", "wordsim-csv", "comments", "simlex", "simverb", "every-judge"],
)
def test_every_form_gives_the_same_rows(tmp_path, text):
    assert read_judgements(written(tmp_path, text)) == ROWS


@pytest.mark.parametrize("line", ["tiger cat 7.35", "tiger\tcat", "tiger\tcat\thigh", "\tcat\t1", "a\tb\tnan"])
def test_a_line_that_is_no_judgement_is_named_with_its_number(tmp_path, line):
    path = written(tmp_path, f"# heading\na\tb\t1\n{line}\n")
    with pytest.raises(InputError, match=r"judged\.txt line 3 is .*; write word1, word2 and a score a line"):
        read_judgements(path)


@pytest.mark.parametrize("text", ["one two three\nfour five six\n", "a b\n", ": section\nman woman king queen\n"])
def test_a_file_that_holds_no_judgements_is_refused_at_its_first_line_but_one_heading(tmp_path, text):
    with pytest.raises(InputError, match=r"judged\.txt line [12] is"):
        read_judgements(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    for read in (read_judgements, read_analogies):
        with pytest.raises(InputError, match=r"cannot read .*absent\.tsv: No such file"):
            read(str(tmp_path / "absent.tsv"))


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "judged.txt"
    path.write_bytes("Ärger\tWut\t8\n".encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8"):
        read_judgements(str(path))


def test_analogies_come_with_their_sections(tmp_path):
    text = "big bigger cold colder\n: family ties\nman woman king queen\n\n# no question\n: gram\r\na,b,c,d\r\n"
    found = read_analogies(written(tmp_path, text))
    assert [analogy.section for analogy in found] == ["", "family ties", "gram"]
    assert [analogy[1:] for analogy in found][1:] == [("man", "woman", "king", "queen"), ("a", "b", "c", "d")]


@pytest.mark.parametrize("line", ["man woman king", "man woman king queen prince", "man,,king,queen"])
def test_a_line_that_is_no_question_is_named(tmp_path, line):
    with pytest.raises(InputError, match=f"line 2 is '{line}'; write four words a line"):
        read_analogies(written(tmp_path, f": family\n{line}\n"))
