"""A virtual machine with Linux's virtio-net driver on a vhost-user port."""
import pytest
from lab.guest import Guest
from lab.shell import wait_until
from objects import OVERLAY6, yaml


@pytest.fixture(scope="module")
def world(lab, add_node):
    nodes = [add_node(1, settings={"workers": {"cpus": [0, 1]}, "ports": {"vhostUser": {"queues": 2}}}), add_node(2)]
    lab.put("subnets.yaml", yaml(OVERLAY6), subnets=["overlay-6"])
    nodes[0].add_pod("near", family="DualStack")
    nodes[1].add_pod("far", family="DualStack")
    vm = nodes[0].add_pod("vm", family="DualStack", kind="vhost-user")
    vm.app = Guest(vm, ping=[lab.pods[p].address(f) for p in ("near", "far") for f in (4, 6)] + ["169.254.1.1"], queues=2)
    vm.app.start()
    return lab


def assert_guest_works(lab):
    vm = lab.pods["vm"]
    vm.app.wait_for("GUEST DONE")
    text = vm.app.text()
    assert vm.address(4) in text
    for address in vm.app.ping:
        assert f"PINGED {address}" in text, text
    for family in (4, 6):
        assert lab.pods["near"].ping(vm.address(family), count=5)
        assert lab.pods["far"].ping(vm.address(family), count=5)


def test_guest_gets_its_address_and_pings_pods_of_both_nodes(world):
    assert_guest_works(world)


def test_guest_sends_by_both_queues_to_two_workers(world):
    queues = [q for q in world.nodes["node1"].show("queue") if q["name"] == "default/vm/eth0"]
    assert [q["packets"] > 0 for q in queues] == [True, True], queues
    assert {q["worker"] for q in queues} == {0, 1}


def test_killed_guest_comes_back_by_itself(world):
    vm = world.pods["vm"]
    vm.app.kill()
    wait_until(lambda: not vm.port()["up"], "the port to be down")
    vm.app.start()
    assert_guest_works(world)
