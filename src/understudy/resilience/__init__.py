"""Serve one call in spite of failing APIs."""

from .fallback import FallbackManager

__all__ = ["FallbackManager"]
