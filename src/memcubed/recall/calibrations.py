"""The calibration of the embedding model in use: shipped, stored, or fitted the first time that it is needed."""

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from memcubed.errors import ProviderError
from memcubed.providers.embeddings import Embedder
from memcubed.recall.calibration import DEFAULT, LOCAL
from memcubed.recall.fitting import fit
from memcubed.recall.model import Calibration
from memcubed.store.session import Database
from memcubed.store.tables import calibrations

log = structlog.get_logger(__name__)


class CalibrationService:
    """Knows how the embedder's scores become relativity."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder
        self._of_space: dict[str, Calibration] = dict(LOCAL)

    def current(self) -> Calibration:
        """That of the space in use; a middling one while it is not known."""
        try:
            return self._of_space.get(self._embedder.space, DEFAULT)
        except ProviderError:
            return DEFAULT

    async def prepare(self) -> None:
        """Learn the calibration of the space in use: from the database, else by fitting it, which is stored.

        Raises ProviderError when the model does not answer; `current` is a middling one until this succeeds.
        """
        space = self._embedder.space
        if space in self._of_space:
            return
        stored = await self._find(space)
        self._of_space[space] = await self.fit() if stored is None else stored

    async def fit(self) -> Calibration:
        """Fit the calibration anew and store it. Raises ProviderError."""
        calibration = await fit(self._embedder)
        values = {
            "middle": calibration.middle,
            "noise": calibration.noise,
            "gain": calibration.gain,
            "shift": calibration.shift,
        }
        statement = insert(calibrations).values(space=self._embedder.space, **values)
        async with self._database.transaction(None) as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["space"], set_={**values, "fitted_at": func.now()})
            )
        log.info("calibration_fitted", space=self._embedder.space, **values)
        return calibration

    async def _find(self, space: str) -> Calibration | None:
        async with self._database.transaction(None) as connection:
            row = (await connection.execute(select(calibrations).where(calibrations.c.space == space))).one_or_none()
        return None if row is None else Calibration(row.middle, row.noise, row.gain, row.shift)
