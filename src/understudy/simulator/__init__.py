"""Third-party APIs to practise on: real HTTP servers on loopback that fail as they are told.

The servers keep nothing secret: keys, certificates and facts come from a seed or from this package.
"""

from .catalogue import CATALOGUE, HUB, ApiSpec
from .certificates import CA_FILE
from .faults import KINDS, Fault
from .front import Simulator
from .journal import Seen
from .scenarios import SCENARIOS, Event, Scenario
from .thread import SimulatorThread

__all__ = [
    "CATALOGUE", "CA_FILE", "HUB", "KINDS", "SCENARIOS",
    "ApiSpec", "Event", "Fault", "Scenario", "Seen", "Simulator", "SimulatorThread",
]  # fmt: skip
