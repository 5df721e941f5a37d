from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from toolkit import project
from toolkit.errors import Invalid, NotFound, Refused
from toolkit.lake.protocol import ABSENT
from toolkit.model.environment import Organization
from toolkit.model.version import Version
from toolkit.organization.catalog import Settings
from toolkit.project import EmbeddedEntry, MaskKeyEntry, Opened, Project

HEAD = "# yaml-language-server: $schema=schemas/project.schema.json\n"
TWO = """\
default_environment: dev
environments:
  dev:
    folder: environments/dev
  prod:
    kind: embedded
    folder: /srv/prod
accounts:
  contososalesdev:
    folder: elsewhere
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "toolkit.yaml"
    path.write_text(text)
    return path


def test_a_new_project_has_comments_and_no_environment(tmp_path: Path) -> None:
    path = project.create(tmp_path / "new")
    assert path.read_text() == HEAD + project.TEMPLATE
    assert Project.load(path).file == project.ProjectFile()


def test_the_accounts_of_a_new_project_hold_once_their_comment_signs_are_gone(tmp_path: Path) -> None:
    shown = project.TEMPLATE.partition("# accounts:")[2].replace("\n# ", "\n")
    file = Project.load(written(tmp_path, f"environments: {{}}\naccounts:{shown}")).file
    assert sorted(file.accounts) == ["contososalesdev", "contososalesprod"]


def test_a_project_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, TWO)
    with pytest.raises(Refused) as caught:
        project.create(tmp_path)
    assert (caught.value.code, path.read_text()) == ("PRJ002", TWO)


def test_a_project_is_found_from_a_folder_below(tmp_path: Path) -> None:
    path = written(tmp_path, TWO)
    below = tmp_path / "solutions" / "ContosoLake"
    below.mkdir(parents=True)
    assert project.find(below) == project.find(path) == path


def test_no_project_at_all_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        project.find(tmp_path)
    assert caught.value.code == "PRJ001"
    assert "toolkit init" in caught.value.fix


def test_folders_are_relative_to_the_file(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, TWO))
    assert loaded.folder("dev") == tmp_path / "environments" / "dev"
    assert loaded.folder("prod") == Path("/srv/prod")


def test_no_name_means_the_default_environment(tmp_path: Path) -> None:
    assert Project.load(written(tmp_path, TWO)).entry(None)[0] == "dev"


def test_no_name_and_no_default_names_the_option(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, "environments:\n  dev: {folder: a}\n  prod: {folder: b}\n"))
    with pytest.raises(NotFound) as caught:
        loaded.entry(None)
    assert (caught.value.code, caught.value.fix) == ("PRJ004", "add --env NAME (dev, prod)")


def test_a_mistyped_environment_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        Project.load(written(tmp_path, TWO)).entry("prd")
    assert (caught.value.code, caught.value.fix) == ("PRJ005", "did you mean 'prod'?")


def test_an_environment_that_nothing_resembles_can_be_created(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        Project.load(project.create(tmp_path)).entry("dev")
    assert caught.value.fix == "create it: toolkit env create dev"


def test_a_default_that_does_not_exist_is_found_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Project.load(written(tmp_path, "environments:\n  dev: {folder: a}\ndefault_environment: dve\n"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.line, finding.fix) == ("PRJ003", 3, "did you mean 'dev'?")


def test_an_unknown_kind_names_the_known_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Project.load(written(tmp_path, "environments:\n  dev:\n    kind: cloud\n    folder: a\n"))
    (finding,) = caught.value.findings
    assert (finding.where.line, finding.where.key) == (3, "environments.dev.kind")
    assert "embedded" in finding.why


def test_an_unknown_kind_does_not_hide_a_wrong_default(tmp_path: Path) -> None:
    text = "default_environment: dve\nenvironments:\n  dev:\n    kind: cloud\n    folder: a\n"
    with pytest.raises(Invalid) as caught:
        Project.load(written(tmp_path, text))
    assert [(finding.code, finding.where.line) for finding in caught.value.findings] == [("PRJ003", 1), ("DOC012", 4)]


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Project.load(written(tmp_path, "environments:\n  dev: {folder: ''}\nacounts: {}\n"))
    assert [finding.where.line for finding in caught.value.findings] == [2, 3]


ORGANIZATION = Organization(
    id="11111111-1111-4111-8111-111111111111",
    unique_name="orgdev",
    environment="dev",
    region="westeurope",
    tenant="22222222-2222-4222-8222-222222222222",
    version=Version("9.2.26014.164"),
)


def with_environment(loaded: Project, name: str) -> Project:
    return loaded.create_environment(name, f"environments/{name}", ORGANIZATION, {}, Settings())


def test_adding_an_environment_keeps_comments_and_makes_the_first_the_default(tmp_path: Path) -> None:
    loaded = Project.load(project.create(tmp_path))
    with_environment(loaded, "dev").with_account_folders({"contososalesdev": "x"})
    text = (tmp_path / "toolkit.yaml").read_text()
    assert "# The environments of this project" in text
    assert "default_environment: dev\nenvironments:\n  dev:\n    kind: embedded\n    folder: environments/dev\n" in text
    assert "accounts:\n  contososalesdev:\n    folder: x\n" in text


def test_the_second_environment_leaves_the_default(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, TWO))
    after = with_environment(loaded, "test")
    assert Project.load(loaded.path) == after
    assert (after.file.default_environment, list(after.file.environments)) == ("dev", ["dev", "prod", "test"])


@pytest.mark.parametrize(("name", "code"), [("dev", "PRJ006"), ("Dev", "PRJ006"), ("-x", "PRJ007"), ("a b", "PRJ007")])
def test_a_taken_or_odd_name_changes_nothing(tmp_path: Path, name: str, code: str) -> None:
    loaded = Project.load(written(tmp_path, TWO))
    with pytest.raises(Refused) as caught:
        with_environment(loaded, name)
    assert (caught.value.code, loaded.path.read_text()) == (code, TWO)
    assert caught.value.fix.startswith("choose a")
    assert list(tmp_path.iterdir()) == [loaded.path]


def test_folders_that_change_nothing_leave_the_file_alone(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, TWO))
    assert loaded.with_account_folders({"contososalesdev": "elsewhere"}) is loaded


def test_an_environment_opens_as_a_site_with_its_lakes(tmp_path: Path) -> None:
    loaded = with_environment(Project.load(project.create(tmp_path)), "dev")
    with loaded.opened(None, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), new_id=lambda: "x") as opened:
        site = opened.site
        assert (site.name, site.environment.inventory().organization) == ("dev", ORGANIZATION)
        assert site.record() == (None, ABSENT)
        lake = site.open_lake("contososalesdev", "files")
        assert lake.location("model.json") == str(tmp_path / "lakes" / "contososalesdev" / "files" / "model.json")


def test_an_environment_names_the_variable_of_its_mask_key_and_reads_it_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = with_environment(Project.load(project.create(tmp_path)), "dev")
    entry = EmbeddedEntry(folder=loaded.folder_as_written("dev"), mask_key=MaskKeyEntry(variable="DEV_KEY"))
    keyed = Project(loaded.path, loaded.file.model_copy(update={"environments": {"dev": entry}}))
    with keyed.opened("dev", clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), new_id=lambda: "x") as opened:
        key = opened.site.mask_key
        monkeypatch.setenv("DEV_KEY", "late")
        assert (key.variable, key.read("DEV_KEY")) == ("DEV_KEY", "late")


def test_a_mask_key_is_a_variable_and_never_the_key_itself(tmp_path: Path) -> None:
    entry = "dev: {folder: x, mask_key: {variable: '0-secret'}}"
    with pytest.raises(Invalid) as raised:
        Project.load(written(tmp_path, f"environments:\n  {entry}\n"))
    assert [finding.where.key for finding in raised.value.findings] == ["environments.dev.mask_key.variable"]


def test_an_environment_whose_folder_is_gone_says_so(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, TWO))
    opening = loaded.opened("dev", clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), new_id=lambda: "x")
    with pytest.raises(NotFound) as caught, opening:
        pass
    assert caught.value.code == "ORG001"


def test_whom_to_tell_of_failures_needs_its_variables(tmp_path: Path) -> None:
    opened = Project.load(
        written(tmp_path, "on_failure:\n  webhook_from: HOOK\n  headers_from: {Authorization: TOKEN}\n")
    )
    with pytest.raises(NotFound) as caught:
        opened.on_failure({"HOOK": "https://example.com"})
    assert (caught.value.code, caught.value.what) == ("PRJ031", "the environment variable TOKEN is not set")
    assert opened.on_failure({"HOOK": "https://example.com", "TOKEN": "x"}) == opened.file.on_failure


def test_without_on_failure_nobody_is_told(tmp_path: Path) -> None:
    assert Project.load(written(tmp_path, TWO)).on_failure({}) is None


def test_on_failure_with_two_targets_is_an_error_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Project.load(written(tmp_path, "on_failure:\n  command: [page]\n  webhook: https://example.com\n"))
    assert [str(finding.where).partition("toolkit.yaml")[2] for finding in caught.value.findings] == [":1 on_failure"]


# Dataverse organizations

WEB = """\
environments:
  prod:
    kind: dataverse
    url: https://contoso.crm4.dynamics.com
    sign_in: {method: azure_cli}
    engine_sign_in: {method: managed_identity}
    requests_per_minute: 600
    requests_per_day: 40000
  test:
    kind: dataverse
    url: https://contoso-test.crm4.dynamics.com
    state: state/test
accounts:
  contosoprod: {folder: lakes/contosoprod}
"""


def opened(project: Project, name: str) -> AbstractContextManager[Opened]:
    return project.opened(name, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC), new_id=lambda: "x")


def test_a_dataverse_organization_keeps_its_record_in_a_folder(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, WEB))
    assert loaded.folder("prod") == tmp_path / "environments" / "prod"
    assert loaded.folder("test") == tmp_path / "state" / "test"


def test_a_dataverse_organization_opens_as_a_site_without_a_request(tmp_path: Path) -> None:
    with opened(Project.load(written(tmp_path, WEB)), "prod") as found:
        assert (found.site.name, found.site.record()) == ("prod", (None, ABSENT))
        assert type(found.site.environment).__name__ == "DataverseEnvironment"
        assert found.over_the_web is not None
        assert found.over_the_web.environment.address.base == "https://contoso.crm4.dynamics.com/api/data/v9.2/"
        assert found.over_the_web.environment is not found.over_the_web.engine


def test_one_identity_does_both_unless_another_one_is_named(tmp_path: Path) -> None:
    with opened(Project.load(written(tmp_path, WEB)), "test") as found:
        assert found.over_the_web is not None
        assert found.over_the_web.environment is found.over_the_web.engine


def test_all_clients_of_an_environment_share_its_budget(tmp_path: Path) -> None:
    with opened(Project.load(written(tmp_path, WEB)), "prod") as found:
        assert found.over_the_web is not None
        assert found.over_the_web.environment.budget is found.over_the_web.engine.budget is found.budget
        assert (found.budget.free(), found.allowance().take(), found.budget.free()) == (600, 0.0, 600)
        assert found.allowance(5).free() == 5


def test_what_only_an_embedded_environment_can_do_is_refused(tmp_path: Path) -> None:
    with opened(Project.load(written(tmp_path, WEB)), "prod") as found, pytest.raises(Refused) as caught:
        _ = found.embedded
    assert (caught.value.code, caught.value.what) == (
        "PRJ040",
        "prod is a Dataverse organization, and this is for embedded environments",
    )


def test_a_run_takes_the_requests_of_an_embedded_environment_itself(tmp_path: Path) -> None:
    loaded = with_environment(Project.load(project.create(tmp_path)), "dev")
    with opened(loaded, "dev") as found:
        assert found.embedded.environment is found.site.environment
        assert (found.allowance(2).take(), found.budget.free()) == (0.0, 1)


@pytest.mark.parametrize(
    ("entry", "key", "why"),
    [
        ("{kind: datavers, url: x}", "environments.prod.kind", "should be 'embedded' or 'dataverse'"),
        ("{kind: dataverse}", "environments.prod.url", "Field required"),
        ("{kind: dataverse, url: contoso}", "environments.prod.url", "is like https://contoso.crm4.dynamics.com"),
        (
            "{kind: dataverse, url: 'http://contoso.example'}",
            "environments.prod.url",
            "plain http is for loopback only",
        ),
        ("{kind: dataverse, url: 'http://[::1]:80'}", "environments.prod", "sign_in: method default needs https"),
        (
            "{kind: dataverse, url: 'http://[::1]', sign_in: {method: none}, engine_sign_in: {method: azure_cli}}",
            "environments.prod",
            "engine_sign_in: method azure_cli needs https",
        ),
        (
            "{kind: dataverse, url: 'https://contoso.crm.dynamics.com', sign_in: {method: token}}",
            "environments.prod.sign_in",
            "method token needs variable",
        ),
        ("{kind: dataverse, url: 'https://contoso.crm.dynamics.com', folder: x}", "environments.prod.folder", ""),
        ("{folder: x, url: y}", "environments.prod.url", ""),
        ("x", "environments.prod", ""),
        ("", "environments.prod", ""),
    ],
)
def test_a_wrong_entry_is_told_at_its_place_in_the_words_of_its_kind(
    tmp_path: Path, entry: str, key: str, why: str
) -> None:
    with pytest.raises(Invalid) as raised:
        Project.load(written(tmp_path, f"environments:\n  prod: {entry}\n"))
    found = raised.value.findings
    assert [finding.where.key for finding in found] == [key]
    assert why in found[0].why or found[0].code == "DOC011"


def test_an_unknown_key_of_an_entry_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    entry = "{kind: dataverse, url: 'https://contoso.crm.dynamics.com', signin: {method: azure_cli}}"
    with pytest.raises(Invalid) as raised:
        Project.load(written(tmp_path, f"environments:\n  prod: {entry}\n"))
    assert raised.value.fix == "did you mean 'sign_in'?"


def test_a_file_with_a_dataverse_organization_is_written_again_as_it_was(tmp_path: Path) -> None:
    loaded = Project.load(written(tmp_path, WEB))
    with_environment(loaded, "dev")
    added = "  dev:\n    kind: embedded\n    folder: environments/dev\n"
    assert loaded.path.read_text() == f"{HEAD}default_environment: dev\n{WEB.replace('accounts:', added + 'accounts:')}"
