"""O sistema de alertas: os nomes do documento, tal como o Understudy os tem."""

from understudy import AlertManager, Level, Rule, add_custom_alert_rule, get_alert_manager

__all__ = ["AlertManager", "Level", "Rule", "add_custom_alert_rule", "get_alert_manager"]
