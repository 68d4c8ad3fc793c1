"""Cases of hybridnet's own tests (section 10 of its study) that no other file of these has: its arithmetic with addresses (10.2),
as the addresses that pods get one after the other; its selector of pods (10.5), as a manager's flag; and a cluster without a
Network of the type that a pod asks for."""
import pytest

from lab.shell import wait_until
from managertool import DEFAULT_OVERLAY, annotated, managed, network, node, pod, subnet

NODE = "case1"
OVERLAY = network("over", {"type": "Overlay", "netID": 5})


@pytest.fixture(scope="module")
def world(apiserver):
    with managed(apiserver, node(NODE)) as w:
        yield w


@pytest.fixture
def overlay(world):
    """With a Network that has no Subnet."""
    world.post(OVERLAY)
    yield world
    for plural in ("subnets", "networks"):
        for obj in world.api.objects(plural):
            world.remove(plural, obj["metadata"]["name"])
        wait_until(lambda: world.api.objects(plural) == [], f"{plural} are gone")


# ── no Network ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind, message", [
    ("Overlay", "unable to find overlay network"),
    ("GlobalBGP", "unable to find global bgp network"),
    ("Underlay", f"unable to find underlay network for node {NODE}, should check webhook liveness"),
])
def test_a_network_that_does_not_exist_is_said_in_an_event(world, ns, kind, message):
    p = world.post(pod(ns, "early", on=NODE, annotations=annotated(network_type=kind)))
    world.wait_event(p, "IPAllocationFail", message)
    assert world.instances(ns) == []


def test_a_pod_that_came_before_its_network_gets_an_address_once_that_is_there(overlay, ns):
    overlay.remove("networks", "over")
    wait_until(lambda: overlay.api.objects("networks") == [], "there is no Network")
    p = overlay.post(pod(ns, "early", on=NODE, annotations=annotated(network_type="Overlay")))
    overlay.wait_event(p, "IPAllocationFail", "unable to find overlay network")
    overlay.post(OVERLAY)
    overlay.post(subnet("late", "over", "10.70.0.0/24"))
    (i,) = overlay.wait_bound(p)
    assert i["spec"]["address"]["ip"] == "10.70.0.1/24"


# ── 10.2 ──────────────────────────────────────────────────────────────────────────────────────────

# What follows what, as NextIP has it: (CIDR, range, the addresses in their order).
FOLLOWERS = [
    ("192.168.0.0/23", dict(start="192.168.0.1", end="192.168.0.2"), ["192.168.0.1", "192.168.0.2"]),
    ("192.168.0.0/23", dict(start="192.168.0.254", end="192.168.1.1"),
     ["192.168.0.254", "192.168.0.255", "192.168.1.0", "192.168.1.1"]),
    ("0.1.0.0/24", dict(start="0.1.0.5", end="0.1.0.6"), ["0.1.0.5", "0.1.0.6"]),
    ("10.255.0.0/16", dict(start="10.255.255.253"), ["10.255.255.253", "10.255.255.254"]),  # .255 is the broadcast address
    ("ab12::/112", dict(start="ab12::123", end="ab12::124"), ["ab12::123", "ab12::124"]),
    ("ab12::/64", dict(start="ab12::fffe", end="ab12::1:1"), ["ab12::fffe", "ab12::ffff", "ab12::1:0", "ab12::1:1"]),
    ("::100/120", dict(start="::123", end="::124"), ["::123", "::124"]),
    ("ab12:0:0:1::/64", dict(start="ab12:0:0:1:ffff:ffff:ffff:fffe"),
     ["ab12::1:ffff:ffff:ffff:fffe", "ab12::1:ffff:ffff:ffff:ffff"]),  # IPv6 has no broadcast address
]


@pytest.mark.parametrize("cidr, members, addresses", FOLLOWERS, ids=str)
def test_addresses_follow_each_other_over_the_ends_of_their_bytes(overlay, ns, cidr, members, addresses):
    overlay.post(subnet("range", "over", cidr, **members))
    family = "IPv6" if ":" in cidr else "IPv4"
    how = dict(annotations=annotated(network_type="Overlay", ip_family=family))
    length = cidr.split("/")[1]
    for n, address in enumerate(addresses):
        _, (i,) = overlay.create(ns, f"p{n}", NODE, **how)
        assert i["spec"]["address"]["ip"] == f"{address}/{length}"
    p = overlay.post(pod(ns, "one-too-many", on=NODE, **how))
    overlay.wait_event(p, "IPAllocationFail", f"fail to get {family.lower()} subnet: no available subnet")
    # The first again, after the last.
    overlay.delete_pod(ns, "one-too-many")
    overlay.delete_pod(ns, "p0")
    wait_until(lambda: overlay.of_pod(ns, "p0") == [], "the first address is free")
    _, (i,) = overlay.create(ns, "again", NODE, **how)
    assert i["spec"]["address"]["ip"] == f"{addresses[0]}/{length}"


# As Capacity counts, both ends included.
SIZES = [
    ("192.168.0.0/24", dict(start="192.168.0.1", end="192.168.0.2"), 2),
    ("192.168.1.0/24", dict(start="192.168.1.1", end="192.168.1.1"), 1),
    ("ab12::/112", dict(start="ab12::123", end="ab12::210"), 238),
]


def test_ranges_are_as_large_as_hybridnet_counts_them(overlay):
    for n, (cidr, members, _) in enumerate(SIZES):
        overlay.post(subnet(f"size-{n}", "over", cidr, **members))
    for n, (_, _, total) in enumerate(SIZES):
        overlay.wait_status("subnets", f"size-{n}", total=total, used=0, available=total)


# ── 10.5 ──────────────────────────────────────────────────────────────────────────────────────────

# A selector, whether it takes a pod with these labels, and the labels of one that it takes.
LABELS = {"a": "a", "b": "b"}
SELECTORS = [
    ("a=a", True, LABELS),
    ("c=c", False, {"c": "c"}),
    ("a in (a,aa)", True, LABELS),
    ("a notin (m)", True, {}),
    ("a", True, LABELS),
    ("!m", True, {}),
    ("m", False, {"m": ""}),
    ("a=a,b in (b,bb),!m", True, LABELS),
    ("a=a,m", False, {"a": "a", "m": "x"}),
    ("a in (m),b=b", False, {"a": "m", "b": "b"}),
]


@pytest.mark.parametrize("selector, takes, others", SELECTORS)
def test_a_selector_takes_the_pods_that_hybridnets_takes(overlay, ns, selector, takes, others):
    overlay.post(subnet("range", "over", "10.71.0.0/24"))
    overlay.end()
    overlay.start(f"--pod-label-selector={selector}", env=DEFAULT_OVERLAY).wait_leading()
    try:
        p = overlay.post(pod(ns, "labelled", on=NODE, labels=LABELS))
        overlay.create(ns, "later", NODE, labels=others)  # when it has an address the first has had its turn
        if takes:
            overlay.wait_bound(p)
        assert {i["spec"]["binding"]["podName"] for i in overlay.instances(ns)} == {"later", *(["labelled"] if takes else [])}
    finally:
        overlay.end()
        overlay.start().wait_leading()


def test_an_operator_that_there_is_not_ends_a_manager(world):
    odd = world.start("--pod-label-selector=a ILLEGAL (a)")
    wait_until(lambda: not odd.process.alive(), "it ends")
    assert '"ILLEGAL" is not a valid pod selector operator' in odd.process.log_text()
