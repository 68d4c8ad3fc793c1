"""What is measured: the ways through a node, and the cases of each."""
import typing

from . import world

IMIX = "imix"
PODS = ("pod", "kernel")


class Case(typing.NamedTuple):
    """A row of the report: what the generator sends."""
    frame: object  # bytes without FCS, of the inner frame; or IMIX
    flows: int
    ip: int

    def text(self):
        size = self.frame if self.frame == IMIX else f"{self.frame} B"
        return f"{size}, {self.flows} flow{'s' if self.flows != 1 else ''}, IPv{self.ip}"


class Scenario(typing.NamedTuple):
    name: str
    text: str
    enters: str  # what the generator's first port is: "pod", "kernel" (such a pod), "tunnel", "vlan" (the uplink)
    leaves: str  # its second port
    destinations: int = 1
    frames: tuple = (60, 256, 1514, IMIX)
    flows: tuple = (1, 1000, 100_000)
    families: tuple = (4, 6)
    scale: bool = False

    @property
    def network(self):
        return "vlan" if "vlan" in (self.enters, self.leaves) else "overlay"

    def cases(self, quick):
        if quick:
            return [Case(60, 1000 if 1000 in self.flows else self.flows[0], 4)]
        # The smallest IPv6 frame that has ports, sequence number and time is 80 bytes long.
        return [Case(80 if (frame, ip) == (60, 6) else frame, flows, ip)
                for ip in self.families for frame in self.frames for flows in self.flows]


SCENARIOS = {s.name: s for s in (
    Scenario("pod-pod", "vhost-user pod to vhost-user pod of the same node, routed", "pod", "pod"),
    Scenario("pod-tunnel", "vhost-user pod to a pod of another node, into VXLAN", "pod", "tunnel"),
    Scenario("tunnel-pod", "out of VXLAN to a vhost-user pod", "tunnel", "pod"),
    Scenario("pod-vlan", "vhost-user pod to a station on its VLAN, tagged", "pod", "vlan"),
    Scenario("vlan-pod", "from a station on the VLAN to a vhost-user pod", "vlan", "pod"),
    Scenario("afxdp-afxdp", "ordinary container to another one of the same node", "kernel", "kernel"),
    Scenario("afxdp-tunnel", "ordinary container to a pod of another node, into VXLAN, over a link of the kernel's", "kernel", "tunnel"),
    Scenario("scale", f"pod-tunnel to {world.SCALE_PODS} pods on {world.SCALE_NODES} nodes, uniformly random",
             "pod", "tunnel", destinations=world.SCALE_PODS, frames=(60,), flows=(world.SCALE_PODS,), families=(4,), scale=True),
)}


def order(scenario, case, uplink_mac, pod_mac=world.GATEWAY_MAC):
    """The generator's order, without its rate and time. Port 0 enters, port 1 leaves. Pods send to pod_mac."""
    o = {"tx": 0, "rx": 1, "frame": case.frame, "flows": case.flows, "destinations": scenario.destinations}
    here, there = (world.POD_V, world.REMOTE_V) if scenario.network == "vlan" else (world.POD_A, world.REMOTE)
    if scenario.enters in PODS:
        target = world.POD_B if scenario.leaves in PODS else there
        # Only the uplink's neighbours are asked for.
        answer = {"tunnel": world.ROUTER_MAC if scenario.scale else world.NODE2_MAC, "vlan": there.mac}.get(scenario.leaves)
        o |= {"src_mac": here.mac, "dst_mac": pod_mac, "src": here.ip(case.ip), "dst": target.ip(case.ip)}
        return o | ({"answer": answer} if answer else {})
    o |= {"src": there.ip(case.ip), "dst": here.ip(case.ip)}
    if scenario.enters == "vlan":
        return o | {"encap": "vlan", "vlan": world.VLAN, "src_mac": there.mac, "dst_mac": uplink_mac}
    return o | {"encap": "vxlan", "vni": world.VNI, "vxlan_port": world.VXLAN_PORT,
                "src_mac": world.NODE2_MAC, "dst_mac": uplink_mac,
                "outer_src_mac": world.NODE2_MAC, "outer_dst_mac": uplink_mac,
                "outer_src": world.NODE2_IP, "outer_dst": world.NODE1_IP}
