import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from toolkit.model.names import (
    FILE_SYSTEM,
    ConfigName,
    FileSystemName,
    Guid,
    LogicalName,
    Prefix,
    StorageAccountName,
    default_file_system,
    default_option_value_prefix,
    normalised_file_system,
    own_file_system,
)


def test_the_default_file_system_is_the_documented_name_normalised() -> None:
    name = default_file_system("Contoso Dev", "653AE937-C02F-ED11-9DB1-0022482DFDBF")
    assert name == "commondataservice-contoso-org-653ae937c02fed119db10022482dfdbf"


def test_a_short_environment_name_stays_whole() -> None:
    name = default_file_system("prod", "653ae937-c02f-ed11-9db1-0022482dfdbf")
    assert name == "commondataservice-prod-org-653ae937c02fed119db10022482dfdbf"


def test_the_file_system_of_a_real_environment_is_another_one_than_the_services() -> None:
    assert own_file_system("Prod EU", "unq0aa") == "toolkit-prod-eu-unq0aa"
    assert own_file_system("x" * 64, "unq4f3bd8a1c0e24f6f8a1b2c3d4e5f60718") == (
        "toolkit-xxxxxxxxxxxxxxxxxx-unq4f3bd8a1c0e24f6f8a1b2c3d4e5f60718"
    )


@given(st.text(max_size=80))
def test_whatever_is_normalised_is_a_valid_file_system_name(text: str) -> None:
    assert re.fullmatch(FILE_SYSTEM, normalised_file_system(text))
    assert re.fullmatch(FILE_SYSTEM, default_file_system(text, "653ae937-c02f-ed11-9db1-0022482dfdbf"))
    assert 3 <= len(normalised_file_system(text)) <= 63


@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "a--b", "ABC", "a_b", "a" * 64])
def test_what_azure_would_refuse_as_a_file_system_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FileSystemName).validate_python(name)


@pytest.mark.parametrize("name", ["ab", "Contoso", "contoso-lake", "a" * 25])
def test_what_azure_would_refuse_as_an_account_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(StorageAccountName).validate_python(name)


@pytest.mark.parametrize("prefix", ["a", "mscrmx", "1ab", "a_b", "abcdefghi", "ab\n"])
def test_a_prefix_that_dataverse_refuses_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Prefix).validate_python(prefix)


@pytest.mark.parametrize("name", ["_toolkit", "_kept", "a/b", "..", "Account", "", "a" * 129])
def test_what_must_not_be_the_folder_of_an_entity_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(LogicalName).validate_python(name)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "a\u202eb", "a\x7f", "a" * 101])
def test_a_name_that_a_terminal_could_not_show_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ConfigName).validate_python(name)


@pytest.mark.parametrize("name", ["Contoso Lake", "Käse & Brot", "湖", "a" * 100])
def test_a_name_may_be_of_any_language(name: str) -> None:
    assert TypeAdapter(ConfigName).validate_python(name) == name


def test_a_guid_is_held_in_lower_case() -> None:
    assert TypeAdapter(Guid).validate_python("653AE937-C02F-ED11-9DB1-0022482DFDBF") == (
        "653ae937-c02f-ed11-9db1-0022482dfdbf"
    )


# Prefixes of real publishers that kept the proposed number.
@pytest.mark.parametrize(("prefix", "expected"), [("sample", 15686), ("aib", 74794)])
def test_the_proposed_option_value_prefix_is_dataverses(prefix: str, expected: int) -> None:
    assert default_option_value_prefix(prefix) == expected
