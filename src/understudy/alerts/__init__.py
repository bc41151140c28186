"""Numbers to alerts, alerts to an end."""
