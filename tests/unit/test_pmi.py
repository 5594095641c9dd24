from __future__ import annotations

import pytest

from pmi_spark.association.measures import FURTHER_MEASURES
from pmi_spark.association.pmi import parse_measures
from pmi_spark.errors import ConfigurationError


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_no_names_are_no_measures(text):
    assert parse_measures(text) == ()


def test_measures_come_in_the_artifacts_order_and_once():
    assert parse_measures("log_likelihood,npmi, npmi ,") == FURTHER_MEASURES == ("npmi", "log_likelihood")
    assert parse_measures("log_likelihood") == ("log_likelihood",)


def test_an_unknown_measure_is_named_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"pmi\.measures names ppmi; known measures: npmi, log_likelihood"):
        parse_measures("npmi, ppmi")


def test_a_likelihood_ratio_needs_window_marginals():
    assert parse_measures("log_likelihood", "window") == ("log_likelihood",)
    with pytest.raises(ConfigurationError, match=r"set pmi\.marginals to window"):
        parse_measures("log_likelihood", "unigram")
