"""Where people meet the policy: editors, commits, pipelines.

The proof with the real language server fetches it from npm, the one with pre-commit itself installs that from PyPI;
both take network and time, so they run with `--long`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from route_run.cli.main import COMMANDS, _exit_code
from route_run.schema import schema_text
from route_run.text.folder import kind_of

ROOT = Path(__file__).parents[2]
SERVER = "yaml-language-server@2.0.0"
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)$")


# -- the modeline ------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [ROOT / "routes"])
def test_every_document_of_the_example_names_its_schema(folder):
    for path in sorted(folder.glob("*.yaml")):
        (schema,) = MODELINE.match(path.read_text(encoding="utf-8").splitlines()[0]).groups()
        assert json.loads((path.parent / schema).read_text(encoding="utf-8"))["$schema"]


def test_what_init_writes_names_a_schema_that_init_writes(tmp_path):
    assert _exit_code(["init", str(tmp_path / "policy")]) == 0
    documents = sorted((tmp_path / "policy").glob("*.yaml"))
    assert documents
    for path in documents:
        (schema,) = MODELINE.match(path.read_text(encoding="utf-8").splitlines()[0]).groups()
        written = (path.parent / schema).read_text(encoding="utf-8")
        assert written == schema_text(kind_of(path.name).value)


# -- the language server -------------------------------------------------------------------------------


@dataclass
class Server:
    """yaml-language-server over its standard input and output (Language Server Protocol 3.17, base protocol)."""

    process: subprocess.Popen[bytes]
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1 << 30)))

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return json.loads(self.process.stdout.read(length))

    def ask(self, method: str, **params: Any) -> Any:
        number = next(self.numbers)
        self.send({"id": number, "method": method, "params": params})
        while True:
            message = self.receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._answer(message)

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        while True:
            message = self.receive()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                return message["params"]["diagnostics"]
            self._answer(message)

    def open(self, path: Path, text: str) -> str:
        path.write_text(text, encoding="utf-8")
        uri = path.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def _answer(self, message: dict[str, Any]) -> None:
        """The server asks back for settings; all of them are at their defaults."""
        if "id" in message and "method" in message:
            items = message.get("params", {}).get("items", [])
            self.send({"id": message["id"], "result": [{} for _ in items]})


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("node")
    npm = shutil.which("npm")
    assert npm, "the proof with the language server needs node and npm"
    subprocess.run([npm, "install", "--silent", "--no-audit", "--prefix", folder, SERVER], check=True, timeout=300)
    program = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    command = ["node", program, "--stdio"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        server = Server(process)
        hover = {"contentFormat": ["markdown", "plaintext"]}
        completion = {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}}
        text_document = {"hover": hover, "completion": completion}
        capabilities = {"textDocument": text_document, "workspace": {"configuration": True}}
        server.ask("initialize", processId=os.getpid(), rootUri=folder.as_uri(), capabilities=capabilities)
        server.send({"method": "initialized", "params": {}})
        yield server
        process.kill()


@dataclass(frozen=True)
class Field:
    """One field of a schema: the keys that lead to it, as a document would have them, and what is said of it."""

    keys: tuple[str | int, ...]
    node: dict[str, Any]

    @property
    def name(self) -> str:
        return ".".join(map(str, self.keys))


def resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolved(schema, target), **node}


def fields(schema: dict[str, Any], node: dict[str, Any], keys: tuple[str | int, ...] = ()) -> Iterator[Field]:
    """Every field that a document can have, once; free names are called `x`."""
    node = resolved(schema, node)
    branches = [resolved(schema, node[branch]) for branch in ("then", "else") if branch in node]
    for part in (node, *branches):
        for name, child in part.get("properties", {}).items():
            whole = resolved(schema, child)
            if "description" in whole:
                yield Field((*keys, name), whole)
                yield from fields(schema, child, (*keys, name))
        if isinstance(part.get("additionalProperties"), dict):
            yield from fields(schema, part["additionalProperties"], (*keys, "x"))
        if isinstance(part.get("items"), dict):
            yield from fields(schema, part["items"], (*keys, 0))


def fields_of(name: str) -> list[Field]:
    schema = json.loads(schema_text(name))
    return list({entry.keys: entry for entry in fields(schema, schema)}.values())


FIELDS = [(name, entry) for name in ("policy", "pack", "test") for entry in fields_of(name)]


def block(keys: tuple[str | int, ...], last: str) -> tuple[str, int, int]:
    """A document in block style that leads to the last key, and where that stands; `last` is what follows it."""
    lines: list[str] = []
    indent, prefix = 0, ""
    for key in keys:
        if key == 0:
            prefix = " " * indent + "- "
            indent += 2
            continue
        lines.append(f"{prefix or ' ' * indent}{key}:")
        prefix = ""
        indent += 2
    column = len(lines[-1]) - len(str(keys[-1])) - 1
    lines[-1] = lines[-1][:-1] + last
    return "\n".join(lines) + "\n", len(lines), column


def policy_for(tmp_path: Path, name: str, entry: Field, last: str, cut: bool) -> tuple[Path, str, int, int]:
    schema = tmp_path / f"{name}.schema.json"
    schema.write_text(schema_text(name), encoding="utf-8")
    balance = [key for key in ("balance", "hash_on") if key in entry.keys]
    is_group = balance or (entry.keys[:2] == ("upstreams", "x") and entry.keys.count("targets") == 2)
    text, line, column = block(entry.keys, last)
    if is_group and entry.keys[-1] != "balance":
        # an entry becomes a group by its `balance`
        text = text.replace("- ", "- balance: weighted\n" + " " * (text.splitlines()[3].index("-") + 2), 1)
        line += 1
    if cut:
        head = text.splitlines()
        head[line - 1] = head[line - 1][:column]
        text = "\n".join(head) + "\n"
    return tmp_path / "policy.yaml", f"# yaml-language-server: $schema={schema.name}\n{text}", line, column


@pytest.mark.long
def test_the_language_server_explains_every_field(server, tmp_path):
    silent = []
    for number, (name, entry) in enumerate(FIELDS):
        path, text, line, column = policy_for(tmp_path, name, entry, ": ", cut=False)
        uri = server.open(path.with_name(f"hover-{number}.yaml"), text)
        position = {"line": line, "character": column + 1}
        hover = server.ask("textDocument/hover", textDocument={"uri": uri}, position=position)
        said = json.dumps(hover["contents"], ensure_ascii=False) if hover else ""
        # the server escapes what Markdown would act on
        words = re.findall(r"[A-Za-z]{4,}", entry.node["description"])
        if not all(word in said for word in words):
            silent.append((name, entry.name, said[:200]))
    assert silent == []


@pytest.mark.long
def test_the_language_server_completes_every_field(server, tmp_path):
    missing = []
    for number, (name, entry) in enumerate(FIELDS):
        path, text, line, column = policy_for(tmp_path, name, entry, ": ", cut=True)
        uri = server.open(path.with_name(f"complete-{number}.yaml"), text)
        position = {"line": line, "character": column}
        found = server.ask("textDocument/completion", textDocument={"uri": uri}, position=position)
        items = found["items"] if isinstance(found, dict) else found or []
        if entry.keys[-1] not in {item["label"] for item in items}:
            missing.append((name, entry.name, sorted(item["label"] for item in items)[:12]))
    assert missing == []


@pytest.mark.long
@pytest.mark.parametrize("path", sorted((ROOT / "routes").glob("*.yaml")), ids=lambda path: path.name)
def test_the_language_server_finds_no_fault_with_the_example(server, tmp_path, path):
    for folder in ("routes", "schemas"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    uri = server.open(tmp_path / "routes" / path.name, path.read_text(encoding="utf-8"))
    assert server.diagnostics(uri) == []


@pytest.mark.long
def test_the_language_server_points_at_a_misspelt_field(server, tmp_path):
    (tmp_path / "policy.schema.json").write_text(schema_text("policy"), encoding="utf-8")
    text = "# yaml-language-server: $schema=policy.schema.json\nversion: 1\nrouets: {}\n"
    (found,) = server.diagnostics(server.open(tmp_path / "policy.yaml", text))
    assert "rouets" in found["message"]
    assert found["range"]["start"]["line"] == 2


# -- commits -----------------------------------------------------------------------------------------------


def hooks() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


def test_the_hook_is_about_policies_and_runs_a_command_that_exists(tmp_path):
    (hook,) = hooks()
    assert hook["id"] == "route-run-lint"
    command, *arguments = hook["entry"].split()
    assert command == "route-run"
    assert arguments[0] in COMMANDS
    # a policy is judged as a whole: the names of changed files are not passed on
    assert hook["pass_filenames"] is False
    assert {"yaml"} <= set(hook["types_or"])


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.long
def test_pre_commit_stops_a_commit_that_breaks_the_policy(tmp_path, monkeypatch):
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "pre-commit"], check=True, timeout=300)
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "routes", repository / "routes")
    git(repository, "init", "-q")
    # the hook's own repository: this checkout as it stands, as a commit
    source = tmp_path / "route-run"
    ignored = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "dist")
    shutil.copytree(ROOT, source, ignore=ignored)
    git(source, "init", "-q")
    git(source, "add", "-A", "-f")
    git(source, "commit", "-q", "-m", "as it stands")
    revision = git(source, "rev-parse", "HEAD").stdout.strip()
    config = {"repos": [{"repo": str(source), "rev": revision, "hooks": [{"id": "route-run-lint"}]}]}
    (repository / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    git(repository, "add", "-A")
    subprocess.run([python, "-m", "pre_commit", "install"], cwd=repository, check=True, capture_output=True)
    sound = git(repository, "commit", "-m", "sound")
    assert sound.returncode == 0, sound.stdout + sound.stderr
    broken = repository / "routes" / "routes.yaml"
    broken.write_text(
        broken.read_text(encoding="utf-8").replace("upstream: private", "upstream: pivate"), encoding="utf-8"
    )
    git(repository, "add", "-A")
    refused = git(repository, "commit", "-m", "broken")
    assert refused.returncode != 0
    assert "did you mean `private`" in refused.stdout + refused.stderr


# -- pipelines -----------------------------------------------------------------------------------------------


def action() -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github" / "actions" / "lint" / "action.yml").read_text(encoding="utf-8"))


def test_every_input_of_the_action_says_what_it_is_and_is_used():
    found = action()
    steps = json.dumps(found["runs"])
    for name, given in found["inputs"].items():
        assert given["description"]
        assert f"inputs.{name}" in steps, name


def test_no_input_of_the_action_reaches_a_shell_unquoted():
    """What a workflow puts into an input must not become part of a command: it travels by the environment."""
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def lint_step() -> dict[str, Any]:
    return next(
        step for step in action()["runs"]["steps"] if "route-run" in step.get("run", "") and "pip" not in step["run"]
    )


@pytest.mark.parametrize(
    ("policy", "exit_code"), [("routes", 0), ("routes\nmore", 1), ("nowhere", 1), ("routes; touch broken", 1)]
)
def test_the_command_of_the_action_judges_the_policy(policy, exit_code, tmp_path):
    shutil.copytree(ROOT / "routes", tmp_path / "routes")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "policy.yaml").write_text("version: 2\n", encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "POLICY": policy, "FORMAT": "text"}
    command = ["bash", "-euo", "pipefail", "-c", lint_step()["run"]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert not (tmp_path / "broken").exists()


def readme_block(marker: str) -> Any:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(yaml.safe_load(block) for block in blocks if marker in block)


def test_the_readme_names_the_hook_that_there_is():
    (repository,) = readme_block("repos:")["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in hooks()]


def test_the_readme_gives_the_action_inputs_that_it_has():
    steps = readme_block("actions/lint")["jobs"]["lint"]["steps"]
    (used,) = [step for step in steps if "actions/lint" in step.get("uses", "")]
    assert set(used["with"]) <= set(action()["inputs"])


def test_the_pipeline_of_the_readme_runs_commands_that_exist():
    job = readme_block("script:")["policy"]
    commands = [line.split() for line in job["script"] if line.startswith("route-run")]
    assert commands
    assert all(words[1] in COMMANDS for words in commands)
