"""Rules on safety: secrets, addresses, signatures, characters that deceive."""

from __future__ import annotations

import pytest

from route_run.lint.destinations import host_of
from route_run.lint.secrets import known_shapes, random_stretches
from support.design_example import FILES
from support.linting import codes_of, endpoint, found, guard, linted, offenders, shown, webhook

RANDOM = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"
"""No secret of anybody, and no shape of any provider."""

# -- secrets -----------------------------------------------------------------------------------------

# put together here, so that nobody who scans this file takes them for real ones
SECRETS = {
    "openai": "sk-" + "proj-" + RANDOM,
    "anthropic": "sk-" + "ant-api03-" + RANDOM,
    "openrouter": "sk-" + "or-v1-" + "0a1b2c3d" * 8,
    "stripe": "sk" + "_live_" + RANDOM,
    "aws": "AK" + "IA" + "Z7Q5RTWX4LK2MPVB",
    "google": "AI" + "za" + RANDOM + "abc",
    "github": "gh" + "p_" + RANDOM + "abcd",
    "gitlab": "glp" + "at-" + RANDOM[:20],
    "slack": "xo" + "xb-" + "2048-4711-" + RANDOM[:20],
    "slack-webhook": "https://hooks.slack" + ".com/services/T0AB12CD3/B0AB12CD3/" + RANDOM[:24],
    "discord-webhook": "https://discord" + ".com/api/webhooks/123498712345/" + RANDOM,
    "standard-webhook": "whs" + "ec_" + RANDOM,
    "hugging-face": "h" + "f_" + RANDOM + "abcd",
    "groq": "gs" + "k_" + RANDOM,
    "databricks": "da" + "pi" + "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiI0NzExIn0." + RANDOM,
    "bearer": "Bearer " + RANDOM,
    "basic": "Basic " + "b3BlcmF0b3I6aHVudGVyMg==",
    "random": RANDOM,
    "hexadecimal": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_a_text_is_found_and_never_shown(secret):
    text = f'version: 1\ndescription: "use {secret} for tests"\n'
    (finding,) = found(text, "RR401")
    assert finding.is_error
    assert (finding.span.start.line, finding.span.end.line) == (2, 2)
    assert secret.split("/")[-1] not in shown(text)
    assert secret[-12:] not in shown(text)


@pytest.mark.parametrize("secret", [SECRETS[name] for name in ("openai", "aws", "github", "jwt")])
def test_a_secret_in_a_comment_is_found(secret):
    text = f"version: 1 # was {secret}\n"
    assert offenders(text, "RR401") == [secret]


def test_a_private_key_is_found_as_a_whole():
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\n  MIIEowIBAAKCAQEA7bq9\n  -----END RSA PRIVATE KEY-----"
    text = f"version: 1\ndescription: |\n  {key}\n"
    assert offenders(text, "RR401") == [key]


def test_a_header_that_is_named_like_a_secret_takes_a_reference():
    assert offenders(endpoint(headers="{X-Api-Key: correct-horse}"), "RR401") == ["correct-horse"]
    assert codes_of(endpoint(headers='{X-Api-Key: "${KEY}", X-Team: support}'), "RR4") == []


HARMLESS = (
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/ab12cd34ef56",
    "123e4567-e89b-12d3-a456-426614174000",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "nvidia/Llama-3_1-Nemotron-Ultra-253B-v1",
    "ft:gpt-3.5-turbo-0125:acme:support:9abcDEF1",
    "https://my-company-models.openai.azure.com/openai/deployments/gpt4o-prod-2024",
    "sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "see commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    "a Bearer token-of-the-customer is passed on",
    "Basic authentication is off",
    "write sk-xxxxxxxxxxxxxxxxxxxxxxxx here",
    "AKIAIOSFODNN7EXAMPLE is the example of the manual",
    "desk-support-sk-escalation-team-number-seven",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk",
    "12345678901234567890123456789012",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_left_alone(text):
    assert [*known_shapes(text), *random_stretches(text)] == []


def test_a_secret_where_the_schema_marks_the_field_has_the_finding_of_the_schema_alone():
    text = f'version: 1\nledger: {{hash_key: "{SECRETS["openai"]}", capture: full, retention: 1d}}\n'
    assert codes_of(text) == ["RR108"]


def test_a_password_in_a_url_has_the_finding_of_the_schema_alone():
    assert codes_of(endpoint(base_url=f"https://user:{RANDOM}@models.example.com/v1")) == ["RR108"]


def test_a_pattern_may_hold_what_looks_random():
    assert codes_of(guard(f"id: a, regex: {RANDOM}, score: 1, must_match: [{RANDOM}]")) == []


@pytest.mark.parametrize("query", ["?api_key=4711", "/x?a=b&access_token=4711", "?sig=a%2Fb", "?Subscription-Key=1"])
def test_credentials_in_a_path_are_found_and_never_shown(query):
    text = endpoint(path=f"/chat{query}")
    (finding,) = found(text, "RR407")
    assert "4711" not in finding.message + finding.help
    assert codes_of(text, "RR4") == ["RR407"]


@pytest.mark.parametrize("path", ["/chat?api-version=2024-10-21", "/chat?keyword=x", "/keys/chat"])
def test_other_queries_are_none_of_our_business(path):
    assert codes_of(endpoint(path=path), "RR4") == []


@pytest.mark.parametrize(
    ("field", "reference"),
    [("base_url", "${CLOUD_API_KEY}"), ("proxy", "${file:/run/secrets/proxy_password}"), ("base_url", "${TOKEN}")],
)
def test_a_secrets_name_in_a_field_that_is_shown_is_a_hint(field, reference):
    assert offenders(endpoint(**{field: reference}), "RR416") == [reference]


def test_urls_that_are_named_urls_are_fine():
    assert codes_of(endpoint(base_url="${COGNIGY_BASE_URL}", proxy="${PROXY}"), "RR4") == []


@pytest.mark.parametrize(
    ("text", "offender"),
    [
        ('version: 1\ntags: {t: {values: ["a-${STAGE}"]}}\n', '"a-${STAGE}"'),
        (endpoint(serves='{m: {as: "gpt-${X}"}}'), '"gpt-${X}"'),
    ],
)  # fmt: skip
def test_a_reference_inside_of_a_text_is_told(text, offender):
    assert offenders(text, "RR415") == [offender]


def test_a_reference_that_the_schema_refuses_is_told_once():
    assert codes_of('version: 1\ntags: {t: {values: ["${A}"]}}\n') == ["RR106"]
    assert codes_of(endpoint(base_url="https://${HOST}/v1")) == ["RR106"]


# -- where URLs lead ---------------------------------------------------------------------------------

SPELLINGS = {
    "127.0.0.1": "127.0.0.1",
    "2130706433": "127.0.0.1",
    "0x7f000001": "127.0.0.1",
    "0x7f.1": "127.0.0.1",
    "0177.0.0.1": "127.0.0.1",
    "017700000001": "127.0.0.1",
    "127.1": "127.0.0.1",
    "127.0.1": "127.0.0.1",
    "10.0xff.511": "10.255.1.255",
    "localhost": "127.0.0.1",
    "LOCALHOST.": "127.0.0.1",
    "api.localhost": "127.0.0.1",
    "0": "0.0.0.0",
    "::1": "::1",
    "::ffff:10.0.0.1": "::ffff:a00:1",
    "%31%32%37.0.0.1": "127.0.0.1",
    "8.8.8.8": "8.8.8.8",
}


@pytest.mark.parametrize(("text", "address"), SPELLINGS.items())
def test_the_address_that_a_host_spells(text, address):
    assert str(host_of(text).address) == address


@pytest.mark.parametrize(
    "text", ["256.1.1.1.1", "1.2.3.4.5", "4294967296", "0x1ffffffff", "08", "1..2", "a.b", "", "0x"]
)
def test_what_spells_no_address(text):
    address = host_of(text).address
    assert address is None or text == "0x"


METADATA = (
    "169.254.169.254", "0xA9FEA9FE", "2852039166", "0251.0376.0251.0376", "169.254.43518", "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "100.100.100.200", "168.63.129.16",
    "metadata.google.internal", "METADATA.google.internal.", "169.254.170.2", "instance-data.ec2.internal",
)  # fmt: skip


@pytest.mark.parametrize("host", METADATA)
def test_a_url_that_leads_to_metadata_is_an_error_in_every_spelling(host):
    assert codes_of(webhook(url=f'"https://{host}/latest"'), "RR4") == ["RR403"]


def test_a_wide_network_does_not_allow_metadata_but_its_one_address_does():
    url = '"https://169.254.169.254/x"'
    assert "RR403" in codes_of(webhook(url=url, allow_networks="[169.254.0.0/16]"), "RR4")
    assert codes_of(webhook(url=url, allow_networks="[169.254.169.254/32]"), "RR4") == []


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("127.0.0.1", "loopback"), ("localhost", "loopback"), ("[::1]", "loopback"), ("10.1.2.3", "10.1.2.3/32"),
        ("192.168.1.7:8080", "192.168.1.7/32"), ("[fd12::7]", "fd12::7/128"), ("172.16.0.1", "172.16.0.1/32"),
        ("0x0a010203", "10.1.2.3/32"), ("[::ffff:10.1.2.3]", "10.1.2.3/32"), ("127.1", "loopback"),
    ],
)  # fmt: skip
def test_a_private_address_is_an_error_until_its_network_is_named(host, network):
    url = f'"https://{host}/v1"'
    (finding,) = [f for f in linted(endpoint(base_url=url)) if f.code.value.startswith("RR4")]
    assert finding.code.value == "RR404"
    assert network in finding.help
    assert "RR404" not in codes_of(endpoint(base_url=url, allow_networks=f'["{network}"]'), "RR4")


def test_behind_a_proxy_the_proxy_decides_about_addresses():
    text = endpoint(base_url='"https://10.1.2.3/v1"', proxy='"http://proxy.example.com:3128"')
    assert codes_of(text, "RR4") == []
    assert codes_of(endpoint(proxy='"http://10.1.2.3:3128"'), "RR4") == ["RR404"]


def test_every_url_of_an_item_is_looked_at():
    text = endpoint(auth='{oauth2: {client_id: a, client_secret: "${S}", token_url: "https://10.0.0.1/token"}}')
    (finding,) = found(text, "RR404")
    assert "`token_url` of the endpoint `e`" in finding.message


def test_an_odd_spelling_of_a_public_address_is_a_warning():
    (finding,) = found(webhook(url='"https://134744072/x"'), "RR405")
    assert "8.8.8.8" in finding.help
    assert not finding.is_error


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.7.nip.io",
        "app-10-0-0-7.sslip.io",
        "0a000007.nip.io",
        "localtest.me",
        "x.lvh.me",
        "gateway",
        "a.corp.internal",
    ],
)
def test_a_name_that_seems_to_lead_inside_is_a_hint(host):
    assert codes_of(webhook(url=f'"https://{host}/x"'), "RR4") == ["RR406"]
    assert codes_of(webhook(url=f'"https://{host}/x"', allow_networks="[10.0.0.0/24]"), "RR4") == []


@pytest.mark.parametrize("host", ["8.8.8.8.nip.io", "hooks.example.com", "internal.example.com", "999.1.1.1.nip.io"])
def test_other_names_are_not(host):
    assert codes_of(webhook(url=f'"https://{host}/x"'), "RR4") == []


def test_plain_http_is_told_but_for_this_machine_and_for_proxies():
    assert codes_of(webhook(url='"http://hooks.example.com/x"'), "RR4") == ["RR402"]
    assert codes_of(endpoint(base_url='"http://10.0.0.1/v1"', allow_networks="[10.0.0.0/24]"), "RR4") == ["RR402"]
    assert codes_of(endpoint(base_url='"http://127.0.0.1/v1"', allow_networks="[loopback]"), "RR4") == []
    assert codes_of(endpoint(base_url='"http://[::1]:8080/v1"', allow_networks="[loopback]"), "RR4") == []
    assert codes_of(endpoint(proxy='"http://proxy.example.com:3128"'), "RR4") == []


def test_plain_http_says_what_can_be_read_on_the_way():
    text = endpoint(base_url='"http://models.example.com/v1"', auth='{api_key: "${KEY}"}')
    (finding,) = found(text, "RR402")
    assert finding.effect.endswith("prompts and answers, credentials included")


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "10.0.0.0/8", "172.16.0.0/12", "fc00::/7"])
def test_a_network_wider_than_a_site_is_told(network):
    assert offenders(webhook(allow_networks=f'["{network}"]'), "RR408") == [f'"{network}"']


@pytest.mark.parametrize("network", ["loopback", "10.20.0.0/16", "192.168.1.0/24", "10.0.0.1/32", "fd12:0:7::/48"])
def test_a_network_of_one_site_is_fine(network):
    assert codes_of(webhook(allow_networks=f'["{network}"]'), "RR4") == []


def test_a_webhook_without_a_signature_is_told():
    assert codes_of(webhook(secrets=""), "RR4") == ["RR409"]
    assert codes_of(webhook(secrets="[]"), "RR4") == ["RR409"]
    assert codes_of(webhook(secrets="", auth='{api_key: "${KEY}"}'), "RR4") == ["RR409"]
    assert codes_of(webhook(), "RR4") == []


def test_a_misspelt_signature_has_the_finding_of_the_schema_alone():
    assert codes_of(webhook(secrets="", secret='["${WEBHOOK_SECRET}"]')) == ["RR103"]


# -- what the ledger keeps -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ledger", "codes"),
    [
        ("{capture: full}", ["RR413"]),
        ("{capture: full, retention: 30d}", []),
        ("{capture: none, retention: 30d}", ["RR414"]),
        ('{hash_key: "${KEY}"}', []),
    ],
)
def test_what_the_ledger_keeps_and_for_how_long(ledger, codes):
    assert codes_of(f"version: 1\nledger: {ledger}\n", "RR4") == codes


# -- characters that deceive ---------------------------------------------------------------------------


@pytest.mark.parametrize("character", [*"\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"])
@pytest.mark.parametrize("place", ["# a{} comment\n", "description: a{} text\n", "a{}: key\n"])
def test_a_change_of_direction_is_an_error_wherever_it_stands(character, place):
    text = "version: 1\n" + place.format(character)
    (finding,) = found(text, "RR410")
    assert offenders(text, "RR410") == [character]
    assert f"U+{ord(character):04X}" in finding.message
    assert not finding.fix.is_safe


INVISIBLE = "\u00ad\u034f\u115f\u200b\u200c\u200d\u2060\u2063\u3164\ufe0f\uffa0\U000e0041\U000e0101"


@pytest.mark.parametrize("character", INVISIBLE, ids=[f"U+{ord(c):04X}" for c in INVISIBLE])
def test_what_nobody_sees_is_a_warning_wherever_it_stands(character):
    text = f"version: 1 # a{character}b\n"
    assert offenders(text, "RR411") == [character]


def test_several_of_them_in_a_row_are_one_finding():
    (finding,) = found("version: 1 # a\u200b\u2060\u200bb\n", "RR411")
    assert "3 such characters" in finding.message


@pytest.mark.parametrize(
    "text",
    ["👩\u200d🚀 and ❤\ufe0f", "keycap 1\ufe0f\u20e3", "می\u200cخواهم", "क्\u200dष", "🏴\U000e0067\U000e0062\U000e007f"],
    ids=["emoji", "keycap", "persian", "hindi", "flag"],
)
def test_what_a_script_or_an_emoji_needs_is_fine(text):
    assert codes_of(f"version: 1 # {text}\n", "RR4") == []


def test_an_escape_can_be_seen_and_is_fine():
    assert codes_of('version: 1\ndescription: "a\\u200bb \\u202e"\n', "RR4") == []


@pytest.mark.parametrize(
    ("values", "offender"),
    [("[gold, gоld]", "gоld"), ("[ѕilver]", "ѕilver"), ("[cop, сор]", "сор"), ("[gold, ｇｏｌｄ, gοld]", "gοld")],
)
def test_letters_that_look_like_others_are_a_warning(values, offender):
    text = f"version: 1\ntags: {{t: {{values: {values}}}}}\n"
    assert offenders(text, "RR412") == [offender]


@pytest.mark.parametrize("values", ["[золото, серебро]", "[größe, naïve]", "[顧客, カスタマー]", "[gold, silver]"])
def test_values_of_one_script_are_fine(values):
    assert codes_of(f"version: 1\ntags: {{t: {{values: {values}}}}}\n", "RR4") == []


# -- policies that are fine ------------------------------------------------------------------------------


def test_the_design_example_is_safe():
    assert codes_of(FILES, "RR4", "RR6") == []
