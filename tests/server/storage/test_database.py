"""The database takes a new connection where an old one no longer works."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from managed_sync.server.storage.database import Database


def test_a_connection_that_cannot_even_be_tested_is_replaced(postgres: Callable[[], str]) -> None:
    database = Database(postgres())
    with database.reading() as connection:
        driver = connection.connection.driver_connection
    assert driver is not None
    # As when PostgreSQL ends the connection just then: it is busy, and says ProgrammingError.
    driver.pgconn.send_query(b"SELECT pg_sleep(60)")
    with database.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
        assert connection.connection.driver_connection is not driver
    database.close()
