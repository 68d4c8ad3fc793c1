"""Which address a pod gets, by hybridnet's rules (sections 2.5, 3 and 10 of its study), where test_manager.py does not say it:
what Namespaces say, GlobalBGP, what is kept by default, many pods, long names."""
import hashlib
import ipaddress

import pytest

from lab.shell import wait_until
from managertool import PREFIX, STATEFUL_SET, annotated, managed, network, node, pod, subnet

LONG_NODE = "n" * 70  # a Node's name may have 253 characters, a label's value 63
NODES = {"rule1": {"rack": "a"}, "rule2": {"rack": "b"}, LONG_NODE: {}}
FLAGS = ("--feature-gates=VMIPRetain=false",)


@pytest.fixture(scope="module")
def world(apiserver):
    objects = (
        *(node(name, **labels) for name, labels in NODES.items()),
        network("under", {"netID": 100, "nodeSelector": {"rack": "a"}}),
        subnet("under-4", "under", "10.70.0.0/24", gateway="10.70.0.1"),
        network("over", {"type": "Overlay", "netID": 5}),
        # As in hybridnet's test of its IPAM (10.4).
        subnet("over-1", "over", "172.168.0.0/24"), subnet("over-2", "over", "192.168.0.0/24"),
        subnet("over-3", "over", "2048::/120"), subnet("over-4", "over", "2047::/120"))
    with managed(apiserver, *objects, flags=FLAGS) as w:
        yield w


def subnets(instances):
    return [i["spec"]["subnet"] for i in instances]


def address(i):
    return i["spec"]["address"]["ip"]


# ── who chooses ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("as_labels", [False, True], ids=["annotation", "label"])
@pytest.mark.parametrize("says, wanted", [
    (dict(specified_network="over"), "over-1"),
    (dict(specified_network="under"), "under-4"),
    (dict(specified_subnet="over-2"), "over-2"),
    (dict(network_type="overlay"), "over-1"),
    (dict(network_type="Underlay"), "under-4"),
], ids=str)
def test_a_namespace_chooses_for_its_pods(world, ns, says, wanted, as_labels):
    world.namespace(ns, **{"labels" if as_labels else "annotations": annotated(**says)})
    _, (i,) = world.create(ns, "silent", "rule1")
    assert i["spec"]["subnet"] == wanted
    _, (i,) = world.create(ns, "says", "rule1", annotations=annotated(specified_network="over", specified_subnet="over-2"))
    assert i["spec"]["subnet"] == "over-2"  # and nothing of the Namespace's


def test_a_pod_beyond_the_network_that_it_names_is_told_so(world, ns):
    world.post(network("elsewhere", {"netID": 101, "nodeSelector": {"rack": "b"}}))
    world.post(subnet("elsewhere-4", "elsewhere", "10.71.0.0/24", gateway="10.71.0.1"))
    try:
        p = world.post(pod(ns, "astray", on="rule1", annotations=annotated(specified_network="elsewhere")))
        world.wait_event(p, "IPAllocationFail",
                         "different network selection between controller(under) and webhook(elsewhere), should check webhook liveness")
        _, (i,) = world.create(ns, "right", "rule2", annotations=annotated(specified_network="elsewhere"))
        assert i["spec"]["subnet"] == "elsewhere-4"
    finally:
        world.clear(ns)
        world.remove("subnets", "elsewhere-4")
        world.remove("networks", "elsewhere")


def test_addresses_of_the_global_bgp_network_are_for_nodes_with_bgp(world, ns):
    world.post(network("bgp", {"mode": "BGP", "netID": 4200000000, "nodeSelector": {"rack": "b"},
                               "config": {"bgpPeers": [{"asn": 4200000001, "address": "192.0.2.9"}]}}))
    world.post(network("global", {"type": "GlobalBGP"}))
    world.post(subnet("bgp-4", "bgp", "10.72.0.0/24"))
    world.post(subnet("global-4", "global", "10.73.0.0/24"))
    how = dict(annotations=annotated(network_type="GlobalBGP"))
    try:
        p = world.post(pod(ns, "astray", on="rule1", **how))
        world.wait_event(p, "IPAllocationFail", "node rule1 has not attached bgp network, should check webhook liveness")
        _, (i,) = world.create(ns, "global", "rule2", **how)
        assert i["spec"]["subnet"] == "global-4" and "netID" not in i["spec"]["address"]
        _, (i,) = world.create(ns, "bgp", "rule2")
        assert i["spec"]["subnet"] == "bgp-4" and i["spec"]["address"]["netID"] == 4200000000
        world.wait_labels("rule2", **{f"{k}_network_attachment": "true" for k in ("underlay", "overlay", "bgp")},
                          ipv4_address_quota="nonempty", ipv6_address_quota="empty", dualstack_address_quota="empty")
    finally:
        world.clear(ns)
        for name in ("global", "bgp"):
            world.remove("subnets", f"{name}-4")
            world.remove("networks", name)


@pytest.mark.parametrize("how, message", [
    (dict(specified_subnet="over-1/over-3", ip_family="IPv4"), "only support one specified subnet when IPv4 family, but [over-1 over-3]"),
    (dict(specified_subnet="over-1/over-3", ip_family="IPv6"), "only support one specified subnet when IPv6 family, but [over-1 over-3]"),
    (dict(specified_network="over", ip_family="DualStack", ip_pool="172.168.0.9"),
     "must assign two IPs when DualStack family, but 172.168.0.9"),
    (dict(specified_network="over", ip_family="DualStack", ip_pool="2048::9/172.168.0.9"),
     "must assign two IPs when DualStack family, but 2048::9/172.168.0.9"),
    (dict(specified_network="over", ip_family="IPv6", ip_pool="172.168.0.9"), "must assign only one IP when IPv6 family, but 172.168.0.9"),
    (dict(mac_pool=""), None),
    (dict(network_type="Overlay", mac_pool=",02:12:34:00:00:09"),
     "the 0 assigned mac address is empty in mac pool ,02:12:34:00:00:09"),
    (dict(network_type="Overlay", mac_pool="1.2.3.4"), "the assigned mac address 1.2.3.4 is illegal"),
], ids=str)
def test_what_a_template_asks_for_in_vain_is_said_in_an_event(world, ns, how, message):
    p = world.post(pod(ns, "web-0", on="rule1", owners=STATEFUL_SET, annotations=annotated(**how)))
    if message is None:
        world.wait_bound(p)
        return
    world.wait_event(p, "IPAllocationFail", message)
    assert world.instances(ns) == []


def test_the_pods_of_a_mac_pool_are_no_more_than_it_has(world, ns):
    p = world.post(pod(ns, "web-1", on="rule1", owners=STATEFUL_SET, annotations=annotated(mac_pool="02:12:34:00:00:09")))
    world.wait_event(p, "IPAllocationFail", "unable to find assigned mac address in mac pool 02:12:34:00:00:09 by index 1")


def test_an_assigned_address_is_said_to_be_assigned(world, ns):
    p, (i,) = world.create(ns, "web-0", "rule1", owners=STATEFUL_SET, annotations=annotated(specified_network="over", ip_pool="172.168.0.9"))
    world.wait_event(p, "IPAllocationSucceed", "assign IPs [172.168.0.9/24] successfully")


def test_both_named_subnets_of_a_dual_stack_pod_must_have_an_address(world, ns):
    world.post(subnet("tiny-4", "over", "10.79.0.0/30", gateway="10.79.0.1", config={"private": True}))
    world.post(subnet("tiny-6", "over", "fd79::/126", start="fd79::1", end="fd79::1", config={"private": True}))
    try:
        world.create(ns, "first", "rule1", annotations=annotated(specified_subnet="tiny-6", ip_family="IPv6"))
        p = world.post(pod(ns, "dual", on="rule1", annotations=annotated(specified_subnet="tiny-4/tiny-6", ip_family="DualStack")))
        world.wait_event(p, "IPAllocationFail", "fail to get ipv6 address zfrom subnet tiny-6")
        _, (i,) = world.create(ns, "four", "rule1", annotations=annotated(specified_subnet="tiny-4"))  # its only one is free
        assert address(i) == "10.79.0.2/30"
        q = world.post(pod(ns, "dual-4", on="rule1", annotations=annotated(specified_subnet="tiny-4/over-3", ip_family="DualStack")))
        world.wait_event(q, "IPAllocationFail", "fail to get ipv4 address from subnet tiny-4")
    finally:
        world.clear(ns)
        for name in ("tiny-4", "tiny-6"):
            world.remove("subnets", name)


# ── many ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_pods_of_every_family_get_what_nobody_else_has(world, ns):
    families = ("IPv4", "IPv6", "DualStack")
    pods = [(world.post(pod(ns, f"p{n}", on="rule1", annotations=annotated(network_type="Overlay", ip_family=families[n % 3]))),
             2 if n % 3 == 2 else 1) for n in range(100)]
    found = [world.wait_bound(p, n) for p, n in pods]
    wait_until(lambda: world.doubled() == {}, lambda: str(world.doubled()))
    addresses = [address(i) for instances in found for i in instances]
    assert len(set(addresses)) == 133
    # One family is filled subnet by subnet, from the first by name.
    assert {s for instances in found for s in subnets(instances)} == {"over-1", "over-3"}
    # A MAC of hybridnet's prefix for each pod, both families' (appendix A, 11: it may give one twice).
    macs = [{i["spec"]["address"]["mac"] for i in instances} for instances in found]
    assert all(len(m) == 1 and next(iter(m)).startswith("02:12:34:") for m in macs)
    assert len(set().union(*macs)) == 100
    world.wait_status("networks", "over", lastAllocatedSubnet="over-1", lastAllocatedIPv6Subnet="over-3",
                      statistics={"total": 508, "used": 67, "available": 441},
                      ipv6Statistics={"total": 510, "used": 66, "available": 444},
                      dualStackStatistics={"total": 0, "used": 0, "available": 441})


# Addresses that follow each other (10.2).
@pytest.mark.parametrize("cidr, start, addresses", [
    ("192.160.0.0/23", "192.160.0.254", ["192.160.0.254", "192.160.0.255", "192.160.1.0", "192.160.1.1"]),
    ("0.1.0.0/24", "0.1.0.5", ["0.1.0.5", "0.1.0.6"]),
    ("ab12::/64", "ab12::ffff", ["ab12::ffff", "ab12::1:0"]),
], ids=["bytes", "zeros", "groups"])
def test_addresses_follow_each_other_across_bytes(world, ns, cidr, start, addresses):
    world.post(subnet("follow", "over", cidr, start=start, config={"private": True}))
    try:
        family = "IPv6" if ":" in cidr else "IPv4"
        how = dict(annotations=annotated(specified_subnet="follow", ip_family=family))
        got = [address(world.create(ns, f"p{n}", "rule1", **how)[1][0]).split("/")[0] for n in range(len(addresses))]
        assert got == addresses
    finally:
        world.clear(ns)
        world.remove("subnets", "follow")


# ── long names ────────────────────────────────────────────────────────────────────────────────────


def test_names_that_no_label_can_hold_stand_in_no_way(world, ns):
    name = "web-" + "x" * 60 + "-0"
    how = dict(owners=STATEFUL_SET, annotations=annotated(network_type="Overlay"))
    _, (i,) = world.create(ns, name, LONG_NODE, **how)
    assert i["spec"]["binding"]["nodeName"] == LONG_NODE and PREFIX + "node" not in i["metadata"]["labels"]
    assert i["metadata"]["labels"][PREFIX + "pod"] == name[:31] + hashlib.md5(name[31:].encode()).hexdigest()
    world.delete_pod(ns, name)
    world.wait_pod_gone(ns, name)
    world.wait_reserved(ns, name)
    _, (again,) = world.create(ns, name, "rule1", **how)
    assert again["metadata"]["uid"] == i["metadata"]["uid"] and again["metadata"]["labels"][PREFIX + "node"] == "rule1"
    refused = world.post(subnet("s" * 64, "over", "10.74.0.0/24"))  # no webhook here
    message = f"name {refused['metadata']['name']} is longer than the 63 characters of a label"
    wait_until(lambda: any(c["message"] == message for c in world.status("subnets", "s" * 64).get("conditions", [])), world.logs)
    world.remove("subnets", "s" * 64)


# ── what is kept by default ───────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def forgetful(world):
    """Stateful pods keep nothing unless they say so."""
    world.end()
    world.start(*FLAGS, "--default-ip-retain=false").wait_leading()
    yield world
    world.end()
    world.start(*FLAGS).wait_leading()


@pytest.mark.parametrize("retain, kept", [(None, False), ("false", False), ("true", True), ("perhaps", False), ("1", True)])
def test_without_a_default_an_address_is_kept_for_whoever_says_so(forgetful, ns, retain, kept):
    how = dict(on="rule1", owners=STATEFUL_SET, annotations=annotated(ip_retain=retain) if retain else {})
    _, (before,) = forgetful.create(ns, "web-0", **how)
    forgetful.delete_pod(ns, "web-0")
    forgetful.wait_pod_gone(ns, "web-0")
    _, (after,) = forgetful.create(ns, "web-0", **how)
    assert ipaddress.ip_interface(address(after)).network == ipaddress.ip_interface(address(before)).network
    assert (after["metadata"]["uid"] == before["metadata"]["uid"]) is kept
    assert (after["spec"]["address"] == before["spec"]["address"]) is kept
    wait_until(lambda: len(forgetful.instances(ns)) == 1, lambda: str(forgetful.instances(ns)))


def test_a_pool_keeps_its_addresses_whatever_the_default(forgetful, ns):
    how = dict(n=2, owners=STATEFUL_SET, annotations=annotated(
        specified_network="over", ip_family="DualStack", ip_pool="172.168.0.90/2048::90", ip_retain="false"))
    _, before = forgetful.create(ns, "web-0", "rule1", **how)
    forgetful.delete_pod(ns, "web-0")
    forgetful.wait_pod_gone(ns, "web-0")
    _, after = forgetful.create(ns, "web-0", "rule2", **how)
    assert [(i["metadata"]["uid"], i["spec"]["address"]) for i in after] == [(i["metadata"]["uid"], i["spec"]["address"]) for i in before]
