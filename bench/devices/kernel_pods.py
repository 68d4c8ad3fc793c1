"""Devices whose pods are ordinary containers: network namespaces with an eth0. If such a device has an uplink, that
is a link as well; another node is at its other end."""
import json

from comparison import world
from lab.fabric import plain_frames
from lab.shell import run

FAR = world.Station(world.NODE2_MAC, world.NODE2_IP, None)


class KernelPods:
    pods = ()  # the namespaces: where the generator enters, where it leaves

    @staticmethod
    def can(scenario):
        return scenario.enters == "kernel"

    @property
    def has_uplink(self):
        return self.scenario.leaves != "kernel"

    def make_namespaces(self):
        """One for each pod too; eth0's other end is the device's `in`, `out`."""
        super().make_namespaces()
        self.pods = [self.make_pod("in", world.POD_A, 10, world.MTU), self.make_far() if self.has_uplink else
                     self.make_pod("out", world.POD_B, 10, world.MTU)]

    def make_far(self):
        """The other node, behind the uplink."""
        return self.make_pod("out", FAR, 24, world.UPLINK_MTU)

    def make_pod(self, port, station, prefix_len, mtu):
        ns = self.make_namespace(f"-{port}")
        run(["ip", "link", "add", "eth0", "address", station.mac, "mtu", str(mtu), "netns", ns, "type", "veth",
             "peer", "name", port, "mtu", str(mtu), "netns", self.ns])
        run(f"ip address add {station.ip4}/{prefix_len} dev eth0", ns=ns)
        run("ip link set eth0 up", ns=ns)
        run(f"ip link set {port} up", ns=self.ns)
        plain_frames(port, self.ns)
        return ns

    def generator_ports(self):
        """Both eth0. Their kernels drop everything behind the generator, so that they answer nothing, and spend nothing
        on frames that are addressed to them: testpmd's are not, the others' are. The other node is found by ARP."""
        for ns in self.pods:
            plain_frames("eth0", ns)
            run(["nft", "add table netdev quiet; add chain netdev quiet in { type filter hook ingress device eth0 priority 0; policy drop; }"],
                ns=ns)
        if self.has_uplink:
            run(["nft", "add rule netdev quiet in ether type arp accept"], ns=self.pods[1])
        self._accept_frames()
        return [f"/run/netns/{ns}:eth0" for ns in self.pods]

    def _accept_frames(self):
        """The generator's frames are XDP's: a veth takes them if its other end has an XDP program in the driver,
        or GRO, which finds nothing to merge in them."""
        eth0 = json.loads(run("ip -json link show eth0", ns=self.pods[0]))[0]
        peer = next(l["ifname"] for l in json.loads(run("ip -json link show", ns=self.ns)) if l["ifindex"] == eth0["link_index"])
        run(["ethtool", "-K", peer, "gro", "on"], ns=self.ns)
