"""Bad input gets the right error in the right place, and nobody else notices."""
import subprocess
import time

import pytest
from lab.node import CniError
from lab.shell import CommandError, run, wait_until
from objects import ipinstance, network, subnet, yaml


class Flow:
    """A ping that runs along: five a second, none may be lost."""

    def __init__(self, source, address):
        self.process = subprocess.Popen(["ip", "netns", "exec", source.ns, "ping", "-n", "-i", "0.2", address],
                                        stdout=subprocess.PIPE, text=True)

    def lost(self):
        time.sleep(1)
        self.process.send_signal(2)
        out = self.process.communicate(timeout=10)[0]
        summary = next(line for line in out.splitlines() if "packets transmitted" in line)
        sent, received = int(summary.split()[0]), int(summary.split()[3])
        return sent - received


@pytest.fixture(scope="module")
def node(lab, add_node):
    node = add_node(1)
    node.add_pod("a")
    node.add_pod("b")
    assert lab.pods["a"].ping(lab.pods["b"].address(4))
    return node


@pytest.fixture(autouse=True)
def others_do_not_notice(lab, node):
    flow = Flow(lab.pods["a"], lab.pods["b"].address(4))
    yield
    assert flow.lost() <= 1  # the one that is under way when it is stopped


def reported(node, *texts):
    wait_until(lambda: all(any(t in line for line in node.log().splitlines()) for t in texts),
               lambda: f"{texts} in the log:\n{node.log()[-3000:]}")


def test_malformed_yaml_is_reported_with_file_and_line(lab, node):
    lab.put("broken.yaml", "apiVersion: networking.alibaba.com/v1\nkind: [Network\n")
    reported(node, "broken.yaml:")
    (lab.objects / "broken.yaml").unlink()


@pytest.mark.parametrize("objects,texts", [
    ([subnet("backwards", "network-0", "10.9.0.0/24", start="10.9.0.20", end="10.9.0.10")],
     ["subnet should have at least one available IP. start=10.9.0.20, end=10.9.0.10"]),
    ([network("vlan5000", type="Underlay", netID=5000, nodeSelector={"x": "y"})], ["vlan5000", "5000"]),
    ([{**network("typo", type="Underlay", nodeSelector={"x": "y"}), "specs": {}}], ["typo", "specs"]),
    ([network("field", type="Underlay", netID=7, nodeSelector={"x": "y"}, nodeselector={})], ["nodeselector"]),
    ([ipinstance("10.200.0.1", 16, "network-0", "subnet-0-network-0", "elsewhere", "02:12:34:00:00:01", "stray")],
     ["10-200-0-1"]),
    ([ipinstance("100.64.7.7", 16, "network-0", "subnet-0-network-0", "elsewhere", "02:12:34:00:00:02", "one"),
      ipinstance("100.64.7.7", 16, "network-0", "subnet-0-network-0", "elsewhere", "02:12:34:00:00:03", "two", namespace="other")],
     ["100.64.7.7"]),
], ids=["start-after-end", "vlan-5000", "unknown-top-field", "unknown-spec-field", "outside-its-subnet", "one-address-twice"])
def test_bad_object_is_named_in_the_log_and_kept_out(lab, node, objects, texts):
    lab.put("bad.yaml", yaml(*objects))
    reported(node, *texts)
    (lab.objects / "bad.yaml").unlink()


def test_apply_answers_with_the_rule(node):
    with pytest.raises(CommandError) as e:
        node.ctl("apply", "-f", "-", stdin=yaml(network("second", type="Overlay", netID=5)))
    assert "must have one overlay network at most" in str(e.value)


def test_apply_names_an_unknown_field(node):
    with pytest.raises(CommandError) as e:
        node.ctl("apply", "-f", "-", stdin=yaml(subnet("s", "network-0", "10.9.0.0/24", strat="10.9.0.1")))
    assert "strat" in str(e.value)


def test_full_subnet_is_an_error_at_once(lab, node):
    lab.put("tiny.yaml", yaml(subnet("tiny", "network-0", "10.7.0.0/29", start="10.7.0.1", end="10.7.0.1", config={"private": True})))
    wait_until(lambda: "tiny" in node.ctl("get", "subnet"), "the Subnet")
    named = {"networking.alibaba.com/specified-subnet": "tiny"}
    node.add_pod("fits", annotations=named)
    with pytest.raises(CniError) as e:
        node.add_pod("does-not-fit", annotations=named)
    assert e.value.code == 101 and "tiny" in e.value.msg


def test_add_without_netns_names_the_variable(node):
    with pytest.raises(CniError) as e:
        node.cni("ADD", container="x", netns="", args={"K8S_POD_NAME": "x"})
    assert e.value.code == 4 and "CNI_NETNS" in e.value.msg


def test_add_to_a_netns_that_is_gone_fails_and_leaves_nothing(node):
    before = len(node.show("port"))
    with pytest.raises(CniError):
        node.cni("ADD", container="gone", netns="/var/run/netns/nonesuch", args={"K8S_POD_NAME": "gone"})
    wait_until(lambda: all(i["spec"]["binding"]["podName"] != "gone" for i in node.get("ipinstance")), "its address to be released")
    assert len(node.show("port")) == before


def test_del_of_the_unknown_succeeds(node):
    node.cni("DEL", container="never-seen")


def test_shim_without_daemon_says_where_it_looked(node):
    with pytest.raises(CniError) as e:
        node.cni("ADD", container="x", netns="/proc/self/ns/net", config={"socket": "/run/nonesuch.sock"})
    assert e.value.code == 11 and "/run/nonesuch.sock" in e.value.msg


SCAPY = """
import random, sys, time
from scapy.all import *
conf.verb = 0
random.seed(7)
mac, ip, peer, gw = sys.argv[1:5]
eth = Ether(src=mac, dst="ee:ee:ee:ee:ee:ee")
good = bytes(eth / IP(src=ip, dst=peer) / UDP(sport=1, dport=2) / (b"x" * 40))
frames = [good[:n] for n in range(14, len(good))]
for at in list(range(14, 46)):                       # every header byte lies in turn
    bad = bytearray(good); bad[at] ^= 0xff; frames.append(bytes(bad))
frames += [bytes(Ether(src=mac, dst="ee:ee:ee:ee:ee:ee") / Dot1Q(vlan=1) / Dot1Q(vlan=2) / IP(src=ip, dst=peer)),
           bytes(eth / IPv6(src="fe80::1", dst="fd00::1") / IPv6ExtHdrHopByHop(len=255)),
           bytes(eth / IPv6(src="fd00::1", dst="fd00::2", plen=65535)),
           bytes(eth / IP(src=ip, dst=peer) / UDP(dport=8472) / VXLAN(vni=4) / Ether() / IP() / UDP(dport=8472) / VXLAN(vni=4))]
six = eth / IPv6(src="fd00::1", dst="fd00::2")
for _ in range(20): six = six / IPv6ExtHdrDestOpt()
frames.append(bytes(six / UDP()))
frames += [bytes(random.getrandbits(8) for _ in range(random.randint(14, 1400))) for _ in range(300)]
s = conf.L2socket(iface="eth0")
for i, f in enumerate(frames):
    if i % 32 == 0: time.sleep(0.01)                 # this is not about who is faster
    s.send(f)
print(len(frames))
"""


def test_lying_frames_of_a_pod_are_dropped_with_a_reason(lab, node):
    pod = node.add_pod("liar")
    sent = int(pod.exec(["/usr/bin/python3", "-c", SCAPY, pod.result["interfaces"][1]["mac"], pod.address(4),
                         lab.pods["b"].address(4), "169.254.1.1"], timeout=60).split()[-1])
    wait_until(lambda: pod.port()["rx_packets"] >= sent * 0.9, lambda: str(pod.port()))
    reasons = {d["reason"] for d in node.show("drop") if d["name"] == pod.port()["name"]}
    assert "MALFORMED" in reasons and "SPOOFED_MAC" in reasons
    assert node.process.alive()
