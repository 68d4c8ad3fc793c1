"""Linux itself for kernel pods: a bridge, which forwards by MAC address and checks nothing."""
from comparison import world
from lab.shell import run

from .device import Device
from .kernel_pods import KernelPods


class Bridge(KernelPods, Device):
    """The bridge works in the context of who sends: it has no CPU of its own, and shares the generator's."""

    megabytes = 0
    pod_mac = world.POD_B.mac  # frames go to the other pod's own address

    def start(self):
        self.make_namespaces()
        run("ip link add br0 type bridge mcast_snooping 0", ns=self.ns)
        run("ip link set br0 up", ns=self.ns)
        for port in ("in", "out"):
            run(f"ip link set {port} master br0", ns=self.ns)
        return self.generator_ports()
