"""Fixtures: each test module gets a lab of its own, which is removed however the tests end."""
import pathlib
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab.fixtures import lab, logs_of_failures, pytest_runtest_makereport  # noqa: E402, F401


@pytest.fixture(scope="module")
def fabric(lab):
    """A switch with the gateways of the nodes' network and of VLAN 56."""
    fabric = lab.add_fabric()
    fabric.add_gateway("gw1", 1, ["10.88.0.254/24", "fd00:88::fe/64", "192.168.56.254/24"])
    fabric.add_gateway("gw56", 56, ["10.56.0.254/24", "fd00:56::fe/64"])
    return fabric


@pytest.fixture(scope="module")
def add_node(lab, fabric):
    def add(i, **options):
        options.setdefault("addresses", [f"10.88.0.{i}/24", f"fd00:88::{i}/64"])
        options.setdefault("gateways", ["10.88.0.254", "fd00:88::fe"])
        options.setdefault("labels", {"network": "network1"})
        return lab.add_node(f"node{i}", vlans=[56], **options)

    return add
