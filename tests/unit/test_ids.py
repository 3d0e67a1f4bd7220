"""Identifiers."""

import uuid

import ids


def test_time_ordered_ids_are_version_7_and_sort_by_creation() -> None:
    made = [ids.time_ordered() for _ in range(200)]
    assert sorted(made) == made
    assert len(set(made)) == 200
    assert {uuid.UUID(text).version for text in made} == {7}
    assert {uuid.UUID(text).variant for text in made} == {uuid.RFC_4122}


def test_a_system_assistant_has_the_id_that_every_langgraph_server_gives_it() -> None:
    assert ids.system_assistant("seq") == "7a62baa5-c934-5e7a-bf14-83aef6ffc143"


def test_canonical_accepts_the_spellings_of_a_uuid_and_nothing_else() -> None:
    stored = "7a62baa5-c934-5e7a-bf14-83aef6ffc143"
    assert ids.canonical(stored.upper()) == stored
    assert ids.canonical(stored.replace("-", "")) == stored
    for other in (
        "",
        "abc",
        stored + "0",
        f"{{{stored}}}",
        f"urn:uuid:{stored}",
        "\uff17a62baa5-c934-5e7a-bf14-83aef6ffc143",
        f"{stored}\n",
    ):
        assert ids.canonical(other) is None
