"""Whatever a database says against it, its callers hear ``StoreError``; a Postgres that came back is simply used."""

import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from gateway.store.engine import Where, make_engine
from gateway.store.trouble import StoreUnavailable
from tests.fixtures.postgres import Postgres


@pytest.fixture
def mortal_postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.close()


async def test_what_a_database_does_not_know_is_a_store_error(where: Where) -> None:
    engine = make_engine(where)
    try:
        with pytest.raises(StoreUnavailable, match="nonsense"):
            async with engine.begin() as connection:
                await connection.execute(text("select nonsense"))
    finally:
        await engine.dispose()


async def test_a_postgres_that_died_is_a_store_error_and_one_that_came_back_is_none(mortal_postgres: Postgres) -> None:
    engine = make_engine(mortal_postgres.url())

    async def one() -> int:
        async with engine.begin() as connection:
            return int((await connection.execute(text("select 1"))).scalar_one())

    try:
        assert await one() == 1
        mortal_postgres.stop(signal.SIGKILL)
        mortal_postgres.start()
        assert await one() == 1  # the connection that it had is dead, and replaced
        mortal_postgres.stop(signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await one()
        mortal_postgres.start()
        assert await one() == 1
    finally:
        await engine.dispose()
