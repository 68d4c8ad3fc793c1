"""Devices whose pods are ordinary containers: network namespaces with an eth0."""
from lab.shell import run


class KernelPods:
    pods = ()  # the namespaces: where the generator enters, where it leaves

    def generator_ports(self):
        """Packet sockets on both pods' eth0. Without addresses, so that the pods' kernels answer nothing."""
        for ns in self.pods:
            run("ip address flush dev eth0", ns=ns)
        return [f"/run/netns/{ns}:net_af_packet{i},iface=eth0,qdisc_bypass=1" for i, ns in enumerate(self.pods)]
