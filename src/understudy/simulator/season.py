"""The facts that all simulated APIs tell: one season of football, drawn from a seed.

Every API reads the same `Season`, so that two answers about one match agree once their shapes have
been mapped onto each other. Nothing here depends on the date of today.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

#: Saturday, 15 August 2026, 14:00 UTC, in epoch seconds.
FIRST_KICKOFF = 1_786_802_400
WEEK = 7 * 86_400
#: Rounds that have results; the later ones are still to be played.
PLAYED_ROUNDS = 19
_KICKOFF_OFFSETS = (0, 9_000, 18_000, 86_400, 95_400)

_NAMES = (
    "Alder Town", "Brackwater", "Carrow Vale", "Dunmere", "Eastholm", "Fenwick Rovers", "Greyfriars", "Harrow Heath",
    "Inverlea", "Kestrel Park", "Lowmoor", "Marsh End", "Northgate", "Oakhurst", "Pendle United", "Quarry Hill",
    "Ravensea", "Stonebridge", "Thornbury", "Westering",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Team:
    """A club; `code` is its three-letter form."""

    number: int
    name: str
    code: str


@dataclass(frozen=True, slots=True)
class Match:
    """One fixture. `kickoff` is epoch seconds, odds are decimal, chances are whole percents that sum to 100."""

    number: int
    round: int
    kickoff: int
    home: Team
    away: Team
    goals: tuple[int, int] | None
    odds: tuple[float, float, float]
    chances: tuple[int, int, int]

    @property
    def pick(self) -> int:
        """Index of the likeliest result: 0 home, 1 draw, 2 away."""
        return self.chances.index(max(self.chances))


@dataclass(frozen=True, slots=True)
class Season:
    """All matches, in the order of their rounds."""

    matches: tuple[Match, ...]

    @classmethod
    def draw(cls, seed: int) -> Season:
        """The season of this seed: twenty teams, home and away, thirty-eight rounds."""
        rng = random.Random(f"season:{seed}")
        teams = [Team(n, name, name[:3].upper()) for n, name in enumerate(_NAMES, 1)]
        rng.shuffle(teams)
        strengths = {team.number: rng.uniform(0.6, 1.6) for team in teams}
        rounds = _pairings(teams)
        rounds += [[(away, home) for home, away in pairs] for pairs in rounds]
        matches: list[Match] = []
        for number, pairs in enumerate(rounds, 1):
            for slot, (home, away) in enumerate(pairs):
                kickoff = FIRST_KICKOFF + (number - 1) * WEEK + _KICKOFF_OFFSETS[slot % len(_KICKOFF_OFFSETS)]
                ratio = strengths[home.number] * 1.25 / strengths[away.number]
                matches.append(_play(rng, len(matches) + 1, number, kickoff, home, away, ratio))
        return cls(tuple(matches))

    def of_round(self, number: int) -> tuple[Match, ...]:
        """The ten matches of a round; none outside 1–38."""
        return tuple(match for match in self.matches[max(0, number - 1) * 10 : number * 10] if match.round == number)


def _pairings(teams: Sequence[Team]) -> list[list[tuple[Team, Team]]]:
    """Each team against each other once (circle method), sides alternating."""
    fixed, ring = teams[0], list(teams[1:])
    rounds: list[list[tuple[Team, Team]]] = []
    for number in range(len(ring)):
        order = [fixed, *ring[number:], *ring[:number]]
        pairs = [(order[i], order[-1 - i]) for i in range(len(order) // 2)]
        rounds.append([(b, a) if number % 2 else (a, b) for a, b in pairs])
    return rounds


def _play(rng: random.Random, number: int, round_: int, kickoff: int, home: Team, away: Team, ratio: float) -> Match:
    draw = rng.randint(20, 30)
    win = round((100 - draw) * ratio / (1 + ratio))
    chances = (win, draw, 100 - draw - win)
    # A bookmaker's margin of five to eight percent.
    margin = rng.uniform(1.05, 1.08)
    odds = tuple(round(max(1.01, 100 / (max(1, chance) * margin)), 2) for chance in chances)
    goals = (_goals(rng, 1.4 * ratio**0.5), _goals(rng, 1.4 / ratio**0.5))
    return Match(
        number, round_, kickoff, home, away, goals if round_ <= PLAYED_ROUNDS else None,
        (odds[0], odds[1], odds[2]), chances,
    )  # fmt: skip


def _goals(rng: random.Random, mean: float) -> int:
    return sum(rng.random() < mean / 8 for _ in range(8))
