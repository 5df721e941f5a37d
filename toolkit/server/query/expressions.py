"""The grammar of ``$filter``: odata-query's, after what it cannot read is written in a way that it can."""

from __future__ import annotations

import re
from collections.abc import Iterator

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from toolkit.server.call import bad_request

Node = ast._Node  # noqa: SLF001 - the library has no public name for what every node is
Literal = ast._Literal  # noqa: SLF001 - the same

_TOKEN = re.compile(r"""'(?:[^']|'')*' | "(?:[^"\\]|\\.)*" | [A-Za-z_][\w.]* | \s+ | .""", re.VERBOSE | re.DOTALL)
_KEYWORDS = re.compile(r"(any|all|null|true|false)\w", re.IGNORECASE)
"""Names that begin like these are cut in two by the lexer."""
_OPERATORS = frozenset({"and", "or", "not", "in"})
_SPACE_BEFORE = frozenset({"and", "or"})


def parse(text: str) -> Node:
    """Return the tree of an expression. Raises ODataError (400)."""
    try:
        tree = ODataParser().parse(ODataLexer().tokenize("".join(_plain(text.strip()))))
    except ODataException as error:
        raise bad_request(f"the expression cannot be read{_place(error)}") from error
    if not isinstance(tree, Node):
        raise bad_request("the expression cannot be read")
    return tree


def _place(error: ODataException) -> str:
    # Its own text would repeat the values that were searched for.
    piece = getattr(error, "token", None)
    return "" if piece is None else f" at its character {piece.index}"


def _plain(text: str) -> Iterator[str]:
    """Yield the pieces of an expression: arrays as lists, double quotes as single ones, names whole."""
    lists: list[int | None] = []
    """For each open bracket: the commas in it, or None where it is no list."""
    last = ""
    for piece in _TOKEN.findall(text):
        if piece in {"(", "["}:
            lists.append(0 if piece == "[" or last == "in" else None)
        elif piece == "," and lists and lists[-1] is not None:
            lists[-1] += 1
        elif piece in {")", "]"}:
            # A list of one needs a comma, or it would be an expression in parentheses.
            yield "," if lists and lists.pop() == 0 and last not in {"(", "["} else ""
        yield _rewritten(piece, last)
        last = piece.lower() if not piece.isspace() else last


def _rewritten(piece: str, last: str) -> str:
    if piece.startswith('"'):
        inner = re.sub(r"\\(.)", r"\1", piece[1:-1])
        return "'" + inner.replace("'", "''") + "'"
    if piece in {"[", "]"}:
        return "(" if piece == "[" else ")"
    if piece == "(" and last in _OPERATORS:
        return " ("
    if piece.lower() in _SPACE_BEFORE and last == ")":
        return f" {piece}"
    # A namespace keeps the name whole, and is not asked for later.
    return f"_.{piece}" if _KEYWORDS.match(piece) else piece
