from __future__ import annotations

import dataclasses
import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmi_spark.config import (
    Config,
    build_config,
    checked,
    declared,
    declared_settings,
    load_config,
    parse_override,
)
from pmi_spark.errors import EXIT_USAGE, ConfigurationError
from pmi_spark.settings import toml_value

KEYS = [entry.key for entry in declared_settings()]
SECTIONS = [section.name for section in dataclasses.fields(Config)]
BOUNDED = [entry for entry in declared_settings() if entry.setting.low is not None]


def value_of(config: Config, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


@pytest.mark.parametrize("key", KEYS)
def test_every_default_passes_its_own_check(key):
    default = declared(key).default
    assert checked(key, default) == default
    assert type(checked(key, default)) is type(default)


@pytest.mark.parametrize("key", KEYS)
def test_every_default_stands_in_the_configuration_and_survives_the_command_line(key):
    default = declared(key).default
    assert value_of(Config(), key) == default
    assert parse_override(f"{key}={toml_value(default)}") == (key, default)


@pytest.mark.parametrize("entry", BOUNDED, ids=lambda entry: entry.key)
def test_bounds_are_inclusive_and_the_next_value_is_refused(entry):
    whole = isinstance(entry.default, int)
    for bound, beyond in ((entry.setting.low, -1), (entry.setting.high, 1)):
        if bound is None:
            continue
        checked(entry.key, int(bound) if whole else float(bound))
        outside = int(bound) + beyond if whole else math.nextafter(float(bound), beyond * math.inf)
        with pytest.raises(ConfigurationError, match="is out of range; it takes"):
            checked(entry.key, outside)


def test_out_of_range_names_key_value_and_range():
    with pytest.raises(ConfigurationError) as caught:
        checked("pairs.window", 101)
    assert str(caught.value) == "pairs.window = 101 is out of range; it takes 1 to 100 words"
    assert caught.value.exit_status == EXIT_USAGE


def test_a_choice_outside_the_list_names_the_list():
    with pytest.raises(ConfigurationError, match=r"pairs\.weighting = cubic .* flat \| linear \| harmonic"):
        checked("pairs.weighting", "cubic")


def test_not_a_number_is_in_no_range():
    with pytest.raises(ConfigurationError, match="out of range"):
        checked("pairs.subsample", math.nan)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("pairs.window", 5.0, "a whole number"),
        ("pairs.window", "5", "a whole number"),
        ("pairs.window", True, "a whole number"),
        ("pairs.subsample", "often", "a number"),
        ("pairs.subsample", False, "a number"),
        ("tokens.jieba_hmm", 1, "true or false"),
        ("tokens.jieba_hmm", "true", "true or false"),
        ("tokens.tokenizer", 3, "text in quotes"),
        ("pairs.window", [5], "a whole number"),
        ("pairs.window", {"value": 5}, "a whole number"),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_type_wanted(key, value, kind):
    with pytest.raises(ConfigurationError, match=f"is not {kind}; the default is"):
        checked(key, value)


def test_a_whole_number_will_do_for_a_number():
    value = checked("vectors.background", 2)
    assert (value, type(value)) == (2.0, float)


def test_an_unknown_key_names_the_keys_of_its_section():
    with pytest.raises(ConfigurationError) as caught:
        build_config({"pairs": {"windw": 5}})
    message = str(caught.value)
    assert "unknown configuration key pairs.windw" in message
    assert [key for key in KEYS if key in message] == [key for key in KEYS if key.startswith("pairs.")]


def test_an_unknown_section_in_a_key_names_every_key():
    with pytest.raises(ConfigurationError) as caught:
        declared("window")
    assert all(key in str(caught.value) for key in KEYS)


@pytest.mark.parametrize("document", [{"pair": {"window": 5}}, {"window": 5}, {"pairs": 5}])
def test_an_unknown_section_names_the_known_ones_and_the_file(document):
    with pytest.raises(ConfigurationError) as caught:
        build_config(document, where="my.toml")
    message = str(caught.value)
    assert "in my.toml" in message
    assert message.endswith(f"known sections: {', '.join(SECTIONS)}")


def test_overrides_win_over_the_file_and_the_last_override_over_the_others(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[pairs]\nwindow = 3\nweighting = 'flat'\n", encoding="utf-8")
    config = load_config(str(path), ["pairs.window=7", "pairs.window=8", "vectors.dimensions=20"])
    assert (config.pairs.window, config.pairs.weighting, config.vectors.dimensions) == (8, "flat", 20)
    assert config.vocabulary == Config().vocabulary


def test_no_file_and_no_overrides_are_the_defaults():
    assert load_config(None) == Config()
    assert build_config({}) == Config()
    assert build_config({"pairs": {}}) == Config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pairs.window=10", ("pairs.window", 10)),
        (" pairs.window = 10 ", ("pairs.window", 10)),
        ("pairs.subsample=1e-3", ("pairs.subsample", 0.001)),
        ("pairs.subsample=0", ("pairs.subsample", 0.0)),
        ("tokens.jieba_hmm=true", ("tokens.jieba_hmm", True)),
        ("tokens.tokenizer=jieba", ("tokens.tokenizer", "jieba")),
        ('tokens.tokenizer="jieba"', ("tokens.tokenizer", "jieba")),
        ("pmi.measures=npmi, log_likelihood", ("pmi.measures", "npmi, log_likelihood")),
        ("pmi.measures=", ("pmi.measures", "")),
        ("vectors.shift=-2", ("vectors.shift", -2.0)),
    ],
)
def test_an_override_is_read_as_toml_or_else_as_bare_text(text, expected):
    found = parse_override(text)
    assert found == expected
    assert type(found[1]) is type(expected[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pairs.window", "--set pairs.window has no ="),
        ("pairs.window=", "is not a whole number"),
        ("pairs.window=ten", "is not a whole number"),
        ("=5", "unknown configuration key"),
        ("pairs.=5", "unknown configuration key pairs."),
        ("pairs=5", "unknown configuration key pairs"),
    ],
)
def test_an_override_that_is_none_says_why(text, message):
    with pytest.raises(ConfigurationError) as caught:
        parse_override(text)
    assert message in str(caught.value)


@given(st.text(max_size=30))
def test_any_override_gives_a_setting_or_a_configuration_error(text):
    try:
        key, value = parse_override(text)
    except ConfigurationError:
        return
    assert checked(key, value) == value


@given(st.sampled_from(KEYS), st.text(max_size=20))
def test_any_value_of_a_known_key_is_taken_or_refused_in_one_line(key, text):
    try:
        _, value = parse_override(f"{key}={text}")
        message = key
    except ConfigurationError as error:
        value, message = declared(key).default, str(error)
    assert type(value) is type(declared(key).default)
    assert key in message
    assert len(message.splitlines()) == 1


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot read configuration .*absent\.toml: No such file"):
        load_config(str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigurationError, match="cannot read configuration"):
        load_config(str(tmp_path))


@pytest.mark.parametrize("content", [b"[pairs\n", b"window: 5\n", b"\xff\xfe", b"[pairs]\nwindow = 1\nwindow = 2\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"broken\.toml is not TOML"):
        load_config(str(path))


def test_a_mistake_in_a_file_is_found_although_an_override_would_hide_it(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[pairs]\nwindow = 0\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="out of range"):
        load_config(str(path), ["pairs.window=5"])


def test_a_configuration_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().pairs.window = 7  # type: ignore[misc]


@pytest.mark.parametrize("key", KEYS)
def test_toml_value_reads_back_as_the_value(key):
    default = declared(key).default
    assert tomllib.loads(f"value = {toml_value(default)}")["value"] == default
