"""Progress is told seldom, stops who lost the lease, and stops nobody else."""

import pytest
from sqlalchemy import text

from services.shared.db.repos import stages
from services.shared.db.repos.stages import StageLease
from services.shared.db.session import engine, unit_of_work
from services.shared.errors import LeaseLostError
from services.shared.settings import settings
from services.shared.stages import StageName
from services.trainer.progress import Progress
from tests.trainer.shop import Shop

pytestmark = pytest.mark.stack


def _claimed(shop: Shop) -> StageLease:
    return shop.claim(shop.start_run(), StageName.SNAPSHOT)


def _told(lease: StageLease) -> tuple[int, int]:
    with unit_of_work(lease.project_id) as session:
        progress = stages.of_run(session, lease.run_id)[0].progress
    return progress["completed"], progress["total"]


def test_what_comes_within_half_a_second_is_not_told_but_the_end_is(shop: Shop) -> None:
    lease = _claimed(shop)
    progress = Progress(lease, every=60)
    progress(1, total=4)
    progress(2, total=4)
    assert _told(lease) == (1, 4)
    progress(4, total=4)
    assert _told(lease) == (4, 4)


def test_who_lost_the_lease_is_told_so(shop: Shop) -> None:
    lease = _claimed(shop)
    with unit_of_work(shop.project_id) as session:
        session.execute(text("UPDATE stages SET lease_token = lease_token + 1"))
    with pytest.raises(LeaseLostError):
        Progress(lease)(1, total=4)


def test_a_database_that_is_away_stops_no_training(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    lease = _claimed(shop)
    for setting in ("database_url", "owner_database_url"):
        engine(setting).dispose()
    monkeypatch.setenv("WINNOW_DATABASE_URL", f"postgresql+psycopg://u@127.0.0.1:{free_port}/x")
    settings.cache_clear()
    engine.cache_clear()
    Progress(lease)(1, total=4)
