"""The devices under test, by the names that they have in the report.

A device is a class of Device for one scenario. It is made with a folder of its own and its CPUs."""
from . import grout, linux, ovs, ovs_afxdp, strata, testpmd, vpp

DEVICES = {
    "strata": strata.Strata,
    "strata-native": strata.NativeStrata,
    "ovs-dpdk": ovs.Router,
    "ovs-dpdk-port": ovs.Port,
    "grout": grout.Grout,
    "vpp": vpp.Vpp,
    "testpmd": testpmd.Testpmd,
    "testpmd-afxdp": testpmd.KernelTestpmd,
    "testpmd-afxdp-busy": testpmd.BusyKernelTestpmd,
    "ovs-afxdp": ovs_afxdp.AfxdpRouter,
    "linux": linux.Bridge,
}
