"""Open vSwitch as the physical switch: an access port and the node's trunk on VLAN 56."""
import json
import subprocess
import time

import pytest
from lab.fabric import plain_frames
from lab.node import CniError
from lab.shell import ok, run, wait_until
from objects import vlan56, yaml

SERVER4, SERVER6 = "10.56.0.10", "fd00:56::10"


@pytest.fixture(scope="module")
def server(lab, fabric):
    """A physical host at an access port of VLAN 56."""
    ns = f"{lab.prefix}server"
    run(f"ip netns add {ns}")
    run(f"ip link add eth0 netns {ns} type veth peer name to-server netns {fabric.ns}")
    fabric.add_port("to-server", "vlan_mode=access", "tag=56")
    plain_frames("eth0", ns)
    run(["sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"], ns=ns)
    for command in ("link set lo up", "link set eth0 up", f"address add {SERVER4}/24 dev eth0",
                    f"address add {SERVER6}/64 dev eth0 nodad"):
        run(f"ip {command}", ns=ns)
    return ns


@pytest.fixture(scope="module")
def pod(lab, add_node, server):
    node = add_node(1)
    lab.put("vlan.yaml", yaml(*vlan56()), subnets=["vlan56-4", "vlan56-6"])
    return node.add_pod("tagged", network="Underlay", family="DualStack")


def mac_of(ns, device):
    return json.loads(run(f"ip -j link show {device}", ns=ns))[0]["address"]


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_pod_reaches_a_host_at_the_access_port(pod, address):
    assert pod.ping(address)


@pytest.mark.parametrize("family", [4, 6])
def test_host_at_the_access_port_reaches_the_pod_by_the_uplinks_mac(pod, server, family):
    address = pod.address(family)
    run("ip neigh flush dev eth0", ns=server)
    assert ok(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", address], ns=server)
    assert mac_of(pod.node.ns, "uplink") in run(f"ip neigh show {address}", ns=server)


def test_iperf3_runs_over_the_vlan(pod, server):
    listener = subprocess.Popen(["ip", "netns", "exec", server, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: ":5201" in run("ss -Hltn", ns=server), "iperf3 to listen")
        report = json.loads(pod.exec(["iperf3", "-c", SERVER4, "-t", "2", "-J"], timeout=30))
        assert report["end"]["sum_received"]["bits_per_second"] > 0
    finally:
        listener.kill()
        listener.wait()


def test_new_pod_announces_itself_on_its_vlan(pod, server):
    """The physical hosts learn of the address by gratuitous ARP, before anybody asks."""
    capture = subprocess.Popen(["ip", "netns", "exec", server, "tcpdump", "-lnei", "eth0", "arp"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        time.sleep(1)
        other = pod.node.add_pod("announced", network="Underlay", family="IPv4")
        address, seen = other.address(4), []
        end = time.monotonic() + 10
        while time.monotonic() < end and not any(f"who-has {address} (" in s or f"{address} is-at" in s or f"who-has {address} tell {address}" in s for s in seen):
            seen.append(capture.stdout.readline())
        assert time.monotonic() < end, "".join(seen)
    finally:
        capture.kill()
        capture.wait()


def test_address_that_somebody_else_has_is_refused(pod, server):
    """The next address of the range is taken by a physical host: ADD says who has it."""
    taken = "10.56.0.102"
    run(f"ip address add {taken}/24 dev eth0", ns=server)
    with pytest.raises(CniError) as e:
        pod.node.add_pod("late", network="Underlay", family="IPv4")
    assert e.value.code == 102
    assert taken in e.value.msg and mac_of(server, "eth0") in e.value.msg and "56" in e.value.msg


def test_silent_gateway_is_named(lab, pod, fabric):
    run("ip link set gw56 down", ns=fabric.ns)
    try:
        with pytest.raises(CniError) as e:
            pod.node.add_pod("no-gateway", network="Underlay", family="IPv4")
        assert e.value.code == 102 and "10.56.0.254" in e.value.msg
    finally:
        run("ip link set gw56 up", ns=fabric.ns)
        run("ip address add fd00:56::fe/64 dev gw56 nodad", ns=fabric.ns, check=False)
