"""A configuração: os nomes do documento, tal como o Understudy os tem."""

from understudy import ProductionConfig, load_production_config

__all__ = ["ProductionConfig", "load_production_config"]
