"""A short campaign; `make chaos KILLS=200` plays a long one (docs/reliability.md)."""

from tests.chaos.campaign.round import play, report

SEED = 1
KILLS = 6


async def test_a_short_campaign_keeps_every_promise() -> None:
    result = await play(SEED, KILLS)
    assert result.violations == [], report(result)
    assert sum(result.crashes.values()) == KILLS, report(result)
    assert result.recoveries, f"no run was inside a step when the server died: {report(result)}"
