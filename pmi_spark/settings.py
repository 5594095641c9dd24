"""What a setting is: a default that carries its meaning, unit and range."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Setting:
    """What a setting means and which values it takes. ``unit`` is shown after the value, ``low``/``high`` inclusive.

    ``pattern`` is a regular expression for text besides the choices, one of which shows its form.
    """

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""

    def takes_text(self, value: str) -> bool:
        r"""Whether text is one of the choices, or of the pattern; any text where there are no choices.

        >>> Setting("", choices=("words", "module:function"), pattern=r"\w+:\w+").takes_text("my:own")
        True
        """
        matches = bool(self.pattern) and re.fullmatch(self.pattern, value) is not None
        return not self.choices or value in self.choices or matches

    def range_text(self) -> str:
        """The values allowed, in words.

        >>> Setting("", low=1, high=50).range_text()
        '1 to 50'
        """
        if self.choices:
            return " | ".join(self.choices)
        if self.low is not None and self.high is not None:
            return f"{self.low:,.10g} to {self.high:,.10g}"
        return f"at least {self.low:,.10g}" if self.low is not None else ""


def setting(
    default: Scalar,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    pattern: str = "",
) -> Any:
    """A dataclass field that carries its :class:`Setting`."""
    return field(default=default, metadata={"setting": Setting(help, unit, low, high, choices, pattern)})


@dataclass(frozen=True)
class Declared:
    """One declared key with its default: a row of the reference."""

    section: str
    name: str
    default: Scalar
    setting: Setting

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    def describe(self) -> str:
        """Meaning, default, unit and range in one line, as help and documentation show them."""
        unit = f" {self.setting.unit}" if self.setting.unit else ""
        range_text = self.setting.range_text()
        bounds = f"; {range_text}" if range_text else ""
        return f"{self.setting.help} [default {toml_value(self.default)}{unit}{bounds}]"


def toml_value(value: Scalar) -> str:
    """One scalar as TOML writes it.

    >>> toml_value(True), toml_value("words"), toml_value(1e-4)
    ('true', '"words"', '0.0001')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
