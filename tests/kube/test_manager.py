"""strata-manager against a real API server: addresses, their life, statuses and labels.

No kubelet, no scheduler, no garbage collector: the tests create Pods that are scheduled already, say
what their containers do, and delete them.
"""
import pytest

from lab.shell import wait_until
from managertool import FINALIZER, OURS, PREFIX, STATEFUL_SET, annotated, managed, network, node, pod, subnet


UNDERLAY = {"type": "Underlay", "netID": 100, "nodeSelector": {"network": "underlay-network"}}
OVERLAY = {"type": "Overlay", "netID": 100}


@pytest.fixture(scope="module")
def world(apiserver):
    objects = (
        node("node1", network="underlay-network"), node("node2", network="underlay-network"), node("node3"),
        network("underlay-network", UNDERLAY),
        network("overlay-network", OVERLAY),
        subnet("underlay-subnet", "underlay-network", "192.168.56.0/24", gateway="192.168.56.1"),
        subnet("overlay-ipv4-subnet", "overlay-network", "100.10.0.0/24"),
        subnet("overlay-ipv6-subnet", "overlay-network", "fe80::/120"))
    with managed(apiserver, *objects) as w:
        yield w


def ips(instances):
    return [i["spec"]["address"]["ip"] for i in instances]


def stateful(ns, name, on="node1", **options):
    return dict(on=on, owners=STATEFUL_SET, **options)


# ── one pod ───────────────────────────────────────────────────────────────────────────────────────

def test_a_pod_gets_an_ipv4_address_of_its_nodes_underlay_network(world, ns):
    p, (i,) = world.create(ns, "single")
    spec, meta = i["spec"], i["metadata"]
    assert (spec["network"], spec["subnet"]) == ("underlay-network", "underlay-subnet")
    assert spec["address"]["version"] == "4" and spec["address"]["ip"].endswith("/24")
    assert (spec["address"]["gateway"], spec["address"]["netID"]) == ("192.168.56.1", 100)
    assert spec["address"]["mac"].startswith("02:12:34:")
    assert meta["name"] == spec["address"]["ip"].split("/")[0].replace(".", "-")
    uid = p["metadata"]["uid"]
    assert spec["binding"] == {"referredObject": {"kind": "Pod", "name": "single", "uid": uid},
                               "nodeName": "node1", "podUID": uid, "podName": "single"}
    assert meta["labels"] == {PREFIX + "version": "v1.2", PREFIX + "subnet": "underlay-subnet", PREFIX + "network": "underlay-network",
                              PREFIX + "node": "node1", PREFIX + "pod": "single", PREFIX + "pod-uid": uid}
    assert meta["finalizers"] == [FINALIZER]
    assert meta["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": "single", "uid": uid,
                                        "controller": True, "blockOwnerDeletion": False}]
    world.wait_event(p, "IPAllocationSucceed", f"allocate IPs [{ips([i])[0]}] successfully")


def test_a_pod_gets_an_ipv6_address_of_the_overlay_network(world, ns):
    _, (i,) = world.create(ns, "single", "node3", annotations=annotated(network_type="Overlay", ip_family="IPv6"))
    assert i["spec"]["subnet"] == "overlay-ipv6-subnet" and i["spec"]["address"]["version"] == "6"
    assert i["metadata"]["name"].startswith("fe80-0-0-0-0-0-0-")


def test_a_dual_stack_pod_gets_one_of_each_family_and_one_mac(world, ns):
    _, (v4, v6) = world.create(ns, "dual", annotations=annotated(network_type="Overlay", ip_family="DualStack"), n=2)
    assert (v4["spec"]["subnet"], v6["spec"]["subnet"]) == ("overlay-ipv4-subnet", "overlay-ipv6-subnet")
    assert v4["spec"]["address"]["mac"] == v6["spec"]["address"]["mac"]


@pytest.mark.parametrize("family, n", [("ipv4", 1), ("IPv6Only", 1), ("dualStack", 2)])
def test_families_have_aliases_in_any_case(world, ns, family, n):
    world.create(ns, "alias", annotations=annotated(network_type="Overlay", ip_family=family), n=n)


def test_a_pod_that_goes_gives_its_address_back(world, ns):
    world.create(ns, "single")
    world.wait_status("subnets", "underlay-subnet", used=1, available=252)
    world.delete_pod(ns, "single")
    world.wait_free(ns)
    world.wait_status("subnets", "underlay-subnet", used=0, available=253)


def test_a_pod_with_the_hosts_network_or_without_a_node_gets_nothing(world, ns):
    world.post(pod(ns, "host", hostNetwork=True))
    world.post(pod(ns, "unscheduled", on=None))
    world.post(pod(ns, "unscheduled-0", on=None, owners=STATEFUL_SET))
    world.create(ns, "later")
    assert {i["spec"]["binding"]["podName"] for i in world.instances(ns)} == {"later"}
    assert "finalizers" not in world.pod(ns, "unscheduled-0")["metadata"]


@pytest.mark.parametrize("status", [
    {"phase": "Failed", "reason": "Evicted"},
    {"phase": "Succeeded", "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0,
                                                  "state": {"terminated": {"exitCode": 0}}}]},
], ids=["evicted", "completed"])
def test_a_pod_that_is_over_gives_its_address_back_while_its_object_stays(world, ns, status):
    p, _ = world.create(ns, "over")
    world.set_status(p, **status)
    world.wait_free(ns)
    assert world.pod(ns, "over") is not None
    world.wait_event(p, "IPReleaseSucceed", "pre decouple all IPs successfully")


# ── who chooses ───────────────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("how", [
    dict(annotations=annotated(specified_network="overlay-network")),
    dict(labels=annotated(specified_network="overlay-network")),
    dict(annotations=annotated(specified_subnet="overlay-ipv4-subnet")),
    dict(labels=annotated(network_type="Overlay")),
    dict(annotations=annotated(network_type="overlay"), labels=annotated(network_type="Underlay")),
], ids=["network-annotation", "network-label", "subnet-annotation", "type-label", "annotation-before-label"])
def test_a_pod_says_where_its_address_is_from(world, ns, how):
    _, (i,) = world.create(ns, "asks", **how)
    assert i["spec"]["subnet"] == "overlay-ipv4-subnet"


def test_both_subnets_of_a_dual_stack_pod_may_be_named(world, ns):
    _, (v4, v6) = world.create(ns, "names", n=2, annotations=annotated(
        specified_subnet="overlay-ipv4-subnet/overlay-ipv6-subnet", ip_family="DualStack"))
    assert (v4["spec"]["subnet"], v6["spec"]["subnet"]) == ("overlay-ipv4-subnet", "overlay-ipv6-subnet")


def test_a_namespace_says_what_its_pods_do_not(world, ns):
    world.namespace(ns, annotations=annotated(network_type="overlay", ip_family="dualstack"))
    world.create(ns, "silent", n=2)
    _, (i,) = world.create(ns, "says", annotations=annotated(ip_family="IPv4"))  # so the namespace says nothing
    assert i["spec"]["network"] == "underlay-network"
    world.namespace(ns, annotations=annotated(network_type=None, ip_family=None, specified_subnet="overlay-ipv4-subnet"))
    _, (i,) = world.create(ns, "named")
    assert i["spec"]["subnet"] == "overlay-ipv4-subnet"


@pytest.mark.parametrize("on, how, message", [
    ("node3", {}, "unable to find underlay network for node node3, should check webhook liveness"),
    ("node1", annotated(network_type="GlobalBGP"), "unable to find global bgp network"),
    ("node1", annotated(network_type="Sideways"), "unrecognized network type Sideways"),
    ("node1", annotated(ip_family="IPv5"), "unrecognized ip family IPv5"),
    ("node1", annotated(specified_subnet="nope"), "specified subnet nope not found"),
    ("node1", annotated(specified_network="nope"), "specified network nope not found, should check webhook liveness"),
    ("node3", annotated(specified_network="underlay-network"),
     "unable to find underlay network for node node3, should check webhook liveness"),
    ("node1", annotated(specified_network="overlay-network", network_type="Underlay"),
     "specified network overlay-network does not match network type Underlay"),
    ("node1", annotated(specified_subnet="underlay-subnet", ip_family="IPv6"), "fail to get ipv6 subnet: subnet not found"),
    ("node1", annotated(specified_subnet="underlay-subnet", ip_family="DualStack"),
     "only support two assigned subnets when DualStack family, but [underlay-subnet]"),
    ("node1", annotated(ip_family="IPv6"), "fail to get ipv6 subnet: no available subnet"),
    ("node1", annotated(ip_family="DualStack"), "fail to get paired subnets: no available subnet"),
])
def test_what_cannot_be_had_is_said_in_an_event(world, ns, on, how, message):
    p = world.post(pod(ns, "asks-too-much", on=on, annotations=how))
    world.wait_event(p, "IPAllocationFail", message)
    assert world.instances(ns) == []


# ── stateful workloads ────────────────────────────────────────────────────────────────────────────

@pytest.mark.parametrize("family, n", [("IPv4", 1), ("IPv6", 1), ("DualStack", 2)])
def test_a_stateful_pod_keeps_address_and_mac_on_another_node(world, ns, family, n):
    how = dict(owners=STATEFUL_SET, annotations=annotated(network_type="Overlay", ip_family=family), n=n)
    first, before = world.create(ns, "web-3", "node1", **how)
    assert world.pod(ns, "web-3")["metadata"]["finalizers"] == [FINALIZER]
    for i in before:
        assert i["spec"]["binding"]["stateful"] == {"index": 3}
        assert i["spec"]["binding"]["referredObject"]["kind"] == "StatefulSet"
        assert [o["kind"] for o in i["metadata"]["ownerReferences"]] == ["StatefulSet"]
    world.delete_pod(ns, "web-3")
    world.wait_pod_gone(ns, "web-3")
    for i in world.wait_reserved(ns, "web-3", n):
        assert i["spec"]["binding"]["podName"] == "web-3"
        assert PREFIX + "node" not in i["metadata"]["labels"] and PREFIX + "pod-uid" not in i["metadata"]["labels"]
        assert i["metadata"]["labels"][PREFIX + "pod"] == "web-3"
    world.wait_event(first, "IPReserveSucceed", "reserve all IPs successfully")
    second, after = world.create(ns, "web-3", "node2", **{**how, "annotations": {}})
    assert [(i["metadata"]["name"], i["metadata"]["uid"], i["spec"]["address"]) for i in after] == \
        [(i["metadata"]["name"], i["metadata"]["uid"], i["spec"]["address"]) for i in before]
    assert {i["spec"]["binding"]["nodeName"] for i in after} == {"node2"}
    assert {i["metadata"]["labels"][PREFIX + "node"] for i in after} == {"node2"}


def container(**state):
    return [{"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": state}]


def test_a_terminating_pod_keeps_its_address_while_a_container_runs_and_not_while_one_waits(world, ns):
    p, (i,) = world.create(ns, "web-0", owners=STATEFUL_SET)
    world.set_status(p, containerStatuses=container(running={}))
    world.delete_pod(ns, "web-0", grace=600)
    marker, _ = world.create(ns, "marker")  # the manager has seen what was before
    assert world.of_pod(ns, "web-0")[0]["spec"]["binding"]["podUID"] == p["metadata"]["uid"]
    assert world.pod(ns, "web-0")["metadata"]["finalizers"] == [FINALIZER]
    world.set_status(p, containerStatuses=container(waiting={}))
    world.wait_reserved(ns, "web-0")
    wait_until(lambda: "finalizers" not in world.pod(ns, "web-0")["metadata"], "the finalizer is gone")


@pytest.mark.parametrize("retain, kept", [(None, True), ("true", True), ("false", False)])
def test_a_stateful_pod_may_refuse_to_keep_its_address(world, ns, retain, kept):
    how = dict(owners=STATEFUL_SET, annotations=annotated(ip_retain=retain) if retain else {})
    _, (before,) = world.create(ns, "web-0", **how)
    world.delete_pod(ns, "web-0")
    world.wait_pod_gone(ns, "web-0")
    _, (after,) = world.create(ns, "web-0", **how)
    assert (after["metadata"]["uid"] == before["metadata"]["uid"]) is kept
    assert (ips([after]) == ips([before])) is kept


def test_an_evicted_stateful_pod_keeps_its_address(world, ns):
    p, (before,) = world.create(ns, "web-0", owners=STATEFUL_SET)
    world.set_status(p, phase="Failed", reason="Evicted")
    world.wait_reserved(ns, "web-0")
    world.delete_pod(ns, "web-0")
    world.wait_pod_gone(ns, "web-0")
    _, (after,) = world.create(ns, "web-0", "node2", owners=STATEFUL_SET)
    assert ips([after]) == ips([before])


def test_an_orphaned_stateful_pod_can_go(world, ns):
    p, _ = world.create(ns, "web-0", owners=STATEFUL_SET)
    world.patch(f"/api/v1/namespaces/{ns}/pods/web-0", {"metadata": {"ownerReferences": None}})
    world.delete_pod(ns, "web-0")
    world.wait_pod_gone(ns, "web-0")
    world.wait_reserved(ns, "web-0")


def test_pods_with_long_names_and_different_tails_keep_their_own(world, ns):
    names = ["a" * 60 + f"-{n}-0" for n in ("one", "two")]
    before = {name: ips(world.create(ns, name, owners=STATEFUL_SET)[1]) for name in names}
    for name in names:
        world.delete_pod(ns, name)
        world.wait_pod_gone(ns, name)
    after = {name: ips(world.create(ns, name, owners=STATEFUL_SET)[1]) for name in reversed(names)}
    assert after == before


# ── pools ─────────────────────────────────────────────────────────────────────────────────────────

def pooled(pool, **more):
    return dict(owners=STATEFUL_SET, annotations=annotated(specified_network="overlay-network", ip_pool=pool, **more))


def test_the_pods_of_a_stateful_set_get_what_their_pool_says(world, ns):
    pool = "100.10.0.150,100.10.0.160,100.10.0.170"
    for ordinal, want in enumerate(pool.split(",")):
        _, found = world.create(ns, f"pod-sts-{ordinal}", **pooled(pool))
        assert ips(found) == [want + "/24"]


def test_a_pool_may_have_both_families(world, ns):
    _, found = world.create(ns, "pod-sts-1", n=2, **pooled("100.10.0.140/fe80::40,100.10.0.141/fe80::41", ip_family="DualStack"))
    assert ips(found) == ["100.10.0.141/24", "fe80::41/120"]


def test_a_pod_with_a_pool_keeps_object_and_mac_over_its_lives(world, ns):
    _, (before,) = world.create(ns, "pod-sts-0", **pooled("100.10.0.180"))
    world.delete_pod(ns, "pod-sts-0")
    world.wait_pod_gone(ns, "pod-sts-0")
    _, (after,) = world.create(ns, "pod-sts-0", "node2", **pooled("100.10.0.180"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["address"] == before["spec"]["address"]


def test_a_changed_pool_leaves_exactly_the_new_address(world, ns):
    world.create(ns, "pod-sts-0", **pooled("100.10.0.151"))
    world.delete_pod(ns, "pod-sts-0")
    world.wait_pod_gone(ns, "pod-sts-0")
    _, found = world.create(ns, "pod-sts-0", **pooled("100.10.0.152"))
    assert ips(found) == ["100.10.0.152/24"]
    wait_until(lambda: len(world.instances(ns)) == 1, lambda: str(world.instances(ns)))


def test_a_pool_does_not_take_an_address_that_is_kept_for_another(world, ns):
    other = world.namespace(ns + "-other")
    world.create(other, "kept-0", **pooled("100.10.0.155"))
    world.delete_pod(other, "kept-0")
    world.wait_reserved(other, "kept-0")
    p = world.post(pod(ns, "taker-0", **pooled("100.10.0.155")))
    world.wait_event(p, "IPAllocationFail",
                     f"fail to assign ip 100.10.0.155 to pod {ns}/taker-0: assigned ip is not available")
    assert world.instances(ns) == []
    for i in world.instances(other):
        world.api.request("DELETE", f"{OURS}/namespaces/{other}/ipinstances/{i['metadata']['name']}")
    world.wait_bound(p)  # now it is free


def test_a_dual_stack_pool_that_fails_by_half_gives_the_other_half_back(world, ns):
    p = world.post(pod(ns, "half-0", **pooled("100.10.0.156/fe80::1:1", ip_family="DualStack")))
    world.wait_event(p, "IPAllocationFail", "fail to get subnet by { fe80::1:1}: subnet not found")
    _, found = world.create(ns, "whole-0", **pooled("100.10.0.156"))
    assert ips(found) == ["100.10.0.156/24"]


@pytest.mark.parametrize("pool, message", [
    ("100.10.0.150", "unable to find assigned ip in ip-pool 100.10.0.150 by index 1"),
    ("100.10.0.150,", "the 1 assigned ip section is empty in ip-pool 100.10.0.150,"),
    ("100.10.0.150,100.10.0", "the assigned ip 100.10.0 is illegal"),
    ("100.10.0.150,100.10.0.151/fe80::9", "must assign only one IP when IPv4 family, but 100.10.0.150,100.10.0.151/fe80::9"),
])
def test_a_bad_pool_is_said_in_an_event(world, ns, pool, message):
    p = world.post(pod(ns, "pod-sts-1", **pooled(pool)))
    world.wait_event(p, "IPAllocationFail", message)


def test_a_mac_pool_is_for_stateful_pods_and_stays(world, ns):
    pool = annotated(mac_pool="00:16:3E:00:01:01,00-16-3e-00-01-02,0016.3E00.0103")
    _, (i,) = world.create(ns, "mac-1", owners=STATEFUL_SET, annotations=pool)
    assert i["spec"]["address"]["mac"] == "00:16:3e:00:01:02"
    world.delete_pod(ns, "mac-1")
    world.wait_pod_gone(ns, "mac-1")
    _, (i,) = world.create(ns, "mac-1", owners=STATEFUL_SET)
    assert i["spec"]["address"]["mac"] == "00:16:3e:00:01:02"
    _, (i,) = world.create(ns, "mac-2", owners=STATEFUL_SET, annotations=pool)
    assert i["spec"]["address"]["mac"] == "00:16:3e:00:01:03"
    _, (i,) = world.create(ns, "normal-0", annotations=pool)
    assert i["spec"]["address"]["mac"].startswith("02:12:34:")
    p = world.post(pod(ns, "other-1", owners=STATEFUL_SET, annotations=pool))
    name = world.of_pod(ns, "mac-1")[0]["metadata"]["name"]
    world.wait_event(p, "IPAllocationFail",
                     f"specified mac address 00:16:3e:00:01:02 is in conflict with existing ip instance {ns}/{name}")


# ── statuses and labels ───────────────────────────────────────────────────────────────────────────

def test_a_network_knows_its_nodes_subnets_and_addresses(world):
    world.wait_status("networks", "underlay-network", nodeList=["node1", "node2"], subnetList=["underlay-subnet"],
                      statistics={"total": 253, "used": 0, "available": 253})
    world.wait_status("networks", "overlay-network", nodeList=["node1", "node2", "node3"],
                      statistics={"total": 254, "used": 0, "available": 254},
                      ipv6Statistics={"total": 255, "used": 0, "available": 255},
                      dualStackStatistics={"total": 0, "used": 0, "available": 254})


def test_a_subnet_counts_what_can_be_had(world, ns):
    world.post(subnet("counted-4", "overlay-network", "170.16.0.0/24", gateway="170.16.0.1", config={"private": True},
                      reservedIPs=[f"170.16.0.{n}" for n in range(100, 105)],
                      excludeIPs=[f"170.16.0.{n}" for n in range(110, 115)]))
    world.post(subnet("counted-6", "overlay-network", "fe20::/120", config={"private": True}))
    world.post(subnet("counted-range", "overlay-network", "170.17.0.0/24", config={"private": True}, start="170.17.0.21",
                      end="170.17.0.50"))
    try:
        world.wait_status("subnets", "counted-4", total=243, used=0, available=243)
        world.wait_status("subnets", "counted-6", total=255, used=0, available=255)
        world.wait_status("subnets", "counted-range", total=30, used=0, available=30)
        world.create(ns, "dual", n=2, annotations=annotated(specified_subnet="counted-4/counted-6", ip_family="DualStack"))
        world.wait_status("subnets", "counted-4", total=243, used=1, available=242, lastAllocatedIP="170.16.0.2")
        world.wait_status("subnets", "counted-6", used=1, available=254, lastAllocatedIP="fe20::1")
        world.delete_pod(ns, "dual")
        world.wait_free(ns)
        world.wait_status("subnets", "counted-4", used=0, available=243)
        _, (i,) = world.create(ns, "next", annotations=annotated(specified_subnet="counted-4"))
        assert ips([i]) == ["170.16.0.3/24"]  # an address rests before it is given again
    finally:
        world.delete_pod(ns, "next")
        world.wait_free(ns)
        for name in ("counted-4", "counted-6", "counted-range"):
            world.remove("subnets", name)
        world.wait_status("networks", "overlay-network", subnetList=["overlay-ipv4-subnet", "overlay-ipv6-subnet"])


BOTH = dict(underlay_network_attachment="true", overlay_network_attachment="true", ipv4_address_quota="nonempty",
            ipv6_address_quota="empty", dualstack_address_quota="empty")


def test_nodes_are_labelled_by_their_networks(world):
    world.wait_labels("node1", **BOTH)
    world.wait_labels("node2", **BOTH)
    world.wait_labels("node3", overlay_network_attachment="true")
    world.patch("/api/v1/nodes/node3", {"metadata": {"labels": {"network": "underlay-network"}}})
    world.wait_labels("node3", **BOTH)
    world.wait_status("networks", "underlay-network", nodeList=["node1", "node2", "node3"])
    world.patch("/api/v1/nodes/node3", {"metadata": {"labels": {"network": None}}})
    world.wait_labels("node3", overlay_network_attachment="true")


def test_quota_labels_follow_the_addresses_that_anybody_may_have(world):
    world.post(subnet("quota-private", "underlay-network", "fd01::/120", gateway="fd01::1", config={"private": True}))
    world.post(subnet("quota-6", "underlay-network", "fd00::/126", gateway="fd00::1"))
    try:
        world.wait_labels("node1", **{**BOTH, "ipv6_address_quota": "nonempty", "dualstack_address_quota": "nonempty"})
    finally:
        world.remove("subnets", "quota-6")
    world.wait_labels("node1", **BOTH)  # the private one is nobody's who does not name it
    world.remove("subnets", "quota-private")
    world.wait_status("networks", "underlay-network", subnetList=["underlay-subnet"])


def test_bgp_labels_need_a_bgp_network_and_a_global_one(world):
    world.post(node("node4", network="bgp"))
    world.post(network("bgp", {"type": "Underlay", "mode": "BGP", "netID": 65000, "nodeSelector": {"network": "bgp"},
                               "config": {"bgpPeers": [{"asn": 65001, "address": "192.168.56.254"}]}}))
    attached = dict(underlay_network_attachment="true", overlay_network_attachment="true", ipv4_address_quota="empty",
                    ipv6_address_quota="empty", dualstack_address_quota="empty")
    try:
        world.wait_labels("node4", **attached)
        world.post(network("global-bgp", {"type": "GlobalBGP"}))
        world.wait_labels("node4", **attached, bgp_network_attachment="true")
        assert "bgp-network-attachment" not in world.labels("node1")
        world.remove("networks", "global-bgp")
        world.wait_labels("node4", **attached)
    finally:
        world.remove("networks", "global-bgp")
        world.remove("networks", "bgp")
        world.api.request("DELETE", "/api/v1/nodes/node4")


def test_a_full_subnet_gives_way_to_the_next_and_the_cursor_is_in_the_status(world, ns):
    world.post(node("node5", network="small"))
    world.post(network("small", {"type": "Underlay", "netID": 7, "nodeSelector": {"network": "small"}}))
    world.post(subnet("small-a", "small", "10.9.0.0/29", gateway="10.9.0.1", excludeIPs=["10.9.0.2"], reservedIPs=["10.9.0.3"]))
    world.post(subnet("small-b", "small", "10.9.1.0/29", gateway="10.9.1.1"))
    world.post(subnet("small-private", "small", "10.9.2.0/29", gateway="10.9.2.1", config={"private": True}))
    try:
        got = [ips(world.create(ns, f"p{n}", "node5")[1])[0] for n in range(4)]
        assert got == ["10.9.0.4/29", "10.9.0.5/29", "10.9.0.6/29", "10.9.1.2/29"]
        world.wait_status("networks", "small", lastAllocatedSubnet="small-b")
        for n in range(4, 8):
            world.create(ns, f"p{n}", "node5")
        p = world.post(pod(ns, "too-many", on="node5"))
        world.wait_event(p, "IPAllocationFail", "fail to get ipv4 subnet: no available subnet")
        world.wait_labels("node5", **{**BOTH, "ipv4_address_quota": "empty"})
        world.delete_pod(ns, "p1")
        assert ips(world.wait_bound(p)) == ["10.9.0.5/29"]
        full = world.post(pod(ns, "full", on="node5", annotations=annotated(specified_subnet="small-a")))
        world.wait_event(full, "IPAllocationFail", "fail to get one available ipv4 address from subnet small-a")
        _, (i,) = world.create(ns, "private", "node5", annotations=annotated(specified_subnet="small-private"))
        assert ips([i]) == ["10.9.2.2/29"]
        _, (i,) = world.create(ns, "reserved-0", "node5", owners=STATEFUL_SET,
                               annotations=annotated(specified_subnet="small-a", ip_pool="10.9.0.3"))
        assert ips([i]) == ["10.9.0.3/29"]
        gone = world.post(pod(ns, "excluded-0", on="node5", owners=STATEFUL_SET,
                              annotations=annotated(specified_subnet="small-a", ip_pool="10.9.0.2")))
        world.wait_event(gone, "IPAllocationFail", f"fail to assign ip 10.9.0.2 to pod {ns}/excluded-0: assigned ip not found")
    finally:
        for p in world.api.get(f"/api/v1/namespaces/{ns}/pods")["items"]:
            world.delete_pod(ns, p["metadata"]["name"])
        wait_until(lambda: world.api.get(f"/api/v1/namespaces/{ns}/pods")["items"] == [], "all pods are gone")
        for i in world.instances(ns):
            world.api.request("DELETE", f"{OURS}/namespaces/{ns}/ipinstances/{i['metadata']['name']}")
        world.wait_free(ns)
        for name in ("small-a", "small-b", "small-private"):
            world.remove("subnets", name)
        world.remove("networks", "small")
        world.api.request("DELETE", "/api/v1/nodes/node5")


def test_metrics_have_our_names_and_hybridnets(world, ns):
    world.create(ns, "counted")
    leader = world.managers[0]
    wait_until(lambda: leader.metric("strata_subnet_addresses", subnet="underlay-subnet", network="underlay-network", state="used") == 1
               and leader.metric("subnet_ip_usage", subnetName="underlay-subnet", networkName="underlay-network", usageType="used") == 1
               and leader.metric("ip_usage", networkName="underlay-network", ipFamily="ipv4", usageType="total") == 253,
               lambda: leader.http("/metrics"))
    assert leader.metric("strata_ip_allocation_duration_seconds_count", type="normal", success="true") >= 1
    assert leader.metric("strata_addresses_doubled") == 0
    assert leader.http("/readyz").endswith("200")
