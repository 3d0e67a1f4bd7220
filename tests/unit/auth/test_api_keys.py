"""API keys from a secret: which callers they admit, and what each may see."""

import re

import pytest

from auth import api_keys
from auth.api_keys import OWNER_KEY, ApiKeys
from auth.principal import Principal
from auth.user import User
from errors import AccessRefused
from http_messages import HttpRequest
from tables.access import EVERYTHING, Access

KEY, OTHER, NEXT = "k" * 16, "o" * 16, "n" * 16


def request(**headers: str) -> HttpRequest:
    return HttpRequest("GET", "/threads", [], {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    "secret",
    [f"acme:{KEY}, acme:{NEXT}\nglobex:{OTHER}", f'{{"acme": ["{KEY}", "{NEXT}"], "globex": "{OTHER}"}}'],
)
async def test_a_key_lets_in_whoever_it_names(secret: str) -> None:
    keys = ApiKeys(api_keys.parse(secret))
    assert (await keys.authenticate(request(x_api_key=KEY))).identity == "acme"
    assert (await keys.authenticate(request(authorization=f"bearer {NEXT}"))).identity == "acme"
    assert (await keys.authenticate(request(x_api_key=OTHER))).identity == "globex"


@pytest.mark.parametrize(
    "headers",
    [{}, {"x_api_key": ""}, {"x_api_key": "wrong"}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}],
)
async def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(AccessRefused, match="x-api-key") as refused:
        await ApiKeys(api_keys.parse(f"acme:{KEY}")).authenticate(request(**headers))
    assert (refused.value.code, refused.value.headers) == (401, {"www-authenticate": "Bearer"})


async def test_a_key_without_a_name_sees_everything_and_marks_nothing() -> None:
    keys = ApiKeys(api_keys.parse(KEY))
    principal = await keys.authenticate(request(x_api_key=KEY))
    value = {"metadata": {"a": 1}, "namespace": ("x",)}
    assert await keys.authorize(principal, "threads.create", value) == EVERYTHING
    assert value == {"metadata": {"a": 1}, "namespace": ("x",)}


async def test_rows_and_namespaces_carry_the_name_of_a_key() -> None:
    keys = ApiKeys(api_keys.parse(f"acme:{KEY}"))
    acme = Principal.of(User({"identity": "acme"}))
    own = Access({OWNER_KEY: "acme"}, {})
    created = {"metadata": {"a": 1, OWNER_KEY: "globex"}}
    assert await keys.authorize(acme, "threads.create", created) == own
    assert created == {"metadata": {"a": 1, OWNER_KEY: "acme"}}
    assert await keys.authorize(acme, "threads.delete", {}) == own
    assert await keys.authorize(acme, "assistants.read", {}) == Access({OWNER_KEY: "acme"}, {}, with_system=True)
    for namespace in ((), ("notes",), ("acme", "notes"), None):
        item = {"namespace": namespace}
        await keys.authorize(acme, "store.put", item)
        assert item["namespace"] == ("acme", *(name for name in namespace or () if name != "acme"))


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ("acme:short", "a key of 'acme' is shorter than 16 characters"),
        (f"a b:{KEY}", "'a b' is no name"),
        (f"a.b:{KEY}", "'a.b' is no name"),
        ("{", "API_KEYS must be"),
        ('{"acme": 1}', "API_KEYS must be"),
        (f"acme:{KEY},globex:{KEY}", "lists a key twice"),
    ],
)
def test_a_wrong_secret_is_refused_without_showing_it(secret: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        api_keys.parse(secret)
    assert KEY not in str(refused.value)
