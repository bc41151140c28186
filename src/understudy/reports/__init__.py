"""What happened, as a document: service levels, savings, cost, failures, incidents."""

from .reports import KINDS, TARGET, Reports

__all__ = ["KINDS", "TARGET", "Reports"]
