"""Scores beside gensim's own on the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pmi_spark.export.export import Format, export_vectors
from pmi_spark.vectors.evaluate import score_analogies, score_similarity
from pmi_spark.vectors.judgements import read_analogies, read_judgements
from pmi_spark.vectors.store import load_vectors

keyed_vectors = pytest.importorskip("gensim.models.keyedvectors")
pytestmark = pytest.mark.parametrize("restrict", [300_000, 250, 60])


@pytest.fixture(scope="module")
def ours(scored_run):
    return load_vectors(str(scored_run.output))


@pytest.fixture(scope="module")
def gensims(scored_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gensim") / "vectors"
    export_vectors(str(scored_run.output), Format.gensim, str(folder))
    return keyed_vectors.KeyedVectors.load(str(folder / "vectors.kv"))


@pytest.fixture(scope="module")
def judged(scored_run, tmp_path_factory) -> Path:
    """400 pairs: words in any capitals, some with themselves, some unknown; scores repeat."""
    generator = np.random.default_rng(11)
    path = tmp_path_factory.mktemp("files") / "judged.tsv"
    lines = ["# first\tsecond", "Word 1\tWord 2\tMean"]
    for number in range(400):
        first, second = (scored_run.words[k] for k in generator.integers(0, 300, 2))
        second = first if number % 9 == 0 else "stranger" if number % 13 == 0 else second
        lines.append(f"{(str.upper, str.lower, str)[number % 3](first)}\t{second}\t{generator.integers(0, 40) / 4}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def asked(scored_run, tmp_path_factory, gensims) -> Path:
    """300 questions in three sections, half of which have the answer that gensim gives."""
    generator = np.random.default_rng(12)
    path = tmp_path_factory.mktemp("files") / "questions.txt"
    lines = []
    for number in range(300):
        if number % 100 == 0:
            lines.append(f": section {number}")
        pool = 60 if number % 3 else 300
        a, b, c, d = (scored_run.words[k] for k in generator.choice(pool, 4, replace=False))
        if number % 2:
            d = gensims.most_similar(positive=[b, c], negative=[a], topn=1, restrict_vocab=pool)[0][0]
        lines.append(f"{a.upper()} {b} {c} {'stranger' if number % 17 == 0 else d}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_word_pairs_have_gensims_correlations_and_coverage(ours, gensims, judged, restrict):
    pearson, spearman, unknown = gensims.evaluate_word_pairs(str(judged), restrict_vocab=restrict)
    score = score_similarity(ours, read_judgements(str(judged)), restrict)
    assert score.pearson == pearson[0]
    assert score.spearman == spearman[0]
    assert 100 * (1 - score.pairs_known / score.pairs_all) == pytest.approx(unknown)
    assert 1 < score.pairs_known < score.pairs_all


def test_analogies_have_gensims_answers_section_by_section(ours, gensims, asked, restrict):
    accuracy, sections = gensims.evaluate_word_analogies(str(asked), restrict_vocab=restrict)
    scores = score_analogies(ours, read_analogies(str(asked)), "add", restrict)
    found = [(section["section"], len(section["correct"]), len(section["incorrect"])) for section in sections[:-1]]
    assert [(score.section, score.right, score.questions_known - score.right) for score in scores] == found
    right, known = sum(score.right for score in scores), sum(score.questions_known for score in scores)
    assert right / known == accuracy
    assert 0 < right < known < sum(score.questions_all for score in scores)


def best_by_multiplication(gensims, question, restrict: int) -> str:
    """gensim's answer among the first words; it has no evaluation by multiplication, and no restriction of it."""
    _, a, b, c, _ = question
    given = {a.upper(), b.upper(), c.upper()}
    ranked = gensims.most_similar_cosmul(positive=[b, c], negative=[a], topn=300)
    answers: Callable[[str], bool] = lambda word: gensims.get_index(word) < restrict and word.upper() not in given  # noqa: E731
    return next(word for word, _ in ranked if answers(word)).upper()


def test_3cosmul_has_the_answers_of_gensims_most_similar_cosmul(ours, gensims, asked, restrict):
    first_of = {word.upper(): word for word in reversed(gensims.index_to_key)}
    known = {word for word in first_of if gensims.get_index(first_of[word]) < restrict}
    right = count = 0
    for question in read_analogies(str(asked)):
        if all(word.upper() in known for word in question[1:]):
            spelt = question._replace(
                **{side: first_of[getattr(question, side).upper()] for side in question._fields[1:]}
            )
            right += best_by_multiplication(gensims, spelt, restrict) == question.fourth.upper()
            count += 1
    scores = score_analogies(ours, read_analogies(str(asked)), "mul", restrict)
    assert (sum(score.right for score in scores), sum(score.questions_known for score in scores)) == (right, count)
    assert 0 < right < count
