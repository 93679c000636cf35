"""A picture as one page that needs nothing else: no network, no fonts, no other file.

Decides the frame: its data stand in it as JSON that cannot end its element, and its policy of content allows just
the one script and the one style that it carries, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from route_run.review.picture.model import Picture

_HERE = Path(__file__).parent


def as_html(picture: Picture) -> str:
    """The page."""
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    frame = (_HERE / "page.html").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    parts = {"@POLICY@": policy, "@STYLE@": style, "@SCRIPT@": script, "@DATA@": as_script_data(picture)}
    for mark, part in parts.items():
        before, _, after = frame.partition(mark)
        frame = before + part + after
    return frame


def as_script_data(picture: Picture) -> str:
    """JSON for a script element: nothing in it can end the element or begin a comment."""
    data = json.dumps(picture.as_json(), ensure_ascii=True, separators=(",", ":"))
    return data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
