"""The policy that the design documents show, with the files it names."""

from __future__ import annotations

POLICY = r"""# yaml-language-server: $schema=../schemas/v1/policy.schema.json
version: 1

tags:                                     # the vocabulary of requests; only declared tags can be matched
  desk: {values: [support, billing, sales], required: true}
  tier: {values: [gold, silver]}
  tenant: {}                              # open
  residency: {values: [eu, us]}

endpoints:
  cognigy:
    dialect: cognigy                      # cognigy | openai | anthropic
    base_url: ${COGNIGY_BASE_URL}
    auth:
      oauth2:                             # token_path defaults to the dialect's, /api/v1/auth/token
        client_id: ${COGNIGY_CLIENT_ID}
        client_secret: ${COGNIGY_CLIENT_SECRET}
        scope: llm.gateway.inference
    serves: {cognigy-llm-v2: {}}          # models, with `as:` (their name there) and `price:` where it differs
    limits: {concurrent: 20, requests: 600/min, tokens: 200k/min}
    labels: {region: eu, vendor: cognigy}
    maintenance: [{from: "2026-12-01T22:00:00+01:00", to: "2026-12-01T23:00:00+01:00", why: CHG-4711}]
  cognigy-backup:
    dialect: cognigy
    base_url: ${COGNIGY_BASE_URL}
    path: /api/v1/llm/gateway/inference-backup
    auth: {api_key: "${COGNIGY_API_KEY}"}     # quoted: in flow style the braces would end the mapping
    serves: {cognigy-llm-v2: {}}
    labels: {region: eu, vendor: cognigy}
  mistral:
    dialect: openai
    base_url: https://models.example.com/v1
    auth: {api_key: "${MISTRAL_KEY}"}
    serves: {small: {as: mistral-small-2603, price: {input: 0.10, output: 0.30}}}
    labels: {region: us, vendor: mistral}

models:
  cognigy-llm-v2:
    context_window: 128000
    max_output_tokens: 8192
    parameters: {temperature: {min: 0, max: 2}, top_p: {min: 0, max: 1}}
    price: {input: 0.50, output: 1.50}    # USD per million tokens
    capabilities: [json]
  small:
    context_window: 32000
    max_output_tokens: 4096
    parameters: {temperature: {min: 0, max: 1.5}}
    capabilities: [json]

upstreams:
  main:
    targets:                              # list order = priority
      - {endpoint: cognigy, model: cognigy-llm-v2}
      - balance: weighted                 # weighted | fastest | least_busy | cheapest; replaced in place by an ordering of its targets
        hash_on: tags.tenant              # optional: the same value starts at the same target
        targets:
          - {endpoint: cognigy-backup, model: cognigy-llm-v2, weight: 3}
          - {endpoint: mistral, model: small, weight: 1}
    fallback: {after_content: fail}       # fail | restart; `when:` lists kinds of failure, the default is right for most
    retry: {attempts: 2, backoff: {first: 200ms, max: 5s}}
    timeouts: {connect: 5s, first_content: 10s, idle: 15s, total: 60s}

guards:
  injection:
    packs: [builtin/injection@1]
    patterns:
      - id: internal-codename             # patterns ignore case
        regex: '\bproject\s+zephyr\b'
        score: 1.0
        why: an internal code name must not leave the company
        must_match: ["tell me about Project Zephyr"]
        must_not_match: ["a zephyr is a light wind"]
    threshold: 0.8
    then: reject                          # reject | flag | {route: quarantine}

bounds:
  baseline: {match: {}, guards: [injection]}
  eu-stays-in-eu: {match: {tags: {residency: {not: us}}}, targets: {region: [eu]}}   # fails closed: an untagged request stays in the EU too
  fair-share: {match: {}, per: tags.tenant, limits: {requests: 60/min, spend: 20 USD/day}, except: {acme: {requests: 600/min, spend: 500 USD/day}}}

routes:
  support:
    match: {tags: {desk: support, tier: [gold, silver]}, prompt_tokens: {max: 16000}}
    upstream: main
    parameters:
      temperature: {default: 0.3, max: 0.7, outside: clamp}       # clamp | reject (default)
      max_tokens: {default: 1024}
    verify: {json_schema: answer.schema.json}                     # or {format: json}; answers are delivered once verified
  everything-else:
    match: {}
    upstream: main

webhooks:
  ops:
    match: {}                             # webhooks select what they hear; a new route cannot escape them
    events: [completed, failed, rejected, fell_back]
    url: ${WEBHOOK_URL}
    secrets: ["${WEBHOOK_SECRET}"]        # Standard Webhooks; two during a rotation

ledger: {capture: none, retention: 400d, hash_key: "${LEDGER_HASH_KEY}"}
"""  # noqa: E501  # as it stands in the design

ANSWER_SCHEMA = '{"type": "object", "required": ["answer"], "examples": [{"answer": "Hello."}]}'

FILES = {"policy.yaml": POLICY, "answer.schema.json": ANSWER_SCHEMA}
"""The whole policy folder by file name."""
