"""What people write down about an incident, also after it is over: kept as versions of one document, never changed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from .ports import DocumentStore

#: What notes are called among the documents; each is named by its episode.
KIND: Final = "incident_note"
#: Longest note, characters.
LONGEST: Final = 4000


@dataclass(frozen=True, slots=True)
class IncidentNote:
    """One note: who wrote it, when (epoch s), and what."""

    at: float
    actor: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        """The note as JSON-ready values."""
        return asdict(self)


class IncidentNotes:
    """The notes of all episodes."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def add(self, episode: str, text: str, *, actor: str) -> IncidentNote:
        """Keep a note.

        Raises:
            StoreUnavailable: it was not kept.
        """
        kept = await self._documents.put(KIND, episode, {"text": text[:LONGEST]}, actor=actor)
        return IncidentNote(kept.at, kept.actor, text[:LONGEST])

    async def of(self, episode: str) -> list[IncidentNote]:
        """The notes of an episode, the oldest first.

        Raises:
            StoreUnavailable: they cannot be read now.
        """
        found = await self._documents.versions(KIND, episode)
        return [IncidentNote(each.at, each.actor, str((each.doc or {}).get("text", ""))) for each in reversed(found)]
