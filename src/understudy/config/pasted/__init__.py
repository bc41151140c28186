"""What people paste to add an API: a curl line, a snippet of RapidAPI's page, an OpenAPI document, an address."""

from .proposal import Proposal
from .reading import MOST, propose
from .request import PasteError

__all__ = ["MOST", "PasteError", "Proposal", "propose"]
