"""Linux itself for kernel pods: a bridge, which forwards by MAC address and checks nothing, and its vxlan device."""
from comparison import world
from lab.shell import run

from .device import Device
from .kernel_pods import KernelPods


class Bridge(KernelPods, Device):
    """The bridge works in the context of who sends: it has no CPU of its own, and shares the generator's."""

    megabytes = 0

    @property
    def pod_mac(self):
        """Frames go to the other pod's own address."""
        return (world.REMOTE if self.has_uplink else world.POD_B).mac

    def start(self):
        self.make_namespaces()
        run("ip link add br0 type bridge mcast_snooping 0", ns=self.ns)
        run("ip link set br0 up", ns=self.ns)
        for port in ("in", self._add_tunnel() if self.has_uplink else "out"):
            run(f"ip link set {port} master br0", ns=self.ns)
        return self.generator_ports()

    def _add_tunnel(self):
        run(f"ip address add {world.NODE1_IP}/24 dev out", ns=self.ns)
        run(["ip", "link", "add", "tunnel", "type", "vxlan", "id", str(world.VNI), "dstport", str(world.VXLAN_PORT), "nolearning",
             "local", world.NODE1_IP, "dev", "out"], ns=self.ns)
        run("ip link set tunnel up", ns=self.ns)
        run(f"bridge fdb append {world.REMOTE.mac} dev tunnel dst {world.NODE2_IP}", ns=self.ns)
        return "tunnel"
