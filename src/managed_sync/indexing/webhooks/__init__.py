"""Receives webhooks and updates single records."""
