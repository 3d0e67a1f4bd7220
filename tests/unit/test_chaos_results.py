"""The figures of a campaign are counted from its history, and docs/reliability.md agrees with docs/reliability.json."""

from pathlib import Path

from tests.chaos.campaign import results
from tests.chaos.campaign.history import Asked, Crashed, Disturbed, History, Stepped

HISTORY = History(
    events=[
        Asked(at=0, name="one", thread_id="t", steps=1),
        Disturbed(at=1, until=3, counts={"D1 stalls": 2}),
        Stepped(at=2, sent=2, until=9, name="one", step=0),
        Crashed(at=3, kind="workerd killed", ready_at=4),
        Stepped(at=4.5, sent=4.5, until=5, name="one", step=0),
        Crashed(at=6, kind="power cut", ready_at=8),
    ],
    threads=[],
)


def test_a_round_is_counted() -> None:
    result = results.result_of(HISTORY, seed=7, seconds=60)
    assert result.crashes == {"workerd killed": 1, "power cut": 1}
    assert result.faults == {"D1 stalls": 2}
    assert (result.restarts, result.recoveries, result.own_recoveries) == ([1, 2], [1.5], [0.5])


def test_percentiles_are_values_that_were_measured() -> None:
    assert [results.percentile([3.0, 1.0, 2.0], percent) for percent in (50, 99, 100)] == [2.0, 3.0, 3.0]
    assert results.percentile([], 50) == 0.0


def test_rounds_are_kept_and_read(tmp_path: Path) -> None:
    kept = [results.result_of(HISTORY, seed=7, seconds=60)]
    results.keep(kept, tmp_path / "rounds.json")
    assert results.read(tmp_path / "rounds.json") == kept


def test_the_page_says_what_the_rounds_say() -> None:
    text = results.PAGE.read_text()
    assert results.page(text, results.read(results.ROUNDS)) == text
