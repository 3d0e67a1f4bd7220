"""Settings from the environment."""

import pytest

from settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_each_setting_is_read_from_its_variable() -> None:
    env = {
        "MAX_BODY_BYTES": "10",
        "ACCEPTED_STATUS": "202",
        "MAX_ATTEMPTS": "3",
        "CORS_ALLOW_ORIGINS": "https://a.example",
    }
    read = Settings.from_env(env)
    assert (read.max_body_bytes, read.accepted_status, read.max_attempts) == (10, "202", 3)
    assert read.cors_allow_origins == "https://a.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAX_BODY_BYTES", "16MB"), ("MAX_ATTEMPTS", "0"), ("MAX_ATTEMPTS", "-1"), ("ACCEPTED_STATUS", "201")],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .*{value}"):
        Settings.from_env({name: value})
