"""Whether a run that was cut off is tried again: the rule alone, on possible histories."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.attempts import GaveUp, decide
from tables.circuits import Circuit
from tables.run_history import Entry

STARTED = Entry(at="00", event="started", attempt=1, version="v1")
OPEN = Circuit(graph_id="g", version="v1", failures=5, opened_at="00", probe_run_id=None)


def cut_off(*checkpoints: str | None, version: str = "v1", after: Entry = STARTED) -> list[Entry]:
    """The entries of a run that was cut off at these checkpoints."""
    entries = [after]
    for checkpoint_id in checkpoints:
        entries.append(
            Entry(
                at=f"{len(entries):02}",
                event="resumed",
                attempt=entries[-1].attempt + 1,
                version=version,
                cause="cut_off",
                checkpoint_id=checkpoint_id,
                step=checkpoint_id and int(checkpoint_id),
            )
        )
    return entries


def given_up(entries: list[Entry], circuit: Circuit | None = None, *, max_attempts: int = 3) -> GaveUp:
    gave_up = decide(entries, "r", circuit, max_attempts)
    assert gave_up
    return gave_up


def test_a_run_that_is_cut_off_at_one_checkpoint_again_and_again_gives_up() -> None:
    assert decide(cut_off("4", "4"), "r", None, 3) is None
    gave_up = given_up(cut_off("2", "4", "4", "4"))
    assert gave_up.error == "AttemptsExhausted"
    for part in ("cut off 3 times in super-step 5", "Worker version v1", "POST /runs/dead-letters/redrive"):
        assert part in gave_up.message
    assert gave_up.counts_since == "02"


def test_a_run_without_a_checkpoint_says_so() -> None:
    assert "before its first checkpoint" in given_up(cut_off(None, None, None)).message


def test_any_number_of_deploys_does_not_stop_a_run_that_advances() -> None:
    assert decide(cut_off(*map(str, range(200))), "r", None, 2) is None


def test_a_run_that_was_redriven_has_all_attempts_before_it() -> None:
    redriven = Entry(at="05", event="redriven", attempt=4)
    again = replace(STARTED, attempt=5)
    before = [*cut_off("4", "4", "4"), redriven]
    assert decide([*before, *cut_off("4", "4", after=again)], "r", None, 3) is None
    assert "cut off 3 times" in given_up([*before, *cut_off("4", "4", "4", after=again)]).message


def test_attempts_of_several_versions_do_not_speak_against_one() -> None:
    entries = [*cut_off("4", "4"), *cut_off("4", version="v2", after=cut_off("4", "4")[-1])[1:]]
    gave_up = given_up([*entries, *cut_off("4", version="v2", after=entries[-1])[1:]], max_attempts=4)
    assert gave_up.counts_since is None
    assert "v1, v2" in gave_up.message


def test_an_open_circuit_lets_only_its_probe_try_again() -> None:
    refused = given_up(cut_off("4"), OPEN)
    assert (refused.error, refused.counts_since) == ("CircuitOpen", None)
    assert "last 5 runs of graph g" in refused.message
    assert decide(cut_off("4"), "r", replace(OPEN, probe_run_id="r"), 3) is None
    assert decide(cut_off("4"), "r", replace(OPEN, opened_at=None), 3) is None


@pytest.mark.parametrize("circuit", [None, OPEN, replace(OPEN, probe_run_id="r")])
def test_the_cap_holds_whatever_the_circuit_says(circuit: Circuit | None) -> None:
    assert given_up(cut_off("4", "4", "4"), circuit).error == "AttemptsExhausted"


@dataclass
class Model:
    """The rule once more, told forwards: a counter that each advance and each redrive sets back."""

    limit: int
    number: int = 0
    checkpoint: int = 0
    cut_off_at: int | None = None

    def cut_off(self) -> bool:
        """Whether the run gives up now."""
        self.number = self.number + 1 if self.cut_off_at == self.checkpoint else 1
        self.cut_off_at = self.checkpoint
        return self.number >= self.limit


@given(st.lists(st.sampled_from(["advance", "cut_off", "hand_over", "redrive"]), max_size=60), st.integers(1, 5))
def test_a_history_gives_up_exactly_when_a_counter_would(steps: list[str], limit: int) -> None:
    model, entries = Model(limit), [STARTED]
    for at, step in enumerate(steps):
        last = entries[-1]
        match step:
            case "advance":
                model.checkpoint += 1
            case "hand_over":
                entries.append(Entry(at=str(at), event="handed_over", attempt=last.attempt, version="v1"))
            case "redrive":
                model.number, model.cut_off_at = 0, None
                entries.append(Entry(at=str(at), event="redriven", attempt=last.attempt))
                entries.append(replace(STARTED, attempt=last.attempt + 1))
            case _:
                checkpoint_id = str(model.checkpoint)
                resumed = cut_off(checkpoint_id, after=replace(last))[1]
                entries.append(replace(resumed, at=str(at)))
                assert (decide(entries, "r", None, limit) is not None) == model.cut_off()
