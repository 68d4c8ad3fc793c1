"""Many pods: 300 at once."""
import concurrent.futures
import time

import pytest

PODS = 300

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def node(lab, add_node):
    return add_node(1, settings={"workers": {"buffers": 98304}})


def test_three_hundred_pods_are_all_pingable(lab, node):
    before, start = node.process.rss_kb(), time.monotonic()
    for i in range(PODS):
        node.add_pod(f"p{i}")
    took = time.monotonic() - start
    per_pod = (node.process.rss_kb() - before) / PODS
    print(f"{PODS} pods: {took * 1000 / PODS:.1f} ms and {per_pod:.0f} KB of the daemon each")
    first = lab.pods["p0"]
    addresses = [p.address(4) for p in lab.pods.values()][1:]
    assert len(set(addresses)) == PODS - 1
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        missing = [a for a, good in zip(addresses, pool.map(first.ping, addresses)) if not good]
    assert missing == []
