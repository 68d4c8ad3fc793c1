"""Two nodes, every kind of pod: who reaches whom, over IPv4 and IPv6."""
import itertools

import pytest
from lab.fabric import OUTSIDE4, OUTSIDE6
from lab.shell import ok, wait_until
from objects import OVERLAY6, vlan56, yaml


@pytest.fixture(scope="module")
def world(lab, add_node):
    nodes = [add_node(1), add_node(2)]
    lab.put("objects.yaml", yaml(OVERLAY6, *vlan56()), subnets=["overlay-6", "vlan56-4", "vlan56-6"])
    for node, kind in itertools.product(nodes, ("Overlay", "Underlay")):
        node.add_pod(f"{kind.lower()}-{node.name[-1]}", network=kind, family="DualStack")
    return lab


PODS = ["overlay-1", "underlay-1", "overlay-2", "underlay-2"]


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("source,target", itertools.permutations(PODS, 2))
def test_pod_reaches_pod(world, source, target, family):
    assert world.pods[source].ping(world.pods[target].address(family))


@pytest.mark.parametrize("address", [OUTSIDE4, OUTSIDE6])
@pytest.mark.parametrize("source", PODS)
def test_pod_reaches_the_outside(world, source, address):
    assert world.pods[source].ping(address)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("target", PODS)
@pytest.mark.parametrize("node", ["node1", "node2"])
def test_node_reaches_pod(world, node, target, family):
    address = world.pods[target].address(family)
    assert ok(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", address], ns=world.nodes[node].ns)


@pytest.mark.parametrize("address", ["10.88.0.1", "fd00:88::1", "10.88.0.2", "fd00:88::2"])
@pytest.mark.parametrize("source", PODS)
def test_pod_reaches_node(world, source, address):
    assert world.pods[source].ping(address)


@pytest.mark.parametrize("source", PODS)
def test_pod_reaches_its_virtual_gateway(world, source):
    assert world.pods[source].ping("169.254.1.1")
    assert world.pods[source].ping("fe80::ecee:eeff:feee:eeee%eth0")


def test_pods_see_what_the_rules_promise(world):
    for name in PODS:
        routes = world.pods[name].exec("ip route show")
        assert sorted(line.replace(" proto 157", "").strip() for line in routes.splitlines()) == [
            "169.254.1.1 dev eth0 scope link", "default via 169.254.1.1 dev eth0"]
        assert "default via fe80::ecee:eeff:feee:eeee dev eth0" in world.pods[name].exec("ip -6 route show")


def test_nothing_was_dropped_without_a_reason(world):
    for node in world.nodes.values():
        for port in node.show("port"):
            explained = sum(d["count"] for d in node.show("drop") if d["port"] == port["port"])
            assert port["drops"] <= explained


def test_moved_address_is_found_at_the_new_node(world):
    """A pod goes and another one on the other node gets its address: peers follow."""
    gone = world.pods["underlay-1"]
    address = gone.address(4)
    gone.detach()
    wait_until(lambda: not world.pods["overlay-2"].ping(address, count=1, timeout=3), "the old pod to be gone")
