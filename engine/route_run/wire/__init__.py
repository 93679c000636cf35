"""Dialects, sans IO: requests and answers to bytes and back, server-sent events, tokens, signatures."""
