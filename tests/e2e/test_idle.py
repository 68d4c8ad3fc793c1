"""An idle node costs almost nothing."""
import time

import pytest

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def node(lab, add_node):
    node = add_node(1)
    for i in range(10):
        node.add_pod(f"p{i}")
    return node


def test_ten_idle_pods_cost_less_than_a_twentieth_of_a_core(lab, node):
    assert lab.pods["p0"].ping(lab.pods["p1"].address(4))
    time.sleep(2)
    before, start = node.process.cpu_seconds(), time.monotonic()
    time.sleep(5)
    share = (node.process.cpu_seconds() - before) / (time.monotonic() - start)
    print(f"idle: {share * 100:.1f} % of a core")
    assert share < 0.05


def test_first_packet_after_idling_is_answered(lab, node):
    source, target = lab.pods["p2"], lab.pods["p3"]
    source.ping(target.address(4))
    times = []
    for _ in range(5):
        time.sleep(1)
        out = source.exec(["ping", "-n", "-c", "1", "-W", "2", target.address(4)])
        times.append(float(out.split("time=")[1].split()[0]))
    print(f"first packet after idling: {sorted(times)} ms round trip")
    assert len(times) == 5
