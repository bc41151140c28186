"""The original document's names."""

import json
import logging

from understudy.config.production import ProductionConfig


def test_arguments_override_variables(tmp_path):
    config = ProductionConfig(log_format="json", env={"LOG_FORMAT": "text", "ENVIRONMENT": "prod"}, path=None)
    assert (config.log_format, config.environment, config.dashboard_port) == ("json", "production", 8080)
    assert config.get_notification_channels() == []


def test_the_log_of_the_process_is_written_as_configured_and_masks_what_is_secret(tmp_path):
    file = tmp_path / "logs" / "a.log"
    env = {"LOG_FORMAT": "json", "LOG_FILE": str(file), "DASHBOARD_SECRET_KEY": "k3y-0f-sessions"}
    root, level = logging.getLogger(), logging.getLogger().level
    ProductionConfig("prod", env=env).configure_logging()
    try:
        logging.getLogger("mine").warning("signed with %s", "k3y-0f-sessions")
    finally:
        for handler in [handler for handler in root.handlers if handler.get_name() == "understudy"]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)
    line = json.loads(file.read_text("utf-8"))
    assert (line["service.environment"], line["log.logger"]) == ("production", "mine")
    assert "k3y" not in line["message"]
