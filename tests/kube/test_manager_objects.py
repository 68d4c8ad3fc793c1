"""What hybridnet's daemon reads of a manager's objects, field by field (sections 1, 2 and 3.7 of its study, contract in its
appendix C): so that its nodes and ours serve one cluster, every object of ours is exactly what its own manager writes, and
what is more is named here."""
import pytest

from lab.shell import wait_until
from managertool import FINALIZER, MERGE, OURS, PREFIX, STATEFUL_SET, annotated, managed, network, node, subnet

NS = "objects"
SERVERS = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
OF_OURS = {"strata.networking.alibaba.com/ip-family": "DualStack"}  # so that a new leader knows of the other half


@pytest.fixture(scope="module")
def world(apiserver):
    objects = (
        node("object1", net="a"), node("object2"),
        network("under", {"netID": 100, "nodeSelector": {"net": "a"}}),
        network("over", {"type": "Overlay", "netID": 5}),
        subnet("under-4", "under", "10.77.0.0/24", gateway="10.77.0.1"),
        subnet("under-6", "under", "fd77::/64", gateway="fd77::1"),
        subnet("over-4", "over", "10.78.0.0/16"))
    with managed(apiserver, *objects, spaces=[NS]) as w:
        yield w
        w.clear(NS)


def but_servers(obj):
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k not in SERVERS}}


def labels(**values):
    return {PREFIX + k.replace("_", "-"): v for k, v in {"version": "v1.2", **values}.items()}


def test_a_plain_pod_of_the_overlay(world):
    p, (i,) = world.create(NS, "plain", "object2", annotations=annotated(network_type="Overlay"))
    uid, mac = p["metadata"]["uid"], i["spec"]["address"]["mac"]
    assert but_servers(i) == {
        "apiVersion": "networking.alibaba.com/v1", "kind": "IPInstance",
        "metadata": {
            "name": "10-78-0-1", "namespace": NS, "finalizers": [FINALIZER],
            "labels": labels(network="over", subnet="over-4", node="object2", pod="plain", pod_uid=uid),
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "plain", "uid": uid,
                                 "controller": True, "blockOwnerDeletion": False}]},
        "spec": {"network": "over", "subnet": "over-4",
                 "address": {"version": "4", "ip": "10.78.0.1/16", "netID": 5, "mac": mac},  # the Subnet's mask; it has no gateway
                 "binding": {"referredObject": {"kind": "Pod", "name": "plain", "uid": uid},
                             "nodeName": "object2", "podUID": uid, "podName": "plain"}}}
    assert "finalizers" not in world.pod(NS, "plain")["metadata"]


def stateful(i, p, name, ip, gateway, version, subnet_name):
    """An IPInstance of the pod web-2; p None: it is kept for its next life."""
    uid = p and p["metadata"]["uid"]
    bound = dict(node="object1", pod_uid=uid) if p else {}
    owner = {k: STATEFUL_SET[0][k] for k in ("kind", "name", "uid")}
    return {
        "apiVersion": "networking.alibaba.com/v1", "kind": "IPInstance",
        "metadata": {
            "name": name, "namespace": NS, "finalizers": [FINALIZER], "annotations": OF_OURS,
            "labels": labels(network="under", subnet=subnet_name, pod="web-2", **bound),
            "ownerReferences": [{**STATEFUL_SET[0], "blockOwnerDeletion": False}]},
        "spec": {"network": "under", "subnet": subnet_name,
                 "address": {"version": version, "ip": ip, "gateway": gateway, "netID": 100, "mac": i["spec"]["address"]["mac"]},
                 "binding": {"referredObject": owner, "podName": "web-2", "stateful": {"index": 2},
                             **({"nodeName": "object1", "podUID": uid} if p else {})}}}


def expected(found, p):
    v4, v6 = found
    return [stateful(v4, p, "10-77-0-2", "10.77.0.2/24", "10.77.0.1", "4", "under-4"),
            stateful(v6, p, "fd77-0-0-0-0-0-0-2", "fd77::2/64", "fd77::1", "6", "under-6")]


def test_a_dual_stack_pod_of_a_stateful_set_in_its_life_and_after(world):
    p, found = world.create(NS, "web-2", "object1", n=2, owners=STATEFUL_SET, annotations=annotated(ip_family="DualStack"))
    assert [but_servers(i) for i in found] == expected(found, p)
    assert found[0]["spec"]["address"]["mac"] == found[1]["spec"]["address"]["mac"]
    assert world.pod(NS, "web-2")["metadata"]["finalizers"] == [FINALIZER]
    daemons = {"sandboxID": "s", "nodeName": "object1", "podName": "web-2", "podNamespace": NS, "updateTimestamp": "2020-01-01T00:00:00Z"}
    for i in found:
        status, answer = world.api.request("PATCH", f"{OURS}/namespaces/{NS}/ipinstances/{i['metadata']['name']}/status",
                                           {"status": daemons}, MERGE)
        assert status == 200, answer
    world.delete_pod(NS, "web-2")
    world.wait_pod_gone(NS, "web-2")
    kept = world.wait_reserved(NS, "web-2", 2)
    times = [i.pop("status") for i in kept]
    assert [but_servers(i) for i in kept] == expected(found, None)
    assert all(set(t) == {"updateTimestamp"} and t["updateTimestamp"] > daemons["updateTimestamp"] for t in times)


def test_networks_and_subnets_say_who_is_in_them_and_how_much_is_left(world):
    _, found = world.create(NS, "dual", "object1", n=2, annotations=annotated(ip_family="DualStack"))

    def statuses():
        return {name: {k: v for k, v in world.status(plural, name).items() if k != "conditions"}
                for plural, name in (("networks", "under"), ("subnets", "under-4"), ("subnets", "under-6"))}

    used = sum(i["spec"]["subnet"] == "under-4" for i in world.instances(NS))  # what is kept counts
    last = {i["spec"]["address"]["version"]: i["spec"]["address"]["ip"].split("/")[0] for i in found}
    most = 2**31 - 1  # what an int32 can say of a /64
    wanted = {
        "under": {"lastAllocatedSubnet": "under-4", "lastAllocatedIPv6Subnet": "under-6",
                  "nodeList": ["object1"], "subnetList": ["under-4", "under-6"],
                  "statistics": {"total": 253, "used": used, "available": 253 - used},
                  "ipv6Statistics": {"total": most, "used": used, "available": most},
                  "dualStackStatistics": {"total": 0, "used": 0, "available": 253 - used}},
        "under-4": {"total": 253, "used": used, "available": 253 - used, "lastAllocatedIP": last["4"]},
        "under-6": {"total": most, "used": used, "available": most, "lastAllocatedIP": last["6"]},
    }
    wait_until(lambda: statuses() == wanted, lambda: f"{statuses()}\nis not\n{wanted}")
    world.wait_status("networks", "over", nodeList=["object1", "object2"], subnetList=["over-4"])


def test_nodes_have_hybridnets_labels(world):
    world.wait_labels("object1", underlay_network_attachment="true", overlay_network_attachment="true",
                      ipv4_address_quota="nonempty", ipv6_address_quota="nonempty", dualstack_address_quota="nonempty")
    world.wait_labels("object2", overlay_network_attachment="true")
