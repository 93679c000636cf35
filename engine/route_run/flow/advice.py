"""What an operator can do about a failure, in one sentence."""

from __future__ import annotations

from route_run.flow.failure import Cause, Failure, Kind, Verdict

_BY_KIND = {
    Kind.OUT_OF_CREDIT: "the account at this provider has no credit left, or has reached its spend limit: top it up",
    Kind.RATE_LIMITED: "the endpoint's rate limit is reached: send less, ask for a higher limit, or add a target",
    Kind.TOO_LONG: "the prompt is too long for the model: shorten it, or list too_long in `fallback.when`",
    Kind.CONTENT_REFUSED: "the provider refused the content; list content_refused in `fallback.when` to ask another",
    Kind.INVALID_OUTPUT: "the answer did not pass `verify`: ask for the format in the prompt, or correct the schema",
    Kind.BAD_REQUEST: "the endpoint refuses the request as it is; every other endpoint would get the same one",
    Kind.OVERLOADED: "the provider is overloaded: add a target at another one",
}
_BY_CAUSE = {
    Cause.EGRESS_DENIED: "the address is private: name its network in the endpoint's `allow_networks` if that is meant",
    Cause.TLS: "the certificate is not trusted: check the host name and date, or name the authority in `ca_file`",
    Cause.POOL_TIMEOUT: "all connections to this endpoint are in use here: send less at once, or add a target",
    Cause.HELD_BACK: "every target is held back for now: ask again later, or add a target",
    Cause.DNS: "the host name does not resolve: check `base_url`",
    Cause.REFUSED: "nothing listens there: check `base_url` and whether the server runs",
    Cause.UNSENDABLE: "check `base_url`, `path` and `headers` of the endpoint",
    Cause.NO_ANSWER: "what came is no answer in the endpoint's dialect: check `dialect`, `base_url` and `path`",
    Cause.FIRST_CONTENT_TIMEOUT: "no content came in time: raise `timeouts.first_content`, or add a faster target",
    Cause.TOTAL_TIMEOUT: "the request took too long: raise `timeouts.total`, or lower the timeouts of its attempts",
}


def advice(failure: Failure, verdict: Verdict) -> str | None:
    """What to do about a failure, or None when only waiting helps."""
    if verdict.kind is Kind.UNAUTHORIZED:
        return _unauthorized(failure)
    if failure.cause in _BY_CAUSE:
        return _BY_CAUSE[failure.cause]
    if failure.status in (404, 410):
        return "the endpoint knows no such path or model: check `base_url`, `path` and `serves`"
    if 300 <= failure.status < 400:
        return "redirects are not followed: put the final address into `base_url`"
    return _BY_KIND.get(verdict.kind)


def _unauthorized(failure: Failure) -> str:
    words = f"{failure.code} {failure.message}".lower()
    if failure.at_token and failure.cause is not Cause.STATUS:
        return "the token endpoint cannot be reached: check `token_path` or `token_url`"
    if "scope" in words:
        return "the client lacks the scope: have it granted at the gateway, or correct `auth.oauth2.scope`"
    if failure.at_token and failure.status in (408, 429):
        return "the token endpoint is busy: it is asked again with the next request"
    if failure.at_token and failure.status < 500:
        return "the client id or secret is wrong: check what `auth.oauth2` refers to"
    if failure.at_token:
        return "the token endpoint has a fault of its own"
    if failure.status == 403:
        return "the credentials are known but not allowed to do this: check the client's permissions and scope"
    if failure.oauth2:
        return "the token was refused although it is fresh: check that the token endpoint belongs to this gateway"
    return "the API key is wrong, expired or missing: check what `auth.api_key` refers to"
