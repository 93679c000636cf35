"""Not proved within the bound

Why: reachability and eligibility are proved by taking sets of requests apart. Matches that cross each other in many
    ways can make very many parts; the work is bounded, and what the bound cuts off is said here, so that silence
    always means that the proof was made.

Bad:
    version: 1
    tags: # six tags of five values: two of them always agree, but no short argument says so
      a: {values: [v, w, x, y, z], required: true}
      b: {values: [v, w, x, y, z], required: true}
      c: {values: [v, w, x, y, z], required: true}
      d: {values: [v, w, x, y, z], required: true}
      e: {values: [v, w, x, y, z], required: true}
      f: {values: [v, w, x, y, z], required: true}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      everything-else: {match: {}, upstream: main}
      abv: {match: {tags: {a: v, b: v}}, upstream: main}
      abw: {match: {tags: {a: w, b: w}}, upstream: main}
      abx: {match: {tags: {a: x, b: x}}, upstream: main}
      aby: {match: {tags: {a: y, b: y}}, upstream: main}
      abz: {match: {tags: {a: z, b: z}}, upstream: main}
      acv: {match: {tags: {a: v, c: v}}, upstream: main, precedence: 1}
      acw: {match: {tags: {a: w, c: w}}, upstream: main, precedence: 1}
      acx: {match: {tags: {a: x, c: x}}, upstream: main, precedence: 1}
      acy: {match: {tags: {a: y, c: y}}, upstream: main, precedence: 1}
      acz: {match: {tags: {a: z, c: z}}, upstream: main, precedence: 1}
      adv: {match: {tags: {a: v, d: v}}, upstream: main, precedence: 2}
      adw: {match: {tags: {a: w, d: w}}, upstream: main, precedence: 2}
      adx: {match: {tags: {a: x, d: x}}, upstream: main, precedence: 2}
      ady: {match: {tags: {a: y, d: y}}, upstream: main, precedence: 2}
      adz: {match: {tags: {a: z, d: z}}, upstream: main, precedence: 2}
      aev: {match: {tags: {a: v, e: v}}, upstream: main, precedence: 3}
      aew: {match: {tags: {a: w, e: w}}, upstream: main, precedence: 3}
      aex: {match: {tags: {a: x, e: x}}, upstream: main, precedence: 3}
      aey: {match: {tags: {a: y, e: y}}, upstream: main, precedence: 3}
      aez: {match: {tags: {a: z, e: z}}, upstream: main, precedence: 3}
      afv: {match: {tags: {a: v, f: v}}, upstream: main, precedence: 4}
      afw: {match: {tags: {a: w, f: w}}, upstream: main, precedence: 4}
      afx: {match: {tags: {a: x, f: x}}, upstream: main, precedence: 4}
      afy: {match: {tags: {a: y, f: y}}, upstream: main, precedence: 4}
      afz: {match: {tags: {a: z, f: z}}, upstream: main, precedence: 4}
      bcv: {match: {tags: {b: v, c: v}}, upstream: main, precedence: 5}
      bcw: {match: {tags: {b: w, c: w}}, upstream: main, precedence: 5}
      bcx: {match: {tags: {b: x, c: x}}, upstream: main, precedence: 5}
      bcy: {match: {tags: {b: y, c: y}}, upstream: main, precedence: 5}
      bcz: {match: {tags: {b: z, c: z}}, upstream: main, precedence: 5}
      bdv: {match: {tags: {b: v, d: v}}, upstream: main, precedence: 6}
      bdw: {match: {tags: {b: w, d: w}}, upstream: main, precedence: 6}
      bdx: {match: {tags: {b: x, d: x}}, upstream: main, precedence: 6}
      bdy: {match: {tags: {b: y, d: y}}, upstream: main, precedence: 6}
      bdz: {match: {tags: {b: z, d: z}}, upstream: main, precedence: 6}
      bev: {match: {tags: {b: v, e: v}}, upstream: main, precedence: 7}
      bew: {match: {tags: {b: w, e: w}}, upstream: main, precedence: 7}
      bex: {match: {tags: {b: x, e: x}}, upstream: main, precedence: 7}
      bey: {match: {tags: {b: y, e: y}}, upstream: main, precedence: 7}
      bez: {match: {tags: {b: z, e: z}}, upstream: main, precedence: 7}
      bfv: {match: {tags: {b: v, f: v}}, upstream: main, precedence: 8}
      bfw: {match: {tags: {b: w, f: w}}, upstream: main, precedence: 8}
      bfx: {match: {tags: {b: x, f: x}}, upstream: main, precedence: 8}
      bfy: {match: {tags: {b: y, f: y}}, upstream: main, precedence: 8}
      bfz: {match: {tags: {b: z, f: z}}, upstream: main, precedence: 8}
      cdv: {match: {tags: {c: v, d: v}}, upstream: main, precedence: 9}
      cdw: {match: {tags: {c: w, d: w}}, upstream: main, precedence: 9}
      cdx: {match: {tags: {c: x, d: x}}, upstream: main, precedence: 9}
      cdy: {match: {tags: {c: y, d: y}}, upstream: main, precedence: 9}
      cdz: {match: {tags: {c: z, d: z}}, upstream: main, precedence: 9}
      cev: {match: {tags: {c: v, e: v}}, upstream: main, precedence: 10}
      cew: {match: {tags: {c: w, e: w}}, upstream: main, precedence: 10}
      cex: {match: {tags: {c: x, e: x}}, upstream: main, precedence: 10}
      cey: {match: {tags: {c: y, e: y}}, upstream: main, precedence: 10}
      cez: {match: {tags: {c: z, e: z}}, upstream: main, precedence: 10}
      cfv: {match: {tags: {c: v, f: v}}, upstream: main, precedence: 11}
      cfw: {match: {tags: {c: w, f: w}}, upstream: main, precedence: 11}
      cfx: {match: {tags: {c: x, f: x}}, upstream: main, precedence: 11}
      cfy: {match: {tags: {c: y, f: y}}, upstream: main, precedence: 11}
      cfz: {match: {tags: {c: z, f: z}}, upstream: main, precedence: 11}
      dev: {match: {tags: {d: v, e: v}}, upstream: main, precedence: 12}
      dew: {match: {tags: {d: w, e: w}}, upstream: main, precedence: 12}
      dex: {match: {tags: {d: x, e: x}}, upstream: main, precedence: 12}
      dey: {match: {tags: {d: y, e: y}}, upstream: main, precedence: 12}
      dez: {match: {tags: {d: z, e: z}}, upstream: main, precedence: 12}
      dfv: {match: {tags: {d: v, f: v}}, upstream: main, precedence: 13}
      dfw: {match: {tags: {d: w, f: w}}, upstream: main, precedence: 13}
      dfx: {match: {tags: {d: x, f: x}}, upstream: main, precedence: 13}
      dfy: {match: {tags: {d: y, f: y}}, upstream: main, precedence: 13}
      dfz: {match: {tags: {d: z, f: z}}, upstream: main, precedence: 13}
      efv: {match: {tags: {e: v, f: v}}, upstream: main, precedence: 14}
      efw: {match: {tags: {e: w, f: w}}, upstream: main, precedence: 14}
      efx: {match: {tags: {e: x, f: x}}, upstream: main, precedence: 14}
      efy: {match: {tags: {e: y, f: y}}, upstream: main, precedence: 14}
      efz: {match: {tags: {e: z, f: z}}, upstream: main, precedence: 14}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      everything-else: {match: {}, upstream: main}

Effect: a route may be unreachable or without a target, and lint would not know.

Fix: simplify the matches: fewer routes that cross each other, more of them narrower than one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table.cover import NotProved
from route_run.text.nearest import listed

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.HINT
_SHOWN = 4


def check(facts: Facts) -> Iterator[Finding]:
    """What was not proved, one finding for each question: the work for all routes is bounded together."""
    reach: list[str] = []
    targets: list[str] = []
    for name, route in sorted(facts.table.routes.items()):
        if route.region is not None and isinstance(facts.reached.of(route), NotProved):
            reach.append(name)
        elif any(isinstance(fate, NotProved) for fate in facts.eligible.fates(route)) or any(
            isinstance(found, NotProved) for found in facts.stranded(route)
        ):
            targets.append(name)
    if reach:
        whose = "it" if len(reach) == 1 else "some of them"
        yield _not_proved(facts, reach, f"that a request reaches {_routes(reach)}", f"{whose} may be unreachable")
    if targets:
        whose = "it" if len(targets) == 1 else "some of them"
        yield _not_proved(
            facts, targets, f"which targets take requests of {_routes(targets)}", f"{whose} may have none"
        )
    if isinstance(facts.left_by_all, NotProved):
        names = [route.name for route in facts.table.matched]
        yield _not_proved(facts, names, "that every request matches a route", "some requests may match none")


def _routes(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the route `{names[0]}`"
    return f"{len(names)} routes: {listed(names, most=_SHOWN)}"


def _not_proved(facts: Facts, names: Sequence[str], what: str, risk: str) -> Finding:
    first, *others = sorted(facts.name_span("routes", name) for name in names)
    return Finding(
        Code.NOT_PROVED,
        first,
        f"not proved: {what}; the matches cross in more ways than are looked at",
        severity=SEVERITY,
        labels=tuple(Label(span, "not proved for this one either") for span in others[: _SHOWN - 1]),
        help="make routes narrower than one another instead of crossing each other",
        effect=f"{risk}, and lint would not know",
    )
