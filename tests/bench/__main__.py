"""`python tests/bench`: what the engine costs, as ratios taken in one run on the same work.

Prints CPU time (user and system of this process), never wall time: machines are small and noisy. Batches of
what is compared alternate, and the median of the batches counts.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import anyio
import yaml

from route_run.flow.decide import decide
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.lint.report import rendered
from route_run.lint.verdict import judge
from route_run.runtime.engine import Engine
from route_run.table import load
from route_run.transport.http import HttpTransport
from route_run.transport.seam import Call, Purpose, Way
from route_run.wire.call import HttpRequest

HERE = Path(__file__).parent
PROMPT = "Please tell me where my parcel is, it was sent a week ago and has not come. " * 13
PARTS = ("requests", "sizes", "lint", "start", "rehearse")
Work = Callable[[], Awaitable[object]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, only to see that it works")
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts; all by default")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if "requests" in parts:
        anyio.run(_requests, 20 if options.quick else 300, 3 if options.quick else 9, backend=options.backend)
    if "sizes" in parts:
        _sizes((10, 100) if options.quick else (10, 100, 1_000, 10_000))
    if "lint" in parts:
        _lint(50 if options.quick else 1_000, 1 if options.quick else 5)
    if "start" in parts:
        _start(2 if options.quick else 9)
    if "rehearse" in parts:
        # imported here: the script's own folder is where it is found
        import rehearsals

        rehearsals.measure(10 if options.quick else 200, 2 if options.quick else 5)


# -- requests ------------------------------------------------------------------------------------------


@asynccontextmanager
async def _upstream() -> AsyncIterator[int]:
    process = subprocess.Popen([sys.executable, str(HERE / "upstream.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


async def _requests(count: int, rounds: int) -> None:
    print(f"CPU per request, one at a time, {rounds} rounds of {count}; prompt of {len(PROMPT)} bytes")
    async with _upstream() as port:
        with tempfile.TemporaryDirectory() as folder:
            await _compare(Path(folder), port, count, rounds)


async def _compare(folder: Path, port: int, count: int, rounds: int) -> None:
    policy = HERE / "policy"
    request = PromptRequest.of(prompt=PROMPT, tags={"desk": "support", "tenant": "acme"})
    environ = {"BENCH_URL": f"http://127.0.0.1:{port}/v1"}
    bare = HttpTransport({"bench": Way(("loopback",))})
    async with (
        Engine.open(policy, ledger=MemoryLedger(), environ=environ) as engine,
        Engine.open(policy, ledger=f"sqlite:///{folder / 'ledger.sqlite3'}", environ=environ) as stored,
    ):

        async def bare_call(stream: bool) -> None:
            body = b'{"model":"bench","messages":[{"role":"user","content":"' + PROMPT.encode() + b'"}],"stream":'
            body += (b"true" if stream else b"false") + b"}"
            head = {"content-type": "application/json"}
            sent = HttpRequest(f"http://127.0.0.1:{port}/v1/chat/completions", head, body)
            response = await bare.send(Call(sent, "bench", Purpose.INFERENCE, 5.0))
            while await response.read():
                pass
            await response.aclose()

        async def streamed(engine: Engine) -> None:
            async with engine.stream(request) as events:
                async for _ in events:
                    pass

        for title, budget, works in (
            (
                "plain answer",
                0.35,
                {
                    "bare transport": lambda: bare_call(False),
                    "engine": lambda: engine.complete(request),
                    "engine, ledger on disk": lambda: stored.complete(request),
                },
            ),
            (
                "stream of 100 chunks",
                0.6,
                {
                    "bare transport": lambda: bare_call(True),
                    "engine": lambda: streamed(engine),
                    "engine, ledger on disk": lambda: streamed(stored),
                },
            ),
        ):
            await _alternate(title, budget, works, count, rounds)
    await bare.aclose()


async def _alternate(title: str, budget: float, works: dict[str, Work], count: int, rounds: int) -> None:
    measured: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            await work()
            began = time.process_time()
            for _ in range(count):
                await work()
            measured[name].append((time.process_time() - began) / count * 1000)
    base = statistics.median(measured["bare transport"])
    print(f"\n{title} (budget: {budget} ms above the bare transport)")
    for name, values in measured.items():
        value = statistics.median(values)
        above = "" if name == "bare transport" else f"  {value - base:6.3f} ms above  {value / base:5.2f} x"
        print(f"  {name:<24} {value:6.3f} ms{above}")


# -- sizes ---------------------------------------------------------------------------------------------


def _sizes(sizes: tuple[int, ...]) -> None:
    print("\npolicies by size (budgets: load 1.5 ms a route; decide flat from 10 to 10,000)")
    first_decide = 0.0
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            _write_policy(Path(folder), size)
            began = time.process_time()
            loaded = load([folder])
            loading = time.process_time() - began
            table = loaded.table
        request = PromptRequest.of(prompt=PROMPT, tags={"tenant": f"t{size - 1}"})
        decide(table, request)
        attributes = decide(table, request).attributes
        routing = _repeated(lambda table=table, attributes=attributes: table.route_for(attributes))
        deciding = _repeated(lambda table=table, request=request: decide(table, request))
        first_decide = first_decide or deciding
        print(
            f"  {size:>6} routes: load {loading * 1000:8.1f} ms ({loading / size * 1000:5.2f} ms a route), "
            f"route {routing:5.1f} us, decide {deciding:6.1f} us ({deciding / first_decide:4.2f} x the smallest)"
        )


def _write_policy(folder: Path, size: int) -> None:
    base = (HERE / "policy" / "policy.yaml").read_text()
    (folder / "policy.yaml").write_text(base)
    for start in range(0, size, 1_000):
        routes = "".join(
            f"  r{n}: {{match: {{tags: {{tenant: t{n}}}}}, precedence: 1, upstream: bench, "
            f"parameters: {{temperature: {{default: 0.3, max: 1, outside: clamp}}}}}}\n"
            for n in range(start, min(size, start + 1_000))
        )
        (folder / f"routes-{start}.yaml").write_text(f"version: 1\nroutes:\n{routes}")


def _repeated(work: Callable[[], object], count: int = 2_000) -> float:
    """Microseconds of CPU per call, the median of five batches."""
    batches = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(count):
            work()
        batches.append((time.process_time() - began) / count * 1e6)
    return statistics.median(batches)


# -- lint ----------------------------------------------------------------------------------------------

_TEAM = """version: 1
endpoints:
  e{n}:
    dialect: openai
    base_url: https://e{n}.example.com/v1
    auth: {{api_key: "${{KEY_{n}}}"}}
    serves: {{m{n}: {{as: model-{n}}}}}
    labels: {{region: eu, vendor: v{n}}}
models:
  m{n}: {{context_window: 32000, max_output_tokens: 4096, parameters: {{temperature: {{min: 0, max: 1.5}}}}}}
upstreams:
  u{n}:
    targets: [{{endpoint: e{n}, model: m{n}}}]  # one of its own
    timeouts: {{connect: 5s, first_content: 10s, total: 60s}}
routes:
  r{n}:
    match: {{tags: {{tenant: t{n}}}}}
    precedence: 1
    upstream: u{n}
    parameters: {{temperature: {{default: 0.3, max: 0.7, outside: clamp}}, max_tokens: {{default: 1024}}}}
"""


def _lint(files: int, rounds: int) -> None:
    print(f"\nlint of a policy of {files:,} files, one finding in every tenth (budget: 150 files/s)")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "policy.yaml").write_text((HERE / "policy" / "policy.yaml").read_text())
        for n in range(files):
            text = _TEAM.format(n=n)
            (Path(folder) / f"team-{n}.yaml").write_text(text if n % 10 else text.replace("60s", "60"))
        texts = [path.read_text() for path in Path(folder).iterdir()]
        works: dict[str, Callable[[], object]] = {
            "events of the parser alone": lambda: [list(yaml.parse(text, Loader=yaml.CSafeLoader)) for text in texts],
            "load": lambda: load([folder]),
            "lint": lambda: judge(load([folder]), date(2026, 1, 1)),
            "lint, report as SARIF": lambda: rendered("sarif", judge(load([folder]), date(2026, 1, 1)), Path("/")),
        }
        measured: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                began = time.process_time()
                work()
                measured[name].append(time.process_time() - began)
    base = statistics.median(measured["events of the parser alone"])
    for name, values in measured.items():
        value = statistics.median(values)
        print(f"  {name:<28} {files / value:7.0f} files/s  {value / base:5.2f} x")


# -- start ---------------------------------------------------------------------------------------------


def _start(rounds: int) -> None:
    print("\nstart of a process, CPU (budgets: --help 130 ms, lint of one file 300 ms)")
    python = [sys.executable, "-c"]
    commands = {
        "python -c pass": [*python, "pass"],
        "import click, yaml": [*python, "import click, yaml"],
        "import pydantic, jsonschema": [*python, "from pydantic import BaseModel; import jsonschema"],
        "route-run --help": [sys.executable, "-m", "route_run", "--help"],
        "route-run lint (one file)": [sys.executable, "-m", "route_run", "lint", str(HERE / "policy")],
        "route-run lint (an invalid file)": [sys.executable, "-m", "route_run", "lint", str(HERE / "invalid")],
    }
    measured: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(rounds + 1):
        for name, command in commands.items():
            seconds = _child_cpu(command)
            if round_:  # the first writes what Python caches
                measured[name].append(seconds)
    for name, values in measured.items():
        base = statistics.median(measured["python -c pass"])
        value = statistics.median(values)
        print(f"  {name:<32} {value * 1000:6.0f} ms, least {min(values) * 1000:4.0f}  {value / base:5.1f} x")


def _child_cpu(command: list[str]) -> float:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
