"""Numbers and logs for other programs: Prometheus, log files."""
