"""The benchmark works: the generator counts rightly, and bench/compare measures and cleans up. How fast
anything is, is not asked here."""
import json
import os
import pathlib
import subprocess
import sys
import types
import xml.etree.ElementTree

import pytest
from lab.node import BUILD
from lab.shell import CommandError, run

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.append(str(BENCH))

from comparison import machine  # noqa: E402
from comparison.campaign import Campaign  # noqa: E402
from comparison.generator import Generator  # noqa: E402
from devices import DEVICES  # noqa: E402

pytestmark = pytest.mark.alone

ORDER = {"tx": 0, "rx": 0, "src_mac": "02:00:00:00:00:01", "dst_mac": "02:00:00:00:00:02", "src": "10.0.0.1", "dst": "10.0.0.2"}
TUNNEL = {"encap": "vxlan", "vni": 4, "outer_src": "192.0.2.1", "outer_dst": "192.0.2.2"}


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """A generator whose only port gives back what is sent."""
    with machine.hugepages(192):
        generator = Generator(tmp_path_factory.mktemp("generator"), machine.cpus()[0], ["net_ring0"])
        try:
            yield generator.wait_ready()
        finally:
            generator.stop()


@pytest.mark.parametrize("order,length", [
    ({"frame": 60}, 60), ({"frame": 1514, "flows": 100000, "destinations": 1000}, 1514), ({"frame": "imix"}, 351.2),
    ({"frame": 80, "src": "fd00::1", "dst": "fd00::2"}, 80), ({"encap": "vlan", "vlan": 56}, 64), (TUNNEL, 110)])
def test_what_comes_back_is_counted_once(loop, order, length):
    result = loop.run({**ORDER, **order}, seconds=0.1, warmup=0.02)
    assert result["sent"] > 0 and result["lost"] == 0 and result["foreign"] == 0 and result["reordered"] == 0
    assert result["frame"] == pytest.approx(length, abs=0.1)


def test_a_rate_is_kept(loop):
    result = loop.run(ORDER, seconds=0.5, warmup=0.05, rate=10000)
    assert result["sent"] + result["skipped"] == pytest.approx(5000, rel=0.02)
    assert 0 < result["latency_us"]["p50"] <= result["latency_us"]["p99"] <= result["latency_us"]["p999"]


def test_frames_of_a_capture_are_replayed(loop, tmp_path):
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import wrpcap

    wrpcap(str(tmp_path / "two.pcap"), [Ether(dst="02:00:00:00:00:02") / IP() / UDP() / (b"x" * n) for n in (58, 158)])
    result = loop.run({**ORDER, "pcap": tmp_path / "two.pcap"}, seconds=0.1, warmup=0)
    assert result["frame"] == 150
    assert result["sent"] > 0 and result["lost"] == 0


@pytest.mark.parametrize("wrong", [{"frame": 50}, {"flows": 0}, {"rx": 7}, {"colour": "red"}, {"pcap": "/nonexistent"}])
def test_an_order_that_cannot_be_obeyed_is_refused(loop, wrong):
    with pytest.raises(CommandError):
        loop.run({**ORDER, **wrong}, seconds=0.1, warmup=0)
    assert loop.run(ORDER, seconds=0.05, warmup=0)["lost"] == 0


@pytest.fixture
def wire():
    """The namespaces of two devices `eth0` with a link between them; a set in the second one gets the UDP ports of what comes in."""
    names = [f"benchwire{os.getpid()}-{end}" for end in ("in", "out")]
    try:
        for ns in names:
            run(f"ip netns add {ns}")
        run(f"ip link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}")
        for ns in names:
            run("ip link set eth0 up", ns=ns)
        run("ethtool -K eth0 gro on", ns=names[1])
        run(["nft", "add table netdev seen; add set netdev seen ports { type inet_service . inet_service; size 200000; flags dynamic; };"
             "add chain netdev seen in { type filter hook ingress device eth0 priority 0; policy drop; };"
             "add rule netdev seen in update @ports { udp sport . udp dport }"], ns=names[1])
        yield names
    finally:
        for ns in names:
            run(f"ip netns delete {ns}", check=False)


@pytest.mark.parametrize("flows,destination_ports", [(1, {1024}), (1000, {1024}), (100_000, {1024, 1025, 1026, 1027})])
def test_the_generator_for_kernel_pods_makes_all_flows(wire, tmp_path, flows, destination_ports):
    generator = Generator(tmp_path, machine.cpus()[0], [f"/run/netns/{ns}:eth0" for ns in wire])
    try:
        sent = generator.wait_ready().run({**ORDER, "rx": 1, "flows": flows}, seconds=0.5, warmup=0, rate=20_000)["sent"]
    finally:
        generator.stop()
    listed = json.loads(run("nft --json list set netdev seen ports", ns=wire[1]))["nftables"]
    seen = {tuple(element["concat"]) for element in next(item["set"]["elem"] for item in listed if "set" in item)}
    assert {destination for _, destination in seen} == destination_ports
    assert all(source - 1024 + (destination - 1024 << 15) < flows for source, destination in seen)
    assert len(seen) > 0.8 * min(sent, flows)


def traces():
    """What a run makes on the machine, by name."""
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.splitlines()
    return {*(line for line in namespaces if "bench" in line), *map(str, pathlib.Path("/run").glob("strata-bench-*")),
            f"{(machine.PAGES / 'nr_hugepages').read_text().strip()} hugepages"}


def test_devices_are_compared_and_nothing_is_left_behind(tmp_path):
    before = traces()
    done = subprocess.run(
        [BENCH / "compare", "--quick", "--devices", "strata,testpmd", "--rounds", "2", "--seconds", "0.2",
         "--json", tmp_path / "rows.json", "--plots", tmp_path, "pod-pod", "tunnel-pod"],
        env={**os.environ, "STRATA_BUILD": str(BUILD)}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())["results"]
    assert [(r["scenario"], r["device"]) for r in rows] == [
        (scenario, device) for scenario in ("pod-pod", "tunnel-pod") for device in ("strata", "testpmd")]
    for row in rows:
        assert row["frame"] == 60 and row["flows"] == 1000 and row["ip"] == 4 and row["rounds"] == 2
        assert row["mpps"] > 0 and row["gbps"] > 0 and row["cycles_per_packet"] > 0 and 0 <= row["loss"] < 1
        assert row["no_drop"] is None or 10 <= row["no_drop"] <= 99  # percent
        assert all(row["latency_at"][load]["p999"] >= row["latency_at"][load]["p50"] > 0 for load in ("10", "50", "90"))
    assert "| testpmd |" in done.stdout
    for picture in ("pod-pod-mpps", "pod-pod-latency", "tunnel-pod-mpps", "tunnel-pod-latency"):
        xml.etree.ElementTree.parse(tmp_path / f"{picture}.svg")
    assert traces() <= before


def test_changes_and_a_second_worker_are_scenarios_too(tmp_path):
    before = traces()
    done = subprocess.run([BENCH / "compare", "--quick", "--json", tmp_path / "rows.json", "churn", "workers"],
                          env={**os.environ, "STRATA_BUILD": str(BUILD)}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())["results"]
    ways = ("pod-pod", "pod-tunnel", "tunnel-pod", "pod-vlan", "vlan-pod")
    assert [(r["scenario"], r["case"], r["frame"], r["ip"]) for r in rows] == [
        *(("churn", way, frame, ip) for way in ways for frame, ip in ((60, 4), (62, 6))),
        *(("workers", f"{ports}, worker {i}", 60, 4) for ports in ("own", "shared", "queues") for i in (0, 1))]
    for row in rows:
        assert row["device"] == "strata" and row["flows"] > 1 and row["spread"] >= 0 and row["ratio"] > 0
        assert all(row[key] > 0 for key in ("mpps", "mpps_alone", "cycles_per_packet", "cycles_alone"))
        assert row["loss"] == 0 if row["scenario"] == "churn" else row["loss"] <= 0.01
        assert f"| {row['case']}, {row['frame']} B, IPv{row['ip']} |" in done.stdout
    assert traces() <= before


def test_kernel_pods_have_devices_of_all_kinds(tmp_path):
    before = traces()
    done = subprocess.run(
        [BENCH / "compare", "--rounds", "1", "--seconds", "0.2", "--no-latency", "--json", tmp_path / "rows.json",
         "--frames", "60,80,imix", "--flows", "100000", "afxdp-afxdp", "afxdp-tunnel"],
        env={**os.environ, "STRATA_BUILD": str(BUILD)}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "rows.json").read_text())["results"]
    devices = {"afxdp-afxdp": ["strata", "strata-native", "testpmd-afxdp", "testpmd-afxdp-busy", "ovs-afxdp", "linux"],
               "afxdp-tunnel": ["strata", "strata-native", "testpmd-afxdp", "testpmd-afxdp-busy", "linux"]}
    cases = ((60, 4), ("imix", 4), (80, 6), ("imix", 6))
    assert [(r["scenario"], r["frame"], r["ip"], r["device"]) for r in rows] == [
        (scenario, *case, device) for scenario in devices for case in cases for device in devices[scenario]]
    assert all(row["mpps"] > 0 for row in rows)
    assert traces() <= before


def joins_by_itself(name, tmp_path):
    everything = types.SimpleNamespace(devices=None)
    return name in Campaign(everything, tmp_path).devices


@pytest.mark.parametrize("name", ["grout", "vpp"])
def test_a_switch_joins_where_its_programs_are(name, tmp_path, monkeypatch):
    device = DEVICES[name]
    monkeypatch.setenv(device.variable, str(tmp_path))
    for program in device.programs:
        assert not joins_by_itself(name, tmp_path)
        (tmp_path / program).touch(mode=0o755)
    assert joins_by_itself(name, tmp_path)


def test_a_switch_that_is_not_installed_is_asked_for_in_vain(tmp_path):
    done = subprocess.run([BENCH / "compare", "--devices", "strata,grout", "pod-pod"], capture_output=True, text=True, timeout=240,
                          env={**os.environ, "STRATA_BUILD": str(BUILD), "STRATA_GROUT": str(tmp_path)})
    assert done.returncode != 0
    assert "grout and grcli not found" in done.stderr and "STRATA_GROUT" in done.stderr
