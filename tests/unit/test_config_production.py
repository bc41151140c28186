"""The original document's names."""

from understudy.config.production import ProductionConfig


def test_arguments_override_variables(tmp_path):
    config = ProductionConfig(log_format="json", env={"LOG_FORMAT": "text", "ENVIRONMENT": "prod"}, path=None)
    assert (config.log_format, config.environment, config.dashboard_port) == ("json", "production", 8080)
    assert config.get_notification_channels() == []
