"""What Nodes and statuses say while Networks, Subnets and labels change (sections 7.2, 10.1 and 10.7 of hybridnet's study)."""
import pytest

from lab.shell import wait_until
from managertool import OURS, annotated, managed, network, node, subnet

NODES = ("label1", "label2", "label3")
NONE = dict(ipv4_address_quota="empty", ipv6_address_quota="empty", dualstack_address_quota="empty")
UNDERLAY = dict(underlay_network_attachment="true")
PEERS = {"bgpPeers": [{"asn": 200, "address": "192.0.2.9"}]}


@pytest.fixture(scope="module")
def world(apiserver):
    with managed(apiserver) as w:
        yield w


@pytest.fixture
def clean(world, ns):
    """Three Nodes without a label, nothing else, and a namespace's name."""
    for name in NODES:
        world.post(node(name))
    yield ns
    world.clear(ns)
    for plural in ("subnets", "networks"):
        for obj in world.api.objects(plural):
            world.remove(plural, obj["metadata"]["name"])
        wait_until(lambda: world.api.objects(plural) == [], f"{plural} are gone")
    for name in NODES:
        world.api.request("DELETE", f"/api/v1/nodes/{name}")


def label(world, name, **labels):
    world.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": labels}})


def select(world, name, **labels):
    world.patch(f"{OURS}/networks/{name}", {"spec": {"nodeSelector": labels}})


# ── nodes ─────────────────────────────────────────────────────────────────────────────────────────


def test_labels_follow_a_networks_selector_and_a_nodes_labels(world, clean):
    label(world, "label1", net="a")
    label(world, "label2", net="b")
    world.post(network("under", {"netID": 7, "nodeSelector": {"net": "a"}}))
    world.wait_labels("label1", **UNDERLAY, **NONE)
    assert world.labels("label2") == {} == world.labels("label3")
    world.wait_status("networks", "under", nodeList=["label1"])
    select(world, "under", net="b")
    world.wait_labels("label1")
    world.wait_labels("label2", **UNDERLAY, **NONE)
    world.wait_status("networks", "under", nodeList=["label2"])
    label(world, "label2", net=None)
    label(world, "label3", net="b")
    world.wait_labels("label2")
    world.wait_labels("label3", **UNDERLAY, **NONE)
    select(world, "under", net="b", rack="1")  # all of it must match
    world.wait_labels("label3")
    label(world, "label3", rack="1")
    world.wait_labels("label3", **UNDERLAY, **NONE)
    world.remove("networks", "under")
    world.wait_labels("label3")


def test_the_overlay_label_is_every_nodes_while_there_is_an_overlay(world, clean):
    world.post(network("over", {"type": "Overlay", "netID": 5}))
    for name in NODES:
        world.wait_labels(name, overlay_network_attachment="true")
    world.wait_status("networks", "over", nodeList=list(NODES))
    world.remove("networks", "over")
    for name in NODES:
        world.wait_labels(name)


def test_the_bgp_label_needs_a_global_bgp_network_and_a_node_in_a_bgp_mode_one(world, clean):
    label(world, "label1", net="bgp")
    label(world, "label2", net="vlan")
    world.post(network("global", {"type": "GlobalBGP"}))
    world.post(network("vlan", {"netID": 7, "nodeSelector": {"net": "vlan"}}))
    world.wait_labels("label2", **UNDERLAY, **NONE)
    assert world.labels("label1") == {}
    bgp = network("bgp", {"mode": "BGP", "netID": 100, "nodeSelector": {"net": "bgp"}, "config": PEERS})
    world.post(bgp)
    both = dict(**UNDERLAY, **NONE, bgp_network_attachment="true")
    world.wait_labels("label1", **both)
    world.wait_status("networks", "global", nodeList=["label1"])
    label(world, "label1", net="vlan")  # off to another mode
    world.wait_labels("label1", **UNDERLAY, **NONE)
    label(world, "label1", net="bgp")
    world.wait_labels("label1", **both)
    world.remove("networks", "bgp")
    world.wait_labels("label1")
    world.wait_status("networks", "global", nodeList=[])
    world.post(bgp)
    world.wait_labels("label1", **both)
    world.remove("networks", "global")
    world.wait_labels("label1", **UNDERLAY, **NONE)
    assert world.labels("label2") == {k.replace("_", "-"): v for k, v in {**UNDERLAY, **NONE}.items()}


def test_quota_labels_follow_the_families_that_a_network_has(world, clean):
    label(world, "label1", net="a")

    def wait(v4, v6, dual):
        world.wait_labels("label1", **UNDERLAY, ipv4_address_quota=v4, ipv6_address_quota=v6, dualstack_address_quota=dual)

    world.post(network("under", {"netID": 7, "nodeSelector": {"net": "a"}}))
    wait("empty", "empty", "empty")
    world.post(subnet("four", "under", "10.75.0.0/24", gateway="10.75.0.1"))
    wait("nonempty", "empty", "empty")
    world.post(subnet("six", "under", "fd75::/120", gateway="fd75::1"))
    wait("nonempty", "nonempty", "nonempty")
    world.remove("subnets", "four")
    wait("empty", "nonempty", "empty")
    world.remove("subnets", "six")
    wait("empty", "empty", "empty")
    world.remove("networks", "under")
    world.wait_labels("label1")


# ── statuses ──────────────────────────────────────────────────────────────────────────────────────


def test_a_network_counts_by_family_and_a_dual_stack_pod_in_both(world, clean):
    world.post(network("over", {"type": "Overlay", "netID": 5}))
    world.post(subnet("four-a", "over", "10.76.0.0/24", gateway="10.76.0.1"))
    world.post(subnet("four-b", "over", "10.76.1.0/24", gateway="10.76.1.1"))
    world.post(subnet("six", "over", "fd76::/120"))

    def wait(used, v6_total):
        world.wait_status("networks", "over", subnetList=["four-a", "four-b", "six"],
                          statistics={"total": 506, "used": used, "available": 506 - used},
                          ipv6Statistics={"total": v6_total, "used": used, "available": v6_total - used},
                          dualStackStatistics={"total": 0, "used": 0, "available": v6_total - used})

    wait(0, 255)
    world.create(clean, "dual", "label1", n=2, annotations=annotated(network_type="Overlay", ip_family="DualStack"))
    wait(1, 255)
    world.delete_pod(clean, "dual")
    world.wait_free(clean)
    wait(0, 255)
    world.remove("subnets", "six")
    world.post(subnet("six", "over", "fd76::/120", gateway="fd76::1"))
    wait(0, 254)


# As hybridnet's CalculateCapacity, its Subnet's Sync, and its envtest of SubnetStatus count them.
CAPACITIES = [
    ("10.80.0.0/24", {}, 254),
    ("10.80.1.0/24", dict(gateway="10.80.1.1"), 253),
    ("10.80.2.0/24", dict(start="10.80.2.100"), 155),
    ("10.80.3.0/24", dict(start="10.80.3.100", end="10.80.3.200"), 101),
    ("10.80.4.0/24", dict(start="10.80.4.100", end="10.80.4.200", excludeIPs=["10.80.4.120", "10.80.4.130"]), 99),
    ("10.80.5.0/24", dict(start="10.80.5.100", end="10.80.5.200", excludeIPs=["10.80.5.1", "10.80.5.2"]), 101),
    ("10.80.6.0/24", dict(start="10.80.6.21", end="10.80.6.50"), 30),
    ("0.1.0.0/22", {}, 1022),
    ("0.0.0.0/24", dict(start="0.0.0.2", end="0.0.0.5", gateway="0.0.0.1"), 4),
    ("fd80:1::/120", {}, 255),
    ("fd80:2::/120", dict(gateway="fd80:2::1"), 254),
    ("fd80:3::/120", dict(reservedIPs=[f"fd80:3::1{n}" for n in range(5)]), 250),
    ("fd80:4::/120", dict(reservedIPs=[f"fd80:4::1{n}" for n in range(5)], excludeIPs=[f"fd80:4::2{n}" for n in range(5)]), 245),
]


def test_subnets_have_hybridnets_capacities(world, clean):
    world.post(network("over", {"type": "Overlay", "netID": 5}))
    for n, (cidr, members, _) in enumerate(CAPACITIES):
        world.post(subnet(f"capacity-{n}", "over", cidr, **members))
    for n, (_, _, total) in enumerate(CAPACITIES):
        world.wait_status("subnets", f"capacity-{n}", total=total, used=0, available=total)
    world.patch(f"{OURS}/subnets/capacity-11", {"spec": {"range": {"reservedIPs": ["fd80:3::10"]}}})
    world.wait_status("subnets", "capacity-11", total=254, used=0, available=254)
