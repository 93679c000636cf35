"""What lint has to say about a policy, and how it is reported."""
