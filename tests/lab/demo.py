"""./demo: two nodes, a physical network, pods of every kind; checks that all reach each other.

  ./demo              bring it up, check it, leave it up
  ./demo status       topology, tables and counters
  ./demo exec POD …   run a command in a pod
  ./demo down         remove it without a trace
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import time

from .fabric import OUTSIDE4, OUTSIDE6
from .lab import Lab, remove_saved, saved
from .node import STRATACTL
from .pod import TestpmdPod
from .shell import CommandError, ok, run

DIRECTORY = "/run/strata-demo"
PREFIX = "demo-"

# The physical network has VLAN 56 and an untagged network; one Underlay Network with Subnets on
# both. network-0 (Overlay) and its IPv4 Subnet are there by themselves.
OBJECTS = """
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: overlay-6}
spec:
  network: network-0
  range: {version: "6", cidr: "fd00:64::/64", gateway: "fd00:64::1"}
---
apiVersion: networking.alibaba.com/v1
kind: Network
metadata: {name: datacentre}
spec:
  type: Underlay
  nodeSelector: {network: datacentre}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: vlan56-4}
spec:
  network: datacentre
  netID: 56
  range: {version: "4", cidr: "10.56.0.0/24", gateway: "10.56.0.254", start: "10.56.0.100", end: "10.56.0.199"}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: vlan56-6}
spec:
  network: datacentre
  netID: 56
  range: {version: "6", cidr: "fd00:56::/64", gateway: "fd00:56::fe", start: "fd00:56::100", end: "fd00:56::1ff"}
---
apiVersion: networking.alibaba.com/v1
kind: Subnet
metadata: {name: untagged-4}
spec:
  network: datacentre
  netID: 0
  range: {version: "4", cidr: "192.168.56.0/24", gateway: "192.168.56.254", start: "192.168.56.100", end: "192.168.56.150"}
"""

TOPOLOGY = """
                 outside 203.0.113.1, 2001:db8:ffff::1
                                │
            gateways: untagged 10.88.0.254, 192.168.56.254 · VLAN 56: 10.56.0.254
                                │
             ┌──────── physical switch (Open vSwitch) ────────┐
             │ untagged + VLAN 56            untagged + VLAN 56│
   node1 10.88.0.1 ═══ strata-vswitchd    node2 10.88.0.2 ═══ strata-vswitchd
"""


def say(text):
    print(text, flush=True)


def build_world(lab):
    fabric = lab.add_fabric()
    fabric.add_gateway("gw1", 1, ["10.88.0.254/24", "fd00:88::fe/64", "192.168.56.254/24"])
    fabric.add_gateway("gw56", 56, ["10.56.0.254/24", "fd00:56::fe/64"])
    for i in (1, 2):
        say(f"starting node{i}")
        lab.add_node(f"node{i}", vlans=[56], labels={"network": "datacentre"},
                     addresses=[f"10.88.0.{i}/24", f"fd00:88::{i}/64"], gateways=["10.88.0.254", "fd00:88::fe"])
    lab.put("demo.yaml", OBJECTS, subnets=["overlay-6", "vlan56-4", "vlan56-6", "untagged-4"])
    subnet = {"networking.alibaba.com/specified-subnet": "untagged-4"}
    for node in lab.nodes.values():
        i = node.name[-1]
        node.add_pod(f"overlay-{i}", family="DualStack")
        node.add_pod(f"vlan-{i}", network="Underlay", family="DualStack",
                     annotations={"networking.alibaba.com/specified-subnet": "vlan56-4/vlan56-6"})
        node.add_pod(f"flat-{i}", network="Underlay", annotations=subnet)
    vm = lab.nodes["node1"].add_pod("dpdk-1", family="DualStack", kind="vhost-user")
    vm.app = TestpmdPod(vm).start()
    for pod in lab.pods.values():
        say(f"  pod {pod.name:10} on {pod.node.name}  {pod.kind:10} {', '.join(pod.addresses())}")


def checks_of(lab):
    """(what it is called, namespace, address) of every ping."""
    pods = list(lab.pods.values())
    sources = [(p.name, p.ns, p) for p in pods] + [(n.name, n.ns, None) for n in lab.nodes.values()]
    for name, ns, source in sources:
        for family in (4, 6):
            if source is not None and source.address(family) is None:
                continue
            for target in pods:
                if target is not source and target.address(family) is not None:
                    yield f"{name} → {target.name} (IPv{family})", ns, target.address(family)
            yield f"{name} → outside (IPv{family})", ns, OUTSIDE4 if family == 4 else OUTSIDE6


def ping_all(lab):
    def one(check):
        name, ns, address = check
        # The first echo may be what wakes a neighbour up; three are sent, all later ones must return.
        return name, ok(["ping", "-n", "-q", "-c", "4", "-i", "0.3", "-W", "2", address], ns=ns, timeout=20)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, checks_of(lab)))
    failed = [name for name, good in results if not good]
    say(f"ping: {len(results) - len(failed)} of {len(results)} paths work")
    for name in failed:
        say(f"  FAILED {name}")
    return not failed


def iperf(lab, client, server):
    server, client = lab.pods[server], lab.pods[client]
    listener = subprocess.Popen(["ip", "netns", "exec", server.ns, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        report = json.loads(client.exec(["iperf3", "-c", server.address(4), "-t", "3", "-J"], timeout=30))
        rate = report["end"]["sum_received"]["bits_per_second"] / 1e9
        say(f"iperf3 {client.name} → {server.name}: {rate:.2f} Gbit/s")
        return rate > 0
    except (CommandError, KeyError, ValueError) as e:
        say(f"iperf3 {client.name} → {server.name}: FAILED {e}")
        return False
    finally:
        listener.kill()
        listener.wait()


def up():
    if saved(DIRECTORY) is not None:
        sys.exit("the demo is up already: ./demo status, or ./demo down first")
    lab = Lab(PREFIX, DIRECTORY)
    try:
        build_world(lab)
    finally:
        lab.save()
    good = ping_all(lab)
    for pair in (("overlay-1", "overlay-2"), ("vlan-1", "vlan-2"), ("overlay-1", "vlan-1")):
        good = iperf(lab, *pair) and good
    status()
    say("\nEvery check passed." if good else "\nSome checks FAILED, see above.")
    say("Left up: ./demo status, ./demo exec overlay-1 ping 10.56.0.100, ./demo down")
    return 0 if good else 1


def status():
    state = saved(DIRECTORY)
    if state is None:
        sys.exit("the demo is not up: sudo ./demo")
    say(TOPOLOGY)
    first = next(iter(state["nodes"].values()))
    for kind in ("network", "subnet", "ipinstance", "nodeinfo"):
        say(f"$ stratactl get {kind}\n" + run([STRATACTL, "-s", first["socket"], "get", kind]))
    for name, node in state["nodes"].items():
        for what in ("port", "neighbour", "worker", "drop"):
            say(f"{name}$ stratactl show {what}\n" + run([STRATACTL, "-s", node["socket"], "show", what]))
    return 0


def execute(arguments):
    state = saved(DIRECTORY)
    if state is None:
        sys.exit("the demo is not up: sudo ./demo")
    if len(arguments) < 2 or arguments[0] not in {**state["pods"], **state["nodes"]}:
        sys.exit(f"usage: ./demo exec POD COMMAND…; pods: {' '.join(state['pods'])}; nodes: {' '.join(state['nodes'])}")
    where = {**state["pods"], **state["nodes"]}[arguments[0]]
    os.execvp("ip", ["ip", "netns", "exec", where["ns"], *arguments[1:]])


def main(arguments):
    command = arguments[0] if arguments else "up"
    if command == "up":
        return up()
    if command == "status":
        return status()
    if command == "exec":
        return execute(arguments[1:])
    if command == "down":
        return remove_saved(DIRECTORY) or 0
    print(__doc__)
    return 0 if command in ("help", "--help", "-h") else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
