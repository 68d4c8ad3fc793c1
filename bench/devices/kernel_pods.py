"""Devices whose pods are ordinary containers: network namespaces with an eth0."""
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
        """Packet sockets on both pods' eth0. The pods' kernels drop everything behind those, so that they answer
        nothing, and spend nothing on frames that are addressed to them: testpmd's are not, the others' are."""
        for ns in self.pods:
            run("ip address flush dev eth0", ns=ns)
            plain_frames("eth0", ns)
            run(["nft", "add table netdev quiet; add chain netdev quiet in { type filter hook ingress device eth0 priority 0; policy drop; }"],
                ns=ns)
        return [f"/run/netns/{ns}:net_af_packet{i},iface=eth0,qdisc_bypass=1" for i, ns in enumerate(self.pods)]
