"""The devices under test, by the names that they have in the report.

A device is a class of Device for one scenario. It is made with a folder of its own and its CPUs."""
from . import linux, ovs, strata, testpmd

DEVICES = {
    "strata": strata.Strata,
    "ovs-dpdk": ovs.Router,
    "ovs-dpdk-port": ovs.Port,
    "testpmd": testpmd.Testpmd,
    "linux": linux.Bridge,
}
