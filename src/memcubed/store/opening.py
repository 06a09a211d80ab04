"""psycopg connections that open a transaction together with its first statement, in one round trip."""

import select
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg.abc import Params, Query, QueryNoTemplate
from psycopg.pq import PipelineStatus
from psycopg.rows import TupleRow

_LOOKS: Final = 3  # at what a closed connection may still hold: a last message, and then its end

Statement = tuple[LiteralString, tuple[str, ...]]
"""SQL and its parameters."""


class OpeningConnection(psycopg.AsyncConnection[TupleRow]):
    """A connection in autocommit mode, whose transactions begin with statements of ours.

    `open` says which; they are sent along with the next statement. Cursors have to be of `OpeningCursor`.
    """

    _opening: tuple[Statement, ...] = ()
    _is_single = False
    _is_over = False
    _afterwards: tuple[Callable[[], None], ...] = ()

    def open(self, *statements: Statement, is_single: bool = False) -> None:
        """Send these before the next statement. With `is_single` that one is the whole of the transaction."""
        self._opening, self._is_single, self._is_over = statements, is_single, False
        self._afterwards = ()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do this once the transaction has been committed, and never when it is rolled back."""
        self._afterwards = (*self._afterwards, act)

    def committed(self) -> None:
        """Do what waited for the commit."""
        afterwards, self._afterwards = self._afterwards, ()
        for act in afterwards:
            act()

    def end(self) -> None:
        """Refuse every further statement until the next `open`: it would run outside of the transaction."""
        self._opening, self._is_over = (), True

    def take_opening(self) -> tuple[Statement, ...]:
        """What has to be sent before the statement that asks."""
        if self._is_over:
            raise psycopg.ProgrammingError("The transaction has ended.")
        opening, self._opening, self._is_over = self._opening, (), self._is_single
        return opening

    @property
    def has_ended(self) -> bool:
        """Whether the server has closed the connection while it was idle; found out without asking it."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        for _ in range(_LOOKS):
            if not poll.poll(0):
                return False
            try:
                self.pgconn.consume_input()
            except psycopg.OperationalError:
                return True
        return self.closed


class OpeningCursor(psycopg.AsyncCursor[Any]):
    """A cursor of an `OpeningConnection`."""

    async def execute(  # type: ignore[override]  # t-strings
        self,
        query: QueryNoTemplate,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """Execute a statement, after what its transaction opens with."""
        opening = self._take_opening()
        if not opening:
            return await super().execute(query, params, prepare=prepare, binary=binary)
        async with self._together():
            await self._open(opening)
            await super().execute(query, params, prepare=prepare, binary=binary)
        return self

    async def executemany(self, query: Query, params_seq: Iterable[Params], *, returning: bool = False) -> None:
        """Execute a statement for each of the parameters, after what its transaction opens with."""
        opening = self._take_opening()
        if not opening:
            await super().executemany(query, params_seq, returning=returning)
            return
        async with self._together():
            await self._open(opening)
            await super().executemany(query, params_seq, returning=returning)

    def _together(self) -> AbstractAsyncContextManager[object]:
        """A pipeline, or the one that the caller has opened: to end one inside of it would be a round trip."""
        is_open = self.connection.pgconn.pipeline_status != PipelineStatus.OFF
        return nullcontext() if is_open else self.connection.pipeline()

    def _take_opening(self) -> tuple[Statement, ...]:
        connection = self.connection
        return connection.take_opening() if isinstance(connection, OpeningConnection) else ()

    async def _open(self, opening: tuple[Statement, ...]) -> None:
        for statement in opening:
            await psycopg.AsyncCursor(self.connection).execute(*statement)
