"""O gerente de fallback: os nomes do documento, tal como o Understudy os tem."""

from understudy import AllApisFailed, FallbackManager, get_fallback_manager

__all__ = ["AllApisFailed", "FallbackManager", "get_fallback_manager"]
