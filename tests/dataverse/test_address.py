import pytest

from toolkit.dataverse.address import Address, DataverseCloud, query


@pytest.mark.parametrize(
    ("url", "cloud", "authority"),
    [
        ("https://contoso.crm.dynamics.com", "public", "login.microsoftonline.com"),
        ("https://contoso.crm4.dynamics.com/", "public", "login.microsoftonline.com"),
        ("https://contoso.api.crm21.dynamics.com/api/data/v9.2/", "public", "login.microsoftonline.com"),
        ("https://contoso.crm9.dynamics.com", "gcc", "login.microsoftonline.com"),
        ("https://contoso.crm.microsoftdynamics.us", "gcc-high", "login.microsoftonline.us"),
        ("https://contoso.crm.appsplatform.us", "dod", "login.microsoftonline.us"),
        ("https://contoso.crm.dynamics.cn", "china", "login.chinacloudapi.cn"),
        ("https://contoso.crm.microsoftdynamics.de", "germany", "login.microsoftonline.de"),
        ("https://dataverse.example.com:8443", "other", ""),
        ("https://crm.dynamics.com.example.com", "other", ""),
        ("http://127.0.0.1:8080", "other", ""),
    ],
)
def test_the_host_tells_the_cloud_and_who_signs_in(url: str, cloud: str, authority: str) -> None:
    address = Address.parse(url)
    assert (address.cloud, address.authority) == (DataverseCloud(cloud), authority)


def test_base_and_scope_follow_from_the_url() -> None:
    address = Address.parse(" https://Contoso.CRM4.dynamics.com:443/api/data/v9.1 ")
    assert address.base == "https://contoso.crm4.dynamics.com/api/data/v9.2/"
    assert address.scope == "https://contoso.crm4.dynamics.com/.default"


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.8.9.1:1", "http://[::1]:8080"])
def test_plain_http_is_taken_on_loopback(url: str) -> None:
    address = Address.parse(url)
    assert (address.origin, address.loopback, address.encrypted) == (url, True, False)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://contoso.crm4.dynamics.com", "loopback only"),
        ("http://127.0.0.1.example.com", "loopback only"),
        ("contoso.crm4.dynamics.com", "is like https://"),
        ("ftp://contoso.crm4.dynamics.com", "is like https://"),
        ("https://", "is like https://"),
        ("https://me:secret@contoso.crm4.dynamics.com", "no user"),
        ("https://contoso.crm4.dynamics.com?a=b", "no user, query"),
        ("https://contoso.crm4.dynamics.com#x", "no user, query or fragment"),
        ("https://contoso.crm4.dynamics.com/main.aspx", "no path"),
        ("https://contoso.crm4.dynamics.com:x", "Port"),
    ],
)
def test_what_is_no_url_of_an_organization_says_why(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Address.parse(url)


@pytest.mark.parametrize(
    ("link", "own"),
    [
        ("https://contoso.crm4.dynamics.com/api/data/v9.2/a?$skiptoken=%2f%2F'", "/api/data/v9.2/a?$skiptoken=%2f%2F'"),
        ("https://old-name.crm4.dynamics.com/api/data/v9.1/accounts", "/api/data/v9.1/accounts"),
        ("http://127.0.0.1:8080/api/data/v9.2/accounts", "/api/data/v9.2/accounts"),
        ("https://contoso.crm4.dynamics.com/other", None),
        ("https://contoso.crm4.dynamics.com@evil.example/api/data", None),
        ("https://evil.example", None),
    ],
)
def test_a_link_is_followed_at_the_organization_or_not_at_all(link: str, own: str | None) -> None:
    found = Address.parse("https://contoso.crm4.dynamics.com").own(link)
    assert found == (own and f"https://contoso.crm4.dynamics.com{own}")


def test_the_values_of_a_query_are_encoded() -> None:
    assert query("accounts", {"$select": "a,b", "$filter": "name eq 'R&D #1 50%+'"}) == (
        "accounts?$select=a,b&$filter=name%20eq%20'R%26D%20%231%2050%25%2B'"
    )
