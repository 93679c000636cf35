"""The policy as a picture: one model of what there is to see, drawn as a table, a tree, Mermaid, HTML or JSON."""

from route_run.review.picture.model import Picture, picture

__all__ = ["Picture", "picture"]
