"""route-run: routing policy for LLM prompts, checked, explained, and run."""

__version__ = "0.1.0"
