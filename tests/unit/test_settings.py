"""Settings from the environment."""

from base64 import b64encode

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
    [
        ("MAX_BODY_BYTES", "16MB"),
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "-1"),
        ("SLICE_SECONDS", "900"),
        ("ACCEPTED_STATUS", "201"),
        ("AUTH", "off"),
        ("DNS_RESOLVER_URL", "9.9.9.9"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be .*{value}"):
        Settings.from_env({name: value})


def test_webhook_secrets_are_the_keys_that_they_spell() -> None:
    keys = (bytes(range(24)), bytes(64))
    text = " ".join(f"whsec_{b64encode(key).decode()}" for key in keys)
    read = Settings.from_env({"WEBHOOK_SECRETS": f" {text}\n"})
    assert read.webhook_secrets == keys
    assert repr(keys[1]) not in repr(read)


@pytest.mark.parametrize("text", ["secret", "whsec_c2hvcnQ=", f"whsec_{'A' * 100}", "whsec_ünïcödé"])
def test_a_webhook_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_SECRETS must be") as refusal:
        Settings.from_env({"WEBHOOK_SECRETS": text})
    assert text not in str(refusal.value).replace("`whsec_`", "")


def test_a_variable_of_other_servers_is_not_ignored() -> None:
    with pytest.raises(ValueError, match=r"LANGGRAPH_AES_KEY .* checkpoints are not encrypted with it"):
        Settings.from_env({"LANGGRAPH_AES_KEY": "k"})


def test_no_key_is_shown() -> None:
    assert "secret" not in repr(Settings.from_env({"API_KEYS": "secret"}))


@pytest.mark.parametrize("prefix", ["api", "/api/", "//", "/a?b"])
def test_a_mount_prefix_is_a_path(prefix: str) -> None:
    with pytest.raises(ValueError, match="MOUNT_PREFIX"):
        Settings.from_env({"MOUNT_PREFIX": prefix})
