"""Strata itself: a node of the lab, with the generator as its pods and behind its uplink."""
import re

import objects
from comparison import world
from lab import netns
from lab.lab import Lab
from lab.shell import run, wait_until

from .device import Device

METRICS_PORT = 9897
NODES_A_FILE = 1000


class Strata(Device):
    name = "node1"

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.lab = self.node = None

    def start(self):
        self.lab = Lab(f"{self.prefix}strata-", self.directory / "lab")
        self._write_objects()
        self.node = self.lab.add_node(self.name, addresses=[f"{world.NODE1_IP}/24"], gateways=[world.ROUTER_IP],
                                      labels={"network": "vlan"}, settings=self._settings())
        self.processes = [self.node.process]
        instances = 4 if self.scenario.network == "overlay" else 2
        wait_until(lambda: len(self.node.get("ipinstance")) >= instances, "the objects", timeout=60)
        self.uplink_mac = self._uplink_mac()
        first = "a" if self.scenario.network == "overlay" else "v"
        second = "b" if self.scenario.enters == "pod" else first
        return [self._socket(self.scenario.enters, first), self._socket(self.scenario.leaves, second)]

    def _settings(self):
        settings = {"manager": {"enabled": False}, "workers": {"cpus": self.cpus, "busy": True, "buffers": 16384},
                    "metrics": {"port": METRICS_PORT}, "ports": {"mtu": world.MTU}, "attach": {"checkTimeout": 0}}
        if (self.scenario.enters, self.scenario.leaves) != ("pod", "pod"):
            device = f"net_vhost0,iface={self.directory}/uplink,client=1"
            settings["uplink"] = {"device": device, "mtu": world.UPLINK_MTU}
        return settings

    def _uplink_mac(self):
        return re.search(r"link/ether (\S+)", run("ip link show strata0", ns=self.node.ns)).group(1)

    def _socket(self, side, pod):
        if side != "pod":
            return self.directory / "uplink"
        attached = self.node.add_pod(pod, kind="vhost-user", family="DualStack")
        return attached.result["interfaces"][0]["socketPath"]

    # ── objects ───────────────────────────────────────────────────────────────────────────────────

    def _write_objects(self):
        nodes = [objects.nodeinfo("node2", world.NODE2_IP, world.NODE2_MAC)]
        if self.scenario.network == "vlan":
            networks = [objects.network("net", type="Underlay", netID=world.VLAN, nodeSelector={"network": "vlan"}),
                        objects.subnet("v4", "net", world.VLAN4, "10.56.0.254"),
                        objects.subnet("v6", "net", world.VLAN6, "fd00:56::fe")]
            pods = [("v", self.name, world.POD_V)]
        else:
            networks = [objects.network("net", type="Overlay", netID=world.VNI),
                        objects.subnet("v4", "net", world.OVERLAY4, "100.64.0.1"),
                        objects.subnet("v6", "net", world.OVERLAY6, "fd00:64::1")]
            pods = [("a", self.name, world.POD_A), ("b", self.name, world.POD_B), ("remote", "node2", world.REMOTE)]
        self._write("networks", networks + nodes)
        self._write("pods", [o for pod in pods for o in self._pod(*pod)])

    def _pod(self, name, node, station):
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": "default", "uid": f"uid-{name}",
            "annotations": {"networking.alibaba.com/ip-family": "DualStack"}}, "spec": {"nodeName": node}}
        for ip in (station.ip4, station.ip6):
            length = (world.VLAN4 if self.scenario.network == "vlan" else world.OVERLAY4).split("/")[1] if "." in ip else 64
            yield objects.ipinstance(ip, length, "net", "v4" if "." in ip else "v6", node, station.mac, name)

    def _write(self, name, list_):
        (self.lab.objects / f"{name}.yaml").write_text(objects.yaml(*list_))

    # ── measuring ─────────────────────────────────────────────────────────────────────────────────

    def work(self):
        text = self._metrics()
        busy = sum(map(float, re.findall(r"^strata_worker_busy_seconds_total\S* (\S+)", text, re.M)))
        packets = sum(map(float, re.findall(r"^strata_worker_packets_total\S* (\S+)", text, re.M)))
        return busy * self.tsc_hz, packets

    def _metrics(self):
        with netns.connect(self.node.ns, "127.0.0.1", METRICS_PORT) as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: s.recv(65536), b"")).decode()

    def describe(self):
        return "drops: " + ", ".join(f"{port} {reason} {count}" for (port, reason), count in self.node.drops().items())

    def stop(self):
        super().stop()
        if self.lab is not None:
            self.lab.down()
