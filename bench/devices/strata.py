"""Strata itself: a node of the lab, with the generator as its pods and behind its uplink."""
import pathlib
import re

import objects
from comparison import world
from comparison.scenarios import PODS
from lab import netns
from lab.lab import Lab
from lab.shell import run, wait_until

from .device import Device
from .kernel_pods import KernelPods

METRICS_PORT = 9897
OBJECTS_A_FILE = 500


class Strata(KernelPods, Device):
    name = "node1"
    mode = "generic"  # of AF_XDP

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.lab = self.node = None

    @staticmethod
    def can(_):
        return True

    def start(self):
        self.lab = Lab(f"{self.prefix}{self.mode}-", self.directory / "lab")
        self._write_objects()
        self.node = self.lab.add_node(self.name, start=False, addresses=[f"{world.NODE1_IP}/24"], gateways=[world.ROUTER_IP],
                                      labels={"network": "vlan"}, settings=self._settings())
        self.ns = self.node.ns
        far = self.make_far() if self.scenario.enters == "kernel" and self.has_uplink else None
        self.node.start()
        self.processes = [self.node.process]
        wait_until(lambda: self._metric('strata_objects{kind="IPInstance"}') >= self.n_instances, "the objects", timeout=180)
        self.uplink_mac = self._uplink_mac()
        first = "a" if self.scenario.network == "overlay" else "v"
        second = "b" if self.scenario.enters in PODS else first
        if self.scenario.enters == "kernel":
            self.pods = [self.node.add_pod(first, family="DualStack").ns, far or self.node.add_pod(second, family="DualStack").ns]
            return self.generator_ports()
        return [self._socket(self.scenario.enters, first), self._socket(self.scenario.leaves, second)]

    def _settings(self):
        settings = {"manager": {"enabled": False}, "workers": {"cpus": [self.cpu], "busy": True, "buffers": 16384},
                    "metrics": {"port": METRICS_PORT}, "ports": {"mtu": world.MTU, "afxdp": {"mode": self.mode}},
                    "attach": {"checkTimeout": 0}}
        if self.scenario.leaves not in PODS or self.scenario.enters not in PODS:
            device = "net_af_xdp0,iface=out" if self.scenario.enters == "kernel" else f"vhost-user:{self.directory}/uplink"
            settings["uplink"] = {"device": device, "mtu": world.UPLINK_MTU}
        return settings

    def _uplink_mac(self):
        return re.search(r"link/ether (\S+)", run("ip link show strata0", ns=self.node.ns)).group(1)

    def _socket(self, side, pod):
        if side != "pod":
            return self.directory / "uplink"
        attached = self.node.add_pod(pod, kind="vhost-user", family="DualStack")
        return pathlib.Path(attached.result["interfaces"][0]["socketPath"])

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
        self.n_instances = 2 * len(pods)
        if self.scenario.scale:
            self._write_scale()

    def _pod(self, name, node, station):
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": "default", "uid": f"uid-{name}",
            "annotations": {"networking.alibaba.com/ip-family": "DualStack"}}, "spec": {"nodeName": node}}
        for ip in (station.ip4, station.ip6):
            length = (world.VLAN4 if self.scenario.network == "vlan" else world.OVERLAY4).split("/")[1] if "." in ip else 64
            yield objects.ipinstance(ip, length, "net", "v4" if "." in ip else "v6", node, station.mac, name)

    def _write_scale(self):
        """Many pods on many nodes, besides the first which is there already."""
        vteps = list(dict.fromkeys(node for _, node in world.scale_pods()))
        names = {vtep: f"far{i}" for i, vtep in enumerate(vteps)}
        self._write("far", [objects.nodeinfo(name, str(vtep), world.NODE2_MAC) for vtep, name in names.items()])
        instances = [objects.ipinstance(str(ip), 10, "net", "v4", names[node], f"02:01:00:{i >> 16:02x}:{i >> 8 & 255:02x}:{i & 255:02x}",
                                        f"far-{i}") for i, (ip, node) in enumerate(world.scale_pods()) if i > 0]
        for i in range(0, len(instances), OBJECTS_A_FILE):
            self._write(f"far-{i}", instances[i:i + OBJECTS_A_FILE])
        self.n_instances += len(instances)

    def _write(self, name, list_):
        (self.lab.objects / f"{name}.yaml").write_text(objects.yaml(*list_))

    # ── measuring ─────────────────────────────────────────────────────────────────────────────────

    def work(self):
        text = self._metrics()
        return (self._metric("strata_worker_busy_seconds_total", text) * self.tsc_hz,
                self._metric("strata_worker_packets_total", text))

    def _metric(self, name, text=None):
        """The sum of all that begin with the name."""
        return sum(map(float, re.findall(rf"^{re.escape(name)}\S* (\S+)", text or self._metrics(), re.M)))

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


class NativeStrata(Strata):
    """With its program in the driver of kernel pods' veths."""

    mode = "native"

    @staticmethod
    def can(scenario):
        return KernelPods.can(scenario)
