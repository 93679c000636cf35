"""Looking at decisions: explanations of plans."""
