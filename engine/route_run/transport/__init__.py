"""Sending: the seam to HTTP, the egress guard, credentials, and the in-process simulator."""
