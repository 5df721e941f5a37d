"""The words of synthetic rows: pools of text for an attribute, with what breaks careless readers of CSV among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from toolkit.model.entity import Attribute, AttributeType

_Maker = Callable[[np.random.Generator], str]

_DEFAULT_LENGTH = {AttributeType.STRING: 100, AttributeType.MEMO: 2000}
_LONGEST_MEMO = 8000

_COMPANIES = ("Adatum", "Contoso", "Fabrikam", "Northwind", "Litware", "Proseware", "Tailspin", "Wingtip", "Relecloud")
_FORMS = (
    "Ltd.",
    "GmbH & Co. KG",
    "S.A.",
    "AG",
    "Inc.",
    "Sp. z o.o.",
    "\u682a\u5f0f\u4f1a\u793e",
    "d.o.o.",
    "AB",
    "Pty Ltd",
)
_GIVEN = (
    "Anna",
    "Jos\u00e9",
    "Nancy",
    "S\u00f8ren",
    "Yuki",
    "Zo\u00eb",
    "\u0141ukasz",
    "\u0110or\u0111e",
    "Am\u00e9lie",
    "Bj\u00f6rn",
    "Chidi",
    "Fatima",
)
_FAMILY = (
    "O'Brien",
    "M\u00fcller",
    "S\u00f8rensen",
    "Kova\u010d",
    "Nguy\u1ec5n",
    "Garc\u00eda",
    "\u5c71\u7530",
    "\u00d1\u00fa\u00f1ez",
    "\u00d6zt\u00fcrk",
    "d'Arc",
    "Li",
)
_CITIES = (
    "Z\u00fcrich",
    "\u0141\u00f3d\u017a",
    "S\u00e3o Paulo",
    "Reykjav\u00edk",
    "'s-Hertogenbosch",
    "Malm\u00f6",
    "Seattle",
    "M\u00fcnchen",
    "\u6771\u4eac",
)
_COUNTRIES = (
    "Switzerland",
    "Poland",
    "Brazil",
    "Iceland",
    "Netherlands",
    "C\u00f4te d'Ivoire",
    "United States",
    "Japan",
)
_STREETS = (
    "Hauptstra\u00dfe",
    "Main St., Suite",
    "Rue de l'\u00c9glise",
    "Calle \u00d1u\u00f1oa",
    "Storgata",
    "Via Appia",
)
_WORDS = tuple(
    "order delivery invoice meeting quality contract renewal price sample urgent review follow-up customer answer "  # noqa: SIM905 - prose reads best as prose
    "warehouse project offer phone waiting approved question discount "
    "na\u00efve fa\u00e7ade \u00dcbergabe \u0441\u0435\u0433\u043e\u0434\u043d\u044f \u660e\u65e5".split()
)
_AWKWARD = (
    'He said "call back", twice',
    "comma, semicolon; tab\tpipe|",
    "two\nlines",
    "Windows\r\nlines",
    "\U0001f600 emoji \U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "=SUM(A1:A9)",
    '"',
    " spaces at both ends ",
    "combining e\u0301 and right-to-left \u0634\u0643\u0631\u0627",
    "NULL",
    "",
)
"""In one of thirty values: quotes, separators, line ends, emoji, what looks like a formula, and the empty string."""


def pool(attribute: Attribute, random: np.random.Generator, size: int) -> list[str]:
    """Return values of a string or memo attribute, none longer than its length; about one in thirty is awkward."""
    longest = attribute.max_length or _DEFAULT_LENGTH[attribute.type]
    maker = _maker(attribute)
    values = [maker(random) for _ in range(size)]
    for place in range(int(random.integers(30)), size, 30):
        values[place] = _AWKWARD[int(random.integers(len(_AWKWARD)))]
    return [value[:longest] for value in values]


def _maker(attribute: Attribute) -> _Maker:
    if attribute.type is AttributeType.MEMO:
        return _memo
    return next((maker for part, maker in _MAKERS if part in attribute.name), _phrase)


def _one(values: Sequence[str], random: np.random.Generator) -> str:
    return values[int(random.integers(len(values)))]


def _prose(random: np.random.Generator, words: int) -> str:
    return " ".join(_WORDS[place] for place in random.integers(len(_WORDS), size=words))


def _phrase(random: np.random.Generator) -> str:
    return _prose(random, int(random.integers(1, 6)))


def _memo(random: np.random.Generator) -> str:
    """Return mostly a sentence or two, now and then pages."""
    return _prose(random, int(min(random.pareto(1.2) * 8 + 4, _LONGEST_MEMO / 8)))


def _email(random: np.random.Generator) -> str:
    return f"{_one(_COMPANIES, random).lower()}{random.integers(1000)}@example.com"


def _phone(random: np.random.Generator) -> str:
    return f"+{random.integers(1, 99)} {random.integers(100, 999)} {random.integers(10_000, 9_999_999)}"


def _url(random: np.random.Generator) -> str:
    return f"https://www.example.com/{_one(_WORDS, random)}?id={random.integers(100_000)}&x=1"


def _street(random: np.random.Generator) -> str:
    return f"{_one(_STREETS, random)} {random.integers(1, 300)}"


def _number(random: np.random.Generator) -> str:
    return f"{random.integers(1_000, 9_999_999):07d}"


def _person(random: np.random.Generator) -> str:
    return f"{_one(_GIVEN, random)} {_one(_FAMILY, random)}"


def _company(random: np.random.Generator) -> str:
    words = f"{_one(_COMPANIES, random)} {_one(_WORDS, random).title()}"
    return f"{words} {random.integers(10_000)} {_one(_FORMS, random)}"


_MAKERS: tuple[tuple[str, _Maker], ...] = (
    ("email", _email),
    ("phone", _phone),
    ("fax", _phone),
    ("url", _url),
    ("city", partial(_one, _CITIES)),
    ("country", partial(_one, _COUNTRIES)),
    ("line1", _street),
    ("postalcode", _number),
    ("number", _number),
    ("firstname", partial(_one, _GIVEN)),
    ("lastname", partial(_one, _FAMILY)),
    ("fullname", _person),
    ("contactname", _person),
    ("name", _company),
)
"""What makes the text of an attribute: the first whose word is in its name."""
