"""Which incident's ladder serves which incident: one ladder a place and kind, whatever ids the line gave to its incidents.

Plain data: names of ladders, no ladder. Refuses to decide when a place is done.
"""

from uuid import UUID

Place = tuple[str, str, bool]


class Places:
    """Incidents that share a ladder, and the places whose ladder is under way."""

    def __init__(self) -> None:
        self._at: dict[Place, UUID] = {}
        self._aliases: dict[UUID, UUID] = {}

    def served_by(self, incident_id: UUID) -> UUID:
        """The incident whose ladder serves this one; itself where it is no alias."""
        return self._aliases.get(incident_id, incident_id)

    def at(self, place: Place) -> UUID | None:
        """The incident whose ladder serves this place."""
        return self._at.get(place) if place[0] else None

    def open(self, place: Place, incident_id: UUID) -> None:
        """This incident's ladder serves the place."""
        self._at[place] = incident_id

    def close(self, place: Place, incident_id: UUID) -> None:
        """It does not serve the place any more; a later incident there is a new one."""
        if self._at.get(place) == incident_id:
            del self._at[place]

    def join(self, alias: UUID, incident_id: UUID) -> None:
        """``alias`` is served by the ladder of ``incident_id``."""
        if alias != incident_id:
            self._aliases[alias] = incident_id

    def forget(self, place: Place, incident_id: UUID, aliases: tuple[UUID, ...]) -> None:
        """The ladder is not in memory any more."""
        self.close(place, incident_id)
        for alias in aliases:
            self._aliases.pop(alias, None)
