"""No URL leads into the operator's own network unless the operator says so."""

import socket

import pytest

from services.shared.errors import OutgoingRefusedError, UnavailableError
from services.shared.outgoing import Resolver, guard, resolve

PUBLIC_V4 = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"


def answers(*addresses: str) -> Resolver:
    return lambda _host, _port: list(addresses)


def test_a_public_url_is_pinned_to_the_first_address_it_resolved_to() -> None:
    target = guard("https://api.example.com/v1?x=1", resolver=answers(PUBLIC_V4, PUBLIC_V6))
    assert (target.address, target.host, target.port) == (PUBLIC_V4, "api.example.com", 443)
    assert (target.target, target.host_header) == ("/v1?x=1", "api.example.com")


def test_the_name_is_resolved_exactly_once() -> None:
    asked = []

    def turncoat(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return [PUBLIC_V4] if len(asked) == 1 else ["127.0.0.1"]

    target = guard("http://rebind.example:8080", resolver=turncoat)
    assert (target.address, asked) == (PUBLIC_V4, [("rebind.example", 8080)])
    assert (target.target, target.host_header) == ("/", "rebind.example:8080")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # cloud metadata
        "100.64.0.1",  # carrier-grade NAT, RFC 6598
        "0.0.0.0",  # noqa: S104 -- an address to refuse
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
        "2001:0:1:2:3:4:80ff:fffe",  # Teredo of 127.0.0.1
    ],
)
def test_a_private_address_is_refused_alone_and_among_public_ones(address: str) -> None:
    for resolver in (answers(address), answers(PUBLIC_V4, address)):
        with pytest.raises(OutgoingRefusedError, match="not listed"):
            guard("https://name.example/", resolver=resolver)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379/",
        "http://[::1]:6379/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://localhost/",
    ],
)
def test_every_spelling_of_loopback_is_refused_by_the_real_resolver(url: str) -> None:
    with pytest.raises(OutgoingRefusedError, match="not listed"):
        guard(url, resolver=resolve)


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://127.0.0.1:8090/v1", "127.0.0.1:8090"),
        ("http://localhost:8090/v1", "LOCALHOST:8090"),
        ("http://[::1]:8090/v1", "[::1]:8090"),
        ("http://llm.internal:80/", "10.1.2.3:80"),
    ],
)
def test_the_operators_list_opens_one_host_and_port(url: str, allow: str) -> None:
    resolver = {
        "llm.internal": answers("10.1.2.3"),
        "::1": answers("::1"),
    }.get(guard_host(url), answers("127.0.0.1"))
    assert guard(url, allow={allow}, resolver=resolver).url == url
    other = url.replace(":8090", ":8091").replace(":80/", ":81/")
    with pytest.raises(OutgoingRefusedError):
        guard(other, allow={allow}, resolver=resolver)


def guard_host(url: str) -> str:
    return url.split("//")[1].rsplit(":", 1)[0].strip("[]")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "http and https"),
        ("gopher://x.example/", "http and https"),
        ("//x.example/", "http and https"),
        ("http:///path", "no host"),
        ("http://user:pw@x.example/", "password"),
        ("http://x.example@127.0.0.1/", "password"),
        ("http://x.example:99999/", "port"),
        ("http://x.example:0/", "Port 0"),
        ("http://x.example\t.evil/", "control"),
        ("http://x.example\\@evil/", "backslash"),
        ("http://[fe80::1%25eth0]/", "no host"),
        ("http://[::1", "cannot be read"),
        ("http://xn--\u0378.example/", "no valid name"),
    ],
)
def test_a_url_that_is_not_plain_is_refused_with_its_reason(url: str, reason: str) -> None:
    with pytest.raises(OutgoingRefusedError, match=reason):
        guard(url, resolver=answers(PUBLIC_V4))


def test_a_unicode_host_is_called_by_its_idna_name() -> None:
    # the sample name of the IDNA literature; Punycode of bücher is bcher-kva
    target = guard("https://Bücher.example/", resolver=answers(PUBLIC_V4))
    assert target.host == "xn--bcher-kva.example"


def test_an_ipv6_literal_keeps_its_brackets_in_the_host_header() -> None:
    target = guard(f"http://[{PUBLIC_V6}]:8080/", resolver=answers(PUBLIC_V6))
    assert (target.address, target.host_header) == (PUBLIC_V6, f"[{PUBLIC_V6}]:8080")


def test_a_name_that_does_not_resolve_is_unavailable_and_not_refused() -> None:
    def nobody(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    for resolver in (nobody, answers()):
        with pytest.raises(UnavailableError, match=r"DNS of gone\.example"):
            guard("https://gone.example/", resolver=resolver)


@pytest.mark.parametrize("address", ["64:ff9b::5db8:d70e", f"::ffff:{PUBLIC_V4}"])
def test_a_public_ipv4_address_inside_ipv6_is_called(address: str) -> None:
    # 5db8:d70e is 93.184.215.14, as a NAT64 network gives it out
    assert guard("https://api.example.com/", resolver=answers(address)).port == 443


def test_the_refusal_does_not_tell_what_the_name_resolved_to() -> None:
    with pytest.raises(OutgoingRefusedError) as caught:
        guard("https://name.example/", resolver=answers("10.9.8.7"))
    assert "10.9.8.7" not in str(caught.value)
