"""Linux itself for kernel pods: a bridge, which forwards by MAC address and checks nothing."""
from comparison import world
from lab.fabric import plain_frames
from lab.shell import run

from .device import Device
from .kernel_pods import KernelPods


class Bridge(KernelPods, Device):
    """The bridge works in the context of who sends: it has no CPU of its own, and shares the generator's."""

    megabytes = 0
    pod_mac = world.POD_B.mac  # frames go to the other pod's own address

    @staticmethod
    def can(scenario):
        return scenario.enters == scenario.leaves == "kernel"

    def start(self):
        self.ns = f"{self.prefix}{self.directory.name}"
        run(f"ip netns add {self.ns}")
        run("ip link set lo up", ns=self.ns)
        run("ip link add br0 type bridge mcast_snooping 0", ns=self.ns)
        run("ip link set br0 up", ns=self.ns)
        self.pods = [self._pod(f"{self.ns}-{name}", f"to-{name}", pod)
                     for name, pod in (("a", world.POD_A), ("b", world.POD_B))]
        return self.generator_ports()

    def _pod(self, ns, port, pod):
        run(f"ip netns add {ns}")
        run(["ip", "link", "add", "eth0", "address", pod.mac, "netns", ns, "type", "veth", "peer", "name", port, "netns", self.ns])
        run(f"ip address add {pod.ip4}/10 dev eth0", ns=ns)
        run("ip link set eth0 up", ns=ns)
        plain_frames("eth0", ns)
        run(f"ip link set {port} master br0 up", ns=self.ns)
        return ns

    def stop(self):
        super().stop()
        for ns in (*self.pods, self.ns):
            run(f"ip netns delete {ns}", check=False)
