"""Alerts and notifications at work in one application: the part of the composition root that joins their rooms."""
