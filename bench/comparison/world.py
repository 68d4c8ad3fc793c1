"""Who is who in a measurement: the same addresses for every device."""
import ipaddress
import typing


class Station(typing.NamedTuple):
    mac: str
    ip4: str
    ip6: str

    def ip(self, version):
        return self.ip4 if version == 4 else self.ip6


# What pods take for their gateway, whatever they send to.
GATEWAY_MAC = "ee:ee:ee:ee:ee:ee"

# Overlay pods: two of this node, and the first of those that node 2 (and others) have.
POD_A = Station("02:00:00:00:00:0a", "100.64.0.10", "fd00:64::a")
POD_B = Station("02:00:00:00:00:0b", "100.64.0.11", "fd00:64::b")
REMOTE = Station("02:00:00:00:00:64", "100.80.0.0", "fd00:64::8000:0")
OVERLAY4, OVERLAY6, VNI = "100.64.0.0/10", "fd00:64::/64", 4

# Pods on a VLAN: one here, one elsewhere.
POD_V = Station("02:00:00:00:00:0c", "10.56.0.10", "fd00:56::a")
REMOTE_V = Station("02:56:00:00:00:64", "10.56.0.100", "fd00:56::64")
VLAN4, VLAN6, VLAN = "10.56.0.0/24", "fd00:56::/64", 56

# The nodes' own ends of the tunnel; how node 1's uplink is addressed is up to the device.
NODE1_IP, NODE2_IP = "10.88.0.1", "10.88.0.2"
NODE2_MAC = "02:88:00:00:00:02"
VXLAN_PORT = 8472

# scale: so many pods on so many nodes, all behind one router.
SCALE_PODS, SCALE_NODES = 100_000, 1_000
SCALE_VTEPS = "10.99.0.0"
ROUTER_IP, ROUTER_MAC = "10.88.0.254", "02:88:00:00:00:fe"

# Fits the longest frame inside a tunnel.
MTU, UPLINK_MTU = 1500, 1600


def scale_pods():
    """(address of the pod, address of its node's tunnel end) of all of scale's pods."""
    first, first_node = ipaddress.ip_address(REMOTE.ip4), ipaddress.ip_address(SCALE_VTEPS) + 1
    for i in range(SCALE_PODS):
        yield first + i, first_node + i % SCALE_NODES
