"""The ranges of Subnets as hybridnet's own tests judge them (section 10.1 of its study), by the API server's webhook: each
message word for word, at creation and when a Subnet is changed, and which ranges touch each other."""
import pytest

from managertool import network
from webhooktool import api, check, clean, create, create_words, subnet, update_words, vlan, webhook

# Range of an IPv4 Subnet 192.168.8.0/24 with the gateway .254, but for what is said.
RANGES = [
    ("unknown version", dict(version="123"), "unsupported IP Version 123"),
    ("wrong start", dict(start="192.168.8"), "invalid range start 192.168.8"),
    ("wrong end", dict(end="192.168.8"), "invalid range end 192.168.8"),
    ("wrong gateway", dict(gateway="192.168.8"), "invalid range gateway 192.168.8"),
    ("family mismatch", dict(version="6"), "address families of ip version and gateway mismatch"),
    ("family mismatch of an IPv6 gateway", dict(gateway="fd00::1"), "address families of ip version and gateway mismatch"),
    ("wrong CIDR", dict(cidr="192.168.8/24"), "invalid range CIDR 192.168.8/24"),
    ("non-standard CIDR", dict(cidr="192.168.8.10/24"),
     "CIDR notation is not standard, should start from 192.168.8.0 but from 192.168.8.10"),
    ("one address", dict(cidr="192.168.8.254/32"), "types of /32 or /128 cidrs is not supported"),
    ("one IPv6 address", dict(version="6", cidr="fd00::1/128", gateway="fd00::1"), "types of /32 or /128 cidrs is not supported"),
    ("start outside", dict(start="192.168.9.1"), "start 192.168.9.1 is not in CIDR 192.168.8.0/24"),
    ("end outside", dict(end="192.168.9.1"), "end 192.168.9.1 is not in CIDR 192.168.8.0/24"),
    ("start behind the end", dict(start="192.168.8.11", end="192.168.8.10"),
     "subnet should have at least one available IP. start=192.168.8.11, end=192.168.8.10"),
    ("gateway outside", dict(gateway="192.168.9.254"), "gateway 192.168.9.254 is not in CIDR 192.168.8.0/24"),
    ("bad reserved address", dict(reservedIPs=["192.168.8"]), "invalid reserved ip 192.168.8"),
    ("reserved address outside", dict(reservedIPs=["192.168.9.100"]), "reserved ip 192.168.9.100 is not in CIDR 192.168.8.0/24"),
    ("bad excluded address", dict(excludeIPs=["192.168.8"]), "invalid excluded ip 192.168.8"),
    ("excluded address outside", dict(excludeIPs=["192.168.9.100"]), "excluded ip 192.168.9.100 is not in CIDR 192.168.8.0/24"),
]
NORMAL = dict(start="192.168.8.10", end="192.168.8.100", reservedIPs=["192.168.8.50"], excludeIPs=["192.168.8.90"])

# Hybridnet reads a range in this order, and says the first thing that is wrong.
TWICE_WRONG = [
    (dict(version="5", start="x"), "unsupported IP Version 5"),
    (dict(start="x", end="y"), "invalid range start x"),
    (dict(end="y", cidr="z"), "invalid range end y"),
    (dict(cidr="192.168.8.10/24", start="192.168.9.1"),
     "CIDR notation is not standard, should start from 192.168.8.0 but from 192.168.8.10"),
    (dict(start="192.168.9.1", end="192.168.9.0"), "start 192.168.9.1 is not in CIDR 192.168.8.0/24"),
    (dict(start="192.168.8.11", end="192.168.8.10", gateway="x"),
     "subnet should have at least one available IP. start=192.168.8.11, end=192.168.8.10"),
    (dict(gateway="x", reservedIPs=["y"]), "invalid range gateway x"),
    (dict(reservedIPs=["x"], excludeIPs=["y"]), "invalid reserved ip x"),
]


@pytest.fixture
def networks(clean):
    create(clean.api, network("vlan", {"nodeSelector": {"net": "a"}, "netID": 10}))
    create(clean.api, network("overlay", {"type": "Overlay", "netID": 4}))
    return clean.api


def test_a_range_is_created_by_hybridnets_rules(networks):
    check([(vlan(**members), message) for _, members, message in RANGES] + [(vlan(**NORMAL), "")]
          + [(vlan(**members), message) for members, message in TWICE_WRONG],
          lambda spec: create_words(networks, "subnets", "new", spec))


def test_a_range_is_judged_again_when_its_subnet_changes(networks):
    create(networks, subnet("there", vlan(**NORMAL)))
    check([(vlan(**{**NORMAL, **members}), message) for _, members, message in RANGES],
          lambda spec: update_words(networks, "subnets", "there", spec))


def span(first, last, *excluded):
    return dict(start=first, end=last, **({"excludeIPs": list(excluded)} if excluded else {}))


# Two ranges of one CIDR, by the last number of each address, and whether they have an address in common.
INTERSECTIONS = [
    (span(10, 50), span(51, 100), False),
    (span(10, 50), span(50, 100), True),
    (span(50, 100), span(10, 50), True),
    (span(49, 100, 49, 50), span(10, 50), False),
    (span(49, 100), span(10, 50, 49, 50), False),
    (span(50, 100, 50), span(10, 49, 49), False),
    (span(49, 100, 100), span(10, 50, 10), True),
    (span(49, 100, 100), span(50, 50), True),
    ({}, {}, True),
]


@pytest.mark.parametrize("there_first", [True, False], ids=["a-then-b", "b-then-a"])
def test_ranges_of_one_cidr_may_have_no_address_in_common(networks, there_first):
    def spec(row, members, base):
        def address(n):
            return f"{base}{n}" if base.endswith(".") else f"{base}{n:x}"

        given = {k: [address(n) for n in v] if k == "excludeIPs" else address(v) for k, v in members.items()}
        v4 = base.endswith(".")
        return {"network": "overlay", "range": {"version": "4" if v4 else "6", **given,
                                                "cidr": f"{base}0/24" if v4 else f"{base}/120"}}

    wrong = []
    for row, (a, b, touch) in enumerate(INTERSECTIONS):
        for family, base in (("v4", f"192.168.{row}."), ("v6", f"fd00:{row + 1}::")):
            there, new = (a, b) if there_first else (b, a)
            name = f"there-{family}-{row}"
            create(networks, subnet(name, spec(row, there, base)))
            said = create_words(networks, "subnets", "new", spec(row, new, base))
            if said != (f"overlap with existing subnet {name}" if touch else ""):
                wrong.append((base, there, new, said))
    assert wrong == []


def test_ranges_of_two_cidrs_have_none(networks):
    create(networks, subnet("there", {"network": "overlay", "range": {"version": "4", "cidr": "192.168.1.0/24"}}))
    assert create_words(networks, "subnets", "new", {"network": "overlay", "range": {"version": "4", "cidr": "192.168.100.0/24"}}) == ""
