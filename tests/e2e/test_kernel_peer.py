"""Linux's own VXLAN device stands in for a node: what it sends and takes is the standard."""
import json
import subprocess

import pytest
from lab.fabric import plain_frames
from lab.shell import ok, run, wait_until
from objects import OVERLAY6, ipinstance, nodeinfo, yaml

POD4, POD6 = "100.64.9.9", "fd00:64::909"


class KernelNode:
    """A namespace with a NIC in the nodes' network and a VXLAN device of the kernel."""

    def __init__(self, lab, fabric, name, outer, remote, remote_mac):
        self.ns = f"{lab.prefix}{name}"
        v6 = ":" in outer
        run(f"ip netns add {self.ns}")
        run(["sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"], ns=self.ns)
        run(f"ip link add eth0 netns {self.ns} type veth peer name to-{name} netns {fabric.ns}")
        fabric.add_port(f"to-{name}", "tag=1")
        plain_frames("eth0", self.ns)
        run("ip link set lo up", ns=self.ns)
        run("ip link set eth0 up", ns=self.ns)
        run(f"ip address add {outer}/{64 if v6 else 24} dev eth0" + (" nodad" if v6 else ""), ns=self.ns)
        self.mac = json.loads(run("ip -j link show eth0", ns=self.ns))[0]["address"]
        run(f"ip link add vx4 address {self.mac} mtu {1430 if v6 else 1450} type vxlan id 4 dstport 8472 local {outer} dev eth0 "
            + ("udp6zerocsumrx" if v6 else ""), ns=self.ns)
        run("ip link set vx4 up", ns=self.ns)
        for group in ("00:00:00:00:00:00", remote_mac):
            run(f"bridge fdb append {group} dev vx4 dst {remote}", ns=self.ns)
        run(f"ip address add {POD4}/16 dev vx4", ns=self.ns)
        run(f"ip address add {POD6}/64 dev vx4 nodad", ns=self.ns)

    def ping(self, address):
        return ok(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", address], ns=self.ns)


@pytest.fixture(scope="module", params=["ipv4-outer", "ipv6-outer"])
def world(request, lab, fabric, add_node):
    """A node of ours with two pods, and the kernel's. One lab serves both outer families in turn."""
    v6 = request.param == "ipv6-outer"
    i = 2 if v6 else 1
    outer, own = (f"fd00:88::{i}9", f"fd00:88::{i}") if v6 else (f"10.88.0.{i}9", f"10.88.0.{i}")
    node = add_node(i, settings={"vtep": {"address": own}})
    lab.put("subnets.yaml", yaml(OVERLAY6), subnets=["overlay-6"])
    info = wait_until(lambda: node.get("nodeinfo", node.name), "the node's own NodeInfo")
    assert info["spec"]["vtepInfo"]["ip"] == own
    name = f"kernel{i}"
    kernel = KernelNode(lab, fabric, name, outer, own, info["spec"]["vtepInfo"]["mac"])
    lab.put("kernel.yaml", yaml(
        nodeinfo(name, outer, kernel.mac),
        ipinstance(POD4, 16, "network-0", "subnet-0-network-0", name, "02:12:34:00:09:09", "kernel-pod"),
        ipinstance(POD6, 64, "network-0", "overlay-6", name, "02:12:34:00:09:09", "kernel-pod")))
    pod = node.add_pod(f"pod-{i}", family="DualStack")
    wait_until(lambda: any(r["address"] == POD4 and r["nexthop"] for r in node.show("route")), "the kernel's route")
    yield kernel, pod
    node.stop()


def test_pod_pings_the_kernel(world):
    kernel, pod = world
    assert pod.ping(POD4) and pod.ping(POD6)


def test_kernel_finds_the_pod_through_the_tunnel_and_pings_it(world):
    kernel, pod = world
    run("ip neigh flush dev vx4", ns=kernel.ns, check=False)
    for family in (4, 6):
        assert kernel.ping(pod.address(family))
    neighbours = run("ip neigh show dev vx4", ns=kernel.ns)
    assert pod.address(4) in neighbours


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("reverse", [False, True], ids=["to-kernel", "from-kernel"])
def test_iperf3_runs(world, family, reverse):
    kernel, pod = world
    address = POD4 if family == 4 else POD6
    server = subprocess.Popen(["ip", "netns", "exec", kernel.ns, "iperf3", "-s", "-1", "-B", address], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: f"{address}" in run("ss -Hltn", ns=kernel.ns), "iperf3 to listen")
        out = pod.exec(["iperf3", "-c", address, "-t", "2", "-J"] + (["-R"] if reverse else []), timeout=30)
        rate = json.loads(out)["end"]["sum_received"]["bits_per_second"]
        print(f"iperf3: {rate / 1e9:.2f} Gbit/s")
        assert rate > 0
    finally:
        server.kill()
        server.wait()
