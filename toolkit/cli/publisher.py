"""``publisher``: who owns solutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from toolkit.cli import options
from toolkit.cli.checked import checked
from toolkit.cli.frame import Group
from toolkit.cli.output import Result, table
from toolkit.cli.session import Session
from toolkit.environment.protocol import CreatePublisher
from toolkit.errors import Finding, Invalid, Severity, nearest
from toolkit.model.names import default_option_value_prefix
from toolkit.model.solution import Address, Publisher


@click.group(cls=Group)
def publisher() -> None:
    """Publishers: create, list."""


@publisher.command()
@click.argument("name")
@click.option("--prefix", required=True, help="Customization prefix: 2 to 8 letters and digits.")
@click.option("--option-value-prefix", type=int, metavar="NUMBER", help="10000 to 99999; else made of the prefix.")
@click.option("--display-name", metavar="TEXT", help="Else the name.")
@click.option("--description", metavar="TEXT", help="What the publisher is.")
@options.language
@click.option("--email", metavar="ADDRESS", help="E-mail address.")
@click.option("--website", metavar="URL", help="Web site.")
@click.option("--address", "addresses", multiple=True, metavar="[N.]FIELD=TEXT", help="A field of address 1 or 2.")
@options.environment
@click.pass_obj
def create(
    session: Session,
    *,
    name: str,
    prefix: str,
    option_value_prefix: int | None,
    display_name: str | None,
    description: str | None,
    language: int,
    email: str | None,
    website: str | None,
    addresses: tuple[str, ...],
    environment: str | None,
) -> None:
    """Create a publisher.

    A field of an address is given as city=London, or as 2.city=Paris for the second address.
    """
    site = session.site(environment)
    made = checked(
        Publisher,
        {
            "unique_name": name,
            "display_names": {language: display_name or name},
            "descriptions": {language: description} if description else {},
            "email": email,
            "website": website,
            "prefix": prefix,
            "option_value_prefix": default_option_value_prefix(prefix)
            if option_value_prefix is None
            else option_value_prefix,
            "addresses": _addresses(addresses),
        },
        {"unique_name": "NAME", "prefix": "--prefix", "option_value_prefix": "--option-value-prefix"},
    )
    site.environment.write(CreatePublisher(made))
    session.say(f"created the publisher {name} with the prefix {prefix}", made.model_dump(mode="json"))


@publisher.command("list")
@options.environment
@click.pass_obj
def list_(session: Session, environment: str | None) -> None:
    """List the publishers of an environment."""
    publishers = session.site(environment).environment.inventory().publishers
    rows = [_row(each) for _, each in sorted(publishers.items())]
    columns = ("publisher", "display_name", "prefix", "option_value_prefix", "email", "website")
    # The prefix of option values is a name rather than a number.
    shown = [{**row, "option_value_prefix": str(row["option_value_prefix"])} for row in rows]
    session.show(Result(rows, table(shown, columns, empty="no publishers").text))


def _row(each: Publisher) -> dict[str, Any]:
    data = each.model_dump(mode="json")
    name = next(iter(each.display_names.values()), None)
    return {"publisher": each.unique_name, "display_name": name, **data}


def _addresses(texts: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """Return the two addresses of a publisher, filled from ``[N.]FIELD=TEXT``."""
    addresses: dict[str, dict[str, Any]] = {number: {"address_number": int(number)} for number in ("1", "2")}
    found: list[Finding] = []
    for text in texts:
        key, _, value = text.partition("=")
        number, _, field = key.rpartition(".")
        known = set(Address.model_fields) - {"address_number"}
        if (number or "1") not in addresses or field not in known or not value:
            what = f"{text!r} is no field of an address"
            found.append(Finding("CLI026", Severity.ERROR, what, fix=nearest(field, known) or "write city=London"))
        else:
            addresses[number or "1"][field] = value
    if found:
        raise Invalid(found)
    return list(addresses.values())
