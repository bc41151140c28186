"""What pages are told while they are open: one stream of events for each browser."""
