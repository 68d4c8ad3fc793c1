"""Open vSwitch for kernel pods, on its own AF_XDP ports."""
from . import ovs
from .kernel_pods import KernelPods


class AfxdpRouter(KernelPods, ovs.Router):
    """Does the same work as Strata."""

    mode = "native"  # OVS asks for busy polling of its own accord, where the kernel has it

    @staticmethod
    def can(scenario):
        return scenario.enters == scenario.leaves == "kernel"

    def interface(self, _):
        return "type=afxdp", f"options:xdp-mode={self.mode}", "options:n_rxq=1"

    def start(self):
        super().start()
        return self.generator_ports()

    def connected(self):
        """Its links are there from the beginning."""
