"""References to what they stand for: everything missing or unfit is told at once, and no value of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from route_run.errors import UnresolvedReferences
from route_run.runtime.resolve import KeyAuth, Resolved, TokenAuth, resolve
from route_run.table import Loaded
from support.engines import policy
from support.server import Authority

PolicyOf = Callable[..., Loaded]

GOOD_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OAUTH2 = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"
KEY = "auth: {api_key: '${KEY}'}"


def hook(url: str = "https://hooks.test/in", fields: str = "") -> str:
    end = f", {fields}" if fields else ""
    return f"webhooks:\n  ops: {{match: {{}}, events: [completed], url: '{url}'{end}}}\n"


def problems(loaded: Loaded, environ: dict[str, str]) -> list[str]:
    """What is wrong, without the places."""
    with pytest.raises(UnresolvedReferences) as raised:
        resolve(loaded.table.policy, environ)
    return [problem for problem, _ in raised.value.problems]


def resolved(loaded: Loaded, **environ: str) -> Resolved:
    return resolve(loaded.table.policy, environ)


# -- what is missing ----------------------------------------------------------------------------------


def test_every_missing_name_is_listed_at_once(policy_of: PolicyOf, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    loaded = policy_of(
        policy(
            first=OAUTH2,
            second=KEY,
            more=hook("${HOOK}", 'secrets: ["${SIGN}"]') + f"ledger: {{hash_key: '${{file:{missing}}}'}}\n",
        )
    )

    assert set(problems(loaded, {})) == {
        "ID is not set",
        "SECRET is not set",
        "KEY is not set",
        "HOOK is not set",
        "SIGN is not set",
        f"the file {missing} cannot be read: No such file or directory",
    }


def test_each_problem_comes_with_its_place(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first=KEY, second=OAUTH2))
    with pytest.raises(UnresolvedReferences) as raised:
        resolve(loaded.table.policy, {})

    places = [(problem, span.start.line) for problem, span in raised.value.problems]
    assert places == [("KEY is not set", 3), ("ID is not set", 4), ("SECRET is not set", 4)]
    assert "policy.yaml:3:" in str(raised.value)


def test_a_name_that_is_wanted_twice_is_told_with_both_places(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first=KEY, second=KEY))
    with pytest.raises(UnresolvedReferences) as raised:
        resolve(loaded.table.policy, {})

    assert str(raised.value).count("KEY is not set") == 1
    assert "policy.yaml:3:" in str(raised.value)
    assert "policy.yaml:4:" in str(raised.value)


@pytest.mark.parametrize("value", ["", " ", "\n", "\t \n"])
def test_a_blank_value_is_as_good_as_none(policy_of: PolicyOf, value: str) -> None:
    assert problems(policy_of(policy(first=KEY)), {"KEY": value}) == ["KEY is empty"]


def test_simulation_resolves_nothing(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first=OAUTH2, second=KEY, more=hook("${HOOK}", 'secrets: ["${SIGN}"]')))

    found = resolve(loaded.table.policy, None)
    assert found.endpoints["first"].place.auth is not None
    assert found.webhooks["ops"].keys == ()


# -- files --------------------------------------------------------------------------------------------


def file_policy(policy_of: PolicyOf, path: Path) -> Loaded:
    return policy_of(policy(first=f"auth: {{api_key: '${{file:{path}}}'}}"))


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n"])
def test_a_file_s_content_is_used_without_its_last_line_end(policy_of: PolicyOf, tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_bytes(f"key-in-a-file{end}".encode())
    auth = resolved(file_policy(policy_of, tmp_path / "key")).endpoints["first"].place.auth

    assert isinstance(auth, KeyAuth)
    assert auth.value.reveal() == "Bearer key-in-a-file"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "cannot be read: not UTF-8"),
        (b"x" * 70_000, "is larger than 65,536 bytes"),
    ],
)
def test_a_file_that_will_not_do_is_named_with_the_reason(
    policy_of: PolicyOf, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "key").write_bytes(content)

    assert problems(file_policy(policy_of, tmp_path / "key"), {}) == [f"the file {tmp_path / 'key'} {words}"]


def test_a_folder_is_no_file(policy_of: PolicyOf, tmp_path: Path) -> None:
    (found,) = problems(file_policy(policy_of, tmp_path), {})

    assert found == f"the file {tmp_path} cannot be read: Is a directory"


# -- values that will not do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    ["models.example.com", "ftp://x.test", "https://u:hunter2@x.test/v1", "https://", "https://x.test/?key=hunter2"],
)
def test_a_url_that_will_not_do_is_named_and_not_shown(policy_of: PolicyOf, value: str) -> None:
    loaded = policy_of(policy(targets=1).replace("'https://first.test/v1'", "'${BASE}'"))

    (found,) = problems(loaded, {"BASE": value})
    assert found.startswith("${BASE} holds no usable URL")
    assert "hunter2" not in found


@pytest.mark.parametrize("value", ["two\nlines", "snow☃", "nul\0byte", "a\rb"])
def test_a_key_that_no_header_can_carry_is_named_and_not_shown(policy_of: PolicyOf, value: str) -> None:
    (found,) = problems(policy_of(policy(first=KEY)), {"KEY": value})

    assert found == "${KEY} holds characters that a header cannot carry"


@pytest.mark.parametrize("value", ["hunter2hunter2", "whsec_hunter2!", "whsec_aHVudGVyMg==", "whsec_" + "A" * 200])
def test_a_webhook_secret_that_will_not_do_is_named_and_not_shown(policy_of: PolicyOf, value: str) -> None:
    loaded = policy_of(policy(more=hook(fields='secrets: ["${SIGN}"]')))

    (found,) = problems(loaded, {"SIGN": value})
    assert found.startswith("${SIGN}: a webhook secret")
    assert value not in found
    assert "hunter2" not in found


def test_a_ca_file_without_a_usable_certificate_is_named(policy_of: PolicyOf) -> None:
    spoilt = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    loaded = policy_of({"policy.yaml": policy(first="ca_file: ca.pem"), "ca.pem": spoilt})

    assert problems(loaded, {}) == ["`ca.pem` holds no certificate that can be used"]


def test_a_ca_file_goes_along(policy_of: PolicyOf) -> None:
    pem = Authority().pem
    loaded = policy_of({"policy.yaml": policy(first="ca_file: ca.pem"), "ca.pem": pem})

    found = resolved(loaded)
    assert found.endpoints["first"].place.way.ca_pem == pem
    assert found.endpoints["second"].place.way.ca_pem == ""


# -- what comes out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "environ", "url"),
    [
        ("'https://first.test/v1'", {}, "https://first.test/v1/chat/completions"),
        ("'https://first.test/v1/'", {}, "https://first.test/v1/chat/completions"),
        ("'${BASE}'", {"BASE": "http://x.test:8080/api"}, "http://x.test:8080/api/chat/completions"),
        ("'${BASE}'", {"BASE": " https://x.test/ \n"}, "https://x.test/chat/completions"),
        ("'https://first.test', path: /own/path", {}, "https://first.test/own/path"),
    ],
)
def test_a_url_is_the_base_and_the_path(policy_of: PolicyOf, written: str, environ: dict[str, str], url: str) -> None:
    loaded = policy_of(policy(targets=1).replace("'https://first.test/v1'", written))

    assert resolved(loaded, **environ).endpoints["first"].place.url == url


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ("", "https://first.test/v1/api/v1/auth/token"),
        (", token_path: /oauth/token", "https://first.test/v1/oauth/token"),
        (", token_url: 'https://login.test/t'", "https://login.test/t"),
        (", token_url: '${LOGIN}'", "https://login.test/u"),
    ],
)
def test_a_token_comes_from_where_the_policy_says(policy_of: PolicyOf, more: str, url: str) -> None:
    auth = OAUTH2.replace("'${SECRET}'", "'${SECRET}'" + more)
    found = resolved(policy_of(policy(first=auth)), ID="i", SECRET="s", LOGIN="https://login.test/u")

    login = found.endpoints["first"].place.auth
    assert isinstance(login, TokenAuth)
    assert login.url == url


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("api_key: '${KEY}'", "authorization", "Bearer abc"),
        ("api_key: '${KEY}', header: X-Key", "x-key", "abc"),
        ("api_key: '${KEY}', scheme: Token", "authorization", "Token abc"),
        ("api_key: '${KEY}', header: X-Key, scheme: Key", "x-key", "Key abc"),
    ],
)
def test_a_key_goes_into_the_header_that_is_named(policy_of: PolicyOf, auth: str, header: str, value: str) -> None:
    found = resolved(policy_of(policy(first=f"auth: {{{auth}}}")), KEY="abc").endpoints["first"].place.auth

    assert isinstance(found, KeyAuth)
    assert (found.header, found.value.reveal()) == (header, value)


def test_headers_and_networks_go_along(policy_of: PolicyOf) -> None:
    fields = "headers: {X-Team: blue, X-Own: '${OWN}'}, allow_networks: [loopback], proxy: '${PROXY}'"
    place = resolved(policy_of(policy(first=fields)), OWN="mine", PROXY="http://p.test:3128").endpoints["first"].place

    assert dict(place.headers) == {"x-team": "blue", "x-own": "mine"}
    assert place.way.allow_networks == ("loopback",)
    assert place.way.proxy == "http://p.test:3128"


def test_the_headers_of_a_dialect_go_along(policy_of: PolicyOf) -> None:
    place = resolved(policy_of(policy(dialect="anthropic"))).endpoints["first"].place

    assert place.headers["anthropic-version"] == "2023-06-01"


# -- taking secrets out of texts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "quoted"),
    [
        ("s3cr3t-key-value", "s3cr3t-key-value"),
        ("s3cr3t/key+value=", "s3cr3t%2Fkey%2Bvalue%3D"),
        ('s3cr3t"key\\value', 's3cr3t\\"key\\\\value'),
        ("s3cr3t key value", "s3cr3t%20key%20value"),
        ("s3cr3t key value", "s3cr3t+key+value"),
    ],
)
def test_a_secret_is_taken_out_of_a_text_however_it_is_quoted(policy_of: PolicyOf, secret: str, quoted: str) -> None:
    found = resolved(policy_of(policy(first=OAUTH2)), ID="i", SECRET=secret)

    assert found.redact(f"before {quoted} after") == "before *** after"


@pytest.mark.parametrize("value", ["s3cr3t-key-value\n", " s3cr3t-key-value", "s3cr3t-key-value\r\n"])
@pytest.mark.parametrize("auth", [KEY.replace("KEY", "SECRET"), OAUTH2])
def test_a_secret_with_blanks_around_it_is_taken_out_as_it_is_sent(policy_of: PolicyOf, auth: str, value: str) -> None:
    found = resolved(policy_of(policy(first=auth)), ID="i", SECRET=value)

    assert "s3cr3t-key-value" not in found.redact("wrong key 's3cr3t-key-value'")


def test_the_longest_secret_is_taken_out_first(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first=KEY, second="auth: {api_key: '${LONG}'}"))

    assert resolved(loaded, KEY="secret", LONG="secret-and-more").redact("secret-and-more") == "***"


def test_what_is_no_secret_stays(policy_of: PolicyOf) -> None:
    found = resolved(policy_of(policy(first=OAUTH2)), ID="my-client", SECRET="abc")

    assert found.redact("client my-client abc") == "client my-client abc"
