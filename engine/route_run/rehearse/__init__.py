"""Rehearsals: scripted requests on the real engine in virtual time, exploration, coverage, mutation."""
