"""Devices whose pods are ordinary containers: network namespaces with an eth0."""
import json

from comparison import world
from lab.fabric import plain_frames
from lab.shell import run


class KernelPods:
    pods = ()  # the namespaces: where the generator enters, where it leaves

    @staticmethod
    def can(scenario):
        return scenario.enters == scenario.leaves == "kernel"

    def make_namespaces(self):
        """One for each pod too; eth0's other end is the device's `in`, `out`."""
        super().make_namespaces()
        self.pods = [self._pod(port, pod) for port, pod in (("in", world.POD_A), ("out", world.POD_B))]

    def _pod(self, port, pod):
        ns = self.make_namespace(f"-{port}")
        run(["ip", "link", "add", "eth0", "address", pod.mac, "netns", ns, "type", "veth", "peer", "name", port, "netns", self.ns])
        run(f"ip address add {pod.ip4}/10 dev eth0", ns=ns)
        run("ip link set eth0 up", ns=ns)
        run(f"ip link set {port} up", ns=self.ns)
        plain_frames(port, self.ns)
        return ns

    def generator_ports(self):
        """Both pods' eth0. The pods' kernels drop everything behind the generator, so that they answer nothing, and
        spend nothing on frames that are addressed to them: testpmd's are not, the others' are."""
        for ns in self.pods:
            run("ip address flush dev eth0", ns=ns)
            plain_frames("eth0", ns)
            run(["nft", "add table netdev quiet; add chain netdev quiet in { type filter hook ingress device eth0 priority 0; policy drop; }"],
                ns=ns)
        self._accept_frames()
        return [f"/run/netns/{ns}:eth0" for ns in self.pods]

    def _accept_frames(self):
        """The generator's frames are XDP's: a veth takes them if its other end has an XDP program in the driver,
        or GRO, which finds nothing to merge in them."""
        eth0 = json.loads(run("ip -json link show eth0", ns=self.pods[0]))[0]
        peer = next(l["ifname"] for l in json.loads(run("ip -json link show", ns=self.ns)) if l["ifindex"] == eth0["link_index"])
        run(["ethtool", "-K", peer, "gro", "on"], ns=self.ns)
