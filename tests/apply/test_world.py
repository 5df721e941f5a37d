"""What is read before a plan: the links, and which file systems belong to somebody else."""

import pytest

from tests.apply.rig import Rig
from tests.plan.build import FILE_SYSTEM, ORGANIZATION, OTHER_CONFIG, START, bundle, config, link
from toolkit.apply import Marker
from toolkit.errors import Damaged
from toolkit.lake.protocol import ABSENT
from toolkit.model.config import ExportConfig, Storage
from toolkit.plan import LakeName

WANTED = config("account")
LAKE = LakeName("contosolake", FILE_SYSTEM)


def put(prod: Rig, path: str, data: str = "{}") -> None:
    prod.lake(*LAKE).put(path, data.encode(), ABSENT)


def foreign(prod: Rig, *configs: ExportConfig) -> dict[LakeName, str]:
    return dict(prod.world(*configs or (WANTED,)).foreign)


def test_an_empty_file_system_is_free(prod: Rig) -> None:
    assert foreign(prod) == {}


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("model.json", "model.json is there, and no mark of this toolkit"),
        (
            "Microsoft.Athena.TrickleFeedService/account-model.json",
            "Microsoft.Athena.TrickleFeedService is there, and no mark of this toolkit",
        ),
    ],
)
def test_what_another_exporter_wrote_is_foreign(prod: Rig, path: str, what: str) -> None:
    put(prod, path)
    assert foreign(prod) == {LAKE: what}


def test_other_files_of_people_are_no_exporter(prod: Rig) -> None:
    put(prod, "notes/read-me.txt")
    assert foreign(prod) == {}


def mark(organization: str) -> str:
    return Marker(organization=organization, environment="prod", created=START).model_dump_json()


def test_a_model_beside_our_mark_is_ours(prod: Rig) -> None:
    put(prod, "model.json")
    put(prod, "Microsoft.Athena.TrickleFeedService/account-model.json")
    put(prod, "_toolkit/lake.json", mark(ORGANIZATION))
    assert foreign(prod) == {}


def test_the_mark_of_another_organization_is_foreign(prod: Rig) -> None:
    put(prod, "_toolkit/lake.json", mark(OTHER_CONFIG))
    assert foreign(prod) == {LAKE: f"the mark of the organization {OTHER_CONFIG}"}


@pytest.mark.parametrize(("data", "code"), [("{", "STA001"), ('{"format": 2}', "STA002")])
def test_a_mark_that_cannot_be_read_is_told_with_its_file(prod: Rig, data: str, code: str) -> None:
    put(prod, "_toolkit/lake.json", data)
    with pytest.raises(Damaged) as caught:
        foreign(prod)
    assert (caught.value.code, caught.value.where.path) == (
        code,
        f"memory://contosolake/{FILE_SYSTEM}/_toolkit/lake.json",
    )


def test_a_link_of_another_organization_is_foreign(prod: Rig) -> None:
    put(prod, "_toolkit/link.json", link(WANTED, organization=OTHER_CONFIG).model_dump_json())
    assert foreign(prod) == {LAKE: f"a link of the organization {OTHER_CONFIG}"}


def test_a_live_link_of_another_config_that_the_record_does_not_know_is_foreign(prod: Rig) -> None:
    other = link(config("lead", id=OTHER_CONFIG, name="sales"), environment="elsewhere")
    put(prod, "_toolkit/link.json", other.model_dump_json())
    assert foreign(prod) == {LAKE: "the export config 'sales' of 'elsewhere'"}


def test_an_ended_link_of_another_config_leaves_the_file_system_free(prod: Rig) -> None:
    other = link(config("lead", id=OTHER_CONFIG, name="sales"), active=False)
    put(prod, "_toolkit/link.json", other.model_dump_json())
    assert foreign(prod) == {}
    prod.bring(bundle(WANTED))
    assert prod.link().config == WANTED


def test_a_link_that_the_record_lost_is_found_in_its_lake(prod: Rig) -> None:
    put(prod, "_toolkit/link.json", link(WANTED).model_dump_json())
    assert prod.world(WANTED).links == (link(WANTED),)


def test_a_link_of_the_record_is_read_once(prod: Rig) -> None:
    prod.bring(bundle(WANTED))
    assert prod.world(WANTED).links == (prod.link(),)


def test_rows_are_counted_for_what_is_wanted_and_what_is_linked(prod: Rig) -> None:
    prod.source.insert("account")
    prod.source.insert("lead")
    prod.bring(bundle(WANTED))
    elsewhere = config("lead", "nothing", storage=Storage(account="contosotest"))
    assert prod.world(elsewhere).statistics == {"account": 1, "lead": 1}
